"""Every command of the chat in a real terminal, with what it is for and with what it refuses."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chatting import Conversation, Open, opened
from tests.wire import Exchange, Script, say

ANSWER = "Here it is:\n\n```py\nx = 1\n```\n\nand\n\n~~~sh\nls\n~~~\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
OSC52 = re.compile(rb"\x1b\]52;c;([^\x07]*)\x07")
EMPTY = "\x15"  # Ctrl-U
# The prompt, and the bar below it, at the end of what is seen.
AT_PROMPT = re.compile(r"(?ms)(.*?)^>(?: ([^\n]*))?\n((?!.*SPACE pause)[a-z]+/[^\n]*)\Z")


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path, columns=200, rows=60)


def told(chat: Conversation, command: str) -> str:
    """Run a command, and return what is said below it, when the prompt is there again."""
    echo = f"> {command.rstrip()}\n"
    before = chat.program.text.count(echo)
    chat.program.send(f"{command}\r")

    def after() -> re.Match[str] | None:
        text = chat.program.text
        return AT_PROMPT.match(text.rpartition(echo)[2]) if text.count(echo) > before else None

    chat.program.wait_for(lambda: after() is not None)
    found = after()
    assert found is not None
    return found[1]


def expect(chat: Conversation, *pairs: tuple[str, str]) -> None:
    """Run commands, and see that what is said has what each pattern finds."""
    for command, pattern in pairs:
        said = told(chat, command)
        assert re.search(pattern, said), f"{command}: {said}"


def at_prompt(draft: str = "") -> str:
    return rf"(?<=\n)> ?{draft}\n(?!.*SPACE pause)openai/[^\n]*\Z"


def asked(exchange: Exchange) -> list[object]:
    """Return what the user's messages of a request say."""
    return [each["content"] for each in exchange.body["messages"] if each["role"] == "user"]


def copied(chat: Conversation) -> list[str]:
    return [base64.b64decode(found).decode() for found in OSC52.findall(chat.program.written)]


def test_choices(open_chat: Open) -> None:
    """Who answers and how: shown without an argument, changed with one, and what cannot be is refused."""
    with open_chat(say("fine.")) as chat:
        expect(
            chat,
            ("/model ", r"^openai/test\n"),
            ("/model other", r"^openai/other\n"),
            ("/provider ", r"^openai/other\n"),
            ("/provider nonsense", r"^there is no provider 'nonsense'"),
            ("/provider openai/third", r"^openai/third\n"),
            ("/model openai/second", r"^openai/second\n"),
            ("/model meta/second", r"^openai/meta/second\n"),
            ("/provider anthropic", r"^no key for anthropic \(set ANTHROPIC_API_KEY; get one at [^()]*\)\n"),
            ("/model anthropic/claude", r"^no key for anthropic \(set"),
            ("/provider anthropic/claude", r"^no key for anthropic \(set"),
            ("/provider openai/third", r"^openai/third\n"),
            ("/temperature", r"^temperature: the provider's default\n"),
            ("/temperature 0.5", r"^temperature: 0\.5\n"),
            ("/temperature hot", r"^hot is no temperature \(a number from 0 to 2, or default\)"),
            ("/temperature nan", r"^nan is no temperature"),
            ("/temperature 3", r"^3 is no temperature"),
            ("/effort", r"^effort: the provider's default\n"),
            ("/effort low", r"^effort: low\n"),
            ("/effort much", r"^there is no effort 'much' \(off, minimal, low, medium, high, max, default\)"),
            ("/top-p 2", r"^2 is no top-p \(a number from 0 to 1, or default\)"),
            ("/top-p 0.25", r"^top-p: 0\.25\n"),
            ("/verbosity high", r"^verbosity: high\n"),
            ("/service-tier flex", r"^service tier: flex\n"),
            ("/web-search on", r"^web search: on\n"),
            ("/resume-mode", r"^resume mode: auto\n"),
            ("/resume-mode instruct", r"^resume mode: instruct\n"),
            ("/resume-mode never", r"^there is no resume mode 'never' \(auto, prefill, .*instruct\)"),
            ("/resume-mode auto", r"^resume mode: auto\n"),
            ("/pause-mode", r"^pause mode: cut\n"),
            ("/pause-mode hold", r"^pause mode: hold\n"),
            ("/pause-mode stop", r"^there is no pause mode 'stop' \(cut or hold\)"),
            ("/theme ", r"^theme: auto\n"),
            ("/theme light", r"^theme: light\n"),
            ("/theme pink", r"^there is no theme 'pink' \(auto, dark, light, high-contrast\)"),
            ("/system", r"^there is no system prompt of yours\n\nIf you notice that .*!!CANCEL"),
            ("/system Be brief.", r"^Be brief\.\n\nIf you notice that "),
            ("/info", r"about the marker +If you notice that"),
            ("/info", r"(?s)session +not begun yet\n.*openai/third\n.*Be brief.\n.*0\.5\n.*hold\n.*auto\n"),
            ("/info", r"(?s)effort +low\n.*top-p +0\.25\n.*verbosity +high\n.*service tier +flex\n"),
        )
        chat.ask("hi")
        chat.program.wait_for(r'(?s)openai has no web search .*api = "responses".*in the line again.*> hi\n')
        chat.program.send(EMPTY)
        expect(chat, ("/web-search default", r"^web search: the provider's default\n"))
        chat.ask("hi")
        chat.program.wait_for(r"fine\.\n\n>")

        body = chat.server.exchanges[0].body
        assert (body["model"], body["temperature"]) == ("third", 0.5)
        wished = [body[name] for name in ("reasoning_effort", "top_p", "verbosity", "service_tier")]
        assert wished == ["low", 0.25, "high", "flex"]
        assert body["messages"][0]["content"].startswith("Be brief.")


