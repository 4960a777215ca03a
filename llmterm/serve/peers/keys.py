"""What is where in Redis. No key has anything in it but names and random ids.

llmterm:instance:ID     an instance lives, for as long as this is renewed
llmterm:instances       a set of those whose turns somebody may have to take over
llmterm:held:ID         a set of the names that an instance has
llmterm:claim:NAME      a hash: the `owner` that has it, the `fence` that is another number for each, the `turn`
llmterm:turns:NAME      a set of the turns that were told under it
llmterm:log:TURN        a stream of what a turn tells: its ids are places
llmterm:asked:TURN      what a turn answers that is on no record
llmterm:poke:ID         a stream by which an instance wakes itself
"""

from __future__ import annotations

INSTANCE = "llmterm:instance:"
INSTANCES = "llmterm:instances"
CHANGED = "llmterm:changed"
"""The channel on which all hear of sessions that have changed."""

_DAY = 24 * 3600 * 1000
KEPT_MS = _DAY
"""Milliseconds for which what was told is kept behind the last of it; what is over, as here."""
OVER_MS = 10 * 60 * 1000


def instance(instance_id: str) -> str:
    return f"{INSTANCE}{instance_id}"


def held(instance_id: str) -> str:
    return f"llmterm:held:{instance_id}"


def claim(name: str) -> str:
    return f"llmterm:claim:{name}"


def turns(name: str) -> str:
    return f"llmterm:turns:{name}"


def log(turn_id: str) -> str:
    return f"llmterm:log:{turn_id}"


def asked(turn_id: str) -> str:
    return f"llmterm:asked:{turn_id}"


def poke(instance_id: str) -> str:
    return f"llmterm:poke:{instance_id}"


def inbox(instance_id: str) -> str:
    """The channel on which an instance is asked, and answered."""
    return f"llmterm:to:{instance_id}"
