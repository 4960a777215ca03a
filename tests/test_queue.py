"""The messages that wait while an answer streams: none is lost, and they are sent in the order of the list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmterm.chat.queue import MessageQueue


class Line:
    """A line with its queue behind it: what Up, Down and Enter make of both."""

    def __init__(self, *messages: str) -> None:
        self.queue = MessageQueue()
        self.text = ""
        for message in messages:
            self.queue.add(message)

    def press(self, *keys: str) -> None:
        for key in keys:
            match key:
                case "up" | "down":
                    if self.queue.movable(self.text):
                        self.text = self.queue.move(self.text, -1 if key == "up" else 1)
                case "enter":
                    text, self.text = self.text, ""
                    self.queue.add(text)
                case "ctrl-c":
                    if self.queue.edited:
                        self.text = ""
                        self.queue.put_back()
                case _:
                    self.text += key

    def next(self) -> str | None:
        return self.queue.next(self.text)

    def given_back(self) -> list[str]:
        """Stop, and take one after the other into the line."""
        if self.queue.edited:
            self.press("enter")
        self.queue.hold()
        return [*iter(self.queue.offered, ""), *([self.text] if self.text.strip() else [])]


@given(st.lists(st.sampled_from(["up", "down", "enter", "a", "b ", " "])))
def test_nothing_typed_is_lost(keys: list[str]) -> None:
    """Whatever is pressed: each character typed is in what is given back, once, and no message is empty."""
    line = Line()

    line.press(*keys)

    assert all(each.strip() for each in line.queue.waiting)
    left = sorted("".join("".join(line.given_back()).split()))
    assert left == sorted(key.strip() for key in keys if key in ("a", "b "))


@given(st.lists(st.text("abc", min_size=1, max_size=3), max_size=5), st.lists(st.sampled_from(["up", "down"])))
def test_looking_around_changes_nothing(messages: list[str], keys: list[str]) -> None:
    """Up and Down take messages out and put them back where they were."""
    line = Line(*messages)

    line.press(*keys)

    assert line.given_back() == messages


@given(st.integers(1, 5), st.lists(st.sampled_from(["up", "down", "enter", "answered"])))
def test_messages_are_sent_in_their_order(count: int, steps: list[str]) -> None:
    """Whatever is being edited when an answer ends: none overtakes another."""
    line = Line(*map(str, range(count)))
    sent: list[str] = []

    for step in steps:
        if step != "answered":
            line.press(step)
        elif (message := line.next()) is not None:
            sent.append(message)
        elif line.text and not line.queue.edited:
            sent.append(line.text)
            line.text = ""

    assert [*sent, *line.given_back()] == [str(number) for number in range(count)]


@given(
    st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5),
    st.integers(1, 5),
    st.lists(st.sampled_from([" more", "emptied", -1, 1])),
)
def test_what_was_made_of_a_message_can_be_given_up(messages: list[str], ups: int, steps: list[str | int]) -> None:
    """Whichever it is, and whatever was done to it: it waits as it was, where it was."""
    line = Line(*messages)
    line.press(*["up"] * ups)

    for step in steps:
        if isinstance(step, int):
            line.queue.shift(step)
        else:
            line.text = "" if step == "emptied" else line.text + step
    line.press("ctrl-c")

    assert (line.queue.waiting, line.text, line.queue.edited) == (messages, "", False)


def test_message_that_is_given_up_waits_behind_those_before_it() -> None:
    """The answer ends while the third is changed: the first goes."""
    line = Line("one", "two", "three", "four")
    line.press("up", "up", " more")

    assert line.next() == "one"
    line.press("ctrl-c")

    assert line.queue.waiting == ["two", "three", "four"]


def test_edited_message_keeps_its_place() -> None:
    """Up to the second of three, a word more, Enter."""
    line = Line("one", "two", "three")

    line.press("up", "up", " and more", "enter")

    assert line.queue.waiting == ["one", "two and more", "three"]


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5), st.lists(st.integers(-2, 2)))
def test_message_in_the_line_can_be_moved_among_the_others(messages: list[str], steps: list[int]) -> None:
    """It goes back to where it was moved to, and the others stay in their order."""
    line = Line(*messages)
    line.press("up")
    place = len(messages) - 1
    for step in steps:
        line.queue.shift(step)
        place = min(max(0, place + step), len(messages) - 1)
    assert line.queue.place == place
    line.press("enter")

    assert line.queue.waiting == [*messages[:-1][:place], messages[-1], *messages[:-1][place:]]


def test_emptied_message_is_gone() -> None:
    """Emptied and left with Enter or an arrow, it is not sent."""
    line = Line("one", "two", "three")

    line.press("up", "up")
    line.text = ""
    line.press("enter", "up")
    line.text = ""
    line.press("up")

    assert (line.queue.waiting, line.text) == ([], "one")


def test_new_line_is_not_queued_by_up() -> None:
    """What was never finished stays in the line."""
    line = Line("one")

    line.press("begun", "up", "up", "up")

    assert (line.queue.waiting, line.text) == (["one"], "begun")


def test_next_is_none_while_that_is_edited() -> None:
    """The answer ends while the first message is changed: it becomes the line, and the second waits behind it."""
    line = Line("one", "two")
    line.press("up", "up", " more")

    assert line.next() is None
    assert (line.text, line.queue.waiting, line.queue.edited) == ("one more", ["two"], False)


def test_edited_message_moves_up_with_the_queue() -> None:
    """The answer ends while the second is changed: the first goes, and the second is the next."""
    line = Line("one", "two", "three")
    line.press("up", "up", " more")

    assert line.next() == "one"
    line.press("enter")

    assert line.queue.waiting == ["two more", "three"]


def test_emptied_first_message_lets_the_second_go() -> None:
    """Nothing waits behind a line without text."""
    line = Line("one", "two")
    line.press("up", "up")
    line.text = ""

    assert (line.next(), line.next()) == ("two", None)


def test_held_messages_stay_apart_and_none_is_sent_by_itself() -> None:
    """What was given back comes first, then the queue."""
    queue = Line("one", "two").queue

    queue.hold("zero")

    assert (queue.held, queue.next("")) == (True, None)
    assert [queue.offered() for _ in range(4)] == ["zero", "one", "two", ""]
    assert not queue.held


def test_message_that_is_queued_behind_held_ones_is_held_too() -> None:
    """It is sent by itself again once no other is before it."""
    queue = Line("one", "two").queue
    queue.hold()
    assert queue.offered() == "one"
    queue.add("three")

    assert (queue.next(""), queue.offered(), queue.next(""), queue.offered()) == (None, "two", None, "three")
    queue.add("four")
    assert queue.next("") == "four"


def test_held_messages_come_no_more_until_they_are_asked_for() -> None:
    """Nothing takes the place of a line that the user has emptied."""
    queue = Line("one", "two").queue
    queue.hold()
    assert queue.offered() == "one"

    queue.offer(next_one=False)
    assert (queue.offered(), queue.held) == ("", True)
    queue.offer()

    assert queue.offered() == "two"
