"""Switches the debug log on for a run that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llmterm import config, log
from llmterm.assembly.launch import Launch
from llmterm.assembly.streams import notice
from llmterm.errors import ConfigError


@contextmanager
def debug_log(launch: Launch, *, text: bool) -> Iterator[None]:
    """Keep the log inside, if the settings say so, with what was said if `text`; say where it is."""
    if not launch.settings.debug:
        yield
        return
    folder = config.data_dir(launch.environ)
    try:
        stop = log.to_file(folder, text=text, redact=launch.secrets.redact)
    except OSError as error:
        raise ConfigError(f"the debug log cannot be written: {folder / log.FILE_NAME}: {error.strerror}") from None
    notice(f"the debug log is {folder / log.FILE_NAME}")
    try:
        yield
    finally:
        stop()
