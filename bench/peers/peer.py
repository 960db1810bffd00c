"""What every peer's server shares: arguments, fake model, wire format. Runs inside a peer's own environment.

The contract: POST /turn {"conversation", "text"} answers server-sent events, `data: {"t": "<token> "}` a token and
`data: {"done": true}` at the end. `text` is the script of the fake model as JSON. A peer that can go on after a lost
connection offers GET /resume?conversation=…&after=<tokens seen> with the same answer. Peers with an HTTP API of their
own (Agno) are driven through that instead.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import stamp
import uvicorn


@dataclass(frozen=True)
class Script:
    first_delay_ms: float
    token_delay_ms: float
    tokens: int

    @classmethod
    def parse(cls, text: str) -> "Script":
        return cls(**json.loads(text))


async def fake_model(text: str) -> AsyncIterator[str]:
    """Token n is due at first_delay + n * token_delay, however slow its reader is."""
    script = Script.parse(text)
    clock = asyncio.get_running_loop()
    started = clock.time() + script.first_delay_ms / 1000
    await asyncio.sleep(script.first_delay_ms / 1000)
    for index in range(script.tokens):
        wait = started + index * script.token_delay_ms / 1000 - clock.time()
        if wait > 0:
            await asyncio.sleep(wait)
        yield stamp.token(index) + " "


def sse(token: str) -> str:
    return f'data: {{"t": "{token}"}}\n\n'


DONE = 'data: {"done": true}\n\n'


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--temporal", default="")
    parser.add_argument("--queue", default="")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--durable", action="store_true")
    return parser.parse_args()


def serve(app: object, port: int) -> None:
    """All peers on the same server with the same loop and parser."""
    uvicorn.run(
        app, host="127.0.0.1", port=port, log_level="warning", access_log=False, loop="uvloop", http="httptools"
    )
