"""What is asked of a model: the messages, how it is to go about them, or where an answer of its is read on."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Literal, TypeAlias

from llmterm.messages.message import Message
from llmterm.messages.parts import Opaque
from llmterm.messages.segment import Mode

# How a model is asked to go on with an answer: literally (`prefill`, or one of the two flags that some servers want
# with it), or by an instruction. At a `cursor` it is not asked: the same generation goes on.
Continuation: TypeAlias = Literal["prefill", "prefix", "continue_final_message", "instruct", "cursor"]
# How much a model is to think before it answers, from nothing to all that it can: one word for every provider.
Effort: TypeAlias = Literal["off", "minimal", "low", "medium", "high", "max"]
Verbosity: TypeAlias = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be asked of a model besides the messages; `None` leaves it to the provider.

    `temperature` is from 0 to 2, `max_tokens` the limit of an answer, over all its segments. `schema` is a JSON Schema
    that it is to fit. `top_p`, from 0 to 1, is how much of the likely words are chosen from; `verbosity` how long an
    answer is by nature; `service_tier` a provider's own word for how fast and how dear it is. With `web_search` the
    provider looks things up.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Opaque | None = field(default=None, hash=False)
    effort: Effort | None = None
    top_p: float | None = None
    verbosity: Verbosity | None = None
    service_tier: str | None = None
    web_search: bool | None = None

    def over(self, usual: Options) -> Options:
        """Return `usual` with what is said here in its place."""
        said = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(usual, **{name: value for name, value in said.items() if value not in (None, ())})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Behind `text` and `thinking` characters of an answer of that provider's model.

    `place` is the provider's own, JSON of ids and numbers: no key is in it. Where it `runs` the answer goes on being
    made there, and is billed, whether or not anybody reads it; else nothing is made meanwhile, and what came behind
    that place is made once more. The generation began behind `start` characters of text, and was asked for in that
    `mode`.
    """

    provider: str
    model: str
    place: Opaque = field(hash=False)
    text: int = 0
    thinking: int = 0
    runs: bool = True
    start: int = 0
    mode: Mode = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a provider may look at. Resuming an answer is nothing but making another one of these.

    `continuation` is None for a new answer; for the rest of one that ends in an assistant's message, unless it is by
    instruction. `spent` is how many tokens of its limit the answer has taken. `background`: where the provider can, the
    answer is to go on being made when its reader leaves. `cursor` is where one is read on from. `session` is the same
    for all requests of a session, "" where there is none: some providers find by it what their cache has.
    """

    model: str
    messages: tuple[Message, ...]
    options: Options = field(default_factory=Options)
    continuation: Continuation | None = None
    spent: int = 0
    background: bool = False
    cursor: Cursor | None = None
    session: str = ""

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left of the answer's limit."""
        return self.options.max_tokens is not None and self.spent >= self.options.max_tokens

    def left(self, limit: int | None = None, *, least: int = 1) -> int | None:
        """Return how many tokens to ask for: what is left of the answer's limit, which is `limit` if none was set.

        None for no limit. `least` is the smallest number that the provider takes; a whole limit that is smaller is the
        user's own, and goes out as it is.
        """
        limit = self.options.max_tokens or limit
        return None if limit is None else max(min(least, limit), limit - self.spent)