def test_before_anything_was_said(open_chat: Open, tmp_path: Path) -> None:
    """Each command that needs an answer, a question or a session says that there is none."""
    with open_chat(say("fine.")) as chat:
        expect(
            chat,
            *((command, r"^there is no answer yet\n") for command in ("/copy", "/copy code 1", "/pager", "/seams")),
            (f"/save {tmp_path / 'x'}", r"^there is no answer yet\n"),
            *((command, r"^nothing was said yet\n") for command in ("/retry", "/undo", "/edit", "/export", "/branch")),
            ("/tokens", r"^nothing was answered yet\n"),
            ("/thinking", r"^there is no answer yet\n"),
            ("/continue", r"^there is no answer to go on with"),
            ("/discard", r"^there is no answer to go on with"),
            ("/sessions", r"^there is no session yet\n"),
            ("/search x", r"^nothing was found\n"),
            ("/load ", r"^which session\? \(/load ID; /sessions lists them\)"),
            ("/load nonsense", r"^no session 'nonsense'"),
            ("/title", r"^the session has no title yet\n"),
            *((f"/{name}", r"^no answer is paused") for name in ("back", "again", "both", "newer")),
            ("/on x", r"^nothing was asked yet \(/model NAME"),
            ("/attach", r"^nothing is attached to the next message\n"),
        )
        assert chat.sessions() == []
        assert not (tmp_path / "x").exists()


def test_help_lists_every_command_that_is_completed(open_chat: Open) -> None:
    """One registry: what help lists is what Tab offers, each with a summary; a slip names the nearest."""
    with open_chat(say("fine.")) as chat:
        said = told(chat, "/help")
        listed = dict(re.findall(r"(?m)^/(\S+) (?:.*?)  +(\S.*)$", said))
        expect(
            chat,
            ("/keys", r"(?s)Ctrl-X Ctrl-E +opens the line in your editor\n.*SPACE +pauses.*Alt-E +/edit"),
            ("/?", r"(?s)SPACE +goes on\n.*Esc +keeps it as it is"),
            ("/temprature 1", r"^there is no /temprature \(did you mean /temperature\?\)"),
            ("/xyzzy", r"^there is no /xyzzy \(/help lists all\)"),
            ("/", r"^there is no / "),
        )

        words = """
            ? again attach back both branch clear compare continue copy discard doctor edit effort exit export help
            info keys load model new newer on pager paste pause-mode provider quit resume-mode retry role save seams
            search service-tier sessions steer system temperature theme thinking title tokens top-p undo verbosity
            versions web-search
        """
        assert set(listed) == set(words.split())
        assert all(listed.values())


