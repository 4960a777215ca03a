"""A turn that records itself: what it tells is on disk in time, and a store that fails is in nobody's way."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Self

import pytest

from llmterm.conversation import Conversation
from llmterm.errors import ProviderError
from llmterm.events import Notice
from llmterm.messages import EndReason, Finished, Message, Reply, Status, TextDelta
from llmterm.recorded import RecordedTurn, Standing
from llmterm.sessions import OpenAnswer, SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from llmterm.sessions.whole import HeldAnswer
from llmterm.turn import Turn, TurnState
from tests.chatting import opened
from tests.clock import instant
from tests.scripted import ScriptedProvider
from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, WireServer, say

DEAD = Owner(pid=0, host="", born="")
QUESTION = Message(role="user", text="why?")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    """A store of a process that is dead to all others: what is in it is what a kill leaves."""
    with closing(SessionStore(tmp_path, owner=DEAD, timeout=0)) as store:
        yield store


class Answering:
    """A question, and the turn that answers it."""

    def __init__(self, store: SessionStore, session: CurrentSession) -> None:
        self.store = store
        self.session = session
        self.provider = ScriptedProvider()
        asked = Conversation(messages=session.talk.messages).add(QUESTION)
        self.turn = Turn(self.provider, asked.request(model="m"), seam_seconds=0)
        self.reader = self.turn.reader()
        self.recorded = RecordedTurn(self.turn, session, QUESTION)

    @classmethod
    @asynccontextmanager
    async def of(cls, store: SessionStore) -> AsyncIterator[Self]:
        session = CurrentSession(store, system="")
        yield cls(store, session)
        await session.keeper.last_chance(0)

    async def say(self, text: str) -> None:
        """Say it, and wait until it has come."""
        await self.provider.opened.wait()
        self.provider.stream.put(TextDelta(text))
        whole = self.turn.reply.text + text
        async for _ in self.reader:
            if self.turn.reply.text == whole:
                return

    def left(self) -> OpenAnswer:
        """The answer as the next start would find it now."""
        answer = self.store.load(self.session.recorded(), peek=True).answer
        assert answer is not None
        return answer


def modes(answer: OpenAnswer) -> list[tuple[str, str, str]]:
    text = answer.message.text
    return [(each.mode, text[each.start : each.end], each.guidance) for each in answer.message.segments]


class Told:
    """A session, and the record of its one answer, that keeps what it is told to journal."""

    replacing = again = False
    key = ""

    def __init__(self) -> None:
        self.text = ""

    async def ask(self, _question: Message, _who: HeldAnswer) -> Self:
        return self

    async def reopen(self, _answer: OpenAnswer) -> Self:
        return self

    async def withdraw(self) -> None:
        pass

    def journal(self, reply: Reply) -> None:
        self.text = reply.text

    def finish(self, reply: Reply, status: Status) -> Message:
        return reply.message(status)

    async def settled(self) -> None:
        pass

    def untold(self) -> str:
        return ""

    def nothing(self, *_: object, **__: object) -> None:
        pass

    say = move = resume = pause = discard = nothing


async def test_all_that_is_asked_is_of_the_session(store: SessionStore) -> None:
    """From the first question on, and in what goes on with it; through a pipe nothing is expected to follow."""
    async with Answering.of(store) as answering:
        async with answering.recorded:
            await answering.say("one ")
        (request,) = answering.provider.requests
        piped = CurrentSession(store, system="", piped=True)
        turn = Turn(ScriptedProvider(), Conversation().ask("why?").request(model="m"))
        async with RecordedTurn(turn, piped, QUESTION):
            pass
        await piped.keeper.last_chance(0)

    assert request.session == answering.turn.snapshot().request.session == answering.session.id != ""
    assert turn.request.session == ""


@instant
async def test_what_came_is_written_within_a_quarter_of_a_second() -> None:
    """By the loop's own clock, and while nothing else comes."""
    provider, record = ScriptedProvider(), Told()
    turn = Turn(provider, Conversation().ask("why?").request(model="m"))
    async with RecordedTurn(turn, record, QUESTION):
        await provider.opened.wait()
        for word in ("one ", "two ", "three "):
            provider.stream.put(TextDelta(word))
            await asyncio.sleep(0.25)

            assert record.text.endswith(word)
            assert record.text == turn.reply.text
        await turn.cancel()


