"""Whether an answer that was paused and gone on with is the answer that it would have been.

The embedded model answers `PROMPTS`, greedy and seeded, through `LocalProvider` and `Turn`. Pauses fall on chunk
boundaries of the uninterrupted answer, drawn at random with a fixed seed: the stream is stopped after a character, not
after a time. Counted is how many of the answers are the uninterrupted one to the letter,

- in the same process, with 1, 2 and 5 pauses in an answer;
- in the real chat, with a pause by key at any time from Enter on, and so also while the prompt is computed
  (`benchmarks/chatted.py`); and the same beside a process that keeps a core busy;
- with two other conversations answered during the pause;
- after a restart: gone on with by an engine that has never seen the conversation. It computes in one batch what was
  computed token by token, which rounds otherwise: at a near-tie the model takes another word, also without a pause.

Joins are judged by the rules of `judge`; those that it finds to be the model's own doing are counted apart. On
instruction the text is never the uninterrupted one: there the rules judge the continuation as the model sent it, glued
to what was there (the baseline), and as it came out of the turn's seam. Where the seam saw that the model had started
the answer over, nothing was joined, and the user would be asked: that is counted apart, and is no join without a fault.
The seam holds back as many characters as it ever does, however long they take: in the second that it has in a chat, a
machine that does something else beside this writes a fifth of what an idle one does, and the figure would be of that.

One thread computes: two wait for each other busily, and are slower than one when the machine does something else.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from benchmarks.chatted import Chatted, chatted
from benchmarks.judge import FAULTS, OF_THE_MODEL, faults, untouched
from benchmarks.measure import Row
from benchmarks.prompts import OTHERS, PROMPTS
from benchmarks.watched import Watched
from llmterm.conversation import Conversation
from llmterm.messages import Continuation, EndReason, Options, Reply, Request, Snapshot, TextDelta
from llmterm.providers.local import LocalProvider
from llmterm.turn import Turn, TurnState

TOKENS = 100
# Pause points of an answer: in the same process, and in each of the other circumstances.
POINTS = 10
POINTS_ELSEWHERE = 3
PAUSES = (2, 5)
GOAL = 99.0
_SEED = 20261121
_INSTRUCTED_TOKENS = 50
_OTHER_TOKENS = 12
_SEAM_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Whole:
    """An uninterrupted answer. `points` are the places where it can be paused."""

    request: Request
    text: str
    points: tuple[int, ...]
    until: int | None
    """Where it ended by the token limit: what begins in the middle of it has a whole limit."""

    def some(self, dice: random.Random, count: int) -> list[int]:
        return sorted(dice.sample(self.points, min(count, len(self.points))))


@dataclass(frozen=True, slots=True)
class Join:
    """What was there, what the model went on with, and what became of both."""

    before: str
    raw: str
    result: str

    def faults(self, whole: Whole, result: str | None = None) -> Sequence[str]:
        """Return what is wrong with it, or with another `result`; just "none" if nothing is."""
        return sorted(faults(self.before, self.raw, self.result if result is None else result, whole.text)) or ["none"]


@dataclass(slots=True)
class Tally:
    """Answers that were gone on with literally."""

    answers: int = 0
    identical: int = 0
    joins: int = 0
    faulty: int = 0
    own: int = 0
    """Joins that look faulty, and are what the model has said."""

    def add(self, whole: Whole, joins: Sequence[Join]) -> None:
        self.answers += 1
        self.identical += joins[-1].result == whole.text
        self.joins += len(joins)
        for join in joins:
            found = {*join.faults(whole)} - {"none"}
            own = found <= OF_THE_MODEL and untouched(join.before, join.raw, join.result)
            self.own += bool(found and own)
            self.faulty += bool(found and not own)


@dataclass(slots=True)
class Instructed:
    """Joins on instruction: how many have each of the faults, as the model went on and as the seam joined it."""

    joins: int = 0
    restarts: int = 0
    raw: Counter[str] = field(default_factory=Counter)
    seam: Counter[str] = field(default_factory=Counter)

    def add(self, whole: Whole, turn: Turn, join: Join) -> None:
        self.joins += 1
        self.raw.update(join.faults(whole, join.before + join.raw))
        if turn.reason is EndReason.RESTART:
            self.restarts += 1
        else:
            self.seam.update(join.faults(whole))


def run() -> list[Row]:
    return asyncio.run(_rows())


async def _rows() -> list[Row]:
    dice = random.Random(_SEED)
    tallies = {pauses: Tally() for pauses in (1, *PAUSES)}
    others, restarted, instructed = Tally(), Tally(), Instructed()
    async with _engine() as watched:
        answers = [await _whole(watched, prompt) for prompt in PROMPTS]
        for whole in answers:
            for point in whole.some(dice, POINTS):
                tallies[1].add(whole, await _paused(watched, whole, [point]))
            for pauses in PAUSES:
                tallies[pauses].add(whole, await _paused(watched, whole, whole.some(dice, pauses)))
    for whole in answers:
        for point in whole.some(dice, POINTS_ELSEWHERE):
            # An engine of its own for each: none has computed the rest of the answer before.
            async with _engine() as watched:
                others.add(whole, await _paused(watched, whole, [point], others=OTHERS))
                reply = Reply().add(TextDelta(whole.text[:point]))
                rest = Snapshot(request=whole.request, reply=reply, reason=EndReason.PAUSE)
            async with _engine() as watched:
                restarted.add(whole, [await _go(watched, Turn(watched, rest), whole.until)])
                asked = replace(rest, request=_limited(whole.request, _INSTRUCTED_TOKENS))
                turn = Turn(watched, asked, seam_seconds=_SEAM_SECONDS)
                instructed.add(whole, turn, await _go(watched, turn, mode="instruct"))
    return [
        *(_identical(f"same process, pauses: {pauses}", tally, GOAL) for pauses, tally in tallies.items()),
        _identical("two other conversations during the pause", others, GOAL),
        _identical("after a restart", restarted),
        *(_chatted(chatted(dice, busy=busy), busy=busy) for busy in (False, True)),
        *_sound([*tallies.values(), others, restarted]),
        *_instructed(instructed),
    ]


@asynccontextmanager
async def _engine() -> AsyncIterator[Watched]:
    provider = LocalProvider(threads=1, context=1024)
    try:
        yield Watched(provider)
    finally:
        await provider.aclose()


def _asked(prompt: str, tokens: int) -> Request:
    options = Options(temperature=0, max_tokens=tokens, seed=_SEED)
    return Conversation().ask(prompt).request(model="", options=options)


def _limited(request: Request, tokens: int) -> Request:
    return replace(request, options=replace(request.options, max_tokens=tokens))


async def _whole(watched: Watched, prompt: str) -> Whole:
    turn = Turn(watched, _asked(prompt, TOKENS))
    text = (await _go(watched, turn)).result
    points = tuple(end for end in watched.ends if text[:end].strip() and end < len(text))
    return Whole(turn.request, text, points, len(text) if turn.reason is EndReason.LENGTH else None)


async def _paused(watched: Watched, whole: Whole, points: list[int], *, others: Iterable[str] = ()) -> list[Join]:
    """Return the joins of the answer with a pause at each of `points`, during which each of `others` is answered."""
    turn = Turn(watched, whole.request)
    await _go(watched, turn, points[0])
    joins = []
    for until in (*points[1:], None):
        for other in others:
            await _go(watched, Turn(watched, _asked(other, _OTHER_TOKENS)))
        joins.append(await _go(watched, turn, until))
        if turn.state is not TurnState.PAUSED:
            break  # the model took another turn, and came to an end
    return joins


async def _go(watched: Watched, turn: Turn, until: int | None = None, *, mode: Continuation | None = None) -> Join:
    """Begin an answer, or go on with it, and pause it when it has `until` characters, if it does not end before."""
    before = turn.reply.text
    watched.until = until
    watched.reached.clear()
    if turn.state is TurnState.READY:
        turn.start()
    else:
        turn.resume(continuation=mode)
    reading = asyncio.create_task(_read(turn))
    reached = asyncio.create_task(watched.reached.wait())
    await asyncio.wait((reading, reached), return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    await turn.pause()
    await reading
    return Join(before, watched.raw, turn.reply.text)


async def _read(turn: Turn) -> None:
    async for _ in turn.reader().streamed():
        pass


def _identical(what: str, tally: Tally, goal: float | None = None) -> Row:
    percent = 100 * tally.identical / tally.answers
    return Row(
        what=f"identical: {what}, of {tally.answers}",
        ours=f"{percent:.1f} %",
        goal="-" if goal is None else f">= {goal:g} %",
        met="-" if goal is None else "met" if percent >= goal else "MISSED",
    )


def _chatted(found: Chatted, *, busy: bool) -> Row:
    percent = 100 * found.identical / found.answers
    where = "in the chat beside a busy core" if busy else "in the chat"
    return Row(
        what=f"identical: {where}, of {found.answers}, {found.before} paused before the first token",
        ours=f"{percent:.1f} %",
        goal=f">= {GOAL:g} %",
        met="met" if percent >= GOAL else "MISSED",
    )


def _sound(tallies: list[Tally]) -> list[Row]:
    joins, faulty = sum(tally.joins for tally in tallies), sum(tally.faulty for tally in tallies)
    return [
        Row(
            what=f"literal: joins at fault, of {joins}",
            ours=str(faulty),
            goal="0",
            met="MISSED" if faulty else "met",
        ),
        Row(what=f"literal: the model's own doing, of {joins}", ours=str(sum(tally.own for tally in tallies))),
    ]


def _instructed(counted: Instructed) -> list[Row]:
    def row(what: str, ours: int, baseline: int | None = None) -> Row:
        return Row(
            what=f"on instruction: {what}, of {counted.joins}",
            ours=f"{100 * ours / counted.joins:.1f} %",
            baseline="-" if baseline is None else f"{100 * baseline / counted.joins:.1f} %",
        )

    return [
        row("joins without a fault", counted.seam["none"], counted.raw["none"]),
        *(row(fault, counted.seam[fault], counted.raw[fault]) for fault in FAULTS),
        row("not joined, but asked about", counted.restarts),
    ]
