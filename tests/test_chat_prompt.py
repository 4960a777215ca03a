"""The prompt and what surrounds it in a real terminal: history, editing, completion, the bar, pagers, themes, bells."""

from __future__ import annotations

import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Conversation, Open, opened
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import Exchange, Gate, Script, WireServer, say

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
# Any colour of text or background.
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
# What a keyword looks like in the dark and in the light theme.
DARK, LIGHT = b"38;5;111m", b"38;5;19m"
# For a script that has the terminal: as an editor does, show no keys, and outlive a Ctrl-C.
WAITS = "stty -a < /dev/tty > stty; stty -echo < /dev/tty; trap ': > interrupted' INT"
CODE = "```py\ndef f(): pass\n```\n"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


def configured(folder: Path, text: str) -> dict[str, str]:
    """Write a configuration file, and return the environment that names it."""
    file = folder / "llmterm.toml"
    file.write_text(text, "utf-8")
    return {"LLMTERM_CONFIG": str(file)}


def tool(folder: Path, name: str, script: str) -> str:
    """Write a program that runs in `folder`, and return its path."""
    file = folder / name
    file.write_text(f"#!/bin/sh\ncd '{folder}'\n{script}\n", "utf-8")
    file.chmod(0o755)
    return str(file)


def at_prompt(draft: str = "") -> str:
    return rf"(?<=\n)> ?{draft}\n(?!.*SPACE pause)[a-z]+/[^\n]*\Z"


def answered(chat: Conversation, question: str, answer: str = "fine.") -> None:
    chat.ask(question)
    chat.program.wait_for(rf"> {question}\n\n{re.escape(answer)}\n\n" + at_prompt())


def questions(chat: Conversation) -> list[str]:
    return [exchange.question for exchange in chat.server.exchanges]


