"""A conversation as a pure value, and the requests that come out of it.

`Conversation` holds what was really said. `continuation` makes the request that goes on with a paused answer:
the instruction it may need lives in that request only, never in the conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmterm.messages import Attachment, Continuation, Message, Mode, Options, Reply, Request
from llmterm.openblock import open_block

QUOTE_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A system prompt and the messages that follow it, oldest first."""

    system: str = ""
    messages: tuple[Message, ...] = ()

    def add(self, *messages: Message) -> Conversation:
        return replace(self, messages=(*self.messages, *messages))

    def ask(self, text: str, attachments: tuple[Attachment, ...] = ()) -> Conversation:
        return self.add(Message(role="user", text=text, attachments=attachments))

    def request(self, *, model: str, options: Options | None = None, note: str = "") -> Request:
        """Return the request for the next answer; `note` is added to the system prompt of this request only."""
        system = "\n\n".join(part for part in (self.system, note) if part)
        head = (Message(role="system", text=system),) if system else ()
        return Request(model=model, messages=(*head, *map(_plain, self.messages)), options=options or Options())


def _plain(message: Message) -> Message:
    """Leave out what only the record needs: no provider may see who wrote which part, or what was thought."""
    if message.role == "user":
        return message
    return Message(
        role=message.role, text=message.text, attachments=message.attachments, provider_data=message.provider_data
    )


def continuation(request: Request, reply: Reply, mode: Continuation, guidance: str = "") -> Request:
    """Return the request that goes on with `reply`, which was the beginning of the answer to `request`.

    The whole answer so far is replayed. Guidance of earlier pauses of the same answer is still in force.
    An answer without any text yet is simply asked for again.
    """
    wishes = [segment.guidance for segment in reply.segments if segment.guidance]
    wishes += [guidance] if guidance else []
    text = reply.text
    if not text.strip():
        return _guided(request, wishes)
    if mode != "instruct":
        # Several providers refuse, or do worse after, a prefill that ends in white space; the seam puts it back.
        part = Message(role="assistant", text=text.rstrip())
        base = _guided(request, wishes)
        return replace(base, messages=(*base.messages, part), continuation=mode)
    part = Message(role="assistant", text=text)
    order = Message(role="user", text=_instruction(text, wishes))
    return replace(request, messages=(*request.messages, part, order), continuation=mode)


def mode_of(reply: Reply, mode: Continuation) -> Mode:
    """Return how a segment that begins now is asked for."""
    if not reply.text.strip():
        return "fresh"
    return "instruct" if mode == "instruct" else "prefill"


def _guided(request: Request, wishes: list[str]) -> Request:
    """Put guidance where a literal continuation can see it: at the end of the question."""
    if not wishes:
        return request
    *before, question = request.messages
    text = "\n\n".join([question.text, *(f"(Also: {wish})" for wish in wishes)])
    return replace(request, messages=(*before, replace(question, text=text)))


def _instruction(text: str, wishes: list[str]) -> str:
    lines = [
        "Your answer above was interrupted. Its last words are:",
        f"«{_last_words(text)}»",
        "Go on from exactly there, in the same language, format and voice. "
        "Begin with the very next character; do not repeat anything and do not comment.",
    ]
    if block := open_block(text):
        lines.append(f"You are in the middle of {block}: stay in it, and do not open it again.")
    if wishes:
        lines.append("From here on: " + " ".join(wishes))
    return "\n".join(lines)


def _last_words(text: str) -> str:
    tail = text.rstrip()
    if len(tail) <= QUOTE_LENGTH:
        return tail
    tail = tail[-QUOTE_LENGTH:]
    _, space, words = tail.partition(" ")
    return words if space and words else tail
