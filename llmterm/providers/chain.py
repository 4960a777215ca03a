"""What a server has in hand of a conversation: the response that it is to go on behind, and what that has answered.

Whether a conversation is exactly that one is told by fingerprints, of which each has the one before in it: what was
said is kept by nobody twice. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

from llmterm.messages import Attachment, Message, Role, Rope

Fingerprint: TypeAlias = bytes

_NOTHING: Fingerprint = b""
_SIZE = 16


@dataclass(frozen=True, slots=True)
class Chain:
    """A conversation up to an answer of `model`, which is the response of that id: `said` has a fingerprint for each
    of its messages."""

    response: str
    model: str
    said: tuple[Fingerprint, ...]

    def holds(self, model: str, said: Sequence[Fingerprint]) -> bool:
        """Whether a question to `model` begins with exactly this: its server has to be told no more than the rest."""
        count = len(self.said)
        return model == self.model and len(said) > count and said[count - 1] == self.said[-1]

    def shares(self, said: Sequence[Fingerprint]) -> bool:
        """Whether a conversation has begun as this one has."""
        return said[:1] == [*self.said[:1]]


def fingerprints(messages: Iterable[Message]) -> list[Fingerprint]:
    """Return what tells apart what was said up to each message."""
    said: list[Fingerprint] = []
    for message in messages:
        said.append(after(said[-1] if said else _NOTHING, message.role, message.body, message.attachments))
    return said


def after(before: Fingerprint, role: Role, text: Rope, attachments: Iterable[Attachment] = ()) -> Fingerprint:
    """Return the fingerprint of what was said `before` with a message behind it."""
    digest = blake2b(before, digest_size=_SIZE)
    for part in (role, str(text), *(each for file in attachments for each in (file.name, file.media_type))):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    for file in attachments:
        digest.update(blake2b(file.data, digest_size=_SIZE).digest())
    return digest.digest()
