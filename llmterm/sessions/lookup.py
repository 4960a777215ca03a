"""Sessions by their ids: made, found by a beginning, and refused with a word on what to do instead.

Ids are short and easy to say: Crockford's base 32 (https://www.crockford.com/base32.html), in lower case.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from llmterm.errors import SessionError
from llmterm.sessions.database import Transaction
from llmterm.sessions.owner import Owner
from llmterm.sessions.titles import one_line

_LOAD = "/load {} opens it as it is now"
LIST_HINT = "`llmterm sessions list` shows them all"

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u
_MISREAD = str.maketrans("ilo", "110")
_ID_LENGTH = 8
# From here on a word is taken for a slip in another one; two ids have less in common.
_ALIKE = 0.75


def new_id(tx: Transaction) -> str:
    """Return an id that no session has."""
    made = _any_id()
    while tx.row("SELECT 1 FROM sessions WHERE id = ?", made):
        made = _any_id()
    return made


def matching(tx: Transaction, typed: str, limit: int | None) -> list[tuple[str, str]]:
    """Return ids and titles of the sessions that `typed` may mean, the one changed last first."""
    rows: Iterator[tuple[str, str]] = (
        (session_id, title)
        for session_id, title in tx.rows("SELECT id, title FROM sessions ORDER BY change DESC")
        if means(typed, session_id, title)
    )
    return list(islice(rows, limit))


def means(typed: str, session_id: str, title: str) -> bool:
    """Tell whether `typed` is how the id begins, or has only words that are in the title, upper or lower case."""
    folded = title.casefold()
    return session_id.startswith(_as_id(typed)) or all(word in folded for word in one_line(typed).casefold().split())


def find(tx: Transaction, given: str) -> str:
    """Return the id that `given`, an id or the beginning of one, stands for."""
    known: dict[str, str] = {row[0]: row[1] for row in tx.rows("SELECT id, title FROM sessions ORDER BY change DESC")}
    if given in known:
        return given
    wanted = _as_id(given)
    matches = [each for each in known if wanted and each.startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SessionError(
            f"{len(matches)} sessions begin with {given!r}", hint="give more of the id: " + ", ".join(matches[:5])
        )
    if not known:
        raise SessionError(f"no session {given!r}", hint="there are none yet; `llmterm chat` begins one")
    near = _nearest(given, known)
    raise SessionError(f"no session {given!r}", hint=f"the nearest is {near}, {known[near]!r}; {LIST_HINT}")


def _nearest(given: str, known: dict[str, str]) -> str:
    """Return the id of the session that has `given` or something very like it in its title, else of the nearest id."""
    import difflib  # only on this way out

    named = next((each for each, title in known.items() if title and means(given, each, title)), None)
    if named is not None and given.strip():
        return named
    words = {word: each for each in reversed(known) for word in known[each].casefold().split()}
    alike = difflib.get_close_matches(given.casefold(), words, n=1, cutoff=_ALIKE)
    return words[alike[0]] if alike else difflib.get_close_matches(_as_id(given), known, n=1, cutoff=0.0)[0]


def require_head(tx: Transaction, session_id: str, head: int | None) -> None:
    """Refuse a session that ends with another message than `head`: 0 for none, None for any."""
    if head is None:
        return
    row = tx.row("SELECT head_id FROM sessions WHERE id = ?", session_id)
    if row is None:
        raise unknown(session_id)
    if (row[0] or 0) != head:
        raise SessionError("the session was changed by another llmterm", hint=_LOAD.format(session_id))


def require_closed(tx: Transaction, session_id: str, head: int | None = None, *, after: int | None = None) -> int:
    """Return the row that a message of the session is to follow: `after`, else its head; 0 for the beginning.

    Refuses a session that is unknown or was changed since `head` was its last message, and a row that is no message of
    it, or an answer that is open.
    """
    require_head(tx, session_id, head)
    row = tx.row("SELECT head_id FROM sessions WHERE id = ?", session_id)
    if row is None:
        raise unknown(session_id)
    last: int = (row[0] or 0) if after is None else after
    if after:
        require_message(tx, session_id, after)
    if tx.row("SELECT 1 FROM open_answers WHERE message_id = ?", last):
        raise SessionError(
            f"the last answer of session {session_id} is not over",
            hint=f"go on with it, keep it or discard it: `llmterm chat --session {session_id}`",
        )
    return last


def require_message(tx: Transaction, session_id: str, row: int) -> None:
    """Refuse a row that is no message of the session."""
    if not tx.row("SELECT 1 FROM messages WHERE id = ? AND session_id = ?", row, session_id):
        raise SessionError(f"session {session_id!r} has no message {row}", hint=LIST_HINT)


def require_left(tx: Transaction, session_id: str, owner: Owner) -> None:
    """Refuse a session of which a living process has an answer in its hands; at rest, another one than `owner`."""
    for state, pid, host, born in tx.rows(
        "SELECT state, owner_pid, owner_host, owner_born"
        " FROM messages JOIN open_answers ON message_id = messages.id WHERE session_id = ?",
        session_id,
    ):
        holder = Owner(pid=pid, host=host, born=born)
        if holder.alive() and state == "streaming":
            raise busy(session_id, holder)
        if holder.alive() and holder != owner:
            raise SessionError(
                f"the last answer of session {session_id} is not over, in another llmterm (pid {pid})",
                hint="end it there, or leave that chat",
            )


def gone_on_with(session_id: str) -> SessionError:
    return SessionError("the answer was gone on with by another llmterm", hint=_LOAD.format(session_id))


def unknown(session_id: str) -> SessionError:
    return SessionError(f"no session {session_id!r}", hint=LIST_HINT)


def busy(session_id: str, owner: Owner) -> SessionError:
    return SessionError(
        f"session {session_id} is being answered in another llmterm (pid {owner.pid})",
        hint="pause or end it there, or look at it with `llmterm sessions show`",
    )


def _as_id(typed: str) -> str:
    return typed.strip().lower().translate(_MISREAD)


def _any_id() -> str:
    bits = int.from_bytes(os.urandom(5), "big")
    return "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(_ID_LENGTH))
