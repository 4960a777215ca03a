"""How long the event loop stands still, at the longest, where something takes its time: a disk, a lock, a reader, text.

A task asks for its turn each millisecond; how late it gets it is what a key would wait. A loop with nothing to do is
as late as 7 to 19 ms where the machine serves others as well, so what counts of it is what the process can help: as
long as something of it computed meanwhile, in any thread, and as long as the loop slept inside a turn of its own, on a
lock or a disk (where the system counts that: Linux). What the code does comes in every round, what the machine does
comes in some: of several rounds the one counts whose longest wait is the shortest.
"""

from __future__ import annotations

import asyncio
import os
import resource
import selectors
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alone
from benchmarks.programs import Programs, programs
from benchmarks.providers import SUBJECTS
from llmterm.ask import Ask
from llmterm.ask.forms import Text
from llmterm.assembly.roster import registry
from llmterm.assembly.streams import Output
from llmterm.chat.filesearch import listing, matching
from llmterm.chat.mentions import expand
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.messages import EndReason, Message, Options, Reply, Request, Segment, Snapshot, StreamLimits, TextDelta
from llmterm.providers import Provider
from llmterm.recorded import RecordedTurn
from llmterm.redaction import Secrets
from llmterm.respondent import Respondent
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.whole import HeldMessage, HeldSession
from llmterm.threads import in_thread, take_turns
from llmterm.turn import Turn

ROUNDS = 5
FILES = 50_000
CHARACTERS = 5_000_000
MESSAGES = 50_000
GOAL = 5.0
_BEAT = 0.001
# How long an answer comes while nobody reads it, or the store is locked: several times as long as it is not written.
_SECONDS = 1.0


def run() -> list[Row]:
    take_turns()  # as the program does
    with programs() as subjects, tempfile.TemporaryDirectory(prefix="llmterm-bench-") as folder:
        watch = _Turns()
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
            return runner.run(_rows(subjects, Path(folder), watch))


async def _rows(subjects: Programs, folder: Path, watch: _Turns) -> list[Row]:
    many = folder / "many"
    many.mkdir()
    for number in range(FILES):
        (many / f"file{number:05}").touch()
    (folder / "notes.txt").write_text("word " * 100_000, encoding="utf-8")
    reply = _answered()
    edited = reply.text[:-1000]
    providers = registry(Settings(), SUBJECTS[0].environ(subjects.port))
    provider = providers.get(SUBJECTS[0].provider)
    session = await in_thread(_long, folder / "long")
    situations: dict[str, Callable[[], Awaitable[object]]] = {
        f"a path is completed among {FILES:,} files": lambda: in_thread(lambda: matching(listing(many), "file", many)),
        "a word of guidance takes a file of 500 kB along": lambda: in_thread(expand, "as in @notes.txt", folder),
        f"an answer of {CHARACTERS:,} characters is edited": lambda: _edit(provider, reply, edited),
        "the same goes on, until its first token": lambda: _resume(provider, reply),
        f"a question is asked after {MESSAGES:,} messages": lambda: _follow(provider, session),
        "an answer comes that nobody reads": lambda: _unread(provider),
        "an answer comes, and the store is locked": lambda: _locked(provider, folder / "locked"),
    }
    try:
        await session.whole()
        return [
            alone(
                f"{what}, ms",
                min([await _longest(situation, watch) for _ in range(ROUNDS)]),
                form="{:.1f}",
                goal=GOAL,
            )
            for what, situation in situations.items()
        ]
    finally:
        await session.keeper.last_chance(_SECONDS)
        await providers.aclose()


async def _longest(situation: Callable[[], Awaitable[object]], watch: _Turns) -> float:
    """Return for how many milliseconds, at the longest, nothing else had its turn, for something the process did."""
    late = [0.0]

    async def beat() -> None:
        while True:
            began, computed = time.perf_counter(), time.process_time()
            await asyncio.sleep(_BEAT)
            late.append(min(time.perf_counter() - began - _BEAT, time.process_time() - computed))

    beating = asyncio.create_task(beat())
    await asyncio.sleep(_BEAT)
    watch.asleep = 0.0
    try:
        await situation()
        await asyncio.sleep(_BEAT)
    finally:
        beating.cancel()
    return max(*late, watch.asleep) * 1000


