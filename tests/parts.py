"""The parts of a chat made alone, with fakes around them: a view that keeps what it is told, a line with a script."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from itertools import count
from pathlib import Path

from prompt_toolkit.input import DummyInput, PipeInput, create_pipe_input

from llmterm.chat.attachments import Attachments
from llmterm.chat.bindings import Bindings
from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.completion import Completion, StatusBar
from llmterm.chat.composer import Composer
from llmterm.chat.context import ChatSettings, Context
from llmterm.chat.decision import Decision, Interrupts, Phase
from llmterm.chat.foot import Foot
from llmterm.chat.here import Here
from llmterm.chat.history import PromptHistory
from llmterm.chat.input import InputLine
from llmterm.chat.live import Live
from llmterm.chat.machine import Beside, Others, Ran
from llmterm.chat.options import Choices
from llmterm.chat.queue import MessageQueue
from llmterm.chat.suggestion import Find, Found, Suggestion
from llmterm.chat.window import WindowSize
from llmterm.errors import UsageError
from llmterm.keys.autorepeat import Autorepeat
from llmterm.messages import Attachment, Options, StreamEvent, StreamLimits, TextDelta
from llmterm.providers.registry import Entry, ProviderRegistry
from llmterm.render.ink import Ink
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from tests.scripted import ScriptedProvider


def now() -> float:
    return 0.0


WINDOW = WindowSize(lambda: (80, 24), now, settles=0.0)
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

    def warm(self) -> None:
        pass

    def page(self, text: str) -> str:
        return text

    def begin(self, heading: str = "") -> None:
        self.said += [heading] if heading else []
        self.text = ""

    def event(self, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self.text += event.text

    def frame(self) -> bool:
        return True

    def refresh(self) -> None:
        pass

    def displaced(self) -> None:
        pass

    def hurry(self) -> None:
        pass

    def note(self, line: str) -> None:
        pass

    def pause(self) -> None:
        self.paused.set()

    def dismiss(self) -> bool:
        return False

    def settle(self) -> None:
        pass

    def resume(self, guidance: str) -> None:
        self.paused.clear()

    def lend(self) -> None:
        pass

    def leave(self) -> None:
        pass

    def close(self, mark: str = "") -> None:
        pass

    def blank(self) -> None:
        self.said.append("blank")

    def echo(self, text: str, *, asks: bool = True) -> None:
        self.said.append(f"> {text}")

    def say(self, line: str, *, error: bool = False) -> None:
        (self.errors if error else self.said).append(line)


class Silence(DummyInput):
    """An input that nothing ever comes from."""

    closed = False

    def attach(self, input_ready_callback: Callable[[], None]) -> AbstractContextManager[None]:
        return nullcontext()


class ScriptedComposer(Composer):
    """A line whose user decides as written down whenever he is asked; `asked` is what the status line said then.

    What is decided while an answer streams comes by `press`.
    """

    def __init__(self, folder: Path, queue: MessageQueue, *decisions: Decision) -> None:
        bindings = Bindings(queue=queue, interrupts=Interrupts(now), autorepeat=Autorepeat(now))
        super().__init__(
            source=Silence(),
            history=PromptHistory(folder / "history"),
            bindings=bindings,
            window=WINDOW,
            vi=False,
            plain=False,
        )
        self.press = bindings.decide
        self.asked: list[str] = []
        self.foot = Foot(self, queue, ink=Ink)
        self._script = deque(decisions)

    async def decision(self) -> Decision:
        if self.phase is Phase.BUSY:
            return await super().decision()
        self.asked.append(self.foot.status)
        self.begin(Phase.BUSY)
        return self._script.popleft()


class Composing(Composer):
    """A line that is typed in, with nothing around it."""

    def __init__(
        self, source: PipeInput, history: PromptHistory, bindings: Bindings, queue: MessageQueue, *, vi: bool
    ) -> None:
        self.queue = queue
        super().__init__(source=source, history=history, bindings=bindings, window=WINDOW, vi=vi, plain=False)
        self._drawn = asyncio.Event()

    async def seen(self, condition: Callable[[], bool]) -> None:
        """Wait until what is to be drawn is so."""
        while not condition():
            self._drawn.clear()
            await self._drawn.wait()

    def drawn(self) -> None:
        self._drawn.set()


@asynccontextmanager
async def composing(
    folder: Path,
    *,
    vi: bool = False,
    clock: Callable[[], float] | None = None,
    find: Find | None = None,
    key_clock: Callable[[], float] | None = None,
) -> AsyncIterator[tuple[Composing, PipeInput]]:
    """A line that runs, and the input that its keys come from.

    Unless there is another `clock` no two Ctrl-C belong together; without a `key_clock` no key is held down. A menu has
    two commands, or what `find` gives.
    """
    hours = count(step=3_600)

    def later() -> float:
        return next(hours)

    queue = MessageQueue()
    bindings = Bindings(
        queue=queue,
        interrupts=Interrupts(clock or later),
        autorepeat=Autorepeat(key_clock or later),
        of_pause=["alt-e"],
    )

    def themes(text: str) -> Found:
        names = [each for each in ("/theme", "/thinking") if each.startswith(text)]
        return Found([Suggestion(each, len(text), all=True, typed=each == text) for each in names], True)

    with create_pipe_input() as source:
        history = PromptHistory(folder / "history")
        composer = Composing(source, history, bindings, queue, vi=vi)
        await composer.ready()
        running = asyncio.create_task(composer.run(composer.drawn, lambda words: None, find or themes))
        await asyncio.sleep(0)
        try:
            yield composer, source
        finally:
            await composer.close()
            await running


class FakeMachine:
    """A machine whose editor gives back `edited`, and whose clipboard has `pasted`."""

    def __init__(self, folder: Path, *, edited: str = "", pasted: str | Attachment | None = None) -> None:
        self.folder = folder
        self.edited = edited
        self.pasted = pasted

    async def edit(self, text: str) -> str:
        return self.edited or text

    async def page(self, text: str) -> None:
        pass

    async def compare(self, others: Others) -> Beside:
        raise UsageError("nobody else answers a test")

    async def copy(self, text: str) -> str:
        return "(nowhere)"

    async def paste(self) -> str | Attachment | None:
        return self.pasted

    async def shell(self, command: str, stop: asyncio.Event) -> Ran:
        return Ran(f"{command} has run\n", 0)

    async def examine(self) -> list[str]:
        return ["all is well"]

    def suspend(self) -> None:
        raise UsageError("nothing suspends a test")

    def mask(self, text: str) -> str:
        return text


class Parts:
    """All parts around a chat's loops, with a scripted provider."""

    def __init__(
        self, store: SessionStore, *decisions: Decision, edited: str = "", view: FakeView | None = None
    ) -> None:
        folder = store.path.parent
        self.provider = ScriptedProvider()
        self.registry = ProviderRegistry({"scripted": Entry(build=lambda: self.provider, model="m")})
        self.view = view or FakeView()
        self.queue = MessageQueue()
        self.composer = ScriptedComposer(folder, self.queue, *decisions)
        self.session = CurrentSession(store, system="")
        self.choices = Choices(provider="scripted", model="m", options=Options())
        self.machine = FakeMachine(folder, edited=edited)
        self.context = Context(
            session=self.session,
            registry=self.registry,
            choices=self.choices,
            attachments=Attachments(folder),
            view=self.view,
            machine=self.machine,
            settings=ChatSettings(marker=None, limits=StreamLimits(), keys=KEYS, roles=folder / "roles"),
        )
        self.host = Here(
            session=self.session,
            registry=self.registry,
            choices=self.choices,
            limits=StreamLimits(),
            marker=None,
        )
        commands = catalogue(KEYS)
        self.line = InputLine(
            composer=self.composer,
            queue=self.queue,
            foot=self.composer.foot,
            view=self.view,
            machine=self.machine,
            find=Completion(self.context, commands).find,
            bar=StatusBar(self.context, self.queue).text,
            chords=None,
        )
        self.live = Live(context=self.context, commands=commands, window=WINDOW, line=self.line, clock=now)
