"""Builds the service, and runs it until it is told to end."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from llmterm.address import is_loopback
from llmterm.assembly.launch import launch, options_of, store
from llmterm.assembly.roster import cached, registry
from llmterm.assembly.secrets import known_secrets
from llmterm.assembly.streams import notice
from llmterm.assembly.token import own_token
from llmterm.assembly.whereabouts import written_down
from llmterm.config import Settings
from llmterm.errors import UsageError
from llmterm.loading import collect_seldom
from llmterm.redaction import Secrets
from llmterm.serve.app import application
from llmterm.serve.connection import Patience
from llmterm.serve.metrics import Metrics
from llmterm.serve.peers.peers import Alone, Peers
from llmterm.serve.readers import Readers
from llmterm.serve.records import Records
from llmterm.serve.respondents import Terms
from llmterm.serve.server import Server
from llmterm.serve.service import Service
from llmterm.serve.turns import Turns
from llmterm.threads import in_thread, take_turns

_LOCAL = ("localhost", "127.0.0.1", "::1")
# Seconds that readers have to hear that the service ends; then it does.
_GRACE = 5
_BACKLOG = 4096


class Place(NamedTuple):
    """Where it listens, who may come, the `page` that the link opens, and the Redis that it shares with others."""

    host: str
    port: int
    token: str
    origins: Sequence[str] = ()
    page: str = "/"
    state: str = ""


async def serve(settings: Settings, environ: Mapping[str, str], place: Place) -> int:
    """Serve until a signal ends it; return the exit code. Raises our errors."""
    take_turns()
    collect_seldom()
    with signals() as ended:
        async with running(settings, environ, place) as opens:
            with written_down(environ, opens):
                notice(f"serving at {opens}")
                await ended.wait()
    return 0


@asynccontextmanager
async def running(
    settings: Settings, environ: Mapping[str, str], place: Place, listening: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve as long as the `async with` lasts, and give the link that opens the page. Raises our errors.

    It listens by a socket that it is given, or by one of its own. At the end turns are paused and on the record before
    the last reader is let go.
    """
    token = place.token or await in_thread(own_token, environ)
    known = known_secrets(settings, environ)
    known.add(token)
    async with AsyncExitStack() as stack:
        listening = listening or listen(place)
        stack.callback(listening.close)
        sessions = store(environ)
        stack.callback(sessions.close)
        providers = await in_thread(
            registry,
            settings,
            environ,
            wrap=cached(settings, sessions),
            default=partial(_usual, settings, environ),
            secrets=known,
        )
        stack.push_async_callback(providers.aclose)
        metrics = Metrics()
        peers = await _peers(place.state, known)
        stack.push_async_callback(peers.close)
        turns = Turns(Records(sessions), providers, _terms(settings), metrics, peers)
        await peers.open(turns)
        readers = Readers(settings.serve.max_readers)
        metrics.show("llmterm_turns_streaming", "Answers that are being made.", lambda: turns.streaming)
        metrics.show("llmterm_turns", "Answers that are in memory, whatever they do.", lambda: turns.held)
        metrics.show("llmterm_readers", "Readers of what is told.", lambda: readers.now)
        service = Service(turns=turns, store=sessions, secrets=known, metrics=metrics, readers=readers)
        app = application(
            service,
            token=token,
            hosts=_LOCAL if is_loopback(place.host) else (),
            origins=place.origins,
            report=lambda line: notice(known.redact(line)),
        )
        server = Server(app, Patience(settings.serve.request_timeout, settings.serve.reader_timeout), grace=_GRACE)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="llmterm-serve")
        try:
            yield link(place, listening, token)
        finally:
            await service.turns.drain()
            await peers.close()
            service.ending = True
            service.turns.farewell()
            server.should_exit = True
            await serving


async def _peers(state: str, known: Secrets) -> Peers:
    """Return the instances that share a Redis, or nobody. Its password is a secret from now on."""
    if not state:
        return Alone()
    from llmterm.serve.peers.shared import SharedPeers  # an extra

    if password := urlsplit(state).password:
        known.add(unquote(password))
    return SharedPeers(state, lambda why: why._replace(words=known.redact(why.words)))


def _terms(settings: Settings) -> Terms:
    return Terms(
        system=settings.system,
        options=options_of(settings),
        limits=settings.stream.limits(),
        fallback=tuple(settings.fallback),
        marker=settings.marker.text if settings.marker.enabled else None,
        background=settings.chat.pause_mode == "hold",
        most=settings.serve.max_turns,
        most_of_client=settings.serve.turns_per_client or None,
    )


def _usual(settings: Settings, environ: Mapping[str, str]) -> str:
    start = launch(settings, environ)
    return f"{start.provider}/{start.model}"


def listen(place: Place) -> socket.socket:
    """Return the socket that it listens on. Raises UsageError where that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)  # who comes before it serves waits
    except (OSError, UnicodeError) as error:
        hint = "--port takes another, 0 any that is free" if getattr(error, "errno", 0) == errno.EADDRINUSE else ""
        words = getattr(error, "strerror", None) or "that is no name of a host"
        raise UsageError(f"nothing can listen at {place.host} port {place.port}: {words}", hint=hint) from None
    return listening


def link(place: Place, listening: socket.socket, token: str) -> str:
    """Return the link that opens the page."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"http://{host}:{listening.getsockname()[1]}{place.page}?token={token}"


@contextmanager
def signals() -> Iterator[asyncio.Event]:
    """Give what is set by the signals that ask the service to end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, ended.set)
    try:
        yield ended
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
