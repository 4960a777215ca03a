"""How often a question really goes out: every request is one of the tries that there are, whoever sends it."""

from __future__ import annotations

from contextlib import aclosing

from llmterm.errors import NetworkError
from tests.contract.caller import Caller, answering, fails
from tests.contract.dialects import Dialect, whole
from tests.wire import Exchange, Gate, Script


def losing(dialect: Dialect, losses: int, gate: Gate | None = None) -> Script:
    """Return a script that leaves the first `losses` requests to "lost" without a byte, and answers the others;
    "beside" has no end before the gate is open."""
    left = losses

    async def script(exchange: Exchange) -> None:
        nonlocal left
        match dialect.question(exchange.body):
            case "lost" if left:
                left -= 1
                exchange.drop()
            case "beside" if gate is not None:
                await exchange.start(content_type=dialect.content_type)
                await exchange.raw(dialect.opening() + dialect.text("half"))
                await gate.wait()
            case _:
                await answering(dialect, *whole(dialect, "answer"))(exchange)

    return script


def asked(caller: Caller, question: str) -> int:
    return [caller.dialect.question(each.body) for each in caller.server.exchanges].count(question)


async def test_three_tries_are_three_requests(remote: Dialect) -> None:
    """Also while another answer is on its way, and where a connection was kept: that of each request counts alone."""
    gate = Gate()
    async with Caller(remote, losing(remote, 9, gate)) as caller, aclosing(await caller.open("beside")) as beside:
        await beside.until("half")

        with fails(NetworkError):
            await caller.ask("lost")

        assert (asked(caller, "lost"), caller.progress.retries, len(caller.progress.waits)) == (3, 2, 2)

        await caller.ask("kept")
        with fails(NetworkError):
            await caller.ask("lost")

        # The first of these went out on the connection that was kept; only the wait was spared.
        assert (asked(caller, "lost"), caller.progress.retries, len(caller.progress.waits)) == (6, 4, 3)
        gate.open()


async def test_kept_connection_that_the_server_has_closed_is_a_try_without_a_wait(remote: Dialect) -> None:
    """A server may close an idle connection at any moment; the next try takes a new one, at once."""
    async with Caller(remote, losing(remote, 1)) as caller:
        await caller.ask("kept")

        answer = await caller.ask("lost")

        assert (answer.text, asked(caller, "lost")) == ("answer", 2)
        assert (caller.progress.retries, caller.progress.waits) == (1, [])


async def test_list_of_models_is_asked_for_again_only_on_a_connection_that_was_kept(remote: Dialect) -> None:
    """Once; where the connection was new it is a failure like any other, whatever else is open."""
    gate = Gate()
    answers = losing(remote, 0, gate)
    listed, lost = 0, 0

    async def script(exchange: Exchange) -> None:
        nonlocal listed, lost
        if exchange.body:
            await answers(exchange)
            return
        listed += 1
        if lost:
            lost -= 1
            exchange.drop()
        else:
            await exchange.refuse(200, remote.listing("one"))

    async with Caller(remote, script) as caller, aclosing(await caller.open("beside")) as beside:
        await beside.until("half")
        lost = 1
        with fails(NetworkError):
            await caller.provider.models()
        assert listed == 1

        await caller.ask("kept")
        lost = 1
        assert "one" in await caller.provider.models()
        assert listed == 3
        gate.open()