def held(gate: Gate) -> Script:
    """Answer the first question when the gate is open, and the others at once."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        await exchange.text(f"answer {asked}.")
        if asked == 1:
            await gate.wait()
        await exchange.end()

    return script


async def half(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("half an answer")
    await exchange.hung_up()


def test_history_is_searched(open_chat: Open) -> None:
    """Up gives what begins like the line; Ctrl-R finds what contains it, Enter takes it, and Ctrl-C gives up."""
    with open_chat(say("fine.")) as chat:
        program = chat.program
        for question in ("apples are red", "bananas", "apes climb"):
            answered(chat, question)

        program.send("draft\x12are")
        program.wait_for(r"\nsearch 'are': apples are red\n")
        program.send("\x03")
        program.wait_for(at_prompt("draft"))
        program.send("\x15\x12climb")
        program.wait_for(r"\nsearch 'climb': apes climb\n")
        program.send("\r")
        program.wait_for(at_prompt("apes climb"))
        assert len(chat.server.exchanges) == 3
        program.send("\x05 trees\r")
        program.wait_for(r"trees\n\nfine\.\n\n" + at_prompt())
        program.send("b\x1b[A")
        program.wait_for(at_prompt("bananas"))
        program.send("\x15app\x1b[A")
        program.wait_for(at_prompt("apples are red"))

        assert questions(chat)[-1] == "apes climb trees"


def test_vi_keys(open_chat: Open, tmp_path: Path) -> None:
    """With `editing = "vi"`: Esc commands the line, and at a pause still ends the answer from an empty line.

    The line below says so.
    """
    with open_chat(say("fine."), **configured(tmp_path, '[chat]\nediting = "vi"\n')) as chat:
        chat.program.send("one two")
        chat.program.wait_for(at_prompt("one two"))
        chat.program.send("\x1b")
        chat.program.wait_for(lambda: chat.program.screen.cursor.x == 8)
        chat.program.wait_for(r"\nvi commands - openai/test")
        chat.program.send("0dwA!\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)

        assert questions(chat) == ["two!"]

    with open_chat(half, **configured(tmp_path, '[chat]\nediting = "vi"\n')) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x1b")
        chat.program.wait_for(r"half an answer\n\n■ stopped\n\n" + at_prompt())


def test_vi_escape_on_a_line_typed_ahead_means_the_line(open_chat: Open, tmp_path: Path) -> None:
    """As at the prompt; on an empty line it ends the answer."""
    with open_chat(half, **configured(tmp_path, '[chat]\nediting = "vi"\n')) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send("next\x1b[27uA!\x1b")
        chat.program.wait_for(r"\n> next!\n")
        assert chat.server.open_connections == 1
        chat.program.send("dd")
        chat.program.wait_for(r"\nopenai/test - .*SPACE pause")
        chat.program.send("\x1b")
        chat.program.wait_for(r"half an answer\n\n■ stopped\n\n" + at_prompt())


def test_line_in_the_editor(open_chat: Open, tmp_path: Path) -> None:
    """Ctrl-X Ctrl-E: the editor has a terminal as it was found; what it leaves is the line, to be sent or not."""
    script = f'{WAITS}; printf "\\nand more" >> "$1"; cp "$1" seen; : > open; read line < /dev/tty; exit 0'
    with open_chat(say("fine."), EDITOR=tool(tmp_path, "editor", script)) as chat:
        program = chat.program
        program.send("a line\x18\x05")
        program.wait_for((tmp_path / "open").exists)
        program.wait_for(lambda: not program.modes_left)
        program.send("\x03")
        program.wait_for((tmp_path / "interrupted").exists)
        program.send("\r")
        program.wait_for(r"> a line\n  and more\n")
        assert (tmp_path / "seen").read_text("utf-8") == "a line\nand more"
        assert {1004, 2004} <= program.modes_left
        program.send("\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)

        assert questions(chat) == ["a line\nand more"]


def test_editor_ends_with_the_chat(open_chat: Open, tmp_path: Path) -> None:
    """A signal that ends the chat ends the editor of the line as well."""
    script = "trap ': > terminated; exit 0' TERM; : > open; read line < /dev/tty"
    with open_chat(say("fine."), EDITOR=tool(tmp_path, "editor", script)) as chat:
        chat.program.send("a line\x18\x05")
        chat.program.wait_for((tmp_path / "open").exists)
        os.kill(chat.program.pid, signal.SIGTERM)

        assert chat.program.exit_code == 128 + signal.SIGTERM
        assert (tmp_path / "terminated").exists()
        assert (chat.program.stty(), chat.program.modes_left) == (chat.program.stty_before, set())


def test_editor_that_fails_leaves_the_line(open_chat: Open, tmp_path: Path) -> None:
    """It is said why, and nothing is lost."""
    with open_chat(say("fine."), columns=200, EDITOR=tool(tmp_path, "editor", "exit 3")) as chat:
        chat.program.send("a line\x18\x05")
        chat.program.wait_for(r"editor ended with exit code 3 \(the text is as it was\)")
        chat.program.wait_for(at_prompt("a line"))


def test_tab_completes_with_a_word_about_each(open_chat: Open, tmp_path: Path) -> None:
    """Commands, providers, models, sessions and files; a name with something hidden in it is not offered."""
    (tmp_path / "notes.txt").write_text("remember", "utf-8")
    (tmp_path / "notes\u3164.txt").touch()
    hostile = ["test\u202e-3", "test-\u200b4", "test\x1b[31m-5", "test-6\n/delete"]
    (tmp_path / "notepad").mkdir()

    async def script(exchange: Exchange) -> None:
        if exchange.path.endswith("/models"):
            await exchange.refuse(200, {"data": [{"id": name} for name in ("test-1", *hostile, "test-2")]})
        else:
            await say("fine.")(exchange)

    with open_chat(script, columns=200) as chat:
        program = chat.program
        answered(chat, "about owls")
        [owls] = (info.id for info in chat.sessions())

        program.send("/re")
        program.wait_for(r"/resume-mode +how an answer is gone on with *\n.*/retry +ask the last question again")
        program.send("\x15/provider o")
        program.wait_for(r"openai +answers now: openai/test\n.*ollama.*\n.*openrouter +no key: set OPENROUTER_API")
        program.send("\x15/load \t")
        program.wait_for(rf"> /load {owls}\n")
        program.send("\x15/model ")
        program.wait_for(r"test-1 *\n.*test-2")
        program.send("\x15/theme d\t")
        program.wait_for(r"> /theme dark\n")
        program.send(f"\x15see @{tmp_path}/note")
        program.wait_for(r"notepad/ +folder *\n.*notes\.txt +8 bytes")
        program.send(f"\x15/attach {tmp_path}/notes\t")
        program.wait_for(r"> /attach \S+/notes\.txt\n")


def test_files_that_guidance_mentions_go_along(open_chat: Open, tmp_path: Path) -> None:
    """A text file is put into it, as into a message; of an image it is said that it cannot be."""
    (tmp_path / "notes.txt").write_text("remember the milk", "utf-8")
    (tmp_path / "cat.png").write_bytes(PNG)
    with open_chat(half, columns=200) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(f"see @{tmp_path}/notes.txt and @{tmp_path}/cat.png\r")
        chat.program.wait_for("an image or a PDF can go with a question only")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        assert "remember the milk" in chat.server.exchanges[1].body["messages"][-1]["content"]


def test_bar_says_where_the_chat_stands(open_chat: Open, tmp_path: Path) -> None:
    """Who answers, the tokens, the price where there is one, the title; it is gone from what was sent."""
    config = '[providers.openai.prices."te*"]\ninput = 10000\noutput = 10000\n'
    with open_chat(say("fine."), **configured(tmp_path, config)) as chat:
        chat.program.wait_for(r">\nopenai/test\Z")
        answered(chat, "about owls")
        chat.program.wait_for(r">\nopenai/test - 12 tokens - cost 0\.1200 - about owls\Z")
        answered(chat, "and larks")
        chat.program.wait_for(r">\nopenai/test - 12 tokens - cost 0\.2400 - about owls\Z")

        assert chat.program.text.count("cost") == 1


def test_window_of_few_rows_has_no_bar(open_chat: Open) -> None:
    """They are for what is typed."""
    with open_chat(say("fine."), columns=30, rows=3) as chat:
        chat.program.send("x")
        chat.program.wait_for(r"> x\Z")


@pytest.mark.parametrize("moment", ["prompt", "pause"])
def test_answer_is_read_in_the_pager(open_chat: Open, tmp_path: Path, moment: str) -> None:
    """PageUp: the pager has all of it and the terminal as it was found; afterwards the screen is the same."""
    text = "\n\n".join(f"line {number}" for number in range(40))
    pager = tool(tmp_path, "less", f"{WAITS}; cat > got; : > open; read line < /dev/tty; exit 0")

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(text)
        await (exchange.end() if moment == "prompt" else exchange.hung_up())

    with open_chat(script, PAGER=pager) as chat:
        program = chat.program
        chat.ask("go")
        if moment == "prompt":
            program.wait_for(r"line 39\n\n>\nopenai/test - PageUp reads the answer - 12 tokens - go\Z")
        else:
            program.wait_for("line 39")
            program.send(" ")
            program.wait_for(r"\n>\npaused after[^\n]*\nopenai/test\Z")
        before = program.text
        program.send("\x1b[5~")
        program.wait_for((tmp_path / "open").exists)
        program.wait_for(lambda: not program.modes_left)
        program.send("\x03")
        program.wait_for((tmp_path / "interrupted").exists)
        program.send("\r")
        program.wait_for(lambda: {1004, 2004} <= program.modes_left and program.text.rstrip() == before)

        read = re.sub(r"\x1b\[[\d;]*m", "", (tmp_path / "got").read_text("utf-8"))
        assert [line.strip() for line in read.split("\n") if line] == text.split("\n\n")


def test_answer_that_is_held_is_read_in_the_pager(open_chat: Open, tmp_path: Path) -> None:
    """With `--pause-mode hold` too it is the answer on the screen, not the one before."""
    pager = tool(tmp_path, "less", "cat > got")
    with open_chat(half, "--pause-mode", "hold", PAGER=pager) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x1b[5~/copy\r")
        chat.program.wait_for("copied 14 characters")

        assert "half an answer" in (tmp_path / "got").read_text("utf-8")


def test_held_answer_is_cut_while_it_is_read_in_the_pager(open_chat: Open, tmp_path: Path) -> None:
    """The limit of a hold counts on, and what came is kept."""
    script = "cat > got; : > open; read line < /dev/tty"
    env = configured(tmp_path, "[chat]\nhold_limit = 1\n")
    with open_chat(half, "--pause-mode", "hold", PAGER=tool(tmp_path, "less", script), **env) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x1b[5~")
        chat.program.wait_for((tmp_path / "open").exists)
        chat.server.wait(lambda: chat.server.open_connections == 0)

        assert chat.messages()[-1]["text"] == "half an answer"


def test_pager_ends_with_the_chat(open_chat: Open, tmp_path: Path) -> None:
    """A signal that ends the chat leaves nobody behind who reads the terminal."""
    script = "trap ': > terminated; exit 0' TERM; cat > got; : > open; read line < /dev/tty"
    with open_chat(say("fine."), PAGER=tool(tmp_path, "less", script)) as chat:
        answered(chat, "go")
        chat.program.send("\x1b[5~")
        chat.program.wait_for((tmp_path / "open").exists)
        os.kill(chat.program.pid, signal.SIGTERM)

        assert chat.program.exit_code == 128 + signal.SIGTERM
        assert (tmp_path / "terminated").exists()
        assert (chat.program.stty(), chat.program.modes_left) == (chat.program.stty_before, set())


def test_pager_that_cannot_be_used_is_named(open_chat: Open) -> None:
    """One line, and the chat goes on."""
    with open_chat(say("fine."), columns=120, PAGER="/nowhere/pager") as chat:
        answered(chat, "go")
        chat.program.send("\x1b[5~")
        chat.program.wait_for(r"/nowhere/pager cannot be used: No such file or directory \(set PAGER\)\n" + at_prompt())


def test_queue_is_listed_edited_and_sent_in_order(open_chat: Open) -> None:
    """Three messages are typed ahead, the second is changed, and each is sent after the answer before it.

    What Ctrl-C gives up is the change of one, and not the message.
    """
    gate = Gate()
    with open_chat(held(gate)) as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for(r"answer 1\.")
        program.send("two\rthree\rfour\r")
        program.wait_for(r"queued 1: two\nqueued 2: three\nqueued 3: four\n")
        program.send("\x1b[A\x1b[A and a half")
        program.wait_for(r"queued 1: two\nqueued 2: \(in the line[^\n]*\nqueued 3: four\n> three and a half\n")
        program.send("\r")
        program.wait_for(r"queued 1: two\nqueued 2: three and a half\nqueued 3: four\n")
        program.send("\x1b[A\x1b[A\x1b[A\x1b\x1b[B, no")
        program.wait_for(r"queued 2: \(in the line[^\n]*\nqueued 3: four\n> two, no\n")
        program.send("\x03")
        program.wait_for(r"queued 1: two\nqueued 2: three and a half\nqueued 3: four\n>\n")
        gate.open()
        program.wait_for(r"answer 4\.\n\n" + at_prompt())

        assert questions(chat) == ["one", "two", "three and a half", "four"]


def test_message_that_is_edited_when_the_answer_ends(open_chat: Open) -> None:
    """It becomes the line of the prompt, where it can be gone on with; what is queued behind it waits."""
    gate = Gate()
    with open_chat(held(gate)) as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for(r"answer 1\.")
        program.send("two\rthree\r")
        program.wait_for(r"queued 2: three\n")
        program.send("\x1b[A\x1b[A and")
        program.wait_for(r"queued 1: \(in the line[^\n]*\nqueued 2: three\n> two and\n")
        gate.open()
        program.wait_for(at_prompt("two and"))
        program.send(" a half\r")
        program.wait_for(r"answer 3\.\n\n" + at_prompt())

        assert questions(chat) == ["one", "two and a half", "three"]


def test_queued_message_that_is_refused_comes_first(open_chat: Open, tmp_path: Path) -> None:
    """It is given back, and what was queued behind it waits; nothing overtakes it."""
    (tmp_path / "bad.bin").write_bytes(b"\x00\x01")
    gate = Gate()
    with open_chat(held(gate), columns=200) as chat:
        chat.ask("one")
        chat.program.wait_for(r"answer 1\.")
        chat.program.send(f"see @{tmp_path}/bad.bin\rtwo\r")
        chat.program.wait_for("queued 2: two")
        gate.open()
        chat.program.wait_for(r"bad\.bin cannot be attached(?s:.*)\nqueued 1: two\n> see @[^\n]*bad\.bin\n[^\n]*\Z")

        assert questions(chat) == ["one"]


@pytest.mark.parametrize("stop", ["\x03", "\x1b", " \x1b"])
def test_stop_gives_the_queue_back_one_by_one(open_chat: Open, stop: str) -> None:
    """The first stands in the line, the rest waits; a command among them is one, an unknown one was refused at once."""
    gate = Gate()
    with open_chat(held(gate), columns=100) as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for(r"answer 1\.")
        program.send("two\r/nonsense\r/title named\r")
        program.wait_for(r"queued 2: /title named")
        program.wait_for("there is no /nonsense")
        program.send(stop)
        program.wait_for(r"queued 1: /title named\n[^>]*> two\nopenai/test - Enter takes")
        gate.open()
        program.send(" more\r")
        program.wait_for(r"> two more\n\nanswer 2\.\n(?s:.*)\n> /title named\nopenai/")
        program.send("\r")
        program.wait_for(r"\nnamed\n")

        assert questions(chat) == ["one", "two more"]
        assert [info.title for info in chat.sessions()] == ["named"]


@pytest.mark.parametrize("empties", ["\x03", "\x15", "\x7f" * 3])
@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_line_that_was_emptied_stays_empty(open_chat: Open, plain: list[str], empties: str) -> None:
    """Not after a command either; what was queued behind it comes when Enter asks for it."""
    with open_chat(half, *plain, columns=100) as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for("half an answer")
        program.send("two\rthree\r")
        program.wait_for("queued 2: three|the next message: three")
        program.send("\x1b")
        program.wait_for(r"queued 1: three\n(?s:.*)> two(\nopenai.*)?\Z")
        program.send(f"{empties}/title named\r")
        program.wait_for(r"\nnamed\n" + (r"> ?\Z" if plain else r"queued 1: three\n>\n.*Enter takes the next.*\Z"))
        program.send("\r")
        program.wait_for(r"\nnamed\n(>\n)?> three(\nopenai.*)?\Z")
        program.send(f"{empties}{empties}/title again\rfour\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        assert questions(chat) == ["one", "four"]


def test_draft_that_was_emptied_does_not_come_back_with_a_command(open_chat: Open) -> None:
    """Whether that was typed or is a key's own, and wherever; one that was not emptied stays, once."""
    with open_chat(half, columns=100, PAGER="cat", PATH="/usr/bin:/bin") as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for("half an answer")
        program.send("a draft\0")
        program.wait_for(r"> a draft\npaused - Enter")
        program.send("\x03?")
        program.wait_for(r"SPACE   goes on(?s:.*)\n>\n(?s:.*)paused")
        program.send("\x1b\x1b")
        program.wait_for(r"stopped\n\n>\n")
        program.send("/retry\r")
        program.wait_for("> one\n(?s:.*)> one\n(?s:.*)half an answer\n")
        program.send("a draft")
        program.wait_for(r"> a draft\n")
        program.send("\x1b")
        program.wait_for(at_prompt("a draft"))
        program.send("\x16")
        program.wait_for(r"(?s)half an answer.*half an answer.*clipboard.*\n> a draft\n[^\n]*\Z")
        assert "queued" not in program.text
        program.send("\x03")
        program.wait_for(at_prompt())
        program.send("\x1b[1;3D")
        program.wait_for(r"(?s)version 1 of 2.*\n>\n[^\n]*\Z")
        assert "> a draft" not in program.text


