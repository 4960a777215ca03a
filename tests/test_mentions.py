"""Files that messages mention: which are taken, how they are put in, and which never are."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmterm.chat.attachments import Attachments
from llmterm.chat.filesearch import Files
from llmterm.chat.mentions import expand, mentioned, paths
from llmterm.chat.suggestion import Found, Suggestion
from llmterm.errors import UsageError
from llmterm.files import TextFile, media_type, read
from llmterm.messages import Attachment
from llmterm.openblock import CodeBlock, code_blocks

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a few files of each kind."""
    (tmp_path / "notes.txt").write_text("remember\n", "utf-8")
    (tmp_path / "my notes.md").write_text("# Mine\n", "utf-8")
    (tmp_path / "code.py").write_text("x = 1\n", "utf-8")
    (tmp_path / "cat.png").write_bytes(PNG)
    (tmp_path / "data.bin").write_bytes(b"\x00\x01\xff")
    (tmp_path / ".env").write_text("KEY=secret\n", "utf-8")
    (tmp_path / "sub" / ".git").mkdir(parents=True)
    (tmp_path / "sub" / "deep.txt").write_text("deep\n", "utf-8")
    (tmp_path / "sub" / ".git" / "config").write_text("secret\n", "utf-8")
    return tmp_path


NOTES = "\n\nFile notes.txt:\n```txt\nremember\n```"


@pytest.mark.parametrize(
    "text",
    [
        "@notes.txt",
        "what is in @notes.txt?",
        "in @notes.txt, and (see @notes.txt)",
        'read @"notes.txt".',
        "line\n@notes.txt\nline",
        "it is said in @notes.txt.",
        "“@notes.txt” is no mention, @notes.txt is",
    ],
)
def test_mentioned_text_is_put_in_once(folder: Path, text: str) -> None:
    """Behind the message, under its name; whatever closes a sentence is not part of the name."""
    expanded, attached, said = expand(text, folder)

    assert expanded == text + NOTES
    assert (attached, said) == ((), ["attached notes.txt (9 bytes)"])


@pytest.mark.parametrize(
    "text",
    [
        "nobody@notes.txt",
        "@nobody",
        "@ notes.txt",
        "@",
        '@""',
        '@"notes',
        "@" + "x" * 5000,
        "@notes.txt\0",
        "cc @all: look at `@decorator`",
    ],
)
def test_what_is_no_file_stays_text(folder: Path, text: str) -> None:
    """An at sign means many things."""
    assert expand(text, folder) == (text, (), [])


@pytest.mark.parametrize("name", ["missing/", "missing/notes.txt", "~nosuchuser/notes.txt", "nope.txt"])
def test_what_looks_like_a_file_and_is_none_is_said(folder: Path, name: str) -> None:
    """It may be a slip: the text goes as it stands, and not without a word."""
    text = f"see @{name}, please"

    assert expand(text, folder) == (text, (), [f"there is no file {name}: it is sent as it stands"])


@pytest.mark.parametrize(("name", "said"), [("sub", "sub"), ('"sub"', "sub"), ("sub.", "sub")])
def test_folder_is_said(folder: Path, name: str, said: str) -> None:
    """Without a slash nothing of it goes along, and not without a word."""
    text = f"look at @{name} and tell"

    said = f"{said} is a folder, and was not attached: @{said}/ attaches its text files"
    assert expand(text, folder) == (text, (), [said])


