"""The chat and a server as strict as some: turns that do not alternate, or with nothing in them, are refused."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.chatting import Open, opened
from tests.wire import Exchange, finish, thought

PROMPT = r"\n>(\n(?!.*SPACE pause).*)?$"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


def fault(messages: list[dict[str, Any]]) -> str:
    """Return why a strict server refuses these, "" if it does not."""
    said = [message for message in messages if message["role"] != "system"]
    if not said or said[0]["role"] != "user" or any(one["role"] == other["role"] for one, other in pairwise(said)):
        return "conversation roles must alternate user/assistant/user/assistant"
    return "" if all(message["content"].strip() for message in messages) else "text content blocks must be non-empty"


async def strict(exchange: Exchange) -> None:
    """Do with the last question what its last word says, unless the request is refused."""
    if why := fault(exchange.body["messages"]):
        await exchange.refuse(400, {"error": {"message": why}})
        return
    await exchange.start()
    match exchange.question.split()[-1]:
        case "hang":
            await exchange.hung_up()
            return
        case "think":
            await exchange.raw(thought("I only think."))
        case "blank":
            await exchange.text(" \n")
        case "nothing":
            pass
        case word:
            await exchange.text(f"{word} it is.")
    await exchange.raw(finish())
    await exchange.close()


def test_questions_after_one_that_was_stopped_or_not_answered_in_words_are_answered(open_chat: Open) -> None:
    """What the server refused would be refused with every later question; all of it is on the record."""
    with open_chat(strict, rows=60) as chat:
        chat.ask("first hang")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)
        chat.program.wait_for("waiting for the first token")
        chat.program.send("\x1b")
        chat.program.wait_for(PROMPT)
        for question in ("and this", "now think", "or blank", "or nothing"):
            chat.ask(question)
            chat.program.wait_for(rf"{question}(.|\n)+{PROMPT}")
        chat.ask("then last")
        chat.program.wait_for(rf"last it is\.\n{PROMPT}")

        *_, asked = chat.server.exchanges
        texts = [message["content"] for message in asked.body["messages"] if message["role"] != "system"]
        recorded = [(message["role"], message["text"].strip()) for message in chat.messages()]

    assert texts == [
        "first hang\n\nand this",
        "this it is.",
        "now think\n\nor blank\n\nor nothing\n\nthen last",
    ]
    assert recorded == [
        ("user", "first hang"),
        ("user", "and this"),
        ("assistant", "this it is."),
        ("user", "now think"),
        ("assistant", ""),
        ("user", "or blank"),
        ("assistant", ""),
        ("user", "or nothing"),
        ("assistant", ""),
        ("user", "then last"),
        ("assistant", "last it is."),
    ]
