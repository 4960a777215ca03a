"""Asks all at once, shows what comes, does what the keys say, and ends when all have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AsyncExitStack, aclosing
from enum import Enum
from itertools import repeat
from typing import Protocol

from llmterm.compare.candidate import Candidate, Told
from llmterm.compare.controls import Controls, pressed
from llmterm.compare.words import choice
from llmterm.conversation import Conversation
from llmterm.keys import Key, KeySource
from llmterm.messages import Message
from llmterm.sessions import StoredSession
from llmterm.sessions.several import AnswerBeside, SeveralAnswers
from llmterm.streams import concat, endless_stream, gather_stream, merge, stream_content

_FRAME_SECONDS = 1 / 30


class View(Protocol):
    """Where the answers are seen; `columns` is how wide a table may be."""

    @property
    def columns(self) -> int: ...

    def begin(self, candidates: Sequence[Candidate], title: str) -> None:
        """Another round begins."""
        ...

    def event(self, told: Told) -> None: ...

    def frame(self, controls: Controls) -> None:
        """Draw what has come, and what the keys do."""
        ...

    def close(self, controls: Controls) -> None:
        """The round is over: show all of it."""
        ...

    def say(self, lines: Sequence[str]) -> None: ...

    def suspend(self) -> None:
        """Stop the program, and take the terminal again when it is gone on with."""
        ...

    def ask(self, line: str) -> None:
        """Have a question stand at the end; "" once it is answered."""
        ...

    async def room(self) -> None:
        """Wait for a reader that is far behind."""
        ...


class Frame(Enum):
    """What comes thirty times a second."""

    DUE = "it is time to draw"


class Comparison:
    """Puts one question to all of the candidates; each answer is on the record, beside the others."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        record: SeveralAnswers,
        view: View,
        keys: KeySource | None,
        *,
        in_turn: bool = False,
        first: bool = False,
    ) -> None:
        """`keys` is None where nobody presses any. `in_turn`: one answer is shown after the other, and nothing is
        drawn. `first`: the first to finish is kept, and the others are stopped then.
        """
        self._candidates = candidates
        self._record = record
        self._view = view
        self._keys = keys
        self._in_turn = in_turn
        self._first = first
        self._answers: dict[Candidate, AnswerBeside] = {}
        self.rounds: list[Sequence[Candidate]] = []
        self.stopped = False

    async def run(self, question: Message, asked: Conversation, rounds: int = 1) -> None:
        """Have the question, the last of the conversation `asked`, answered by all, so often."""
        for number in range(1, rounds + 1):
            title = f"round {number} of {rounds}" if rounds > 1 else ""
            await self._round(question, asked, [each.again() for each in self._candidates], title)
            if self.stopped:
                return

    @property
    def best(self) -> Candidate | None:
        """The first of those whose answer is whole, if there is one."""
        return next((each for candidates in self.rounds for each in candidates if each.answered), None)

    async def keep(self, candidate: Candidate) -> StoredSession:
        """Have the session go through the answer of one of them, and return it. Raises SessionError."""
        return await self._record.keep(self._answers[candidate].row)

    async def chosen(self) -> Candidate | None:
        """Have the user choose one that has said something; None where he chooses none."""
        saying = {str(each.number): each for each in self.rounds[-1] if self._answers[each].row}
        if self._keys is None or not saying:
            return None
        self._view.ask(choice(list(saying)))
        while (key := await self._keys.get()).name not in ("enter", "escape", "c-c", "c-d", "eof"):
            if key.text in saying:
                break
        self._view.ask("")
        return saying.get(key.text)

    async def _round(self, question: Message, asked: Conversation, candidates: Sequence[Candidate], title: str) -> None:
        controls = Controls(candidates, self._view.suspend)
        self.rounds.append(candidates)
        self._view.begin(candidates, title)
        async with AsyncExitStack() as stack:
            answers = {each: self._record.answer() for each in candidates}
            self._answers |= answers
            await asyncio.gather(*(each.prepare(asked) for each in candidates))
            await asyncio.gather(*(each.begin(question, answer, stack) for each, answer in answers.items()))
            await self._play(candidates, controls)
            if self._first:
                await self._stop(candidates)
        self._view.close(controls)
        self.stopped = controls.stopped

    async def _play(self, candidates: Sequence[Candidate], controls: Controls) -> None:
        """Show the answers and obey the keys until all have ended; or one has, where that is enough."""
        view = self._view
        frames: AsyncIterable[Frame] = (
            endless_stream() if self._in_turn else stream_content(repeat(Frame.DUE), _FRAME_SECONDS)
        )
        keys: AsyncIterable[Key] = endless_stream() if self._keys is None else pressed(self._keys, controls)
        streams: list[AsyncIterable[Told | Key | Frame]] = [self._told(candidates), keys, frames]
        async with aclosing(merge(streams, stop_on_first=True)) as coming:
            async for each in coming:
                match each:
                    case Told():
                        view.event(each)
                        await view.room()
                    case Key():
                        await controls.press(each)
                        view.frame(controls)
                    case Frame():
                        view.frame(controls)

    async def _told(self, candidates: Sequence[Candidate]) -> AsyncGenerator[Told, None]:
        if self._in_turn and self._first and (winner := await self._race(candidates)) is not None:
            for each in await gather_stream(winner.told()):
                yield each
            return
        streams = [each.told() for each in candidates]
        told = concat(*streams, eager=True) if self._in_turn else merge(streams)
        try:
            async for each in told:
                yield each
                if self._first and each.candidate.answered:
                    return
        finally:
            await told.aclose()

    async def _race(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """Return the first to finish, None where nobody does; the others are stopped."""
        async with aclosing(merge([each.told() for each in candidates])) as told:
            async for each in told:
                if each.candidate.answered:
                    await self._stop(candidates)
                    return each.candidate
        return None

    async def _stop(self, candidates: Sequence[Candidate]) -> None:
        await asyncio.gather(*(each.stop() for each in candidates if not each.answered))
