"""Gemini's interactions in the background: the connection may go, the answer goes on, and is read on where it was."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import types

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.messages import Message, Options, Request, Snapshot, StreamLimits, Usage
from llmterm.providers import Provider
from llmterm.turn import Turn, TurnState
from tests.interactions import USAGE, End, InteractionServer
from tests.wire import WireServer

MODEL = "gemini-3.8-flash"
REQUEST = Request(
    model=MODEL, messages=(Message(role="user", text="count"),), options=Options(max_tokens=500), background=True
)
PIECES = [f"{number}, " for number in range(1, 13)]
WHOLE = "".join(PIECES)
# So many events have come when the first three numbers have.
IN_TEXT = 11
# So many interruptions; 1,000 is what is measured.
INTERRUPTIONS = int(os.environ.get("LLMTERM_TEST_INTERRUPTIONS", "60"))


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer(InteractionServer(PIECES)) as server:
        yield server


def backend(server: WireServer) -> InteractionServer:
    assert isinstance(server.script, InteractionServer)
    return server.script


@asynccontextmanager
async def opened(server: WireServer, folder: Path) -> AsyncIterator[Provider]:
    given = Settings(providers=ProvidersSettings(remotes={"gemini": RemoteSettings(kind="gemini", interactions=True)}))
    environ = {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": server.address, "LLMTERM_DATA_DIR": str(folder)}
    async with registry(given, environ) as providers:
        yield providers.get("gemini")


@pytest.fixture
async def provider(server: WireServer, tmp_path: Path) -> AsyncIterator[Provider]:
    async with opened(server, tmp_path) as provider:
        yield provider


def turn_of(provider: Provider, asked: Request | Snapshot = REQUEST) -> Turn:
    return Turn(provider, asked, limits=StreamLimits(buffer_size=1))


def place_of(turn: Turn) -> int:
    """Return how many events have come by the cursor."""
    cursor = turn.reply.cursor
    return 0 if cursor is None else int(cursor.place["after"].partition("+")[2].strip("=")) + 1


async def reached(turn: Turn, events: int | None = None) -> None:
    """Read until so many events have come, or, of None, until the answer rests or is over."""
    reader = turn.reader(turn.places.stop - 1, waited_for=True)
    try:
        while turn.state is TurnState.STREAMING and (events is None or place_of(turn) < events):
            await reader.woken()
            [*reader.pending()]
    finally:
        reader.leave()


async def left(server: WireServer, provider: Provider, events: int = IN_TEXT) -> Turn:
    """Return an answer that was left when so many events had come."""
    backend(server).ends = [("waits", events)]
    turn = turn_of(provider)
    turn.start()
    await reached(turn, events)
    await turn.detach()
    return turn


def paths(server: WireServer) -> list[str]:
    return [f"{each.method} {each.path}" for each in server.exchanges]


async def test_answer_is_asked_for_once_and_read_on(server: WireServer, provider: Provider) -> None:
    """Behind the last event that came, and what it takes is what one request takes."""
    turn = await left(server, provider)
    assert (turn.state, turn.reply.text) == (TurnState.PAUSED, "1, 2, 3, ")

    turn.resume()
    await reached(turn)

    assert (turn.state, turn.reply.text, turn.reply.thinking) == (TurnState.DONE, WHOLE, "hm, so")
    assert paths(server) == [
        "POST /v1/interactions",
        f"GET /v1/interactions/v1_1?stream=true&last_event_id=v1_1%2F%2B{IN_TEXT - 1}%3D",
    ]
    asked = server.exchanges[0].body
    assert (asked["background"], asked["stream"], asked["store"]) == (True, True, True)
    assert [each.mode for each in turn.reply.segments] == ["fresh", "cursor"]
    assert [each.usage for each in turn.reply.segments] == [Usage(input_tokens=100, output_tokens=50), Usage()]
    assert [*turn.reply.message("complete").blocks("interactions")] == [{"signature": "AAEC"}]


async def test_answer_is_read_on_in_another_process(server: WireServer, provider: Provider, tmp_path: Path) -> None:
    """With nothing but its snapshot, in the middle of a thought."""
    rest = (await left(server, provider, 4)).snapshot()

    async with opened(server, tmp_path) as another:
        again = turn_of(another, Snapshot.from_json(rest.to_json()))
        again.resume()
        await reached(again)

    assert (rest.reply.text, rest.reply.thinking) == ("", "hm, ")
    assert (again.reply.text, again.reply.thinking) == (WHOLE, "hm, so")


async def test_lost_connection_is_taken_up_without_a_word(server: WireServer, provider: Provider) -> None:
    """Before the first word, in a thought and in the text."""
    backend(server).ends = [("breaks", 1), ("breaks", 3), ("breaks", 6)]
    turn = turn_of(provider)
    turn.start()
    await reached(turn)

    assert (turn.state, turn.reply.text, turn.reply.thinking) == (TurnState.DONE, WHOLE, "hm, so")
    assert [each.mode for each in turn.reply.segments] == ["fresh"]
    assert len(server.exchanges) == 4


@pytest.mark.parametrize("guidance", ["", "in words"])
async def test_answer_that_is_not_read_on_is_cancelled_there(
    server: WireServer, provider: Provider, guidance: str
) -> None:
    """Whoever cuts it, or says something to it, has no use for what is made meanwhile."""
    turn = await left(server, provider)
    if guidance:
        turn.resume(guidance=guidance)
    else:
        await turn.cancel()
    await server.wait_async(lambda: any(each.path.endswith("/cancel") for each in server.exchanges))

    assert "POST /v1/interactions/v1_1/cancel" in paths(server)
    await turn.cancel()


async def test_what_is_not_kept_any_more_is_replayed(server: WireServer, provider: Provider) -> None:
    """All that had come is sent again."""
    turn = await left(server, provider)
    backend(server).forgotten = True
    backend(server).pieces = PIECES[3:]

    turn.resume()
    await reached(turn)

    assert turn.reply.text == WHOLE
    assert server.exchanges[-1].body["input"][-2]["content"] == [{"type": "text", "text": "1, 2, 3, "}]


async def test_model_that_knows_no_background_is_asked_without(server: WireServer, provider: Provider) -> None:
    """In the same breath, and from then on at once; then a pause is a pause like any other."""
    backend(server).refusal = "background is not supported for this model"
    for _ in range(2):
        turn = turn_of(provider)
        turn.start()
        await reached(turn)
        assert turn.reply.text == WHOLE

    assert [bool(each.body.get("background")) for each in server.exchanges] == [True, False, False]
    assert turn.reply.cursor is None


async def test_answer_is_the_same_whatever_comes_between(server: WireServer, provider: Provider) -> None:
    """Left, killed and cut off from the server at random, it is the uninterrupted answer, asked for once."""
    dice = random.Random(20261128)
    interruptions = 0
    while interruptions < INTERRUPTIONS:
        size = dice.randint(1, 30)
        pieces = ["a", *("".join(dice.choices("ab ß東👍`\n*!", k=dice.randint(1, 5))) for _ in range(size))]
        ends: list[End] = [(dice.choice(("waits", "breaks")), dice.randint(1, 8)) for _ in range(dice.randint(1, 6))]
        await _through(server, provider, pieces, ends, dice)
        interruptions += len(ends)


async def _through(
    server: WireServer, provider: Provider, pieces: list[str], ends: list[End], dice: random.Random
) -> None:
    script = backend(server)
    script.pieces, script.ends, asked = pieces, [*ends], len(script.kept)
    turn, come = turn_of(provider), 0
    turn.start()
    for what, events in ends:
        come += events
        if what == "breaks":
            continue  # it is taken up without a word
        await reached(turn, come)
        if turn.over:
            break
        await turn.detach()
        if dice.random() < 0.5:
            turn = turn_of(provider, Snapshot.from_json(turn.snapshot().to_json()))
        turn.resume()
    await reached(turn)

    assert (turn.reply.text, turn.reply.thinking) == ("".join(pieces), "hm, so")
    assert turn.state is TurnState.DONE
    assert len(script.kept) == asked + 1


async def test_googles_sdk_reads_the_same_server(server: WireServer) -> None:
    """It asks, reads on and cancels as we do."""
    backend(server).ends = [("waits", IN_TEXT)]
    async with httpx2.AsyncClient() as http:
        options = types.HttpOptions(base_url=server.address, api_version="v1", httpx_async_client=http)
        interactions: Any = genai.Client(vertexai=False, api_key="none", http_options=options).aio.interactions
        texts: list[str] = []
        last = ""
        asked = interactions.create(model=MODEL, input="count", stream=True, background=True, store=True)
        async with await asked as stream:
            async for event in stream:
                last = event.event_id or last
                texts += _text(event)
                if len(texts) == 3:  # and the connection is let go of
                    break
        async for event in await interactions.get("v1_1", stream=True, last_event_id=last):
            texts += _text(event)
            last = event.event_id or last
        ended = await interactions.cancel("v1_1")

    assert "".join(texts) == WHOLE
    assert ended.status == "cancelled"
    assert event.interaction.usage.total_output_tokens == USAGE["total_output_tokens"]
    assert paths(server)[1] == f"GET /v1/interactions/v1_1?last_event_id=v1_1%2F%2B{IN_TEXT - 1}%3D&stream=true"


def _text(event: object) -> list[str]:
    delta = getattr(event, "delta", None)
    return [delta.text] if delta is not None and delta.type == "text" else []