def test_doctor_looks_from_inside(open_chat: Open) -> None:
    """The report of `llmterm doctor`, without a key in it."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(200, {"data": []})

    with open_chat(script) as chat:
        said = told(chat, "/doctor")

        assert re.search(r"(?s)llmterm .*terminal .*key openai +in OPENAI_API_KEY\n.*provider openai.*A chat can", said)
        assert "sk-test" not in chat.program.text


async def with_code(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.raw(
        b'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "I wonder."}, "finish_reason": null}]}\n\n'
    )
    await exchange.text(ANSWER)
    await exchange.end()


def test_what_can_be_taken_out_of_an_answer(open_chat: Open, tmp_path: Path) -> None:
    """To the clipboard, to files, to the pager; whole, or its code; nothing is written over."""
    got = tmp_path / "got"
    pager = tmp_path / "less"
    pager.write_text(f"#!/bin/sh\ncat > '{got}'\n", "utf-8")
    pager.chmod(0o755)
    with open_chat(with_code, columns=400, PAGER=str(pager)) as chat:
        chat.ask("code, please")
        chat.program.wait_for(at_prompt())
        expect(
            chat,
            ("/copy", rf"^copied {len(ANSWER)} characters \(terminal\)\n"),
            ("/copy code", r"^copied 2 characters \(terminal\)\n"),
            ("/copy code 1", r"^copied 5 characters \(terminal\)\n"),
            ("/copy code 3", r"^there is no code block 3 \(there are 2\)"),
            ("/copy code 0", r"^there is no code block 0"),
            ("/copy all", r"^what of the answer\? \(nothing for all of it, or code N\)"),
            ("/copy code one", r"^what of the answer\?"),
            (f"/save {tmp_path}/a.md", r"^written to .*a\.md\n"),
            (f"/save {tmp_path}/over.md", r"^written to .*over\.md\n"),
            (f"/save {tmp_path}", r"is there already, and no file"),
            (f"/export {tmp_path}/e.html", r"^a session cannot be written as \.html \(name the file \.md or \.json\)"),
            (f"/export {tmp_path}/e.txt", r"^a session cannot be written as \.txt"),
            (f"/save {tmp_path}/a b.py code 1", r"^written to .*a b\.py\n"),
            (f"/save {tmp_path}/my code.sh code", r"^written to .*my code\.sh\n"),
            (f"/save {tmp_path}/x code 9", r"^there is no code block 9"),
            (f"/save {tmp_path}/nowhere/x", r"cannot be written: No such file"),
            (f"/save {'x' * 300}", r"cannot be"),
            ("/save ~nosuchuser/x", r"cannot be the name of a file"),
            ("/save", r"^to which file\? \(/save FILE\)"),
            (f"/export {tmp_path}/s.json", r"^written to .*s\.json\n"),
            (f"/export {tmp_path}/s.md", r"^written to .*s\.md\n"),
            ("/thinking", r"^I wonder\.\n"),
            ("/tokens", r"^  openai/test +5 in, 7 out, 1 part\n"),
            ("/seams", r"^no seam was changed"),
            ("/seams undo 1", r"^nothing was changed at seam 1"),
            ("/seams redo", r"^what about the seams\? \(/seams, or /seams undo N\)"),
            ("/pager", r"\A\Z"),
        )

        for command, answer, said in (
            (f"/save {tmp_path}/a.md code 2", "n", r"a\.md is as it was"),
            (f"/export {tmp_path}/s.md", "N", r"s\.md is as it was"),
            (f"/export {tmp_path}/s.json", "\x04", r"s\.json is as it was"),
            (f"/save {tmp_path}/over.md code 2", "y", r"y/N\s+> y\s+written to [^\n]*over\.md\n"),
        ):
            chat.program.send(f"{command}\r")
            chat.program.wait_for(re.escape(command.split()[1]) + r" is there already: write over it\? y/N\s+>")
            chat.program.send(f"{answer}\r")
            chat.program.wait_for(said)

        assert copied(chat) == [ANSWER, "ls", "x = 1"]
        assert b"\x1b]52" not in OSC52.sub(b"", chat.program.written)
        assert (tmp_path / "a.md").read_text("utf-8") == ANSWER
        assert (tmp_path / "over.md").read_text("utf-8") == "ls\n"
        assert not [each.name for each in tmp_path.iterdir() if each.name.startswith((".llmterm", "e."))]
        assert (tmp_path / "a b.py").read_text("utf-8") == "x = 1\n"
        assert (tmp_path / "my code.sh").read_text("utf-8") == "ls\n"
        assert not (tmp_path / "x").exists()
        assert json.loads((tmp_path / "s.json").read_text("utf-8"))["messages"] == chat.messages()
        assert "code, please" in (tmp_path / "s.md").read_text("utf-8")
        assert "x = 1" in re.sub(r"\x1b\[[\d;]*m", "", got.read_text("utf-8"))


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_question_for_a_yes_takes_enter_for_no_and_is_not_remembered(
    open_chat: Open, tmp_path: Path, plain: list[str]
) -> None:
    path = tmp_path / "a.md"
    with open_chat(say("fine."), *plain, columns=200) as chat:
        program = chat.program
        chat.ask("go")
        program.wait_for(r"fine\.\n+> ?(\n.*)?\Z")
        for before, answer, after in (
            ("old", "", "old"),
            ("old", "n", "old"),
            ("old", "y", "fine."),
            ("", "YES", "fine."),
        ):
            path.write_text(before, "utf-8")
            program.send(f"/save {path}\r")
            program.wait_for(r"over it\? y/N\n> ?(\n.*)?\Z")
            program.send(f"{answer}\r")
            program.wait_for(r"(is as it was|written to [^\n]*)\n> ?(\n.*)?\Z")
            assert path.read_text("utf-8").strip() == after
        program.send("\x1b[A")
        program.wait_for(r"> /save [^\n]*a\.md(\n.*)?\Z")
        program.send("\x1b[A" * 4)
        program.wait_for(r"> go(\n.*)?\Z")


def test_last_question_is_asked_again_taken_back_and_edited(open_chat: Open) -> None:
    """/retry, /undo and /edit: the record has what is on the screen, and no more."""
    count = 0

    async def script(exchange: Exchange) -> None:
        nonlocal count
        count += 1
        await say(f"answer {count}.")(exchange)

    with open_chat(script) as chat:
        for number, question in enumerate(("one", "two"), 1):
            chat.ask(question)
            chat.program.wait_for(rf"answer {number}\.\n\n" + at_prompt())
        expect(chat, ("/retry", r"^\n> two\n\nanswer 3\."))
        assert [each["text"] for each in chat.messages()] == ["one", "answer 1.", "two", "answer 3."]

        expect(chat, ("/undo", r"^taken back: two\n"))
        assert [each["text"] for each in chat.messages()] == ["one", "answer 1."]

        expect(chat, ("/edit", r"\A\Z"))
        chat.program.wait_for(at_prompt("one"))
        assert [each["text"] for each in chat.messages()] == ["one", "answer 1."]
        chat.program.send(" more\r")
        chat.program.wait_for(r"answer 4\.\n\n" + at_prompt())

        assert [asked(each) for each in chat.server.exchanges] == [
            ["one"],
            ["one", "two"],
            ["one", "two"],
            ["one more"],
        ]
        assert [each["text"] for each in chat.messages()] == ["one more", "answer 4."]
        expect(chat, ("/undo", "taken back"), ("/undo", "nothing was asked yet"), ("/retry", "nothing was asked yet"))


def test_retry_that_fails_changes_nothing(open_chat: Open, tmp_path: Path) -> None:
    """The answer stays, the line is empty, and the next try asks the same, with its files in it once."""
    (tmp_path / "notes.txt").write_text("remember", "utf-8")
    (tmp_path / "cat.png").write_bytes(PNG)
    fails = False

    async def script(exchange: Exchange) -> None:
        if fails:
            await exchange.refuse(422, {"error": {"message": "boom"}})
        else:
            await say("fine.")(exchange)

    with open_chat(script, "--model", "gpt-4o") as chat:
        chat.ask(f"see @{tmp_path}/notes.txt and @{tmp_path}/cat.png")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        fails = True
        before = chat.messages()
        chat.program.send("/retry\r")
        chat.program.wait_for(r"(?s)boom \(HTTP 422.*\n>\nopenai/gpt-4o - 12 tokens - see")
        assert chat.messages() == before
        expect(chat, ("/copy", "^copied 5 characters"), ("/info", r"messages +2\n"))
        fails = False
        chat.program.send("/retry\r")
        chat.program.wait_for(r"(?s)boom.*fine\.\n\n" + at_prompt())

        assert [each["text"] for each in chat.messages()] == [each["text"] for each in before]
        first, second, third = (asked(each) for each in chat.server.exchanges)
        assert first == second == third


def test_retry_that_is_stopped_before_a_word_came_changes_nothing(open_chat: Open) -> None:
    """Esc stops it, and leaving does: in both cases the answer that was there stays."""
    answered = False

    async def script(exchange: Exchange) -> None:
        nonlocal answered
        if answered:
            await exchange.start()
            await exchange.hung_up()
        else:
            answered = True
            await say("fine.")(exchange)

    with open_chat(script) as chat:
        chat.ask("one")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        before = chat.messages()
        chat.program.send("/retry\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)
        chat.program.send("\x1b")
        chat.program.wait_for(r"the answer before this one stays\n" + at_prompt())
        assert chat.messages() == before
        expect(chat, ("/info", r"messages +2\n"))
        chat.program.send("/retry\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 3)
        chat.program.send("\x03\x03")
        chat.program.wait_for_end()

        assert chat.program.exit_code == 130
        assert chat.messages() == before
        assert "the answer before this one stays\n" in chat.program.text


def test_plain_chat_says_that_a_question_is_edited(open_chat: Open) -> None:
    """There is no line below the prompt to say it."""
    with open_chat(say("fine."), "--plain") as chat:
        chat.ask("one")
        chat.program.wait_for(r"fine\.\n")
        chat.program.send("/edit\r")

        chat.program.wait_for(r"edits the last question, Esc leaves it\n> one$")


def test_plain_chat_says_that_an_answer_was_stopped(open_chat: Open) -> None:
    """A state in words, as all of them."""
    with open_chat(halves("half", HANGS), "--plain") as chat:
        chat.ask("one")
        chat.program.wait_for(r"half")
        chat.program.send("\x1b")

        chat.program.wait_for(r"half\n+stopped; /continue goes on with the answer\n>$")


def test_what_is_at_rest_counts(open_chat: Open) -> None:
    """In the figures of a session that has nothing else yet."""
    with open_chat(halves("half", HANGS)) as chat:
        chat.ask("one")
        chat.program.wait_for("half")
        chat.program.send(" ")
        chat.program.wait_for("paused after")

        chat.program.send("/info\r")
        chat.program.wait_for(r"messages +2\n")
        chat.program.send("/tokens\r")
        chat.program.wait_for(r"openai/test +about \d+ in, 1 out, 1 part\n")


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_answer_at_rest_is_written_to_files_and_goes_on(open_chat: Open, tmp_path: Path, plain: list[str]) -> None:
    """In both views; a file that is there is written over after a yes, and the answer stays at its pause."""
    old = tmp_path / "old.md"
    old.write_text("old", "utf-8")
    with open_chat(halves("half", " whole."), *plain) as chat:
        chat.ask("one")
        chat.program.wait_for("half")
        chat.program.send(" ")
        for sent, said in (
            (f"/save {tmp_path}/new.md", r"written to \S+new\.md\n"),
            (f"/export {tmp_path}/e.html", r"a session cannot be written as \.html"),
            (f"/export {tmp_path}/e.json", r"written to \S+e\.json\n"),
            (f"/save {old}", r"old\.md is there already: write over it\? y/N"),
            ("y", r"written to \S+old\.md\n"),
        ):
            chat.program.send(f"{sent}\r")
            chat.program.wait_for(said)
        chat.program.send(" ")
        chat.program.wait_for(r"whole\.")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

    assert (tmp_path / "new.md").read_text("utf-8") == old.read_text("utf-8") == "half\n"
    exported = json.loads((tmp_path / "e.json").read_text("utf-8"))["messages"]
    assert [message["text"] for message in exported] == ["one", "half"]
    assert not (tmp_path / "e.html").exists()


def test_edit_that_is_left_changes_nothing(open_chat: Open) -> None:
    """By /undo, by a branch, by leaving: nothing was taken away."""
    with open_chat(say("fine.")) as chat:
        chat.ask("one")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        before = chat.messages()
        for command, pattern in (
            ("/copy", "^copied 5 characters"),
            ("/undo", "^the question that was to be edited is as it was"),
            ("/branch", r"\(branch\)”\n"),
        ):
            chat.program.send("/edit\r")
            chat.program.wait_for(at_prompt("one"))
            chat.program.send(EMPTY)
            expect(chat, (command, pattern))
            chat.program.send(EMPTY)
        expect(chat, ("/info", r"messages +2\n"))
        chat.program.send(f"{EMPTY}/edit\r")
        chat.program.wait_for(at_prompt("one"))
        chat.program.send(f"{EMPTY}\x04")

        assert chat.program.exit_code == 0
        assert chat.messages() == before
        assert [info.messages for info in chat.sessions()] == [2, 2]


def test_edit_twice_edits_the_same_question(open_chat: Open) -> None:
    """An emptied line does not reach one question further back."""
    with open_chat(say("fine.")) as chat:
        for question in ("one", "two"):
            chat.ask(question)
            chat.program.wait_for(rf"> {question}\n\nfine\.\n\n" + at_prompt())
        for _ in range(2):
            chat.program.send(f"{EMPTY}/edit\r")
            chat.program.wait_for(at_prompt("two"))
        chat.program.wait_for(r"> /edit\n> /edit\n" + at_prompt("two"))
        chat.program.send("!\r")
        chat.program.wait_for(r"two!\n\nfine\.\n\n" + at_prompt())

        assert [each["text"] for each in chat.messages()] == ["one", "fine.", "two!", "fine."]


def test_bar_tells_that_a_question_takes_the_place_of_another(open_chat: Open) -> None:
    """Also once the line is empty, until the edit is left: by Esc, with what stands in the line, or by /undo."""
    with open_chat(say("fine.")) as chat:
        chat.ask("one")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        chat.program.send("/edit\r")
        chat.program.wait_for(r"\n> one\nopenai/test - edits the last question, Esc leaves it[^\n]*\Z")
        chat.program.send(" more\x1b")
        chat.program.wait_for(r"is as it was\n>\nopenai/test - (?!edits)[^\n]*\Z")
        chat.program.send("/edit\r")
        chat.program.wait_for(r"\n> one\nopenai/test - edits the last question, Esc leaves it[^\n]*\Z")
        chat.program.send("\x03")
        chat.program.wait_for(r"\n>\nopenai/test - edits the last question, Esc leaves it[^\n]*\Z")
        chat.program.send("/undo\r")
        chat.program.wait_for(r"is as it was\n>\nopenai/test - (?!edits)[^\n]*\Z")
        chat.ask("two")
        chat.program.wait_for(r"> two\n\nfine\.\n\n" + at_prompt())

        assert [each["text"] for each in chat.messages()] == ["one", "fine.", "two", "fine."]


def test_edited_question_that_is_left_at_a_pause_can_be_gone_on_with(open_chat: Open) -> None:
    """As the screen says, although nothing of its answer had come; without one the earlier question is back."""
    with open_chat(halves("fine.", HANGS)) as chat:
        chat.ask("one")
        chat.program.wait_for("fine")
        chat.program.send("\x1b")
        chat.program.wait_for(at_prompt())
        before = chat.messages()
        chat.program.send("/edit\r")
        chat.program.wait_for(at_prompt("one"))
        chat.program.send(" long and careful\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x04")
        chat.program.wait_for("llmterm chat --continue goes on with it")
        assert chat.program.exit_code == 0
        assert [each["text"] for each in chat.messages()] == ["one long and careful", ""]

    with open_chat(say("more."), "--continue") as chat:
        chat.program.wait_for("> one long and careful\n(?s:.*)paused after")
        chat.program.send("\x1b")
        chat.program.wait_for(at_prompt())
        assert chat.messages() == before
        chat.ask("two")
        chat.program.wait_for(r"more\.\n\n" + at_prompt())

        assert [each["text"] for each in chat.messages()] == ["one", "fine.", "two", "more."]


def test_answer_that_was_to_be_replaced_outlives_a_kill(open_chat: Open) -> None:
    """The next chat has it again, where nothing came in its place."""
    with open_chat(halves("fine.", HANGS)) as chat:
        chat.ask("one")
        chat.program.wait_for("fine")
        chat.program.send("\x1b")
        chat.program.wait_for(at_prompt())
        before = chat.messages()
        chat.program.send("/retry\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)
        os.kill(chat.program.pid, signal.SIGKILL)
        chat.program.wait_for_end()

    with open_chat(say("more."), "--continue") as chat:
        chat.program.wait_for(r"> one\n\nfine\.\n\n(■ stopped\n\n)?" + at_prompt())

        assert chat.messages() == before


def test_question_that_is_being_answered_is_in_the_pager(open_chat: Open, tmp_path: Path) -> None:
    """At a pause, with all that was said before and the answer as far as it is."""
    pager = tmp_path / "less"
    pager.write_text(f"#!/bin/sh\ncat > '{tmp_path}/got'\n", "utf-8")
    pager.chmod(0o755)
    with open_chat(halves("one two ", "three."), PAGER=str(pager)) as chat:
        chat.ask("count")
        chat.program.wait_for("one two")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("/pager all\r")
        chat.program.wait_for(lambda: (tmp_path / "got").exists() and (tmp_path / "got").stat().st_size > 0)
        chat.program.wait_for(r"\n>\npaused after[^\n]*\Z")

        got = re.sub(r"\x1b\[[\d;]*m", "", (tmp_path / "got").read_text("utf-8"))
        assert got.index("count") < got.index("one two")


def test_title_outlives_a_first_question_that_is_refused(open_chat: Open) -> None:
    """It is the user's."""
    refused = False

    async def script(exchange: Exchange) -> None:
        nonlocal refused
        if refused:
            await say("fine.")(exchange)
        else:
            refused = True
            await exchange.refuse(422, {"error": {"message": "boom"}})

    with open_chat(script) as chat:
        expect(chat, ("/new My project", r"^a new session, “My project”\n"))
        chat.ask("hello")
        chat.program.wait_for(r"(?s)boom.*" + at_prompt("hello"))
        chat.program.send("\r")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())

        assert [info.title for info in chat.sessions()] == ["My project"]


