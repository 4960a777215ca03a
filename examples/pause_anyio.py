"""`pause.py` with the event loop and the tasks of anyio: SPACE pauses the answer and goes on with it, q ends it.

Run it as `python examples/pause_anyio.py "Why is the sky blue?"`. The backend has to be asyncio, as it is by default.
"""

import sys

import anyio

from llmterm import Conversation, TerminalKeys, TextDelta, Turn, TurnState, clean, on_key, open_registry


async def main(question: str) -> None:
    async with open_registry() as providers, TerminalKeys() as keys:
        name, model = await providers.choose()
        turn = Turn(providers.get(name), Conversation().ask(question).request(model=model))
        turn.start()
        while not turn.over:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(on_key, keys, {"space": turn.pause, "q": turn.cancel, "c-c": turn.cancel})
                async for event in turn.events():
                    if isinstance(event, TextDelta):
                        print(clean(event.text), end="", flush=True)
                tasks.cancel_scope.cancel()
            if turn.state is TurnState.PAUSED:
                await on_key(keys, {"space": turn.resume, "q": turn.cancel, "c-c": turn.cancel})
    print()


anyio.run(main, sys.argv[1])
