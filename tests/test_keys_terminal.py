"""The terminal's keys, on real pseudo-terminals where their modes matter and on pipes where reads must be cut."""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.input import DummyInput, Input, PipeInput, create_input, create_pipe_input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.shortcuts import PromptSession

from llmterm.keys import Key, KeySource
from llmterm.keys.keymap import presses as presses_of_tokens
from llmterm.keys.scanner import Scanner, Waits
from llmterm.keys.terminal import TerminalKeys, parse

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX", allow_module_level=True)

# Long enough never to end within a test, where the end of an Esc must not come from the clock.
_HOUR = 3600.0
NEVER = Waits(alt=_HOUR, escape=_HOUR, sequence=_HOUR, string=_HOUR)
# No time at all: an Esc is one as soon as nothing has come with it.
AT_ONCE = Waits(alt=0.0, escape=0.001)


@dataclass(frozen=True, slots=True)
class Pty:
    """A pseudo-terminal: `press` types at it, `input` reads it, `modes` are the kernel's."""

    master: int
    slave: int
    input: Input

    def press(self, data: bytes) -> None:
        os.write(self.master, data)

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self.slave)


@pytest.fixture
def pty() -> Iterator[Pty]:
    master, slave = os.openpty()
    with open(slave, encoding="utf-8") as stream:
        yield Pty(master, slave, create_input(stream))
    with suppress(OSError):
        os.close(master)


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe_input:
        yield pipe_input


@pytest.fixture
def null() -> Iterator[Input]:
    with open(os.devnull, encoding="utf-8") as stream:
        yield create_input(stream)


async def take(source: KeySource, count: int) -> list[Key]:
    return [await source.get() for _ in range(count)]


async def until_read(pipe: PipeInput) -> None:
    """Wait until the loop has read all that was sent."""
    while select.select([pipe.fileno()], [], [], 0)[0]:  # noqa: ASYNC110 - a pipe tells nobody that it is empty
        await asyncio.sleep(0)


async def until_queued(source: TerminalKeys, count: int) -> None:
    """Wait until so many keys have come, and leave them unread."""
    for key in await take(source, count):
        source.queue.put_nowait(key)


async def prompt(source: TerminalKeys, bindings: KeyBindings | None = None) -> str:
    session: PromptSession[str] = PromptSession(input=source.input, output=DummyOutput(), key_bindings=bindings)
    return await session.prompt_async()


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"a", Key("text", "a")),
        ("😀".encode(), Key("text", "😀")),
        (b" ", Key("space", " ")),
        (b"\r", Key("enter")),
        (b"\n", Key("enter")),
        (b"\x7f", Key("backspace")),
        (b"\t", Key("tab")),
        (b"\x1b[Z", Key("s-tab")),
        (b"\x1b[A", Key("up")),
        (b"\x1bOB", Key("down")),
        (b"\x03", Key("c-c")),
        (b"\x04", Key("c-d")),
        (b"\x15", Key("c-u")),
        (b"\x1a", Key("c-z")),
        (b"\x00", Key("c-space")),
        (b"\x1bx", Key("alt-x")),
        (b"\x1bX", Key("alt-X")),
        (b"\x1b ", Key("alt-space")),
        (b"\x1b\r", Key("alt-enter")),
        (b"\x1b[1;3C", Key("alt-right")),
        (b"\x1b[200~one\r\ntwo\rthree\x1b[201~", Key("paste", "one\ntwo\nthree")),
        (b"\x1b[200~\x1b[I\xff\x1b[201~", Key("paste", "\x1b[I\ufffd")),
        (b"\x1b[I", Key("focus-in")),
        (b"\x1b[O", Key("focus-out")),
    ],
)
async def test_a_terminal_key_has_its_name(pty: Pty, data: bytes, key: Key) -> None:
    """What terminals send for a key is that key, and control characters raise no signal."""
    async with TerminalKeys(input=pty.input) as source:
        pty.press(data + b"!")
        heard = await take(source, 2)

    assert heard == [key, Key("text", "!")]