def test_edit_that_fails_stays_in_the_line(open_chat: Open) -> None:
    """What it was to replace is there until it is answered, and then gone from the record."""
    fails = False

    async def script(exchange: Exchange) -> None:
        if fails:
            await exchange.refuse(401, {"error": {"message": "boom"}})
        else:
            await say("fine.")(exchange)

    with open_chat(script) as chat:
        for question in ("one", "two"):
            chat.ask(question)
            chat.program.wait_for(rf"> {question}\n\nfine\.\n\n" + at_prompt())
        fails = True
        chat.program.send("/edit\r")
        chat.program.wait_for(at_prompt("two"))
        chat.program.send("!\r")
        chat.program.wait_for(r"(?s)boom.*" + at_prompt("two!"))
        assert [each["text"] for each in chat.messages()] == ["one", "fine.", "two", "fine."]
        fails = False
        chat.program.send("!\r")
        chat.program.wait_for(r"two!!\n\nfine\.\n\n" + at_prompt())

        assert [asked(each) for each in chat.server.exchanges[2:]] == [["one", "two!"], ["one", "two!!"]]
        assert [each["text"] for each in chat.messages()] == ["one", "fine.", "two!!", "fine."]
        assert [info.messages for info in chat.sessions()] == [4]


def test_seams_belong_to_the_answer_to_the_last_question(open_chat: Open) -> None:
    """Where that has none, nothing is shown, and the question stays as it was asked."""
    beginning = "The first of the seven wonders is the pyramid of Giza, "
    with open_chat(halves(beginning, "the pyramid of Giza, which still stands.", HANGS)) as chat:
        chat.ask("go")
        chat.program.wait_for("Giza")
        chat.program.send("  ")
        chat.program.wait_for(r"Giza, which still stands\.\n\n" + at_prompt())
        chat.ask("and?")
        chat.server.wait(lambda: len(chat.server.exchanges) == 3)
        chat.program.send("\x1b")
        chat.program.wait_for(r"> and\?\n(?s:.*)" + at_prompt())
        expect(
            chat,
            *(
                (command, "^the last question has no answer")
                for command in ("/seams", "/seams undo 1", "/seams undo 2")
            ),
            ("/copy", "^copied"),
        )

        assert chat.messages()[-1]["text"] == "and?"


