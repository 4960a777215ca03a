"""Roles: prompts with a name, taken by `--role` and `/role`, as files that are read, shown, edited and completed."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.cli import LINE
from llmterm.config.frontmatter import parse
from llmterm.config.roles import RoleFolder
from llmterm.errors import ConfigError, UsageError
from llmterm.template import Template
from tests import starter
from tests.asking import asked, served, stored
from tests.chatting import opened
from tests.terminal import LLMTERM, Program, environment
from tests.wire import Exchange, Gate, Script, WireServer, say

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def folder(home: Path) -> Path:
    return home / "config" / "llmterm" / "roles"


def role(home: Path, name: str, text: str) -> None:
    folder(home).mkdir(parents=True, exist_ok=True)
    (folder(home) / f"{name}.md").write_text(text, "utf-8")


def noting(requests: list[Any], text: str = "ok") -> Script:
    """Return a script that keeps what it is asked, and answers with `text`."""

    async def script(exchange: Exchange) -> None:
        requests.append(exchange.body)
        await say(text)(exchange)

    return script


def said(request: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(each["role"], each["content"]) for each in request["messages"]]


# The file


def test_front_matter_is_read_as_it_is_written_elsewhere() -> None:
    found = parse(
        "---\n# a comment\nname: plain text # with one behind it\nquoted: \"a # \\\"b\\\"\\n\"\nsingle: 'it''s: [so]'\n"
        "empty:\n\nlist: [one, \"two, 2\", 'three', ]\nlines: # of these\n  - one\n- 'two'\nurl: http://a/b#c\n---\n\nThe\nbody\n---\n"
    )

    assert {key: entry.value for key, entry in found.entries.items()} == {
        "name": "plain text",
        "quoted": 'a # "b"\n',
        "single": "it's: [so]",
        "empty": (),
        "list": ("one", "two, 2", "three"),
        "lines": ("one", "two"),
        "url": "http://a/b#c",
    }
    assert (found.body, found.complaints, found.entries["lines"].line) == ("The\nbody\n---", [], 9)


@pytest.mark.parametrize("text", ["just a prompt", "", "--- no fence", "a\n---\nb: c\n---"])
def test_file_without_front_matter_is_all_prompt(text: str) -> None:
    assert parse(text) == ({}, text.strip(), ())


@given(st.text(), st.lists(st.text()))
def test_any_text_can_be_said_in_quotes(text: str, items: list[str]) -> None:
    quoted = [json.dumps(each) for each in items]
    lines = "\n".join(f"- {each}" for each in quoted)

    found = parse(f"---\ntext: {json.dumps(text)}\nlist: [{', '.join(quoted)}]\nlines:\n{lines}\n---\n")

    assert [entry.value for entry in found.entries.values()] == [text, tuple(items), tuple(items)]
    assert found.complaints == []


@pytest.mark.parametrize(
    ("lines", "complaints"),
    [
        ("modle: x", ['2: unknown key "modle": did you mean "model"?']),
        ("options: x", ['2: unknown key "options": there are description, provider, model, temperature']),
        ("model: a\n\nmodel: b", ["4: model is there twice"]),
        ("model: [a]\ntemperature: warm", ["2: model must be text, not a list", "3: temperature must be a number"]),
        (
            "effort: much\nverbosity: [a]\nweb_search: 1\ntop_p: 2\nservice_tier: Very fast",
            [
                "2: effort must be one of off, minimal, low, medium, high, max",
                "3: verbosity must be text, not a list",
                "4: web_search must be true or false",
                "5: top_p must be from 0 to 1",
                "6: service_tier must be a provider's word",
            ],
        ),
        ("temperature: 3\nseed: -1", ["2: temperature must be from 0 to 2", "3: seed must be from 0 to"]),
        ("max_tokens: 1.5", ["2: max_tokens must be a whole number"]),
        ("attachments: a.md", ["2: attachments must be a list"]),
        ("attachments: [a, [b]]", ["2: attachments must be a list like"]),
        ("attachments:\n  - &a b", ["3: attachments is more of YAML than is understood here"]),
        ("description: |\n  long", ["2: description is more of YAML", '3: must be "key: value"']),
        ("description: {a: b}", ["2: description is more of YAML"]),
        ('description: "a\\q"', ['2: description has a \\ in "..."']),
        ("just words", ['2: must be "key: value"']),
    ],
)
def test_everything_wrong_with_a_file_is_told_with_its_line(tmp_path: Path, lines: str, complaints: list[str]) -> None:
    role(tmp_path, "r", f"---\n{lines}\n---\nbody")

    with pytest.raises(ConfigError) as caught:
        RoleFolder(folder(tmp_path)).load("r")

    told = str(caught.value).splitlines()
    assert [f"{folder(tmp_path) / 'r.md'}:{each}" in line for each, line in zip(complaints, told, strict=True)] == [
        True for _ in complaints
    ]


def test_file_that_is_no_role_is_told_too(tmp_path: Path) -> None:
    roles = RoleFolder(folder(tmp_path))
    role(tmp_path, "open", "---\nmodel: x\n")
    (folder(tmp_path) / "latin.md").write_bytes(b"ok\nGr\xfc\xdfe")
    (folder(tmp_path) / "folder.md").mkdir()

    for name, why in [("open", ":1: the front matter has no end"), ("latin", ":2: not UTF-8"), ("folder", "cannot be")]:
        with pytest.raises(ConfigError, match=why):
            roles.load(name)
    for name in ("../open", "", ".open", "a/b", "a\0b"):
        with pytest.raises(UsageError, match="is no name of a role"):
            roles.load(name)


# The text


@given(st.text(alphabet="ab{} \\\n", max_size=40))
def test_text_without_a_name_in_it_is_as_it_was(text: str) -> None:
    template = Template.of(text)

    if not template.names and "\\{{" not in text:
        assert template.text({}) == text


@given(st.dictionaries(st.from_regex(r"[a-z0-9_]([a-z0-9_ .-]*[a-z0-9_])?", fullmatch=True), st.text(), max_size=4))
def test_what_is_put_in_stands_there_as_it_is(values: dict[str, str]) -> None:
    """A name in a value stands for nothing, whether all is put in at once or one after the other."""
    values = {name: f"{value}{{{{{name}}}}}" for name, value in values.items()}
    template = Template.of("".join(f"<{{{{ {name} }}}}>" for name in values))

    assert template.names == tuple(values)
    assert template.text(values) == "".join(f"<{value}>" for value in values.values())
    for name, value in values.items():
        template = template.filled({name: value})
    assert template.text({}) == "".join(f"<{value}>" for value in values.values())


def test_name_behind_a_backslash_is_a_text() -> None:
    template = Template.of(r"\{{a}} {{b}} {{ }} {{#if}} {{two words}} {{-}} {single}")

    assert template.names == ("b", "two words")
    assert template.text({"b": "x", "two words": "y"}) == "{{a}} x {{ }} {{#if}} y {{-}} {single}"


# In a pipe


def test_role_says_what_the_model_is_told_and_how_it_is_asked(tmp_path: Path) -> None:
    role(
        tmp_path,
        "translator",
        "---\nprovider: openai\nmodel: gpt-4o\ntemperature: 0.2\nseed: 7\nattachments: [cat.png, ../style.md]\n"
        "effort: high\ntop_p: 0.5\nverbosity: low\nservice_tier: flex\nweb_search: false\n---\n"
        "Translate into {{lang}}.\n",
    )
    (folder(tmp_path) / "cat.png").write_bytes(PNG)
    (folder(tmp_path).parent / "style.md").write_text("Be brief.", "utf-8")
    requests: list[Any] = []

    flags = [
        "--no-marker",
        "--role",
        "translator",
        "-v",
        "lang=German = {{lang}}",
        "--temperature",
        "1",
        "--effort=low",
    ]
    done = asked(tmp_path, noting(requests), *flags, "hello", env={"ANTHROPIC_API_KEY": "first"})

    assert (done.stdout, done.stderr, done.returncode) == (b"ok\n", b"", 0)
    [request] = requests
    assert (request["model"], request["temperature"], request["seed"]) == ("gpt-4o", 1, 7)
    wished = [request[name] for name in ("reasoning_effort", "top_p", "verbosity", "service_tier")]
    assert wished == ["low", 0.5, "low", "flex"]
    [system, question] = said(request)
    assert system == ("system", "Translate into German = {{lang}}.")
    assert question[1][0] == {"type": "text", "text": "hello\n\nFile ../style.md:\n```md\nBe brief.\n```"}
    assert question[1][1]["type"] == "image_url"


def test_role_with_an_input_is_the_question(tmp_path: Path) -> None:
    """What is piped is never part of a system prompt, which stays that of the file."""
    role(tmp_path, "commit", "Write a commit message in {{ style }}:\n\n{{input}}\n\nNothing else.")
    (folder(tmp_path).parent / "config.toml").write_text('system = "Be honest."\nmarker.enabled = false\n', "utf-8")
    requests: list[Any] = []

    done = asked(tmp_path, noting(requests), "--role=commit", "--var", "style=haiku", piped=b"the {{style}} diff\n")

    assert done.returncode == 0
    question = "Write a commit message in haiku:\n\nthe {{style}} diff\n\nNothing else."
    assert said(requests[0]) == [("system", "Be honest."), ("user", question)]
    assert stored(tmp_path)[0]["text"] == question


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--role", "transaltor"], "there is no role 'transaltor' (did you mean translator?)"),
        (["--role", "x"], "there is no role 'x' (there are broken, translator, without)"),
        (["--role", "translator"], "role translator needs a value for lang and tone (-v lang=… -v tone=…)"),
        (["--role", "translator", "-v", "lang=x", "-v", "tone=y", "-v", "ton=z"], "has no variable 'ton' (it has lang"),
        (["--role", "translator", "-v", "lang"], "--var 'lang' has no value (-v lang=value)"),
        (["--role", "without"], "role without: gone.md cannot be read: No such file or directory"),
        (["--role", "broken"], "broken.md:2: temperature must be a number"),
        (["-v", "lang=x"], "--var is for the variables of a role (--role names one)"),
    ],
)
def test_role_that_cannot_be_taken_says_why_before_anything_is_asked(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    role(tmp_path, "translator", "{{lang}} {{tone}}")
    role(tmp_path, "without", "---\nattachments: [gone.md]\n---\n")
    role(tmp_path, "broken", "---\ntemperature: warm\n---\n")
    requests: list[Any] = []

    done = asked(tmp_path, noting(requests), *arguments, "why?")

    assert (done.stdout, done.returncode, requests) == (b"", 2, [])
    assert words in done.stderr.decode()


def test_role_is_taken_at_a_terminal_too(tmp_path: Path) -> None:
    """What is asked while the answer streams is put into the role as well; its files go along once."""
    role(tmp_path, "shout", "---\nattachments: [note.txt]\n---\nSay: {{input}}")
    (folder(tmp_path) / "note.txt").write_text("noted", "utf-8")
    requests: list[Any] = []
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        requests.append(exchange.body)
        await exchange.start()
        await exchange.text("words")
        await gate.wait()
        await exchange.end()

    with WireServer(script) as server:
        command = [*LLMTERM, "ask", "--role", "shout", "one"]
        with Program(command, served(tmp_path, server)) as program:
            program.wait_for("words")
            program.send("two\r")
            program.wait_for("queued 1: two")
            gate.open()
            assert program.exit_code == 0

    assert [said(each)[-1][1] for each in requests] == [
        "Say: one\n\nFile note.txt:\n```txt\nnoted\n```",
        "Say: two",
    ]


def test_role_goes_on_with_a_session(tmp_path: Path) -> None:
    role(tmp_path, "pirate", "Talk like a pirate.")
    requests: list[Any] = []

    asked(tmp_path, noting(requests), "-s", "Be dull.", "hi")
    asked(tmp_path, noting(requests), "--no-marker", "--role", "pirate", "--continue", "again")

    assert said(requests[1]) == [
        ("system", "Talk like a pirate."),
        ("user", "hi"),
        ("assistant", "ok"),
        ("user", "again"),
    ]


def test_role_is_for_all_that_are_compared(tmp_path: Path) -> None:
    role(tmp_path, "pirate", "---\nmax_tokens: 9\n---\nTalk like {{whom}}.")
    requests: list[Any] = []

    with WireServer(noting(requests)) as server:
        models = ["-m", "openai/a", "-m", "openai/b"]
        command = [*LLMTERM, "compare", *models, "--role", "pirate", "-v", "whom=a pirate", "ahoy"]
        done = starter.run(command, served(tmp_path, server))

    assert done.returncode == 0
    assert sorted(each["model"] for each in requests) == ["a", "b"]
    assert [said(each) for each in requests] == [[("system", "Talk like a pirate."), ("user", "ahoy")]] * 2
    assert {each.get("max_tokens") or each.get("max_completion_tokens") for each in requests} == {9}


# In the chat


def test_role_of_a_chat_is_taken_changed_and_dropped(tmp_path: Path) -> None:
    """The first is the command line's; with it goes its file. What was changed since stays when it is dropped."""
    role(tmp_path, "first", "---\nattachments: [note.txt]\ntemperature: 0.5\n---\nYou are first.")
    role(tmp_path, "second", "---\ndescription: the next\nmodel: other\n---\nYou are {{what}}.")
    role(tmp_path, "ask", "Say: {{input}}")
    (folder(tmp_path) / "note.txt").write_text("noted", "utf-8")
    (folder(tmp_path).parent / "config.toml").write_text('system = "Mine."\n', "utf-8")
    requests: list[Any] = []

    with opened(tmp_path, noting(requests), "--role", "first", "--no-marker", columns=100) as chat:
        program = chat.program

        def done(line: str, seen: str) -> None:
            before = program.text.count(seen)
            program.send(f"{line}\r")
            program.wait_for(lambda: program.text.count(seen) > before)

        program.wait_for("as first - with note.txt")
        done("one", "ok\n")
        done("/role second", "role second needs a value for what (what=…)")
        done("/role thrid", "there is no role 'thrid'")
        done('/role second what="the second one"', "role: second - openai/other")
        done("two", "ok\n")
        done("/role ask", "role: ask - openai/test")
        program.wait_for("openai/test as ask")
        done("three", "ok\n")
        done("/edit", "edits the last question")
        done("!", "ok\n")
        program.send("/role\r")
        program.wait_for("second what=")
        program.wait_for("the next")
        program.send("\x15")
        done("/temperature 1", "temperature: 1")
        done("/role none", "no role")
        done("four", "ok\n")
        done("/temperature", "temperature: 1")
        done("/role first", "with the next message: note.txt")
        done("/role none", "no role")
        done("five", "ok\n")

    told = [(said(each)[0][1], each["model"], each.get("temperature"), said(each)[-1][1]) for each in requests]
    assert told == [
        ("You are first.", "test", 0.5, "one\n\nFile note.txt:\n```txt\nnoted\n```"),
        ("You are the second one.", "other", None, "two"),
        ("Mine.", "test", None, "Say: three"),
        ("Mine.", "test", None, "Say: three!"),
        ("Mine.", "test", 1, "four"),
        ("Mine.", "test", 1, "five"),
    ]


