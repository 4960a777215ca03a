"""Draws the pictures of README and docs: the real program in a pseudo-terminal, and the screen it writes, cell by cell.

    uv run python -m scripts.pictures

`session.svg` moves: an answer is paused, guided and gone on with. In all of them a server on this machine says a text
of ours, as the small model knows little of markdown.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyte
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI, TerminalTheme
from rich.text import Text

from scripts.film import Film
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, WireServer

DOCS = Path(__file__).parent.parent / "docs"
COLUMNS, ROWS = 86, 34
LIGHT = TerminalTheme(
    (253, 252, 248),
    (40, 40, 40),
    [
        (40, 40, 40),
        (180, 30, 30),
        (30, 120, 30),
        (150, 100, 0),
        (30, 60, 170),
        (130, 40, 130),
        (0, 110, 120),
        (90, 90, 90),
    ],
    [
        (120, 120, 120),
        (200, 40, 40),
        (40, 140, 40),
        (170, 120, 0),
        (40, 80, 200),
        (150, 60, 150),
        (0, 130, 140),
        (40, 40, 40),
    ],
)

QUESTION = "How do I keep the last 100 lines of a growing log in Python?"
ANSWER = """\
Use a `deque` with a bound: the **oldest line falls out** by itself, see [the
documentation](https://docs.python.org/3/library/collections.html#collections.deque).

```python
from collections import deque

def tail(path: str, count: int = 100) -> deque[str]:
    with open(path, encoding="utf-8") as log:
        return deque(log, maxlen=count)  # reads once, keeps little
```

| way | memory | reads |
|---|---|---:|
| `deque` | 100 lines | all |
| `seek` from the end | one block | little |

- [x] one pass, no dependency
- [ ] follow the file: combine it with `watchfiles`
"""


FILMED = """\
Use a `deque` with a bound: the **oldest line falls out** by itself.

There are other ways, each with its price:

- read the file *backwards*, in blocks of 4 kB, until there are enough line ends
- map it into memory, and search from the end
- have `logrotate` keep it short, which is not quite what you asked for
"""
GUIDANCE = "only the simple way, as code"
GUIDED = """\
Then it is four lines:

```python
from collections import deque

with open("app.log") as log:
    last = deque(log, maxlen=100)
```

It reads the file once, and keeps **100 lines** of it.
"""


async def say_guided(exchange: Exchange) -> None:
    """Say a text, and, once there is guidance, another one."""
    guided = GUIDANCE in json.dumps(exchange.body)
    await exchange.start()
    text = GUIDED if guided else FILMED.rstrip()
    for start in range(0, len(text), 4):
        await exchange.text(text[start : start + 4])
        await asyncio.sleep(0.06)
    await exchange.end()


async def say(exchange: Exchange) -> None:
    await exchange.start()
    for start in range(0, len(ANSWER), 5):
        await exchange.text(ANSWER[start : start + 5])
        await asyncio.sleep(0.05)
    await exchange.end()


def drawn(screen: pyte.Screen, row: int) -> Text:
    """Return a row of the screen, with its colours."""
    text = Text()
    for column in range(screen.columns):
        cell = screen.buffer[row][column]
        styles = [name for name in ("bold", "italics", "underscore", "reverse") if getattr(cell, name)]
        words = {"italics": "italic", "underscore": "underline"}
        color = cell.fg if cell.fg == "default" else cell.fg.replace("brown", "yellow").replace("bright", "bright_")
        if re.fullmatch(r"[0-9a-f]{6}", color):
            color = f"#{color}"
        text.append(cell.data, " ".join([*(words.get(style, style) for style in styles), color]))
    text.rstrip()
    return text


def save(name: str, screen: pyte.Screen, theme: TerminalTheme = DIMMED_MONOKAI) -> None:
    console = Console(record=True, width=screen.columns, file=io.StringIO(), color_system="truecolor")
    last = max(row for row, text in enumerate(screen.display) if text.strip())
    for row in range(last + 1):
        console.print(drawn(screen, row), no_wrap=True, crop=True)
    svg = console.export_svg(title="llmterm chat", theme=theme)
    # A picture is no reason to load a font from somewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    DOCS.mkdir(exist_ok=True)
    (DOCS / name).write_text(svg, "utf-8")


def played(play: Callable[[Program], None], *arguments: str, **more: str) -> pyte.Screen:
    """Return the screen of a chat after `play`."""
    with tempfile.TemporaryDirectory() as home:
        env = environment(Path(home), **more)
        with Program([*LLMTERM, "chat", *arguments], env, columns=COLUMNS, rows=ROWS) as program:
            program.wait_for(r"(?m)^>")
            play(program)
            return program.screen


def typed_ahead(program: Program) -> None:
    program.send(f"{QUESTION}\r")
    program.wait_for("maxlen=count")
    program.send("And if the log is gzipped?\r")
    program.wait_for("queued 1")
    program.send("Show me how to fol")
    program.wait_for(r"> Show me how to fol\n")


def answered(program: Program) -> None:
    program.send(f"{QUESTION}\r")
    program.wait_for(r"watchfiles[^>]*\n\n>\n(?!.*SPACE pause)")
    program.wait_for("tokens")


def filmed() -> None:
    """Film a session: a question, SPACE in the middle of the answer, a word of guidance, and the end."""
    with WireServer(say_guided) as server, tempfile.TemporaryDirectory() as home:
        env = environment(Path(home), OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="none")
        with Program([*LLMTERM, "chat", "-m", "demo"], env, columns=80, rows=27) as program:
            film = Film(program, DIMMED_MONOKAI)
            program.wait_for(r"(?m)^>")
            film.hold(0.8)
            film.type(QUESTION)
            film.hold(0.5)
            program.send("\r")
            film.wait_for("not quite")
            program.send(" ")
            film.wait_for("paused after")
            film.hold(1.5)
            film.type(GUIDANCE)
            film.hold(0.8)
            program.send("\r")
            film.wait_for(r"lines of it[^>]*\n\n *>\s*\n(?!.*SPACE pause)")
            film.hold(4)
            (DOCS / "session.svg").write_text(film.svg("llmterm chat: paused, guided, gone on with"), "utf-8")


def main() -> None:
    filmed()
    with WireServer(say) as server:
        address = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none"}
        save("chat.svg", played(typed_ahead, "-m", "demo", **address))
        save("dark.svg", played(answered, "-m", "demo", "--theme", "dark", **address))
        save("light.svg", played(answered, "-m", "demo", "--theme", "light", **address), LIGHT)


if __name__ == "__main__":
    main()
