"""A conversation as a pure value, and the requests that come out of it.

`Conversation` holds what was really said. `resumed` makes the request that goes on with a paused answer:
the instruction it may need lives in requests for that answer only, never in the conversation. What providers refuse,
empty messages and two of one side in a row, is in no request either; it stays in the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from llmterm.messages import (
    SAME_GENERATION,
    Attachment,
    Continuation,
    Message,
    Mode,
    Options,
    Part,
    Reply,
    Request,
    Rope,
    Snapshot,
    TextPart,
    ThinkingPart,
    parts_of,
)
from llmterm.openblock import End, open_block

QUOTE_LENGTH = 200
# As far back as the last words are looked for.
_MEMORY = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A system prompt and the messages that follow it, oldest first."""

    system: str = ""
    messages: tuple[Message, ...] = ()

    def add(self, *messages: Message) -> Conversation:
        """Return the conversation with these messages behind it."""
        return replace(self, messages=(*self.messages, *messages))

    def ask(self, text: str, attachments: tuple[Attachment, ...] = ()) -> Conversation:
        """Return the conversation with a question behind it, and what is attached to that."""
        return self.add(Message(role="user", text=text, attachments=attachments))

    def request(self, *, model: str, options: Options | None = None, note: str = "") -> Request:
        """Return the request for the next answer; `note` is added to the system prompt of this request only."""
        system = "\n\n".join(part for part in (self.system, note) if part.strip())
        head = (Message(role="system", text=system),) if system else ()
        said = alternating(map(plain, self.messages))
        return Request(model=model, messages=(*head, *said), options=options or Options())


def plain(message: Message) -> Message:
    """Leave out what only the record needs: no provider may see who wrote which part, or what was thought."""
    if message.role == "user":
        return message
    if (
        not message.segments
        and message.status == "complete"
        and all(_unthought(part) is part for part in message.parts)
    ):
        return message
    return Message(role=message.role, parts=filter(None, map(_unthought, message.parts)))


def _unthought(part: Part) -> Part | None:
    """Leave only what goes back of a thought, if there is anything."""
    match part:
        case ThinkingPart(provider_data=data):
            return ThinkingPart(Rope(), data) if data else None
        case _:
            return part


