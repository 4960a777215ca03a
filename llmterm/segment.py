"""A segment while it is being written: its thinking, its seam with what was there before, its marker, its figures.

Pure but for the clock it is given. What the provider's stream gives goes in at `take`, what is to be told of it comes
out, and `end` says why the stream is over, once it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, assert_never

from llmterm import log, tokens
from llmterm.events import SegmentStarted
from llmterm.marker import MarkerScanner
from llmterm.messages import (
    SAME_GENERATION,
    Carried,
    Cited,
    Cursor,
    CursorMoved,
    EndReason,
    Finished,
    Mode,
    Reply,
    Request,
    Rope,
    Segment,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    Timing,
    Usage,
    UsageReport,
)
from llmterm.progress import Progress
from llmterm.recall import Recall
from llmterm.thinktag import ThinkTag

if TYPE_CHECKING:
    from llmterm.seam import Seam

# What comes of an event of a stream: it is a part of the answer, or belongs to it.
Told: TypeAlias = TextDelta | ThinkingDelta | UsageReport | Carried | Cited | CursorMoved | Finished

# Between what was thought before a pause and after it.
_GAP = "\n\n"


class OpenSegment:
    """The part of an answer that begins with `started`, at the end of `reply`."""

    def __init__(
        self,
        started: SegmentStarted,
        reply: Reply,
        *,
        progress: Progress,
        cost: Callable[[str, Usage], float | None],
        clock: Callable[[], float],
    ) -> None:
        self.end: EndReason | None = None
        """Why its stream is over; None while it is not."""
        self.words = ""
        """What the provider has said of the end."""
        self._started = started
        self._progress = progress
        self._cost = cost
        self._start = len(reply.body)
        self._thought = len(reply.thoughts)
        cursor = reply.cursor if started.mode in SAME_GENERATION else None
        self._thinks_anew = self._thought > 0 and reply.blank and cursor is None
        self._clock = clock
        self._began = clock()
        self._first_token: float | None = None
        self._request: Request | None = None
        self._seam: Seam | None = None
        self._timed = False
        self._scanner: MarkerScanner | None = None
        self._stop = ""
        # Where the generation began, and how it was asked for: one that has said nothing yet has its seam before it.
        self._origin = (self._start, started.mode) if cursor is None else (cursor.start, cursor.mode)
        self._inside = self._origin[0] < self._start
        # A literal continuation is in the middle of the answer from its first character on.
        self._tag = None if self._inside or self._origin[1] == "prefill" else ThinkTag()
        self._reached: CursorMoved | None = None

    def ask(self, request: Request, recall: Recall, stop: str) -> None:
        """Begin: `request` is as it is sent, `recall` what it goes on with.

        `stop` is the marker where the provider stops at it and says so, and no other stop sequence could be meant.
        """
        self._request = request
        self._seam = None if self._inside else _seam(recall, self._origin[1])
        self._scanner = recall.scanner
        self._stop = stop
        log.event(
            "start",
            provider=self._started.provider,
            model=request.model,
            mode=self._started.mode,
            messages=len(request.messages),
            question=log.Said(request.messages[-1].body if request.messages else ""),
        )

    @property
    def begun(self) -> bool:
        """Whether anything of the segment has come."""
        return self._first_token is not None

    @property
    def retract(self) -> int:
        """Characters at the end of the earlier text that turned out to be the marker's beginning."""
        return self._scanner.retract if self._scanner is not None and self._scanner.found else 0

    @property
    def restarted(self) -> bool:
        """Whether the model has started the answer over instead of going on with it."""
        return self._seam is not None and self._seam.restarted

    @property
    def held(self) -> str:
        """What the seam holds back."""
        return self._seam.held if self._seam else ""

    def take(self, event: StreamEvent) -> Sequence[Told]:
        """Take one event of the stream in; return what is to be told of it."""
        match event:
            case TextDelta(text, chunks):
                self._reached = None  # the place is not where the answer is any more
                if self._first_token is None:
                    self._touch()
                thought: Sequence[Told] = ()
                if self._tag is not None:
                    thinking, text = self._divide(text)
                    thought = self._think(ThinkingDelta(thinking, chunks)) if thinking else ()
                told = TextDelta(self._join(text), 0 if thought else chunks)
                self._judge()
                return (*thought, told)
            case ThinkingDelta():
                self._reached = None
                if self._first_token is None:
                    self._touch()
                return self._think(event)
            case UsageReport() | Carried() | Cited():
                return (event,)
            case CursorMoved():
                self._reached = event
                return () if self._withholds and event.place is not None else (event,)
            case Finished():
                return self._finish(event)
            case _:
                assert_never(event)

    def _finish(self, event: Finished) -> Sequence[Told]:
        self.words = event.words
        held = self.flush(ended=event.reason is not EndReason.CONTINUATION)
        if event.reason is EndReason.STOP_SEQUENCE and self._stop:
            self.end = EndReason.MARKER
            # In code it is text, which the provider left out.
            in_code = self._scanner is not None and self._scanner.in_code
            return (*held, TextDelta(self._stop, 0)) if in_code else held
        self.end = event.reason
        return (*held, event)

    def awaits_release(self) -> bool:
        """Tell, once, that the seam holds something back and has to be released in time."""
        first = self._seam is not None and self._seam.holding and not self._timed
        self._timed = self._timed or first
        return first

    def release(self) -> Sequence[Told]:
        """Give out what the seam holds back: there was time enough to see how it joins."""
        told = TextDelta(self._released(), 0)
        self._judge()
        return (told,)

    def flush(self, *, ended: bool = False) -> Sequence[Told]:
        """Give out all that is withheld. Half a tag is text where the answer has `ended`; where it has not it is no
        text to go on from, as it would be a tag then."""
        half = self._tag is not None and self._tag.entered
        thinking, text = self._tag.close() if self._tag else ("", "")
        if text.strip() and not ended:
            thinking, text = text, ""
        thought = self._think(ThinkingDelta(thinking, 0)) if thinking else ()
        text = (self._join(text) if text else "") + self._released()
        text += self._scanner.close() if self._scanner else ""
        told = (*thought, TextDelta(text, 0)) if text else thought
        if self._reached is None or self.end is not None or ended or half or self._withholds:
            return told
        return (*told, self._reached)

    def cursor(self, moved: CursorMoved, reply: Reply) -> Cursor | None:
        """Return the cursor that is at the end of the reply."""
        if moved.place is None:
            return None
        return Cursor(
            provider=self._started.provider,
            model=self._started.model,
            place=moved.place,
            text=len(reply.body),
            thinking=len(reply.thoughts),
            runs=moved.runs,
            start=self._origin[0],
            mode=self._origin[1],
        )

    @property
    def _withholds(self) -> bool:
        """Whether what has come is not what was told, so that nothing is known of what comes behind it."""
        if self._tag is not None and self._tag.entered:
            return True
        if self._seam is not None and (self._seam.withholds or self._seam.restarted):
            return True
        return self._scanner is not None and (self._scanner.found or self._scanner.withholds)

    def _touch(self) -> None:
        """Note that the first of the answer has come."""
        self._first_token = self._clock()
        log.event("first token", after_ms=self._since_start(self._first_token))

    def _divide(self, text: str) -> tuple[str, str]:
        """Return what of `text`, just received, is thinking, and what is text."""
        assert self._tag is not None
        thinking, text = self._tag.feed(text)
        if self._tag.over:
            self._tag = None
        return thinking, text

    def _join(self, text: str) -> str:
        """Return what `text`, just received, adds to the answer."""
        text = self._seam.feed(text) if self._seam else text
        return self._scanner.feed(text) if self._scanner else text

    def _released(self) -> str:
        text = self._seam.release() if self._seam else ""
        return self._scanner.feed(text) if self._scanner else text

    def _think(self, event: ThinkingDelta) -> Sequence[Told]:
        if not self._thinks_anew:
            return (event,)
        self._thinks_anew = False
        return (ThinkingDelta(_GAP, 0), event)

    def _judge(self) -> None:
        """See whether what was just said ends the stream."""
        if self._seam is not None and self._seam.restarted:
            self.end = EndReason.RESTART
        elif self._scanner is not None and self._scanner.found:
            self.end = EndReason.MARKER

    def close(self, reply: Reply, end: EndReason) -> Segment | None:
        """Return the record of this segment, the last of `reply`; one that received nothing leaves no trace."""
        length, started = len(reply.body), self._started
        log.event(
            "end",
            reason=end,
            chunks=reply.chunks,
            retries=self._progress.retries,
            duration_ms=self._elapsed(),
            tokens=reply.usage and reply.usage.output_tokens,
            answer=log.Said(reply.body),
        )
        asked = started.guidance or (reply.cursor is not None and started.mode not in SAME_GENERATION)
        if self._first_token is None and reply.usage is None and not asked:
            return None
        usage = self._usage(reply)
        given = replace(usage, output_tokens=0, cost=None)
        input_cost = self._cost(started.model, given)
        uncached = self._cost(started.model, replace(given, cached_tokens=0, cache_write_tokens=0))
        return Segment(
            provider=started.provider,
            model=started.model,
            mode=started.mode,
            start=min(self._start, length),
            end=length,
            end_reason=end,
            usage=usage,
            timing=Timing(
                first_token_ms=self._since_start(self._first_token),
                duration_ms=self._elapsed(),
                retries=self._progress.retries,
            ),
            guidance=started.guidance,
            seam=self._seam.join.kind if self._seam else "",
            cut=self._cut,
            added=self._seam.join.added if self._seam else "",
            cost=self._cost(started.model, usage),
            input_cost=input_cost,
            saved=None if uncached is None or input_cost is None else uncached - input_cost,
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
        return replace(
            usage,
            input_tokens=usage.input_tokens or guess.input_tokens,
            output_tokens=guess.output_tokens,
            estimated=True,
        )

    def _estimate(self, reply: Reply) -> Usage:
        """Return what the segment may have taken: it was cut before its usage came, or there is none."""
        asks = self._request is not None and self._request.continuation != "cursor"
        asked = tokens.of_messages(self._request.messages) if self._request is not None and asks else 0
        written = Rope.joined([reply.thoughts, reply.body])
        came = tokens.of_answer(reply.chunks, written, self._thought + self._start)
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

    return Seam(recall.before, mode="instruct" if mode == "instruct" else "prefill", end=recall.end)
