"""The global hot key on a real X server, in a child process: pynput keeps the display of its first import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmterm.errors import UsageError
from llmterm.keys.chord import DEFAULT_CHORD
from llmterm.keys.hotkey import GlobalKeys, why_not
from tests.x11 import Display, other_window, require, x_server

DRIVER = Path(__file__).with_name("hotkey_driver.py")
CHORD_KEYS = "ctrl+alt+space"
WITHOUT_PYNPUT = "import runpy, sys; sys.modules['pynput'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"


class Driver:
    """The child, as the test talks to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def hears(self) -> dict[str, object]:
        """Return the next thing it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the driver ended"
        said: dict[str, object] = json.loads(line)
        return said

    def tell(self, command: str) -> dict[str, object]:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self.hears()

    def leave(self) -> tuple[str, str]:
        """End it in peace; return what else it has said, and its complaints."""
        return self._process.communicate()


@contextmanager
def driver(environ: Mapping[str, str], *, python: tuple[str, ...] = (), chord: str = DEFAULT_CHORD) -> Iterator[Driver]:
    with subprocess.Popen(
        [sys.executable, *python, str(DRIVER), chord],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Driver(process)
        finally:
            process.kill()


@contextmanager
def listening(display: Display, chord: str = DEFAULT_CHORD) -> Iterator[Driver]:
    with driver(display.environ, chord=chord) as child:
        assert child.hears() == {"state": "listening"}
        yield child


@pytest.fixture(scope="session")
def display() -> Iterator[Display]:
    require("Xvfb", "xdotool", "xterm", libraries=("pynput",))
    with x_server() as server:
        yield server


def nowhere(**environ: str) -> dict[str, str]:
    """Return an environment without a display."""
    kept = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "XDG_SESSION_TYPE"}}
    return {**kept, **environ}


@pytest.mark.x11
def test_the_chord_is_heard_while_another_window_has_the_focus(display: Display) -> None:
    """What the hot key is for."""
    with listening(display) as child, other_window(display) as window:
        focus = display.xdotool("getwindowfocus")
        display.xdotool("key", CHORD_KEYS)
        heard = child.hears()
        rest = child.leave()

    assert focus == window
    assert heard == {"key": "chord"}
    assert rest == ("", "")


@pytest.mark.x11
def test_space_typed_into_another_window_is_not_ours(display: Display) -> None:
    """Without the terminal's focus a SPACE belongs to somebody else; the chord after it shows that all was seen."""
    with listening(display) as child, other_window(display):
        display.xdotool("key", "space", "space", CHORD_KEYS)
        heard = child.hears()
        rest = child.leave()

    assert heard == {"key": "chord"}
    assert rest == ("", "")


@pytest.mark.x11
def test_space_counts_while_the_terminal_has_the_focus(display: Display) -> None:
    """The focus is asked for when the key comes, not once; Shift-SPACE is not SPACE."""
    with listening(display) as child:
        child.tell("focus")
        display.xdotool("key", "shift+space", "space")
        with_focus = child.hears()
        child.tell("unfocus")
        display.xdotool("key", "space", CHORD_KEYS)
        without = child.hears()
        rest = child.leave()

    assert with_focus == {"key": "space"}
    assert without == {"key": "chord"}
    assert rest == ("", "")


@pytest.mark.x11
def test_other_keys_do_not_even_reach_the_loop(display: Display) -> None:
    """What is typed elsewhere is dropped in the listener's thread."""
    with listening(display) as child, other_window(display):
        before = child.tell("count")["calls"]
        display.xdotool("type", "--delay", "0", "secret")
        display.xdotool("key", "Return", "F1", "keydown", "ctrl", "keydown", "alt", "keydown", "space")
        child.hears()
        after = child.tell("count")["calls"]
        display.xdotool("keyup", "space", "keyup", "alt", "keyup", "ctrl")
        child.leave()

    assert isinstance(before, int)
    assert after == before + len(("ctrl", "alt", "space"))


