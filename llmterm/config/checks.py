"""What a single setting may be, and the words for what it may not.

A check returns what is wrong with a value, "" for nothing; it never repeats the value, which might be a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeAlias

from llmterm.errors import UsageError
from llmterm.marker import check_marker
from llmterm.style import sgr

Check: TypeAlias = Callable[[Any], str]

# What no file may say in a request: who is asked what, and by which key; and what llmterm itself would not understand.
_OURS_IN_BODY = frozenset(
    {
        *("model", "messages", "contents", "input", "prompt", "message", "chat_history", "preamble"),
        *("system", "instructions", "system_instruction", "systemInstruction"),
        *("stream", "background", "previous_response_id", "continuationToken", "key", "api_key"),
    }
)
_OUR_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"),
        *("host", "connection", "content-type", "content-length", "transfer-encoding", "accept", "accept-encoding"),
    }
)


def checked(check: Check) -> Mapping[str, Check]:
    """Return the metadata of a field whose value `check` may complain about."""
    return {"check": check}


def within(low: float, high: float) -> Mapping[str, Check]:
    # Turned around, the comparison would let NaN pass.
    return checked(lambda value: "" if low <= value <= high else f"must be from {low:,} to {high:,}")


def marker_check(text: str) -> str:
    try:
        check_marker(text)
    except UsageError as error:
        return f"must be {error.hint}"
    return ""


def variable_check(name: str) -> str:
    # People put the key itself here; refusing it keeps it out of `repr`.
    return "" if re.fullmatch(r"(?:[A-Za-z_]\w*)?", name, re.ASCII) else "must be the name of an environment variable"


def variables_check(names: tuple[str, ...]) -> str:
    wrong = any(not name or variable_check(name) for name in names)
    return "must be names of environment variables" if wrong else ""


def texts_check(texts: tuple[str, ...]) -> str:
    return "must not have empty texts in it" if any(not text.strip() for text in texts) else ""


def attachments_check(kinds: tuple[str, ...]) -> str:
    return "" if {"image", "pdf"}.issuperset(kinds) else 'must be a list of "image" and "pdf"'


def thinking_check(tokens: int) -> str:
    # https://platform.claude.com/docs/en/build-with-claude/extended-thinking: 1,024 is the least there is.
    return "" if tokens == 0 or 1024 <= tokens <= 1_000_000 else "must be 0, or from 1,024 to 1,000,000"


def tier_check(name: str) -> str:
    return "" if re.fullmatch(r"[a-z][a-z0-9_-]*", name, re.ASCII) else 'must be a provider\'s word, such as "flex"'


def keep_alive_check(time: str) -> str:
    good = re.fullmatch(r"-?\d+|(\d+(\.\d+)?(ms|s|m|h))*", time, re.ASCII)
    return "" if good else 'must be a time, such as "10m", or seconds, such as "-1" for ever'


def body_check(name: str, value: object) -> str:
    """Return what is wrong with a part of a request's body that the file adds."""
    if name in _OURS_IN_BODY:
        return "is llmterm's own to say"
    return "" if _is_json(value) else "must be what JSON has, too: no date, no time, no nan and no inf"


def header_check(name: str, value: object) -> str:
    """Return what is wrong with a header that the file adds."""
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        return "is no name of a header"
    if name.lower() in _OUR_HEADERS:
        return "is llmterm's own to say"
    good = isinstance(value, str) and re.fullmatch(r"[\x20-\x7e\t]*", value)
    return "" if good else "must be text on one line, in ASCII"


def _is_json(value: object) -> bool:
    match value:
        case dict():
            return all(map(_is_json, value.values()))
        case list():
            return all(map(_is_json, value))
        case float():
            return isfinite(value)
        case _:
            return value is None or isinstance(value, str | int)


def style_check(style: str) -> str:
    try:
        sgr(style)
    except ValueError:
        return 'must be a style, such as "bold", "color(116)", "#ff8800 underline" or "black on white"'
    return ""


def key_check(name: str) -> str:
    good = re.fullmatch(r"alt-[a-z0-9]", name.lower(), re.ASCII)
    return "" if good else 'must be like "Alt-E": Alt- and a letter or a digit'


def version_key_check(name: str) -> str:
    good = re.fullmatch(r"alt-(?:[a-z0-9]|left|right|up|down)", name.lower(), re.ASCII)
    return "" if good else 'must be like "Alt-Left" or "Alt-V": Alt- and an arrow, a letter or a digit'


def address_check(url: str) -> str:
    if not url:
        return ""
    if not re.match(r"https?://[^/\s]", url):
        return "must begin with http:// or https://"
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        # A port that is none raises only when it is asked for.
        good = bool(parts.hostname) and parts.port != 0 and not re.search(r"[\s\x00-\x1f\x7f]", url)
    except ValueError:
        good = False
    return "" if good else "must be an address, such as http://localhost:8000/v1"


def suggestion(word: str, known: tuple[str, ...]) -> str:
    # Not needed by a start where all is well.
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f': did you mean "{near[0]}"?' if near else ""


def quote(word: str) -> str:
    return json.dumps(word, ensure_ascii=not word.isprintable())


def choice(words: tuple[str, ...]) -> str:
    return " or ".join(map(quote, words))
