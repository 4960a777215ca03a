"""Preambles: what a model says about going on before it goes on ("Sure, continuing from where I left off:").

Only sentences that consist of nothing but such words are taken for one. How much else has to speak for it depends on
what it says (`Weight`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from llmterm.seam.vocabulary import VOCABULARIES, Sense, Vocabulary

LONGEST = 160

_WRAPPING = re.compile(r"[*_(\[（]*")
_BETWEEN = re.compile(r"[ \t\u3000,;、，；–—\-*_()\[\]（）'’]+")
_END = re.compile(r"(?P<marks>[.!:…。！：]*)[*_)\]）]*(?P<space>(?:[ \t\u3000]*\n)+|[ \t\u3000]*)")
_ANNOUNCED = re.compile(r"[:：…]|\.\.\.")
_WIDE = re.compile(r"[…。！：]")


class Weight(IntEnum):
    """WEAK ("Sure!") is a preamble only before an overlap, LIKELY ("Continuing:") also within a sentence."""

    WEAK = 1
    LIKELY = 2
    STRONG = 3


@dataclass(frozen=True, slots=True)
class Preamble:
    """The first `end` characters, white space included; `line`: a newline is the last thing of it."""

    end: int
    weight: Weight
    line: bool


def preambles(text: str) -> tuple[list[Preamble], bool]:
    """Return what `text` begins with that may be a preamble, and whether more text could make one, or a longer one."""
    found: dict[int, Preamble] = {}
    unfinished = False
    for vocabulary in VOCABULARIES:
        each, more = _scan(text[:LONGEST], vocabulary)
        found.update((preamble.end, preamble) for preamble in each)
        unfinished = unfinished or (more and len(text) < LONGEST)
    return [found[end] for end in sorted(found)], unfinished


def _scan(text: str, vocabulary: Vocabulary) -> tuple[list[Preamble], bool]:
    found: list[Preamble] = []
    said: set[Sense] = set()
    sentence: set[Sense] = set()
    wrapping = _WRAPPING.match(text)
    at = wrapping.end() if wrapping else 0
    while at < len(text):
        end = _END.match(text, at)
        if sentence and end and (end["marks"] or "\n" in end["space"]):
            said |= sentence
            more = not text[end.end() :].strip()
            preamble = _preamble(end, sentence, said)
            if preamble is None:
                return found, more
            found.append(preamble)
            if more or _ANNOUNCED.search(end["marks"]):
                return found, more
            at, sentence = end.end(), set()
        elif sentence and (gap := _BETWEEN.match(text, at)):
            at = gap.end()
        else:
            word = vocabulary.word(text, at)
            if vocabulary.may_follow(text, at):
                return found, True
            if not word:
                return found, False
            sentence.add(vocabulary.words[word.lower()])
            at += len(word)
    return found, True


def _preamble(end: re.Match[str], sentence: set[Sense], said: set[Sense]) -> Preamble | None:
    """Return the preamble that ends with a sentence; None if it is none, or if the text runs on behind it."""
    if not sentence & {Sense.GREETING, Sense.ANNOUNCING} or not (end["space"] or _WIDE.search(end["marks"])):
        return None
    line = "\n" in end["space"]
    if not line and not _ANNOUNCED.search(end["marks"]):
        weight = Weight.WEAK
    elif len(said - {Sense.BETWEEN}) > 1:
        weight = Weight.STRONG
    else:
        weight = Weight.LIKELY if Sense.ANNOUNCING in said else Weight.WEAK
    return Preamble(end.end(), weight, line)
