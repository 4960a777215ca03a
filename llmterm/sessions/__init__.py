"""Sessions: every conversation, and the answer being streamed right now, in one SQLite file.

What `SessionStore` and `AnswerLog` have returned from is on the disk; a killed process loses at most what it had not
journalled yet. All calls are synchronous, meant for a thread that may wait, and raise `SessionError` only. When to
journal, and what to do with an answer that was cut, is decided by whoever drives the turn.
"""

from llmterm.sessions.answer import AnswerLog
from llmterm.sessions.export import closed, export, markdown
from llmterm.sessions.record import Earlier, Hit, OpenAnswer, SessionInfo, SessionState, StoredSession, Version
from llmterm.sessions.store import SessionStore

__all__ = [
    "AnswerLog",
    "Earlier",
    "Hit",
    "OpenAnswer",
    "SessionInfo",
    "SessionState",
    "SessionStore",
    "StoredSession",
    "Version",
    "closed",
    "export",
    "markdown",
]
