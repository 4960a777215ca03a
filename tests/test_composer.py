"""What keys decide, by what the line is for; and what is typed meanwhile stays in it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from llmterm.chat.decision import Decision, Gesture, Leave, Phase, Resume, Send, Steer
from llmterm.chat.queue import MessageQueue
from llmterm.chat.suggestion import nothing
from tests.clock import instant, now
from tests.parts import ScriptedComposer, composing

SHORTCUTS = {"?": "/?", "k": "/both", "pageup": "/pager", "alt-e": "/edit"}
# Each way out of a pause, and what it means there.
RESTING: dict[str, Decision] = {
    " ": Resume(),
    "\0": Resume(),
    "\x1b": Gesture.STOP,
    "\x03": Gesture.STOP,
    "\x04": Leave(),
    "\x1a": Gesture.SUSPEND,
    "?": Send("/?", shortcut=True),
    "k": Send("/both", shortcut=True),
    "\x1b[5~": Send("/pager", shortcut=True),
    "\x1be": Send("/edit", shortcut=True),
    "\x18\x05": Gesture.COMPOSE,
    "guide\r": Send("guide"),
    "guide\x13": Send("guide"),
}
# The same keys while an answer streams; those that are not here type, or do nothing.
BUSY: dict[str, Decision] = {
    " ": Gesture.PAUSE,
    "\0": Gesture.PAUSE,
    "\x1b": Gesture.STOP,
    "\x03": Gesture.STOP,
    "\x04": Leave(),
    "\x1a": Gesture.SUSPEND,
    "guide\r": Send("guide"),
    "guide\x13": Steer("guide"),
}
ASKING: dict[str, Decision] = {
    "\x04": Leave(),
    "\x1a": Gesture.SUSPEND,
    "\x1b[5~": Send("/pager", shortcut=True),
    "\x18\x05": Gesture.COMPOSE,
    "ask\r": Send("ask"),
}


@pytest.mark.parametrize("vi", [False, True])
@instant
async def test_first_way_out_of_a_pause_counts_and_the_next_is_for_what_comes(tmp_path: Path, vi: bool) -> None:
    """In one write: the second is what it means while an answer streams."""
    async with composing(tmp_path, vi=vi) as (composer, source):
        for first, later in product(RESTING, BUSY):
            composer.take()
            composer.begin(Phase.RESTING, SHORTCUTS)
            source.send_text(first + later)

            decisions = [await composer.decision(), await composer.decision()]

            assert decisions == [RESTING[first], BUSY[later]], (first, later)
            assert composer.phase is Phase.BUSY


@instant
async def test_keys_decide_at_the_prompt(tmp_path: Path) -> None:
    async with composing(tmp_path) as (composer, source):
        for keys, decision in ASKING.items():
            composer.begin(Phase.ASKING, SHORTCUTS)
            source.send_text(keys)

            assert await composer.decision() == decision


@instant
async def test_what_is_typed_stays_whatever_the_line_is_for(tmp_path: Path) -> None:
    """And SPACE is a letter once something is written, but not Ctrl-SPACE."""
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.BUSY)
        source.send_text("half a \0")
        assert await composer.decision() is Gesture.PAUSE
        composer.begin(Phase.RESTING)
        source.send_text("word\0")
        assert await composer.decision() == Resume()

        assert composer.text == "half a word"


@instant
async def test_enter_sends_what_was_typed_whatever_the_line_was_for_meanwhile(tmp_path: Path) -> None:
    """At once, however quick it comes after another one; only on a message that was put there it may be held down."""
    async with composing(tmp_path, key_clock=float) as (composer, source):
        composer.begin(Phase.BUSY)
        source.send_text("one\rtwo")
        assert await composer.decision() == Send("one")
        await composer.seen(lambda: composer.text == "two")
        composer.begin(Phase.ASKING)
        began = now()
        source.send_text("\r")

        assert await composer.decision() == Send("two")
        assert now() == began
        composer.put("two")
        composer.begin(Phase.ASKING)
        source.send_text("\r\r\x1a")

        assert await composer.decision() is Gesture.SUSPEND


@instant
async def test_second_space_before_the_pause_goes_on(tmp_path: Path) -> None:
    """It is not another pause; one that is only held down is nothing."""
    async with composing(tmp_path) as (composer, source):
        for spaces, expected in (("  ", [Gesture.PAUSE, Resume()]), (" " * 9, [Gesture.PAUSE])):
            composer.begin(Phase.BUSY)
            source.send_text(f"{spaces}x\x13" if len(expected) == 1 else spaces)

            decisions = [await composer.decision() for _ in expected]

            assert decisions == expected


@instant
async def test_escape_right_before_a_letter_that_alt_means_nothing_with_stops(tmp_path: Path) -> None:
    """The letter is typed; Alt with one that is a shortcut stays that."""
    async with composing(tmp_path) as (composer, source):
        for letter in "agtx":
            composer.take()
            composer.begin(Phase.RESTING, SHORTCUTS)
            source.send_text(f"\x1b{letter}nd so on\0")

            assert [await composer.decision(), await composer.decision()] == [Gesture.STOP, Gesture.PAUSE]
            assert composer.text == f"{letter}nd so on"


@instant
async def test_key_of_a_pause_that_comes_a_moment_early_means_nothing(tmp_path: Path) -> None:
    """It would stop the answer that it was meant to edit, as Esc with a letter right behind it."""
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.BUSY)
        source.send_text("\x1be ")

        assert await composer.decision() == Gesture.PAUSE
        assert composer.text == ""


@instant
async def test_line_that_was_emptied_is_told_from_one_that_was_written_over(tmp_path: Path) -> None:
    async with composing(tmp_path) as (composer, source):
        for keys, emptied in (("\x15/title x\r", True), ("\x03/title x\r", True), ("\x01/title x\x0b\r", False)):
            composer.put("given")
            composer.begin(Phase.ASKING)
            source.send_text(keys)

            assert await composer.decision() == Send("/title x", emptied=emptied)
        for keys, text, shortcut in (("\x15/title x\x13", "/title x", False), ("\x15\x1b[5~", "/pager", True)):
            composer.put("given")
            composer.begin(Phase.ASKING, SHORTCUTS)
            source.send_text(keys)

            assert await composer.decision() == Send(text, emptied=True, shortcut=shortcut)
        composer.put("given")
        composer.begin(Phase.ASKING)
        source.send_text("\x03\x1a")
        assert await composer.decision() is Gesture.SUSPEND
        composer.begin(Phase.ASKING, again=True)
        source.send_text("/title x\r")
        assert await composer.decision() == Send("/title x", emptied=True)


async def test_what_was_sent_can_be_called_back(tmp_path: Path) -> None:
    """But no yes."""
    async with composing(tmp_path) as (composer, source):
        for phase, text in ((Phase.ASKING, "one"), (Phase.BUSY, "two"), (Phase.CONFIRMING, "y")):
            composer.begin(phase)
            source.send_text(f"{text}\r")
            await composer.decision()
        composer.begin(Phase.ASKING)
        source.send_text("\x1b[A\x1b[A\r")

        assert await composer.decision() == Send("one")


@instant
async def test_leaves_when_no_more_keys_can_come(tmp_path: Path) -> None:
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.ASKING)
        source.close()

        assert [await composer.decision(), await composer.decision()] == [Leave(), Leave()]


async def test_search_and_menu_are_shown(tmp_path: Path) -> None:
    async with composing(tmp_path) as (composer, source):
        for text in ("apples", "pears"):
            composer.begin(Phase.ASKING)
            source.send_text(f"{text}\r")
            await composer.decision()
        composer.begin(Phase.ASKING)
        source.send_text("\x12pp")
        await composer.seen(lambda: composer.draft(40, 3).rows == ["search 'pp': apples"])
        source.send_text("\x03/th")
        await composer.seen(lambda: [item.text for item in composer.menu(5)] == ["/theme", "/thinking"])


@instant
async def test_ctrl_c_empties_a_line_and_a_second_on_an_empty_one_leaves(tmp_path: Path) -> None:
    """Emptying is neither; any other key in between means that nobody leaves. A line that was given back is no line."""
    leaves, stays = Leave(interrupted=True), "end"
    async with composing(tmp_path, clock=lambda: 0.0) as (composer, source):
        for given, keys, decision in (
            ("", "\x03\x03", leaves),
            ("", "abc\x03\x03end\r", stays),
            ("", "\x03abc\x03\x03end\r", stays),
            ("", "\x03\x1b[D\x03end\r", stays),
            ("given", "\x03\x03end\r", stays),
        ):
            composer.put(given)
            composer.begin(Phase.ASKING)
            source.send_text(keys)

            decided = await composer.decision()
            assert decided == decision or (isinstance(decided, Send) and decided.text == decision), keys
        composer.begin(Phase.BUSY)
        source.send_text("\x03")
        assert await composer.decision() is Gesture.STOP
        composer.put("given")
        composer.begin(Phase.ASKING)
        source.send_text("\x03")
        assert await composer.decision() == leaves


@instant
async def test_first_ctrl_c_says_what_the_second_does(tmp_path: Path) -> None:
    async with composing(tmp_path, clock=lambda: 0.0) as (composer, source):
        for phase in (Phase.ASKING, Phase.BUSY, Phase.RESTING):
            composer.begin(phase)
            for keys, leaving in (("\x03", True), ("x", False), ("\x03", False)):
                source.send_text(keys)
                await composer.seen(lambda: composer.leaving == leaving)  # noqa: B023 - waited for at once


@instant
async def test_ctrl_j_begins_a_new_line(tmp_path: Path) -> None:
    """But in what was typed before the chat had the terminal, where Enter comes as one."""
    async with composing(tmp_path) as (composer, source):
        composer.begin(Phase.ASKING)
        source.send_text("typed before the start\n")
        assert await composer.decision() == Send("typed before the start")
        composer.begin(Phase.ASKING)
        source.send_text("one\ntwo\r")

        assert await composer.decision() == Send("one\ntwo")


async def test_bug_in_drawing_ends_the_line(tmp_path: Path) -> None:
    """It is raised to whoever runs it, and whoever waits for a decision is told to leave."""

    def draw() -> None:
        raise ZeroDivisionError

    composer = ScriptedComposer(tmp_path, MessageQueue())
    composer.begin(Phase.BUSY)

    with pytest.raises(ZeroDivisionError):
        await composer.run(draw, lambda words: None, nothing)

    assert await composer.decision() == Leave()
    await composer.close()


@instant
async def test_message_of_the_queue_is_moved_by_alt_and_the_arrows(tmp_path: Path) -> None:
    """Ctrl does it too, for vi."""
    async with composing(tmp_path) as (composer, source):
        for keys, waiting in {
            "\x1b[A\x1b\x1b[A\r": ["one", "three", "two"],
            "\x1b[A\x1b[A\x1b[1;5B\r": ["one", "three", "two"],
            "\x1b[A\x1b[1;3A\x1b[1;3A\r": ["three", "one", "two"],
        }.items():
            for text in ("one", "two", "three"):
                composer.queue.add(text)
            composer.begin(Phase.BUSY)
            source.send_text(keys)
            decided = await composer.decision()
            assert isinstance(decided, Send)
            composer.queue.add(decided.text)

            assert composer.queue.waiting == waiting
            composer.queue.waiting.clear()


@instant
async def test_long_paste_is_one_character_of_the_line(tmp_path: Path) -> None:
    """Passed, deleted and undone as one, opened by Ctrl-O or by Enter on it, sent and called back whole."""
    paste, label = "\x1b[200~{}\x1b[201~", "[pasted 7 lines]"
    long = "".join(f"\tline {number}\n" for number in range(7))
    async with composing(tmp_path) as (composer, source):

        def shown() -> str:
            return composer.draft(80, 9).rows[0]

        composer.begin(Phase.ASKING)
        source.send_text(f"see {paste.format(long)} now")
        await composer.seen(lambda: shown() == f"> see {label} now")
        assert composer.text == f"see \n{long} now"
        source.send_text("\x1b[D" * 4 + "\x7f")
        await composer.seen(lambda: shown() == "> see  now")
        source.send_text("\x1f")
        await composer.seen(lambda: shown() == f"> see {label} now")
        source.send_text(f"\x05{paste.format(long)}\r")
        assert await composer.decision() == Send(f"see \n{long} now\n{long}")
        composer.begin(Phase.BUSY)
        source.send_text(f"{paste.format(long.replace(chr(10), chr(13)))}")
        await composer.seen(lambda: shown() == f"> {label}")
        for opens in ("\x0f", "\x1b[D\r"):
            source.send_text(opens)
            await composer.seen(lambda: shown() == "> " + " " * 4 + "line 0")
            source.send_text("\x03" + paste.format(long))
            await composer.seen(lambda: shown() == f"> {label}")
        source.send_text("\x13")
        assert await composer.decision() == Steer(long)
        composer.begin(Phase.ASKING)
        source.send_text("\x1b[A\r")
        assert await composer.decision() == Send(long)


@instant
async def test_paste_that_is_short_is_text_and_none_is_forged(tmp_path: Path) -> None:
    """The path of an image becomes its mention, as terminals give that of a file that is dropped on them."""
    paste = "\x1b[200~{}\x1b[201~"
    async with composing(tmp_path) as (composer, source):
        for pasted, text in {
            "one\r\ntwo\r\n\tthree": "one\ntwo\n\tthree",
            "\U0010f000 \U0010f001": "\ufffd \ufffd",
            "/tmp/cat.png": "@/tmp/cat.png ",
            "'/tmp/my cat.JPG' ": '@"/tmp/my cat.JPG" ',
            "/tmp/my\\ cat.png\n": '@"/tmp/my cat.png" ',
            "file:///tmp/my%20cat.pdf": '@"/tmp/my cat.pdf" ',
            "~/cat.webp": "@~/cat.webp ",
            "cat.png": "cat.png",
            "/tmp/cat.png is it": "/tmp/cat.png is it",
            "/attach cat.png": "/attach cat.png",
            "/tmp/a cat.png": "/tmp/a cat.png",
        }.items():
            composer.begin(Phase.ASKING)
            source.send_text(f"{paste.format(pasted)}\r")

            assert await composer.decision() == Send(text)
        composer.begin(Phase.ASKING)
        source.send_text(f"\U0010f000 see{paste.format('/tmp/cat.png')}\r")
        assert await composer.decision() == Send("\ufffd see @/tmp/cat.png ")


async def test_earlier_messages_are_called_back_from_any_row_of_a_long_line(tmp_path: Path) -> None:
    """Where Up would go through all of its rows; and what is typed is there again afterwards, in vi mode as well."""
    long = "\n".join(map(str, range(300)))
    for vi in (False, True):
        async with composing(tmp_path / str(vi), vi=vi) as (composer, source):
            await composer.ready()  # a thread has read what is in the file
            for sent in ("first", "second\nof two rows"):
                composer.begin(Phase.ASKING)
                composer.put(sent)
                source.send_text("\r")
                assert await composer.decision() == Send(sent)
            composer.begin(Phase.ASKING)
            composer.put(long)
            for keys, line in (
                ("\x10", "second\nof two rows"),
                ("\x10", "first"),
                ("\x0e", "second\nof two rows"),
                ("\x0e", long),
                ("\x1b[A\x10\x10", "first"),
                ("\x0e\x0e", long),
            ):
                source.send_text(keys)
                await composer.seen(lambda line=line: composer.text == line)  # type: ignore[misc]
