"""What is known of a terminal from the environment alone."""

from __future__ import annotations

import pytest

from llmterm.assembly.look import Look
from llmterm.config import Settings


@pytest.mark.parametrize(
    ("environ", "reflows"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "tmux-256color"}, True),
        ({"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, True),
        ({"TERM": "screen-256color", "STY": "1.pts-0", "VTE_VERSION": "7600"}, False),
        ({"TERM": "xterm", "XTERM_VERSION": "XTerm(390)", "VTE_VERSION": "7600"}, False),
    ],
)
def test_lines_are_laid_out_anew_only_where_that_is_certain(environ: dict[str, str], reflows: bool) -> None:
    """A wrong yes would draw over what stands above; what an outer terminal has set does not count."""
    assert Look.of(Settings(), environ).reflows == reflows


@pytest.mark.parametrize(
    ("name", "reflows"),
    [("XTerm(390)", False), ("kitty(0.36.4)", True), ("tmux 3.5a", True), ("other", None), ("", None)],
)
def test_a_terminal_that_says_its_name_is_believed(name: str, reflows: bool | None) -> None:
    """More than what the environment says, which another terminal may have set; one that nobody knows is not."""
    for variable, said in (("VTE_VERSION", True), ("XTERM_VERSION", False)):
        look = Look.of(Settings(), {"TERM": "xterm-256color", variable: "7600"})

        assert look.reflowing(name) == (said if reflows is None else reflows)
