"""A place in an answer that its provider can go on from with the same generation, instead of being asked again."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmterm.messages.parts import Opaque
from llmterm.messages.segment import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Behind `text` and `thinking` characters of an answer of that provider's model.

    `place` is the provider's own, JSON of ids and numbers: no key is in it. Where it `runs` the answer goes on being
    made there, and is billed, whether or not anybody reads it; else nothing is made meanwhile, and what came behind
    that place is made once more. The generation began behind `start` characters of text, and was asked for in that
    `mode`.
    """

    provider: str
    model: str
    place: Opaque = field(hash=False)
    text: int = 0
    thinking: int = 0
    runs: bool = True
    start: int = 0
    mode: Mode = "fresh"
