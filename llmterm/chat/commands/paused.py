"""What can be done with an answer at rest besides resuming it: edit it, cut it back, move it, begin it again.

Each is a command with a key. They say what the answer is to become, and whether it resumes at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from llmterm.chat.answer import Answer
from llmterm.chat.commands import Command, question
from llmterm.chat.commands.options import other_names
from llmterm.chat.context import Context
from llmterm.chat.decision import Resume, Steer
from llmterm.chat.outcome import Ask, Open, Outcome, Rewrite
from llmterm.errors import UsageError

_WHAT = {
    "edit": "opens it in your editor",
    "back": "cuts its last paragraph",
    "on": "goes on with another model, from now on",
    "again": "begins it again",
}
# Letters that mean something only where the model has started over.
_RESTARTED = {"k": "/both", "n": "/newer"}


def commands(keys: Mapping[str, str]) -> list[Command]:
    """Return them; `keys` are theirs, by their names."""
    return [
        Command(name="edit", summary=f"({keys['edit'].title()}) edit it; where none is, the last question", run=_edit),
        Command(name="back", summary=f"({keys['back'].title()}) take off its last paragraph", run=_back),
        Command(
            name="on",
            argument="[PROVIDER/]MODEL",
            summary=f"({keys['on'].title()}) go on, or answer anew, with another model from now on",
            run=_on,
            values=other_names,
            picks=True,
        ),
        Command(
            name="steer",
            argument="TEXT",
            summary="pause it, and have it go on under this (Ctrl-S)",
            run=_steer,
            meanwhile=True,
        ),
        Command(name="again", summary=f"({keys['again'].title()}) begin it again", run=_again),
        Command(name="both", summary="(k) keep both, where the model started over", run=_both),
        Command(name="newer", summary="(n) use the new one, where it did", run=_newer),
    ]


def shortcuts(context: Context) -> dict[str, str]:
    """Return what the keys of a pause stand for, now."""
    keys = context.settings.keys
    bound = {keys[name]: f"/{name}" for name in ("edit", "back", "again")}
    bound |= {keys["on"]: "/on ", "?": "/?", "pageup": "/pager"}
    return bound | (_RESTARTED if _started_over(context) else {})


def pause_help(context: Context) -> list[str]:
    """Return what an answer at rest can be told, a line each."""
    keys = [f"{context.settings.keys[name].title():<7} /{name:<6} {what}" for name, what in _WHAT.items()]
    return [
        "SPACE   goes on",
        "text    guides the rest",
        "Esc     keeps it as it is",
        *keys,
        "PageUp  reads it in your pager",
        "/undo   takes the last of these changes back",
        *(["k       /both   keeps both", "n       /newer  uses the new one"] if _started_over(context) else []),
        "Ctrl-D  leaves; llmterm chat --continue goes on with it",
    ]


async def _edit(context: Context, _argument: str) -> Outcome:
    if context.answer is None:
        return await question.edit(context)
    return Rewrite(await context.machine.edit(context.answer.shown))


async def _back(context: Context, _argument: str) -> Outcome:
    kept, gap, _ = context.paused.shown.rstrip().rpartition("\n\n")
    if not kept:
        raise UsageError("there is only one paragraph", hint="/again begins the answer again, /edit changes it")
    return Rewrite(kept + gap, resumes=False)


async def _steer(_context: Context, text: str) -> Outcome:
    if not text:
        raise UsageError("where to?", hint="/steer TEXT")
    return Steer(text)


async def _on(context: Context, name: str) -> Outcome:
    if not name:
        raise UsageError("on which model?", hint="/on MODEL, /on PROVIDER or /on PROVIDER/MODEL")
    before = context.label
    if context.answer is None:
        await context.session.restore()
        if not context.session.talk.kept:
            raise UsageError("nothing was asked yet", hint="/model NAME has another model answer")
    await context.choices.move(context.registry, name)
    said = context.goes_on(before)
    if context.answer is not None:
        return Resume(said=(said,) if said else ())
    if context.session.talk.stopped:
        return Open(await context.session.open_again(context.choices.options), at_once=True, said=said)
    return Ask(context.session.edit(), said=(said,) if said else (), again=True)


async def _again(context: Context, _argument: str) -> Outcome:
    _ = context.paused
    return Rewrite("")


async def _both(context: Context, _argument: str) -> Outcome:
    answer = _restarted(context)
    return Rewrite(f"{answer.reply.text.rstrip()}\n\n{answer.turn.started_over}")


async def _newer(context: Context, _argument: str) -> Outcome:
    return Rewrite(_restarted(context).turn.started_over)


def _restarted(context: Context) -> Answer:
    if not context.paused.turn.started_over:
        raise UsageError("the model has not started over")
    return context.paused


def _started_over(context: Context) -> bool:
    return context.answer is not None and bool(context.answer.turn.started_over)
