"""Roles: what a model is to be, under a name. Each is a file, `roles/NAME.md` beside the configuration file.

Its front matter may say who answers and on what terms: that wins over the configuration file, and loses to a flag.
Its text is the system prompt, with `{{variables}}` that are given a value whenever the role is taken. Where `{{input}}`
is in it, it is no system prompt, but what every question is put into: what comes through a pipe may be from anywhere,
and must not speak with the weight of a system prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias, get_args

from llmterm.config.checks import suggestion, texts_check
from llmterm.config.file import ROLES, config_path
from llmterm.config.frontmatter import Entry, FrontMatter, Value, parse
from llmterm.config.settings import Environ, Settings, override
from llmterm.errors import ConfigError, UsageError
from llmterm.messages import Effort, Options, Verbosity
from llmterm.template import Template

INPUT = "input"

_NAME = re.compile(r"\w[\w.-]*")
_SUFFIX = ".md"
# How many are named where there is none of a name.
_LISTED = 10
_NEW = """\
---
#description: what it is for, in one line
#provider: anthropic
#model: claude-haiku-5-5
#temperature: 0.2
#max_tokens: 1000
#seed: 42
#effort: low
#attachments: [style.md]
---
You are …
"""

_Read: TypeAlias = Callable[[Value], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role as its file has it; "", `None` and no `attachments` leave a choice as it is.

    `attachments` are files beside that of the role, which go along with the first question. `prompt` is made of its
    `text`, with the values in it that its variables were given.
    """

    name: str
    path: Path
    description: str = ""
    provider: str = ""
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    effort: Effort | None = None
    top_p: float | None = None
    verbosity: Verbosity | None = None
    service_tier: str | None = None
    web_search: bool | None = None
    attachments: tuple[str, ...] = ()
    text: str = ""
    prompt: Template

    @property
    def variables(self) -> tuple[str, ...]:
        """What has to be given a value before the role can be taken."""
        return tuple(name for name in self.prompt.names if name != INPUT)

    @property
    def asks(self) -> bool:
        """Whether its text is what questions are put into, and no system prompt."""
        return INPUT in self.prompt.names

    @property
    def system(self) -> str | None:
        """The system prompt, None where it has none. All variables have their values."""
        return None if self.asks else self.prompt.text({}) or None

    @property
    def about(self) -> str:
        """What it is, in one line."""
        return self.description or self.text.partition("\n")[0]

    def question(self, text: str) -> str:
        """Return what is asked where that is what the user asks. All variables have their values."""
        return self.prompt.text({INPUT: text}) if self.asks else text

    def with_values(self, values: Mapping[str, str], *, flag: str = "") -> Role:
        """Return the role with these values in the place of its variables; behind the `flag` each is given.

        Raises UsageError where one is missing, or stands for nothing.
        """
        names = self.variables
        unknown = [name for name in values if name not in names]
        if unknown:
            known = f"it has {', '.join(names)}" if names else "it has none"
            known = f"{{{{{INPUT}}}}} is what you ask" if unknown[0] == INPUT else known
            raise UsageError(f"role {self.name} has no variable {unknown[0]!r}", hint=known)
        missing = [name for name in names if name not in values]
        if missing:
            raise UsageError(
                f"role {self.name} needs a value for {' and '.join(missing)}",
                hint=" ".join(f"{flag}{name}=…" for name in missing),
            )
        return replace(self, prompt=self.prompt.filled(values))

    def over(self, settings: Settings) -> Settings:
        """Return the settings with what the role says over them."""
        return override(
            settings,
            provider=self.provider or None,
            model=self.model or None,
            system=self.system,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            seed=self.seed,
            asked_effort=self.effort,
            top_p=self.top_p,
            verbosity=self.verbosity,
            service_tier=self.service_tier,
            web_search=self.web_search,
        )

    def options(self, options: Options) -> Options:
        """Return the options with what the role says over them."""
        said = {name: getattr(self, name) for name in _OPTIONS}
        return replace(options, **{name: value for name, value in said.items() if value is not None})


