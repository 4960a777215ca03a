"""A server of OpenAI's responses that keeps what it makes: read on behind any event, ended, and gone after a while.

Its events are shaped as the official SDK's types say; that SDK is one of its clients in the tests.
https://developers.openai.com/api/docs/guides/background
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.wire import Exchange

USAGE = {
    "input_tokens": 100,
    "output_tokens": 50,
    "total_tokens": 150,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 10},
}
MODEL = "gpt-6.1-terra"


@dataclass
class Kept:
    """A generation: its events, and whether somebody has ended it."""

    name: str
    asked: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False

    def response(self, status: str, **more: Any) -> dict[str, Any]:
        return {
            "id": self.name,
            "object": "response",
            "created_at": 1_800_000_000,
            "status": status,
            "background": True,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self.asked["model"],
            "output": [],
            "parallel_tool_calls": False,
            "tool_choice": "auto",
            "tools": [],
            "temperature": 1.0,
            "top_p": 1.0,
            "usage": None,
            **more,
        }


def words(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]


def told(kept: Kept, thoughts: Sequence[str], *messages: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the events of an answer: a thought, if there are words of one, and messages, each in its pieces.

    The last message is the final answer, those before are what the model says while it works.
    """
    yield {"type": "response.created", "response": kept.response("queued")}
    yield {"type": "response.queued", "response": kept.response("queued")}
    yield {"type": "response.in_progress", "response": kept.response("in_progress")}
    output: list[dict[str, Any]] = []
    if thoughts:
        item: dict[str, Any] = {"id": f"rs_{kept.name}", "type": "reasoning", "summary": [], "status": "in_progress"}
        about = {"item_id": item["id"], "output_index": 0, "summary_index": 0}
        part: dict[str, Any] = {"type": "summary_text", "text": "".join(thoughts)}
        yield {"type": "response.output_item.added", "output_index": 0, "item": item}
        yield {"type": "response.reasoning_summary_part.added", **about, "part": {**part, "text": ""}}
        for piece in thoughts:
            yield {"type": "response.reasoning_summary_text.delta", **about, "delta": piece}
        yield {"type": "response.reasoning_summary_part.done", **about, "part": part}
        item = {**item, "status": "completed", "summary": [part], "encrypted_content": f"cipher of {kept.name}"}
        yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        output.append(item)
    for number, pieces in enumerate(messages, 1):
        phase = "final_answer" if number == len(messages) else "commentary"
        item = {"id": f"msg_{kept.name}_{number}", "type": "message", "role": "assistant", "phase": phase}
        about = {"item_id": item["id"], "output_index": len(output), "content_index": 0}
        part = {"type": "output_text", "text": "".join(pieces), "annotations": [], "logprobs": []}
        begun = {**item, "status": "in_progress", "content": []}
        yield {"type": "response.output_item.added", "output_index": len(output), "item": begun}
        yield {"type": "response.content_part.added", **about, "part": {**part, "text": ""}}
        for piece in pieces:
            yield {"type": "response.output_text.delta", **about, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **about, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **about, "part": part}
        done = {**item, "status": "completed", "content": [part]}
        yield {"type": "response.output_item.done", "output_index": len(output), "item": done}
        output.append(done)
    yield {"type": "response.completed", "response": kept.response("completed", output=output, usage=USAGE)}


class BackgroundServer:
    """A script for a `WireServer`. `answer` gives the events of what is asked.

    A connection ends after the number of events that is next in `breaks`; with nothing left there at the end. Where
    `upto` is set nothing is made behind that many events. `forgotten`: nothing is kept any more.
    """

    def __init__(self, answer: Callable[[Kept], Iterator[dict[str, Any]]]) -> None:
        self.answer = answer
        self.kept: dict[str, Kept] = {}
        self.breaks: list[int] = []
        self.forgotten = False
        self.refusal = ""
        self._upto: int | None = None
        self._more = asyncio.Event()
        self._telling: object = None  # the connection that was begun last, while it is told something
        self.rests = threading.Event()
        """Set while nothing is told that could be: all that is made was sent, or there is nobody."""

    def make(self, upto: int | None) -> None:
        """Make so many events; on the server's loop."""
        self._upto = upto
        if self._telling is not None:
            self.rests.clear()
        self._more.set()

    async def __call__(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.path)
        path, query = parts.path.removeprefix("/v1/responses").strip("/"), parse_qs(parts.query)
        if exchange.method == "POST" and not path:
            await self._ask(exchange)
            return
        kept = self.kept.get(path.removesuffix("/cancel"))
        if kept is None or self.forgotten:
            error = {"message": f"Response with id '{path}' not found.", "type": "invalid_request_error", "code": None}
            await exchange.refuse(404, {"error": error})
        elif path.endswith("/cancel"):
            kept.stopped = True
            await exchange.refuse(200, kept.response("cancelled"))
        elif query.get("stream") == ["true"]:
            await self._tell(exchange, kept, int(query.get("starting_after", ["-1"])[0]) + 1)
        else:
            await exchange.refuse(200, kept.events[-1]["response"])

    async def _ask(self, exchange: Exchange) -> None:
        if self.refusal and exchange.body.get("background"):
            await exchange.refuse(400, {"error": {"message": self.refusal, "type": "invalid_request_error"}})
            return
        kept = Kept(f"resp_{len(self.kept) + 1}", exchange.body)
        kept.events = [{**each, "sequence_number": number} for number, each in enumerate(self.answer(kept))]
        self.kept[kept.name] = kept
        await self._tell(exchange, kept, 0)

    async def _tell(self, exchange: Exchange, kept: Kept, first: int) -> None:
        self._telling = exchange
        self.rests.clear()
        try:
            await exchange.start()
            left = self.breaks.pop(0) if self.breaks else len(kept.events)
            for event in kept.events[first:]:
                while self._upto is not None and event["sequence_number"] >= self._upto:
                    self._rest(exchange)
                    self._more.clear()
                    if not await self._waited(exchange):
                        return
                if kept.stopped:
                    break  # with no event of that
                if left == 0:
                    exchange.drop()
                    return
                left -= 1
                await exchange.raw(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            await exchange.close()
        finally:
            self._rest(exchange)
            if self._telling is exchange:
                self._telling = None

    async def _waited(self, exchange: Exchange) -> bool:
        """Wait until more is made; return whether there is still somebody to tell that."""
        more, gone = asyncio.create_task(self._more.wait()), asyncio.create_task(exchange.hung_up())
        try:
            await asyncio.wait({more, gone}, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            more.cancel()
            gone.cancel()
            await asyncio.wait({more, gone})

    def _rest(self, exchange: Exchange) -> None:
        if self._telling is exchange:
            self.rests.set()
