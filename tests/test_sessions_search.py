"""Sessions are found by what was said in them, whatever it was and however it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
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