def test_command_that_is_typed_in_the_place_of_a_message_leaves_it(open_chat: Open, tmp_path: Path) -> None:
    """One that opens another session, too, and at a pause; but not one that ends an edit."""
    (tmp_path / "bad.bin").write_bytes(b"\x00\x01")
    refused = f"see @{tmp_path}/bad.bin"
    instead = "\x01{}\x0b\r"
    with open_chat(say("fine."), columns=120) as chat:
        program = chat.program
        answered(chat, "first")
        program.send("/new\r")
        program.wait_for("a new session")
        program.send(f"{refused}\r")
        program.wait_for(r"(?s)in the line again.*" + at_prompt(refused))
        program.send(instead.format("/load first"))
        program.wait_for(r"> /load first\n\n> first\n\nfine\.\n\n" + at_prompt(refused))
        program.send("\x15/edit\r")
        program.wait_for(at_prompt("first"))
        program.send(instead.format("/undo"))
        program.wait_for(r"is as it was\n" + at_prompt())
    with open_chat(half, columns=120) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send("guide it\x00")
        chat.program.wait_for(r"\n> guide it\npaused - ")
        chat.program.send(instead.format("/theme "))
        chat.program.wait_for(r"auto\n(?s:.*)\n> guide it\npaused - ")


@pytest.mark.parametrize(
    ("arguments", "more", "reply", "colour"),
    [
        ([], {}, "", DARK),
        ([], {}, "\x1b]11;rgb:ffff/fafa/f0f0\x1b\\", LIGHT),
        ([], {}, "\x1b]11;rgb:1e1e/1e1e/1e1e\x07", DARK),
        ([], {"COLORFGBG": "0;15"}, "", LIGHT),
        ([], {"COLORFGBG": "0;15"}, "\x1b]11;rgb:0/0/0\x07", DARK),
        (["--theme", "light"], {}, None, LIGHT),
        (["--theme", "dark"], {"COLORFGBG": "0;15"}, None, DARK),
        ([], {"NO_COLOR": "1"}, None, None),
    ],
)
def test_theme_fits_the_background(
    open_chat: Open, arguments: list[str], more: dict[str, str], reply: str | None, colour: bytes | None
) -> None:
    """As the terminal says it, else the environment; a flag wins; with NO_COLOR there is none, and nothing is asked."""
    with open_chat(say(CODE), *arguments, **more) as chat:
        program = chat.program
        assert (b"\x1b]11;?" in program.written) is (reply is not None)
        # In two parts, in the middle of what is typed.
        program.send("g" + (reply or "")[:9])
        program.send((reply or "")[9:] + "o\r")
        program.wait_for(r"def f\(\): pass\n─+\n\n>")

        assert questions(chat) == ["go"]
        assert {each for each in (DARK, LIGHT) if each in program.written} == ({colour} if colour else set())
        assert (COLOUR.search(program.written) is None) is (colour is None)


