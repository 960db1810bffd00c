"""The HTTP API as Python calls. One object an address and key; close it at the end.

Every mutation carries an Idempotency-Key, so a call that is repeated after a lost answer does its work once.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import date
from pathlib import PurePath
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2

from sdk.answers import lost, problem
from sdk.errors import ApiProblem
from sdk.reply import Event
from sdk.stream import follow, progress

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
"""The slowest plain call is an upload of 50 MB; streams have a timeout of their own."""

_PATIENCE_SECONDS = 60.0
"""How long a call is repeated whose answer was lost, or that met a server that is not ready: a killed worker or
database is back in seconds. Nobody at the address at all is said at once."""

_AGAIN_SECONDS = 0.5

_PAGE = 100

Json = dict[str, Any]


class Everturn:
    """Rows come and go as the JSON of the API (see /docs of the server). Raises ApiProblem and Unreachable."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Idempotent."""
        await self._http.aclose()

    async def find(self, kind: str, name: str) -> Json | None:
        """The agent or collection (`kind` is the plural) of that name, or None."""
        async for row in self.rows(f"/v1/{kind}"):
            if row["name"] == name:
                return row
        return None

    async def rows(self, path: str) -> AsyncIterator[Json]:
        """Every row of a list, page by page, newest first."""
        cursor: str | None = None
        while True:
            page = await self._json("GET", path, params={"limit": _PAGE} | ({"cursor": cursor} if cursor else {}))
            for row in page["data"]:
                yield row
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    async def create_agent(self, name: str, config: Json, *, description: str = "") -> Json:
        return await self._json("POST", "/v1/agents", json={"name": name, "description": description, "config": config})

    async def create_collection(self, name: str, *, description: str = "") -> Json:
        return await self._json("POST", "/v1/collections", json={"name": name, "description": description})

    async def upload(
        self,
        collection_id: str,
        filename: str,
        content: bytes,
        media_type: str,
        *,
        labels: dict[str, str] | None = None,
    ) -> Json:
        """The document's row; its state tells how far it got (queued, parsing, indexing, ready, failed).

        labels: None leaves a document that is there already with its own.
        """
        file = (PurePath(filename).name, content, media_type)
        form = {} if labels is None else {"labels": json.dumps(labels)}
        return await self._json("POST", f"/v1/collections/{collection_id}/documents", files={"file": file}, data=form)

    async def document(self, document_id: str) -> Json:
        return await self._json("GET", f"/v1/documents/{document_id}")

    def document_progress(self, document_id: str) -> AsyncIterator[Json]:
        """Its row at once and after each change, until it is ready, failed or deleted. Resumed in silence."""
        return progress(self._http, f"/v1/documents/{document_id}/events")

    async def add_source(self, collection_id: str, config: Json) -> Json:
        """The source's row; config says its kind: url, website or database."""
        return await self._json("POST", f"/v1/collections/{collection_id}/sources", json=config)

    async def refresh_source(self, source_id: str) -> Json:
        return await self._json("POST", f"/v1/sources/{source_id}/refresh")

    async def remove_source(self, source_id: str, *, documents_too: bool = False) -> None:
        await self._json("DELETE", f"/v1/sources/{source_id}", params={"documents_too": documents_too})

    async def add_retrieval_tests(self, collection_id: str, tests: list[Json]) -> list[Json]:
        """All of them or none; at most 500."""
        made = await self._json(
            "POST", f"/v1/collections/{collection_id}/retrieval-tests/import", json={"tests": tests}
        )
        rows: list[Json] = made["data"]
        return rows

    async def run_retrieval_tests(self, collection_id: str, *, limit: int = 10) -> Json:
        """Hit rate, MRR and nDCG of the collection's tests, and what each found."""
        return await self._json("POST", f"/v1/collections/{collection_id}/retrieval-tests/run", json={"limit": limit})

    async def spend(
        self, by: Sequence[str] = (), *, since: date | None = None, before: date | None = None, **only: str
    ) -> Json:
        """Sums of what calls to models cost in UTC days, in millionths of a US dollar: `total`, and `groups` by `by`.

        only: filters of `GET /v1/spend`, like agent_id.
        """
        span = {name: day.isoformat() for name, day in (("since", since), ("before", before)) if day is not None}
        return await self._json("GET", "/v1/spend", params={"group_by": list(by), **span, **only})

    async def create_conversation(self, agent_id: str) -> Json:
        return await self._json("POST", "/v1/conversations", json={"agent_id": agent_id})

    async def post_message(self, conversation_id: str, text: str, attachments: Sequence[Json] = ()) -> Json:
        """message_id, and how many messages wait before it. Its events are in the conversation's log.

        attachments: images and files for the model, each a `url` (data: URL) and perhaps a `name`.
        """
        said = {"text": text, **({"attachments": list(attachments)} if attachments else {})}
        return await self._json("POST", f"/v1/conversations/{conversation_id}/messages", json=said)

    def events(self, conversation_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """The conversation's log from a place on, live and without end. Lost connections are resumed in silence."""
        return follow(self._http, f"/v1/conversations/{conversation_id}/events/stream", after=after)

    async def _json(self, method: str, path: str, **options: Any) -> Json:
        headers = {} if method == "GET" else {"Idempotency-Key": str(uuid4())}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await self._once(method, path, headers, options)
            except ApiProblem as error:
                if error.status != 503 or time.monotonic() > deadline:
                    raise
            except httpx2.ConnectError as error:
                raise lost(self._http, error) from error
            except httpx2.TransportError as error:
                if time.monotonic() > deadline:
                    raise lost(self._http, error) from error
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _once(self, method: str, path: str, headers: dict[str, str], options: dict[str, Any]) -> Json:
        response = await self._http.request(method, path, headers=headers, **options)
        if response.is_error:
            raise problem(response.status_code, response.content)
        answer: Json = response.json() if response.content else {}
        return answer
