"""Builds a chat in this terminal whose answers live in a service."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

from llmterm.address import is_loopback
from llmterm.assembly.chatting import in_terminal
from llmterm.assembly.launch import Launch
from llmterm.assembly.secrets import known_secrets
from llmterm.assembly.token import kept_token
from llmterm.chat.app import Chat
from llmterm.config import Settings
from llmterm.errors import ConfigError, SessionError
from llmterm.opening import Opening
from llmterm.remote.models import registry
from llmterm.remote.record import load
from llmterm.remote.service import Service, parted
from llmterm.transport import Transport

TOKEN = "LLMTERM_TOKEN"


class Place(NamedTuple):
    """The `link` of a service, and what is gone on with there: a session, or the `latest`. `model` is who answers."""

    link: str
    session: str | None = None
    latest: bool = False
    model: str = ""


async def attach(settings: Settings, environ: Mapping[str, str], place: Place, question: str, opening: Opening) -> int:
    """Chat in this terminal with a service; return the exit code. Raises our errors.

    `question` is asked at once if there is one; `opening` is what is on the screen in place of the chat so far.
    """
    url, token = parted(place.link)
    token = token or environ.get(TOKEN, "") or _own(url, environ)
    if not token:
        raise ConfigError(
            "the service wants a token", hint=f"--attach takes the link that it prints; {TOKEN} has one, too"
        )
    secrets = known_secrets(settings, environ)
    secrets.add(token)
    transport = Transport()
    try:
        service = Service(transport, url, token, by=_name())
        known = await service.greet()
        providers, (provider, model) = registry(service, known)
        if place.model:
            provider, model = await providers.choose(place.model)
        if not provider:
            raise ConfigError("the service has nobody who answers", hint="llmterm doctor there says what is missing")
        wanted = await _latest(service) if place.latest else place.session
        stored = None if wanted is None else await load(service, wanted)
        launch = Launch(
            # Of several who read it one would resume it before the others.
            settings=replace(settings, chat=replace(settings.chat, auto_resume=0)),
            environ=environ,
            provider=provider,
            model=model,
            named=bool(place.model),
            secrets=secrets,
        )

        def run(chat: Chat) -> Awaitable[int]:
            return chat.run(stored, question)

        return await in_terminal(launch, run, providers, service=service, opening=opening)
    finally:
        await transport.aclose()


async def _latest(service: Service) -> str:
    found = (await service.get("/v1/sessions", limit=1))["sessions"]
    if not found:
        raise SessionError("there is no session to continue", hint="llmterm chat --attach begins one")
    return str(found[0]["id"])


def _own(url: str, environ: Mapping[str, str]) -> str:
    """Return the token of this user's own service, where that is the one."""
    return kept_token(environ) if is_loopback(urlsplit(url).hostname or "") else ""


def _name() -> str:
    """Return how others are told who this is: the user, and the terminal."""
    user = "somebody"
    with suppress(OSError, KeyError, ImportError):
        user = getpass.getuser()
    place = f"process {os.getpid()}"
    if sys.platform != "win32":
        with suppress(OSError, ValueError):
            place = os.ttyname(sys.stdin.fileno()).removeprefix("/dev/")
    return f"{user} at {place}"