def test_text_files_of_a_folder_go_along(folder: Path) -> None:
    """Not what is hidden, nor an image; and not more than a text may have in all."""
    (folder / "sub" / "more").mkdir()
    (folder / "sub" / "more" / "two.py").write_text("y = 2\n", "utf-8")
    (folder / "sub" / "cat.png").write_bytes(PNG)
    (folder / ".secret").mkdir()

    text, attached, said = expand('see @sub/, @.secret/ and @"sub/more/"', folder)

    block = "File {}:\n```{}\n{}\n```"
    deep, two = block.format("sub/deep.txt", "txt", "deep"), block.format("sub/more/two.py", "py", "y = 2")
    assert text == "\n\n".join(['see @sub/, @.secret/ and @"sub/more/"', deep, two])
    assert attached == ()
    assert said == [
        "attached sub/: 2 text files, 11 bytes, 1 others left out",
        ".secret/ is hidden, and was not attached: /attach does it for each file",
        "attached sub/more/: 1 text file, 6 bytes",
    ]
    for number in range(3):
        (folder / "sub" / f"{number}.txt").write_text("word " * 50_000, "utf-8")
    with pytest.raises(UsageError, match=r"sub/ is too large \(6 files; their text may have 524,288 bytes in all\)"):
        expand("see @sub/", folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_pipe_or_device_is_said(folder: Path) -> None:
    """Whether or not its name is like that of a file."""
    os.mkfifo(folder / "pipe")
    for name in ("pipe", os.devnull):
        [said] = expand(f"look at @{name}", folder)[2]

        assert said == f"{name} is no file, and was not attached: a device or a pipe has no end to wait for"


@pytest.mark.parametrize("name", [".env", "sub/.git/config", "sub/../.env", "./.env"])
def test_hidden_file_is_never_taken_by_a_mention(folder: Path, name: str) -> None:
    """Text from elsewhere must not send a key along: it says so, and /attach does it."""
    text = f"see @{name}"

    assert expand(text, folder) == (text, (), [f"{name} is hidden, and was not attached: /attach does it"])
    assert isinstance(read(folder, name), TextFile)


def test_path_from_the_root_and_with_blanks(folder: Path) -> None:
    """Quotes hold a name with blanks together."""
    expanded, _, said = expand(f'@"my notes.md" and @{folder}/code.py', folder)

    assert "File my notes.md:\n```md\n# Mine\n```" in expanded
    assert f"File {folder}/code.py:\n```py\nx = 1\n```" in expanded
    assert len(said) == 2


def test_image_is_attached(folder: Path) -> None:
    """Its text stays, the file goes along once, and that is said."""
    text = "what is on @cat.png, and again: @cat.png"

    expanded, attached, said = expand(text, folder)

    assert (expanded, said) == (text, [f"attached cat.png ({len(PNG)} bytes)"])
    assert attached == (Attachment(name="cat.png", media_type="image/png", data=PNG),)


def test_question_that_is_edited_has_its_file_once(folder: Path) -> None:
    """What was put in already is not put in again."""
    once, _, _ = expand("see @notes.txt", folder)

    assert expand(once, folder)[0] == once


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.txt", r"missing\.txt cannot be read: No such file"),
        ("sub", r"sub is a folder \(attach the files in it one by one\)"),
        ("data.bin", r"data\.bin cannot be attached \(a text in UTF-8, PNG, JPEG, GIF, WebP or PDF can be\)"),
        ("notes.txt/x", "cannot be read"),
        ("~nosuchuser/x", "cannot be read"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ],
)
def test_what_cannot_be_attached_says_why(folder: Path, name: str, words: str) -> None:
    """One of our errors, whatever the name."""
    with pytest.raises(UsageError, match=words):
        read(folder, name)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_pipe_is_not_waited_for(folder: Path) -> None:
    """What has no end is no file."""
    os.mkfifo(folder / "pipe")

    with pytest.raises(UsageError, match="pipe is no file"):
        read(folder, "pipe")


def test_too_large_a_file_says_what_is_possible(folder: Path) -> None:
    """Half a megabyte of text; 50 MB of anything."""
    (folder / "long.txt").write_bytes(b"x" * (512 * 1024 + 1))
    with (folder / "huge.png").open("wb") as file:
        file.truncate(50 * 1024 * 1024 + 1)

    with pytest.raises(UsageError, match=r"long\.txt is too large \(524,289 bytes; a text may have 524,288\)"):
        read(folder, "long.txt")
    (folder / "long.txt").write_bytes(b"x" + "ß".encode() * 512 * 1024)  # one of them lies across the limit
    with pytest.raises(UsageError, match=r"long\.txt is too large"):
        read(folder, "long.txt")
    with pytest.raises(UsageError, match=r"huge\.png is too large \(at most 52,428,800 bytes"):
        expand("@huge.png", folder)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("Grüße".encode(), "Grüße"),
        (b"one\r\ntwo\r\n", "one\ntwo\n"),
        (b"", ""),
        (b"x" * 512 * 1024, "x" * 512 * 1024),
    ],
    ids=["mark", "umlaut", "line ends", "empty", "longest"],
)
def test_text_is_read_as_utf_8(folder: Path, data: bytes, text: str) -> None:
    """Without its byte order mark, with plain line ends."""
    (folder / "file").write_bytes(data)

    assert read(folder, "file") == TextFile("file", text, len(data))


