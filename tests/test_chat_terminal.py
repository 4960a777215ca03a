"""The chat in a real terminal against a scripted server: every way to pause, to go on, to stop and to leave."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from llmterm.chat.terminal import Terminal
from llmterm.sessions import SessionStore
from tests.chatting import Open, opened, until_hung_up
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import Exchange, Gate, WireServer, say

PAUSED = r"paused after (\d+) tokens? - SPACE resume - type to guide - Esc stop"


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


def test_question_is_answered(open_chat: Open) -> None:
    """The answer appears rendered, the prompt comes back, and the record is complete."""
    with open_chat(say("Hello **bold** ", "world.")) as chat:
        chat.ask("hi there")
        chat.program.wait_for(r"Hello bold world\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert [(each["role"], each["text"], each["status"]) for each in chat.messages()] == [
            ("user", "hi there", "complete"),
            ("assistant", "Hello **bold** world.", "complete"),
        ]
        assert chat.server.exchanges[0].headers["authorization"] == "Bearer sk-test"


def test_second_question_carries_the_first_answer(open_chat: Open) -> None:
    """A conversation is sent whole."""
    with open_chat(say("first answer")) as chat:
        chat.ask("one")
        chat.program.wait_for(r"first answer\n\n>(\n(?!.*SPACE pause).*)?$")
        chat.ask("two")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        sent = chat.server.exchanges[1].body["messages"]
        assert [each["content"] for each in sent if each["role"] != "system"] == ["one", "first answer", "two"]


@pytest.mark.parametrize("arguments", [["what is 2+2?"], ["what", "is", "2+2?"]])
def test_question_on_the_command_line_is_asked_first(open_chat: Open, arguments: list[str]) -> None:
    """It is answered as if it had been typed, and the chat goes on."""
    with open_chat(say("four."), *arguments) as chat:
        chat.program.wait_for(r"> what is 2\+2\?\n\nfour\.\n\n>")
        chat.ask("thanks")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)

        assert [exchange.question for exchange in chat.server.exchanges] == ["what is 2+2?", "thanks"]


def test_space_pauses_and_resumes_one_answer(open_chat: Open) -> None:
    """The stream is cut, what came is kept, the same SPACE goes on, and all of it is one message."""
    with open_chat(until_hung_up("one two ", "three ", then="four five.")) as chat:
        chat.ask("count")
        chat.program.wait_for("three")
        chat.program.send(" ")
        chat.program.wait_for(PAUSED)
        chat.server.wait(lambda: chat.server.open_connections == 0)
        assert chat.messages()[-1]["text"] == "one two three "
        assert chat.messages()[-1]["status"] == "interrupted"
        assert chat.sessions()[0].state == "paused"

        chat.program.send(" ")
        chat.program.wait_for(r"one two three four five\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert "paused" not in chat.program.text
        *_, answer = chat.messages()
        assert (answer["text"], answer["status"]) == ("one two three four five.", "complete")
        assert [each["end_reason"] for each in answer["segments"]] == ["pause", "stop"]
        asked_again = chat.server.exchanges[1].body["messages"]
        assert asked_again[-2] == {"role": "assistant", "content": "one two three "}
        assert "one two three" in asked_again[-1]["content"]


def test_pause_before_the_first_token(open_chat: Open) -> None:
    """SPACE works while nothing has come; going on asks the question again."""
    with open_chat(until_hung_up(then="here it is.")) as chat:
        chat.ask("hello?")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)
        chat.program.wait_for("waiting for the first token")
        chat.program.send(" ")
        chat.program.wait_for("paused after 0 tokens")

        chat.program.send(" ")
        chat.program.wait_for(r"here it is\.\n\n>(\n(?!.*SPACE pause).*)?$")

        first, second = (exchange.body["messages"] for exchange in chat.server.exchanges)
        assert first == second
        assert chat.messages()[-1]["status"] == "complete"


def test_guidance_goes_into_the_request_and_the_answer_goes_on_under_it(open_chat: Open) -> None:
    """The text typed at a pause is shown, is sent with the continuation, and is not part of the answer."""
    with open_chat(until_hung_up("one two ", then="drei vier.")) as chat:
        chat.ask("count")
        chat.program.wait_for("one two")
        chat.program.send(" ")
        chat.program.wait_for(PAUSED)

        chat.program.send("in German\r")
        chat.program.wait_for(r"one two\n\n> in German\n\ndrei vier\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert "in German" in chat.server.exchanges[1].body["messages"][-1]["content"]
        assert chat.messages()[-1]["text"] == "one two drei vier."


def test_keys_after_space_belong_to_the_guidance(open_chat: Open) -> None:
    """What is typed in the same burst as the pause is not lost in between."""
    with open_chat(until_hung_up("one ", then="two")) as chat:
        chat.ask("count")
        chat.program.wait_for("one")

        chat.program.send(" shorter, please\r")

        chat.program.wait_for(r"> shorter, please\n\ntwo")
        assert "shorter, please" in chat.server.exchanges[1].body["messages"][-1]["content"]


@pytest.mark.parametrize("key", ["\x1b", "\x03"], ids=["escape", "ctrl-c"])
@pytest.mark.parametrize("paused_first", [False, True])
def test_stop_keeps_what_there_is(open_chat: Open, key: str, paused_first: bool) -> None:
    """Esc and Ctrl-C end the answer, streaming or at rest; the part stays, marked as interrupted."""
    with open_chat(until_hung_up("half an answer", then="next answer")) as chat:
        chat.ask("go")
        chat.program.wait_for("half an answer")
        if paused_first:
            chat.program.send(" ")
            chat.program.wait_for(PAUSED)

        chat.program.send(key)
        chat.program.wait_for(r"half an answer\n\n■ stopped\n\n>(\n(?!.*SPACE pause).*)?$")
        chat.ask("and now?")
        chat.program.wait_for(r"next answer\n\n>(\n(?!.*SPACE pause).*)?$")

        answer = chat.messages()[1]
        assert (answer["text"], answer["status"]) == ("half an answer", "interrupted")
        assert chat.sessions()[0].state == "complete"
        sent = chat.server.exchanges[1].body["messages"]
        assert [each["content"] for each in sent if each["role"] == "assistant"] == ["half an answer"]


def test_typing_ahead_is_shown_and_sent_next(open_chat: Open) -> None:
    """A line finished while the answer streams is the next message; SPACE within it is a blank."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(f"answer to {exchange.question}.")
        await gate.wait()
        await exchange.end()

    with open_chat(script) as chat:
        chat.ask("one")
        chat.program.wait_for("answer to one")
        chat.program.send("and two\rand a ")
        chat.program.wait_for(r"queued 1: and two\n> and a ?\n")
        gate.open()
        chat.program.wait_for(r"answer to and two\.\n\n> and a ?(\n.*)?$")

        assert [each["text"] for each in chat.messages() if each["role"] == "user"] == ["one", "and two"]


