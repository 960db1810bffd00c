"""The process that recognises pages and may die doing so: `python -m domain.knowledge.ocr_process`.

Started by `ocr.py` only. A line of JSON and the file come in, and one JSON line says whether it opened. Then each
line in names a page, and each line out is that page's text.
"""

import json
import os
import resource
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

OUT_OF_MEMORY = 77
"""Exit code when the memory limit was hit where Python could see it."""

_NICENESS = 5
"""Recognising is the longest step and nobody waits for it: a third of what others get. 10 would be a tenth."""


def main() -> int:
    # Libraries print; only the answers may go where the answers go.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(_NICENESS)
    order = json.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        return _serve(order, sys.stdin.buffer.read(order["bytes"]), answers)
    except MemoryError:
        return OUT_OF_MEMORY


def _serve(order: dict[str, Any], data: bytes, answers: BinaryIO) -> int:
    from domain.errors import DocumentUnreadable  # noqa: PLC0415 (imports happen below the memory limit)
    from domain.knowledge.ocr_page import PageReader  # noqa: PLC0415
    from domain.knowledge.ocr_picture import opened  # noqa: PLC0415

    try:
        pictures = opened(data, order["media_type"])
    except DocumentUnreadable as error:
        _say(answers, {"unreadable": error.detail})
        return 0
    reader = PageReader(order["model"], order["threads"], order["tesseract"], order["languages"])
    _say(answers, {"ready": True})
    for line in sys.stdin.buffer:
        _limit_page(order["cpu_seconds"])
        _say(answers, asdict(reader.read(pictures, int(line))))
    return 0


def _limit_page(cpu_seconds: int) -> None:
    """Ends the process (SIGXCPU), even when its caller has died; the caller watches the wall clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + cpu_seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def _say(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
