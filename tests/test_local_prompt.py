"""A prompt whose answer was paused before it began is computed as it would have been, by a llama.cpp that tells how.

`Llama` stands in for it: it computes nothing, but keeps for each token the batch that it was computed in, and answers
with the batches of its prompt. Rounding depends on them and on nothing else, and so do the words of the real one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmterm.conversation import Conversation
from llmterm.messages import EndReason, Message, Options, Request
from llmterm.providers.local import LocalProvider
from llmterm.turn import Turn, TurnState
from tests.reading import heard
from tests.wire import Exchange, Gate, WireServer, delta, finish

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs unix sockets")

FIRST = Conversation().ask("Name a colour.")
SECOND = FIRST.add(Message(role="assistant", text="[0]")).ask("And a number?")
OTHER = Conversation().ask("Name a river.")


class Llama:
    """llama.cpp's server with one slot and a cache of conversations; characters are its tokens.

    `silent` has two gates for each answer that is to arrive and say nothing until it may, `computing` one for each that
    says that it begins; both wait then until the client hangs up.
    """

    def __init__(self) -> None:
        self.cells: list[tuple[int, int]] = []  # a token, and where the batch began in which it was computed
        self.cache: list[list[tuple[int, int]]] = []
        self.silent: list[tuple[Gate, Gate]] = []
        self.computing: list[Gate] = []

    async def __call__(self, exchange: Exchange) -> None:
        match exchange.path:
            case "/apply-template":
                await exchange.refuse(200, {"prompt": template(exchange.body["messages"])})
            case "/tokenize":
                await exchange.refuse(200, {"tokens": [ord(each) for each in "".join(exchange.body["content"])]})
            case "/detokenize":
                await exchange.refuse(200, {"content": "".join(map(chr, exchange.body["tokens"]))})
            case _:
                await self.answer(exchange)

    async def answer(self, exchange: Exchange) -> None:
        body = exchange.body
        prompt = body.get("prompt") or [ord(each) for each in template(body["messages"])]
        if body["max_tokens"] == 0:
            self.compute(prompt, body)
            await exchange.refuse(200, {})
            return
        arrived, may = self.silent.pop(0) if self.silent else (Gate(), None)
        arrived.open()
        if may is not None:
            await may.wait()
        had = self.compute(prompt, body)
        await exchange.start()
        progress = {"total": len(prompt), "cache": had, "processed": had, "time_ms": 0}
        await exchange.raw(f"data: {json.dumps({'choices': [], 'prompt_progress': progress})}\n\n".encode())
        if may is not None or self.computing:
            for gate in self.computing[:1]:
                self.computing.remove(gate)
                gate.open()
            await exchange.hung_up()
            return
        text = str(sorted({batch for _, batch in self.cells}))
        self.cells += [(ord(each), len(self.cells) + number) for number, each in enumerate(text)]
        await exchange.raw(delta(text) + finish())
        await exchange.close()

    def compute(self, prompt: Sequence[int], body: Mapping[str, Any]) -> int:
        """Compute what is not there, but at least one token; return how many were."""
        if "id_slot" not in body:
            self.cache.append(self.cells)
            self.cells = max(self.cache, key=lambda cells: common(cells, prompt))
        had = min(common(self.cells, prompt), len(prompt) - 1)
        self.cells = [*self.cells[:had], *((token, had) for token in prompt[had:])]
        return had


def common(cells: Sequence[tuple[int, int]], prompt: Sequence[int]) -> int:
    pairs = enumerate(zip(cells, prompt, strict=False))
    return next((at for at, ((token, _), wanted) in pairs if token != wanted), min(len(cells), len(prompt)))


def template(messages: Sequence[Mapping[str, str]]) -> str:
    said = "".join(f"<{each['role']}>{each['content']}" for each in messages)
    return said if messages[-1]["role"] == "assistant" else f"{said}<assistant>"


class Provider(LocalProvider):
    """The embedded model's provider, with `llama` in the place of llama.cpp."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.llama = Llama()
        self.model = str(folder / "model.gguf")
        Path(self.model).write_bytes(b"GGUF" + bytes(100))
        self._servers: list[WireServer] = []

    def _serve(self, path: Path, host: str, key: str) -> WireServer:
        self._servers.append(WireServer(self.llama, socket=host).__enter__())
        return self._servers[-1]

    async def aclose(self) -> None:
        await super().aclose()
        for server in self._servers:
            server.__exit__()

    def turn(self, asked: Conversation) -> Turn:
        return Turn(self, request(asked, self.model))

    async def answered(self, asked: Conversation) -> str:
        turn = self.turn(asked)
        turn.start()
        await read(turn)
        assert turn.state is TurnState.DONE
        return turn.reply.text


