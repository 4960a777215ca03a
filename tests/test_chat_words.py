"""The lines around an answer, the commands, and the two Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.commands import Command, Commands, choices
from llmterm.chat.completion import Completion
from llmterm.chat.context import Context
from llmterm.chat.decision import Interrupts
from llmterm.chat.outcome import Outcome, Word
from llmterm.chat.status import bar, figures, pause_line, queue_lines, streaming_line
from llmterm.chat.suggestion import Found, Suggestion
from llmterm.errors import UsageError
from llmterm.messages import EndReason, Message, Reply, Rope, Segment, TextDelta, Usage
from llmterm.providers.windows import window
from llmterm.sessions import SessionStore
from llmterm.tokens import of_reply
from tests.parts import Parts


def test_pause_line_says_what_the_keys_do() -> None:
    """The words that people look for."""
    reply = Reply().add(TextDelta("text", 214))

    assert (
        pause_line(reply, EndReason.PAUSE)
        == "paused after 214 tokens - SPACE resume - type to guide - Esc stop - ? more"
    )


@pytest.mark.parametrize(
    ("window", "cost", "said"),
    [
        (None, None, "? more - openai/m"),
        (8_000, None, "? more - openai/m - 12 % of the context"),
        (8_000, 0.0123, "? more - openai/m - 12 % of the context - cost 0.0123"),
    ],
)
def test_pause_line_ends_with_what_is_known_of_the_answer(window: int | None, cost: float | None, said: str) -> None:
    """Who wrote it, how full the context is, and what it has cost, behind what can be done."""
    usage = Usage(input_tokens=800, output_tokens=160)
    reason = EndReason.PAUSE
    segment = Segment(
        provider="openai", model="m", mode="fresh", start=0, end=5, end_reason=reason, usage=usage, cost=cost
    )
    reply = Reply(body=Rope.of("words"), segments=(segment,))

    assert pause_line(reply, reason, known=figures(reply, "openai/m", window)).endswith(said)


@pytest.mark.parametrize(
    ("provider", "model", "size"),
    [
        ("openai", "gpt-4o-mini", 128_000),
        ("openai", "gpt-6.1-terra", None),
        ("anthropic", "claude-haiku-4-5-20251001", 200_000),
        ("anthropic", "claude-opus-4-6", None),
        ("anthropic", "claude-sonnet-4-5", None),
        ("gemini", "gemini-2.5-pro", 1_048_576),
        ("mine", "gpt-4o", None),
    ],
)
def test_window_is_known_only_of_models_that_are_sure(provider: str, model: str, size: int | None) -> None:
    """A share of a wrong window would be worse than none."""
    assert window(provider, model) == size


@given(st.sampled_from(EndReason))
def test_every_pause_line_says_paused(reason: EndReason) -> None:
    """Whatever the reason; a pause that came by itself says why."""
    line = pause_line(Reply(), reason)

    assert line.startswith("paused")
    assert (line == pause_line(Reply(), EndReason.PAUSE)) is (
        reason
        not in {
            EndReason.CONTINUATION,
            *(EndReason(each) for each in ("marker", "length", "limit", "network", "timeout")),
            *(EndReason(each) for each in ("error", "crash", "restart")),
        }
    )


def test_tokens_are_the_providers_where_it_counted() -> None:
    """Closed segments by their usage, the open one by usage or chunks."""
    segment = Segment(
        provider="p", model="m", mode="fresh", start=0, end=1, end_reason=EndReason.PAUSE, usage=Usage(output_tokens=7)
    )

    assert of_reply(Reply(segments=(segment,)).add(TextDelta("x", 3))) == 10


@given(st.text(max_size=20), st.floats(0, 1e6), st.none() | st.floats(0, 1e4), st.booleans())
def test_status_line_never_says_paused(preparation: str, elapsed: float, rate: float | None, typed: bool) -> None:
    """The word belongs to pauses; the line says what SPACE does, and is one line."""
    line = streaming_line(model="m", elapsed=elapsed, rate=rate, preparation=preparation, typed=typed)

    assert "paused" not in line.replace(preparation, "") if preparation else "paused" not in line
    assert "SPACE pause" in line


@pytest.mark.parametrize(
    ("columns", "said"), [(200, "Enter asks now, Esc gives up) - SPACE pause"), (30, "acme: cannot reach http://acm…")]
)
def test_what_keeps_a_question_waiting_is_said_in_a_narrow_window_too(columns: int, said: str) -> None:
    """More than the key that pauses."""
    waiting = "acme: cannot reach http://acme.example/v1/chat/completions, trying again in 2 s"

    assert streaming_line(model="acme/m", elapsed=1, rate=None, waiting=waiting, columns=columns).endswith(said)


def test_queue_is_listed() -> None:
    """Each message that waits has a line, in its order; of many the last are shown."""
    assert queue_lines(["one", "two\nlines"], 80) == ["queued 1: one", "queued 2: two lines"]
    assert queue_lines(["one", "two"], 80, 1) == [
        "queued 1: one",
        "queued 2: (in the line: Alt-Up and Alt-Down move it)",
        "queued 3: two",
    ]
    assert queue_lines(["a word " * 9], 20) == ["queued 1: a word a …"]
    assert queue_lines([str(number) for number in range(6)], 80) == [
        "and 2 before these",
        *(f"queued {number + 1}: {number}" for number in range(2, 6)),
    ]


def answered(*segments: Segment) -> Message:
    return Message(role="assistant", text="x", segments=segments)


def part(cost: float | None = None, *, estimated: bool = False) -> Segment:
    usage = Usage(input_tokens=1000, output_tokens=234, estimated=estimated)
    return Segment(
        provider="p", model="m", mode="fresh", start=0, end=1, end_reason=EndReason.STOP, usage=usage, cost=cost
    )


# The rest of a generation that was asked for in another part.
READ_ON = Segment(provider="p", model="m", mode="cursor", start=1, end=1, end_reason=EndReason.STOP)


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        ((), "p/m"),
        ((answered(part()),), "p/m - 1,234 tokens"),
        ((answered(part(estimated=True)),), "p/m - about 1,234 tokens"),
        ((answered(part(), READ_ON),), "p/m - 1,234 tokens"),
        ((answered(part(0.5)), answered(part(), part(0.25))), "p/m - 1,234 tokens - cost 0.7500"),
    ],
)
def test_bar_says_what_the_conversation_holds_and_costs(messages: tuple[Message, ...], line: str) -> None:
    """Tokens are those of the last answer with all that it was asked with; costs add up."""
    assert bar(label="p/m", messages=messages, title="") == line
    assert bar(label="p/m", messages=messages, title="Cats", attached=["a.png"]) == f"{line} - with a.png - Cats"


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def commands(ran: list[str]) -> Commands:
    async def run(_context: Context, argument: str) -> Outcome:
        ran.append(argument)
        return Word.DONE

    async def titled(_context: Context, _typed: str) -> list[tuple[str, str]]:
        return [("k3", "banana bread"), ("m4", "rye bread")]

    return Commands(
        {
            "who": [
                Command(
                    name="model",
                    argument="[NAME]",
                    summary="the model",
                    run=run,
                    values=choices("small", "large"),
                    picks=True,
                )
            ],
            "where": [Command(name="load", argument="ID", summary="open", run=run, values=titled)],
            "the end": [Command(name="quit", argument="", summary="leave", run=run)],
        }
    )


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with closing(SessionStore(tmp_path)) as store:
        yield Parts(store).context


async def test_command_gets_its_argument(commands: Commands, context: Context, ran: list[str]) -> None:
    """White space around it does not matter."""
    await commands.run(context, "/model  a b ")
    await commands.run(context, "/quit")

    assert ran == ["a b", ""]


def test_commands_that_came_together_are_one_a_line() -> None:
    """As when a stop gives several back that were queued."""
    assert Commands.lines("/model a\n\n /model b\n") == ["/model a", " /model b"]


async def test_unknown_command_names_the_nearest(commands: Commands, context: Context) -> None:
    """A slip is answered with what was meant."""
    with pytest.raises(UsageError, match=r"no /modle \(did you mean /model\?\)"):
        await commands.run(context, "/modle x")


@pytest.mark.parametrize(
    ("text", "is_command"),
    [
        ("/help", True),
        ("/model x/y", True),
        ("/", True),
        ("/model x\n/retry\n", True),
        ("/model x\nand then", False),
        ("/etc/passwd is what?", False),
        ("help", False),
        ("", False),
    ],
)
def test_paths_are_no_commands(text: str, is_command: bool) -> None:
    """A message may begin with a path."""
    assert Commands.is_command(text) is is_command


async def test_completion_and_help_come_from_the_registry(commands: Commands, context: Context) -> None:
    """Names with their summaries, and values, by a few letters or by words of what stands beside them.

    What is picked from is asked for once, and offered.
    """
    completion = Completion(context, commands)

    async def found(text: str) -> Found:
        found = completion.find(text)
        return found if isinstance(found, Found) else await found()

    assert await found("/m") == Found([Suggestion("/model ", 2, "the model")], offered=True)
    assert await found("/qt") == Found([Suggestion("/quit", 3, "leave", all=True)], offered=True)
    assert await found("/model s") == Found([Suggestion("small", 1, all=True)], offered=True)
    assert completion.find("/model ge") == Found([Suggestion("large", 2, all=True)], offered=True)
    assert await found("/load rye bread") == Found([Suggestion("m4", 9, "rye bread", all=True)])
    assert await found("/load k") == Found([Suggestion("k3", 1, "banana bread", all=True)])
    for text in ("/load k4", "/nothing x", "/etc/passwd", "/model x\n"):
        assert not (await found(text)).suggestions
    assert commands.help()[:5] == ["who", "  /model [NAME]  the model", "", "where", "  /load ID       open"]
    assert commands.help()[5:] == ["", "the end", "  /quit          leave"]


def test_second_interrupt_within_two_seconds_leaves() -> None:
    """A later one stops again instead; and so does one after another key."""
    moments = iter((0.0, 1.9, 1.9, 5.0, 5.0, 7.1, 7.1, 7.2))
    interrupts = Interrupts(lambda: next(moments))

    presses = [interrupts.press() for _ in range(4)]
    interrupts.disarm()
    presses.append(interrupts.press())

    assert presses == [False, True, False, False, False]
