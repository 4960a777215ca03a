"""A comparison inside one process: whatever is pressed when, and whatever the store does, every answer has its end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.compare.candidate import Candidate, Told
from llmterm.compare.comparison import Comparison
from llmterm.compare.controls import Controls, pressed
from llmterm.compare.figures import lines, values
from llmterm.compare.pane import Pane, fitted
from llmterm.compare.sidebyside import SideBySide
from llmterm.compare.words import keys, standing
from llmterm.conversation import Conversation
from llmterm.errors import ConfigError, ProviderError, SessionError
from llmterm.events import Retraction
from llmterm.keys import Key
from llmterm.keys.scripted import ScriptedKeys
from llmterm.messages import EndReason, Finished, Message, Options, Reply, StreamLimits, TextDelta, Usage, UsageReport
from llmterm.render.cells import cell_len
from llmterm.render.drawn import bare
from llmterm.render.ink import Ink
from llmterm.render.markdown import MarkdownRenderer
from llmterm.render.screen import Screen
from llmterm.respondent import Respondent
from llmterm.sessions import SessionStore, StoredSession
from llmterm.sessions.several import SeveralAnswers
from llmterm.states import TurnState
from tests.clock import instant
from tests.scripted import ScriptedProvider
from tests.terminal import Screen as TerminalScreen

QUESTION = Message(role="user", text="why?")
ASKED = Conversation(messages=(QUESTION,))


class Watcher:
    """A view that keeps what it is told, and tells when."""

    columns = 80

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.text: dict[int, str] = {}
        self.said: list[str] = []
        self.asked: list[str] = []
        self.closed = 0
        self.candidates: Sequence[Candidate] = ()
        self.suspended: list[TurnState] = []
        self.changed = asyncio.Event()

    def begin(self, candidates: Sequence[Candidate], title: str) -> None:
        self.begun.append(title)
        self.candidates = candidates
        self.text = {each.number: "" for each in candidates}

    def event(self, told: Told) -> None:
        match told.event:
            case TextDelta(text):
                self.text[told.candidate.number] += text
            case Retraction(size):
                self.text[told.candidate.number] = self.text[told.candidate.number][:size]
            case _:
                pass
        self.changed.set()

    def frame(self, controls: Controls) -> None:
        self.changed.set()

    def close(self, controls: Controls) -> None:
        self.closed += 1

    def say(self, lines: Sequence[str]) -> None:
        self.said += lines

    def suspend(self) -> None:
        self.suspended = [each.state for each in self.candidates]

    def ask(self, line: str) -> None:
        self.asked.append(line)
        self.changed.set()

    async def room(self) -> None:
        pass


class Several:
    """Models of scripted providers, and a comparison of them."""

    def __init__(self, store: SessionStore, count: int, *, first: bool = False, in_turn: bool = False) -> None:
        self.store = store
        self.providers = [ScriptedProvider() for _ in range(count)]
        self.record = SeveralAnswers(store.another(), piped=False)
        self.view = Watcher()
        self.keys = ScriptedKeys()
        self.stored: StoredSession | None = None
        candidates = [
            Candidate(number, f"scripted/{number}", respondent(provider))
            for number, provider in enumerate(self.providers, 1)
        ]
        self.comparison = Comparison(candidates, self.record, self.view, self.keys, first=first, in_turn=in_turn)

    @asynccontextmanager
    async def running(self, rounds: int = 1) -> AsyncIterator[None]:
        """Run it to its end, which it is to come to inside."""
        task = asyncio.create_task(self.comparison.run(QUESTION, ASKED, rounds))
        try:
            await asyncio.gather(*(each.opened.wait() for each in self.providers))
            yield
            await task
            if (best := self.comparison.best) is not None:
                self.stored = await self.comparison.keep(best)
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self.record.aclose()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.view.changed.clear()
            await self.view.changed.wait()

    @property
    def candidates(self) -> Sequence[Candidate]:
        return self.comparison.rounds[-1]

    def versions(self) -> list[tuple[str, bool]]:
        """The text of each answer on the record, and whether it is open."""
        with closing(sqlite3.connect(self.store.path)) as file:
            rows = [row for (row,) in file.execute("SELECT id FROM messages WHERE role = 'assistant' ORDER BY id")]
        return [(each.text, each.open) for each in self.store.versions(rows)]


def respondent(provider: ScriptedProvider) -> Respondent:
    return Respondent(provider=provider, model="m", options=Options(), limits=StreamLimits())


def whole(provider: ScriptedProvider, text: str) -> None:
    provider.stream.put(TextDelta(text), UsageReport(Usage(input_tokens=2, output_tokens=4)), Finished(EndReason.STOP))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


async def test_all_answers_are_versions_of_one_question(store: SessionStore) -> None:
    """In the order in which they were named; the conversation goes through the one that is kept."""
    several = Several(store, 3)
    async with several.running():
        for number, provider in reversed([*enumerate(several.providers, 1)]):
            whole(provider, f"answer {number}")
            await several.until(partial(several.view.text.get, number))

    assert several.versions() == [("answer 1", False), ("answer 2", False), ("answer 3", False)]
    assert several.view.text == {1: "answer 1", 2: "answer 2", 3: "answer 3"}
    assert (several.comparison.best, several.view.closed) == (several.candidates[0], 1)


async def test_kept_answer_is_where_the_conversation_goes_on(store: SessionStore) -> None:
    """Also beside one that rests, which stays as it is."""
    several = Several(store, 2)
    async with several.running():
        whole(several.providers[0], "whole")
        several.providers[1].stream.put(TextDelta("half"))
        await several.until(lambda: several.view.text[2])
        several.providers[1].stream.fail(ProviderError("gone"))

    assert several.stored is not None
    assert [each.text for each in several.stored.conversation.messages] == ["why?", "whole"]
    assert several.versions() == [("whole", False), ("half", True)]


async def test_first_to_finish_ends_the_others(store: SessionStore) -> None:
    """What they have said is kept; one that has failed is not the first."""
    several = Several(store, 3, first=True)
    several.providers[0].refuse = ProviderError("no")
    several.providers[0].opened.set()
    async with several.running():
        several.providers[1].stream.put(TextDelta("half"))
        await several.until(lambda: several.view.text[2])
        whole(several.providers[2], "whole")

    assert [each.state for each in several.candidates] == [TurnState.FAILED, TurnState.CANCELLED, TurnState.DONE]
    assert several.providers[1].stream.closed
    assert several.versions() == [("half", False), ("whole", False)]


async def test_rounds_begin_when_all_of_the_one_before_have_ended(store: SessionStore) -> None:
    """Their times are medians in the table, their tokens sums."""
    several = Several(store, 2)
    async with several.running(rounds=2):
        for provider in several.providers:
            provider.opened.clear()
        whole(several.providers[0], "a")
        await several.until(lambda: several.candidates[0].answered)
        assert len(several.providers[0].streams) == 1
        whole(several.providers[1], "b")
        await asyncio.gather(*(each.opened.wait() for each in several.providers))
        for provider in several.providers:
            whole(provider, "c")

    assert several.view.begun == ["round 1 of 2", "round 2 of 2"]
    assert [(each["round"], each["text"]) for each in values(several.comparison.rounds)] == [
        (1, "a"),
        (1, "b"),
        (2, "c"),
        (2, "c"),
    ]
    table = lines(several.comparison.rounds, width=80, color=False)
    assert [line.split()[0] for line in table[2:]] == ["scripted/1", "scripted/2"]
    assert all(line.split()[-3:-1] == ["4", "8"] for line in table[2:])
    assert len(several.versions()) == 4


KEYS = st.sampled_from(["space", "1", "2", "3", "4", "x", "enter", "escape", "backspace", "c-z"])
STEPS = st.lists(st.tuples(KEYS | st.none(), st.sampled_from(["text", "end", "fail", ""])), max_size=12)


@settings(max_examples=25)
@given(STEPS, st.booleans())
def test_whatever_is_pressed_every_answer_has_its_end(steps: list[tuple[str | None, str]], in_turn: bool) -> None:
    """What was shown is what is on the record, and no connection is left open."""

    async def test(store: SessionStore) -> None:
        several = Several(store, 3, in_turn=in_turn)
        async with several.running():
            for number, (key, happens) in enumerate(steps):
                if key is not None:
                    several.keys.press(Key.typing(key) if len(key) == 1 else key)
                streams = [each for provider in several.providers for each in provider.streams if not each.closed]
                if streams and happens:
                    stream = streams[number % len(streams)]
                    if happens == "fail":
                        stream.fail(ProviderError("gone"))
                    else:
                        stream.put(TextDelta(f"w{number} "), *([Finished(EndReason.STOP)] if happens == "end" else []))
                for _ in range(6):
                    await asyncio.sleep(0)
            several.keys.press("escape", "escape", "escape")

        assert all(each.ended for each in several.candidates)
        assert all(stream.closed for provider in several.providers for stream in provider.streams)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        said = sorted(each.reply.text for each in several.candidates if each.reply.text)
        assert sorted(text for text, _ in several.versions()) == said

    with TemporaryDirectory() as folder, closing(SessionStore(Path(folder))) as store:
        asyncio.run(test(store))


async def test_guidance_is_for_the_one_with_the_digit(store: SessionStore) -> None:
    """It is paused by that, and goes on under the words; without a digit all do."""
    several = Several(store, 2)
    async with several.running():
        for provider in several.providers:
            provider.stream.put(TextDelta("half"))
        await several.until(lambda: all(several.view.text.values()))
        several.keys.press(Key.typing("2"))
        await several.until(lambda: several.candidates[1].paused)
        several.keys.type("be brief 2\n")
        await several.until(lambda: len(several.providers[1].streams) == 2)
        assert not several.providers[0].streams[0].closed
        several.providers[1].stream.put(TextDelta(" and more"))
        several.keys.type("in French\n")
        await several.until(lambda: len(several.providers[0].streams) == 2 and len(several.providers[1].streams) == 3)
        for provider in several.providers:
            whole(provider, " an end")

    guided = [[each.guidance for each in candidate.reply.segments] for candidate in several.candidates]
    assert guided == [["", "in French"], ["", "be brief 2", "in French"]]


async def test_no_answer_streams_while_the_program_is_stopped(store: SessionStore) -> None:
    """Those that did go on afterwards; one that was paused stays so."""
    several = Several(store, 3)
    async with several.running():
        for provider in several.providers:
            provider.stream.put(TextDelta("half"))
        await several.until(lambda: all(several.view.text.values()))
        whole(several.providers[0], "")
        several.keys.press(Key.typing("2"), "escape", "c-z")
        await several.until(lambda: len(several.providers[2].streams) == 2)
        whole(several.providers[2], " and more")
        await several.until(lambda: several.candidates[2].answered)
        assert several.candidates[1].paused
        several.keys.press("escape")

    assert several.view.suspended == [TurnState.DONE, TurnState.PAUSED, TurnState.PAUSED]


async def test_one_is_chosen_in_the_end(store: SessionStore) -> None:
    """Of those who have said something; Enter chooses none."""
    for key, chosen in (("enter", None), ("2", 2)):
        several = Several(store, 3)
        several.providers[2].refuse = ProviderError("no")
        several.providers[2].opened.set()
        async with several.running():
            whole(several.providers[0], "a")
            whole(several.providers[1], "b")
        choosing = asyncio.create_task(several.comparison.chosen())
        await several.until(partial(getattr, several.view, "asked"))
        several.keys.press(Key.typing("3"), Key.typing(key) if len(key) == 1 else key)
        best = await choosing

        assert several.view.asked[0].startswith("1 or 2 goes on")
        assert (best.number if best is not None else None) == chosen


@instant
async def test_space_that_is_held_down_counts_once() -> None:
    """Else each repetition would ask for all answers again. In what is typed it is a letter."""
    source, controls = ScriptedKeys(), Controls([], lambda: None)
    got: list[str] = []

    async def read() -> None:
        async for key in pressed(source, controls, asyncio.get_running_loop().time):
            got.append(key.name)  # noqa: PERF401 - it never ends

    reading = asyncio.create_task(read())
    for _ in range(10):
        source.press("space")
        await asyncio.sleep(0.03)
    await asyncio.sleep(2)
    assert got == ["space"]
    source.press("space")
    await asyncio.sleep(2)
    assert got == ["space", "space"]
    controls.typed = "x"
    source.press("space", "space")
    await asyncio.sleep(2)
    reading.cancel()

    assert len(got) == 4


async def test_store_that_is_locked_is_in_nobody_s_way_and_has_all_in_the_end(tmp_path: Path) -> None:
    """The answers stream meanwhile; who locks it lets go in time."""
    store = SessionStore(tmp_path, timeout=0)
    store.create()
    several = Several(store, 2)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with several.running():
            for provider in several.providers:
                whole(provider, "whole")
            await several.until(lambda: all(each.answered for each in several.candidates))
            other.rollback()

    assert several.versions() == [("whole", False), ("whole", False)]
    store.close()


async def test_store_that_cannot_be_used_is_told_once_and_the_answers_are_there(tmp_path: Path) -> None:
    """Where there is to be a folder there is a file."""
    (tmp_path / "file").write_text("")
    several = Several(SessionStore(tmp_path / "file" / "data"), 2)
    task = asyncio.create_task(several.comparison.run(QUESTION, ASKED))
    await asyncio.gather(*(each.opened.wait() for each in several.providers))
    for provider in several.providers:
        whole(provider, "whole")
    await task
    with pytest.raises(SessionError, match="not all answers could be kept"):
        await several.record.aclose()

    assert several.view.text == {1: "whole", 2: "whole"}


def test_one_that_cannot_be_asked_says_why() -> None:
    """In its column, in the table and for programs."""
    candidate = Candidate(1, "a/m", None, ConfigError("no key for a", hint="set A_KEY"))

    assert (candidate.ended, candidate.answered, standing(candidate)) == (True, False, "failed")
    assert values([[candidate]])[0]["error"] == "no key for a (set A_KEY)"
    assert lines([[candidate]], width=60, color=False)[-1].endswith("failed")


@pytest.mark.parametrize(("typed", "said"), [("", "1-2 one - type to guide all - Esc stop"), ("x", "Enter tells all")])
def test_keys_are_said(typed: str, said: str) -> None:
    """What they do now."""
    candidates = [Candidate(number, "a/m", None, ConfigError("no")) for number in (1, 2)]
    assert keys(candidates, typed, None).startswith(said)


class Saying(Candidate):
    """One whose reply has that text, and which has ended or not."""

    def __init__(self, number: int, text: str = "", *, ended: bool = False) -> None:
        super().__init__(number, f"model/{number}", None)
        self.text = text
        self.over = ended

    @property
    def reply(self) -> Reply:
        return Reply().add(TextDelta(self.text))

    @property
    def state(self) -> TurnState:
        return TurnState.DONE if self.over else TurnState.STREAMING


@given(st.text(alphabet="ab *`\n-#", max_size=60), st.integers(0, 60), st.lists(st.integers(5, 40), max_size=3))
def test_pane_shows_what_was_told_at_any_width(text: str, at: int, widths: list[int]) -> None:
    """Laid out anew, it has neither less nor more than that, also where the reply is further already."""
    candidate = Saying(1, text)
    pane = Pane(candidate, lambda width: MarkdownRenderer(width=width, color=False), str)
    pane.event(TextDelta(text[:at]))
    for width in widths:
        pane.lay_out(width)
        pane.advance(Ink())
    pane.event(TextDelta(text[at:]))
    pane.lay_out(30)
    pane.advance(Ink())
    straight = MarkdownRenderer(width=30, color=False)
    straight.feed(text)

    assert pane.last(1000) == [*straight.advance(), *straight.live()]


def test_pane_of_an_answer_that_has_ended_waits_for_all_of_it() -> None:
    """It may have ended before anything of it was told; where nobody tells the rest it is there all the same."""
    pane = Pane(Saying(1, "one two", ended=True), lambda width: MarkdownRenderer(width=width, color=False), str)
    pane.lay_out(30)

    pane.advance(Ink())
    early = pane.whole
    pane.event(TextDelta("one "))
    pane.catch_up()
    pane.advance(Ink())

    assert (early, pane.whole, pane.lines) == (False, True, ["one two"])


SIZES = st.tuples(st.integers(1, 120), st.integers(1, 30))
MARKUP = st.text(alphabet="a\n *-#`", max_size=20)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), MARKUP, SIZES), max_size=10))
def test_window_of_any_size_shows_all_in_the_end(steps: list[tuple[int, str, tuple[int, int]]]) -> None:
    """Whatever has become of its size meanwhile."""
    now = [(80, 24)]
    terminal = TerminalScreen(80, 24)
    stream = pyte.Stream(terminal)
    view = SideBySide(
        screen=Screen(write=stream.feed, size=lambda: now[0], cell_len=cell_len),
        size=lambda: now[0],
        renderer=lambda width: MarkdownRenderer(width=width, color=False),
        ink=Ink,
        redact=str,
        suspend=lambda: None,
    )
    candidates = [Saying(number) for number in (1, 2, 3)]
    controls = Controls(candidates, lambda: None)
    view.begin(candidates, "")
    for number, (which, markup, now[0]) in enumerate(steps):
        text = f"{markup} zq{number}x "
        candidates[which].text += text
        view.event(Told(candidates[which], TextDelta(text), last=False))
        controls.typed = markup[:5].strip()
        terminal.resize(now[0][1], now[0][0])
        view.frame(controls)
    for candidate in candidates:
        candidate.over = True
    now[0] = (120, 30)
    terminal.resize(30, 120)
    view.close(controls)

    shown = "\n".join([*terminal.above, *terminal.rows])
    assert [number for number in range(len(steps)) if f"zq{number}x" not in shown] == []


@given(st.text(max_size=20), st.integers(1, 30))
def test_fitted_line_takes_its_cells(text: str, width: int) -> None:
    """No more, no less, whatever characters it has."""
    line = " ".join(text.split())
    line = "".join(char for char in line if char.isprintable())

    assert cell_len(bare(fitted(line, width))) == width
