"""Markdown that streams in chunks of any size ends as the same screen."""

from __future__ import annotations

import pytest

from tests.markdown_cases import CASES, ROWS, WIDTHS, Case, is_alike, screens


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_the_final_screen_does_not_depend_on_the_chunks(case: Case, width: int) -> None:
    """One, three or seventeen characters at a time or all at once: the same cells in the same styles."""
    assert is_alike(case, width)


def test_there_are_forty_cases_and_each_fits_its_screen() -> None:
    """What is compared is all of a case, and not what is left of it on the screen."""
    assert len(CASES) == 40
    for case in CASES:
        last = screens(case, min(WIDTHS), 100_000)[ROWS - 1]
        assert all(cell == last[0] for cell in last), case