def test_stop_gives_the_queue_back(open_chat: Open) -> None:
    """After a stop nothing is sent by itself."""
    with open_chat(until_hung_up("text ")) as chat:
        chat.ask("one")
        chat.program.wait_for("text")
        chat.program.send("two\r")
        chat.program.wait_for("queued 1: two")
        chat.program.send("\x1b")

        chat.program.wait_for(r"\n> two(\n.*)?$")


def test_multi_line_question_with_alt_enter(open_chat: Open) -> None:
    """Alt-Enter begins a new line, Enter sends them all."""
    with open_chat(say("fine.")) as chat:
        chat.ask("line one\x1b\rline two")
        chat.program.wait_for("fine")

        assert chat.server.exchanges[0].question == "line one\nline two"


def test_pasted_lines_are_one_message(open_chat: Open) -> None:
    """A bracketed paste is not sent line by line."""
    with open_chat(say("fine.")) as chat:
        chat.program.send("\x1b[200~first\nsecond\x1b[201~")
        chat.program.send("\r")
        chat.program.wait_for("fine")

        assert chat.server.exchanges[0].question == "first\nsecond"


def test_history_comes_back_with_the_next_chat(open_chat: Open) -> None:
    """Up brings the last question of an earlier run."""
    with open_chat(say("fine.")) as chat:
        chat.ask("remember me")
        chat.program.wait_for(r"fine\.\n\n>(\n(?!.*SPACE pause).*)?$")
        chat.program.send("\x04")
        assert chat.program.exit_code == 0

    with open_chat(say("fine.")) as chat:
        chat.program.send("\x1b[A")
        chat.program.wait_for("> remember me")