@pytest.mark.parametrize("noise", [b"\x1b[12;40R", b"\x1b[<0;10;10M", b"\x1b[E", b"\xff", "\u0085".encode()])
async def test_what_is_not_a_key_is_dropped(pty: Pty, noise: bytes) -> None:
    """Cursor reports, mouse reports and bytes that are no text never become keys."""
    async with TerminalKeys(input=pty.input) as source:
        pty.press(b"a" + noise + b"b")
        heard = await take(source, 2)

    assert heard == [Key("text", "a"), Key("text", "b")]


async def test_a_lone_escape_is_the_escape_key(pty: Pty) -> None:
    """Esc needs no other key after it, and is not Alt of a key pressed afterwards."""
    async with TerminalKeys(input=pty.input, waits=AT_ONCE) as source:
        pty.press(b"\x1b")
        first = await source.get()
        pty.press(b"x")
        second = await source.get()

    assert [first, second] == [Key("escape"), Key("text", "x")]


@pytest.mark.parametrize(
    ("pieces", "key"),
    [
        ((b"\x1b", b"x"), Key("alt-x")),
        ((b"\x1b", b"[A"), Key("up")),
        ((b"\x1b[", b"1;3", b"A"), Key("alt-up")),
        ((b"\xf0\x9f", b"\x98", b"\x80"), Key("text", "😀")),
        ((b"\x1b[20", b"0~pa", b"ste\x1b", b"[201~"), Key("paste", "paste")),
        ((b"\x1b", b"[", b"I"), Key("focus-in")),
    ],
)
async def test_a_key_cut_into_several_reads_is_one_key(pipe: PipeInput, pieces: tuple[bytes, ...], key: Key) -> None:
    """A slow line may deliver a sequence, a paste or a character in pieces."""
    async with TerminalKeys(input=pipe, waits=NEVER) as source:
        for piece in pieces:
            pipe.send_bytes(piece)
            await until_read(pipe)
        pipe.send_bytes(b"!")
        heard = await take(source, 2)

    assert heard == [key, Key("text", "!")]


async def test_the_modes_of_the_terminal_are_given_back(pty: Pty) -> None:
    """Entered it is raw; left it is exactly as found, each time."""
    found = pty.modes
    source = TerminalKeys(input=pty.input)

    for _ in range(3):
        async with source:
            inside = pty.modes
        assert inside != found
        assert pty.modes == found


async def test_the_modes_are_given_back_after_an_exception(pty: Pty) -> None:
    """A failure inside leaves no raw terminal behind."""
    found = pty.modes

    with pytest.raises(ZeroDivisionError):
        async with TerminalKeys(input=pty.input):
            raise ZeroDivisionError

    assert pty.modes == found


async def test_the_modes_are_given_back_after_a_cancellation(pty: Pty) -> None:
    """Nor does a task that is cancelled while it waits for a key."""
    found = pty.modes
    entered = asyncio.Event()

    async def listen() -> None:
        async with TerminalKeys(input=pty.input) as source:
            entered.set()
            await source.get()

    task = asyncio.create_task(listen())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert pty.modes == found


async def test_keys_that_nobody_read_belong_to_the_next_prompt(pipe: PipeInput) -> None:
    """What was typed just before an answer ended is in the prompt that follows, in order."""
    async with TerminalKeys(input=pipe) as source:
        pipe.send_text("abc d\x7fe")
        first = await source.get()
        await until_queued(source, 6)

    pipe.send_text("f\r")
    text = await prompt(source)

    assert first == Key("text", "a")
    assert text == "bc ef"
    assert source.queue.empty()


async def test_a_paste_that_nobody_read_is_whole_in_the_next_prompt(pipe: PipeInput) -> None:
    """Also text pasted in one go goes on to the prompt."""
    async with TerminalKeys(input=pipe) as source:
        pipe.send_text("\x1b[200~two\rlines\x1b[201~")
        await until_queued(source, 1)

    pipe.send_text("\r")

    assert await prompt(source) == "two\nlines"


