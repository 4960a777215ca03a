"""The sources that an answer names, over all its segments: numbered in the order of their first mention, each once."""

from __future__ import annotations

from llmterm.messages import Cited

_MOST = 100


class Citations:
    def __init__(self) -> None:
        self._titles: dict[str, str] = {}  # by the URL
        self._told = 0

    def add(self, source: Cited) -> None:
        """Take note of a source; of one that is known at most the title is new, and of a hundred none is."""
        if source.url in self._titles or len(self._titles) < _MOST:
            self._titles[source.url] = self._titles.get(source.url) or source.title

    def untold(self) -> list[str]:
        """Return those that were not returned before, a line each."""
        told, self._told = self._told, len(self._titles)
        lines = [" - ".join(filter(None, (title, url))) for url, title in self._titles.items()]
        return [f"[{number}] {line}" for number, line in enumerate(lines[told:], told + 1)]
