"""`llmterm ask`: what goes along with a question, and the forms that its answer comes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmterm.events import decoded, reduced
from llmterm.messages import Reply
from llmterm.turn import TurnState
from tests import starter
from tests.asking import answer_of, asked, served, stored
from tests.terminal import LLMTERM
from tests.wire import Exchange, Script, WireServer, finish, say, thought

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def heard(questions: list[Any], text: str = "ok") -> Script:
    """Return a script that notes what is asked, and answers with `text`."""

    async def script(exchange: Exchange) -> None:
        questions.append(exchange.body["messages"][-1]["content"])
        await say(text)(exchange)

    return script


def thinks(thinking: str, *texts: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.raw(thought(thinking))
        for text in texts:
            await exchange.text(text)
        await exchange.raw(finish())
        await exchange.close()

    return script


def test_question_is_answered_and_that_is_all(tmp_path: Path) -> None:
    done = asked(tmp_path, say("It ", "is."), "What", "is", "it?")

    assert (done.stdout, done.stderr, done.returncode) == (b"It is.\n", b"", 0)
    assert [each["text"] for each in stored(tmp_path)] == ["What is it?", "It is."]


# What goes along


def test_files_and_folders_go_along_whatever_they_are_called(tmp_path: Path) -> None:
    """Hidden ones too, as they are named; what is hidden in a folder does not. Input goes last."""
    folder = tmp_path / "here"
    (folder / "sub").mkdir(parents=True)
    (folder / ".env").write_text("KEY", "utf-8")
    (folder / "sub" / "a.py").write_text("a = 1", "utf-8")
    (folder / "sub" / ".b").write_text("no", "utf-8")
    (folder / "cat.png").write_bytes(PNG)
    questions: list[Any] = []

    files = ["-f", ".env", "--file", "sub", "-f", "cat.png", "-f", ".env"]
    done = asked(tmp_path, heard(questions), "-m", "gpt-4o", *files, "why?", piped=b"piped", cwd=folder)

    text = "why?\n\nFile .env:\n```\nKEY\n```\n\nFile sub/a.py:\n```py\na = 1\n```\n\npiped"
    said, image = questions[0]
    assert (said, image["type"]) == ({"type": "text", "text": text}, "image_url")
    assert done.returncode == 0
    assert b"attached sub/: 1 text file, 5 bytes" in done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone.txt", "gone.txt cannot be read: No such file"), ("data.bin", "data.bin cannot be attached")],
)
def test_file_that_cannot_go_along_is_an_error_before_anything_is_asked(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "data.bin").write_bytes(b"\0\1")
    questions: list[Any] = []

    done = asked(tmp_path, heard(questions), "-f", name, "why?", cwd=tmp_path)

    assert (done.stdout, done.returncode, questions) == (b"", 2, [])
    assert words in done.stderr.decode()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_text_with_a_mark_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    questions: list[Any] = []

    asked(tmp_path, heard(questions), "why?", piped="Grüße".encode(encoding))

    assert questions == ["why?\n\nGrüße"]


def test_binary_on_standard_input_is_refused(tmp_path: Path) -> None:
    done = asked(tmp_path, say("ok"), "why?", piped=b"\x7fELF\0\0")

    assert (done.stdout, done.returncode) == (b"", 2)
    assert b"can be sent to no model" in done.stderr


# JSON


def test_json_is_one_object_with_all_there_is_of_the_answer(tmp_path: Path) -> None:
    """What was thought is in it, and nowhere else."""
    (tmp_path / "config.toml").write_text('[providers.openai.prices."*"]\ninput = 1.0\noutput = 5.0\n', "utf-8")
    priced = {"LLMTERM_CONFIG": str(tmp_path / "config.toml")}

    done = asked(tmp_path, thinks("Hm.", "Grüße\n"), "--json", "-m", "test", "hi", env=priced)

    answer = answer_of(done)
    assert (done.stderr, done.returncode) == (b"", 0)
    assert (answer["text"], answer["thinking"]) == ("Grüße\n", "Hm.")
    assert answer["usage"] == {
        "input_tokens": 5,
        "output_tokens": 7,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "estimated": False,
    }
    assert answer["cost"] == pytest.approx(40e-6)
    assert (answer["status"], answer["error"]) == ("complete", None)
    assert answer["segments"] == stored(tmp_path)[-1]["segments"]
    assert len(answer["session"]) == 8


def test_json_of_an_answer_that_is_cut_short_says_so(tmp_path: Path) -> None:
    """And the exit code does."""
    done = asked(tmp_path, say("half", reason="length"), "--json", "hi")

    answer = answer_of(done)
    assert (answer["text"], answer["status"], done.returncode) == ("half", "interrupted", 3)
    assert "token limit" in answer["error"]
    assert f"llmterm chat --session {answer['session']}" in done.stderr.decode()


def test_events_are_those_of_the_log_a_line_each(tmp_path: Path) -> None:
    """Reduced they are the answer."""
    done = asked(tmp_path, thinks("Hm.", "It ", "is\nso."), "--stream-json", "hi")

    entries = [decoded(json.loads(line)) for line in done.stdout.decode().splitlines()]
    reply = Reply()
    for entry in entries:
        reply = reduced(reply, entry.event)
    assert (reply.text, reply.thinking) == ("It is\nso.", "Hm.")
    assert [entry.seq for entry in entries] == sorted({entry.seq for entry in entries})
    assert getattr(entries[-1].event, "state", None) is TurnState.DONE
    assert (done.stderr, done.returncode) == (b"", 0)


def test_both_kinds_of_json_at_once_are_refused(tmp_path: Path) -> None:
    done = asked(tmp_path, say("ok"), "--json", "--stream-json", "hi")

    assert (done.stdout, done.returncode) == (b"", 2)
    assert b"--json and --stream-json do not go together" in done.stderr


# Answers that are none


@pytest.mark.parametrize("form", [[], ["--json"], ["--stream-json"]])
def test_answer_without_any_text_is_an_error(tmp_path: Path, form: list[str]) -> None:
    done = asked(tmp_path, thinks("Hm."), *form, "hi")

    assert done.returncode == 3
    assert b"the answer is empty: the model thought, and said nothing" in done.stderr


@pytest.mark.parametrize("form", [[], ["--json"], ["--stream-json"]])
def test_reader_that_has_gone_is_no_error_and_the_answer_is_kept(tmp_path: Path, form: list[str]) -> None:
    """`llmterm ask … | true`: as much of it as there was by then."""
    with WireServer(say("some text")) as server:
        command = ["sh", "-c", '"$@" | true', "sh", *LLMTERM, "ask", *form, "hi"]
        done = starter.run(command, served(tmp_path, server))

    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)
    question, answer = stored(tmp_path)
    assert question["text"] == "hi"
    assert answer["text"] == "" if "--stream-json" in form else "some text"  # whose first line comes before any text


# A file


async def cut(exchange: Exchange) -> None:
    await exchange.start()
    await exchange.text("half")
    exchange.drop()


def test_file_is_there_once_the_answer_is_and_never_half_of_it(tmp_path: Path) -> None:
    """What came of one that was cut lies beside it; the file is as it was then."""
    file = tmp_path / "answer.txt"

    first = asked(tmp_path, say("It ", "is."), "-o", str(file), "hi")
    file.chmod(0o640)
    second = asked(tmp_path, cut, "-o", str(file), "hi")

    assert (first.stdout, first.stderr, first.returncode) == (b"", b"", 0)
    assert (second.stdout, second.returncode) == (b"", 3)
    assert (file.read_text("utf-8"), file.stat().st_mode & 0o777) == ("It is.\n", 0o640)
    assert (tmp_path / "answer.txt.partial").read_text("utf-8") == "half\n"
    assert f"what came of it is in {file}.partial" in second.stderr.decode()
    assert sorted(each.name for each in tmp_path.iterdir() if "answer" in each.name) == [
        "answer.txt",
        "answer.txt.partial",
    ]


@pytest.mark.parametrize(("name", "words"), [("", "is a folder"), ("gone/answer.txt", "there is no folder")])
def test_file_that_cannot_be_written_is_an_error_before_anything_is_asked(
    tmp_path: Path, name: str, words: str
) -> None:
    questions: list[Any] = []

    done = asked(tmp_path, heard(questions), "-o", str(tmp_path / name), "hi")

    assert (done.stdout, done.returncode, questions) == (b"", 2, [])
    assert words in done.stderr.decode()


def test_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    done = asked(tmp_path, say("ok"), "-o", "/dev/stdout", "hi")

    assert (done.stdout, done.returncode) == (b"ok\n", 0)


def test_json_goes_into_a_file_too(tmp_path: Path) -> None:
    done = asked(tmp_path, say("ok"), "--json", "-o", str(tmp_path / "a.json"), "hi")

    assert (done.stdout, done.returncode) == (b"", 0)
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["text"] == "ok"


# Code

CODE = "First:\n```py\nx = 1\n```\nand\n```sh\necho\n```\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--extract-code", "hi"], b"x = 1\n"),
        (["hi", "--extract-code"], b"x = 1\n"),
        (["--extract-code", "2", "hi"], b"echo\n"),
        (["--extract-code=2", "hi"], b"echo\n"),
    ],
)
def test_code_alone_is_on_standard_output(tmp_path: Path, arguments: list[str], code: bytes) -> None:
    done = asked(tmp_path, say(CODE), *arguments)

    assert (done.stdout, done.stderr, done.returncode) == (code, b"", 0)


def test_answer_without_that_code_is_an_error(tmp_path: Path) -> None:
    """It is in the session."""
    file = tmp_path / "x.py"

    done = asked(tmp_path, say(CODE), "--extract-code", "3", "-o", str(file), "hi")

    assert (done.stdout, done.returncode, file.exists()) == (b"", 3, False)
    assert b"the answer has no code block 3: there are 2 (llmterm sessions show " in done.stderr
    assert stored(tmp_path)[-1]["text"] == CODE


def test_word_behind_the_end_of_the_options_is_no_option(tmp_path: Path) -> None:
    questions: list[Any] = []

    asked(tmp_path, heard(questions), "--", "--extract-code")

    assert questions == ["--extract-code"]


# A schema

FITS = '{"name": "Ada", "age": 36}'


def test_answer_with_a_schema_is_its_json(tmp_path: Path) -> None:
    """In the provider's own way of asking for it."""
    asked_for: list[Any] = []

    async def script(exchange: Exchange) -> None:
        asked_for.append(exchange.body["response_format"]["json_schema"]["schema"]["required"])
        await say(f"Sure:\n```json\n{FITS}\n```")(exchange)

    done = asked(tmp_path, script, "--schema", "name, age int", "who?")
    whole = asked(tmp_path, script, "--schema", "name, age int", "--json", "who?")

    assert (done.stdout.decode(), done.stderr, done.returncode) == (f"{FITS}\n", b"", 0)
    assert answer_of(whole)["data"] == {"name": "Ada", "age": 36}
    assert asked_for == [["name", "age"]] * 2


