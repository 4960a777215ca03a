"""What is taken out of the chat: to the clipboard, to a file, to the pager."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from llmterm.chat.commands import Command, choices
from llmterm.chat.context import Context
from llmterm.chat.mentions import paths
from llmterm.chat.outcome import Outcome, Say, Word, Write
from llmterm.chat.status import BY_ITSELF
from llmterm.chat.suggestion import Choice
from llmterm.errors import UsageError
from llmterm.messages import Message, cut_off
from llmterm.openblock import code_blocks
from llmterm.sessions import StoredSession, closed, export, markdown
from llmterm.threads import in_thread

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_NAME_LENGTH = 60
_ALL = "all"
# What may stand behind the name of a file.
_CODE = re.compile(r"\s+(code(?:\s+\d+)?)\Z")


def commands() -> list[Command]:
    return [
        Command(
            name="copy",
            argument="[code [N]]",
            summary="put the last answer, or its code, into the clipboard",
            run=_copy,
            values=_code,
            meanwhile=True,
        ),
        Command(
            name="save",
            argument="FILE [code [N]]",
            summary="write the last answer, or its code, to a file",
            run=_save,
            values=_paths,
        ),
        Command(
            name="export",
            argument="[FILE]",
            summary="write the session to a file, .md or .json",
            run=_export,
            values=_paths,
        ),
        Command(
            name="pager",
            argument="[all]",
            summary="read the last answer (PageUp), or all, in $PAGER",
            run=_page,
            values=choices(_ALL),
        ),
    ]


def _answer(context: Context) -> str:
    return _last(context).text


async def _copy(context: Context, what: str) -> Outcome:
    text = await in_thread(_part, context, what)
    where = await context.machine.copy(text)
    return Say(f"copied {len(text):,} characters {where}")


async def _save(context: Context, given: str) -> Outcome:
    what = _CODE.search(given)
    path = await in_thread(_file, context.machine.folder, given[: what.start()] if what else given)
    text = await in_thread(_part, context, what[1] if what else "")
    return Write(path, text if text.endswith("\n") else f"{text}\n")


async def _export(context: Context, name: str) -> Outcome:
    stored = await context.session.stored()
    title = _NOT_IN_NAMES.sub("-", stored.title).strip("-.")[:_NAME_LENGTH]
    path = await in_thread(_file, context.machine.folder, name or f"{title or stored.id or 'session'}.md")
    match path.suffix.lower():
        case ".json":
            text = await in_thread(_as_json, stored)
        case ".md" | ".markdown" | "":
            text = await in_thread(markdown, stored)
        case suffix:
            raise UsageError(f"a session cannot be written as {suffix}", hint="name the file .md or .json")
    return Write(path, context.machine.mask(text))


async def _page(context: Context, what: str) -> Outcome:
    if what not in ("", _ALL):
        raise UsageError("what is to be read?", hint="/pager for the last answer, or /pager all")
    await context.session.whole()
    text = await in_thread(_all, context) if what else _marked(_last(context))
    await context.machine.page(await in_thread(context.view.page, text))  # drawn, which for a long one takes its time
    return Word.DONE


def _all(context: Context) -> str:
    """Return the whole conversation: what the user has said as quotations, what was answered as it is."""
    said = list(context.session.talk.messages)
    if context.answer is not None:
        asked = context.session.talk.asked
        said += [*([asked] if asked else []), _last(context)]
    if not said:
        raise UsageError("nothing was said yet")
    return "\n\n".join(
        "\n".join(f"> {line}" for line in each.text.split("\n")) if each.role == "user" else _marked(each)
        for each in said
    )


def _last(context: Context) -> Message:
    """Return the answer at rest, else the last one."""
    answer = context.answer
    if answer is None:
        return context.session.talk.answer
    return answer.reply.message("interrupted" if answer.turn.reason in BY_ITSELF else "complete")


def _marked(answer: Message) -> str:
    """Return an answer with a mark where it was cut off."""
    mark = cut_off(answer)
    return f"{closed(answer.text)}\n\n■ {mark}" if mark else answer.text


async def _code(context: Context, _typed: str) -> Sequence[Choice]:
    blocks = await in_thread(code_blocks, _answer(context))
    return [
        (f"code {number}", f"{block.language} {block.code.splitlines()[0] if block.code else ''}".strip())
        for number, block in enumerate(blocks, 1)
    ]


async def _paths(context: Context, typed: str) -> Sequence[Choice]:
    return await in_thread(paths, typed, context.machine.folder)


def _part(context: Context, what: str) -> str:
    """Return the answer, or the code block of it that `what` means."""
    word, _, number = what.partition(" ")
    if not word:
        return _answer(context)
    if word != "code" or (number and not number.strip().isdecimal()):
        raise UsageError("what of the answer?", hint="nothing for all of it, or code N")
    blocks = code_blocks(_answer(context))
    if not blocks:
        raise UsageError("there is no code in the last answer")
    index = int(number) if number else len(blocks)
    if not 0 < index <= len(blocks):
        raise UsageError(f"there is no code block {index}", hint=f"there are {len(blocks)}")
    return blocks[index - 1].code


def _file(folder: Path, name: str) -> Path:
    """Return the path of a file to write. Raises UsageError for what can be none."""
    if not name:
        raise UsageError("to which file?", hint="/save FILE")
    try:
        path = folder / Path(name).expanduser()
        other = path.exists() and not path.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, no such user, a NUL
        raise UsageError(f"{name} cannot be the name of a file: {error}") from None
    if other:
        raise UsageError(f"{name} is there already, and no file", hint="give another name")
    return path


def _as_json(session: StoredSession) -> str:
    return json.dumps(export(session), indent=2, ensure_ascii=False) + "\n"
