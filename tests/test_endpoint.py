"""The endpoint: limits, breaker, keys and retries bring a request to its first token, or to one clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from llmterm.errors import (
    AuthError,
    CircuitOpenError,
    ConfigError,
    ModelNotFoundError,
    ProviderError,
    RateLimitError,
    ServerError,
)
from llmterm.transport.breaker import Breaker
from llmterm.transport.endpoint import Endpoint
from llmterm.transport.keys import KeyRing
from llmterm.transport.limits import RateLimits
from llmterm.transport.retry import RetryPolicy
from tests.clock import RecordingProgress, instant, now

REFUSED = AuthError("acme: no", status=401, hint="check the key")
LIMITED = RateLimitError("acme: slow down", status=429)
DOWN = ServerError("acme: down", status=503)


class Server:
    """Answers each request with the next of its `errors`, and then with the key that it was asked with."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.keys: list[str] = []

    async def __call__(self, key: str) -> str:
        self.keys.append(key)
        if self.errors:
            raise self.errors.pop(0)
        return f"answer for {key}"


def endpoint(
    *keys: str, limits: RateLimits | None = None, breaker: Breaker | None = None, attempts: int = 3
) -> Endpoint:
    return Endpoint(
        "acme",
        KeyRing(keys, now),
        limits or RateLimits(concurrent=1),
        breaker or Breaker(),
        RetryPolicy(attempts=attempts, jitter=lambda _low, high: high),
    )


async def begin(acme: Endpoint, attempt: Callable[[str], Awaitable[str]], progress: RecordingProgress) -> str:
    return await acme.begin(attempt, tokens=10, progress=progress)


async def places_are_free(acme: Endpoint) -> bool:
    """Tell whether a request gets its place at once; the endpoint has one in all."""
    try:
        async with asyncio.timeout(0.001):
            await acme.limits.enter(0, RecordingProgress())
    except TimeoutError:
        return False
    acme.limits.leave()
    return True


@instant
async def test_answer_begins_and_holds_its_place_until_it_ends() -> None:
    """The caller gives the place back when the stream is over."""
    acme, progress = endpoint("k"), RecordingProgress()

    answer = await begin(acme, Server(), progress)

    assert (answer, progress.waits, progress.retries) == ("answer for k", [], 0)
    assert not await places_are_free(acme)
    acme.leave()
    assert await places_are_free(acme)


@instant
async def test_no_key_is_an_empty_one() -> None:
    """A server that needs none is asked without."""
    assert await begin(endpoint(), Server(), RecordingProgress()) == "answer for "


@instant
async def test_overloaded_provider_is_asked_again() -> None:
    """With the back-off, on the status line, in the same place."""
    progress = RecordingProgress()

    answer = await begin(endpoint("k"), Server(DOWN, DOWN), progress)

    assert answer == "answer for k"
    assert progress.waits == [
        (2, "the provider is overloaded (HTTP 503), try 2 of 3"),
        (4, "the provider is overloaded (HTTP 503), try 3 of 3"),
    ]
    assert progress.retries == 2


@pytest.mark.parametrize(
    ("errors", "asked"),
    [
        ([DOWN, DOWN, DOWN], 3),
        ([REFUSED], 1),
        ([LIMITED, LIMITED, LIMITED], 3),
        ([ModelNotFoundError("x", status=404)], 1),
        ([ConfigError("x")], 1),
        ([ValueError("a bug")], 1),
        ([RateLimitError("x", retry_after=3600)], 1),
    ],
)
@instant
async def test_failure_gives_the_place_back(errors: list[Exception], asked: int) -> None:
    """When it raises, nothing is held; what raised is the last failure itself."""
    acme, server = endpoint("k"), Server(*errors)

    with pytest.raises(type(errors[-1])) as caught:
        await begin(acme, server, RecordingProgress())

    assert caught.value is errors[-1]
    assert len(server.keys) == asked
    assert await places_are_free(acme)


@pytest.mark.parametrize("error", [REFUSED, LIMITED])
@instant
async def test_failed_key_is_replaced_at_once(error: ProviderError) -> None:
    """No wait, and no try is used up; that a key failed is worth a line, without the key."""
    acme, server, progress = endpoint("sk-1", "sk-2", attempts=1), Server(error), RecordingProgress()

    answer = await begin(acme, server, progress)

    assert (answer, server.keys) == ("answer for sk-2", ["sk-1", "sk-2"])
    assert (progress.waits, progress.retries, now()) == ([], 1, 0)
    assert len(progress.said) == 1
    assert f"HTTP {error.status}" in progress.said[0]
    assert "sk-" not in progress.said[0]


@instant
async def test_failed_key_rests_for_the_requests_after() -> None:
    """It is not tried in vain again and again."""
    acme, server = endpoint("one", "two"), Server(REFUSED)
    for _ in range(3):
        await begin(acme, server, RecordingProgress())
        acme.leave()

    assert server.keys == ["one", "two", "two", "two"]


