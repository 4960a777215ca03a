"""Where the questions of a chat are answered, and what an answer is to it, wherever that is made."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from llmterm.eventlog import Reader
from llmterm.messages import Continuation, EndReason, Message, Reply
from llmterm.progress import Progress
from llmterm.recorded import Standing
from llmterm.sessions import OpenAnswer, StoredSession
from llmterm.states import TurnState


class Played(Protocol):
    """An answer that is read as it comes, and steered: a turn and its record, which inside `async with` go on.

    What is asked of it has come about when its method returns, or a notice in its log says why not.
    """

    @property
    def state(self) -> TurnState: ...
    @property
    def reason(self) -> EndReason: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def end_words(self) -> str:
        """What the provider said of the end, where it was no usual one."""
        ...

    @property
    def reply(self) -> Reply: ...
    @property
    def who(self) -> tuple[str, str]:
        """The provider and the model that answer."""
        ...

    @property
    def guidance(self) -> str:
        """What the part that is being written was asked for under."""
        ...

    @property
    def preparation(self) -> str:
        """What it has to wait for before it is asked for, "" for nothing."""
        ...

    @property
    def progress(self) -> Progress: ...
    @property
    def started_over(self) -> str:
        """What the model said when it started the answer over instead of going on with it."""
        ...

    @property
    def standing(self) -> Standing: ...
    @property
    def rested(self) -> bool:
        """Whether it has ever been at rest with something to go on from."""
        ...

    def reader(self) -> Reader:
        """Return the screen's reader, which the stream waits for."""
        ...

    async def pause(self, *, upto: int | None = None) -> None:
        """Stop it, where it streams; with `upto` it ends after so many characters of text."""
        ...

    async def cancel(self) -> None:
        """End it for good."""
        ...

    async def leave(self) -> None:
        """Its user leaves: it rests for this chat, and can be gone on with later."""
        ...

    async def steer(self, guidance: str) -> bool:
        """Have it go on under `guidance` without a pause, where that can be; tell whether it does."""
        ...

    async def resume(self, *, guidance: str, continuation: Continuation | None, who: tuple[str, str]) -> None:
        """Have it go on, by a provider and its model. Raises our errors where that cannot be."""
        ...

    async def rewrite(self, reply: Reply) -> None:
        """Put `reply` in its place, while it is at rest."""
        ...

    async def kept(self) -> None:
        """Wait until what there is of it is on the record, or is known not to be."""
        ...

    async def finish(self) -> None:
        """Close the record of one that is over."""
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Host(Protocol):
    """Has questions answered in the session of the chat, by whom its choices name."""

    @property
    def shared(self) -> bool:
        """Whether others go on with the same session, and are to be seen doing so."""
        ...

    @property
    def left(self) -> str:
        """How the session is gone on with, once the chat is left."""
        ...

    async def changed(self) -> StoredSession:
        """Wait until somebody else has gone on with a session that is shared; return it."""
        ...

    async def ask(self, question: Message) -> Played:
        """Ask. Raises our errors where that cannot be: nothing is written then."""
        ...

    async def go_on(self, answer: OpenAnswer) -> Played:
        """Return an open answer of the session, which was opened."""
        ...
