"""Signs of life, of every provider: what keeps an answer waited for, for how long, and how one ends that never closes.

All providers are asked at the same time, as each case takes its while.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pytest

from llmterm.config import BUILT_IN, ProvidersSettings, RemoteSettings, Settings
from llmterm.errors import StreamTimeoutError
from llmterm.messages import EndReason, StreamLimits, TextDelta, Usage, UsageReport
from llmterm.turn import Turn, TurnState
from tests.contract.caller import Answer, Caller
from tests.contract.dialects import ALL, INPUT_TOKENS, OUTPUT_TOKENS, Dialect, Responses, _sse, label
from tests.reading import heard
from tests.wire import Exchange, Script

COUNTED = Usage(input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS)
Case: TypeAlias = Callable[["Spoken"], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Spoken:
    """A provider's words in this suite: what it says besides text, over and over, while it thinks unseen."""

    dialect: Dialect
    heartbeats: tuple[bytes, ...]
    text: bytes
    ending: bytes
    marker: bytes
    responses: bool = False

    @property
    def settings(self) -> Settings:
        if not self.responses:
            return Settings()
        openai = replace(RemoteSettings.of(BUILT_IN["openai"]), api="responses")
        return Settings(providers=ProvidersSettings(remotes={"openai": openai}))

    @property
    def name(self) -> str:
        return "responses" if self.responses else label(self.dialect)

    def caller(self, script: Script) -> Caller:
        return Caller(self.dialect, script, settings=self.settings)


def spoken(dialect: Dialect) -> Spoken:
    heartbeats = (dialect.comment, dialect.opening(), dialect.text(""), dialect.thinking(""))
    return Spoken(dialect, tuple(filter(None, heartbeats)), dialect.text("text"), dialect.ending(), dialect.marker)


def responses() -> Spoken:
    def event(kind: str, **more: object) -> bytes:
        return _sse({"type": kind, **more}, kind)

    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    return Spoken(
        next(each for each in ALL if each.name == "openai"),
        (
            event("response.created", response={"status": "in_progress"}),
            event("response.queued", response={"status": "queued"}),
            event("response.output_item.added", output_index=0, item={"type": "reasoning", "summary": []}),
            event("response.reasoning_summary_text.delta", delta=""),
            b": keep-alive\n\n",
        ),
        event("response.output_text.delta", delta="text"),
        event("response.completed", response={"output": [], "usage": usage}),
        b"",
        responses=True,
    )