@pytest.mark.parametrize(("keys", "code"), [("\x04", 0), ("/quit\r", 0), ("\x03\x03", 130)])
def test_ways_to_leave(open_chat: Open, keys: str, code: int) -> None:
    """Ctrl-D and /quit are done; Ctrl-C twice is interrupted. The terminal is as it was found."""
    with open_chat(say("fine.")) as chat:
        before = chat.program.stty_before
        chat.program.send(keys)

        assert chat.program.exit_code == code
        assert (chat.program.stty(), chat.program.modes_left) == (before, set())


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_ctrl_c_that_empties_a_line_is_no_way_out(open_chat: Open, plain: list[str]) -> None:
    with open_chat(say("fine."), *plain) as chat:
        chat.program.send("abc\x03def\x03\x03ghi\x03go\r")
        chat.program.wait_for(r"fine\.\n+>")

        assert chat.server.exchanges[0].question == "go"


def test_ctrl_c_twice_while_streaming_leaves(open_chat: Open) -> None:
    """The first stops the answer and keeps it, the second leaves."""
    with open_chat(until_hung_up("half")) as chat:
        chat.ask("go")
        chat.program.wait_for("half")

        chat.program.send("\x03\x03")

        assert chat.program.exit_code == 130
        assert (chat.messages()[-1]["text"], chat.messages()[-1]["status"]) == ("half", "interrupted")


def test_leaving_at_a_pause_keeps_it_resumable(open_chat: Open) -> None:
    """`--continue` opens the session with the answer still paused, and the same SPACE goes on with it."""
    with open_chat(until_hung_up("one two ")) as chat:
        chat.ask("count")
        chat.program.wait_for("one two")
        chat.program.send(" ")
        chat.program.wait_for(PAUSED)
        chat.program.send("\x04")
        assert chat.program.exit_code == 0
        assert chat.sessions()[0].state == "paused"
        session = chat.sessions()[0].id

    for arguments in (["--continue"], ["--session", session]):
        with open_chat(until_hung_up(), *arguments) as chat:
            chat.program.wait_for(r"> count\n\none two\n\n>\npaused after 1 token")
            chat.program.send("\x04")
            assert chat.program.exit_code == 0

    with open_chat(say("three."), "--continue") as chat:
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(r"one two three\.\n\n>(\n(?!.*SPACE pause).*)?$")
        *_, answer = chat.messages()

        assert (answer["text"], answer["status"]) == ("one two three.", "complete")
        assert len(chat.messages()) == 2


def test_thirty_pauses_in_one_answer(open_chat: Open) -> None:
    """Each resume replays all of it, behind the request before; in the end it is one message, shown once."""
    words = [f"w{number} " for number in range(31)]
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        word = words[asked]
        asked += 1
        await exchange.start()
        await exchange.text(word)
        if asked == len(words):
            await exchange.end()
        else:
            await exchange.hung_up()

    with open_chat(script) as chat:
        chat.ask("count")
        for number in range(30):
            chat.program.wait_for(rf"(?s)\bw{number}\b.*SPACE pause")
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            chat.program.send(" ")
        chat.program.wait_for(r"w30\n\n>(\n(?!.*SPACE pause).*)?$")

        *_, answer = chat.messages()
        assert answer["text"] == "".join(words)
        assert len(answer["segments"]) == 31
        assert "".join(words).strip() in chat.program.words
        assert chat.program.words.count("w7 ") == 1
        assert [len(exchange.body["messages"]) for exchange in chat.server.exchanges] == [*range(2, 64, 2)]


