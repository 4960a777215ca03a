"""The turn: in whatever order things happen, no character is lost, repeated or moved, and nothing is left running."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llmterm.errors import (
    AuthError,
    ConfigError,
    NetworkError,
    StreamTimeoutError,
    TurnStateError,
    WishRefusedError,
)
from llmterm.events import Notice
from llmterm.fallback import Fallback
from llmterm.messages import (
    Attachment,
    EndReason,
    Finished,
    Message,
    Options,
    Reply,
    Request,
    Snapshot,
    StreamLimits,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from llmterm.providers import Provider
from llmterm.recall import PIECE
from llmterm.turn import Turn, TurnState
from tests.reading import heard, reader_of
from tests.scripted import ScriptedProvider

REQUEST = Request(model="m", messages=(Message(role="user", text="q"),), options=Options())
STOP = Finished(EndReason.STOP)


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


def state_of(turn: Turn) -> TurnState:
    """Look at the state anew: a type checker believes that it stays what it was."""
    return turn.state


async def take(turn: Turn) -> str:
    """Read the events that there are until the stream ends, and return their text. Raises what the turn failed with."""
    return "".join([event.text async for event in heard(turn) if isinstance(event, TextDelta)])


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


async def streaming(provider: ScriptedProvider, turn: Turn, *texts: str) -> None:
    """Start the turn and let `texts` arrive."""
    turn.start()
    await provider.opened.wait()
    for text in texts:
        provider.stream.put(TextDelta(text))
    await settle()


async def test_answer_arrives_and_is_done(provider: ScriptedProvider) -> None:
    """Text, usage and the end come through; the segment records them."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "Hel", "lo")
    provider.stream.put(UsageReport(Usage(input_tokens=3, output_tokens=2)), STOP)

    text = await take(turn)

    assert (text, turn.reply.text, turn.state, turn.reason) == ("Hello", "Hello", TurnState.DONE, EndReason.STOP)
    (segment,) = turn.reply.segments
    assert (segment.start, segment.end, segment.mode, segment.usage.output_tokens) == (0, 5, "fresh", 2)
    assert provider.stream.closed


async def test_pause_keeps_every_received_character(provider: ScriptedProvider) -> None:
    """What the reader has not taken yet is in the snapshot, and still comes out of `events`."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "one ", "two ", "three")

    snapshot = await turn.pause()

    assert (snapshot.reply.text, snapshot.reason, turn.state) == ("one two three", EndReason.PAUSE, TurnState.PAUSED)
    assert await take(turn) == "one two three"
    assert provider.stream.closed


@pytest.mark.parametrize("reason", [EndReason.PAUSE, EndReason.CRASH])
async def test_pause_keeps_its_reason(provider: ScriptedProvider, reason: EndReason) -> None:
    """A program that is being ended rests its answers as a key does, and the record says why."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "x")

    snapshot = await turn.pause(reason)

    assert (turn.state, snapshot.reason) == (TurnState.PAUSED, reason)
    assert turn.reply.segments[0].end_reason is reason


async def test_pause_before_the_first_token_asks_again(provider: ScriptedProvider) -> None:
    """A pause while the request is still on its way leaves nothing, and resuming asks the same again."""
    turn = Turn(provider, REQUEST)
    turn.start()

    await turn.pause()
    turn.resume()
    await provider.opened.wait()

    assert provider.requests[-1] == REQUEST
    await turn.cancel()
    assert turn.reply.segments == ()


async def test_resume_replays_the_whole_answer(provider: ScriptedProvider) -> None:
    """Every resume sends all of the answer so far, not only its newest part."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "one ")
    for text in ("two ", "three"):
        await turn.pause()
        provider.opened.clear()
        turn.resume()
        await provider.opened.wait()
        provider.stream.put(TextDelta(text))
        await settle()

    await turn.pause()

    assert [request.messages[-1].text for request in provider.requests] == ["q", "one", "one two"]
    assert turn.reply.text == "one two three"
    assert [segment.mode for segment in turn.reply.segments] == ["fresh", "prefill", "prefill"]


async def test_white_space_that_was_not_sent_is_not_doubled(provider: ScriptedProvider) -> None:
    """A prefill ends without white space; if the model says it again, it is there once."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "one\n\n")
    await turn.pause()
    provider.opened.clear()

    turn.resume()
    await provider.opened.wait()
    provider.stream.put(TextDelta("\n"), TextDelta("\ntwo"), STOP)

    assert await take(turn) == "one\n\ntwo"


