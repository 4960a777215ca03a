"""`llmterm config set-key`, with a keyring that is a file: what is piped or typed, and how the question is left."""

from __future__ import annotations

import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.terminal import LLMTERM, Program, environment

KEYRING = """
import pathlib
place = pathlib.Path(__file__).with_name("stored")
def set_password(_app, name, value):
    place.write_text(f"{name} {value}", "utf-8")
"""
SET_KEY = [*LLMTERM, "config", "set-key", "openai"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "keyring.py").write_text(KEYRING, "utf-8")
    return environment(tmp_path, PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize(
    "piped",
    [b"sk-0123\n", b"\xef\xbb\xbfsk-0123\r\n", "\ufeffsk-0123\r\n".encode("utf-16-le"), b"sk-0123\nmore\n"],
    ids=["plain", "marked", "UTF-16", "lines"],
)
def test_key_that_is_piped_is_stored_as_its_mark_says(tmp_path: Path, environ: dict[str, str], piped: bytes) -> None:
    done = subprocess.run(SET_KEY, input=piped, env=environ, capture_output=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "stored").read_text("utf-8") == "openai sk-0123"


def test_what_is_no_text_is_no_key(tmp_path: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(SET_KEY, input=b"\xff\xff\0\1\n", env=environ, capture_output=True, timeout=60)

    assert (done.returncode, done.stderr) == (2, b"llmterm: what is on standard input is no key\n")
    assert not (tmp_path / "stored").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("sent", "code"), [("sk-0123\r", 0), ("\x03", 130), ("\x1c", 131)], ids=["key", "^C", "^\\"])
def test_question_for_a_key_gives_the_echo_back(environ: dict[str, str], sent: str, code: int) -> None:
    """However it is left."""
    with Program(SET_KEY, environ) as program:
        program.wait_for("Key for openai")
        program.wait_for(lambda: not program.stty()[3] & termios.ECHO)
        program.send(sent)
        program.wait_for_end()

        assert program.stty()[3] & termios.ECHO
        assert program.exit_code == code