@given(st.text(), st.sampled_from(["a.py", "a", "a.b`c", "a. b", "a.c++", ".py", "a.`"]))
def test_nothing_in_a_file_closes_its_fence(text: str, name: str) -> None:
    """A reader of markdown finds all of the file in one block."""
    text = text.replace("\r", "")
    block = TextFile(name, text, 0).block()

    [found] = code_blocks(f"{block}\n\nand on")

    language = re.search(r"[^.]\.([\w+#-]+)\Z", name)
    assert found == CodeBlock(language[1] if language else "", text.rstrip("\n"))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\n\n\n\nWEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<svg>", ""),
        (b"", ""),
    ],
)
def test_kind_comes_from_the_first_bytes(data: bytes, kind: str) -> None:
    """Names lie."""
    assert media_type(data) == kind


async def suggestions(text: str, folder: Path) -> list[Suggestion]:
    found = mentioned(text, Files(folder))
    return list((found if isinstance(found, Found) else await found()).suggestions)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text('@"~/.\\ \n\0ab') | st.text())
def test_any_text_can_be_expanded_and_completed(tmp_path: Path, text: str) -> None:
    """Nothing but our own errors, and the text is whole in what comes of it."""
    expanded, _, _ = expand(text, tmp_path)
    asyncio.run(suggestions(text, tmp_path))
    paths(text, tmp_path)

    assert expanded.startswith(text)


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("see @not", [Suggestion("@notes.txt ", 4, "9 bytes"), Suggestion('@"my notes.md" ', 4, "7 bytes")]),
        ("see @my", [Suggestion('@"my notes.md" ', 3, "7 bytes")]),
        ('see @"my n', [Suggestion('@"my notes.md" ', 6, "7 bytes")]),
        ("@su", [Suggestion("@sub/", 3, "folder"), Suggestion("@sub/deep.txt ", 3, "5 bytes")]),
        ("@DEEP", [Suggestion("@sub/deep.txt ", 5, "5 bytes")]),
        ("@sdt", [Suggestion("@sub/deep.txt ", 4, "5 bytes")]),
        (
            "@sub/",
            [Suggestion("@sub/", 5, "folder, 1 file, 5 bytes", typed=True), Suggestion("@sub/deep.txt ", 5, "5 bytes")],
        ),
        ("@./sub/", [Suggestion("@./sub/deep.txt ", 7, "5 bytes")]),
        ("@sub/.", [Suggestion("@sub/deep.txt ", 6, "5 bytes")]),
        ("@sub/.git", []),
        ("@.e", []),
        ("@nothing", []),
        ("a@no", []),
        ("@notes.txt ", []),
        ("no", []),
        ("@missing/", []),
    ],
)
async def test_path_being_typed_is_completed(folder: Path, text: str, suggested: list[Suggestion]) -> None:
    """Folders with a slash, names with blanks in quotes, hidden ones never, as they are not taken."""
    assert await suggestions(text, folder) == suggested


async def test_all_of_a_folder_is_offered(folder: Path) -> None:
    """In order, without what is hidden."""
    names = [each.text for each in await suggestions("@", folder)]

    assert names == [
        "@cat.png ",
        "@code.py ",
        "@data.bin ",
        '@"my notes.md" ',
        "@notes.txt ",
        "@sub/",
        "@sub/deep.txt ",
    ]


async def test_folder_with_blanks_can_be_gone_on_with(folder: Path) -> None:
    """Its quotes stay open until there is a file."""
    (folder / "my files").mkdir()
    (folder / "my files" / "a.txt").write_text("a", "utf-8")

    [inside, *_] = await suggestions('@"my f', folder)
    assert inside.text == '@"my files/'
    assert (await suggestions(inside.text, folder))[1:] == [
        Suggestion('@"my files/a.txt" ', len(inside.text), "1 bytes")
    ]


def test_link_to_a_hidden_file_is_not_followed(tmp_path: Path) -> None:
    """A harmless name must not stand for a secret one."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id").write_text("SECRET", "utf-8")
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".ssh" / "id")

    text, attached, said = expand("see @notes.txt", tmp_path)

    assert (text, attached) == ("see @notes.txt", ())
    assert said == ["notes.txt is hidden, and was not attached: /attach does it"]


async def test_what_goes_with_a_message_waits_again_where_that_is_not_taken(folder: Path) -> None:
    """And what is attached meanwhile comes after it."""
    attachments = Attachments(folder)
    await attachments.add("cat.png")
    message, said = await attachments.question("see @cat.png")
    taken = attachments.take()
    while_it_streams = list(attachments.names)
    await attachments.add("cat.png")

    attachments.give_back(taken)

    assert ([each.name for each in message.attachments], len(said)) == (["cat.png"], 1)
    assert (while_it_streams, attachments.names) == ([], ["cat.png", "cat.png"])
