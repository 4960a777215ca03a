"""Typing into a prompt: what is kept for undo, and text that comes faster than it can be drawn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.shortcuts import PromptSession
from wcwidth import iter_graphemes

from llmterm.chat.insertion import Steps, WholeCharacters, bind_typing


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe_input:
        yield pipe_input


class Typist:
    """Types at a prompt whose keys are the ones under test, and Ctrl-T, which tells that all before it was heard."""

    def __init__(self, pipe: PipeInput, *, vi: bool = False) -> None:
        self.pipe = pipe
        self.heard = asyncio.Event()
        keys = KeyBindings()
        bind_typing(keys)

        @keys.add("c-t")
        def _(event: KeyPressEvent) -> None:
            self.heard.set()

        self.session: PromptSession[str] = PromptSession(
            input=pipe, output=DummyOutput(), key_bindings=keys, multiline=True, vi_mode=vi
        )

    async def type(self, text: str) -> str:
        """Type it, in one write; return what is in the line then."""
        self.heard.clear()
        self.pipe.send_text(f"{text}\x14")
        await self.heard.wait()
        return self.session.default_buffer.text

    async def key_by_key(self, text: str) -> None:
        """Type it as a person does, each key in a read of its own."""
        buffer = self.session.default_buffer
        for char in text:
            before = buffer.text
            self.pipe.send_text(char)
            while buffer.text == before:  # noqa: ASYNC110 - a prompt tells nobody of its keys
                await asyncio.sleep(0)


@pytest.fixture
async def typist(pipe: PipeInput) -> AsyncIterator[Typist]:
    typist = Typist(pipe)
    async with asked(typist):
        yield typist


@asynccontextmanager
async def asked(typist: Typist) -> AsyncIterator[None]:
    typist.session.app.min_redraw_interval = 3600.0
    asking = asyncio.create_task(typist.session.prompt_async())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait([asking])


@pytest.mark.parametrize("sizes", [range(100_000), range(100_000, 0, -1)])
def test_what_is_kept_for_undo_is_a_multiple_of_the_text(sizes: range) -> None:
    """Before which keys of a run, typed or taken back, a text of so many characters is kept as a whole."""
    steps = Steps()

    def is_kept(size: int) -> bool:
        event: Any = SimpleNamespace(is_repeat=True, current_buffer=SimpleNamespace(text=range(size)))
        return steps(event)

    assert sum(size for size in sizes if is_kept(size)) < 60 * len(sizes)


async def test_undo_takes_typing_back_in_steps(typist: Typist) -> None:
    """Not the whole line at once, and not key by key; what was taken back comes again as one."""
    await typist.key_by_key("a line of some length, typed by hand")
    await typist.key_by_key("\x7f" * 8)

    lines = [await typist.type("\x1f") for _ in range(3)]

    assert lines == ["a line of some length, typed by hand", "a line of some lengt", ""]


@pytest.mark.parametrize("vi", [False, True])
async def test_text_in_one_read_is_the_same_text(pipe: PipeInput, vi: bool) -> None:
    """With keys among it, blanks before it, and questions in it; and it is undone as one."""
    typist = Typist(pipe, vi=vi)
    async with asked(typist):
        assert await typist.type("  one? two\x7f\x7f\x7f three😀") == "  one?  three😀"
        assert await typist.type("\x1b[D\x1b[D!? ok") == "  one?  thre!? oke😀"


async def test_repeated_text_is_repeated(typist: Typist) -> None:
    """Alt-3 x: three of it, and one of what comes with it."""
    assert await typist.type("a\x1b3xyz") == "axxxyz"


WHOLE = ("a", "\u00e9", "e\u0301", "👩‍👩‍👧", "👍🏽", "🇩🇪", "각", "❤️", "नि")
# Each way to step over a character or to take it, forward and back, in the line's two modes.
STEPS = {
    False: ("\x06", "\x02", "\x1b[C", "\x1b[D", "\x04", "\x08", "\x7f", "\x1b[3~"),
    True: ("l", "h", "x", "X", "dl", "dh", "\x1b[C", "\x1b[D"),
}


@pytest.mark.parametrize("vi", [False, True])
async def test_no_key_leaves_half_a_character(pipe: PipeInput, vi: bool) -> None:
    """Whatever motions and deletions follow each other: what is left is characters, and the cursor between two."""
    choice = random.Random(7)
    typist = Typist(pipe, vi=vi)
    typist.session.default_buffer.on_cursor_position_changed += WholeCharacters()
    asking = asyncio.create_task(typist.session.prompt_async())
    try:
        for _ in range(12):
            buffer = typist.session.default_buffer
            chars = choice.choices(WHOLE, k=8)
            await typist.type("")
            buffer.document = Document("".join(chars), 0)
            if vi:
                typist.session.app.vi_state.input_mode = InputMode.NAVIGATION
            for key in choice.choices(STEPS[vi], k=12):
                text = await typist.type(key)
                edges = list(accumulate(map(len, iter_graphemes(text)), initial=0))
                assert buffer.cursor_position in edges, (key, text)
                assert set(iter_graphemes(text)) <= set(WHOLE), (key, text)
    finally:
        asking.cancel()
        await asyncio.wait({asking})


async def test_operator_whose_motion_goes_nowhere_changes_nothing(pipe: PipeInput) -> None:
    """prompt_toolkit's own make two of the text there."""
    typist = Typist(pipe, vi=True)
    asking = asyncio.create_task(typist.session.prompt_async())
    try:
        for keys in ("dh", "d0", "db", "d^", "ch", "c0"):
            await typist.type("")
            typist.session.default_buffer.document = Document("abc def", 0)
            typist.session.app.vi_state.input_mode = InputMode.NAVIGATION

            assert await typist.type(keys) == "abc def", keys
    finally:
        asking.cancel()
        await asyncio.wait({asking})
