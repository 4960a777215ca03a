"""About how many tokens texts and messages take, where nobody has counted them: rules of thumb, none of them exact.

Providers differ. Four characters are a token (https://ai.google.dev/gemini-api/docs/tokens), but for Chinese, Japanese
and Korean, where one is most of a token or more: DeepSeek says 0.6 for Chinese
(https://api-docs.deepseek.com/quick_start/token_usage); OpenAI's o200k_base takes 0.7 to 0.9 for the three of them, its
older cl100k_base 1.0 to 1.2. An image of 1024 x 1024 pixels takes 1,398 at Anthropic, 765 to some 1,200 at OpenAI and
about 1,100 at Gemini. Anthropic's rules are the ones used here, for they say most of PDFs too; an image counts as the
largest there is, without a look inside. A text file that is attached is part of its message, and counts as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmterm.messages import Attachment, Message, Reply, Rope

# In twentieths of a token: a character, and how much more one of Chinese, Japanese or Korean takes.
_TOKEN = 20
_CHARACTER = 5
_MORE = 11
_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]+"
)
# Of a longer piece of text so many places are looked at, of so many characters: a pause has no time for all of it.
_PLACES = 8
_LOOKED_AT = 500

# https://platform.claude.com/docs/en/build-with-claude/vision: one that would take more is scaled down first.
_IMAGE = 1_600
# https://platform.claude.com/docs/en/build-with-claude/pdf-support: a page is read as text and as an image, and there
# are up to 100. Without a look inside the size has to tell how many; they have 50 kB more or less.
_PAGE = 2_300
_PAGE_BYTES = 50_000
_MOST_PAGES = 100


# A token of any language is shorter than this; a chunk of more characters is no token but many.
_LONGEST = 16


def of_text(text: str) -> int:
    """Return about how many tokens a text takes."""
    return _twentieths(Rope.of(text)) // _TOKEN


def of_answer(chunks: int, written: Rope, start: int = 0) -> int:
    """Return about how many tokens came in so many chunks: one in each, unless a server sends larger ones.

    What came is what was `written` from `start` on.
    """
    size = len(written)
    came = _twentieths(written) * (size - start) // size if size else 0
    return max(chunks, came // _TOKEN) if came > chunks * _LONGEST * _CHARACTER else chunks


def of_reply(reply: Reply) -> int:
    """Return the tokens of the answer: as the provider counted them, else about as many as came."""
    written = sum(segment.usage.output_tokens for segment in reply.segments)
    if reply.usage and reply.usage.output_tokens:
        return written + reply.usage.output_tokens
    if reply.segments:
        return written + of_answer(reply.chunks, reply.body, reply.segments[-1].end)
    return of_answer(reply.chunks, Rope.joined([reply.thoughts, reply.body]))


def of_messages(messages: Iterable[Message]) -> int:
    """Return about how many tokens messages take, with what is attached to them."""
    twentieths = attached = 0
    for message in messages:
        twentieths += _twentieths(message.body)
        attached += sum(map(of_attachment, message.attachments))
    return twentieths // _TOKEN + attached


def _twentieths(rope: Rope) -> int:
    found = 0
    for part in rope.parts:
        found += len(part) * _CHARACTER
        if not part.isascii():  # which a text knows of itself
            found += _wide(part) * _MORE
    return found


def _wide(text: str) -> int:
    """Return how many characters are Chinese, Japanese or Korean, of a long text about how many."""
    size = len(text)
    if size <= _PLACES * _LOOKED_AT:
        return sum(map(len, _WIDE.findall(text)))
    starts = (place * (size - _LOOKED_AT) // (_PLACES - 1) for place in range(_PLACES))
    seen = sum(sum(map(len, _WIDE.findall(text, start, start + _LOOKED_AT))) for start in starts)
    return seen * size // (_PLACES * _LOOKED_AT)


def of_attachment(attachment: Attachment) -> int:
    """Return about how many tokens an attachment takes."""
    if attachment.media_type == "application/pdf":
        return _PAGE * min(1 + len(attachment.data) // _PAGE_BYTES, _MOST_PAGES)
    return _IMAGE
