"""Messages taken out of the tree that they form."""

from __future__ import annotations

from llmterm.sessions.database import Transaction


def remove(tx: Transaction, message_id: int) -> None:
    """Delete the message and all below it; its parent, where that is left, becomes the head of the session."""
    session_id, parent_id = tx.row("SELECT session_id, parent_id FROM messages WHERE id = ?", message_id) or ("", None)
    remove_below(tx, message_id)
    tx.change(
        "UPDATE sessions SET head_id = (SELECT id FROM messages WHERE id = ?) WHERE id = ?", parent_id, session_id
    )


def remove_below(tx: Transaction, message_id: int) -> None:
    """Delete the message and all below it, where no session's head is."""
    tx.change(
        "WITH RECURSIVE below (id) AS ("
        " SELECT ? UNION SELECT messages.id FROM messages JOIN below ON parent_id = below.id"
        ") DELETE FROM messages WHERE id IN below",
        message_id,
    )
