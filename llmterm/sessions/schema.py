"""The tables, as a numbered list of migrations: entry N brings a store from version N to version N + 1.

Published entries never change; a change of the tables is a new entry. Times are ISO 8601 in UTC, of fixed width, so
that they sort as text. Messages form a tree: a conversation is the path from a session's head to its root.
"""

from __future__ import annotations

from typing import TypeAlias

Migration: TypeAlias = tuple[str, ...]

MIGRATIONS: tuple[Migration, ...] = (
    (
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            system TEXT NOT NULL,
            head_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        )
        """,
        # parent_id does not cascade: SQLite stops at a depth of 1000.
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            parent_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            status TEXT NOT NULL,
            provider_data TEXT NOT NULL,
            created_at TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE segments (
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            mode TEXT NOT NULL,
            "start" INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            end_reason TEXT NOT NULL,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            estimated INTEGER NOT NULL,
            first_token_ms INTEGER,
            duration_ms INTEGER NOT NULL,
            guidance TEXT NOT NULL,
            PRIMARY KEY (message_id, position)
        ) WITHOUT ROWID
        """,
        # A message with a row here is not over. The owner is known while state is 'streaming'; `began_at`, `mode` and
        # `guidance` are those of the segment being written, for the record it gets if its process dies.
        """
        CREATE TABLE open_answers (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            revision INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('paused', 'streaming')),
            reason TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            options TEXT NOT NULL,
            mode TEXT NOT NULL,
            guidance TEXT NOT NULL,
            began_at TEXT NOT NULL,
            owner_pid INTEGER NOT NULL,
            owner_host TEXT NOT NULL,
            owner_born TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE journal (
            message_id INTEGER NOT NULL REFERENCES open_answers (message_id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            written_at TEXT NOT NULL,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            PRIMARY KEY (message_id, seq)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX messages_of_session ON messages (session_id)",
        "CREATE INDEX messages_of_parent ON messages (parent_id)",
        "CREATE INDEX sessions_of_head ON sessions (head_id)",
    ),
    (
        # What follows the `text` and `thinking` of a long message: no statement has to hold all of it.
        """
        CREATE TABLE pieces (
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            PRIMARY KEY (message_id, seq)
        )
        """,
    ),
    (
        "ALTER TABLE segments ADD COLUMN retries INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE segments ADD COLUMN cost REAL",
    ),
    (
        # Whole answers by the SHA-256 of what was asked: the answer cache.
        """
        CREATE TABLE answers (
            key TEXT PRIMARY KEY,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            finish TEXT NOT NULL,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            created_at TEXT NOT NULL
        )
        """,
    ),
    (
        "ALTER TABLE segments ADD COLUMN seam TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE segments ADD COLUMN cut TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE segments ADD COLUMN added TEXT NOT NULL DEFAULT ''",
    ),
    (
        # What is attached to messages. The same bytes are kept once, as long as a message has them.
        "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL)",
        """
        CREATE TABLE attachments (
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            media_type TEXT NOT NULL,
            sha256 TEXT NOT NULL REFERENCES blobs (sha256),
            PRIMARY KEY (message_id, position)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX attachments_of_blob ON attachments (sha256)",
        # A cascade fires it as well.
        """
        CREATE TRIGGER unattached AFTER DELETE ON attachments
        WHEN NOT EXISTS (SELECT 1 FROM attachments WHERE sha256 = OLD.sha256)
        BEGIN
            DELETE FROM blobs WHERE sha256 = OLD.sha256;
        END
        """,
        # Answered in another session, which this one branches off.
        "ALTER TABLE messages ADD COLUMN copied INTEGER NOT NULL DEFAULT 0",
        # Asked for through a pipe, and not gone on with since.
        "ALTER TABLE open_answers ADD COLUMN piped INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # A question asked in the place of others, until it is answered: what it replaces, and the session's titles
        # with it and before.
        """
        CREATE TABLE replacements (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            first_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            head_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            title TEXT NOT NULL,
            title_before TEXT NOT NULL
        )
        """,
    ),
    (
        # The order in which sessions were changed, which a clock that was set back does not change.
        "ALTER TABLE sessions ADD COLUMN change INTEGER NOT NULL DEFAULT 0",
        """
        UPDATE sessions SET change = ranks.rank FROM (
            SELECT id, row_number() OVER (ORDER BY updated_at, rowid) AS rank FROM sessions
        ) AS ranks WHERE sessions.id = ranks.id
        """,
        "CREATE INDEX sessions_by_change ON sessions (change)",
        """
        CREATE TRIGGER session_made AFTER INSERT ON sessions BEGIN
            UPDATE sessions SET change = (SELECT max(change) FROM sessions) + 1 WHERE id = NEW.id;
        END
        """,
        """
        CREATE TRIGGER session_changed AFTER UPDATE OF updated_at ON sessions BEGIN
            UPDATE sessions SET change = (SELECT max(change) FROM sessions) + 1 WHERE id = NEW.id;
        END
        """,
    ),
    (
        # Whoever asks again adds a message beside another: nothing is replaced any more, and what was stays beside it.
        "DROP TABLE replacements",
        # How many messages the way from the root to this one has. Which of those beside each other was gone on with
        # last: the highest, and 0 is one that was given up.
        "ALTER TABLE messages ADD COLUMN depth INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE messages ADD COLUMN used INTEGER NOT NULL DEFAULT 1",
        """
        WITH RECURSIVE down (id, depth) AS (
            SELECT id, 1 FROM messages WHERE parent_id IS NULL
            UNION ALL
            SELECT messages.id, down.depth + 1 FROM down JOIN messages ON parent_id = down.id
        )
        UPDATE messages SET depth = down.depth FROM down WHERE down.id = messages.id
        """,
        "DROP INDEX messages_of_session",
        "CREATE INDEX messages_of_session ON messages (session_id, parent_id)",
    ),
    (
        # Messages whose text the index of words does not have as it is now, and those that are not there any more.
        "CREATE TABLE unindexed (message_id INTEGER PRIMARY KEY)",
        "INSERT INTO unindexed SELECT id FROM messages",
        """
        CREATE TRIGGER message_said AFTER INSERT ON messages BEGIN
            INSERT OR IGNORE INTO unindexed VALUES (NEW.id);
        END
        """,
        """
        CREATE TRIGGER message_changed AFTER UPDATE OF text ON messages BEGIN
            INSERT OR IGNORE INTO unindexed VALUES (NEW.id);
        END
        """,
        """
        CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
            INSERT OR IGNORE INTO unindexed VALUES (OLD.id);
        END
        """,
        "CREATE INDEX sessions_by_title ON sessions (title, id)",
    ),
    (
        # Of the input, what the provider's cache had and what was written to it; what the provider says of the cost.
        "ALTER TABLE segments ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE segments ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE segments ADD COLUMN stated_cost REAL",
        "ALTER TABLE segments ADD COLUMN input_cost REAL",
        "ALTER TABLE segments ADD COLUMN saved REAL",
    ),
    (
        # Where the answer can be read on from at its provider, as JSON.
        "ALTER TABLE open_answers ADD COLUMN cursor TEXT",
    ),
)
