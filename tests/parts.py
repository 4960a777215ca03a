"""The parts of a chat made alone, with fakes around them: a view that keeps what it is told, a prompt with a script."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from llmterm.chat.ahead import Ahead
from llmterm.chat.attachments import Attachments
from llmterm.chat.context import ChatSettings, Context
from llmterm.chat.decision import Compose, Decision, Interrupts, Leave, Send
from llmterm.chat.input import InputLine
from llmterm.chat.live import Live
from llmterm.chat.machine import Machine
from llmterm.chat.options import Choices
from llmterm.chat.window import WindowSize
from llmterm.errors import UsageError
from llmterm.keys.autorepeat import Autorepeat
from llmterm.keys.scripted import ScriptedKeys
from llmterm.messages import Attachment, Options, StreamEvent, StreamLimits, TextDelta
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from tests.scripted import ScriptedProvider

KEYS = {"edit": "e", "back": "b", "on": "m", "again": "a", "previous": "p", "next": "n"}


class FakeView:
    """A view that draws nothing: `text` is what of the answer it was given, `said` what else it was told."""

    columns = 80
    long = False

    def __init__(self) -> None:
        self.text = ""
        self.said: list[str] = []
        self.errors: list[str] = []
        self.paused = asyncio.Event()

    def warm(self) -> Iterator[None]:
        yield from ()

    def page(self, text: str) -> str:
        return text

    def begin(self) -> None:
        self.text = ""

    def event(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self.text += event.text

    def frame(self, footer: Sequence[str]) -> bool:
        return True

    def portion(self, footer: Sequence[str]) -> bool:
        return True

    def hurry(self) -> None:
        pass

    def note(self, line: str) -> None:
        pass

    def pause(self) -> None:
        self.paused.set()

    def resume(self, guidance: str) -> None:
        self.paused.clear()

    def covered(self, rows: int) -> None:
        pass

    def displaced(self) -> None:
        pass

    def close(self) -> None:
        pass

    def blank(self) -> None:
        self.said.append("blank")

    def echo(self, text: str) -> None:
        self.said.append(f"> {text}")

    def say(self, line: str, *, error: bool = False) -> None:
        (self.errors if error else self.said).append(line)


class FakePrompt:
    """A prompt that is answered by `decisions`, one after the other; `lines` are those it was asked below."""

    def __init__(self, *decisions: Decision) -> None:
        self.decisions = deque(decisions)
        self.lines: list[str] = []
        self.unsent = ""

    def warm(self) -> Iterator[None]:
        yield from ()

    async def close(self) -> None:
        pass

    async def ask(self, text: str, shortcuts: Mapping[str, str], *, remember: bool = True) -> Send | Compose | Leave:
        decision = self.decisions.popleft()
        assert isinstance(decision, Send | Compose | Leave)
        return decision

    async def paused(self, line: Callable[[], str], text: str, shortcuts: Mapping[str, str]) -> Decision:
        self.lines.append(line())
        return self.decisions.popleft()


def machine(folder: Path, *, edited: str = "", pasted: str | Attachment | None = None) -> Machine:
    """A machine whose editor gives back `edited`, and whose clipboard has `pasted`."""

    async def edit(text: str) -> str:
        return edited or text

    async def page(text: str) -> None:
        pass

    async def copy(text: str) -> str:
        return "(nowhere)"

    async def paste() -> str | Attachment | None:
        return pasted

    async def examine() -> list[str]:
        return ["all is well"]

    def suspend() -> None:
        raise UsageError("nothing suspends a test")

    return Machine(
        edit=edit, page=page, copy=copy, paste=paste, examine=examine, suspend=suspend, folder=folder, mask=str
    )


class Parts:
    """All parts around a chat's loops, with a scripted provider."""

    def __init__(
        self, store: SessionStore, *decisions: Decision, edited: str = "", view: FakeView | None = None
    ) -> None:
        folder = store.path.parent
        self.provider = ScriptedProvider()
        self.registry = ProviderRegistry({"scripted": Entry(build=lambda: self.provider, model="m")})
        self.view = view or FakeView()
        self.prompt = FakePrompt(*decisions)
        self.keys = ScriptedKeys()
        self.ahead = Ahead()
        self.session = CurrentSession(store, system="")
        self.choices = Choices(provider="scripted", model="m", options=Options())
        self.machine = machine(folder, edited=edited)
        self.context = Context(
            session=self.session,
            registry=self.registry,
            choices=self.choices,
            attachments=Attachments(folder),
            view=self.view,
            machine=self.machine,
            settings=ChatSettings(marker=None, limits=StreamLimits(), keys=KEYS),
        )
        autorepeat = Autorepeat(lambda: 0.0)
        self.line = InputLine(
            prompt=self.prompt,
            ahead=self.ahead,
            view=self.view,
            machine=self.machine,
            retake=lambda: None,
            chords=None,
            autorepeat=autorepeat,
        )
        self.live = Live(
            view=self.view,
            window=WindowSize(lambda: (80, 24), lambda: 0.0, settles=0.0),
            keys=self.keys,
            ahead=self.ahead,
            choices=self.choices,
            interrupts=Interrupts(lambda: 0.0),
            autorepeat=autorepeat,
            clock=lambda: 0.0,
        )
