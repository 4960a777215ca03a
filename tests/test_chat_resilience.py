"""The chat when providers fail: waits that are seen and can be ended, others that answer instead, what is offered."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Open, opened
from tests.wire import Exchange, Gate, Script, WireServer, say

# Longer than any test may take: whoever gets through has ended the wait.
LONG = "59"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


def configured(folder: Path, text: str) -> dict[str, str]:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return {"LLMTERM_CONFIG": str(path)}


def busy_once(then: str) -> Script:
    """Refuse the first request with a long wait, and answer the others."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await exchange.refuse(429, {"error": {"message": "slow down"}}, retry_after=LONG)
            return
        await exchange.start()
        await exchange.text(then)
        await exchange.end()

    return script


def test_wait_is_shown_and_enter_ends_it(open_chat: Open) -> None:
    """The status line says what is waited for and how long; whoever knows better asks now."""
    with open_chat(busy_once("here."), columns=120) as chat:
        chat.ask("go")
        chat.program.wait_for(
            r"too many requests \(HTTP 429\), try 2 of 3, \d+ s more \(Enter asks now, Esc gives up\)"
        )
        chat.program.send("\r")

        chat.program.wait_for(r"here\.\n\n>(\n(?!.*SPACE pause).*)?$")
        assert chat.messages()[-1]["text"] == "here."


def test_escape_ends_the_wait_and_the_question(open_chat: Open) -> None:
    """A wait is no trap: Esc gives the prompt back, and nobody is asked again."""
    with open_chat(busy_once("here."), columns=120) as chat:
        chat.ask("go")
        chat.program.wait_for("try 2 of 3")
        chat.program.send("\x1b")

        chat.program.wait_for(r"\n>(\n(?!.*SPACE pause).*)?$")
        assert len(chat.server.exchanges) == 1


def test_space_pauses_a_wait(open_chat: Open) -> None:
    """A pause during a wait is a pause like any other, and going on asks at once."""
    with open_chat(busy_once("here."), columns=120) as chat:
        chat.ask("go")
        chat.program.wait_for("try 2 of 3")
        chat.program.send(" ")
        chat.program.wait_for("paused after 0 tokens")
        chat.program.send(" ")

        chat.program.wait_for(r"here\.\n\n>(\n(?!.*SPACE pause).*)?$")


def test_retries_are_counted_in_the_record(open_chat: Open, tmp_path: Path) -> None:
    """Statistics tell how often the question had to be asked again."""
    from llmterm.sessions import SessionStore

    with open_chat(busy_once("here."), columns=120) as chat:
        chat.ask("go")
        chat.program.wait_for("try 2 of 3")
        chat.program.send("\r")
        chat.program.wait_for(r"here\.\n\n>(\n(?!.*SPACE pause).*)?$")

    store = SessionStore(tmp_path / "data")
    assert [figures.retries for figures in store.figures()] == [1]
    store.close()


def test_fallback_answers_and_the_screen_says_so(open_chat: Open, tmp_path: Path) -> None:
    """The provider's error, who answers instead, the answer, and the right name in the record."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "bad key"}})

    with WireServer(say("from the other.")) as other:
        env = configured(
            tmp_path,
            f"""
            fallback = ["mine/small"]
            [providers.mine]
            kind = "openai"
            base_url = "{other.base_url}"
            """,
        )
        with open_chat(refuse, columns=120, **env) as chat:
            chat.ask("go")
            chat.program.wait_for(
                r"(?s)bad key.*mine/small answers instead.*from the other\.\n\n>(\n(?!.*SPACE pause).*)?$"
            )

            assert [each["provider"] for each in chat.messages()[-1]["segments"]] == ["mine"]
            assert other.exchanges[0].body["model"] == "small"


def test_break_in_the_middle_pauses_and_offers_the_other(open_chat: Open, tmp_path: Path) -> None:
    """After the first token nobody else steps in by himself; one command and SPACE have him go on."""

    async def break_off(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("half an answer")
        exchange.drop()

    with WireServer(say(" and the rest.")) as other:
        env = configured(
            tmp_path,
            f"""
            fallback = ["mine/small"]
            [providers.mine]
            kind = "openai"
            base_url = "{other.base_url}"
            continuation = "prefill"
            """,
        )
        with open_chat(break_off, columns=150, **env) as chat:
            chat.ask("go")
            chat.program.wait_for(r"paused by a broken connection.* - /provider mine/small, then SPACE, goes on there")
            chat.program.send("/provider mine/small\r")
            chat.program.wait_for(r"\nmine/small")
            chat.program.send(" ")
            chat.program.wait_for(r"and the rest\.\n\n>(\n(?!.*SPACE pause).*)?$")

            answer = chat.messages()[-1]
            assert answer["text"] == "half an answer and the rest."
            assert [(each["provider"], each["mode"]) for each in answer["segments"]] == [
                ("openai", "fresh"),
                ("mine", "prefill"),
            ]


def test_failure_gives_back_what_was_queued_as_well(open_chat: Open) -> None:
    """Nothing is sent by itself after a failure, and nothing that was typed is lost."""
    held = Gate()

    async def script(exchange: Exchange) -> None:
        await held.wait()
        await exchange.refuse(401, {"error": {"message": "bad key"}})

    with open_chat(script) as chat:
        chat.ask("first")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)
        chat.program.send("second\r")
        chat.program.wait_for("queued 1: second")
        held.open()
        chat.program.wait_for(r"(?s)bad key.*\nqueued 1: second\n> first\n[^\n]*\Z")

        assert len(chat.server.exchanges) == 1


def test_whoever_stepped_in_goes_on(open_chat: Open, tmp_path: Path) -> None:
    """After a fallback SPACE resumes with the provider that answered, not with the one that could not."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "bad key"}})

    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 1:
            await exchange.text("half ")
            await exchange.hung_up()
            return
        await exchange.text("whole.")
        await exchange.end()

    with WireServer(script) as other:
        env = configured(
            tmp_path,
            f"""
            fallback = ["mine/small"]
            [providers.mine]
            kind = "openai"
            base_url = "{other.base_url}"
            """,
        )
        with open_chat(refuse, columns=120, **env) as chat:
            chat.ask("go")
            chat.program.wait_for("half")
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            chat.program.send(" ")
            chat.program.wait_for(r"half whole\.\n\n>(\n(?!.*SPACE pause).*)?$")

            assert len(chat.server.exchanges) == 1


