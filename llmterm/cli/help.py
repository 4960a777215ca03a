"""The help texts of the command line, wrapped between words in windows of any width: typer's own are 50 columns wide at
least, and cut what a command does.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import typer
from typer._click.core import Context  # typer itself has no other names for these
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup

# More than this is hard to read, and less is no window.
_MOST, _LEAST = 80, 24
# Up to this width what an option does stands in a column near the left.
_NARROW = 70
_NEAR = 12
# Of what a command does the first sentence, however long.
_SENTENCE = 1_000


class _Page(HelpFormatter):
    def __init__(self) -> None:
        columns = shutil.get_terminal_size().columns
        super().__init__(width=max(_LEAST, min(columns, _MOST) - 2))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, _NEAR if self.width <= _NARROW else col_max, col_spacing)


class _Context(Context):
    def make_formatter(self) -> HelpFormatter:
        return _Page()


class _Command(TyperCommand):
    context_class = _Context


class _Group(TyperGroup):
    context_class = _Context

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_SENTENCE)) for name, each in named if each is not None])


def readable(app: typer.Typer) -> None:
    """Have the help texts of a program, and of all its commands, wrapped so."""
    app.info.cls = _Group
    for command in app.registered_commands:
        command.cls = _Command
    for group in app.registered_groups:
        group.cls = _Group
        if group.typer_instance is not None:
            readable(group.typer_instance)
