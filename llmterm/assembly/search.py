"""The search for an Ollama, beside whatever else is done at the start.

Most often there is none, or it answers, within some milliseconds. One that keeps silent, or an address that leads
nowhere, would have a chat stand still before its first prompt: there the search goes on while the user types.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

# Seconds. How long a start waits, as nobody would notice; how long somebody waits who has asked; and the search itself.
MOMENT = 0.05
PATIENCE = 2.0
_LONGEST = 30.0
_LISTENS = 0.2

# What is seen of an Ollama: nothing yet, one without a model, one that can answer.
Seen: TypeAlias = Literal["unseen", "empty", "ready"]


class Search:
    """Begins when it is first asked for; in a thread, as nothing else ends a wait for a name."""

    def __init__(self, url: Callable[[], str]) -> None:
        """`url` gives the address, and may raise ConfigError."""
        self._url = url
        self._seen: Seen = "unseen"
        self._begun = False
        self._over = threading.Event()

    @property
    def pending(self) -> bool:
        """Whether it has begun, and nothing is known yet."""
        return self._begun and not self._over.is_set()

    def found(self, seconds: float = PATIENCE) -> bool:
        """Tell whether there is one with something to answer with, as far as that is known within so many seconds."""
        if not self._begun:
            url, self._begun = self._url(), True
            threading.Thread(target=self._look, args=(url,), daemon=True, name="llmterm-search").start()
        self._over.wait(seconds)
        return self._seen == "ready"

    @property
    def seen(self) -> Seen:
        """What is known by now."""
        return self._seen

    def _look(self, url: str) -> None:
        try:
            if answers(url):
                self._seen = _models(url)
        finally:
            self._over.set()


def answers(url: str) -> bool:
    """Tell whether something listens at an address, which is asked for a moment only."""
    import socket

    try:
        parts = urlsplit(url)
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_LISTENS).close()
    except (OSError, ValueError):  # also of a name that is none
        return False
    return True


def _models(url: str) -> Seen:
    """Tell whether what listens is an Ollama, and has models."""
    from llmterm.assembly.probe import tags

    listed = tags(url, _LONGEST)
    if not isinstance(listed, dict) or "models" not in listed:
        return "unseen"
    return "ready" if listed["models"] else "empty"
