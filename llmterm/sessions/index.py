"""The index of the words that were said, on SQLite's FTS5: which messages may have what is searched for.

It is brought up to date when something is searched, so that nothing has to be written to it while an answer streams:
the store only notes which messages have changed. Words are found by their beginning. What is written without spaces
has no words to begin with, so each two characters of it that follow each other are one. All of it is folded as
`str.casefold` does. Where there is no FTS5 there is no index, and everything is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, pairwise

from llmterm.errors import StoreError
from llmterm.sessions.database import Database, Transaction

# Thai, Lao, Burmese, Khmer; Japanese and Chinese, with what came to Unicode later.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d"
_UNSPACED += "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_WORD = re.compile(r"[^\W_]+")
_ANY_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_RUN = re.compile(rf"([{_UNSPACED}]+)|((?:(?![{_UNSPACED}])[^\W_])+)")

# Messages that are taken in at a time: others want to write as well.
_BATCH = 500
# Seconds that a search waits for another process to be able to write; without that it reads what is not in the index.
_PATIENCE = 0.25
# A word that more messages have than this is found soon without an index.
_FEW = 2000
# What FTS5 takes to compare is limited; who has so many terms of a word has it, or is looked at in vain.
_MOST_TERMS = 50


def bring_up_to_date(database: Database) -> None:
    """Take in what was said since the last time, as far as the store can be written."""
    with database.reading() as tx:
        if not (_possible(tx) and _unindexed(tx, 1)):
            return
    with suppress(StoreError), database.patient(_PATIENCE):
        more = True
        while more:
            with database.writing() as tx:
                more = _take_in(tx)


def forget(tx: Transaction) -> None:
    """Leave nothing in the index of messages that were deleted."""
    if _possible(tx) and _exists(tx):
        tx.change("DELETE FROM spoken WHERE rowid IN (SELECT message_id FROM unindexed)")
        tx.change("INSERT INTO spoken (spoken) VALUES ('optimize')")
    tx.change("DELETE FROM unindexed WHERE NOT EXISTS (SELECT 1 FROM messages WHERE id = message_id)")


def sessions_with(tx: Transaction, word: str) -> set[str] | None:
    """Return the sessions in which the folded word may have been said, also on a path that is not current.

    None where the index does not tell: any of them may be one.
    """
    query = _query(word)
    if not (query and _possible(tx) and _exists(tx)):
        return None
    rows = tx.rows(
        "SELECT session_id FROM (SELECT rowid AS id FROM spoken WHERE spoken MATCH ? LIMIT ?) JOIN messages USING (id)",
        *(query, _FEW + 1),
    )
    return None if len(rows) > _FEW else {session_id for (session_id,) in rows}


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


def _exists(tx: Transaction) -> bool:
    return tx.row("SELECT 1 FROM sqlite_master WHERE name = 'spoken'") is not None


def _unindexed(tx: Transaction, most: int) -> list[int]:
    return [row for (row,) in tx.rows("SELECT message_id FROM unindexed ORDER BY message_id LIMIT ?", most)]


def _take_in(tx: Transaction) -> bool:
    """Take in some messages, and return whether there may be more."""
    tx.change(
        "CREATE VIRTUAL TABLE IF NOT EXISTS spoken"
        " USING fts5 (words, tokenize = 'unicode61 remove_diacritics 0', columnsize = 0)"
    )
    rows = _unindexed(tx, _BATCH)
    last = rows[-1] if rows else 0
    tx.change("DELETE FROM spoken WHERE rowid IN (SELECT message_id FROM unindexed WHERE message_id <= ?)", last)
    texts: dict[int, list[str]] = {}
    for row, _, text in tx.rows(
        "SELECT id, 0, text FROM unindexed CROSS JOIN messages ON id = message_id WHERE message_id <= ?1 UNION ALL"
        " SELECT message_id, seq + 1, text FROM unindexed CROSS JOIN pieces USING (message_id) WHERE message_id <= ?1"
        " ORDER BY 1, 2",
        last,
    ):
        texts.setdefault(row, []).append(text)
    tx.change_each(
        "INSERT INTO spoken (rowid, words) VALUES (?, ?)",
        ((row, " ".join(sorted(words_of("".join(parts))))) for row, parts in texts.items()),
    )
    tx.change("DELETE FROM unindexed WHERE message_id <= ?", last)
    return len(rows) == _BATCH
