"""The baseline of a pause: an HTTP client and a terminal, with nothing around them.

`python -m benchmarks.bare_pause URL`, in a terminal: a line is a question, SPACE closes the connection and then asks
again, Ctrl-D leaves. What it takes from the key on is what the machine, the terminal and the client take.
"""

import asyncio
import os
import sys
import termios
import tty

import httpx2

PROMPT = b"ready\r\n"
_STDIN, _STDOUT = 0, 1


class Keys:
    """What is typed, a byte each."""

    def __init__(self) -> None:
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(_STDIN, self._read)

    def _read(self) -> None:
        for byte in os.read(_STDIN, 4096):
            self._typed.put_nowait(bytes([byte]))

    async def until(self, *wanted: bytes) -> bytes:
        """Return what was typed up to one of these, which is its end."""
        typed = b""
        while not typed.endswith(wanted):
            typed += await self._typed.get()
        return typed


async def main(url: str) -> None:
    keys = Keys()
    os.write(_STDOUT, PROMPT)
    question = (await keys.until(b"\r"))[:-1].decode()
    async with httpx2.AsyncClient(timeout=None) as client:
        while True:
            answer = asyncio.create_task(_answer(client, url, question))
            end = await keys.until(b" ", b"\x04")
            answer.cancel()
            await asyncio.wait({answer})
            if end.endswith(b"\x04"):
                return
            os.write(_STDOUT, b"\r\npaused\r\n")
            await keys.until(b" ")


async def _answer(client: httpx2.AsyncClient, url: str, question: str) -> None:
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": question}]}
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            os.write(_STDOUT, line.encode() + b"\r")


if __name__ == "__main__":
    before = termios.tcgetattr(_STDIN)
    tty.setraw(_STDIN)
    try:
        asyncio.run(main(*sys.argv[1:]))
    finally:
        termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)