# The commands


def test_roles_are_listed_shown_edited_and_completed(tmp_path: Path) -> None:
    env = environment(tmp_path)

    def run(*arguments: str, **more: str) -> tuple[str, str, int]:
        done = starter.run_text([*LLMTERM, "roles", *arguments], {**env, **more})
        return done.stdout, done.stderr, done.returncode

    out, err, code = run()
    assert (out, code) == ("", 0)
    assert f"there are no roles yet: llmterm roles edit NAME makes one, in {folder(tmp_path)}" in err

    script = tmp_path / "editor.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write('Mind {{what}}.\\n')", "utf-8")
    out, err, code = run("edit", "mine", EDITOR=f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}")
    assert (err, code) == ("", 0)
    assert "nothing is wrong with it (llmterm ask --role mine -v what=…)" in out
    assert run("edit", "../mine")[2] == 2
    assert run("edit", "mine", EDITOR="false")[2] == 2

    role(tmp_path, "bad", "---\nfoo: bar\n---\n")
    out, _, code = run("list")
    assert code == 0
    assert 'bad.md:2: unknown key "foo"' in out.splitlines()[0]
    assert out.splitlines()[1] == "mine  You are … (what)"
    listed = json.loads(run("list", "--json")[0])
    assert [each["name"] for each in listed] == ["bad", "mine"]
    assert listed[1] == json.loads(run("show", "mine", "--json")[0])
    assert listed[1]["variables"] == ["what"]
    assert run("show", "mine")[0] == (folder(tmp_path) / "mine.md").read_text("utf-8")
    assert run("show", "mien")[1:] == ("llmterm: there is no role 'mien' (did you mean mine?)\n", 2)

    for line in ("llmterm ask --role ", "llmterm --role ", "llmterm roles show "):
        assert starter.run_text(LLMTERM, {**env, LINE: line}).stdout == "mine\tYou are …\n"