def test_network_cut_in_the_middle_pauses_by_itself(open_chat: Open) -> None:
    """The reason is in the pause line, and SPACE goes on."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        await exchange.text("one " if asked == 1 else "two.")
        if asked == 1:
            exchange.drop()
        else:
            await exchange.end()

    with open_chat(script) as chat:
        chat.ask("count")
        chat.program.wait_for("paused by a broken connection after 1 token - SPACE resume")
        chat.program.send(" ")
        chat.program.wait_for(r"one two\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert [each["end_reason"] for each in chat.messages()[-1]["segments"]] == ["network", "stop"]


def test_marker_of_the_model_pauses(open_chat: Open) -> None:
    """The marker is not shown, what follows is dropped, and the model was told about it."""
    with open_chat(until_hung_up("so far ", "!!CAN", "CEL nonsense")) as chat:
        chat.ask("go")
        chat.program.wait_for("paused by the model after")

        assert "!!" not in chat.program.text
        assert "nonsense" not in chat.program.text
        assert chat.messages()[-1]["text"] == "so far "
        assert "!!CANCEL" in chat.server.exchanges[0].body["messages"][0]["content"]


def test_without_marker_it_is_text(open_chat: Open) -> None:
    """`--no-marker`: nothing is looked for, and the model is told nothing."""
    with open_chat(say("so !!CANCEL far."), "--no-marker") as chat:
        chat.ask("go")
        chat.program.wait_for(r"so !!CANCEL far\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert [each["role"] for each in chat.server.exchanges[0].body["messages"]] == ["user"]


def test_failure_gives_the_question_back(open_chat: Open) -> None:
    """A wrong key: one clear line, the question in the prompt again, nothing in the record, no key on the screen."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": {"message": "Incorrect API key provided: sk-test"}})

    with open_chat(script) as chat:
        chat.ask("a long question")
        chat.program.wait_for(
            r"Incorrect API key provided: \*\*\* \(HTTP 401, model test\) \(check the key:\sOPENAI_API_KEY\)"
        )
        chat.program.wait_for(r"\n> a long question(\n.*)?$")

        assert chat.sessions() == []
        assert "sk-test" not in chat.program.written.decode()


