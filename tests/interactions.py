"""A server of Gemini's interactions that keeps what it makes: read on behind any event, cancelled, gone after a while.

Its events are shaped as the official SDK's types say; that SDK is one of its clients in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from tests.wire import Exchange

USAGE = {"total_input_tokens": 100, "total_output_tokens": 40, "total_thought_tokens": 10, "total_tokens": 150}

# What becomes of a connection behind so many events: the server makes no more for now, or it breaks.
End: TypeAlias = tuple[Literal["waits", "breaks"], int]


@dataclass
class Kept:
    """A generation: its events, and whether it was cancelled."""

    name: str
    asked: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    cancelled: bool = False

    def place(self, number: int) -> str:
        return f"{self.name}/+{number}="


def told(kept: Kept, thoughts: Sequence[str], pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the events of an answer: a thought and its signature, and the text, in two steps where it is long."""
    about = {"id": kept.name, "object": "interaction", "model": kept.asked["model"]}
    yield {"event_type": "interaction.created", "interaction": {**about, "status": "queued"}}
    yield {"event_type": "interaction.status_update", "interaction_id": kept.name, "status": "in_progress"}
    yield {"event_type": "step.start", "index": 0, "step": {"type": "thought"}}
    for thought in thoughts:
        yield _delta(0, {"type": "thought_summary", "content": {"type": "text", "text": thought}})
    yield _delta(0, {"type": "thought_signature", "signature": "AAEC"})
    yield {"event_type": "step.stop", "index": 0}
    half = len(pieces) // 2
    for index, step in enumerate((pieces[:half], pieces[half:]), 1):
        yield {"event_type": "step.start", "index": index, "step": {"type": "model_output"}}
        for piece in step:
            yield _delta(index, {"type": "text", "text": piece})
        yield {"event_type": "step.stop", "index": index}
    yield {"event_type": "interaction.completed", "interaction": {**about, "status": "completed", "usage": USAGE}}


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": index, "delta": delta}


class InteractionServer:
    """A script for a `WireServer` that answers with `pieces`. `ends` are those of its next connections.

    `refusal`: what is said of a request for the background. `forgotten`: nothing is kept any more.
    """

    def __init__(self, pieces: Sequence[str], thoughts: Sequence[str] = ("hm, ", "so")) -> None:
        self.pieces, self.thoughts = pieces, thoughts
        self.ends: list[End] = []
        self.kept: dict[str, Kept] = {}
        self.refusal = ""
        self.forgotten = False

    async def __call__(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.path)
        path, query = parts.path.removeprefix("/v1/interactions").strip("/"), parse_qs(parts.query)
        if exchange.method == "POST" and not path:
            await self._ask(exchange)
            return
        kept = self.kept.get(path.removesuffix("/cancel"))
        if kept is None or self.forgotten:
            await exchange.refuse(404, {"error": {"code": 404, "message": f"{path} is not found"}})
        elif path.endswith("/cancel"):
            kept.cancelled = True
            await exchange.refuse(200, {"id": kept.name, "status": "cancelled"})
        else:
            (after,) = query.get("last_event_id", [kept.place(-1)])
            places = [kept.place(number) for number in range(-1, len(kept.events))]
            await self._tell(exchange, kept, places.index(after))

    async def _ask(self, exchange: Exchange) -> None:
        if self.refusal and exchange.body.get("background"):
            await exchange.refuse(400, {"error": {"code": 400, "message": self.refusal}})
            return
        kept = Kept(f"v1_{len(self.kept) + 1}", exchange.body)
        events = enumerate(told(kept, self.thoughts, self.pieces))
        kept.events = [{**each, "event_id": kept.place(number)} for number, each in events]
        self.kept[kept.name] = kept
        await self._tell(exchange, kept, 0)

    async def _tell(self, exchange: Exchange, kept: Kept, first: int) -> None:
        await exchange.start()
        what, left = self.ends.pop(0) if self.ends else ("", len(kept.events))
        for event in kept.events[first : first + left]:
            await exchange.raw(f"event: {event['event_type']}\ndata: {json.dumps(event)}\n\n".encode())
        if first + left >= len(kept.events):
            await exchange.raw(b"event: done\ndata: [DONE]\n\n")
            await exchange.close()
        elif what == "waits":
            await exchange.hung_up()
        else:
            exchange.drop()
