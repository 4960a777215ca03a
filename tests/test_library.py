"""A model as a library's user has it: connected by name, asked once, for a stream, many times, and from a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from llmterm import (
    ConfigError,
    Conversation,
    Model,
    Options,
    ProviderError,
    Settings,
    Snapshot,
    TurnState,
    UsageError,
    connect,
    generate_sync,
)
from tests.wire import Exchange, Gate, Script, WireServer, say


def environ(home: Path, server: WireServer) -> dict[str, str]:
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": server.base_url,
    }


@asynccontextmanager
async def connected(home: Path, script: Script, name: str = "openai/test") -> AsyncIterator[tuple[Model, WireServer]]:
    with WireServer(script) as server:
        async with connect(name, environ=environ(home, server)) as model:
            yield model, server


async def echo(exchange: Exchange) -> None:
    await say(exchange.question.upper())(exchange)


async def endless(exchange: Exchange) -> None:
    """Say one word, and then nothing until the client hangs up."""
    await exchange.start()
    await exchange.text("word ")
    await exchange.hung_up()


async def test_model_is_connected_by_its_name_and_asked_what_the_program_says(tmp_path: Path) -> None:
    """The configuration says who answers, and never what is asked."""
    (tmp_path / "llmterm").mkdir()
    (tmp_path / "llmterm" / "config.toml").write_text('system = "Mine."\ntemperature = 0.1\nmodel = "set"\n')

    async with connected(tmp_path, echo, "") as (model, server):
        assert (model.provider.name, model.name) == ("openai", "set")
        reply = await model.generate("q")
        asked = Conversation(system="Be.").ask("a").add(reply.message("complete")).ask("b")
        await model.generate(asked, options=Options(seed=3))

    first, second = (exchange.body for exchange in server.exchanges)
    assert reply.text == "Q"
    assert (first["messages"], "temperature" in first, "seed" in first) == (
        [{"role": "user", "content": "q"}],
        False,
        False,
    )
    assert [each["content"] for each in second["messages"]] == ["Be.", "a", "Q", "b"]
    assert second["seed"] == 3


async def test_model_that_there_is_not_cannot_be_connected(tmp_path: Path) -> None:
    """Nor one without its key; a program's own settings need no file."""
    async with connected(tmp_path, echo) as (_, server):
        variables = environ(tmp_path, server)
        with pytest.raises(UsageError, match="there is no provider 'opnai'"):
            async with connect("opnai", environ=variables):
                pass
        with pytest.raises(ConfigError, match="no key for anthropic"):
            async with connect("anthropic", environ=variables):
                pass
        async with connect(settings=Settings(provider="openai", model="mine"), environ=variables) as model:
            assert model.name == "mine"


async def read(stream: AsyncIterator[str]) -> tuple[str, bool]:
    """Return the text of a stream, and whether it has failed then."""
    text = ""
    try:
        async for piece in stream:
            text += piece
    except ProviderError:
        return text, True
    return text, False


@pytest.mark.parametrize(
    ("reason", "text", "options", "why"),
    [
        ("length", "half", None, "cut short: the token limit was reached"),
        ("content_filter", "half", None, "cut short: the provider's filter ended it"),
        ("stop", "", None, "the answer is empty"),
        ("length", "half", Options(max_tokens=5), ""),
    ],
)
async def test_answer_that_is_not_whole_is_an_error(
    tmp_path: Path, reason: str, text: str, options: Options | None, why: str
) -> None:
    """Unless it is as short as it was to be; a stream has yielded what came."""
    async with connected(tmp_path, say(text, reason=reason)) as (model, _):
        if why:
            with pytest.raises(ProviderError, match=why):
                await model.generate("q", options=options)
        else:
            assert (await model.generate("q", options=options)).text == text
        assert await read(model.stream("q", options=options)) == (text, bool(why))


async def test_stream_that_is_left_closes_its_connection(tmp_path: Path) -> None:
    async with connected(tmp_path, endless) as (model, server):
        async with aclosing(model.stream("q")) as stream:
            async for text in stream:
                assert text == "word "
                break

        await server.wait_async(lambda: server.open_connections == 0)


async def test_answer_that_is_not_wanted_any_more_closes_its_connection(tmp_path: Path) -> None:
    async with connected(tmp_path, endless) as (model, server):
        asking = asyncio.create_task(model.generate("q"))
        await server.wait_async(lambda: len(server.exchanges) == 1)
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.wait_async(lambda: server.open_connections == 0)


async def test_snapshot_is_gone_on_with(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        await (say("the rest.") if len(exchange.body["messages"]) > 1 else endless)(exchange)

    async with connected(tmp_path, script) as (model, _):
        turn = model.turn("q")
        assert turn.state is TurnState.READY
        turn.start()
        async for _ in turn.events():
            if turn.reply.text:
                break
        text = (await turn.pause()).to_json()

        again = model.turn(Snapshot.from_json(text))
        assert again.state is TurnState.PAUSED
        again.resume()
        async for _ in again.events():
            pass
        assert again.reply.text == "word the rest."


async def test_many_questions_are_answered_so_many_at_once(tmp_path: Path) -> None:
    """As they finish; they are taken when it is their turn, and one that fails is an answer too."""
    gates = {str(number): Gate() for number in range(3)}

    async def script(exchange: Exchange) -> None:
        if exchange.question == "bad":
            await exchange.refuse(400, {"error": {"message": "never"}})
            return
        await gates[exchange.question].wait()
        await echo(exchange)

    taken: list[str] = []

    def questions() -> Iterator[str]:
        for question in ("0", "1", "bad", "2"):
            taken.append(question)
            yield question

    async with connected(tmp_path, script) as (model, server):
        async with aclosing(model.ask_many(questions(), at_once=2)) as answers:
            first = asyncio.ensure_future(anext(answers))
            await server.wait_async(lambda: len(server.exchanges) == 2)
            assert taken == ["0", "1"]
            gates["1"].open()
            assert (await first)[:2] == (1, "1")
            failed = await anext(answers)
            assert (failed.number, failed.reply.text) == (2, "")
            assert isinstance(failed.error, ProviderError)
            gates["2"].open()
            gates["0"].open()
            rest = {answer.number: answer.reply.text async for answer in answers}
        assert rest == {0: "0", 3: "2"}

        with pytest.raises(ValueError, match="at least one"):
            model.ask_many([], at_once=0)


async def test_many_questions_that_are_left_end_those_that_are_being_answered(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        await (echo if exchange.question == "quick" else endless)(exchange)

    async with connected(tmp_path, script) as (model, server):
        tasks = len(asyncio.all_tasks())
        async with aclosing(model.ask_many(["a", "b", "quick", "c"], at_once=3)) as answers:
            async for answer in answers:
                assert answer.reply.text == "QUICK"
                break
        await server.wait_async(lambda: server.open_connections <= 1)  # that of the quick one is kept
        assert len(asyncio.all_tasks()) == tasks


def test_script_without_a_loop_has_its_answer(tmp_path: Path) -> None:
    with WireServer(echo) as server:
        variables = environ(tmp_path, server)
        assert generate_sync("q", "openai/test", environ=variables).text == "Q"
        assert generate_sync("again", "openai/test", environ=variables).text == "AGAIN"


async def test_script_is_told_what_to_call_where_a_loop_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be called where an event loop runs .*await model\.generate"):
        generate_sync("q")
