"""A question of a batch as it is asked: with its files, and the options that go for all; and what it may cost."""

from __future__ import annotations

from pathlib import Path

from llmterm import tokens
from llmterm.batch.engine import Asked
from llmterm.batch.questions import Question
from llmterm.conversation import Conversation
from llmterm.errors import ConfigError
from llmterm.files import TextFile, read
from llmterm.messages import Attachment, Message, Usage
from llmterm.providers.attachments import refused
from llmterm.respondent import Respondent
from llmterm.threads import in_thread

# Tokens that an answer without a limit is taken to be of, until others were longer.
ASSUMED = 1_000


async def prepared(question: Question, respondent: Respondent, system: str) -> Asked:
    """Return what `respondent` is asked; `system` is what goes for lines that say none. Raises our errors.

    What it has no words for, such as an image, is refused.
    """
    messages = await in_thread(_with_files, question)
    who = f"{respondent.provider.name}/{respondent.model}"
    if refusal := refused(messages[-1].attachments, respondent.provider.accepts(respondent.model), who):
        raise refusal
    conversation = Conversation(system=system if question.system is None else question.system, messages=messages)
    options = question.options.over(respondent.options)
    return Asked(id=question.id, conversation=conversation, options=options, model=question.model)


def stake(respondent: Respondent, conversation: Conversation, longest: int = ASSUMED) -> float:
    """Return what an answer may cost; one without a limit is taken to be of `longest` tokens.

    Raises ConfigError where no price is known.
    """
    most = respondent.options.max_tokens or longest
    cost = respondent.provider.cost(respondent.model, estimate(conversation, most))
    if cost is None:
        raise ConfigError(
            f"what {respondent.provider.name}/{respondent.model} costs is not known, and there is a budget",
            hint=f'[providers.{respondent.provider.name}.prices."{respondent.model}"] says it',
        )
    return cost


def _with_files(question: Question) -> tuple[Message, ...]:
    files = [read(Path(), name) for name in question.files]
    *before, last = question.messages
    blocks = [each.block() for each in files if isinstance(each, TextFile)]
    attached = tuple(each for each in files if isinstance(each, Attachment))
    if not files:
        return question.messages
    return (*before, Message(role="user", text="\n\n".join([last.text, *blocks]), attachments=attached))


def estimate(conversation: Conversation, most: int) -> Usage:
    """Return about what an answer of at most so many tokens takes."""
    asked = tokens.of_messages(conversation.messages) + tokens.of_text(conversation.system)
    return Usage(input_tokens=asked, output_tokens=most, estimated=True)
