"""How providers bill what they are asked: what their cache has of a prompt costs a share, what is put in there more.

A prompt is compared as it is, byte by byte, or block by block; four bytes are a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from llmterm.messages import Usage

BYTES = 4


class Block(NamedTuple):
    """A part of a prompt. `kept`: the cache is to have all that ends here."""

    content: bytes
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a cache keeps, and how it is found.

    `by` "breakpoint" is up to the end of the last message that the user or the system wrote, which OpenAI marks by
    itself from gpt-5.6 on (https://developers.openai.com/api/docs/guides/prompt-caching); by "mark" up to the last
    block of a request that says so (https://platform.claude.com/docs/en/build-with-claude/prompt-caching): in both
    a later prompt has to have the very same blocks, the end of one of which is among its last `lookback`. By
    "beginning" it is any common one, in steps of so many tokens. Fewer tokens than `least` are not kept.
    """

    by: Literal["breakpoint", "mark", "beginning"]
    least: int = 1_024
    step: int = 1
    lookback: int = 80


@dataclass(slots=True)
class Cache:
    """The cache of one account, in which nothing grows old."""

    rules: Rules
    _ends: set[bytes] = field(default_factory=set)
    _prompts: list[bytes] = field(default_factory=list)

    def take(self, path: str, body: dict[str, Any]) -> Usage:
        """Return the input of a request as it is counted, and keep what is to be kept of it."""
        blocks = list(_blocks(path, body, self.rules))
        if self.rules.by == "beginning":
            return self._beginning(b"".join(content for content, _ in blocks))
        return self._whole_blocks(blocks)

    def _beginning(self, prompt: bytes) -> Usage:
        shared = max((_common(prompt, earlier) for earlier in self._prompts), default=0) // BYTES
        self._prompts.append(prompt)
        cached = shared // self.rules.step * self.rules.step if shared >= self.rules.least else 0
        return Usage(input_tokens=len(prompt) // BYTES, cached_tokens=cached)

    def _whole_blocks(self, blocks: list[Block]) -> Usage:
        digest, size = sha256(), 0
        ends: list[tuple[bytes, int]] = []
        for content, _ in blocks:
            digest.update(len(content).to_bytes(8) + content)
            size += len(content)
            ends.append((digest.digest(), size // BYTES))
        found = (tokens for end, tokens in reversed(ends[-self.rules.lookback :]) if end in self._ends)
        cached = next(found, 0)
        end, kept = next((ends[at] for at in reversed(range(len(blocks))) if blocks[at].kept), (b"", 0))
        if kept < self.rules.least:
            kept = 0
        else:
            self._ends.add(end)
        return Usage(input_tokens=size // BYTES, cached_tokens=cached, cache_write_tokens=max(kept - cached, 0))


def _blocks(path: str, body: dict[str, Any], rules: Rules) -> Iterator[Block]:
    """Yield what a request asks, in the order in which a model reads it."""
    said = [("system", body[name]) for name in ("system", "instructions") if name in body]
    said += [(each["role"], each["content"]) for each in body.get("messages") or body["input"]]
    marked = rules.by == "mark" and "cache_control" in body
    last = max(number for number, (role, _) in enumerate(said) if role != "assistant")
    for number, (role, content) in enumerate(said):
        parts = [content] if isinstance(content, str) else content
        for place, part in enumerate(parts, 1):
            text = part if isinstance(part, str) else part["text"] if "text" in part else json.dumps(part)
            ends = place == len(parts)
            kept = ends and (marked and number == len(said) - 1 if rules.by == "mark" else number == last)
            yield Block(f"{role}\n{text}".encode(), kept)


def _common(one: bytes, other: bytes) -> int:
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)
