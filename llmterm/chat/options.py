"""What the user may change while the chat goes on: who answers, and how an answer is paused and resumed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, get_args

from llmterm.errors import LlmtermError, UsageError
from llmterm.files import TextFile
from llmterm.messages import Attachment, Continuation, Effort, Options, Verbosity
from llmterm.providers.registry import ProviderRegistry

if TYPE_CHECKING:
    from llmterm.config.roles import Role

PauseMode: TypeAlias = Literal["cut", "hold"]

# At a cursor nothing is asked: where there is one, an answer goes on there unless one of these is chosen.
CONTINUATIONS: tuple[Continuation, ...] = tuple(each for each in get_args(Continuation) if each != "cursor")
AUTO = "auto"
DEFAULT = "default"
NO_ROLE = "none"

Value: TypeAlias = str | float | bool

_HOTTEST = 2.0


class Wish(NamedTuple):
    """An option of questions that has a command of its own; `option` is its name in `Options`.

    `read` makes its value of what is typed, or raises UsageError; `words` are what can be typed, where it is that.
    """

    option: str
    summary: str
    read: Callable[[str], Value]
    words: Sequence[str] = ()
    argument: str = ""

    @property
    def command(self) -> str:
        return self.option.replace("_", "-")

    @property
    def title(self) -> str:
        return self.option.replace("_", " ").replace("top p", "top-p")

    @property
    def takes(self) -> str:
        """What the command is followed by, as it stands in the help."""
        return f"[{self.argument or '|'.join(self.words)}|{DEFAULT}]"


def shown(value: Value | None) -> str:
    match value:
        case None:
            return "the provider's default"
        case str():
            return value
        case bool():
            return "on" if value else "off"
        case _:
            return f"{value:g}"


def _number(what: str, most: float) -> Callable[[str], float]:
    def read(given: str) -> float:
        try:
            value = float(given)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise UsageError(f"{given} is no {what}", hint=f"a number from 0 to {most:g}, or {DEFAULT}")
        return value

    return read


def _one_of(what: str, words: Sequence[str]) -> Callable[[str], str]:
    def read(given: str) -> str:
        if given not in words:
            raise UsageError(f"there is no {what} {given!r}", hint=", ".join([*words, DEFAULT]))
        return given

    return read


def _word(given: str) -> str:
    if len(given.split()) > 1:
        raise UsageError(
            f"{given!r} is no service tier", hint=f"one word of the provider's, such as flex, or {DEFAULT}"
        )
    return given


def _switch(given: str) -> bool:
    return _one_of("way to search", ("on", "off"))(given) == "on"


TEMPERATURE: Final = Wish(
    "temperature", "show or set how freely words are chosen", _number("temperature", _HOTTEST), argument="NUMBER"
)
EFFORT: Final = Wish(
    "effort", "show or set how much a model thinks", _one_of("effort", get_args(Effort)), get_args(Effort)
)
OTHERS: Final = (
    Wish("top_p", "show or set from how many words is chosen", _number("top-p", 1.0), argument="NUMBER"),
    Wish("verbosity", "show or set how much is said", _one_of("verbosity", get_args(Verbosity)), get_args(Verbosity)),
    Wish("service_tier", "show or set how fast and how dear it is", _word, argument="NAME"),
    Wish("web_search", "show or set whether the provider looks things up", _switch, ("on", "off")),
)
WISHES: Final = (TEMPERATURE, EFFORT, *OTHERS)


class Terms(NamedTuple):
    """What a role may change: provider and model, options, the system prompt."""

    who: tuple[str, str]
    options: Options
    system: str


class TakenRole(NamedTuple):
    """A role, what goes along with it, and what it has changed."""

    role: Role
    files: Sequence[TextFile | Attachment]
    before: Terms
    after: Terms

    def without(self, now: Terms) -> Terms:
        """Return what holds `now` without the role: what was changed since stays."""
        return Terms(
            self.before.who if now.who == self.after.who else now.who,
            self.before.options if now.options == self.after.options else now.options,
            self.before.system if now.system == self.after.system else now.system,
        )


@dataclass(slots=True, kw_only=True)
class Choices:
    """The choices as they stand.

    `fallback`: who answers, in this order, where the provider cannot begin, as "provider" or "provider/model".
    `hold_limit`: seconds after which a held stream is cut. `resume_mode`: how answers are resumed, whatever is known of
    their model. `auto_resume`: how often an answer whose connection breaks is resumed by itself. `named`: provider or
    model were named on the command line, and also go on with an answer that others began. `theme` is one of `themes`,
    "auto" the one that fits the terminal's background. `search`, while nobody was chosen, gives provider and model once
    it is known who answers by default; until then it is who answers where nobody else is found. `taken` is the
    role that was, if one was.
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
    theme: str = AUTO
    themes: tuple[str, ...] = (AUTO,)
    search: Callable[[], Awaitable[tuple[str, str]]] | None = None
    taken: TakenRole | None = None

    @property
    def holds(self) -> bool:
        """Whether a pause only holds the screen, while the answer goes on, at its provider or here."""
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

    def set_pause_mode(self, mode: str) -> None:
        """Have a pause cut the stream, or hold the screen. Raises UsageError for all else."""
        match mode:
            case "cut" | "hold":
                self.pause_mode = mode
            case _:
                raise UsageError(f"there is no pause mode {mode!r}", hint="cut or hold")

    def set_resume_mode(self, mode: str) -> None:
        """Have answers resumed in that way, or, by "auto", as fits their model. Raises UsageError for all else."""
        named = next((each for each in CONTINUATIONS if each == mode), None)
        if named is None and mode != AUTO:
            raise UsageError(f"there is no resume mode {mode!r}", hint=", ".join([AUTO, *CONTINUATIONS]))
        self.resume_mode = named

    def set_wish(self, wish: Wish, given: str) -> None:
        """Set an option of what is asked from now on, or leave it to the provider. Raises UsageError."""
        value = None if given == DEFAULT else wish.read(given)
        self.options = replace(self.options, **{wish.option: value})  # type: ignore[arg-type]  # of the option's type

    def set_theme(self, theme: str) -> None:
        """Have answers in these colours. Raises UsageError for a theme that there is not."""
        if theme not in self.themes:
            raise UsageError(f"there is no theme {theme!r}", hint=", ".join(self.themes))
        self.theme = theme

    def lay_under(self, asked: Options) -> None:
        """Put the options that an answer was asked for with under those that were given since.

        Not its schema: that was for this answer, and the next ones are a conversation.
        """
        self.options = self.options.over(replace(asked, schema=None))
