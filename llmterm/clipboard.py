"""The clipboard: text into it, and text or an image out of it.

Copying goes two ways at once: through the terminal (OSC 52), which is the only one that reaches the user's own machine
from another one, and through the system's tool where there is one, as many terminals ignore OSC 52 and none says so.
Tools run as processes with a time limit; the loop never waits. Nothing is copied in part.

Not pyperclip: it waits for its tools without a limit, knows text only, and nothing of terminals.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from llmterm.decoding import decoded
from llmterm.errors import UsageError
from llmterm.messages import Attachment

# What a terminal is sure to take: hterm and those that copied its limit drop a sequence of more than 100,000 bytes.
# https://chromium.googlesource.com/apps/libapps/+/HEAD/hterm/etc/osc52.sh
MAX_OSC52_BYTES = 74_994
# What GNU screen passes through in one piece has room in the buffer of its oldest versions (MAXSTR, 256).
_SCREEN_PIECE = 240
_COPY_SECONDS = 2.0
_PASTE_SECONDS = 5.0  # PowerShell takes one or two to begin
_MOST_BYTES = 64 * 1024 * 1024

_TEXTS = {"UTF8_STRING", "STRING", "TEXT", "text/plain", "text/plain;charset=utf-8"}
_IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif")
_POWERSHELL_PASTE = """
Add-Type -AssemblyName System.Windows.Forms, System.Drawing
$text = Get-Clipboard -Raw
$image = [Windows.Forms.Clipboard]::GetImage()
if ($text) { 'text ' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text)) }
elseif ($image) {
  $bytes = New-Object IO.MemoryStream
  $image.Save($bytes, [Drawing.Imaging.ImageFormat]::Png)
  'image ' + [Convert]::ToBase64String($bytes.ToArray())
}
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that puts its input into the clipboard. `encoding` is what it takes for text."""

    name: str
    command: tuple[str, ...]
    encoding: str = "utf-8"


def osc52(text: str, environ: Mapping[str, str]) -> str:
    """Return what a terminal puts `text` into the clipboard for, "" where that is more than it takes.

    https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "Manipulate Selection Data". tmux understands it as it is;
    GNU screen passes it on in pieces of a device control string, and takes only BEL for its end.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_OSC52_BYTES:
        return ""
    sequence = f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"
    if not environ.get("STY") or environ.get("TMUX"):
        return sequence
    pieces = (sequence[start : start + _SCREEN_PIECE] for start in range(0, len(sequence), _SCREEN_PIECE))
    return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)


def copy_tools(environ: Mapping[str, str], *, platform: str = sys.platform) -> list[Tool]:
    """Return the programs that can copy here, the best first.

    Over SSH the system's clipboard is that of the wrong machine. But tmux, wherever it runs, speaks OSC 52 to the
    terminal it is seen in, even where it takes none from programs (`set-clipboard external`, its default).
    """
    tools = [Tool("tmux", ("tmux", "load-buffer", "-w", "-"))] if environ.get("TMUX") else []
    if not environ.get("SSH_CONNECTION"):
        if platform == "darwin":
            tools.append(Tool("pbcopy", ("pbcopy",)))
        elif platform == "win32" or environ.get("WSL_DISTRO_NAME"):
            tools.append(Tool("clip.exe", ("clip.exe",), encoding="utf-16-le"))
        if environ.get("WAYLAND_DISPLAY"):
            tools.append(Tool("wl-copy", ("wl-copy",)))
        if environ.get("DISPLAY"):
            tools.append(Tool("xclip", ("xclip", "-selection", "clipboard", "-in")))
            tools.append(Tool("xsel", ("xsel", "--clipboard", "--input")))
    return [tool for tool in tools if _which(tool.command[0], environ)]


async def copy(
    text: str, *, environ: Mapping[str, str], write: Callable[[str], None] | None, platform: str = sys.platform
) -> Sequence[str]:
    """Put `text` into the clipboard; return by what: a tool's name, "terminal", or both.

    `write` puts a control sequence on the terminal; `None` is for one that must not get any. That the terminal took it
    is not known: it does not answer. Of the system's tools one that worked is enough, and tmux's is not the system's.
    Raises UsageError where there is no way.
    """
    ways: list[str] = []
    for tool in copy_tools(environ, platform=platform):
        if (not ways or ways == ["tmux"]) and await _give(tool, text, environ):
            ways.append(tool.name)
    sequence = osc52(text, environ) if write is not None else ""
    if write is not None and sequence:
        write(sequence)
        ways.append("terminal")
    if not ways:
        raise _cannot_copy(text, terminal=write is not None)
    return ways


