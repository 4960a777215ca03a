"""The commands that change nothing: what can be typed, what was said, used and thought."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmterm.chat.commands import Command
from llmterm.chat.commands.paused import pause_help
from llmterm.chat.context import Context
from llmterm.chat.options import EFFORT, OTHERS
from llmterm.chat.outcome import Outcome, Say
from llmterm.chat.status import Total, count, total
from llmterm.errors import UsageError
from llmterm.messages import Segment
from llmterm.sessions.whole import HeldMessage
from llmterm.threads import in_thread

_KEYS = (
    ("Enter", "sends; on an empty line takes the next message that waits after a stop"),
    ("Alt-Enter", "begins a new line, and so does Ctrl-J (in vi mode: Esc, o)"),
    ("Up, Down", "earlier messages that begin like the line; Ctrl-R searches in all"),
    ("Ctrl-P, Ctrl-N", "the same from any row of a line of several, which Up goes through"),
    ("Ctrl-X Ctrl-E", "opens the line in your editor"),
    ("/ and @", "open a menu: of commands, and of the files below this folder"),
    ("Enter, Tab, Esc", "in a menu: takes what is marked, completes, closes; arrows move"),
    ("Ctrl-V", "takes an image or a text out of the clipboard"),
    ("Ctrl-O", "opens a long paste, which stands in the line as one character"),
    ("!command", "runs it in your shell; what it says goes along with the next message"),
    ("PageUp", "opens the last answer in your pager"),
    ("Ctrl-C", "empties the line; twice leaves"),
    ("Ctrl-D", "leaves, on an empty line"),
    ("Ctrl-Z", "suspends"),
)
_STREAMING = (
    ("SPACE", "pauses, on an empty line; Ctrl-SPACE on any"),
    ("text, Enter", "queues the next message; Up takes it back, Alt-Up and Alt-Down move it, an empty line drops it"),
    ("text, Ctrl-S", "steers: the answer is paused, and goes on under it; so does Ctrl-Enter, where it differs"),
    ("Esc, Ctrl-C", "stops the answer, and keeps what there is; what is queued is then sent one by one, by you"),
)


def commands(help_lines: Callable[[], Sequence[str]]) -> list[Command]:
    """Return them; `help_lines` are those of all commands."""

    async def show_help(_context: Context, _argument: str) -> Outcome:
        return Say("\n".join([*help_lines(), "", "/keys says what the keys do"]))

    return [
        Command(name="help", summary="what can be typed here", run=show_help, meanwhile=True),
        Command(name="?", summary="what an answer at rest can be told", run=_show_pause, meanwhile=True),
        Command(name="keys", summary="what the keys do", run=_keys, meanwhile=True),
        Command(name="info", summary="this session and who answers", run=_info, meanwhile=True),
        Command(name="tokens", summary="what this session has used, by model", run=_tokens, meanwhile=True),
        Command(name="thinking", summary="show what the model thought last", run=_thinking, meanwhile=True),
        Command(name="doctor", summary="check terminal, keys, providers and store", run=_doctor),
    ]


async def _show_pause(context: Context, _argument: str) -> Outcome:
    return Say("\n".join(pause_help(context)))


async def _keys(context: Context, _argument: str) -> Outcome:
    both = ", ".join(context.settings.keys[name].title() for name in ("previous", "next"))
    prompt = [*_KEYS, (both, "what was asked or answered otherwise, on an empty line: /versions")]
    lines = ["at the prompt", *_table(prompt), "", "while an answer streams", *_table(_STREAMING), "", "at a pause"]
    return Say("\n".join([*lines, *(f"  {line}" for line in pause_help(context))]))


async def _info(context: Context, _argument: str) -> Outcome:
    session, choices, note = context.session, context.choices, context.settings.note
    options = choices.options
    # What is being answered is no part of the conversation yet.
    under_way = (session.talk.asked is not None) + (context.answer is not None)
    rows = [
        ("session", session.id or "not begun yet"),
        ("title", session.talk.title or "-"),
        ("answers", f"{choices.provider}/{choices.model}"),
        ("system prompt", session.talk.system or "-"),
        *([("about the marker", note)] if note else []),
        ("temperature", "-" if options.temperature is None else f"{options.temperature:g}"),
        ("effort", context.wished(EFFORT)),
        *((wish.title, context.wished(wish)) for wish in OTHERS if getattr(options, wish.option) is not None),
        ("max tokens", "-" if options.max_tokens is None else str(options.max_tokens)),
        ("pause mode", choices.pause_mode),
        ("resume mode", choices.resume_mode or "auto"),
        ("messages", str(session.talk.size + under_way)),
    ]
    return Say("\n".join(_table(rows)))


async def _tokens(context: Context, _argument: str) -> Outcome:
    await context.session.whole()
    open_answer = context.answer.reply.segments if context.answer is not None else ()
    return Say("\n".join(_table(await in_thread(_used, context.session.talk.kept, open_answer))))


async def _thinking(context: Context, _argument: str) -> Outcome:
    answer = context.answer
    thinking = answer.reply.thinking if answer is not None else context.session.talk.answer.thinking
    if not thinking.strip():
        raise UsageError("there is no thinking in the last answer")
    return Say(thinking)


async def _doctor(context: Context, _argument: str) -> Outcome:
    return Say("\n".join(await context.machine.examine()))


def _used(path: Sequence[HeldMessage], more: Sequence[Segment]) -> list[tuple[str, str]]:
    """Return what the answers on the path, and `more` parts of one, have used, by model."""
    from llmterm.render.figures import resumed  # no start waits for it

    parts: dict[tuple[str, str], list[Segment]] = {}
    for segment in (*(segment for each in path for segment in each.message.segments), *more):
        parts.setdefault((segment.provider, segment.model), []).append(segment)
    if not parts:
        raise UsageError("nothing was answered yet")
    rows = [(f"{provider}/{model}", _figures(total(used))) for (provider, model), used in parts.items()]
    together = total([segment for used in parts.values() for segment in used])
    pauses = resumed(together.resumes, together.resumed_tokens, together.resume_cost, together.saved)
    return [
        *rows,
        *([("together", _figures(together))] if len(rows) > 1 else []),
        *([("pauses", pauses)] if pauses else []),
    ]


def _figures(used: Total) -> str:
    about = "about " if used.estimated else ""
    cost = f" - {used.cost:.4f}" if used.cost is not None else ""
    cached = f" ({used.cached_tokens:,} cached)" if used.cached_tokens else ""
    return f"{about}{used.input_tokens:,} in{cached}, {used.output_tokens:,} out, {count(used.segments, 'part')}{cost}"


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {value}" for name, value in rows]
