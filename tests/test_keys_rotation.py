"""Several keys: taken in turn; a refused one rests, and none is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.errors import AuthError, ProviderError, RateLimitError, ServerError
from llmterm.transport.keys import KeyRing

REFUSED = AuthError("x", status=401)
LIMITED = RateLimitError("x", status=429)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(clock: Clock) -> KeyRing:
    return KeyRing(["a", "b", "c"], clock)


def take(ring: KeyRing, count: int) -> str:
    return "".join(ring.take() for _ in range(count))


def test_keys_are_taken_in_turn(ring: KeyRing) -> None:
    """Each gets as many requests as the others."""
    assert take(ring, 7) == "abcabca"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (REFUSED, 600),
        (AuthError("x", status=403), 600),
        (LIMITED, 60),
        (RateLimitError("x", retry_after=7), 7),
        (RateLimitError("x", retry_after=0), 60),
        (RateLimitError("x", retry_after=float("nan")), 60),
    ],
)
def test_refused_key_rests(ring: KeyRing, clock: Clock, error: ProviderError, seconds: float) -> None:
    """It is passed over until its time has come, and then takes part again."""
    ring.rest("b", error)

    assert (take(ring, 4), ring.awake) == ("acac", 2)
    clock.now += seconds - 0.5
    assert "b" not in take(ring, 4)
    clock.now += 0.5
    assert (sorted(take(ring, 3)), ring.awake) == (["a", "b", "c"], 3)


def test_failure_that_is_not_the_keys_lets_it_work(ring: KeyRing) -> None:
    """A server that is down says nothing about a key."""
    ring.rest("a", ServerError("x", status=500))

    assert ring.awake == 3


def test_when_all_rest_the_first_to_wake_is_taken(ring: KeyRing) -> None:
    """There is always a key to ask with."""
    ring.rest("a", REFUSED)
    ring.rest("b", RateLimitError("x", retry_after=30))
    ring.rest("c", LIMITED)

    assert (take(ring, 2), ring.awake) == ("bb", 0)


def test_long_rest_is_not_shortened(ring: KeyRing) -> None:
    """Two requests with one key may fail in different ways; the worse counts."""
    ring.rest("a", REFUSED)
    ring.rest("a", RateLimitError("x", retry_after=1))
    ring.rest("b", LIMITED)
    ring.rest("c", LIMITED)

    assert "a" not in take(ring, 4)


@pytest.mark.parametrize("keys", [[], [""]])
def test_ring_without_keys_gives_an_empty_one(keys: list[str]) -> None:
    """A local server needs none."""
    ring = KeyRing(keys)
    ring.rest("", REFUSED)

    assert (ring.take(), len(ring), ring.awake) == ("", 0, 0)


def test_same_key_twice_is_one() -> None:
    """Two variables may hold the same key: trying it twice would help nobody."""
    assert len(KeyRing(["a", "a", "b"])) == 2


def test_key_of_another_ring_is_ignored(ring: KeyRing) -> None:
    """Resting what is not there adds nothing."""
    ring.rest("z", REFUSED)

    assert take(ring, 3) == "abc"


@given(st.lists(st.text(alphabet="ABCDEF0123456789", min_size=8), max_size=4))
def test_no_key_is_shown(keys: list[str]) -> None:
    """A ring that gets into a log or a traceback gives nothing away."""
    ring = KeyRing(keys)

    assert not any(key in repr(ring) for key in keys)
