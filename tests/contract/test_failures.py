"""Answers that fail: one kind of error for one kind of failure, whoever says it, and never a key in it.

`fails` looks through each error for keys; the scripted servers repeat the one they were asked with wherever they can.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from llmterm.config import BUILT_IN, ProvidersSettings, RemoteSettings, Settings
from llmterm.conversation import Conversation
from llmterm.errors import (
    AuthError,
    ConnectError,
    ContextTooLongError,
    ModelNotFoundError,
    NetworkError,
    ProtocolError,
    RateLimitError,
    RequestRefusedError,
    ServerError,
    StreamTimeoutError,
)
from llmterm.messages import EndReason, StreamEvent, StreamLimits, UsageReport
from tests.contract.caller import KEY, KEY_MARK, Answer, Caller, answering, fails, refuse
from tests.contract.dialects import ALL, Dialect, label, whole
from tests.wire import Exchange, Gate, Script, WireServer, say

NAMED = [pytest.param(dialect, id=label(dialect)) for dialect in ALL if dialect.request_id]
SLOW_TO_BEGIN = StreamLimits(first_token_timeout=0.2, quiet_timeout=0.2)
SILENT = StreamLimits(chunk_timeout=0.2)
PAGE = f"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>{KEY}</body>\n</html>\n".encode()


def refusing(dialect: Dialect, status: int, words: str, **headers: str) -> Script:
    """Return a script that refuses everything; whoever asks for the models gets a list without any."""

    async def script(exchange: Exchange) -> None:
        if exchange.body:
            await refuse(exchange, dialect, status, words, headers=headers)
        else:
            await exchange.refuse(200, dialect.listing())

    return script


def failing_first(dialect: Dialect, *failures: Script) -> Script:
    """Return a script that does one of these for each request, and answers those that come after."""
    left = list(failures)

    async def script(exchange: Exchange) -> None:
        await (left.pop(0) if left else answering(dialect, *whole(dialect, "answer")))(exchange)

    return script


async def test_refused_key_is_an_auth_error(dialect: Dialect) -> None:
    """In each provider's own way, some of which are a status 400; it is not asked again."""
    status, words = dialect.bad_key
    async with Caller(dialect, refusing(dialect, status, words)) as caller:
        with fails(AuthError, words) as caught:
            await caller.ask()

    error = caught.value
    assert (error.provider, error.model, error.status) == (dialect.name, dialect.model, status)
    assert "check the key" in error.hint
    assert len(caller.server.exchanges) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_forbidden_is_an_auth_error(dialect: Dialect, status: int) -> None:
    """Whatever the words."""
    async with Caller(dialect, refusing(dialect, status, "no")) as caller:
        with fails(AuthError, f"HTTP {status}"):
            await caller.ask()


async def test_unknown_model_is_named(dialect: Dialect) -> None:
    """With what to look at, also where there is no list to choose from."""
    async with Caller(dialect, refusing(dialect, 404, "unknown")) as caller:
        with fails(ModelNotFoundError, rf"model {dialect.model}\b") as caught:
            await caller.ask()

    assert (caught.value.status, caught.value.model) == (404, dialect.model)
    assert "check the model's name" in caught.value.hint


async def test_model_that_is_no_more_brings_its_successor(remote: Dialect) -> None:
    """Without a list being asked for, which may still name it. A server of one's own may have what is gone."""
    gone = {
        "anthropic": ("claude-3-opus-latest", "was retired on 2026-01-05: claude-opus-5-5"),
        "gemini": ("gemini-2.0-flash", "was retired on 2026-06-01: gemini-3.8-flash"),
        "cohere": ("command-r", "was retired on 2025-09-15: command-a-plus-05-2026"),
    }
    if remote.name not in gone:
        return  # an address of its own, which all but these have here, is one's own server
    model, words = gone[remote.name]

    async with Caller(remote, refusing(remote, 404, f"the model `{model}` does not exist")) as caller:
        request = Conversation().ask("q").request(model=model)
        with fails(ModelNotFoundError) as caught:
            stream = await caller.provider.open(request, StreamLimits(), caller.progress)
            await stream.read()

        assert len(caller.server.exchanges) == 1

    assert caught.value.hint == f"{model} {words} follows it"


