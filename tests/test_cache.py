"""The answer cache: the same question gets the same answer again, and nothing but whole answers is ever kept."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.assembly.roster import cached, registry
from llmterm.config import ModelSettings, ProvidersSettings, RemoteSettings, Settings
from llmterm.errors import NetworkError, SessionError
from llmterm.messages import (
    Attachment,
    EndReason,
    Finished,
    Message,
    Options,
    Request,
    StreamEvent,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.providers import EventStream
from llmterm.providers.attachments import Accepts
from llmterm.providers.cached import LONGEST_ANSWER, CachedProvider, answer_key
from llmterm.sessions import SessionStore
from llmterm.sessions.cache import MOST_ANSWERS, AnswerCache, CachedAnswer
from llmterm.sessions.database import Database
from llmterm.turn import Turn, TurnState
from tests.reading import heard
from tests.scripted import ScriptedProvider
from tests.wire import WireServer, say

LIMITS = StreamLimits()
QUESTION = Message(role="user", text="why?")
SIGNED = Message(role="user", text="why?", provider_data={"wire": [{}]})
REQUEST = Request(model="scripted-1", messages=(Message(role="system", text="be brief"), QUESTION))
WHOLE = (TextDelta("be"), TextDelta("cause"), UsageReport(Usage(input_tokens=3, output_tokens=2)))
PLAYED = [TextDelta("because"), UsageReport(Usage()), Finished(EndReason.STOP)]
TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # surrogates too
CAT = Attachment(name="cat.png", media_type="image/png", data=b"cat")
WORTH_KEEPING = {EndReason.STOP, EndReason.STOP_SEQUENCE}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnswerCache]:
    """One cache for all examples of a property."""
    with closing(SessionStore(tmp_path_factory.mktemp("shared"))) as store:
        yield store.answers()


@pytest.fixture
def inner() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def provider(inner: ScriptedProvider, store: SessionStore) -> CachedProvider:
    return CachedProvider(inner, store)


async def ask(provider: CachedProvider, request: Request = REQUEST) -> EventStream:
    return await provider.open(request, LIMITS, Progress())


async def read_all(stream: EventStream) -> list[StreamEvent]:
    events: list[StreamEvent] = []
    while batch := await stream.read():
        events += batch
    await stream.aclose()
    return events


async def answer(
    provider: CachedProvider, inner: ScriptedProvider, *events: StreamEvent, request: Request = REQUEST
) -> list[StreamEvent]:
    """Ask something new, have it answered with `events`, one a read, and return what came through."""
    stream = await ask(provider, request)
    for event in events:
        inner.stream.put(event)
    return await read_all(stream)


def kept(store: SessionStore) -> int:
    with closing(sqlite3.connect(store.path)) as database:
        (count,) = database.execute("SELECT count(*) FROM answers").fetchone()
    return int(count)


# The same question


async def test_the_same_question_is_answered_from_the_cache(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """The text comes in one piece, takes no tokens, and the provider is not asked."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))

    again = await read_all(await ask(provider))

    assert again == PLAYED
    assert len(inner.requests) == 1


async def test_a_first_answer_passes_through_as_it_comes(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """Being kept changes nothing: each event is there before the next has been sent."""
    events: list[StreamEvent] = [*WHOLE, Finished(EndReason.STOP, {"wire": [{"signature": "x"}]})]
    stream = await ask(provider)

    for event in events:
        inner.stream.put(event)
        assert list(await stream.read()) == [event]

    await stream.aclose()
    assert inner.stream.closed


async def test_thinking_and_the_end_come_back_too(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """What is played is what was received, with thinking first."""
    await answer(provider, inner, ThinkingDelta("h"), ThinkingDelta("m"), *WHOLE, Finished(EndReason.STOP_SEQUENCE))

    again = await read_all(await ask(provider))

    assert again == [ThinkingDelta("hm"), *PLAYED[:2], Finished(EndReason.STOP_SEQUENCE)]


async def test_the_cache_outlives_the_program(tmp_path: Path, inner: ScriptedProvider) -> None:
    """It is on the disk, with the sessions."""
    with closing(SessionStore(tmp_path)) as store:
        await answer(CachedProvider(inner, store), inner, *WHOLE, Finished(EndReason.STOP))

    with closing(SessionStore(tmp_path)) as store:
        again = await read_all(await ask(CachedProvider(inner, store)))

    assert again == PLAYED


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, model="scripted-2"),
        replace(REQUEST, messages=(QUESTION,)),
        replace(REQUEST, messages=(Message(role="user", text="be brief"), QUESTION)),
        replace(REQUEST, messages=(*REQUEST.messages[:1], QUESTION.saying("why? "))),
        replace(REQUEST, messages=(*REQUEST.messages[:1], SIGNED)),
        replace(REQUEST, options=Options(temperature=0.0)),
        replace(REQUEST, options=Options(max_tokens=1)),
        replace(REQUEST, options=Options(seed=0)),
        replace(REQUEST, options=Options(stop=("\n",))),
    ],
    ids=["model", "system", "role", "text", "provider data", "temperature", "max tokens", "seed", "stop"],
)
async def test_any_difference_is_another_question(
    provider: CachedProvider, inner: ScriptedProvider, other: Request
) -> None:
    """All that a provider may look at counts, and the provider's name."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))

    await answer(provider, inner, TextDelta("otherwise"), Finished(EndReason.STOP), request=other)

    assert inner.requests == [REQUEST, other]
    assert answer_key("scripted", REQUEST) != answer_key("another", REQUEST)


async def test_the_record_of_a_message_does_not_count(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """What no provider gets to see makes no difference: what was thought, and whether it was interrupted."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))
    noted = replace(QUESTION.saying("why?", thinking="hm"), status="interrupted")

    again = await read_all(await ask(provider, replace(REQUEST, messages=(REQUEST.messages[0], noted))))

    assert again == PLAYED


