"""Fetches models: through a running Ollama, or as a GGUF file for the embedded llama.cpp.

Both go on where they were interrupted. What a download looks like on a screen is the caller's, who is told of every
step.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from llmterm.address import basic, joined, secret_parts
from llmterm.errors import ConfigError, ModelNotFoundError, NetworkError, ProtocolError, ServerError
from llmterm.framing import Frame
from llmterm.messages import StreamLimits
from llmterm.providers.ollama import PULL_PATH, PullProgress, pull_payload, pull_progress
from llmterm.providers.weights import is_gguf
from llmterm.providers.wire import MalformedFrameError
from llmterm.transport import Call, Transport, again_if_stale
from llmterm.transport.download import Download, Report, checked_sha256, download

_LIMITS = StreamLimits()
# Ollama says nothing while it computes the checksum of what it has fetched, which takes minutes on a slow disk.
_OLLAMA_SILENCE = 600.0
_SUFFIX = ".gguf"
# What Windows does not take in a name, and what ends a folder's name.
_NOT_IN_NAMES = frozenset('<>:"|?*/\\')
_STEP = 1024 * 1024


async def pull_ollama(
    transport: Transport,
    base_url: str,
    name: str,
    report: Callable[[PullProgress], None],
    *,
    limits: StreamLimits = _LIMITS,
) -> None:
    """Have the Ollama at `base_url` fetch the model `name`; `report` is given each line that it says.

    Cancelled, it stops there too, and keeps what it has (https://docs.ollama.com/api/pull). Raises ProviderError.
    """
    call = Call(
        who="ollama",
        url=joined(base_url, PULL_PATH),
        headers=basic(base_url),
        payload=pull_payload(name),
        model=name,
        secrets=secret_parts(base_url),
        framing="ndjson",
    )
    silence = None if limits.chunk_timeout is None else max(limits.chunk_timeout, _OLLAMA_SILENCE)
    stream = await again_if_stale(lambda: transport.open(call, replace(limits, chunk_timeout=silence)))
    understood = False
    try:
        while frames := await stream.read():
            for frame in frames:
                progress = _progress(frame, call)
                if progress is None:
                    continue
                stream.content_came()
                understood = True
                report(progress)
                if progress.status == "success":
                    await stream.drain()
                    return
    finally:
        await stream.aclose()
    if not understood:
        raise ProtocolError(f"ollama: no download began at {call.address}", hint="is it an Ollama?", provider="ollama")
    raise NetworkError(
        "ollama: the download broke off", hint="the same command goes on from there", provider="ollama", model=name
    )


def _progress(frame: Frame, call: Call) -> PullProgress | None:
    """Return what a line says; nothing for one that is no sense."""
    try:
        return pull_progress(frame, call.secrets)
    except MalformedFrameError:
        return None
    except ServerError as error:
        # So Ollama says that its library does not have the model.
        if "file does not exist" in error.message:
            hint = "check the name; https://ollama.com/library has them all"
            raise ModelNotFoundError(error.message, hint=hint, provider="ollama", model=call.model) from None
        raise


async def pull_file(
    transport: Transport,
    url: str,
    folder: Path,
    *,
    sha256: str = "",
    report: Report,
    limits: StreamLimits = _LIMITS,
) -> Download:
    """Fetch a model file into `folder`, under the name that it has in `url`. Raises ProviderError or UsageError.

    A file of that name that is there already is left alone; it is as good as fetched if it has the SHA-256 asked for.
    """
    expected = checked_sha256(sha256)
    target = folder / file_name(url)
    if await asyncio.to_thread(target.exists):
        found = await _measured(target) if expected else None
        if found is not None and found.sha256 == expected:
            return found
        raise ConfigError(f"{target} is there already", hint="use it, or remove it to fetch it again")
    fetched = await download(transport, url, target, sha256=expected, report=report, limits=limits)
    if not await asyncio.to_thread(is_gguf, target):
        await asyncio.to_thread(target.unlink, missing_ok=True)
        raise ProtocolError(f"what came from {Call(who='', url=url).address} is not a GGUF file", hint=_hint(url))
    return fetched


def file_name(url: str) -> str:
    """Return the name that a model file gets, from its URL. Raises ConfigError for a URL that names no GGUF file."""
    try:
        path = unquote(urlsplit(url).path, errors="replace")
    except ValueError:
        path = ""
    last = path.replace("\\", "/").rpartition("/")[2].lstrip(".")
    name = "".join("_" if char in _NOT_IN_NAMES or not char.isprintable() else char for char in last)
    if not name.lower().endswith(_SUFFIX) or name.lower() == _SUFFIX:
        raise ConfigError(
            f"{Call(who='', url=url).address} does not end in the name of a GGUF file",
            hint=f"give the URL of the file itself, which ends in {_SUFFIX}",
        )
    return name


def _hint(url: str) -> str:
    """Say what is wrong with the URL; https://huggingface.co has a page about each file, at nearly its address."""
    return "the file itself is at /resolve/ in place of /blob/" if "/blob/" in url else "check the URL"


async def _measured(path: Path) -> Download:
    """Return what is known of a file that is there already."""
    digest, size = hashlib.sha256(), 0
    try:
        file = await asyncio.to_thread(path.open, "rb")
        with file:
            while data := await asyncio.to_thread(file.read, _STEP):
                digest.update(data)
                size += len(data)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return Download(path=path, size=size, sha256=digest.hexdigest())
