"""A key that is held down, in the real program: the requests that it makes are counted at the server."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Open, opened
from tests.wire import Exchange

# What comes of a key that is held for seconds, in one write, as over a slow line.
HELD = " " * 200
HELD_ENTER = "\r" * 200


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path, columns=120)


async def part(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("a part. ")
    await exchange.hung_up()


@pytest.mark.parametrize("arguments", [[], ["--plain"], ["--pause-mode", "hold"]])
def test_space_that_is_held_asks_for_nothing(open_chat: Open, arguments: list[str]) -> None:
    """It pauses the answer, and at the pause it does nothing; nor once the answer goes on."""
    with open_chat(part, *arguments) as chat:
        program, requests = chat.program, chat.server.exchanges
        chat.ask("go")
        program.wait_for(r"a part\.")
        program.send(f"{HELD}x")
        program.wait_for(r"\n> x\npaused |paused [^\n]*\n> x")
        assert len(requests) == 1
        if "--plain" in arguments:
            return  # what is typed ahead is not seen there
        program.send("\x15on\r")
        chat.server.wait(lambda: len(requests) == 2)
        program.send(f"{HELD}y")
        program.wait_for(r"> y( -|\n|\Z)")

        assert len(requests) == 2


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_enter_that_is_held_does_not_send_for_ever_what_is_refused(open_chat: Open, plain: list[str]) -> None:
    """Pressed again it sends again."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "bad key"}})

    with open_chat(refuse, *plain) as chat:
        chat.ask("go")
        chat.program.wait_for(r"(?s)bad key.*> go")
        chat.program.send(f"{HELD_ENTER}!")
        chat.program.wait_for(r"> go!|queued 1: !")
        assert len(chat.server.exchanges) <= 2
        chat.program.send("\x15again\r")
        chat.server.wait(lambda: chat.server.exchanges[-1].question == "again")