async def test_unknown_model_brings_the_nearest_one(remote: Dialect) -> None:
    """Of those that the provider lists."""

    async def script(exchange: Exchange) -> None:
        if exchange.body:
            await refuse(exchange, remote, 404, "unknown")
        else:
            await exchange.refuse(200, remote.listing("zebra", f"{remote.model}-new"))

    async with Caller(remote, script) as caller:
        with fails(ModelNotFoundError) as caught:
            await caller.ask()

    assert caught.value.hint == f"did you mean {remote.model}-new?"


async def test_rate_limit_is_waited_for_as_long_as_it_says(remote: Dialect) -> None:
    """In a header or in the body; then the answer comes."""
    limited = refusing(remote, 429, "slow down", **({} if remote.name == "gemini" else {"retry_after": "7"}))
    async with Caller(remote, failing_first(remote, limited)) as caller:
        answer = await caller.ask()

    assert (answer.text, answer.reason) == ("answer", EndReason.STOP)
    assert caller.progress.waits == [(7, "too many requests (HTTP 429), try 2 of 3")]
    assert caller.progress.retries == 1


@pytest.mark.parametrize("status", [503, 529])
async def test_overloaded_provider_is_asked_again(remote: Dialect, status: int) -> None:
    """Until it answers."""
    busy = refusing(remote, status, "overloaded")
    async with Caller(remote, failing_first(remote, busy, busy)) as caller:
        answer = await caller.ask()

    assert answer.text == "answer"
    assert [why for _, why in caller.progress.waits] == [
        f"the provider is overloaded (HTTP {status}), try 2 of 3",
        f"the provider is overloaded (HTTP {status}), try 3 of 3",
    ]


async def test_overloaded_provider_is_given_up_in_the_end(remote: Dialect) -> None:
    """After the third try, with its own words."""
    async with Caller(remote, refusing(remote, remote.busy, "overloaded")) as caller:
        with fails(ServerError, "overloaded") as caught:
            await caller.ask()

    assert caught.value.status == remote.busy
    assert len(caller.server.exchanges) == 3


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitError), (500, ServerError), (503, ServerError), (529, ServerError)]
)
async def test_refusal_for_the_moment_has_its_kind(
    dialect: Dialect, status: int, kind: type[RateLimitError | ServerError]
) -> None:
    """Where nobody asks again, as for the embedded model, it is what one sees."""
    async with Caller(dialect, refusing(dialect, status, "not now"), settings=once()) as caller:
        with fails(kind, "not now") as caught:
            await caller.ask()

    assert caught.value.status == status
    assert caller.progress.waits == []


def once() -> Settings:
    """Return settings with which nothing is tried again."""
    settings = Settings()
    return replace(settings, retry=replace(settings.retry, attempts=1))


async def test_context_that_is_too_long_is_told_from_other_refusals(dialect: Dialect) -> None:
    """By what each provider says; the hint is what helps."""
    async with Caller(dialect, refusing(dialect, 400, dialect.too_long)) as caller:
        with fails(ContextTooLongError) as caught:
            await caller.ask()

    assert "/clear" in caught.value.hint
    assert len(caller.server.exchanges) == 1


@pytest.mark.parametrize("named", NAMED)
async def test_name_of_the_request_is_in_the_error(named: Dialect) -> None:
    """For the provider's support."""
    async with Caller(named, refusing(named, 400, "no", **{named.request_id: "req_123"})) as caller:
        with fails(RequestRefusedError, "request req_123") as caught:
            await caller.ask()

    assert caught.value.request_id == "req_123"


async def test_failure_in_the_middle_comes_after_the_text(dialect: Dialect) -> None:
    """It has HTTP 200; what was said before it is kept, and nobody asks again."""

    async def script(exchange: Exchange) -> None:
        failure = dialect.failure(f"it broke for {dialect.key(exchange.headers) or 'you'}")
        await answering(dialect, dialect.opening(), dialect.text("kept"), failure)(exchange)

    async with Caller(dialect, script) as caller, aclosing(await caller.open()) as answer:
        with fails(ServerError, r"it broke for (\*\*\*|you)"):
            await answer.to_end()

        assert answer.text == "kept"
        assert len(caller.server.exchanges) == 1
        assert caller.progress.waits == []