@pytest.mark.parametrize(("second", "code"), [(FITS, 0), ('{"name": "Ada"}', 3)])
def test_answer_that_does_not_fit_is_asked_for_again_once_with_the_error(
    tmp_path: Path, second: str, code: int
) -> None:
    """Both are in the session."""
    answers = ["Ada, 36.", second]
    questions: list[Any] = []

    async def script(exchange: Exchange) -> None:
        questions.append(exchange.question)
        await say(answers[len(questions) - 1])(exchange)

    done = asked(tmp_path, script, "--schema", "name, age int", "who?")

    assert (done.stdout.decode(), done.returncode) == (f"{second}\n", code)
    assert questions[0] == "who?"
    assert questions[1].startswith("That does not fit: it is no JSON: ")
    assert len(questions) == 2
    assert (b"the answer does not fit the schema: $: 'age' is a required property" in done.stderr) is (code == 3)
    assert [each["text"] for each in stored(tmp_path)] == ["who?", answers[0], questions[1], second]


def test_schema_that_a_server_refuses_is_said_in_words(tmp_path: Path) -> None:
    systems: list[Any] = []

    async def script(exchange: Exchange) -> None:
        if "response_format" in exchange.body:
            await exchange.refuse(400, {"error": {"message": "no such response_format"}})
            return
        systems.append(exchange.body["messages"][0])
        await say(FITS)(exchange)

    done = asked(tmp_path, script, "--schema", "name, age int", "who?")

    assert (done.stdout.decode(), done.returncode) == (f"{FITS}\n", 0)
    [system] = systems
    assert system["role"] == "system"
    assert '"required": ["name", "age"]' in system["content"]


