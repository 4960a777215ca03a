"""The file: created private, brought up to date, and used in transactions that either happen or do not.

Any `str` comes back exactly as it went in; `bytes` do where `blobs` asks for them. Every failure of SQLite or of the
file system becomes a SessionError that names the file. A file that is damaged, foreign or from a newer version is
refused before anything is written to it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from llmterm.errors import SessionError
from llmterm.sessions.schema import MIGRATIONS, Migration

Row: TypeAlias = tuple[Any, ...]

APPLICATION_ID = 0x6C6C6D74  # "llmt"
_LARGEST = 2**63 - 1

_FAILURES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and try again; what was stored before is safe"),
    sqlite3.SQLITE_NOTADB: ("not a session store", "nothing was changed; move the file away to begin a new store"),
    sqlite3.SQLITE_CORRUPT: ("the store is damaged", "keep a copy, try `sqlite3 FILE .recover`, or move it away"),
    sqlite3.SQLITE_BUSY: ("another program keeps the store locked", "close it, or try again in a moment"),
    sqlite3.SQLITE_LOCKED: ("another program keeps the store locked", "close it, or try again in a moment"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that it is a file and that its folder is yours"),
    sqlite3.SQLITE_PERM: ("permission denied", "check who owns the file and its folder"),
    sqlite3.SQLITE_READONLY: ("cannot be written", "check who owns the file and its folder"),
    sqlite3.SQLITE_IOERR: ("reading or writing failed", "check the disk and the space left on it"),
}
_FOLDER_HINT = "set LLMTERM_DATA_DIR to a folder of yours that can be written"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn whatever SQLite and the file system raise inside into a SessionError about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code, the rest tells variants of it apart.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        what, hint = _FAILURES.get(code, (str(error), "is the file whole, and the disk not full?"))
        raise SessionError(f"{path}: {what}", hint=hint) from error
    except OSError as error:
        raise SessionError(f"{path}: {error.strerror or error}", hint=_FOLDER_HINT) from error
    except ValueError as error:
        raise SessionError(f"{path}: holds something unreadable: {error}", hint="was it edited by hand?") from error


class Transaction:
    """Statements that count together or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[Row]:
        return [_read(row) for row in self._connection.execute(sql, _bound(values))]

    def blobs(self, sql: str, *values: object) -> list[Row]:
        """Return the rows with their BLOBs as bytes, where they are not texts."""
        return self._connection.execute(sql, _bound(values)).fetchall()

    def row(self, sql: str, *values: object) -> Row | None:
        return next(iter(self.rows(sql, *values)), None)

    def change(self, sql: str, *values: object) -> int:
        """Run the statement and return how many rows it changed."""
        return self._connection.execute(sql, _bound(values)).rowcount

    def change_each(self, sql: str, rows: Iterable[Row]) -> None:
        self._connection.executemany(sql, map(_bound, rows))

    def insert(self, sql: str, *values: object) -> int:
        """Run the statement and return the id of the new row."""
        return self._connection.execute(sql, _bound(values)).lastrowid or 0


class Database:
    """One SQLite file, opened at its first use. `timeout`: seconds to wait for another process."""

    def __init__(self, path: Path, *, timeout: float = 5.0, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.path = path
        self._timeout = timeout
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """See the store as it is at one moment."""
        with translated(self.path), _transaction(self._open(), "BEGIN") as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Write all of it, on the disk when this returns, or nothing."""
        with translated(self.path), _transaction(self._open(), "BEGIN IMMEDIATE") as transaction:
            yield transaction

    def forget(self) -> None:
        """Wipe what was deleted out of the write-ahead log too."""
        with translated(self.path):
            self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; a later use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translated(self.path):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            _create_private(self.path)
            # Transactions are spelled out: `isolation_level=None` keeps the module from opening its own.
            connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # Looked at before anything is written, and in one piece: another process may be migrating.
        with _transaction(connection, "BEGIN"):
            version = self._version(connection)
        if version < len(self._migrations):
            with _transaction(connection, "BEGIN IMMEDIATE"):
                for migration in self._migrations[self._version(connection) :]:
                    for statement in migration:
                        connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {len(self._migrations)}")
        _write_ahead(connection)
        # FULL: a pulled plug loses nothing either, at 0.2 ms a commit.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        # KiB. SQLite's own 2 MiB would be as much as a very long answer, for pages that nobody reads twice.
        connection.execute("PRAGMA cache_size = -256")

    def _version(self, connection: sqlite3.Connection) -> int:
        """Return the version of the tables, 0 for an empty file; refuse what is not ours to write."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (application or version or tables):
            raise SessionError(
                f"{self.path}: a database of another program",
                hint="nothing was changed; move the file away to begin a new store",
            )
        if version > len(self._migrations):
            raise SessionError(
                f"{self.path}: written by a newer llmterm (store version {version}, this one knows "
                f"{len(self._migrations)})",
                hint="upgrade llmterm, or set LLMTERM_DATA_DIR to another folder",
            )
        return int(version)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to write-ahead logging, where it stays."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # SQLite does not wait here when two processes do this to a new file at once. One of them, or the next to
        # open it, does succeed; until then the file is as safe, only slower.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[Transaction]:
    connection.execute(begin)
    try:
        yield Transaction(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors, a full disk for one, have rolled back already
            connection.execute("ROLLBACK")
        raise


def _create_private(path: Path) -> None:
    """Make the file, readable by nobody else, before SQLite does; its -wal and -shm take after it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        # Never opened when it exists: closing a second descriptor would drop SQLite's locks of this process.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _bound(values: Sequence[object]) -> list[Any]:
    return [_stored(value) for value in values]


def _stored(value: object) -> Any:
    """Make the value fit for SQLite: TEXT is UTF-8, which has no lone surrogates; such a text becomes a BLOB."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
        return str(value)  # of a StrEnum, its value
    if isinstance(value, int):
        # Figures come from strangers; an absurd one must not keep an answer from being stored.
        return max(-_LARGEST, min(int(value), _LARGEST))
    return value


def _read(row: Row) -> Row:
    return tuple(value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value for value in row)
