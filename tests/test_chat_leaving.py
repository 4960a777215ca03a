"""Ways out of a prompt, one after the other: the first one counts, and what comes after it is the next reader's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count, product
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.input.typeahead import get_typeahead

from llmterm.chat.bindings import Bindings
from llmterm.chat.decision import Compose, Decision, Interrupts, Leave, Resume, Send, Stop
from llmterm.chat.prompt import PromptLook, TerminalPrompt
from llmterm.chat.suggestion import Suggestion
from llmterm.chat.window import WindowSize
from llmterm.keys.autorepeat import Autorepeat
from tests.chatting import opened
from tests.clock import instant
from tests.parts import FakeView
from tests.wire import Exchange

# The ways out of a pause, and what each of them means there.
PAUSED: dict[str, Decision] = {
    " ": Resume(),
    "\x1b": Stop(),
    "\x03": Stop(),
    "\x04": Leave(),
    "?": Send("/?"),
    "k": Send("/both"),
    "\x1b[5~": Send("/pager"),
    "\x1be": Send("/edit"),
    "\x18\x05": Compose(""),
    "guide\r": Send("guide"),
}
_HOURS = count(step=3_600)
SHORTCUTS = {"?": "/?", "k": "/both", "pageup": "/pager", "alt-e": "/edit"}
ASKING: dict[str, Decision] = {
    "\x04": Leave(),
    "\x1b[5~": Send("/pager"),
    "\x18\x05": Compose(""),
    "ask\r": Send("ask"),
}


def long_ago() -> float:
    """A clock by which no two Ctrl-C belong together."""
    return next(_HOURS)


async def completes_nothing(_text: str) -> list[Suggestion]:
    return []


@contextmanager
def prompting(folder: Path, *, vi: bool = False) -> Iterator[tuple[TerminalPrompt, PipeInput]]:
    """A prompt, and the input that its keys come from."""
    with create_pipe_input() as source:
        prompt = TerminalPrompt(
            source=source,
            history=folder / "history",
            complete=completes_nothing,
            bindings=Bindings(suspend=lambda: None, interrupts=Interrupts(long_ago), autorepeat=Autorepeat(long_ago)),
            bar=lambda: "bar",
            view=FakeView(),
            window=WindowSize(lambda: (80, 24), lambda: 0.0, settles=0.0),
            look=PromptLook(vi=vi, color=False, reflows=False),
        )
        yield prompt, source


def unread(source: PipeInput) -> str:
    """What the next reader gets, in its order."""
    return "".join(press.data for press in (*get_typeahead(source), *source.flush_keys()))


async def decided(prompt: TerminalPrompt, *, paused: bool) -> Decision:
    if paused:
        return await prompt.paused(lambda: "paused", "", SHORTCUTS)
    return await prompt.ask("", SHORTCUTS)


def chains(ways: Iterable[str], fewer: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """All ordered pairs, also of the same, and the triples of some."""
    return chain(product(ways, repeat=2), product(fewer, repeat=3))


@pytest.mark.parametrize("vi", [False, True])
@instant
async def test_first_way_out_of_a_pause_counts_and_the_others_are_handed_on(tmp_path: Path, vi: bool) -> None:
    with prompting(tmp_path, vi=vi) as (prompt, source):
        for first, *later in chains(PAUSED, [] if vi else [" ", "\x1b", "\x03", "\x04", "?"]):
            source.send_text("".join((first, *later)))

            decision = await decided(prompt, paused=True)

            assert (decision, unread(source)) == (PAUSED[first], "".join(later)), (first, *later)


@instant
async def test_first_way_out_of_the_ordinary_prompt_counts_and_the_others_are_handed_on(tmp_path: Path) -> None:
    with prompting(tmp_path) as (prompt, source):
        for first, *later in chains(ASKING, ASKING):
            source.send_text("".join((first, *later)))

            decision = await decided(prompt, paused=False)

            assert (decision, unread(source)) == (ASKING[first], "".join(later)), (first, *later)


@instant
async def test_key_that_comes_while_an_escape_waits_for_it_is_handed_on(tmp_path: Path) -> None:
    """An Esc stops when nothing has followed it for a tenth of a second."""
    with prompting(tmp_path) as (prompt, source):
        for later in [*PAUSED, "Hello", "\x1a"]:
            source.send_text("\x1b")
            decision = asyncio.create_task(decided(prompt, paused=True))
            await asyncio.sleep(0.08)  # by the loop's own clock, which jumps there: nothing is waited for
            source.send_text(later)

            assert (await decision, unread(source)) == (Stop(), later)


@instant
async def test_escape_right_before_a_letter_that_alt_means_nothing_with_stops(tmp_path: Path) -> None:
    """The letter is the next reader's; Alt with one that is a shortcut stays that."""
    with prompting(tmp_path) as (prompt, source):
        for letter in "agtx":
            source.send_text(f"\x1b{letter}nd so on")

            assert (await decided(prompt, paused=True), unread(source)) == (Stop(), f"{letter}nd so on")


async def part(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("a part.")
    await exchange.hung_up()


# What is pressed at a pause, or behind the SPACE that pauses, and what stands in the line afterwards. There is only one
# Ctrl-C in a chat, for two of them may leave it.
STOPPING = [
    ("paused", "\x1b ", " ?"),
    ("streaming", "\x1b ", " ?"),
    ("paused", "\x1b\x1b", ""),
    ("streaming", "\x1b \x1b", " ?"),
    ("paused", "??\x1b?", r"\?"),
    ("streaming", "\x1b\x03?", r"\?"),
]


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_keys_after_the_one_that_stops_belong_to_the_next_line(tmp_path: Path, plain: list[str]) -> None:
    """In one write, at a pause and while the answer streams: the answer is stopped once, and nothing else happens."""
    end = "" if plain else r"\nopenai/[^\n]*"
    with opened(tmp_path, part, *plain, rows=60) as chat:
        program = chat.program
        for number, (moment, keys, line) in enumerate(STOPPING):
            program.send(f"\x15q{number}\r")
            program.wait_for(rf"> q{number}\n[^>]*a part\.")
            if moment == "paused":
                program.send(" ")
                program.wait_for(rf"> q{number}\n[^>]*paused after[^>]*> ?(\n|\Z)")
                program.send(keys)
            else:
                program.send(f" {keys}")
            program.wait_for(rf"> q{number}\n(?:(?!> q)(?s:.))*\n> ?{line}{end}\Z")

        assert len(chat.server.exchanges) == len(STOPPING)
        assert "Traceback" not in program.text
        program.send("\x15\x04")
        assert program.exit_code == 0


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_two_ctrl_c_with_something_sent_between_them_do_not_leave(tmp_path: Path, plain: list[str]) -> None:
    with opened(tmp_path, part, *plain) as chat:
        chat.program.send("\x03/theme\r\x03\x04")

        assert chat.program.exit_code == 0


@pytest.mark.parametrize(("keys", "code"), [("\x1b\x04", 0), (" \x1b\x04", 0), ("\x04\x1b ", 0), ("\x1b\x03\x03", 130)])
def test_way_out_of_the_program_after_one_that_stops(tmp_path: Path, keys: str, code: int) -> None:
    with opened(tmp_path, part) as chat:
        chat.ask("go")
        chat.program.wait_for(r"a part\.")
        chat.program.send(f" {keys}")

        assert chat.program.exit_code == code
        assert "Traceback" not in chat.program.text
        assert len(chat.server.exchanges) <= 2
