"""The commands about sessions: which there are, and which one the chat goes on with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Protocol, TypeVar

from llmterm.chat.choosing import Choices
from llmterm.chat.commands import Choice, Command
from llmterm.chat.session import ChatSession
from llmterm.errors import SessionError, StoreError, UsageError
from llmterm.sessions import SessionInfo, SessionStore, StoredSession
from llmterm.sessions.lookup import means

T = TypeVar("T")

_LISTED = 20
_FOUND = 20
_NAMED = 5


class Reopen(Protocol):
    async def __call__(self, stored: StoredSession, *, at_once: bool = False) -> None:
        """Have the chat go on with a stored session, and with an open answer in it: at rest, or at once."""
        ...


class Browsing:
    """Lists, finds, opens, names and branches sessions."""

    def __init__(
        self,
        *,
        session: ChatSession,
        say: Callable[[str], None],
        choices: Choices,
        note: str,
        reopen: Reopen,
    ) -> None:
        """`reopen` has the chat go on with a stored session; `choices` are those of the chat.

        `note` is what the system prompt says about the marker.
        """
        self._note = note
        self._session = session
        self._store = session.store
        self._say = say
        self._choices = choices
        self._reopen = reopen

    def commands(self) -> list[Command]:
        return [
            Command(name="sessions", argument="", summary="list the newest sessions", run=self._list),
            Command(
                name="load",
                argument="ID",
                summary="open an earlier session",
                run=self._load,
                matches=self._ids,
            ),
            Command(name="system", argument="[TEXT]", summary="show or set the system prompt", run=self._system),
            Command(name="new", argument="[TITLE]", summary="begin a new session", run=self._new),
            Command(name="title", argument="[TEXT]", summary="show or set the session's title", run=self._title),
            Command(name="search", argument="WORDS", summary="find sessions with all these words", run=self._search),
            Command(
                name="branch",
                argument="[N]",
                summary="go on in a copy, of N questions or all",
                run=self._branch,
            ),
            Command(
                name="continue",
                argument="[ID]",
                summary="go on with an answer that was stopped or cut",
                run=self._continue,
                matches=self._open_ids,
            ),
            Command(
                name="discard",
                argument="[ID]",
                summary="drop an answer that is not over",
                run=self._discard,
                matches=self._open_ids,
            ),
        ]

    def offer(self) -> None:
        """Point at the newest answer that is not over: cut by the end of an earlier run, or left at a pause.

        Raises StoreError where the store is none that can ever be used.
        """
        try:
            opened = next(iter(self._opened(self._store)), None)
        except StoreError as error:
            if error.lasting:
                raise
            self._say(str(error))
            return
        if opened is not None:
            self._say(f"“{opened.title}” has an answer that is not over")
            self._say(f"/continue {opened.id} goes on with it - /discard {opened.id} drops it\n\n")

    async def _apart(self, use: Callable[[SessionStore], T]) -> T:
        """Use the store in a thread: neither a long session nor a lock of somebody else holds up anything else here."""

        def run() -> T:
            with closing(self._store.another()) as store:
                return use(store)

        return await asyncio.to_thread(run)

    async def _list(self, _argument: str) -> None:
        infos = await self._apart(lambda store: store.infos(limit=_LISTED + 1))
        if not infos:
            raise UsageError("there is no session yet")
        self._say("\n".join(self._line(info) for info in infos[:_LISTED]))
        if len(infos) > _LISTED:
            self._say("older ones: /search WORDS, or `llmterm sessions list`")

    def _line(self, info: SessionInfo) -> str:
        state = "" if info.state == "complete" else f"  ({info.state})"
        here = "  (this one)" if info.id == self._session.id else ""
        return f"{info.id}  {info.updated_at.astimezone():%Y-%m-%d %H:%M}  {info.title}{state}{here}"

    async def _load(self, given: str) -> None:
        if not given:
            raise UsageError("which session?", hint="/load ID; /sessions lists them")
        found = await self._apart(lambda store: _named(store, given))
        await self._reopen(await self._loaded(found))

    async def _loaded(self, session_id: str) -> StoredSession:
        self._session.keeper.require(session_id)
        return await self._apart(lambda store: store.load(session_id))

    async def _new(self, title: str) -> None:
        self._session.new()
        if title:
            self._session.set_title(title)
        self._say(f"a new session{f', “{self._session.title}”' if title else ''}")

    async def _system(self, text: str) -> None:
        if text:
            self._session.set_system(text)
        system = self._session.conversation.system or "there is no system prompt of yours"
        self._say("\n\n".join(filter(None, (system, self._note))) if self._note else system)

    async def _title(self, title: str) -> None:
        if title:
            self._session.set_title(title)
        self._say(self._session.title or "the session has no title yet")

    async def _search(self, words: str) -> None:
        if not words:
            raise UsageError("search for what?", hint="/search WORDS")
        hits = await self._apart(lambda store: store.search(words, limit=_FOUND))
        self._say("\n".join(f"{hit.id}  {hit.title}\n          {hit.snippet}" for hit in hits) or "nothing was found")

    async def _branch(self, given: str) -> None:
        """The number of questions that stay, not of messages: people count what they asked."""
        self._session.restore()
        questions = [index for index, message in enumerate(self._session.messages) if message.role == "user"]
        if given and not (given.isdecimal() and 0 < int(given) <= len(questions)):
            raise UsageError(f"there is no question {given!r}", hint=f"there are {len(questions)}")
        keep = len(self._session.messages)
        if given and int(given) < len(questions):
            keep = questions[int(given)]
        original = self._session.recorded()
        self._session.keeper.require(original)
        branch = await self._apart(lambda store: store.branch(original, keep))
        self._session.open(await self._loaded(branch))
        self._say(f"this is {branch}, “{self._session.title}”")

    async def _continue(self, given: str) -> None:
        self._session.restore()
        if not given and self._session.id is not None:
            last = self._session.messages[-1] if self._session.messages else None
            if last is not None and last.role == "assistant" and last.status == "interrupted":
                self._session.keeper.require(self._session.id)
                await self._reopen(self._store.open_again(self._session.id, self._choices.options), at_once=True)
                return
            raise UsageError("there is no answer here to go on with", hint="/continue ID takes that of another session")
        found = await self._apart(lambda store: store.find(given) if given else self._newest_open(store))
        await self._reopen(await self._loaded(found))

    async def _discard(self, given: str) -> None:
        await self._apart(lambda store: _drop(store, store.find(given) if given else self._newest_open(store)))
        self._say("dropped")

    def _newest_open(self, store: SessionStore) -> str:
        found = next(iter(self._opened(store)), None)
        if found is None:
            raise UsageError("there is no answer to go on with", hint="/sessions lists sessions, /load opens one")
        return found.id

    def _opened(self, store: SessionStore) -> list[SessionInfo]:
        """Return the sessions whose answer is not over, but for this one and those of pipes."""
        return [
            info
            for info in store.infos(opened=True)
            if info.state in ("cut", "paused") and info.id != self._session.id and not info.piped
        ]

    async def _ids(self, typed: str) -> Sequence[Choice]:
        return await self._apart(lambda store: store.matching(typed, limit=_LISTED))

    async def _open_ids(self, typed: str) -> Sequence[Choice]:
        opened = await self._apart(self._opened)
        return [(info.id, info.title) for info in opened if means(typed, info.id, info.title)][:_LISTED]


def _named(store: SessionStore, given: str) -> str:
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


def _drop(store: SessionStore, session_id: str) -> None:
    """Remove the open answer of a session. Raises UsageError where there is none."""
    if store.load(session_id, peek=True).answer is None:
        raise UsageError("the answer of that session is over")
    answer = store.load(session_id).answer
    if answer is not None:  # else the store has dropped it: nothing had come in the place of what was there
        store.reopen(answer).discard()
