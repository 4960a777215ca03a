"""Answers that begin: the same events from every provider, however the bytes come and whatever lies between them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from llmterm.errors import NetworkError
from llmterm.messages import EndReason, Message, Options, Request, StreamLimits, Usage
from llmterm.progress import Progress
from llmterm.providers.local import LocalProvider
from llmterm.providers.weights import available
from llmterm.turn import Turn
from llmterm.untrusted import MOST_TOKENS
from tests.conftest import need
from tests.contract.caller import Answer, Caller, answering, fails
from tests.contract.dialects import INPUT_TOKENS, OUTPUT_TOKENS, Dialect, Gemini, Responses, whole
from tests.reading import heard
from tests.wire import Exchange, Gate

TEXT = "Grüße <&>\n\t, 世界 👩‍👩‍👧 \u2028\u0085\x00\\n"
COUNTED = Usage(input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS)


async def test_whole_answer_arrives(dialect: Dialect) -> None:
    """The text to the letter, the tokens, one end."""
    async with Caller(dialect, answering(dialect, *whole(dialect, "He", "llo, ", TEXT))) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage, answer.reason) == (f"Hello, {TEXT}", COUNTED, EndReason.STOP)
    assert answer.thinking == ""
    assert (caller.progress.waits, caller.progress.said) == ([], [])


async def test_first_text_is_seen_before_the_second_is_sent(dialect: Dialect) -> None:
    """Delivery is incremental: the server sends nothing more until the reader has what came."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=dialect.content_type)
        await exchange.raw(dialect.opening() + dialect.text("first"))
        await gate.wait()
        await exchange.raw(dialect.text(", second") + dialect.ending() + dialect.marker)
        await exchange.close()

    async with Caller(dialect, script) as caller, aclosing(await caller.open()) as answer:
        await answer.until("first")
        gate.open()
        await answer.to_end()

    assert answer.text == "first, second"


async def test_frame_may_be_cut_at_every_byte(dialect: Dialect) -> None:
    """Within a character, a line end, an escape: what comes later joins what was read before it."""
    before, text = dialect.text("before "), dialect.text("é世👍\n")
    gates = [Gate() for _ in range(len(text) + 1)]

    async def script(exchange: Exchange) -> None:
        cut = int(dialect.question(exchange.body))
        await exchange.start(content_type=dialect.content_type)
        await exchange.raw(dialect.opening() + before + text[:cut])
        await gates[cut].wait()
        await exchange.raw(text[cut:] + dialect.ending() + dialect.marker)
        await exchange.close()

    async with Caller(dialect, script) as caller:
        for cut, gate in enumerate(gates):
            async with aclosing(await caller.open(str(cut))) as answer:
                await answer.read()
                gate.open()
                await answer.to_end()

            assert answer.text == "before é世👍\n", cut


async def test_every_byte_may_come_alone(dialect: Dialect) -> None:
    """From the first frame to the last."""
    body = b"".join(whole(dialect, TEXT))
    async with Caller(dialect, answering(dialect, *(bytes([byte]) for byte in body))) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage, answer.reason) == (TEXT, COUNTED, EndReason.STOP)


async def test_whole_answer_may_come_at_once(dialect: Dialect) -> None:
    """Nothing of it is lost, nor said twice."""
    async with Caller(dialect, answering(dialect, b"".join(whole(dialect, "a", "b", "c")))) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.reason) == ("abc", EndReason.STOP)


async def test_thinking_is_told_from_text(dialect: Dialect) -> None:
    """It is not part of the answer, and comes before it."""
    frames = [dialect.opening(), dialect.thinking("h"), dialect.thinking("m"), *whole(dialect, "so")[1:]]
    async with Caller(dialect, answering(dialect, *frames)) as caller:
        answer = await caller.ask()

    assert (answer.thinking, answer.text, answer.reason) == ("hm", "so", EndReason.STOP)


async def test_token_limit_is_an_end_of_its_own(dialect: Dialect) -> None:
    """Who pauses there can go on."""
    async with Caller(dialect, answering(dialect, *whole(dialect, "half", reason=EndReason.LENGTH))) as caller:
        answer = await caller.ask(options=Options(max_tokens=7))

    assert (answer.text, answer.usage, answer.reason) == ("half", COUNTED, EndReason.LENGTH)


async def test_counts_that_no_model_has_are_clamped(dialect: Dialect) -> None:
    """Whatever number a server sends, the text and the end are there, and the counts can be reckoned with."""
    numbers = ["9" * 400, "9" * 4300, "9" * 5000, "1e999", "NaN", "-5", "true", "5.0"]

    async def script(exchange: Exchange) -> None:
        digits = numbers[int(dialect.question(exchange.body))].encode()
        frames = [
            re.sub(rb'((?:_tokens|Count|_count)": )\d+', lambda each: each[1] + digits, frame)
            for frame in whole(dialect, "kept", " whole")
        ]
        await answering(dialect, *frames)(exchange)

    async with Caller(dialect, script) as caller:
        for index, number in enumerate(numbers):
            answer = await caller.ask(str(index))

            assert (answer.text, answer.reason) == ("kept whole", EndReason.STOP), number
            usage = answer.usage or Usage()
            for counted in (usage.input_tokens, usage.output_tokens):
                assert type(counted) is int
                assert 0 <= counted <= 3 * MOST_TOKENS, number


