"""What llama.cpp says of its own work, beside the text: how much of a prompt it had, and how many tokens it has made.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server: `return_progress` is answered before the prompt is
computed and after each batch of it, `timings_per_token` with each piece of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmterm.framing import Frame
from llmterm.messages import Usage
from llmterm.providers.wire import MalformedFrameError, decoded
from llmterm.untrusted import count

# What goes into the body of a request for it.
ASKED: Mapping[str, Any] = {"return_progress": True, "timings_per_token": True}


@dataclass(frozen=True, slots=True)
class Timings:
    """`had`: tokens of the prompt that were computed before, None where that is not said. `usage`: up to here."""

    had: int | None = None
    usage: Usage | None = None


def timings(frame: Frame) -> Timings:
    """Return what a frame says."""
    try:
        chunk = decoded(frame)
    except MalformedFrameError:
        return Timings()
    progress, times = chunk.get("prompt_progress"), chunk.get("timings")
    had = count(progress.get("cache")) if isinstance(progress, dict) else None
    if not isinstance(times, dict) or not count(times.get("predicted_n")):
        return Timings(had)
    kept = count(times.get("cache_n"))
    return Timings(
        had,
        Usage(
            input_tokens=kept + count(times.get("prompt_n")),
            output_tokens=count(times.get("predicted_n")),
            cached_tokens=kept,
        ),
    )