def test_sessions(open_chat: Open) -> None:
    """Named, found, listed, left, branched and opened again."""
    with open_chat(say("fine.")) as chat:
        expect(chat, ("/new Birds", r"^a new session, “Birds”\n"))
        for number, question in enumerate(("about owls", "about larks"), 1):
            chat.ask(question)
            chat.program.wait_for(lambda: len(chat.server.exchanges) == number)  # noqa: B023
            chat.program.wait_for(rf"{question}\n\nfine\.\n\n" + at_prompt())
        [birds] = (info.id for info in chat.sessions())
        expect(
            chat,
            ("/title", r"^Birds\n"),
            ("/title All birds", r"^All birds\n"),
            ("/search", r"^search for what\?"),
            ("/search walrus", r"^nothing was found\n"),
            ("/branch 1", r"^this is \w+, “All birds \(branch\)”\n"),
            ("/sessions", rf"(?s)\(branch\)  \(this one\)\n{birds} .*All birds\n"),
            ("/branch 2", r"^there is no question '2' \(there are 1\)"),
            ("/branch none", r"^there is no question 'none'"),
            ("/undo", r"^taken back: about owls\n"),
            (f"/load {birds}", r"(?s)^2 earlier messages: /pager all shows .*\n> about larks\n\nfine\."),
            ("/info", rf"(?s)session +{birds}\n.*title +All birds\n.*messages +4\n"),
            ("/new", r"^a new session\n"),
            ("/info", r"session +not begun yet\n"),
            ("/discard", r"^there is no answer to go on with"),
            (f"/discard {birds}", r"^the answer of that session is over\n"),
            ("/load birds", rf"^which one is 'birds'\? \(\w+ All birds \(branch\); {birds} All birds\)\n"),
            ("/load bidrs", r"^no session 'bidrs' \(the nearest is \w+, 'All birds"),
            ("/load BRANCH birds", r"\A\Z"),
            ("/title", r"^All birds \(branch\)\n"),
            (f"/new {'long ' * 20}end", rf"^a new session, “{('long ' * 20)[:59].rstrip()}…”\n"),
            (f"/title {'wide ' * 20}end", rf"^{('wide ' * 20)[:59].rstrip()}…\n"),
            ("/new", r"^a new session\n"),
        )
        chat.program.wait_for(r"\nopenai/test\Z")

        assert sorted((info.title, info.messages) for info in chat.sessions()) == [
            ("All birds", 4),
            ("All birds (branch)", 0),
        ]


