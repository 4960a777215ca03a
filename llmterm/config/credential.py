"""A credential as a value that is not shown by accident: not in a repr, a log line, a dump of the settings or JSON."""

from __future__ import annotations

from typing import final


@final
class Credential:
    """Text that only `reveal` says. Two of the same text are equal."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credential) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Credential, self._text))

    def __repr__(self) -> str:
        return "Credential('***')" if self._text else "Credential('')"
