"""One JSON request to a provider of embeddings or reranking, and what its failures mean. It never retries."""

from typing import Any

import httpx2

from domain.errors import ProviderGarbage, ProviderRejected, ProviderUnavailable

_CONNECT_SECONDS = 5.0


class JsonProvider:
    """base_url: up to and with the version, like "https://api.openai.com/v1"."""

    def __init__(self, base_url: str, api_key: str | None, timeout_seconds: float) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = base_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            headers=headers, timeout=httpx2.Timeout(timeout_seconds, connect=_CONNECT_SECONDS)
        )

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer's JSON. Raises ProviderUnavailable, ProviderRejected, ProviderGarbage."""
        try:
            answer = await self._client.post(self._url + path, json=body)
        except httpx2.TransportError as error:
            raise ProviderUnavailable(f"{self._url} does not answer: {type(error).__name__}") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise ProviderUnavailable(f"{self._url}{path} answered {answer.status_code}")
        if answer.status_code >= 300:
            raise ProviderRejected(f"{self._url}{path} answered {answer.status_code}")
        try:
            return answer.json()
        except ValueError as error:
            raise ProviderGarbage(f"{self._url}{path} answered something that is not JSON") from error

    async def close(self) -> None:
        """Idempotent."""
        await self._client.aclose()
