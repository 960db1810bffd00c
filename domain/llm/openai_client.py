"""OpenAI's SDK, as both of its APIs use it: one client, and what its exceptions mean."""

from collections.abc import Callable

import httpx2
import openai

from domain.errors import DomainError, ProviderGarbage, ProviderUnavailable
from domain.llm.failure import from_event, from_status
from domain.llm.transport import bounded

_CONNECT_SECONDS = 10.0
_NONE_KEPT = httpx2.Limits(max_keepalive_connections=0)


def opened(api_key: str, base_url: str | None, *, keep_alive: bool = True) -> openai.AsyncOpenAI:
    """A client that never retries by itself. keep_alive False: a connection for each call."""
    client = openai.DefaultAsyncHttpxClient() if keep_alive else openai.DefaultAsyncHttpxClient(limits=_NONE_KEPT)
    return openai.AsyncOpenAI(
        api_key=api_key,
        # Given always: without one, the SDK reads the environment, where it may be another provider's.
        base_url=base_url or "https://api.openai.com/v1",
        max_retries=0,
        # Silence is measured in `wire`, over whole events; the transport only guards the handshake.
        timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
        http_client=bounded(client),
    )


def meaning(provider: str) -> Callable[[Exception], DomainError | None]:
    """What the SDK's exceptions mean, for `wire.reply`."""

    def classify(error: Exception) -> DomainError | None:
        if isinstance(error, openai.APIStatusError):
            return from_status(
                provider, error.status_code, error.message, error.response.headers, types=(error.code, error.type)
            )
        if isinstance(error, openai.APIConnectionError):
            return ProviderUnavailable(f"{provider} could not be reached ({type(error.__cause__ or error).__name__}).")
        if isinstance(error, openai.APIResponseValidationError):
            return ProviderGarbage(f"{provider} answered what is not its own format.")
        if isinstance(error, openai.APIError):
            return from_event(provider, (error.code, error.type), error.message)
        return None

    return classify
