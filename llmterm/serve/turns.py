"""All turns of a service: asked for, found again by their ids, and left to the record once nobody wants them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from weakref import WeakKeyDictionary

from llmterm.conversation import Conversation
from llmterm.errors import SessionError, UsageError
from llmterm.lane import Driver, Lane
from llmterm.messages import EndReason, Message, Options
from llmterm.providers import Provider
from llmterm.providers.registry import ProviderRegistry
from llmterm.recorded import RecordedTurn
from llmterm.respondent import Respondent
from llmterm.serve.changes import Changes
from llmterm.serve.metrics import Metrics
from llmterm.serve.refusals import ConflictError, DrainingError, FullError, NoSuchTurnError
from llmterm.serve.respondents import Respondents, Terms
from llmterm.serve.served import PastTurn, ServedTurn, closed, place_of, turn_id
from llmterm.serve.wanted import Wanted
from llmterm.sessions import OpenAnswer, SessionStore, StoredSession
from llmterm.sessions.current import CurrentSession, Writer
from llmterm.sessions.record import LAST
from llmterm.states import TurnState
from llmterm.threads import in_thread
from llmterm.turn import Turn

# For how many seconds an answer that is over, or rests, and that nobody reads, is kept in memory: then its record is
# what there is of it. One that has come to nothing takes its question off the record then, and is in the way till then.
_LINGERS, _LINGERS_AS_NOTHING = 300.0, 15.0
_LOOKS_EVERY = 15.0


class Turns:
    """Those that live here. `clock` gives microseconds, ever more, also over a restart.

    Of those that are over, and on the record, so many are kept in memory that nobody reads, the last ones: each takes
    25 kB beside its text.
    """

    def __init__(
        self,
        store: SessionStore,
        providers: ProviderRegistry,
        terms: Terms,
        metrics: Metrics,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        most_over: int = 1_000,
    ) -> None:
        self.store = store
        self.providers = providers
        self._terms = terms
        self._respondents = Respondents(providers, terms)
        self._metrics = metrics
        self._clock = clock
        self._most_over = most_over
        # One thread writes all sessions: SQLite has one writer at a time anyway.
        self._writer = Writer(Driver("llmterm-records"), store.another())
        # Its thread is the same as long as this is open, as the connection wants it.
        self._records = Lane("llmterm-records", driver=self._writer.driver)
        self._records.put(_nothing)
        self._turns: dict[str, ServedTurn] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        # Who has asked for each that is on no record.
        self._passing: WeakKeyDictionary[Turn, str] = WeakKeyDictionary()
        # For whom how many are about to be made.
        self._beginning: Counter[str] = Counter()
        self.draining = False
        self.changes = Changes()

    @property
    def streaming(self) -> int:
        """How many are streaming."""
        return self._beginning.total() + len(self._streaming)

    @property
    def _streaming(self) -> list[str]:
        """Who has asked for each of those that stream."""
        kept = (each.client for each in self._turns.values() if each.state is TurnState.STREAMING)
        return [*kept, *(client for turn, client in self._passing.items() if turn.state is TurnState.STREAMING)]

    @property
    def held(self) -> int:
        """How many are in memory, whatever they do."""
        return len(self._turns) + len(self._passing)

    async def ask(self, wanted: Wanted) -> ServedTurn:
        """Begin a turn.

        Raises UsageError for what cannot be, ConflictError where the session has an answer that is not over,
        DrainingError, FullError, SessionError, and ProviderError where there is no model.
        """
        with self._room(wanted.client):
            return await self._ask(wanted)

    async def passing(self, asked: Conversation, *, model: str, options: Options, client: str) -> Turn:
        """Return a turn that is on no record, ready to be started by the one who reads it. Raises as `ask`."""
        with self._room(client):
            respondent = await self._respondents.of(model, options, asked.messages[-1])
            turn = await replace(respondent, marker=None).turn(asked)
            self._passing[turn] = client
            return turn

    @contextmanager
    def _room(self, client: str) -> Iterator[None]:
        """Keep room for one more that a client asks for. Raises DrainingError, FullError."""
        if self.draining:
            raise DrainingError("the service is ending", hint="try again in a moment")
        if self.streaming >= self._terms.most:
            raise FullError("too many answers are being made", hint="try again in a moment")
        most = self._terms.most_of_client
        if most is not None and self._beginning[client] + self._streaming.count(client) >= most:
            raise FullError("too many answers are being made for you", hint="try again when one of them has come")
        self._beginning[client] += 1
        try:
            yield
        finally:
            self._beginning -= Counter((client,))

    async def _ask(self, wanted: Wanted) -> ServedTurn:
        respondent = await self._respondents.of(wanted.model, wanted.options, wanted.question)
        if wanted.plain:
            respondent = replace(respondent, marker=None)
        if wanted.after or (wanted.kept and wanted.before):
            await self.settled(wanted.session)
            wanted = replace(wanted, session=await in_thread(self._begun, wanted), before=())
        system = self._terms.system if wanted.system is None else wanted.system
        session = CurrentSession(self.store, system=system, kept=wanted.kept, shared=self._writer)
        if wanted.before:
            session.say(*wanted.before)
        if not wanted.session:
            if wanted.again or wanted.replaces:
                raise UsageError("only a question of a session can be asked again")
            return await self._begin(respondent, session, wanted.question, wanted.client)
        async with self._asking.setdefault(wanted.session, asyncio.Lock()):
            await self._make_room(wanted.session)
            stored = await in_thread(self._loaded, wanted.session)
            if stored.answer is not None:
                raise ConflictError(
                    f"session {stored.id} has an answer that is not over",
                    hint=f"go on with it, or end it: {turn_id(stored.id, stored.answer.message_id)}",
                )
            if wanted.system is not None:
                stored = replace(stored, conversation=replace(stored.conversation, system=wanted.system))
            session.open(stored)
            await session.ready()
            last = session.edit() if wanted.again or wanted.replaces else wanted.question
            return await self._begin(respondent, session, wanted.question_over(last), wanted.client)

    async def find(self, given: str) -> ServedTurn | PastTurn:
        """Return the turn of that id: one that lives here, or is on the record. Raises NoSuchTurnError."""
        if (turn := self._turns.get(given)) is not None:
            turn.used()
            return turn
        place = place_of(given)
        if place is None:
            raise NoSuchTurnError(f"there is no turn {given[:80]!r}")
        session_id, row = place
        async with self._asking.setdefault(session_id, asyncio.Lock()):
            if (turn := self._turns.get(given)) is not None:
                return turn
            try:
                stored = await in_thread(self._peeked, session_id)
            except SessionError:
                raise NoSuchTurnError(f"there is no turn {given[:80]!r}") from None
            if stored.id != session_id:
                raise NoSuchTurnError(f"there is no turn {given[:80]!r}")
            if stored.answer is not None and stored.answer.message_id == row:
                return await self._reopened(await in_thread(self._loaded, session_id))
            for at, message in zip(stored.rows, stored.conversation.messages, strict=True):
                if at == row and message.role == "assistant":
                    return PastTurn(session_id, row, message)
            raise NoSuchTurnError(f"there is no turn {given[:80]!r}")

    async def living(self, given: str) -> ServedTurn:
        """Return the turn of that id that something can be done with. Raises NoSuchTurnError, ConflictError."""
        turn = await self.find(given)
        if isinstance(turn, PastTurn):
            raise ConflictError("that answer is over")
        return turn

    def of_session(self, session_id: str) -> ServedTurn | None:
        """Return the turn of a session that lives here and is not over."""
        return next((each for each in self._turns.values() if each.session_id == session_id and not each.over), None)

    async def resume(self, turn: ServedTurn, *, guidance: str, model: str, by: str, client: str) -> None:
        """Have a turn go on, with another "provider/model" if one is named. Raises as `ask`, and TurnStateError."""
        provider: Provider | None = None
        name: str | None = None
        with self._room(client):
            if model:
                provider, name = await self._respondents.chosen(model)
            await turn.resume(guidance=guidance, provider=provider, model=name, by=by)
            turn.client = client

    async def settled(self, session_id: str) -> list[ServedTurn]:
        """Return what is over in a session, once it is on the record: its readers hear of its end before that."""
        over = [each for each in self._turns.values() if each.session_id == session_id and each.over]
        for each in over:
            await each.settled()
        return over

    async def forget(self, session_id: str) -> None:
        """Let go of what is over in a session, once that is on the record: its row may be opened again."""
        for each in await self.settled(session_id):
            self._turns.pop(each.id, None)

    async def dismiss(self, turn: ServedTurn) -> None:
        """Have a turn live here no more. One that came to nothing, or is on no record, leaves no trace."""
        self._turns.pop(turn.id, None)
        await turn.close()

    async def release(self, session_id: str) -> None:
        """Let go of a session: what lives of it is paused, and on the record."""
        if (turn := self.of_session(session_id)) is not None:
            self._turns.pop(turn.id, None)
            await turn.close()

    async def drain(self) -> None:
        """Begin nothing more, pause what streams, and have all of it on the record."""
        self.draining = True
        await asyncio.gather(*(each.pause(EndReason.CRASH) for each in [*self._passing]))
        await closed(list(self._turns.values()))
        await self._records.run(self._writer.store.close)
        self._records.close()

    def settle(self) -> None:
        """Have all counted that has come of what streams no more."""
        for each in self._turns.values():
            each.settle()

    def farewell(self) -> None:
        """Tell all readers that they will hear no more of it here."""
        for each in self._turns.values():
            each.farewell()
        self.changes.tell_all()

    async def sweep(self) -> None:
        """Let go, again and again, of what nobody wants any more. Ends by being cancelled."""
        while True:
            await asyncio.sleep(_LOOKS_EVERY)
            await self.let_go(asyncio.get_running_loop().time())

    async def let_go(self, now: float) -> None:
        """Let go of what nobody wants any more at that moment, in the loop's time."""
        unread = [each for each in self._turns.values() if not each.read and each.state is not TurnState.STREAMING]
        over = sorted((each for each in unread if each.over and each.session_id), key=lambda each: each.used_at)
        old = {*over[: max(0, len(over) - self._most_over)], *(each for each in unread if _is_left(each, now))}
        for each in old:
            self._turns.pop(each.id, None)
        await closed([*old])
        for session_id in [name for name, lock in self._asking.items() if not lock.locked()]:
            del self._asking[session_id]

    async def _make_room(self, session_id: str) -> None:
        """Let go of what has come to nothing in a session. Raises ConflictError where something else lives there."""
        await self.settled(session_id)
        turn = self.of_session(session_id)
        if turn is None:
            return
        if not turn.came_to_nothing:
            raise ConflictError(
                f"session {session_id} has an answer that is not over", hint=f"go on with it, or end it: {turn.id}"
            )
        self._turns.pop(turn.id, None)
        await turn.close()

    async def _reopened(self, stored: StoredSession) -> ServedTurn:
        answer = stored.answer
        assert answer is not None
        session = CurrentSession(self.store, system=stored.conversation.system, shared=self._writer)
        session.open(stored)
        respondent = await self._respondents.of_rest(answer)
        await session.whole()
        turn = await respondent.turn(await session.conversation(), answer, first=self._clock())
        return await self._lives(turn, session, answer, client="")

    async def _begin(
        self, respondent: Respondent, session: CurrentSession, question: Message, client: str
    ) -> ServedTurn:
        await session.ready()
        turn = await respondent.turn(await session.conversation(question))
        return await self._lives(turn, session, question, client=client)

    async def _lives(
        self, made: Turn, session: CurrentSession, asked: Message | OpenAnswer, *, client: str
    ) -> ServedTurn:
        account = self._metrics.account(made)
        turn = ServedTurn(RecordedTurn(made, session, asked), session, account, client=client, unkept=_unkept())
        await turn.begin()
        self._turns[turn.id] = turn
        session_id = turn.session_id  # which is none any more where it comes to nothing
        self.changes.tell(session_id)
        turn.when_over(lambda: self.changes.tell(session_id))
        return turn

    def _begun(self, wanted: Wanted) -> str:
        """Return the session that ends with what the question follows. Raises NoSuchTurnError, SessionError."""
        store = self.store.another()
        try:
            if not wanted.session:
                with store.together():
                    session_id = store.create(system=wanted.system or "")
                    for message in wanted.before:
                        store.add(session_id, message)
                return session_id
            stored = store.load(wanted.session, peek=True)
            if wanted.after not in stored.rows:
                raise NoSuchTurnError(f"there is no turn {turn_id(wanted.session, wanted.after)}")
            size = stored.rows.index(wanted.after) + 1
            return stored.id if size == len(stored.rows) else store.branch(stored.id, size)
        finally:
            store.close()

    def _loaded(self, session_id: str) -> StoredSession:
        with closing(self.store.another()) as store:
            return store.load(session_id, last=LAST)

    def _peeked(self, session_id: str) -> StoredSession:
        with closing(self.store.another()) as store:
            return store.load(session_id, peek=True)


def _nothing() -> None:
    pass


def _is_left(turn: ServedTurn, now: float) -> bool:
    return now - turn.used_at > (_LINGERS_AS_NOTHING if turn.came_to_nothing else _LINGERS)


def _unkept() -> str:
    return f"unkept-{secrets.token_hex(8)}"
