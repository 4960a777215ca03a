"""What is typed while an answer streams: nothing of it is lost, and it is sent in the order of the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.ahead import Ahead
from llmterm.keys import Key

MOVES = ("up", "down", "left", "right", "home", "end", "c-a", "c-e")
DELETIONS = ("backspace", "delete", "c-d", "c-u", "c-k", "c-w")

typing = st.builds(Key.typing, st.characters(exclude_categories=("C", "Z")) | st.just(" "))
pastes = st.builds(Key, st.just("paste"), st.text("ab \n", min_size=1, max_size=6))
keeping = typing | pastes | st.builds(Key, st.sampled_from((*MOVES, "enter", "alt-enter", "tab", "f5", "focus-out")))
anything = keeping | st.builds(Key, st.sampled_from(DELETIONS) | st.text(max_size=4))


def pressed(ahead: Ahead, keys: Sequence[Key | str]) -> list[str]:
    """Press keys, a text as one paste; return what was queued by them."""
    queued = [ahead.press(key if isinstance(key, Key) else Key("paste", key)) for key in keys]
    return [each for each in queued if each is not None]


def queued(*lines: str) -> Ahead:
    ahead = Ahead()
    for line in lines:
        pressed(ahead, [line, Key("enter")])
    return ahead


def up(times: int = 1) -> list[Key]:
    return [Key("up")] * times


def given_back(ahead: Ahead) -> list[str]:
    """Stop, and take one after the other into the line."""
    ahead.hold()
    return list(iter(ahead.begin, ""))


def letters(text: str) -> Counter[str]:
    return Counter("".join(text.split()))


@given(st.lists(keeping))
def test_nothing_typed_is_lost(keys: list[Key]) -> None:
    """Whatever is pressed besides deletions: each character typed is in what is given back, once."""
    ahead = Ahead()

    pressed(ahead, keys)

    assert letters("".join(given_back(ahead))) == letters("".join(key.text for key in keys))
    assert (ahead.text, ahead.queue) == ("", [])


@given(st.lists(anything))
def test_any_keys_leave_it_whole(keys: list[Key]) -> None:
    """No message is empty, and what is shown is one row."""
    ahead = Ahead()

    pressed(ahead, keys)

    assert all(each.strip() for each in ahead.queue)
    assert "\n" not in ahead.line()


@given(st.lists(st.text("abc", min_size=1, max_size=3), max_size=5), st.lists(st.sampled_from(["up", "down"])))
def test_looking_around_changes_nothing(lines: list[str], keys: list[str]) -> None:
    """Up and Down take messages out and put them back where they were."""
    ahead = queued(*lines)

    pressed(ahead, [Key(name) for name in keys])

    assert given_back(ahead) == lines


@given(st.integers(1, 5), st.lists(st.sampled_from(["up", "down", "enter", "answered", "paused"])))
def test_messages_are_sent_in_their_order(count: int, steps: list[str]) -> None:
    """Whatever is being edited when an answer ends or is paused: none overtakes another."""
    ahead = queued(*map(str, range(count)))
    sent: list[str] = []

    for step in steps:
        match step:
            case "answered":
                sent += filter(None, [ahead.next() or ahead.take()])
            case "paused":
                assert ahead.take() == ""
            case _:
                pressed(ahead, [Key(step)])

    assert [*sent, *given_back(ahead)] == [str(number) for number in range(count)]


def test_messages_wait_in_their_order() -> None:
    """Enter says what it has queued; an empty line is none."""
    ahead = Ahead()

    said = pressed(ahead, ["one", Key("enter"), Key("enter"), "  ", Key("enter"), "two", Key("enter"), "three"])

    assert said == ["one", "two"]
    assert (ahead.queue, ahead.text) == (["one", "two"], "three")


def test_edited_message_keeps_its_place() -> None:
    """Up to the second of three, a word more, Enter."""
    ahead = queued("one", "two", "three")

    assert pressed(ahead, [*up(2), " and more", Key("enter")]) == ["two and more"]

    assert ahead.queue == ["one", "two and more", "three"]


def test_emptied_message_is_gone() -> None:
    """Emptied and left with Enter or an arrow, it is not sent."""
    ahead = queued("one", "two", "three")

    pressed(ahead, [*up(2), Key("c-u"), Key("enter"), *up(), Key("c-u"), Key("up")])

    assert (ahead.queue, ahead.text) == ([], "one")


def test_new_line_is_not_queued_by_up() -> None:
    """What was never finished stays in the line."""
    ahead = queued("one")

    pressed(ahead, ["begun", *up(3)])

    assert (ahead.queue, ahead.text) == (["one"], "begun")


def test_next_is_none_while_that_is_edited() -> None:
    """The answer ends while the first message is changed: it becomes the line, and the second waits behind it."""
    ahead = queued("one", "two")
    pressed(ahead, [*up(2), " more"])

    assert ahead.next() is None
    assert (ahead.take(), ahead.queue) == ("one more", ["two"])


def test_edited_message_moves_up_with_the_queue() -> None:
    """The answer ends while the second is changed: the first goes, and the second is the next."""
    ahead = queued("one", "two", "three")
    pressed(ahead, [*up(2), " more"])

    assert ahead.next() == "one"
    pressed(ahead, [Key("enter")])

    assert ahead.queue == ["two more", "three"]


def test_emptied_first_message_lets_the_second_go() -> None:
    """Nothing waits behind a line without text."""
    ahead = queued("one", "two")
    pressed(ahead, [*up(2), Key("c-u")])

    assert (ahead.next(), ahead.next()) == ("two", None)


def test_take_gives_the_line_and_keeps_the_queue() -> None:
    """At a pause the line becomes guidance; one that was queued goes back where it was."""
    ahead = queued("one", "two")
    pressed(ahead, ["guidance"])
    assert (ahead.take(), ahead.queue) == ("guidance", ["one", "two"])

    pressed(ahead, up(2))
    assert (ahead.take(), ahead.queue) == ("", ["one", "two"])


def test_held_messages_stay_apart_and_none_is_sent_by_itself() -> None:
    """What was given back comes first, then the queue, also a message that is being edited, then what was begun."""
    ahead = queued("one", "two")
    pressed(ahead, [*up(1), "!"])
    pressed(ahead, [Key("enter"), "three"])

    ahead.hold("zero")

    assert (ahead.held, ahead.next()) == (True, None)
    assert [ahead.begin() for _ in range(5)] == ["zero", "one", "two!", "three", ""]
    assert not ahead.held


def test_message_that_is_queued_behind_held_ones_is_held_too() -> None:
    """It is sent by itself again once no other is before it."""
    ahead = queued("one", "two")
    ahead.hold()
    assert ahead.begin() == "one"
    pressed(ahead, ["three", Key("enter")])

    assert (ahead.next(), ahead.begin(), ahead.next(), ahead.begin()) == (None, "two", None, "three")
    pressed(ahead, ["four", Key("enter")])
    assert ahead.next() == "four"


def test_line_that_is_being_typed_comes_before_held_messages() -> None:
    ahead = queued("one")
    ahead.hold()
    pressed(ahead, ["begun"])

    assert (ahead.begin(), ahead.begin()) == ("begun", "one")


def test_held_messages_come_no_more_until_they_are_asked_for() -> None:
    """Nothing takes the place of a line that the user has emptied."""
    ahead = queued("one", "two")
    ahead.hold()
    assert ahead.begin() == "one"

    ahead.offer(next_one=False)
    assert (ahead.begin(), ahead.held) == ("", True)
    ahead.offer()

    assert ahead.begin() == "two"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["ab", Key("left"), "-"], "a-▏b"),
        (["ab", Key("home"), "-", Key("end"), "-"], "-ab-"),
        (["ab", Key("c-a"), Key("delete")], "▏b"),
        (["a b  c", Key("c-w")], "a b  "),
        (["a b  ", Key("c-w")], "a "),
        (["abc", Key("left"), Key("c-u")], "▏c"),
        (["abc", Key("left"), Key("c-k")], "ab"),
        (["a", Key("alt-enter"), "b"], "a⏎b"),
        (["ab", Key("backspace"), Key("backspace"), Key("backspace")], ""),
    ],
)
def test_line_is_edited_where_the_cursor_is(keys: list[Key | str], line: str) -> None:
    """The cursor is seen where it is not at the end; a line end is a sign."""
    ahead = Ahead()

    pressed(ahead, keys)

    assert ahead.line() == line
