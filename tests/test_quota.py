"""A quota that is used up is said at once, and is no reason to ask again; a limit that passes still is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import AuthError, ProviderError, QuotaError, RateLimitError, ServerError
from llmterm.messages import Message, Request, StreamLimits
from llmterm.progress import Progress
from llmterm.providers import responses
from llmterm.providers.http import HttpProvider
from llmterm.providers.learned import Learned
from llmterm.transport import Breaker, Call, Endpoint, KeyRing, RateLimits, RetryPolicy, Transport, codes
from llmterm.transport.failures import refusal
from llmterm.transport.retry import retriable
from tests.contract.caller import Caller, answering
from tests.contract.dialects import REMOTE, Dialect
from tests.wire import Exchange, WireServer

CALL = Call(who="openai", url="http://127.0.0.1/v1", model="m")


def gemini(*quotas: str, delay: str = "41s") -> dict[str, Any]:
    """Return what Gemini says of any quota; only its name tells a day's from a minute's."""
    violations = [{"quotaMetric": "generativelanguage.googleapis.com/requests", "quotaId": each} for each in quotas]
    details = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]
    said = "You exceeded your current quota, please check your plan and billing details. Please retry in 41s."
    return {"error": {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED", "details": details}}


def openai(message: str, kind: str = "", code: object = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


PER_DAY, PER_MINUTE = "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "GenerateRequestsPerMinutePerProject"
TOO_LOW = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
REGAIN = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
GROQ = (
    "Rate limit reached for model `x` on tokens per minute (TPM): Limit 6000. Please try again in 7.66s. "
    "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"
)
USED_UP = {
    "openai": (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota")),
    "openai in one word": (429, {"error": "insufficient_quota"}),
    "openai by its code": (429, openai("no", "x", "insufficient_quota")),
    "openai by its words": (
        429,
        openai("You exceeded your current quota, please check your plan and billing details."),
    ),
    "openai's hard limit": (400, openai("Billing hard limit has been reached", "", "billing_hard_limit_reached")),
    "anthropic": (400, {"type": "error", "error": {"type": "invalid_request_error", "message": TOO_LOW}}),
    "anthropic's limit": (400, {"type": "error", "error": {"type": "invalid_request_error", "message": REGAIN}}),
    "anthropic's bill": (402, {"type": "error", "error": {"type": "billing_error", "message": "no"}}),
    "gemini": (429, gemini(PER_MINUTE, PER_DAY)),
    "cohere": (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
    "ollama": (429, {"error": "you've reached your weekly usage limit"}),
    "openrouter": (402, openai("Insufficient credits. Add more using https://openrouter.ai/credits", "", 402)),
    "openrouter's free ones": (
        429,
        openai("Rate limit exceeded: free-models-per-day. Add 10 credits to go on", "", 429),
    ),
    "deepseek": (402, openai("Insufficient Balance", "unknown_error", "invalid_request_error")),
    "xai": (403, {"code": "x", "error": "Your team has either used all available credits or reached its limit."}),
    "moonshot": (429, openai("Your account is suspended", "exceeded_current_quota_error")),
    "no words": (402, {}),
}
PASSING = {
    "openai": (429, openai("Rate limit reached for gpt-x on tokens per min (TPM)", "tokens", "rate_limit_exceeded")),
    "anthropic": (429, {"error": {"type": "rate_limit_error", "message": "This request would exceed your rate limit"}}),
    "gemini": (429, gemini(PER_MINUTE)),
    "cohere": (429, {"message": "You are using a Trial key, which is limited to 40 API calls / minute."}),
    "groq": (429, openai(GROQ, "tokens", "rate_limit_exceeded")),
    "no words": (429, {}),
}


@pytest.mark.parametrize(("status", "body"), USED_UP.values(), ids=USED_UP)
def test_quota_that_is_used_up_is_known(status: int, body: dict[str, Any]) -> None:
    """By its code, or the words, at every provider; the wait that some name is another limit's."""
    error = refusal(CALL, httpx2.Response(status), json.dumps(body).encode())

    assert isinstance(error, QuotaError)
    assert not retriable(error)
    assert "used up" in error.hint
    assert error.retry_after is None


@pytest.mark.parametrize(("status", "body"), PASSING.values(), ids=PASSING)
def test_limit_that_passes_is_no_quota(status: int, body: dict[str, Any]) -> None:
    error = refusal(CALL, httpx2.Response(status), json.dumps(body).encode())

    assert type(error) is RateLimitError
    assert retriable(error)


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (500, ServerError), (503, ServerError)])
def test_other_failures_stay_what_they_are(status: int, kind: type[ProviderError]) -> None:
    assert type(refusal(CALL, httpx2.Response(status), b'{"error": {"message": "no", "code": "no"}}')) is kind


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_codes_of_any_body_are_text(value: object) -> None:
    assert isinstance(codes(json.dumps(value)), str)


BODIES = {name: body for name, body in USED_UP.items() if name in {each.name for each in REMOTE}}


@pytest.mark.parametrize("remote", REMOTE, ids=lambda dialect: dialect.name)
async def test_used_up_quota_is_asked_for_once(remote: Dialect) -> None:
    """And the user hears of it at once, with what to do."""
    status, body = BODIES[remote.name]

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(status, body)

    async with Caller(remote, script) as caller:
        with pytest.raises(QuotaError, match="used up"):
            await caller.ask()

        assert len(caller.server.exchanges) == 1
        assert caller.progress.waits == []


