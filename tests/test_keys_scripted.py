"""The scripted source: what a test presses is what is heard."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from llmterm.keys import Key, KeySource
from llmterm.keys.scripted import ScriptedKeys


async def test_keys_arrive_in_the_order_in_which_they_were_pressed() -> None:
    """A script is played as written, whether its keys are names or values."""
    source = ScriptedKeys()
    source.press("c-c", Key("paste", "two words"), "space")

    async with source as keys:
        heard = [await keys.get() for _ in range(3)]

    assert heard == [Key("c-c"), Key("paste", "two words"), Key("space", " ")]


async def test_a_key_pressed_later_wakes_the_reader() -> None:
    """A program may press keys while something waits for them."""
    source: KeySource = (script := ScriptedKeys())

    async with source:
        waiting = asyncio.create_task(source.get())
        await asyncio.sleep(0)
        script.press("escape")
        heard = await waiting

    assert heard == Key("escape")


async def test_several_sources_feed_one_queue() -> None:
    """An owner with two sources reads one queue."""
    queue: asyncio.Queue[Key] = asyncio.Queue()
    one, other = ScriptedKeys(queue=queue), ScriptedKeys(queue=queue)

    one.press("up")
    other.press("down")

    assert [queue.get_nowait().name for _ in range(2)] == ["up", "down"]


@given(text=st.text())
def test_typing_a_text_types_that_text(text: str) -> None:
    """Every character is one key, spaces and newlines are keys of their own, and nothing is lost."""
    source = ScriptedKeys()

    source.type(text)

    heard = [source.queue.get_nowait() for _ in range(source.queue.qsize())]
    assert "".join("\n" if key.name == "enter" else key.text for key in heard) == text
    assert all((key.name == "space") == (key.text == " ") for key in heard)


def test_where_a_key_came_from_is_no_part_of_it() -> None:
    """Keys are compared by what they are."""
    assert Key.typing("a", origin="somewhere") == Key("text", "a")
    assert hash(Key.typing("a", origin=[])) == hash(Key("text", "a"))
