"""What is taken out of the chat: to the clipboard, to a file, to the pager."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from llmterm.chat.commands import Choice, Command, choices
from llmterm.chat.mentions import paths
from llmterm.chat.pausing import Pausing
from llmterm.chat.session import ChatSession
from llmterm.errors import UsageError
from llmterm.files import write
from llmterm.openblock import code_blocks
from llmterm.sessions import StoredSession, export, markdown
from llmterm.threads import in_thread

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_NAME_LENGTH = 60
_ALL = "all"
# What may stand behind the name of a file.
_CODE = re.compile(r"\s+(code(?:\s+\d+)?)\Z")


class Copying:
    """The commands /copy, /save, /export and /pager."""

    def __init__(
        self,
        *,
        session: ChatSession,
        pausing: Pausing,
        folder: Path,
        mask: Callable[[str], str],
        say: Callable[[str], None],
        confirm: Callable[[str], Awaitable[bool]],
        copy: Callable[[str], Awaitable[str]],
        page: Callable[[str], Awaitable[None]],
    ) -> None:
        """`copy` puts a text into the clipboard and says where that is; `page` shows one in the user's pager.

        `mask` hides the program's secrets in a session that is exported. `confirm` asks the user for a yes.
        """
        self._confirm = confirm
        self._mask = mask
        self._session = session
        self._pausing = pausing
        self._folder = folder
        self._say = say
        self._copy_text = copy
        self._page_text = page

    def commands(self) -> list[Command]:
        return [
            Command(
                name="copy",
                argument="[code [N]]",
                summary="put the last answer, or its code, into the clipboard",
                run=self._copy,
                values=self._code,
            ),
            Command(
                name="save",
                argument="FILE [code [N]]",
                summary="write the last answer, or its code, to a file",
                run=self._save,
                values=self._paths,
            ),
            Command(
                name="export",
                argument="[FILE]",
                summary="write the session to a file, .md or .json",
                run=self._export,
                values=self._paths,
            ),
            Command(
                name="pager",
                argument="[all]",
                summary="read the last answer (PageUp), or all, in $PAGER",
                run=self._page,
                values=choices(_ALL),
            ),
        ]

    @property
    def _answer(self) -> str:
        """The answer at rest, else the last one."""
        turn = self._pausing.turn
        return turn.reply.text if turn is not None else self._session.answer.text

    async def _copy(self, what: str) -> None:
        text = await in_thread(self._part, what)
        where = await self._copy_text(text)
        self._say(f"copied {len(text):,} characters {where}")

    async def _save(self, given: str) -> None:
        what = _CODE.search(given)
        path = await in_thread(self._file, given[: what.start()] if what else given)
        text = await in_thread(self._part, what[1] if what else "")
        await self._write(path, text if text.endswith("\n") else f"{text}\n")

    async def _export(self, name: str) -> None:
        stored = self._session.stored()
        title = _NOT_IN_NAMES.sub("-", stored.title).strip("-.")[:_NAME_LENGTH]
        path = await in_thread(self._file, name or f"{title or stored.id or 'session'}.md")
        match path.suffix.lower():
            case ".json":
                text = await in_thread(_as_json, stored)
            case ".md" | ".markdown" | "":
                text = await in_thread(markdown, stored)
            case suffix:
                raise UsageError(f"a session cannot be written as {suffix}", hint="name the file .md or .json")
        await self._write(path, self._mask(text))

    async def _page(self, what: str) -> None:
        if what not in ("", _ALL):
            raise UsageError("what is to be read?", hint="/pager for the last answer, or /pager all")
        await self._page_text(self._all() if what else self._answer)

    def _all(self) -> str:
        """Return the whole conversation: what the user has said as quotations, what was answered as it is."""
        turn = self._pausing.turn
        said = list(self._session.messages)
        if turn is not None:
            asked = self._session.asked
            said += [*([asked] if asked else []), turn.reply.message("interrupted")]
        if not said:
            raise UsageError("nothing was said yet")
        return "\n\n".join(
            "\n".join(f"> {line}" for line in each.text.split("\n")) if each.role == "user" else each.text
            for each in said
        )

    async def _code(self, _typed: str) -> Sequence[Choice]:
        blocks = await in_thread(code_blocks, self._answer)
        return [
            (f"code {number}", f"{block.language} {block.code.splitlines()[0] if block.code else ''}".strip())
            for number, block in enumerate(blocks, 1)
        ]

    async def _paths(self, typed: str) -> Sequence[Choice]:
        return await in_thread(paths, typed, self._folder)

    def _part(self, what: str) -> str:
        """Return the answer, or the code block of it that `what` means."""
        word, _, number = what.partition(" ")
        if not word:
            return self._answer
        if word != "code" or (number and not number.strip().isdecimal()):
            raise UsageError("what of the answer?", hint="nothing for all of it, or code N")
        blocks = code_blocks(self._answer)
        if not blocks:
            raise UsageError("there is no code in the last answer")
        index = int(number) if number else len(blocks)
        if not 0 < index <= len(blocks):
            raise UsageError(f"there is no code block {index}", hint=f"there are {len(blocks)}")
        return blocks[index - 1].code

    def _file(self, name: str) -> Path:
        """Return the path of a file to write. Raises UsageError for what can be none."""
        if not name:
            raise UsageError("to which file?", hint="/save FILE")
        try:
            path = self._folder / Path(name).expanduser()
            other = path.exists() and not path.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, no such user, a NUL
            raise UsageError(f"{name} cannot be the name of a file: {error}") from None
        if other:
            raise UsageError(f"{name} is there already, and no file", hint="give another name")
        return path

    async def _write(self, path: Path, text: str) -> None:
        """Write the file, over one that is there only if the user says so. Raises UsageError."""
        if await in_thread(path.exists) and not await self._confirm(f"{path} is there already: write over it?"):
            self._say(f"{path} is as it was")
            return
        try:
            await in_thread(write, path, text)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"{path} cannot be written: {getattr(error, 'strerror', error)}") from None
        self._say(f"written to {path}")


def _as_json(session: StoredSession) -> str:
    return json.dumps(export(session), indent=2, ensure_ascii=False) + "\n"
