"""What a comparison comes to: a table for people, plain data for programs.

Where there were several rounds, times are medians over those that were answered, and tokens and costs are sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llmterm.compare.candidate import Candidate, Took
from llmterm.render.cells import wrap
from llmterm.render.chart import Column, table
from llmterm.render.figures import cost, speed, tokens, wait
from llmterm.sessions.figures import median
from llmterm.states import TurnState

Rounds = Sequence[Sequence[Candidate]]
_FOOTNOTE = "~ estimated: for some of it the provider sent no count"


def lines(rounds: Rounds, *, width: int, color: bool) -> list[str]:
    """Return a row for each of those who were asked, laid out within `width` cells."""
    rows = [(each[0].label, _together([candidate.took for candidate in each])) for each in zip(*rounds, strict=True)]

    def column(head: str, cell: Callable[[Took], str], *, spare: bool = False) -> Column:
        return Column(head=head, cells=[cell(took) for _, took in rows], spare=spare)

    shown = [
        column("first\ntoken", lambda each: wait(each.first_token_ms)),
        column("tokens/s", lambda each: speed(each.tokens_per_second, estimated=each.estimated)),
        column("input", lambda each: tokens(each.input_tokens, estimated=each.estimated), spare=True),
        column("output", lambda each: tokens(each.output_tokens, estimated=each.estimated)),
        column("cost", lambda each: cost(each.cost, estimated=each.estimated)),
        Column(head="", cells=[_outcomes(each) for each in zip(*rounds, strict=True)]),
    ]
    page = table(Column(head="model", cells=[label for label, _ in rows]), shown, width, color=color)
    return page + (["", *wrap(_FOOTNOTE, width)] if any(took.estimated for _, took in rows) else [])


def values(rounds: Rounds) -> list[dict[str, Any]]:
    """Return each answer, in each round, as a JSON value."""
    return [_value(candidate, number) for number, each in enumerate(rounds, 1) for candidate in each]


def _value(candidate: Candidate, number: int) -> dict[str, Any]:
    took, reply = candidate.took, candidate.reply
    return {
        "model": candidate.label,
        "round": number,
        "state": _outcome(candidate),
        "text": reply.text,
        "thinking": reply.thinking,
        "error": candidate.error or None,
        "first_token_ms": took.first_token_ms,
        "tokens_per_second": None if took.tokens_per_second is None else round(took.tokens_per_second, 2),
        "input_tokens": took.input_tokens,
        "output_tokens": took.output_tokens,
        "estimated": took.estimated,
        "cost": took.cost,
    }


def _outcome(candidate: Candidate) -> str:
    match candidate.state:
        case TurnState.DONE:
            return "answered"
        case TurnState.CANCELLED:
            return "stopped"
        case TurnState.FAILED:
            return "failed"
        case _:
            return "cut"


def _outcomes(candidates: Sequence[Candidate]) -> str:
    """Return what is to be said of those that are not whole."""
    found = [outcome for outcome in map(_outcome, candidates) if outcome != "answered"]
    if len(candidates) == 1:
        return "".join(found)
    return ", ".join(f"{found.count(each)} {each}" for each in dict.fromkeys(found))


def _together(all_took: Sequence[Took]) -> Took:
    first = median([each.first_token_ms for each in all_took if each.first_token_ms is not None])
    costs = [each.cost for each in all_took if each.cost is not None]
    return Took(
        first_token_ms=None if first is None else round(first),
        tokens_per_second=median([each.tokens_per_second for each in all_took if each.tokens_per_second is not None]),
        input_tokens=sum(each.input_tokens for each in all_took),
        output_tokens=sum(each.output_tokens for each in all_took),
        estimated=any(each.estimated for each in all_took),
        cost=math.fsum(costs) if costs else None,
    )
