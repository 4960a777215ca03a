"""An answer at rest."""

from __future__ import annotations

from dataclasses import dataclass

from llmterm.messages.reply import Reply
from llmterm.messages.request import Request
from llmterm.messages.segment import EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An answer at rest: enough to continue it later, in another process, with another model.

    `request` is the question as first asked, without any instruction to continue.
    """

    request: Request
    reply: Reply
    reason: EndReason