@instant
async def test_when_all_keys_are_refused_the_answer_is_a_refusal() -> None:
    """Each key is asked with once; there is nothing to wait for."""
    acme, server, progress = endpoint("one", "two", "three"), Server(REFUSED, REFUSED, REFUSED), RecordingProgress()

    with pytest.raises(AuthError):
        await begin(acme, server, progress)

    assert server.keys == ["one", "two", "three"]
    assert progress.waits == []


@instant
async def test_when_all_keys_are_used_up_the_back_off_begins() -> None:
    """The key whose rest ends first is the one that is tried again."""
    soon, later = RateLimitError("x", status=429, retry_after=5), RateLimitError("x", status=429, retry_after=9)
    acme, server, progress = endpoint("one", "two"), Server(later, soon), RecordingProgress()

    answer = await begin(acme, server, progress)

    assert (answer, server.keys) == ("answer for two", ["one", "two", "two"])
    assert progress.retries == 2


@pytest.mark.parametrize("errors", [(LIMITED, REFUSED), (REFUSED, LIMITED)])
@instant
async def test_limited_key_is_waited_for_when_the_other_is_refused(errors: tuple[ProviderError, ...]) -> None:
    """A limit passes: one bad key among good ones does not end it."""
    server = Server(*errors)

    await begin(endpoint("one", "two"), server, RecordingProgress())

    assert server.keys[2] == server.keys[errors.index(LIMITED)]


@instant
async def test_open_circuit_ends_the_tries() -> None:
    """The failure that opened it is raised without another wait; then nothing is asked at all."""
    acme, server, progress = endpoint("k", breaker=Breaker(threshold=2)), Server(*[DOWN] * 9), RecordingProgress()

    with pytest.raises(ServerError):
        await begin(acme, server, progress)
    with pytest.raises(CircuitOpenError, match="acme"):
        await begin(acme, server, progress)

    assert (len(server.keys), len(progress.waits)) == (2, 1)
    assert await places_are_free(acme)


@instant
async def test_open_circuit_is_told_without_waiting_for_a_place() -> None:
    """Another provider can be asked at once, however many requests are still under way here."""
    breaker = Breaker(threshold=1)
    acme, server = endpoint("k", breaker=breaker), Server()
    await begin(acme, server, RecordingProgress())
    with pytest.raises(ServerError), breaker.guard("acme"):
        raise DOWN

    with pytest.raises(CircuitOpenError):
        await begin(acme, server, RecordingProgress())

    assert now() == 0


@instant
async def test_half_open_circuit_is_tried_once() -> None:
    """Its first failure ends it again: what is down is not asked three times over."""
    acme, server = endpoint("k", breaker=Breaker(threshold=1, ttl=-1)), Server(DOWN, DOWN)

    for _ in range(2):
        with pytest.raises(ServerError):
            await begin(acme, server, RecordingProgress())

    assert len(server.keys) == 2
    assert await begin(acme, server, RecordingProgress()) == "answer for k"


@instant
async def test_retries_keep_to_the_limit_of_requests() -> None:
    """Another try is another request; its tokens are not counted twice."""
    limits = RateLimits(requests_per_minute=1, tokens_per_minute=20)
    progress = RecordingProgress()

    await begin(endpoint("k", limits=limits), Server(DOWN), progress)

    assert [why for _, why in progress.waits] == [
        "the provider is overloaded (HTTP 503), try 2 of 3",
        "the limit of requests per minute is reached",
    ]
    assert now() == pytest.approx(60, abs=0.1)


@instant
async def test_cancel_during_a_wait_leaves_no_place_taken() -> None:
    """Esc on the status line ends it at once and for good."""
    acme, server, progress = endpoint("k"), Server(LIMITED), RecordingProgress()
    running = asyncio.create_task(begin(acme, server, progress))
    await progress.waiting.wait()

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()
    assert (len(server.keys), progress.line) == (1, "")
    assert await places_are_free(acme)


@instant
async def test_cancel_of_a_request_leaves_no_place_taken() -> None:
    """And says nothing about the provider's health."""
    breaker = Breaker(threshold=1)
    acme, asked = endpoint("k", breaker=breaker), asyncio.Event()

    async def silent(_key: str) -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    running = asyncio.create_task(begin(acme, silent, RecordingProgress()))
    await asked.wait()

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()
    assert not breaker.is_open
    assert await places_are_free(acme)


@instant
async def test_twenty_streams_never_are_more_than_ten_at_once() -> None:
    """Whether they begin at the first try or at the second, or are cancelled."""
    acme = endpoint("k", limits=RateLimits(concurrent=10))
    inside, most, failed = 0, 0, 0

    async def attempt(_key: str) -> str:
        nonlocal failed
        await asyncio.sleep(1)
        if failed < 4:
            failed += 1
            raise LIMITED
        return ""

    async def stream() -> None:
        nonlocal inside, most
        await begin(acme, attempt, RecordingProgress())
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(5)
        inside -= 1
        acme.leave()

    streams = [asyncio.create_task(stream()) for _ in range(21)]
    await asyncio.sleep(2)
    streams[-1].cancel()
    await asyncio.wait(streams)

    assert [task.exception() for task in streams[:-1]] == [None] * 20
    assert (most, inside) == (10, 0)
