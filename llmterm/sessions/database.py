"""The file: created private, brought up to date, and used in transactions that either happen or do not.

Any `str` comes back exactly as it went in; `bytes` do where `blobs` asks for them. Every failure of SQLite or of the
file system becomes a StoreError that names the file. A file that is damaged, foreign or from a newer version is
refused before anything is written to it. One that cannot be written can still be read: see `frozen`.

SQLite goes on writing to a file that was deleted or replaced, where nobody will read it. So each use looks whether the
path still means the file that was opened; where it does not, all writing is refused until `accept` has said that
whatever was known of its rows is forgotten. And SQLite takes the log that is beside a file for that file's own, which
destroys one that was put in the place of another. So a file is let go of while it is not written to, see `rest`: then
all is in the file itself, and nothing beside it. Where it has moved meanwhile the log follows it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from llmterm.errors import StoreError
from llmterm.sessions.frozen import frozen
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
_LASTING = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
# What keeps a file from being written, and not from being read.
_UNWRITABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_UNWRITABLE_FOLDER = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}
_FOLDER_HINT = "set LLMTERM_DATA_DIR to a folder of yours that can be written"
_READ_ONLY = ("the disk can only be read", f"what is on it can be read; {_FOLDER_HINT}")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn whatever SQLite and the file system raise inside into a StoreError about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        code = _primary(error)
        what, hint = _FAILURES.get(code, (str(error), "is the file whole, and the disk not full?"))
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN) and _on_read_only_disk(path):
            what, hint = _READ_ONLY
        raise StoreError(f"{path}: {what}", hint=hint, lasting=code in _LASTING) from error
    except OSError as error:
        what, hint = _READ_ONLY if error.errno == errno.EROFS else (error.strerror or str(error), _FOLDER_HINT)
        lasting = error.errno not in _UNWRITABLE_FOLDER
        raise StoreError(f"{path}: {what}", hint=hint, lasting=lasting) from error
    # Of a file that was edited by hand, any column may hold anything.
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path}: holds something unreadable: {error}", hint="was it edited by hand?", lasting=True
        ) from error


def _primary(error: sqlite3.Error) -> int:
    """Return the primary result code: the low byte, the rest tells variants of it apart."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _on_read_only_disk(path: Path) -> bool:
    try:
        return sys.platform != "win32" and bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


