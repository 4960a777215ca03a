"""What every command takes that has a question answered: who answers, on what terms, and in which session.

Each option is declared once, as a field, and a command that is `answering` has all of them as parameters of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property, wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_type_hints

import typer

from llmterm import config
from llmterm.assembly.launch import Launch, launch, require_key, store
from llmterm.cli.output import one_of
from llmterm.errors import SessionError, UsageError
from llmterm.marker import check_marker
from llmterm.messages import Effort, Verbosity
from llmterm.sessions.record import LAST

if TYPE_CHECKING:
    from llmterm.config.roles import Role
    from llmterm.sessions import StoredSession


RoleOption: TypeAlias = Annotated[str | None, typer.Option("--role", help="What it is to be: one of `llmterm roles`.")]
VarOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--var", "-v", metavar="NAME=VALUE", help="A variable of the role. Several times.")
]
EffortOption: TypeAlias = Annotated[
    str | None, typer.Option("--effort", help="How much it thinks: off, minimal, low, medium, high or max.")
]
TopPOption: TypeAlias = Annotated[
    float | None, typer.Option("--top-p", help="From 0 to 1: how many of the likely words it chooses from.")
]
VerbosityOption: TypeAlias = Annotated[
    str | None, typer.Option("--verbosity", help="How much it says: low, medium or high, where a provider has that.")
]
ServiceTierOption: TypeAlias = Annotated[
    str | None, typer.Option("--service-tier", help="In a provider's own word: flex, priority ...")
]
WebSearchOption: TypeAlias = Annotated[
    bool | None, typer.Option("--web-search/--no-web-search", help="The provider looks things up, where it can.")
]


class AnswerFlags:
    """The options as they were given, over the environment and the file.

    No dataclass, which would be made from source at every start: it is only read.
    """

    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Who answers: openai, anthropic, ollama, local ...")
    ] = None
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model, or PROVIDER/MODEL, or the path of a GGUF file.")
    ] = None
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system prompt.")] = None
    role: RoleOption = None
    var: VarOption = None
    session: Annotated[str | None, typer.Option("--session", help="Go on with this session.")] = None
    latest: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the newest session.")] = False
    keys: Annotated[str | None, typer.Option("--keys", help="terminal, or global for the hot key too.")] = None
    pause_mode: Annotated[
        str | None, typer.Option("--pause-mode", help="cut ends the stream at a pause, hold reads it on.")
    ] = None
    plain: Annotated[bool | None, typer.Option("--plain", help="No colour, no cursor movement.")] = None
    theme: Annotated[
        str | None, typer.Option("--theme", help="The colours: auto, dark, light, high-contrast, or one of your own.")
    ] = None
    temperature: Annotated[float | None, typer.Option("--temperature", help="From 0 to 2.")] = None
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Of an answer, however often paused.")] = None
    seed: Annotated[int | None, typer.Option("--seed", help="The same answer again, where a model can.")] = None
    effort: EffortOption = None
    top_p: TopPOption = None
    verbosity: VerbosityOption = None
    service_tier: ServiceTierOption = None
    web_search: WebSearchOption = None
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds of silence before an answer rests.")] = (
        None
    )
    connect_timeout: Annotated[
        float | None, typer.Option("--connect-timeout", help="Seconds until the connection must stand.")
    ] = None
    first_token_timeout: Annotated[
        float | None, typer.Option("--first-token-timeout", help="Seconds until an answer must begin.")
    ] = None
    stream_timeout: Annotated[
        float | None, typer.Option("--stream-timeout", help="Seconds that an answer may take in all.")
    ] = None
    marker: Annotated[str | None, typer.Option("--marker", help="What the model writes to stop itself.")] = None
    no_marker: Annotated[bool, typer.Option("--no-marker", help="The model cannot stop itself.")] = False
    cache: Annotated[bool, typer.Option("--cache", help="The same question has the same answer, at once.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Keep a log of what happens, without what is said.")] = False
    debug_text: Annotated[bool, typer.Option("--debug-text", help="Keep a log with what is said, too.")] = False

    def __init__(self, given: Mapping[str, Any]) -> None:
        vars(self).update(given)

    @cached_property
    def taken(self) -> Role | None:
        """The role that is meant, with its values. Raises UsageError and ConfigError."""
        return role_of(self.role, self.var or ())

    def settings(self) -> config.Settings:
        """Return the settings of the file and the role, with these over them. Raises UsageError and ConfigError."""
        return self._over(self.taken)

    def _over(self, role: Role | None) -> config.Settings:
        return _settings(
            role,
            {
                "system": self.system,
                "temperature": self.temperature,
                "max_tokens": self.max_tokens,
                "seed": self.seed,
                **self.wishes,
                "cache": self.cache or None,
                "debug": self.debug or self.debug_text or None,
            },
            chat={
                "keys": one_of("--keys", self.keys, "terminal", "global"),
                "pause_mode": one_of("--pause-mode", self.pause_mode, "cut", "hold"),
                "plain": self.plain,
                "theme": self.theme,
            },
            marker={"text": self.marker and check_marker(self.marker), "enabled": False if self.no_marker else None},
            stream={
                "chunk_timeout": self.timeout,
                "connect_timeout": self.connect_timeout,
                "first_token_timeout": self.first_token_timeout,
                "stream_timeout": self.stream_timeout,
            },
        )

    @property
    def wishes(self) -> dict[str, Any]:
        """What is wished of an answer, as settings. Raises UsageError."""
        return wishes(self.effort, self.top_p, self.verbosity, self.service_tier, self.web_search)

    def opened(self) -> StoredSession | None:
        """Return the session that is gone on with, under the system prompt that was given."""
        found = open_session(self.session, latest=self.latest, last=LAST)
        system = self.taken.system if self.system is None and self.taken is not None else self.system
        if found is None or system is None:
            return found
        return replace(found, conversation=replace(found.conversation, system=system))

    def launched(self, settings: config.Settings, *, at_once: bool = False) -> Launch:
        """Return who answers. Raises UsageError and ConfigError."""
        provider, model, role = self.provider, self.model, self.taken
        if role is not None and provider is None and model is None:
            provider, model = role.provider or None, role.model or None
        found = launch(settings, os.environ, provider=provider, model=model, at_once=at_once)
        require_key(found)
        return found if role is None else replace(found, role=role, without_role=self._over(None))


def answering(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with all of `AnswerFlags` as its own options, which it gets as its first argument."""
    _, *own = signature(command, eval_str=True).parameters.values()
    hints = get_type_hints(AnswerFlags, include_extras=True)
    shared = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=getattr(AnswerFlags, name), annotation=hint)
        for name, hint in hints.items()
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        flags = AnswerFlags({name: given.pop(name) for name in hints})
        command(flags, **given)

    own = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]  # as typer gives all of them
    run.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]  # where `inspect` looks for it
    return run


