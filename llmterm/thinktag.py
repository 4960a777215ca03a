"""Thinking that comes as text: an answer that begins with `<think>` thinks up to `</think>`.

So do self-hosted models whose server has no parser for their thinking. Only at the very beginning of what a model says,
white space aside, is it a tag: anywhere else it is text, such as in an answer about tags. Pure, and independent of how
the text is cut. White space around the tags belongs to them, but for what indents the text behind: that may join it to
something. What is never closed is thinking to its end.
"""

from __future__ import annotations

from typing import Literal

_OPEN, _CLOSE = "<think>", "</think>"
# White space that is held back until it is clear what it belongs to; more of it belongs to the text.
_MOST_HELD = 1000


class ThinkTag:
    """`feed` it all text of an answer from its beginning; `over` says when the rest is text and need not be fed."""

    def __init__(self) -> None:
        self._place: Literal["before", "opened", "inside", "closed", "text"] = "before"
        self._held = ""

    @property
    def over(self) -> bool:
        return self._place == "text"

    @property
    def entered(self) -> bool:
        """Whether something has come of which it depends what the rest is."""
        return self._place != "before" or bool(self._held)

    def feed(self, text: str) -> tuple[str, str]:
        """Return what of the text so far is thinking, and what is text, each without what was returned before."""
        thinking = ""
        text = self._held + text
        self._held = ""
        if self._place == "before":
            text = self._begin(text)
        if self._place in ("opened", "inside"):
            thinking, text = self._think(text)
        if self._place == "closed":
            text = self._end(text)
        return thinking, text

    def close(self) -> tuple[str, str]:
        """Return what was held back, at the end; as text what may have been the beginning of a tag."""
        held, self._held = self._held, ""
        if self._place == "closed":
            return "", ""
        return (held, "") if self._place in ("opened", "inside") else ("", held)

    def _begin(self, text: str) -> str:
        said = text.lstrip()
        if said.startswith(_OPEN):
            self._place = "opened"
            return said.removeprefix(_OPEN)
        if _OPEN.startswith(said) and len(text) <= _MOST_HELD:
            self._held = text
            return ""
        self._place = "text"
        return text

    def _think(self, text: str) -> tuple[str, str]:
        if self._place == "opened":
            text = text.lstrip()
            self._place = "inside" if text else "opened"
        thinking, closed, after = text.partition(_CLOSE)
        if closed:
            self._place = "closed"
            return thinking.rstrip(), after
        # White space and half a tag at the end wait for what comes: it may be the end of the thinking.
        kept = thinking[: len(thinking) - _half(thinking)].rstrip()
        if len(thinking) - len(kept) > _MOST_HELD:
            return thinking, ""
        self._held = thinking[len(kept) :]
        return kept, ""

    def _end(self, text: str) -> str:
        if not text.strip() and len(text) <= _MOST_HELD:
            self._held = text
            return ""
        self._place = "text"
        gap = text[: len(text) - len(text.lstrip())]
        return text[gap.rfind("\n") + 1 :]


def _half(text: str) -> int:
    """Return how many characters at the end of a text may be the beginning of the closing tag."""
    return next((size for size in range(min(len(text), len(_CLOSE) - 1), 0, -1) if _CLOSE.startswith(text[-size:])), 0)
