"""A bar that says how far something is, in a terminal, until it is over. Then nothing is left of it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

_WIDTH = 20


class ProgressBar:
    """On standard error. It is drawn by `show` alone: no thread writes beside those who write."""

    def __init__(self) -> None:
        words = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), BarColumn(bar_width=_WIDTH), TaskProgressColumn(), words)
        self._progress = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, done: int, total: int | None, words: str) -> None:
        """Draw it: so much is `done`, of a `total` that is None while nobody knows it."""
        self._progress.update(self._task, completed=done, total=total, description=words)
        self._progress.refresh()
