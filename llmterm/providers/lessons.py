"""What was learned about models by asking them: those that take no beginning of their answer.

Kept in a file, so that each is asked in vain once. A file that cannot be read or written costs that much and no more.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

FILE_NAME = "lessons.json"


class Lessons:
    """Remembers, by provider and model. Without a `folder` only for as long as it lives."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / FILE_NAME if folder else None
        self._known: set[tuple[str, str]] | None = None

    def no_prefill(self, provider: str, model: str) -> bool:
        """Tell whether the model has refused a prefill before."""
        return (provider, model) in self._load()

    def learn_no_prefill(self, provider: str, model: str) -> None:
        known = self._load()
        if (provider, model) in known:
            return
        known.add((provider, model))
        if self._path is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = json.dumps({"no_prefill": sorted(known)}, indent=2)
            # Written beside and moved: two programs that learn at once leave one of the two whole.
            beside = self._path.with_suffix(f".{os.getpid()}")
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._path)

    def _load(self) -> set[tuple[str, str]]:
        if self._known is None:
            self._known = set()
            with suppress(OSError, ValueError, AttributeError, TypeError):
                if self._path is not None:
                    pairs = json.loads(self._path.read_text(encoding="utf-8")).get("no_prefill", ())
                    self._known.update((str(provider), str(model)) for provider, model in pairs)
        return self._known
