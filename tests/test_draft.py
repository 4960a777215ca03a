"""The line that is typed, as rows: whatever is in it, it fits, and the cursor is where one types."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.draft import drafted
from llmterm.render.cells import cell_len
from llmterm.render.drawn import bare

texts = st.text(alphabet="ab \n\t世é\u0301👨‍👩‍👧", max_size=80) | st.text(max_size=30)


@given(texts, st.data(), st.integers(4, 40), st.integers(1, 6))
def test_rows_fit_and_the_cursor_is_among_them(text: str, data: st.DataObject, columns: int, most: int) -> None:
    position = data.draw(st.integers(0, len(text)))
    selected = data.draw(st.none() | st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted))

    draft = drafted(text, position, columns, most, selected=None if selected is None else (selected[0], selected[1]))

    row, column = draft.cursor
    assert 1 <= len(draft.rows) <= most
    assert 0 <= row < len(draft.rows)
    assert 2 <= column < columns
    assert all(cell_len(bare(line).rstrip()) <= columns for line in draft.rows)


@given(st.lists(st.text("abc", max_size=6), min_size=1, max_size=5), st.data())
def test_short_text_is_shown_whole(lines: list[str], data: st.DataObject) -> None:
    """Behind the mark, further lines below its text, and the cursor in its place."""
    text = "\n".join(lines)
    position = data.draw(st.integers(0, len(text)))

    draft = drafted(text, position, 40, 9)

    assert draft.rows == [f"> {lines[0]}", *(f"  {line}" for line in lines[1:])]
    before = text[:position].split("\n")
    assert draft.cursor == (len(before) - 1, 2 + len(before[-1]))


def test_long_text_is_shown_around_the_cursor() -> None:
    text = "\n".join(f"line {number}" for number in range(10_000))

    at = text.index("line 5000")
    draft = drafted(text, at, 40, 5)

    assert draft.rows == [f"  line {number}" for number in range(4998, 5003)]
    assert draft.cursor == (2, 2)


def test_long_line_breaks_between_words() -> None:
    draft = drafted("one two three four", 18, 12, 5)

    assert (draft.rows, draft.cursor) == (["> one two ", "  three ", "  four"], (2, 6))


def test_what_is_selected_is_marked() -> None:
    assert drafted("one two", 7, 40, 3, selected=(4, 7)).rows == ["> one \x1b[7mtwo\x1b[27m"]
