"""The commands about sessions: which there are, and which one the chat goes on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from llmterm.chat.commands import Command
from llmterm.chat.context import Context
from llmterm.chat.outcome import New, Open, Outcome, Pick, Say, Word
from llmterm.chat.status import count
from llmterm.chat.suggestion import Choice
from llmterm.errors import SessionError, StoreError, UsageError
from llmterm.sessions import SessionInfo, StoredSession
from llmterm.sessions.record import LAST, Hit
from llmterm.sessions.whole import HeldMessage
from llmterm.threads import in_thread

if TYPE_CHECKING:
    from llmterm.chat.session import Shelf

_LISTED = 20
_FOUND = 20
_NAMED = 5
# How many sessions one picks from; older ones are found with /search.
_PICKED = 2_000


def commands() -> list[Command]:
    return [
        Command(name="sessions", summary="list the newest sessions", run=_list),
        Command(
            name="load",
            argument="ID",
            summary="open an earlier session",
            run=_load,
            values=_sessions,
            picks=True,
            leaves=True,
        ),
        Command(name="system", argument="[TEXT]", summary="show or set the system prompt", run=_system),
        Command(name="new", argument="[TITLE]", summary="begin a new session", run=_new, leaves=True),
        Command(name="title", argument="[TEXT]", summary="show or set the session's title", run=_title),
        Command(
            name="search",
            argument="WORDS",
            summary="find sessions with all these words, and open one",
            run=_search,
            meanwhile=True,
        ),
        Command(
            name="branch", argument="[N]", summary="go on in a copy, of N questions or all", run=_branch, leaves=True
        ),
        Command(
            name="continue",
            argument="[ID]",
            summary="go on with an answer that was stopped or cut",
            run=_continue,
            values=_open_ids,
            leaves=True,
        ),
        Command(
            name="discard",
            argument="[ID]",
            summary="drop an answer that is not over",
            run=_discard,
            values=_open_ids,
            leaves=True,
        ),
    ]


def ending() -> list[Command]:
    """Return the command that ends a session, which the help has elsewhere."""
    return [Command(name="clear", summary="begin a new session on a clear screen", run=_clear, leaves=True)]


async def offer(context: Context) -> Outcome:
    """Point at the newest answer that is not over: cut by the end of an earlier run, or left at a pause.

    Raises StoreError where the store is none that can ever be used.
    """
    try:
        opened = await context.session.read(lambda store: next(iter(_opened(context, store)), None))
    except StoreError as error:
        if error.lasting:
            raise
        return Say(str(error))
    if opened is None:
        return Word.DONE
    return Say(f"“{opened.title}” has an answer that is not over\n/continue opens it - /discard drops it\n\n")


async def _list(context: Context, _argument: str) -> Outcome:
    infos = await context.session.read(lambda store: store.infos(limit=_LISTED + 1))
    if not infos:
        raise UsageError("there is no session yet")
    lines = [_line(context, info) for info in infos[:_LISTED]]
    lines += ["older ones: /search WORDS, or `llmterm sessions list`"] if len(infos) > _LISTED else []
    return Say("\n".join(lines))


def _line(context: Context, info: SessionInfo) -> str:
    state = "" if info.state == "complete" else f"  ({info.state})"
    return f"{info.id}  {info.updated_at.astimezone():%Y-%m-%d %H:%M}  {info.title}{state}{_here(context, info)}"


def _here(context: Context, info: SessionInfo) -> str:
    return "  (this one)" if info.id == context.session.id else ""


async def _load(context: Context, given: str) -> Outcome:
    if not given:
        raise UsageError("which session?", hint="/load ID; /sessions lists them")
    found = await context.session.read(lambda store: _named(store, given))
    if context.choices.taken is not None:
        from llmterm.chat.role import leave

        leave(context)
    return Open(await _loaded(context, found))


async def _loaded(context: Context, session_id: str) -> StoredSession:
    await context.session.keeper.require(session_id)
    return await context.session.read(lambda store: store.load(session_id, last=LAST))


async def _new(_context: Context, title: str) -> Outcome:
    return New(title)


async def _clear(_context: Context, _argument: str) -> Outcome:
    return New(blank=True)


async def _system(context: Context, text: str) -> Outcome:
    if text:
        await context.session.set_system(text)
    system = context.session.talk.system or "there is no system prompt of yours"
    return Say("\n\n".join(filter(None, (system, context.settings.note))))


async def _title(context: Context, title: str) -> Outcome:
    if title:
        await context.session.set_title(title)
    return Say(context.session.talk.title or "the session has no title yet")


async def _search(context: Context, words: str) -> Outcome:
    if not words:
        raise UsageError("search for what?", hint="/search WORDS")
    hits = await context.session.read(lambda store: store.search(words, limit=_FOUND))
    if not hits:
        return Say("nothing was found")
    now = datetime.now(UTC)
    return Pick("load", [(hit.id, " - ".join(_parts(hit, now))) for hit in hits])


def _parts(hit: Hit, now: datetime) -> Iterator[str]:
    yield hit.title
    if hit.snippet not in ("", hit.title):
        yield hit.snippet
    yield _ago(now - hit.updated_at)


async def _branch(context: Context, given: str) -> Outcome:
    """The number of questions that stay, not of messages: people count what they asked."""
    session = context.session
    await session.restore()
    keep = await in_thread(_messages_of, session.talk.kept, given) if given else len(session.talk.kept)
    original = session.recorded()
    await session.keeper.require(original)
    branch = await context.session.read(lambda store: store.branch(original, keep))
    stored = await _loaded(context, branch)
    return Open(stored, since=keep, said=f"this is {branch}, “{stored.title}”")


def _messages_of(path: Sequence[HeldMessage], given: str) -> int:
    """Return how many messages the first questions are, so many as were `given`, with their answers."""
    questions = [index for index, each in enumerate(path) if each.message.role == "user"]
    if not (given.isdecimal() and 0 < int(given) <= len(questions)):
        raise UsageError(f"there is no question {given!r}", hint=f"there are {len(questions)}")
    return [*questions, len(path)][int(given)]


async def _continue(context: Context, given: str) -> Outcome:
    session = context.session
    await session.restore()
    if not given and session.id is not None:
        if session.talk.stopped:
            return Open(await session.open_again(context.choices.options), at_once=True)
        raise UsageError("there is no answer here to go on with", hint="/continue ID takes that of another session")
    found = await context.session.read(lambda store: store.find(given) if given else _newest_open(context, store))
    return Open(await _loaded(context, found))


async def _discard(context: Context, given: str) -> Outcome:
    await context.session.read(lambda store: _drop(store, store.find(given) if given else _newest_open(context, store)))
    return Say("dropped")


def _newest_open(context: Context, store: Shelf) -> str:
    found = next(iter(_opened(context, store)), None)
    if found is None:
        raise UsageError("there is no answer to go on with", hint="/sessions lists sessions, /load opens one")
    return found.id


def _opened(context: Context, store: Shelf) -> list[SessionInfo]:
    """Return the sessions whose answer is not over, but for this one and those of pipes."""
    return [
        info
        for info in store.infos(opened=True, begins=True)
        if info.state in ("cut", "paused") and info.id != context.session.id and not info.piped
    ]


async def _sessions(context: Context, _typed: str) -> Sequence[Choice]:
    infos = await context.session.read(lambda store: store.infos(limit=_PICKED, begins=True))
    infos.sort(key=lambda info: info.id == context.session.id)  # who opens one means another
    return [(info.id, f"{_about(info)}{_here(context, info)}") for info in infos]


async def _open_ids(context: Context, _typed: str) -> Sequence[Choice]:
    opened = await context.session.read(lambda store: _opened(context, store))
    return [(info.id, _about(info)) for info in opened]


def _about(info: SessionInfo) -> str:
    """Return what one needs to know a session again: its title, its first words, how old it is and how it stands."""
    state = "" if info.state == "complete" else f", {info.state}"
    words = f" - “{info.begins}”" if info.begins not in ("", info.title) else ""
    return f"{info.title}{words} - {_ago(datetime.now(UTC) - info.updated_at)}{state}"


def _ago(age: timedelta) -> str:
    """Return an age in its largest unit; of a clock that was set back nothing is made."""
    minutes = max(0, int(age.total_seconds()) // 60)
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"{count(minutes // size, unit)} ago"
    return "just now"


def _named(store: Shelf, given: str) -> str:
    """Return the id that `given` stands for, also as words that one title alone has."""
    try:
        return store.find(given)
    except StoreError:
        raise
    except SessionError:
        found = store.matching(given, limit=_NAMED + 1)
        if not found:
            raise
    if len(found) > 1:
        more = "; ..." if len(found) > _NAMED else ""
        some = "; ".join(f"{session_id} {title}" for session_id, title in found[:_NAMED])
        raise UsageError(f"which one is {given!r}?", hint=some + more)
    return found[0][0]


def _drop(store: Shelf, session_id: str) -> None:
    """Remove the open answer of a session. Raises UsageError where there is none."""
    if store.load(session_id, peek=True).answer is None:
        raise UsageError("the answer of that session is over")
    answer = store.load(session_id).answer
    if answer is not None:  # else the store has dropped it: nothing had come in the place of what was there
        store.reopen(answer).discard()