async def test_pause_and_cancel_are_idempotent_at_any_moment(provider: ScriptedProvider) -> None:
    """Before the start, twice at once, after the end: nothing raises, nothing changes twice."""
    turn = Turn(provider, REQUEST)
    await turn.pause()
    assert state_of(turn) is TurnState.READY
    await streaming(provider, turn, "x")

    await asyncio.gather(turn.pause(), turn.pause(), turn.cancel(), turn.cancel(), turn.pause())

    assert turn.state is TurnState.CANCELLED
    await turn.pause()
    await turn.cancel()
    assert turn.reply.text == "x"


async def test_cancel_during_a_pause_wins(provider: ScriptedProvider) -> None:
    """A stop that comes while the pause still closes the stream ends the turn."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "x")
    pausing = asyncio.create_task(turn.pause())
    await asyncio.sleep(0)

    await turn.cancel()
    await pausing

    assert (turn.state, turn.reason) == (TurnState.CANCELLED, EndReason.CANCEL)


async def test_pause_after_the_last_event_is_the_end(provider: ScriptedProvider) -> None:
    """A key that comes when the answer is over does not turn an end into a pause."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "x")
    provider.stream.put(STOP)
    await settle()

    await turn.pause()

    assert turn.state is TurnState.DONE


class BrokenPrices(ScriptedProvider):
    """Cannot tell what an answer costs."""

    def cost(self, model: str, usage: Usage) -> float | None:
        raise OverflowError("no such price")


