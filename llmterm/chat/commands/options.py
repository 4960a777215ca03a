"""The commands that change who answers, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from llmterm.chat.commands import Command, choices
from llmterm.chat.context import Context
from llmterm.chat.options import AUTO, CONTINUATIONS, DEFAULT, NO_ROLE, WISHES, PauseMode, Wish
from llmterm.chat.outcome import Outcome, Say
from llmterm.chat.suggestion import Choice
from llmterm.errors import LlmtermError


def commands() -> list[Command]:
    return [
        Command(
            name="model",
            argument="[NAME]",
            summary="show or change the model",
            run=_set_model,
            values=_model_names,
            picks=True,
        ),
        Command(
            name="provider",
            argument="[NAME[/MODEL]]",
            summary="show or change the provider",
            run=_set_provider,
            values=provider_names,
            picks=True,
        ),
        Command(
            name="role",
            argument="[NAME VAR=…|none]",
            summary="show or take a role: a system prompt with a name",
            run=_take_role,
            values=_roles,
            picks=True,
        ),
        Command(
            name="pause-mode",
            argument="[cut|hold]",
            summary="cut the stream at a pause, or hold the screen",
            run=_set_pause_mode,
            values=choices(*get_args(PauseMode)),
        ),
        Command(
            name="resume-mode",
            argument="[MODE]",
            summary="how an answer is gone on with",
            run=_set_resume_mode,
            values=choices(AUTO, *CONTINUATIONS),
        ),
        *map(_wish, WISHES),
        Command(
            name="theme",
            argument="[NAME]",
            summary="show or set the colours",
            run=_set_theme,
            values=_themes,
            picks=True,
            meanwhile=True,
        ),
    ]


async def provider_names(context: Context, typed: str) -> Sequence[Choice]:
    """Return the providers, the one that answers first, with the model they would answer with or what they lack.

    Behind "provider/" these are its models.
    """
    registry, now = context.registry, context.choices.provider
    named, slash, _ = typed.partition("/")
    if slash and named in registry.names:
        return [(f"{named}/{model}" if model else "", about) for model, about in await _models_of(context, named)]
    names = sorted(registry.names, key=lambda name: name != now)
    return [(name, _about(context, name)) for name in names]


async def other_names(context: Context, typed: str) -> Sequence[Choice]:
    """Return who else could answer: the other models of the provider, then all providers."""
    if "/" in typed:
        return await provider_names(context, typed)
    choices = context.choices
    models = [each for each in await _models_of(context, choices.provider) if each[0] not in ("", choices.model)]
    return [*models, *await provider_names(context, typed)]


def _about(context: Context, name: str) -> str:
    registry = context.registry
    if lacks := registry.lacks(name):
        return f"no key: {lacks}"
    if name == context.choices.provider:
        return f"answers now: {context.label}"
    return registry.label(*registry.resolve(name))


async def _set_model(context: Context, name: str) -> Outcome:
    decided = await context.choices.decide(context.registry)  # whose model it is
    if name:
        context.choices.choose_model(context.registry, name)
    return Say("\n".join(filter(None, (decided, context.label))))


async def _set_provider(context: Context, given: str) -> Outcome:
    if given:
        context.choices.choose(context.registry, *await context.registry.choose(given))
    return Say(context.label)


async def _take_role(context: Context, given: str) -> Outcome:
    from llmterm.chat.role import drop, take  # few chats have one

    if given == NO_ROLE:
        await drop(context)
    elif given:
        return Say(await take(context, given))
    taken = context.choices.taken
    return Say(f"role: {taken.role.name}" if taken is not None else "no role")


async def _roles(context: Context, _typed: str) -> Sequence[Choice]:
    from llmterm.chat.role import offered

    return await offered(context)


async def _set_pause_mode(context: Context, mode: str) -> Outcome:
    if mode:
        context.choices.set_pause_mode(mode)
    return Say(f"pause mode: {context.choices.pause_mode}")


async def _set_resume_mode(context: Context, mode: str) -> Outcome:
    if mode:
        context.choices.set_resume_mode(mode)
    return Say(f"resume mode: {context.choices.resume_mode or AUTO}")


def _wish(wish: Wish) -> Command:
    async def run(context: Context, given: str) -> Outcome:
        if given:
            context.choices.set_wish(wish, given)
        return Say(f"{wish.title}: {context.wished(wish)}")

    return Command(
        name=wish.command,
        argument=wish.takes,
        summary=wish.summary,
        run=run,
        values=choices(DEFAULT, *wish.words),
    )


async def _set_theme(context: Context, theme: str) -> Outcome:
    if theme:
        context.choices.set_theme(theme)
    return Say(f"theme: {context.choices.theme}")


async def _model_names(context: Context, _typed: str) -> Sequence[Choice]:
    """Return the models of the provider, the one that answers first, with what they cost where that is known."""
    registry, choices = context.registry, context.choices
    models = await _models_of(context, choices.provider)
    if models and not models[0][0]:
        return models
    price = registry.price(choices.provider, choices.model)
    now = (choices.model, ", ".join(filter(None, ("answers now", price))))
    return [now, *(each for each in models if each[0] != choices.model)]


async def _models_of(context: Context, provider: str) -> Sequence[Choice]:
    """Return a provider's models with what they cost; where it does not tell them, nothing to put in, but why."""
    try:
        names = await context.registry.models(provider)
    except LlmtermError as error:
        return [("", str(error))]
    return [(name, context.registry.price(provider, name)) for name in names]


async def _themes(context: Context, _typed: str) -> Sequence[Choice]:
    now = context.choices.theme
    return [
        (name, "is used now" if name == now else "")
        for name in sorted(context.choices.themes, key=lambda name: name != now)
    ]
