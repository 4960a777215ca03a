"""A turn that lives in a service, read and steered from here: what it tells comes into a log of this program."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from llmterm.errors import LlmtermError, ProtocolError, ProviderError
from llmterm.eventlog import EventLog, Reader
from llmterm.events import Entry, Notice, Retraction, SegmentStarted, StateChanged, decoded
from llmterm.framing import Frame
from llmterm.messages import Continuation, EndReason, Message, Reply
from llmterm.progress import Progress
from llmterm.recorded import Standing as OnRecord
from llmterm.remote.service import Service
from llmterm.remote.session import RemoteSession
from llmterm.remote.told import Standing, failure, standing
from llmterm.states import AT_REST, TurnState

# Seconds before the service is asked again once it is lost, the first time, the second, and ever after.
_AGAIN = (0.2, 0.5, 1.0, 2.0, 4.0)
# Seconds that what was asked for may take to be told, once the service has said that it is done.
_PATIENCE = 5.0
_LOST = "the service cannot be reached"
_OVER = (TurnState.DONE, TurnState.CANCELLED)
# Chunks that may wait for a screen that is held: then it has been for long enough. The log has text once, and nobody
# there waits for who is slow here.
_BUFFER = 1024


class RemoteTurn:
    """Ends with its reader here; in the service it goes on."""

    def __init__(self, service: Service, session: RemoteSession, now: Standing, question: Message | None) -> None:
        """`question` is what it answers, None where that is part of the session already."""
        self._service = service
        self._session = session
        self._question = question
        self._path = f"/v1/turns/{now.id}"
        self._id = now.id
        self._seq = now.seq
        self._log = EventLog(now.reply)
        self._tries = 0
        self._moved = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self.who = now.who
        self.guidance = ""
        self.preparation = ""
        self.reason = now.reason or EndReason.PAUSE
        self.error: BaseException | None = None
        self.end_words = ""
        self.rested = False
        self.standing = OnRecord.OPEN
        self.progress = Progress(self._log)
        self._stand(now.state, now.reason, now.words)

    @property
    def state(self) -> TurnState:
        return self._log.state

    @property
    def reply(self) -> Reply:
        return self._log.reply

    @property
    def started_over(self) -> str:
        last = self.reply.segments[-1] if self.reply.segments else None
        return last.cut if last is not None and last.end_reason is EndReason.RESTART else ""

    def reader(self) -> Reader:
        return self._log.reader(bound=_BUFFER)

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow(), name="llmterm-remote-turn")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._let_go()
        if self.standing is not OnRecord.OPEN:
            return
        if self.state is TurnState.FAILED and not self.rested:
            self.standing = OnRecord.WITHDRAWN
            self._session.withdrawn(self._id)
        elif self.state in _OVER and error is None:
            await self.finish()
        else:
            self._session.left()

    # What is asked of it

    async def pause(self, *, upto: int | None = None) -> None:
        if self.state is TurnState.STREAMING:
            await self._do("pause")
        if upto is not None and upto < len(self.reply.body) and self.state in AT_REST:
            await self.rewrite(self.reply.cut(len(self.reply.body) - upto))

    async def cancel(self) -> None:
        if self.state not in _OVER:
            await self._do("cancel")

    async def leave(self) -> None:
        """Read on no more; the turn itself goes on."""
        await self._let_go()
        if self.state is TurnState.STREAMING:
            self._stand(TurnState.PAUSED, EndReason.PAUSE, "")

    async def steer(self, guidance: str) -> bool:
        return False  # a service has no word for it

    async def resume(self, *, guidance: str, continuation: Continuation | None, who: tuple[str, str]) -> None:
        model = "/".join(who) if who != self.who else ""
        await self._ask("resume", {"guidance": guidance, "model": model})

    async def rewrite(self, reply: Reply) -> None:
        await self._do("edit", {"text": reply.text})

    async def kept(self) -> None:
        """The service keeps it."""

    async def finish(self) -> None:
        came, stopped = self.reply.body or self.reply.thoughts, self.state is TurnState.CANCELLED
        nothing = stopped and not came
        self.standing = OnRecord.WITHDRAWN if nothing and self._session.talk.replacing else OnRecord.SAID
        message = None if nothing else self.reply.message("interrupted" if stopped else "complete")
        await self._session.said(self._question, message)

    async def _do(self, what: str, body: Mapping[str, Any] | None = None) -> None:
        """Ask for it; where that cannot be its readers are told."""
        try:
            await self._ask(what, body or {})
        except LlmtermError as error:
            self._log.append(Notice(str(error), failure=True))

    async def _ask(self, what: str, body: Mapping[str, Any]) -> None:
        """Ask for it, and wait until it has come about here, too. Raises our errors."""
        now = standing(await self._service.post(f"{self._path}/{what}", {"by": self._service.by, **body}))
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._seq < now.seq and self._following is not None and not self._following.done():
                    self._moved.clear()
                    await self._moved.wait()

    # What it tells

    async def _follow(self) -> None:
        """Take in what comes until it is over; a service that is lost is asked again."""
        while True:
            try:
                if await self._listen():
                    return
            except ProviderError as error:
                if error.status is not None or isinstance(error, ProtocolError):
                    self._log.append(Notice(str(error), failure=True))
                delay = _AGAIN[min(self._tries, len(_AGAIN) - 1)]
                self._tries += 1
                await self.progress.wait(delay, _LOST)
            except Exception as error:  # it is there, and this is not; or a bug, which belongs to whoever reads
                self._stand(TurnState.FAILED, EndReason.ERROR, str(error))
                self.error = error
                return

    async def _listen(self) -> bool:
        """Take in what comes on one connection; return whether that was all there ever is."""
        async with self._service.listening(f"{self._path}/events", after=self._seq) as stream:
            first = True
            while frames := await stream.read():
                for frame in frames:
                    entry = _entry(frame)
                    if first and self._seq and entry.event == Retraction(0, 0, ()):
                        await self._begin_anew()
                        return False
                    first = False
                    self._take(entry)
        if self.state in _OVER:
            return True
        raise ProviderError(_LOST)  # it ends

    async def _begin_anew(self) -> None:
        """Go on in another log of the same turn, as after a restart of the service."""
        now = standing(await self._service.get(self._path))
        self._log.rewrite(now.reply)
        self._seq = now.seq
        self._stand(now.state, now.reason, now.words)

    def _take(self, entry: Entry) -> None:
        self._seq, self._tries = entry.seq, 0
        match entry.event:
            case StateChanged(state, reason, words):
                self._stand(state, reason, words)
            case SegmentStarted() as started:
                self.who, self.guidance = (started.provider, started.model), started.guidance
                self._log.append(started)
            case Notice(by=by) as notice if by:
                if by != self._service.by:
                    self._log.append(replace(notice, passing=False))
            case event:
                self._log.append(event)
        self._moved.set()

    def _stand(self, state: TurnState, reason: EndReason | None, words: str) -> None:
        self.reason = reason or self.reason
        self.error = failure(state, reason, words)
        self.end_words = "" if self.error else words
        self.rested = self.rested or state is TurnState.PAUSED
        if state is not self._log.state:
            self._log.append(StateChanged(state, reason, words))
        self._moved.set()

    async def _let_go(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})


def _entry(frame: Frame) -> Entry:
    """Return what an event of the service says. Raises ProtocolError."""
    try:
        return decoded(json.loads(frame.data))
    except (ValueError, AttributeError) as error:
        raise ProtocolError(f"the service: {error}") from None
