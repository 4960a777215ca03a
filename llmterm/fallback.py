"""Who answers where a provider cannot begin."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from llmterm.errors import LlmtermError, WishRefusedError
from llmterm.progress import Progress
from llmterm.providers import Provider

# Gives a provider and a model of it, or raises one of our errors.
Fallback: TypeAlias = Callable[[], Awaitable[tuple[Provider, str]]]


class Fallbacks:
    """A chain of providers, each asked once, and built only when its turn comes."""

    def __init__(self, fallbacks: Iterable[Fallback]) -> None:
        self._left = deque(fallbacks)
        self._begun = False

    async def next_for(self, error: LlmtermError, progress: Progress) -> tuple[Provider, str] | None:
        """Return who steps in after `error`, None where nobody is left; say what failed.

        Nobody steps in for a wish that the first one cannot fulfil: that is for who has it to change.
        """
        if isinstance(error, WishRefusedError) and not self._begun:
            return None
        self._begun = True
        while self._left:
            progress.say(str(error))
            try:
                return await self._left.popleft()()
            except LlmtermError as unusable:
                error = unusable
        return None