async def read(environ: Mapping[str, str], *, platform: str = sys.platform) -> str | Attachment | None:
    """Return the text of the clipboard, else the image in it, `None` where it is empty.

    Programs offer pictures of text that they copy, too: so text comes first. Raises UsageError where nothing can read.
    """
    if environ.get("SSH_CONNECTION"):
        raise UsageError("the clipboard is on the other side of SSH", hint="paste with the terminal's own key")
    if platform == "darwin" and _which("pbpaste", environ):
        return await _read_mac(environ)
    if (platform == "win32" or environ.get("WSL_DISTRO_NAME")) and _which("powershell.exe", environ):
        return await _read_windows(environ)
    if environ.get("WAYLAND_DISPLAY") and _which("wl-paste", environ):
        return await _read_types(
            environ,
            types=("wl-paste", "--list-types"),
            text=("wl-paste", "--no-newline", "--type", "text"),
            image=("wl-paste", "--type"),
        )
    if environ.get("DISPLAY"):
        out = ("xclip", "-selection", "clipboard", "-out")
        if _which("xclip", environ):
            types, text, image = (*out, "-target", "TARGETS"), (*out, "-target", "UTF8_STRING"), (*out, "-target")
            return await _read_types(environ, types=types, text=text, image=image)
        if _which("xsel", environ):
            return _text(await _run(("xsel", "--clipboard", "--output"), environ))
    raise UsageError("nothing here can read the clipboard", hint=_what_to_install(environ, platform))


async def _read_types(
    environ: Mapping[str, str], *, types: tuple[str, ...], text: tuple[str, ...], image: tuple[str, ...]
) -> str | Attachment | None:
    offered = (await _run(types, environ)).decode("utf-8", "replace").split("\n")
    if _TEXTS.intersection(offered):
        return _text(await _run(text, environ))
    media_type = next((each for each in _IMAGES if each in offered), None)
    return _image(await _run((*image, media_type), environ), media_type) if media_type else None


async def _read_mac(environ: Mapping[str, str]) -> str | Attachment | None:
    if text := _text(await _run(("pbpaste",), environ)):
        return text
    # Answers with «data PNGf89504E...», or fails where there is no image.
    said = (await _run(("osascript", "-e", "the clipboard as «class PNGf»"), environ)).decode("utf-8", "replace")
    found = re.search(r"PNGf([0-9A-Fa-f]+)", said)
    digits = found.group(1) if found else ""
    return _image(bytes.fromhex(digits), "image/png") if len(digits) % 2 == 0 else None


async def _read_windows(environ: Mapping[str, str]) -> str | Attachment | None:
    said = await _run(("powershell.exe", "-NoProfile", "-STA", "-Command", _POWERSHELL_PASTE), environ)
    kind, _, data = said.decode("ascii", "replace").strip().partition(" ")
    try:
        found = base64.b64decode(data, validate=True)
    except binascii.Error:
        return None
    return _image(found, "image/png") if kind == "image" else _text(found)


def _text(data: bytes) -> str | None:
    found = decoded(data)
    if found is None:
        raise UsageError("what is in the clipboard is no text", hint="save it to a file, and attach that")
    return found.text.replace("\r\n", "\n").replace("\r", "\n") or None


def _image(data: bytes, media_type: str) -> Attachment | None:
    name = f"clipboard.{media_type.removeprefix('image/')}"
    return Attachment(name=name, media_type=media_type, data=data) if data else None


async def _give(tool: Tool, text: str, environ: Mapping[str, str]) -> bool:
    """Tell whether a tool took the text. Those of X and Wayland live on, to give it to whoever pastes."""
    return await _process(tool.command, environ, _COPY_SECONDS, text.encode(tool.encoding, "replace")) is not None


async def _run(command: tuple[str, ...], environ: Mapping[str, str]) -> bytes:
    """Return what a tool says, nothing where it fails: for most of them an empty clipboard is a failure."""
    return await _process(command, environ, _PASTE_SECONDS) or b""


async def _process(
    command: tuple[str, ...], environ: Mapping[str, str], seconds: float, data: bytes | None = None
) -> bytes | None:
    """Give `data` to a tool, or read what it says; return `None` where it fails or takes too long."""
    program = _which(command[0], environ)
    if program is None:
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *command[1:],
            # One that copies is not read: what it leaves behind would hold the pipe open for as long as it lives.
            stdin=asyncio.subprocess.DEVNULL if data is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE if data is None else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**environ, "LC_CTYPE": "UTF-8"} if sys.platform == "darwin" else dict(environ),
            # What it leaves behind must not be stopped with this program by Ctrl-Z.
            start_new_session=sys.platform != "win32",
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(seconds):
            said = await (_read(process) if data is None else _feed(process, data))
            return said if await process.wait() == 0 else None
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    said = bytearray()
    while piece := await process.stdout.read(1 << 20):
        said += piece
        if len(said) > _MOST_BYTES:
            raise UsageError("there is too much in the clipboard", hint="save it to a file, and attach that")
    return bytes(said)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> bytes:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()
    return b""


def _which(program: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(program, path=environ.get("PATH"))


def _cannot_copy(text: str, *, terminal: bool) -> UsageError:
    if terminal:
        size = len(text.encode("utf-8", "replace"))
        what = f"{size:,} bytes are more than a terminal takes ({MAX_OSC52_BYTES:,})"
        return UsageError(what, hint="save them to a file instead, or install a tool: see llmterm doctor")
    return UsageError("nothing here can copy", hint="llmterm doctor says what is missing")


def _what_to_install(environ: Mapping[str, str], platform: str) -> str:
    if platform == "linux" and environ.get("WAYLAND_DISPLAY"):
        return "install wl-clipboard"
    if platform == "linux" and environ.get("DISPLAY"):
        return "install xclip"
    return "paste with the terminal's own key"
