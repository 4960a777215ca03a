"""Leaving an answer: the socket closes at once, the place among the concurrent ones is free, nothing received is lost.

That it is at once is proved by order: the server has seen the end of the one connection before the next question, asked
right after the cancellation, is on its way. How many milliseconds that takes is measured by the benchmarks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from llmterm.assembly.roster import registry
from llmterm.config import Settings
from llmterm.messages import EndReason, Message, Options, Request, StreamLimits, TextDelta
from llmterm.progress import Progress
from llmterm.providers.local import LocalProvider
from llmterm.providers.weights import available
from llmterm.turn import Turn, TurnState
from tests.conftest import need
from tests.contract.caller import Answer, Caller, InstantProgress, answering, environment, settings_of
from tests.contract.dialects import Dialect, whole
from tests.reading import heard
from tests.wire import Exchange, Gate, Script

# How far an answer has come when it is left.
MOMENTS = ["asked", "accepted", "begun"]


def going_as_far_as(dialect: Dialect, moment: str, seen: list[str], arrived: Gate) -> Script:
    """Return a script that goes no further with a first question, and notes what it sees; others get an answer."""

    async def script(exchange: Exchange) -> None:
        question = dialect.question(exchange.body)
        seen.append(f"asked {question}")
        if question != "first":
            await answering(dialect, *whole(dialect, f"answer to {question}"))(exchange)
            return
        if moment != "asked":
            await exchange.start(content_type=dialect.content_type)
            await exchange.raw(dialect.opening() + dialect.comment)
        if moment == "begun":
            await exchange.raw(dialect.text("half"))
        arrived.open()
        await exchange.hung_up()
        seen.append("hung up")

    return script


async def started(caller: Caller, moment: str, arrived: Gate) -> Turn:
    """Return a turn whose answer has come as far as `moment`."""
    turn = Turn(caller.provider, caller.request("first"))
    turn.start()
    await arrived.wait()
    if moment == "begun":
        async for event in heard(turn):
            if isinstance(event, TextDelta):
                break
    return turn


@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancel_hangs_up_before_anything_else_happens(dialect: Dialect, moment: str) -> None:
    """Once it has returned, the socket is closed; doing it again changes nothing."""
    seen: list[str] = []
    arrived = Gate()
    async with Caller(dialect, going_as_far_as(dialect, moment, seen, arrived)) as caller:
        turn = await started(caller, moment, arrived)

        await turn.cancel()
        await turn.cancel()
        answer = await caller.ask("second")

    assert seen == ["asked first", "hung up", "asked second"]
    assert answer.text == "answer to second"
    assert (turn.state, turn.reason) == (TurnState.CANCELLED, EndReason.CANCEL)
    assert turn.reply.text == ("half" if moment == "begun" else "")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_pause_hangs_up_as_well(dialect: Dialect, moment: str) -> None:
    """A paused answer holds no connection, however long the pause."""
    seen: list[str] = []
    arrived = Gate()
    async with Caller(dialect, going_as_far_as(dialect, moment, seen, arrived)) as caller:
        turn = await started(caller, moment, arrived)

        snapshot = await turn.pause()
        await caller.ask("second")

    assert seen == ["asked first", "hung up", "asked second"]
    assert snapshot.reply.text == ("half" if moment == "begun" else "")
    assert turn.state is TurnState.PAUSED


async def test_cancel_before_anything_was_sent_leaves_nothing(dialect: Dialect) -> None:
    """At the very start, when nothing is open yet."""
    async with Caller(dialect, going_as_far_as(dialect, "asked", [], Gate())) as caller:
        turn = Turn(caller.provider, caller.request("first"))
        turn.start()
        await turn.cancel()
        answer = await caller.ask("second")

        assert answer.text == "answer to second"
        await caller.server.wait_async(lambda: caller.server.open_connections == 1)


def one_at_a_time(dialect: Dialect) -> Settings:
    """Return settings with which an answer that keeps its place blocks all others."""
    return settings_of(dialect, max_concurrent=1)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_double_cancel_leaks_nothing(dialect: Dialect, moment: str) -> None:
    """The second one, which comes at every step of the cleaning up, takes neither the socket nor the place with it."""

    async def read_and_close() -> None:
        async with aclosing(await caller.open("first")) as answer:
            await answer.to_end()

    script = going_as_far_as(dialect, moment, [], Gate())
    async with Caller(dialect, script, settings=one_at_a_time(dialect)) as caller:
        for steps in range(8):
            reading = asyncio.create_task(read_and_close())
            await caller.server.wait_async(lambda wanted=steps: len(caller.server.exchanges) > wanted)  # type: ignore[misc]
            reading.cancel()
            for _ in range(steps):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait({reading})
            assert reading.cancelled()

        await caller.server.wait_async(lambda: caller.server.open_connections == 0)
        assert (await caller.ask("last")).text == "answer to last"


async def test_what_was_received_and_not_read_is_not_lost(dialect: Dialect) -> None:
    """All that came with the first piece can be had, without waiting, when the answer is left."""
    texts = [f"{number} " for number in range(50)]

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=dialect.content_type)
        await exchange.raw(dialect.opening() + b"".join(map(dialect.text, texts)))
        await exchange.hung_up()

    async with Caller(dialect, script) as caller:
        stream = await caller.provider.open(caller.request(), StreamLimits(), caller.progress)
        events = [*await stream.read(), *stream.rest()]
        await stream.aclose()

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(texts)


LIMIT = 10


async def test_twenty_answers_at_a_time_are_ten_and_then_ten(remote: Dialect) -> None:
    """While ten are on, no other is asked for; in the end each question has its own answer."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        question = remote.question(exchange.body)
        if question != "probe":
            await gate.wait()
        await answering(remote, *whole(remote, "answer ", f"to {question}"))(exchange)

    async with Caller(remote, script) as caller:
        exchanges = caller.server.exchanges
        asked = asyncio.gather(*(caller.ask(str(number)) for number in range(2 * LIMIT)))
        await caller.server.wait_async(lambda: len(exchanges) >= LIMIT)
        # Whoever asks from elsewhere comes after all those that would not wait.
        other = registry(settings_of(remote), environment(remote, caller.server)).get(remote.name)
        async with aclosing(
            Answer(await other.open(caller.request("probe"), StreamLimits(), InstantProgress()))
        ) as probe:
            await probe.to_end()
        await other.aclose()
        at_a_time = len(exchanges) - 1
        gate.open()
        answers = await asked

    assert at_a_time == LIMIT
    assert [answer.text for answer in answers] == [f"answer to {number}" for number in range(2 * LIMIT)]


