"""An answer that is steered while it streams, without a pause, where its provider can do that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmterm.conversation import Conversation
from llmterm.errors import NetworkError
from llmterm.events import StateChanged
from llmterm.messages import EndReason, Finished, Message, Request, TextDelta
from llmterm.recorded import RecordedTurn
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from llmterm.turn import Turn, TurnState
from tests.chatting import opened_at
from tests.reading import heard
from tests.scripted import ScriptedProvider, ScriptedStream
from tests.sockets import SocketExchange, SocketServer
from tests.wire import Exchange

REQUEST = Request(model="m", messages=(Message(role="user", text="q"),))
STOP = Finished(EndReason.STOP)
# How a response ends that was steered.
CUT = Finished(EndReason.CONTINUATION)


@pytest.fixture
def provider() -> ScriptedProvider:
    made = ScriptedProvider()
    made.steerable = True
    return made


async def streaming(provider: ScriptedProvider, text: str) -> Turn:
    """Return a turn that streams, and has said so much."""
    turn = Turn(provider, REQUEST, seam_seconds=0)
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta(text))
    await until(turn, text)
    return turn


async def until(turn: Turn, text: str) -> None:
    async for _ in turn.events():
        if turn.reply.text == text:
            return


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


def follower(provider: ScriptedProvider) -> ScriptedStream:
    """Have another answer follow."""
    stream = ScriptedStream(provider)
    provider.followers.put_nowait(stream)
    return stream


async def to_rest(turn: Turn) -> TurnState:
    async for _ in heard(turn):
        pass
    return turn.state


async def test_what_follows_is_a_part_of_the_answer_under_the_word(provider: ScriptedProvider) -> None:
    """The answer is never at rest in between, and both streams are closed."""
    turn = await streaming(provider, "one ")
    first, steering = provider.stream, asyncio.create_task(turn.steer("shorter"))
    second = follower(provider)
    first.put(TextDelta("two "), CUT)
    second.put(TextDelta("three"), STOP)

    assert await steering
    assert await to_rest(turn) is TurnState.DONE
    assert turn.reply.text == "one two three"
    parts = [(turn.reply.text[each.start : each.end], each.guidance, each.end_reason) for each in turn.reply.segments]
    assert parts == [("one two ", "", EndReason.PAUSE), ("three", "shorter", EndReason.STOP)]
    states = [entry.event.state async for entry in turn.events() if isinstance(entry.event, StateChanged)]
    assert states == [TurnState.STREAMING, TurnState.DONE]
    assert (first.closed, second.closed) == (True, True)
    assert provider.words[0].endswith("shorter")


async def test_what_is_said_before_anything_has_come_is_asked_for_fresh(provider: ScriptedProvider) -> None:
    """A response may be over before its first word of text: what follows begins the answer."""
    turn = Turn(provider, REQUEST)
    turn.start()
    await provider.opened.wait()
    first, steering = provider.stream, asyncio.create_task(turn.steer("shorter"))
    second = follower(provider)
    first.put(CUT)
    second.put(TextDelta("one"), STOP)

    assert await steering
    assert await to_rest(turn) is TurnState.DONE
    assert (turn.reply.text, turn.reply.segments[-1].mode) == ("one", "fresh")


async def test_word_where_nothing_follows_leaves_the_answer_as_it_was(provider: ScriptedProvider) -> None:
    turn = await streaming(provider, "one ")
    provider.followers.put_nowait(None)

    assert not await turn.steer("shorter")
    provider.stream.put(TextDelta("two"), STOP)
    assert await to_rest(turn) is TurnState.DONE
    assert (turn.reply.text, len(turn.reply.segments)) == ("one two", 1)


async def test_provider_that_cannot_be_steered_says_so_at_once() -> None:
    """And so does an answer that does not stream."""
    turn = await streaming(ScriptedProvider(), "one ")

    assert not await turn.steer("shorter")
    await turn.pause()
    assert not await turn.steer("shorter")
    assert turn.reply.text == "one "


async def test_words_are_sent_one_after_the_other(provider: ScriptedProvider) -> None:
    """The second is for what follows the first."""
    turn = await streaming(provider, "one ")
    first = provider.stream
    steering = [asyncio.create_task(turn.steer(word)) for word in ("shorter", "louder")]
    second, third = follower(provider), ScriptedStream(provider)
    first.put(CUT)
    await until(turn, "one ")
    second.put(TextDelta("two "))
    await until(turn, "one two ")
    provider.followers.put_nowait(third)
    second.put(CUT)
    third.put(TextDelta("three"), STOP)

    assert await asyncio.gather(*steering) == [True, True]
    assert await to_rest(turn) is TurnState.DONE
    assert [each.guidance for each in turn.reply.segments] == ["", "shorter", "louder"]
    assert turn.reply.text == "one two three"


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("how", ["pause", "cancel"])
async def test_pause_before_what_follows_has_begun_closes_all_of_it(
    provider: ScriptedProvider, how: str, follows: bool
) -> None:
    """The word did not come about; nothing is left running."""
    before = asyncio.all_tasks()
    turn = await streaming(provider, "one ")
    steering = asyncio.create_task(turn.steer("shorter"))
    second = follower(provider) if follows else None
    await settle()

    await (turn.pause() if how == "pause" else turn.cancel())

    assert not await steering
    assert provider.streams[0].closed
    assert second is None or second.closed
    assert turn.state is (TurnState.PAUSED if how == "pause" else TurnState.CANCELLED)
    assert asyncio.all_tasks() == before


async def test_pause_while_what_follows_is_waited_for_ends_as_the_answer_has(provider: ScriptedProvider) -> None:
    """It was over before the key took effect."""
    turn = await streaming(provider, "one ")
    steering = asyncio.create_task(turn.steer("shorter"))
    provider.stream.put(STOP)
    await settle()

    await turn.pause()

    assert not await steering
    assert (turn.state, turn.reply.text) == (TurnState.DONE, "one ")


async def test_connection_that_breaks_in_what_follows_is_a_pause_of_that(provider: ScriptedProvider) -> None:
    turn = await streaming(provider, "one ")
    steering = asyncio.create_task(turn.steer("shorter"))
    second = follower(provider)
    provider.stream.put(CUT)
    second.put(TextDelta("two "))
    second.fail(NetworkError("gone"))

    assert await steering
    await until(turn, "one two ")
    async for entry in turn.events():
        if isinstance(entry.event, StateChanged) and entry.event.state is TurnState.PAUSED:
            break
    assert (turn.reason, turn.reply.text) == (EndReason.NETWORK, "one two ")
    assert [each.guidance for each in turn.reply.segments] == ["", "shorter"]


# The record.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    """A store of a process that is dead to all others: what is in it is what a kill leaves."""
    with closing(SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""), timeout=0)) as store:
        yield store


async def test_each_part_is_on_the_record_while_the_answer_streams(
    provider: ScriptedProvider, store: SessionStore
) -> None:
    """A kill leaves both, each under its own word."""
    session, question = CurrentSession(store, system=""), Message(role="user", text="q")
    turn = Turn(provider, Conversation().ask("q").request(model="m"), seam_seconds=0)
    async with RecordedTurn(turn, session, question) as recorded:
        await provider.opened.wait()
        provider.stream.put(TextDelta("one "))
        await until(turn, "one ")
        steering = asyncio.create_task(turn.steer("shorter"))
        second = follower(provider)
        provider.stream.put(CUT)
        assert await steering
        second.put(TextDelta("two "))
        await until(turn, "one two ")
        await recorded.kept()

        answer = store.load(session.recorded(), peek=True).answer
        assert answer is not None
        text, parts = answer.message.text, answer.message.segments
        assert [(text[each.start : each.end], each.guidance) for each in parts] == [("one ", ""), ("two ", "shorter")]
        assert [each.end_reason for each in parts] == [EndReason.PAUSE, EndReason.CRASH]
    await session.keeper.last_chance(0)


# The chat.


async def begin(asked: SocketExchange, name: str, text: str) -> None:
    await asked.event("response.created", response={"id": name, "model": "test"})
    await asked.event("response.output_text.delta", delta=text)


async def end(asked: SocketExchange, name: str, reason: str = "") -> None:
    details = {"incomplete_details": {"reason": reason}} if reason else {}
    about = {"id": name, "usage": {"input_tokens": 1, "output_tokens": 2}, **details}
    await asked.event("response.incomplete" if reason else "response.completed", response=about)


async def counting(exchange: Exchange) -> None:
    """Count until something is said to it, be paused, be lost, refuse a word, and end."""
    assert isinstance(exchange, SocketExchange)
    match exchange.number:
        case 0:
            await begin(exchange, "resp_1", "one two ")
            word = await exchange.steer()
            about = {"id": "steer_1", "previous_response_id": "resp_1"}
            await exchange.event("response.steer.accepted", steer=about)
            await exchange.event("response.output_text.delta", delta="three. ")
            await end(exchange, "resp_1", "steered")
            assert str(word["input"]).endswith("shorter, please")
            await begin(exchange, "resp_2", "Four. ")
            await exchange.hung_up()
        case 1:
            await begin(exchange, "resp_3", "Five. ")
            exchange.drop()
        case 2:
            await begin(exchange, "resp_4", "Six. ")
            word = await exchange.steer()
            failed = {"error": {"code": "steering_not_supported", "message": "no"}, "steer": word}
            await exchange.event("response.steer.failed", **failed)
            await exchange.hung_up()
        case 3:
            await begin(exchange, "resp_5", "Seven.")
            await end(exchange, "resp_5")
        case _:
            await begin(exchange, "resp_6", "Bye.")
            await end(exchange, "resp_6")


def test_chat_steers_pauses_resumes_and_loses_nothing(tmp_path: Path) -> None:
    """Where it can, without a pause: the word stands above what comes under it. Where the server refuses, over one."""
    settings = tmp_path / "own.toml"
    settings.write_text('[providers.openai]\napi = "responses"\ntransport = "websocket"\n')
    with (
        SocketServer(counting) as server,
        opened_at(server, tmp_path, size=(80, 40), LLMTERM_CONFIG=str(settings)) as chat,
    ):
        program = chat.program
        chat.ask("count")
        program.wait_for("one two")
        program.send("shorter, please\x13")
        program.wait_for(r"one two three\.\n\n> shorter, please\n\nFour\.\n\n>\n(?s:.*)SPACE pause")
        program.send(" ")
        program.wait_for(r"Four\.\n\n>\npaused")
        program.send(" ")
        program.wait_for(r"Four\. Five\.(?s:.*)broken connection")
        program.send(" ")
        program.wait_for(r"Five\. Six\.\n\n>\n(?s:.*)SPACE pause")
        program.send("louder\x13")
        program.wait_for(r"Six\.\n\n> louder\n\nSeven\.\n\n>\n")
        chat.ask("again")
        program.wait_for(r"Bye\.")

        said = chat.messages()[1]
    assert said["text"] == "one two three. Four. Five. Six. Seven."
    assert [each["end_reason"] for each in said["segments"]] == ["pause", "pause", "network", "pause", "stop"]
    words = [
        str(each.body["input"][-1]["content"][0]["text"]).partition("From here on: ")[2] for each in server.exchanges
    ]
    assert words == ["", "shorter, please", "shorter, please", "shorter, please louder", ""]
    assert len(server.sockets) == 4
