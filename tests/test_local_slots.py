"""A paused answer goes on from what was computed for it, whatever the embedded model has answered meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llmterm.conversation import Conversation, resumed
from llmterm.framing import Frame
from llmterm.messages import EndReason, Message, Options, Reply, Request, TextDelta, Usage, UsageReport
from llmterm.providers import openai
from llmterm.providers.local import LocalProvider
from llmterm.providers.slot import Slot, reporting
from llmterm.providers.timings import Timings, timings
from llmterm.providers.weights import available
from llmterm.turn import Turn
from tests.conftest import need
from tests.reading import heard
from tests.values import at_rest

STORY = "Write a long story about a fox, in many paragraphs."
# They begin like the story, or share no more than the system prompt with it, which the model's template adds to all.
OTHERS = ("Write a long poem about rain.", "What is the capital of France?", "Name three rivers.")
SYSTEM = "You answer at length, and in whole sentences. " * 4
# Their answers have words in other tokens than the tokenizer takes for the text: "Ai" as "A" and "i".
MARKET = "Descrivi una giornata al mercato di un piccolo paese."
SWIMMING = "Escribe una lista de cinco consejos para aprender a nadar."


@pytest.fixture
async def provider() -> AsyncIterator[LocalProvider]:
    if not available():
        need("embedded model (the extra `local` and the weights)")
    provider = LocalProvider(threads=1, context=1024)
    yield provider
    await provider.aclose()


def ask(question: str, *, system: str = "", tokens: int = 28) -> Request:
    options = Options(temperature=0, max_tokens=tokens, seed=7)
    return Conversation(system=system).ask(question).request(model="", options=options)


def answer_to(request: Request, text: str) -> Request:
    """Return the request that goes on with an answer of which `text` is there."""
    return resumed(at_rest(request, Reply().add(TextDelta(text))), "prefill")


async def read(turn: Turn, chunks: int | None = None) -> None:
    """Read the answer to its end, or at least `chunks` of it."""
    seen = 0
    async for event in heard(turn):
        seen += event.chunks if isinstance(event, TextDelta) else 0
        if chunks is not None and seen >= chunks:
            break


async def answered(provider: LocalProvider, request: Request) -> str:
    turn = Turn(provider, request)
    turn.start()
    await read(turn)
    return turn.reply.text


async def paused(provider: LocalProvider, request: Request, chunks: int) -> Turn:
    turn = Turn(provider, request)
    turn.start()
    await read(turn, chunks)
    await turn.pause()
    await read(turn)
    return turn


async def gone_on_with(turn: Turn) -> str:
    turn.resume()
    await read(turn)
    return turn.reply.text


async def uninterrupted(request: Request) -> str:
    """Return the answer of a program that does nothing else."""
    provider = LocalProvider(threads=1, context=1024)
    try:
        return await answered(provider, request)
    finally:
        await provider.aclose()


@pytest.mark.local
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("chunks", "system"),
    [(1, SYSTEM), (9, ""), (20, SYSTEM)],
    ids=["early, long system prompt", "short", "late, long"],
)
async def test_answer_paused_over_other_conversations_is_the_uninterrupted_one(
    provider: LocalProvider, chunks: int, system: str
) -> None:
    """Greedy, to the letter: with a poem asked for in the same words, and two short questions, in between."""
    expected = await uninterrupted(ask(STORY, system=system))
    turn = await paused(provider, ask(STORY, system=system), chunks)

    for other in OTHERS:
        assert await answered(provider, ask(other, system=system, tokens=8))
    text = await gone_on_with(turn)

    assert text[: len(expected)] == expected


@pytest.mark.local
@pytest.mark.timeout(180)
async def test_several_paused_answers_go_on_in_any_order(provider: LocalProvider) -> None:
    """Each from its own computation, and a second time after that."""
    requests = [ask(question) for question in (STORY, *OTHERS[:2])]
    expected = [await uninterrupted(request) for request in requests]
    turns = [await paused(provider, request, 5) for request in requests]

    for turn in reversed(turns):
        turn.resume()
        await read(turn, 2)
        await turn.pause()
        await read(turn)
    texts = [await gone_on_with(turn) for turn in turns]

    assert [text[: len(whole)] for text, whole in zip(texts, expected, strict=True)] == expected


@pytest.mark.local
@pytest.mark.timeout(180)
@pytest.mark.parametrize("others", [(), OTHERS[:2]], ids=["at once", "over other conversations"])
async def test_answer_in_tokens_of_its_own_is_the_uninterrupted_one(
    provider: LocalProvider, others: tuple[str, ...]
) -> None:
    """Greedy, to the letter, with six pauses: the model reads what it wrote, not the text of it in other tokens."""
    request = ask(MARKET, tokens=64)
    expected = await uninterrupted(request)
    turn = await paused(provider, request, 3)

    for _ in range(5):
        for other in others:
            assert await answered(provider, ask(other, tokens=3))
        turn.resume()
        await read(turn, 9)
        await turn.pause()
        await read(turn)
    for other in others:
        assert await answered(provider, ask(other, tokens=8))
    text = await gone_on_with(turn)

    assert text[: len(expected)] == expected


@pytest.mark.local
@pytest.mark.timeout(180)
@pytest.mark.parametrize("question", [MARKET, SWIMMING, STORY])
async def test_answer_goes_on_in_the_tokens_that_it_was_written_in(provider: LocalProvider, question: str) -> None:
    """After each pause the engine reads as many as it was asked in and has answered with."""
    turn = Turn(provider, ask(question, tokens=12))
    turn.start()
    await read(turn)

    for _ in range(3):
        assert not turn.reply.text[-1].isspace()
        await gone_on_with(turn)

    usages = [segment.usage for segment in turn.reply.segments]
    assert [usage.input_tokens - usages[0].input_tokens for usage in usages] == [0, 12, 24, 36]


@pytest.mark.local
@pytest.mark.timeout(180)
async def test_answer_for_which_there_is_no_room_goes_on_all_the_same() -> None:
    """With memory for no conversation but the current one: computed anew, without a seam in the text."""
    provider = LocalProvider(threads=1, context=1024, cache=0)
    turn = await paused(provider, ask(STORY), 11)
    before = turn.reply.text

    for other in OTHERS:
        assert await answered(provider, ask(other, tokens=8))
    text = await gone_on_with(turn)

    assert text.startswith(before)
    assert len(text) > len(before)
    await provider.aclose()


@pytest.mark.local
@pytest.mark.timeout(180)
async def test_answer_ends_at_its_limit_over_any_pauses(provider: LocalProvider) -> None:
    """To the token and to the letter, wherever the pauses fall: in white space, too, which is not written twice."""
    request = ask("Make a numbered list of three rivers, and end each line with a smiley.", tokens=30)
    whole = Turn(provider, request)
    whole.start()
    await read(whole)

    turn = await paused(provider, request, 1)
    while turn.reason is EndReason.PAUSE:
        turn.resume()
        await read(turn, 2)
        await turn.pause()
        await read(turn)

    assert turn.reply.text == whole.reply.text
    assert turn.reason is whole.reason is EndReason.LENGTH
    usages = [segment.usage for segment in turn.reply.segments]
    assert sum(usage.output_tokens for usage in usages) == 30
    assert not any(usage.estimated for usage in usages)


PROGRESS = '{"choices": [], "prompt_progress": {"total": 50, "cache": %d, "processed": 9}}'
COUNTED = '{"choices": [{"delta": {"content": "%s"}}], "timings": {"cache_n": 4, "prompt_n": 5, "predicted_n": 3}}'


def test_engine_says_what_it_had_and_how_many_tokens_it_has_made() -> None:
    """What it says first of a prompt counts, later its own work is there as well. Nonsense says nothing."""
    holding = Slot().take(ask("a"))
    parse = reporting(openai.wire(), holding).parse

    before = [event for frame in (PROGRESS % 7, PROGRESS % 40, "{}", "[]") for event in parse(Frame("", frame))]
    events = list(parse(Frame("", COUNTED % "Hi")))

    assert (before, holding.had, holding.begun) == ([], 7, True)
    assert events == [TextDelta("Hi"), UsageReport(Usage(input_tokens=9, output_tokens=3, cached_tokens=4))]
    for frame in ("{garbage", '{"timings": 5, "prompt_progress": []}', '{"timings": {"predicted_n": -1}}'):
        assert timings(Frame("", frame)) == Timings()


def test_answer_of_white_space_has_not_begun() -> None:
    """It is asked for anew."""
    holding = Slot().take(ask("a"))

    list(reporting(openai.wire(), holding).parse(Frame("", COUNTED % "\\n ")))

    assert not holding.begun


def test_conversation_that_goes_on_is_here() -> None:
    """The answer continued, or the next question asked: what the slot holds is the beginning of it."""
    slot = Slot()
    question = ask("a")
    slot.take(question)
    next_question = Conversation(
        messages=(*question.messages, Message(role="assistant", text="b"), Message(role="user", text="c"))
    ).request(model="", options=Options())

    assert slot.place(answer_to(question, "b")) == "here"
    slot.take(answer_to(question, "b"))
    assert slot.place(answer_to(question, "b and more")) == "here"
    assert slot.place(next_question) == "here"


def test_conversation_that_was_left_is_waiting() -> None:
    """Until it goes on: then it is here, and the other one waits."""
    slot = Slot()
    slot.take(ask("a"))
    slot.take(ask("b"))

    assert slot.place(answer_to(ask("a"), "x")) == "waiting"
    slot.take(answer_to(ask("a"), "x"))

    assert slot.place(answer_to(ask("a"), "x and more")) == "here"
    assert slot.place(answer_to(ask("b"), "y")) == "waiting"


def test_new_conversation_is_new() -> None:
    """In an empty slot, beside others, and when it asks what another one has asked."""
    slot = Slot()
    assert slot.place(ask("a")) == "new"
    slot.take(ask("a"))

    assert slot.place(ask("b")) == "new"
    assert slot.place(ask("a")) == "new"
    assert slot.place(Request(model="", messages=())) == "new"


def test_one_question_asked_twice_is_left_to_the_engine() -> None:
    """Which of the two answers goes on only the engine can see, by their words."""
    slot = Slot()
    for _ in range(2):
        slot.take(ask("a")).begun = True

    assert slot.place(answer_to(ask("a"), "x")) == "waiting"


def test_question_that_came_to_nothing_is_remembered_as_it_began() -> None:
    """However often it is asked, and whatever was asked meanwhile; once something came it is a question like others."""
    slot = Slot()
    slot.take(ask("a")).had = 5
    slot.take(ask("b"))

    assert slot.again(ask("b")) is slot.held
    again = slot.again(ask("a"))
    assert again is not None
    assert again.had == slot.take(ask("a")).had == slot.take(ask("a")).had == 5
    assert slot.again(ask("c")) is None
    assert slot.place(answer_to(ask("b"), "x")) == "waiting"

    assert slot.held is not None
    slot.held.begun = True
    assert slot.again(ask("a")) is None
    assert slot.take(ask("a")).had is None


def test_memory_of_conversations_that_wait_is_bounded() -> None:
    """The oldest is forgotten, and treated as a new one."""
    slot = Slot()
    for number in range(100):
        slot.take(ask(str(number)))

    assert slot.place(answer_to(ask("0"), "x")) == "new"
    assert slot.place(answer_to(ask("98"), "x")) == "waiting"
