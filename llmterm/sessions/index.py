"""The index of the words that were said, on SQLite's FTS5: which messages may have what is searched for.

It is brought up to date when something is searched, so that nothing has to be written to it while an answer streams:
the store only notes which messages have changed. Words are found by their beginning. What is written without spaces
has no words to begin with, so each two characters of it that follow each other are one. All of it is folded as
`str.casefold` does. Where there is no FTS5 there is no index, and everything is read.

FTS5 only notes that something was deleted, until it writes its tables anew. So the index has parts, each of so many
messages, and one that has lost a message is written anew at once, alone. FTS5's own "secure-delete" is not in every
SQLite, and one that has it not cannot read any more what was deleted from so (https://sqlite.org/fts5.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby, islice, pairwise

from llmterm.errors import StoreError
from llmterm.sessions.database import Database, Row, Transaction

# Thai, Lao, Burmese, Khmer; Japanese and Chinese, with what came to Unicode later.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d"
_UNSPACED += "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_WORD = re.compile(r"[^\W_]+")
_ANY_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_RUN = re.compile(rf"([{_UNSPACED}]+)|((?:(?![{_UNSPACED}])[^\W_])+)")

# A part has the messages whose ids are equal but for so many bits.
_PART_BITS = 14
# Messages that are taken in at a time: others want to write as well.
_BATCH = 500
# Seconds that a search waits for another process to be able to write; without that it reads what is not in the index.
_PATIENCE = 0.25
# A word that more messages have than this is found soon without an index.
_FEW = 2000
# What FTS5 takes to compare is limited; who has so many terms of a word has it, or is looked at in vain.
_MOST_TERMS = 50

_WHOLE = "spoken"
_GONE = "unindexed WHERE message_id <= ? AND NOT EXISTS (SELECT 1 FROM messages WHERE id = message_id)"
_NEWEST = 2**63 - 1


def bring_up_to_date(database: Database) -> None:
    """Take in what was said since the last time, as far as the store can be written."""
    with database.reading() as tx:
        if not (_possible(tx) and (_unindexed(tx, 1) or _exists(tx, _WHOLE))):
            return
    with suppress(StoreError), database.patient(_PATIENCE):
        more = True
        while more:
            with database.writing() as tx:
                more = _take_in(tx)


def forget(tx: Transaction, last: int = _NEWEST) -> None:
    """Leave nothing in the index of messages that were deleted, up to `last`."""
    if _possible(tx):
        _drop_whole(tx)
        gone = [row for (row,) in tx.rows(f"SELECT message_id FROM {_GONE}", last)]
        for part, rows in _by_part(gone):
            if _exists(tx, part) and _take_out(tx, part, rows):
                tx.change(f"INSERT INTO {part} ({part}) VALUES ('optimize')")
    tx.change(f"DELETE FROM {_GONE}", last)


def sessions_with(tx: Transaction, word: str) -> set[str] | None:
    """Return the sessions in which the folded word may have been said, also on a path that is not current.

    None where the index does not tell: any of them may be one.
    """
    query = _query(word)
    parts = _parts(tx) if query and _possible(tx) else []
    rows: list[Row] = []
    for part in parts:
        rows += tx.rows(
            f"SELECT session_id FROM (SELECT rowid AS id FROM {part} WHERE {part} MATCH ? LIMIT ?)"
            " JOIN messages USING (id)",
            *(query, _FEW + 1 - len(rows)),
        )
    return {session_id for (session_id,) in rows} if parts and len(rows) <= _FEW else None


def sessions_not_in(tx: Transaction) -> set[str]:
    """Return the sessions in which something was said that is not in the index yet."""
    return {
        session_id
        for (session_id,) in tx.rows(
            # CROSS: in this order. There are few of these, and many messages.
            "SELECT session_id FROM unindexed CROSS JOIN messages ON id = message_id UNION"
            " SELECT session_id FROM journal CROSS JOIN messages ON id = message_id"
        )
    }


def words_of(text: str) -> set[str]:
    """Return what a text can be found by."""
    folded = text.casefold()
    if not _ANY_UNSPACED.search(folded):
        return set(_WORD.findall(folded))  # the same, sooner
    found: set[str] = set()
    for unspaced, word in _RUN.findall(folded):
        found |= {word} if word else {unspaced[-1], *map("".join, pairwise(unspaced))}
    return found


def _query(word: str) -> str:
    """Return what a text has to have that says `word`, in the language of FTS5; "" for anything.

    Where the word has several parts, only the last of them may be the beginning of a longer one.
    """
    return " AND ".join(dict.fromkeys(islice(_terms(word), _MOST_TERMS)))


def _terms(word: str) -> Iterator[str]:
    runs = list(_RUN.finditer(word))
    for run in runs:
        unspaced, part = run.groups()
        if part:
            yield f'"{part}"*' if run.end() == len(word) else f'"{part}"'
        elif len(unspaced) == 1:
            yield f'"{unspaced}"*'
        else:
            yield from (f'"{first}{second}"' for first, second in pairwise(unspaced))


def _possible(tx: Transaction) -> bool:
    return tx.row("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'") is not None


def _exists(tx: Transaction, table: str) -> bool:
    return tx.row("SELECT 1 FROM sqlite_master WHERE name = ?", table) is not None


def _parts(tx: Transaction) -> list[str]:
    # FTS5 makes tables of its own beside each.
    found = tx.rows("SELECT name FROM sqlite_master WHERE name GLOB 'spoken_[0-9]*' AND sql LIKE 'CREATE VIRTUAL%'")
    return [name for (name,) in found]


def _by_part(rows: Iterable[int]) -> list[tuple[str, list[int]]]:
    """Return the names of the parts that those messages belong to, with what belongs to each."""
    return [(f"spoken_{part}", list(some)) for part, some in groupby(sorted(rows), lambda row: row >> _PART_BITS)]


def _take_out(tx: Transaction, part: str, rows: list[int]) -> int:
    """Take out those messages, and return how many of them were there."""
    return tx.change(f"DELETE FROM {part} WHERE rowid IN (SELECT value FROM json_each(?))", json.dumps(rows))


def _drop_whole(tx: Transaction) -> None:
    """Take out an index in one piece, as it was once, for all to be taken in anew."""
    if _exists(tx, _WHOLE):
        tx.change(f"DROP TABLE {_WHOLE}")
        tx.change("INSERT OR IGNORE INTO unindexed SELECT id FROM messages")


def _unindexed(tx: Transaction, most: int) -> list[int]:
    return [row for (row,) in tx.rows("SELECT message_id FROM unindexed ORDER BY message_id LIMIT ?", most)]


def _take_in(tx: Transaction) -> bool:
    """Take in some messages, and return whether there may be more."""
    rows = _unindexed(tx, _BATCH)
    last = rows[-1] if rows else 0
    forget(tx, last)
    texts: dict[int, list[str]] = {}
    for row, _, text in tx.rows(
        "SELECT id, 0, text FROM unindexed CROSS JOIN messages ON id = message_id WHERE message_id <= ? UNION ALL"
        " SELECT message_id, seq + 1, text FROM unindexed CROSS JOIN pieces USING (message_id) WHERE message_id <= ?"
        " ORDER BY 1, 2",
        last,
        last,
    ):
        texts.setdefault(row, []).append(text)
    for part, some in _by_part(texts):
        # Which words a text has is all that is asked for; that they are words was decided here.
        tx.change(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {part}"
            " USING fts5 (words, tokenize = ascii, detail = none, columnsize = 0)"
        )
        _take_out(tx, part, some)
        tx.change_each(
            f"INSERT INTO {part} (rowid, words) VALUES (?, ?)",
            ((row, " ".join(sorted(words_of("".join(texts[row]))))) for row in some),
        )
    tx.change("DELETE FROM unindexed WHERE message_id <= ?", last)
    return len(rows) == _BATCH