@pytest.mark.x11
def test_a_chord_held_down_is_heard_once(display: Display) -> None:
    """A key that repeats itself is one press, until it is let go."""
    with listening(display) as child:
        before = child.tell("count")["calls"]
        display.xdotool("keydown", "ctrl", "keydown", "alt", *["keydown", "space"] * 4, "keyup", "space")
        first = child.hears()
        display.xdotool("keydown", "space", "keyup", "space", "keyup", "alt", "keyup", "ctrl")
        second = child.hears()
        display.xdotool("key", CHORD_KEYS)
        third = child.hears()
        after = child.tell("count")["calls"]
        rest = child.leave()

    assert [first, second, third] == [{"key": "chord"}] * 3
    assert rest == ("", "")
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after - before >= 5 + 4, "the server did not repeat the key"


@pytest.mark.x11
def test_alt_let_go_under_shift_is_not_held_for_ever(display: Display) -> None:
    """Alt-Shift switches keyboard layouts; X names the keys differently on the way out."""
    with listening(display) as child:
        child.tell("focus")
        display.xdotool("keydown", "alt", "keydown", "shift", "keyup", "alt", "keyup", "shift", "key", "space")
        display.xdotool("key", CHORD_KEYS)
        heard = [child.hears(), child.hears()]

    assert heard == [{"key": "space"}, {"key": "chord"}]


@pytest.mark.x11
def test_the_chord_can_be_another_one(display: Display) -> None:
    """The setting decides, and the default is then nothing special."""
    with listening(display, "<cmd>+<shift>+p") as child:
        display.xdotool("key", CHORD_KEYS, "super+shift+p")
        heard = child.hears()
        rest = child.leave()

    assert heard == {"key": "chord"}
    assert rest == ("", "")


@pytest.mark.x11
def test_it_can_be_entered_again(display: Display) -> None:
    """Left it hears nothing; entered again it hears as before."""
    with listening(display) as child:
        for _ in range(3):
            assert child.tell("again") == {"state": "listening"}
        display.xdotool("key", CHORD_KEYS)
        heard = child.hears()
        rest = child.leave()

    assert heard == {"key": "chord"}
    assert rest == ("", "")


@pytest.mark.x11
@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (nowhere(), "the global hot key needs an X display, and DISPLAY is not set"),
        (nowhere(DISPLAY=":9999"), "the global hot key cannot open the X display :9999"),
        (
            nowhere(XDG_SESSION_TYPE="wayland"),
            "the global hot key cannot work in this Wayland session: it needs an X display",
        ),
    ],
    ids=["no display", "no server", "wayland"],
)
def test_without_a_display_one_line_says_why(environ: dict[str, str], line: str) -> None:
    """The application shows the line and goes on with the terminal's keys."""
    require(libraries=("pynput",))

    with driver(environ) as child:
        said = child.leave()

    assert said == (json.dumps({"unavailable": line}) + "\n", "")


def test_without_pynput_one_line_says_what_to_install() -> None:
    """It is an extra, and the line names it."""
    with driver(nowhere(), python=("-c", WITHOUT_PYNPUT)) as child:
        said = json.loads(child.leave()[0])

    assert said == {"unavailable": "the global hot key needs pynput: pip install 'llmterm[global-keys]'"}


@pytest.mark.x11
def test_a_listener_that_dies_at_its_start_is_one_line() -> None:
    """An X server that cannot record is no traceback, and nothing hangs."""
    require("Xvfb", libraries=("pynput",))

    with x_server("-extension", "RECORD") as server, driver(server.environ) as child:
        out, err = child.leave()

    assert json.loads(out)["unavailable"].startswith("the global hot key cannot listen: ")
    assert err == ""


def test_any_other_failure_of_the_import_is_one_line() -> None:
    """The library may lack libraries of its own."""
    line = why_not(ImportError("no module named Quartz\nand more", name="Quartz"), {"DISPLAY": ":0"})

    assert line == "the global hot key cannot load pynput: no module named Quartz"


def test_a_bad_chord_is_refused_before_anything_is_imported() -> None:
    """A setting is checked where pynput cannot be imported, too."""
    with pytest.raises(UsageError, match="not a chord"):
        GlobalKeys(focused=lambda: True, chord="<ctrl>+<banana>")
