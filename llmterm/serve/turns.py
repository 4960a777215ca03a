"""All turns of a service: asked for, found again by their ids, and left to the record once nobody wants them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any
from weakref import WeakKeyDictionary

from llmterm.conversation import Conversation
from llmterm.errors import SessionError, UsageError
from llmterm.messages import EndReason, Message, Options
from llmterm.providers import Provider
from llmterm.providers.registry import ProviderRegistry
from llmterm.recorded import RecordedTurn
from llmterm.respondent import Respondent
from llmterm.serve.changes import Changes
from llmterm.serve.command import Command
from llmterm.serve.living import LivingTurns, is_open
from llmterm.serve.metrics import Metrics
from llmterm.serve.peers.mirrored import MirroredTurn
from llmterm.serve.peers.peers import Peers
from llmterm.serve.records import Records
from llmterm.serve.refusals import ConflictError, NoSuchTurnError
from llmterm.serve.reopening import Reopened, finished, recovered, reopened
from llmterm.serve.respondents import Respondents, Terms
from llmterm.serve.room import Room
from llmterm.serve.served import PastTurn, ServedTurn, closed, is_unkept, name_of, place_of, turn_id, unkept_id
from llmterm.serve.wanted import Wanted
from llmterm.sessions import OpenAnswer
from llmterm.sessions.current import CurrentSession
from llmterm.states import OVER, TurnState
from llmterm.turn import Turn

_LOOKS_EVERY = 15.0


class Turns:
    """Those that live here, and those of the `peers`. `clock` gives microseconds, ever more, also over a restart.

    `most_over` are kept in memory that are over: see `LivingTurns`.
    """

    def __init__(
        self,
        records: Records,
        providers: ProviderRegistry,
        terms: Terms,
        metrics: Metrics,
        peers: Peers,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        most_over: int = 1_000,
    ) -> None:
        self.providers = providers
        self._records = records
        self._terms = terms
        self._respondents = Respondents(providers, terms)
        self._metrics = metrics
        self._peers = peers
        self._clock = clock
        self._living = LivingTurns(most_over)
        # Whoever begins something in a session, or opens it again, does so alone.
        self._locks: dict[str, asyncio.Lock] = {}
        # Who has asked for each that is on no record.
        self._passing: WeakKeyDictionary[Turn, str] = WeakKeyDictionary()
        self._room = Room(terms, self._streaming, lambda: self.held)
        self.changes = Changes()

    @property
    def streaming(self) -> int:
        """How many are streaming."""
        return self._room.taken

    def _streaming(self) -> list[str]:
        """Return who has asked for each of those that stream."""
        return [
            *self._living.clients(),
            *(client for turn, client in self._passing.items() if turn.state is TurnState.STREAMING),
        ]

    @property
    def held(self) -> int:
        """How many are in memory, whatever they do."""
        return len(self._living) + len(self._passing)

    # Asking

    async def ask(self, wanted: Wanted) -> ServedTurn:
        """Begin a turn.

        Raises UsageError for what cannot be, ConflictError where the session has an answer that is not over,
        DrainingError, FullError, SessionError, and ProviderError where there is no model.
        """
        with self._room.one_more(wanted.client):
            return await self._ask(wanted)

    async def passing(self, asked: Conversation, *, model: str, options: Options, client: str) -> Turn:
        """Return a turn that is on no record, ready to be started by the one who reads it. Raises as `ask`."""
        with self._room.one_more(client):
            respondent = await self._respondents.of(model, options, asked.messages[-1])
            turn = await replace(respondent, marker=None, background=False).turn(asked)
            self._passing[turn] = client
            return turn

    async def _ask(self, wanted: Wanted) -> ServedTurn:
        respondent = await self._respondents.of(wanted.model, wanted.options, wanted.question)
        if wanted.plain:
            respondent = replace(respondent, marker=None)
        if wanted.after or (wanted.kept and wanted.before):
            await self.settled(wanted.session)
            wanted = replace(wanted, session=await self._records.begin(wanted), before=())
        if wanted.session:
            async with self._lock(wanted.session):
                return await self._ask_in(wanted.session, respondent, wanted)
        if wanted.again or wanted.replaces:
            raise UsageError("only a question of a session can be asked again")
        system = self._terms.system if wanted.system is None else wanted.system
        session = self._records.session(system=system, kept=wanted.kept)
        if wanted.before:
            session.say(*wanted.before)
        return await self._begin(respondent, session, wanted.question, wanted.client)

    async def _ask_in(self, session_id: str, respondent: Respondent, wanted: Wanted) -> ServedTurn:
        await self._make_room(session_id)
        seized = await self._peers.hold(session_id)
        try:
            stored = await self._records.load(session_id, seized=seized)
            if stored.answer is not None:
                raise is_open(stored.id, turn_id(stored.id, stored.answer.message_id))
            if wanted.system is not None:
                stored = replace(stored, conversation=replace(stored.conversation, system=wanted.system))
            session = self._records.opened(stored)
            await session.ready()
            last = session.edit() if wanted.again or wanted.replaces else wanted.question
            return await self._begin(respondent, session, wanted.question_over(last), wanted.client)
        except BaseException:
            self._peers.drop(session_id)
            raise

    async def _begin(
        self, respondent: Respondent, session: CurrentSession, question: Message, client: str
    ) -> ServedTurn:
        await session.ready()
        turn = await respondent.turn(await session.conversation(question))
        return await self._lives(turn, session, question, client=client)

    async def _lives(
        self, made: Turn, session: CurrentSession, asked: Message | OpenAnswer, *, client: str = "", unkept: str = ""
    ) -> ServedTurn:
        account = self._metrics.account(made)
        recorded = RecordedTurn(made, session, asked, self._peers.kept_seconds)
        turn = ServedTurn(recorded, session, account, client=client, unkept=unkept or unkept_id(secrets.token_hex(8)))
        await turn.begin()
        self._living.add(turn)
        await self._peers.live(turn)
        session_id = turn.session_id  # which is none any more where it comes to nothing
        self.changed(session_id)
        turn.when_over(lambda: self.changed(session_id))
        return turn

    # Finding

    async def find(self, given: str) -> ServedTurn | MirroredTurn | PastTurn:
        """Return the turn of that id: one that lives here, or elsewhere, or is on the record.

        Raises NoSuchTurnError.
        """
        if (turn := self._living.get(given)) is not None:
            turn.audience.used()
            return turn
        place = place_of(given)
        if place is None and not is_unkept(given):
            raise _unknown(given)
        if (mirror := await self._peers.find(given)) is not None:
            return mirror
        async with self._lock(name_of(given)):
            if (turn := self._living.get(given)) is not None:
                return turn
            return await (self._recovered(given) if place is None else self._on_record(*place))

    async def _on_record(self, session_id: str, row: int) -> ServedTurn | PastTurn:
        given = turn_id(session_id, row)
        try:
            stored = await self._records.peek(session_id)
        except SessionError:
            raise _unknown(given) from None
        if stored.id != session_id:
            raise _unknown(given)
        if stored.answer is not None and stored.answer.message_id == row:
            if (living := await self._reopened(session_id)) is not None:
                return living
            stored = await self._records.peek(session_id)
        for at, message in zip(stored.rows, stored.conversation.messages, strict=True):
            if at == row and message.role == "assistant":
                return PastTurn(session_id, row, message)
        raise _unknown(given)

    async def turn_in(self, session_id: str) -> str | None:
        """Return the id of the turn of a session that lives, here or elsewhere, and is not over."""
        turn = self._living.in_session(session_id)
        return turn.id if turn is not None else await self._peers.turn_in(session_id)

    async def _reopened(self, session_id: str) -> ServedTurn | None:
        """Have the open answer of a session live here; None where it turns out to be over. Raises as `find`."""
        seized = await self._peers.hold(session_id)
        try:
            stored = await self._records.load(session_id, seized=seized)
            answer = stored.answer
            told = None if answer is None else await self._peers.told(turn_id(session_id, answer.message_id))
            if answer is None or (told is not None and told.state in OVER):
                if answer is not None and told is not None:
                    await finished(self._records.opened(stored), answer, told)
                self._peers.drop(session_id)
                return None
            return await self._go_on(await reopened(self._records, self._respondents, stored, told, self._clock()))
        except BaseException:
            self._peers.drop(session_id)
            raise

    async def _recovered(self, given: str) -> ServedTurn:
        """Have a turn live here that is on no record, as far as it was told. Raises NoSuchTurnError."""
        await self._peers.hold(given)
        try:
            asked, told = await self._peers.asked(given), await self._peers.told(given)
            if asked is None or (told is not None and told.state in OVER):
                raise _unknown(given)
            return await self._go_on(await recovered(self._records, self._respondents, asked, told), unkept=given)
        except BaseException:
            self._peers.drop(given)
            raise

    async def _go_on(self, found: Reopened, *, unkept: str = "") -> ServedTurn:
        return await self._lives(found.turn, found.session, found.asked, unkept=unkept)

    # What is done with them

    async def do(self, given: str, command: Command) -> ServedTurn | MirroredTurn:
        """Do something with a turn, wherever it lives, and return it. Raises our errors."""
        turn = await self.find(given)
        match turn:
            case ServedTurn():
                await self._do(turn, command)
            case MirroredTurn(over=False):
                done = await self._peers.order(name_of(given), {"turn": given, "command": asdict(command)})
                await turn.reached(done["seq"])
            case _:
                raise ConflictError("that answer is over")
        return turn

    async def _do(self, turn: ServedTurn, command: Command) -> None:
        match command.do:
            case "pause":
                await turn.pause(command.by)
            case "resume":
                await self._resume(turn, command)
            case "cancel":
                await turn.cancel(command.by)
            case "edit":
                await turn.edit(command.text, command.by)
            case other:
                raise UsageError(f"{other[:80]!r} is nothing that can be done")

    async def _resume(self, turn: ServedTurn, command: Command) -> None:
        """Have a turn go on, with another "provider/model" if one is named."""
        provider: Provider | None = None
        name: str | None = None
        with self._room.one_more(command.client):
            if command.model:
                provider, name = await self._respondents.chosen(command.model)
            await turn.resume(guidance=command.guidance, provider=provider, model=name, by=command.by)
            turn.client = command.client

    async def settled(self, session_id: str) -> None:
        """Wait until what is over in a session is on the record: its readers hear of its end before that."""
        await self._living.settle(session_id)
        await self._have_done(session_id, "settle")

    async def forget(self, session_id: str) -> None:
        """Let go of what is over in a session, once that is on the record: its row may be opened again."""
        await self._living.forget(session_id)
        await self._have_done(session_id, "forget")

    async def release(self, session_id: str) -> None:
        """Let go of a session: what lives of it is paused, and on the record."""
        await self._living.release(session_id)
        await self._have_done(session_id, "release")

    async def _make_room(self, session_id: str) -> None:
        """Let go of what has come to nothing in a session. Raises ConflictError where something else lives there."""
        await self._living.make_room(session_id)
        await self._have_done(session_id, "make room")

    async def _have_done(self, session_id: str, what: str) -> None:
        """Have done with a session what was done here, where another instance has it."""
        if session_id and await self._peers.turn_in(session_id) is not None:
            with suppress(NoSuchTurnError):  # nobody has it any more
                await self._peers.order(session_id, {"do": what})

    async def dismiss(self, turn: ServedTurn) -> None:
        """Have a turn live here no more. One that came to nothing, or is on no record, leaves no trace."""
        self._living.discard(turn)
        await turn.close()
        if turn.session_id is None:
            await self._peers.forget(turn.id)

    async def deleted(self, session_id: str) -> None:
        """A session was deleted: nothing of it is left anywhere."""
        await self._peers.forget(session_id)
        self.changed(session_id)

    def changed(self, session_id: str | None) -> None:
        """A session has changed: whoever watches it hears of that, here and elsewhere."""
        self.changes.tell(session_id)
        if session_id is not None:
            self._peers.changed(session_id)

    # For the peers

    async def obey(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        match order:
            case {"turn": str(given), "command": command}:
                turn = await self._here(given)
                await self._do(turn, Command(**command))
                return {"seq": turn.places.stop - 1}
            case {"do": "settle", "name": name}:
                await self._living.settle(name)
            case {"do": "forget", "name": name}:
                await self._living.forget(name)
            case {"do": "release", "name": name}:
                await self._living.release(name)
            case {"do": "make room", "name": name}:
                await self._living.make_room(name)
            case _:
                raise UsageError("that is nothing that can be done")
        return {}

    async def _here(self, given: str) -> ServedTurn:
        """Return a turn that lives here, or is just being taken up. Raises NoSuchTurnError."""
        turn = self._living.get(given)
        if turn is None:
            async with self._lock(name_of(given)):
                turn = self._living.get(given)
        if turn is None:
            raise _unknown(given)
        return turn

    async def inherit(self, name: str) -> None:
        async with self._lock(name):
            if self._room.closed or self._living.get(name) or self._living.in_session(name):
                return
            if is_unkept(name):
                await self._recovered(name)
            else:
                await self._reopened(name)

    async def lose(self, turn: ServedTurn) -> None:
        self._living.discard(turn)
        await turn.lose()

    def hear(self, session_id: str) -> None:
        self._living.forget_at_once(session_id)
        self.changes.tell(session_id)

    # The end

    async def drain(self) -> None:
        """Begin nothing more, pause what streams, and have all of it on the record."""
        self._room.closed = True
        await asyncio.gather(*(each.pause(EndReason.CRASH) for each in [*self._passing]))
        await closed([*self._living])
        await self._records.close()

    def settle(self) -> None:
        """Have all counted that has come of what streams no more."""
        for each in self._living:
            each.settle()

    def farewell(self) -> None:
        """Tell all readers that they will hear no more of it here."""
        for each in self._living:
            each.audience.dismiss()
        self._peers.dismiss()
        self.changes.tell_all()

    async def sweep(self) -> None:
        """Let go, again and again, of what nobody wants any more. Ends by being cancelled."""
        while True:
            await asyncio.sleep(_LOOKS_EVERY)
            await self.let_go(asyncio.get_running_loop().time())

    async def let_go(self, now: float) -> None:
        """Let go of what nobody wants any more at that moment, in the loop's time."""
        await self._living.let_go(now)
        for name in [name for name, lock in self._locks.items() if not lock.locked()]:
            del self._locks[name]

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _unknown(given: str) -> NoSuchTurnError:
    return NoSuchTurnError(f"there is no turn {given[:80]!r}")