def test_theme_changes_with_the_next_answer(open_chat: Open) -> None:
    """/theme, from one answer to the next."""
    with open_chat(say(CODE)) as chat:
        chat.ask("one")
        chat.program.wait_for(r"pass\n─+\n\n" + at_prompt())
        assert LIGHT not in chat.program.written
        chat.program.send("/theme light\r")
        chat.program.wait_for(r"theme: light\n>")
        chat.ask("two")
        chat.program.wait_for(r"(?s)> two.*pass\n─+\n\n>")

        assert LIGHT in chat.program.written


def test_who_looks_elsewhere_is_notified(open_chat: Open, tmp_path: Path) -> None:
    """By the end of an answer while the terminal has lost the focus; not when it has it again."""
    gate = Gate()
    config = configured(tmp_path, '[chat]\nnotify = "osc777"\nnotify_after = 0\n')
    notified = b"\x1b]777;notify;llmterm;openai/test has answered\x07"
    with open_chat(held(gate), **config) as chat:
        chat.program.wait_for(lambda: b"\x1b[?1004h" in chat.program.written)
        chat.ask("one")
        chat.program.wait_for(r"answer 1\.")
        chat.program.send("x\x7f\x1b[O")  # an x, taken back: what was sent has been read when it was seen
        gate.open()
        chat.program.wait_for(r"answer 1\.\n\n" + at_prompt())
        assert chat.program.written.count(notified) == 1

        chat.program.send("\x1b[I")
        answered(chat, "two", "answer 2.")
        chat.program.send("\x1b[O")
        answered(chat, "three", "answer 3.")

        assert chat.program.written.count(notified) == 2
        assert chat.program.written.count(b"\x07") == 2


