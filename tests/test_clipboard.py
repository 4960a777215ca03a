"""The clipboard: the terminal's sequence, and tools that are real programs on a path of their own."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.clipboard import MAX_OSC52_BYTES, copy, copy_tools, osc52, read
from llmterm.errors import UsageError
from llmterm.messages import Attachment
from tests.x11 import require, x_server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tools are shell scripts")


class Desk:
    """A folder that is the whole path, and an environment that knows nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[str] = []

    def tool(self, name: str, script: str) -> None:
        file = self.folder / name
        file.write_text(f"#!/bin/sh\nPATH={os.environ['PATH']}\ncd '{self.folder}'\n{script}\n", "utf-8")
        file.chmod(0o755)

    def environ(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.folder), **more}

    def got(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def put(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def decoded(sequence: str) -> str:
    found = re.fullmatch("\x1b\\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert found, sequence
    return base64.b64decode(found.group(1)).decode("utf-8")


@given(st.text())
def test_terminal_gets_the_text_and_nothing_that_acts(text: str) -> None:
    """Any text, lone surrogates too, is one sequence of printable characters between its ends."""
    assert decoded(osc52(text, {})) == text.encode("utf-8", "replace").decode()


def test_text_that_a_terminal_would_drop_is_not_sent() -> None:
    """100,000 bytes of sequence are the most, and nothing is ever cut short."""
    assert len(osc52("x" * MAX_OSC52_BYTES, {})) <= 100_000
    assert osc52("x" * (MAX_OSC52_BYTES + 1), {}) == ""


def test_screen_passes_the_sequence_on_in_pieces() -> None:
    """Each of them short, none with an end of string inside; put together they are the sequence."""
    text = "x" * 10_000

    wrapped = osc52(text, {"STY": "1.pts"})

    pieces = re.findall("\x1bP(.*?)\x1b\\\\", wrapped, re.DOTALL)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == wrapped
    assert max(map(len, pieces)) <= 250
    assert decoded("".join(pieces)) == text


@pytest.mark.parametrize(
    ("environ", "platform", "names"),
    [
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "linux", ["wl-copy", "xclip", "xsel"]),
        ({"DISPLAY": ":0"}, "linux", ["xclip", "xsel"]),
        ({}, "linux", []),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, "linux", []),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4", "TMUX": "x"}, "linux", ["tmux"]),
        ({"DISPLAY": ":0", "TMUX": "x"}, "linux", ["tmux", "xclip", "xsel"]),
        ({}, "darwin", ["pbcopy"]),
        ({}, "win32", ["clip.exe"]),
        ({"WSL_DISTRO_NAME": "Debian", "DISPLAY": ":0"}, "linux", ["clip.exe", "xclip", "xsel"]),
    ],
)
def test_tools_are_those_of_this_place(desk: Desk, environ: dict[str, str], platform: str, names: list[str]) -> None:
    """By display and system; over SSH the system's clipboard is the wrong one."""
    for name in ("wl-copy", "xclip", "xsel", "pbcopy", "clip.exe", "tmux"):
        desk.tool(name, "exit 0")

    assert [tool.name for tool in copy_tools(desk.environ(**environ), platform=platform)] == names


async def test_copy_goes_both_ways(desk: Desk) -> None:
    """The tool has the text, byte for byte, and the terminal its sequence."""
    desk.tool("wl-copy", "cat > got")

    ways = await copy("Grüße\n", environ=desk.environ(WAYLAND_DISPLAY="w"), write=desk.written.append)

    assert list(ways) == ["wl-copy", "terminal"]
    assert desk.got("got") == "Grüße\n".encode()
    assert [decoded(each) for each in desk.written] == ["Grüße\n"]


async def test_tool_that_stays_is_not_waited_for(desk: Desk) -> None:
    """wl-copy and xclip live on with every descriptor they were given."""
    desk.tool("xclip", "cat > got; sleep 60 & echo $! > pid; exit 0")

    try:
        ways = await copy("text", environ=desk.environ(DISPLAY=":0"), write=None)
    finally:
        os.kill(int(desk.got("pid")), 15)

    assert (list(ways), desk.got("got")) == (["xclip"], b"text")


async def test_tool_that_fails_gives_way_to_the_next(desk: Desk) -> None:
    """One that worked is enough."""
    desk.tool("wl-copy", "exit 1")
    desk.tool("xclip", "cat > got")
    desk.tool("xsel", "cat > too_much")

    ways = await copy("x" * 1_000_000, environ=desk.environ(WAYLAND_DISPLAY="w", DISPLAY=":0"), write=None)

    assert list(ways) == ["xclip"]
    assert len(desk.got("got")) == 1_000_000
    assert not (desk.folder / "too_much").exists()


async def test_tool_that_hangs_is_ended(desk: Desk) -> None:
    """After two seconds; the terminal has the text all the same."""
    desk.tool("xclip", "echo $$ > pid; exec sleep 60")

    ways = await copy("text", environ=desk.environ(DISPLAY=":0"), write=desk.written.append)

    assert list(ways) == ["terminal"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(desk.got("pid")), 0)


async def test_windows_gets_its_own_encoding(desk: Desk) -> None:
    """clip.exe takes UTF-16."""
    desk.tool("clip.exe", "cat > got")

    await copy("Grüße 世界", environ=desk.environ(WSL_DISTRO_NAME="Debian"), write=None)

    assert desk.got("got").decode("utf-16-le") == "Grüße 世界"


async def test_no_way_to_copy_is_said(desk: Desk) -> None:
    """Where nothing is, and where the text is more than a terminal takes."""
    with pytest.raises(UsageError, match="nothing here can copy"):
        await copy("x", environ=desk.environ(), write=None)
    with pytest.raises(UsageError, match=r"74,995 bytes .*74,994"):
        await copy("x" * 74_995, environ=desk.environ(), write=desk.written.append)
    assert desk.written == []


async def test_text_is_read_before_an_image(desk: Desk) -> None:
    """An office program offers a picture of what it copies, too."""
    desk.tool("wl-paste", 'case "$*" in *list*) printf "image/png\\ntext/plain\\n";; *text*) printf "a\\r\\nb";; esac')

    assert await read(desk.environ(WAYLAND_DISPLAY="w")) == "a\nb"


@pytest.mark.parametrize(("tool", "display"), [("wl-paste", "WAYLAND_DISPLAY"), ("xclip", "DISPLAY")])
async def test_image_is_read(desk: Desk, tool: str, display: str) -> None:
    """As it is, with its type."""
    desk.put("image", PNG)
    desk.tool(tool, 'case "$*" in *list*|*TARGETS*) printf "TIMESTAMP\\nimage/png\\n";; *image/png*) cat image;; esac')

    pasted = await read(desk.environ(**{display: "0"}))

    assert pasted == Attachment(name="clipboard.png", media_type="image/png", data=PNG)


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "printf 'application/x-strange\\n'"])
async def test_empty_clipboard_is_nothing(desk: Desk, script: str) -> None:
    """To most tools that is a failure; here it is not."""
    desk.tool("xclip", script)

    assert await read(desk.environ(DISPLAY=":0")) is None


