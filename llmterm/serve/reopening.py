"""Answers that nobody has in hand, taken up where they rest: from their record, and from what was told of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple

from llmterm.errors import ConfigError
from llmterm.eventlog import EventLog
from llmterm.events import StateChanged
from llmterm.messages import EndReason, Message, Snapshot
from llmterm.serve.records import Records
from llmterm.serve.respondents import Respondents
from llmterm.sessions import OpenAnswer, StoredSession
from llmterm.sessions.current import CurrentSession
from llmterm.states import AT_REST, TurnState
from llmterm.turn import Turn

# Seconds that the end of an answer waits for a store that somebody else keeps locked.
_PATIENCE = 5.0


class Reopened(NamedTuple):
    """A turn that rests, in its session: what it answers, or the answer of the record that it is."""

    turn: Turn
    session: CurrentSession
    asked: Message | OpenAnswer


async def reopened(
    records: Records, respondents: Respondents, stored: StoredSession, told: EventLog | None, first: int
) -> Reopened:
    """Return the open answer of a session. It is told on where it was `told`, or from the place `first` on.

    Raises our errors.
    """
    answer = stored.answer
    assert answer is not None
    session = records.opened(stored)
    respondent = await respondents.of_rest(answer)
    await session.whole()
    log = told or EventLog(answer.reply, first=first)
    agree(log, answer)
    return Reopened(await respondent.turn(await session.conversation(), answer, log=log), session, answer)


async def recovered(records: Records, respondents: Respondents, asked: str, told: EventLog | None) -> Reopened:
    """Return a turn that is on no record, of what it answers, see `in_words`, and as far as it was `told`."""
    try:
        value = json.loads(asked)
        provider, snapshot = str(value["provider"]), Snapshot.from_json(json.dumps(value["snapshot"]))
    except (ValueError, KeyError, TypeError):
        raise ConfigError("another instance is of another version, and its turn cannot be gone on with here") from None
    log = told or EventLog()
    if log.state not in AT_REST:
        log.append(StateChanged(TurnState.PAUSED, EndReason.CRASH))
    request = snapshot.request
    messages = [each for each in request.messages if each.role != "system"]
    session = records.session(system="", kept=False)
    if messages[:-1]:
        session.say(*messages[:-1])
    respondent = await respondents.named(provider, request.model)
    rest = replace(snapshot, reply=log.reply, reason=EndReason.CRASH)
    return Reopened(respondent.resting(rest, log), session, messages[-1])


async def finished(session: CurrentSession, answer: OpenAnswer, told: EventLog) -> None:
    """Close the record of an answer that was over when its instance ended, and was told to be."""
    record, reply = await session.reopen(answer), told.reply
    if told.state is TurnState.CANCELLED and not (reply.body or reply.thoughts):
        record.discard()
    else:
        session.say(record.finish(reply, "interrupted" if told.state is TurnState.CANCELLED else "complete"))
    await record.settled()
    await session.keeper.last_chance(_PATIENCE)


def agree(log: EventLog, answer: OpenAnswer) -> None:
    """Have the log say what the record says, and that it rests; of an answer that was cut, which of both knows more."""
    reply = answer.reply
    same = reply.body == log.reply.body and reply.thoughts == log.reply.thoughts
    if not same and not (answer.reason is EndReason.CRASH and len(log.reply.body) >= len(reply.body)):
        log.rewrite(reply)
    if same:
        log.reply = reply  # with what its provider wants back
    log.place(reply.cursor)  # what was told behind it comes again
    if log.state not in AT_REST:
        log.append(StateChanged(TurnState.PAUSED, answer.reason))
