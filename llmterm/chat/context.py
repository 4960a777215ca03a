"""What the commands of a chat are about: its session, who answers, what goes with the next message, the open answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmterm.chat.answer import Answer
from llmterm.chat.attachments import Attachments
from llmterm.chat.options import Choices, Wish, shown
from llmterm.chat.view import View
from llmterm.errors import UsageError
from llmterm.marker import marker_note
from llmterm.messages import StreamLimits
from llmterm.providers.registry import ProviderRegistry

if TYPE_CHECKING:
    from llmterm.chat.machine import Machine  # not for every start, as they are nothing but types
    from llmterm.chat.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """What stays as it is while the chat goes on. `keys` are those of commands, by their names.

    `roles` is the folder where roles are. `once`: there is one question, after whose answer the program ends; one that
    rests by itself is left, too.
    Where it is `plain` nothing opens by itself: what can be picked has numbers. `advice` on a provider and its model is
    a line for the welcome, "" for none.
    """

    marker: str | None
    limits: StreamLimits
    keys: Mapping[str, str]
    roles: Path
    once: bool = False
    plain: bool = False
    advice: Callable[[str, str], str] = lambda _provider, _model: ""

    @property
    def note(self) -> str:
        """What the system prompt says about the marker."""
        return "" if self.marker is None else marker_note(self.marker)


class Context:
    """Handed to every command. `answer` is the one at rest, None while there is none."""

    def __init__(
        self,
        *,
        session: Session,
        registry: ProviderRegistry,
        choices: Choices,
        attachments: Attachments,
        view: View,
        machine: Machine,
        settings: ChatSettings,
    ) -> None:
        self.session = session
        self.registry = registry
        self.choices = choices
        self.attachments = attachments
        self.view = view
        self.machine = machine
        self.settings = settings
        self.answer: Answer | None = None

    def wished(self, wish: Wish) -> str:
        """Return how an option stands, in words."""
        value = getattr(self.choices.options, wish.option)
        configured = (
            self.registry.effort(self.choices.provider, self.choices.model) if wish.option == "effort" else None
        )
        return f"{configured}, as configured" if value is None and configured else shown(value)

    @contextmanager
    def resting(self, answer: Answer) -> Iterator[None]:
        """Have `answer` be the one at rest, inside."""
        self.answer = answer
        try:
            yield
        finally:
            self.answer = None

    @property
    def label(self) -> str:
        """Who answers."""
        return self.registry.label(self.choices.provider, self.choices.model)

    def goes_on(self, before: str) -> str:
        """Return what is to be said where somebody else answers than `before`, the label of then; "" if nobody does."""
        return "" if self.label == before else f"{self.label} answers from now on, no longer {before}"

    @property
    def paused(self) -> Answer:
        """The answer at rest. Raises UsageError where there is none."""
        if self.answer is None:
            raise UsageError("no answer is paused", hint="SPACE pauses one")
        return self.answer
