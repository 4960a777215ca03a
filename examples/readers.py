"""One answer, two readers: the first prints it, the second watches its beginning and leaves.

Run it as `python examples/readers.py "Why is the sky blue?"`. A reader that leaves, or fails, changes nothing for the
others; one that comes late gets what it missed in one piece.
"""

import asyncio
import sys

from llmterm import TextDelta, Turn, clean, connect


async def show(turn: Turn) -> None:
    async for _, event in turn.events():
        if isinstance(event, TextDelta):
            print(clean(event.text), end="", flush=True)
    print()


async def first_words(turn: Turn) -> str:
    text = ""
    async for _, event in turn.events():
        if isinstance(event, TextDelta):
            text += event.text
        if len(text) >= 40:
            break
    return text[:40]


async def main(question: str) -> None:
    async with connect() as model:
        turn = model.turn(question)
        turn.start()
        _, beginning = await asyncio.gather(show(turn), first_words(turn))
        print(f"It began with: {clean(beginning)}")


asyncio.run(main(sys.argv[1]))