class Transaction:
    """Statements that count together or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[Row]:
        # There are many rows, and hardly ever bytes in them.
        return [
            readable(row) if bytes in map(type, row) else row for row in self._connection.execute(sql, _bound(values))
        ]

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
        # Of the file that is known; None where it is frozen, or none is.
        self._identity: tuple[int, int] | None = None
        self._moved = False
        # Size and time of the file itself, as it was seen last; whether its log may have more.
        self._stamp: tuple[int, int] | None = None
        self._written = False
        self.touches = 0
        """How often somebody else was seen to have written into the file itself: another llmterm, or a copy over it."""
        # What is written together with other things.
        self._joined: Transaction | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Have all that is written inside be on the disk when this returns, or nothing: a disk is waited for once."""
        with self.writing() as transaction:
            self._joined = transaction
            try:
                yield
            finally:
                self._joined = None

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """See the store as it is at one moment, or as it was when it could not be written any more."""
        if self._joined is not None:
            yield self._joined
            return
        with translated(self.path), _transaction(self._open(), "BEGIN") as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Write all of it, on the disk when this returns, or nothing."""
        if self._joined is not None:
            yield self._joined
            return
        with translated(self.path):
            connection = self._open(to_write=True)
            if self._moved:
                raise StoreError(f"{self.path}: was deleted, or another file was put in its place")
            self._written = True
            with _transaction(connection, "BEGIN IMMEDIATE") as transaction:
                yield transaction
            self._stamp = _stamp(self.path)

    def moved(self) -> bool:
        """Tell whether the path means another file than the one that is known, or none."""
        if self._identity is not None and _identity(self.path) != self._identity:
            self._moved = True
            with suppress(sqlite3.Error):
                if self._connection is not None:
                    # SQLite does not do this by itself for a file that has moved.
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._let_go()
        elif self._identity is not None and not self._written and (stamp := _stamp(self.path)) != self._stamp:
            self.touches, self._stamp = self.touches + 1, stamp
            self._let_go()  # what it remembers of the file may be wrong
        return self._moved

    def rest(self) -> None:
        """Let go of the file until it is used again; whether it moves meanwhile is seen all the same."""
        if self._identity is not None and not self.moved():
            self._let_go()
            self._stamp, self._written = _stamp(self.path), False

    def accept(self) -> None:
        """Use the file that is there now: nothing is known of its rows any more."""
        self._moved, self._identity = False, None
        self.touches += 1

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Wait that long for other processes, inside."""
        usual, self._timeout = self._timeout, seconds
        self._let_go()
        try:
            yield
        finally:
            self._timeout = usual
            self._let_go()

    def forget(self) -> None:
        """Wipe what was deleted out of the write-ahead log too."""
        with translated(self.path):
            self._open(to_write=True).execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; a later use opens it again."""
        with translated(self.path):
            self._let_go()
        self._identity = None

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self, *, to_write: bool = False) -> sqlite3.Connection:
        self.moved()
        if to_write and self._identity is None:
            self._let_go()  # frozen: by now it can be otherwise
        if self._connection is None:
            try:
                self._connection = self._opened()
                self._identity, self._stamp = _identity(self.path), _stamp(self.path)
            except (sqlite3.Error, OSError) as error:
                if to_write or not _only_unwritable(error):
                    raise
                self._connection, self._identity = frozen(self.path, self._prepare, self._current), None
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        _create_private(self.path)
        # Transactions are spelled out: `isolation_level=None` keeps the module from opening its own.
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _current(self, connection: sqlite3.Connection) -> bool:
        return self._version(connection) == len(self._migrations)

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
            raise StoreError(
                f"{self.path}: a database of another program",
                hint="nothing was changed; move the file away to begin a new store",
                lasting=True,
            )
        if version > len(self._migrations):
            raise StoreError(
                f"{self.path}: written by a newer llmterm (store version {version}, this one knows "
                f"{len(self._migrations)})",
                hint="upgrade llmterm, or set LLMTERM_DATA_DIR to another folder",
                lasting=True,
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
        # Never opened when it exists: closing a second descriptor would drop SQLite's locks of this process. Where
        # the path is a link it is the file that is made: O_EXCL takes a link that leads nowhere for a file.
        os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file from any other that was or will be at this path; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes where somebody writes into the file itself."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _only_unwritable(error: sqlite3.Error | OSError) -> bool:
    """Tell whether what keeps a file from being used need not keep it from being read."""
    if isinstance(error, sqlite3.Error):
        return _primary(error) in _UNWRITABLE
    return error.errno in _UNWRITABLE_FOLDER


def _bound(values: Sequence[object]) -> list[Any]:
    return [_stored(value) for value in values]


def _stored(value: object) -> Any:
    """Make the value fit for SQLite: TEXT is UTF-8, which has no lone surrogates; such a text becomes a BLOB."""
    if isinstance(value, str):
        if value.isascii():
            return str(value)  # of a StrEnum, its value
        try:
            # A copy, that goes: Python leaves beside a text that SQLite is given what it is in UTF-8, for as long as
            # there is that text.
            return value.encode().decode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
    if isinstance(value, int):
        # Figures come from strangers; an absurd one must not keep an answer from being stored.
        return max(-_LARGEST, min(int(value), _LARGEST))
    return value


def readable(row: Row) -> Row:
    """Return the row with its texts as they were stored, also where they had to be stored as bytes."""
    return tuple(as_text(value) if isinstance(value, bytes) else value for value in row)


def as_text(blob: bytes | str) -> str:
    """Return the text that was stored, also where it had to be stored as bytes."""
    if isinstance(blob, str):
        return blob
    try:
        return blob.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return blob.decode("utf-8", "replace")  # nothing of ours
