"""What the models did: a table and bars for people, plain data for programs.

Figures in, lines out. Numbers of which some part is an estimate begin with "~".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from llmterm.render.cells import wrap
from llmterm.render.chart import Bar, Column, bars, table
from llmterm.render.figures import cost, resumed, speed, tokens, wait
from llmterm.sessions import SessionStore
from llmterm.sessions.figures import Figures
from llmterm.sessions.figures import values as tally_values
from llmterm.sessions.segments import together

_DAYS = 14
_FOOTNOTE = "~ estimated: for some of it the provider sent no count"


def values(store: SessionStore, session: str | None = None) -> list[dict[str, Any]]:
    """Return the figures as JSON values, most output tokens first. Raises SessionError."""
    return [{"provider": each.provider, "model": each.model, **tally_values(each)} for each in store.figures(session)]


def lines(
    store: SessionStore, session: str | None = None, *, width: int, color: bool, today: date | None = None
) -> list[str]:
    """Return the figures of one session or of all, laid out within `width` cells. Raises SessionError."""
    figures = store.figures(session)
    if not figures:
        return ["there are no figures yet: no model has answered"]
    page = _table(figures, width, color=color)
    page += ["", *wrap(words, width)] if (words := _resumed(figures)) else []
    page += ["", *bars("Output tokens by model", [_model_bar(each) for each in figures], width, color=color)]
    days = _day_bars(figures, today or date.today())
    if days:
        page += ["", *bars("Output tokens by day", days, width, color=color)]
    if any(each.estimated for each in figures):
        page += ["", *wrap(_FOOTNOTE, width)]
    return page


def _table(figures: Sequence[Figures], width: int, *, color: bool) -> list[str]:
    def column(head: str, cell: Callable[[Figures], str], *, spare: bool = False) -> Column:
        return Column(head=head, cells=[cell(each) for each in figures], spare=spare)

    shown = [
        column("answers", lambda each: f"{each.answers:,}"),
        column("segments", lambda each: f"{each.segments:,}", spare=True),
        column("pauses", lambda each: f"{each.pauses:,}"),
        column("input", lambda each: tokens(each.input_tokens, estimated=each.estimated)),
        column("output", lambda each: tokens(each.output_tokens, estimated=each.estimated)),
        column("first\ntoken", lambda each: wait(each.first_token_ms)),
        column("tokens/s", lambda each: speed(each.tokens_per_second, estimated=each.estimated)),
        column("retries", lambda each: f"{each.retries:,}", spare=True),
        column("cost", lambda each: cost(each.cost, estimated=each.estimated)),
    ]
    if any(each.cached_tokens for each in figures):
        shown.append(column("cached", lambda each: tokens(each.cached_tokens, estimated=False), spare=True))
        shown.append(column("saved", lambda each: cost(each.saved, estimated=False), spare=True))
    return table(column("model", _name), shown, width, color=color)


def _resumed(figures: Sequence[Figures]) -> str:
    """Return in words what it took to go on after pauses, "" where nothing was gone on with."""
    resumes = sum(each.resumes for each in figures)
    return resumed(
        resumes,
        sum(each.resumed_tokens for each in figures),
        together(each.resume_cost for each in figures),
        together(each.saved for each in figures),
    )


def _model_bar(figures: Figures) -> Bar:
    return Bar(
        label=_name(figures),
        value=figures.output_tokens,
        figure=tokens(figures.output_tokens, estimated=figures.estimated),
    )


def _day_bars(figures: Sequence[Figures], today: date) -> list[Bar]:
    """Return a bar for each of the last days from the first to the last one with output, oldest first."""
    bars: list[Bar] = []
    for ago in reversed(range(_DAYS)):
        day = today - timedelta(days=ago)
        found = [each for model in figures for each in model.days if each.date == day]
        value = sum(each.output_tokens for each in found)
        estimated = any(each.estimated for each in found)
        bars.append(Bar(label=day.isoformat(), value=value, figure=tokens(value, estimated=estimated)))
    busy = [index for index, bar in enumerate(bars) if bar.value]
    return bars[busy[0] : busy[-1] + 1] if busy else []


def _name(figures: Figures) -> str:
    return f"{figures.provider}/{figures.model}"