class _Turns(selectors.DefaultSelector):
    """What a loop waits with, which sees what lies between two waits: `asleep` is the longest turn that slept."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = 0.0
        self._began = time.perf_counter()
        self._slept = _sleeps()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if _sleeps() != self._slept:
            self.asleep = max(self.asleep, time.perf_counter() - self._began)
        events = super().select(timeout)
        self._began, self._slept = time.perf_counter(), _sleeps()
        return events


def _sleeps() -> int:
    """Return how often this thread waited for something other than a processor."""
    if not hasattr(resource, "RUSAGE_THREAD"):
        return 0
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _request(*, chunks: int, rate: float = 0.0) -> Request:
    return Conversation().ask(Recipe(text="prose", chunks=chunks, rate=rate).question()).request(model="test")


def _resting(reply: Reply) -> Snapshot:
    return Snapshot(request=_request(chunks=1), reply=reply, reason=EndReason.PAUSE)


def _answered() -> Reply:
    reply, size = Reply(), 0
    for piece in Recipe(text="markdown", chunks=CHARACTERS).pieces():
        reply = reply.add(TextDelta(piece))
        size += len(piece)
        if size >= CHARACTERS:
            break
    return reply


async def _edit(provider: Provider, reply: Reply, text: str) -> None:
    turn = Turn(provider, _resting(reply))
    turn.rewrite(turn.reply.rewrite(text))


async def _resume(provider: Provider, reply: Reply) -> None:
    turn = Turn(provider, _resting(reply), "!!CANCEL")
    turn.resume(continuation="instruct")
    reader = turn.reader()
    reader.skip()
    async for event in reader.streamed():
        if isinstance(event, TextDelta):
            break
    await turn.cancel()


def _long(folder: Path) -> CurrentSession:
    """Return a session of very many messages."""
    end = Segment(provider="test", model="test", mode="fresh", start=0, end=6, end_reason=EndReason.STOP)
    said = [Message(role="user", text="and?"), Message(role="assistant", text="so be it", segments=(end,))]
    path = tuple(HeldMessage(said[number % 2]) for number in range(MESSAGES))
    with closing(SessionStore(folder)) as store:
        put, _ = store.put(HeldSession(id=None, title="long", system="", path=path))
        session = CurrentSession(store, system="")
        session.open(store.load(put.id or ""))
    return session


async def _follow(provider: Provider, session: CurrentSession) -> None:
    question = Message(role="user", text=Recipe(text="prose", chunks=3).question())
    respondent = Respondent(provider=provider, model="test", options=Options(), limits=StreamLimits())
    await session.ready()
    turn = await respondent.turn(await session.conversation(question))
    async with RecordedTurn(turn, session, question):
        async for _ in turn.events():
            pass


async def _unread(provider: Provider) -> None:
    """Write an answer, as that to a question in a pipe is, for a while."""
    turn = Turn(provider, _request(chunks=1_000_000, rate=2_000))
    reader = turn.reader(waited_for=True)
    turn.start()
    with _written(read=False) as output, suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            async for event in reader.streamed():
                if isinstance(event, TextDelta):
                    output.text(event.text)
                await output.room()
    await turn.cancel()


async def _locked(provider: Provider, folder: Path) -> None:
    """Ask, as `echo question | llmterm` does, and end it after a while."""
    other = await in_thread(_locking, folder)
    with closing(other), closing(SessionStore(folder, timeout=0.25)) as store, _written(read=True) as output:
        session = CurrentSession(store, system="", piped=True)
        respondent = Respondent(provider=provider, model="test", options=Options(), limits=StreamLimits())
        question = Message(role="user", text=Recipe(text="prose", chunks=1_000_000, rate=2_000).question())
        answer = asyncio.create_task(Ask(respondent=respondent, session=session, form=Text(output)).run(question))
        await asyncio.wait({answer}, timeout=_SECONDS)
        await in_thread(other.execute, "ROLLBACK")
        answer.cancel()
        with suppress(asyncio.CancelledError):
            await answer


def _locking(folder: Path) -> sqlite3.Connection:
    """Return a connection that keeps the store locked."""
    with closing(SessionStore(folder)) as store:
        store.create()
        other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


@contextmanager
def _written(*, read: bool) -> Iterator[Output]:
    """Give an output to a pipe whose reader keeps up, or never reads."""
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    if read:
        loop.add_reader(reading, os.read, reading, 65_536)
    with TextIOWrapper(os.fdopen(writing, "wb")) as out, open(os.devnull, "w", encoding="utf-8") as beside:
        try:
            yield Output(out, beside, Secrets())
        finally:
            loop.remove_reader(reading)
            os.close(reading)
