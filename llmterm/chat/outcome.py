"""What a command, a key or a decision of the user comes to, and what the chat does next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, TypeAlias, assert_never

from llmterm.chat.decision import Leave, Resume, Steer
from llmterm.chat.suggestion import Choice
from llmterm.errors import UsageError
from llmterm.messages import Message
from llmterm.sessions import StoredSession
from llmterm.states import AT_REST, TurnState


class Word(Enum):
    """Outcomes that say all by their name."""

    DONE = "nothing more is to be done"
    RESTORE = "the last change of the answer at rest is to be taken back"
    HOLD = "the screen is to be held, while the answer is received"
    SUSPEND = "the program is to be stopped, as by Ctrl-Z, and the answer to be resumed after that"


@dataclass(frozen=True, slots=True)
class Say:
    """The user is to read this."""

    text: str


@dataclass(frozen=True, slots=True)
class Show:
    """The user is to see this message, as it was said."""

    message: Message


@dataclass(frozen=True, slots=True)
class Fill:
    """This text is the user's, to be gone on with: behind what is being typed, or as a message that is `held`.

    `note` says what stands below the prompt, where nothing does.
    """

    text: str
    held: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """The user is to pick one of these `values`, with the command of that name; beside an answer, to read them."""

    command: str
    values: Sequence[Choice]

    @property
    def text(self) -> str:
        return "\n".join(f"{value}  {about}" for value, about in self.values)


@dataclass(frozen=True, slots=True)
class Write:
    """A file is to be written; over one that is there only if the user says so."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The answer at rest is to have another text, and to be resumed from there if it `resumes`."""

    text: str
    resumes: bool = True


@dataclass(frozen=True, slots=True)
class Unseam:
    """What was changed at the seam of that number, from 1, is to be undone in the answer at rest."""

    number: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The question is to be answered; `typed` is in the line again where it comes to nothing.

    `said` is what is to be said of what goes with it, once it is clear that it can. One that is asked `again` is in the
    place of itself, and shown once more: its earlier answer stays until another one is there.
    """

    question: Message
    typed: str = ""
    said: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """The chat is to go over to a session; an open answer in it rests. One that goes on `at_once`, with who answers
    now, is on the screen.

    `since` is how many of its messages are on the screen already, and `said` what the others are.
    """

    stored: StoredSession
    at_once: bool = False
    since: int = 0
    said: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """The chat is to begin a new session, of that `title` if there is one; on a `blank` screen if so."""

    title: str = ""
    blank: bool = False


# What is done on the spot, and changes nothing about what comes next.
Effect: TypeAlias = Literal[Word.DONE] | Say | Show | Fill | Write
Change: TypeAlias = Literal[Word.RESTORE] | Rewrite | Unseam
# What may become of the chat while no answer is open, and of an answer that is.
Move: TypeAlias = Ask | Open | New | Pick | Leave
Wish: TypeAlias = Literal[Word.DONE, Word.HOLD, Word.SUSPEND] | Resume | Leave
Outcome: TypeAlias = Effect | Change | Move | Wish | Steer


class Step(Enum):
    """What is done with an answer next, besides resuming and leaving it."""

    PLAY = "show it as it comes"
    HOLD = "wait at a screen that is held"
    REST = "wait at a pause"
    SUSPEND = "stop the program, and resume the answer"
    CLOSE = "keep it, as it is over"
    FAIL = "give its question back"


def without_answer(outcome: Outcome) -> Effect | Move:
    """Return what is to be done while no answer is open, DONE where that is to ask the user for a message.

    Raises UsageError for what would steer one.
    """
    match outcome:
        case Word.DONE | Say() | Show() | Fill() | Pick() | Write() | Ask() | Open() | New() | Leave():
            return outcome
        case Steer():
            raise UsageError("no answer is open", hint="a question is not steered, but sent")
        case Word.RESTORE | Word.HOLD | Word.SUSPEND | Rewrite() | Unseam() | Resume():
            return Word.DONE  # it is for an answer at rest
        case _:
            assert_never(outcome)


def with_answer(wish: Wish, state: TurnState, *, unread: bool = False, rested: bool = False) -> Step | Resume | Leave:
    """Return what is to be done with an answer that is open and in that `state`, where the user has such a wish.

    `unread` tells whether something of it is not on the screen. One that fails after it has `rested` is at a pause like
    any other; before, its question is given back.
    """
    match wish:
        case Word.HOLD:
            return Step.HOLD
        case Word.SUSPEND:
            return Step.SUSPEND
        case Resume() | Leave() if state in AT_REST:
            return wish
        case Word.DONE | Resume() | Leave():
            return _by_itself(state, unread=unread, rested=rested)
        case _:
            assert_never(wish)


def _by_itself(state: TurnState, *, unread: bool, rested: bool) -> Step:
    """Return what an answer comes to where nobody has decided anything."""
    match state:
        case TurnState.READY | TurnState.STREAMING:
            return Step.PLAY
        case TurnState.FAILED if not rested:
            return Step.FAIL
        case _ if unread:
            return Step.PLAY
        case TurnState.PAUSED | TurnState.FAILED:
            return Step.REST
        case TurnState.DONE | TurnState.CANCELLED:
            return Step.CLOSE
        case _:
            assert_never(state)
