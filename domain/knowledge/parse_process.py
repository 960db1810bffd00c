"""The process that reads one file and may die doing so: `python -m domain.knowledge.parse_process`.

Started by `reading.py` only. A line of JSON and the file come in; one JSON document goes out.
"""

import json
import logging
import os
import resource
import sys
from dataclasses import asdict
from uuid import UUID

OUT_OF_MEMORY = 77
"""Exit code when the memory limit was hit where Python could see it."""


def main() -> int:
    logging.disable()  # a broken file makes libraries complain without end, and the worker would keep it all
    # Libraries print; only the answer may go where the answer goes.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    _limit(order["memory_bytes"], order["cpu_seconds"])
    try:
        answer = json.dumps(_answer(order, sys.stdin.buffer.read()), ensure_ascii=False).encode("utf-8", "replace")
    except MemoryError:
        return OUT_OF_MEMORY
    answers.write(answer)
    answers.close()
    return 0


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(order: dict[str, str], data: bytes) -> dict[str, object]:
    from domain.errors import DocumentUnreadable  # noqa: PLC0415 (imports happen below the memory limit)
    from domain.knowledge.chunk import chunk  # noqa: PLC0415
    from domain.knowledge.parse import parse  # noqa: PLC0415

    try:
        extract = parse(data, order["filename"], order["claimed"])
        chunks = chunk(extract, UUID(order["document_id"]))
    except DocumentUnreadable as error:
        return {"unreadable": error.detail}
    except RecursionError:
        return {"unreadable": "the file is nested too deeply"}
    except (MemoryError, AssertionError):
        raise
    except Exception as error:  # noqa: BLE001 (a broken file takes parsers anywhere; that is what this process is for)
        return {"unreadable": f"the file is corrupt ({type(error).__name__})"}
    return {"extract": asdict(extract), "chunks": [asdict(each) for each in chunks]}


if __name__ == "__main__":
    sys.exit(main())
