"""What a large store costs: a search, the list of its sessions, one deleted, a very long one opened; times in ms.

A search for a word that is nowhere reads all that was said: what any search would take without the index. A session is
opened with its last messages, against no more than fetching the rows of all; the rest is read in a thread.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.measure import Row, alone, alternate, compared
from llmterm.sessions import SessionStore
from llmterm.sessions.database import Database, Transaction
from llmterm.sessions.record import LAST

ROUNDS = 15
SESSIONS, MESSAGES = 5_000, 20
LONG = 50_000
WORDS = 80
RARE, NOWHERE = "xylophonist", "nowhereatall"
_TIME = "2026-01-01T00:00:00.000000+00:00"


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        return [*_many(Path(folder) / "many"), *_long(Path(folder) / "long")]


def _many(folder: Path) -> Iterator[Row]:
    with _filled(folder, SESSIONS, MESSAGES) as store:
        built = _milliseconds(lambda: store.search(RARE))
        found, read = alternate(
            ROUNDS,
            lambda: _milliseconds(lambda: store.search(RARE)),
            lambda: _milliseconds(lambda: store.search(NOWHERE)),
        )
        (listed,) = alternate(ROUNDS, lambda: _milliseconds(store.infos))
        yield compared(
            f"a rare word in {SESSIONS * MESSAGES:,} messages, against reading all", found, read, form="{:.1f}"
        )
        yield alone("the first search, which makes the index", built, form="{:.0f}")
        yield alone(f"the list of {SESSIONS:,} sessions", median(listed), form="{:.0f}", goal=100)
        sessions = iter(range(1, SESSIONS))
        (deleted,) = alternate(ROUNDS, lambda: _milliseconds(lambda: store.delete(str(next(sessions)))))
        yield alone("a session deleted, out of the index too", median(deleted), form="{:.0f}")


def _long(folder: Path) -> Iterator[Row]:
    with _filled(folder, 1, LONG) as store:
        opened, whole, fetched = alternate(
            ROUNDS,
            lambda: _milliseconds(lambda: store.load("0", last=LAST)),
            lambda: _milliseconds(lambda: store.load("0")),
            lambda: _milliseconds(lambda: _fetch(store.path)),
        )
        yield compared(f"a session of {LONG:,} messages opened, against its rows", opened, fetched, form="{:.0f}")
        yield alone("the same", median(opened), form="{:.0f}", goal=200)
        yield compared("all of it read, against its rows", whole, fetched, form="{:.0f}")


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _fetch(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for table in ("messages", "segments"):
            connection.execute(f"SELECT * FROM {table}").fetchall()


@contextmanager
def _filled(folder: Path, sessions: int, messages: int) -> Iterator[SessionStore]:
    """Make a store of so many sessions of so many messages each; one of all these has the rare word."""
    folder.mkdir()
    with closing(SessionStore(folder)) as store:
        store.infos()
        with closing(Database(store.path)) as database, database.writing() as tx:
            _fill(tx, sessions, messages)
        yield store


def _fill(tx: Transaction, sessions: int, messages: int) -> None:
    dice = random.Random(20261128)
    vocabulary = ["".join(dice.choices("etaoinshrdlu", k=dice.randint(2, 9))) for _ in range(20_000)]
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    texts = [" ".join(dice.choices(vocabulary, weights, k=WORDS)) for _ in range(2_000)]
    for session in range(sessions):
        tx.change(
            "INSERT INTO sessions (id, title, system, created_at, updated_at) VALUES (?, ?, '', ?, ?)",
            *(str(session), dice.choice(texts)[:40], _TIME, _TIME),
        )
        first = session * messages + 1
        tx.change_each(
            "INSERT INTO messages (id, session_id, parent_id, role, text, thinking, status, provider_data, created_at,"
            " depth) VALUES (?, ?, ?, ?, ?, '', 'complete', '{}', ?, ?)",
            (
                (
                    first + place,
                    str(session),
                    first + place - 1 if place else None,
                    "assistant" if place % 2 else "user",
                    dice.choice(texts),
                    _TIME,
                    place + 1,
                )
                for place in range(messages)
            ),
        )
        tx.change_each(
            "INSERT INTO segments VALUES"
            " (?, 0, 'p', 'm', 'fresh', 0, 9, 'stop', 9, 99, 0, 99, 999, '', 0, NULL, '', '', '',"
            " 0, 0, NULL, NULL, NULL)",
            ((first + place,) for place in range(1, messages, 2)),
        )
        tx.change("UPDATE sessions SET head_id = ? WHERE id = ?", first + messages - 1, str(session))
    tx.change("UPDATE messages SET text = text || ' ' || ? WHERE id = ?", RARE, sessions * messages // 2)
