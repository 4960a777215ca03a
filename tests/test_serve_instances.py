"""Instances of the service that share a Redis: a turn of one is read, paused and gone on with at any other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from llmterm.errors import ConfigError
from llmterm.events import Entry, Retraction, StateChanged, TurnEvent, reduced
from llmterm.messages import EndReason, Reply, TextDelta
from llmterm.states import TurnState
from tests.chatting import until_hung_up
from tests.redisserver import RedisServer, redis_server
from tests.serving import TOKEN, Client, http_client, reply_of, served, serving
from tests.terminal import PATIENCE, environment
from tests.wire import Exchange, Gate, Script, WireServer


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def halves() -> Script:
    return until_hung_up("First.\n\n", "word0 word1", then=" word2 and the end.")


@asynccontextmanager
async def two(folder: Path, redis: RedisServer, script: Script) -> AsyncIterator[tuple[Client, Client]]:
    """Serve twice, with one store."""
    async with (
        serving(folder, script, state=redis.url) as one,
        serving(folder, script, state=redis.url) as other,
    ):
        yield one, other


async def begun(client: Client, word: str = "word1", **more: Any) -> str:
    """Ask, and wait until that was said; return the turn's id."""
    turn: str = (await client.ask(**more))["id"]
    async with client.told(turn) as told:
        async for entry in told:
            if isinstance(entry.event, TextDelta) and word in entry.event.text:
                return turn
    raise AssertionError(turn)


async def test_turn_is_read_paused_and_gone_on_with_at_another_instance(tmp_path: Path, redis: RedisServer) -> None:
    async with two(tmp_path, redis, halves()) as (one, other):
        turn = await begun(one)
        async with one.told(turn) as here, other.told(turn) as there:
            readers = [asyncio.create_task(reply_of(each)) for each in (here, there)]
            paused = await other.post(f"/v1/turns/{turn}/pause", {"by": "the kitchen"})
            resumed = await other.post(f"/v1/turns/{turn}/resume", {"guidance": "Be brief."})
            texts = [(await each).text for each in readers]
        shown = [await each.get(f"/v1/turns/{turn}") for each in (one, other)]
        refused = await other.post(f"/v1/turns/{turn}/resume", status=409)

    assert (paused["state"], paused["text"]) == ("paused", "First.\n\nword0 word1")
    assert resumed["state"] == "streaming"
    assert texts == ["First.\n\nword0 word1 word2 and the end."] * 2
    assert [(each["state"], each["text"]) for each in shown] == [("done", texts[0])] * 2
    assert refused["error"]["code"] == "conflict"
    assert "Be brief." in one.upstream.exchanges[1].question


def counting(words: int) -> Script:
    """Return a script that counts so far and waits, for everybody; what goes on is ended in a word."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        if any(each["role"] == "assistant" for each in exchange.body["messages"]):
            await exchange.text(" the end.")
            await exchange.end()
            return
        for number in range(words):
            await exchange.text(f"word{number} ")
        await exchange.hung_up()

    return script


async def follow(clients: list[Client], turn: str, seen: Seen) -> Reply:
    """Read a turn to its end at the first of the instances that is there; where one is lost, go on at another."""
    while True:
        for client in clients:
            with suppress(httpx2.HTTPError):
                async with client.told(turn, after=seen.place) as told:
                    async for entry in told:
                        seen.take(entry)
                        if entry.event == StateChanged(TurnState.DONE, EndReason.STOP):
                            return seen.reply


class Seen:
    """What a reader has made of what was told, wherever it was."""

    def __init__(self, moved: asyncio.Event) -> None:
        """`moved` is set whenever something is told."""
        self.moved = moved
        self.reply = Reply()
        self.place = 0
        self.events: list[TurnEvent] = []

    def take(self, entry: Entry) -> None:
        assert entry.seq > self.place or entry == Entry(0, Retraction(0, 0, ()))
        self.reply, self.place = reduced(self.reply, entry.event), entry.seq
        self.events.append(entry.event)
        self.moved.set()


async def test_instance_that_is_killed_loses_nothing_that_was_read_and_others_go_on(
    tmp_path: Path, redis: RedisServer
) -> None:
    """Some begin at each of three; each is read at another one. The first is killed, then the second is stopped."""
    words, turns = 20, 9
    with WireServer(counting(words)) as upstream, ExitStack() as stack:
        env = environment(tmp_path, OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test", LLMTERM_TOKEN=TOKEN)
        found = [stack.enter_context(served(env, "--state", redis.url)) for _ in range(3)]
        async with AsyncExitStack() as open_clients:
            clients = [
                Client(url, upstream, await open_clients.enter_async_context(http_client(url, TOKEN)))
                for _, url, _ in found
            ]
            asked = [(await clients[number % 3].ask())["id"] for number in range(turns)]
            moved = asyncio.Event()
            seen = [Seen(moved) for _ in asked]
            reading = [
                asyncio.create_task(follow([clients[0 if number % 3 else 2], clients[2]], turn, seen[number]))
                for number, turn in enumerate(asked)
            ]
            text = "".join(f"word{number} " for number in range(words))
            await until(moved, lambda: all(each.reply.text == text for each in seen))

            found[0][0].kill()
            await until(moved, lambda: all(cut(each) for each in seen[0::3]))
            found[1][0].send_signal(signal.SIGSTOP)
            await until(moved, lambda: all(cut(each) for each in seen[1::3]))
            assert not any(cut(each) for each in seen[2::3])
            for turn in asked:
                await clients[2].post(f"/v1/turns/{turn}/pause")
                await clients[2].post(f"/v1/turns/{turn}/resume", {"guidance": "To the end."})
            replies = await asyncio.gather(*reading)
            found[1][0].send_signal(signal.SIGCONT)
            late = [await follow([clients[1]], turn, Seen(moved)) for turn in asked[1::3]]
            listed = (await clients[1].get("/v1/sessions"))["sessions"]

    assert [each.text for each in (*replies, *late)] == [f"{text}the end."] * (turns + 3)
    assert all(len(each.reply.segments) == 2 for each in seen)
    assert len(listed) == turns
    assert {each["state"] for each in listed} == {"complete"}


def cut(seen: Seen) -> bool:
    return StateChanged(TurnState.PAUSED, EndReason.CRASH) in seen.events


async def until(moved: asyncio.Event, condition: Callable[[], bool]) -> None:
    """Wait until it holds, by what is told to others."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            moved.clear()
            await moved.wait()


