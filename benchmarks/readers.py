"""What another reader of an answer costs: CPU and memory of one turn, read by one, and by a thousand more.

The answer comes over a socket, as always. Each reader puts together the text that it is given, and all of it is right.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from statistics import median

from benchmarks.answer import Recipe
from benchmarks.measure import Row, alone
from benchmarks.programs import Programs, programs
from benchmarks.providers import SUBJECTS
from llmterm.assembly.roster import registry
from llmterm.config import Settings
from llmterm.conversation import Conversation
from llmterm.messages import TextDelta
from llmterm.providers import Provider
from llmterm.turn import Turn

ROUNDS = 5
CHUNKS = 20_000
READERS = 1_000
GOAL = 1 / 20


def run() -> list[Row]:
    with programs() as subjects:
        return asyncio.run(_rows(subjects))


async def _rows(subjects: Programs) -> list[Row]:
    providers = registry(Settings(), SUBJECTS[0].environ(subjects.port))
    try:
        provider = providers.get(SUBJECTS[0].provider)
        await _answer(provider, 1)
        pairs = [(await _cpu(provider, 1), await _cpu(provider, 1 + READERS)) for _ in range(ROUNDS)]
        growth = [await _memory(provider, readers) for readers in (1, 1 + READERS)]
    finally:
        await providers.aclose()
    first = median(one for one, _ in pairs)
    share = median((many - one) / READERS / one for one, many in pairs)
    text = sum(map(len, Recipe(text="prose", chunks=CHUNKS).pieces()))
    each = (growth[1] - growth[0]) / READERS
    return [
        alone(f"{CHUNKS:,} chunks, one reader, CPU s", first, form="{:.2f}"),
        alone(f"each of {READERS:,} more, CPU, of the first", share, form="{:.4f}", goal=GOAL),
        alone("one reader, peak of memory, of the text", growth[0] / text, form="{:.2f}"),
        alone(f"each of {READERS:,} more, peak of memory, of the text", each / text, form="{:.3f}"),
    ]


async def _cpu(provider: Provider, readers: int) -> float:
    began = time.process_time()
    await _answer(provider, readers)
    return time.process_time() - began


async def _memory(provider: Provider, readers: int) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        await _answer(provider, readers)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def _answer(provider: Provider, readers: int) -> None:
    recipe = Recipe(text="prose", chunks=CHUNKS)
    turn = Turn(provider, Conversation().ask(recipe.question()).request(model="test"))
    reading = [asyncio.create_task(_length(turn)) for _ in range(readers)]
    await asyncio.sleep(0)
    turn.start()
    lengths = await asyncio.gather(*reading)
    assert set(lengths) == {len(turn.reply.text)}, "a reader has another text"


async def _length(turn: Turn) -> int:
    """Read all of the answer; return how long it was. Its text is the turn's, and is not put together again."""
    return sum([len(event.text) async for _, event in turn.events() if isinstance(event, TextDelta)])
