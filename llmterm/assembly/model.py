"""A model as a program uses it: asked for a whole answer, for a stream, for many, or for a turn that can be paused.

What it is asked is the program's own: of the configuration it has who answers, the keys, addresses, limits and
fallbacks, but no system prompt and no options.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from llmterm.ask import judged
from llmterm.conversation import Conversation
from llmterm.errors import LlmtermError
from llmterm.fallback import Fallback
from llmterm.messages import Options, Reply, Snapshot, StreamLimits, TextDelta
from llmterm.providers import Provider
from llmterm.streams import merge
from llmterm.turn import Turn

Question: TypeAlias = str | Conversation


class Answer(NamedTuple):
    """The answer to one of many questions: which one it was, its place from 0, and what has come of the answer.

    `error` is why that is not a whole answer, None where it is.
    """

    number: int
    question: Question
    reply: Reply
    error: LlmtermError | None = None


class Model:
    """A model that is connected: made by `connect`, and closed with it.

    A question is a text, or a `Conversation` that ends with one, where there is a system prompt, an attachment, or
    something that was said before. `options` are the question's own; without any the provider decides. Any number of
    answers may be waited for at once: as many as `max_concurrent` of the provider's configuration, 10 unless it says
    otherwise, are being made. A request that fails before its answer has begun is repeated as `[retry]` says.
    """

    def __init__(
        self, provider: Provider, name: str, *, limits: StreamLimits, fallbacks: Sequence[Fallback] = ()
    ) -> None:
        """`name` is that of the model, as its provider has it."""
        self.provider = provider
        self.name = name
        self._limits = limits
        self._fallbacks = fallbacks

    def turn(self, question: Question | Snapshot, *, options: Options | None = None) -> Turn:
        """Return the turn that answers a question, ready to be started, or goes on with a snapshot, at rest.

        It can be paused and resumed; nothing is asked before it is started. A snapshot has options of its own.
        """
        if isinstance(question, str):
            question = Conversation().ask(question)
        asked = question if isinstance(question, Snapshot) else question.request(model=self.name, options=options)
        return Turn(self.provider, asked, limits=self._limits, fallbacks=self._fallbacks)

    async def generate(self, question: Question, *, options: Options | None = None) -> Reply:
        """Return the whole answer: `text`, `thinking`, and in `segments` who wrote it and what it took, in tokens.

        Raises ProviderError where none comes, it is cut short, or there is no text in it; one that ends at the
        `max_tokens` of its options is whole. A cancellation closes the connection.
        """
        answer = await self._answered(0, question, options)
        if answer.error is not None:
            raise answer.error
        return answer.reply

    async def stream(self, question: Question, *, options: Options | None = None) -> AsyncGenerator[str, None]:
        """Yield the text of the answer as it comes, in pieces of any size; a slow reader slows the stream down.

        Raises as `generate` does, after what has come. When it is closed, as `contextlib.aclosing` does it after a
        break, or cancelled, the connection is.
        """
        turn = self.turn(question, options=options)
        reader = turn.reader(waited_for=True)
        turn.start()
        try:
            async for event in reader.streamed():
                if isinstance(event, TextDelta):
                    yield event.text
            _require_whole(turn)
        finally:
            reader.leave()
            await turn.cancel()

    def ask_many(
        self, questions: Iterable[Question], *, at_once: int = 10, options: Options | None = None
    ) -> AsyncGenerator[Answer, None]:
        """Return a stream of answers as they finish, so many being made `at_once`; a failed one has its error.

        A question is taken from `questions` when it is its turn. Answers that nobody takes slow it down. When it is
        closed, as `contextlib.aclosing` does it after a break, or cancelled, those that are being made are, too.
        """
        if at_once < 1:
            raise ValueError(f"at least one has to be asked at once, not {at_once}")
        left = iter(enumerate(questions))
        return merge([self._answers(left, options) for _ in range(at_once)])

    async def _answers(
        self, questions: Iterator[tuple[int, Question]], options: Options | None
    ) -> AsyncGenerator[Answer, None]:
        for number, question in questions:
            yield await self._answered(number, question, options)

    async def _answered(self, number: int, question: Question, options: Options | None) -> Answer:
        turn = self.turn(question, options=options)
        reader = turn.reader()
        turn.start()
        try:
            async for _ in reader.streamed():
                pass
            return Answer(number, question, turn.reply, _problem(turn))
        finally:
            reader.leave()
            await turn.cancel()


def _problem(turn: Turn) -> LlmtermError | None:
    """Return why a turn has no whole answer, None where it has. Raises what is a bug."""
    if turn.error is not None and not isinstance(turn.error, LlmtermError):
        raise turn.error
    return judged(turn, None, turn.request.options).problem


def _require_whole(turn: Turn) -> None:
    if (problem := _problem(turn)) is not None:
        raise problem
