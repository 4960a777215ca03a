"""OpenAI's background mode: the connection may go, the answer goes on, and is read on behind its last event.

What the server of these tests says is what OpenAI's own SDK understands.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.errors import ConfigError
from llmterm.events import Notice
from llmterm.marker import DEFAULT_MARKER
from llmterm.messages import EndReason, Message, Options, Request, Snapshot, StreamLimits, Usage
from llmterm.providers import Provider
from llmterm.providers.responses import payload
from llmterm.turn import Turn, TurnState
from tests.background import MODEL, USAGE, BackgroundServer, Kept, told, words
from tests.wire import WireServer

KEY = "sk-background-12345"
QUESTION = Message(role="user", text="why?")
REQUEST = Request(model=MODEL, messages=(QUESTION,), options=Options(), background=True)
THOUGHTS = words("let me see what there is")
COMMENTARY = words("I am looking at it.")
ANSWER = words("It is so because it has always been so, 東京 🎉, and nobody knows why.")
# So many events have come in the middle of each.
IN_THOUGHT, IN_COMMENTARY, IN_ANSWER = 8, 18, 30
WHOLE = "I am looking at it.\n\nIt is so because it has always been so, 東京 🎉, and nobody knows why."


def tell(kept: Kept) -> Iterator[dict[str, Any]]:
    return told(kept, THOUGHTS, COMMENTARY, ANSWER)


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer(BackgroundServer(tell)) as server:
        yield server


def backend(server: WireServer) -> BackgroundServer:
    assert isinstance(server.script, BackgroundServer)
    return server.script


@asynccontextmanager
async def opened(server: WireServer, folder: Path, name: str = "openai") -> AsyncIterator[Provider]:
    """Give a provider that says that its answers can be read on."""
    remote = RemoteSettings(api="responses", continuation="cursor", base_url=server.base_url)
    given = Settings(providers=ProvidersSettings(remotes={name: remote}))
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "LLMTERM_DATA_DIR": str(folder)}
    async with registry(given, environ) as providers:
        yield providers.get(name)


@pytest.fixture
async def provider(server: WireServer, tmp_path: Path) -> AsyncIterator[Provider]:
    async with opened(server, tmp_path) as provider:
        yield provider


async def read(turn: Turn, enough: Callable[[], bool]) -> None:
    """Read what comes, each chunk for itself, until there is enough of it, or until it rests."""
    reader = turn.reader(turn.places.stop - 1, waited_for=True)
    try:
        async for _ in reader.streamed():
            if enough():
                break
    finally:
        reader.leave()


def turn_of(provider: Provider, asked: Request | Snapshot = REQUEST) -> Turn:
    return Turn(provider, asked, limits=StreamLimits(buffer_size=1))


def never() -> bool:
    return False


def made(server: WireServer, upto: int | None) -> None:
    """Have the server make so many events and no more; all where it is None."""

    async def make() -> None:
        backend(server).make(upto)

    server.run(make())


def place_of(turn: Turn) -> int:
    cursor = turn.reply.cursor
    return -1 if cursor is None else cursor.place["after"]


async def left(server: WireServer, provider: Provider, upto: int = IN_COMMENTARY) -> Turn:
    """Return a turn that was left when so many events had come."""
    made(server, upto)
    turn = turn_of(provider)
    turn.start()
    await read(turn, lambda: place_of(turn) == upto - 1)
    await turn.detach()
    made(server, None)
    return turn


def paths(server: WireServer) -> list[str]:
    return [f"{each.method} {each.path}" for each in server.exchanges]


async def test_answer_is_asked_for_once_and_read_on(server: WireServer, provider: Provider) -> None:
    """With `background`, which is stored as others than OpenAI want it; and the tokens are those of one request."""
    turn = await left(server, provider)

    turn.resume()
    await read(turn, never)

    assert (turn.state, turn.reply.text, turn.reply.thinking) == (TurnState.DONE, WHOLE, "".join(THOUGHTS))
    assert paths(server) == [
        "POST /v1/responses",
        f"GET /v1/responses/resp_1?stream=true&starting_after={IN_COMMENTARY - 1}",
    ]
    asked = server.exchanges[0].body
    assert (asked["background"], asked["stream"], asked["store"]) == (True, True, True)
    assert [each.mode for each in turn.reply.segments] == ["fresh", "cursor"]
    counted = [each.usage for each in turn.reply.segments]
    assert counted[0].input_tokens == USAGE["input_tokens"]
    assert (counted[0].output_tokens, counted[0].estimated, counted[1]) == (USAGE["output_tokens"], False, Usage())


def test_openai_itself_is_asked_to_store_nothing() -> None:
    """It keeps what goes on for ten minutes all the same, and gives encrypted thoughts of nothing that is stored."""
    body = payload(REQUEST, official=True)

    assert (body["background"], body["store"], body["include"]) == (True, False, ["reasoning.encrypted_content"])
    assert "background" not in payload(replace(REQUEST, background=False), official=True)


async def test_answer_that_was_read_on_goes_back_as_it_came(server: WireServer, provider: Provider) -> None:
    """Its thought, encrypted, and its messages in their phases, wherever it was left."""
    turn = await left(server, provider, IN_THOUGHT)
    for upto in (IN_COMMENTARY, IN_ANSWER):
        made(server, upto)
        turn.resume()
        await read(turn, lambda: place_of(turn) == upto - 1)  # noqa: B023 - read at once
        await turn.detach()
    made(server, None)
    turn.resume()
    await read(turn, never)

    blocks = turn.reply.message("complete").blocks("responses")

    assert [block.get("encrypted_content") for block in blocks if "encrypted_content" in block] == ["cipher of resp_1"]
    assert [block["phase"] for block in turn.reply.message("complete").blocks("responses") if "phase" in block] == [
        "commentary",
        "final_answer",
    ]


async def test_lost_connection_is_taken_up_without_a_word(server: WireServer, provider: Provider) -> None:
    """Before the first word, in a thought, between two messages and in the middle of a word of the wire."""
    backend(server).breaks = [1, 5, 6, 12, 3]
    turn = turn_of(provider)
    turn.start()
    await read(turn, never)

    assert (turn.state, turn.reply.text, turn.reply.thinking) == (TurnState.DONE, WHOLE, "".join(THOUGHTS))
    assert [each.mode for each in turn.reply.segments] == ["fresh"]
    assert sum(path.startswith("POST") for path in paths(server)) == 1
    assert len(server.exchanges) == 6


async def test_connection_that_is_lost_in_vain_again_and_again_is_a_pause(
    server: WireServer, provider: Provider
) -> None:
    """The answer can be read on later all the same."""
    backend(server).breaks = [30, 0, 0, 0]
    turn = turn_of(provider)
    turn.start()
    await read(turn, never)
    assert (turn.state, str(turn.reason)) == (TurnState.PAUSED, "network")

    turn.resume()
    await read(turn, never)

    assert turn.reply.text == WHOLE


async def test_connection_that_is_lost_in_vain_when_it_is_read_on_ends_nothing(
    server: WireServer, provider: Provider
) -> None:
    """It is tried again as every request is."""
    turn = await left(server, provider)
    backend(server).breaks = [0, 0, 0, 0]
    turn.resume()
    await read(turn, lambda: bool(turn.progress.line))
    turn.progress.hurry()
    await read(turn, never)

    assert (turn.state, turn.reply.text) == (TurnState.DONE, WHOLE)
    assert not backend(server).kept["resp_1"].stopped


async def test_what_is_not_kept_any_more_is_replayed_with_a_word(server: WireServer, provider: Provider) -> None:
    turn = await left(server, provider)
    backend(server).forgotten = True
    backend(server).answer = lambda kept: told(kept, [], ["at it, ", "and so on."])
    said: list[str] = []

    turn.resume()
    reader = turn.reader(turn.places.stop - 1)
    async for event in reader.streamed():
        said += [event.text] if isinstance(event, Notice) else []

    assert turn.reply.text == "I am looking at it, and so on."
    assert said == ["openai has not kept the answer: what is there is sent again, and the answer goes on from that"]


async def test_answer_that_is_ended_there_is_gone_on_with_otherwise(server: WireServer, provider: Provider) -> None:
    """Somebody else has cancelled it: there is no event of that, the stream only ends."""
    turn = await left(server, provider)
    backend(server).kept["resp_1"].stopped = True
    backend(server).answer = lambda kept: told(kept, [], ["at it, ", "and so on."])

    turn.resume()
    await read(turn, never)

    assert turn.reply.text == "I am looking at it, and so on."


@pytest.mark.parametrize("how", ["cut", "guidance", "cancel"])
async def test_answer_that_nobody_reads_on_is_stopped_there(server: WireServer, provider: Provider, how: str) -> None:
    if how == "cut":
        made(server, IN_COMMENTARY)
        turn = turn_of(provider)
        turn.start()
        await read(turn, lambda: "looking" in turn.reply.text)
        await turn.pause()
    else:
        turn = await left(server, provider)
    if how == "guidance":
        turn.resume(guidance="in French")
    elif how == "cancel":
        await turn.cancel()

    await server.wait_async(lambda: "POST /v1/responses/resp_1/cancel" in paths(server))
    assert paths(server).count("POST /v1/responses/resp_1/cancel") == 1
    await turn.cancel()


async def test_end_of_the_program_waits_for_the_stop(server: WireServer, tmp_path: Path) -> None:
    """It is a second that is waited for, and what would be billed else is many."""
    async with opened(server, tmp_path) as provider:
        turn = await left(server, provider)
        await turn.cancel()

    assert backend(server).kept["resp_1"].stopped


async def test_model_that_does_not_go_on_by_itself_is_asked_as_ever(server: WireServer, provider: Provider) -> None:
    """In the same breath, and at once from then on."""
    backend(server).refusal = "Background mode is not supported with this model."
    for _ in range(2):
        turn = turn_of(provider)
        turn.start()
        await read(turn, never)
        assert turn.reply.text == WHOLE

    assert [each.body.get("background") for each in server.exchanges] == [True, None, None]


def test_wire_that_cannot_go_on_by_itself_is_said_to_be_none(tmp_path: Path) -> None:
    remote = RemoteSettings(continuation="cursor", base_url="http://localhost:1")
    given = Settings(providers=ProvidersSettings(remotes={"own": remote}))

    with pytest.raises(ConfigError, match='wants api = "responses"'):
        registry(given, {"LLMTERM_DATA_DIR": str(tmp_path)}).get("own")


async def test_the_official_sdk_understands_the_same_server(server: WireServer) -> None:
    """Created, read on behind an event, and ended: both sides agree on all of it."""
    client = openai.AsyncOpenAI(api_key=KEY, base_url=server.base_url, max_retries=0)
    seen, text = 0, ""
    stream = await client.responses.create(model=MODEL, input="why?", background=True, stream=True)
    async for event in stream:
        seen = event.sequence_number
        if event.type == "response.output_text.delta":
            text += event.delta
        if seen == 20:
            break
    await stream.close()

    async for event in await client.responses.retrieve("resp_1", stream=True, starting_after=seen):
        text += event.delta if event.type == "response.output_text.delta" else ""
        if event.type == "response.completed":
            assert event.response.output_text == WHOLE.replace("\n\n", "")
            assert [getattr(item, "phase", None) for item in event.response.output] == [
                None,
                "commentary",
                "final_answer",
            ]
    ended = await client.responses.cancel("resp_1")
    await client.close()

    assert text == WHOLE.replace("\n\n", "")
    assert ended.status == "cancelled"


# Whatever comes between

# How many interruptions there are; 1,000 is what is measured.
INTERRUPTIONS = int(os.environ.get("LLMTERM_TEST_INTERRUPTIONS", "60"))
EACH = 6
ALPHABET = [
    "word ",
    "two words ",
    "\n",
    "\n\n",
    "!",
    "!!CAN",
    "CEL",
    "`",
    "```\n",
    "<think>",
    "</think>",
    "🎉",
    "東京",
    " ",
]


def pieces(dice: random.Random, size: int) -> list[str]:
    """Return a text in the pieces in which it comes: cut anywhere, also in the middle of what is two in UTF-16."""
    text = "".join(dice.choices(ALPHABET, k=size))
    units = text.encode("utf-16-le", "surrogatepass")
    cuts = sorted({0, len(units) // 2, *(dice.randrange(len(units) // 2 + 1) for _ in range(size))})
    found = [units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(cuts)]
    return found or [text]


def random_answer(dice: random.Random) -> Callable[[Kept], Iterator[dict[str, Any]]]:
    thoughts = pieces(dice, dice.randint(1, 4)) if dice.random() < 0.5 else []
    messages = [pieces(dice, dice.randint(1, 12)) for _ in range(dice.randint(1, 3))]
    return lambda kept: told(kept, thoughts, *messages)


class Interrupted:
    """Answers that are paused, killed and cut off from their server, each beside the same one that is left alone."""

    def __init__(self, server: WireServer, provider: Provider, dice: random.Random) -> None:
        self._server = server
        self._provider = provider
        self._dice = dice
        self.interruptions = 0

    async def compare(self) -> None:
        backend(self._server).answer = random_answer(self._dice)
        alone = await self._answered(0)
        interrupted = await self._answered(EACH)

        assert interrupted.reply.text == alone.reply.text
        assert interrupted.reply.thinking == alone.reply.thinking
        assert (interrupted.state, interrupted.reason) == (alone.state, alone.reason)
        if alone.over:  # otherwise nobody has counted
            assert self._took(interrupted) == self._took(alone)
        assert self._back(interrupted) == self._back(alone)

    def _back(self, turn: Turn) -> str:
        """Return what goes back with the answer, whatever the name of its generation."""
        return re.sub(r"resp_\d+", "resp", str([*turn.reply.message("complete").blocks("responses")]))

    async def _answered(self, interruptions: int) -> Turn:
        turn = self._turn(REQUEST)
        made(self._server, 0)
        turn.start()
        at = 0
        for _ in range(interruptions):
            if turn.state is not TurnState.STREAMING:
                break
            at = self._dice.randint(at, at + 12)
            turn = await self._interrupted(turn, at)
            self.interruptions += 1
        backend(self._server).breaks.clear()
        made(self._server, None)
        while not turn.over and turn.reason is not EndReason.MARKER:
            async for _ in turn.reader(turn.places.stop - 1).streamed():
                pass
            if turn.state is TurnState.PAUSED and turn.reason is EndReason.NETWORK:
                turn.resume()
        return turn

    async def _interrupted(self, turn: Turn, at: int) -> Turn:
        """Interrupt an answer of which so many events were made."""
        kind = self._dice.choice(["pause", "kill", "lost"])
        if kind == "lost":
            backend(self._server).breaks = [self._dice.randint(0, 3) for _ in range(self._dice.randint(1, 3))]
        await self._made(self._dice.randint(0, at))
        kept = turn.snapshot().to_json()  # what is on the disk may be older than what is lost
        await self._made(at)
        if kind != "lost":
            await turn.detach()
        if turn.state is not TurnState.PAUSED or turn.reason is EndReason.MARKER:
            return turn
        if kind == "kill":
            turn = self._turn(Snapshot.from_json(kept))
        if turn.reply.cursor is None:
            turn = self._turn(REQUEST)  # nothing is known of the one that was begun
            turn.start()
        else:
            turn.resume()
        return turn

    async def _made(self, upto: int) -> None:
        made(self._server, upto)
        assert await asyncio.to_thread(backend(self._server).rests.wait, 10)

    def _turn(self, asked: Request | Snapshot) -> Turn:
        return Turn(self._provider, asked, DEFAULT_MARKER, limits=StreamLimits(buffer_size=1), seam_seconds=60)

    def _took(self, turn: Turn) -> tuple[int, int]:
        usages = [each.usage for each in turn.reply.segments]
        return sum(each.input_tokens for each in usages), sum(each.output_tokens for each in usages)


async def test_answer_is_the_same_after_any_interruptions(server: WireServer, provider: Provider) -> None:
    """Text, thinking, end, tokens and what goes back of it: those of the answer that was left alone."""
    interrupted = Interrupted(server, provider, random.Random(20261128))

    while interrupted.interruptions < INTERRUPTIONS:
        await interrupted.compare()