def test_models_complete(open_chat: Open) -> None:
    """Tab after /model asks the provider what it has."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, {"data": [{"id": "large-1"}, {"id": "small-1"}]})

    with open_chat(script) as chat:
        chat.program.send("/model sm\t")
        chat.program.wait_for("> /model small-1")
        chat.program.send("\r")
        chat.program.wait_for(r"\nopenai/small-1")


def test_same_question_is_answered_from_the_cache(open_chat: Open) -> None:
    """With --cache the second of two identical questions asks nobody."""
    with open_chat(say("only once."), "--cache") as chat:
        for _ in range(2):
            chat.ask("go")
            chat.program.wait_for(r"only once\.\n\n>(\n(?!.*SPACE pause).*)?$")
            chat.program.send("/clear\r")
            chat.program.wait_for(r"\A>(\n(?!.*SPACE pause).*)?$")

        assert len(chat.server.exchanges) == 1


def test_debug_log_tells_what_happened_and_not_what_was_said(open_chat: Open) -> None:
    """Start, first token, end; no question, no answer, no key."""
    with open_chat(say("a private answer."), "--debug") as chat:
        chat.ask("a private question")
        chat.program.wait_for(r"a private answer\.\n\n>(\n(?!.*SPACE pause).*)?$")

        text = (chat.folder / "debug.jsonl").read_text("utf-8")
        assert [json.loads(line)["event"] for line in text.splitlines()] == ["start", "response", "first token", "end"]
        assert not any(word in text for word in ("private", "sk-test"))


def test_absurd_token_counts_leave_the_chat_alive(open_chat: Open, tmp_path: Path) -> None:
    """With a price, two answers in a row: keys and the next question work, and the figures are shown."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        await exchange.text(f"answer {asked}.")
        await exchange.raw(
            b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}],'
            b' "usage": {"prompt_tokens": %b, "completion_tokens": %b}}\n\n' % ((b"9" * 4300,) * 2)
        )
        await exchange.raw(b"data: [DONE]\n\n")
        await exchange.close()

    priced = configured(tmp_path, '[providers.openai.prices."*"]\ninput = 1.0\noutput = 5.0\n')
    with open_chat(script, **priced) as chat:
        chat.ask("one")
        chat.program.wait_for(r"answer 1\.\n\n>")
        chat.ask("two")
        chat.program.wait_for(r"answer 2\.\n\n>")
        chat.ask("/tokens")
        chat.program.wait_for(r"cost|in, ")
        chat.program.send("\x04")

        assert chat.program.exit_code == 0


def test_tokens_say_what_a_resume_cost_and_the_cache_saved(open_chat: Open, tmp_path: Path) -> None:
    """By the provider's counts: those of the first part, which was cut, are estimated."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 1:
            await exchange.text("one two ")
            await exchange.hung_up()
            return
        await exchange.text("three.")
        usage = {
            "prompt_tokens": 20_000,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 19_000},
        }
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
        await exchange.raw(b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n")
        await exchange.close()

    table = '[providers.openai.prices."*"]\ninput = 1000.0\noutput = 5000.0\ncached = 100.0\n'
    with open_chat(script, columns=110, **configured(tmp_path, table)) as chat:
        chat.ask("go")
        chat.program.wait_for("one two")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(r"three\.\n\n>(\n(?!.*SPACE pause).*)?$")
        chat.ask("/tokens")
        chat.program.wait_for(r"openai/test +about 20,\d\d\d in \(19,000 cached\)")
        chat.program.wait_for(r"pauses +1 resume asked 20,000 tokens again, for 2\.9000; caches saved 17\.1000")


def test_silence_is_said_in_words_and_ended_in_time(open_chat: Open, tmp_path: Path) -> None:
    """A model that thinks unseen, one that falls silent in the middle, one that is over and does not close."""
    asked = 0
    go = Gate()

    async def beat(exchange: Exchange, until: Gate | None = None) -> None:
        waiting = asyncio.ensure_future(until.wait()) if until else None
        while waiting is None or not waiting.done():
            await exchange.raw(b": keep-alive\n\n")
            await asyncio.sleep(0.1)

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 1:
            await beat(exchange, go)
            await exchange.text("Thought over.")
            await exchange.raw(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n')
        elif asked == 2:
            await exchange.text("Half of ")
        await beat(exchange)

    limits = configured(tmp_path, "[stream]\nfirst_token_timeout = 2\nsilence_timeout = 4\n")
    with open_chat(script, columns=120, **limits) as chat:
        chat.ask("one")
        chat.program.wait_for(r"thinking, [2-9] s - SPACE pause")
        go.open()
        chat.program.wait_for(r"Thought over\.\n\n>")

        chat.ask("two")
        chat.program.wait_for(r"Half of[\s\S]*thinking, \d s - SPACE pause")
        chat.program.wait_for(r"signs of life, but no answer for 4 s[\s\S]*paused by silence")
        chat.program.send("\x1b")
        chat.program.wait_for(r"/continue goes on with the answer")
        assert [message["text"] for message in chat.messages()] == ["one", "Thought over.", "two", "Half of "]