async def test_answer_is_written_segment_by_segment(store: SessionStore) -> None:
    """Also where it is resumed in the same breath as it was paused; and at rest as it was rewritten."""
    async with Answering.of(store) as answering:
        turn, provider = answering.turn, answering.provider
        async with answering.recorded as recorded:
            await answering.say("one ")
            await turn.pause()
            turn.resume(guidance="shorter")
            provider.opened.clear()
            await answering.say("two ")
            await recorded.kept()

            assert modes(answering.left())[0] == ("fresh", "one ", "")
            assert modes(answering.left())[-1] == ("prefill", "two ", "shorter")
            assert answering.left().reason is EndReason.CRASH

            await turn.pause()
            await recorded.kept()
            assert answering.left().reason is EndReason.PAUSE
            turn.rewrite(Reply().add(TextDelta("mine")))
            await recorded.kept()
            assert answering.left().message.text == "mine"


async def test_store_that_fails_is_told_once_and_tried_again(store: SessionStore) -> None:
    """The answer goes on meanwhile, and is whole on the record at the next chance."""
    async with Answering.of(store) as answering:
        reader = answering.turn.reader()
        async with answering.recorded as recorded:
            with closing(sqlite3.connect(store.path, isolation_level=None)) as lock:
                lock.execute("BEGIN IMMEDIATE")
                for word in ("one ", "two ", "three "):
                    await answering.say(word)
                    await recorded.kept()
            told = [entry.event for entry in reader.pending() if isinstance(entry.event, Notice)]
            answering.provider.stream.put(Finished(EndReason.STOP))
            async for _ in reader.streamed():
                pass
            await recorded.finish()
        message = answering.session.talk.answered

        assert [(notice.failure, "not kept yet" in notice.text) for notice in told] == [(True, True)]
        assert store.load(answering.session.recorded()).conversation.messages[1:] == (message,)
        assert message.text == "one two three "


class Broken(Told):
    """A record with a bug."""

    def move(self, *_: object, **__: object) -> None:
        raise ZeroDivisionError


async def test_bug_in_the_record_does_not_pass_for_one(store: SessionStore) -> None:
    """Who relies on it hears of it, at the end too; the answer is received all the same."""
    async with Answering.of(store) as answering:

        async def play() -> None:
            async with RecordedTurn(answering.turn, Broken(), QUESTION) as recorded:
                await answering.say("half")
                with pytest.raises(ZeroDivisionError):
                    await recorded.kept()
                await answering.turn.cancel()

        with pytest.raises(ZeroDivisionError):
            await play()

        assert answering.turn.reply.text == "half"


# How it ends, for whoever plays it and writes nothing himself


async def test_answer_that_is_played_to_its_end_is_part_of_the_session(store: SessionStore) -> None:
    async with Answering.of(store) as answering:
        async with answering.recorded as recorded:
            await answering.say("all of it")
            answering.provider.stream.put(Finished(EndReason.STOP))
            async for _ in answering.turn.events():
                pass
            before = recorded.standing  # it could still be cut where it was shown

        assert [before, recorded.standing] == [Standing.OPEN, Standing.SAID]
        assert [message.text for message in answering.session.talk.messages] == ["why?", "all of it"]
    assert store.load(answering.session.recorded()).answer is None


async def test_player_that_raises_leaves_an_answer_that_can_be_gone_on_with(store: SessionStore) -> None:
    """Its stream is closed: nothing goes on unseen."""
    async with Answering.of(store) as answering:

        async def play() -> None:
            async with answering.recorded:
                await answering.say("half")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await play()

        assert answering.provider.stream.closed
        assert answering.recorded.standing is Standing.OPEN
    assert (answering.left().message.text, answering.left().reason) == ("half", EndReason.CRASH)


async def test_question_whose_answer_fails_before_anything_came_is_off_the_record(store: SessionStore) -> None:
    """One that failed after it had rested is at rest once more."""
    async with Answering.of(store) as answering:
        async with answering.recorded as recorded:
            await answering.provider.opened.wait()
            answering.provider.stream.fail(ProviderError("no"))
            async for _ in answering.reader.streamed():
                pass

        assert (answering.turn.state, recorded.standing) == (TurnState.FAILED, Standing.WITHDRAWN)
    assert store.latest() is None

    async with Answering.of(store) as answering:
        async with answering.recorded as recorded:
            await answering.provider.opened.wait()
            await answering.turn.pause()
            answering.provider.opened.clear()
            answering.turn.resume()
            await answering.provider.opened.wait()
            answering.provider.stream.fail(ProviderError("no"))
            async for _ in answering.reader.streamed():
                pass

        assert (answering.turn.state, recorded.standing) == (TurnState.FAILED, Standing.OPEN)
    assert answering.left().message.text == ""


