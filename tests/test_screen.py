"""The two-region screen, read back from an emulated terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wcwidth import wcwidth

from llmterm.render.cells import cell_len
from llmterm.render.drawn import bare, clip, patch
from llmterm.render.link import linked
from llmterm.render.screen import CLEAR_DOWN, Screen


class Emulated(pyte.HistoryScreen):
    """Pyte's screen, but what has no width joins the character before it: pyte drops it, and all that follows."""

    def draw(self, data: str) -> None:
        for part in re.split(r"(\W)", data):
            if len(part) == 1 and wcwidth(part) == 0:
                line = self.buffer[self.cursor.y]
                at = max(0, self.cursor.x - 1)
                at -= not line[at].data and at > 0  # the second half of a wide one
                line[at] = line[at]._replace(data=line[at].data + part)
            else:
                super().draw(part)


class Terminal:
    """A terminal with a scrollback, which can be given another size as xterm and as reflowing terminals do it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.writes: list[str] = []
        self._open(columns, rows)

    def _open(self, columns: int, rows: int) -> None:
        self._screen = Emulated(columns, rows, history=100_000)
        self._stream = pyte.Stream(self._screen)

    def size(self) -> tuple[int, int]:
        return self._screen.columns, self._screen.lines

    def write(self, text: str) -> None:
        self.writes.append(text)
        self._stream.feed(text)

    @property
    def cursor(self) -> tuple[int, int]:
        """The cursor's line, counted from the top of the scrollback, and column."""
        return len(self._screen.history.top) + self._screen.cursor.y, self._screen.cursor.x

    @property
    def cursor_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    def lines(self) -> list[str]:
        """Everything there is, scrollback and screen, down to the last line that is not blank."""
        rows = [*self._screen.history.top, *(self._screen.buffer[y] for y in range(self._screen.lines))]
        lines = ["".join(row[x].data for x in range(max(row, default=-1) + 1)).rstrip() for row in rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def cells(self) -> list[list[object]]:
        """The cells of the screen, with their styles."""
        return [[self._screen.buffer[y][x] for x in range(self._screen.columns)] for y in range(self._screen.lines)]

    @property
    def titles(self) -> tuple[str, str]:
        return self._screen.title, self._screen.icon_name

    def resize(self, columns: int, rows: int) -> None:
        """Cut or lengthen lines, and scroll no more than needed to keep the cursor on the screen."""
        screen = self._screen
        height = screen.lines
        while screen.cursor.y >= rows:
            screen.history.top.append(screen.buffer[0])
            for y in range(height - 1):
                screen.buffer[y] = screen.buffer[y + 1]
            screen.buffer.pop(height - 1, None)
            screen.cursor.y -= 1
        for y in range(rows, height):
            screen.buffer.pop(y, None)
        for row in screen.buffer.values():
            for x in [x for x in row if x >= columns]:
                del row[x]
        screen.columns, screen.lines = columns, rows
        screen.cursor.x = min(screen.cursor.x, columns - 1)

    def reflow(self, columns: int, rows: int) -> None:
        """Wrap all lines anew; the cursor stays with its character."""
        line, column = self.cursor
        lines = self.lines()
        lines += [""] * (line + 1 - len(lines))
        wrapped = [[text[at : at + columns] for at in range(0, len(text), columns)] or [""] for text in lines]
        # Behind a row that is full it stays in the last column.
        down = min(column // columns, len(wrapped[line]) - 1)
        below = sum(map(len, wrapped[line:])) - 1 - down
        self._open(columns, rows)
        self._stream.feed("\r\n".join(row for text in wrapped for row in text))
        self._stream.feed(
            f"\x1b[{min(column - down * columns, columns - 1) + 1}G" + (f"\x1b[{below}A" if below else "")
        )


def make_screen(terminal: Terminal, *, reflows: bool = False) -> Screen:
    return Screen(write=terminal.write, size=terminal.size, cell_len=cell_len, reflows=lambda: reflows)


@dataclass
class Model:
    """What must stand on a terminal: permanent lines, then what is visible of the live area."""

    permanent: list[str] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    footer: list[str] = field(default_factory=list)
    number: int = 0

    def new(self, mark: str, count: int) -> list[str]:
        self.number += count
        return [f"{mark}{self.number - count + index}" for index in range(count)]

    def expected(self, rows: int) -> list[str]:
        room = max(0, rows - len(self.footer) - 1)
        return [*self.permanent, *self.live[max(0, len(self.live) - room) :], *self.footer[:rows]]


counts = st.integers(0, 12)
frames = st.tuples(counts, st.booleans(), counts, st.integers(0, 3), st.integers(0, 30))
sizes = st.tuples(st.integers(5, 30), st.integers(1, 12))


def play(terminal: Terminal, screen: Screen, model: Model, step: tuple[int, bool, int, int, int]) -> None:
    """Draw one frame, with the cursor in its footer or nowhere."""
    count, finished, live, footer, place = step
    permanent = (model.live if finished else []) + model.new("p", count)
    model.permanent += permanent
    model.live = ([] if finished else model.live) + model.new("l", live)
    model.footer = [f"f{line} {model.number}" for line in range(footer)]
    cursor = (place % footer, place) if footer and place % 3 else None
    screen.paint(permanent, model.live, model.footer, cursor)

    columns, rows = terminal.size()
    assert terminal.cursor_hidden == (cursor is None and bool(model.live or model.footer))
    if cursor is not None and footer < rows:
        below = footer - 1 - cursor[0]
        assert terminal.cursor == (len(model.expected(rows)) - 1 - below, min(place, columns - 1))


@given(st.integers(6, 30), st.integers(2, 14), st.lists(frames, max_size=15))
def test_permanent_lines_are_there_once_and_in_order(
    columns: int, rows: int, steps: list[tuple[int, bool, int, int, int]]
) -> None:
    """Whatever is drawn: scrollback and screen are the permanent lines and the live area, the cursor is where it is
    wanted.
    """
    terminal, model = Terminal(columns, rows), Model()
    screen = make_screen(terminal)

    for step in steps:
        play(terminal, screen, model, step)

        assert terminal.lines() == model.expected(rows)


@given(
    st.integers(6, 30),
    st.integers(2, 14),
    st.lists(st.tuples(st.lists(st.integers(1, 90), max_size=4), counts, st.integers(0, 3)), max_size=10),
)
def test_permanent_lines_that_are_wrapped_stand_whole_above_the_rest(
    columns: int, rows: int, steps: list[tuple[list[int], int, int]]
) -> None:
    """However long they are, and whatever stood where they come to stand."""
    terminal, model = Terminal(columns, rows), Model()
    screen = make_screen(terminal)

    for lengths, live, footer in steps:
        lines = [f"p{'x' * length}" for length in lengths]
        model.permanent += [line[at : at + columns] for line in lines for at in range(0, len(line), columns)]
        model.live = model.new("l", live)
        model.footer = [f"f{line} {model.number}"[:columns] for line in range(footer)]
        screen.paint(lines, model.live, model.footer)

        assert terminal.lines() == model.expected(rows)


@example((7, 1), [(5, False, 0, 1, 7), (6, 1), (5, 3), (0, False, 0, 0, 0)], True, False)
@given(sizes, st.lists(frames | sizes, max_size=15), st.booleans(), st.booleans())
def test_permanent_lines_survive_any_change_of_size(
    size: tuple[int, int], steps: list[tuple[int, bool, int, int, int] | tuple[int, int]], reflows: bool, told: bool
) -> None:
    """After the window changes its size remnants of the live area may stay, but no permanent line is overwritten."""
    terminal, model = Terminal(*size), Model()
    screen = make_screen(terminal, reflows=reflows)
    permanent: list[str] = []

    for step in steps:
        if len(step) == 2:
            (terminal.reflow if reflows else terminal.resize)(*step)
            if told:
                screen.resized()
            continue
        first, _, live, footer, place = step
        lines = model.new("p", first)
        permanent += lines
        wide = [f"l{'x' * (number % 40)}" for number in range(live)]
        cursor = (place % footer, place) if footer and place % 3 else None
        screen.paint(lines, wide, [f"f{'y' * model.number}" for _ in range(footer)], cursor)

    assert [line for line in terminal.lines() if line.startswith("p")] == permanent


@pytest.mark.parametrize("reflows", [False, True])
def test_a_narrower_window_leaves_no_remnants(reflows: bool) -> None:
    """Where the terminal does what it is known to do, the live area is found again exactly."""
    terminal = Terminal(40, 12)
    screen = make_screen(terminal, reflows=reflows)
    screen.paint(["p"], ["a" * 35, "b" * 12], ["c" * 40])

    (terminal.reflow if reflows else terminal.resize)(10, 12)
    screen.resized()
    screen.paint([], ["d"], ["e"])

    assert terminal.lines() == ["p", "d", "e"]


def test_a_lower_window_keeps_the_end_of_the_live_area() -> None:
    """When the area no longer fits, its end is drawn; what scrolled away stays in the scrollback."""
    terminal = Terminal(20, 12)
    screen = make_screen(terminal)
    live = [f"l{number}" for number in range(10)]
    screen.paint(["p"], live, ["f"])

    terminal.resize(20, 5)
    screen.resized()
    screen.paint([], live, ["f"])

    assert terminal.lines()[-4:] == ["l7", "l8", "l9", "f"]
    assert terminal.lines().count("p") == 1


def test_every_frame_is_one_synchronized_write() -> None:
    """A frame is one string between begin and end of a synchronized update."""
    terminal = Terminal(20, 5)
    screen = make_screen(terminal)

    screen.paint(["p"], ["l"], ["f"])

    (frame,) = terminal.writes
    assert frame.startswith("\x1b[?2026h")
    assert frame.endswith("\x1b[?2026l")


def test_a_frame_without_change_writes_nothing() -> None:
    """Drawing the same again costs no byte."""
    terminal = Terminal(20, 5)
    screen = make_screen(terminal)
    screen.paint(["p"], ["l"], ["f"])

    screen.paint([], ["l"], ["f"])

    assert len(terminal.writes) == 1


def test_only_changed_lines_are_written() -> None:
    """A new status line does not rewrite the block above it."""
    terminal = Terminal(20, 8)
    screen = make_screen(terminal)
    screen.paint(["permanent"], ["first", "second"], ["one second"])

    screen.paint([], ["first", "second"], ["two seconds"])

    assert "two seconds" in terminal.writes[-1]
    assert "first" not in terminal.writes[-1]
    assert "second\r" not in terminal.writes[-1]
    assert terminal.lines() == ["permanent", "first", "second", "two seconds"]


@pytest.mark.parametrize("rows", [12, 7])
def test_what_stands_below_is_moved_and_not_written_again(rows: int) -> None:
    """Also on the last rows of the screen, where all of it moves up."""
    terminal = Terminal(20, rows)
    screen = make_screen(terminal)
    footer = ["", ">", "a long status line"]
    screen.paint(["permanent"], ["first", "second"], footer, (1, 2))

    screen.paint(["first"], ["second one", "third", "fourth"], footer, (1, 2))

    assert "status" not in terminal.writes[-1]
    assert terminal.lines() == ["permanent", "first", "second one", "third", "fourth", *footer]


def test_lines_that_become_permanent_unchanged_are_not_written_again() -> None:
    """A finished block is not repainted where it already stands."""
    terminal = Terminal(20, 8)
    screen = make_screen(terminal)
    screen.paint([], ["one", "two"], ["status"])

    screen.paint(["one", "two"], ["three"], ["status"])

    assert "one" not in terminal.writes[-1]
    assert terminal.lines() == ["one", "two", "three", "status"]


def test_the_footer_may_stand_on_the_last_row() -> None:
    """A full live area does not scroll when it is drawn again."""
    terminal = Terminal(20, 4)
    screen = make_screen(terminal)

    for number in range(5):
        screen.paint([f"p{number}"], ["l0", "l1"], [f"status {number}"])

    assert terminal.lines() == ["p0", "p1", "p2", "p3", "p4", "l0", "l1", "status 4"]


def test_clearing_removes_the_live_area_only() -> None:
    """The cursor is shown again, where the area began."""
    terminal = Terminal(20, 5)
    screen = make_screen(terminal)
    screen.paint(["p"], ["l"], ["f"])

    screen.clear()

    assert terminal.lines() == ["p"]
    assert terminal.cursor == (1, 0)
    assert not terminal.cursor_hidden


def test_a_cursor_that_moves_costs_nothing_else() -> None:
    """Only the cursor is moved, and nothing is drawn anew."""
    terminal = Terminal(20, 5)
    screen = make_screen(terminal)
    screen.paint(["p"], ["l"], ["> typed", "status"], (0, 7))

    screen.paint([], ["l"], ["> typed", "status"], (0, 3))

    assert terminal.cursor == (2, 3)
    assert terminal.writes[-1] == "\r\x1b[3C"


@pytest.mark.parametrize("reflows", [False, True])
def test_a_narrower_window_leaves_no_remnants_around_the_cursor(reflows: bool) -> None:
    """Also with the cursor in the middle of the live area."""
    terminal = Terminal(40, 14)
    screen = make_screen(terminal, reflows=reflows)
    screen.paint(["p"], ["a" * 35], ["b" * 40, "c" * 30], (0, 25))

    (terminal.reflow if reflows else terminal.resize)(10, 14)
    screen.resized()
    screen.paint([], ["d"], ["> ", "e"], (0, 2))

    assert terminal.lines() == ["p", "d", ">", "e"]


def test_the_cursor_is_hidden_where_nothing_is_typed() -> None:
    """No cursor blinks in the middle of an answer; after the last permanent line it does."""
    terminal = Terminal(20, 5)
    screen = make_screen(terminal)

    screen.paint([], ["l"], [])
    hidden = terminal.cursor_hidden
    screen.paint(["l"], [], [])

    assert hidden
    assert not terminal.cursor_hidden


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("x" * 30, "x" * 10),
        ("\x1b[1mbold\x1b[0m and more than fits", "bold and m"),
        ("日本語日本語", "日本語日本"),
        ("a日本語日本語", "a日本語日"),
        ("❤\ufe0f" * 9, "❤\ufe0f" * 5),
    ],
)
def test_a_live_line_is_clipped_rather_than_wrapped(line: str, shown: str) -> None:
    """Styled and wide text is cut at the last cell it fits into."""
    terminal = Terminal(10, 4)
    written: list[str] = []
    screen = Screen(write=written.append, size=terminal.size, cell_len=cell_len)

    screen.paint([], [line], ["f"])

    text = written[0].split("\r\n")[0]
    assert text.replace("\x1b[1m", "").replace("\x1b[0m", "").endswith("\x1b[J\r" + shown)


