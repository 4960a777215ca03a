"""Sessions by the words that were said in them, on their current paths, the newest first.

The index tells which sessions to read. Where it knows of none all are read: a word may be the end of a longer one, or
nothing but signs. Letters count as equal by Unicode's case folding. What models thought, system prompts and attachments
are not searched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby

from llmterm.sessions.database import Row, Transaction
from llmterm.sessions.index import sessions_not_in, sessions_with
from llmterm.sessions.record import Hit
from llmterm.sessions.rows import PATH, read_time
from llmterm.sessions.titles import one_line

# What SQLite takes to compare is limited.
_LONGEST = 1000
_BEFORE = 24
_AFTER = 56

# A long text is stored in pieces, and what came since the last pause of an open answer is in its journal.
_TEXTS = f"""
    {PATH}
    SELECT id, 0, 0, text FROM path JOIN messages USING (id)
    UNION ALL
    SELECT message_id, 1, seq, text FROM path JOIN pieces ON message_id = id
    UNION ALL
    SELECT message_id, 2, seq, text FROM path JOIN journal ON message_id = id
    ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class _Match:
    """A text, the words that are in it, and where in its folded form the first of them is."""

    text: str = ""
    words: frozenset[str] = frozenset()
    place: int = 0


def read_hits(tx: Transaction, words: str, limit: int) -> list[Hit]:
    """Return the newest sessions that have all the words, each in any of its messages or in its title."""
    wanted = frozenset(words.casefold().split())
    among = _candidates(tx, wanted)
    return _read(tx, wanted, limit, among) or ([] if among is None else _read(tx, wanted, limit, None))


def _candidates(tx: Transaction, wanted: frozenset[str]) -> set[str] | None:
    """Return the sessions that may have all the words, None where any of them may."""
    among: set[str] | None = None
    for word in wanted:
        found = sessions_with(tx, word)
        if found is not None:
            found |= _titled(tx, word)
            among = found if among is None else among & found
    return None if among is None else among | sessions_not_in(tx)


def _titled(tx: Transaction, word: str) -> set[str]:
    """Return the sessions that may have the word in their title."""
    if word.isascii():
        # A sign that means more here than it says finds more: each is looked at again.
        return {row[0] for row in tx.rows("SELECT id FROM sessions WHERE title LIKE ?", f"%{word[:_LONGEST]}%")}
    return {session_id for session_id, title in tx.rows("SELECT id, title FROM sessions") if word in title.casefold()}


def _read(tx: Transaction, wanted: frozenset[str], limit: int, among: set[str] | None) -> list[Hit]:
    hits: list[Hit] = []
    for session_id, title, updated_at, head_id in _newest_first(tx, among):
        if len(hits) >= limit:
            break
        snippet = _found(title, _texts(tx, head_id), wanted)
        if snippet is not None:
            hits.append(Hit(id=session_id, title=title, updated_at=read_time(updated_at), snippet=snippet))
    return hits


def _newest_first(tx: Transaction, among: set[str] | None) -> list[Row]:
    columns = "SELECT id, title, updated_at, head_id FROM sessions"
    if among is None:
        return tx.rows(f"{columns} ORDER BY change DESC")
    return tx.rows(f"{columns} WHERE id IN (SELECT value FROM json_each(?)) ORDER BY change DESC", json.dumps([*among]))


def _texts(tx: Transaction, head_id: int | None) -> Iterator[str]:
    """Yield what each message says, as one text."""
    for _, parts in groupby(tx.rows(_TEXTS, head_id, -1), key=lambda row: row[0]):
        yield "".join(text for *_, text in parts)


def _found(title: str, texts: Iterator[str], wanted: frozenset[str]) -> str | None:
    """Return the place with most of the words, or nothing where only the title has them; None if a word is missing."""
    seen = _match(title, wanted).words
    best = _Match()
    for text in texts:
        if seen == wanted == best.words:
            break
        match = _match(text, wanted)
        seen |= match.words
        if len(match.words) > len(best.words):
            best = match
    if seen != wanted:
        return None
    return _snippet(best) if best.words else ""


def _match(text: str, wanted: frozenset[str]) -> _Match:
    folded = text.casefold()
    places = {word: place for word in wanted if (place := folded.find(word)) >= 0}
    return _Match(text, frozenset(places), min(places.values(), default=0))


def _snippet(match: _Match) -> str:
    """Return a line of what is around the place."""
    text, place = match.text, _unfolded(match.text, match.place)
    start, end = max(0, place - _BEFORE), place + _AFTER
    before = text[start:place]
    if start:
        before = before[_after_space(before) :]
    return ("…" if start else "") + one_line(before + text[place:end]) + ("…" if end < len(text) else "")


def _unfolded(text: str, place: int) -> int:
    """Return the offset in `text` of an offset in its folded form, which may be longer: "ß" becomes "ss"."""
    ends = accumulate(len(char.casefold()) for char in text)
    return next(index for index, end in enumerate(ends) if end > place)


def _after_space(text: str) -> int:
    """Return where the first whole word begins; 0 where all of it is one."""
    return next((index + 1 for index, char in enumerate(text) if char.isspace()), 0)
