"""The body of a request that lies in a file: what stands before it, the file, and what stands behind it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import BinaryIO

from llmterm.threads import in_thread

_BLOCK = 256 * 1024


class FileContent:
    """Bytes, to be iterated as often as they have to be sent; `size` is how many they are. The file stays the owner's.

    One at a time: there is one place in the file from which the next block is read.
    """

    def __init__(self, file: BinaryIO, *, head: bytes = b"", tail: bytes = b"") -> None:
        self._file = file
        self._head = head
        self._tail = tail
        self.size = len(head) + file.seek(0, os.SEEK_END) + len(tail)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._head
        await in_thread(self._file.seek, 0)
        while block := await in_thread(self._file.read, _BLOCK):
            yield block
        yield self._tail
