"""The providers by name, each built when it is first needed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llmterm.errors import UsageError
from llmterm.providers import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How to build a provider, the model it uses unless told otherwise, and what that model is called on the screen."""

    build: Callable[[], Provider]
    model: str
    label: Callable[[str], str] = str


class ProviderRegistry:
    """Builds providers lazily and closes those it built."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)
        self._built: dict[str, Provider] = {}

    @property
    def names(self) -> list[str]:
        return list(self._entries)

    def get(self, name: str) -> Provider:
        """Return the provider of that name. Raises UsageError where there is none."""
        entry = self._entry(name)
        if name not in self._built:
            self._built[name] = entry.build()
        return self._built[name]

    def default_model(self, name: str) -> str:
        return self._entry(name).model

    def label(self, name: str, model: str) -> str:
        """Return what the screen calls `model` of provider `name`."""
        return f"{name}/{self._entry(name).label(model)}"

    async def aclose(self) -> None:
        while self._built:
            _, provider = self._built.popitem()
            await provider.aclose()

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._entries)}"
            raise UsageError(f"there is no provider {name!r}", hint=hint)
        return entry
