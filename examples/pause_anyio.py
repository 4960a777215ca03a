"""`pause.py` with the event loop and the tasks of anyio: SPACE pauses the answer and goes on with it, q ends it.

Run it as `python examples/pause_anyio.py "Why is the sky blue?"`. The backend has to be asyncio, as it is by default.
"""

import sys

import anyio

from llmterm import KeySource, TerminalKeys, TextDelta, Turn, TurnState, clean, connect, on_key


async def listen(keys: KeySource, turn: Turn) -> None:
    while not turn.over:
        space = turn.resume if turn.state is TurnState.PAUSED else turn.pause
        await on_key(keys, {"space": space, "q": turn.cancel, "c-c": turn.cancel})


async def main(question: str) -> None:
    async with connect() as model, TerminalKeys() as keys:
        turn = model.turn(question)
        turn.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, keys, turn)
            async for _, event in turn.events():
                if isinstance(event, TextDelta):
                    print(clean(event.text), end="", flush=True)
            tasks.cancel_scope.cancel()
    print()


anyio.run(main, sys.argv[1])
