"""An answer that can be paused: SPACE pauses it and goes on with it, q ends it.

Run it as `python examples/pause.py "Why is the sky blue?"`. Who answers is who would answer in `llmterm chat`.
"""

import asyncio
import sys

from llmterm import KeySource, TerminalKeys, TextDelta, Turn, TurnState, clean, connect, on_key


async def listen(keys: KeySource, turn: Turn) -> None:
    while not turn.over:
        space = turn.resume if turn.state is TurnState.PAUSED else turn.pause
        await on_key(keys, {"space": space, "q": turn.cancel, "c-c": turn.cancel})


async def main(question: str) -> None:
    async with connect() as model, TerminalKeys() as keys:
        turn = model.turn(question)
        turn.start()
        listening = asyncio.create_task(listen(keys, turn))
        async for _, event in turn.events():
            if isinstance(event, TextDelta):
                print(clean(event.text), end="", flush=True)
        listening.cancel()
    print()


asyncio.run(main(sys.argv[1]))