async def test_an_unread_escape_is_not_alt_in_the_next_prompt(pipe: PipeInput) -> None:
    """Esc and b, pressed one after the other, stay two keys; an Alt-b stays one."""
    bindings = KeyBindings()

    @bindings.add("escape")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("<esc>")

    @bindings.add("escape", "b")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("<alt-b>")

    async with TerminalKeys(input=pipe, waits=AT_ONCE) as source:
        pipe.send_text("\x1b")
        await until_queued(source, 1)
        pipe.send_text("b\x1bb")
        await until_queued(source, 3)
    pipe.send_text("\r")

    assert await prompt(source, bindings) == "<esc>b<alt-b>"


@pytest.mark.parametrize(("later", "apart"), [("c", True), ("\x1b[A", True), ("\x1b", True), ("\r", False)])
async def test_an_escape_at_a_prompt_is_not_alt_with_what_comes_later(pipe: PipeInput, later: str, apart: bool) -> None:
    """A prompt waits for what follows an Esc for longer than the terminal takes; only Enter is meant by hand."""
    source = TerminalKeys(input=pipe, waits=AT_ONCE)
    read: list[KeyPress] = []
    came = asyncio.Event()

    def take_in() -> None:
        if presses := source.input.read_keys():
            read.extend(presses)
            came.set()

    with source.input.attach(take_in):
        for part in ("\x1b", later):
            came.clear()
            pipe.send_text(part)
            await came.wait()

    assert (read[0].key, read[1].key is Keys.Ignore) == (Keys.Escape, apart)


async def test_an_escape_still_pending_when_left_is_not_lost(pipe: PipeInput) -> None:
    """A prompt would take it for Alt with the next key, however much later that comes."""
    async with TerminalKeys(input=pipe, waits=Waits(alt=0.0, escape=_HOUR)) as source:
        pipe.send_text("\x1b")
        await until_read(pipe)

    async with source:
        pipe.send_text("b")
        heard = await take(source, 2)

    assert heard == [Key("escape"), Key("text", "b")]


async def test_what_a_prompt_left_over_is_heard_first(pipe: PipeInput) -> None:
    """Keys typed ahead at a prompt are keys of the answer that follows."""
    source = TerminalKeys(input=pipe)
    pipe.send_text("one\r two")

    text = await prompt(source)
    async with source:
        heard = await take(source, 4)

    assert text == "one"
    assert heard == [Key("space", " "), *(Key("text", char) for char in "two")]


async def test_keys_of_other_sources_stay_in_a_shared_queue(pipe: PipeInput) -> None:
    """Leaving takes back its own keys only."""
    queue: asyncio.Queue[Key] = asyncio.Queue()

    async with TerminalKeys(input=pipe, queue=queue) as source:
        queue.put_nowait(Key("chord"))
        pipe.send_text("a")
        await until_queued(source, 2)
        queue.put_nowait(Key("chord"))
    left = [queue.get_nowait() for _ in range(queue.qsize())]
    pipe.send_text("\r")

    assert left == [Key("chord"), Key("chord")]
    assert await prompt(source) == "a"


async def test_focus_reports_are_never_text_in_a_prompt_and_still_noticed(pipe: PipeInput) -> None:
    """A prompt on the same input ignores them, and the source knows the focus all the same."""
    bindings = KeyBindings()

    @bindings.add("escape")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("<esc>")

    source = TerminalKeys(input=pipe)
    before = source.focused

    pipe.send_text("a\x1b[O\x1b[Ib\r")
    with_focus = (await prompt(source, bindings), source.focused)
    pipe.send_text("c\x1b[Od\r")
    without = (await prompt(source, bindings), source.focused)

    assert not before
    assert with_focus == ("ab", True)
    assert without == ("cd", False)


async def test_a_pasted_focus_report_is_a_paste(pipe: PipeInput) -> None:
    """Nobody can fake the focus with the clipboard."""
    async with TerminalKeys(input=pipe) as source:
        pipe.send_text("\x1b[200~\x1b[I\x1b[201~")
        heard = await source.get()

    assert heard == Key("paste", "\x1b[I")
    assert not source.focused


