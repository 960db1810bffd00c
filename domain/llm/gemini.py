"""Google's Gemini, by its Developer API. Not for Vertex, whose keys are accounts of Google Cloud."""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import httpx2
from google import genai
from google.genai import errors, types

from domain.errors import DomainError, ProviderGarbage
from domain.llm.failure import from_status
from domain.llm.gemini_reply import GeminiReader
from domain.llm.gemini_request import config_of, contents_of
from domain.llm.gemini_stream import made_plain
from domain.llm.model import ModelRequest, Piece
from domain.llm.transport import bounded
from domain.llm.wire import PATIENCE, EventStream, Pace, Patience, field, reply

_CONNECT_SECONDS = 10.0

_answers: ContextVar[list[httpx2.Response]] = ContextVar("gemini_answers")
"""Of the call that this context waits for. The SDK keeps its answer in a cycle of generators, open until the garbage
collector comes by, and gives nobody else hold of it."""


class GeminiProvider:
    """name: what this process calls it by."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        default_model: str,
        name: str = "gemini",
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self._patience = patience
        # Silence is measured in `wire`, over whole events; the transport only guards the handshake.
        self._http = bounded(httpx2.AsyncClient(timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS)))
        self._http.event_hooks["response"] += [made_plain, _keep]
        # It retries only when asked to, and takes another transport (aiohttp) unless it is given this one.
        options = types.HttpOptions(base_url=base_url, httpx_async_client=self._http)
        self._client = genai.Client(api_key=api_key, vertexai=False, http_options=options)

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""
        contents, config = contents_of(request), config_of(request)

        async def ask() -> EventStream:
            events = await self._client.aio.models.generate_content_stream(
                model=request.model, contents=contents, config=config
            )
            return _Events(events)

        return reply("Gemini", request, GeminiReader(), Pace(self._patience), ask, _classify)

    async def close(self) -> None:
        """Idempotent."""
        await self._http.aclose()


class _Events:
    """The SDK's stream, which can be closed."""

    def __init__(self, events: AsyncIterator[Any]) -> None:
        self._events = events
        self._answers: list[httpx2.Response] = []

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        before = _answers.set(self._answers)
        try:
            return await anext(self._events)  # the first one sends the request
        finally:
            _answers.reset(before)

    async def close(self) -> None:
        for answer in self._answers:
            await answer.aclose()


async def _keep(answer: httpx2.Response) -> None:
    _answers.get().append(answer)


def _classify(error: Exception) -> DomainError | None:
    if isinstance(error, errors.APIError):
        # Of the answer itself, or of an event in the middle of a stream; the event has no headers of its own.
        details = field(field(error.details, "error"), "details")
        headers = dict(getattr(error.response, "headers", None) or {})
        said = details if isinstance(details, list) else []
        code = error.code if isinstance(error.code, int) else 500
        reasons = [field(detail, "reason") for detail in said]
        return from_status(
            "Gemini",
            code,
            str(error.message),
            {**_retry_header(said), **headers},
            types=[reason for reason in (*reasons, error.status) if isinstance(reason, str)],
        )
    if isinstance(error, (TypeError, AttributeError, KeyError)):
        # The SDK turns what it receives into its own types without looking whether it can.
        return ProviderGarbage(f"Gemini answered what is not its own format ({type(error).__name__}).")
    return None


def _retry_header(details: list[Any]) -> dict[str, str]:
    """Its wish for a pause, a duration like "34.5s" in the body, as the header that others send."""
    wishes = [field(detail, "retryDelay") for detail in details]
    wish = next((w for w in wishes if isinstance(w, str) and w.endswith("s")), None)
    return {} if wish is None else {"retry-after": wish[:-1]}
