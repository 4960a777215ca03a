"""Asks many questions at once, each as any other is asked, and tells what has become of them.

So many answers stream at a time; all are paused and resumed together. A connection that breaks in the middle of an
answer has it asked again: what is in the file then is one answer, and no seam. Who is stopped, or killed, has lost the
answers that were streaming, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from llmterm import tokens
from llmterm.batch.questions import BadLine, Question
from llmterm.batch.results import Results
from llmterm.batch.tally import Tally
from llmterm.conversation import Conversation
from llmterm.errors import ConfigError, LlmtermError, ProviderError
from llmterm.files import TextFile, read
from llmterm.messages import Attachment, EndReason, Message, Options, Usage
from llmterm.providers.attachments import refused
from llmterm.respondent import Respondent
from llmterm.schema import Schema, json_in
from llmterm.sessions.segments import cost_of
from llmterm.states import TurnState
from llmterm.threads import in_thread
from llmterm.turn import Turn

# Lines that are read at a time, and results that are written at a time, each in a thread.
_AT_ONCE = 100
# How often an answer is asked for anew whose connection broke, and how long that waits, doubled each time.
_ANEW = 3
_WAIT_SECONDS = 1.0
# Where so many have failed in ways that the next one would too, and none was answered meanwhile, nothing more is asked.
_HOPELESS = 20
_FOR_ALL = ("auth", "config", "connect", "modelnotfound", "quota")
# Bad lines that are remembered to be named.
_NAMED = 10
# Tokens that an answer without a limit is taken to be of, until others were longer.
_ASSUMED = 1_000


class Batch:
    """One run. `tally` tells how far it is; `stopped` says why it ended before the last question, "" if it has not."""

    def __init__(
        self,
        questions: Iterator[Question | BadLine],
        results: Results,
        choose: Callable[[str], Awaitable[Respondent]],
        *,
        system: str = "",
        concurrency: int = 10,
        budget: float | None = None,
        schema: Schema | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`choose` gives who answers for "provider/model", or for "". All answers are to fit the `schema`."""
        self.tally = Tally(began=clock())
        self.stopped = ""
        self.bad: list[BadLine] = []
        """The first of the lines that could not be asked; the file of failures has all."""
        self._questions = questions
        self._results = results
        self._choose = choose
        self._system = system
        self._concurrency = concurrency
        self._budget = budget
        self._schema = schema
        self._clock = clock
        self._going = asyncio.Event()
        self._going.set()
        self._paused_at: float | None = None
        self._respondents: dict[str, asyncio.Task[Respondent]] = {}
        self._turns: set[Turn] = set()
        # What the answers that stream may cost at most, as far as that is known, and the longest answer so far.
        self._at_stake = 0.0
        self._longest = _ASSUMED
        self._hopeless = 0
        self._answers: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._more, self._over = asyncio.Event(), False
        self._freed = asyncio.Event()

    @property
    def _spent(self) -> float:
        """What all of it has cost, with the answers of earlier runs."""
        return self._results.cost + (self.tally.cost or 0.0)

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    async def pause(self) -> None:
        """Have nothing asked, and pause all answers."""
        if not self.paused:
            self._going.clear()
            self._paused_at = self._clock()
            await asyncio.gather(*(turn.pause() for turn in list(self._turns)))

    def resume(self) -> None:
        """Go on with all that was paused."""
        if self._paused_at is not None:
            self.tally.rested += self._clock() - self._paused_at
            self._paused_at = None
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
            self._stake(await self._respondent(""), Conversation())
        writing = asyncio.create_task(self._write())
        asking: set[asyncio.Task[None]] = set()
        try:
            async for question in self._unasked():
                await self._going.wait()
                while len(asking) >= self._concurrency:
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
                if self._results.has(each.id):
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
        except LlmtermError as error:
            self._fail(question, str(error), type(error).__name__.removesuffix("Error").lower())

    async def _answer(self, question: Question) -> None:
        respondent = await self._respondent(question.model)
        respondent = replace(respondent, options=_over(question.options, respondent.options))
        messages = await in_thread(_with_files, question)
        who = f"{respondent.provider.name}/{respondent.model}"
        if refusal := refused(messages[-1].attachments, respondent.provider.accepts(respondent.model), who):
            raise refusal
        conversation = Conversation(
            system=self._system if question.system is None else question.system, messages=messages
        )
        stake = self._stake(respondent, conversation)
        if not await self._affordable(stake):
            return
        self._at_stake += stake
        self.tally.running += 1
        began = self._clock()
        try:
            turn = await self._fitting(respondent, conversation)
            self._take(question, turn, self._clock() - began)
        finally:
            self.tally.running -= 1
            self._at_stake -= stake
            self._freed.set()

    async def _fitting(self, respondent: Respondent, conversation: Conversation) -> Turn:
        """Return a turn that has come to its end; one that does not fit is told so, once. Raises our errors."""
        turn = await self._whole(respondent, conversation)
        if self._schema is None or turn.state is not TurnState.DONE or turn.reply.blank:
            return turn
        misfit = await in_thread(self._schema.misfit, turn.reply.text)
        if not misfit:
            return turn
        self._count(turn)
        complaint = Message(role="user", text=self._schema.complaint(misfit))
        return await self._whole(respondent, conversation.add(turn.reply.message("complete"), complaint))

    async def _whole(self, respondent: Respondent, conversation: Conversation) -> Turn:
        """Return a turn that has come to its end. Raises our errors."""
        for attempt in range(_ANEW + 1):
            turn = await respondent.turn(conversation)
            broken = await self._end_of(turn)
            if broken is None:
                return turn
            self._count(turn)  # it was billed
            if attempt == _ANEW:
                raise broken
            await asyncio.sleep(_WAIT_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    async def _end_of(self, turn: Turn) -> LlmtermError | None:
        """Play the turn to its end, over all pauses; return what broke it in the middle. Raises what refused it."""
        reader = turn.reader()
        self._turns.add(turn)
        try:
            await self._going.wait()
            turn.start()
            async for _ in reader:
                if not reader.at_end or turn.state is TurnState.STREAMING:
                    continue
                match turn.state, turn.reason:
                    case TurnState.PAUSED, EndReason.PAUSE:
                        await self._going.wait()
                        turn.resume()
                    case TurnState.PAUSED, EndReason.RESTART:
                        return ProviderError("the model began the answer anew where it should have gone on with it")
                    case TurnState.PAUSED | TurnState.FAILED, _ if isinstance(turn.error, LlmtermError):
                        if turn.state is TurnState.FAILED:
                            raise turn.error
                        return turn.error
                    case TurnState.FAILED, _ if turn.error is not None:
                        raise turn.error
                    case _:
                        return None
        finally:
            self._turns.discard(turn)
            reader.leave()
            if turn.state is TurnState.STREAMING:
                await turn.cancel()
        return None

    def _take(self, question: Question, turn: Turn, seconds: float) -> None:
        """Take in an answer that is over."""
        cost = self._count(turn)
        reply = turn.reply
        if turn.reason is EndReason.REFUSAL or reply.blank:
            said = f": {turn.end_words}" if turn.end_words else ""
            why = (
                "the provider's filter ended this answer" if turn.reason is EndReason.REFUSAL else "the answer is empty"
            )
            self._fail(question, why + said, "refusal" if turn.reason is EndReason.REFUSAL else "empty")
            return
        if self._schema is not None and (misfit := self._schema.misfit(reply.text)):
            self._fail(question, f"the answer does not fit the schema: {misfit}", "schema")
            return
        used = reply.segments[-1]
        spent = _usage(turn)
        self._longest = max(self._longest, spent.output_tokens)
        self.tally.answered += 1
        self._hopeless = 0
        answer: dict[str, Any] = {"id": question.id, "line": question.line, "model": f"{used.provider}/{used.model}"}
        answer |= {"text": reply.text, "end": str(turn.reason)}
        if self._schema is not None:
            answer["data"] = json.loads(json_in(reply.text))
        if not reply.thoughts.blank:
            answer["thinking"] = str(reply.thoughts)
        answer["usage"] = {"input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens}
        if cost is not None:
            answer["cost"] = cost
        answer["seconds"] = round(seconds, 3)
        self._answers.append(answer)
        self._more.set()

    def _count(self, turn: Turn) -> float | None:
        spent, cost = _usage(turn), cost_of(turn.reply.segments)
        self.tally.input_tokens += spent.input_tokens
        self.tally.output_tokens += spent.output_tokens
        self.tally.add_cost(cost)
        return cost

    def _fail(self, question: Question | BadLine, why: str, kind: str) -> None:
        self.tally.failed += 1
        self._hopeless += kind in _FOR_ALL
        if self._hopeless >= _HOPELESS:
            self.stop(f"{_HOPELESS} have failed for what goes for all, the last: {why}")
        self._failures.append({"id": question.id, "line": question.line, "error": why, "kind": kind})
        self._more.set()

    async def _respondent(self, model: str) -> Respondent:
        """Return who answers; several that ask for the same one wait for the same."""
        if model not in self._respondents:
            self._respondents[model] = asyncio.create_task(_chosen(self._choose, model))
        return await asyncio.shield(self._respondents[model])

    def _stake(self, respondent: Respondent, conversation: Conversation) -> float:
        """Return what an answer may cost. Raises ConfigError where there is a budget, and no price."""
        if self._budget is None:
            return 0.0
        most = respondent.options.max_tokens or self._longest
        cost = respondent.provider.cost(respondent.model, estimate(conversation, most))
        if cost is None:
            raise ConfigError(
                f"what {respondent.provider.name}/{respondent.model} costs is not known, and there is a budget",
                hint=f'[providers.{respondent.provider.name}.prices."{respondent.model}"] says it',
            )
        return cost

    async def _affordable(self, stake: float) -> bool:
        """Wait until the budget has room for an answer beside those that stream; tell whether it ever has."""
        while self._budget is not None and self._spent + self._at_stake + stake > self._budget:
            if self.stopped or not self.tally.running:
                self.stop(f"one more answer might pass the budget of {self._budget:g}")
                return False
            self._freed.clear()
            await self._freed.wait()
        return True

    # The results

    async def _write(self) -> None:
        while not self._over or self._answers or self._failures:
            await self._more.wait()
            self._more.clear()
            answers, self._answers = self._answers, []
            failures, self._failures = self._failures, []
            if answers or failures:
                await in_thread(self._results.add, answers, failures)


def _with_files(question: Question) -> tuple[Message, ...]:
    files = [read(Path(), name) for name in question.files]
    *before, last = question.messages
    blocks = [each.block() for each in files if isinstance(each, TextFile)]
    attached = tuple(each for each in files if isinstance(each, Attachment))
    if not files:
        return question.messages
    return (*before, Message(role="user", text="\n\n".join([last.text, *blocks]), attachments=attached))


async def _chosen(choose: Callable[[str], Awaitable[Respondent]], model: str) -> Respondent:
    return await choose(model)


def estimate(conversation: Conversation, most: int) -> Usage:
    """Return about what an answer of at most so many tokens takes."""
    characters = len(conversation.system) // tokens.CHARACTERS_PER_TOKEN
    asked = tokens.of_messages(conversation.messages) + characters
    return Usage(input_tokens=asked, output_tokens=most, estimated=True)


def _over(own: Options, usual: Options) -> Options:
    """Return the options of a line, and for what it does not say those of the whole batch."""
    return replace(
        usual,
        temperature=usual.temperature if own.temperature is None else own.temperature,
        max_tokens=usual.max_tokens if own.max_tokens is None else own.max_tokens,
        seed=usual.seed if own.seed is None else own.seed,
    )


def _usage(turn: Turn) -> Usage:
    used = [segment.usage for segment in turn.reply.segments]
    return Usage(
        input_tokens=sum(each.input_tokens for each in used), output_tokens=sum(each.output_tokens for each in used)
    )
