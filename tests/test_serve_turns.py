"""Turns over HTTP: any number of readers see the same answer, and any of them may pause it and have it go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmterm.events import Notice, Retraction, StateChanged, reduced
from llmterm.messages import EndReason, Reply, TextDelta
from llmterm.states import TurnState
from tests.chatting import until_hung_up
from tests.serving import Client, entries, reply_of, serving
from tests.wire import Exchange, Gate, Script, say


def halves() -> Script:
    """Return a script that says half an answer until it is hung up on, and then the other half."""
    return until_hung_up("First.\n\n", "word0 word1", then=" word2 and the end.")


def halves_for_each() -> Script:
    """Return a script that says half an answer to everybody, and waits."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("First.\n\n")
        await exchange.text("word0 word1")
        await exchange.hung_up()

    return script


def in_two(gate: Gate) -> Script:
    """Return a script whose second half waits for the gate."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await gate.wait()
        await exchange.text("two")
        await exchange.end()

    return script


async def until_said(client: Client, turn: str, word: str) -> None:
    """Wait until a turn has said that word."""
    async with client.told(turn) as told:
        async for entry in told:
            if isinstance(entry.event, TextDelta) and word in entry.event.text:
                return


async def paused(client: Client) -> str:
    """Ask, wait for the beginning of the answer, and pause it; return its id."""
    turn: str = (await client.ask())["id"]
    await until_said(client, turn, "word1")
    state = await client.post(f"/v1/turns/{turn}/pause", {"by": "a tab"})
    assert (state["state"], state["reason"], state["text"]) == ("paused", "pause", "First.\n\nword0 word1")
    return turn


async def test_every_reader_gets_all_of_the_answer_whenever_it_comes(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, in_two(gate)) as client:
        turn = (await client.ask())["id"]
        async with client.told(turn) as early, client.told(turn) as other:
            first = await anext(early)
            readers = [asyncio.create_task(reply_of(each)) for each in (early, other)]
            gate.open()
            texts = [(await each).text for each in readers]
        async with client.told(turn) as late:
            texts.append((await reply_of(late)).text)
        shown = await client.get(f"/v1/turns/{turn}")

        assert isinstance(first.event, StateChanged)
        assert texts == ["one two"] * 3
        assert (shown["state"], shown["reason"], shown["text"]) == ("done", "stop", "one two")
        assert [each["model"] for each in shown["segments"]] == ["test"]


async def test_answer_is_paused_guided_and_resumed_by_whoever_likes(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        async with client.told(turn) as told:
            resumed = await client.post(f"/v1/turns/{turn}/resume", {"guidance": "Be brief.", "by": "a terminal"})
            seen = [entry.event async for entry in told]
        shown = await client.get(f"/v1/turns/{turn}")

        assert resumed["state"] == "streaming"
        assert shown["text"] == "First.\n\nword0 word1 word2 and the end."
        assert [each.text for each in seen if isinstance(each, Notice)] == ["paused by a tab", "resumed by a terminal"]
        assert [str(each.state) for each in seen if isinstance(each, StateChanged)][-3:] == [
            "paused",
            "streaming",
            "done",
        ]
        assert "Be brief." in client.upstream.exchanges[1].question


async def test_reader_that_comes_back_gets_what_it_missed_and_nothing_twice(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        reply, place = Reply(), 0
        async with client.told(turn) as told:
            async for entry in told:
                reply, place = reply.add(entry.event) if isinstance(entry.event, TextDelta) else reply, entry.seq
                if isinstance(entry.event, TextDelta):
                    break
        await client.post(f"/v1/turns/{turn}/resume")
        async with client.told(turn, after=place) as told:
            seen = [entry async for entry in told]

        assert all(entry.seq > place for entry in seen)
        rest = "".join(entry.event.text for entry in seen if isinstance(entry.event, TextDelta))
        assert reply.text + rest == "First.\n\nword0 word1 word2 and the end."


@pytest.mark.parametrize("place", ["-1", "9" * 400, "NaN", "1e3", "%00", "../..", "99999999"])
async def test_place_that_is_none_of_the_log_s_gives_all_of_it_anew(tmp_path: Path, place: str) -> None:
    async with serving(tmp_path, say("all of it")) as client:
        turn = (await client.ask())["id"]
        headers = {"last-event-id": place}
        async with client.http.stream("GET", f"/v1/turns/{turn}/events", headers=headers) as response:
            reply = await reply_of(entries(response), Reply().add(TextDelta("of elsewhere")))

        # What is no number at all is no place: that reader knows nothing.
        assert reply.text in ("all of it", "of elsewhereall of it")
        assert (reply.text == "all of it") == place.isdigit() or len(place) > 18


async def test_turn_is_found_again_after_a_restart_and_goes_on(tmp_path: Path) -> None:
    """What its readers knew is taken back: the numbers of another process are none of its own."""
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        known = (await client.get(f"/v1/turns/{turn}"))["seq"]
    async with serving(tmp_path, say(" word2 and the end.")) as client:
        shown = await client.get(f"/v1/turns/{turn}")
        async with client.told(turn, after=known) as told:
            first, text, state = [await anext(told) for _ in range(3)]
            await client.post(f"/v1/turns/{turn}/resume")
            rest = await reply_of(told, reduced(Reply(), text.event))
        async with client.told(turn) as told:
            all_of_it = await reply_of(told)

    assert (shown["state"], shown["text"]) == ("paused", "First.\n\nword0 word1")
    assert first.event == Retraction(0, 0, ())
    assert state.event == StateChanged(TurnState.PAUSED, EndReason.PAUSE)
    assert first.seq > known
    assert rest.text == all_of_it.text == "First.\n\nword0 word1 word2 and the end."


async def test_answer_that_streams_when_the_service_ends_is_paused_and_on_the_record(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = (await client.ask())["id"]
        await until_said(client, turn, "word1")
    async with serving(tmp_path, halves()) as client:
        shown = await client.get(f"/v1/turns/{turn}")

    assert (shown["state"], shown["reason"], shown["text"]) == ("paused", "crash", "First.\n\nword0 word1")


async def test_leaving_is_not_stopping(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, in_two(gate)) as client:
        turn = (await client.ask())["id"]
        async with client.told(turn) as told:
            await anext(told)
        gate.open()
        async with client.told(turn) as told:
            assert (await reply_of(told)).text == "one two"


async def test_edit_is_told_to_all_and_is_what_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        edited = await client.post(f"/v1/turns/{turn}/edit", {"text": "First.\n\nOther words"})
        await client.post(f"/v1/turns/{turn}/resume")
        async with client.told(turn) as told:
            reply = await reply_of(told)

        assert edited["text"] == "First.\n\nOther words"
        assert reply.text == "First.\n\nOther words word2 and the end."


async def test_stop_keeps_what_came_and_cannot_be_undone(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        stopped = await client.post(f"/v1/turns/{turn}/cancel")
        refused = await client.post(f"/v1/turns/{turn}/resume", status=409)

        assert (stopped["state"], stopped["text"]) == ("cancelled", "First.\n\nword0 word1")
        assert refused["error"]["code"] == "conflict"


async def test_session_goes_on_and_its_questions_are_asked_again_and_otherwise(tmp_path: Path) -> None:
    async with serving(tmp_path, say("an answer")) as client:
        asked = await client.ask("One?")
        session = asked["session"]
        async with client.told(asked["id"]) as told:
            await reply_of(told)
        for more in (
            {"question": "Two?", "session": session},
            {"question": "", "again": True, "session": session},
            {"question": "Three?", "replaces": True, "session": session},
        ):
            turn = await client.post("/v1/turns", {"model": "openai/test", **more}, 201)
            async with client.told(turn["id"]) as told:
                await reply_of(told)
        shown = await client.get(f"/v1/sessions/{session}")
        questions = [each.body["messages"][-1]["content"] for each in client.upstream.exchanges]

        assert questions == ["One?", "Two?", "Two?", "Three?"]
        assert [each["text"] for each in shown["messages"]] == ["One?", "an answer", "Three?", "an answer"]
        assert sorted(map(len, shown["versions"])) == [2, 2]


async def test_session_with_an_answer_that_is_not_over_is_asked_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client:
        turn = await paused(client)
        session = turn.partition(".")[0]
        refused = await client.post("/v1/turns", {"question": "And?", "model": "openai/test", "session": session}, 409)

        assert turn in refused["error"]["message"]


async def test_failure_before_anything_came_leaves_no_trace(tmp_path: Path) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "wrong key sk-test"}})

    async with serving(tmp_path, refuse) as client:
        turn = await client.ask()
        async with client.told(turn["id"]) as told:
            async for entry in told:
                if isinstance(entry.event, StateChanged) and entry.event.state is TurnState.FAILED:
                    break
        shown = await client.get(f"/v1/turns/{turn['id']}")

    assert shown["state"] == "failed"
    assert "401" in shown["words"] or "key" in shown["words"]
    assert "sk-test" not in shown["words"]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "question"),
        ({"question": 7}, 400, "question"),
        ({"question": "x", "options": {"temperature": "hot"}}, 400, "options.temperature"),
        ({"question": "x", "options": {"effort": "none"}}, 400, "options.effort"),
        ({"question": "x", "options": []}, 400, "options."),
        ({"question": "x", "attachments": [{"name": "a", "data": "§"}]}, 400, "attachments[0].data"),
        ({"question": "x", "model": "nobody/x"}, 404, None),
        ({"question": "x", "session": "zzzzzzzz"}, 404, None),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_field(
    tmp_path: Path, body: object, status: int, param: str | None
) -> None:
    async with serving(tmp_path, say("never")) as client:
        refused = await client.post("/v1/turns", body, status)

        assert refused["error"]["param"] == param
        assert refused["error"]["message"]
        assert client.upstream.exchanges == []


async def test_two_sessions_outlive_a_store_that_was_deleted_under_them(tmp_path: Path) -> None:
    """They share what writes them; each hears of the other file."""
    async with serving(tmp_path, halves_for_each()) as client:
        turns = [(await client.ask(f"Question {number}?"))["id"] for number in range(2)]
        for turn in turns:
            await until_said(client, turn, "word1")
        for path in (tmp_path / "data").glob("sessions.db*"):
            path.unlink()
        for turn in turns:
            assert (await client.post(f"/v1/turns/{turn}/pause"))["text"] == "First.\n\nword0 word1"
        listed = (await client.get("/v1/sessions"))["sessions"]

    assert sorted(each["title"] for each in listed) == ["Question 0?", "Question 1?"]
    assert {each["state"] for each in listed} == {"paused"}