async def test_failure_before_the_first_text_is_tried_again(remote: Dialect) -> None:
    """An accepted request that brought nothing can be asked once more; its figures are not those of the answer."""
    failed = answering(remote, remote.opening(), remote.failure("overloaded"))
    async with Caller(remote, failing_first(remote, failed)) as caller:
        answer = await caller.ask()
        untroubled = await caller.ask()

    assert answer.text == "answer"
    assert caller.progress.retries == 1
    assert reports(answer) == reports(untroubled)


def reports(answer: Answer) -> list[StreamEvent]:
    return [event for event in answer.events if isinstance(event, UsageReport)]


async def test_connection_cut_in_the_middle_keeps_the_text(dialect: Dialect) -> None:
    """It is a network error, and what came is never asked for again."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=dialect.content_type)
        await exchange.raw(dialect.opening() + dialect.text("kept"))
        await gate.wait()
        exchange.drop()

    async with Caller(dialect, script) as caller, aclosing(await caller.open()) as answer:
        await answer.until("kept")
        gate.open()
        with fails(NetworkError, "broke"):
            await answer.to_end()

        assert len(caller.server.exchanges) == 1


async def test_connection_cut_before_the_first_text_is_tried_again(remote: Dialect) -> None:
    """Before the headers, and after them."""

    async def hang_up(exchange: Exchange) -> None:
        exchange.drop()

    cut = answering(remote, remote.opening(), end=False)
    async with Caller(remote, failing_first(remote, hang_up, cut)) as caller:
        answer = await caller.ask()

    assert answer.text == "answer"
    assert [why for _, why in caller.progress.waits] == [
        "the connection broke, try 2 of 3",
        "the connection broke, try 3 of 3",
    ]


async def test_nobody_there_is_a_connect_error(remote: Dialect) -> None:
    """After the tries that a restart of the server might need."""
    with WireServer(say()) as gone:
        nowhere = gone.address

    environ = {remote.url_variable: nowhere + remote.url_path}
    async with Caller(remote, say(), environ=environ) as caller:
        with fails(ConnectError, "is the server running"):
            await caller.ask()

    assert caller.progress.retries == 2


async def test_stall_in_the_middle_times_out(dialect: Dialect) -> None:
    """With a name: it is the timer of chunks that ran out."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(content_type=dialect.content_type)
        await exchange.raw(dialect.opening() + dialect.text("kept"))
        await exchange.hung_up()

    async with Caller(dialect, script) as caller, aclosing(await caller.open(limits=SILENT)) as answer:
        with fails(StreamTimeoutError, "nothing came") as caught:
            await answer.to_end()

        assert (caught.value.timer, answer.text) == ("chunk", "kept")


@pytest.mark.parametrize("accepted", [False, True])
async def test_stall_before_the_first_text_times_out(dialect: Dialect, accepted: bool) -> None:
    """Pings and figures are no text; a model that is this slow is not asked again."""

    async def script(exchange: Exchange) -> None:
        if accepted:
            await exchange.start(content_type=dialect.content_type)
            await exchange.raw(dialect.comment + dialect.opening() + dialect.comment)
        await exchange.hung_up()

    async with Caller(dialect, script) as caller:
        with fails(StreamTimeoutError, "no answer began") as caught:
            await caller.ask(limits=SLOW_TO_BEGIN)

        assert caught.value.timer == "first token"
        # On a busy machine the time may be up before the request is on its way.
        assert len(caller.server.exchanges) <= 1


async def test_nothing_but_garbage_is_a_protocol_error(dialect: Dialect) -> None:
    """It is not the API that was meant; asking again would bring the same."""
    async with Caller(dialect, answering(dialect, dialect.garbage * 3)) as caller:
        with fails(ProtocolError, "check the base URL"):
            await caller.ask()

    assert len(caller.server.exchanges) == 1


