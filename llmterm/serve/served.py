"""A turn that lives in the service: it goes on whoever reads it or leaves, and is on the record all the time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from llmterm import log
from llmterm.errors import LlmtermError, SessionError
from llmterm.eventlog import EventLog, Reader
from llmterm.events import Notice, StateChanged
from llmterm.messages import EndReason, Message, Reply
from llmterm.providers import Provider
from llmterm.recorded import RecordedTurn
from llmterm.serve.audience import Audience
from llmterm.serve.metrics import Account
from llmterm.sessions.current import CurrentSession
from llmterm.states import TurnState

# Of who does something, so many characters are told.
_LONGEST_NAME = 80
# Seconds that the end of an answer waits for a store that somebody else keeps locked.
_PATIENCE = 5.0


class Told(Protocol):
    """An answer as its readers see it, whether or not anything can still come."""

    @property
    def id(self) -> str: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def state(self) -> TurnState: ...
    @property
    def reason(self) -> EndReason | None: ...
    @property
    def words(self) -> str:
        """Why it failed, or what the provider said of its end."""
        ...

    @property
    def model(self) -> tuple[str, str]:
        """The provider and the model that answer, or did last."""
        ...

    @property
    def error(self) -> BaseException | None: ...
    @property
    def reply(self) -> Reply: ...
    @property
    def places(self) -> range:
        """What a reader can go on from."""
        ...

    @property
    def lost(self) -> bool:
        """Whether another instance goes on with it, and knows nothing of what was told here last."""
        ...

    def reader(self, after: int = 0) -> Reader: ...


class ServedTurn:
    """A turn that somebody has asked for. Any number of tasks may read it, and do with it what can be done."""

    def __init__(
        self, recorded: RecordedTurn, session: CurrentSession, account: Account, *, client: str, unkept: str
    ) -> None:
        """`unkept` is its id where it is on no record."""
        self._recorded = recorded
        self._session = session
        self._account = account
        self.id = unkept
        self.client = client
        """Who has asked for what is being made, as far as it is known."""
        self._task: asyncio.Task[None] | None = None
        self.audience = Audience()
        self.lost = False

    @property
    def session_id(self) -> str | None:
        return self._session.id

    @property
    def state(self) -> TurnState:
        return self._recorded.turn.state

    @property
    def reason(self) -> EndReason | None:
        return self._recorded.turn.reason if self.state is not TurnState.STREAMING else None

    @property
    def words(self) -> str:
        turn = self._recorded.turn
        return turn.end_words if turn.error is None else str(turn.error)

    @property
    def error(self) -> BaseException | None:
        return self._recorded.turn.error

    @property
    def reply(self) -> Reply:
        return self._recorded.turn.reply

    @property
    def places(self) -> range:
        return self._recorded.turn.places

    @property
    def model(self) -> tuple[str, str]:
        """The provider and the model that answer."""
        turn = self._recorded.turn
        return turn.provider.name, turn.request.model

    @property
    def over(self) -> bool:
        """Whether nothing more can come, and nothing can be done with it."""
        return self._recorded.turn.over or self._task is None or self._task.done()

    @property
    def came_to_nothing(self) -> bool:
        """Whether it has failed before anything came: then its question is off the record once it is closed."""
        return self.state is TurnState.FAILED and not self._recorded.rested

    def reader(self, after: int = 0) -> Reader:
        return self.audience.joined(self.spy(after))

    def spy(self, after: int = 0) -> Reader:
        """Return a reader that is nobody's."""
        return self._recorded.turn.reader(after)

    @property
    def ended(self) -> bool:
        """Whether it has come to its end, or was brought to it: nobody can go on with it."""
        return self._recorded.turn.over

    def in_words(self) -> str:
        """Return what it answers, and who is asked: enough to go on with it elsewhere, with what it has told."""
        turn = self._recorded.turn
        snapshot = replace(turn.snapshot(), reply=Reply())
        return json.dumps({"provider": turn.provider.name, "snapshot": json.loads(snapshot.to_json())})

    async def begin(self) -> None:
        """Put it on the record, and have it live. Raises SessionError where it is refused there."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(begun), name="llmterm-served")
        await begun

    async def pause(self, by: str = "") -> None:
        """Pause it; all readers hear `by` whom. One that is not streaming stays as it is.

        Where it was asked for so, it goes on at its provider, and is read on from there.
        """
        if self.state is TurnState.STREAMING:
            await self._recorded.turn.detach()
            if not self._recorded.turn.over:  # as it may have been before that took effect
                self._say("paused", by)
            await self._recorded.kept()

    async def resume(self, *, guidance: str, provider: Provider | None, model: str | None, by: str = "") -> None:
        """Have it go on. Raises TurnStateError unless it is at rest."""
        self.settle()
        self._recorded.turn.resume(guidance=guidance, provider=provider, model=model)
        self._account.open()
        self._say("resumed", by)

    async def cancel(self, by: str = "") -> None:
        """End it; what came is kept."""
        over = self._recorded.turn.over
        self.settle()  # one that has failed is cancelled from then on
        await self._recorded.turn.cancel()
        if not over and self.reason is EndReason.CANCEL:
            self._say("stopped", by)
        await self.settled()

    async def edit(self, text: str, by: str = "") -> None:
        """Put a text in the place of what came. Raises TurnStateError unless it is at rest."""
        turn = self._recorded.turn
        turn.rewrite(turn.reply.rewrite(text))
        self._say("edited", by)
        await self._recorded.kept()

    def settle(self) -> None:
        """Have what has come of it counted."""
        self._account.settle()

    async def lose(self) -> None:
        """Have it live here no more, as another instance has it: nothing more is written of it."""
        self._recorded.hand_over()
        self.lost = True
        await self.close()
        self.audience.dismiss()

    async def close(self) -> None:
        """Have it live here no more: one that streams is paused, as by a crash, and can be gone on with anywhere."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def settled(self) -> None:
        """Wait until the record of an answer that is over is closed."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def when_over(self, told: Callable[[], None]) -> None:
        """Have this called once it is over, and on the record."""
        if self._task is not None:
            self._task.add_done_callback(lambda _: told())

    def _say(self, what: str, by: str) -> None:
        by = " ".join(by.split())[:_LONGEST_NAME]
        if by:
            self._recorded.turn.note(Notice(f"{what} by {by}", passing=True, by=by))

    async def _live(self, begun: asyncio.Future[None]) -> None:
        try:
            async with self._recorded:
                await self._recorded.kept()
                if self._session.id is not None and self._session.head:
                    self.id = turn_id(self._session.id, self._session.head)
                begun.set_result(None)
                await self._recorded.over()
        except LlmtermError as error:
            if not begun.done():
                begun.set_exception(error)
        except BaseException as error:
            if not begun.done():
                begun.set_exception(error)
                return
            raise
        finally:
            self.settle()
            if self.lost:
                self._session.keeper.abandon()
            with suppress(SessionError):  # it was told, as an event of the turn
                await self._session.keeper.last_chance(_PATIENCE)


class PastTurn:
    """An answer of the record that is over."""

    def __init__(self, session_id: str, row: int, message: Message) -> None:
        stopped = message.status == "interrupted"
        self.id = turn_id(session_id, row)
        self.session_id: str | None = session_id
        self.state = TurnState.CANCELLED if stopped else TurnState.DONE
        last = message.segments[-1].end_reason if message.segments else EndReason.STOP
        self.reason: EndReason | None = EndReason.CANCEL if stopped else last
        self.words = ""
        self.error: BaseException | None = None
        parts = message.segments
        self.model = (parts[-1].provider, parts[-1].model) if parts else ("", "")
        # Its places are none that a reader of earlier can know: it gets all of it anew.
        self._log = EventLog(Reply.of(message))
        self._log.append(StateChanged(self.state, self.reason))
        self.reply = self._log.reply
        self.lost = False

    @property
    def places(self) -> range:
        return range(self._log.seq + 1)

    def reader(self, after: int = 0) -> Reader:
        return self._log.reader(after)


def turn_id(session_id: str, row: int) -> str:
    """Return the id of the answer in that row of the record: it is the same after a restart, and elsewhere."""
    return f"{session_id}.{row}"


def place_of(given: str) -> tuple[str, int] | None:
    """Return the session and the row of a turn's id, None for one that is none."""
    session_id, _, row = given.rpartition(".")
    return (session_id, int(row)) if session_id and row.isascii() and row.isdigit() and len(row) < 19 else None


_UNKEPT: Final = "unkept-"


def unkept_id(letters: str) -> str:
    """Return the id of a turn that is on no record."""
    return f"{_UNKEPT}{letters}"


def is_unkept(given: str) -> bool:
    return given.startswith(_UNKEPT)


def name_of(given: str) -> str:
    """Return what a turn goes by among instances: its session, and itself where it is on no record."""
    place = place_of(given)
    return given if place is None else place[0]


async def closed(turns: list[ServedTurn]) -> None:
    """Close them all at once."""
    closing: list[Awaitable[None]] = [each.close() for each in turns]
    for outcome in await asyncio.gather(*closing, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.event("turn not closed", error=repr(outcome))