def request(asked: Conversation, model: str) -> Request:
    return asked.request(model=model, options=Options(max_tokens=1000))


async def read(turn: Turn) -> None:
    async for _ in heard(turn):
        pass


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    provider = Provider(tmp_path)
    yield provider
    await provider.aclose()


@pytest.fixture
async def expected(tmp_path: Path) -> str:
    """The second answer of a program that was never paused."""
    provider = Provider(tmp_path)
    assert await provider.answered(FIRST) == "[0]"
    text = await provider.answered(SECOND)
    await provider.aclose()
    return text


@pytest.mark.parametrize("pauses", [1, 3])
async def test_prompt_that_was_being_computed(provider: Provider, expected: str, pauses: int) -> None:
    """In a conversation: from the end of the answer before it on, in one go, however often it was paused."""
    await provider.answered(FIRST)
    turn = provider.turn(SECOND)
    turn.start()
    for _ in range(pauses):
        computing = Gate()
        provider.llama.computing.append(computing)
        await computing.wait()
        await turn.pause()
        turn.resume()
    await read(turn)

    assert turn.reply.text == expected
    assert [segment.end_reason for segment in turn.reply.segments] == [EndReason.STOP]


async def test_prompt_of_which_nothing_was_heard(provider: Provider, expected: str) -> None:
    """Paused before the engine has said that it begins, which it does all the same."""
    await provider.answered(FIRST)
    arrived, may = Gate(), Gate()
    provider.llama.silent.append((arrived, may))
    turn = provider.turn(SECOND)
    turn.start()
    await arrived.wait()
    await turn.pause()
    may.open()

    turn.resume()
    await read(turn)

    assert turn.reply.text == expected


async def test_prompt_that_waited_while_others_were_answered(provider: Provider, expected: str) -> None:
    """It comes back from the cache, without what was computed of it; the other conversation is kept there."""
    await provider.answered(FIRST)
    turn = provider.turn(SECOND)
    computing = Gate()
    provider.llama.computing.append(computing)
    turn.start()
    await computing.wait()
    await turn.pause()

    other = await provider.answered(OTHER)
    turn.resume()
    await read(turn)

    assert turn.reply.text == expected
    assert other == f"[0, {len('<user>Name a ')}]"
    assert any(bytes(token for token, _ in cells).endswith(other.encode()) for cells in provider.llama.cache)


async def test_question_that_was_answered_is_asked_anew_from_what_is_there(provider: Provider) -> None:
    """Then a long prompt is not computed a second time."""
    await provider.answered(FIRST)

    assert (
        await provider.answered(FIRST) == f"[0, {len(template([{'role': 'user', 'content': 'Name a colour.'}])) - 1}]"
    )


async def test_program_may_end_while_nothing_was_heard(provider: Provider) -> None:
    """Nothing waits for the engine, and nothing is left running."""
    arrived, may = Gate(), Gate()
    provider.llama.silent.append((arrived, may))
    turn = provider.turn(FIRST)
    turn.start()
    await arrived.wait()

    await turn.cancel()

    assert turn.state is TurnState.CANCELLED
