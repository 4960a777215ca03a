"""Gemini 4's checkpoints: an answer that was cut goes on with the same generation, and nothing runs meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import httpx2
import pytest
from google import genai
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.events import Notice, Retraction
from llmterm.marker import DEFAULT_MARKER
from llmterm.messages import EndReason, Message, Options, Request, Snapshot, StreamLimits
from llmterm.providers import google
from llmterm.providers.http import HttpProvider
from llmterm.recorded import RecordedTurn
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from llmterm.transport import Breaker, Endpoint, KeyRing, RateLimits, RetryPolicy, Transport
from llmterm.turn import Turn, TurnState
from tests.checkpoints import Decoder
from tests.reading import heard
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import WireServer

QUESTION = Message(role="user", text="count")
REQUEST = Request(model="gemini-4-argon", messages=(QUESTION,), options=Options(max_tokens=500))
PIECES = [f"{number}, " for number in range(1, 21)]
WHOLE = "".join(PIECES)
# Of so many interruptions; 1,000 is what is measured.
EXAMPLES = int(os.environ.get("LLMTERM_TEST_INTERRUPTIONS", "60")) // 2

Client: TypeAlias = Literal["sdk", "wire"]


def provider(server: WireServer, client: Client = "wire") -> HttpProvider:
    endpoint = Endpoint("gemini", KeyRing(["k"]), RateLimits(), Breaker(), RetryPolicy(attempts=1))
    return google.provider(Transport(), endpoint, base_url=server.address, client=client)


@asynccontextmanager
async def asking(decoder: Decoder, client: Client = "wire") -> AsyncIterator[HttpProvider]:
    with WireServer(decoder) as server:
        asked = provider(server, client)
        try:
            yield asked
        finally:
            await asked.aclose()


def turn_of(asked: HttpProvider, begun: Request | Snapshot = REQUEST) -> Turn:
    return Turn(asked, begun, DEFAULT_MARKER, limits=StreamLimits(buffer_size=1))


async def ended(turn: Turn) -> list[str]:
    """Read on until the answer rests or is over; return what the user was told."""
    return [event.text async for event in heard(turn) if isinstance(event, Notice)]


async def cut(asked: HttpProvider, text: str) -> Turn:
    """Return an answer that was cut where that much of it had been shown."""
    turn = turn_of(asked)
    turn.start()
    async for _ in heard(turn):
        if turn.reply.text.startswith(text):
            break
    await turn.pause(upto=len(text))
    assert turn.reply.text == text
    return turn


@pytest.mark.parametrize("client", ["sdk", "wire"])
async def test_cut_answer_goes_on_from_its_checkpoint(client: Client) -> None:
    """With the request that it came of and the token; what was said behind that is taken back, and told."""
    decoder = Decoder(PIECES, thought="hm")
    async with asking(decoder, client) as asked:
        turn = await cut(asked, "1, 2, 3, ")
        turn.resume()
        taken_back: list[int] = []
        told = []
        async for event in heard(turn):
            taken_back += [event.text] if isinstance(event, Retraction) else []
            told += [event.text] if isinstance(event, Notice) else []

    first, second = decoder.told
    assert (turn.reply.text, turn.reply.thinking, turn.state) == (WHOLE, "hm", TurnState.DONE)
    assert taken_back[-1] == len("1, 2, ")
    assert told == ["the last 3 characters are written again, from where the provider can go on"]
    assert second.pop("continuationToken")
    assert second == first
    assert first["generationConfig"]["maxOutputTokens"] == 500


async def test_each_request_is_paid_for() -> None:
    """A checkpoint is gone on from by another request, whose prompt counts again."""
    async with asking(Decoder(PIECES)) as asked:
        turn = await cut(asked, "1, 2, ")
        turn.resume()
        await ended(turn)

    first, second = turn.reply.segments
    assert [first.mode, second.mode] == ["fresh", "checkpoint"]
    assert (first.start, first.end, second.start, second.end) == (0, 6, 6, len(WHOLE))
    assert [first.usage.input_tokens, second.usage.input_tokens] == [100, 100]
    assert second.usage.output_tokens == 18


async def test_answer_that_is_longer_than_a_request_goes_on_by_itself() -> None:
    """Where the provider asks to be asked again nobody is told of it, and it has the limit of all of it each time."""
    decoder = Decoder(PIECES, most=7)
    async with asking(decoder) as asked:
        turn = turn_of(asked)
        turn.start()
        told = await ended(turn)

    assert (turn.reply.text, turn.reason, told) == (WHOLE, EndReason.STOP, [])
    assert [segment.mode for segment in turn.reply.segments] == ["fresh", "checkpoint", "checkpoint"]
    assert [each["generationConfig"]["maxOutputTokens"] for each in decoder.told] == [500] * 3
    assert turn.reply.cursor is None


async def test_provider_that_gets_no_further_is_not_asked_for_ever() -> None:
    """The same place again is no way to go on: the answer rests there, and is asked for by a replay."""
    decoder = Decoder(PIECES, most=4)
    decoder.sticks = True
    async with asking(decoder) as asked:
        turn = turn_of(asked)
        turn.start()
        await ended(turn)

    assert (turn.state, turn.reason, turn.reply.cursor) == (TurnState.PAUSED, EndReason.CONTINUATION, None)
    assert len(decoder.told) == 2


async def test_checkpoint_that_is_refused_is_replaced_by_a_replay() -> None:
    """In the same breath, with all that there was, and with a word."""
    decoder = Decoder(PIECES)
    async with asking(decoder) as asked:
        turn = await cut(asked, "1, 2, 3, ")
        decoder.forgets = True
        turn.resume()
        told = await ended(turn)

    assert "this token is of another request" in told[-1]
    assert decoder.told[-1]["contents"][1]["parts"] == [{"text": "1, 2, 3, "}]
    assert "continuationToken" not in decoder.told[-1]
    assert [segment.mode for segment in turn.reply.segments] == ["fresh", "instruct"]


async def test_provider_that_refuses_what_it_gives_is_asked_twice() -> None:
    """By its token and by a replay: then the answer rests, or it would be paid for again and again."""
    decoder = Decoder(PIECES, most=7)
    decoder.forgets = True
    async with asking(decoder) as asked:
        turn = turn_of(asked)
        turn.start()
        await ended(turn)

    assert (turn.state, turn.reason) == (TurnState.PAUSED, EndReason.CONTINUATION)
    assert len(decoder.told) == 3


async def test_guidance_is_another_generation() -> None:
    """What the model was to hear it hears: all there is is sent again with it."""
    decoder = Decoder(PIECES)
    async with asking(decoder) as asked:
        turn = await cut(asked, "1, 2, 3, ")
        turn.resume(guidance="in words")
        await ended(turn)

    assert "continuationToken" not in decoder.told[-1]
    assert decoder.told[-1]["contents"][1]["parts"] == [{"text": "1, 2, 3, "}]


async def test_answer_that_was_guided_goes_on_as_guided() -> None:
    """The request of a checkpoint is the one that its generation came of, not the one that the answer began with."""
    decoder = Decoder(PIECES)
    async with asking(decoder) as asked:
        turn = await cut(asked, "1, 2, 3, ")
        decoder.pieces = PIECES[3:]
        turn.resume(guidance="in words")
        await ended(turn)
        await turn.pause(upto=len("1, 2, 3, 4, 5, 6, "))
        turn.resume()
        await ended(turn)

    _, second, third = decoder.told
    assert third.pop("continuationToken")
    assert third == second
    assert [segment.mode for segment in turn.reply.segments] == ["fresh", "instruct", "checkpoint"]
    assert turn.reply.text == WHOLE


async def test_checkpoint_outlives_the_program() -> None:
    """It is in the snapshot."""
    decoder = Decoder(PIECES)
    async with asking(decoder) as asked:
        rest = (await cut(asked, "1, 2, 3, ")).snapshot()
        again = turn_of(asked, Snapshot.from_json(rest.to_json()))
        again.resume()
        await ended(again)

    assert again.reply.text == WHOLE


async def test_checkpoint_is_on_the_record_while_the_answer_streams(tmp_path: Path) -> None:
    """Whoever finds the answer of a program that was killed goes on with it exactly."""
    decoder = Decoder(PIECES)
    store = SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""))
    session = CurrentSession(store, system="")
    async with asking(decoder) as asked:
        turn = turn_of(asked)
        async with RecordedTurn(turn, session, QUESTION) as recorded:
            async for _ in heard(turn):
                if len(turn.reply.text) >= len("1, 2, 3, "):
                    break
            await recorded.kept()
            found = SessionStore(tmp_path).load(session.recorded(), peek=True).answer
        assert found is not None
        again = turn_of(asked, found.snapshot(REQUEST))
        again.resume()
        await ended(again)

    assert again.reply.text == WHOLE
    assert len(decoder.told) == 2


def test_chat_shows_what_is_written_again(tmp_path: Path) -> None:
    """The answer stands there once more, as far as it still is what was said, under a line that says why."""
    decoder = Decoder(["one ", "two ", "three ", "four ", "five"])
    decoder.waits = 3
    config = tmp_path / "config.toml"
    config.write_text('[providers.gemini]\nclient = "wire"\n')
    with WireServer(decoder) as server:
        at = {"GOOGLE_GEMINI_BASE_URL": server.address, "GEMINI_API_KEY": "k" * 20, "LLMTERM_CONFIG": str(config)}
        command = [*LLMTERM, "chat", "--provider", "gemini", "--model", "gemini-4-argon"]
        with Program(command, environment(tmp_path, **at)) as program:
            program.wait_for(READY)
            program.send("count\r")
            program.wait_for("one two three")
            program.send(" ")
            program.wait_for("paused")
            program.send(" ")
            program.wait_for("one two three four five")
            shown = program.words

    assert "the last 6 characters are written again, from where the provider can go on" in shown
    assert "three the last" in shown.replace("\n", " ")
    assert decoder.told[1]["continuationToken"]


# What all of it is for.

Event: TypeAlias = tuple[Literal["pause", "cut", "kill", "break"], int]
PLANS: st.SearchStrategy[list[Event]] = st.lists(
    st.tuples(st.sampled_from(["pause", "cut", "kill", "break"]), st.integers(0, 60)), max_size=8
)
# White space alone, which may stand before a tag, is no text to go on from.
PIECE = st.text(st.sampled_from("ab ß東👍`\n*"), min_size=1, max_size=6) | st.sampled_from(["!", "!!CAN", "CEE", "!!"])
TEXTS = st.lists(PIECE, max_size=30).map(lambda pieces: ["a", *pieces])


async def interrupted(asked: HttpProvider, decoder: Decoder, plan: list[Event]) -> Turn:
    """Have an answer through all of that, in turn, each behind so many more characters."""
    turn = turn_of(asked)
    turn.start()
    for what, amount in plan:
        decoder.breaks = amount if what == "break" else None
        upto = len(turn.reply.body) + amount
        async for _ in heard(turn):
            if what != "break" and len(turn.reply.body) >= upto:
                break
        if turn.over and what != "cut":
            return turn
        match what:
            case "pause":
                await turn.pause()
            case "cut":
                await turn.pause(upto=upto)
            case "kill":
                left = turn.snapshot().to_json()  # as it is on the record at that moment
                await turn.cancel()
                turn = turn_of(asked, Snapshot.from_json(left))
        if turn.over:
            return turn
        turn.resume()
    decoder.breaks = None
    await ended(turn)
    return turn


@pytest.mark.timeout(60 + EXAMPLES)
def test_answer_is_the_same_whatever_comes_between() -> None:
    """Paused, cut, killed and broken off at random, it is the uninterrupted answer to the letter."""
    decoder = Decoder([])

    with WireServer(decoder) as server, asyncio.Runner() as runner:
        asked = runner.run(_made(server))

        @settings(max_examples=EXAMPLES, deadline=None)
        @given(TEXTS, st.integers(1, 5), st.integers(1, 20), PLANS)
        def the_same(pieces: list[str], every: int, most: int, plan: list[Event]) -> None:
            decoder.__init__(pieces, every=every, most=most, thought="hm")  # type: ignore[misc]
            turn = runner.run(interrupted(asked, decoder, plan))

            assert turn.reply.text == "".join(pieces)
            assert turn.reason is EndReason.STOP

        the_same()
        runner.run(asked.aclose())


async def _made(server: WireServer) -> HttpProvider:
    return provider(server)


async def test_googles_sdk_goes_on_from_the_same_checkpoints() -> None:
    """Left to itself it sends what we send, and ends with the same text."""
    ours, theirs = Decoder(PIECES, most=7), Decoder(PIECES, most=7)
    async with asking(ours, "sdk") as asked:
        turn = turn_of(asked)
        turn.start()
        await ended(turn)

    with WireServer(theirs) as server:
        config = types.GenerateContentConfig(
            max_output_tokens=500, thinking_config=types.ThinkingConfig(include_thoughts=True)
        )
        async with httpx2.AsyncClient() as http:
            options = types.HttpOptions(base_url=server.address, api_version="v1", httpx_async_client=http)
            models = genai.Client(vertexai=False, api_key="none", http_options=options).aio.models
            chunks = await models.generate_content_stream(model="gemini-4-argon", contents="count", config=config)
            text = "".join([chunk.text or "" async for chunk in chunks])

    assert text == turn.reply.text == WHOLE
    assert theirs.told == ours.told