@pytest.mark.parametrize(("setting", "bells"), [("", 1), ('notify = "off"', 0), ("notify_after = 60", 0)])
def test_bell_rings_after_long_answers(open_chat: Open, tmp_path: Path, setting: str, bells: int) -> None:
    """Unless it is switched off."""
    config = "[chat]\n" + setting + ("" if "after" in setting else "\nnotify_after = 0")
    with open_chat(say("fine."), **configured(tmp_path, config)) as chat:
        chat.program.send("\x1b[O")
        answered(chat, "one")

        assert chat.program.written.count(b"\x07") == bells


@pytest.mark.parametrize("way", ["/quit\r", "\x04", "\x03\x03", signal.SIGTERM, signal.SIGHUP])
def test_modes_are_off_again(open_chat: Open, way: str | signal.Signals) -> None:
    """Bracketed paste and focus reports end with the chat; a signal may come while something is open on the screen."""
    with open_chat(say("fine.")) as chat:
        program = chat.program
        program.wait_for(lambda: {1004, 2004} <= program.modes_left)
        if isinstance(way, str):
            program.send(way)
        else:
            program.send("/re\t\x12x")
            program.wait_for("search 'x': ")
            os.kill(program.pid, way)

        program.wait_for_end()
        assert (program.stty(), program.modes_left) == (program.stty_before, set())