@pytest.mark.parametrize("end", ["itself", "pause", "cancel", "failure", "marker"])
async def test_whatever_the_end_of_a_stream_raises_the_turn_is_settled(end: str) -> None:
    """No reader waits for ever, what came is kept, the error is the turn's."""
    provider = BrokenPrices()
    turn = Turn(provider, REQUEST, "!!CANCEL")
    await streaming(provider, turn, "all of it")
    reader = asyncio.create_task(take(turn))
    await settle()
    match end:
        case "itself":
            provider.stream.put(STOP)
        case "pause":
            await turn.pause()
        case "cancel":
            await turn.cancel()
        case "failure":
            provider.stream.fail(NetworkError("broke"))
        case "marker":
            provider.stream.put(TextDelta(" !!CANCEL"))
    await asyncio.wait({reader}, timeout=60)

    assert reader.done()
    assert isinstance(turn.error, OverflowError)
    assert turn.reply.text.startswith("all of it")
    assert turn.state is (TurnState.CANCELLED if end == "cancel" else TurnState.FAILED)
    assert end == "cancel" or isinstance(reader.exception(), OverflowError)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NetworkError("broke"), EndReason.NETWORK),
        (StreamTimeoutError("late", timer="chunk"), EndReason.TIMEOUT),
        (AuthError("no"), EndReason.ERROR),
    ],
)
async def test_failure_in_the_middle_is_a_pause(
    provider: ScriptedProvider, error: Exception, reason: EndReason
) -> None:
    """With text there, an error rests the answer; the same resume goes on from there."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "half")
    provider.stream.fail(error)

    text = await take(turn)

    assert (text, turn.state, turn.reason, turn.error) == ("half", TurnState.PAUSED, reason, error)


@pytest.mark.parametrize("error", [NetworkError("broke"), ConfigError("no key")])
async def test_failure_before_the_first_token_fails_and_can_be_tried_again(
    provider: ScriptedProvider, error: Exception
) -> None:
    """Without any text the error goes to the reader; resuming asks again."""
    provider.refuse = error
    turn = Turn(provider, REQUEST)
    turn.start()

    with pytest.raises(type(error)):
        await take(turn)
    assert state_of(turn) is TurnState.FAILED

    provider.refuse = None
    turn.resume()
    await provider.opened.wait()
    provider.stream.put(TextDelta("yes"), STOP)

    assert await take(turn) == "yes"
    assert turn.state is TurnState.DONE


async def test_bug_in_a_provider_reaches_the_reader(provider: ScriptedProvider) -> None:
    """An exception that is not ours is never taken for a pause."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "half")
    provider.stream.fail(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await take(turn)

    assert turn.state is TurnState.FAILED


async def test_token_limit_is_a_pause(provider: ScriptedProvider) -> None:
    """An answer cut by its length can be gone on with."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "half")
    provider.stream.put(Finished(EndReason.LENGTH))

    await take(turn)

    assert (turn.state, turn.reason) == (TurnState.PAUSED, EndReason.LENGTH)


async def test_max_chunks_is_a_pause_that_loses_nothing(provider: ScriptedProvider) -> None:
    """The limit stops the reading; what came in the same read stays."""
    turn = Turn(provider, REQUEST, limits=StreamLimits(max_chunks=2))
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta("a"), TextDelta("b"), TextDelta("c"))

    text = await take(turn)

    assert (text, turn.state, turn.reason) == ("abc", TurnState.PAUSED, EndReason.LIMIT)


async def test_full_buffer_holds_the_stream_back_and_closes_at_once(provider: ScriptedProvider) -> None:
    """A slow reader stops the reading; a pause does not wait for it, and takes along what has come meanwhile."""
    turn = Turn(provider, REQUEST, limits=StreamLimits(buffer_size=2))
    reader_of(turn)
    await streaming(provider, turn, *"abcdef")
    assert provider.given == "ab"

    await turn.pause()

    assert provider.stream.closed
    assert (turn.reply.text, await take(turn)) == ("abcdef", "abcdef")


async def test_reader_that_catches_up_lets_the_stream_go_on(provider: ScriptedProvider) -> None:
    """Back-pressure ends when the buffer has room."""
    turn = Turn(provider, REQUEST, limits=StreamLimits(buffer_size=2))
    reader_of(turn)
    await streaming(provider, turn, *"abcdef")
    provider.stream.put(STOP)

    assert await take(turn) == "abcdef"


async def test_answer_that_nobody_reads_runs_to_its_end(provider: ScriptedProvider) -> None:
    """Only a reader that asks for it is waited for; whoever comes later has all of it."""
    turn = Turn(provider, REQUEST, limits=StreamLimits(buffer_size=2))
    await streaming(provider, turn, *"abcdef")
    provider.stream.put(STOP)
    await settle()

    assert turn.state is TurnState.DONE
    assert [event.text async for _, event in turn.events() if isinstance(event, TextDelta)] == ["abcdef"]


async def test_marker_of_the_model_pauses_and_drops_the_rest(provider: ScriptedProvider) -> None:
    """The marker is not in the answer, nor is what follows it in the same answer."""
    turn = Turn(provider, REQUEST, "!!CANCEL")
    await streaming(provider, turn, "so ", "!!CAN", "CEL and on")

    text = await take(turn)

    assert (text, turn.reply.text, turn.state, turn.reason) == ("so ", "so ", TurnState.PAUSED, EndReason.MARKER)
    assert provider.stream.closed


async def test_pause_within_a_marker_keeps_its_beginning(provider: ScriptedProvider) -> None:
    """What was withheld is text after all when the answer rests there; if the marker goes on, it is taken back."""
    turn = Turn(provider, REQUEST, "!!CANCEL")
    await streaming(provider, turn, "so !!CAN")
    snapshot = await turn.pause()
    assert snapshot.reply.text == "so !!CAN" == await take(turn)
    provider.opened.clear()

    turn.resume()
    await provider.opened.wait()
    provider.stream.put(TextDelta("CEL"))
    await take(turn)

    assert (turn.reply.text, turn.reason) == ("so ", EndReason.MARKER)
    assert turn.reply.segments[0].end == len("so ")


@pytest.mark.parametrize(("text", "kept"), [("so far ", "so far "), ("```\ncode ", "```\ncode !!CANCEL")])
async def test_marker_as_a_stop_sequence_pauses(provider: ScriptedProvider, text: str, kept: str) -> None:
    """Where the provider tells that it matched: the marker is not shown, but in code, where it is text."""
    provider.stops = True
    turn = Turn(provider, REQUEST, "!!CANCEL")
    await streaming(provider, turn, text)
    provider.stream.put(Finished(EndReason.STOP_SEQUENCE))

    await take(turn)

    assert provider.requests[0].options.stop == ("!!CANCEL",)
    assert (turn.state, turn.reason, turn.reply.text) == (TurnState.PAUSED, EndReason.MARKER, kept)
    assert turn.request.options.stop == ()


async def test_stop_sequence_of_the_user_ends_the_answer(provider: ScriptedProvider) -> None:
    """Where there are several nobody can tell which it was: the answer is over, as was asked for."""
    provider.stops = True
    turn = Turn(provider, replace(REQUEST, options=Options(stop=("END",))), "!!CANCEL")
    await streaming(provider, turn, "so far")
    provider.stream.put(Finished(EndReason.STOP_SEQUENCE))

    await take(turn)

    assert (turn.state, provider.requests[0].options.stop) == (TurnState.DONE, ("END", "!!CANCEL"))


LONG = "The tide comes in twice a day, and it goes out twice a day as well. Fishermen have always known"


async def gone_on(provider: ScriptedProvider, turn: Turn, *texts: str) -> None:
    """Pause the turn and let `texts` arrive after it was resumed by instruction."""
    await turn.pause()
    await take(turn)
    provider.opened.clear()
    turn.resume(continuation="instruct")
    await provider.opened.wait()
    for text in texts:
        provider.stream.put(TextDelta(text))
    await settle()


async def test_words_that_are_said_again_are_cut_at_the_seam(provider: ScriptedProvider) -> None:
    """They are shown once, and the record says what was cut, and can give it back."""
    turn = Turn(provider, REQUEST, seam_seconds=60)
    await streaming(provider, turn, LONG)
    await gone_on(provider, turn, "have always ", "known", " when to sail.")
    provider.stream.put(STOP)

    await take(turn)

    assert turn.reply.text == f"{LONG} when to sail."
    seam = turn.reply.segments[1]
    assert (seam.cut, seam.seam) == ("have always known", "overlap")
    assert turn.reply.unseam(1).text == f"{LONG}have always known when to sail."
    assert turn.reply.unseam(1).segments[1].end == len(turn.reply.text) + len("have always known")


async def test_pause_while_the_seam_is_undecided_loses_nothing(provider: ScriptedProvider) -> None:
    """What is held back is part of the answer, or known to be said again."""
    turn = Turn(provider, REQUEST, seam_seconds=60)
    await streaming(provider, turn, LONG)
    await gone_on(provider, turn, "have alw")

    await turn.pause()

    assert turn.reply.text == f"{LONG} have alw"


async def test_seam_does_not_hold_back_for_long(provider: ScriptedProvider) -> None:
    """When the time is up, what was held back is shown as it is."""
    turn = Turn(provider, REQUEST, seam_seconds=0)
    await streaming(provider, turn, LONG)
    await gone_on(provider, turn, "have alw")

    async for _, event in turn.events():
        if isinstance(event, TextDelta) and event.text.endswith(" have alw"):
            break

    assert turn.state is TurnState.STREAMING
    await turn.cancel()


async def test_answer_that_is_started_over_is_not_glued(provider: ScriptedProvider) -> None:
    """The turn pauses, the answer is as it was, and what the model said is kept aside."""
    turn = Turn(provider, REQUEST, seam_seconds=0)
    await streaming(provider, turn, LONG)
    await gone_on(provider, turn, LONG[:80])

    await take(turn)

    assert (turn.state, turn.reason, turn.reply.text) == (TurnState.PAUSED, EndReason.RESTART, LONG)
    assert turn.started_over == LONG[:80]
    assert provider.stream.closed
    assert Turn(provider, turn.snapshot()).started_over == LONG[:80]
    turn.rewrite(turn.reply.rewrite(turn.started_over))
    turn.resume()
    assert turn.started_over == ""
    await turn.cancel()


async def test_hold_ends_the_events_and_not_the_stream(provider: ScriptedProvider) -> None:
    """What comes meanwhile waits, and is there when the reader goes on."""
    turn = Turn(provider, REQUEST)
    reader = reader_of(turn)
    await streaming(provider, turn, "one ")
    taking = asyncio.create_task(take(turn))
    await settle()
    reader.hold()
    assert await taking == "one "
    provider.stream.put(TextDelta("two"), STOP)
    await settle()

    assert (reader.waiting, reader.unread, state_of(turn)) == (1, len("two"), TurnState.DONE)
    reader.let_go()
    assert await take(turn) == "two"


async def test_held_answer_can_be_cut_where_it_was_taken(provider: ScriptedProvider) -> None:
    """Also one that was received whole meanwhile: it can be gone on with from there."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "one ")
    taking = asyncio.create_task(take(turn))
    await settle()
    reader = reader_of(turn)
    reader.hold()
    provider.stream.put(TextDelta("two"), STOP)
    await settle()
    assert await taking == "one "

    await turn.pause(upto=reader.text)

    assert (turn.state, turn.reply.text) == (TurnState.PAUSED, "one ")
    reader.let_go()
    assert await take(turn) == ""


async def test_guidance_stays_out_of_the_answer(provider: ScriptedProvider) -> None:
    """What the user says at a pause goes into the requests that follow and into the record, not into the text."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "one ")
    await turn.pause()
    for _ in range(2):
        provider.opened.clear()
        turn.resume(guidance="shorter" if turn.reply.segments[-1].guidance == "" else "")
        await provider.opened.wait()
        provider.stream.put(TextDelta("x"))
        await settle()
        await turn.pause()

    assert ["shorter" in request.messages[0].text for request in provider.requests] == [False, True, True]
    assert "shorter" not in turn.reply.text
    assert [segment.guidance for segment in turn.reply.segments] == ["", "shorter", ""]


def instead(provider: Provider, model: str) -> Fallback:
    async def ready() -> tuple[Provider, str]:
        return provider, model

    return ready


async def test_another_provider_begins_what_the_first_cannot() -> None:
    """The first fallback that can be had answers, with its own model, and is said and recorded to."""
    first, third = ScriptedProvider(), ScriptedProvider()
    first.refuse = AuthError("no such key")

    async def broken() -> tuple[Provider, str]:
        raise ConfigError("no key for second")

    turn = Turn(first, REQUEST, fallbacks=[broken, instead(third, "m3")])
    await streaming(third, turn, "hello")
    third.stream.put(STOP)

    assert await take(turn) == "hello"
    assert third.requests[0] == replace(REQUEST, model="m3")
    assert [(each.provider, each.model) for each in turn.reply.segments] == [("scripted", "m3")]
    said = [event.text async for _, event in turn.events() if isinstance(event, Notice)]
    assert said == ["no such key", "no key for second", "scripted/m3 answers instead"]


async def test_fallback_after_a_pause_takes_the_guidance_along(provider: ScriptedProvider) -> None:
    """Paused before the first word and guided: whoever begins in place of another is told as well."""
    other = ScriptedProvider()
    turn = Turn(provider, REQUEST, fallbacks=[instead(other, "m2")])
    await streaming(provider, turn)
    await turn.pause()
    await take(turn)
    provider.refuse = AuthError("no")

    turn.resume(guidance="in French")
    await other.opened.wait()

    assert "in French" in other.requests[0].messages[-1].text
    await turn.cancel()


async def test_fallback_goes_on_with_an_answer_that_was_edited(provider: ScriptedProvider) -> None:
    """What is there is gone on with, not said a second time."""
    other = ScriptedProvider()
    turn = Turn(provider, REQUEST, fallbacks=[instead(other, "m2")])
    await streaming(provider, turn, "a cat")
    await turn.pause()
    await take(turn)
    turn.rewrite(turn.reply.rewrite("The cat"))
    provider.refuse = AuthError("no")

    turn.resume()
    await other.opened.wait()

    assert other.requests[0].messages[-1] == Message(role="assistant", text="The cat")
    await turn.cancel()


async def test_after_the_first_token_no_other_provider_steps_in(provider: ScriptedProvider) -> None:
    """What breaks in the middle is a pause, and the user decides."""
    other = ScriptedProvider()
    turn = Turn(provider, REQUEST, fallbacks=[instead(other, "m2")])
    await streaming(provider, turn, "half")
    provider.stream.fail(NetworkError("gone"))

    await take(turn)

    assert (turn.state, turn.reason, other.requests) == (TurnState.PAUSED, EndReason.NETWORK, [])


async def test_wish_that_the_first_cannot_fulfil_is_refused_and_nobody_steps_in() -> None:
    """It is for who has it to change. One that a fallback cannot fulfil is passed on to the next."""
    refused = WishRefusedError("it always thinks", hint="low is the least that it has")
    first, second, third = ScriptedProvider(), ScriptedProvider(), ScriptedProvider()
    first.refuse = second.refuse = refused
    turn = Turn(first, REQUEST, fallbacks=[instead(third, "m3")])
    turn.start()

    with pytest.raises(WishRefusedError, match="always thinks"):
        await take(turn)

    assert third.requests == []

    first.refuse = AuthError("no such key")
    turn = Turn(first, REQUEST, fallbacks=[instead(second, "m2"), instead(third, "m3")])
    await streaming(third, turn, "hello")
    third.stream.put(STOP)

    assert await take(turn) == "hello"


async def test_where_no_fallback_is_left_the_last_error_counts(provider: ScriptedProvider) -> None:
    """The turn has failed, and with it every provider that was asked."""
    other = ScriptedProvider()
    provider.refuse, other.refuse = AuthError("first"), AuthError("second")
    turn = Turn(provider, REQUEST, fallbacks=[instead(other, "m2")])
    turn.start()

    with pytest.raises(AuthError, match="second"):
        await take(turn)

    assert turn.state is TurnState.FAILED


async def test_thinking_is_kept_apart(provider: ScriptedProvider) -> None:
    """Thinking is in the reply, not in its text; a pause within it asks again, and keeps the attempts apart."""
    turn = Turn(provider, REQUEST)
    turn.start()
    await provider.opened.wait()
    provider.stream.put(ThinkingDelta("hm"))
    await settle()

    snapshot = await turn.pause()
    provider.opened.clear()
    turn.resume()
    await provider.opened.wait()
    provider.stream.put(ThinkingDelta("so"))
    await settle()

    assert (snapshot.reply.thinking, snapshot.reply.text) == ("hm", "")
    assert provider.requests[-1] == REQUEST
    assert turn.reply.thinking == "hm\n\nso"
    await turn.cancel()


async def test_another_provider_goes_on(provider: ScriptedProvider) -> None:
    """A paused answer can be finished by another provider and model; the record says who wrote what."""
    other = ScriptedProvider(mode="instruct")
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "one ")
    await turn.pause()

    turn.resume(provider=other, model="n")
    await other.opened.wait()
    other.stream.put(TextDelta("two"), STOP)

    assert await take(turn) == "one two"
    assert [(segment.model, segment.mode) for segment in turn.reply.segments] == [("m", "fresh"), ("n", "instruct")]
    assert other.requests[0].messages[-1].role == "user"


async def test_paused_turn_is_made_from_its_record(provider: ScriptedProvider) -> None:
    """A snapshot of another process is gone on with as if it were our own."""
    reply = Reply.of(Message(role="assistant", text="one ", status="interrupted"))
    turn = Turn(provider, Snapshot(request=REQUEST, reply=reply, reason=EndReason.CRASH))
    assert (turn.state, turn.reason) == (TurnState.PAUSED, EndReason.CRASH)

    turn.resume()
    await provider.opened.wait()
    provider.stream.put(TextDelta("two"), STOP)

    assert await take(turn) == "one two"
    assert turn.reply.text == "one two"


async def test_transitions_that_do_not_exist_raise(provider: ScriptedProvider) -> None:
    """Starting twice and resuming what streams or is over are bugs of the caller."""
    turn = Turn(provider, REQUEST)
    with pytest.raises(TurnStateError):
        turn.resume()
    turn.start()
    with pytest.raises(TurnStateError):
        turn.start()
    with pytest.raises(TurnStateError):
        turn.resume()
    await turn.cancel()
    with pytest.raises(TurnStateError):
        turn.resume()


async def test_end_of_the_loop_keeps_the_record_straight(provider: ScriptedProvider) -> None:
    """A pump that is cancelled by somebody else closes its stream and leaves the text."""
    turn = Turn(provider, REQUEST)
    await streaming(provider, turn, "x")
    (pump,) = [task for task in asyncio.all_tasks() if task.get_name() == "llmterm-pump"]

    pump.cancel()
    await asyncio.wait({pump})

    assert (turn.state, turn.reply.text, provider.stream.closed) == (TurnState.CANCELLED, "x", True)


async def test_estimate_counts_only_what_was_sent(provider: ScriptedProvider) -> None:
    """An image that the model does not take costs it a line of text."""
    image = Attachment(name="cat.png", media_type="image/png", data=b"no size")
    turn = Turn(provider, replace(REQUEST, messages=(Message(role="user", text="q", attachments=(image,)),)))
    await streaming(provider, turn, "a")

    snapshot = await turn.pause()

    assert snapshot.reply.segments[0].usage == Usage(input_tokens=4, output_tokens=1, estimated=True)


class TurnMachine(RuleBasedStateMachine):
    """Any order of chunks, reads, pauses, resumes, cancels and failures, against what the provider gave out."""

    @initialize(buffer_size=st.integers(1, 8), marker=st.booleans())
    def begin(self, buffer_size: int, marker: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.provider = ScriptedProvider()
        self.turn = Turn(
            self.provider, REQUEST, "!!CANCEL" if marker else None, limits=StreamLimits(buffer_size=buffer_size)
        )
        reader_of(self.turn)
        self.seen = ""
        self.jobs: list[asyncio.Task[Any]] = []
        self.number = 0

    @property
    def can_send(self) -> bool:
        return bool(self.provider.streams) and not self.provider.stream.closed

    def run(self, job: Any) -> Any:
        return self.loop.run_until_complete(job)

    async def _read_some(self, most: int) -> None:
        """Take at most `most` events, without waiting for more than there are."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                async for event in reader_of(self.turn).streamed():
                    if isinstance(event, TextDelta):
                        self.seen += event.text
                    most -= 1
                    if most <= 0:
                        return

    @precondition(lambda self: self.turn.state is TurnState.READY)
    @rule(pause_at_once=st.booleans())
    def start(self, pause_at_once: bool) -> None:
        async def begin() -> None:
            self.turn.start()
            await (self.turn.pause() if pause_at_once else settle())

        self.run(begin())

    @precondition(lambda self: self.turn.state is TurnState.STREAMING and self.can_send)
    @rule(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), settle_first=st.booleans())
    def chunks(self, sizes: list[int], settle_first: bool) -> None:
        events = []
        for _ in range(sum(sizes)):
            events.append(TextDelta(f"<{self.number}>!"))
            self.number += 1
        self.provider.stream.put(*events)
        if settle_first:
            self.run(settle())

    @precondition(lambda self: self.turn.state is TurnState.STREAMING and self.can_send)
    @rule(reason=st.sampled_from([EndReason.STOP, EndReason.LENGTH]))
    def finish(self, reason: EndReason) -> None:
        self.provider.stream.put(Finished(reason))

    @precondition(lambda self: self.turn.state is TurnState.STREAMING and self.can_send)
    @rule()
    def fail(self) -> None:
        self.provider.stream.fail(NetworkError("broke"))

    @rule(leave=st.booleans())
    def pause(self, leave: bool) -> None:
        self.run(self.turn.detach() if leave else self.turn.pause())

    @rule(ticks=st.integers(0, 3))
    def pause_and_go_on_meanwhile(self, ticks: int) -> None:
        async def both() -> None:
            pausing = asyncio.ensure_future(self.turn.pause())
            for _ in range(ticks):
                await asyncio.sleep(0)
            pausing.cancel()
            await asyncio.wait({pausing})

        self.run(both())

    @precondition(lambda self: self.turn.state in (TurnState.PAUSED, TurnState.FAILED))
    @rule(pause_at_once=st.booleans())
    def resume(self, pause_at_once: bool) -> None:
        async def go_on() -> None:
            self.turn.resume()
            await (self.turn.pause() if pause_at_once else settle())

        self.run(go_on())

    @precondition(lambda self: self.number > 20)
    @rule()
    def cancel(self) -> None:
        self.run(self.turn.cancel())

    @rule(most=st.integers(1, 6))
    def read(self, most: int) -> None:
        self.run(self._read_some(most))

    @invariant()
    def nothing_is_lost_repeated_or_moved(self) -> None:
        if not hasattr(self, "turn"):
            return
        self.run(settle())
        withheld = len(self.provider.given) - len(self.turn.reply.text)
        assert self.provider.given.startswith(self.turn.reply.text)
        assert 0 <= withheld <= (1 if self.turn.state is TurnState.STREAMING else 0)
        assert self.turn.reply.text.startswith(self.seen)

    @invariant()
    def only_a_streaming_turn_has_anything_open(self) -> None:
        if not hasattr(self, "turn"):
            return
        streaming_now = self.turn.state is TurnState.STREAMING
        assert [stream.closed for stream in self.provider.streams[:-1]] == [True] * (len(self.provider.streams) - 1)
        if self.provider.streams and not streaming_now:
            assert self.provider.stream.closed

    @invariant()
    def segments_tile_the_answer(self) -> None:
        if not hasattr(self, "turn") or self.turn.state is TurnState.STREAMING:
            return
        ends = [0]
        for segment in self.turn.reply.segments:
            assert segment.start == ends[-1]
            ends.append(segment.end)
        assert ends[-1] == len(self.turn.reply.text)

    def teardown(self) -> None:
        if not hasattr(self, "turn"):
            return
        self.run(self.turn.cancel())
        while self.turn.reply.text != self.seen:
            before = self.seen
            self.run(self._read_some(1000))
            assert self.seen != before
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()


TestTurnMachine = TurnMachine.TestCase
TestTurnMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def test_a_long_answer_is_read_in_pieces_when_it_goes_on(provider: ScriptedProvider) -> None:
    """Between two of them the loop has its turn: a key, a signal, the screen. A pause ends it."""
    reply = Reply().add(TextDelta("A line of `code`.\n" * 20_000))
    turn = Turn(provider, Snapshot(request=REQUEST, reply=reply, reason=EndReason.PAUSE), "!!CANCEL")
    turn.resume()

    turns = 0
    while not provider.requests:
        turns += 1
        await asyncio.sleep(0)
    await turn.pause()
    turn.resume()
    await asyncio.sleep(0)
    await turn.pause()

    assert len(reply.body) / turns <= PIECE
    assert len(provider.requests) == 1
    assert turn.reply.text == reply.text
