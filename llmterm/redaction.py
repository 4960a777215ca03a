"""Keys and passwords, and text without them: what has them is never shown, logged, raised or exported.

Some servers repeat the key that they refuse, in words, in the name of a request, in that of a model. What is cut to a
length is redacted before: half a key is a secret, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

_SHORTEST = 6
_HIDDEN = "***"
# A word that stands for a key where a server takes anything: there is no hiding it in a conversation.
_WORD = re.compile(r"[a-z]{1,15}")


class Secrets:
    """The secrets of the program. One is made where it is put together, and handed to wherever text leaves it."""

    def __init__(self, known: Iterable[str] = (), *, words: Iterable[str] = ()) -> None:
        """`words` are no secrets, even where somebody has made a key of one: names of providers."""
        self._words = frozenset(words)
        self._known: dict[str, None] = {}
        self.add(*known)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __repr__(self) -> str:
        return f"Secrets({len(self._known)})"

    def add(self, *secrets: str) -> None:
        """Take note of more of them, such as a key that the keyring has given."""
        real = (each for each in secrets if each not in self._words and not _WORD.fullmatch(each))
        self._known.update(dict.fromkeys(real))

    def redact(self, text: str) -> str:
        return redact(text, self)

    def mask(self, text: str) -> str:
        """Return the text as long as it was: what counts its characters stays right."""
        return _without(text, self, lambda secret: "*" * len(secret))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets, in none of the forms in which they are repeated.

    What is shorter than any real key (local servers take anything) would only tear ordinary words apart.
    """
    return _without(text, secrets, lambda _: _HIDDEN)


def _without(text: str, secrets: Iterable[str], instead: Callable[[str], str]) -> str:
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
    # One may be the beginning of another.
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, instead(form))
    return text


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, as it stands in a URL, and as it stands in JSON."""
    if re.fullmatch(r"[\w.~-]*", secret, re.ASCII):
        return {secret}
    in_url = [encode(secret, safe, errors="replace") for encode in (quote, quote_plus) for safe in ("", "/")]
    in_url += [re.sub("%..", lambda match: match[0].lower(), each) for each in in_url]
    return {secret, *in_url, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
