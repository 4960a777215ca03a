"""Which sessions have changed, for whoever wants to hear of that: a turn has begun or ended, there is another title."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, defaultdict


class Changes:
    """Knows who watches, and how often something has changed, but not what."""

    def __init__(self) -> None:
        self._watched: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._changed: Counter[str] = Counter()
        # No two runs of the service count alike.
        self._run = secrets.token_hex(4)

    def watch(self, session_id: str) -> asyncio.Event:
        """Return what is set whenever the session has changed, until `leave`; its reader clears it."""
        changed = asyncio.Event()
        self._watched[session_id].add(changed)
        return changed

    def leave(self, session_id: str, changed: asyncio.Event) -> None:
        self._watched[session_id].discard(changed)
        if not self._watched[session_id]:
            del self._watched[session_id]

    def mark(self, session_id: str) -> str:
        """Return what is another one as soon as the session has changed."""
        return f"{self._run}.{self._changed[session_id]}"

    def tell(self, session_id: str | None) -> None:
        self._changed[session_id or ""] += 1
        for each in self._watched.get(session_id or "", ()):
            each.set()

    def tell_all(self) -> None:
        for each in (each for watching in self._watched.values() for each in watching):
            each.set()
