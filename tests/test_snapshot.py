"""An answer at rest: all that it takes to go on with it is in one value, which travels as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.messages import Cursor, EndReason, Message, Options, Reply, Request, Rope, Snapshot, TextDelta, Usage
from llmterm.states import TurnState
from llmterm.turn import Turn
from tests.scripted import ScriptedProvider
from tests.terminal import environment
from tests.values import JSON, MESSAGE, OPAQUE, OPTIONS, SEGMENT, TEXT
from tests.wire import Exchange, WireServer

CONTINUATIONS = ["prefill", "prefix", "continue_final_message", "instruct", "cursor"]
CURSOR = st.builds(
    Cursor,
    provider=TEXT,
    model=TEXT,
    place=OPAQUE,
    text=st.integers(0, 99),
    thinking=st.integers(0, 99),
    runs=st.booleans(),
    start=st.integers(0, 99),
    mode=st.sampled_from(["fresh", "prefill", "instruct"]),
)
REQUEST = st.builds(
    Request,
    model=TEXT,
    messages=st.lists(MESSAGE, max_size=3).map(tuple),
    options=OPTIONS,
    continuation=st.none() | st.sampled_from(CONTINUATIONS),
    spent=st.integers(0, 10**6),
    background=st.booleans(),
    cursor=st.none() | CURSOR,
)
REPLY = st.builds(
    Reply,
    body=TEXT.map(Rope().add),
    thoughts=TEXT.map(Rope().add),
    segments=st.lists(SEGMENT, max_size=3).map(tuple),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0, 9), estimated=st.booleans()),
    finish=st.none() | st.sampled_from(EndReason),
    chunks=st.integers(0, 9),
    provider_data=OPAQUE,
    cursor=st.none() | CURSOR,
)
SNAPSHOT = st.builds(Snapshot, request=REQUEST, reply=REPLY, reason=st.sampled_from(EndReason))
PLAIN = Snapshot(
    request=Request(model="m", messages=(Message(role="user", text="q"),), options=Options(seed=1)),
    reply=Reply().add(TextDelta("half")),
    reason=EndReason.PAUSE,
)


def without_pairs(value: Any) -> Any:
    """Return what JSON gives back: two lone surrogates that stand beside each other are one character there."""
    return json.loads(json.dumps(value))


# As JSON


@settings(max_examples=50)
@given(SNAPSHOT)
def test_snapshot_comes_back_from_json(snapshot: Snapshot) -> None:
    """Exactly, and through ASCII; what is written again is the same."""
    written = snapshot.to_json()

    read = Snapshot.from_json(written.encode("ascii"))

    assert read.to_json() == written
    if without_pairs(json.loads(written)) == json.loads(written):
        assert read == snapshot


@given(JSON)
def test_what_is_no_snapshot_is_said_to_be_none(value: object) -> None:
    """Whatever comes from another machine: it is a value, or an error that says so."""
    with pytest.raises(ValueError, match="snapshot"):
        Snapshot.from_json(json.dumps(value))


@given(st.data())
def test_snapshot_with_one_value_of_another_type_is_none(data: st.DataObject) -> None:
    """Wherever in it: no type is believed."""
    value: Any = json.loads(PLAIN.to_json())
    place, paths = value, []
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        paths.append((place, data.draw(st.sampled_from(list(keys)))))
        place = place[paths[-1][1]]
    holder, key = paths[-1]
    holder[key] = [["of another type"]]

    with pytest.raises(ValueError, match="no snapshot"):
        Snapshot.from_json(json.dumps(value))


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"version": 1}', '{"version": 2}', "[" * 100_000])
def test_text_that_is_no_snapshot_is_a_value_error(text: str) -> None:
    """Half of one, one of a later version, and JSON nested deeper than the stack."""
    with pytest.raises(ValueError, match="snapshot"):
        Snapshot.from_json(text)


def test_snapshot_of_before_there_were_cursors_is_read() -> None:
    """Its request and its reply say nothing of them, and it says beside them that it has none."""
    value = json.loads(PLAIN.to_json())
    del value["request"]["background"], value["request"]["cursor"], value["reply"]["cursor"]

    assert Snapshot.from_json(json.dumps({**value, "cursor": None})) == PLAIN


# Gone on with


async def test_every_turn_that_rests_is_made_of_its_snapshot() -> None:
    """It stands where the other one stood, and tells the same of itself."""
    provider = ScriptedProvider()
    turn = Turn(provider, PLAIN.request)
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta("one "))
    before = await turn.pause()

    again = Turn(provider, Snapshot.from_json(before.to_json()))

    assert (again.state, again.reason, again.reply) == (TurnState.PAUSED, EndReason.PAUSE, turn.reply)
    assert again.snapshot() == before


PAUSED = """
import asyncio
from llmterm import Conversation, TextDelta, Turn, open_registry

async def main():
    async with open_registry() as providers:
        name, model = await providers.choose("openai/gpt-4.1")
        turn = Turn(providers.get(name), Conversation(system="be brief").ask("why?").request(model=model))
        turn.start()
        async for _, event in turn.events():
            if isinstance(event, TextDelta):
                print((await turn.pause()).to_json())
                return

asyncio.run(main())
"""
RESUMED = """
import asyncio, sys
from llmterm import Snapshot, Turn, open_registry

async def main():
    async with open_registry() as providers:
        name, _ = await providers.choose("openai/gpt-4.1")
        turn = Turn(providers.get(name), Snapshot.from_json(sys.stdin.read()))
        turn.resume(guidance="in French")
        async for _ in turn.events():
            pass
        print(turn.snapshot().to_json())

asyncio.run(main())
"""


def run(code: str, home: Path, server: WireServer, key: str, given: str = "") -> str:
    """Run a program of somebody who has this key, with that server for the provider; return what it prints."""
    env = environment(home, OPENAI_API_KEY=key, OPENAI_BASE_URL=server.base_url)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_answer_paused_in_one_process_goes_on_in_another(tmp_path: Path) -> None:
    """With nothing from the one but the snapshot, at another address and with another key; neither key is in it."""

    async def half(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("One half, ")
        await exchange.hung_up()

    async def rest(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("the other half.")
        await exchange.end()

    with WireServer(half) as here, WireServer(rest) as there:
        paused = run(PAUSED, tmp_path / "here", here, "sk-one-0123456789")
        resumed = run(RESUMED, tmp_path / "there", there, "sk-two-0123456789", paused)

        (exchange,) = there.exchanges
        assert here.address not in paused

    whole = Snapshot.from_json(resumed)
    assert whole.reply.text == "One half, the other half."
    assert [(each.mode, each.guidance) for each in whole.reply.segments] == [("fresh", ""), ("instruct", "in French")]
    assert whole.reason is EndReason.STOP
    assert whole.request == Snapshot.from_json(paused).request
    assert [each["content"] for each in exchange.body["messages"]][:3] == ["be brief", "why?", "One half, "]
    assert "sk-" not in paused + resumed
