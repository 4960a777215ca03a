"""What the user may change while the chat goes on: who answers, and how an answer is paused and gone on with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from llmterm.chat.commands import Choice, Command, choices
from llmterm.errors import LlmtermError, UsageError
from llmterm.messages import Continuation, Options
from llmterm.providers.registry import ProviderRegistry

PauseMode: TypeAlias = Literal["cut", "hold"]
ThemeChoice: TypeAlias = Literal["auto", "dark", "light"]
_CONTINUATIONS: tuple[Continuation, ...] = get_args(Continuation)
_AUTO = "auto"
_DEFAULT = "default"
_HOTTEST = 2.0


@dataclass(slots=True, kw_only=True)
class Choices:
    """The choices as they stand.

    `fallback`: who answers, in this order, where the provider cannot begin, as "provider" or "provider/model".
    `hold_limit`: seconds after which a held stream is cut. `resume_mode`: how answers are gone on with, whatever is
    known of their model. `auto_resume`: how often an answer whose connection breaks goes on by itself. `named`:
    provider or model were named on the command line, and also go on with an answer that others began. `theme` "auto"
    is the one that fits the terminal's background. `search`, while nobody was chosen, gives provider and model once it
    is known who answers by default; until then it is who answers where nobody else is found.
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


class Choosing:
    """The commands that change the choices."""

    def __init__(self, *, registry: ProviderRegistry, choices: Choices, say: Callable[[str], None]) -> None:
        self._registry = registry
        self._choices = choices
        self._say = say

    def commands(self) -> list[Command]:
        return [
            Command(
                name="model",
                argument="[NAME]",
                summary="show or change the model",
                run=self._set_model,
                values=self._model_names,
            ),
            Command(
                name="provider",
                argument="[NAME[/MODEL]]",
                summary="show or change the provider",
                run=self._set_provider,
                values=self._provider_names,
            ),
            Command(
                name="pause-mode",
                argument="[cut|hold]",
                summary="cut the stream at a pause, or hold the screen",
                run=self._set_pause_mode,
                values=choices(*get_args(PauseMode)),
            ),
            Command(
                name="resume-mode",
                argument="[MODE]",
                summary="how an answer is gone on with",
                run=self._set_resume_mode,
                values=choices(_AUTO, *_CONTINUATIONS),
            ),
            Command(
                name="temperature",
                argument="[NUMBER|default]",
                summary="show or set how freely words are chosen",
                run=self._set_temperature,
                values=choices(_DEFAULT),
            ),
            Command(
                name="theme",
                argument="[auto|dark|light]",
                summary="show or set the colours of answers",
                run=self._set_theme,
                values=choices(*get_args(ThemeChoice)),
            ),
        ]

    def choose(self, provider: str, model: str) -> None:
        """Have `model` answer from now on; "" for the provider leaves that as it is. Raises our errors."""
        if provider:
            self._registry.require(provider)
        self._registry.get(provider or self._choices.provider).preparation(model)
        self._choices.search = None
        self._choices.provider = provider or self._choices.provider
        self._choices.model = model

    async def decide(self) -> None:
        """Wait until it is known who answers by default, where that is looked for and nobody was chosen meanwhile."""
        search, self._choices.search = self._choices.search, None
        if search is None:
            return
        try:
            found = await search()
            if found != (self._choices.provider, self._choices.model):
                self.choose(*found)
                self._say(f"{self._registry.label(*found)} answers")
        except LlmtermError as error:
            self._say(f"{error}; {self._registry.label(self._choices.provider, self._choices.model)} answers")

    async def go_over(self, given: str) -> None:
        """Have "provider", "provider/model" or a model of the provider answer from now on. Raises our errors."""
        if given in self._registry.names:
            self.choose(*await self._registry.choose(given))
        else:
            self._choose_model(given)

    def _choose_model(self, name: str) -> None:
        current = self._choices.provider
        provider, model = self._registry.locate(name, current)
        self.choose("" if provider == current else provider, model)

    async def _set_model(self, name: str) -> None:
        await self.decide()  # whose model it is
        if name:
            self._choose_model(name)
        self._say(self._registry.label(self._choices.provider, self._choices.model))

    async def _set_provider(self, given: str) -> None:
        if given:
            self.choose(*await self._registry.choose(given))
        self._say(self._registry.label(self._choices.provider, self._choices.model))

    async def _set_pause_mode(self, mode: str) -> None:
        match mode:
            case "cut" | "hold":
                self._choices.pause_mode = mode
            case "":
                pass
            case _:
                raise UsageError(f"there is no pause mode {mode!r}", hint="cut or hold")
        self._say(f"pause mode: {self._choices.pause_mode}")

    async def _set_resume_mode(self, mode: str) -> None:
        if mode == _AUTO:
            self._choices.resume_mode = None
        elif mode:
            known = {name: name for name in _CONTINUATIONS}
            if mode not in known:
                raise UsageError(f"there is no resume mode {mode!r}", hint=f"auto, {', '.join(known)}")
            self._choices.resume_mode = known[mode]
        self._say(f"resume mode: {self._choices.resume_mode or _AUTO}")

    async def _set_temperature(self, given: str) -> None:
        if given:
            self._choices.options = replace(self._choices.options, temperature=_temperature(given))
        now = self._choices.options.temperature
        self._say("temperature: " + ("the provider's default" if now is None else f"{now:g}"))

    async def _set_theme(self, theme: str) -> None:
        match theme:
            case "auto" | "dark" | "light":
                self._choices.theme = theme
            case "":
                pass
            case _:
                raise UsageError(f"there is no theme {theme!r}", hint="auto, dark or light")
        self._say(f"theme: {self._choices.theme}")

    async def _provider_names(self, _typed: str) -> Sequence[Choice]:
        return [(name, self._registry.label(*self._registry.resolve(name))) for name in self._registry.names]

    async def _model_names(self, _typed: str) -> Sequence[Choice]:
        try:
            return [(model, "") for model in await self._registry.models(self._choices.provider)]
        except LlmtermError as error:
            return [("", str(error))]  # nothing to put in, but it is seen why


def _temperature(given: str) -> float | None:
    if given == _DEFAULT:
        return None
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _HOTTEST:
        raise UsageError(f"{given} is no temperature", hint=f"a number from 0 to {_HOTTEST:g}, or {_DEFAULT}")
    return value
