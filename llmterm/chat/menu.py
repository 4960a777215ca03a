"""The menu below the line: what the text being typed may become, looked for while it is typed.

What was found for another text than the one that is there is shown until the next is found, but never taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from llmterm.chat.fuzzy import ranked
from llmterm.chat.suggestion import Choice, Find, Found, Later, Suggestion, nothing


class Menu:
    """`suggestions` are its rows, and `at` is the one that is marked; it is open while there are any."""

    def __init__(self) -> None:
        self.suggestions: Sequence[Suggestion] = ()
        self.at: int | None = None
        self._find: Find = nothing
        self._changed: Callable[[], None] = lambda: None
        self._failed: Callable[[Exception], None] = lambda _: None
        self._text = ""
        # Behind that text one of those is picked, whatever else it may become.
        self._picked: tuple[str, Sequence[Choice]] | None = None
        self._moved = False
        self._finding: asyncio.Task[None] | None = None

    def bind(self, find: Find, changed: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        """Find with `find`. `changed` is called when something was found later, `failed` where that is a bug."""
        self._find, self._changed, self._failed = find, changed, failed

    @property
    def open(self) -> bool:
        return bool(self.suggestions)

    @property
    def marked(self) -> Suggestion | None:
        """What is marked, if it was found for what is typed and there is anything to put in."""
        if self._finding is not None or self.at is None:
            return None
        return self.suggestions[self.at] if self.suggestions[self.at].text else None

    @property
    def takes(self) -> bool:
        """Whether Enter takes what is marked, and does not send the line as it is."""
        return self.marked is not None and (self._moved or not self.marked.typed)

    def follow(self, text: str, *, typed: bool) -> None:
        """The text before the cursor is that now. One that was `typed` opens the menu; any other goes on with it."""
        if text != self._text and (typed or self.open or self._finding is not None):
            self.look(text)

    def look(self, text: str) -> None:
        """Find what `text` may become."""
        self._forget()
        self._text = text
        if not text:
            self.close()
            return
        if self._picked is not None and text.startswith(self._picked[0]):
            behind, values = self._picked
            found: Found | Later = Found(meant(values, text.removeprefix(behind)), offered=True)
        else:
            found = self._find(text)
        if isinstance(found, Found):
            self._show(found)
            return
        if any(each.isspace() for each in text[self._start() :]):
            self.suggestions, self.at = (), None  # of another word
        self._finding = asyncio.get_running_loop().create_task(self._wait(found), name="llmterm-menu")

    def pick(self, text: str, values: Sequence[Choice]) -> None:
        """Show which of `values` may stand behind `text`, until the line is another one."""
        self._picked = text, values
        self.look(text)

    async def found(self) -> None:
        """Wait until what is being looked for is found."""
        if self._finding is not None:
            await asyncio.wait({self._finding})

    def close(self) -> None:
        """Show nothing until something else is typed."""
        self._forget()
        self.suggestions, self.at = (), None

    def reset(self) -> None:
        """The line is another one."""
        self.close()
        self._text, self._picked = "", None

    def move(self, step: int) -> None:
        """Mark the next row or the one before, around the ends."""
        last = len(self.suggestions) - 1
        at = self.at if self.at is not None else -1 if step > 0 else last + 1
        self.at = 0 if at + step > last else last if at + step < 0 else at + step
        self._moved = True

    def common(self) -> tuple[str, int]:
        """Return what all that begins as typed begins with, "" where that is no more, and how much it replaces."""
        if not self.suggestions or self._finding is not None:
            return "", 0
        size = self.suggestions[0].replaced
        return shared(self.suggestions, self._text[len(self._text) - size :]), size

    def _start(self) -> int:
        """Return where in the text the word begins that is looked for."""
        return len(self._text) - self.suggestions[0].replaced if self.suggestions else 0

    async def _wait(self, later: Later) -> None:
        try:
            found = await later()
        except Exception as error:
            self._failed(error)
            return
        self._finding = None
        self._show(found)
        self._changed()

    def _show(self, found: Found) -> None:
        self.suggestions = found.suggestions
        self.at = 0 if found.offered and found.suggestions else None
        self._moved = False

    def _forget(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            self._finding = None


def meant(values: Sequence[Choice], typed: str) -> list[Suggestion]:
    """Return the values of an argument that may be meant; a reason why there is none always stands."""
    found = ranked(typed, values, lambda choice: choice[0], lambda choice: choice[1])
    found = found or [choice for choice in values if not choice[0]]
    return [Suggestion(value, len(typed), about, all=not value.endswith(("/", "="))) for value, about in found]


def shared(suggestions: Sequence[Suggestion], typed: str) -> str:
    """Return what all suggestions that begin with `typed` begin with, "" where that is no more than it."""
    texts = [each.text for each in suggestions if each.text.startswith(typed)]
    if not texts:
        return ""
    # What the first and the last in order have in common, all between them have.
    first, last = min(texts), max(texts)
    size = next((at for at, (one, two) in enumerate(zip(first, last, strict=False)) if one != two), len(first))
    return first[:size] if size > len(typed) else ""
