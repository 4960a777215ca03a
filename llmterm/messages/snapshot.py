"""An answer at rest, as a value that travels: to a file, to another process, to another machine, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from llmterm.messages.plain import READERS, Reader, plain, read, since
from llmterm.messages.reply import Reply
from llmterm.messages.request import Cursor, Request
from llmterm.messages.segment import EndReason

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An answer at rest: enough to continue it later, in another process, with another model.

    `request` is the question as first asked, without any instruction to continue. No key, header or address is in any
    of it.
    """

    request: Request
    reply: Reply
    reason: EndReason

    @property
    def cursor(self) -> Cursor | None:
        """Where its provider goes on with it by the same generation, None where none does."""
        return self.reply.cursor

    def to_json(self) -> str:
        """Return it as JSON in ASCII, with its version; attachments are in it as base64."""
        return json.dumps({"version": _VERSION, **plain(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the snapshot that `to_json` has written. Raises ValueError for what it has not."""
        try:
            match json.loads(text):
                case {"version": 1, **others}:
                    others.pop("cursor", None)  # none had one when it was no part of the reply
                    return read(cls, others, _READERS)
                case {"version": int(version)}:
                    raise ValueError(f"version {version} is of a later llmterm")
                case _:
                    raise ValueError("it says no version")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no snapshot: {error}") from None


_READERS: Mapping[str, Reader] = {**READERS, "Reply": since(Reply, cursor=None)}