def wishes(
    effort: str | None, top_p: float | None, verbosity: str | None, service_tier: str | None, web_search: bool | None
) -> dict[str, Any]:
    """Return these flags as the settings that they are. Raises UsageError."""
    return {
        "asked_effort": one_of("--effort", effort, *get_args(Effort)),
        "top_p": top_p,
        "verbosity": one_of("--verbosity", verbosity, *get_args(Verbosity)),
        "service_tier": service_tier,
        "web_search": web_search,
    }


def role_of(name: str | None, given: Sequence[str]) -> Role | None:
    """Return the role of that name with the values that are `given`, None where none is named.

    Raises UsageError and ConfigError.
    """
    if name is None:
        if given:
            raise UsageError("--var is for the variables of a role", hint="--role names one")
        return None
    from llmterm.config.roles import RoleFolder  # few take one

    pairs = [each.partition("=") for each in given]
    for variable, equals, _ in pairs:
        if not (variable and equals):
            raise UsageError(f"--var {variable!r} has no value", hint=f"-v {variable or 'name'}=value")
    role = RoleFolder.of(os.environ).load(name)
    return role.with_values({variable: value for variable, _, value in pairs}, flag="-v ")


def open_session(
    given: str | None, *, latest: bool, peek: bool = False, last: int | None = None
) -> StoredSession | None:
    """Return the session that is meant, if any is: to be gone on with, or to be looked at, `peek`."""
    if given is None and not latest:
        return None
    with closing(store(os.environ)) as sessions:
        found = given if given is not None else sessions.latest()
        if found is None:
            raise SessionError("there is no session to continue", hint="llmterm chat begins one")
        return sessions.load(found, peek=peek, last=last)


def _settings(role: Role | None, flags: Mapping[str, Any], **sections: Mapping[str, Any]) -> config.Settings:
    settings = config.load(environ=os.environ)
    settings = config.override(settings if role is None else role.over(settings), **flags)
    changed = {name: config.override(getattr(settings, name), **given) for name, given in sections.items()}
    settings = config.override(settings, **changed)
    one_of("--theme", settings.chat.theme, *settings.theme_names)
    return settings
