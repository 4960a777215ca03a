"""A role in a chat: taken, it changes the system prompt, who answers and on what terms; dropped, that is as it was."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from llmterm.chat.context import Context
from llmterm.chat.mentions import files_of
from llmterm.chat.options import NO_ROLE, TakenRole, Terms
from llmterm.chat.suggestion import Choice
from llmterm.config.roles import Role, RoleFolder
from llmterm.errors import LlmtermError, UsageError
from llmterm.render.sanitize import clean
from llmterm.threads import in_thread


async def take(context: Context, given: str) -> str:
    """Take the role that is `given`, with its variables, in the place of one that there is; return what is to be said.

    Raises our errors, and has then changed nothing.
    """
    choices = context.choices
    name, values = _split(given)
    role = await in_thread(RoleFolder(context.settings.roles).load, name)
    role = role.with_values(values)
    files, said = await in_thread(files_of, role)
    if role.provider or role.model:
        decided = await choices.decide(context.registry)  # whose model it is
        said = [decided, *said]
    before = _without(context)
    after = Terms(
        await _who(context, role, before.who),
        role.options(before.options),
        before.system if role.system is None else role.system,
    )
    await _agree(context, after)
    _go_over(context, TakenRole(role, files, before, after))
    waiting = ", ".join(context.attachments.names)
    with_it = f" - with the next message: {waiting}" if waiting else ""
    return "\n".join(filter(None, [*said, f"role: {role.name} - {context.label}{with_it}"]))


async def drop(context: Context) -> None:
    """Be without a role, as before the one that there is. Raises SessionError, and has then changed nothing."""
    await _agree(context, _without(context))
    _go_over(context, None)


def leave(context: Context) -> None:
    """Leave the role behind for a session that has a system prompt of its own."""
    _go_over(context, None)


async def offered(context: Context) -> Sequence[Choice]:
    """Return the roles that can be taken, each with what it is; those with variables are no whole line yet."""
    taken = context.choices.taken
    found = await in_thread(_offered, RoleFolder(context.settings.roles))
    return [*found, (NO_ROLE, f"drops {taken.role.name}")] if taken is not None else found


def _offered(folder: RoleFolder) -> list[Choice]:
    found: list[Choice] = []
    for name in folder.names:
        try:
            role = folder.load(name)
        except LlmtermError as error:
            found.append((name, str(error).partition("\n")[0].removeprefix(f"{folder.folder}/")))
        else:
            first = f" {role.variables[0]}=" if role.variables else ""
            found.append((f"{name}{first}", " ".join(clean(role.about).split())))
    return found or [("", f"there are no roles yet: files NAME.md in {folder.folder}")]


def _split(given: str) -> tuple[str, dict[str, str]]:
    """Return the name of a role and the values of its variables. Raises UsageError."""
    try:
        name, *words = shlex.split(given)
    except ValueError as error:
        raise UsageError(f"{given} cannot be understood: {error}", hint='/role NAME variable="some words"') from None
    pairs = [word.partition("=") for word in words]
    for variable, equals, _ in pairs:
        if not (variable and equals):
            raise UsageError(f"{variable!r} gives no variable a value", hint=f'/role {name} {variable or "name"}="…"')
    return name, {variable: value for variable, _, value in pairs if value}


async def _who(context: Context, role: Role, before: tuple[str, str]) -> tuple[str, str]:
    """Return who answers in a role, a provider and its model. Raises our errors."""
    if role.provider:
        return await context.registry.choose("/".join(filter(None, (role.provider, role.model))))
    return context.registry.locate(role.model, before[0]) if role.model else before


def _go_over(context: Context, taken: TakenRole | None) -> None:
    choices = context.choices
    context.attachments.exchange(choices.taken.files if choices.taken else (), taken.files if taken else ())
    choices.taken = taken


def _without(context: Context) -> Terms:
    """Return what holds without the role that there is, if there is one."""
    choices = context.choices
    now = Terms((choices.provider, choices.model), choices.options, context.session.talk.system)
    return now if choices.taken is None else choices.taken.without(now)


async def _agree(context: Context, terms: Terms) -> None:
    """Have these hold from now on. Raises our errors, and has then changed nothing."""
    choices, registry, (provider, model) = context.choices, context.registry, terms.who
    if terms.who != (choices.provider, choices.model):
        registry.require(provider)
        registry.get(provider).preparation(model)
    if terms.system != context.session.talk.system:
        await context.session.set_system(terms.system)
    if terms.who != (choices.provider, choices.model):
        choices.choose(registry, provider, model)
    choices.options = terms.options