class RoleFolder:
    """The files of the roles, in one folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, environ: Environ) -> RoleFolder:
        """Return that of the user, beside the configuration file."""
        return cls(config_path(environ).parent / ROLES)

    @property
    def names(self) -> list[str]:
        """Return all there are, in the order of the alphabet."""
        try:
            found = [path.name.removesuffix(_SUFFIX) for path in self.folder.iterdir() if path.suffix == _SUFFIX]
        except OSError:
            return []
        return sorted(name for name in found if _NAME.fullmatch(name))

    def path(self, name: str) -> Path:
        """Return where the role of that name is, or would be. Raises UsageError for a name that none can have."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a role", hint="letters, digits, points, - and _ are in it")
        return self.folder / f"{name}{_SUFFIX}"

    def load(self, name: str) -> Role:
        """Return the role of that name. Raises UsageError where there is none, ConfigError where its file is wrong."""
        path = self.path(name)
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            raise UsageError(f"there is no role {name!r}", hint=self._instead(name)) from None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ConfigError(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from None
        return _role(name, path, parse(text.replace("\r\n", "\n")))

    def new(self, name: str) -> Path:
        """Return the path of the role of that name, with a file there to begin with. Raises UsageError, ConfigError."""
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(_NEW)
        except FileExistsError:
            pass
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from None
        return path

    def _instead(self, name: str) -> str:
        names = self.names
        if near := get_close_matches(name, names, n=3):
            return f"did you mean {' or '.join(near)}?"
        more = ", …" if len(names) > _LISTED else ""
        return f"there are {', '.join(names[:_LISTED])}{more}" if names else f"llmterm roles edit {name} makes it"


def _role(name: str, path: Path, said: FrontMatter) -> Role:
    complaints = [*said.complaints]
    values: dict[str, object] = {}
    for key, entry in said.entries.items():
        try:
            values[key] = _value(key, entry)
        except ValueError as error:
            complaints.append((entry.line, str(error)))
    if complaints:
        raise ConfigError("\n".join(f"{path}:{line}: {complaint}" for line, complaint in sorted(complaints)))
    role = Role(name=name, path=path, text=said.body, prompt=Template.of(said.body))
    return replace(role, **values)  # type: ignore[arg-type]  # each is of the type of its key


def _value(key: str, entry: Entry) -> object:
    """Return the value that a role has by this key. Raises ValueError."""
    if key not in _READERS:
        instead = suggestion(key, tuple(_READERS)) or f": there are {', '.join(_READERS)}"
        raise ValueError(f'unknown key "{key}"{instead}')
    try:
        value = _READERS[key](entry.value)
    except ValueError as error:
        raise ValueError(f"{key} must be {error}") from None
    check = _CHECKS.get(key)
    if check and value is not None and (complaint := check(value)):
        raise ValueError(f"{key} {complaint}")
    return value


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        if value:
            raise ValueError("text, not a list")
        return ""  # nothing stands there
    return value


def _texts(value: Value) -> Sequence[str]:
    if not isinstance(value, tuple):
        raise ValueError('a list like "[one, two]", or of lines of "- one"')
    return value


def _number(value: Value) -> float | None:
    if value == ():
        return None
    try:
        return float(_text(value))
    except ValueError:
        raise ValueError("a number") from None


def _whole(value: Value) -> int | None:
    if value == ():
        return None
    if not re.fullmatch(r"-?\d{1,15}", _text(value), re.ASCII):
        raise ValueError("a whole number")
    return int(_text(value))


def _some_text(value: Value) -> str | None:
    return _text(value) or None


def _one_of(words: object) -> _Read:
    known = get_args(words)

    def read(value: Value) -> str | None:
        if (said := _text(value)) and said not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return said or None

    return read


def _switch(value: Value) -> bool | None:
    if (said := _text(value)) not in ("", "true", "false"):
        raise ValueError("true or false")
    return said == "true" if said else None


# Those that are called as in `Options`.
_OPTIONS = (
    "temperature",
    "max_tokens",
    "seed",
    "effort",
    "top_p",
    "verbosity",
    "service_tier",
    "web_search",
)
_READERS: Mapping[str, _Read] = {
    "description": _text,
    "provider": _text,
    "model": _text,
    "temperature": _number,
    "max_tokens": _whole,
    "seed": _whole,
    "effort": _one_of(Effort),
    "top_p": _number,
    "verbosity": _one_of(Verbosity),
    "service_tier": _some_text,
    "web_search": _switch,
    "attachments": _texts,
}
_CHECKS = {
    **{item.name: item.metadata["check"] for item in fields(Settings) if "check" in item.metadata},
    "attachments": texts_check,
}