def test_schema_that_is_none_is_an_error_before_anything_is_asked(tmp_path: Path) -> None:
    questions: list[Any] = []

    done = asked(tmp_path, heard(questions), "--schema", "gone.json", "who?")

    assert (done.stdout, done.returncode, questions) == (b"", 2, [])
    assert b"no field of a schema, nor a file" in done.stderr


# What is kept


@pytest.mark.parametrize("cut_short", [False, True])
def test_answer_that_is_not_kept_leaves_nothing(tmp_path: Path, cut_short: bool) -> None:
    """Not in a cache that is always on, either."""
    (tmp_path / "config.toml").write_text("cache = true\n", "utf-8")
    env = {"LLMTERM_CONFIG": str(tmp_path / "config.toml")}

    done = asked(tmp_path, cut if cut_short else say("half"), "--no-save", "--json", "my secret", env=env)

    answer = answer_of(done)
    assert (answer["text"], answer["session"], done.returncode) == ("half", None, 3 if cut_short else 0)
    assert b"--session" not in done.stderr
    assert not [each for each in (tmp_path / "data").rglob("*") if each.is_file() and b"secret" in each.read_bytes()]
    assert stored(tmp_path) == []


def test_session_is_gone_on_with_and_stays_as_it_was_where_nothing_is_kept(tmp_path: Path) -> None:
    lengths: list[int] = []

    async def script(exchange: Exchange) -> None:
        lengths.append(len(exchange.body["messages"]))
        await say("ok")(exchange)

    for arguments in (["one"], ["--continue", "--no-save", "two"], ["--continue", "three"]):
        assert asked(tmp_path, script, "--no-marker", *arguments).returncode == 0

    assert lengths == [1, 3, 3]
    assert [each["text"] for each in stored(tmp_path)] == ["one", "ok", "three", "ok"]


# Slowly


@pytest.mark.parametrize(("rate", "code"), [("500", 0), ("0", 2), ("-1", 2), ("nan", 2)])
def test_answer_can_be_slowed_down(tmp_path: Path, rate: str, code: int) -> None:
    """How much is for other tests to tell; here all of it comes."""
    done = asked(tmp_path, say("It ", "is."), "--throttle", rate, "hi")

    assert (done.stdout, done.returncode) == (b"" if code else b"It is.\n", code)
