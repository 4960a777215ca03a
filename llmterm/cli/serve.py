"""`llmterm serve`: answers over HTTP, and in a browser."""

from __future__ import annotations

import asyncio
import os
import re
from importlib.util import find_spec
from typing import Annotated

import typer

from llmterm import config
from llmterm.address import is_loopback
from llmterm.errors import UsageError
from llmterm.loading import loading

PORT = 8484
TOKEN, STATE = "LLMTERM_TOKEN", "LLMTERM_STATE"
# What it is made with, beside what the chat is.
_NEEDED = ("starlette", "uvicorn", "httptools", "prometheus_client")
_REDIS = re.compile(r"(redis|rediss|unix)://\S+")
_HINT = "--state redis://localhost:6379/0"
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")


def serve(
    host: Annotated[
        str, typer.Option("--host", help="The address to listen at; this machine's own alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes one that is free.")] = PORT,
    token: Annotated[
        str | None, typer.Option("--token", help=f"What whoever comes has to know; {TOKEN} has it, too.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            "--origin",
            help="Another page that may use it, or its own address behind a proxy: https://host. Several times.",
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            help=f"redis://HOST:PORT/0: turns are shared with all instances that have the same; {STATE} has it, too.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="So many processes serve at one port; they need --state.")
    ] = 1,
) -> None:
    """Serve a page, an interface that OpenAI's clients know, and answers that can be paused from anywhere."""
    require_libraries()
    given = token if token is not None else os.environ.get(TOKEN, "")
    if token is not None and not token.strip():
        raise UsageError("--token is empty", hint="without it one is made, and kept")
    if not is_loopback(host) and not given:
        raise UsageError(
            f"{host} can be reached from other machines, and there is no token",
            hint=f"--token TEXT, or {TOKEN}; without TLS before it everybody on the way can read it",
        )
    for each in origin or ():
        if not _ORIGIN.fullmatch(each):
            raise UsageError(f"--origin {each!r} is no address of a page", hint="https://host or https://host:port")
    shared = _shared(os.environ.get(STATE, "") if state is None else state, workers)
    settings = config.load(environ=os.environ)
    with loading():
        from llmterm.assembly.serving import Place
        from llmterm.assembly.serving import serve as served
        from llmterm.assembly.workers import serve_by
    place = Place(host, port, given.strip(), tuple(origin or ()), state=shared)
    if workers > 1:
        raise typer.Exit(asyncio.run(serve_by(workers, settings, os.environ, place)))
    raise typer.Exit(asyncio.run(served(settings, os.environ, place)))


def _shared(state: str, workers: int) -> str:
    """Return the Redis that is shared, "" for none. Raises UsageError."""
    if not state.strip():
        if workers > 1:
            raise UsageError("--workers need --state: a turn of one has to be found by the others", hint=_HINT)
        return ""
    if not _REDIS.fullmatch(state.strip()):
        raise UsageError("--state is no address of a Redis", hint=_HINT)
    if find_spec("redis") is None:
        raise UsageError("--state needs redis", hint="pip install 'llmterm[serve,redis]'")
    return state.strip()


def require_libraries() -> None:
    """Raise UsageError where what the service is made with is not installed."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise UsageError(f"llmterm serve needs {', '.join(missing)}", hint="pip install 'llmterm[serve]'")
