"""The user's own editor, for a text of ours."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from llmterm.errors import UsageError
from llmterm.threads import in_thread

# What a program has to give the terminal back when this one is ended.
_ENDING_SECONDS = 1.0
FALLBACKS = ("nano", "vi") if os.name != "nt" else ("notepad",)


def command(environ: Mapping[str, str], variables: Sequence[str], fallbacks: Sequence[str], what: str) -> list[str]:
    """Return the program that a variable names, else one of `fallbacks` that is there. Raises UsageError for none."""
    for name in variables:
        try:
            words = shlex.split(environ.get(name, ""))
        except ValueError as error:
            raise UsageError(f"${name} cannot be understood: {error}", hint=f"set it to the name of a {what}") from None
        if words:
            return words
    found = next(filter(None, map(shutil.which, fallbacks)), None)
    if found is None:
        raise UsageError(f"there is no {what}", hint=f"set {variables[-1]}")
    return [found]


async def run(words: Sequence[str], data: bytes | None = None) -> int:
    """Run a program that has the terminal, with `data` as its input if given; return its exit code. It ends with us."""
    process = await asyncio.create_subprocess_exec(*words, stdin=None if data is None else asyncio.subprocess.PIPE)
    try:
        await process.communicate(data)
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_SECONDS):
                await process.wait()
        raise
    return process.returncode or 0


async def edit(text: str, environ: Mapping[str, str], loan: AbstractContextManager[None]) -> str:
    """Return `text` as the user's editor leaves it, which has the terminal on `loan`.

    Raises UsageError where the editor cannot be run or fails; the text is then as it was.
    """
    words = command(environ, ("VISUAL", "EDITOR"), FALLBACKS, "editor")
    try:
        folder = await in_thread(tempfile.mkdtemp, prefix="llmterm-")  # nobody else can enter it
    except OSError as error:
        raise UsageError(f"there is no room for the editor's file: {error.strerror}", hint="set TMPDIR") from None
    path = Path(folder) / "llmterm.md"
    try:
        await in_thread(path.write_text, text, encoding="utf-8", errors="surrogatepass", newline="")
        with loan:
            code = await run([*words, str(path)])
        if code:
            raise UsageError(f"{words[0]} ended with exit code {code}", hint="the text is as it was")
        edited = (await in_thread(path.read_bytes)).decode("utf-8", "surrogatepass")
        # Editors end a file with a newline, asked or not.
        return edited if text.endswith("\n") else edited.removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{words[0]} cannot be used: {why}", hint="set EDITOR; the text is as it was") from None
    finally:
        await in_thread(shutil.rmtree, folder, ignore_errors=True)
