"""The embedded model: llama.cpp inside this process, spoken to over a unix socket in a private folder.

`xllamacpp` brings llama.cpp's own server as a library. Given a path as its host name it listens there, so this
provider is the OpenAI wire over a socket file: the same transport, and closing the request stops the computation.
Where there are no unix sockets it listens on loopback, on a free port, behind a random key.

Loading is lazy. It happens in a thread, but llama.cpp holds the interpreter while it loads: keys pressed meanwhile
act afterwards.

What llama.cpp has computed for a conversation is kept while others are answered: a paused answer then goes on with the
same numbers, and so with the same words. Computed anew, in a batch, they are rounded otherwise. For that it goes on in
the same tokens, too: where its text would be read in others it is sent to the completion endpoint, which takes tokens.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmterm.errors import LocalModelError, ProviderError
from llmterm.messages import Continuation, Request, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers.attaching import Accepts, noted
from llmterm.providers.openai import wire
from llmterm.providers.pieces import Answer, Answers, completions, tokens
from llmterm.providers.slot import Slot, question
from llmterm.providers.stream import WireStream
from llmterm.providers.weights import default_threads, default_weights, find_model, pulled
from llmterm.providers.wire import Wire
from llmterm.transport import Call, Transport

# The path of a unix socket has room for 108 bytes on Linux and 104 elsewhere (sockaddr_un).
_MAX_SOCKET_PATH = 100
_START_TIMEOUT = 10.0
# What is asked besides an answer, such as for tokens. A long prompt, computed anew, takes minutes.
_ASIDE_SECONDS = 600.0
_WIRE = wire(continuation="prefill")
# What its model card recommends; llama.cpp's own defaults make so small a model ramble.
_SMOLLM2_SAMPLING = {"temperature": 0.2, "top_p": 0.9}


@dataclass(frozen=True, slots=True)
class _Engine:
    """A loaded model, listening. Dropping `server` stops it."""

    server: Any
    transport: Transport
    base_url: str
    key: str
    folder: str
    slot: Slot
    answers: Answers
    sampling: Mapping[str, float]

    def call(self, path: str, body: Mapping[str, Any], model: str = "") -> Call:
        return Call(
            who=LocalProvider.name,
            model=model,
            url=self.base_url + path,
            payload=body,
            headers={"authorization": f"Bearer {self.key}"},
            secrets=(self.key,),
        )

    def call_for(self, request: Request, over: Wire, beside: Mapping[str, Any]) -> Call:
        body = {**self.sampling, **over.payload(request), **beside}
        return self.call(f"/v1{over.path(request)}", body, request.model)


class LocalProvider:
    """Answers from a model file on this machine."""

    name = "local"

    def __init__(
        self,
        *,
        threads: int = 0,
        context: int = 8192,
        cache: int = 512,
        unix_sockets: bool = hasattr(asyncio, "open_unix_connection"),
        folder: Path | None = None,
    ) -> None:
        """`threads` 0 means `default_threads()`; `context` is the most tokens a conversation may have.

        `cache` is the most memory, in MiB, for conversations that wait while others are answered. It is taken as they
        come; where it is full the oldest is dropped, and computed anew when it goes on.
        `folder` is where models that were pulled lie.
        """
        self._threads = threads or default_threads()
        self._context = context
        self._cache = cache
        self._unix_sockets = unix_sockets
        self._folder = folder
        self._engines: dict[Path, _Engine] = {}
        self._lock = asyncio.Lock()

    def continuation(self, model: str) -> Continuation:
        """llama.cpp continues a trailing assistant message literally."""
        return "prefill"

    def says_stop(self, model: str) -> bool:
        """llama.cpp says "stop" to both on this wire."""
        return False

    def accepts(self, model: str) -> Accepts:
        """Nothing: no eyes are loaded with a model."""
        return Accepts()

    def cannot_prefill(self, model: str) -> None:
        """Every model can."""

    def preparation(self, model: str) -> str:
        """Return what an answer of `model` has to wait for first, or ""."""
        path = find_model(model, self._folder)
        return "" if path in self._engines else f"loading {path.stem}"

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> WireStream:
        request = noted(request, self.accepts(request.model))
        path = find_model(request.model, self._folder)
        engine = await self._engine(path)
        # Silence is a prompt being computed, by a machine that takes its time: there is no idle socket here.
        patient = replace(limits, first_token_timeout=None, chunk_timeout=None, silence_timeout=None)
        answer = engine.answers.begin(request)
        aside = replace(patient, stream_timeout=_ASIDE_SECONDS)
        prompt = await self._prompt(engine, request, answer, aside)
        place = engine.slot.place(request)
        if place == "new" and engine.slot.held is not None:
            await self._keep(engine, engine.slot.held, aside)
        engine.slot.take(request)
        beside = {} if place == "waiting" else {"id_slot": 0}
        if prompt is not None:
            over = completions(prompt)
            # Whatever is wrong with that: as text the answer goes on all the same.
            with suppress(ProviderError):
                frames = await engine.transport.open(engine.call_for(request, over, beside), patient)
                return WireStream(frames, answer.noting(over))
        frames = await engine.transport.open(engine.call_for(request, _WIRE, beside), patient)
        return WireStream(frames, answer.noting(_WIRE))

    def cost(self, model: str, usage: Usage) -> None:
        """There is no price."""

    async def models(self) -> Sequence[str]:
        weights = default_weights()
        return [*([weights.stem] if weights else []), *(pulled(self._folder) if self._folder else [])]

    async def aclose(self) -> None:
        async with self._lock:
            while self._engines:
                _, engine = self._engines.popitem()
                await engine.transport.aclose()
                _remove(engine.folder)

    async def _prompt(
        self, engine: _Engine, request: Request, answer: Answer, limits: StreamLimits
    ) -> list[int] | None:
        """Return the tokens that the answer goes on from, where it was written in others than its text is read in."""
        if answer.thought or len(answer.pieces) < 2:
            return None

        async def ask(path: str, body: Mapping[str, Any]) -> Any:
            return await engine.transport.fetch(engine.call(path, body), limits)

        return await tokens(ask, _WIRE.payload(request)["messages"], answer.pieces)

    async def _keep(self, engine: _Engine, held: Request, limits: StreamLimits) -> None:
        """Have what the slot holds copied to the prompt cache: by asking its question again, for no token of an answer.

        The answer itself would be computed anew, where its text is read in other tokens.
        """
        asked = replace(held, messages=question(held), continuation=None)
        call = engine.call_for(asked, _WIRE, {"max_tokens": 0, "stream": False})
        with suppress(ProviderError):
            await engine.transport.fetch(call, limits)

    async def _engine(self, path: Path) -> _Engine:
        # Shielded: llama.cpp cannot be interrupted while it loads, and a pause must not orphan what it loaded.
        return await asyncio.shield(asyncio.ensure_future(self._load(path)))

    async def _load(self, path: Path) -> _Engine:
        async with self._lock:
            if path not in self._engines:
                self._engines[path] = await self._start(path)
            return self._engines[path]

    async def _start(self, path: Path) -> _Engine:
        folder = _private_folder() if self._unix_sockets else ""
        key = secrets.token_urlsafe(24)
        host = str(Path(folder) / "llama.sock") if folder else "127.0.0.1"
        try:
            server = await asyncio.to_thread(self._serve, path, host, key)
        except (RuntimeError, ImportError, OSError):
            _remove(folder)
            raise LocalModelError(
                f"llama.cpp cannot load {path.name}", hint="is the file whole, and is there memory enough for it?"
            ) from None
        transport = Transport(socket=host if folder else None)
        base_url = "http://local" if folder else server.listening_address
        try:
            await _listening(host, base_url)
        except LocalModelError:
            _remove(folder)
            raise
        return _Engine(
            server=server,
            transport=transport,
            base_url=base_url,
            key=key,
            folder=folder,
            slot=Slot(),
            answers=Answers(),
            sampling=_SMOLLM2_SAMPLING if path == default_weights() else {},
        )

    def _serve(self, path: Path, host: str, key: str) -> Any:
        import xllamacpp  # half of the start-up time of a chat that never needs it

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.hostnames = [host]
        params.api_keys = [key]
        params.port = 0
        params.verbosity = 0  # nothing of its log may reach the terminal
        params.n_ctx = self._context
        # Each slot more would take the memory of a whole context at once.
        params.n_parallel = 1
        params.cache_ram_mib = self._cache
        params.slot_prompt_similarity = 0.0  # or a request that resembles the slot's conversation would overwrite it
        params.cpuparams.n_threads = self._threads
        params.cpuparams_batch.n_threads = self._threads
        params.warmup = False
        params.fit_params = False  # its trial load takes longer than the load itself
        return xllamacpp.Server(params)


async def _listening(host: str, base_url: str) -> None:
    """Wait until the server takes connections: one that is stopped before that never comes back."""
    try:
        async with asyncio.timeout(_START_TIMEOUT):
            if sys.platform == "win32" or host == "127.0.0.1":
                _, writer = await asyncio.open_connection(host, int(base_url.rpartition(":")[2]))
            else:
                _, writer = await asyncio.open_unix_connection(host)
    except (TimeoutError, OSError) as error:
        raise LocalModelError(f"llama.cpp does not answer: {error}") from None
    writer.close()


def _private_folder() -> str:
    """Return a new folder that only this user can enter, with a path short enough for a socket in it."""
    folder = tempfile.mkdtemp(prefix="llmterm-")
    if len(os.fsencode(folder)) + len("/llama.sock") > _MAX_SOCKET_PATH:
        shutil.rmtree(folder, ignore_errors=True)
        folder = tempfile.mkdtemp(prefix="llmterm-", dir="/tmp")
    return folder


def _remove(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