async def test_workers_serve_at_one_port_and_one_that_is_killed_is_replaced(tmp_path: Path, redis: RedisServer) -> None:
    with WireServer(halves()) as upstream:
        env = environment(tmp_path, OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test", LLMTERM_TOKEN=TOKEN)
        with served(env, "--state", redis.url, "--workers", "2") as (keeper, url, _):
            async with http_client(url, TOKEN) as http:
                turn = await begun(Client(url, upstream, http))
            async with Redis.from_url(redis.url) as told, asyncio.timeout(PATIENCE):
                while "word1" not in str(await told.xrange(f"llmterm:log:{turn}")):
                    pass  # what is killed at once has not told all that it has said
            workers = _children(keeper.pid)
            for each in workers:
                os.kill(each, signal.SIGKILL)
            assert keeper.stderr is not None
            said = [await asyncio.to_thread(keeper.stderr.readline) for _ in workers]
            seen = Seen(asyncio.Event())
            async with http_client(url, TOKEN) as http:
                client = Client(url, upstream, http)
                reading = asyncio.create_task(follow([client], turn, seen))
                await until(seen.moved, lambda: cut(seen))
                await client.post(f"/v1/turns/{turn}/resume")
                reply = await reading
            keeper.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(keeper.wait, PATIENCE)
            left = [each for each in _children(keeper.pid) if each]

    assert said == ["llmterm: a worker has ended by itself (-9); another one begins\n"] * 2
    assert reply.text == "First.\n\nword0 word1 word2 and the end."
    assert (code, left) == (0, [])


def _children(pid: int) -> list[int]:
    """Return the workers of a process: of what multiprocessing begins, those that serve."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, fields = each.parent / "cmdline", each.read_text("ascii", "replace").rpartition(")")[2].split()
            if int(fields[1]) == pid and b"spawn_main" in name.read_bytes():
                found.append(int(each.parent.name))
    return found


async def test_session_goes_on_at_whichever_instance_is_asked(tmp_path: Path, redis: RedisServer) -> None:
    """What rests at one is in the way at the other; what is over is not, and who watches hears of both."""
    async with two(tmp_path, redis, halves()) as (one, other):
        turn = await begun(one)
        session = turn.partition(".")[0]
        in_the_way = await other.post(
            "/v1/turns", {"question": "And?", "model": "openai/test", "session": session}, 409
        )
        async with other.http.stream("GET", f"/v1/sessions/{session}/events") as response:
            told = (json.loads(line[6:])["turn"] async for line in response.aiter_lines() if line.startswith("data: "))
            first = await anext(told)
            await other.post(f"/v1/turns/{turn}/cancel")
            while await anext(told) is not None:
                pass
        following = await other.ask("And then?", session=session)
        async with one.told(following["id"]) as entries:
            reply = await reply_of(entries)
        shown = await one.get(f"/v1/sessions/{session}")

    assert turn in in_the_way["error"]["message"]
    assert first == turn
    assert reply.text == " word2 and the end."
    assert [each["text"] for each in shown["messages"]] == ["Why?", "First.\n\nword0 word1", "And then?", reply.text]


async def test_instance_that_ends_leaves_its_turns_to_the_others(tmp_path: Path, redis: RedisServer) -> None:
    """A reader of the one goes on at the other where it was: nothing is taken back."""
    async with serving(tmp_path, counting(2), state=redis.url) as other:
        async with serving(tmp_path, counting(2), state=redis.url) as one:
            kept, unkept = await begun(one), await begun(one, kept=False)
            seen = {turn: Seen(asyncio.Event()) for turn in (kept, unkept)}
            for turn in seen:
                async with one.told(turn) as told:
                    while "word1" not in seen[turn].reply.text:
                        seen[turn].take(await anext(told))
        for turn in seen:
            assert (await other.get(f"/v1/turns/{turn}"))["state"] == "paused"
            await other.post(f"/v1/turns/{turn}/cancel")
            async with other.told(turn, after=seen[turn].place) as told:
                async for entry in told:
                    seen[turn].take(entry)

    assert unkept.startswith("unkept-")
    for each in seen.values():
        assert Retraction(0, 0, ()) not in each.events
        assert each.reply.text == "word0 word1 "
        assert each.events[-1] == StateChanged(TurnState.CANCELLED, EndReason.CANCEL)


async def test_turn_on_no_record_is_gone_on_with_where_its_instance_is_no_more(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with serving(tmp_path / "other", until_hung_up(then=" the end."), state=redis.url) as other:
        async with serving(tmp_path / "one", halves(), state=redis.url) as one:
            turn = await begun(one, kept=False, question="Why is that?")
        await other.ask("What is asked first is hung up on.", kept=False)
        await other.post(f"/v1/turns/{turn}/resume", {"guidance": "Go on."})
        async with other.told(turn) as told:
            reply = await reply_of(told)

    assert reply.text == "First.\n\nword0 word1 the end."
    assert "Why is that?" in str(other.upstream.exchanges[1].body)


async def test_answers_go_on_while_redis_is_away_and_are_told_once_it_is_back(tmp_path: Path) -> None:
    """It has forgotten everything by then."""
    gates = [Gate(), Gate()]

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        for gate, text in zip(gates, ("two ", "three"), strict=True):
            await gate.wait()
            await exchange.text(text)
        await exchange.end()

    with redis_server() as redis:
        async with two(tmp_path, redis, script) as (one, other):
            turn, rests = await begun(one, "one"), await begun(one, "one")
            await one.post(f"/v1/turns/{rests}/pause")
            mirrored = Seen(asyncio.Event())
            reading = asyncio.create_task(follow([other], turn, mirrored))
            await until(mirrored.moved, lambda: "one" in mirrored.reply.text)

            redis.stop()
            gates[0].open()
            async with one.told(turn) as told:
                while (entry := await anext(told)) and not _says(entry, "two"):
                    pass
            new = await begun(one, "two")
            refused = await other.get(f"/v1/turns/{rests}", status=503)

            redis.start()
            gates[1].open()
            whole = await reading
            replies = [await follow([other], turn, Seen(mirrored.moved)) for turn in (turn, new)]
            async with asyncio.timeout(PATIENCE):
                while (await other.http.get(f"/v1/turns/{rests}")).json().get("state") != "paused":
                    pass

    assert refused["error"]["code"] == "instance_unavailable"
    assert [each.text for each in (whole, *replies)] == ["one two three"] * 3


def _says(entry: Entry, word: str) -> bool:
    return isinstance(entry.event, TextDelta) and word in entry.event.text


async def test_deleted_session_leaves_nothing_in_redis(tmp_path: Path, redis: RedisServer) -> None:
    async with two(tmp_path, redis, halves()) as (one, other):
        turn = await begun(one)
        session = turn.partition(".")[0]
        await other.send("DELETE", f"/v1/sessions/{session}")
        missing = [await each.get(f"/v1/turns/{turn}", status=404) for each in (one, other)]
        client = Redis.from_url(redis.url)
        left = [key async for key in client.scan_iter(f"*{session}*")]
        await client.aclose()

    assert [each["error"]["code"] for each in missing] == ["not_found"] * 2
    assert left == []


async def test_redis_that_cannot_be_used_says_so_and_its_password_nowhere(tmp_path: Path, redis: RedisServer) -> None:
    for url in ("redis://user:s3cret@127.0.0.1:1/0", redis.url.replace("//", "//user:s3cret@")):
        with pytest.raises(ConfigError) as refused:
            async with serving(tmp_path, halves(), state=url):
                pass
        assert "s3cret" not in str(refused.value)
        assert url.partition("@")[2].removesuffix("/0") in str(refused.value)