def test_clear_and_quit(open_chat: Open) -> None:
    """A clear screen and a new session; /quit leaves, at a pause too, and what was there can be gone on with."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("half ")
        await exchange.hung_up()

    with open_chat(script) as chat:
        chat.program.send("/clear\r")
        chat.program.wait_for(r"\A>\nopenai/test\Z")
        chat.ask("go")
        chat.program.wait_for("half")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("/quit\r")

        assert chat.program.exit_code == 0
        assert "half" in chat.program.text
        assert chat.sessions()[0].state == "paused"


HANGS = "nothing comes"


def halves(first: str, second: str, third: str = "") -> Script:
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        text = (first, second, third)[min(asked, 3) - 1]
        if text != HANGS:
            await exchange.text(text)
        if asked == 1 or text == HANGS:
            await exchange.hung_up()
        else:
            await exchange.end()

    return script


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_stopped_answer_goes_on(open_chat: Open, plain: list[str]) -> None:
    """/continue asks for the rest of it, below its last words: the rest stands above. A whole one has no rest."""
    with open_chat(halves("Counting.\n\none two ", "three."), *plain) as chat:
        program = chat.program
        chat.ask("count")
        program.wait_for("one two")
        program.send("\x1b")
        program.wait_for(r"one two\n(stopped; .*\n>|\n■ stopped\n\n" + at_prompt() + r")")
        assert chat.messages()[-1]["status"] == "interrupted"
        program.send("/continue\r")
        program.wait_for(r"> /continue\n(openai.*|\s*)\none two\s+three\.\n" + (">" if plain else r"\n" + at_prompt()))

        assert (program.text.count("Counting."), program.text.count("> count")) == (1, 1)
        assert [each["text"] for each in chat.messages()] == ["count", "Counting.\n\none two three."]
        if plain:
            return
        assert chat.messages()[-1]["status"] == "complete"
        expect(chat, ("/continue", "^there is no answer here to go on with"), ("/undo now", "^/undo takes nothing"))


def test_paused_answer_of_another_session(open_chat: Open) -> None:
    """It is pointed at by the next chat, and can be gone on with or dropped."""
    for _ in range(2):
        with open_chat(halves("one two ", "")) as chat:
            chat.ask("count")
            chat.program.wait_for("one two")
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            chat.program.send("\x04")
            assert chat.program.exit_code == 0

    with open_chat(say("three.")) as chat:
        newer, older = (info.id for info in chat.sessions())
        chat.program.wait_for("“count” has an answer that is not over\n/continue opens it")
        expect(chat, (f"/discard {newer}", r"^dropped\n"))
        chat.program.send("/continue\r")
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(r"one two three\.\n\n" + at_prompt())

        assert {info.id: info.state for info in chat.sessions()} == {newer: "complete", older: "complete"}


def test_seams_are_shown_and_undone(open_chat: Open) -> None:
    """What was cut where a continuation was joined is seen with /seams, and comes back with /seams undo."""
    beginning = "The first of the seven wonders is the pyramid of Giza, "
    with open_chat(halves(beginning, "the pyramid of Giza, which still stands.")) as chat:
        chat.ask("go")
        chat.program.wait_for("Giza")
        chat.program.send("  ")
        chat.program.wait_for(r"Giza, which still stands\.\n\n" + at_prompt())
        said = told(chat, "/seams")
        number = said.split()[0]
        assert re.search(r"at character \d+: \w+.*cut 'the pyramid of Giza,", said), said
        expect(chat, (f"/seams undo {number}", r"Giza, the pyramid of Giza, which still stands\."))

        assert chat.messages()[-1]["text"] == f"{beginning}the pyramid of Giza, which still stands."


def test_attached_files_go_with_the_next_message(open_chat: Open, tmp_path: Path) -> None:
    """Named in the bar, sent once, and taken back with /attach none."""
    (tmp_path / "notes.txt").write_text("remember", "utf-8")
    (tmp_path / "cat.png").write_bytes(PNG)
    with open_chat(say("fine."), "--model", "gpt-4o") as chat:
        expect(
            chat,
            (f"/attach {tmp_path}/missing", r"cannot be read: No such file"),
            (f"/attach {tmp_path}", r"is a folder"),
            ("/attach /dev/zero", r"^/dev/zero is no file"),
            (f"/attach {tmp_path}/cat.png", r"^with the next message: cat\.png\n"),
            ("/attach none", r"^nothing is attached"),
            (f"/attach {tmp_path}/cat.png", r"^with the next message: cat\.png\n"),
            (f"/attach {tmp_path}/notes.txt", r"^with the next message: cat\.png, .*notes\.txt\n"),
        )
        chat.program.wait_for(r"openai/gpt-4o - with cat\.png, .*notes\.txt\Z")
        chat.ask("look")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        assert "with cat.png" not in chat.program.lines[-1]
        chat.ask("and?")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        [first] = asked(chat.server.exchanges[0])
        assert isinstance(first, list)
        image = "data:image/png;base64," + base64.b64encode(PNG).decode()
        assert [part["image_url"]["url"] for part in first if part["type"] == "image_url"] == [image]
        assert [part["text"] for part in first if part["type"] == "text"] == [
            f"look\n\nFile {tmp_path}/notes.txt:\n```txt\nremember\n```"
        ]
        assert asked(chat.server.exchanges[1]) == [first, "and?"]


def test_what_is_attached_at_a_pause_is_for_the_next_message(open_chat: Open, tmp_path: Path) -> None:
    """It outlives the end of the answer that is under way, and a question that is asked again."""
    (tmp_path / "notes.txt").write_text("remember", "utf-8")
    with open_chat(halves("one ", "two.", "fine.")) as chat:
        chat.ask("count")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(f"/attach {tmp_path}/notes.txt\r")
        chat.program.wait_for("with the next message: ")
        chat.program.send(" ")
        chat.program.wait_for(r"(?s)two\.\n\n>\n[^\n]*with [^\n]*notes\.txt - count\Z")
        expect(chat, ("/retry", r"fine\."))
        chat.ask("look")
        chat.server.wait(lambda: len(chat.server.exchanges) == 4)

        assert asked(chat.server.exchanges[2]) == ["count"]
        assert "remember" in str(asked(chat.server.exchanges[3])[-1])


def test_edited_question_keeps_its_image(open_chat: Open, tmp_path: Path) -> None:
    """/edit gives the text back into the line, and what was attached into the bar."""
    (tmp_path / "cat.png").write_bytes(PNG)
    with open_chat(say("fine."), "--model", "gpt-4o") as chat:
        expect(chat, (f"/attach {tmp_path}/cat.png", "cat.png"))
        chat.ask("look")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        chat.program.send("/edit\r")
        chat.program.wait_for(r"(?m)^> look\nopenai/gpt-4o - edits the last question, Esc leaves it - with cat\.png")
        chat.program.send(" closely\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        [first], [second] = map(asked, chat.server.exchanges)
        assert json.loads(json.dumps(first).replace("look", "look closely")) == second


@pytest.mark.parametrize("command", ["/undo", "/retry", "/new", "/branch", "/clear"])
def test_image_of_an_edit_that_is_left_goes_with_no_other_question(
    open_chat: Open, tmp_path: Path, command: str
) -> None:
    """However it is left; what was attached besides still waits."""
    (tmp_path / "cat.png").write_bytes(PNG)
    (tmp_path / "dog.png").write_bytes(PNG)
    with open_chat(say("fine."), "--model", "gpt-4o") as chat:
        chat.ask(f"look @{tmp_path}/cat.png ")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        chat.program.send("/edit\r")
        chat.program.wait_for(r"with [^\n]*cat\.png[^\n]*\Z")
        chat.program.send(EMPTY)
        expect(chat, (f"/attach {tmp_path}/dog.png", "cat.png, dog.png"))
        chat.program.send(f"{EMPTY}{command}\r")
        chat.program.wait_for(r"(?m)^>[^\n]*\nopenai/gpt-4o - (?!edits)[^\n]*with dog\.png[^\n]*\Z")


def test_text_file_of_an_edit_that_is_stopped_at_once_goes_with_the_next_try(open_chat: Open, tmp_path: Path) -> None:
    """It was attached to a question that was not taken."""
    (tmp_path / "notes.txt").write_text("remember", "utf-8")
    with open_chat(halves("fine.", HANGS, "more.")) as chat:
        chat.ask("one")
        chat.program.wait_for("fine")
        chat.program.send("\x1b")
        chat.program.wait_for(at_prompt())
        chat.program.send("/edit\r")
        chat.program.wait_for(at_prompt("one"))
        chat.program.send(EMPTY)
        expect(chat, (f"/attach {tmp_path}/notes.txt", "notes.txt"))
        chat.program.send(f"{EMPTY}two\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)
        chat.program.send("\x1b")
        chat.program.wait_for(r"(?m)^> two\nopenai/[^\n]*with [^\n]*notes\.txt")
        chat.program.send("\r")
        chat.program.wait_for(r"more\.\n\n" + at_prompt())

        assert "remember" in str(asked(chat.server.exchanges[1])[-1])
        assert asked(chat.server.exchanges[1]) == asked(chat.server.exchanges[2])


def test_edited_question_that_is_stopped_at_once_stays_in_the_line(open_chat: Open, tmp_path: Path) -> None:
    """With its image: nothing came that could replace what there was."""
    (tmp_path / "cat.png").write_bytes(PNG)
    with open_chat(halves("fine.", HANGS, "mouse."), "--model", "gpt-4o") as chat:
        expect(chat, (f"/attach {tmp_path}/cat.png", "cat.png"))
        chat.ask("look")
        chat.program.wait_for("fine")
        chat.program.send("\x1b")
        chat.program.wait_for(at_prompt())
        before = chat.messages()
        chat.program.send("/edit\r")
        chat.program.wait_for(at_prompt("look"))
        chat.program.send(" closely\r")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)
        chat.program.send("\x1b")
        chat.program.wait_for(r"(?m)^> look closely\nopenai/gpt-4o - [^\n]*with cat\.png")
        assert chat.messages() == before
        chat.program.send("\r")
        chat.program.wait_for(r"mouse\.\n\n" + at_prompt())

        assert asked(chat.server.exchanges[1]) == asked(chat.server.exchanges[2])
        assert [each["text"] for each in chat.messages()] == ["look closely", "mouse."]


@pytest.fixture
def clipboard(tmp_path: Path) -> Callable[[bytes, str], str]:
    """Return what puts bytes of a kind into the clipboard of a fake xclip, and gives the path to find that on."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "xclip"
    tool.write_text(
        f"#!/bin/sh\ncd '{folder}'\ncase \"$*\" in *-in*) cat > copied;; *TARGETS*) cat kind;; *) cat data;; esac\n",
        "utf-8",
    )
    tool.chmod(0o755)

    def put(data: bytes, kind: str) -> str:
        (folder / "data").write_bytes(data)
        (folder / "kind").write_text(f"TARGETS\n{kind}\n", "utf-8")
        return f"{folder}{os.pathsep}{os.environ['PATH']}"

    return put


