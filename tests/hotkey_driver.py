"""A program around GlobalKeys, for the tests: commands on stdin, what happens as JSON lines on stdout.

Commands: "focus" and "unfocus" (the terminal's), "count" (how often a thread has called into the loop), "again" (leave
the source and enter it once more). At the end of stdin it leaves.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack

from llmterm.keys import KeysUnavailableError
from llmterm.keys.hotkey import GlobalKeys

_Arguments = TypeVarTuple("_Arguments")


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts what comes from other threads."""

    calls = 0

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self.calls += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def report(source: GlobalKeys) -> None:
    while True:
        say(key=(await source.get()).name)


async def main(chord: str) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, CountingLoop)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    focused = False
    source = GlobalKeys(chord=chord, focused=lambda: focused)
    reporter = asyncio.create_task(report(source))
    again = True
    while again:
        again = False
        async with source:
            say(state="listening")
            async for line in commands:
                match line.decode().strip():
                    case "count":
                        say(calls=loop.calls)
                    case "again":
                        again = True
                        break
                    case command:
                        focused = command == "focus"
                        say(focused=focused)
    reporter.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        try:
            runner.run(main(sys.argv[1]))
        except KeysUnavailableError as error:
            say(unavailable=str(error))
