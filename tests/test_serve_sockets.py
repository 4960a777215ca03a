"""A turn over a WebSocket: the same events and commands as over HTTP, and the same guard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from llmterm.events import Notice, decoded, reduced
from llmterm.messages import Reply, TextDelta
from tests.serving import TOKEN, Client, serving
from tests.test_serve_turns import halves


def socket(client: Client, turn: str, **more: Any) -> connect:
    url = client.url.replace("http://", "ws://", 1)
    given: dict[str, Any] = {"additional_headers": {"authorization": f"Bearer {TOKEN}"}, "proxy": None, **more}
    return connect(f"{url}/v1/turns/{turn}/ws", **given)


async def until(connection: ClientConnection, text: str) -> Reply:
    """Return what has come once it ends so."""
    reply = Reply()
    while not reply.text.endswith(text):
        reply = reduced(reply, decoded(json.loads(await connection.recv())).event)
    return reply


async def test_a_socket_carries_what_a_turn_tells_and_what_is_to_be_done_with_it(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = (await client.ask())["id"]
        async with socket(client, turn) as one, socket(client, turn) as other, client.told(turn) as told:
            reply = await until(one, "word1")
            await until(other, "word1")
            await other.send(json.dumps({"do": "pause", "by": "a socket"}))
            await other.send(json.dumps({"do": "dance"}))
            await other.send("{")
            problems: list[tuple[str, str]] = []
            while len(problems) < 2:
                if (error := json.loads(await other.recv()).get("error")) is not None:
                    problems.append((error["param"], error["code"]))
            await one.send(json.dumps({"do": "resume", "guidance": "in verse"}))
            async for message in one:
                reply = reduced(reply, decoded(json.loads(message)).event)
            heard = [each.event async for each in told]

            assert reply.text == "First.\n\nword0 word1 word2 and the end."
            assert one.close_code == 1000
            assert problems == [("do", "invalid_value"), (None, "invalid_json")]
            assert Notice("paused by a socket", passing=True, by="a socket") in heard
            assert "".join(each.text for each in heard if isinstance(each, TextDelta)) == reply.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}, 403),
        ({"authorization": f"Bearer {TOKEN}"}, 404),
    ],
)
async def test_a_socket_is_guarded_as_all_else(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async with serving(tmp_path, halves()) as client:
        with pytest.raises(InvalidStatus) as refused:
            async with socket(client, "no.1", additional_headers=headers):
                pass

        assert refused.value.response.status_code == status
        assert "error" in json.loads(refused.value.response.body or b"")
