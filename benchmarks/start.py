"""How long it takes until one can type, against importing the two libraries that draw the prompt and the answers.

From the first prompt on the terminal shows what is typed, and the chat takes it; from the chat's own prompt on there is
all of a line: history, completion, menus.
"""

from __future__ import annotations

import sys

from benchmarks.child import Child
from benchmarks.measure import Row, alternate, compared
from benchmarks.programs import LLMTERM, PROMPT, Programs, programs

ROUNDS = 20
GOAL = 1.25
_FIRST = rb"> "
_IMPORTS = "import prompt_toolkit, rich.console"
_CONFIGURATION = 'model = "test"\nsystem = "Be brief."\n[chat]\nplain = false\n[stream]\nchunk_timeout = 60.0\n'


def run() -> list[Row]:
    with programs() as subjects:
        configuration = subjects.home / "config.toml"
        configuration.write_text(_CONFIGURATION, encoding="utf-8")
        env = subjects.env()
        env_configured = subjects.env(LLMTERM_CONFIG=str(configuration))
        imports, version, first, ready, configured = alternate(
            ROUNDS,
            lambda: _whole(env, sys.executable, "-c", _IMPORTS),
            lambda: _whole(env, *LLMTERM, "--version"),
            lambda: _until(_FIRST, subjects, env),
            lambda: _until(PROMPT, subjects, env),
            lambda: _until(PROMPT, subjects, env_configured),
        )
    return [
        compared("--version, ms", version, imports, form="{:.0f}"),
        compared("a prompt to type at, ms", first, imports, form="{:.0f}", goal=GOAL),
        compared("the chat's own line, ms", ready, imports, form="{:.0f}", goal=GOAL),
        compared("the same with a configuration file, ms", configured, imports, form="{:.0f}", goal=GOAL),
    ]


def _whole(env: dict[str, str], *command: str) -> float:
    with Child(command, env) as child:
        return child.finish().wall * 1000


def _until(prompt: bytes, subjects: Programs, env: dict[str, str]) -> float:
    with subjects.chat(env) as chat:
        ready = chat.wait_for(prompt)
        if prompt is not PROMPT:
            chat.wait_for(PROMPT)
        chat.write(b"\x04")
        chat.finish()
        return (ready - chat.started) / 1e6
