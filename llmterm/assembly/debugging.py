"""Switches the debug log on for a run that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from llmterm import config
from llmterm.assembly.launch import Launch
from llmterm.assembly.streams import notice


@contextmanager
def debug_log(launch: Launch, *, text: bool) -> Iterator[None]:
    """Keep the log inside, if the settings say so, with what was said if `text`; say where it is, or why it is not."""
    if not launch.settings.debug:
        yield
        return
    from llmterm import log

    folder = config.data_dir(launch.environ)
    path = folder / log.FILE_NAME
    with ExitStack() as stack:
        try:
            stop = log.to_file(folder, text=text, redact=launch.secrets.redact)
        except OSError as error:
            notice(f"the debug log cannot be written: {path}: {error.strerror}")
        else:
            notice(f"the debug log is {path}")
            stack.callback(_end, stop, path)
        yield


def _end(stop: Callable[[], str], path: Path) -> None:
    if trouble := stop():
        notice(f"the debug log is not whole: {path}: {trouble}")
