"""Routers of others against the plain SDK below them, call by call in turn. Runs inside their own environment.

`measure.py URL CALLS` prints JSON: for each router the milliseconds of its calls and of the SDK's calls beside them.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import uvloop
from langchain_openai import ChatOpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

Call = Callable[[], Awaitable[None]]
QUESTION = "Where is the answer?"
WARM_UP = 30


def plain(url: str) -> Call:
    client = openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)

    async def call() -> None:
        stream = await client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for _ in stream:
            pass

    return call


def pydantic_ai(url: str) -> Call:
    provider = OpenAIProvider(base_url=url, api_key="k")
    model = FallbackModel(OpenAIChatModel("m", provider=provider), OpenAIChatModel("n", provider=provider))

    async def call() -> None:
        async with model_request_stream(model, [ModelRequest.user_text_prompt(QUESTION)]) as stream:
            async for _ in stream:
                pass

    return call


def langchain(url: str) -> Call:
    def of(name: str) -> ChatOpenAI:
        return ChatOpenAI(model=name, base_url=url, api_key="k", max_retries=0, stream_usage=True)

    model = of("m").with_fallbacks([of("n")])

    async def call() -> None:
        async for _ in model.astream(QUESTION):
            pass

    return call


async def compare(call: Call, floor: Call, calls: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"router": [], "floor": []}
    for number in range(calls + WARM_UP):
        for name, each in (("floor", floor), ("router", call)):
            started = time.perf_counter()
            await each()
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


async def main(url: str, calls: int) -> None:
    result: dict[str, Any] = {}
    for name, make in (("pydantic-ai FallbackModel", pydantic_ai), ("langchain with_fallbacks", langchain)):
        result[name] = await compare(make(url), plain(url), calls)
    print(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
