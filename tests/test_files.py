"""Files: what their bytes say, and how they are written."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.decoding import Text, decoded
from llmterm.files import FILE_LIMIT, TEXT_LIMIT, TextFile, read, write

MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


TEXT = st.text(st.characters(exclude_characters="\0\ufeff", codec="utf-8"))


@given(TEXT, st.sampled_from(sorted(MARKS)))
def test_mark_says_how_a_text_is_read_and_is_no_part_of_it(text: str, encoding: str) -> None:
    assert decoded(MARKS[encoding] + text.encode(encoding)) == Text(text)


@given(TEXT)
def test_text_without_a_mark_is_utf_8(text: str) -> None:
    assert decoded(text.encode()) == Text(text)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            b"Gr\xfc\xdfe aus K\xf6ln",
            Text("Gr��e aus K�ln", "3 characters are not in UTF-8, and � stands there instead"),
        ),
        (b"caf\xe9\r\n", Text("caf�\r\n", "1 character is not in UTF-8, and � stands there instead")),
        (b"\xff\xfeh\0i\0!", Text("hi�", "1 character is not in UTF-16-LE, and � stands there instead")),
        (
            b"\x1b[31m\xe9t\xe9\x1b[0m\n",
            Text("\x1b[31m�t�\x1b[0m\n", "2 characters are not in UTF-8, and � stands there instead"),
        ),
        (b"", Text("")),
        (b"\xef\xbb\xbf", Text("")),
    ],
    ids=["latin-1", "one", "half a character", "colours", "empty", "mark alone"],
)
def test_what_cannot_be_read_is_replaced_and_said(data: bytes, text: Text) -> None:
    assert decoded(data) == text


@pytest.mark.parametrize(
    "data",
    [
        b"a\0b",
        "hi".encode("utf-16-le"),
        b"\x1f\x8b\x08\x00\x01",
        b"\x7fELF\x02\x01\x01\x00",
        b"caf\xe9 \x01\x02",
        "Привет, мир".encode("cp1251"),
        "ただいま".encode("shift-jis"),
        b"\xff\xfea\0\0\0",
    ],
    ids=["NUL", "no mark", "gzip", "program", "controls", "cyrillic", "japanese", "NUL behind a mark"],
)
def test_what_is_no_text_is_none(data: bytes) -> None:
    """Or none of which more than half could be read."""
    assert decoded(data) is None


@given(st.binary())
def test_any_bytes_are_a_text_or_none(data: bytes) -> None:
    found = decoded(data)

    assert found is None or ("\0" not in found.text and (found.note == "") == ("�" not in found.text or not found.note))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_text_file_is_read_by_its_mark(tmp_path: Path, encoding: str) -> None:
    """By `@` and /attach too."""
    (tmp_path / "a.txt").write_bytes("Grüße\r\n".encode(encoding))

    found = read(tmp_path, "a.txt")

    assert isinstance(found, TextFile)
    assert (found.text, found.note) == ("Grüße\n", "")


def test_limits_are_of_bytes() -> None:
    assert (TEXT_LIMIT, FILE_LIMIT) == (512 * 1024, 50 * 1024 * 1024)


# Writing


def test_file_is_replaced_as_a_whole_with_its_permissions(tmp_path: Path) -> None:
    """And nothing else is left behind."""
    path = tmp_path / "a.txt"
    path.write_text("before", "utf-8")
    path.chmod(0o640)

    write(path, "after ü\n")

    assert path.read_bytes() == "after ü\n".encode()
    assert os.listdir(tmp_path) == ["a.txt"]
    assert sys.platform == "win32" or path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("before", "utf-8")
    (tmp_path / "link.txt").symlink_to("real.txt")

    write(tmp_path / "link.txt", "after")

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text("utf-8") == "after"


def test_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    """A folder is in its place: nothing of the text is left anywhere."""
    (tmp_path / "a").mkdir()

    with pytest.raises(OSError, match="a"):
        write(tmp_path / "a", "text")

    assert [each.name for each in tmp_path.iterdir()] == ["a"]