async def test_answer_that_is_left_makes_room_for_the_next(remote: Dialect) -> None:
    """Who waits for a place gets that of one who was cancelled."""

    async def script(exchange: Exchange) -> None:
        await exchange.hung_up()

    async with Caller(remote, script) as caller:
        exchanges = caller.server.exchanges
        asked = [asyncio.create_task(caller.ask(str(number))) for number in range(LIMIT + 1)]
        await caller.server.wait_async(lambda: len(exchanges) == LIMIT)
        asked[0].cancel()
        await caller.server.wait_async(lambda: len(exchanges) == LIMIT + 1)

        assert remote.question(exchanges[-1].body) == str(LIMIT)
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)


# The embedded model, which computes one answer at a time.


@pytest.fixture
async def local() -> AsyncIterator[LocalProvider]:
    if not available():
        need("embedded model (the extra `local` and the weights)")
    provider = LocalProvider(threads=1)
    yield provider
    await provider.aclose()


def question(text: str, max_tokens: int) -> Request:
    options = Options(temperature=0, max_tokens=max_tokens)
    return Request(model="", messages=(Message(role="user", text=text),), options=options)


@pytest.mark.local
@pytest.mark.timeout(60)
async def test_embedded_model_is_free_again_after_a_cancel(local: LocalProvider) -> None:
    """The long story would keep it busy for longer than this test may take: the next answer does not wait for that."""
    story = Turn(local, question("Write a long story about a fox, in many paragraphs.", 8000))
    story.start()
    async for event in heard(story):
        if isinstance(event, TextDelta):
            break

    await story.cancel()
    await story.cancel()
    async with aclosing(Answer(await local.open(question("Hi", 3), StreamLimits(), Progress()))) as answer:
        await answer.to_end()

    assert answer.text
    assert story.state is TurnState.CANCELLED
    assert story.reply.text


@pytest.mark.local
async def test_embedded_model_answers_twenty_questions_at_once(local: LocalProvider) -> None:
    """One after the other, each to its end."""

    async def ask(number: int) -> Answer:
        asked = question(f"What is {number} plus 1?", 3)
        async with aclosing(Answer(await local.open(asked, StreamLimits(), Progress()))) as answer:
            return await answer.to_end()

    answers = await asyncio.gather(*map(ask, range(20)))

    assert all(answer.text for answer in answers)
    assert {answer.reason for answer in answers} <= {EndReason.LENGTH, EndReason.STOP}