def alternating(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return what was said as turns that alternate, the user's first, with nothing in them that is empty.

    Strict servers and chat templates refuse all else, with every later question as well. An answer without text is left
    out: one that was stopped before its first word, refused, or only thought. What then follows on the same side is
    one message, whose parts are a blank line apart; nothing that a provider has signed is in it, as that was another.
    """
    turns: list[Message] = []
    for message in messages:
        if message.body.blank:
            if message.role != "user" or not message.attachments:
                continue
            message = message.saying("")
        if turns and turns[-1].role == message.role:
            turns[-1] = _merged(turns[-1], message)
        elif turns or message.role == "user":
            turns.append(message)
    return tuple(turns)


def _merged(first: Message, second: Message) -> Message:
    """Return both as one, the parts of the second behind the first's: what was sent of that before begins as it did."""
    before = [each for each in map(_bare, first.parts) if each is not None]
    text = f"\n\n{second.text}" if second.text and first.text else second.text
    return Message(role=first.role, parts=(*before, *parts_of(text, attachments=second.attachments)))


def _bare(part: Part) -> Part | None:
    """Leave of a part what is said in it."""
    match part:
        case TextPart(text):
            return TextPart(text) if text else None
        case Attachment():
            return part
        case _:
            return None


def resumed(
    rest: Snapshot, continuation: Continuation, guidance: str = "", ends: Mapping[int, End] | None = None
) -> Request:
    """Return the request that goes on with an answer at rest.

    The whole answer so far is replayed, and counts against its limit; at a cursor it is read on, and nothing is asked;
    at one where nothing runs its generation is asked for as it was at first. Guidance of earlier pauses of the same
    answer is still in force. An answer without any text yet is simply asked for again. `ends` are those of its text up
    to each of its `stops` and of all of it, as far as they are known.

    It begins with all of the request before it, for what a provider's cache has is a beginning: an answer that is gone
    on with by instruction is replayed in the parts in which it came, each with the instruction that it was asked for
    with. Guidance that only a question has room for stands behind that, and changes what follows it.
    """
    reply = rest.reply
    request = replace(rest.request, spent=reply.spent)
    wishes = [segment.guidance for segment in reply.segments if segment.guidance]
    wishes += [guidance] if guidance else []
    match mode_of(reply, continuation):
        case "fresh":
            return _guided(request, wishes)
        case "checkpoint":
            return _asked_once_more(rest)
        case "cursor":
            part = reply.message("interrupted")
            messages = (*request.messages, part)
            return replace(request, messages=messages, continuation="cursor", cursor=reply.cursor, spent=0)
        case "prefill":
            # Several providers refuse, or do worse after, a prefill that ends in white space; the seam puts it back.
            part = Message(role="assistant", text=reply.body.rstrip())
            base = _guided(request, wishes)
            return replace(base, messages=(*base.messages, part), continuation=continuation)
        case "instruct":
            replay = _replay(reply, request.model, tuple(wishes), ends or {})
            return replace(request, messages=(*request.messages, *replay), continuation=continuation)


def stops(reply: Reply, model: str) -> dict[int, tuple[str, ...]]:
    """Return where the answer stood when that model was asked by instruction to go on, and the guidance in force there.

    What another one was asked the caches of this one do not have.
    """
    found: dict[int, tuple[str, ...]] = {}
    wishes: tuple[str, ...] = ()
    for segment in reply.segments:
        wishes += (segment.guidance,) if segment.guidance else ()
        if segment.mode == "instruct" and segment.model == model:
            found[segment.start] = wishes
    return found


def _replay(reply: Reply, model: str, wishes: tuple[str, ...], ends: Mapping[int, End]) -> Iterator[Message]:
    """Yield the parts of the answer, with the instruction to go on behind each."""
    body, begun, data = reply.body, 0, reply.provider_data
    last = len(body.rstrip())
    asked = {stop: in_force for stop, in_force in stops(reply, model).items() if stop < last}
    for stop, in_force in (*sorted(asked.items()), (len(body), wishes)):
        said = body.head(stop)
        part = Rope.of(body.slice(begun, stop)) if begun else said
        if part.blank:  # no message is without a word
            continue
        yield Message(role="assistant", text=part, provider_data=data)
        yield Message(role="user", text=_instruction(said, in_force, ends.get(stop) or End.of(str(said))))
        begun, data = stop, {}


def _asked_once_more(rest: Snapshot) -> Request:
    """Return what the generation at the cursor was asked for with, of the answer as it was then, and the cursor.

    Its limit is that of the whole generation.
    """
    segments, cursor = rest.reply.segments, rest.reply.cursor
    assert cursor is not None
    first = next((at for at in reversed(range(len(segments))) if segments[at].mode not in SAME_GENERATION), None)
    before, guidance = ((), "") if first is None else (segments[:first], segments[first].guidance)
    began = replace(rest, reply=Reply(body=rest.reply.body.head(cursor.start), segments=before))
    # An answer that has no text yet is asked for afresh in any way.
    return replace(resumed(began, "instruct" if cursor.mode == "instruct" else "prefill", guidance), cursor=cursor)


def mode_of(reply: Reply, continuation: Continuation) -> Mode:
    """Return how a segment is asked for that begins now, of a model that is asked in that way to go on."""
    if continuation == "cursor":
        return "cursor" if reply.cursor is None or reply.cursor.runs else "checkpoint"
    if reply.blank:
        return "fresh"
    return "instruct" if continuation == "instruct" else "prefill"


def _guided(request: Request, wishes: Sequence[str]) -> Request:
    """Put guidance where a literal continuation can see it: behind the question."""
    if not wishes:
        return request
    guidance = Message(role="user", text="\n\n".join(f"(Also: {wish})" for wish in wishes))
    *before, question = request.messages
    return replace(request, messages=(*before, _merged(question, guidance)))


def _instruction(body: Rope, wishes: Sequence[str], end: End) -> str:
    text = body.tail(_MEMORY)
    text = text if text.strip() else str(body)
    lines = [
        "Your answer above was interrupted. Its last words are:",
        f"«{_last_words(text)}»",
        "Go on from exactly there, in the same language, format and voice. "
        "Begin with the very next character; do not repeat anything and do not comment.",
    ]
    if block := open_block(text, end):
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