def test_image_is_refused_for_a_model_that_takes_none(open_chat: Open, tmp_path: Path) -> None:
    """Nothing is sent, and the question is in the line again, also after the command that names another model."""
    (tmp_path / "cat.png").write_bytes(PNG)
    question = f"see @{tmp_path}/cat.png"
    with open_chat(say("fine."), columns=200) as chat:
        chat.program.send("/model gpt-3.5-turbo\r")
        chat.program.wait_for(r"openai/gpt-3.5-turbo\n>")
        chat.ask(question)
        chat.program.wait_for(r"openai/gpt-3.5-turbo .*image")
        chat.program.wait_for(at_prompt(re.escape(question)))
        assert (chat.server.exchanges, chat.sessions()) == ([], [])
        chat.program.send("\x01/model gpt-4o\x0b\r")
        chat.program.wait_for(r"openai/gpt-4o\n>")
        chat.program.wait_for(at_prompt(re.escape(question)))
        chat.program.send("\r")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())

        [message] = chat.server.exchanges[0].body["messages"][1:]
        assert [part["type"] for part in message["content"]] == ["text", "image_url"]


@pytest.mark.parametrize(
    ("status", "words"), [(400, "This model has no vision"), (500, "image input is not supported")]
)
def test_image_goes_to_a_model_that_only_its_server_knows(
    open_chat: Open, tmp_path: Path, status: int, words: str
) -> None:
    """What the server says of it is said, once and clearly; later ones are refused before they are sent."""
    (tmp_path / "cat.png").write_bytes(PNG)
    question = f"see @{tmp_path}/cat.png"

    async def script(exchange: Exchange) -> None:
        if exchange.path.endswith("/chat/completions"):
            await exchange.refuse(status, {"error": {"message": words}})

    with open_chat(script, columns=200) as chat:
        for said in (f"{words}.*does take images, set attachments", "openai/test takes no images"):
            chat.ask(question)
            chat.program.wait_for(rf"(?s){said}.*in the line again.*" + at_prompt(re.escape(question)))
            chat.program.send("\x03")
            chat.program.wait_for(at_prompt())
        assert len(chat.server.exchanges) == 1


