"""A response as the events of its stream, each with its number.

A delta counts as many numbers as it has characters, everything else one: so the number of an event says how far a
reader has come, however the text was parted, also after a restart.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Any

from llmterm.messages import Rope
from llmterm.serve.responses import Response, part, status

_ENDS = {"completed": "response.completed", "failed": "response.failed"}


class Telling:
    """Tells one reader what there is of a response after the number `after`, and what comes."""

    def __init__(self, response: Response, after: int = -1) -> None:
        self._response = response
        self._after = after
        self._number = -1
        self._index = 0
        self._over = False
        self._thought: int | None = None
        self._said: int | None = None
        """Characters that were told of each; None while its item has not begun."""

    def more(self) -> Iterator[dict[str, Any]]:
        """Yield what can be told now, that was not. What was told is not taken back: the end has the true text."""
        reply, now = self._response.turn.reply, status(self._response.turn)
        if self._over:
            return
        self._over = over = now != "in_progress"
        if self._number < 0:
            yield from self._say("response.created", response=self._response.head)
            yield from self._say("response.in_progress", response=self._response.head)
        if reply.thoughts and self._said is None and not self._index:
            yield from self._think(reply.thoughts)
        if self._thought is not None and (reply.body or over):
            yield from self._think_no_more(reply.thoughts)
        if reply.body or now == "completed":
            yield from self._speak(reply.body)
        if over:
            if self._said is not None:
                yield from self._speak_no_more(reply.text, "completed" if now == "completed" else "incomplete")
            yield from self._say(_ENDS.get(now, "response.incomplete"), response=self._response.whole)

    def _think(self, thoughts: Rope) -> Iterator[dict[str, Any]]:
        item = self._response.thought()
        if self._thought is None:
            self._thought = 0
            yield from self._item("added", item)
            yield from self._summary("part.added", item, part={"type": "summary_text", "text": ""})
        for delta in self._deltas(thoughts, self._thought):
            yield from self._summary("text.delta", item, delta=delta) if delta else ()
        self._thought = max(self._thought, len(thoughts))

    def _think_no_more(self, thoughts: Rope) -> Iterator[dict[str, Any]]:
        text = thoughts.slice(0, self._thought or 0)
        item = self._response.thought(text)
        self._thought = None
        yield from self._summary("text.done", item, text=text)
        yield from self._summary("part.done", item, part=item["summary"][0])
        yield from self._item("done", item)
        self._index = 1

    def _speak(self, body: Rope) -> Iterator[dict[str, Any]]:
        item = self._response.message(None, "in_progress")
        if self._said is None:
            self._said = 0
            yield from self._item("added", item)
            yield from self._content("content_part.added", item, part=part(""))
        for delta in self._deltas(body, self._said):
            yield from self._content("output_text.delta", item, delta=delta, logprobs=[]) if delta else ()
        self._said = max(self._said, len(body))

    def _speak_no_more(self, text: str, how: str) -> Iterator[dict[str, Any]]:
        item = self._response.message(text, how)
        yield from self._content("output_text.done", item, text=text, logprobs=[])
        yield from self._content("content_part.done", item, part=part(text))
        yield from self._item("done", item)

    def _deltas(self, text: Rope, told: int) -> Iterator[str]:
        """Yield what comes after so many characters, in the parts in which it was told before; "" is none of it.

        All but one number of each are counted here, the last by whoever says it.
        """
        cuts, end = self._response.asked.cuts, len(text)
        while told < end:
            at = bisect_right(cuts, self._number)
            size = min(end - told, cuts[at] - self._number) if at < len(cuts) else end - told
            number = self._number + size
            if at == len(cuts) or cuts[at] != number:
                insort(cuts, number)
            left = min(size, number - self._after)
            self._number = number - 1 if left > 0 else number
            yield text.slice(told + size - left, told + size) if left > 0 else ""
            told += size

    def _item(self, what: str, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from self._say(f"response.output_item.{what}", output_index=self._index, item=item)

    def _summary(self, what: str, item: dict[str, Any], **fields: Any) -> Iterator[dict[str, Any]]:
        kind = f"response.reasoning_summary_{what}"
        yield from self._say(kind, item_id=item["id"], output_index=self._index, summary_index=0, **fields)

    def _content(self, what: str, item: dict[str, Any], **fields: Any) -> Iterator[dict[str, Any]]:
        kind = f"response.{what}"
        yield from self._say(kind, item_id=item["id"], output_index=self._index, content_index=0, **fields)

    def _say(self, kind: str, **fields: Any) -> Iterator[dict[str, Any]]:
        self._number += 1
        if self._number > self._after:
            yield {"type": kind, "sequence_number": self._number, **fields}
