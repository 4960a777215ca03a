"""The README and the pages in docs/: what they link to is there, and what they say to type is understood."""

from __future__ import annotations

import importlib.util
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer

from llmterm.chat.commands.catalogue import catalogue
from llmterm.cli import command_line, program
from tests.parts import KEYS
from tests.wire import Exchange, WireServer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (
    "chat",
    "ask",
    "compare",
    "batch",
    "serve",
    "models",
    "sessions",
    "roles",
    "stats",
    "config",
    "doctor",
    "completion",
)
# What the model says to the programs on the pages.
PAUSED = "Count to six."
ANSWERS = {
    "What is a monad?": ["A monoid in the category", " of endofunctors."],
    "And shorter?": ["A burrito."],
    "What is a comonad?": ["The ", "same, ", "turned around."],
    "one?": ["1"],
    "two?": ["2"],
    "three?": ["3"],
    PAUSED: ["one, ", "two, ", "three,"],
}
CONTINUED = [" FOUR, FIVE,", " six."]
REFUSED = ["a failure?"]
# What ends a command in a shell.
ENDS = re.compile(r"\s(?:\||>|#|&&)\s?.*|\)\"?.*")


def programs(text: str) -> list[tuple[str, str]]:
    """Every program in Python that is followed by what it prints, and that."""
    return re.findall(r"(?ms)^```python\n(.*?)^```\n```text\n(.*?)^```$", text)


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.+)$", without_fences(page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_fences(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def commands(text: str) -> list[list[str]]:
    """Every `llmterm ...` of a page, in a block of the shell or in the text."""
    lines = [line for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", text) for line in block.splitlines()]
    unbroken = re.sub(r"(?<!\n)\n(?!\n)", " ", without_fences(text))
    quoted = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", unbroken)
    found = re.findall(r"(?m)(?:^|.*?[\s(])llmterm(?= |$)(.*)$", "\n".join([*lines, *quoted]))
    return [shlex.split(ENDS.sub("", each)) for each in found]


def test_what_is_linked_to_is_there(page: Path) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(page.read_text("utf-8"))):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name) if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            missing.append(target)
    assert missing == []


def test_readme_leads_to_every_page() -> None:
    readme = PAGES[0].read_text("utf-8")
    assert [page.name for page in PAGES[1:] if f"]({page.relative_to(ROOT)})" not in readme] == []


def test_commands_are_understood_by_the_program(page: Path) -> None:
    root: Any = typer.main.get_command(program(*COMMANDS))
    for words in commands(page.read_text("utf-8")):
        command, rest = root, command_line(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        assert not (rest and hasattr(command, "commands") and not rest[0].startswith("-")), words
        options = {name for option in command.params for name in option.opts}
        assert {word.partition("=")[0] for word in rest if re.match("--?[a-z]", word)} <= options, words


async def played(exchange: Exchange) -> None:
    """Answer as the model of the programs on the pages."""
    if exchange.question in REFUSED:
        await exchange.refuse(400, {"error": {"message": "no such thing"}})
        return
    going_on = "interrupted" in exchange.question
    await exchange.start()
    for text in CONTINUED if going_on else ANSWERS[exchange.question]:
        await exchange.text(text)
    if exchange.question == PAUSED:
        await exchange.hung_up()
    else:
        await exchange.end()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The model of the programs, for a user who has no other and no configuration."""
    with WireServer(played) as server:
        for name in ("HOME", "XDG_CONFIG_HOME", "LLMTERM_DATA_DIR"):
            monkeypatch.setenv(name, str(tmp_path))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield


@pytest.mark.usefixtures("model")
def test_programs_of_a_page_print_what_stands_below_them(page: Path) -> None:
    for source, printed in programs(page.read_text("utf-8")):
        written = io.StringIO()
        with redirect_stdout(written):
            exec(compile(source, page.name, "exec"), {"__name__": "__main__"})
        assert [line.rstrip() for line in written.getvalue().splitlines()] == printed.splitlines()


def test_some_programs_are_found_in_the_pages() -> None:
    """Or the test above could not fail."""
    assert len(programs((ROOT / "docs" / "streams.md").read_text("utf-8"))) >= 5
    assert len(programs((ROOT / "docs" / "library.md").read_text("utf-8"))) >= 4


def test_some_commands_are_found_in_the_pages() -> None:
    """Or the test above could not fail."""
    found = [words for page in PAGES for words in commands(page.read_text("utf-8"))]
    assert ["config", "init"] in found
    assert ["chat", "--continue"] in found
    assert ["What is a monad?"] in found


def test_commands_of_the_chat_are_its_own(page: Path) -> None:
    known = {command.name for command in catalogue(KEYS)}
    text = without_fences(page.read_text("utf-8"))
    said = set(re.findall(r"`/([a-z-]+)(?: [^`/]*)?`", text))
    assert said - known == set()


def test_files_and_modules_that_are_named_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"`((?:tests|scripts|benchmarks|examples|llmterm)/[a-z_/]+(?:\.py)?)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(name) is not None, name


def test_moving_picture_is_small_and_has_no_script() -> None:
    picture = ROOT / "docs" / "session.svg"
    tree = ElementTree.parse(picture)
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert "animate" in names
    assert names <= {"svg", "title", "style", "rect", "circle", "g", "text", "animate"}
    assert picture.stat().st_size < 150_000


# Alt and Ctrl with a key, otherwise than Alt-E, Ctrl-X, Alt-Left and Ctrl-SPACE are spelt; the chord has pynput's way.
MISSPELT = re.compile(
    r"(?<![\w<])(?:(?:alt|ctrl|control|shift)[-+]\w+|(?:Alt|Ctrl|Shift)(?:\+\w+|-[a-z]\w*)|C-[a-z]|\^[A-Z])\b"
)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "config.example.toml"], ids=lambda page: page.name)
def test_keys_are_spelt_in_one_way(page: Path) -> None:
    assert MISSPELT.findall(page.read_text()) == []


def test_keys_are_spelt_in_one_way_in_the_help_of_the_chat() -> None:
    helped = "\n".join(catalogue(dict.fromkeys(KEYS, "alt-e")).help())

    assert "(Alt-E)" in helped
    assert MISSPELT.findall(helped) == []
