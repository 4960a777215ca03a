"""Fetches a model, with a bar that shows how far it is."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from llmterm import config
from llmterm.assembly.streams import notice
from llmterm.config import Settings
from llmterm.errors import UsageError
from llmterm.providers.weights import MODELS_FOLDER

_FRAME_SECONDS = 0.1


async def pull(settings: Settings, environ: Mapping[str, str], provider: str, name: str, sha256: str) -> list[str]:
    """Fetch the model and return the lines to say about it. Raises our errors; interrupted, it can be gone on with."""
    from llmterm.providers.ollama import PullProgress
    from llmterm.providers.pull import pull_file, pull_ollama
    from llmterm.transport import Proxies, Transport

    remote = settings.providers.remote(provider)
    kind = remote.kind if remote else provider
    if kind not in ("local", "ollama"):
        raise UsageError(f"{provider} has its models where it is", hint="llmterm models pull is for local and ollama")
    shown = _Bar(name)
    transport = Transport(proxies=Proxies.of(environ))
    me = asyncio.current_task()
    assert me is not None
    try:
        if kind == "local":
            folder = config.data_dir(environ) / MODELS_FOLDER
            fetched = await pull_file(transport, name, folder, sha256=sha256, report=shown.show)
            shown.close()
            path = fetched.path
            return [str(path), f"sha256 {fetched.sha256}", f"llmterm --model {path.stem} talks to it"]

        def report(progress: PullProgress) -> None:
            shown.label = progress.status or name
            shown.show(progress.completed, progress.total or None)

        await pull_ollama(transport, config.base_url(provider, settings, environ), name, report)
        shown.close()
        return [f"llmterm --provider {provider} --model {name} talks to it"]
    except asyncio.CancelledError:
        shown.close()
        notice("what has come is kept; the same command goes on")
        raise
    finally:
        shown.close()
        await transport.aclose()


class _Bar:
    """One line on standard error, drawn over at most ten times a second; nothing where that is no terminal."""

    def __init__(self, name: str) -> None:
        self.label = Path(name).name or name
        self._label = ""
        self._began = self._drawn = time.monotonic()
        self._start: int | None = None
        self._visible = sys.stderr.isatty()
        self._open = False

    def show(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._label != self.label:
            self._label, self._began, self._start, self._drawn = self.label, now, None, 0.0
        if self._start is None:
            self._start = done
        if not self._visible or (now - self._drawn < _FRAME_SECONDS and done != total):
            return
        from llmterm.render.bar import bar

        width = shutil.get_terminal_size().columns - 1
        line = bar(self.label, done, total, now - self._began, width, start=self._start)
        sys.stderr.write(f"\r{line}\x1b[K")
        sys.stderr.flush()
        self._drawn, self._open = now, True

    def close(self) -> None:
        """Leave the line as it is."""
        if self._open:
            self._open = False
            sys.stderr.write("\n")
            sys.stderr.flush()
