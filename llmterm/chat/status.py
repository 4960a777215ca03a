"""What the lines around an answer say. Pure: figures in, one line of text out.

Every state is in words; "paused" stands in every pause line and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmterm.messages import EndReason, Message, Reply, Segment
from llmterm.pulse import Life
from llmterm.render.cells import cell_len, shortened
from llmterm.sessions.segments import cost_of, together
from llmterm.tokens import of_reply

_WHY = {
    EndReason.MARKER: "by the model",
    EndReason.LENGTH: "at the token limit",
    EndReason.CONTINUATION: "by the provider",
    EndReason.LIMIT: "at the chunk limit",
    EndReason.NETWORK: "by a broken connection",
    EndReason.TIMEOUT: "by silence",
    EndReason.ERROR: "by an error",
    EndReason.CRASH: "by the end of llmterm",
}

GUIDING = "paused - Enter guides - Ctrl-SPACE resumes - Esc stops"
EDITING = "edits the last question, Esc leaves it"

# In the place of a message that is being edited.
_IN_LINE = "(in the line: Alt-Up and Alt-Down move it)"
# How many of the messages that wait are shown.
_QUEUE_ROWS = 4

# Why an answer rests that nobody paused.
BY_ITSELF = frozenset(_WHY)

_FAILURES = (EndReason.NETWORK, EndReason.TIMEOUT, EndReason.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What several segments add up to. `estimated` if some tokens were guessed; a sum of money is None where none is
    known. `saved` is by the providers' caches, and `resumed_tokens` and `resume_cost` are what the `resumes` among them
    were asked with.
    """

    segments: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    estimated: bool
    cost: float | None
    saved: float | None
    resumes: int
    resumed_tokens: int
    resume_cost: float | None


def total(segments: Sequence[Segment]) -> Total:
    resumes = [segment for segment in segments if segment.resumes]
    return Total(
        segments=len(segments),
        input_tokens=sum(segment.usage.input_tokens for segment in segments),
        output_tokens=sum(segment.usage.output_tokens for segment in segments),
        cached_tokens=sum(segment.usage.cached_tokens for segment in segments),
        estimated=any(segment.usage.estimated for segment in segments),
        cost=cost_of(segments),
        saved=together(segment.saved for segment in segments),
        resumes=len(resumes),
        resumed_tokens=sum(segment.usage.input_tokens for segment in resumes),
        resume_cost=together(segment.input_cost for segment in resumes),
    )


def bar(
    *,
    label: str,
    messages: Sequence[Message],
    title: str,
    attached: Sequence[str] = (),
    long: bool = False,
    editing: bool = False,
    version: str = "",
    held: int = 0,
    spent: float | None = None,
) -> str:
    """Return the line below a prompt: who answers, the tokens of the conversation and their price, its title.

    `messages` are the last of it, and `spent` is what those before them have cost. The tokens are those that the last
    answer was asked with, and itself: what the next question takes along.
    `held` is how many messages wait that are not sent by themselves.
    """
    last = next((_asked(message.segments) for message in reversed(messages) if message.segments), None)
    parts = [label]
    # What can be done comes first: a narrow window cuts the end.
    parts += [EDITING] if editing else []
    parts += [version] if version else []
    parts += [f"Enter takes the next of {held} queued"] if held else []
    parts += ["PageUp reads the answer"] if long else []
    if messages and messages[-1].status == "interrupted":
        parts.append("/continue goes on with the answer")
    if last is not None:
        used, price = last.usage, together((spent, *(cost_of(message.segments) for message in messages)))
        parts.append(f"{'about ' if used.estimated else ''}{count(used.input_tokens + used.output_tokens, 'token')}")
        parts += [f"cost {price:.4f}"] if price is not None else []
    parts += [f"with {', '.join(attached)}"] if attached else []
    parts += [title] if title else []
    return " - ".join(parts)


