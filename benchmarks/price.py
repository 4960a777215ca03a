"""What pauses cost: an answer of 4,000 tokens behind a conversation of 20,000, paused five times, as providers bill it.

The program is the real one, from the turn down to the socket; the provider is a server that keeps a cache and a bill as
the documentation of the real ones has it. What is compared is the input, in tokens at the price of input: those that
the cache has count a share of one, those that are written to it more than one. The output is the same in all cases.

The conversation was answered before, so that the cache has it, and no pause is longer than that lives. "Naive" is the
same without any cache: all of it anew, at each pause. Where the answer goes on at the provider (a cursor), it is asked
for once.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.billing import BYTES, Cache, Rules
from benchmarks.measure import Row
from benchmarks.wires import wire_of
from llmterm.config import Price
from llmterm.config.prices import CHECKED, listed
from llmterm.conversation import Conversation
from llmterm.marker import DEFAULT_MARKER, marker_note
from llmterm.messages import Message, Usage
from llmterm.providers import anthropic, openai, responses
from llmterm.providers.http import HttpProvider
from llmterm.providers.promptcache import told
from llmterm.providers.wire import Wire
from llmterm.transport import Breaker, Endpoint, KeyRing, Proxies, RateLimits, RetryPolicy, Transport
from llmterm.turn import Turn, TurnState
from tests.reading import heard
from tests.wire import Exchange, WireServer

CONVERSATION, ANSWER, PAUSES = 20_000, 4_000, 5
GOAL = 0.15
_TURNS = 10
_MILLION = 1_000_000


def _words(tokens: int, name: str) -> str:
    """Return a text of so many tokens, in which no word comes twice."""
    return "".join(f"{name}{number:06d} " for number in range(tokens * BYTES // 8))


TEXT = _words(ANSWER, "a")
QUESTION = _words(40, "q")
_EACH = len(TEXT) // (PAUSES + 1) // 8 * 8
PARTS = [TEXT[_EACH * number : None if number == PAUSES else _EACH * (number + 1)] for number in range(PAUSES + 1)]
_ENDS = [_EACH * (number + 1) for number in range(PAUSES)] + [len(TEXT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model of a provider, and how that bills it. `goal` is for what pauses cost of the naive bill, None for none."""

    provider: str
    model: str
    wire: Wire
    rules: Rules
    price: Price | None = None
    goal: float | None = GOAL
    cursor: bool = False


SUBJECTS = (
    Subject(provider="openai", model="gpt-6.1-terra", wire=openai.wire(official=True), rules=Rules(by="breakpoint")),
    Subject(
        provider="anthropic", model="claude-sonnet-5-5", wire=anthropic.wire(), rules=Rules(by="mark", lookback=20)
    ),
    Subject(
        provider="anthropic",
        model="claude-opus-5",
        wire=anthropic.wire(),
        rules=Rules(by="mark", least=512, lookback=20),
    ),
    # Its price depends on the hour; the shares do not. https://api-docs.deepseek.com/quick_start/pricing
    Subject(
        provider="deepseek",
        model="deepseek-flash",
        wire=openai.wire(continuation="prefix"),
        rules=Rules(by="beginning", least=64, step=64),
        price=Price(input=0.15, output=0.6, cached=0.003),
    ),
    # What its cache has is no tenth.
    Subject(provider="xai", model="grok-4.7", wire=openai.wire(), rules=Rules(by="beginning", step=128), goal=None),
    Subject(
        provider="openai",
        model="gpt-6.1-terra",
        wire=responses.wire(official=True, background=True),
        rules=Rules(by="breakpoint"),
        cursor=True,
    ),
)


class Biller:
    """A script for a `WireServer`: answers a part at a time, until its reader leaves, and bills what it is asked."""

    def __init__(self, rules: Rules) -> None:
        self.bills: list[Usage] = []
        self._cache = Cache(rules)

    async def __call__(self, exchange: Exchange) -> None:
        path, query = (part := urlsplit(exchange.path)).path, parse_qs(part.query)
        await exchange.start()
        if exchange.method == "GET":
            await self._tell(exchange, int(query["starting_after"][0]))
            return
        self.bills.append(self._cache.take(path, exchange.body))
        if exchange.body.get("background"):
            await exchange.raw(_event(0, "response.created", response={"id": "resp_1", "model": "m"}))
            await self._tell(exchange, 0)
            return
        wire, so_far = wire_of(path), _so_far(exchange.body)
        number = sum(len(so_far) >= end - 1 for end in _ENDS[:-1])  # less the white space that was left out
        asks = QUESTION in json.dumps(exchange.body)
        await exchange.raw(wire.begin + wire.delta(TEXT[len(so_far) : _ENDS[number]] if asks else "Well."))
        if asks and number < PAUSES:
            await exchange.hung_up()
        else:
            await exchange.raw(wire.end(1))
            await exchange.close()

    async def _tell(self, exchange: Exchange, after: int) -> None:
        """Send the part behind that event of an answer that goes on without its reader."""
        await exchange.raw(_event(after + 1, "response.output_text.delta", delta=PARTS[after]))
        if after < PAUSES:
            await exchange.hung_up()
        else:
            await exchange.raw(_event(after + 2, "response.completed", response={"id": "resp_1", "output": []}))
            await exchange.close()