def test_dead_server_gives_the_question_back(open_chat: Open, tmp_path: Path) -> None:
    """The line says what cannot be reached and what to look at."""
    env = environment(tmp_path, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    with Program([*LLMTERM, "chat"], env) as program:
        program.wait_for(READY)
        program.send("hello\r")
        program.wait_for(r"cannot reach http://127\.0\.0\.1:9/v1")
        program.wait_for(r"\n> hello(\n.*)?$")


def test_resize_while_streaming_keeps_the_text(open_chat: Open) -> None:
    """Five times, where lines are not laid out anew: each word stands once, and no row is left behind."""
    gate = Gate()
    words = [f"word{number}" for number in range(60)]

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(" ".join(words[:30]) + " ")
        await gate.wait()
        await exchange.text(" ".join(words[30:]) + "\n\nThe end.")
        await exchange.end()

    with open_chat(script) as chat:
        chat.ask("go")
        chat.program.wait_for("word29")
        for columns, rows in ((40, 20), (100, 30), (60, 24), (120, 14), (50, 24)):
            chat.program.resize(columns, rows)
            chat.program.wait_for("SPACE pause")
        gate.open()
        chat.program.wait_for(r"The end\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert [word for word in chat.program.words.split() if word.startswith("word")] == words
        assert chat.program.words.count("SPACE pause") == 0


@pytest.mark.parametrize("size", [(20, 6), (10, 3), (3, 2), (1, 1)])
def test_tiny_windows_work(open_chat: Open, size: tuple[int, int]) -> None:
    """Ask, pause, go on and leave in a window that shows next to nothing."""
    with open_chat(until_hung_up("one two three ", then="four.")) as chat:
        chat.program.resize(*size)
        chat.ask("q")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)
        chat.program.send(" ")
        chat.server.wait(lambda: chat.server.open_connections == 0)
        chat.program.send(" ")
        chat.server.wait(lambda: len(chat.server.exchanges) == 2)
        chat.program.resize(80, 24)
        chat.program.wait_for(lambda: re.search(r"four\..*>", "".join(chat.program.lines)) is not None)
        chat.program.send("\x04")

        assert chat.program.exit_code == 0
        assert chat.messages()[-1]["text"].endswith("four.")


@pytest.mark.parametrize(
    ("signal_name", "moment"),
    [
        *product(["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"], ["prompt", "streaming", "paused"]),
        ("SIGUSR1", "prompt"),
        ("SIGABRT", "streaming"),
    ],
)
def test_signals_leave_the_terminal_as_found(open_chat: Open, signal_name: str, moment: str) -> None:
    """Whenever a signal ends the program: every mode is back, and what came of the answer can be resumed."""
    number = getattr(signal, signal_name)
    with open_chat(until_hung_up("half an answer")) as chat:
        if moment != "prompt":
            chat.ask("go")
            chat.program.wait_for("half an answer")
        if moment == "paused":
            chat.program.send(" ")
            chat.program.wait_for(PAUSED)

        os.kill(chat.program.pid, number)

        assert chat.program.exit_code == 128 + number
        assert (chat.program.stty(), chat.program.modes_left) == (chat.program.stty_before, set())
        if moment != "prompt":
            assert chat.messages()[-1]["text"] == "half an answer"
            assert chat.sessions()[0].state in ("paused", "cut")


def test_exception_in_the_middle_leaves_the_terminal_as_found(tmp_path: Path) -> None:
    """A bug in a provider ends the program with code 1, one line, and every mode as it was."""
    env = environment(tmp_path)
    with Program([LLMTERM[0], "-m", "tests.broken_provider"], env, cwd=Path.cwd()) as program:
        program.wait_for(READY)
        program.send("go\r")

        assert program.exit_code == 1
        assert "half an answer" in program.text
        assert "ZeroDivisionError" in program.text
        assert (program.stty(), program.modes_left) == (program.stty_before, set())


def test_ctrl_z_and_back(tmp_path: Path) -> None:
    """Suspended in the middle of an answer, the shell has its terminal; back again, the answer goes on."""
    with WireServer(until_hung_up("one two ", then="three four.")) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k", PS1="shell$ ")
        with Program(["bash", "--norc", "--noprofile", "-i"], env) as program:
            program.wait_for(r"shell\$$")
            program.send(" ".join([*LLMTERM, "chat", "-p", "openai", "-m", "test"]) + "\r")
            program.wait_for(READY)
            program.send("count\r")
            program.wait_for("one two")

            program.send("\x1a")
            program.wait_for(r"Stopped[^\n]*\n(.*\n)*shell\$$")
            program.send("stty -a | grep -o -w -e '-\\?icanon' -e '-\\?echo' | tr '\\n' ' '\r")
            program.wait_for(r"\nicanon echo shell\$$")
            assert not program.modes_left & {25, 1004}
            program.send("fg\r")
            program.wait_for(r"three four\.\n\n>(\n(?!.*SPACE pause).*)?$")
            program.send("\x04")
            program.wait_for(r"shell\$$")
            program.send("stty -a | grep -o -w -e '-\\?icanon' -e '-\\?echo' | tr '\\n' ' '\r")
            program.wait_for(r"(?s)three four.*\nicanon echo shell\$$")


def test_signal_ends_a_chat_that_is_stopped(tmp_path: Path) -> None:
    """At once, also one that was told to go on in the background; the answer is kept, the terminal the shell's."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one two ")
        await exchange.hung_up()

    with WireServer(script) as server:
        env = environment(tmp_path, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="k", PS1="shell$ ")
        with Program(["bash", "--norc", "--noprofile", "-b", "-i"], env) as program:
            program.wait_for(r"shell\$$")
            for plain, ends, word in (
                ("", "kill %1", "Terminated"),
                (" --plain", "bg; kill -HUP %1; kill -CONT %1", "Hangup"),
            ):
                program.send(" ".join([*LLMTERM, f"chat -p openai -m test{plain}"]) + "\r")
                program.wait_for(r"(?m)^>[^$]*\Z")
                program.send("count\r")
                program.wait_for(r"one two[^$]*\Z")
                program.send("\x1a")
                program.wait_for(r"Stopped[^\n]*\n(.*\n)*shell\$$")
                program.send(f"{ends}\r")
                program.wait_for(word)

            program.send("\rstty -a | grep -o -w -e '-\\?icanon' -e '-\\?echo' | tr '\\n' ' '\r")
            program.wait_for(r"\nicanon echo shell\$$")
            assert not program.modes_left & {25, 1004}
            with closing(SessionStore(tmp_path / "data")) as store:
                assert [info.state for info in store.infos()] == ["paused", "paused"]


HOSTILE = "a\x1b[2Jb\x1b]0;owned\x07c\x1b]52;c;b3duZWQ=\x07d\x9b31me\x08\x08f\rg\u202eh\x1bPq\x1b\\i\x07"


def test_hostile_output_is_shown_not_executed(open_chat: Open) -> None:
    """Escape sequences in an answer are visible glyphs: no title, no clipboard, no cursor movement."""
    with open_chat(say("before\n\n", HOSTILE, "\n\nafter.")) as chat:
        chat.ask("attack")
        chat.program.wait_for(r"after\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.program.screen.title == ""
        for sequence in (b"\x1b]0;", b"\x1b]52", b"\x1bP", "\x9b".encode(), "\u202e".encode()):
            assert sequence not in chat.program.written
        assert "> attack" in chat.program.text
        assert "before" in chat.program.text
        assert chat.messages()[-1]["text"] == f"before\n\n{HOSTILE}\n\nafter."


def test_commands(open_chat: Open) -> None:
    """/help, /model, /provider, /system, /clear, and the nearest name for a slip."""
    with open_chat(say("ok.")) as chat:
        program = chat.program
        program.send("/help\r")
        program.wait_for(r"/provider \[NAME\[/MODEL\]\] +show or change the provider")
        program.send("/model other\r")
        program.wait_for("openai/other")
        program.send("/system Be brief.\r")
        program.wait_for(r"\nBe brief\.")
        program.send("/hepl\r")
        program.wait_for(r"there is no /hepl \(did you mean /help\?\)")
        program.send("/provider nonsense\r")
        program.wait_for("there is no provider 'nonsense'")
        chat.ask("hi")
        program.wait_for(r"ok\.\n\n>(\n(?!.*SPACE pause).*)?$")
        program.send("/clear\r")
        chat.ask("again")
        program.wait_for(r"(?s)> again.*ok\.\n\n>(\n(?!.*SPACE pause).*)?$")

        first, second = (exchange.body for exchange in chat.server.exchanges)
        assert first["model"] == "other"
        assert first["messages"][0]["content"].startswith("Be brief.")
        assert [each["content"] for each in second["messages"][1:]] == ["again"]
        assert len(chat.sessions()) == 2
        assert "paused" not in program.text


def test_tab_completes_commands(open_chat: Open) -> None:
    """Names after a slash, then their values."""
    with open_chat(say("fine.")) as chat:
        chat.program.send("/prov\t")
        chat.program.wait_for("> /provider")
        chat.program.send(" lo\t")
        chat.program.wait_for("> /provider local")
        chat.program.send("\r")
        chat.program.wait_for(r"\nlocal/")


def test_plain_mode_moves_no_cursor(open_chat: Open) -> None:
    """`--plain`: the same keys, states in words, and no control sequence but the one for pasted lines."""
    with open_chat(until_hung_up("one ", "two ", then="three."), "--plain") as chat:
        chat.ask("count")
        chat.program.wait_for("two")
        chat.program.send(" ")
        chat.program.wait_for(PAUSED)
        chat.program.send("go on\r")
        chat.program.wait_for(r"three\.\n")
        chat.program.send("\x04")

        assert chat.program.exit_code == 0
        assert set(re.findall(rb"\x1b[^a-zA-Z]*[a-zA-Z]", chat.program.written)) == {b"\x1b[?2004h", b"\x1b[?2004l"}
        assert chat.messages()[-1]["text"] == "one two three."


def test_dumb_terminal_is_plain(open_chat: Open) -> None:
    """TERM=dumb gets no control sequence either."""
    with open_chat(say("fine."), TERM="dumb") as chat:
        chat.ask("hi")
        chat.program.wait_for(r"fine\.\n")

        assert b"\x1b" not in chat.program.written


def test_another_model_goes_on_with_a_kept_answer(open_chat: Open) -> None:
    """A provider or model named on the command line continues what another one began, and the record says so."""
    with open_chat(until_hung_up("one two ")) as chat:
        chat.ask("count")
        chat.program.wait_for("one two")
        chat.program.send(" \x04")
        assert chat.program.exit_code == 0

    with open_chat(say("three."), "--continue", "--model", "other") as chat:
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(r"one two three\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.server.exchanges[0].body["model"] == "other"
        assert [each["model"] for each in chat.messages()[-1]["segments"]] == ["test", "other"]


def test_switch_of_model_at_a_pause(open_chat: Open) -> None:
    """Commands work while an answer is paused; the answer goes on with what they chose."""
    with open_chat(until_hung_up("one two ", then="three.")) as chat:
        chat.ask("count")
        chat.program.wait_for("one two")
        chat.program.send(" ")
        chat.program.wait_for(PAUSED)
        chat.program.send("/model other\r")
        chat.program.wait_for(r"one two\n\nopenai/other\n\n>\n" + PAUSED)
        chat.program.send("/clear\r")
        chat.program.wait_for("an answer is still open")
        chat.program.send(" ")
        chat.program.wait_for(r"one two three\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.server.exchanges[1].body["model"] == "other"
        assert chat.messages()[-1]["text"] == "one two three."


def test_stored_answer_is_exactly_what_was_received(open_chat: Open) -> None:
    """Paused at random moments of a fast stream: each segment is the beginning of what its request was sent."""
    dice = random.Random(7)
    pauses = 10
    sent: list[str] = []

    async def script(exchange: Exchange) -> None:
        number = len(sent)
        sent.append("")
        await exchange.start()
        for word in range(dice.randrange(5, 400) if number == pauses else 100_000):
            piece = f"s{number}w{word} "
            sent[number] += piece
            await exchange.text(piece)
            if word % 20 == 0:
                await asyncio.sleep(0.001)  # the pace of a model; nothing waits for it
        await exchange.end()

    with open_chat(script) as chat:
        chat.ask("go")
        for number in range(pauses):
            wanted = dice.randrange(1, 600)
            chat.program.wait_for(rf"\bs{number}w\d+")
            chat.program.wait_for(lambda: len(sent[number]) > wanted)  # noqa: B023
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            text = chat.messages()[-1]["text"]
            segments = chat.messages()[-1]["segments"]
            assert segments[-1]["end"] == len(text)
            assert sent[number].startswith(text[segments[-1]["start"] :])
            chat.program.send(" ")
            chat.program.wait_for(lambda: "paused after" not in chat.program.text)
        chat.program.wait_for(r"\n\n>(\n(?!.*SPACE pause).*)?$")

        *_, answer = chat.messages()
        assert answer["status"] == "complete"
        parts = [answer["text"][each["start"] : each["end"]] for each in answer["segments"]]
        assert "".join(parts) == answer["text"]
        assert parts[-1] == sent[pauses]
        assert all(all_of_it.startswith(part) for all_of_it, part in zip(sent, parts, strict=True))


@pytest.mark.parametrize("text", ["one two three", "- a\n- b", "```py\nx = 1\ny =", "| a |\n|---|\n| b |"])
def test_stop_at_a_pause_shows_nothing_twice(open_chat: Open, text: str) -> None:
    """What stands on the screen when the answer is ended there stays there, once; below code there is its rule then."""
    with open_chat(until_hung_up(text)) as chat:
        chat.ask("go")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)
        chat.program.wait_for("tokens/s")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        shown = [line for line in chat.program.text.split("\n>\npaused after")[0].splitlines() if line.strip(" ─")]
        chat.program.send("\x1b")
        chat.program.wait_for(r"■ stopped\n\n>\n.+$")  # with the line below it, which may come a little later

        stands = [line for line in chat.program.text.splitlines() if line.strip(" ─")][:-2]
        assert stands == [*shown, "■ stopped"]


def test_window_that_gets_lower_leaves_no_frames_behind(open_chat: Open) -> None:
    """A table taller than the screen, while it streams: what scrolled away is never a stale frame."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("| n |\n|---|\n" + "".join(f"| row{number} |\n" for number in range(40)))
        await gate.wait()
        for number in range(40, 60):
            await exchange.text(f"| row{number} |\n")
        await exchange.text("\nend.")
        await exchange.end()

    with open_chat(script) as chat:
        chat.ask("go")
        chat.program.wait_for("row39")
        chat.program.resize(80, 20)
        gate.open()
        chat.program.wait_for(r"end\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.program.text.count("SPACE pause") <= 2  # the welcome does not say it
        assert chat.program.text.count("row45 ") <= 1


def test_system_prompt_set_at_a_pause_stays(open_chat: Open) -> None:
    """The end of the answer does not bring the old one back."""
    with open_chat(until_hung_up("one ", then="two."), "--no-marker") as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for(PAUSED)
        chat.program.send("/system Be brief.\r")
        chat.program.wait_for(r"Be brief\.\n(.*\n)*>\n" + PAUSED)
        chat.program.send(" ")
        chat.program.wait_for(r"two\.\n\n>(\n(?!.*SPACE pause).*)?$")
        chat.ask("again")
        chat.server.wait(lambda: len(chat.server.exchanges) == 3)

        assert chat.server.exchanges[2].body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_error_of_a_server_cannot_write_on_the_terminal(open_chat: Open) -> None:
    """Escape sequences in an error are glyphs, at the prompt and at a pause."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await exchange.refuse(422, {"error": {"message": "\x1b]0;owned\x07 \u202e boom"}})
            return
        await exchange.start()
        await exchange.text("half ")
        await exchange.raw(b'data: {"error": {"message": "\\u001b]0;owned\\u0007 \\u202e boom"}}\n\n')
        await exchange.close()

    with open_chat(script) as chat:
        chat.ask("go")
        chat.program.wait_for(r"boom \(HTTP 422, model test\)(?s:.*)\n> go(\n.*)?$")
        chat.program.send("\r")
        chat.program.wait_for(r"boom\n(.*\n)*>\npaused by an error")

        assert b"\x1b]0" not in chat.program.written
        assert "\u202e".encode() not in chat.program.written


def test_resume_that_fails_rests_again(open_chat: Open) -> None:
    """An answer that was paused before its first word, and cannot be asked for again: the same keys try again."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            await exchange.refuse(422, {"error": "busy"})
            return
        await exchange.start()
        if asked == 1:
            await exchange.hung_up()
            return
        await exchange.text("here.")
        await exchange.end()

    with open_chat(script) as chat:
        chat.ask("go")
        chat.server.wait(lambda: len(chat.server.exchanges) == 1)
        chat.program.send(" ")
        chat.program.wait_for("paused after 0 tokens")
        chat.program.send(" ")
        chat.program.wait_for(r"busy \(HTTP 422, model test\)\n(.*\n)*>\npaused by an error after 0 tokens")
        chat.program.send(" ")
        chat.program.wait_for(r"here\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert [each["text"] for each in chat.messages()] == ["go", "here."]


def test_an_answer_of_the_terminal_is_waited_for_by_who_leaves() -> None:
    """For what is left of a second since it was asked, once; never where nothing was asked."""
    now, waited = 0.0, list[float]()
    master, slave = os.openpty()
    asked = Terminal(slave, lambda text: None, question="?", settle=waited.append, clock=lambda: now)
    quiet = Terminal(slave, lambda text: None, settle=waited.append, clock=lambda: now)

    with asked, quiet:
        now = 0.25
        asked.restore()
        asked.take()
    os.close(master)
    os.close(slave)

    assert waited == [0.75]


def test_an_answer_that_is_late_is_not_waited_for() -> None:
    now, waited = 0.0, list[float]()
    master, slave = os.openpty()

    with Terminal(slave, lambda text: None, question="?", settle=waited.append, clock=lambda: now):
        now = 60.0
    os.close(master)
    os.close(slave)

    assert waited == [0.0]
