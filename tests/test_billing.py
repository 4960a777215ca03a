"""What a pause costs: the goals of the benchmark's table, by the real program and a server that bills as others do."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from benchmarks.billing import Cache, Rules
from benchmarks.price import GOAL, SUBJECTS, Billed, Subject, bills
from llmterm.messages import Usage


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: f"{each.model}{'-cursor' if each.cursor else ''}")
async def test_pauses_cost_a_share_of_what_asking_anew_would(subject: Subject) -> None:
    """At most 15 %, where the cache has a tenth or less of the price; with a cursor nothing at all."""
    found = await bills(subject)
    billed = Billed.of(subject, found)

    assert len(found) == (1 if subject.cursor else 6)
    assert billed.naive > 100_000 or subject.cursor
    if subject.goal is not None:
        assert billed.cached <= (billed.uninterrupted if subject.cursor else GOAL * billed.naive)
    # Each resume reads all of the request before it, but for the part of a token.
    for one, other in pairwise(found):
        assert other.cached_tokens >= one.input_tokens - subject.rules.step - 2


def body(*said: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in said], **more}


def test_cache_by_blocks_has_the_same_blocks_alone() -> None:
    """One that has grown is another; what was not marked was not kept."""
    mark: dict[str, Any] = {"cache_control": {}}
    text = "x" * 8_000
    cache = Cache(Rules(by="mark"))

    unmarked = cache.take("/v1/messages", body(("user", text)))
    first = cache.take("/v1/messages", body(("user", text), **mark))
    grown = cache.take("/v1/messages", body(("user", text + "y"), **mark))
    behind = cache.take("/v1/messages", body(("user", text), ("assistant", "a"), ("user", "b"), **mark))

    assert (unmarked.cache_write_tokens, first.cached_tokens, first.cache_write_tokens) == (0, 0, 2_001)
    assert (grown.cached_tokens, behind.cached_tokens) == (0, 2_001)


def test_cache_by_beginnings_has_them_in_steps() -> None:
    cache = Cache(Rules(by="beginning", least=64, step=64))

    first = cache.take("/v1/chat/completions", body(("user", "x" * 400)))
    grown = cache.take("/v1/chat/completions", body(("user", "x" * 400 + "y" * 400)))
    short = cache.take("/v1/chat/completions", body(("user", "x" * 100)))

    assert (first, grown.cached_tokens, short.cached_tokens) == (Usage(input_tokens=101), 64, 0)