def _event(number: int, kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **more})}\n\n".encode()


def _so_far(body: dict[str, Any]) -> str:
    """Return what a request says of the answer: all that the model has said since the question."""
    said = [(each["role"], each["content"]) for each in body.get("messages") or body["input"]]
    asked = max((at for at, (_, content) in enumerate(said) if QUESTION in json.dumps(content)), default=len(said))
    return "".join(str(content) for role, content in said[asked:] if role == "assistant")


def conversation() -> Conversation:
    """Return one of so many tokens that ends with the question."""
    each = (CONVERSATION * BYTES - len(QUESTION)) // (2 * _TURNS) // BYTES
    said = Conversation(system="Be brief.")
    for number in range(_TURNS):
        said = said.ask(_words(each, f"u{number}"[-1])).add(Message(role="assistant", text=_words(each, "b")))
    return said.ask(QUESTION)


@asynccontextmanager
async def asked(subject: Subject, server: WireServer) -> AsyncIterator[HttpProvider]:
    """Give the provider as the program makes it for its own address, but for the address."""
    endpoint = Endpoint(
        subject.provider,
        KeyRing(["key"]),
        RateLimits(),
        Breaker(threshold=math.inf),
        RetryPolicy(1, 0.0),
    )
    path = "" if subject.wire.name == "anthropic" else "/v1"
    provider = HttpProvider(
        Transport(proxies=Proxies.of({})),
        told(subject.provider, subject.wire),
        endpoint,
        base_url=server.address + path,
    )
    try:
        yield provider
    finally:
        await provider.aclose()


async def bills(subject: Subject) -> list[Usage]:
    """Return what was billed, from the question on."""
    biller, said = Biller(subject.rules), conversation()
    note = marker_note(DEFAULT_MARKER)
    with WireServer(biller) as server:
        async with asked(subject, server) as provider:
            before = replace(said, messages=said.messages[:-2])
            requests = [each.request(model=subject.model, note=note) for each in (before, said)]
            earlier, request = (replace(each, session="s", background=False) for each in requests)
            await _answered(Turn(provider, earlier))
            biller.bills.clear()
            text = await _paused(Turn(provider, replace(request, background=subject.cursor)), subject)
    if not text.startswith(TEXT):
        raise RuntimeError(f"{subject.provider}: the answer is not what was said")
    return biller.bills


async def _answered(turn: Turn) -> None:
    turn.start()
    async for _ in heard(turn):
        pass


async def _paused(turn: Turn, subject: Subject) -> str:
    """Have it answered with so many pauses, and return the answer."""
    turn.start()
    for end in _ENDS[:-1]:
        async for _ in heard(turn):
            if len(turn.reply.body) >= end:
                break
        await (turn.detach() if subject.cursor else turn.pause())
        turn.resume()
    async for _ in heard(turn):
        pass
    if turn.state is not TurnState.DONE:
        raise RuntimeError(f"{subject.provider}: the answer is {turn.state}")
    return turn.reply.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """Input in tokens at the price of input: of the answer without a pause, and with them, without and with a cache."""

    uninterrupted: float
    naive: float
    cached: float

    @classmethod
    def of(cls, subject: Subject, found: list[Usage]) -> Billed:
        price = subject.price or listed(subject.provider, subject.model, CHECKED)
        assert price is not None
        each = [price.cost(usage) / price.input * _MILLION for usage in found]
        return cls(uninterrupted=each[0], naive=float(sum(usage.input_tokens for usage in found)), cached=sum(each))


def run() -> list[Row]:
    return [_row(subject, Billed.of(subject, asyncio.run(bills(subject)))) for subject in SUBJECTS]


def _row(subject: Subject, billed: Billed) -> Row:
    name = f"{subject.provider}/{subject.model}"
    if subject.cursor:
        return Row(
            what=f"{name}, cursor, against uninterrupted",
            ours=f"{billed.cached:,.0f}",
            baseline=f"{billed.uninterrupted:,.0f}",
            ratio=f"{billed.cached / billed.uninterrupted:.3f}",
            goal="= 1",
            met="met" if billed.cached == billed.uninterrupted else "MISSED",
        )
    ratio = billed.cached / billed.naive
    return Row(
        what=f"{name}, cached, against naive (uninterrupted {billed.uninterrupted:,.0f})",
        ours=f"{billed.cached:,.0f}",
        baseline=f"{billed.naive:,.0f}",
        ratio=f"{ratio:.3f}",
        goal="-" if subject.goal is None else f"<= {subject.goal:g} x",
        met="-" if subject.goal is None else "met" if ratio <= subject.goal else "MISSED",
    )
