"""A store that cannot be written, opened to be read: on a read-only disk, in somebody else's folder, on a full disk.

In write-ahead logging even a reader writes. So SQLite is told that nobody changes the file, or, where that is not all
of it (something waits in its log, or its tables are of an earlier version), is given a copy in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_LOGS = ("-wal", "-journal")


def frozen(
    path: Path, prepare: Callable[[sqlite3.Connection], None], current: Callable[[sqlite3.Connection], bool]
) -> sqlite3.Connection:
    """Return a connection to what the file holds now, nothing if there is none.

    `prepare` brings tables up to date, `current` tells whether they are. Raises what SQLite and the system raise.
    """
    logs = [log for end in _LOGS if (log := path.with_name(path.name + end)).exists() and log.stat().st_size]
    if path.exists() and not logs:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)
        try:
            if current(connection):
                return connection
        except BaseException:
            connection.close()
            raise
        with closing(connection):
            return _in_memory(connection, prepare)
    if not path.exists():
        return _in_memory(None, prepare)
    import shutil  # not at start-up
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="llmterm-") as folder:
        for each in (path, *logs):
            shutil.copyfile(each, Path(folder) / each.name)
        with closing(sqlite3.connect(Path(folder) / path.name, isolation_level=None)) as copy:
            return _in_memory(copy, prepare)


def _in_memory(source: sqlite3.Connection | None, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if source is not None:
            source.backup(connection)
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection
