"""What a command, a key or a decision of the user comes to, and what the chat does next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, TypeAlias, assert_never

from llmterm.chat.decision import Leave, Resume, Steer
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
    place of itself: its earlier answer stays until another one is there.
    """

    question: Message
    typed: str = ""
    said: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """The chat is to go over to a session; an open answer in it rests, or goes on `at_once`.

    `since` is how many of its messages are on the screen already, and `said` what the others are.
    """

    stored: StoredSession
    at_once: bool = False
    since: int = 0
    said: str = ""


# What is done on the spot, and changes nothing about what comes next.
Effect: TypeAlias = Literal[Word.DONE] | Say | Show | Fill | Write
Change: TypeAlias = Literal[Word.RESTORE] | Rewrite | Unseam
Outcome: TypeAlias = Effect | Change | Literal[Word.HOLD, Word.SUSPEND] | Steer | Resume | Ask | Open | Leave


class Step(Enum):
    """What the chat does next."""

    PROMPT = "ask the user for a message"
    ANSWER = "have a question answered"
    OPEN = "go over to another session"
    PLAY = "show the answer as it comes"
    HOLD = "wait at a screen that is held"
    REST = "wait at a pause"
    RESUME = "resume the answer"
    SUSPEND = "stop the program, and resume the answer"
    CLOSE = "keep the answer, which is over"
    FAIL = "give the question back"
    LEAVE = "leave the program"


def following(outcome: Outcome, state: TurnState | None = None, *, unread: bool = False, rested: bool = False) -> Step:
    """Return what comes after `outcome`.

    `state` is that of the answer that is open, None where none is, and `unread` tells whether something of it is not
    on the screen. An answer that fails after it has `rested` is at a pause like any other; before, its question is
    given back.
    """
    if state is None:
        return _without_answer(outcome)
    match outcome:
        case Word.HOLD:
            return Step.HOLD
        case Word.SUSPEND:
            return Step.SUSPEND
        case Leave() if state in AT_REST:
            return Step.LEAVE
        case Resume() if state in AT_REST:
            return Step.RESUME
        case _:
            return _by_itself(state, unread=unread, rested=rested)


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


def _without_answer(outcome: Outcome) -> Step:
    match outcome:
        case Ask():
            return Step.ANSWER
        case Open():
            return Step.OPEN
        case Leave():
            return Step.LEAVE
        case _:
            return Step.PROMPT
