"""Sessions are found by what was said in them, whatever it was and however it is stored."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmterm.messages import EndReason, Message, Options, Reply, Rope, TextDelta
from llmterm.sessions import SessionStore
from llmterm.sessions.owner import Owner

DEAD = Owner(pid=0, host="", born="")
# Few letters, so that words are found: some that grow when folded, some that SQLite keeps as bytes, some that act.
TEXT = st.text("aAb ßSİé漢\n\0\x1b\u202e\udc80%_'", max_size=12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path, owner=DEAD)) as store:
        yield store


def say(store: SessionStore, *texts: str, title: str = "titled") -> str:
    session_id = store.create(title=title)
    for text in texts:
        store.add(session_id, Message(role="user", text=text))
    return session_id


def found(store: SessionStore, words: str, limit: int = 20) -> list[str]:
    return [hit.id for hit in store.search(words, limit=limit)]


def test_sessions_are_found_by_all_the_words_in_any_order_and_case(store: SessionStore) -> None:
    """The newest first; words may be parts of longer ones, in different messages, or in the title."""
    one = say(store, "How far is the Moon?", "384,400 km")
    two = say(store, "moonlight", title="How it is made")
    say(store, "the sun")

    hits = found(store, "MOON how")

    assert hits == [two, one]
    assert found(store, "km far moon") == [one]
    assert found(store, "moon sun") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [("ÄRGER im Büro", "ärger BÜRO"), ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("Москва", "МОСКВА"), ("東京都", "京")],
)
def test_letters_of_all_scripts_are_found_in_either_case(store: SessionStore, text: str, words: str) -> None:
    """Case is what Unicode says it is."""
    session_id = say(store, text)

    assert found(store, words) == [session_id]


@pytest.mark.parametrize("words", ["50%", "a_b", "'; --", "*"])
def test_no_character_of_a_word_has_a_meaning(store: SessionStore, words: str) -> None:
    """Wild cards and quotes are looked for as they are."""
    say(store, "500 axb ;")
    session_id = say(store, f"it is {words} here")

    assert found(store, words) == [session_id]


def test_no_words_find_the_newest_sessions(store: SessionStore) -> None:
    """Nothing is missing in any of them; a list that narrows with each word begins with all."""
    ids = [say(store, str(number)) for number in range(3)]

    assert found(store, " ", limit=2) == [ids[2], ids[1]]
    assert found(store, "", limit=0) == []


def test_a_long_answer_is_searched_as_one_text(store: SessionStore) -> None:
    """Where one of its pieces ends and the next begins nothing is lost."""
    session_id = store.create()
    store.add(session_id, Message(role="user", text="go"))
    reply = Reply().add(TextDelta("x" * (Rope.LARGEST - 3))).add(TextDelta("needle " + "y " * Rope.LARGEST + "end"))

    store.begin(session_id, provider="p", model="m", options=Options()).finish(reply)

    assert found(store, "xneedle end") == [session_id]
    assert "xneedle y y" in store.search("xneedle")[0].snippet


def test_an_answer_that_was_cut_is_found_by_all_that_reached_the_disk(store: SessionStore) -> None:
    """Before its first pause it is in the journal only."""
    session_id = store.create()
    store.add(session_id, Message(role="user", text="go"))
    log = store.begin(session_id, provider="p", model="m", options=Options())
    reply = Reply().add(TextDelta("half a nee"))
    log.pause(reply, EndReason.PAUSE)
    log.resume(provider="p", model="m")
    reply = reply.add(TextDelta("dle"))
    log.journal(reply)
    log.journal(reply.add(TextDelta("s and")))

    hits = store.search("needles")

    assert [(hit.id, hit.snippet) for hit in hits] == [(session_id, "half a needles and")]


def test_what_is_written_without_spaces_is_found_anywhere_in_it(store: SessionStore) -> None:
    """By one character or several, also where other texts begin with them."""
    tokyo, kyoto = say(store, "私は東京都に行く"), say(store, "京都タワー")
    thai, mixed = say(store, "ผมรักกรุงเทพมาก"), say(store, "iPhone手机壳 and more")

    assert found(store, "京") == [kyoto, tokyo]
    assert found(store, "京都") == [kyoto, tokyo]
    assert found(store, "東京都に") == [tokyo]
    assert found(store, "タワ") == [kyoto]
    assert found(store, "กรุงเทพ") == [thai]
    assert found(store, "京" * 9999) == found(store, "x" * 99999) == []
    assert found(store, "手机壳") == found(store, "iphone") == found(store, "iphone手") == [mixed]


def test_a_word_that_is_the_end_of_others_is_found_where_nothing_begins_with_it(store: SessionStore) -> None:
    """All is read then. Where words begin with it these are enough."""
    banana = say(store, "banana bread")

    assert found(store, "nana") == [banana]
    grandmother = say(store, "Nana's recipe")
    assert found(store, "nana") == [grandmother]
    assert found(store, "nana bread") == [banana]


def test_only_the_current_path_is_searched(store: SessionStore) -> None:
    """What stands beside it is found once the session goes through it."""
    session_id = say(store, "first needle")
    needle = store.head(session_id)
    store.add(session_id, Message(role="user", text="first pin"), after=0)

    before = found(store, "needle"), found(store, "pin")
    store.switch(session_id, needle)

    assert (before, found(store, "needle"), found(store, "pin")) == (([], [session_id]), [session_id], [])


def test_a_text_is_found_as_it_is_now(store: SessionStore) -> None:
    """Paused, resumed, cut back, rewritten: what was indexed before does not stay."""
    session_id = say(store, "go")
    log = store.begin(session_id, provider="p", model="m", options=Options())
    log.pause(Reply().add(TextDelta("alpha beta")), EndReason.PAUSE)
    paused = found(store, "beta")
    log.resume(provider="p", model="m")
    reply = Reply().add(TextDelta("alpha gamma"))
    log.journal(reply)
    streaming = found(store, "alpha")
    log.finish(reply)
    over = found(store, "beta"), found(store, "gamma")

    store.rewrite(session_id, Message(role="assistant", text="delta"))

    assert (paused, streaming, over) == ([session_id], [session_id], ([], [session_id]))
    assert (found(store, "gamma"), found(store, "delta")) == ([], [session_id])


def test_a_deleted_text_leaves_nothing_in_the_index(store: SessionStore, tmp_path: Path) -> None:
    """Not a word of it is in the files, while the others are still found."""
    gone, kept = say(store, "xyzzyword " * 9 + "plughword"), say(store, "staysword", title="kept")
    assert found(store, "plughword") == [gone]
    log = store.begin(gone, provider="p", model="m", options=Options())
    log.finish(Reply().add(TextDelta("frobword")))
    assert found(store, "frob") == [gone]

    store.delete(gone)

    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [word for word in (b"xyzzy", b"plugh", b"frob", b"stays") if word in content] == [b"stays"]
    assert found(store, "stays") == [kept]


def number_from(store: SessionStore, row: int) -> None:
    """Have the next message get that row: as after so many others."""
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'messages'", (row - 1,))


def rows_of(store: SessionStore, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.path)) as connection:
        return list(connection.execute(f"SELECT * FROM {table}"))


def test_only_the_part_of_the_index_is_written_anew_that_has_lost_a_message(
    store: SessionStore, tmp_path: Path
) -> None:
    """Sessions are found in all parts, and what is deleted is out of its own, however many there are."""
    first = say(store, "needle", "haystack")
    assert found(store, "needle") == [first]  # a step of its own, which to write anew would join with the next
    first_too = say(store, "needles")
    number_from(store, 2**14 - 1)
    both = say(store, "needle plughword", "xyzzyword needle")
    number_from(store, 5 * 2**14)
    last = say(store, "frobword needle")
    assert found(store, "needle") == [last, both, first_too, first]
    before = [rows_of(store, f"spoken_{part}_data") for part in (0, 1, 5)]

    store.delete(last)
    after = [rows_of(store, f"spoken_{part}_data") for part in (0, 1, 5)]
    store.delete(both)

    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False]
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [word for word in (b"xyzzy", b"plugh", b"frob", b"haystack") if word in content] == [b"haystack"]
    assert found(store, "needle") == [first_too, first]


def test_a_question_that_was_withdrawn_leaves_nothing_in_the_index(store: SessionStore, tmp_path: Path) -> None:
    """It was searched in between; the next search takes it out."""
    session_id = say(store, "stays")
    head = store.head(session_id)
    row = store.add(session_id, Message(role="user", text="xyzzyword"))
    assert found(store, "xyzzy") == [session_id]

    store.withdraw(session_id, [row], head)

    assert found(store, "stays") == [session_id]
    store.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert (b"xyzzy" in content, b"stays" in content) == (False, True)


def test_an_index_in_one_piece_is_replaced(store: SessionStore, tmp_path: Path) -> None:
    """As there was one once: all is found, and nothing that was deleted stays in the old one."""
    kept, gone = say(store, "staysword"), say(store, "xyzzyword")
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("CREATE VIRTUAL TABLE spoken USING fts5 (words, columnsize = 0)")
        connection.execute("INSERT INTO spoken (rowid, words) SELECT id, text FROM messages")
        connection.execute("DELETE FROM unindexed")

    assert (found(store, "stays"), found(store, "xyzzy")) == ([kept], [gone])
    store.delete(gone)

    assert b"xyzzy" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert found(store, "stays") == [kept]


def test_nothing_is_written_to_the_index_while_an_answer_streams(store: SessionStore) -> None:
    """Before something is searched there is none; then what streams is read from the journal."""
    session_id = say(store, "go")
    log = store.begin(session_id, provider="p", model="m", options=Options())
    log.journal(Reply().add(TextDelta("needle")))

    def tables() -> int:
        with closing(sqlite3.connect(store.path)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'spoken%'").fetchone()
        return int(count)

    before = tables()

    assert found(store, "needle") == [session_id]
    assert before == 0
    assert tables() > 0


def test_a_search_does_not_wait_long_for_another_writer(store: SessionStore) -> None:
    """What could not be taken into the index is read."""
    first = say(store, "a needle")
    assert found(store, "needle") == [first]
    second = say(store, "needles")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert found(store, "needle") == [second, first]


WORDS = ["moon", "moonlight", "Sun", "sunday", "東京", "京都", "кот", "Straße", "strasse", "ne-edle", "x_y"]


def begins(word: str, text: str) -> bool:
    """Return whether a word of that text begins so; what is written without spaces has no words to begin with."""
    return bool(re.search(rf"\b{re.escape(word)}", text) or re.search("[東京]", word))


@settings(max_examples=60)
@example(["moon 東京", "ne-edle"], ["ne-edle"], 1)
@given(
    sessions=st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join), min_size=1, max_size=5),
    wanted=st.lists(st.sampled_from(WORDS), min_size=1, max_size=2),
    size=st.integers(1, 9),
)
def test_the_index_finds_what_reading_all_finds(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[str], wanted: list[str], size: int
) -> None:
    """Surely by the beginnings of words, however many sessions there are and whatever was searched before."""
    query = " ".join(word[:size] for word in wanted)
    with closing(SessionStore(tmp_path_factory.mktemp("some"))) as store:
        ids = []
        for text in sessions:
            ids.append(say(store, text, title="-"))
            store.search(query)
        hits = found(store, query)

    said = dict(zip(ids, (text.casefold() for text in sessions), strict=True))
    words = query.casefold().split()
    begun = {each for each, text in said.items() if all(begins(word, text) for word in words)}
    read = {each for each, text in said.items() if all(word in text for word in words)}
    assert begun & read <= set(hits) <= read
    assert hits == [each for each in reversed(ids) if each in hits]
    assert hits or not read


def test_what_was_deleted_is_not_found(store: SessionStore) -> None:
    """Nor what the conversation does not go through any more."""
    session_id = say(store, "kept")
    kept = store.head(session_id)
    store.add(session_id, Message(role="user", text="needle"))
    store.move(session_id, kept)
    store.delete(say(store, "needle too"))

    assert found(store, "needle") == []


def test_the_snippet_is_the_place_with_most_of_the_words(store: SessionStore) -> None:
    """One line around the first of them, with whole words before it, and a sign where something is left out."""
    say(store, "needle", "first line\nand then, after a while, a needle in a\n\n haystack, " + "and on " * 20)

    (hit,) = store.search("haystack needle")

    assert hit.snippet == "…then, after a while, a needle in a haystack, and on and on and on and on and…"


def test_a_title_alone_has_no_snippet(store: SessionStore) -> None:
    """It is in the hit already."""
    say(store, "something else", title="The needle")

    (hit,) = store.search("needle")

    assert (hit.title, hit.snippet) == ("The needle", "")


@given(title=TEXT, texts=st.lists(TEXT, max_size=3), words=TEXT)
@example(title="", texts=["ß" * 200 + " needle"], words="needle")
@example(title="", texts=["İ" * 50], words="i\u0307i")
def test_a_session_is_found_exactly_if_it_has_all_the_words(
    tmp_path_factory: pytest.TempPathFactory, title: str, texts: list[str], words: str
) -> None:
    """Whatever the texts are, and the snippet is a line that a terminal can be trusted with."""
    with closing(SessionStore(tmp_path_factory.mktemp("one"))) as store:
        say(store, *texts, title=title or "-")
        hits = store.search(words)
        kept = store.infos()[0].title

    everything = [(text or "-").casefold() for text in (kept, *texts)]
    assert bool(hits) == all(any(word in text for text in everything) for word in words.casefold().split())
    for hit in hits:
        assert hit.snippet.translate({0x200C: None, 0x200D: None}).isprintable()
        assert len(hit.snippet) <= 82
