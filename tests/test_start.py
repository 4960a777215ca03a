"""What a start takes: modules, and what is dear to make. It is counted, as a clock would tell of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.terminal import environment

# What an answer needs, a file of settings, or one who asks for it.
LATER = {
    "anyio", "aiolimiter", "google", "h11", "httpcore2", "httpx2", "keyring", "markdown_it", "platformdirs", "pydantic",
    "pygments", "pynput", "rich", "tomllib", "xllamacpp",
}  # fmt: skip
# Each is made from source, function by function, at every start: a third of a millisecond.
MOST_DATACLASSES = 80
MOST_MODULES = 152

EVERY = {"chat", "ask", "compare", "batch", "models", "sessions", "roles", "stats", "config", "doctor", "completion"}

COUNT = """
import gc, json, sys
{imports}
from dataclasses import is_dataclass
ours = {{name: module for name, module in sys.modules.items() if name.partition(".")[0] == "llmterm"}}
made = {{each for name, module in ours.items() for each in vars(module).values()
         if isinstance(each, type) and is_dataclass(each) and each.__module__ == name}}
print(json.dumps({{"all": sorted(sys.modules), "modules": len(ours), "dataclasses": len(made),
                  "collects": gc.isenabled(), "frozen": gc.get_freeze_count()}}))
"""


def loaded(home: Path, imports: str) -> dict[str, Any]:
    """Return what there is in a process after some imports."""
    code = COUNT.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(home), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_chat_loads_no_library_before_its_first_prompt_that_only_an_answer_needs(tmp_path: Path) -> None:
    """And no more modules and values of its own than it has now: what is added is added to every start."""
    found = loaded(tmp_path, "import llmterm.__main__, llmterm.cli.chat, llmterm.assembly.chatting")

    assert LATER & set(found["all"]) == set()
    assert found["modules"] <= MOST_MODULES
    assert found["dataclasses"] <= MOST_DATACLASSES


def test_what_an_answer_needs_is_loaded_while_its_question_is_typed(tmp_path: Path) -> None:
    """In a thread: the first question finds it there, and no key waits for that."""
    found = loaded(tmp_path, "import llmterm.chat.app")
    ready = loaded(
        tmp_path,
        "import importlib; from llmterm.chat.app import FIRST_ANSWER; [*map(importlib.import_module, FIRST_ANSWER)]",
    )

    needed = {"anyio", "h11", "httpcore2", "httpx2", "llmterm.seam", "llmterm.transport.client"}
    assert needed & set(found["all"]) == set()
    assert needed <= set(ready["all"])


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        (["--version"], set()),
        (["stats", "--help"], {"stats"}),
        (["hello?", "--help"], {"ask"}),
        (["--help"], EVERY),
    ],
)
def test_command_line_loads_the_commands_that_it_is_about(tmp_path: Path, line: list[str], commands: set[str]) -> None:
    run = f"sys.argv[1:] = {line}\nfrom contextlib import redirect_stdout, suppress\nfrom io import StringIO\n"
    run += "with suppress(SystemExit), redirect_stdout(StringIO()):\n    from llmterm.__main__ import main\n    main()"

    modules = set(loaded(tmp_path, run)["all"])

    assert {each for each in EVERY if f"llmterm.cli.{each}" in modules} == commands


def test_garbage_is_looked_for_again_once_the_program_is_loaded(tmp_path: Path) -> None:
    """But not in what was loaded."""
    found = loaded(tmp_path, "from llmterm.loading import loading\nwith loading():\n    import llmterm.cli")

    assert found["collects"]
    assert found["frozen"] > 10_000


def test_whoever_has_switched_off_the_collector_keeps_it_off(tmp_path: Path) -> None:
    """Loading leaves it as it was."""
    assert not loaded(tmp_path, "gc.disable()\nimport llmterm.__main__")["collects"]
