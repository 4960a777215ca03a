"""Has an engine answer many questions at once, and tells what has become of them.

All are paused and resumed together. Who is stopped, or killed, has lost the answers that were streaming, and nothing
else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import assert_never

from llmterm.batch.engine import Answered, Engine, EngineLostError, Failed, Outcome
from llmterm.batch.ledger import Ledger
from llmterm.batch.outcome import kind_of
from llmterm.batch.preparation import ASSUMED, prepared, stake
from llmterm.batch.questions import BadLine, Question
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError
from llmterm.respondent import Respondent
from llmterm.threads import in_thread

# Lines that are read at a time, in a thread.
_AT_ONCE = 100
# Where so many have failed in ways that the next one would too, and none was answered meanwhile, nothing more is asked.
_HOPELESS = 20
_FOR_ALL = ("auth", "config", "connect", "modelnotfound", "quota")
# Bad lines that are remembered to be named.
_NAMED = 10


class Batch:
    """One run. `tally` tells how far it is; `stopped` says why it ended before the last question, "" if it has not."""

    def __init__(
        self,
        questions: Iterator[Question | BadLine],
        ledger: Ledger,
        choose: Callable[[str], Awaitable[Respondent]],
        engine: Engine,
        *,
        system: str = "",
        budget: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`choose` gives who is to answer for "provider/model", or for "", so that the `engine` has them answer."""
        self.tally = ledger.tally
        self.stopped = ""
        self.bad: list[BadLine] = []
        """The first of the lines that could not be asked; the file of failures has all."""
        self._questions = questions
        self._ledger = ledger
        self._choose = choose
        self._engine = engine
        self._system = system
        self._budget = budget
        self._clock = clock
        self._going = asyncio.Event()
        self._going.set()
        self._paused_at: float | None = None
        # What the answers that stream may cost at most, as far as that is known, and the longest answer so far.
        self._at_stake = 0.0
        self._longest = ASSUMED
        self._hopeless = 0
        self._more, self._over = asyncio.Event(), False
        self._freed = asyncio.Event()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    async def pause(self) -> None:
        """Have nothing asked, and pause all answers."""
        if not self.paused:
            self._going.clear()
            self._paused_at = self._clock()
            await self._engine.pause()

    def resume(self) -> None:
        """Go on with all that was paused."""
        if self._paused_at is not None:
            self.tally.rested += self._clock() - self._paused_at
            self._paused_at = None
            self._engine.resume()
        self._going.set()

    def stop(self, why: str) -> None:
        """Ask nothing more; what streams is answered yet."""
        self.stopped = self.stopped or why
        self._freed.set()

    async def run(self) -> None:
        """Ask until there is nothing left. Raises OSError where the results cannot be written, and our errors.

        With a budget, it has to be known what the usual model costs.
        """
        if self._budget is not None:
            self._stake(await self._choose(""), Conversation())
        writing = asyncio.create_task(self._write())
        asking: set[asyncio.Task[None]] = set()
        try:
            async for question in self._unasked():
                await self._going.wait()
                while len(asking) >= self._engine.room:
                    asking = await self._some_over(asking, writing)
                if self.stopped:
                    break
                asking.add(asyncio.create_task(self._ask(question)))
            while asking:
                asking = await self._some_over(asking, writing)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            self._over = True
            self._more.set()
            await asyncio.wait({writing})  # what is there is written, also for who is cancelled
        await writing

    async def _some_over(self, asking: set[asyncio.Task[None]], writing: asyncio.Task[None]) -> set[asyncio.Task[None]]:
        """Wait until one of them is over, and return the others. Raises what went wrong, if that was no answer."""
        done, _ = await asyncio.wait({*asking, writing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return asking - done

    async def _unasked(self) -> AsyncIterator[Question]:
        """Yield the questions of which nobody knows yet what becomes of them."""
        while some := await in_thread(lambda: list(islice(self._questions, _AT_ONCE))):
            for each in some:
                if self.stopped:
                    return
                if self._ledger.has(each.id):
                    self.tally.skipped += 1
                elif isinstance(each, BadLine):
                    if len(self.bad) < _NAMED:
                        self.bad.append(each)
                    self._fail(each, each.problem, "line")
                else:
                    yield each

    async def _ask(self, question: Question) -> None:
        try:
            await self._answer(question)
        except EngineLostError as error:
            self.stop(str(error))
        except LlmtermError as error:
            self._fail(question, str(error), kind_of(error))

    async def _answer(self, question: Question) -> None:
        respondent = await self._choose(question.model)
        asked = await prepared(question, respondent, self._system)
        stake = self._stake(replace(respondent, options=asked.options), asked.conversation)
        if not await self._affordable(stake):
            return
        self._at_stake += stake
        self.tally.running += 1
        try:
            self._take(question, await self._engine.answer(asked))
        finally:
            self.tally.running -= 1
            self._at_stake -= stake
            self._freed.set()

    def _take(self, question: Question | BadLine, outcome: Outcome) -> None:
        """Take in what came of a question."""
        self._ledger.settle(question.line, outcome)
        match outcome:
            case Failed(error=why, kind=kind):
                self._hopeless += kind in _FOR_ALL
                if self._hopeless >= _HOPELESS:
                    self.stop(f"{_HOPELESS} have failed for what goes for all, the last: {why}")
            case Answered():
                self._longest = max(self._longest, outcome.length)
                self._hopeless = 0
            case _:
                assert_never(outcome)
        self._more.set()

    def _fail(self, question: Question | BadLine, why: str, kind: str) -> None:
        self._take(question, Failed(id=question.id, error=why, kind=kind))

    def _stake(self, respondent: Respondent, conversation: Conversation) -> float:
        """Return what an answer may cost. Raises ConfigError where there is a budget, and no price."""
        if self._budget is None:
            return 0.0
        return stake(respondent, conversation, self._longest)

    async def _affordable(self, stake: float) -> bool:
        """Wait until the budget has room for an answer beside those that stream; tell whether it ever has."""
        while self._budget is not None and self._ledger.cost + self._at_stake + stake > self._budget:
            if self.stopped or not self.tally.running:
                self.stop(f"one more answer might pass the budget of {self._budget:g}")
                return False
            self._freed.clear()
            await self._freed.wait()
        return True

    async def _write(self) -> None:
        while not self._over or self._ledger.unwritten:
            await self._more.wait()
            self._more.clear()
            await self._ledger.write()