def test_a_clipped_style_does_not_leak() -> None:
    """Cutting a line before its reset resets the style all the same."""
    written: list[str] = []
    screen = Screen(write=written.append, size=lambda: (3, 4), cell_len=cell_len)

    screen.paint([], ["\x1b[31mred text\x1b[0m"], ["f"])

    assert "\x1b[31mred\x1b[0m\r\n" in written[0]


def test_area_whose_terminal_had_another_size_in_between_is_drawn_as_a_whole() -> None:
    """It is the same size again, but something may stand elsewhere by now."""
    written: list[str] = []
    screen = Screen(write=written.append, size=lambda: (20, 10), cell_len=cell_len)
    screen.paint([], ["live"], ["> typed", "status"], (0, 7))

    screen.displaced()
    screen.paint([], ["live"], ["> typed", "status"], (0, 7))
    screen.paint([], ["live"], ["> typed", "status"], (0, 7))

    assert len(written) == 2
    assert f"\r\x1b[1A{CLEAR_DOWN}live\r\n> typed\r\nstatus" in written[1]


@pytest.mark.parametrize("size", [(1, 1), (0, 0), (1, 3), (2, 2)])
def test_the_smallest_terminals_do_no_harm(size: tuple[int, int]) -> None:
    """There is always room for something, if only for one cell."""
    terminal = Terminal(max(1, size[0]), max(1, size[1]))
    screen = Screen(write=terminal.write, size=lambda: size, cell_len=cell_len)

    for number in range(3):
        screen.paint([str(number)], ["日本", "x"], ["status", "more"])
        screen.paint([], ["a"], ["typed", "status"], (0, 5))
    screen.paint(["d"], [], [])
    screen.clear()

    assert [line for line in terminal.lines() if line in "012d"] == ["0", "1", "2", "d"]


