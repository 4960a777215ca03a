"""Files beside the store that cannot be used: one line says so, and nothing else goes wrong for it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from llmterm import log
from llmterm.chat.history import PromptHistory
from llmterm.providers.learned import FILE_NAME, Learned
from tests.chatting import opened
from tests.disks import fill, read_only, small_disk
from tests.wire import say

PROMPT = r"\n>(\n(?!.*SPACE pause).*)?$"


def as_folder(path: Path) -> None:
    path.mkdir()


def as_link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "no" / "such" / "folder")


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_loop(path: Path) -> None:
    path.symlink_to(path)


UNUSABLE = [as_folder, as_link_to_nowhere, as_pipe, as_loop]


@pytest.mark.parametrize("made", UNUSABLE)
async def test_a_history_that_is_no_file_is_in_memory(tmp_path: Path, made: Callable[[Path], None]) -> None:
    """What is typed is remembered, and said why it is not for longer."""
    made(tmp_path / "history")

    history = PromptHistory(tmp_path / "history")
    before = [each async for each in history.load()]
    history.append_string("typed")
    await history.close()

    assert (before, history.get_strings()) == ([], ["typed"])
    assert str(tmp_path / "history") in history.trouble


async def test_a_history_with_bytes_that_are_no_text_is_used(tmp_path: Path) -> None:
    """Entries that can be read are there, and new ones are kept for the next chat, in private."""
    (tmp_path / "history").write_bytes(b"\n# then\n+one\n\xff\xfe\0\n# then\n+t\xffwo\n")

    history = PromptHistory(tmp_path / "history")
    before = [each async for each in history.load()]
    history.append_string("three")
    await history.close()
    after = [each async for each in PromptHistory(tmp_path / "history").load()]

    assert (history.trouble, len(before), before[1:], after[:1]) == ("", 2, ["one"], ["three"])


async def test_what_is_typed_while_a_history_is_read_is_there_once(tmp_path: Path) -> None:
    """It is the newest, in this chat and in the next."""
    earlier = PromptHistory(tmp_path / "history")
    earlier.append_string("earlier")
    await earlier.close()

    history = PromptHistory(tmp_path / "history")
    history.append_string("before")
    loading = asyncio.ensure_future(anext(history.load()))
    await asyncio.sleep(0)
    history.append_string("meanwhile")
    await loading
    await history.close()

    for each in (history, PromptHistory(tmp_path / "history")):
        assert [text async for text in each.load()] == ["meanwhile", "before", "earlier"]
        await each.close()


async def test_a_new_history_is_private_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "history").symlink_to(tmp_path / "real")
    before = os.umask(0o022)
    try:
        history = PromptHistory(tmp_path / "history")
        history.append_string("typed")
        await history.close()
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600


async def test_the_way_to_have_no_history_is_no_trouble(tmp_path: Path) -> None:
    """A link to the null device."""
    (tmp_path / "history").symlink_to(os.devnull)

    history = PromptHistory(tmp_path / "history")
    history.append_string("typed")
    await history.close()

    assert history.trouble == ""


async def test_a_history_on_a_full_disk_is_in_memory(tmp_path: Path) -> None:
    """It was fine when the chat began."""
    with small_disk(tmp_path / "disk") as folder:
        history = PromptHistory(folder / "history")
        history.append_string("one")
        await history.close()
        fill(folder)
        for text in ("long " * 4000, "two"):
            history.append_string(text)
        await history.close()

        assert history.get_strings()[::2] == ["one", "two"]
        assert "No space left" in history.trouble


def test_a_chat_says_once_that_it_has_no_history(tmp_path: Path) -> None:
    """In one line, and goes on; EDITOR, PAGER and TMPDIR that lead nowhere are one line each, too."""
    (tmp_path / "data" / "history").mkdir(parents=True)
    (tmp_path / "data" / "lessons.json").mkdir()
    (tmp_path / "data" / "debug.jsonl").mkdir()
    env = {"EDITOR": "/no/such/editor", "PAGER": "/no/such/pager", "TMPDIR": "/no/such/folder"}
    with opened(tmp_path, say("fine."), "--debug", columns=150, rows=50, **env) as chat:
        for number in range(2):
            chat.ask(f"question {number}")
            chat.program.wait_for(rf"(?s)question {number}.*fine\.\n{PROMPT}")
        chat.program.send("/pager\r")
        chat.program.wait_for(r"/no/such/pager cannot be used.*" + PROMPT)
        chat.program.send("draft\x18\x05")
        chat.program.wait_for(r"(?s)/no/such/editor cannot be used.*> draft")
        chat.program.send("\x15")
        chat.program.wait_for(PROMPT)
        chat.program.send("\x1b[A")
        chat.program.wait_for(r"> /pager\n.*\Z")
        chat.program.send("\x15\x04")
        assert chat.program.exit_code == 0

    text = chat.program.text
    assert text.count("no history") == 1
    assert text.count("debug log cannot be written") == 1
    assert "Traceback" not in text


@pytest.mark.parametrize("made", UNUSABLE)
def test_lessons_that_cannot_be_kept_are_known_until_the_end(tmp_path: Path, made: Callable[[Path], None]) -> None:
    """And leave nothing behind."""
    made(tmp_path / FILE_NAME)
    before = set(os.listdir(tmp_path))

    learned = Learned(tmp_path)
    learned.learn("no_prefill", "p", "m")

    assert learned.knows("no_prefill", "p", "m")
    if made in (as_folder,):
        assert set(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("text", ["[" * 100_000, "{", '{"no_prefill": 5}', '{"no_prefill": [["p"]]}', "[]", "\udcff"])
def test_lessons_that_make_no_sense_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_bytes(text.encode("utf-8", "surrogateescape"))

    assert not Learned(tmp_path).knows("no_prefill", "p", "m")


def test_lessons_are_private(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Learned(tmp_path / "data").learn("no_prefill", "p", "m")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600
    assert json.loads((tmp_path / "data" / FILE_NAME).read_text("utf-8"))["no_prefill"] == [["p", "m"]]


def test_lessons_on_a_read_only_disk_are_known_until_the_end(tmp_path: Path) -> None:
    with read_only(tmp_path):
        learned = Learned(tmp_path)
        learned.learn("no_prefill", "p", "m")

    assert learned.knows("no_prefill", "p", "m")


def test_a_log_on_a_full_disk_says_so_at_its_end(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as folder:
        stop = log.to_file(folder, text=True)
        fill(folder)
        log.event("long", words=log.Said("long " * 10_000))

        assert "No space left" in stop()


@pytest.mark.parametrize("made", UNUSABLE)
def test_a_log_that_is_no_file_is_an_error_of_the_system(tmp_path: Path, made: Callable[[Path], None]) -> None:
    """At once: a pipe that nobody reads is not waited for."""
    made(tmp_path / log.FILE_NAME)

    with pytest.raises(OSError, match=log.FILE_NAME):
        log.to_file(tmp_path, text=False)
