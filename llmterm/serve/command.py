"""What can be done with a turn that is not over, by whoever likes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`do` is one of `COMMANDS`; the others say how, where that one takes them. `client` is who asks: an address."""

    do: str
    by: str = ""
    guidance: str = ""
    model: str = ""
    text: str = ""
    client: str = ""


COMMANDS = ("pause", "resume", "cancel", "edit")
