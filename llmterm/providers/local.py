"""The embedded model: llama.cpp inside this process, spoken to over a unix socket in a private folder.

`xllamacpp` brings llama.cpp's own server as a library. Given a path as its host name it listens there, so this
provider is the OpenAI wire over a socket file: the same transport, and closing the request stops the computation.
Where there are no unix sockets it listens on loopback, on a free port, behind a random key.

Loading is lazy. It happens in a thread, but llama.cpp holds the interpreter while it loads: keys pressed meanwhile
act afterwards.

What llama.cpp has computed for a conversation is kept while others are answered: a paused answer then goes on with the
same numbers, and so with the same words. Computed anew, in a batch, they are rounded otherwise. For that it goes on in
the same tokens, too: where its text would be read in others it is sent to the completion endpoint, which takes tokens.
One that was paused before anything came is computed from where it began, as if nobody had asked.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmterm.errors import LlmtermError, LocalModelError, ProviderError
from llmterm.messages import Continuation, Cursor, Request, StreamEvent, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers.attachments import Accepts
from llmterm.providers.openai import wire
from llmterm.providers.slot import Holding, Slot, question, reporting
from llmterm.providers.stream import WireStream
from llmterm.providers.timings import ASKED, timings
from llmterm.providers.token_pieces import Answer, Answers, Ask, completions, prompt_of, tokens
from llmterm.providers.weights import default_threads, default_weights, find_model, known
from llmterm.providers.wire import Wire
from llmterm.providers.wishes import refuse
from llmterm.threads import in_thread
from llmterm.transport import Call, FrameStream, Transport, again_if_stale

# The path of a unix socket has room for 108 bytes on Linux and 104 elsewhere (sockaddr_un).
_MAX_SOCKET_PATH = 100
_START_TIMEOUT = 10.0
# What is asked besides an answer, such as for tokens. A long prompt, computed anew, takes minutes.
_ASIDE_SECONDS = 600.0
_WIRE = wire(continuation="prefill", host="local")
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

    def asking(self, limits: StreamLimits) -> Ask:
        async def ask(path: str, body: Mapping[str, Any]) -> Any:
            return await self.transport.fetch(self.call(path, body), limits)

        return ask

    def call_for(self, request: Request, over: Wire, beside: Mapping[str, Any]) -> Call:
        body = {**self.sampling, **over.payload(request), **beside}
        return self.call(f"/v1{over.path(request)}", body, request.model)


class _EngineStream:
    """An answer of the engine. One that is closed before the engine has said how it begins is left to `leave`."""

    def __init__(self, stream: WireStream, holding: Holding, leave: Callable[[], None]) -> None:
        self._stream = stream
        self._holding = holding
        self._leave = leave

    async def read(self) -> Sequence[StreamEvent]:
        return await self._stream.read()

    def rest(self) -> Sequence[StreamEvent]:
        return self._stream.rest()

    async def aclose(self) -> None:
        if self._holding.had is None:
            self._leave()
        else:
            await self._stream.aclose()

    async def detach(self) -> None:
        await self.aclose()

    async def steer(self, word: str) -> None:
        pass


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
        self._leaving: set[asyncio.Task[None]] = set()

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

    def stop(self, cursor: Cursor) -> None:
        """Nothing goes on here without its reader."""

    def preparation(self, model: str) -> str:
        """Return what an answer of `model` has to wait for first, or ""."""
        path = find_model(model, self._folder)
        return "" if path in self._engines else f"loading {path.stem}"

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> _EngineStream:
        refuse(self.name, _WIRE, request)
        path = await in_thread(find_model, request.model, self._folder)
        engine = await self._engine(path)
        # Silence is a prompt being computed, by a machine that takes its time: there is no idle socket here.
        patient = replace(limits, first_token_timeout=None, chunk_timeout=None, silence_timeout=None)
        answer = engine.answers.begin(request)
        aside = replace(patient, stream_timeout=_ASIDE_SECONDS)
        prompt = await self._prompt(engine, request, answer, aside)
        beside = {**ASKED, **await self._place(engine, request, prompt, aside)}
        holding = engine.slot.take(request)
        if prompt is not None:
            over = completions(prompt)
            call = engine.call_for(request, over, beside)
            # Whatever is wrong with that: as text the answer goes on all the same.
            with suppress(ProviderError):
                return await self._begin(engine, call, answer.noting(over), holding, patient)
        answer.without_white()
        call = engine.call_for(request, _WIRE, beside)
        return await self._begin(engine, call, answer.noting(_WIRE), holding, patient)

    def cost(self, model: str, usage: Usage) -> None:
        """There is no price."""

    async def models(self) -> Sequence[str]:
        return await in_thread(known, self._folder)

    async def aclose(self) -> None:
        for task in self._leaving:
            task.cancel()
        if self._leaving:
            await asyncio.wait(self._leaving)
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
        *before, part = request.messages
        whole = replace(request, messages=(*before, part.saying("".join(answer.pieces))))
        ask = engine.asking(limits)
        return await tokens(ask, _WIRE.payload(whole)["messages"], answer.pieces, always=bool(answer.white))

    async def _place(
        self, engine: _Engine, request: Request, prompt: list[int] | None, limits: StreamLimits
    ) -> Mapping[str, Any]:
        """Have the slot hold what the answer to `request` begins from; return what the request has to say of it."""
        slot = engine.slot
        again = slot.again(request)
        if again is not None and again.leaving is not None:
            await asyncio.wait({again.leaving})
        place = slot.place(request)
        if again is not None and (again is slot.held or request.continuation is None):
            if again is not slot.held:
                await self._keep(engine, again.request, limits)
            await self._rewind(engine, again, prompt, limits)
            place = "here"
        elif place == "new" and slot.held is not None:
            await self._keep(engine, slot.held.request, limits)
        return {} if place == "waiting" else {"id_slot": 0}

    async def _rewind(self, engine: _Engine, again: Holding, prompt: list[int] | None, limits: StreamLimits) -> None:
        """Have the slot forget what it has computed for a request, but for what it had before.

        By asking for a prompt that goes on with another token from there, and for no token of an answer.
        """
        read = prompt or await prompt_of(engine.asking(limits), _WIRE.payload(again.request)["messages"])
        if again.had is None or read is None or again.had >= len(read) - 1:
            return
        other = 1 if read[again.had] == 0 else 0
        body = {"prompt": [*read[: again.had], other], "max_tokens": 0, "id_slot": 0}
        with suppress(ProviderError):
            await engine.transport.fetch(engine.call("/v1/completions", body), limits)

    async def _begin(
        self, engine: _Engine, call: Call, wire: Wire, holding: Holding, limits: StreamLimits
    ) -> _EngineStream:
        opening = asyncio.ensure_future(again_if_stale(lambda: engine.transport.open(call, limits)))

        def leave() -> None:
            holding.leaving = asyncio.create_task(_left(opening, holding), name="llmterm-leave")
            self._leaving.add(holding.leaving)
            holding.leaving.add_done_callback(self._leaving.discard)

        try:
            frames = await asyncio.shield(opening)
        except asyncio.CancelledError:
            leave()
            raise
        return _EngineStream(WireStream(frames, reporting(wire, holding)), holding, leave)

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


async def _left(opening: Awaitable[FrameStream], holding: Holding) -> None:
    """Close an answer that nobody waits for any more, once it is known what the slot had for it: it is begun anyway."""
    with suppress(LlmtermError):
        frames = await opening
        try:
            for frame in await frames.read() if holding.had is None else ():
                holding.note(timings(frame))
        finally:
            await frames.aclose()


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
