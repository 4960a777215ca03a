"""A server that decodes as Gemini 4 does: with checkpoints, and no more of an answer in a request than it likes."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from tests.wire import Exchange


class Decoder:
    """Writes `pieces`, an event each, with a checkpoint behind each `every`-th, and at most `most` in a request.

    A checkpoint is good for the request that it came of, and for no other. `told` are the requests as they came. After
    so many more events as `breaks` says the connection breaks, and behind the piece `waits` no more comes until the
    client has hung up; `forgets`: no checkpoint is known any more; `sticks`: it
    writes no more, and asks to be asked again at the same place.
    """

    def __init__(self, pieces: Sequence[str], *, every: int = 2, most: int = 10_000, thought: str = "") -> None:
        self.pieces = pieces
        self.every = every
        self.most = most
        self.thought = thought
        self.told: list[dict[str, Any]] = []
        self.breaks: int | None = None
        self.waits: int | None = None
        self.forgets = self.sticks = False
        self._places: dict[str, tuple[str, int]] = {}

    async def __call__(self, exchange: Exchange) -> None:
        self.told.append(exchange.body)
        asked = {name: value for name, value in exchange.body.items() if name != "continuationToken"}
        mark, token = json.dumps(asked, sort_keys=True), exchange.body.get("continuationToken")
        begun, at = self._places.get(token, ("", 0)) if token and not self.forgets else ("" if token else mark, 0)
        if begun != mark:
            await exchange.refuse(400, {"error": {"code": 400, "message": "this token is of another request"}})
            return
        await exchange.start()
        if token and self.sticks:
            await exchange.raw(_event({"finishReason": "CONTINUATION", "continuationToken": token}))
            await exchange.close()
            return
        if not token:
            await exchange.raw(_event(self._candidate(self.thought, mark, 0, thought=True)))
        for number in range(at, len(self.pieces)):
            if self._breaks():
                exchange.drop()
                return
            done = number + 1
            kept = mark if done % self.every == 0 else ""
            await exchange.raw(_event(self._candidate(self.pieces[number], kept, done), out=done - at))
            if done == self.waits:
                self.waits = None
                await exchange.hung_up()
                return
            if done - at >= self.most and done < len(self.pieces):
                await exchange.raw(_event({"finishReason": "CONTINUATION", **self._place(mark, done)}, out=done - at))
                await exchange.close()
                return
        await exchange.raw(_event({"finishReason": "STOP"}, out=len(self.pieces) - at))
        await exchange.close()

    def _breaks(self) -> bool:
        if self.breaks is None or self.breaks > 0:
            self.breaks = None if self.breaks is None else self.breaks - 1
            return False
        self.breaks = None
        return True

    def _candidate(self, text: str, mark: str, at: int, *, thought: bool = False) -> dict[str, Any]:
        part = {"text": text, **({"thought": True} if thought else {})}
        return {"content": {"role": "model", "parts": [part]}, "index": 0, **(self._place(mark, at) if mark else {})}

    def _place(self, mark: str, at: int) -> dict[str, str]:
        token = base64.urlsafe_b64encode(f"place {len(self._places)}, \xff".encode("latin-1")).decode()
        self._places[token] = (mark, at)
        return {"continuationToken": token}


def _event(candidate: object, *, out: int = 0) -> bytes:
    usage = {"promptTokenCount": 100, "candidatesTokenCount": out}
    return b"data: " + json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode() + b"\r\n\r\n"
