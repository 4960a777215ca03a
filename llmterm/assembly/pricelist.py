"""`llmterm models --prices`: what models cost, as the configuration has it, or the table of this program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from llmterm.config import Price
from llmterm.config.prices import CHECKED, CURRENCY, Priced
from llmterm.render.cells import wrap
from llmterm.render.chart import Column, table

_UNKNOWN = "unknown"


def value(priced: Priced) -> dict[str, Any]:
    """Return it as JSON has it: all prices are for a million tokens, null where there is none."""
    price = None if priced.price is None else asdict(priced.price)
    source = "configuration" if priced.own else "unknown" if price is None else f"{CHECKED:%Y-%m-%d}"
    return {"provider": priced.provider, "model": priced.model, "price": price, "source": source}


def lines(prices: Sequence[Priced], *, width: int, color: bool) -> list[str]:
    """Return a table of them, laid out within `width` cells, and where they are from."""
    known = [each.price for each in prices]
    shown = [
        Column(head="input", cells=[_UNKNOWN if each is None else _money(each.input) for each in known]),
        Column(head="output", cells=["" if each is None else _money(each.output) for each in known]),
        Column(head="cached", cells=["" if each is None else _money(each.cached) for each in known]),
        Column(head="cache\nwrite", cells=["" if each is None else _money(each.cache_write) for each in known]),
        Column(head="beyond so\nmany tokens", cells=[_beyond(each) for each in known]),
        Column(head="", cells=["yours" if each.own else "" for each in prices]),
    ]
    names = [f"{each.provider}/{each.model}" for each in prices]
    words = (
        f"For a million tokens. What is not yours is in {CURRENCY}, as known on {CHECKED:%d %B %Y}, at the providers' "
        f"own addresses; [providers.NAME.prices] says otherwise. OpenRouter and xAI state what an answer costs."
    )
    return [*table(Column(head="model", cells=names), shown, width, color=color), "", *wrap(words, width)]


def _money(price: float | None) -> str:
    return "" if price is None else f"{price:g}"


def _beyond(price: Price | None) -> str:
    if price is None or not price.above:
        return ""
    return f"{price.above:,}: {_money(price.input_above)} / {_money(price.output_above)}"
