"""Prints the table of markdown cases in docs/figures.md: of each kind, how many look the same in chunks of any size.

uv run python -m scripts.markdown_table
"""

from __future__ import annotations

from tests.markdown_cases import SIZES, WIDTHS, counts


def main() -> None:
    *sizes, _ = SIZES
    print(f"Chunks of {', '.join(map(str, sizes))} characters and all at once give the same final screen:\n")
    print(f"| kind | {' | '.join(f'{width} columns' for width in WIDTHS)} |")
    print(f"|---|{'--:|' * len(WIDTHS)}")
    rows = counts()
    for kind, row in rows.items():
        print(f"| {kind} | {' | '.join(f'{alike} of {of}' for alike, of in row.values())} |")
    sums = [tuple(map(sum, zip(*(row[width] for row in rows.values()), strict=True))) for width in WIDTHS]
    print(f"| **all** | {' | '.join(f'**{alike} of {of}**' for alike, of in sums)} |")


if __name__ == "__main__":
    main()