def test_paste_takes_what_is_in_the_clipboard(
    open_chat: Open, tmp_path: Path, clipboard: Callable[[bytes, str], str]
) -> None:
    """A text into the line, an image to the next message; copying uses the same tool."""
    path = clipboard("two\nlines, Grüße".encode(), "UTF8_STRING")
    with open_chat(say("fine."), "--model", "gpt-4o", PATH=path, DISPLAY=":99") as chat:
        chat.program.send("/paste\r")
        chat.program.wait_for(r"(?m)^> two\n  lines, Grüße\nopenai/")
        chat.program.send("!\r")
        chat.program.wait_for(r"fine\.\n\n" + at_prompt())
        clipboard(PNG, "image/png")
        expect(chat, ("/paste", r"^with the next message: clipboard-1\.png\n"), ("/paste", r"clipboard-2\.png\n"))
        clipboard(b"", "")
        expect(
            chat,
            ("/paste", r"^the clipboard is empty\n"),
            ("/copy", r"^copied 5 characters \(xclip and terminal\)\n"),
        )
        chat.ask("look")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        assert asked(chat.server.exchanges[0]) == ["two\nlines, Grüße!"]
        content = asked(chat.server.exchanges[1])[-1]
        assert isinstance(content, list)
        assert [part["type"] for part in content].count("image_url") == 2
        assert (tmp_path / "bin" / "copied").read_text("utf-8") == "fine."
