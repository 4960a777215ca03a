"""Packs the requests of a batch into parcels: each of one model, and none larger than its provider takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from llmterm.errors import UsageError
from llmterm.providers.jobs.taking import JobProvider
from llmterm.threads import in_thread
from llmterm.transport.body import Body
from llmterm.transport.content import FileContent

_MB = 1_000_000


class Line(NamedTuple):
    """A question in a parcel. `digest` tells whether it has changed since, `stake` is what its answer may cost."""

    id: str
    number: int
    digest: str
    stake: float | None = None


class Parcel:
    """Requests in a file without a name, which is gone with the program, however that ends."""

    def __init__(self, taker: JobProvider, model: str, path: str, folder: Path) -> None:
        self.taker = taker
        self.mark = os.urandom(8).hex()
        self.model = model
        self.path = path
        self.lines: list[Line] = []
        self._file = cast(BinaryIO, tempfile.TemporaryFile("w+b", dir=folder))  # noqa: SIM115 - it ends with the parcel
        self._size = 0

    @property
    def next_key(self) -> str:
        """The key of the request that is added next."""
        return key(self.mark, len(self.lines))

    def takes(self, size: int) -> bool:
        """Tell whether there is room for a request of so many bytes."""
        bounds = self.taker.jobs.bounds
        between = len(self.taker.jobs.between) if self.lines else 0
        return len(self.lines) < bounds.requests and self._size + between + size <= bounds.bytes

    def add(self, line: Line, body: Body) -> None:
        """Add a request, whose body has the `next_key` in it. Raises OSError."""
        for piece in (self.taker.jobs.between if self.lines else b"", *body.pieces()):
            self._size += self._file.write(piece)
        self.lines.append(line)

    def content(self, *, head: bytes = b"", tail: bytes = b"") -> FileContent:
        return FileContent(self._file, head=head, tail=tail)

    def close(self) -> None:
        self._file.close()


class Parcels:
    """All that is packed, in the order in which it was begun."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where there is room for as much as is packed."""
        self.packed: list[Parcel] = []
        self._folder = folder
        self._open: dict[tuple[str, str, str], Parcel] = {}

    async def add(self, taker: JobProvider, model: str, line: Line, path: str, body: Mapping[str, Any]) -> None:
        """Pack a request. Raises UsageError for one that is too large for any parcel, and OSError."""
        kind = (taker.http.name, model, path)
        parcel = self._open.get(kind) or self._begin(kind, taker, model, path)
        request = await self._request(parcel, body)
        if not parcel.takes(request.size) and parcel.lines:
            parcel = self._begin(kind, taker, model, path)
            request = await self._request(parcel, body)
        if not parcel.takes(request.size):
            most = taker.jobs.bounds.bytes / _MB
            raise UsageError(f"its request has {request.size / _MB:.1f} MB, and a batch may have {most:.0f} MB in all")
        await in_thread(parcel.add, line, request)

    def close(self) -> None:
        for parcel in self.packed:
            parcel.close()

    def _begin(self, kind: tuple[str, str, str], taker: JobProvider, model: str, path: str) -> Parcel:
        parcel = self._open[kind] = Parcel(taker, model, path, self._folder)
        self.packed.append(parcel)
        return parcel

    async def _request(self, parcel: Parcel, body: Mapping[str, Any]) -> Body:
        return await Body.of(parcel.taker.jobs.line(parcel.next_key, parcel.path, body))


def key(mark: str, number: int) -> str:
    """Return what a request of a parcel is called at the provider."""
    return f"{mark}-{number}"
