"""Which sessions have changed, for whoever wants to hear of that: a turn has begun or ended, there is another title."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class Changes:
    """Knows who watches, and nothing of what has changed."""

    def __init__(self) -> None:
        self._watched: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def watch(self, session_id: str) -> asyncio.Event:
        """Return what is set whenever the session has changed, until `leave`; its reader clears it."""
        changed = asyncio.Event()
        self._watched[session_id].add(changed)
        return changed

    def leave(self, session_id: str, changed: asyncio.Event) -> None:
        self._watched[session_id].discard(changed)
        if not self._watched[session_id]:
            del self._watched[session_id]

    def tell(self, session_id: str | None) -> None:
        for each in self._watched.get(session_id or "", ()):
            each.set()

    def tell_all(self) -> None:
        for session_id in self._watched:
            self.tell(session_id)
