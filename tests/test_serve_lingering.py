"""How long the turns of a service live in memory that nobody reads any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from llmterm.errors import AuthError
from llmterm.messages import EndReason, Finished, Message, Options, StreamLimits, TextDelta
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.serve.metrics import Metrics
from llmterm.serve.peers.peers import Alone
from llmterm.serve.records import Records
from llmterm.serve.refusals import NoSuchTurnError
from llmterm.serve.respondents import Terms
from llmterm.serve.served import PastTurn, ServedTurn
from llmterm.serve.turns import Turns
from llmterm.serve.wanted import Wanted
from llmterm.sessions import SessionStore
from llmterm.states import TurnState
from tests.scripted import ScriptedProvider

SOON, LATER = 20.0, 400.0
OVER = 3


@asynccontextmanager
async def living(folder: Path, provider: ScriptedProvider) -> AsyncIterator[Turns]:
    """Give the turns of a service that keeps so many that are over."""
    registry = ProviderRegistry({"scripted": Entry(build=lambda: provider, model="m")})
    terms = Terms(system="", options=Options(), limits=StreamLimits())
    with closing(SessionStore(folder)) as store:
        turns = Turns(Records(store), registry, terms, Metrics(), Alone(), most_over=OVER)
        try:
            yield turns
        finally:
            await turns.drain()


async def asked(turns: Turns, session: str = "") -> ServedTurn:
    question = Message(role="user", text="Why?")
    return await turns.ask(Wanted(question=question, model="scripted/m", session=session))


async def answered(turns: Turns, provider: ScriptedProvider) -> ServedTurn:
    provider.opened.clear()
    turn = await asked(turns)
    await provider.opened.wait()
    provider.stream.put(TextDelta("So."), Finished(EndReason.STOP))
    await turn.settled()
    return turn


async def failed(turns: Turns) -> ServedTurn:
    turn = await asked(turns)
    async for _ in turn.reader().streamed():
        pass
    assert turn.state is TurnState.FAILED
    return turn


async def in_(seconds: float, turns: Turns) -> None:
    """Have what is swept then be swept now."""
    await turns.let_go(asyncio.get_running_loop().time() + seconds)


async def test_question_that_came_to_nothing_is_off_the_record_soon_after_the_last_has_looked(tmp_path: Path) -> None:
    provider = ScriptedProvider()
    provider.refuse = AuthError("wrong key")
    async with living(tmp_path, provider) as turns:
        turn = await failed(turns)
        session, reader = turn.session_id, turn.reader()
        changed = turns.changes.watch(session or "")
        await in_(LATER, turns)
        assert await turns.find(turn.id) is turn  # somebody may still have it tried again
        reader.leave()
        await in_(0.0, turns)
        assert await turns.find(turn.id) is turn  # or come back
        await in_(SOON, turns)

        assert changed.is_set()
        with closing(SessionStore(tmp_path)) as store:
            assert store.infos() == []
        with pytest.raises(NoSuchTurnError):
            await turns.find(turn.id)


async def test_answers_that_are_over_are_left_to_the_record_where_they_become_many(tmp_path: Path) -> None:
    provider = ScriptedProvider()
    async with living(tmp_path, provider) as turns:
        over = [await answered(turns, provider) for _ in range(OVER + 2)]
        read = over[0].reader()
        await in_(0.0, turns)
        found = [await turns.find(each.id) for each in over]
        read.leave()
        await in_(LATER, turns)
        later = [await turns.find(each.id) for each in over]

        assert [isinstance(each, ServedTurn) for each in found] == [True, False, *[True] * OVER]
        assert [isinstance(each, PastTurn) for each in later] == [True] * len(over)
        assert {each.reply.text for each in (*found, *later)} == {"So."}
