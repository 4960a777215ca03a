"""What a stream of a minute at 200 chunks a second writes to the terminal, against its final rendering written once.

The clock is simulated: chunks are fed as they would come, and a frame is drawn when something has come and the last
one is at least 1/30 s ago, as the chat does it. The view, the renderer and the screen are the chat's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from prompt_toolkit.input import DummyInput

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alone
from llmterm.chat.bindings import Bindings
from llmterm.chat.composer import Composer
from llmterm.chat.decision import Interrupts, Phase
from llmterm.chat.foot import Foot
from llmterm.chat.history import PromptHistory
from llmterm.chat.queue import MessageQueue
from llmterm.chat.status import streaming_line
from llmterm.chat.view import MarkdownView
from llmterm.chat.window import WindowSize
from llmterm.keys.autorepeat import Autorepeat
from llmterm.messages import TextDelta
from llmterm.render.cells import cell_len
from llmterm.render.ink import ink
from llmterm.render.markdown import MarkdownRenderer
from llmterm.render.screen import Screen
from llmterm.render.theme import DARK

SECONDS, CHUNKS_A_SECOND = 60, 200
FRAMES_A_SECOND = 30
SIZE = (100, 40)
RATIO_GOAL = 3.0

_PARAGRAPH = (
    "A producer that is **faster than its consumer** has to wait, or to drop something. Which of the two is right "
    "depends on what `put` promises; see the [documentation](https://docs.example.org/queues) for the details of each, "
    "and the next section for what happens when the *consumer* is cancelled in the middle of a `get`. "
)
_CHINESE = "生产者比消费者快的时候，要么等待，要么丢弃一些东西。哪一种是对的，取决于接口的承诺，"
_LIST = """\
- The *first* kind blocks until there is room, and so does everything above it;
  - a cancelled `put` leaves nothing behind, and that is **promised**.
"""
_NUMBERED = """\
1. **Measure** before you choose: most queues are either empty or full, and those in between are rarely the bottleneck.
"""
_QUOTE = "> A queue is not a place to keep things. It is a place where things *wait*, and not for long.\n"
_CODE = """\
```python
async def consume(queue: Queue[bytes], limit: int = 7) -> int:
    total = 0
    while item := await queue.get():
        total += len(item)  # bytes, not items
    return total
```

"""
_HEADER, _ROW = "| kind | waits | drops |\n|---|:-:|--:|\n", "| `deque` | no, never | the oldest |\n"
_TEXTS = {
    "paragraphs of 3 lines": _PARAGRAPH + "\n\n",
    "paragraphs of 6 lines": _PARAGRAPH * 2 + "\n\n",
    "paragraphs in Chinese": _CHINESE * 5 + "\n\n",
    "lists": _LIST,
    "numbered lists": _NUMBERED,
    "quotes": _QUOTE * 3 + "\n",
    "code": _CODE,
    "tables of 3 rows": _HEADER + _ROW * 3 + "\n",
    "tables of 12 rows": _HEADER + _ROW * 12 + "\n",
}


def run() -> list[Row]:
    texts = {name: _cut(section) for name, section in _TEXTS.items()}
    texts["all of it"] = Recipe(text="markdown", chunks=SECONDS * CHUNKS_A_SECOND).pieces()
    rows: list[Row] = []
    most = 0
    worst = 0.0
    for name, chunks in texts.items():
        played = list(islice(chunks, SECONDS * CHUNKS_A_SECOND))
        writes = _play(played)
        final = _final("".join(played))
        ratio = sum(len(text.encode()) for _, text in writes) / final
        most = max(most, _most_in_a_second(writes))
        worst = max(worst, ratio)
        rows.append(alone(f"{name}: bytes written, of the final ones", ratio, form="{:.2f}", goal=RATIO_GOAL))
    return [
        alone("most frames in a second", most, form="{:.0f}", goal=FRAMES_A_SECOND),
        alone("the worst of these: bytes written, of the final ones", worst, form="{:.2f}", goal=RATIO_GOAL),
        *rows,
    ]


def _cut(section: str) -> Iterator[str]:
    """Return chunks of about five characters, as a model's tokens are, without an end."""
    sizes = cycle((3, 5, 7, 4, 6))
    text = cycle(section)
    while True:
        yield "".join(islice(text, next(sizes)))


def _play(chunks: list[str]) -> list[tuple[float, str]]:
    """Return what is written, and when, in seconds."""
    writes: list[tuple[float, str]] = []
    now = 0.0
    foot = _foot()
    view = _view(lambda text: writes.append((now, text)), foot)
    view.begin()
    frame = 0
    for number, chunk in enumerate(chunks):
        while frame * CHUNKS_A_SECOND < number * FRAMES_A_SECOND:
            now = frame / FRAMES_A_SECOND
            with foot.saying(partial(_status, now), lasting=True):
                view.frame()
            frame += 1
        view.event(TextDelta(chunk))
    now = SECONDS
    view.close()
    return writes


def _final(text: str) -> int:
    """Return the bytes of the whole answer written at once."""
    written: list[str] = []
    view = _view(written.append, _foot())
    view.begin()
    view.event(TextDelta(text))
    view.close()
    return len("".join(written).encode())


def _foot() -> Foot:
    """Return a line in which nobody types, with no history and no terminal."""
    messages = MessageQueue()
    composer = Composer(
        source=DummyInput(),
        history=PromptHistory(Path(os.devnull)),
        bindings=Bindings(queue=messages, interrupts=Interrupts(float), autorepeat=Autorepeat(float)),
        window=WindowSize(lambda: SIZE, float, settles=0.0),
        vi=False,
        plain=False,
    )
    composer.begin(Phase.BUSY)
    return Foot(composer, messages, ink=lambda: ink(DARK))


def _view(write: Callable[[str], None], foot: Foot) -> MarkdownView:
    return MarkdownView(
        screen=Screen(write=write, size=lambda: SIZE, cell_len=cell_len),
        size=lambda: SIZE,
        renderer=lambda width: MarkdownRenderer(width=width),
        foot=foot,
        ink=lambda: ink(DARK),
    )


def _status(now: float) -> str:
    return streaming_line(model="openai/gpt-x", elapsed=now, rate=CHUNKS_A_SECOND + now % 7, columns=SIZE[0])


def _most_in_a_second(writes: list[tuple[float, str]]) -> int:
    """Return the most frames in any second, of those between the beginning and the end."""
    times = [at for at, _ in writes[1:-1]]
    return max(sum(at <= other < at + 0.999 for other in times[index:][:100]) for index, at in enumerate(times))
