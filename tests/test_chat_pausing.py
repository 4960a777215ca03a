"""What an answer at rest can be told: hold and show, edit, cut back, another model, again."""

from __future__ import annotations

import stat
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.chatting import Open, opened
from tests.wire import Exchange, Gate, Script, WireServer, say


@pytest.fixture
def open_chat(tmp_path: Path) -> Open:
    return partial(opened, tmp_path)


def configured(folder: Path, text: str) -> dict[str, str]:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return {"LLMTERM_CONFIG": str(path)}


PREFILL = '[providers.openai]\ncontinuation = "prefill"\n'


def first_then(first: str, *then: str) -> Script:
    """Say `first` and wait to be cut off; each later request gets the next of `then`, and its end."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        if exchange.path.endswith("/models"):
            await exchange.refuse(200, {"data": []})
            return
        asked += 1
        await exchange.start()
        if asked == 1:
            await exchange.text(first)
            await exchange.hung_up()
            return
        await exchange.text(then[min(asked, len(then) + 1) - 2])
        await exchange.end()

    return script


# Hold


def test_held_answer_is_read_on_and_shown_whole(open_chat: Open) -> None:
    """The screen stands still, the line counts what waits, and SPACE shows it: one request, nothing lost."""
    held = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await held.wait()
        for word in ("two ", "three ", "four."):
            await exchange.text(word)
        await exchange.end()

    with open_chat(script, "--pause-mode", "hold", columns=120) as chat:
        chat.ask("count")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for(r"paused after 1 token, 0 more so far - SPACE show - type to guide - Esc stop")
        held.open()
        chat.program.wait_for(r"paused after \d+ tokens?, 3 more - SPACE show")
        assert "two" not in chat.program.text

        chat.program.send(" ")
        chat.program.wait_for(r"one two three four\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == "one two three four."
        assert len(chat.server.exchanges) == 1


def test_guidance_cuts_a_held_answer_where_it_was_shown(open_chat: Open, tmp_path: Path) -> None:
    """What had come unseen is not part of the answer; the request that follows replays what was seen."""
    held, come = Gate(), Gate()
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 2:
            await exchange.text("other.")
            await exchange.end()
            return
        await exchange.text("one ")
        await held.wait()
        await exchange.text("unseen ")
        come.open()
        await exchange.hung_up()

    with open_chat(script, "--pause-mode", "hold", columns=120, **configured(tmp_path, PREFILL)) as chat:
        chat.ask("count")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("0 more so far")
        held.open()
        chat.program.wait_for("1 more so far")
        chat.program.send("shorter\r")
        chat.program.wait_for(r"other\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == "one other."
        assert chat.server.exchanges[1].body["messages"][-1] == {"role": "assistant", "content": "one"}
        assert "unseen" not in chat.program.text


def test_full_buffer_cuts_a_held_answer(open_chat: Open, tmp_path: Path) -> None:
    """The stream is not read for ever: at the bound it is cut, keeping all that was received."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("start ")
        await exchange.hung_up() if len(chat.server.exchanges) > 1 else None
        while True:
            await exchange.text("more ")

    env = configured(tmp_path, PREFILL + "[stream]\nbuffer_size = 20\n")
    with open_chat(script, "--pause-mode", "hold", columns=120, **env) as chat:
        chat.ask("go")
        chat.program.wait_for("start")
        chat.program.send(" ")
        chat.program.wait_for(r"\d\d more - SPACE show")
        chat.server.wait(lambda: chat.server.open_connections == 0)
        chat.program.wait_for(lambda: chat.sessions()[0].state == "paused")

        text = chat.messages()[-1]["text"]
        assert text.startswith("start more more")


def test_pause_mode_can_be_changed(open_chat: Open) -> None:
    """By a command, for the pauses that follow; a slip is answered."""
    with open_chat(first_then("one ", "two.")) as chat:
        chat.program.send("/pause-mode\r")
        chat.program.wait_for("pause mode: cut")
        chat.program.send("/pause-mode freeze\r")
        chat.program.wait_for("there is no pause mode 'freeze' \\(cut or hold\\)")
        chat.program.send("/pause-mode hold\r")
        chat.program.wait_for("pause mode: hold")
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("0 more so far")


