"""The attachments of messages as rows, and back: their names beside the message, their bytes once for all of them.

What no message has any more is taken out of the file by the database itself (see the trigger in `schema`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from llmterm.messages import Attachment
from llmterm.sessions.database import Transaction


def insert_attachments(tx: Transaction, message_id: int, attachments: Sequence[Attachment]) -> None:
    for position, each in enumerate(attachments):
        digest = hashlib.sha256(each.data).hexdigest()
        tx.change("INSERT OR IGNORE INTO blobs VALUES (?, ?)", digest, each.data)
        tx.change(
            "INSERT INTO attachments VALUES (?, ?, ?, ?, ?)", message_id, position, each.name, each.media_type, digest
        )


def replace_attachments(tx: Transaction, message_id: int, attachments: Sequence[Attachment]) -> None:
    tx.change("DELETE FROM attachments WHERE message_id = ?", message_id)
    insert_attachments(tx, message_id, attachments)


def read_attachments(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[Attachment, ...]]:
    """Return the attachments of those messages, by message."""
    asked = json.dumps(ids)
    rows = tx.rows(
        "SELECT message_id, name, media_type, sha256 FROM json_each(?) AS asked"
        " CROSS JOIN attachments ON message_id = asked.value",
        asked,
    )
    digests = json.dumps(list({digest for *_, digest in rows}))
    blobs = "SELECT sha256, data FROM json_each(?) AS asked CROSS JOIN blobs ON sha256 = asked.value"
    contents: dict[str, bytes] = dict(tx.blobs(blobs, digests)) if rows else {}
    found: dict[int, tuple[Attachment, ...]] = {}
    for message_id, name, media_type, digest in rows:
        each = Attachment(name=name, media_type=media_type, data=contents[digest])
        found[message_id] = (*found.get(message_id, ()), each)
    return found
