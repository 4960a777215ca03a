"""What was handed to providers and has not come back: a file beside the answers, which is only added to.

A line says that a parcel is about to be submitted, and is on the disk before it is; another one what job it has become,
and a last one that all of it is in the results. Who is killed between the first two looks for the mark among the
provider's jobs. No key is in it, nor what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llmterm.batch.parcels import Line
from llmterm.batch.results import Lines
from llmterm.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A parcel that is, or may be, at a provider: `at` seconds since 1970, as the `job` of that name, "" if unheard."""

    mark: str
    provider: str
    model: str
    at: float
    lines: Sequence[Line]
    job: str = ""


class Journal:
    """The submissions that are `open`, by their marks."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for a file that is none, or that another batch is using."""
        self.path = path
        self._lines = Lines(path)
        self.open: dict[str, Submission] = {}
        try:
            for entry in _entries(path):
                self._take(entry)
        except BaseException as error:
            self._lines.close()
            if isinstance(error, KeyError | ValueError | TypeError):
                raise UsageError(f"{path} is no journal of a batch", hint="-o names another file") from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        if not self.open:
            with suppress(OSError):
                self.path.unlink()

    def submit(self, submission: Submission) -> None:
        """Write that this is about to be submitted."""
        self._add(
            {
                "id": submission.mark,
                "is": "submitting",
                "provider": submission.provider,
                "model": submission.model,
                "at": submission.at,
                "lines": [list(line) for line in submission.lines],
            }
        )

    def accept(self, mark: str, job: str) -> None:
        """Write what job has become of it."""
        self._add({"id": mark, "is": "accepted", "job": job})

    def close(self, mark: str) -> None:
        """Write that nothing more comes of it: it is in the results, or was never accepted."""
        self._add({"id": mark, "is": "over"})

    def _add(self, entry: Mapping[str, Any]) -> None:
        self._lines.add([entry])
        self._lines.sync()
        self._take(entry)

    def _take(self, entry: Mapping[str, Any]) -> None:
        mark = entry["id"]
        match entry["is"]:
            case "submitting":
                self.open[mark] = Submission(
                    mark=mark,
                    provider=entry["provider"],
                    model=entry["model"],
                    at=float(entry["at"]),
                    lines=tuple(Line(*line) for line in entry["lines"]),
                )
            case "accepted":
                self.open[mark] = replace(self.open[mark], job=entry["job"])
            case "over":
                self.open.pop(mark, None)
            case _:
                raise ValueError


def journal_of(path: Path) -> Path:
    """Return where the journal is: `answers.jobs.jsonl` for `answers.jsonl`."""
    return path.with_name(f"{path.stem}.jobs.jsonl")


def _entries(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)