BY_HTTP = [*map(spoken, ALL), responses()]
EVERYBODY = [*BY_HTTP, spoken(Responses(transport="websocket"))]


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Have what takes a second to import be there already: here seconds are counted."""
    importlib.import_module("google.genai")


async def all_at_once(case: Case, everybody: Sequence[Spoken] = EVERYBODY) -> None:
    """Run the case for every provider at the same time."""
    done = await asyncio.gather(*map(case, everybody), return_exceptions=True)
    failed = {each.name: error for each, error in zip(everybody, done, strict=True) if error is not None}
    assert not failed, failed


async def beat(exchange: Exchange, who: Spoken, times: int | None = None) -> None:
    """Give signs of life, all kinds in turn, so many times or for ever."""

    def beats() -> Iterator[bytes]:
        count = 0
        while times is None or count < times:
            yield who.heartbeats[count % len(who.heartbeats)]
            count += 1

    for frame in beats():
        await exchange.raw(frame)
        await asyncio.sleep(0.1)


async def failing(caller: Caller, limits: StreamLimits) -> tuple[StreamTimeoutError, str]:
    """Ask, and return the error that must come, and the text that came before."""
    text = ""

    async def ask() -> None:
        nonlocal text
        async with aclosing(await caller.open(limits=limits)) as answer:
            try:
                await answer.to_end()
            finally:
                text = answer.text

    with pytest.raises(StreamTimeoutError) as caught:
        await ask()
    return caught.value, text


async def test_a_model_that_thinks_unseen_is_waited_for() -> None:
    """Each sign of life gives it `first_token_timeout` again: twice as long in all here."""

    async def case(who: Spoken) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.start(content_type=who.dialect.content_type)
            await beat(exchange, who, 30)
            await exchange.raw(who.text + who.ending + who.marker)
            await exchange.close()

        async with who.caller(script) as caller:
            answer = await caller.ask(limits=StreamLimits(first_token_timeout=2))

        assert (answer.text, answer.usage, answer.reason) == ("text", COUNTED, EndReason.STOP)

    await all_at_once(case)


@pytest.mark.parametrize("begun", [False, True], ids=["before the first token", "in the middle"])
async def test_signs_of_life_without_an_answer_are_not_waited_for_for_ever(begun: bool) -> None:
    """They keep a stream from being dead, but it is `silence_timeout` from the last content on."""

    async def case(who: Spoken) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.start(content_type=who.dialect.content_type)
            if begun:
                await exchange.raw(who.text)
            await beat(exchange, who)

        async with who.caller(script) as caller:
            limits = StreamLimits(first_token_timeout=30, chunk_timeout=30, silence_timeout=1)
            error, text = await failing(caller, limits)

        assert (error.timer, text) == ("silence", "text" if begun else "")
        assert "signs of life" in error.message
        assert "silence_timeout" in error.hint

    await all_at_once(case)


@pytest.mark.parametrize("begun", [False, True], ids=["before the first token", "in the middle"])
async def test_no_limit_of_silence_leaves_the_one_of_the_dead(begun: bool) -> None:
    """A sign of life is none for ever."""

    async def case(who: Spoken) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.start(content_type=who.dialect.content_type)
            await exchange.raw(who.text if begun else b"".join(who.heartbeats))
            await exchange.hung_up()

        async with who.caller(script) as caller:
            dead = (
                StreamLimits(chunk_timeout=0.5) if begun else StreamLimits(first_token_timeout=0.5, quiet_timeout=0.5)
            )
            error, _ = await failing(caller, replace(dead, silence_timeout=None))

        assert error.timer == ("chunk" if begun else "first token")

    await all_at_once(case)


@pytest.mark.parametrize("marked", [False, True], ids=["without the marker", "with the marker"])
async def test_an_answer_whose_stream_never_closes_is_over(marked: bool) -> None:
    """Heartbeats after the reason to finish, or an open connection: the text and the usage are all there is."""

    async def case(who: Spoken) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.start(content_type=who.dialect.content_type)
            end = who.ending + (who.marker if marked or who.dialect.name == "ollama" else b"")
            await exchange.raw(who.text + end)
            if marked:
                await exchange.hung_up()
            else:
                await beat(exchange, replace(who, heartbeats=(who.dialect.comment,)))

        async with who.caller(script) as caller:
            answer = await caller.ask(limits=StreamLimits(chunk_timeout=300))
            await caller.server.wait_async(lambda: caller.server.open_connections == 0)

        assert (answer.text, answer.reason) == ("text", EndReason.STOP)
        assert answer.usage is not None
        assert answer.usage.output_tokens == OUTPUT_TOKENS

    await all_at_once(case, BY_HTTP)


async def test_pausing_an_answer_that_only_does_not_close_is_its_end() -> None:
    """Nothing is missing of it, so nothing is to be gone on with."""

    async def case(who: Spoken) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.start(content_type=who.dialect.content_type)
            await exchange.raw(who.text + who.ending + (who.marker if who.dialect.name == "ollama" else b""))
            await exchange.hung_up()

        async with who.caller(script) as caller:
            turn = Turn(caller.provider, caller.request())
            turn.start()
            async for event in heard(turn):
                if isinstance(event, UsageReport):
                    break
            snapshot = await turn.pause()

        assert (turn.state, snapshot.reply.text) == (TurnState.DONE, "text")

    await all_at_once(case)


@pytest.mark.parametrize("begun", [False, True], ids=["without headers", "after them"])
@pytest.mark.parametrize(
    ("name", "model", "quiet"),
    [
        ("ollama", "gemma3", True),
        ("openai", "gpt-6.1-terra", True),
        ("openai", "gpt-4.1", False),
        ("responses", "gpt-6.1-terra", True),
        ("anthropic", "claude-haiku-4-5", False),
    ],
)
async def test_who_is_known_to_be_quiet_before_the_first_word_has_a_limit_of_its_own(
    name: str, model: str, quiet: bool, begun: bool
) -> None:
    """No byte comes while Ollama loads a model, or one of OpenAI's thinks."""
    who = next(each for each in EVERYBODY if each.name == name)

    async def script(exchange: Exchange) -> None:
        if begun:
            await exchange.start(content_type=who.dialect.content_type)
        await exchange.hung_up()

    limits = StreamLimits(first_token_timeout=300 if quiet else 0.2, quiet_timeout=0.2 if quiet else 300)
    async with who.caller(script) as caller:
        request = replace(caller.request(), model=model)
        answer = Answer(await caller.provider.open(request, limits, caller.progress))
        with pytest.raises(StreamTimeoutError, match=r"no answer began within 0\.2 s") as caught:
            await answer.to_end()
        await answer.aclose()

    assert caught.value.timer == "first token"
    assert "first_token_timeout" in caught.value.hint


@pytest.mark.parametrize("how", ["break", "silence", "pause"])
async def test_last_event_counts_also_without_its_line_end(how: str) -> None:
    """What was received whole is not lost, however the stream ends."""

    async def case(who: Spoken) -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.start(content_type=who.dialect.content_type)
            # In one piece where nothing else would show that both have come.
            pieces = (who.text, who.text.rstrip(b"\r\n"))
            for piece in (b"".join(pieces),) if how == "pause" else pieces:
                await exchange.raw(piece)
            if how != "break":
                await exchange.hung_up()
            exchange.drop()

        async with who.caller(script) as caller:
            limits = StreamLimits(chunk_timeout=0.5 if how == "silence" else 300)
            turn = Turn(caller.provider, caller.request(), limits=limits)
            turn.start()
            if how == "pause":
                async for event in heard(turn):
                    if isinstance(event, TextDelta):
                        break
                await turn.pause()
            else:
                async for _ in heard(turn):
                    pass

        assert (turn.state, turn.reply.text) == (TurnState.PAUSED, "texttext")

    await all_at_once(case, BY_HTTP)