MARKED = [b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe", "Grüße".encode("utf-16"), "\ufeffGrüße".encode("utf-16-be")]


@pytest.mark.parametrize("data", MARKED)
@pytest.mark.parametrize("tool", ["wl-paste", "xclip", "xsel", "pbpaste", "powershell.exe"])
async def test_marked_text_is_read_as_its_mark_says(desk: Desk, tool: str, data: bytes) -> None:
    """Some programs copy a file as it is."""
    desk.put("text", data)
    said = f"echo text {base64.b64encode(data).decode()}" if tool == "powershell.exe" else "cat text"
    desk.tool(tool, f'case "$*" in *list*|*TARGETS*) echo UTF8_STRING;; *) {said};; esac')
    display = {"wl-paste": "WAYLAND_DISPLAY", "xclip": "DISPLAY", "xsel": "DISPLAY"}.get(tool, "NONE")
    platform = {"pbpaste": "darwin", "powershell.exe": "win32"}.get(tool, "linux")

    assert await read(desk.environ(**{display: "0"}), platform=platform) == "Grüße"


async def test_what_is_called_text_and_is_none_is_refused(desk: Desk) -> None:
    desk.tool("xsel", "printf 'a\\000b\\001'")

    with pytest.raises(UsageError, match="in the clipboard is no text"):
        await read(desk.environ(DISPLAY=":0"))


async def test_mac_is_read(desk: Desk) -> None:
    """Text by pbpaste; an image in the hexadecimal form in which AppleScript writes it."""
    desk.tool("pbpaste", "cat text 2>/dev/null")
    desk.tool("osascript", f"echo '«data PNGf{PNG.hex().upper()}»'")

    image = await read(desk.environ(), platform="darwin")
    desk.put("text", b"words")
    text = await read(desk.environ(), platform="darwin")

    assert isinstance(image, Attachment)
    assert (image.data, text) == (PNG, "words")


@pytest.mark.parametrize(
    ("said", "pasted"),
    [
        ("text " + base64.b64encode("Grüße".encode()).decode(), "Grüße"),
        ("image " + base64.b64encode(PNG).decode(), Attachment(name="clipboard.png", media_type="image/png", data=PNG)),
        ("", None),
        ("text ???", None),
    ],
)
async def test_windows_is_read(desk: Desk, said: str, pasted: object) -> None:
    """In a form that no code page touches."""
    desk.tool("powershell.exe", f"echo '{said}'")

    assert await read(desk.environ(), platform="win32") == pasted


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({}, "the terminal's own key"),
        ({"DISPLAY": ":0"}, "install xclip"),
        ({"WAYLAND_DISPLAY": "w"}, "install wl-clipboard"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, "other side of SSH"),
    ],
)
async def test_no_way_to_read_is_said(desk: Desk, environ: dict[str, str], hint: str) -> None:
    """With what to do instead."""
    with pytest.raises(UsageError, match=hint):
        await read(desk.environ(**environ), platform="linux")


