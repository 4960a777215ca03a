"""The line of a plain chat, as keys fill it."""

from __future__ import annotations

from llmterm.chat.decision import Interrupts, Resume, Send
from llmterm.chat.lines import LinePrompt
from llmterm.chat.suggestion import Suggestion
from llmterm.keys.autorepeat import Autorepeat
from llmterm.keys.scripted import ScriptedKeys
from tests.clock import instant, now


async def completes_nothing(_text: str) -> list[Suggestion]:
    return []


def prompt_of(keys: ScriptedKeys) -> LinePrompt:
    return LinePrompt(
        keys=keys,
        write=lambda _text: None,
        suspend=lambda: None,
        interrupts=Interrupts(now),
        autorepeat=Autorepeat(now),
        complete=completes_nothing,
    )


@instant
async def test_chord_goes_on_with_the_answer_and_keeps_what_is_typed() -> None:
    """Held down it is one press; where no answer rests it means nothing."""
    keys = ScriptedKeys()
    prompt = prompt_of(keys)
    keys.type("a word")
    keys.press("chord", "chord", "chord")
    keys.type(" and more\n")

    assert await prompt.paused(lambda: "paused", "", {}) == Resume("a word")

    assert await prompt.ask("a word", {}) == Send("a word and more")
