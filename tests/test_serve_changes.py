"""What changes in a session of the service is told to whoever watches it, and a session can be had as a whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from llmterm.events import Notice
from llmterm.messages import Attachment, Message
from llmterm.sessions import SessionStore
from llmterm.sessions.portable import carried, portable
from tests.serving import Client, reply_of, serving
from tests.test_serve_turns import halves, paused
from tests.wire import say


@asynccontextmanager
async def watched(client: Client, session: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    async with client.http.stream("GET", f"/v1/sessions/{session}/events") as response:
        assert response.status_code == 200
        lines = response.aiter_lines()
        yield (json.loads(line.removeprefix("data: ")) async for line in lines if line.startswith("data: "))


async def test_whoever_watches_a_session_hears_of_its_turns_and_its_title(tmp_path: Path) -> None:
    async with serving(tmp_path, say("Because.")) as client:
        session = (await client.ask())["session"]
        async with watched(client, session) as told:
            while (await anext(told))["turn"] is not None:
                pass
            await client.http.patch(f"/v1/sessions/{session}", json={"title": "Mine"})
            renamed = await anext(told)
            assert (renamed["id"], renamed["turn"]) == (session, None)
            turn = (await client.ask("And?", session=session))["id"]
            seen = [(await anext(told))["turn"]]
            while seen[-1] is not None:
                seen.append((await anext(told))["turn"])

        assert seen[0] in (turn, None)
        assert (await client.get(f"/v1/sessions/{session}"))["title"] == "Mine"
        await client.get("/v1/sessions/nothing/events", 404)


async def test_a_question_is_taken_back_and_an_answer_that_was_stopped_gone_on_with(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        session = turn.partition(".")[0]
        await client.post(f"/v1/sessions/{session}/undo", status=409)
        await client.post(f"/v1/turns/{turn}/cancel")

        opened = await client.post(f"/v1/sessions/{session}/continue")
        await client.post(f"/v1/turns/{opened['turn']}/resume", {"by": "a tab"})
        async with client.told(opened["turn"]) as told:
            notices = [each.event async for each in told if isinstance(each.event, Notice)]
        done = await client.get(f"/v1/turns/{opened['turn']}")
        back = await client.post(f"/v1/sessions/{session}/undo")

        assert notices == [Notice("resumed by a tab", passing=True, by="a tab")]
        assert (done["state"], done["text"]) == ("done", "First.\n\nword0 word1 word2 and the end.")
        assert done["parts"][0]["end_reason"] == "pause"
        assert (done["model"], back["messages"]) == ("openai/test", [])
        await client.post(f"/v1/sessions/{session}/undo", status=409)


async def test_a_session_goes_back_to_before_any_of_its_questions(tmp_path: Path) -> None:
    async with serving(tmp_path, say("An answer.")) as client:
        session: dict[str, Any] = {}
        for question in ("One?", "Two?", "Three?"):
            turn = await client.ask(question, **session)
            async with client.told(turn["id"]) as told:
                await reply_of(told)
            session = {"session": turn["session"]}
        path = f"/v1/sessions/{turn['session']}"
        rows = [each["row"] for each in (await client.get(path))["messages"]]
        back = await client.post(f"{path}/undo", {"row": rows[2]})
        answer = await client.post(f"{path}/undo", {"row": rows[1]}, 409)
        again = await client.post(f"{path}/switch", {"row": rows[0]})

        assert [each["text"] for each in back["messages"]] == ["One?", "An answer."]
        assert answer["error"]["code"] == "conflict"
        assert [each["row"] for each in again["messages"]] == rows


async def test_a_session_travels_as_a_whole(tmp_path: Path) -> None:
    """All but the bytes of what is attached: its messages, its rows and versions, and the answer that is not over."""
    async with serving(tmp_path, say("Because.")) as client:
        turn = (await client.ask(attachments=[{"name": "a.png", "data": "iVBORw0KGgo="}]))["id"]
        async with client.told(turn) as told:
            _ = [each async for each in told]
        session = turn.partition(".")[0]
        again = (await client.ask("", session=session, again=True))["id"]
        async with client.told(again) as told:
            _ = [each async for each in told]
        value = await client.get(f"/v1/sessions/{session}/whole")
        with closing(SessionStore(tmp_path / "data")) as store:
            stored = store.load(session, peek=True)

    light = Message(role="user", text="Why?", attachments=[Attachment(name="a.png", media_type="image/png", data=b"")])
    found = carried(json.loads(json.dumps(value)))
    assert found.conversation.messages == (light, *stored.conversation.messages[1:])
    assert (found.rows, found.head, dict(found.forks)) == (stored.rows, stored.head, dict(stored.forks))
    assert (found.title, found.updated_at) == (stored.title, stored.updated_at)
    with pytest.raises(ValueError, match="no session"):
        carried({**portable(stored), "rows": None})
