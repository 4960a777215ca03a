"""The commands that change nothing: what can be typed, what was said, used and thought."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from llmterm.chat.choosing import Choices
from llmterm.chat.commands import Command
from llmterm.chat.pausing import Pausing
from llmterm.chat.session import ChatSession
from llmterm.chat.status import Total, count, total
from llmterm.errors import UsageError

_KEYS = (
    ("Enter", "sends; on an empty line takes the next message that waits after a stop"),
    ("Alt-Enter", "begins a new line (in vi mode: Esc, o)"),
    ("Up, Down", "earlier messages that begin like the line; Ctrl-R searches in all"),
    ("Ctrl-X Ctrl-E", "opens the line in your editor"),
    ("Tab", "completes commands, models, sessions, and files after @"),
    ("PageUp", "opens the last answer in your pager"),
    ("Ctrl-C", "empties the line; twice leaves"),
    ("Ctrl-D", "leaves, on an empty line"),
    ("Ctrl-Z", "suspends"),
)
_STREAMING = (
    ("SPACE", "pauses, on an empty line; Ctrl-SPACE on any"),
    ("text, Enter", "queues the next message; Up takes it back to edit it"),
    ("Esc, Ctrl-C", "stops the answer, and keeps what there is; what is queued is then sent one by one, by you"),
)


class Telling:
    """/help, /keys, /info, /tokens, /thinking and /doctor."""

    def __init__(
        self,
        *,
        session: ChatSession,
        choices: Choices,
        pausing: Pausing,
        note: str,
        say: Callable[[str], None],
        help: Callable[[], Sequence[str]],
        examine: Callable[[], Awaitable[Sequence[str]]],
        keys: Mapping[str, str],
    ) -> None:
        """`help` are the commands, `examine` gives the lines of a doctor's report, `keys` are those that can be chosen.

        `note` is what the system prompt says about the marker.
        """
        self._note = note
        self._session = session
        self._choices = choices
        self._pausing = pausing
        self._say = say
        self._help_lines = help
        self._examine = examine
        self._keys_of = keys

    def commands(self) -> list[Command]:
        return [
            Command(name="help", argument="", summary="what can be typed here", run=self._help),
            Command(name="?", argument="", summary="what an answer at rest can be told", run=self._show_pause),
            Command(name="keys", argument="", summary="what the keys do", run=self._keys),
            Command(name="info", argument="", summary="this session and who answers", run=self._info),
            Command(name="tokens", argument="", summary="what this session has used, by model", run=self._tokens),
            Command(name="thinking", argument="", summary="show what the model thought last", run=self._thinking),
            Command(name="doctor", argument="", summary="check terminal, keys, providers and store", run=self._doctor),
        ]

    async def _help(self, _argument: str) -> None:
        self._say("\n".join([*self._help_lines(), "", "/keys says what the keys do"]))

    async def _show_pause(self, _argument: str) -> None:
        self._say("\n".join(self._pausing.help()))

    async def _keys(self, _argument: str) -> None:
        both = ", ".join(self._keys_of[name] for name in ("previous", "next"))
        prompt = [*_KEYS, (both, "what was asked or answered otherwise, on an empty line: /versions")]
        lines = ["at the prompt", *_table(prompt), "", "while an answer streams", *_table(_STREAMING), "", "at a pause"]
        self._say("\n".join([*lines, *(f"  {line}" for line in self._pausing.help())]))

    async def _info(self, _argument: str) -> None:
        session, choices = self._session, self._choices
        options = choices.options
        # What is being answered is no part of the conversation yet.
        under_way = (session.asked is not None) + (self._pausing.turn is not None)
        rows = [
            ("session", session.id or "not begun yet"),
            ("title", session.title or "-"),
            ("answers", f"{choices.provider}/{choices.model}"),
            ("system prompt", session.conversation.system or "-"),
            *([("about the marker", self._note)] if self._note else []),
            ("temperature", "-" if options.temperature is None else f"{options.temperature:g}"),
            ("max tokens", "-" if options.max_tokens is None else str(options.max_tokens)),
            ("pause mode", choices.pause_mode),
            ("resume mode", choices.resume_mode or "auto"),
            ("messages", str(len(session.messages) + under_way)),
        ]
        self._say("\n".join(_table(rows)))

    async def _tokens(self, _argument: str) -> None:
        parts = [segment for message in self._session.messages for segment in message.segments]
        parts += self._pausing.turn.reply.segments if self._pausing.turn is not None else ()
        if not parts:
            raise UsageError("nothing was answered yet")
        models = dict.fromkeys((part.provider, part.model) for part in parts)
        rows = [
            (f"{provider}/{model}", _figures(total([s for s in parts if (s.provider, s.model) == (provider, model)])))
            for provider, model in models
        ]
        rows += [("together", _figures(total(parts)))] if len(rows) > 1 else []
        self._say("\n".join(_table(rows)))

    async def _thinking(self, _argument: str) -> None:
        turn = self._pausing.turn
        thinking = turn.reply.thinking if turn is not None else self._session.answer.thinking
        if not thinking.strip():
            raise UsageError("there is no thinking in the last answer")
        self._say(thinking)

    async def _doctor(self, _argument: str) -> None:
        self._say("\n".join(await self._examine()))


def _figures(used: Total) -> str:
    about = "about " if used.estimated else ""
    cost = f" - {used.cost:.4f}" if used.cost is not None else ""
    return f"{about}{used.input_tokens:,} in, {used.output_tokens:,} out, {count(used.segments, 'part')}{cost}"


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {value}" for name, value in rows]
