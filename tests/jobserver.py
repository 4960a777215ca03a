"""Providers' interfaces for batches, played by a real server: what is handed over is kept until the test has it end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tests.wire import Exchange

Kind: TypeAlias = Literal["openai", "anthropic", "gemini"]
KINDS: tuple[Kind, ...] = ("openai", "anthropic", "gemini")
CODES = {"expired": "expired", "canceled": "cancelled"}
MODELS = {"openai": "openai/gpt-test", "anthropic": "anthropic/claude-test", "gemini": "gemini/gemini-test"}


@dataclass
class Held:
    """A batch: its requests by their keys, and what has become of it."""

    id: str
    model: str
    mark: str
    requests: dict[str, dict[str, Any]]
    state: Literal["running", "ended", "expired", "failed", "canceled"] = "running"
    created: str = "2099-01-01T00:00:00Z"
    lines: list[dict[str, Any]] = field(default_factory=list)


class JobServer:
    """`stall` names the step at which it says nothing any more; `answers` what a question is answered with.

    `cut` is how many bytes of the results it sends before it breaks the connection, once; one that is `deaf` breaks it
    when it has accepted a batch.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.held: list[Held] = []
        self.stall = ""
        self.refuse: tuple[int, str] | None = None
        self.cut = 0
        self.deaf = False
        self.stalled = 0
        self.answers: Callable[[str], str] = lambda question: f"answer to {question}"
        self._files: dict[str, bytes] = {}
        self._host = ""

    @property
    def variables(self) -> dict[str, str]:
        """What a program that is to ask it has in its environment, but for the address."""
        return {f"{self.kind.upper()}_API_KEY": "sk-very-secret-key"}

    def address(self, server: str) -> dict[str, str]:
        name = {
            "openai": "OPENAI_BASE_URL",
            "anthropic": "ANTHROPIC_BASE_URL",
            "gemini": "GOOGLE_GEMINI_BASE_URL",
        }[self.kind]
        return {name: f"{server}/v1" if self.kind == "openai" else server, **self.variables}

    def questions(self, held: Held) -> list[str]:
        return [self._question(body) for body in held.requests.values()]

    def end(self, state: Literal["ended", "expired", "failed", "canceled"] = "ended") -> None:
        """Have all that runs end, with an answer to each, or with none."""
        for each in self.held:
            if each.state == "running":
                self.end_one(each, state)

    def end_one(self, held: Held, state: Literal["ended", "expired", "failed", "canceled"] = "ended") -> None:
        held.state = state
        if state != "failed":
            held.lines = [self._line(key, body, state) for key, body in held.requests.items()][::-1]

    async def __call__(self, exchange: Exchange) -> None:
        if self.refuse is not None:
            await exchange.refuse(self.refuse[0], {"error": {"message": self.refuse[1]}})
            return
        self._host = exchange.headers["host"]
        answer = await self._answer(exchange)
        if answer is None:
            return
        if answer == {}:
            await exchange.refuse(404, {"error": {"message": "no such batch"}})
        elif isinstance(answer, bytes):
            await self._send_lines(exchange, answer)
        else:
            await exchange.refuse(200, answer)

    async def _send_lines(self, exchange: Exchange, data: bytes) -> None:
        await exchange.head(200, content_type="application/octet-stream", content_length=str(len(data)))
        if self.cut:
            await exchange.send(data[: self.cut])
            self.cut = 0
            exchange.drop()
            return
        if self.stall == "results":
            await exchange.send(data[: len(data) // 2])
            await self._stalls("results", exchange)
            return
        await exchange.send(data)

    async def _stalls(self, step: str, exchange: Exchange) -> bool:
        if self.stall != step:
            return False
        self.stalled += 1
        await exchange.hung_up()
        return True

    async def _answer(self, exchange: Exchange) -> dict[str, Any] | bytes | None:
        path, _, query = exchange.path.partition("?")
        match self.kind, exchange.method, path:
            case ("openai", "POST", "/v1/files") | ("gemini", "POST", "/upload/v1beta/files"):
                if await self._stalls("upload", exchange):
                    return None
                name = f"file-{len(self._files)}" if self.kind == "openai" else f"files/f{len(self._files)}"
                self._files[name] = _uploaded(exchange)
                return {"id": name} if self.kind == "openai" else {"file": {"name": name}}
            case ("openai", "POST", "/v1/batches") | ("anthropic", "POST", "/v1/messages/batches"):
                return await self._create(exchange)
            case "gemini", "POST", _ if path.endswith(":batchGenerateContent"):
                return await self._create(exchange)
            case ("openai", "GET", "/v1/batches") | ("anthropic", "GET", "/v1/messages/batches"):
                # Two to a page, and the latest first: `after` is a name of the page before.
                listed = [self._shown(each) for each in self.held[::-1]]
                after = re.search(r"after(?:_id)?=([^&]+)", query)
                begin = [each["id"] for each in listed].index(after[1]) + 1 if after else 0
                return {"data": listed[begin : begin + 2], "has_more": begin + 2 < len(listed)}
            case "gemini", "GET", "/v1beta/batches":
                page = int(match[1]) if (match := re.search(r"pageToken=(\d+)", query)) else 0
                more = {"nextPageToken": str(page + 1)} if page + 1 < len(self.held) else {}
                return {"operations": [self._shown(each) for each in self.held[::-1][page : page + 1]], **more}
        return self._about_one(exchange, path)

    def _about_one(self, exchange: Exchange, path: str) -> dict[str, Any] | bytes:
        found = [each for each in self.held if re.search(rf"{each.id}\b", path.replace("batches-", "batches/"))]
        if not found:
            return {}
        held = found[0]
        if exchange.method == "POST":
            assert path.endswith("cancel")
            self.end_one(held, "canceled")
        elif re.search(r"results|content|download", path):
            return b"".join(json.dumps(each).encode() + b"\n" for each in held.lines)
        return self._shown(held)

    async def _create(self, exchange: Exchange) -> dict[str, Any] | None:
        if await self._stalls("create", exchange):
            return None
        body, number = exchange.body, len(self.held)
        match self.kind:
            case "openai":
                lines = _objects(self._files[body["input_file_id"]])
                assert all(each["url"] == body["endpoint"] and each["method"] == "POST" for each in lines)
                requests = {each["custom_id"]: each["body"] for each in lines}
                held = Held(f"batch_{number}", lines[0]["body"]["model"], body["metadata"]["llmterm"], requests)
            case "anthropic":
                requests = {each["custom_id"]: each["params"] for each in body["requests"]}
                held = Held(f"msgbatch_{number}", "", "", requests)
            case "gemini":
                lines = _objects(self._files[body["batch"]["inputConfig"]["fileName"]])
                requests = {each["key"]: each["request"] for each in lines}
                held = Held(f"batches/b{number}", exchange.path, body["batch"]["displayName"], requests)
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", key) for key in requests)
        assert not any("stream" in each for each in requests.values())
        self.held.append(held)
        if await self._stalls("accepted", exchange):
            return None
        if self.deaf:
            exchange.drop()
            return None
        return self._shown(held)

    def _shown(self, held: Held) -> dict[str, Any]:
        total, done = len(held.requests), len(held.lines) if held.state == "ended" else 0
        over = held.state != "running"
        match self.kind:
            case "openai":
                names = {"running": "in_progress", "ended": "completed", "canceled": "cancelled"}
                return {
                    "id": held.id,
                    "status": names.get(held.state, held.state),
                    "metadata": {"llmterm": held.mark},
                    "request_counts": {"total": total, "completed": done, "failed": total - done if over else 0},
                    "output_file_id": f"out-{held.id}" if held.lines and held.state == "ended" else None,
                    "error_file_id": f"err-{held.id}" if held.lines and held.state != "ended" else None,
                    "errors": {"data": [{"message": "bad sk-very-secret-key", "line": 1}]}
                    if held.state == "failed"
                    else None,
                }
            case "anthropic":
                names = {"expired": "expired", "canceled": "canceled", "ended": "succeeded", "running": "processing"}
                # The key belongs to none but the first of these addresses.
                place = "evil.invalid/v1" if self.held.index(held) else f"{self._host}/elsewhere"
                where = f"http://{place}/messages/batches/{held.id}/results"
                return {
                    "id": held.id,
                    "processing_status": "ended" if over else "in_progress",
                    "request_counts": {names.get(held.state, "errored"): total},
                    "created_at": held.created,
                    "results_url": where if over else None,
                }
            case "gemini":
                names = {"running": "RUNNING", "ended": "SUCCEEDED", "canceled": "CANCELLED"}
                shown: dict[str, Any] = {
                    "name": held.id,
                    "metadata": {
                        "displayName": held.mark,
                        "state": f"BATCH_STATE_{names.get(held.state, held.state.upper())}",
                        "batchStats": {"requestCount": str(total), "successfulRequestCount": str(done)},
                    },
                }
                if held.lines:
                    shown |= {"done": True, "response": {"responsesFile": f"files/{held.id.replace('/', '-')}"}}
                return shown

    def _line(self, key: str, body: dict[str, Any], state: str) -> dict[str, Any]:
        text = self.answers(self._question(body))
        match self.kind:
            case "openai" if state == "ended" and "input" in body:
                said = [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
                used = {"input_tokens": 5, "output_tokens": 7}
                response = {"object": "response", "status": "completed", "output": said, "usage": used}
                return {"custom_id": key, "response": {"status_code": 200, "body": response}, "error": None}
            case "openai" if state == "ended":
                message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                whole = {"choices": [message], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}
                return {"custom_id": key, "response": {"status_code": 200, "body": whole}, "error": None}
            case "openai":
                return {"custom_id": key, "response": None, "error": {"code": f"batch_{CODES[state]}"}}
            case "anthropic" if state == "ended":
                answer: dict[str, Any] = {"type": "message", "content": [{"type": "text", "text": text}]}
                answer |= {"stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 7}}
                return {"custom_id": key, "result": {"type": "succeeded", "message": answer}}
            case "anthropic":
                return {"custom_id": key, "result": {"type": state}}
            case _ if state == "ended":
                content = {"role": "model", "parts": [{"text": text}]}
                usage = {"promptTokenCount": 5, "candidatesTokenCount": 7}
                candidate = {"content": content, "finishReason": "STOP"}
                return {"key": key, "response": {"candidates": [candidate], "usageMetadata": usage}}
            case _:
                return {"key": key, "error": {"code": 1, "message": f"it was {state}"}}

    def _question(self, body: dict[str, Any]) -> str:
        if self.kind == "gemini":
            return str(body["contents"][-1]["parts"][-1]["text"])
        if "input" in body:
            return str(body["input"][-1]["content"][0]["text"])
        return str(body["messages"][-1]["content"])


def _uploaded(exchange: Exchange) -> bytes:
    """Return the file in a body of several parts: the last of them."""
    boundary = exchange.headers["content-type"].partition("boundary=")[2].encode()
    first, *parts, last = exchange.data.split(b"--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    return parts[-1].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def _objects(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines() if line]
