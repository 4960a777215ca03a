"""What was learned about models by asking them: those that take no beginning of their answer, or no images, show no
thoughts, or do not go on without a reader.

Kept in a file, so that each is asked in vain once. A file that cannot be read or written costs that much and no more.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

FILE_NAME = "lessons.json"

# The model has refused a prefill, an image, or to go on without a reader; the account may not have summaries of what it
# thought.
Lesson: TypeAlias = Literal["no_prefill", "no_images", "no_summary", "no_background"]


class Learned:
    """Remembers, by provider and model. Without a `folder` only for as long as it lives."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / FILE_NAME if folder else None
        self._learned: dict[Lesson, set[tuple[str, str]]] | None = None

    def knows(self, lesson: Lesson, provider: str, model: str) -> bool:
        """Tell whether that was learned of the model before."""
        return (provider, model) in self._load()[lesson]

    def learn(self, lesson: Lesson, provider: str, model: str) -> None:
        learned = self._load()
        if (provider, model) in learned[lesson]:
            return
        learned[lesson].add((provider, model))
        if self._path is None:
            return
        # Written beside and moved: two programs that learn at once leave one of the two whole.
        beside = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = json.dumps({name: sorted(pairs) for name, pairs in learned.items()}, indent=2)
            with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            beside.replace(self._path)
        with suppress(OSError):
            beside.unlink(missing_ok=True)  # of an attempt that failed

    def _load(self) -> dict[Lesson, set[tuple[str, str]]]:
        if self._learned is None:
            self._learned = {lesson: set(self._read(lesson)) for lesson in get_args(Lesson)}
        return self._learned

    def _read(self, lesson: Lesson) -> list[tuple[str, str]]:
        with suppress(OSError, ValueError, AttributeError, TypeError, RecursionError):
            if self._path is not None and self._path.is_file():
                pairs = json.loads(self._path.read_text(encoding="utf-8")).get(lesson, ())
                return [(str(provider), str(model)) for provider, model in pairs]
        return []