LINK = "https://example.org/"
styled = st.lists(
    st.tuples(
        st.text(st.sampled_from("ab c—é日本語한🇩👍🏽\u0301\u200d\ufe0f") | st.sampled_from("abcd"), max_size=8),
        st.sampled_from(
            ["{}", "\x1b[1m{}\x1b[0m", "\x1b[38;5;114m{}\x1b[0m", linked("{}", LINK), linked("\x1b[4m{}\x1b[0m", LINK)]
        ),
    ),
    max_size=5,
).map(lambda runs: "".join(form.format(text) for text, form in runs if text))
columns = st.integers(1, 24)


@given(st.lists(styled, min_size=2, max_size=6), columns)
def test_a_row_is_changed_into_any_other(lines: list[str], width: int) -> None:
    """What is written only from where two rows differ gives the cells, and their styles, of the whole row."""
    terminal = Terminal(width, 2)
    shown = ""

    for line in lines:
        row = clip(line, width, cell_len)
        terminal.write("\r" + patch(shown, row))
        shown = row

        fresh = Terminal(width, 2)
        fresh.write(row)
        assert terminal.cells == fresh.cells


@given(styled, styled, columns)
def test_a_growing_row_is_changed_into_the_longer_one(start: str, more: str, width: int) -> None:
    """Text that is added, also a mark that joins the last character, ends up where it belongs."""
    old, new = clip(start, width, cell_len), clip(start + more, width, cell_len)
    terminal, fresh = Terminal(width, 2), Terminal(width, 2)
    terminal.write(old)
    fresh.write(new)

    terminal.write("\r" + patch(old, new))

    assert terminal.cells == fresh.cells


