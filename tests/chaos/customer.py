"""A customer who never gives up: asks again with the same key, and reads on from where the line broke."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

ENDS = ("turn.completed", "turn.failed", "turn.handed_over")
_TRIES_SECONDS = 90
_LINE_FAULTS = (httpx2.TransportError, httpx2.StreamError)


@dataclass
class Reading:
    """What a reader of one conversation has seen, held against the promises at every event."""

    seq: int = 0
    text: str = ""
    said: str = ""
    """Every delta, one after the other: what a reader that cannot take anything back would show."""
    rewound: bool = False
    answers: list[dict[str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        assert event["seq"] == self.seq + 1, f"gap or repetition: {self.seq} then {event['seq']}"
        self.seq = event["seq"]
        if event["type"] == "turn.started":
            self.text = self.said = ""
            self.rewound = False
        elif event["type"] == "reply.delta":
            assert event["at"] == len(self.text), "text shown twice, or left out"
            self.text += event["text"]
            self.said += event["text"]
        elif event["type"] == "reply.rewind":
            self.text = self.text[: event["to"]]
            self.rewound = True
        elif event["type"] == "message.created" and event["role"] == "assistant":
            self.answers.append(event)
            assert self.text == event["text"], "the stream and the stored message differ"
        elif event["type"] in ENDS:
            self.ended.append(event["type"])


class Customer:
    """One conversation with one agent, over real HTTP."""

    def __init__(self, url: str, key: str, *, drops: float = 0.0, seed: int = 0) -> None:
        """drops: how likely the customer hangs up after each event that arrives."""
        self._client = httpx2.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=httpx2.Timeout(10, read=20)
        )
        self._drops = drops
        self._random = random.Random(seed)
        self.conversation = ""
        self.reading = Reading()

    async def close(self) -> None:
        await self._client.aclose()

    async def open(self, agent_id: str) -> None:
        answer = await self._insist("POST", "/v1/conversations", {"agent_id": agent_id})
        self.conversation = answer["id"]

    async def ask(self, text: str) -> None:
        """Ask, and read until the turn that answers it has ended."""
        turns = len(self.reading.ended)
        await self._insist("POST", f"/v1/conversations/{self.conversation}/messages", {"text": text})
        async with asyncio.timeout(_TRIES_SECONDS):
            while len(self.reading.ended) == turns:
                try:
                    await self._follow(turns)
                except _LINE_FAULTS:
                    await asyncio.sleep(0.1)

    async def _follow(self, turns: int) -> None:
        headers = {"Last-Event-ID": str(self.reading.seq)} if self.reading.seq else {}
        path = f"/v1/conversations/{self.conversation}/events/stream"
        async with self._client.stream("GET", path, headers=headers) as response:
            if response.status_code != 200:
                await asyncio.sleep(0.2)
                return
            async for event in _events(response):
                self.reading.take(event)
                if len(self.reading.ended) > turns or self._random.random() < self._drops:
                    return

    async def _insist(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The same request with the same key until it is accepted."""
        headers = {"Idempotency-Key": str(uuid4())}
        async with asyncio.timeout(_TRIES_SECONDS):
            while True:
                try:
                    response = await self._client.request(method, path, json=body, headers=headers)
                except _LINE_FAULTS:
                    await asyncio.sleep(0.2)
                    continue
                if response.status_code < 300:
                    answer: dict[str, Any] = response.json()
                    return answer
                assert response.status_code >= 500, f"refused: {response.status_code} {response.text}"
                await asyncio.sleep(0.2)


async def _events(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            yield json.loads(line[5:])
