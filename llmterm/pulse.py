"""The signs of life of a stream: whether it is alive, silent but alive, or dead, and when it is to be given up.

*Alive*: text or thinking comes. *Silent but alive*: other bytes come, such as a ping, a comment, an empty delta, the
items of a thought that is not shown; a model thinks, is loaded, or waits for its turn. *Dead*: no byte comes. Each has
its limit in `StreamLimits`; before the first content, when nobody can tell a slow model from a dead one, it is
`first_token_timeout` that each sign of life restarts, after it `chunk_timeout`. Signs without content are no answer:
`silence_timeout` ends them, which only content restarts, or a proxy that says it is there would be waited for for ever.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from llmterm.errors import Timer
from llmterm.messages import StreamLimits

Life: TypeAlias = Literal["alive", "silent", "dead"]

# Chunks come in bursts: for so long nobody is silent, or gone.
_SILENT_SECONDS = 1.0
_GONE_SECONDS = 5.0


class Pulse:
    """When a stream was heard of, in the loop's time; None is never. Written by whoever reads the socket."""

    def __init__(self, began: float) -> None:
        self.heard: float | None = None
        """The last byte."""
        self._began = began
        self._content: float | None = None
        self._silent_since = began

    @property
    def begun(self) -> bool:
        """Whether any content has come."""
        return self._content is not None

    def speak(self) -> None:
        """Take note that what was last heard had content."""
        self._content = self._began if self.heard is None else self.heard
        self._silent_since = self._content

    def wait(self, now: float) -> None:
        """Take note that what has come is still to be read: until then nobody knows whether there is content in it."""
        self._silent_since = now

    def due(self, limits: StreamLimits) -> tuple[float, Timer] | None:
        """Return when the stream is to be given up unless more comes, and the timer of that; None is never."""
        heard = self._began if self.heard is None else self.heard
        dead: tuple[float | None, Timer] = (
            (limits.chunk_timeout, "chunk") if self.begun else (limits.first_token_timeout, "first token")
        )
        timers: list[tuple[float, Timer]] = []
        if dead[0] is not None:
            timers.append((heard + dead[0], dead[1]))
        if limits.silence_timeout is not None:
            timers.append((self._silent_since + limits.silence_timeout, "silence"))
        return min(timers, default=None)

    def life(self, now: float) -> tuple[Life, float]:
        """Return what the stream is now, and for how many seconds: without content, or without a sign."""
        silent = now - self._silent_since
        if self.heard is not None and self.heard > (self._content or -1.0) and silent >= _SILENT_SECONDS:
            return "silent", silent
        gone = now - (self._began if self.heard is None else self.heard)
        return ("dead", gone) if gone >= _GONE_SECONDS else ("alive", 0.0)