@given(one=TEXT, two=TEXT)
def test_keys_are_equal_only_for_equal_text(one: str, two: str) -> None:
    """A key is 64 hexadecimal digits for any text at all."""
    keys = [answer_key("p", Request(model="m", messages=(Message(role="user", text=text),))) for text in (one, two)]

    assert (keys[0] == keys[1]) == (one == two)
    assert all(len(key) == 64 and int(key, 16) >= 0 for key in keys)


@pytest.mark.parametrize(
    "other",
    [
        (),
        (CAT, CAT),
        (replace(CAT, data=b"dog"),),
        (replace(CAT, name="dog.png"),),
        (replace(CAT, media_type="image/gif"),),
    ],
    ids=["none", "twice", "data", "name", "type"],
)
def test_what_is_attached_is_part_of_the_question(other: tuple[Attachment, ...]) -> None:
    """The same words about another image have another answer; about the same image they have the same."""
    asked, same, otherwise = (
        answer_key("p", replace(REQUEST, messages=(Message(role="user", text="why?", attachments=attachments),)))
        for attachments in ((CAT,), (replace(CAT),), other)
    )

    assert asked == same != otherwise


def test_halves_of_a_character_are_not_the_character() -> None:
    """Two lone surrogates read as one character where JSON escapes them; the key must not."""
    halves, whole = (
        Request(model="m", messages=(Message(role="user", text=text),)) for text in ("\ud83d\ude00", "\U0001f600")
    )

    assert answer_key("p", halves) != answer_key("p", whole)


def test_the_order_of_opaque_data_does_not_matter() -> None:
    """Equal messages have equal keys, however their data was put together."""
    one, two = (
        Request(model="m", messages=(Message(role="user", provider_data=data),))
        for data in ({"a": 1, "b": [2]}, {"b": [2], "a": 1})
    )

    assert one == two
    assert answer_key("p", one) == answer_key("p", two)


# What is not kept


@pytest.mark.parametrize("reason", list(EndReason))
async def test_only_an_end_that_the_model_chose_is_worth_keeping(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore, reason: EndReason
) -> None:
    """An answer at its token limit is not whole, and a refusal may be otherwise next time."""
    await answer(provider, inner, *WHOLE, Finished(reason))

    assert kept(store) == (reason in WORTH_KEEPING)


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_answer_is_not_kept(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore, text: str
) -> None:
    """Asked again, a model that said nothing gets another chance."""
    await answer(provider, inner, ThinkingDelta("hm"), TextDelta(text), Finished(EndReason.STOP))

    assert kept(store) == 0