@pytest.mark.parametrize(
    ("answer", "background"),
    [
        ("\x1b]11;rgb:ffff/8000/0000\x1b\\", (1.0, 0x8000 / 0xFFFF, 0.0)),
        ("\x1b]11;rgb:ff/80/00\x07", (1.0, 0x80 / 0xFF, 0.0)),
        ("\x1b]11;rgba:0/0/0/f\x07", (0.0, 0.0, 0.0)),
    ],
)
async def test_the_terminal_says_its_background_and_types_nothing(
    pipe: PipeInput, answer: str, background: tuple[float, float, float]
) -> None:
    """The answer is noted wherever it arrives, in a prompt too, and in whatever parts; keys around it are keys."""
    source = TerminalKeys(input=pipe, waits=NEVER)
    before = source.background

    pipe.send_text(f"a{answer}b\r")
    typed = await prompt(source)

    assert before is None
    assert typed == "ab"
    assert source.background == background


async def test_who_leaves_takes_what_the_terminal_still_says_with_him(pipe: PipeInput) -> None:
    """Until it has said all: what was typed meanwhile is heard by whoever comes next, and the terminal has nothing."""
    source = TerminalKeys(input=pipe)
    settled = asyncio.create_task(asyncio.to_thread(source.settle, _HOUR))

    for part in ("a\x1b]11;rgb:ff", "ff/ffff/ffff\x1b\\", "b\x1b[?62;22c"):
        pipe.send_text(part)
        await until_read(pipe)
    await settled
    source.settle(_HOUR)

    assert source.background == (1.0, 1.0, 1.0)
    async with source:
        assert await take(source, 2) == [Key("text", "a"), Key("text", "b")]


async def test_a_terminal_that_says_nothing_holds_up_nobody(pipe: PipeInput) -> None:
    source = TerminalKeys(input=pipe)
    pipe.send_text("a\x1b[A")

    source.settle(0.0)
    pipe.close()
    source.settle(_HOUR)

    async with source:
        assert await take(source, 3) == [Key("text", "a"), Key("up"), Key("eof")]


async def test_keys_that_begin_like_an_answer_are_keys(pipe: PipeInput) -> None:
    """An Esc, and Alt with a bracket, are held back no longer than the rest of a sequence would take."""
    async with TerminalKeys(input=pipe) as source:
        pipe.send_text("\x1b")

        assert await source.get() == Key("escape")

        pipe.send_text("\x1b]1")

        assert [await source.get() for _ in range(2)] == [Key("alt-]"), Key("text", "1")]


async def test_no_key_is_lost_whenever_it_comes(pty: Pty) -> None:
    """Entered and left a hundred times while keys arrive at any moment: all are heard, once, in order."""
    tty.setraw(pty.slave)  # as in a chat, where the terminal stays raw from one answer to the next
    dice = random.Random(7)
    typed = "".join(dice.choice("abc é€😀\r\x7f") for _ in range(3000))

    def type_all() -> None:
        data = typed.encode() + b"\x04"
        while data:
            size = dice.randrange(1, 30)
            pty.press(data[:size])
            data = data[size:]

    source = TerminalKeys(input=pty.input, waits=AT_ONCE)
    heard: list[Key] = []
    typist = threading.Thread(target=type_all)
    typist.start()
    for turn in range(100):
        async with source:
            heard += await take(source, turn % 7)
            interrupted = asyncio.create_task(source.get())
            await asyncio.sleep(0)
            interrupted.cancel()
            await asyncio.wait([interrupted])
            heard += [] if interrupted.cancelled() else [interrupted.result()]
    async with source:
        while not heard or heard[-1] != Key("c-d"):
            heard.append(await source.get())
    typist.join()

    special = {"enter": "\r", "backspace": "\x7f", "c-d": ""}
    assert "".join(special.get(key.name, key.text) for key in heard) == typed


