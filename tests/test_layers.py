"""The shape of the program: arrows between layers point down only, and there are no circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "llmterm"

# From the bottom up. What stands in one line may be used by all lines below it, and by itself.
LAYERS = [
    {
        "",
        "address",
        "citations",
        "openblock",
        "opening",
        "errors",
        "eventlog",
        "events",
        "messages",
        "conversation",
        "decoding",
        "framing",
        "lane",
        "loading",
        "log",
        "marker",
        "progress",
        "pulse",
        "recall",
        "redaction",
        "schema",
        "seam",
        "segment",
        "states",
        "streams",
        "style",
        "template",
        "thinktag",
        "threads",
        "tokens",
        "untrusted",
    },
    {"clipboard", "config", "files", "keys", "render", "sessions", "transport"},
    {"providers"},
    {"fallback", "steering", "turn"},
    {"recorded", "remote", "respondent"},
    {"ask", "batch", "chat", "compare", "serve", "stats"},
    {"assembly"},
    {"cli"},
    {"__main__"},
]
# Leaves know the values and nothing beside them; applications know nothing of each other.
APART = LAYERS[1] | LAYERS[5]
# What a constructor may be given at most. Values are no collaborators: they may have more fields.
MOST = 8


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(ROOT.rglob("*.py")))


@cache
def known() -> frozenset[str]:
    return frozenset(map(name_of, modules()))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    parts = ["llmterm", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit(module: str) -> str:
    """Return the part of the picture that a module belongs to: "llmterm.chat.app" is of "chat"."""
    return module.split(".")[1] if "." in module else ""


def layer(module: str) -> int:
    return next(number for number, units in enumerate(LAYERS) if unit(module) in units)


def imports(path: Path) -> Iterator[str]:
    """Yield the llmterm modules that a file imports, wherever in it."""
    ours = known()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "llmterm")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "llmterm":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in ours else node.module


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all of a module that runs when it is imported: everything but the insides of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from at_import(child)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    """No module imports from a layer above its own, and no leaf or application imports another."""
    module = name_of(path)
    for imported in imports(path):
        if unit(imported) == unit(module) or unit(imported) == "":
            continue

        assert layer(imported) <= layer(module), f"{module} imports {imported}, which is above it"
        if unit(module) in APART:
            assert layer(imported) < layer(module), f"{module} and {imported} are to know nothing of each other"


def test_there_are_no_circles() -> None:
    """The imports of the whole package can be put in an order."""
    graph = {name_of(path): set(imports(path)) - {name_of(path), "llmterm"} for path in modules()}

    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


def test_nothing_that_only_posix_has_is_imported_with_a_module() -> None:
    """Windows has the program too: what asks for a terminal's driver does so when it needs it."""
    only_posix = {"curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
    for path in modules():
        for node in at_import(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []

            assert only_posix.isdisjoint(name.split(".")[0] for name in names), path


def test_every_module_says_what_it_is() -> None:
    """A module that has code has a docstring."""
    for path in modules():
        assert ast.get_docstring(tree(path)), path


def test_no_constructor_takes_more_than_eight() -> None:
    """One that needs more is two things, or its collaborators are one."""
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]

                assert len(given) - 1 <= MOST, f"{path}:{node.lineno}"
