"""What the user may change while the chat goes on: who answers, and how an answer is paused and resumed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

from llmterm.errors import LlmtermError
from llmterm.messages import Continuation, Options
from llmterm.providers.registry import ProviderRegistry

PauseMode: TypeAlias = Literal["cut", "hold"]
ThemeChoice: TypeAlias = Literal["auto", "dark", "light"]


@dataclass(slots=True, kw_only=True)
class Choices:
    """The choices as they stand.

    `fallback`: who answers, in this order, where the provider cannot begin, as "provider" or "provider/model".
    `hold_limit`: seconds after which a held stream is cut. `resume_mode`: how answers are resumed, whatever is known of
    their model. `auto_resume`: how often an answer whose connection breaks is resumed by itself. `named`: provider or
    model were named on the command line, and also go on with an answer that others began. `theme` "auto" is the one
    that fits the terminal's background. `search`, while nobody was chosen, gives provider and model once it is known
    who answers by default; until then it is who answers where nobody else is found.
    """

    provider: str
    model: str
    options: Options
    fallback: tuple[str, ...] = ()
    pause_mode: PauseMode = "cut"
    hold_limit: float = 60.0
    resume_mode: Continuation | None = None
    auto_resume: int = 0
    named: bool = False
    theme: ThemeChoice = "auto"
    search: Callable[[], Awaitable[tuple[str, str]]] | None = None

    @property
    def holds(self) -> bool:
        """Whether a pause only holds the screen, while the stream is read on."""
        return self.pause_mode == "hold"

    def choose(self, registry: ProviderRegistry, provider: str, model: str) -> None:
        """Have `model` answer from now on; "" for the provider leaves that as it is. Raises our errors."""
        if provider:
            registry.require(provider)
        registry.get(provider or self.provider).preparation(model)
        self.search = None
        self.provider = provider or self.provider
        self.model = model

    async def decide(self, registry: ProviderRegistry) -> str:
        """Wait until it is known who answers by default, where that is looked for and nobody was chosen meanwhile.

        Return what is to be said of it.
        """
        search, self.search = self.search, None
        if search is None:
            return ""
        try:
            found = await search()
            if found == (self.provider, self.model):
                return ""
            self.choose(registry, *found)
            return f"{registry.label(*found)} answers"
        except LlmtermError as error:
            return f"{error}; {registry.label(self.provider, self.model)} answers"

    def choose_model(self, registry: ProviderRegistry, name: str) -> None:
        """Have a model answer, of this provider or of "provider/model". Raises our errors."""
        provider, model = registry.locate(name, self.provider)
        self.choose(registry, "" if provider == self.provider else provider, model)

    async def move(self, registry: ProviderRegistry, given: str) -> None:
        """Have "provider", "provider/model" or a model of the provider answer from now on. Raises our errors."""
        if given in registry.names:
            self.choose(registry, *await registry.choose(given))
        else:
            self.choose_model(registry, given)

    def lay_under(self, asked: Options) -> None:
        """Put the options that an answer was asked for with under those that were given since."""
        chosen = {field.name: getattr(self.options, field.name) for field in fields(Options)}
        self.options = replace(asked, **{name: value for name, value in chosen.items() if value not in (None, ())})