async def test_the_end_of_a_terminal_is_a_key(pty: Pty) -> None:
    """When the terminal hangs up, what was typed before comes first, and entering again says it again."""
    source = TerminalKeys(input=pty.input)

    async with source:
        pty.press(b"a")
        typed = await source.get()
        os.close(pty.master)
        ended = await source.get()
        for _ in range(5):  # the loop finds the closed terminal readable again and again
            await asyncio.sleep(0)
        said_once = source.queue.empty()
    async with source:
        again = await source.get()

    assert [typed, ended, again] == [Key("text", "a"), Key("eof"), Key("eof")]
    assert said_once


async def test_an_unread_end_is_said_once_when_entered_again(pipe: PipeInput) -> None:
    """The end is found anew each time, not piled up."""
    source = TerminalKeys(input=pipe)
    pipe.send_text("\x1b")
    pipe.close()
    async with source:
        await until_queued(source, 2)

    async with source:
        heard = await take(source, 2)
        await asyncio.sleep(0)

        assert heard == [Key("escape"), Key("eof")]
        assert source.queue.empty()


async def test_a_file_that_cannot_be_waited_for_has_ended(null: Input) -> None:
    """With /dev/null for a terminal there is nothing to wait for, and no traceback."""
    async with TerminalKeys(input=null) as source:
        heard = await source.get()

    assert heard == Key("eof")


async def test_without_any_terminal_the_keys_have_ended() -> None:
    """A program without a terminal is told so by a key."""
    async with TerminalKeys(input=DummyInput()) as source:
        heard = await source.get()

    assert heard == Key("eof")


_CHILD = """
import asyncio, json, os
from llmterm.keys.terminal import TerminalKeys

async def main():
    async with TerminalKeys() as source:
        os.write({report}, b"ready\\n")
        key = await source.get()
    os.write({report}, json.dumps([key.name, key.text]).encode() + b"\\n")

asyncio.run(main())
"""


def test_keys_come_from_the_terminal_when_stdin_is_a_pipe() -> None:
    """A question piped in leaves the keyboard to be listened to."""
    master, slave = os.openpty()
    report, report_end = os.pipe()

    with (
        subprocess.Popen(
            [sys.executable, "-c", _CHILD.format(report=report_end)],
            stdin=subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            pass_fds=[report_end],
        ) as child,
        open(report, encoding="utf-8") as lines,
    ):
        os.close(report_end)
        assert child.stdin is not None
        child.stdin.write(b"a question")
        ready = lines.readline()
        os.write(master, b" ")
        heard = json.loads(lines.readline())
    for descriptor in (master, slave):
        os.close(descriptor)

    assert ready == "ready\n"
    assert heard == ["space", " "]
    assert child.returncode == 0


def presses_of(text: str) -> list[KeyPress]:
    scanner = Scanner()
    return presses_of_tokens([*scanner.feed(text, 0.0), *scanner.end()])


_TYPED = st.lists(
    st.text(max_size=4) | st.sampled_from(["\x1b", "\x1b[A", "\x1b[1;3A", "\x1b[I", "\x1b[5;6R", "\x1b[200~x\x1b[201~"])
).map("".join)


@given(text=_TYPED)
def test_every_press_is_in_exactly_one_key_or_is_no_key(text: str) -> None:
    """Whatever is typed: keys given back are the presses that were read, in order, none twice and none missing."""
    presses = presses_of(text)

    keys = parse(presses)

    given_back = [press for key in keys if isinstance(key.origin, tuple) for press in key.origin]
    assert [press for press in given_back if press != KeyPress(Keys.Ignore, "")] == [
        press for press in presses if press.key is Keys.Escape or parse([press])
    ]


@given(text=_TYPED)
def test_keys_given_back_are_the_same_keys_when_read_again(text: str) -> None:
    """Going through a prompt's typeahead changes nothing, however often."""
    keys = parse(presses_of(text))

    given_back = [press for key in keys if isinstance(key.origin, tuple) for press in key.origin]

    assert parse(given_back) == keys


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_is_typed_character_by_character(text: str) -> None:
    """Every character of every script arrives as itself."""
    keys = parse(presses_of(text))

    assert [key.text for key in keys] == list(text)
    assert {key.name for key in keys} <= {"text", "space"}
