"""Two llmterms: one goes on with an answer for the other, which leaves it and reads it on, as at OpenAI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from llmterm.assembly.roster import registry
from llmterm.config import ProvidersSettings, RemoteSettings, Settings
from llmterm.messages import Message, Options, Request, Snapshot, StreamLimits, TextDelta
from llmterm.providers import Provider
from llmterm.turn import Turn, TurnState
from tests.background import BackgroundServer, told, words
from tests.serving import TOKEN, Client, reply_of, serving
from tests.wire import Exchange, Gate, thought

REQUEST = Request(
    model="openai/test", messages=(Message(role="user", text="count"),), options=Options(), background=True
)

# So many events of an answer have come with its second word.
IN_ANSWER = 7


@asynccontextmanager
async def client_of(service: Client, folder: Path) -> AsyncIterator[Provider]:
    """Give a provider that is the other llmterm."""
    remote = RemoteSettings(api="responses", continuation="cursor")
    given = Settings(providers=ProvidersSettings(remotes={"openai": remote}))
    environ = {"OPENAI_API_KEY": TOKEN, "OPENAI_BASE_URL": f"{service.url}/v1", "LLMTERM_DATA_DIR": str(folder)}
    async with registry(given, environ) as providers:
        yield providers.get("openai")


async def read(turn: Turn, enough: Callable[[], bool]) -> None:
    reader = turn.reader(turn.places.stop - 1, waited_for=True)
    try:
        async for _ in reader.streamed():
            if enough():
                break
    finally:
        reader.leave()


def turn_of(provider: Provider, asked: Request | Snapshot) -> Turn:
    return Turn(provider, asked, limits=StreamLimits(buffer_size=1))


async def test_answer_of_another_llmterm_is_read_on(tmp_path: Path) -> None:
    """While its model thinks, in the middle of its words, and in another process; upstream it is one answer."""
    gates = [Gate(), Gate(), Gate()]

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(thought("hm, "))
        await gates[0].wait()
        await exchange.raw(thought("so"))
        await exchange.text("one ")
        await gates[1].wait()
        await exchange.text("two\n\n")
        await gates[2].wait()
        await exchange.text("three 🎉")
        await exchange.end()

    async with serving(tmp_path / "service", script) as service, client_of(service, tmp_path) as provider:
        turn = turn_of(provider, REQUEST)
        turn.start()
        await read(turn, lambda: bool(turn.reply.thoughts))
        await turn.detach()
        gates[0].open()
        turn.resume()
        await read(turn, lambda: bool(turn.reply.body))
        rest = await turn.detach()
        gates[1].open()
        gates[2].open()
        again = turn_of(provider, Snapshot.from_json(rest.to_json()))
        again.resume()
        await read(again, lambda: False)

        assert (again.state, again.reply.text, again.reply.thinking) == (
            TurnState.DONE,
            "one two\n\nthree 🎉",
            "hm, so",
        )
        assert [segment.mode for segment in again.reply.segments] == ["fresh", "cursor", "cursor"]
        assert len(service.upstream.exchanges) == 1


async def test_answer_of_another_llmterm_is_ended_there(tmp_path: Path) -> None:
    """Guidance is for another answer: the first is cancelled upstream, too."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await exchange.hung_up()

    async with serving(tmp_path / "service", script) as service, client_of(service, tmp_path) as provider:
        turn = turn_of(provider, REQUEST)
        turn.start()
        await read(turn, lambda: bool(turn.reply.body))
        await turn.detach()
        assert service.upstream.open_connections == 1

        await turn.cancel()

        await service.upstream.wait_async(lambda: service.upstream.open_connections == 0)


CONFIG = """
[chat]
pause_mode = "hold"

[providers.openai]
api = "responses"
continuation = "cursor"
"""


async def test_paused_turn_of_a_service_goes_on_at_its_provider(tmp_path: Path) -> None:
    """In the mode `hold`: it is read on when it is resumed, also by a service that was started anew."""
    (tmp_path / "config.toml").write_text(CONFIG)
    upstream = BackgroundServer(lambda kept: told(kept, [], words("one two three four")))
    more: dict[str, Any] = {"LLMTERM_CONFIG": str(tmp_path / "config.toml")}
    upstream.make(IN_ANSWER)
    async with serving(tmp_path, upstream, **more) as service:
        turn = (await service.ask(model="openai/gpt-6.1-terra"))["id"]
        async with service.told(turn) as entries:
            async for entry in entries:
                if isinstance(entry.event, TextDelta) and "two" in entry.event.text:
                    break
        paused = await service.post(f"/v1/turns/{turn}/pause")
        assert paused["state"] == "paused"
        assert [each.method for each in service.upstream.exchanges] == ["POST"]

    upstream.make(None)
    async with serving(tmp_path, upstream, **more) as service:
        await service.post(f"/v1/turns/{turn}/resume")
        async with service.told(turn) as entries:
            reply = await reply_of(entries)

        assert reply.text == "one two three four"
        assert [each.path for each in service.upstream.exchanges] == [
            f"/v1/responses/resp_1?stream=true&starting_after={IN_ANSWER - 1}"
        ]
