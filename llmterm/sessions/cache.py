"""Whole answers by the key of what was asked: the newest thousand, in the file of the sessions.

What makes two questions the same, and which answers are worth keeping, is decided by whoever computes the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from llmterm.messages import EndReason, Usage
from llmterm.sessions.answer import Clock
from llmterm.sessions.database import Database
from llmterm.sessions.rows import time_column

MOST_ANSWERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """What a provider answered. `usage` is what it took then; another reading of it takes nothing."""

    text: str
    thinking: str = ""
    finish: EndReason = EndReason.STOP
    usage: Usage = field(default_factory=Usage)


class AnswerCache:
    """The cache of one store. Made by `SessionStore.answers`; every method raises SessionError."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get(self, key: str) -> CachedAnswer | None:
        with self._database.reading() as tx:
            row = tx.row("SELECT text, thinking, finish, input_tokens, output_tokens FROM answers WHERE key = ?", key)
            if row is None:
                return None
            text, thinking, finish, asked, answered = row
            return CachedAnswer(
                text=text,
                thinking=thinking,
                finish=EndReason(finish),
                usage=Usage(input_tokens=asked, output_tokens=answered),
            )

    def put(self, key: str, answer: CachedAnswer) -> None:
        """Keep the answer, in the place of an earlier one to the same question; the oldest makes room."""
        usage = answer.usage
        with self._database.writing() as tx:
            tx.change(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(key, answer.text, answer.thinking, answer.finish, usage.input_tokens, usage.output_tokens),
                time_column(self._clock()),
            )
            # Rows are numbered as they come, a replaced one anew. Going by number reads none of their text.
            tx.change(
                "DELETE FROM answers WHERE rowid <= (SELECT rowid FROM answers ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
                MOST_ANSWERS,
            )

    def clear(self) -> None:
        """Forget all answers, leaving nothing of their text in the file."""
        with self._database.writing() as tx:
            tx.change("DELETE FROM answers")
        self._database.forget()
