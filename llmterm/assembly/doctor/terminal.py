"""The terminal, its keys, its clipboard."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping

from llmterm.assembly.doctor.check import Check
from llmterm.assembly.doctor.inquiry import Answers, ask
from llmterm.assembly.look import Look
from llmterm.clipboard import copy_tools
from llmterm.config import Settings
from llmterm.errors import UsageError

_MULTIPLEXERS = {"TMUX": "tmux", "STY": "screen", "ZELLIJ": "zellij"}
# Rich's and everybody's order: COLORTERM says what TERM has no name for.
_DEEP = ("truecolor", "24bit")
_NARROW, _LOW = 20, 5


async def terminal_checks(settings: Settings, environ: Mapping[str, str], *, ask_terminal: bool) -> list[Check]:
    """Look at the terminal; only with `ask_terminal` read from it, which nobody else may do meanwhile."""
    term = environ.get("TERM", "")
    real = _is_terminal()
    answers = Answers()
    look = Look.of(settings, environ)
    if ask_terminal and real and Look.of(settings, {**environ, "NO_COLOR": ""}).asks:  # in colour or not
        answers = await ask(sys.stdin.fileno(), _write)
    return [
        _terminal(term, real, environ),
        *_size(),
        _encoding(),
        _colors(term, environ),
        _background(answers, look, settings.chat.theme),
        _synchronized(answers),
        _focus(answers, environ),
        Check(name="terminal keys", state="ok", value="the keyboard of this terminal")
        if real
        else Check(name="terminal keys", state="note", value="not here: input or output is no terminal"),
        await _global_keys(settings, environ),
        _clipboard(environ),
    ]


def _terminal(term: str, real: bool, environ: Mapping[str, str]) -> Check:
    program = " ".join(filter(None, (environ.get("TERM_PROGRAM"), environ.get("TERM_PROGRAM_VERSION"))))
    inside = [name for variable, name in _MULTIPLEXERS.items() if environ.get(variable)]
    parts = [term or "TERM is not set", program, *(f"in {name}" for name in inside)]
    parts += ["over SSH"] if environ.get("SSH_CONNECTION") else []
    value = ", ".join(filter(None, parts))
    if not real:
        return Check(name="terminal", state="note", value=f"{value}; input or output is no terminal: a chat needs one")
    if term in ("", "dumb"):
        return Check(
            name="terminal",
            state="warning",
            value=f"{value}: a chat is plain, without colours and without a menu",
            hint="set TERM to what the terminal is, such as xterm-256color",
        )
    return Check(name="terminal", state="ok", value=value)


def _size() -> Iterator[Check]:
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return
    small = columns < _NARROW or rows < _LOW
    hint = f"make the window larger: {_NARROW} x {_LOW} is the least that works well" if small else ""
    yield Check(name="size", state="warning" if small else "ok", value=f"{columns} x {rows}", hint=hint)


def _encoding() -> Check:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    if encoding.replace("-", "") == "utf8":
        return Check(name="encoding", state="ok", value="UTF-8")
    hint = "set LANG to a locale with UTF-8, such as C.UTF-8"
    return Check(name="encoding", state="warning", value=f"{encoding}: other characters are shown as ?", hint=hint)


def _colors(term: str, environ: Mapping[str, str]) -> Check:
    if environ.get("NO_COLOR"):
        return Check(name="colours", state="ok", value="off, by NO_COLOR")
    if term in ("", "dumb"):
        return Check(name="colours", state="note", value="none")
    depth = "16"
    if environ.get("COLORTERM", "").lower() in _DEEP or term.endswith("-direct") or environ.get("WT_SESSION"):
        depth = "16 million"
    elif "256color" in term:
        depth = "256"
    return Check(name="colours", state="ok", value=depth)


def _background(answers: Answers, look: Look, wanted: str) -> Check:
    from llmterm.render.theme import of_colorfgbg

    theme = look.theme(wanted, answers.background)
    if wanted != "auto":
        return Check(name="theme", state="ok", value=f"{theme}, as it is set")
    if answers.background is not None:
        return Check(name="theme", state="ok", value=f"{theme}, by the background that the terminal says it has")
    if of_colorfgbg(look.hint):
        return Check(name="theme", state="ok", value=f"{theme}, by COLORFGBG")
    return Check(name="theme", state="note", value=f"{theme}: the terminal does not say what its background is")


def _synchronized(answers: Answers) -> Check:
    if answers.synchronized:
        return Check(name="synchronized output", state="ok", value="yes")
    value = _unknown(answers) if answers.synchronized is None else "no: a picture may flicker where much changes"
    return Check(name="synchronized output", state="note", value=value)


def _focus(answers: Answers, environ: Mapping[str, str]) -> Check:
    if answers.focus:
        return Check(name="focus reports", state="ok", value="yes")
    hint = "in ~/.tmux.conf: set -g focus-events on" if environ.get("TMUX") else ""
    value = "no" if answers.focus is False else _unknown(answers)
    return Check(name="focus reports", state="note", value=value, hint=hint)


def _unknown(answers: Answers) -> str:
    return "unknown: the terminal does not say" if answers.answered else "unknown: not asked, or no answer"


async def _global_keys(settings: Settings, environ: Mapping[str, str]) -> Check:
    """Listen for the hot key where it is wanted; elsewhere look only whether it could be, as macOS asks the user."""
    from llmterm.keys import KeysUnavailableError
    from llmterm.keys.hotkey import GlobalKeys, why_not

    chord = settings.chat.chord
    if settings.chat.keys != "global":
        try:
            importlib.import_module("pynput.keyboard")
        except ImportError as error:
            return Check(name="global keys", state="note", value=f"no: {why_not(error, environ)}")
        return Check(name="global keys", state="ok", value=f"{chord} can be had: llmterm --keys global")
    try:
        async with GlobalKeys(focused=lambda: False, chord=chord):
            return Check(name="global keys", state="ok", value=f"{chord} is heard")
    except (KeysUnavailableError, UsageError) as error:
        hint = "without it the keys of the terminal work: set keys to terminal in [chat] of the configuration"
        return Check(name="global keys", state="warning", value=f"no: {error}", hint=hint)


def _clipboard(environ: Mapping[str, str]) -> Check:
    names = [tool.name for tool in copy_tools(environ)]
    if names:
        return Check(name="clipboard", state="ok", value=f"{names[0]}, and the terminal (OSC 52)")
    value = "the terminal (OSC 52), if it takes it"
    if environ.get("SSH_CONNECTION") or not (environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY")):
        return Check(name="clipboard", state="note", value=value)
    tool = "wl-clipboard" if environ.get("WAYLAND_DISPLAY") else "xclip"
    return Check(name="clipboard", state="note", value=f"{value}; {tool} would be sure", hint=f"install {tool}")


def _is_terminal() -> bool:
    try:
        return sys.stdin.isatty() and sys.stdout.isatty()
    except (AttributeError, ValueError):  # closed, or not there at all
        return False


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
