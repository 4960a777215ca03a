"""About how many tokens messages take, where nobody has counted them: rules of thumb, none of them exact.

Providers differ. An image of 1024 x 1024 pixels takes 1,398 at Anthropic, 765 to some 1,200 at OpenAI and about 1,100
at Gemini. Anthropic's rules are the ones used here, for they say most of PDFs too; an image counts as the largest there
is, without a look inside. A text file that is attached is part of its message, and counts as text.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmterm.messages import Attachment, Message, Reply

CHARACTERS_PER_TOKEN = 4  # https://ai.google.dev/gemini-api/docs/tokens

# https://platform.claude.com/docs/en/build-with-claude/vision: one that would take more is scaled down first.
_IMAGE = 1_600
# https://platform.claude.com/docs/en/build-with-claude/pdf-support: a page is read as text and as an image, and there
# are up to 100. Without a look inside the size has to tell how many; they have 50 kB more or less.
_PAGE = 2_300
_PAGE_BYTES = 50_000
_MOST_PAGES = 100


# A token of any language is shorter than this; a chunk of more characters is no token but many.
_LONGEST = 16


def of_answer(chunks: int, characters: int) -> int:
    """Return about how many tokens came in so many chunks: one in each, unless a server sends larger ones."""
    return max(chunks, characters // CHARACTERS_PER_TOKEN) if characters > chunks * _LONGEST else chunks


def of_reply(reply: Reply) -> int:
    """Return the tokens of the answer: as the provider counted them, else about as many as came."""
    written = sum(segment.usage.output_tokens for segment in reply.segments)
    if reply.usage and reply.usage.output_tokens:
        return written + reply.usage.output_tokens
    start = reply.segments[-1].end if reply.segments else 0
    thought = 0 if reply.segments else len(reply.thoughts)
    return written + of_answer(reply.chunks, len(reply.body) - start + thought)


def of_messages(messages: Iterable[Message]) -> int:
    """Return about how many tokens messages take, with what is attached to them."""
    characters = attached = 0
    for message in messages:
        characters += len(message.body)
        attached += sum(map(of_attachment, message.attachments))
    return characters // CHARACTERS_PER_TOKEN + attached


def of_attachment(attachment: Attachment) -> int:
    """Return about how many tokens an attachment takes."""
    if attachment.media_type == "application/pdf":
        return _PAGE * min(1 + len(attachment.data) // _PAGE_BYTES, _MOST_PAGES)
    return _IMAGE
