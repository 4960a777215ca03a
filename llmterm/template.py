"""A text with `{{names}}` in it, which stand for other texts.

A name has letters, digits and `_`, and between them spaces, points and `-`, as columns of a table are called; spaces
around it do not matter. Any other brace is a text like all else, and so is a name behind a backslash: `\\{{name}}` is
`{{name}}`. What is put in is put in as it is: a name in it stands for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

_NAME = r"\w(?:[\w .-]*\w)?"
_NAMED = re.compile(rf"\\(?P<text>\{{\{{\s*{_NAME}\s*\}}\}})|\{{\{{\s*(?P<name>{_NAME})\s*\}}\}}")


class Name(NamedTuple):
    """A place that something is to be put into."""

    name: str


class Template(NamedTuple):
    """The texts between the names, and the names, in their order."""

    parts: tuple[str | Name, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        parts: list[str | Name] = []
        end = 0
        for found in _NAMED.finditer(text):
            parts += [text[end : found.start()], found["text"] or Name(found["name"])]
            end = found.end()
        return cls((*parts, text[end:]))

    @property
    def names(self) -> tuple[str, ...]:
        """Each once, in the order in which they first stand."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Name)))

    def filled(self, values: Mapping[str, str]) -> Template:
        """Return it with the names of these values filled; the others stay."""
        return Template(tuple(values.get(part.name, part) if isinstance(part, Name) else part for part in self.parts))

    def text(self, values: Mapping[str, str]) -> str:
        """Return the text with these values. Raises KeyError, with the name, where one is missing."""
        return "".join(values[part.name] if isinstance(part, Name) else part for part in self.parts)