# Editing


@pytest.fixture
def editor(tmp_path: Path) -> str:
    """An editor that puts "green" where "red" was."""
    path = tmp_path / "editor"
    path.write_text('#!/bin/sh\nsed -i s/red/green/ "$1"\n', encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize("key", ["/edit\r", "\x1be"], ids=["command", "key"])
def test_edited_answer_goes_on_from_the_edited_text(open_chat: Open, tmp_path: Path, editor: str, key: str) -> None:
    """What the editor left is what is replayed, shown and stored."""
    env = {"EDITOR": editor, **configured(tmp_path, PREFILL)}
    with open_chat(first_then("The apple is red ", "and round."), **env) as chat:
        chat.ask("go")
        chat.program.wait_for("is red")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(key)
        chat.program.wait_for(r"The apple is green and round\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.server.exchanges[1].body["messages"][-1]["content"] == "The apple is green"
        assert chat.messages()[-1]["text"] == "The apple is green and round."


def test_editor_that_fails_changes_nothing(open_chat: Open) -> None:
    """One clear line, and the answer rests as it was."""
    with open_chat(first_then("one ", "two."), columns=120, EDITOR="false") as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("/edit\r")
        chat.program.wait_for(r"false ended with exit code 1 \(the text is as it was\)")
        chat.program.send(" ")
        chat.program.wait_for(r"one two\.\n\n>(\n(?!.*SPACE pause).*)?$")


def test_last_paragraph_is_cut_and_the_answer_rests(open_chat: Open, tmp_path: Path) -> None:
    """/back takes back what was said last; going on begins there."""
    with open_chat(first_then("First.\n\nSecond, wro", "Better."), **configured(tmp_path, PREFILL)) as chat:
        chat.ask("go")
        chat.program.wait_for("wro")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x1bb")
        chat.program.wait_for(r"(?s)the answer is now 8 characters long.*First\.\n+>\npaused")
        assert chat.messages()[-1]["text"] == "First.\n\n"
        chat.program.send(" ")
        chat.program.wait_for(r"Better\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == "First.\n\nBetter."


def test_change_at_a_pause_can_be_taken_back(open_chat: Open, tmp_path: Path) -> None:
    """/undo gives back what /back and /again took, one after the other, also after the answer went on."""
    with open_chat(first_then("First.\n\nSecond, wro", "New "), **configured(tmp_path, PREFILL)) as chat:
        chat.ask("go")
        chat.program.wait_for("wro")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("/undo\r")
        chat.program.wait_for("this answer was not changed")
        chat.program.send("\x1bb")
        chat.program.wait_for(r"(?s)now 8 characters long.*paused")
        chat.program.send("/undo\r")
        chat.program.wait_for(r"(?s)now 19 characters long.*Second, wro\n+>\npaused")

        assert chat.messages()[-1]["text"] == "First.\n\nSecond, wro"

        chat.program.send("\x1b")
        chat.program.wait_for(r"/continue goes on with the answer")


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("/undo", "this answer was not changed"),
        ("/both", "the model has not started over"),
        ("/on ", "on which model"),
        ("/back", "there is only one paragraph"),
    ],
)
def test_refused_command_leaves_the_hold_as_it_is(open_chat: Open, command: str, refusal: str) -> None:
    """Nothing of what came meanwhile is dropped for a command that could not do anything, or for the help."""
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("shown. ")
        await gate.wait()
        await exchange.text("held.")
        await exchange.end()

    with open_chat(script, "--pause-mode", "hold", columns=120) as chat:
        chat.ask("go")
        chat.program.wait_for(r"shown\.")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        gate.open()
        chat.program.wait_for("1 more - SPACE show")
        chat.program.send("?")
        chat.program.wait_for(r"guides the rest(?s:.*)1 more - SPACE show")
        chat.program.send("\x1b")
        chat.program.wait_for(lambda: "guides the rest" not in chat.program.text)
        chat.program.send(f"{command}\r")
        chat.program.wait_for(rf"{refusal}(?s:.*)1 more - SPACE show")
        chat.program.send(" ")
        chat.program.wait_for(r"shown\. held\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == "shown. held."


def test_undo_goes_round(open_chat: Open) -> None:
    """After /again both answers are there: /undo brings the first, and once more the second."""

    numbers = count(1)

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(f"Answer {next(numbers)}. ")
        await exchange.hung_up()

    with open_chat(script) as chat:
        chat.ask("go")
        chat.program.wait_for(r"Answer 1\.")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x1br")
        chat.program.wait_for(r"Answer 2\.")
        chat.program.send(" ")
        chat.program.wait_for(r"(?s)Answer 2\..*paused after")
        for number in (1, 2, 1):
            chat.program.send("/undo\r")
            chat.program.wait_for(rf"Answer {number}\.\n+>\npaused after [^\n]*\nopenai/test\Z")

            assert chat.messages()[-1]["text"] == f"Answer {number}. "


def test_guidance_that_was_begun_outlives_the_answer(open_chat: Open) -> None:
    """What stands in the line when Esc ends the answer is in the next prompt."""
    with open_chat(first_then("one two ")) as chat:
        chat.ask("go")
        chat.program.wait_for("one two")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("half a wish")
        chat.program.wait_for("> half a wish")
        chat.program.send("\x1b")

        chat.program.wait_for(r"\n\n> half a wish\nopenai/")


def test_answer_begins_again(open_chat: Open) -> None:
    """/again asks the same question, and forgets what was said."""
    with open_chat(first_then("Wrong ", "Right.")) as chat:
        chat.ask("go")
        chat.program.wait_for("Wrong")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("\x1br")
        chat.program.wait_for(r"Right\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == "Right."
        first, second = (exchange.body["messages"] for exchange in chat.server.exchanges)
        assert first == second


def test_answer_goes_on_with_another_model(open_chat: Open, tmp_path: Path) -> None:
    """/on takes a model of the same provider, or another provider; the record says who wrote what."""
    with WireServer(say("and small.")) as other:
        env = configured(tmp_path, f'[providers.mine]\nkind = "openai"\nbase_url = "{other.base_url}"\nmodel = "m"\n')
        with open_chat(first_then("Big "), columns=120, **env) as chat:
            chat.ask("go")
            chat.program.wait_for("Big")
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            chat.program.send("\x1bm")
            chat.program.wait_for("> /on")
            chat.program.send("mine/tiny\r")
            chat.program.wait_for(r"(?s)mine/tiny answers from now on, no longer openai/test\n.*Big and small\.\n")
            chat.program.wait_for(r"\n>\nmine/tiny - (?!.*SPACE pause)[^\n]*\Z")

            assert [(each["provider"], each["model"]) for each in chat.messages()[-1]["segments"]] == [
                ("openai", "test"),
                ("mine", "tiny"),
            ]


def test_last_question_is_answered_on_another_model(open_chat: Open) -> None:
    """With /on at the prompt, as another version; an answer that was stopped goes on, and with whom answers now."""
    with open_chat(first_then("Big ", "and small.", "Big it is."), columns=120) as chat:
        chat.ask("/on openai/tiny")
        chat.program.wait_for(r"nothing was asked yet[^\n]*\n>\nopenai/test")
        chat.ask("go")
        chat.program.wait_for("Big")
        chat.program.send("\x1b")
        chat.program.wait_for(r"stopped\n\n>\nopenai/test[^\n]*\Z")
        chat.ask("/on openai/tiny")
        chat.program.wait_for(
            r"(?s)openai/tiny answers from now on, no longer [^ ]*test\n.*and small\.\n\n>\n(?!.*SPACE pause)openai"
        )
        chat.ask("/on openai/third")
        chat.program.wait_for(
            r"(?s)> go\n.*openai/third answers from now on.*it is\.\n\n>\n(?!.*SPACE pause)openai/third - version 2"
        )

        assert [exchange.body["model"] for exchange in chat.server.exchanges] == ["test", "tiny", "third"]


def test_question_mark_lists_what_can_be_done(open_chat: Open, tmp_path: Path) -> None:
    """On an empty line; the keys are those of the configuration."""
    with open_chat(first_then("one ", "two."), **configured(tmp_path, '[keys]\nedit = "alt-z"\n')) as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send("?")
        chat.program.wait_for(r"(?s)SPACE   goes on.*Alt-Z   /edit.*Alt-R   /again.*paused")
        chat.program.send("why?\x7f\x7f\x7f\x7f")  # in a text it is a letter like others
        chat.program.send(" ")
        chat.program.wait_for(r"two\.\n\n>(\n(?!.*SPACE pause).*)?$")


def ended(held: Gate) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await held.wait()
        await exchange.text("two.")
        await exchange.end()

    return script


@pytest.mark.parametrize("leave", ["\x04", "/quit\r"], ids=["key", "command"])
def test_leaving_a_held_answer_that_has_ended_keeps_it_whole(open_chat: Open, leave: str) -> None:
    """What was not shown was received: nothing is left to go on with."""
    held = Gate()
    with open_chat(ended(held), "--pause-mode", "hold") as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("0 more so far")
        held.open()
        chat.program.wait_for("1 more - SPACE show")
        chat.program.send(leave)
        assert chat.program.exit_code == 0

        assert (chat.messages()[-1]["text"], chat.sessions()[0].state) == ("one two.", "complete")


@pytest.mark.parametrize("leave", ["\x04", "/quit\r"], ids=["key", "command"])
def test_leaving_a_held_answer_that_goes_on_keeps_what_came(open_chat: Open, leave: str) -> None:
    """It is paused on disk with all that was received, shown or not."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await held.wait()
        await exchange.text("two ")
        await exchange.hung_up()

    held = Gate()
    with open_chat(script, "--pause-mode", "hold") as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("0 more so far")
        held.open()
        chat.program.wait_for("1 more so far")
        chat.program.send(leave)
        assert chat.program.exit_code == 0

        assert (chat.messages()[-1]["text"], chat.sessions()[0].state) == ("one two ", "paused")


def test_held_answer_stays_held_over_a_command(open_chat: Open) -> None:
    """What does not concern the answer does not set it going."""
    held = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text("one ")
        await held.wait()
        await exchange.text("two.")
        await exchange.end()

    with open_chat(script, "--pause-mode", "hold") as chat:
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("0 more so far")
        chat.program.send("?")
        chat.program.wait_for(r"(?s)/again.*0 more so far")
        held.open()
        chat.program.wait_for("1 more - SPACE show")
        assert "two" not in chat.program.text
        chat.program.send(" ")
        chat.program.wait_for(r"two\.\n\n>(\n(?!.*SPACE pause).*)?$")


ANSWER = "The tide comes in twice a day, and it goes out twice a day as well. Fishermen have always known"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (" ", f"{ANSWER} when to sail."),
        ("k", f"{ANSWER}\n\n{ANSWER[:70]} when to sail."),
        ("n", f"{ANSWER[:70]} when to sail."),
    ],
    ids=["again", "both", "newer"],
)
def test_answer_that_is_started_over_is_not_glued(open_chat: Open, key: str, text: str) -> None:
    """The pause line asks what to do with it, and each of its keys does what it says."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked < 3:
            await exchange.text(ANSWER if asked == 1 else ANSWER[:70])
            await exchange.hung_up()
            return
        await exchange.text(" when to sail.")
        await exchange.end()

    with open_chat(script, columns=60) as chat:
        chat.ask("go")
        chat.program.wait_for("always known")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(
            lambda: "the model started over: SPACE try again - k keep both n use the new one" in chat.program.words
        )
        chat.program.send(key)
        chat.program.wait_for(r"when to sail\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == text


def test_seams_are_listed_and_can_be_undone(open_chat: Open) -> None:
    """What was said twice is shown once; /seams tells where, and gives it back, also when the answer is over."""
    with open_chat(first_then(ANSWER, "have always known when to sail."), columns=140) as chat:
        chat.ask("go")
        chat.program.wait_for("always known")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(r"always known when to sail\.\n\n>(\n(?!.*SPACE pause).*)?$")
        assert chat.messages()[-1]["text"] == f"{ANSWER} when to sail."

        chat.program.send("/seams\r")
        chat.program.wait_for(rf"2  at character {len(ANSWER)}: overlap: cut 'have always known'")
        chat.program.send("/seams undo 1\r")
        chat.program.wait_for("nothing was changed at seam 1")
        chat.program.send("/seams undo 2\r")
        chat.program.wait_for(r"knownhave always known when to sail\.\n\n>(\n(?!.*SPACE pause).*)?$")
        assert chat.messages()[-1]["text"] == f"{ANSWER}have always known when to sail."


def test_commands_of_a_pause_need_one(open_chat: Open) -> None:
    """Elsewhere they say so."""
    with open_chat(say("ok.")) as chat:
        chat.program.send("/again\r")
        chat.program.wait_for(r"no answer is paused \(SPACE pauses one\)")


# Going on


def test_broken_connection_goes_on_by_itself(open_chat: Open, tmp_path: Path) -> None:
    """As often as was asked for; then it waits for the user."""

    async def script(exchange: Exchange) -> None:
        number = len(chat.server.exchanges)
        await exchange.start()
        await exchange.text(f"part{number} ")
        if number < 4:
            exchange.drop()
        else:
            await exchange.end()

    with open_chat(script, **configured(tmp_path, PREFILL + "[chat]\nauto_resume = 2\n")) as chat:
        chat.ask("go")
        chat.program.wait_for(r"(?s)part1 part2 part3.*paused by a broken connection")
        chat.program.send(" ")
        chat.program.wait_for(r"part4\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.messages()[-1]["text"] == "part1 part2 part3 part4 "


def test_refused_prefill_goes_on_by_instruction_and_is_remembered(open_chat: Open, tmp_path: Path) -> None:
    """In the same breath, without a word; the next answer of that model is asked for in words at once."""
    bodies = []

    async def script(exchange: Exchange) -> None:
        messages = exchange.body["messages"]
        bodies.append(messages[-1]["role"])
        if messages[-1]["role"] == "assistant":
            refusal = "This model does not support assistant message prefill."
            await exchange.refuse(400, {"error": {"message": refusal}})
            return
        await exchange.start()
        if len(messages) == 1 or "interrupted" not in messages[-1]["content"]:
            await exchange.text("one ")
            await exchange.hung_up()
            return
        await exchange.text("two.")
        await exchange.end()

    env = configured(tmp_path, PREFILL)
    for _ in range(2):
        with open_chat(script, **env) as chat:
            chat.ask("go")
            chat.program.wait_for("one")
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            chat.program.send(" ")
            chat.program.wait_for(r"one two\.\n\n>(\n(?!.*SPACE pause).*)?$")
            assert "prefill" not in chat.program.text
            assert [each["mode"] for each in chat.messages()[-1]["segments"]] == ["fresh", "instruct"]

    assert bodies == ["user", "assistant", "user", "user", "user"]


def test_resume_mode_can_be_chosen(open_chat: Open) -> None:
    """Whatever is known of the model: literally, with the flag that its server wants."""
    with open_chat(first_then("one ", "two.")) as chat:
        chat.program.send("/resume-mode prefix\r")
        chat.program.wait_for("resume mode: prefix")
        chat.ask("go")
        chat.program.wait_for("one")
        chat.program.send(" ")
        chat.program.wait_for("paused after")
        chat.program.send(" ")
        chat.program.wait_for(r"one two\.\n\n>(\n(?!.*SPACE pause).*)?$")

        assert chat.server.exchanges[1].body["messages"][-1] == {"role": "assistant", "content": "one", "prefix": True}


def test_pause_while_thinking_says_that_the_answer_begins_again(open_chat: Open) -> None:
    """No model takes its own thoughts back; what was shown of them stays in the record."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 1:
            await exchange.raw(b'data: {"choices": [{"delta": {"reasoning_content": "let me see"}}]}\n\n')
            await exchange.hung_up()
            return
        await exchange.text("done.")
        await exchange.end()

    with open_chat(script, columns=140) as chat:
        chat.ask("go")
        chat.program.wait_for("let me see")
        chat.program.send(" ")
        chat.program.wait_for("paused after 1 token, while thinking - SPACE begins the answer again")
        chat.program.send(" ")
        chat.program.wait_for(r"done\.\n\n>(\n(?!.*SPACE pause).*)?$")

        answer = chat.messages()[-1]
        assert (answer["text"], answer["thinking"]) == ("done.", "let me see")
        first, second = (exchange.body["messages"] for exchange in chat.server.exchanges)
        assert first == second