@pytest.mark.parametrize("term", ["dumb", None])
def test_terminal_that_knows_nothing_is_plain(tmp_path: Path, open_chat: Open, term: str | None) -> None:
    """TERM=dumb, or none at all: the same chat in plain lines, with the pager's and the clipboard's errors in words."""
    env = environment(tmp_path, OPENAI_API_KEY="k")
    del env["TERM"]
    with Program(
        ["env", *(["TERM=dumb"] if term else []), *LLMTERM, "chat", "-p", "openai", "-m", "m"], env
    ) as program:
        program.wait_for(READY)
        program.send("/theme pink\r/copy\r/title x\r/quit\r")

        assert program.exit_code == 0
        assert "error: there is no theme 'pink' (auto, dark, light, high-contrast)" in program.text
        assert "error: there is no answer yet" in program.text
        assert b"\x1b" not in program.written


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_terminal_of_one_cell(tmp_path: Path, plain: list[str]) -> None:
    """Begun, asked, and left in no space at all."""
    with WireServer(say("fine.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k")
        with Program([*LLMTERM, "chat", "-p", "openai", "-m", "m", *plain], env, columns=1, rows=1) as program:
            program.wait_for(lambda: ">" in program.text or {1004, 2004} <= program.modes_left)
            chat = Conversation(program, server, tmp_path / "data")
            chat.ask("hi")
            program.wait_for(lambda: bool(server.exchanges) and chat.sessions()[0].state == "complete")
            program.send("/quit\r")

            assert program.exit_code == 0
            assert b"Traceback" not in program.written
            assert chat.messages()[-1]["text"] == "fine."


@pytest.mark.parametrize("redirection", ["<&-", "</dev/null", ">&-"])
def test_closed_streams_are_said(tmp_path: Path, redirection: str) -> None:
    """Without something to read, or to write to, there is one clear line."""
    env = environment(tmp_path, OPENAI_API_KEY="k")
    with Program(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *LLMTERM, "chat", "-p", "openai", "-m", "m"], env
    ) as it:
        assert it.exit_code == 2
        assert "Traceback" not in it.text
        assert re.search(r"a chat needs a terminal to write to|no question on standard input", it.words)


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_ctrl_c_that_stops_an_answer_says_that_the_next_one_leaves(open_chat: Open, plain: list[str]) -> None:
    """At a pause as while it streams."""
    with open_chat(half, *plain) as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for("half an answer")
        program.send(" ")
        program.wait_for("paused after")
        program.send("\x03")
        program.wait_for(r"stopped(?s:.*)Ctrl-C again to leave")
        program.send("x\x7f")
        if not plain:
            program.wait_for(at_prompt())
        chat.ask("two")
        program.wait_for(r"(?s)> two\n.*half an answer")
        program.send("\x03")
        program.wait_for(r"(?s)> two.*stopped.*Ctrl-C again to leave")
        program.send("\x03")

        assert program.exit_code == 130


