"""What the models did: figures that add up, and pages of them that fit any terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmterm import stats
from llmterm.errors import SessionError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, TextDelta, Timing, Usage
from llmterm.render.cells import cell_len
from llmterm.render.chart import Bar, Column, bars, table
from llmterm.sessions import SessionStore
from llmterm.sessions.figures import Figures

SGR = re.compile(r"\x1b\[[0-9;]*m")
BLOCK = re.compile("[▏▎▍▌▋▊▉█]")
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
FIGURE = st.integers(0, 2**63 - 1)
TODAY = date(2026, 1, 20)


class Calendar:
    """A clock that stands at noon of the day it was told, here."""

    def __init__(self) -> None:
        self.today = TODAY

    def __call__(self) -> datetime:
        return datetime(self.today.year, self.today.month, self.today.day, 12).astimezone(UTC)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def store(tmp_path: Path, calendar: Calendar) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path, clock=calendar)) as store:
        yield store


def segment(
    *,
    model: str = "gpt",
    provider: str = "openai",
    end: EndReason = EndReason.STOP,
    tokens: tuple[int, int] = (10, 100),
    estimated: bool = False,
    times: tuple[int | None, int] = (500, 1500),
    retries: int = 0,
    cost: float | None = None,
) -> Segment:
    """`tokens`: in and out; `times`: to the first token and in all, in milliseconds."""
    return Segment(
        provider=provider,
        model=model,
        mode="fresh",
        start=0,
        end=1,
        end_reason=end,
        usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1], estimated=estimated),
        timing=Timing(first_token_ms=times[0], duration_ms=times[1], retries=retries),
        cost=cost,
    )


def keep(store: SessionStore, *answers: tuple[Segment, ...]) -> str:
    """Store a session with these answers, each given by its segments, and return its id."""
    session_id = store.create()
    for segments in answers:
        store.add(session_id, Message(role="user", text="why?"))
        store.add(session_id, Message(role="assistant", text="because", segments=segments))
    return session_id


def only(store: SessionStore) -> Figures:
    (figures,) = store.figures()
    return figures


# Figures


def test_segments_add_up_by_model(store: SessionStore) -> None:
    """Everything that can be summed is, over all sessions, and the model that wrote most comes first."""
    keep(store, (segment(model="small", tokens=(1, 2)),))
    keep(
        store,
        (segment(end=EndReason.PAUSE, retries=1), segment(tokens=(20, 200), retries=2)),
        (segment(tokens=(30, 300), cost=0.5),),
    )

    first, second = store.figures()

    assert (first.provider, first.model, second.model) == ("openai", "gpt", "small")
    assert (first.answers, first.segments, first.pauses) == (2, 3, 1)
    assert (first.input_tokens, first.output_tokens) == (60, 600)
    assert (first.retries, first.cost) == (3, 0.5)


def test_the_same_model_of_two_providers_is_two(store: SessionStore) -> None:
    """Who runs a model matters for its speed and its price; equals come in the order of their names."""
    keep(store, (segment(provider="vllm"), segment(provider="groq")))

    figures = store.figures()

    assert [(each.provider, each.answers) for each in figures] == [("groq", 1), ("vllm", 1)]


@pytest.mark.parametrize("end", list(EndReason))
def test_only_an_end_by_the_provider_is_no_pause(store: SessionStore, end: EndReason) -> None:
    """A key, the marker, a broken connection, a crash: all of them are pauses; what the provider says is not."""
    keep(store, (segment(end=end),))

    assert only(store).pauses == (end not in {"stop", "length", "stop_sequence", "refusal", "other"})


def test_what_was_cut_by_a_failure_is_counted(store: SessionStore) -> None:
    keep(store, tuple(segment(end=end) for end in EndReason))

    assert (only(store).segments, only(store).failures) == (len(EndReason), 3)


def test_one_estimate_makes_the_sum_an_estimate(store: SessionStore) -> None:
    """A sum is as exact as the least of its parts."""
    keep(store, (segment(estimated=True), segment()))

    assert only(store).estimated


def test_speeds_are_medians(store: SessionStore) -> None:
    """One slow answer does not spoil the figure."""
    keep(store, *[(segment(times=times),) for times in ((100, 1100), (200, 2200), (9000, 109_000))])

    assert only(store).first_token_ms == 200
    assert only(store).tokens_per_second == 50.0


@pytest.mark.parametrize(
    ("tokens", "times"),
    [(100, (500, 500)), (100, (500, 510)), (100, (500, 400)), (100, (None, 1000)), (0, (500, 1500))],
    ids=["at once", "in one burst", "clock set back", "never begun", "nothing counted"],
)
def test_a_speed_that_makes_no_sense_is_none(store: SessionStore, tokens: int, times: tuple[int | None, int]) -> None:
    """Tokens per second are given only where there was time to measure them in."""
    keep(store, (segment(tokens=(10, tokens), times=times),))

    assert only(store).tokens_per_second is None


def test_an_answer_that_took_no_tokens_does_not_count_as_fast(store: SessionStore) -> None:
    """What is played back from the cache comes at once; that is no property of the model."""
    keep(store, (segment(times=(800, 1800)),), (segment(tokens=(0, 0), times=(0, 0)),))

    assert only(store).answers == 2
    assert only(store).first_token_ms == 800


def test_costs_are_those_that_are_known(store: SessionStore) -> None:
    """Without any price there is no cost, which is not the same as nothing to pay."""
    keep(store, (segment(model="free"),), (segment(cost=0.1),), (segment(),), (segment(cost=0.2),))

    costs = {each.model: each.cost for each in store.figures()}

    assert costs["free"] is None
    assert costs["gpt"] == pytest.approx(0.3)


def test_days_are_those_of_the_answers(store: SessionStore, calendar: Calendar) -> None:
    """The output is kept apart by day, oldest first, days without an answer left out."""
    for back, estimated in ((0, False), (3, True), (3, False)):
        calendar.today = TODAY - timedelta(days=back)
        keep(store, (segment(estimated=estimated),))

    days = only(store).days

    assert [(day.date, day.output_tokens, day.estimated) for day in days] == [
        (TODAY - timedelta(days=3), 200, True),
        (TODAY, 100, False),
    ]
    assert [each.answers for back in range(5) for each in store.figures(since=TODAY - timedelta(days=back))] == [
        *[1, 1, 1],
        *[3, 3],
    ]
    assert store.figures(since=TODAY + timedelta(days=1)) == []


def test_one_session_alone_by_the_beginning_of_its_id(store: SessionStore) -> None:
    """A session is named as everywhere else, and one that does not exist is an error."""
    keep(store, (segment(model="other"),))
    session_id = keep(store, (segment(),))

    figures = store.figures(session_id[:7])

    assert [each.model for each in figures] == ["gpt"]
    with pytest.raises(SessionError, match="no session"):
        store.figures("zzzzzzzz")


def test_what_a_branch_has_copied_counts_once(store: SessionStore) -> None:
    """A copy cost nothing: it is among the figures of its session, and not in the sums of all."""
    session_id = keep(store, (segment(cost=0.5),))
    branch_id = store.branch(session_id, 2)
    store.add(branch_id, Message(role="assistant", text="because", segments=(segment(cost=0.25),)))

    (of_all,), (of_branch,) = store.figures(), store.figures(branch_id)

    assert (of_all.answers, of_all.cost) == (2, 0.75)
    assert (of_branch.answers, of_branch.cost) == (2, 0.75)
    store.delete(session_id)
    assert only(store).cost == 0.25


def test_a_paused_answer_counts(store: SessionStore) -> None:
    """What was written before a pause was written, whatever becomes of the answer."""
    session_id = store.create()
    store.add(session_id, Message(role="user", text="why?"))
    log = store.begin(session_id, provider="openai", model="gpt", options=Options())

    log.pause(Reply().add(TextDelta("because")).close(segment(end=EndReason.PAUSE)), EndReason.PAUSE)

    assert (only(store).answers, only(store).pauses, only(store).output_tokens) == (1, 1, 100)


def test_absurd_figures_are_figures(store: SessionStore) -> None:
    """Counts come from strangers: the largest that can be stored still make a page."""
    huge = 2**63 - 1
    keep(store, (segment(tokens=(huge, huge), times=(huge - 200, huge)), segment(tokens=(huge, huge), cost=1e300)))

    page = stats.lines(store, width=80, color=False, today=TODAY)

    assert only(store).output_tokens == 2 * huge
    assert all(cell_len(line) <= 80 for line in page)


# The page


def test_no_figures_are_one_line(store: SessionStore) -> None:
    """A store without answers says so, and is an empty list for programs."""
    assert len(stats.lines(store, width=80, color=False)) == 1
    assert stats.values(store) == []


def test_values_have_the_promised_keys(store: SessionStore) -> None:
    """Programs rely on them."""
    keep(store, (segment(times=(500, 1250), cost=0.25, retries=1),))

    values = stats.values(store)

    assert json.loads(json.dumps(values)) == [
        {
            "provider": "openai",
            "model": "gpt",
            "answers": 1,
            "segments": 1,
            "pauses": 0,
            "failures": 0,
            "input_tokens": 10,
            "output_tokens": 100,
            "estimated": False,
            "first_token_ms": 500,
            "tokens_per_second": 133.33,
            "retries": 1,
            "cost": 0.25,
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "saved": None,
            "resumes": 0,
            "resumed_tokens": 0,
            "resume_cost": None,
        }
    ]


def test_what_resumes_cost_and_caches_saved_is_told(store: SessionStore) -> None:
    """By model, and together in words; what begins an answer is no resume."""
    usage = Usage(input_tokens=1_000, output_tokens=10, cached_tokens=900)
    begun = replace(segment(), usage=usage, cost=0.02, input_cost=0.01, saved=0.25)
    keep(store, (begun, replace(begun, mode="instruct"), replace(begun, mode="prefill", saved=None)))
    keep(store, (replace(begun, model="other", mode="instruct", cost=None, input_cost=None, saved=-0.5),))

    first, other = store.figures()
    page = "\n".join(stats.lines(store, width=120, color=False))

    assert (first.cached_tokens, first.saved, first.resumes) == (2_700, 0.5, 2)
    assert (first.resumed_tokens, first.resume_cost) == (2_000, 0.02)
    assert (other.resumes, other.resume_cost, other.saved) == (1, None, -0.5)
    assert "3 resumes asked 3,000 tokens again, for 0.0200" in page
    assert re.search(r"cached +saved\n", page)
    assert re.search(r"openai/gpt .* 2,700 +0\.5000\n", page)


def test_the_page_is_a_table_and_two_charts(store: SessionStore, calendar: Calendar) -> None:
    """Figures in columns, output by model, output by day; what is estimated is marked, and explained once."""
    calendar.today = TODAY - timedelta(days=1)
    keep(store, (segment(tokens=(1234, 4000), times=(1500, 3500)),))
    calendar.today = TODAY
    keep(store, (segment(provider="local", model="smol", tokens=(5, 1000), estimated=True, cost=0.5),))

    page = stats.lines(store, width=72, color=False, today=TODAY)

    assert page[:8] == [
        "                                             first",
        "model       answers  pauses  input  output   token  tokens/s     cost",
        "openai/gpt        1       0  1,234   4,000   1.5 s   2,000.0        -",
        "local/smol        1       0     ~5  ~1,000  500 ms  ~1,000.0  ~0.5000",
        "",
        "Output tokens by model",
        "openai/gpt  " + "█" * 53 + " 4,000",
        "local/smol  " + "█" * 13 + "▎ ~1,000",
    ]
    assert page[-4:] == [
        "2026-01-19  " + "█" * 53 + " 4,000",
        "2026-01-20  " + "█" * 13 + "▎ ~1,000",
        "",
        "~ estimated: for some of it the provider sent no count",
    ]


def test_days_between_two_with_an_answer_are_rows_too(store: SessionStore, calendar: Calendar) -> None:
    """Time goes on evenly in the chart of days."""
    keep(store, (segment(),))
    calendar.today = TODAY + timedelta(days=3)
    keep(store, (segment(),))

    page = stats.lines(store, width=80, color=False, today=TODAY + timedelta(days=13))

    days = [line for line in page if line.startswith("2026-")]
    assert [line.split()[0] for line in days] == [f"{TODAY + timedelta(days=ago)}" for ago in range(4)]
    assert [bool(BLOCK.search(line)) for line in days] == [True, False, False, True]


def test_days_before_the_first_and_after_the_last_output_are_no_rows(store: SessionStore, calendar: Calendar) -> None:
    """A chart begins and ends with something to see; an answer without any output is nothing to see."""
    for back, tokens in ((20, 100), (9, 0), (5, 100), (2, 0)):
        calendar.today = TODAY - timedelta(days=back)
        keep(store, (segment(tokens=(10, tokens)),))

    page = stats.lines(store, width=80, color=False, today=TODAY)

    assert [line.split()[0] for line in page if line.startswith("2026-")] == [f"{TODAY - timedelta(days=5)}"]


def test_a_chart_of_days_long_past_is_left_out(store: SessionStore) -> None:
    """Fourteen empty rows would say nothing."""
    keep(store, (segment(),))

    page = stats.lines(store, width=80, color=False, today=TODAY + timedelta(days=14))

    assert not any("by day" in line for line in page)


def test_colour_only_if_asked_for(store: SessionStore) -> None:
    """Without colour there is no escape sequence, and with it the words are the same."""
    keep(store, (segment(),))

    plain = stats.lines(store, width=80, color=False, today=TODAY)
    coloured = stats.lines(store, width=80, color=True, today=TODAY)

    assert not any("\x1b" in line for line in plain)
    assert any("\x1b[36m" in line for line in coloured)
    assert [SGR.sub("", line) for line in coloured] == plain


def test_a_narrow_terminal_loses_spare_columns_first(store: SessionStore) -> None:
    """The columns that say least make room, and no figure is cut."""
    keep(store, (segment(model="a-model-of-some-length"),))

    wide, narrow = (stats.lines(store, width=width, color=False, today=TODAY) for width in (120, 80))

    assert {"segments", "retries"} <= set(wide[1].split())
    assert not {"segments", "retries"} & set(narrow[1].split())
    assert {"answers", "pauses", "input", "output", "tokens/s", "cost"} <= set(narrow[1].split())


def test_a_very_narrow_terminal_gets_lists(store: SessionStore) -> None:
    """Where no table fits, each model has its figures below each other, all of them."""
    keep(store, (segment(),), (segment(model="other", tokens=(1, 1)),))

    page = stats.lines(store, width=24, color=False, today=TODAY)

    assert page[:3] == ["openai/gpt", "answers: 1", "segments: 1"]
    assert page.count("") >= 3


@given(
    labels=st.lists(ANY_TEXT, min_size=1, max_size=4),
    figures=st.lists(FIGURE, min_size=4, max_size=4),
    width=st.integers(2, 140),
    color=st.booleans(),
)
@example(labels=["", "", "\U00018cd6", "000000000000"], figures=[0, 0, 0, 10**18], width=93, color=False)
@example(labels=["\U00018d80"], figures=[0, 0, 0, 0], width=2, color=False)
def test_no_row_is_too_wide_or_dangerous(labels: list[str], figures: list[int], width: int, color: bool) -> None:
    """Names of models come from strangers: whatever is in them, every row fits and nothing in it acts."""
    columns = [
        Column(head=head, cells=[f"{figure:,}" for figure in figures[: len(labels)]], spare=spare)
        for head, spare in (("answers", False), ("segments", True), ("tokens/s", False))
    ]
    rows = [Bar(label=label, value=value, figure=f"~{value:,}") for label, value in zip(labels, figures, strict=False)]

    page = table(Column(head="model", cells=labels), columns, width, color=color)
    page += bars("Output tokens", rows, width, color=color)

    for line in page:
        visible = SGR.sub("", line) if color else line
        assert cell_len(visible) <= width
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", visible)


@given(values=st.lists(FIGURE, min_size=1, max_size=6), width=st.integers(60, 140))
def test_bars_are_as_long_as_their_values(values: list[int], width: int) -> None:
    """A larger value never has a shorter bar, the largest has all the room, and only nothing has no bar."""
    rows = [Bar(label="x", value=value, figure=str(value)) for value in values]

    _, *lines = bars("Values", rows, width, color=False)

    lengths = [len(BLOCK.findall(line)) for line in lines]
    assert [length > 0 for length in lengths] == [value > 0 for value in values]
    assert [length for _, length in sorted(zip(values, lengths, strict=True))] == sorted(lengths)
    assert max(lengths) == (width - len("x   ") - max(map(len, map(str, values))) if any(values) else 0)


def test_a_table_without_rows_is_its_head() -> None:
    """Nothing is not an error."""
    lines = table(Column(head="model", cells=[]), [Column(head="answers", cells=[])], 40, color=False)

    assert lines == ["model  answers"]


def test_bars_without_rows_are_their_title() -> None:
    """Nothing is not an error."""
    assert bars("Output", [], 40, color=False) == ["Output"]


def test_wide_characters_keep_the_bars_in_line() -> None:
    """A name is as wide as the terminal draws it."""
    rows = [Bar(label="模型", value=8, figure="8"), Bar(label="abcd", value=8, figure="8")]

    _, first, second = bars("Output", rows, 40, color=False)

    assert first.removeprefix("模型") == second.removeprefix("abcd")


def test_a_long_name_is_shortened_beside_a_bar() -> None:
    """The bar keeps its room; the table above has the whole name."""
    rows = [Bar(label="a" * 50, value=8, figure="8")]

    _, line = bars("Output", rows, 30, color=False)

    assert line.startswith("a" * 14 + "…  █")


def test_figures_are_equal_by_content(store: SessionStore) -> None:
    """Figures are plain values: read twice, they are the same."""
    keep(store, (segment(),))

    assert store.figures() == store.figures()
    assert replace(only(store), retries=1) != only(store)
