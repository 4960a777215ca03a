"""The library, as its users see it: which names there are, what they cost, and what only they add."""

from __future__ import annotations

import ast
import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import anyio
import pytest

import llmterm
from llmterm import (
    ConfigError,
    Conversation,
    KeySource,
    Options,
    ProviderRegistry,
    ScriptedKeys,
    Settings,
    TextDelta,
    Turn,
    TurnState,
    UsageError,
    on_key,
    open_registry,
)
from llmterm.providers.registry import Entry
from tests.reading import heard
from tests.scripted import ScriptedProvider

PACKAGE = Path(llmterm.__file__).parent
PUBLIC = {
    "Accepts",
    "Answer",
    "Attachment",
    "ConfigError",
    "Conversation",
    "EndReason",
    "Entry",
    "EventStream",
    "Finished",
    "GlobalKeys",
    "Key",
    "KeySource",
    "KeysUnavailableError",
    "LlmtermError",
    "Message",
    "Model",
    "Notice",
    "Options",
    "Progress",
    "Provider",
    "ProviderError",
    "ProviderRegistry",
    "Reply",
    "Request",
    "Retraction",
    "ScriptedKeys",
    "Segment",
    "SegmentEnded",
    "SegmentStarted",
    "Settings",
    "Snapshot",
    "StateChanged",
    "StreamCancelledError",
    "StreamEvent",
    "StreamLimits",
    "TerminalKeys",
    "TextDelta",
    "ThinkingDelta",
    "Turn",
    "TurnEvent",
    "TurnState",
    "TurnStateError",
    "Usage",
    "UsageError",
    "UsageReport",
    "__version__",
    "clean",
    "concat",
    "connect",
    "dequeue",
    "endless_stream",
    "enqueue",
    "gather_stream",
    "generate_sync",
    "merge",
    "on_key",
    "open_registry",
    "split",
    "stream_content",
    "throttle",
}


def declared() -> dict[str, str]:
    """The public names and the modules that type checkers are told they come from."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def python(code: str) -> str:
    """Return what `code` prints in an interpreter of its own; fail where it raises."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_public_names_are_these() -> None:
    """To add one is a promise; to take one away breaks somebody's program."""
    assert sorted(llmterm.__all__) == sorted(PUBLIC)
    assert set(dir(llmterm)) >= PUBLIC


def test_declared_names_are_the_real_ones() -> None:
    """What type checkers see is what there is."""
    assert declared().keys() == PUBLIC - {"__version__"}
    for name, module in declared().items():
        assert getattr(llmterm, name) is getattr(import_module(module), name)


def documented(value: object) -> Iterator[tuple[str, bool]]:
    """Yield what there is of a public value, and whether its docstring is its own, not made by a decorator."""
    if isinstance(value, type):
        made = f"{value.__name__}("
        yield "", not (value.__dict__.get("__doc__") or made).startswith(made)
        for name, member in vars(value).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if not name.startswith("_") and inspect.isfunction(function):
                yield f".{name}", bool(function.__doc__)
    elif callable(value):
        yield "", bool(value.__doc__)


def test_every_public_name_is_documented() -> None:
    """Each on a page of the documentation, with a docstring of its own, and so has each of its methods."""
    pages = "".join((PACKAGE.parent / "docs" / page).read_text("utf-8") for page in ("library.md", "streams.md"))
    values = {name: getattr(llmterm, name) for name in PUBLIC}

    assert {name for name in PUBLIC if f"`{name}`" not in pages and f"`{name}(" not in pages} == set()
    assert [
        f"{name}{member}" for name, value in values.items() for member, has_one in documented(value) if not has_one
    ] == []


def test_types_are_published() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_importing_the_package_imports_nothing_else() -> None:
    """Whoever needs one part of the program pays for that part."""
    new = python("import sys; before = set(sys.modules); import llmterm; print(*sys.modules.keys() - before)")

    assert new == "llmterm"


def test_everything_can_be_imported_first() -> None:
    """No public name needs another to have been imported before."""
    names = sorted(PUBLIC - {"__version__"})
    forget = "[sys.modules.pop(each) for each in list(sys.modules) if each.startswith('llmterm')]"

    python(f"import sys\nfor name in {names}:\n    exec(f'from llmterm import {{name}}')\n    {forget}")


def test_unknown_name_is_an_ordinary_error() -> None:
    """A slip is told as for any module; a part of the package is still found by its name."""
    with pytest.raises(AttributeError, match=r"module 'llmterm' has no attribute 'Trun'"):
        _ = llmterm.Trun  # type: ignore[attr-defined]

    assert python("from llmterm import render; print(render.__name__)") == "llmterm.render"
    assert not PUBLIC & {path.stem for path in PACKAGE.iterdir()}


