"""What happens here, counted for Prometheus: names and buckets of OpenTelemetry's conventions for generative AI.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md

All is counted where a request to a model ends, and nothing while it streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from llmterm.messages import EndReason, Segment, Usage
from llmterm.states import TurnState
from llmterm.turn import Turn

# Models that have figures of their own: their names come from whoever asks, and each is kept for good.
MOST_MODELS: Final = 100
_OTHER: Final = "other"
_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_TOKENS: Final = tuple(4**power for power in range(14))
_WHO: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
# The conventions' names of providers that have another one here.
_PROVIDERS: Final = {"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
_FAILED: Final = (EndReason.NETWORK, EndReason.TIMEOUT, EndReason.ERROR)


class Metrics:
    """All figures of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._models: set[tuple[str, str]] = set()
        self._seconds = Histogram(
            "gen_ai_client_operation_duration_seconds",
            "Time of a request to a model, from the question to its end.",
            (*_WHO, "error_type"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._first = Histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Time from the question to the first that came.",
            _WHO,
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of a request to a model, where its provider has counted them.",
            (*_WHO, "gen_ai_token_type"),
            buckets=_TOKENS,
            registry=self._registry,
        )
        self._rests = Counter(
            "llmterm_turn_rests",
            "How often answers came to rest, or to their end.",
            ("state", "reason"),
            registry=self._registry,
        )
        self._retries = Counter(
            "llmterm_retries", "Requests that were made again before anything came.", registry=self._registry
        )
        self._refusals = Counter(
            "llmterm_refusals", "What was asked of the service and refused.", ("code",), registry=self._registry
        )
        ProcessCollector(registry=self._registry)

    def show(self, name: str, words: str, value: Callable[[], int]) -> None:
        """Have a figure among the others that is looked up whenever they are asked for."""
        Gauge(name, words, registry=self._registry).set_function(value)

    def account(self, turn: Turn) -> Account:
        """Return what counts a turn, which is ready to stream, or rests."""
        return Account(self, turn)

    def ended(self, segment: Segment) -> None:
        """A request to a model has ended, and something came of it."""
        who = self._who(segment.provider, segment.model)
        error = segment.end_reason.value if segment.end_reason in _FAILED else ""
        self._seconds.labels(*who, error).observe(segment.timing.duration_ms / 1000)
        if (first := segment.timing.first_token_ms) is not None:
            self._first.labels(*who).observe(first / 1000)
        if segment.usage != Usage() and not segment.usage.estimated:
            self._tokens.labels(*who, "input").observe(segment.usage.input_tokens)
            self._tokens.labels(*who, "output").observe(segment.usage.output_tokens)
        self._retries.inc(segment.timing.retries)

    def failed(self, turn: Turn, seconds: float) -> None:
        """Nothing came of a request to a model."""
        error = type(turn.error).__name__ if turn.error is not None else turn.reason.value
        self._seconds.labels(*self._who(turn.provider.name, turn.request.model), error).observe(seconds)

    def rested(self, state: TurnState, reason: EndReason) -> None:
        self._rests.labels(state.value, reason.value).inc()

    def refused(self, code: str) -> None:
        self._refusals.labels(code).inc()

    def written(self, accept: str) -> tuple[bytes, str]:
        """Return all figures in a format that is accepted, and its media type."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def _who(self, provider: str, model: str) -> tuple[str, str, str]:
        if (provider, model) not in self._models:
            if len(self._models) >= MOST_MODELS:
                model = _OTHER
            else:
                self._models.add((provider, model))
        return "chat", _PROVIDERS.get(provider, provider), model


class Account:
    """What of a turn is counted, and what is not yet."""

    def __init__(self, metrics: Metrics, turn: Turn) -> None:
        self._metrics = metrics
        self._turn = turn
        self.open()
        self._is_open = turn.state is TurnState.READY

    def open(self) -> None:
        """It is about to stream: what there is of it is counted, or of elsewhere."""
        self._known = len(self._turn.reply.segments)
        self._since = asyncio.get_running_loop().time()
        self._is_open = True

    def settle(self) -> None:
        """Count what has come of it, once, if it streams no more."""
        turn = self._turn
        if not self._is_open or turn.state in (TurnState.READY, TurnState.STREAMING):
            return
        self._is_open = False
        new: Sequence[Segment] = turn.reply.segments[self._known :]
        for segment in new:
            self._metrics.ended(segment)
        if not new and turn.state is TurnState.FAILED:
            self._metrics.failed(turn, asyncio.get_running_loop().time() - self._since)
        self._metrics.rested(turn.state, turn.reason)
