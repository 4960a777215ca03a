"""How a stream may behave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How a stream may behave. Times in seconds; `None` is no limit.

    `connect_timeout`: until the connection stands. A stream is dead where no byte comes: before the first text or
    thinking for `first_token_timeout`, or for `quiet_timeout` where a model is known to send nothing until then,
    counted from the request and again from each sign of life, such as a ping; after it for `chunk_timeout`. It is
    silent, though alive, for as long as signs of life come without text or thinking: for at most `silence_timeout`,
    which only text and thinking restart. `stream_timeout`: in total. `max_chunks`: of text, in one segment.
    `buffer_size`: chunks that may wait for a slow reader before the socket is left alone. `max_event_bytes`: the
    largest single event.
    """

    connect_timeout: float = 10.0
    first_token_timeout: float | None = 60.0
    quiet_timeout: float | None = 600.0
    chunk_timeout: float | None = 30.0
    silence_timeout: float | None = 600.0
    stream_timeout: float | None = None
    max_chunks: int | None = None
    buffer_size: int = 1024
    max_event_bytes: int = 8 * 1024 * 1024
