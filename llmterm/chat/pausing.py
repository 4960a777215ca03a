"""What can be done with an answer at rest besides going on with it: edit it, cut it back, move it, begin it again.

Each is a command with a key. They act on the turn that rests, and say whether it goes on at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from llmterm.chat.commands import Choice, Command
from llmterm.chat.status import count
from llmterm.chat.view import View
from llmterm.errors import UsageError
from llmterm.eventlog import Reader
from llmterm.messages import Reply, TextDelta
from llmterm.providers.registry import ProviderRegistry
from llmterm.turn import Turn

# Letters that mean something only where the model has started over.
_WHAT = {
    "edit": "opens it in your editor",
    "back": "cuts its last paragraph",
    "on": "goes on with another model",
    "again": "begins it again",
}
_RESTARTED = {"k": "/both", "n": "/newer"}


async def at_rest() -> None:
    """Nothing is to be cut."""


class Pausing:
    """The commands of a pause. `turn` is the one at rest, None while there is none, and `reader` the screen's.

    Before a command changes the answer it calls `cut`, which ends one that is only held where it was shown.
    """

    def __init__(
        self,
        *,
        registry: ProviderRegistry,
        view: View,
        choose: Callable[[str], Awaitable[None]],
        edit: Callable[[str], Awaitable[str]],
        edit_question: Callable[[], Awaitable[None]],
        keys: Mapping[str, str],
    ) -> None:
        """`choose` has "provider", "provider/model" or a model answer; `edit` gives a text back as the editor left it.

        `edit_question` is what /edit does where no answer is paused; `keys` are those of the commands, by their names.
        """
        self._registry = registry
        self._view = view
        self._choose = choose
        self._edit_text = edit
        self._edit_question = edit_question
        self._keys = keys
        self.turn: Turn | None = None
        self.reader: Reader | None = None
        self.goes_on = False
        self.cut: Callable[[], Awaitable[None]] = at_rest
        # What the answer was before each change, the last one last, and the turn whose answer that is.
        self._before: list[Reply] = []
        self._changed: Turn | None = None

    def commands(self) -> list[Command]:
        return [
            Command(
                name="edit",
                argument="",
                summary=self._says("edit", "edit it; where none is, the last question"),
                run=self._edit,
            ),
            Command(
                name="back", argument="", summary=self._says("back", "take off its last paragraph"), run=self._back
            ),
            Command(
                name="on",
                argument="[PROVIDER/]MODEL",
                summary=self._says("on", "go on with another model"),
                run=self._on,
                values=self._names,
            ),
            Command(name="again", argument="", summary=self._says("again", "begin it again"), run=self._again),
            Command(name="both", argument="", summary="(k) keep both, where the model started over", run=self._both),
            Command(name="newer", argument="", summary="(n) use the new one, where it did", run=self._newer),
        ]

    def shortcuts(self) -> dict[str, str]:
        """Return what the keys of a pause stand for, now."""
        bound = {self._keys[name]: f"/{name}" for name in ("edit", "back", "again")}
        bound |= {self._keys["on"]: "/on ", "?": "/?", "pageup": "/pager"}
        return bound | (_RESTARTED if self.turn is not None and self.turn.started_over else {})

    def help(self) -> list[str]:
        """Return what an answer at rest can be told, a line each."""
        keys = [f"{self._keys[name]:<7} /{name:<6} {what}" for name, what in _WHAT.items()]
        started_over = self.turn is not None and self.turn.started_over
        return [
            "SPACE   goes on",
            "text    guides the rest",
            "Esc     keeps it as it is",
            *keys,
            "PageUp  reads it in your pager",
            "/undo   takes the last of these changes back",
            *(["k       /both   keeps both", "n       /newer  uses the new one"] if started_over else []),
            "Ctrl-D  leaves; llmterm chat --continue goes on with it",
        ]

    def _says(self, name: str, summary: str) -> str:
        return f"({self._keys[name]}) {summary}"

    def _paused(self) -> Turn:
        if self.turn is None:
            raise UsageError("no answer is paused", hint="SPACE pauses one")
        return self.turn

    def _shown(self, turn: Turn) -> str:
        """Return the answer as far as it is on the screen."""
        return turn.reply.text if self.reader is None else turn.reply.text[: self.reader.text]

    async def _edit(self, _argument: str) -> None:
        if self.turn is None:
            await self._edit_question()
            return
        turn = self.turn
        text = await self._edit_text(self._shown(turn))
        await self.cut()
        if text != turn.reply.text:
            self._rewrite(turn, text)
        self.goes_on = True

    async def _back(self, _argument: str) -> None:
        turn = self._paused()
        kept, gap, _ = self._shown(turn).rstrip().rpartition("\n\n")
        if not kept:
            raise UsageError("there is only one paragraph", hint="/again begins the answer again, /edit changes it")
        await self.cut()
        self._rewrite(turn, kept + gap)

    async def _on(self, name: str) -> None:
        self._paused()
        if not name:
            raise UsageError("on which model?", hint="/on MODEL, /on PROVIDER or /on PROVIDER/MODEL")
        await self._choose(name)
        await self.cut()
        self.goes_on = True

    async def _names(self, _typed: str) -> Sequence[Choice]:
        return [(name, self._registry.label(*self._registry.resolve(name))) for name in self._registry.names]

    async def _again(self, _argument: str) -> None:
        turn = self._paused()
        await self.cut()
        self._rewrite(turn, "")
        self.goes_on = True

    async def _both(self, _argument: str) -> None:
        turn = self._restarted()
        await self.cut()
        self._rewrite(turn, f"{turn.reply.text.rstrip()}\n\n{turn.started_over}")
        self.goes_on = True

    async def _newer(self, _argument: str) -> None:
        turn = self._restarted()
        await self.cut()
        self._rewrite(turn, turn.started_over)
        self.goes_on = True

    def undo(self, number: int) -> None:
        """Give back what was changed at the seam of that number. Raises UsageError where there is none."""
        turn = self._paused()
        self._change(turn, unseamed(turn.reply, number))

    async def restore(self) -> bool:
        """Take back the last change of the answer at rest; return whether one rests. Raises UsageError.

        What the answer was until now is not lost: it comes again after all others.
        """
        turn = self.turn
        if turn is None:
            return False
        if turn is not self._changed or not self._before:
            raise UsageError("this answer was not changed", hint="Esc ends it, and /undo then takes the question back")
        await self.cut()
        self._before.insert(0, turn.reply)
        turn.rewrite(self._before.pop())
        self._show(turn.reply)
        return True

    def _restarted(self) -> Turn:
        turn = self._paused()
        if not turn.started_over:
            raise UsageError("the model has not started over")
        return turn

    def _rewrite(self, turn: Turn, text: str) -> None:
        self._change(turn, turn.reply.rewrite(text))

    def _change(self, turn: Turn, reply: Reply) -> None:
        """Change the answer, and show it as it is now."""
        if turn is not self._changed:
            self._changed, self._before = turn, []
        self._before.append(turn.reply)
        turn.rewrite(reply)
        self._show(turn.reply)

    def _show(self, reply: Reply) -> None:
        if not reply.text:
            self._view.say("the answer begins again")
            self._view.begin()
            return
        self._view.say(f"the answer is now {count(len(reply.body), 'character')} long")
        self._view.begin()
        self._view.event(TextDelta(reply.text))


def unseamed(reply: Reply, number: int) -> Reply:
    """Return `reply` with the seam of that number, from 1, undone. Raises UsageError where nothing was changed."""
    segment = reply.segments[number - 1] if 0 < number <= len(reply.segments) else None
    if segment is None or not (segment.cut or segment.added):
        raise UsageError(f"nothing was changed at seam {number}", hint="/seams lists those that were")
    return reply.unseam(number - 1)
