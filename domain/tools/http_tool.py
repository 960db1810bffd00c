"""One HTTP call to a tool, and what can be said of it afterwards. Not for deciding what that means: see `call.py`."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx2

from domain.agents.config import HttpTool
from domain.tools.egress import EgressRefused, resolve

_CONNECT_SECONDS = 5.0
"""A host that has not answered the handshake by then is down; what is left of the timeout is for its work."""


@dataclass(frozen=True, slots=True)
class Answered:
    """body is the response's text, cut at the tool's limit."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class NeverSent:
    """No byte of the request has left. retryable: another attempt may come through."""

    why: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request, or a part of it, has left, and nothing whole came back."""

    why: str


class ToolClient:
    """Makes calls. Never follows redirects, never retries, never uses a proxy of the environment."""

    def __init__(self, *, allow_private: bool = False) -> None:
        """allow_private: also call loopback, private and link-local addresses."""
        self._allow_private = allow_private
        self._client = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            # Each call has its own connection: on a kept one, a reset does not tell whether the request arrived,
            # and one address may serve several hosts, each with its own certificate.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Idempotent."""
        await self._client.aclose()

    async def send(self, tool: HttpTool, arguments: dict[str, Any], key: str) -> Answered | NeverSent | NoAnswer:
        """Call the tool once. Takes tool.timeout_seconds at most, after the name is resolved."""
        try:
            request = await self._request(tool, arguments, key)
        except EgressRefused as refused:
            return NeverSent(str(refused), retryable=False)
        except (OSError, TimeoutError) as error:
            return NeverSent(f"{tool.url.host} could not be found ({type(error).__name__}).", retryable=True)
        try:
            async with asyncio.timeout(tool.timeout_seconds):
                return await self._exchange(request, tool.max_response_bytes)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            return NeverSent(f"{tool.url.host} could not be reached ({type(error).__name__}).", retryable=True)
        except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
            return NeverSent(f"The request could not be made ({type(error).__name__}).", retryable=False)
        except (httpx2.TransportError, TimeoutError) as error:
            return NoAnswer(f"{tool.url.host} gave no whole answer ({type(error).__name__}).")

    async def _request(self, tool: HttpTool, arguments: dict[str, Any], key: str) -> httpx2.Request:
        url = httpx2.URL(str(tool.url))
        port = url.port or (443 if url.scheme == "https" else 80)
        async with asyncio.timeout(_CONNECT_SECONDS):
            address = await resolve(url.host, port, allow_private=self._allow_private)
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Idempotency-Key": key,
            "Accept": "application/json, text/*;q=0.9, */*;q=0.1",
            # Unpacking could turn a small answer into a huge one.
            "Accept-Encoding": "identity",
            "User-Agent": "everturn",
        }
        timeout = httpx2.Timeout(tool.timeout_seconds, connect=min(_CONNECT_SECONDS, tool.timeout_seconds))
        if tool.method == "GET":
            url = url.copy_merge_params({name: _query(value) for name, value in arguments.items()})
        return self._client.build_request(
            tool.method,
            url.copy_with(host=address),
            headers=headers,
            json=None if tool.method == "GET" else arguments,
            timeout=timeout,
            extensions={"sni_hostname": url.host},
        )

    async def _exchange(self, request: httpx2.Request, most_bytes: int) -> Answered:
        response = await self._client.send(request, stream=True)
        try:
            received = bytearray()
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > most_bytes:
                    break
        finally:
            await response.aclose()
        text = bytes(received[:most_bytes]).decode("utf-8", errors="replace")
        return Answered(response.status_code, text + " […]" if len(received) > most_bytes else text)


def _query(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