def test_plain_chat_says_everything_in_words(open_chat: Open) -> None:
    """`--plain`: what is queued, paused and gone on with is said; the cursor never moves."""
    gate = Gate()
    with open_chat(held(gate), "--plain") as chat:
        program = chat.program
        chat.ask("one")
        program.wait_for(r"answer 1\.")
        program.send("two\rthree\r")
        program.wait_for("queued as the next message: two")
        program.wait_for("queued as the next message: three")
        program.send("\x1b[Amore\r")
        program.wait_for("queued as the next message: threemore")
        program.send(" ")
        program.wait_for("paused after 1 token - SPACE resume")
        program.send(" ")
        program.wait_for(r"(?s)> two\n.*answer 3\..*> threemore\n.*answer 4\.\n> ?\Z")
        gate.open()
        program.send("\x04")

        assert program.exit_code == 0
        assert b"\x1b" not in re.sub(rb"\x1b\[\?2004[hl]", b"", program.written)
        assert b"\x08" not in program.written


def test_plain_line_can_be_edited(open_chat: Open, tmp_path: Path) -> None:
    """Words and lines are taken back, earlier messages come again, names are completed: each on a line of its own."""
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    with open_chat(say("fine."), "--plain", columns=120) as chat:
        program = chat.program
        program.send("one two three\x17\x17four\x15fresh\r")
        program.wait_for(r"fine\.\n> ?\Z")
        program.send("\x1b[A")
        program.wait_for(r"> fresh\Z")
        program.send("\x15\x1b[200~P1\nP2\x1b[201~\r")
        program.wait_for(r"> P1\n  P2\n(?s:.*)fine\.\n> ?\Z")
        program.send("/the\t")
        program.wait_for(r"> /theme\Z")
        program.send("\x15/th\t")
        program.wait_for(r"/theme, /thinking\n> /th\Z")
        program.send("\x15ab日本\x7f\x7f")
        program.wait_for(r"\n> ab\Z")
        program.send("\x15alpha beta\x1b\rgamma\x17")
        program.wait_for(r"> alpha beta\Z")
        program.send("\x15\x15\x15fr\x1b[A")
        program.wait_for(r"> fresh\Z")
        program.send("\x1b[B")
        program.wait_for(r"> fr\Z")

        assert questions(chat) == ["fresh", "P1\nP2"]


@pytest.mark.parametrize("plain", [["--plain"], []])
def test_completion_of_nothing_is_no_failure(open_chat: Open, plain: list[str]) -> None:
    """Before there is an answer /copy has nothing to complete: that is all."""
    with open_chat(say("fine."), *plain) as chat:
        chat.program.send("/copy \t")
        chat.program.wait_for("> /copy")
        chat.program.send("\x15go\r")
        chat.program.wait_for(r"fine\.")

        assert "Traceback" not in chat.program.text


def test_message_taller_than_the_window_leaves_nothing_behind(open_chat: Open) -> None:
    """Of its lines the first and the last are in the scrollback, once."""
    lines = [f"line {number:02}" for number in range(60)]
    with open_chat(say("fine.")) as chat:
        chat.program.send("\x1b[200~" + "\n".join(lines) + "\x1b[201~\x0f")
        chat.program.wait_for("line 59")
        chat.program.send("\r")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())

        assert re.findall(r"line \d\d", chat.program.text.rpartition("fine.")[0]) == [*lines[:9], *lines[-3:]]


def test_ctrl_space_pauses_while_something_is_typed(open_chat: Open) -> None:
    """SPACE is a blank there, and the line below says what pauses; what was typed stays."""
    with open_chat(half, columns=100) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send("a wish ")
        chat.program.wait_for(r"> a wish ?\n.* - Enter queue - Ctrl-SPACE pause")
        chat.program.send("\x00")
        chat.program.wait_for(r"\n> a wish\npaused - ")


def test_queue_is_seen_at_a_pause(open_chat: Open) -> None:
    """Nobody has to remember what is waiting."""
    with open_chat(half) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        chat.program.send("next\r ")
        chat.program.wait_for(r"queued 1: next\n>\npaused after")


def test_empty_answer_is_said(open_chat: Open) -> None:
    """Nothing between a question and the next prompt looks like a failure."""
    with open_chat(say()) as chat:
        chat.ask("go")
        chat.program.wait_for(r"the answer is empty\n" + at_prompt())


def test_given_back_question_can_be_emptied_in_a_plain_chat(open_chat: Open) -> None:
    """Ctrl-C empties the line there too; on an empty line Ctrl-D leaves."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "bad key"}})

    with open_chat(refuse, "--plain") as chat:
        chat.ask("one")
        chat.program.wait_for(r"bad key[^>]*> one\Z")
        chat.program.send("\x03")
        chat.program.wait_for(r"> one\n>\Z")
        chat.program.send("\x04")

        assert chat.program.exit_code == 0