async def test_stop_sequence_is_asked_for_and_told_where_it_can_be(dialect: Dialect) -> None:
    """In the wire's own field; some providers say that it was the end, others only that there was one."""
    frames = whole(dialect, "before", reason=EndReason.STOP_SEQUENCE)
    async with Caller(dialect, answering(dialect, *frames)) as caller:
        answer = await caller.ask(options=Options(stop=("STOP",)))

    # Responses have no field for that.
    assert dialect.stop(caller.server.exchanges[0].body) == (None if isinstance(dialect, Responses) else ["STOP"])
    assert (answer.text, answer.reason) == ("before", dialect.on_stop_sequence)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
async def test_line_ends_and_comments_do_not_matter(dialect: Dialect, end: bytes) -> None:
    """Between all frames, several in a row; lines end as they like."""
    noise = dialect.comment * 3
    frames = [noise + frame for frame in whole(dialect, "a", "b")] + [noise]
    lines = b"".join(frames).replace(b"\r\n", b"\n").replace(b"\n", end)
    async with Caller(dialect, answering(dialect, lines)) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage, answer.reason) == ("ab", COUNTED, EndReason.STOP)


async def test_garbage_between_the_frames_is_skipped(dialect: Dialect) -> None:
    """One frame that makes no sense is no reason to lose an answer."""
    *frames, marker = whole(dialect, "a", "b")
    noisy = [dialect.garbage + frame for frame in frames]
    async with Caller(dialect, answering(dialect, *noisy, marker)) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.reason) == ("ab", EndReason.STOP)


async def test_marker_of_the_end_may_be_missing(dialect: Dialect) -> None:
    """With the last line's end, too: the provider has said why it ended."""
    body = b"".join(whole(dialect, "a")[:-1]).rstrip(b"\r\n")
    async with Caller(dialect, answering(dialect, body)) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage, answer.reason) == ("a", COUNTED, EndReason.STOP)


async def test_body_that_just_stops_is_no_whole_answer(dialect: Dialect) -> None:
    """Without a word of its end it has broken off, and what came is kept."""
    async with (
        Caller(dialect, answering(dialect, dialect.opening(), dialect.text("half"))) as caller,
        aclosing(await caller.open()) as answer,
    ):
        with fails(NetworkError, "broke off"):
            await answer.to_end()

    assert answer.text == "half"
    assert len(caller.server.exchanges) == 1


async def test_empty_answer_is_an_answer(dialect: Dialect) -> None:
    """A model may have nothing to say; it is not asked again for that."""
    async with Caller(dialect, answering(dialect, *whole(dialect))) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.usage, answer.reason) == ("", COUNTED, EndReason.STOP)
    assert len(caller.server.exchanges) == 1


async def test_connection_is_used_again(dialect: Dialect) -> None:
    """An answer that was read to its end leaves its connection to the next question."""
    async with Caller(dialect, answering(dialect, *whole(dialect, "a"))) as caller:
        for _ in range(3):
            await caller.ask()

        assert len(caller.server.exchanges) == 3
        assert caller.server.open_connections == 1


async def test_tokens_of_an_answer_that_was_paused_are_about_as_many_as_came(dialect: Dialect) -> None:
    """Where the provider counts those of the answer at its end only, they are guessed, and marked; no others are."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=dialect.content_type)
        await exchange.raw(dialect.opening() + b"".join(dialect.text(f"word {number} ") for number in range(40)))
        await exchange.hung_up()

    async with Caller(dialect, script) as caller:
        turn = Turn(caller.provider, caller.request())
        turn.start()
        async for _ in heard(turn):
            if "word 39" in turn.reply.text:
                break
        await turn.pause()

    (segment,) = turn.reply.segments
    counted = isinstance(dialect, Gemini)  # with every event
    assert segment.usage.estimated is not counted
    assert segment.usage.output_tokens == OUTPUT_TOKENS if counted else segment.usage.output_tokens >= 40
    assert segment.usage.input_tokens == INPUT_TOKENS or not (counted or dialect.name == "anthropic")


# What only a model can show: the embedded one.


@pytest.fixture
async def local() -> AsyncIterator[LocalProvider]:
    if not available():
        need("embedded model (the extra `local` and the weights)")
    provider = LocalProvider(threads=1)
    yield provider
    await provider.aclose()


async def answer_of(provider: LocalProvider, question: str, options: Options) -> Answer:
    request = Request(model="", messages=(Message(role="user", text=question),), options=options)
    async with aclosing(Answer(await provider.open(request, StreamLimits(), Progress()))) as answer:
        return await answer.to_end()


@pytest.mark.local
async def test_embedded_model_ends_its_answers_as_others_do(local: LocalProvider) -> None:
    """By itself, at the token limit, and at a stop sequence, which is not part of the text."""
    whole = await answer_of(local, "Hi", Options(temperature=0, max_tokens=100))
    cut = await answer_of(local, "Hi", Options(temperature=0, max_tokens=3))
    word = whole.text.split()[2]
    stopped = await answer_of(local, "Hi", Options(temperature=0, max_tokens=100, stop=(word,)))

    assert (whole.reason, cut.reason, stopped.reason) == (EndReason.STOP, EndReason.LENGTH, EndReason.STOP)
    assert whole.usage is not None
    assert whole.usage.input_tokens > 0 < whole.usage.output_tokens
    assert cut.usage is not None
    assert cut.usage.output_tokens == 3
    assert whole.text.startswith(cut.text)
    assert stopped.text == whole.text.partition(word)[0]
