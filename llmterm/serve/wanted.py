"""What is asked of the service: a question, and all that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmterm.messages import Message, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A question, and who is to answer it: "provider/model", "" for the usual one. It goes on with a `session`.

    `client` is who asks, as far as it is known: an address.
    `before` is what was said before where there is no session. Where it is not `kept`, nothing of it is on any record.
    The last question of a session is asked `again`, or the question `replaces` it: what was said stays beside it.
    What it `keeps` are the names of attachments of the last one that go along again.
    Where `after` is not the last row of the session, another session begins with what there was up to that. `plain`: it
    is a program's own, and the model is not told how to pause itself.
    """

    question: Message
    client: str = ""
    model: str = ""
    session: str = ""
    system: str | None = None
    options: Options = field(default_factory=Options)
    before: tuple[Message, ...] = ()
    kept: bool = True
    again: bool = False
    replaces: bool = False
    keeps: tuple[str, ...] = ()
    after: int = 0
    plain: bool = False

    def question_over(self, last: Message) -> Message:
        """Return the question in the place of the last one: with those of its attachments that it keeps."""
        if self.again:
            return last
        kept = [each for each in last.attachments if each.name in self.keeps]
        if not kept:
            return self.question
        return Message(role="user", text=self.question.text, attachments=[*kept, *self.question.attachments])
