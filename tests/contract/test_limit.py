"""The token limit is the answer's: whoever goes on with one asks for what is left of it. On every wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from llmterm.messages import EndReason, Options
from llmterm.turn import Turn, TurnState
from tests.contract.caller import Caller
from tests.contract.dialects import ALL, Dialect, Responses, label
from tests.reading import heard
from tests.wire import Exchange, Script


@dataclass(frozen=True, slots=True)
class Wire:
    """A dialect, and where in its requests the limit stands."""

    dialect: Dialect
    field: tuple[str, ...]

    def ending(self) -> bytes:
        return self.dialect.ending(EndReason.LENGTH) + self.dialect.marker

    def limit(self, exchange: Exchange) -> Any:
        found: Any = exchange.body
        for name in self.field:
            assert isinstance(found, Mapping)
            found = found.get(name)
        return found


FIELDS = {
    "openai": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "anthropic": ("max_tokens",),
    "gemini": ("generationConfig", "maxOutputTokens"),
    "gemini-wire": ("generationConfig", "maxOutputTokens"),
    "interactions": ("generation_config", "max_output_tokens"),
    "cohere": ("max_tokens",),
    "ollama": ("options", "num_predict"),
    "local": ("max_tokens",),
}
WIRES = tuple(Wire(each, FIELDS[label(each)]) for each in ALL)


@pytest.fixture(params=WIRES, ids=lambda wire: label(wire.dialect))
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


def telling(wire: Wire, *pauses: int) -> Script:
    """Answer with so many words and then silence, one number a request; after the last of them end by the limit."""
    left = list(pauses)

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=wire.dialect.content_type)
        for number in range(left.pop(0) if left else 0):
            await exchange.raw(wire.dialect.text(f"w{len(left)}{number} "))
        if left:
            await exchange.hung_up()
        await exchange.raw(wire.ending())
        await exchange.close()

    return script


async def hear(turn: Turn, words: int) -> None:
    """Read until so many words are there, and pause."""
    async for _ in heard(turn):
        if turn.reply.text.count(" ") >= words:
            break
    await turn.pause()


async def rest(turn: Turn) -> None:
    async for _ in heard(turn):
        pass


def written(turn: Turn) -> list[int]:
    return [segment.usage.output_tokens for segment in turn.reply.segments]


async def test_resume_asks_for_what_is_left_of_the_limit(wire: Wire) -> None:
    """Twice in one answer; after an end by the limit for all of it again."""
    async with Caller(wire.dialect, telling(wire, 3, 5, 1)) as caller:
        turn = Turn(caller.provider, caller.request(options=Options(max_tokens=100)))
        turn.start()
        await hear(turn, 3)
        turn.resume()
        await hear(turn, 8)
        turn.resume()
        await rest(turn)
        asked = [wire.limit(exchange) for exchange in caller.server.exchanges]
        first, second, _ = written(turn)
        turn.resume()
        await rest(turn)
        again = wire.limit(caller.server.exchanges[-1])

    assert turn.reason is EndReason.LENGTH
    assert min(first, second) >= 1
    assert asked == [100, 100 - first, 100 - first - second]
    assert again == 100


async def test_answer_at_its_limit_is_not_asked_for_nothing(wire: Wire) -> None:
    """Paused with its last token: it ends by the limit without a request, and the next one has a whole limit."""
    async with Caller(wire.dialect, telling(wire, 4, 1)) as caller:
        turn = Turn(caller.provider, caller.request(options=Options(max_tokens=1)))
        turn.start()
        await hear(turn, 4)
        turn.resume()
        await rest(turn)

        assert (turn.state, turn.reason) == (TurnState.PAUSED, EndReason.LENGTH)
        assert len(caller.server.exchanges) == 1
        assert [each.end_reason for each in turn.reply.segments] == [EndReason.PAUSE, EndReason.LENGTH]

        turn.resume()
        await rest(turn)

    assert [wire.limit(exchange) for exchange in caller.server.exchanges] == [1, 1]


async def test_answer_without_a_limit_is_gone_on_with_without_one(wire: Wire) -> None:
    """But for Anthropic, which wants one: there it is the model's own, of which the rest is asked for."""
    async with Caller(wire.dialect, telling(wire, 3, 1)) as caller:
        turn = Turn(caller.provider, caller.request())
        turn.start()
        await hear(turn, 3)
        turn.resume()
        await rest(turn)
        asked = [wire.limit(exchange) for exchange in caller.server.exchanges]

    if wire.dialect.name == "anthropic":
        assert asked == [64_000, 64_000 - written(turn)[0]]
    else:
        assert asked == [None, None]


async def test_smallest_limit_of_responses_is_kept_to() -> None:
    """Fewer than sixteen are refused there, also where fewer are left."""
    wire = Wire(Responses(), FIELDS["responses"])
    async with Caller(wire.dialect, telling(wire, 3, 1)) as caller:
        turn = Turn(caller.provider, caller.request(options=Options(max_tokens=17)))
        turn.start()
        await hear(turn, 3)
        turn.resume()
        await rest(turn)
        asked = [wire.limit(exchange) for exchange in caller.server.exchanges]

    assert asked == [17, 16]
