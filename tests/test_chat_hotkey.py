"""The global hot key in the real chat, on a real X server, with another window in front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chatting import until_hung_up
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import WireServer, say
from tests.x11 import Display, other_window, require, x_server

CHORD = "ctrl+alt+space"
# A listener of a display on which nobody presses anything.
SILENCE = """
import sys
from threading import Event
from types import ModuleType, SimpleNamespace

class Listener:
    def __init__(self, **_heard):
        self.over = Event()
        self.run, self.stop, self.wait = self.over.wait, self.over.set, Event
    def canonical(self, key):
        return key

pynput = sys.modules["pynput"] = ModuleType("pynput")
pynput.keyboard = SimpleNamespace(
    Listener=Listener,
    HotKey=SimpleNamespace(parse=lambda text: [text]),
    Key=SimpleNamespace(alt_gr="alt_gr"),
    KeyCode=SimpleNamespace(from_vk=lambda symbol: symbol),
)
from llmterm.__main__ import main
main()
"""
FALLBACK = "the keys of this terminal work"


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    require("Xvfb", "xdotool", "xterm", libraries=("pynput",))
    with x_server() as server:
        yield server


@pytest.mark.x11
@pytest.mark.parametrize(("chord", "keys"), [("", CHORD), ("<ctrl>+<f9>", "ctrl+F9")])
def test_chord_pauses_and_resumes_from_another_window(tmp_path: Path, display: Display, chord: str, keys: str) -> None:
    """The chord is heard whichever window has the focus; SPACE typed into that window is not."""
    config = tmp_path / "config" / "llmterm" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[chat]\nkeys = "global"\nchord = "{chord}"\n' if chord else '[chat]\nkeys = "global"\n')
    with WireServer(until_hung_up("one two ", then="three.")) as server, other_window(display):
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, DISPLAY=display.name)
        with Program([*LLMTERM, "chat"], env) as program:
            program.wait_for(READY)
            program.send("count\r")
            program.wait_for("one two")

            display.xdotool("key", "space")
            display.xdotool("type", "a b ")
            display.xdotool("key", keys)
            program.wait_for("paused after")
            server.wait(lambda: server.open_connections == 0)
            display.xdotool("key", "space")
            assert len(server.exchanges) == 1
            display.xdotool("key", keys)
            program.wait_for(r"one two three\.\n\n>(\n(?!.*SPACE pause).*)?$")

            program.send("\x04")
            assert program.exit_code == 0


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_typing_at_a_pause_loses_nothing_to_the_chord(tmp_path: Path, plain: list[str]) -> None:
    typed = "guided "
    with WireServer(until_hung_up("one two ", then="three.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url)
        with Program([LLMTERM[0], "-c", SILENCE, "chat", "--keys", "global", *plain], env) as program:
            program.wait_for(READY)
            assert FALLBACK not in program.text
            program.send("count\r")
            program.wait_for("one two")
            program.send(" ")
            program.wait_for(r">\n?paused after|paused after[^\n]*\n>")
            for number, char in enumerate(typed, 1):
                program.send(char)
                program.wait_for(rf"> {typed[:number]}".rstrip())
            program.send("on\r")
            program.wait_for(r"three\.")

            assert "guided on" in server.exchanges[1].question


def test_no_display_falls_back_to_the_terminal(tmp_path: Path) -> None:
    """One clear line, and SPACE in the terminal works as ever."""
    require(libraries=("pynput",))
    with WireServer(until_hung_up("one ", then="two.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url)
        with Program([*LLMTERM, "chat", "--keys", "global"], env, columns=200) as program:
            program.wait_for(FALLBACK)
            program.wait_for(READY)
            assert program.text.count(FALLBACK) == 1
            assert "Traceback" not in program.text
            program.send("count\r")
            program.wait_for("one")
            program.send(" ")
            program.wait_for("paused after")
            program.send(" ")
            program.wait_for(r"one two\.\n\n>(\n(?!.*SPACE pause).*)?$")


def test_no_pynput_falls_back_to_the_terminal(tmp_path: Path) -> None:
    """The line says what to install."""
    without = "import sys; sys.modules['pynput'] = None; from llmterm.__main__ import main; main()"
    with WireServer(say("fine.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url)
        with Program([LLMTERM[0], "-c", without, "chat", "--keys", "global"], env, columns=200) as program:
            program.wait_for(rf"pip install 'llmterm\[global-keys\]'.*{FALLBACK}")
            program.send("hi\r")
            program.wait_for(r"fine\.\n\n>(\n(?!.*SPACE pause).*)?$")


def test_chord_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    """Before anything starts, with exit code 2."""
    config = tmp_path / "config" / "llmterm" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[chat]\nkeys = "global"\nchord = "<ctrl>+<nonsense>"\n')
    with Program([*LLMTERM, "chat"], environment(tmp_path)) as program:
        assert program.exit_code == 2
        assert "nonsense" in program.text
