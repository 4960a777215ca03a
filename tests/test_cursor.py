"""An answer that goes on at its provider: what is read on is the same generation, whatever comes between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.conversation import Conversation
from llmterm.events import Notice
from llmterm.marker import DEFAULT_MARKER
from llmterm.messages import (
    Cursor,
    EndReason,
    Message,
    Options,
    Request,
    Segment,
    Snapshot,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from llmterm.recorded import RecordedTurn
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.owner import Owner
from llmterm.turn import Turn, TurnState
from tests.generations import TOOK, GenerationProvider
from tests.scripted import ScriptedProvider

QUESTION = Message(role="user", text="why?")
REQUEST = Request(model="m", messages=(QUESTION,), options=Options(), background=True)
WORDS = [TextDelta(word) for word in ("Because ", "it ", "is ", "so.")]
WHOLE = "Because it is so."


def turn_of(provider: GenerationProvider, asked: Request | Snapshot = REQUEST, marker: str | None = None) -> Turn:
    """Return a turn that waits with each chunk until the one before it was read."""
    return Turn(provider, asked, marker, limits=StreamLimits(buffer_size=1), seam_seconds=60)


async def read(turn: Turn, enough: Callable[[], bool]) -> None:
    """Read what comes until there is enough of it, or until it rests."""
    reader = turn.reader(turn.places.stop - 1, waited_for=True)
    try:
        async for _ in reader.streamed():
            if enough():
                break
    finally:
        reader.leave()


async def left(provider: GenerationProvider, characters: int, marker: str | None = None) -> Turn:
    """Return a turn that was left behind so many characters."""
    turn = turn_of(provider, marker=marker)
    turn.start()
    await read(turn, lambda: len(turn.reply.body) >= characters)
    await turn.detach()
    assert turn.state is TurnState.PAUSED
    return turn


async def ended(turn: Turn) -> None:
    async for _ in turn.events():
        pass


def modes(turn: Turn) -> list[str]:
    return [segment.mode for segment in turn.reply.segments]


async def test_answer_that_is_left_is_read_on_where_it_was() -> None:
    """Nothing is asked again: there is one generation, and it has all that was taken."""
    provider = GenerationProvider(WORDS)
    turn = await left(provider, len("Because it "))

    turn.resume()
    await ended(turn)

    assert (turn.reply.text, modes(turn), provider.ended) == (WHOLE, ["fresh", "cursor"], [])
    assert [request.continuation for request in provider.requests] == [None, "cursor"]
    assert [segment.usage for segment in turn.reply.segments] == [TOOK, Usage()]
    assert [segment.cost for segment in turn.reply.segments] == [150, None]
    assert turn.reply.cursor is None


async def test_answer_is_read_on_in_another_process() -> None:
    """With nothing but its snapshot, also of one that was left while the model was thinking."""
    provider = GenerationProvider([ThinkingDelta("hm, "), ThinkingDelta("so"), *WORDS])
    turn = turn_of(provider)
    turn.start()
    await read(turn, lambda: bool(turn.reply.thoughts))
    rest = await turn.detach()

    again = turn_of(provider, Snapshot.from_json(rest.to_json()))
    again.resume()
    await ended(again)

    assert (rest.reply.text, rest.reply.thinking) == ("", "hm, ")
    assert (again.reply.text, again.reply.thinking, modes(again)) == (WHOLE, "hm, so", ["fresh", "cursor"])


async def test_answer_without_a_cursor_is_asked_for_as_its_model_wants_it() -> None:
    """Also where it is to be read on: there is nothing that could be."""
    provider = GenerationProvider(WORDS, [TextDelta("is so.")])
    turn = turn_of(provider)
    turn.start()
    await read(turn, lambda: turn.reply.text == "Because it ")
    await turn.pause()

    turn.resume(continuation="cursor")
    await ended(turn)

    assert (turn.reply.text, modes(turn)) == (WHOLE, ["fresh", "instruct"])


async def test_text_behind_the_cursor_comes_once() -> None:
    """Where more was kept than the cursor knows of, it is taken back, and told again."""
    provider = GenerationProvider(WORDS)
    turn = await left(provider, len("Because it is "))
    early = replace(turn.snapshot().reply.cursor or Cursor(provider="", model="", place={}), text=len("Because "))
    early = replace(early, place={"number": 0, "after": 1})

    again = turn_of(provider, replace(turn.snapshot(), reply=turn.reply.at(early)))
    again.resume()
    await ended(again)

    assert again.reply.text == WHOLE


async def test_answer_that_is_not_kept_any_more_is_asked_for_again() -> None:
    """In the same breath, from all of what had come, with a word to the user."""
    provider = GenerationProvider(WORDS, [TextDelta("is so.")])
    turn = await left(provider, len("Because it "))
    provider.kept = False
    told: list[str] = []

    turn.resume()
    async for _, event in turn.events():
        told += [event.text] if isinstance(event, Notice) else []

    assert (turn.reply.text, modes(turn)) == (WHOLE, ["fresh", "instruct"])
    assert told == ["it is not kept any more: what is there is sent again, and the answer goes on from that"]


async def test_answer_that_cannot_be_read_on_keeps_what_was_behind_the_cursor() -> None:
    """What had been received is sent again whole."""
    provider = GenerationProvider(WORDS, [TextDelta("so.")])
    turn = await left(provider, len("Because it is "))
    early = replace(turn.reply.cursor or Cursor(provider="", model="", place={}), text=len("Because "))
    provider.kept = False

    again = turn_of(provider, replace(turn.snapshot(), reply=turn.reply.at(early)))
    again.resume()
    await ended(again)

    assert again.reply.text == WHOLE
    assert "Because it is " in [message.text for message in provider.requests[-1].messages]


async def test_connection_that_breaks_leaves_the_answer_where_it_goes_on() -> None:
    """Also before the first word: there is something to go on with."""
    provider = GenerationProvider([ThinkingDelta("hm"), *WORDS])
    turn = turn_of(provider)
    for breaks in (1, 3):
        provider.breaks = breaks
        if breaks == 1:
            turn.start()
        else:
            turn.resume()
        await read(turn, lambda: False)
        assert (turn.state, turn.reason) == (TurnState.PAUSED, EndReason.NETWORK)

    turn.resume()
    await ended(turn)

    assert (turn.reply.text, provider.ended, len(provider.generations)) == (WHOLE, [], 1)


async def guide(turn: Turn) -> None:
    turn.resume(guidance="in French")


async def ask_in_words(turn: Turn) -> None:
    turn.resume(continuation="instruct")


async def ask_another_model(turn: Turn) -> None:
    turn.resume(model="n")


async def ask_another(turn: Turn) -> None:
    turn.resume(provider=ScriptedProvider())


async def rewrite(turn: Turn) -> None:
    turn.rewrite(turn.reply.rewrite("Be"))


async def put_back(turn: Turn) -> None:
    """Of an earlier reply its cursor is no way on any more."""
    before = turn.reply
    turn.rewrite(before.rewrite("Be"))
    turn.rewrite(before)
    assert turn.reply.text == before.text


async def cut(turn: Turn) -> None:
    await turn.pause(upto=3)


async def end(turn: Turn) -> None:
    await turn.cancel()


OTHERWISE = [guide, ask_in_words, ask_another_model, ask_another, rewrite, put_back, cut, end]


@pytest.mark.parametrize("otherwise", OTHERWISE)
async def test_answer_that_is_to_go_on_otherwise_is_ended_there(otherwise: Callable[[Turn], Any]) -> None:
    """Nothing is made, and billed, that nobody is going to read."""
    provider = GenerationProvider(WORDS, WORDS)
    turn = await left(provider, len("Because it "))

    await otherwise(turn)

    assert (provider.ended, turn.reply.cursor) == ([0], None)
    await turn.cancel()


async def test_pause_that_cuts_ends_the_answer_there() -> None:
    """As every other pause: it is asked for again."""
    provider = GenerationProvider(WORDS)
    turn = turn_of(provider)
    turn.start()
    await read(turn, lambda: bool(turn.reply.body))

    await turn.pause()

    assert set(provider.ended) == {0}
    assert turn.reply.cursor is None


async def test_marker_ends_the_answer_there() -> None:
    """What comes behind it is not wanted."""
    provider = GenerationProvider([TextDelta("one !!CAN"), TextDelta("CEL two"), TextDelta(" three")])
    turn = turn_of(provider, marker=DEFAULT_MARKER)
    turn.start()
    await read(turn, lambda: False)

    assert (turn.reply.text, turn.reason) == ("one ", EndReason.MARKER)
    assert set(provider.ended) == {0}
    assert turn.reply.cursor is None


async def test_resumed_answer_that_said_nothing_yet_keeps_its_seam() -> None:
    """The model was asked in words to go on, thought, and was left; what it repeats then is dropped all the same."""
    repeated: list[StreamEvent] = [
        ThinkingDelta("where was I"),
        TextDelta("Because it is so"),
        TextDelta(" and so on."),
    ]
    provider = GenerationProvider(WORDS, repeated)
    turn = turn_of(provider)
    turn.start()
    await read(turn, lambda: turn.reply.text == "Because it is ")
    await turn.pause()
    turn.resume()
    await read(turn, lambda: bool(turn.reply.thoughts))
    await turn.detach()

    turn.resume()
    await ended(turn)

    assert turn.reply.text == "Because it is so and so on."
    assert modes(turn) == ["fresh", "instruct", "cursor"]


PIECES = ["!", "!!CAN", "CEL", "!!CANCEL", "`", "```\n", "\n", " ", "word ", "é", "<think>", "</think>", "hm"]
ANSWER = st.lists(
    st.builds(TextDelta, st.sampled_from(PIECES)) | st.builds(ThinkingDelta, st.sampled_from(["hm ", "so"])),
    min_size=1,
    max_size=12,
)
MEANWHILE = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["leave", "kill", "break"])), max_size=4)


async def answered(events: Sequence[StreamEvent], meanwhile: Sequence[tuple[int, str]], *, bursts: bool) -> Turn:
    """Return the turn of an answer of which after so many reads something happens, again and again."""
    provider = GenerationProvider(events)
    provider.bursts = bursts
    turn = turn_of(provider, marker=DEFAULT_MARKER)
    turn.start()
    for count, what in meanwhile:
        provider.breaks = count if what == "break" else None
        reads = iter(range(1, count)) if what != "break" else repeat(0)
        await read(turn, lambda: next(reads, None) is None)  # noqa: B023 - it is used up at once
        rest = turn.snapshot()  # as it is on the disk just then
        if turn.state is TurnState.STREAMING:
            await turn.detach()
            if what == "kill":
                turn = turn_of(provider, Snapshot.from_json(rest.to_json()), DEFAULT_MARKER)
        if turn.over or turn.reason is EndReason.MARKER:
            return turn
        if turn.reply.cursor is None:
            provider.answers.append(events)  # nothing is known of the one that was begun
        turn.resume()
    provider.breaks = None
    await read(turn, lambda: False)
    return turn


@given(ANSWER, MEANWHILE, st.booleans())
async def test_answer_is_the_same_whatever_comes_between(
    events: list[StreamEvent], meanwhile: list[tuple[int, str]], bursts: bool
) -> None:
    """Markers, tags and code that are cut in two included: text, thinking and end are those of an answer in one go."""
    in_one = await answered(events, [], bursts=False)
    turn = await answered(events, meanwhile, bursts=bursts)

    assert (turn.reply.text, turn.reply.thinking) == (in_one.reply.text, in_one.reply.thinking)
    assert (turn.state, turn.reason) == (in_one.state, in_one.reason)


# On the record


async def test_cursor_is_on_the_record_while_the_answer_streams(tmp_path: Path) -> None:
    """Also before the first word: whoever finds it after a kill reads on, and nothing is asked again."""
    provider = GenerationProvider([ThinkingDelta("hm"), *WORDS])
    store = SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""))
    session = CurrentSession(store, system="")
    asked = Conversation(messages=(QUESTION,)).request(model="m")
    turn = turn_of(provider, replace(asked, background=True))
    async with RecordedTurn(turn, session, QUESTION) as recorded:
        await read(turn, lambda: bool(turn.reply.thoughts))
        await recorded.kept()
        found = SessionStore(tmp_path).load(session.recorded(), peek=True).answer

    assert found is not None
    assert found.cursor is not None
    again = turn_of(provider, found.snapshot(asked))
    again.resume()
    await ended(again)
    assert again.reply.text == WHOLE
    assert len(provider.generations) == 1


def test_cursor_is_kept_until_another_generation_begins(tmp_path: Path) -> None:
    store = SessionStore(tmp_path, owner=Owner(pid=0, host="", born=""))
    session = store.create()
    store.add(session, QUESTION)
    log = store.begin(session, provider="p", model="m", options=Options())
    cursor = Cursor(provider="p", model="m", place={"id": "r1", "after": 7}, text=3)
    reply = replace(Snapshot.from_json(rest_json()).reply, cursor=cursor)

    def found() -> Cursor | None:
        answer = store.load(session, peek=True).answer
        assert answer is not None
        return answer.cursor

    log.journal(reply)
    assert found() == cursor
    log.pause(reply, EndReason.PAUSE)
    assert found() == cursor
    log.resume(provider="p", model="m", mode="cursor")
    assert found() == cursor
    log.move(provider="p", model="m", mode="instruct")
    assert found() is None


def rest_json() -> str:
    segment = Segment(provider="p", model="m", mode="fresh", start=0, end=3, end_reason=EndReason.PAUSE)
    reply = Turn(ScriptedProvider(), REQUEST).reply.add(TextDelta("one")).close(segment)
    return Snapshot(request=REQUEST, reply=reply, reason=EndReason.PAUSE).to_json()