@pytest.mark.parametrize("remote", REMOTE, ids=lambda dialect: dialect.name)
async def test_used_up_quota_inside_a_stream_is_one_as_well(remote: Dialect) -> None:
    """Also in an answer that was accepted, before anything of it came."""
    words = "You exceeded your current quota, please check your plan and billing details."
    async with Caller(remote, answering(remote, remote.opening(), remote.failure(words))) as caller:
        with pytest.raises(QuotaError):
            await caller.ask()

        assert len(caller.server.exchanges) == 1


async def test_used_up_quota_inside_a_stream_says_what_to_do_also_by_its_code_alone() -> None:
    frame = b"data: " + json.dumps(openai("no", "x", "insufficient_quota")).encode() + b"\n\n"
    async with Caller(REMOTE[0], answering(REMOTE[0], frame)) as caller:
        with pytest.raises(QuotaError) as caught:
            await caller.ask()

    assert "account at the provider" in caught.value.hint


def provider(transport: Transport, server: WireServer, folder: Path, *keys: str, official: bool = True) -> HttpProvider:
    endpoint = Endpoint("openai", KeyRing(keys), RateLimits(), Breaker(), RetryPolicy())
    wire = responses.wire(official=official)
    return HttpProvider(transport, wire, endpoint, base_url=server.base_url, learned=Learned(folder))


async def asked(asks: HttpProvider, model: str = "gpt-6.1-terra") -> None:
    request = Request(model=model, messages=(Message(role="user", text="q"),))
    stream = await asks.open(request, StreamLimits(), Progress())
    try:
        while await stream.read():
            pass
    finally:
        await stream.aclose()


ENDED = b'data: {"type": "response.completed", "response": {"output": []}}\n\n'


async def test_second_key_is_used_where_the_quota_of_the_first_is_used_up(tmp_path: Path) -> None:
    keys: list[str] = []

    async def script(exchange: Exchange) -> None:
        keys.append(exchange.headers["authorization"].removeprefix("Bearer "))
        if keys[-1] == "sk-poor":
            await exchange.refuse(*USED_UP["openai"])
            return
        await exchange.start()
        await exchange.raw(ENDED)
        await exchange.close()

    with WireServer(script) as server:
        transport = Transport()
        asks = provider(transport, server, tmp_path, "sk-poor", "sk-rich")
        await asked(asks)
        await asked(asks)
        await transport.aclose()

    assert keys == ["sk-poor", "sk-rich", "sk-rich"]


UNVERIFIED = "Your organization must be verified to generate reasoning summaries. Please go to the settings."


@pytest.mark.parametrize(
    "error",
    [
        openai(UNVERIFIED, "invalid_request_error", "unsupported_value"),
        openai("Unsupported parameter: 'reasoning.summary' is not supported with this model."),
        {"error": {"message": "Unsupported value", "param": "reasoning.summary", "code": "unsupported_value"}},
    ],
    ids=["unverified", "unsupported", "by its name only"],
)
async def test_account_without_summaries_is_asked_without_them_in_the_same_breath(
    tmp_path: Path, error: dict[str, Any]
) -> None:
    """Once: it is remembered for that model, also by the next program."""
    summaries: list[tuple[str, bool]] = []

    async def script(exchange: Exchange) -> None:
        wanted = "summary" in exchange.body.get("reasoning", {})
        summaries.append((exchange.body["model"], wanted))
        if wanted:
            await exchange.refuse(400, error)
            return
        await exchange.start()
        await exchange.raw(ENDED)
        await exchange.close()

    with WireServer(script) as server:
        transport = Transport()
        await asked(provider(transport, server, tmp_path, "sk-1"))
        await asked(provider(transport, server, tmp_path, "sk-1"))
        await asked(provider(transport, server, tmp_path, "sk-1"), "o4-mini")
        await transport.aclose()

    assert summaries == [
        ("gpt-6.1-terra", True),
        ("gpt-6.1-terra", False),
        ("gpt-6.1-terra", False),
        ("o4-mini", True),
        ("o4-mini", False),
    ]


async def test_account_without_summaries_is_told_so_once_in_all_tries(tmp_path: Path) -> None:
    """A provider that is busy is not asked twice in each of them; nothing is learned before it has accepted one."""
    summaries: list[bool] = []

    async def script(exchange: Exchange) -> None:
        summaries.append("summary" in exchange.body.get("reasoning", {}))
        if summaries[-1]:
            await exchange.refuse(400, openai(UNVERIFIED))
        else:
            await exchange.refuse(503, openai("busy"), retry_after_ms="1")

    with WireServer(script) as server:
        transport = Transport()
        with pytest.raises(ServerError):
            await asked(provider(transport, server, tmp_path, "sk-1"))
        await transport.aclose()

    assert summaries == [True, False, False, False]
    assert not Learned(tmp_path).knows("no_summary", "openai", "gpt-6.1-terra")


async def test_refusal_that_is_not_about_summaries_teaches_nothing(tmp_path: Path) -> None:
    """It is the same without them, and is the error that is told."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(400, openai("Your organization must be verified to stream this model.", "", "no"))

    with WireServer(script) as server:
        transport = Transport()
        with pytest.raises(ProviderError, match="to stream this model"):
            await asked(provider(transport, server, tmp_path, "sk-1"))
        await transport.aclose()

    assert not Learned(tmp_path).knows("no_summary", "openai", "gpt-6.1-terra")


def test_lessons_of_an_earlier_version_are_kept(tmp_path: Path) -> None:
    (tmp_path / "lessons.json").write_text('{"no_prefill": [["ollama", "m"]]}', "utf-8")
    Learned(tmp_path).learn("no_summary", "openai", "n")

    assert Learned(tmp_path).knows("no_prefill", "ollama", "m")
    assert Learned(tmp_path).knows("no_summary", "openai", "n")