def test_the_program_itself_does_not_use_the_public_names() -> None:
    """Inside, a name is imported from where it lives: the order of the layers can be seen."""
    parts = {path.stem for path in PACKAGE.iterdir()}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "llmterm":
                assert {alias.name for alias in node.names} <= parts | {"__version__"}, path


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "LLMTERM_DATA_DIR": str(home / "data"), **more}


async def test_default_is_the_one_that_is_set_up(tmp_path: Path) -> None:
    """An open registry chooses as the program does; what is named is taken as it is."""
    async with open_registry(environ=environ(tmp_path, ANTHROPIC_API_KEY="sk-test")) as providers:
        name, model = await providers.choose()

        assert (name, model) == providers.resolve("anthropic")
        assert providers.get(name).name == "anthropic"
        assert await providers.choose("groq/some/model") == ("groq", "some/model")


async def test_configuration_file_is_read(tmp_path: Path) -> None:
    """The settings are those of `llmterm chat`, and so are the complaints."""
    path = tmp_path / "config.toml"
    path.write_text(
        'provider = "mine"\nmodel = "m"\n[providers.mine]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    variables = environ(tmp_path, LLMTERM_CONFIG=str(path))

    async with open_registry(environ=variables) as providers:
        assert await providers.choose() == ("mine", "m")

    path.write_text("provider = 1\n")
    with pytest.raises(ConfigError):
        open_registry(environ=variables)


async def test_settings_can_be_given(tmp_path: Path) -> None:
    """A program with settings of its own needs no file."""
    async with open_registry(Settings(provider="ollama", model="m"), environ(tmp_path)) as providers:
        assert await providers.choose() == ("ollama", "m")

    async with open_registry(Settings(provider="olama"), environ(tmp_path)) as providers:
        with pytest.raises(UsageError, match="ollama"):
            await providers.choose()


async def test_leaving_a_registry_closes_what_it_built() -> None:
    """Also where the program that uses it fails."""

    class Closing(ScriptedProvider):
        open_ones = 1

        async def aclose(self) -> None:
            self.open_ones -= 1

    provider = Closing()

    async def use() -> None:
        async with ProviderRegistry({"scripted": Entry(build=lambda: provider, model="m")}) as providers:
            providers.get("scripted")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()

    assert provider.open_ones == 0


class Pressed:
    """Actions that remember that they were taken."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def now(self) -> None:
        self.taken.append("now")

    async def soon(self) -> str:
        await asyncio.sleep(0)
        self.taken.append("soon")
        return "what it returns is of no concern"


@pytest.mark.parametrize(
    ("typed", "taken", "left"), [("x q", "soon", "q"), ("xq ", "now", " "), ("qqq", "now", "qq"), ("\n\n ", "soon", "")]
)
async def test_key_is_acted_upon_once(typed: str, taken: str, left: str) -> None:
    """Keys without an action are passed over; those after the one with an action are left for whoever reads next."""
    pressed, keys = Pressed(), ScriptedKeys()
    keys.type(typed)

    await on_key(keys, {"space": pressed.soon, "q": pressed.now})

    assert pressed.taken == [taken]
    assert "".join(keys.queue.get_nowait().text for _ in range(keys.queue.qsize())) == left


async def test_name_of_a_key_is_not_the_text_it_types() -> None:
    """Pasting a q is not pressing q, and Alt-q is another key."""
    pressed = Pressed()
    keys = ScriptedKeys()
    keys.press(llmterm.Key("paste", "q"), "alt-q", "c-c")

    await on_key(keys, {"q": pressed.now, "c-c": pressed.soon})

    assert pressed.taken == ["soon"]


async def test_listening_can_be_given_up_without_losing_a_key() -> None:
    """What is pressed after the cancellation is there for the next."""
    keys = ScriptedKeys()
    source: KeySource = keys
    listening = asyncio.create_task(on_key(source, {"space": Pressed().now}))
    await asyncio.sleep(0)

    listening.cancel()
    keys.press("space")
    await asyncio.wait({listening})

    assert listening.cancelled()
    assert keys.queue.qsize() == 1


@pytest.mark.parametrize(("end", "state"), [("pause", TurnState.PAUSED), ("cancel", TurnState.CANCELLED)])
async def test_turn_stops_also_for_a_task_that_is_being_cancelled(end: str, state: TurnState) -> None:
    """Nothing can be waited for in a cancelled anyio scope; the stream is closed and its text kept, all the same."""
    provider = ScriptedProvider()
    turn = Turn(provider, Conversation().ask("q").request(model="m", options=Options()))
    turn.start()
    await provider.opened.wait()
    provider.stream.put(TextDelta("half"))

    with anyio.CancelScope() as scope:
        scope.cancel()
        await getattr(turn, end)()
    told: Sequence[object] = [event async for event in heard(turn)]

    assert scope.cancelled_caught
    assert TextDelta("half") in told
    assert (turn.state, turn.reply.text, provider.stream.closed) == (state, "half", True)