async def test_page_of_a_proxy_is_no_answer(dialect: Dialect) -> None:
    """Some sign-in pages come with HTTP 200: that is no broken connection, and no empty answer."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(200, content_type="text/html")
        await exchange.raw(PAGE)
        await exchange.close()

    async with Caller(dialect, script) as caller:
        with fails(ProtocolError, "check the base URL"):
            await caller.ask()

    assert len(caller.server.exchanges) == 1


async def test_page_of_a_gateway_is_not_shown(dialect: Dialect) -> None:
    """With its status 502 it is a failure of the server; nobody wants to read its HTML."""

    async def script(exchange: Exchange) -> None:
        await exchange.start(502, content_type="text/html")
        await exchange.raw(PAGE)
        await exchange.close()

    async with Caller(dialect, script) as caller:
        with fails(ServerError, "a web page came instead of an answer") as caught:
            await caller.ask()

    assert caught.value.status == 502
    assert "<" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_is_not_followed(dialect: Dialect, status: int) -> None:
    """The key and the question would go with it, to wherever somebody says."""
    with WireServer(say("stolen")) as elsewhere:

        async def script(exchange: Exchange) -> None:
            await exchange.refuse(status, {}, location=f"{elsewhere.address}{dialect.path}?token={KEY}")

        async with Caller(dialect, script) as caller:
            with fails(ProtocolError, "redirects are not followed") as caught:
                await caller.ask()

        assert f"it points to {elsewhere.address};" in str(caught.value)
        assert len(caller.server.exchanges) == 1
        assert elsewhere.exchanges == []


@pytest.mark.parametrize(
    "location", ["", "//[", "http://a:b:c/", "http://h\u00e9/", f"http://{'h' * 200}/", "mailto:a@b"]
)
async def test_redirect_to_nowhere_is_said_without_a_place(dialect: Dialect, location: str) -> None:
    """What a server says of another place may be anything."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(302, {}, location=location)

    async with Caller(dialect, script) as caller:
        with fails(ProtocolError, "redirects are not followed") as caught:
            await caller.ask()

    assert "it points to" not in str(caught.value)


# Several keys.

FIRST, SECOND = f"{KEY_MARK}-first-key", f"{KEY_MARK}-second-key"
TWO_KEYS = {"FIRST_KEY": FIRST, "SECOND_KEY": SECOND}


def two_keys(name: str) -> Settings:
    remote = replace(RemoteSettings.of(BUILT_IN[name]), keys=("FIRST_KEY", "SECOND_KEY"))
    return Settings(providers=ProvidersSettings(remotes={name: remote}))


def keys_used(caller: Caller) -> Sequence[str]:
    return [caller.dialect.key(exchange.headers) for exchange in caller.server.exchanges]


async def test_keys_take_turns(remote: Dialect) -> None:
    """The load is shared."""
    script = answering(remote, *whole(remote, "a"))
    async with Caller(remote, script, settings=two_keys(remote.name), environ=TWO_KEYS) as caller:
        for _ in range(4):
            await caller.ask()

    assert keys_used(caller) == [FIRST, SECOND, FIRST, SECOND]


async def test_refused_key_rests(remote: Dialect) -> None:
    """The next one answers in its place at once, and from then on."""
    status, words = remote.bad_key

    async def script(exchange: Exchange) -> None:
        if remote.key(exchange.headers) == FIRST:
            await refuse(exchange, remote, status, words)
        else:
            await answering(remote, *whole(remote, "a"))(exchange)

    async with Caller(remote, script, settings=two_keys(remote.name), environ=TWO_KEYS) as caller:
        texts = [(await caller.ask()).text for _ in range(3)]

    assert texts == ["a", "a", "a"]
    assert keys_used(caller) == [FIRST, SECOND, SECOND, SECOND]
    assert caller.progress.waits == []
    (line,) = caller.progress.said
    assert "a key was refused" in line
    assert KEY_MARK not in line


async def test_last_key_that_is_refused_is_an_error(remote: Dialect) -> None:
    """Which shows neither."""
    status, words = remote.bad_key
    script = refusing(remote, status, words)
    async with Caller(remote, script, settings=two_keys(remote.name), environ=TWO_KEYS) as caller:
        with fails(AuthError, words):
            await caller.ask()

    assert keys_used(caller) == [FIRST, SECOND]
