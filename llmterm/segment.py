"""A segment while it is being written: its thinking, its seam with what was there before, its marker, its figures.

Pure but for the clock it is given. What comes goes through `divide`, and what is text after that through `join`, before
it counts as part of the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from llmterm import log, tokens
from llmterm.marker import MarkerScanner
from llmterm.messages import EndReason, Mode, Reply, Request, Segment, Timing, Usage
from llmterm.progress import Progress
from llmterm.recall import Recall
from llmterm.thinktag import ThinkTag

if TYPE_CHECKING:
    from llmterm.seam import Seam


class OpenSegment:
    """The part of an answer that `request` asked for, from the end of `reply` on."""

    def __init__(
        self,
        request: Request,
        reply: Reply,
        *,
        provider: str,
        progress: Progress,
        cost: Callable[[str, Usage], float | None],
        mode: Mode,
        guidance: str,
        clock: Callable[[], float],
    ) -> None:
        self._request = request
        self._provider = provider
        self._progress = progress
        self._cost = cost
        self._mode = mode
        self._guidance = guidance
        self._start = len(reply.body)
        self._thought = len(reply.thoughts)
        self._clock = clock
        self._began = clock()
        self._first_token: float | None = None
        self._seam: Seam | None = None
        self._timed = False
        self._scanner: MarkerScanner | None = None
        # A literal continuation is in the middle of the answer from its first character on.
        self._tag = None if mode == "prefill" else ThinkTag()

    def ask(self, request: Request, recall: Recall) -> None:
        """Begin: `request` is as it is sent, `recall` what it goes on with."""
        self._request = request
        self._seam = _seam(recall, self._mode)
        self._scanner = recall.scanner
        log.event(
            "start",
            provider=self._provider,
            model=request.model,
            mode=self._mode,
            messages=len(request.messages),
            question=log.Said(request.messages[-1].text if request.messages else ""),
        )

    @property
    def marker_found(self) -> bool:
        return self._scanner is not None and self._scanner.found

    @property
    def begun(self) -> bool:
        """Whether anything of the segment has come."""
        return self._first_token is not None

    @property
    def in_code(self) -> bool:
        """Whether a marker would be text here."""
        return self._scanner is not None and self._scanner.in_code

    @property
    def retract(self) -> int:
        """Characters at the end of the earlier text that turned out to be the marker's beginning."""
        return self._scanner.retract if self._scanner else 0

    def touch(self) -> None:
        """Note that something of the answer has come."""
        if self._first_token is None:
            self._first_token = self._clock()
            log.event("first token", after_ms=self._since_start(self._first_token))

    def divide(self, text: str) -> tuple[str, str]:
        """Return what of `text`, just received, is thinking, and what is text."""
        if self._tag is None:
            return "", text
        thinking, text = self._tag.feed(text)
        if self._tag.over:
            self._tag = None
        return thinking, text

    def undivided(self) -> tuple[str, str]:
        """Return what is held back until it is clear whether it is thinking: the segment ends here."""
        return self._tag.close() if self._tag else ("", "")

    def join(self, text: str) -> str:
        """Return what `text`, just received, adds to the answer."""
        text = self._seam.feed(text) if self._seam else text
        return self._scanner.feed(text) if self._scanner else text

    @property
    def restarted(self) -> bool:
        """Whether the model has started the answer over instead of going on with it."""
        return self._seam is not None and self._seam.restarted

    @property
    def held(self) -> str:
        """What the seam holds back."""
        return self._seam.held if self._seam else ""

    def awaits_release(self) -> bool:
        """Tell, once, that the seam holds something back and has to be released in time."""
        first = self._seam is not None and self._seam.holding and not self._timed
        self._timed = self._timed or first
        return first

    def release(self) -> str:
        """Return what the seam held back, as it joins the answer."""
        text = self._seam.release() if self._seam else ""
        return self._scanner.feed(text) if self._scanner else text

    def flush(self) -> str:
        """Return what was withheld; the segment ends here."""
        text = self.release()
        return text + self._scanner.close() if self._scanner else text

    def close(self, reply: Reply, end: EndReason) -> Segment | None:
        """Return the record of this segment, the last of `reply`; one that received nothing leaves no trace."""
        length = len(reply.body)
        log.event(
            "end",
            reason=end,
            chunks=reply.chunks,
            retries=self._progress.retries,
            duration_ms=self._elapsed(),
            tokens=reply.usage and reply.usage.output_tokens,
            answer=log.Said(reply.body),
        )
        if self._first_token is None and reply.usage is None and not self._guidance:
            return None
        usage = self._usage(reply)
        return Segment(
            provider=self._provider,
            model=self._request.model,
            mode=self._mode,
            start=min(self._start, length),
            end=length,
            end_reason=end,
            usage=usage,
            timing=Timing(
                first_token_ms=self._since_start(self._first_token),
                duration_ms=self._elapsed(),
                retries=self._progress.retries,
            ),
            guidance=self._guidance,
            seam=self._seam.join.kind if self._seam else "",
            cut=self._cut,
            added=self._seam.join.added if self._seam else "",
            cost=self._cost(self._request.model, usage),
        )

    @property
    def _cut(self) -> str:
        """What of the text that came is not in the answer: what was said when the model started over is kept here."""
        if self._seam is None:
            return ""
        return self._seam.held if self._seam.restarted else self._seam.join.cut

    def _usage(self, reply: Reply) -> Usage:
        """Return what the segment has taken; of one that was cut the provider may have told only what it was asked."""
        usage = reply.usage
        if usage is None:
            return self._estimate(reply)
        if usage.output_tokens or reply.finish is not None or self._first_token is None:
            return usage
        guess = self._estimate(reply)
        return replace(guess, input_tokens=usage.input_tokens or guess.input_tokens)

    def _estimate(self, reply: Reply) -> Usage:
        """Return what the segment may have taken: it was cut before its usage came, or there is none."""
        asked = tokens.of_messages(self._request.messages)
        characters = len(reply.body) - self._start + len(reply.thoughts) - self._thought
        came = tokens.of_answer(reply.chunks, characters)
        return Usage(input_tokens=asked, output_tokens=came, estimated=True)

    def _elapsed(self) -> int:
        return self._since_start(self._clock()) or 0

    def _since_start(self, moment: float | None) -> int | None:
        return None if moment is None else round((moment - self._began) * 1000)


def _seam(recall: Recall, mode: Mode) -> Seam | None:
    """Return the seam of a continuation; its vocabulary is not for the start of a chat.

    White space alone is no answer to go on with: it is asked for anew, and says it again.
    """
    if mode == "fresh" and not recall.before:
        return None
    from llmterm.seam import Seam

    return Seam(recall.before, mode="prefill" if mode == "fresh" else mode, end=recall.end)