async def test_an_answer_closed_before_its_end_is_not_kept(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """Half an answer is never given out for a whole one."""
    stream = await ask(provider)
    inner.stream.put(TextDelta("be"))
    await stream.read()

    await stream.aclose()

    assert inner.stream.closed
    assert kept(store) == 0


async def test_an_answer_whose_end_came_with_a_pause_is_not_kept(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """What `rest` gives was interrupted, even if all of it had arrived."""
    stream = await ask(provider)
    inner.stream.put(TextDelta("be"))
    await stream.read()
    inner.stream.put(TextDelta("cause"), Finished(EndReason.STOP))

    rest = stream.rest()

    await stream.aclose()
    assert list(rest) == [TextDelta("cause"), Finished(EndReason.STOP)]
    assert kept(store) == 0


async def test_an_answer_that_fails_is_not_kept(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """The error is the reader's, and the next to ask asks the provider."""
    stream = await ask(provider)
    inner.stream.put(TextDelta("be"))
    inner.stream.fail(NetworkError("cut"))

    await stream.read()
    with pytest.raises(NetworkError, match="cut"):
        await stream.read()

    await stream.aclose()
    assert kept(store) == 0


async def test_a_very_long_answer_is_not_kept(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """The cache never holds a long text in memory a second time."""
    events: list[StreamEvent] = [TextDelta("x" * LONGEST_ANSWER), TextDelta("y"), Finished(EndReason.STOP)]

    came = await answer(provider, inner, *events)

    assert came == events
    assert kept(store) == 0


async def test_the_rest_of_a_paused_answer_is_asked_for(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """A continuation goes to the provider, is not kept, and what it continues is none of the cache's business."""
    going_on = replace(
        REQUEST, messages=(*REQUEST.messages, Message(role="assistant", text="be")), continuation="prefill"
    )

    for _ in range(2):
        await answer(provider, inner, TextDelta("cause"), Finished(EndReason.STOP), request=going_on)

    assert inner.requests == [going_on, going_on]
    assert not store.path.exists()


async def test_a_request_without_messages_passes_through(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """What to make of it is the provider's to say."""
    nothing = Request(model="scripted-1", messages=())

    await answer(provider, inner, Finished(EndReason.STOP), request=nothing)

    assert inner.requests == [nothing]


# In a turn


async def finish(turn: Turn) -> None:
    async for _ in heard(turn):
        pass


async def test_a_turn_is_done_with_an_answer_from_the_cache(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """Its segment has the provider's name and no tokens."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))
    turn = Turn(provider, REQUEST)

    turn.start()
    await finish(turn)

    assert turn.state is TurnState.DONE
    assert turn.reply.text == "because"
    (segment,) = turn.reply.segments
    assert (segment.provider, segment.usage, segment.end_reason) == ("scripted", Usage(), EndReason.STOP)


async def test_a_turn_that_was_paused_leaves_nothing_in_the_cache(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """Neither its first part nor, gone on with, its second is an answer to the question."""
    turn = Turn(provider, REQUEST)
    turn.start()
    await inner.opened.wait()
    inner.stream.put(TextDelta("be"))
    async for event in heard(turn):
        if isinstance(event, TextDelta):
            break
    await turn.pause()

    inner.opened.clear()
    turn.resume()
    await inner.opened.wait()
    inner.stream.put(TextDelta("cause"), Finished(EndReason.STOP))
    await finish(turn)

    assert turn.reply.text == "because"
    assert kept(store) == 0


async def test_a_pause_before_a_played_answer_is_read_loses_nothing(
    provider: CachedProvider, inner: ScriptedProvider
) -> None:
    """It is all there already, so all of it is what has been received."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))
    stream = await ask(provider)

    rest = stream.rest()

    assert list(rest) == PLAYED
    assert list(await stream.read()) == []


async def test_a_closed_played_answer_is_over(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """Closing it twice is no error either."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))
    stream = await ask(provider)

    for _ in range(2):
        await stream.aclose()

    assert list(await stream.read()) == []


async def test_everything_else_is_the_provider_s(provider: CachedProvider) -> None:
    """Whoever asks a cached provider about itself hears what the provider says."""
    assert provider.name == "scripted"
    assert provider.continuation("scripted-1") == "prefill"
    assert provider.preparation("scripted-1") == ""
    assert provider.accepts("scripted-1") == Accepts()
    assert provider.cost("scripted-1", Usage()) is None
    assert await provider.models() == ["scripted-1"]


# A store that fails


async def test_a_store_that_cannot_be_opened_is_as_good_as_none(tmp_path: Path, inner: ScriptedProvider) -> None:
    """The answer comes through whole, as often as it is asked for."""
    (tmp_path / "sessions.db").write_bytes(b"not a database at all\n" * 100)
    provider = CachedProvider(inner, SessionStore(tmp_path))
    events: list[StreamEvent] = [*WHOLE, Finished(EndReason.STOP)]

    came = [await answer(provider, inner, *events) for _ in range(2)]

    assert came == [events, events]


async def test_a_store_that_cannot_be_written_does_not_break_an_answer(tmp_path: Path, inner: ScriptedProvider) -> None:
    """An answer that cannot be kept is an answer all the same."""
    with closing(SessionStore(tmp_path, timeout=0)) as store:
        provider = CachedProvider(inner, store)
        stream = await ask(provider)
        inner.stream.put(*WHOLE, Finished(EndReason.STOP))

        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            came = await read_all(stream)
            other.execute("ROLLBACK")

        assert came == [*WHOLE, Finished(EndReason.STOP)]
        assert kept(store) == 0


async def test_a_row_that_makes_no_sense_is_asked_for_again(
    provider: CachedProvider, inner: ScriptedProvider, store: SessionStore
) -> None:
    """A file edited by hand is no reason to fail."""
    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as database:
        database.execute("UPDATE answers SET finish = 'whenever'")

    await answer(provider, inner, *WHOLE, Finished(EndReason.STOP))

    assert len(inner.requests) == 2


async def test_twenty_at_once_are_twenty_answers(provider: CachedProvider, inner: ScriptedProvider) -> None:
    """Nobody waits for another's answer to the same question; one of them is kept."""
    streams = [await ask(provider) for _ in range(20)]
    for stream in inner.streams:
        stream.put(*WHOLE, Finished(EndReason.STOP))

    answers = await asyncio.gather(*map(read_all, streams))

    assert answers == [[*WHOLE, Finished(EndReason.STOP)]] * 20
    assert await read_all(await ask(provider)) == PLAYED


# The rows


@given(
    key=TEXT,
    answer=st.builds(
        CachedAnswer,
        text=TEXT,
        thinking=TEXT,
        finish=st.sampled_from(EndReason),
        usage=st.builds(Usage, input_tokens=st.integers(0, 2**63 - 1), output_tokens=st.integers(0, 2**63 - 1)),
    ),
)
def test_what_is_put_comes_back_exactly(shared: AnswerCache, key: str, answer: CachedAnswer) -> None:
    """Any text at all survives, in the place of what was under its key before."""
    shared.put(key, CachedAnswer(text="earlier"))

    shared.put(key, answer)

    assert shared.get(key) == answer


def test_an_unknown_key_has_no_answer(store: SessionStore) -> None:
    """Nothing is made up."""
    assert store.answers().get("0" * 64) is None


def test_the_oldest_answers_make_room(tmp_path: Path) -> None:
    """A thousand are kept, counted from when they were last put, whatever the clock says."""
    moments = iter(range(2 * MOST_ANSWERS, 0, -1))  # a clock that goes backwards
    with closing(SessionStore(tmp_path, clock=lambda: datetime.fromtimestamp(next(moments), UTC))) as store:
        with closing(Database(store.path)) as database, database.writing() as tx:
            tx.change_each(
                "INSERT INTO answers VALUES (?, 'text', '', 'stop', 0, 0, '2026-01-01')",
                ((f"old {number}",) for number in range(MOST_ANSWERS)),
            )
        cache = store.answers()

        cache.put("old 0", CachedAnswer(text="renewed"))
        cache.put("new", CachedAnswer(text="text"))

        assert kept(store) == MOST_ANSWERS
        assert cache.get("old 1") is None
        assert cache.get("old 0") == CachedAnswer(text="renewed")
        assert cache.get("old 2") is not None


def test_clearing_wipes_the_text_from_the_file(tmp_path: Path) -> None:
    """After it, no byte of an answer is left in any file of the store; the sessions are."""
    secret = "a secret that must go " * 500
    with closing(SessionStore(tmp_path)) as store:
        session_id = store.create(title="kept")
        store.answers().put("key", CachedAnswer(text=secret))

        store.answers().clear()

        assert store.answers().get("key") is None
        assert store.load(session_id).title == "kept"
        assert not any(b"a secret that must go" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_cache_that_cannot_be_cleared_says_so(tmp_path: Path) -> None:
    """Whoever wants text gone has to know when it is not."""
    (tmp_path / "sessions.db").write_bytes(b"not a database at all\n" * 100)

    with pytest.raises(SessionError):
        SessionStore(tmp_path).answers().clear()


def test_deleting_a_session_empties_the_cache(store: SessionStore) -> None:
    """What was said in it is gone from the file, whichever of the cached answers it was."""
    session_id = store.create()
    store.answers().put("key", CachedAnswer(text="because"))

    store.delete(session_id)

    assert store.answers().get("key") is None


async def test_what_the_configuration_adds_is_part_of_the_question(store: SessionStore) -> None:
    """An answer of another effort, or with more in its request, is another one; what it says of others is not."""
    with WireServer(say("ok")) as server:
        environ = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test"}
        for said in (
            {},
            {"effort": "high"},
            {"extra_body": {"a": 1}},
            {},
            {"per_model": {"scripted*": ModelSettings(effort="high")}},
            {"per_model": {"other": ModelSettings(effort="low")}},
        ):
            remote: Any = {name: value for name, value in said.items() if name != "effort"}
            remotes = {"openai": RemoteSettings(**remote)}
            providers = ProvidersSettings(remotes=remotes)
            settings = Settings(cache=True, effort=said.get("effort"), providers=providers)  # type: ignore[arg-type]  # one
            async with registry(settings, environ, wrap=cached(settings, store)) as known:
                stream = await known.get("openai").open(REQUEST, LIMITS, Progress())
                while await stream.read():
                    pass
                await stream.aclose()

        assert [(each.body.get("reasoning_effort"), each.body.get("a")) for each in server.exchanges] == [
            (None, None),
            ("high", None),
            (None, 1),
        ]
