"""The smaller parts of a chat, each made alone: the line, what is done on the spot, and what commands come to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmterm.chat.answer import Answer
from llmterm.chat.commands.catalogue import catalogue
from llmterm.chat.completion import Completion, StatusBar
from llmterm.chat.decision import Gesture, Leave, Resume, Send
from llmterm.chat.here import OwnAnswer
from llmterm.chat.input import Typed
from llmterm.chat.outcome import Ask, Fill, New, Outcome, Rewrite, Say, Show, Unseam, Word, Write
from llmterm.chat.suggestion import Found
from llmterm.conversation import Conversation
from llmterm.errors import UsageError
from llmterm.messages import EndReason, Message, Options, Reply, Segment, Snapshot, TextDelta
from llmterm.recorded import RecordedTurn
from llmterm.sessions import SessionStore
from llmterm.turn import Turn
from tests.parts import KEYS, Parts

QUESTION = Message(role="user", text="why?")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


# The line


async def test_line_that_is_composed_is_asked_again_as_the_editor_left_it(store: SessionStore) -> None:
    """And what is queued comes before any question to the user."""
    parts = Parts(store, Gesture.COMPOSE, Leave(), edited="edited")
    parts.queue.add("queued")
    parts.composer.put("draft")

    asked = [await parts.line.message({}) for _ in range(2)]

    assert asked == [Typed("queued"), Leave()]
    assert parts.line.text == "edited"
    assert parts.view.said == ["> queued"]


async def test_what_was_found_takes_no_line_that_is_being_typed(store: SessionStore) -> None:
    """Nor one that comes after what was sent since."""
    parts = Parts(store)
    found = [("ab12", "owls"), ("cd34", "larks")]

    assert parts.line.pick("/load ", found)
    assert parts.line.text == "/load "
    parts.composer.put("draft")
    assert not parts.line.pick("/load ", found)
    assert parts.composer.take() == "draft"
    parts.composer.press(Send("sent"))
    assert not parts.line.pick("/load ", found)


async def test_command_over_a_message_that_was_given_back_says_so(store: SessionStore) -> None:
    parts = Parts(store, Send("/title x"), Send("", emptied=True), Leave())
    parts.queue.hold("given back")

    typed = [await parts.line.message({}) for _ in range(3)]

    assert typed == [Typed("/title x", "given back"), Typed(""), Leave()]


@pytest.mark.parametrize(
    ("typed", "yes", "held"), [("y", True, []), ("NO", False, []), ("and then?", False, ["a draft"])]
)
async def test_only_a_yes_is_a_yes(store: SessionStore, typed: str, yes: bool, held: list[str]) -> None:
    """A message that was typed instead is not lost, nor is what was being typed before."""
    parts = Parts(store, Send(typed))
    parts.composer.put("a draft")

    assert await parts.line.confirm("really?") is yes
    assert parts.queue.waiting == held
    assert parts.line.text == ("and then?" if held else "a draft")


async def test_what_is_typed_at_a_pause_stays_in_the_line(store: SessionStore) -> None:
    """And what was pressed where it means nothing is passed over."""
    parts = Parts(store, Gesture.HURRY, Gesture.STOP)
    parts.composer.put("half a word")

    decision = await parts.line.decide(lambda: "paused", {})

    assert (decision, parts.line.text) == (Gesture.STOP, "half a word")
    assert parts.composer.asked == ["paused", "paused"]


# What is done on the spot


async def test_effects_are_done_on_the_spot(store: SessionStore, tmp_path: Path) -> None:
    """A file that is there is written over only after a yes."""
    parts = Parts(store, Send("n"), Send("y"))
    path = tmp_path / "out.md"
    for effect in (
        Word.DONE,
        Say("words"),
        Fill("typed "),
        Fill("on"),
        Show(QUESTION),
        Write(path, "one"),
        Write(path, "two"),
        Write(path, "three"),
    ):
        await parts.live.perform(effect)

    assert path.read_text("utf-8") == "three"
    assert parts.line.text == "typed on"
    question = f"{path} is there already: write over it? y/N"
    written = f"written to {path}"
    no, yes = ("> n", f"{path} is as it was"), ("> y", written)
    assert parts.view.said == ["words", "> why?", written, question, *no, question, *yes]
    with pytest.raises(UsageError, match="cannot be written"):
        await parts.live.perform(Write(tmp_path / "no" / "such" / "folder.md", ""))


# What commands come to


class AtRest:
    """A chat with an answer at rest."""

    def __init__(self, parts: Parts, reply: Reply, reason: EndReason = EndReason.PAUSE) -> None:
        self.parts = parts
        request = Conversation(messages=parts.session.talk.messages).add(QUESTION).request(model="m")
        self.turn = Turn(parts.provider, Snapshot(request=request, reply=reply, reason=reason))
        self.answer = Answer(OwnAnswer(RecordedTurn(self.turn, parts.session, QUESTION), parts.registry))

    async def run(self, *lines: str) -> list[Outcome]:
        with self.parts.context.resting(self.answer):
            return [await catalogue(KEYS).run(self.parts.context, line) for line in lines]


def cut_at_a_seam() -> Reply:
    reply = Reply().add(TextDelta("one\n\ntwo"))
    part = Segment(provider="p", model="m", mode="fresh", start=0, end=8, end_reason=EndReason.PAUSE, cut="x")
    return reply.close(part)


async def test_commands_say_what_the_chat_goes_over_to(store: SessionStore) -> None:
    """They do not go there themselves: what was said is still in hand."""
    parts = Parts(store)
    parts.session.talk.say(QUESTION)

    outcomes = [await catalogue(KEYS).run(parts.context, line) for line in ("/new Mine", "/clear", "/retry")]

    assert outcomes == [New("Mine"), New(blank=True), Ask(QUESTION, again=True)]
    assert parts.session.talk.path[0].message == QUESTION
    assert parts.view.said == []


async def test_commands_say_what_an_answer_at_rest_is_to_become(store: SessionStore) -> None:
    """They change nothing of it themselves."""
    at_rest = AtRest(Parts(store, edited="mine"), cut_at_a_seam())

    outcomes = await at_rest.run("/edit", "/back", "/again", "/on scripted/other", "/seams undo 1")

    said = ("scripted/other answers from now on, no longer scripted/m",)
    assert outcomes == [Rewrite("mine"), Rewrite("one\n\n", resumes=False), Rewrite(""), Resume(said=said), Unseam(1)]
    assert at_rest.turn.reply.text == "one\n\ntwo"
    assert at_rest.parts.choices.model == "other"
    for line, why in (("/both", "not started over"), ("/undo", "was not changed"), ("/retry", "still open")):
        with pytest.raises(UsageError, match=why):
            await at_rest.run(line)
    await at_rest.answer.rewrite("changed")
    assert await at_rest.run("/undo") == [Word.RESTORE]
    with pytest.raises(UsageError, match="no answer is paused"):
        await catalogue(KEYS).run(at_rest.parts.context, "/back")


async def test_changes_of_an_answer_are_taken_back_and_come_again(store: SessionStore) -> None:
    """One after the other; what it was until then comes again after all others."""
    answer = AtRest(Parts(store), Reply().add(TextDelta("first"))).answer
    await answer.rewrite("second")
    await answer.rewrite("third")

    texts = []
    for _ in range(4):
        await answer.restore()
        texts.append(answer.reply.text)

    assert texts == ["second", "first", "third", "second"]


async def test_commands_about_the_last_question_ask_it_or_give_it_back(store: SessionStore) -> None:
    parts = Parts(store)
    record = await parts.session.ask(QUESTION, parts.choices)
    parts.session.say(QUESTION, record.finish(Reply().add(TextDelta("because")), "complete"))

    outcomes = [await catalogue(KEYS).run(parts.context, line) for line in ("/retry", "/edit", "/undo", "/undo")]
    await parts.session.keeper.last_chance(0)

    assert outcomes[0] == Ask(QUESTION, again=True)
    assert isinstance(outcomes[1], Fill)
    assert (outcomes[1].text, outcomes[1].held) == ("why?", True)
    assert outcomes[2:] == [Say("the question that was to be edited is as it was"), Say("taken back: why?")]


async def test_what_stands_around_the_line_comes_from_the_context(store: SessionStore, tmp_path: Path) -> None:
    """Names of commands and of files, and who answers."""
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    (tmp_path / "no\x1btes.txt").write_text("x", "utf-8")
    parts = Parts(store)
    parts.choices.options = Options()
    completion = Completion(parts.context, catalogue(KEYS))
    parts.queue.hold("one", "two")

    commands, files = completion.find("/version"), completion.find("see @not")
    assert isinstance(commands, Found)
    assert not isinstance(files, Found)
    assert [each.text for each in commands.suggestions] == ["/versions "]
    assert [each.text for each in (await files()).suggestions] == ["@notes.txt "]
    assert StatusBar(parts.context, parts.queue).text() == "scripted/m - Enter takes the next of 2 queued"
