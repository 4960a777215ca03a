"""The prompt of a plain terminal: a line that only ever grows, states in words, no cursor movement but a backspace."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping

from llmterm.chat import graphemes
from llmterm.chat.decision import Decision, Interrupts, Leave, Resume, Send, Stop
from llmterm.chat.suggestion import Suggestion
from llmterm.keys import Key, RereadKeys, get_apart
from llmterm.keys.autorepeat import Autorepeat
from llmterm.render.sanitize import clean

_LAST_WORD = re.compile(r"\S*\s*\Z")


class LinePrompt:
    """The `Prompt` for `--plain` and for terminals that understand no control sequence."""

    def __init__(
        self,
        *,
        keys: RereadKeys,
        write: Callable[[str], None],
        suspend: Callable[[], None],
        interrupts: Interrupts,
        autorepeat: Autorepeat,
        complete: Callable[[str], Awaitable[list[Suggestion]]],
    ) -> None:
        """`complete` gives what the text being typed may become."""
        self._keys = keys
        self._write = write
        self._suspend = suspend
        self._interrupts = interrupts
        self._autorepeat = autorepeat
        self._complete = complete
        self.unsent = ""
        self._given = ""
        # What was sent in this chat, and which of it stands in the line.
        self._sent: list[str] = []
        self._at = 0
        self._draft = ""

    def warm(self) -> Iterator[None]:
        yield from ()

    async def ask(self, text: str, shortcuts: Mapping[str, str], *, remember: bool = True) -> Send | Leave:
        emptied = False
        while True:
            self._write("> ")
            decision = await self._line(text, at_rest=False, shortcuts=shortcuts)
            if isinstance(decision, Send):
                self._sent += [decision.text] if decision.text and remember else []
                return Send(decision.text, emptied or decision.emptied)
            if isinstance(decision, Leave):
                return decision
            text, emptied = "", True  # Ctrl-C empties the line

    async def close(self) -> None:
        pass  # no history

    async def paused(self, line: Callable[[], str], text: str, shortcuts: Mapping[str, str]) -> Decision:
        self._write(clean(line()).replace("\n", "\r\n") + "\r\n> ")
        return await self._line(text, at_rest=True, shortcuts=shortcuts)

    async def _line(self, text: str, *, at_rest: bool, shortcuts: Mapping[str, str]) -> Decision:
        line = self.unsent = self._given = text
        emptied = False
        self._at, self._draft = len(self._sent), ""
        self._echo(line)
        async with self._keys:
            while True:
                key = await get_apart(self._keys)
                if await self._repeated(key, line, at_rest=at_rest):
                    continue
                meant = shortcuts.get(key.text or key.name) if not line.strip() else None
                if meant is not None and meant.endswith(" "):
                    self._echo(meant)
                    line = meant
                    continue
                if meant is not None:
                    self._write("\r\n")
                    return Send(meant, emptied)
                decision = self._decision(key, line, at_rest=at_rest)
                if decision is not None:
                    self._write("\r\n")
                    return Send(decision.text, emptied) if isinstance(decision, Send) else decision
                line = await self._completed(line) if key.name == "tab" else self._edit(key, line)
                self.unsent = line if at_rest else ""
                emptied |= not line.strip()

    async def _repeated(self, key: Key, line: str, *, at_rest: bool) -> bool:
        """Return whether the key is only held down, where it would resume an answer, or send again what was refused."""
        resumes = at_rest and (key.name == "chord" or (key.name == "space" and not line.strip()))
        if not resumes and key.name != "enter":
            return False
        if not resumes and (line != self._given or not line.strip()):
            self._autorepeat.count(key.name)
            return False
        pressed, following = await self._autorepeat.pressed(key, self._keys.get)
        if following is not None:
            self._keys.unget(following)
        return not pressed

    def _decision(self, key: Key, line: str, *, at_rest: bool) -> Decision | None:
        empty = not line.strip()
        match key.name:
            case "enter" if not empty:
                self._interrupts.sent()
                return Send(line)
            case "c-d" | "eof" if empty:
                return Leave()
            case "eof":
                return Send(line)
            case "c-c":
                # At a pause it ends the answer, and what is typed stays.
                typed = "" if at_rest else line
                leaves = self._interrupts.press(line=typed, given=self._given)
                return Leave(interrupted=True) if leaves else Stop(line)
            case "space" if at_rest and empty:
                return Resume()
            case "chord" if at_rest:
                return Resume(line)
            case "escape" if at_rest:
                return Stop(line)
            case _:
                return None

    def _edit(self, key: Key, line: str) -> str:
        match key.name:
            case "text" | "space" | "paste":
                self._echo(key.text)
                return line + key.text
            case "alt-enter":
                self._echo("\n")
                return line + "\n"
            case "backspace" if line[-1:].isascii() and line[-1:].isprintable():
                self._write("\b \b" if line else "")
                return line[:-1]
            case "backspace":
                return self._again(line[: graphemes.before(line, len(line))])
            case "c-u":
                return self._again("")
            case "c-w":
                return self._again(_LAST_WORD.sub("", line))
            case "up" | "down":
                return self._recalled(line, 1 if key.name == "down" else -1)
            case "c-z":
                self._suspend()
                return self._again(line)
            case _:
                return line

    def _recalled(self, line: str, step: int) -> str:
        """Put an earlier message into the line, or what stood there before."""
        at = min(max(0, self._at + step), len(self._sent))
        if at == self._at:
            return line
        if self._at == len(self._sent):
            self._draft = line
        self._at = at
        return self._again(self._sent[at] if at < len(self._sent) else self._draft)

    async def _completed(self, line: str) -> str:
        """Complete the line where there is one way to; say which there are where there are several."""
        found = await self._complete(line)
        if len(found) == 1:
            return self._again(line[: len(line) - found[0].replaced] + found[0].text)
        if found:
            self._write("\r\n" + clean(", ".join(each.text for each in found)).replace("\n", " "))
            return self._again(line)
        return line

    def _again(self, line: str) -> str:
        """Begin anew below, with `line`: nothing is drawn over."""
        self._write("\r\n> ")
        self._echo(line)
        return line

    def _echo(self, text: str) -> None:
        self._write(clean(text).replace("\n", "\r\n  "))