async def test_endless_clipboard_is_refused(desk: Desk) -> None:
    """It ends as soon as it is too much."""
    desk.tool("xsel", "exec cat /dev/zero")

    with pytest.raises(UsageError, match="too much"):
        await read(desk.environ(DISPLAY=":0"))


@pytest.fixture
def display() -> Iterator[str]:
    require("Xvfb")
    with x_server() as server:
        yield server.name


async def run(command: list[str], environ: Mapping[str, str], data: bytes = b"") -> None:
    """Run a program that may leave others behind, which hold on to whatever it was given."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await process.communicate(data)
    assert process.returncode == 0


@pytest.mark.x11
@pytest.mark.parametrize("name", ["xclip", "xsel"])
async def test_real_tools_give_back_what_they_took(tmp_path: Path, display: str, name: str) -> None:
    """Text of any kind goes through the X clipboard, and an empty clipboard is nothing."""
    require(name)
    (tmp_path / name).symlink_to(shutil.which(name) or "")
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path), "DISPLAY": display}

    empty = await read(environ)
    ways = await copy("Grüße\n世界 👩‍👩‍👧", environ=environ, write=None)

    assert (empty, list(ways)) == (None, [name])
    async with asyncio.timeout(60):
        while (pasted := await read(environ)) is None:  # xsel goes to the background before it has the clipboard
            pass
    assert pasted == "Grüße\n世界 👩‍👩‍👧"


@pytest.mark.x11
async def test_real_image_is_read(display: str) -> None:
    """What another program has put there."""
    require("xclip")
    environ = {**os.environ, "DISPLAY": display}
    environ.pop("WAYLAND_DISPLAY", None)
    environ.pop("SSH_CONNECTION", None)
    await run(["xclip", "-selection", "clipboard", "-t", "image/png"], environ, PNG)

    assert await read(environ) == Attachment(name="clipboard.png", media_type="image/png", data=PNG)


async def test_real_tmux_keeps_and_hands_on_what_is_copied(tmp_path: Path) -> None:
    """Its own buffer has the text, though by default it takes OSC 52 from no program."""
    require("tmux")
    tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm-256color"}
    await run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", "cat"], environ)
    try:
        ways = await copy("Grüße", environ={**environ, "TMUX": f"{tmp_path / 'socket'},1,0"}, write=None)

        await run([*tmux, "save-buffer", str(tmp_path / "kept")], environ)
        assert (list(ways), (tmp_path / "kept").read_text("utf-8")) == (["tmux"], "Grüße")
    finally:
        await run([*tmux, "kill-server"], environ)