def _asked(segments: Sequence[Segment]) -> Segment:
    """Return the last that was asked for: what is only read on takes no tokens of its own."""
    return next((segment for segment in reversed(segments) if segment.mode != "cursor"), segments[-1])


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def streaming_line(
    *,
    model: str,
    elapsed: float,
    rate: float | None,
    preparation: str = "",
    waiting: str = "",
    life: Life = "alive",
    quiet: float = 0.0,
    typed: bool = False,
    columns: int = 80,
) -> str:
    """Return the status line of an answer that streams; `elapsed` in seconds, `rate` in tokens per second.

    `life` is what its stream is, and `quiet` for how many seconds. With something `typed` SPACE is a letter. What does
    not fit `columns` is left out.
    """
    if waiting:
        progress = f"{waiting} (Enter asks now, Esc gives up)"
    elif preparation:
        progress = f"{preparation} …"
    elif life == "silent":
        progress = f"thinking, {quiet:.0f} s"
    elif rate is None:
        progress = "waiting for the first token"
    elif life == "dead":
        progress = f"no sign of life for {quiet:.0f} s"
    else:
        progress = f"{rate:,.0f} tokens/s"
    # Where nothing has come, the silence has lasted as long as the answer.
    took = "" if life == "silent" and rate is None else f"{elapsed:.0f} s"
    parts = [*filter(None, (model, took, progress)), "Enter queue - Ctrl-SPACE pause" if typed else "SPACE pause"]
    for least in filter(None, (took, model, progress)):
        if cell_len(" - ".join(parts)) <= columns:
            break
        if least == progress and waiting:
            return shortened(progress, columns)  # what is wrong says more than a key
        parts.remove(least)
    return " - ".join(parts)


def drawing_line(*, paused: bool) -> str:
    """Return the status line of an answer that has come faster than it can be drawn."""
    return f"{'paused - ' if paused else ''}the rest is being drawn - Esc shows it at once, without its markup"


def ending(reason: EndReason) -> str:
    """Return in two or three words how an answer has come to its end, or to rest."""
    return f"rests {_WHY[reason]}" if reason in _WHY else "has answered"


def queue_lines(waiting: Sequence[str], columns: int, place: int | None = None) -> list[str]:
    """Return the messages that wait for the end of the answer, a line each, the last ones if there are many.

    At its `place` among them stands the one that is in the line.
    """
    queue = [*waiting]
    if place is not None:
        queue.insert(place, _IN_LINE)
    first = max(0, len(queue) - _QUEUE_ROWS)
    lines = [f"and {first} before these"] if first else []
    # Of a long one the beginning: more than a row of it is not shown.
    starts = [text.lstrip()[: 4 * columns] for text in queue[first:]]
    lines += [f"queued {number}: {' '.join(text.split())}" for number, text in enumerate(starts, first + 1)]
    return [shortened(line, columns) for line in lines]


def figures(reply: Reply, label: str, window: int | None) -> list[str]:
    """Return who wrote last, how much of a window of so many tokens is taken, and the cost, as far as that is known."""
    parts = [label]
    if reply.segments and window:
        used = _asked(reply.segments).usage
        share = 100 * (used.input_tokens + used.output_tokens) / window
        parts.append(f"{'about ' if used.estimated else ''}{share:.0f} % of the context")
    price = cost_of(reply.segments)
    parts += [f"cost {price:.4f}"] if price is not None else []
    return parts


def pause_line(reply: Reply, reason: EndReason, elsewhere: str = "", known: Sequence[str] = ()) -> str:
    """Return the line that says that the answer is paused, why if not by a key, what the keys do, and what is `known`.

    `elsewhere` is who else could go on with an answer that its provider has failed.
    """
    return " - ".join([_pause_words(reply, reason, elsewhere), *known])


def _pause_words(reply: Reply, reason: EndReason, elsewhere: str) -> str:
    why = f" {_WHY[reason]}" if reason in _WHY else ""
    after = f"paused{why} after {count(of_reply(reply), 'token')}"
    if reason is EndReason.RESTART:
        return f"{after} - the model started over: SPACE try again - k keep both - n use the new one - Esc stop"
    if reply.cursor is not None and reply.cursor.runs:
        where = f"goes on at {reply.cursor.provider} and is billed"
        return f"{after}, {where} - SPACE reads on - type to guide - Esc stops it - ? more"
    if reply.thoughts and not reply.body:
        # What a model thinks cannot be gone on with: no provider takes half of it back.
        return f"{after}, while thinking - SPACE begins the answer again - type to guide - Esc stop"
    other = f" - /provider {elsewhere}, then SPACE, goes on there" if elsewhere and reason in _FAILURES else ""
    return f"{after} - SPACE resume - type to guide - Esc stop - ? more{other}"


def held_line(reply: Reply, waiting: int, *, streaming: bool) -> str:
    """Return the pause line of a screen that is held while the answer goes on: what waits, and what the keys do."""
    shown = max(0, of_reply(reply) - waiting)
    more = f"{waiting} more so far" if streaming else f"{waiting} more"
    return f"paused after {count(shown, 'token')}, {more} - SPACE show - type to guide - Esc stop"
