"""The HTTP server under the application: uvicorn, on a loop and with signals that are somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from llmterm.serve.connection import Connection, Patience


class Server(uvicorn.Server):
    """Ends by `should_exit`; requests that are being answered then have `grace` seconds."""

    def __init__(self, app: ASGIApp, patience: Patience, *, grace: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=cast("type[asyncio.Protocol]", partial(Connection, patience=patience)),
                ws="websockets-sansio",
                ws_per_message_deflate=False,  # small messages, and many
                access_log=False,
                log_config=None,
                log_level="critical",  # whoever sends nonsense fills no log, and the application reports bugs itself
                server_header=False,
                timeout_graceful_shutdown=grace,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs it: turns are paused and kept before it ends."""
        yield