def test_a_row_that_grows_is_not_written_again() -> None:
    """The cursor moves over what stands there, and the styles that were open are set again."""
    added = patch("some words \x1b[1mand\x1b[0m", "some words \x1b[1mand more\x1b[0m")

    assert added == "\x1b[14C\x1b[1m more\x1b[0m"


def test_nothing_is_written_for_a_row_that_stays() -> None:
    """A row with a new one above it, or below, costs nothing."""
    terminal = Terminal(40, 8)
    screen = make_screen(terminal)
    screen.paint([], ["first row", "second row", "third row"], ["status 1"])

    screen.paint([], ["first row", "second now", "third row"], ["status 2"])

    assert terminal.lines() == ["first row", "second now", "third row", "status 2"]
    changes = "\x1b[2A\x1b[7C\x1b[Know\r\n\r\n\x1b[7C\x1b[K2\r"
    assert terminal.writes[-1] == f"\x1b[?2026h{changes}\x1b[?2026l"


@given(styled, columns)
def test_a_clipped_line_fits_and_leaves_nothing_open(line: str, width: int) -> None:
    """What fits is the beginning of the line, in whole characters; styles and links end with it."""
    clipped = clip(line, width, cell_len)

    assert cell_len(bare(clipped)) <= width
    assert bare(line).startswith(bare(clipped))
    assert re.findall(r"\x1b\[0m|\x1b\[[0-9;]+m", clipped)[1::2] in ([], ["\x1b[0m"] * (clipped.count("\x1b[") // 2))
    assert clipped.count("\x1b]8;;\x1b\\") == clipped.count("\x1b]8;id=")


def test_a_link_takes_no_cell() -> None:
    """The sequences around a label are not counted, and a label that is cut still ends its link."""
    line = linked("label", LINK)

    assert clip(line, 5, cell_len) == line
    assert clip(line, 3, cell_len) == linked("lab", LINK)


def test_permanent_lines_that_wrap_are_not_drawn_over() -> None:
    """A permanent line wider than the screen takes the rows it needs, where the live area was."""
    terminal = Terminal(10, 8)
    screen = make_screen(terminal)
    screen.paint([], ["one", "two", "three"], ["status"])

    screen.paint(["x" * 25], ["four"], ["status"])

    assert terminal.lines() == ["x" * 10, "x" * 10, "x" * 5, "four", "status"]
