"""What `llmterm batch` is to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from llmterm.batch.journal import journal_of

if TYPE_CHECKING:
    from llmterm.config.roles import Role  # few have one

# Where it is answered: in this process, or on a cluster.
Where: TypeAlias = Literal["local", "ray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked, where the results go, and within which limits. `source` is a file, "-" for standard input.

    `schema` is what `Schema.of` reads, "" for none. The cluster of the `engine` is at the `address`, "" for one that is
    begun here.
    """

    source: str
    output: Path
    template: str = ""
    column: str = "prompt"
    resume: bool = False
    retry_failed: bool = False
    strict: bool = False
    dry_run: bool = False
    budget: float | None = None
    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    schema: str = ""
    role: Role | None = None
    engine: Where = "local"
    address: str = ""
    via_provider: bool = False
    wait: bool = False
    cancel: bool = False

    @property
    def handed_over(self) -> bool:
        """Whether it is the providers' own interfaces that take it, or have it already."""
        return self.via_provider or self.wait or self.cancel or journal_of(self.output).is_file()

    @property
    def folder(self) -> Path:
        """Where the names of attached files begin."""
        return Path() if self.source == "-" else Path(self.source).expanduser().parent
