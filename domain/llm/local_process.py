"""The process that runs a local model: `python -m domain.llm.local_process`. Started by `local.py` only.

A line of JSON says what to load, and one JSON line out says where it listens. It ends when its input ends, which
the kernel sees to when its parent is killed.
"""

import json
import os
import sys
from typing import Any


def main() -> int:
    # The runtime writes its log to both; only the address may go where the address goes.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    try:
        server = _serve(order)
    except RuntimeError as error:  # all that it raises for a file that it cannot load
        answers.write(json.dumps({"error": str(error)}) + "\n")
        answers.flush()
        return 1
    answers.write(json.dumps({"url": server.listening_address}) + "\n")
    answers.flush()
    sys.stdin.read()
    # Not the usual way out: taking the server down can wait for its thread for ever (xllamacpp 2026.10), and there is
    # nothing to save.
    os._exit(0)


def _serve(order: dict[str, Any]) -> Any:
    """Returns once the model is loaded and the port is open."""
    from xllamacpp import CommonParams, Server  # noqa: PLC0415  an extra of its own: 102 MB

    asked = CommonParams()
    asked.model.path = order["path"]
    asked.model_alias = {order["model"]}
    asked.hostnames = ["127.0.0.1"]
    asked.port = 0
    asked.n_parallel = order["parallel"]
    asked.n_ctx = order["context_tokens"] * order["parallel"]
    asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = order["threads"]
    asked.use_jinja = True
    asked.warmup = False
    asked.ui = False
    return Server(asked)


if __name__ == "__main__":
    sys.exit(main())