async def test_question_that_is_stopped_before_anything_came_gives_way_to_what_it_replaced(store: SessionStore) -> None:
    """Without an earlier one it stays, and has no answer."""
    async with Answering.of(store) as answering:
        async with answering.recorded as recorded:
            await answering.turn.cancel()

        assert recorded.standing is Standing.SAID
        session = answering.session
        assert session.talk.messages == (QUESTION,)
        question = session.edit()
        turn = Turn(ScriptedProvider(), Conversation(messages=session.talk.messages).add(question).request(model="m"))
        async with RecordedTurn(turn, session, question) as recorded:
            await turn.cancel()

        assert recorded.standing is Standing.WITHDRAWN
        assert session.talk.editing


async def test_answer_of_earlier_is_gone_on_with_to_its_end(store: SessionStore) -> None:
    async with Answering.of(store) as answering, answering.recorded:
        await answering.say("half")
    stored = store.load(answering.session.recorded())
    assert stored.answer is not None

    session, provider = CurrentSession(store, system=""), ScriptedProvider()
    session.open(stored)
    turn = Turn(provider, stored.answer.snapshot(stored.conversation.request(model="m")), seam_seconds=0)
    async with RecordedTurn(turn, session, stored.answer) as recorded:
        turn.resume()
        await provider.opened.wait()
        provider.stream.put(TextDelta(" and half"), Finished(EndReason.STOP))
        async for _ in turn.events():
            pass
    await session.keeper.last_chance(0)

    assert recorded.standing is Standing.SAID
    assert [message.text for message in store.load(stored.id).conversation.messages] == ["why?", "half and half"]


# As users meet it


def test_killed_after_a_refused_prefill_the_record_says_how_it_was_asked(tmp_path: Path) -> None:
    """In the same breath the rest was asked for by an instruction: so says the record of what came."""
    config = tmp_path / "config.toml"
    config.write_text('[providers.openai]\ncontinuation = "prefill"\n')

    async def script(exchange: Exchange) -> None:
        if exchange.body["messages"][-1]["role"] == "assistant":
            await exchange.refuse(400, {"error": {"message": "assistant message prefill is not supported"}})
            return
        await exchange.start()
        await exchange.text("one " if exchange.question == "count" else "and then two, three and four. " * 20)
        await exchange.hung_up()

    with opened(tmp_path, script, LLMTERM_CONFIG=str(config)) as chat:
        chat.ask("count")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(lambda: "four" in chat.messages()[-1]["text"])
        os.kill(chat.program.pid, signal.SIGKILL)
        chat.program.wait_for_end()

        assert [each["mode"] for each in chat.messages()[-1]["segments"]] == ["fresh", "instruct"]


def test_pipe_whose_store_fails_still_asks_the_other_provider(tmp_path: Path) -> None:
    """Its session is taken out of the store before the first one refuses: the answer comes, and is kept anew."""

    async def refuse(exchange: Exchange) -> None:
        with closing(sqlite3.connect(tmp_path / "data" / "sessions.db")) as database, database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("DELETE FROM sessions")
        await exchange.refuse(401, {"error": {"message": "bad key"}})

    with WireServer(refuse) as first, WireServer(say("from the other.")) as other:
        (tmp_path / "config.toml").write_text(
            f'fallback = ["mine/small"]\n[providers.mine]\nkind = "openai"\nbase_url = "{other.base_url}"\n'
        )
        env = environment(
            tmp_path,
            OPENAI_BASE_URL=first.base_url,
            OPENAI_API_KEY="sk-test",
            LLMTERM_CONFIG=str(tmp_path / "config.toml"),
        )
        command = [*LLMTERM, "chat", "-p", "openai", "-m", "m", "hi"]
        done = subprocess.run(command, env=env, capture_output=True, timeout=60, input=b"")

    assert (done.returncode, done.stdout) == (0, b"from the other.\n"), done.stderr
    with closing(SessionStore(tmp_path / "data")) as store:
        messages = store.load(store.latest() or "").conversation.messages
    assert [message.text for message in messages] == ["hi", "from the other."]
    assert [segment.provider for segment in messages[1].segments] == ["mine"]
