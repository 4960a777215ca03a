"""What terminals send, decoded: keys of every kind are keys, replies are heard, and neither is ever typed."""

from __future__ import annotations

from collections.abc import Sequence as Items
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.keys import Keys

from llmterm.keys import Key
from llmterm.keys.keymap import presses
from llmterm.keys.replies import Replies
from llmterm.keys.scanner import Scanner, Waits
from llmterm.keys.sequences import Escape, Sequence, Token
from llmterm.keys.terminal import parse

WAITS = Waits()
NEWLINE = Key("paste", "\n")


def keys_of(*parts: str, gap: float = 0.0) -> list[Key]:
    """Return the keys that `parts` are, each read `gap` seconds after the one before it."""
    scanner, found, now = Scanner(), list[Key](), 0.0
    for part in parts:
        found += parse(presses(scanner.expire(now)))
        found += parse(presses(scanner.feed(part, now)))
        now += gap
    while scanner.due is not None:
        found += parse(presses(scanner.expire(scanner.due)))
    return found


def heard(*parts: str, gap: float = 0.0) -> Replies:
    scanner, replies = Scanner(), Replies()
    tokens: list[Token] = []
    for number, part in enumerate(parts):
        tokens += scanner.feed(part, number * gap)
    for token in tokens:
        if isinstance(token, Sequence):
            replies.note(token)
    return replies


def typed(text: str) -> list[Key]:
    return [Key.typing(char) for char in text]


def cut(text: str, at: Items[int]) -> list[str]:
    edges = sorted({0, len(text), *(each % (len(text) + 1) for each in at)})
    return [text[a:b] for a, b in pairwise(edges)]


KEYS = {
    # kitty's own
    "\x1b[27u": Key("escape"),
    "\x1b[27;1:1u": Key("escape"),
    "\x1b[27;129u": Key("escape"),
    "\x1b[13u": Key("enter"),
    "\x1b[13;2u": NEWLINE,
    "\x1b[13;3u": NEWLINE,
    "\x1b[13;5u": Key("c-s"),
    "\x1b[27;5;13~": Key("c-s"),
    "\x1b[57414;5u": Key("c-s"),
    "\x1b[57414u": Key("enter"),
    "\x1b[57414;2u": NEWLINE,
    "\x1b[9u": Key("tab"),
    "\x1b[9;2u": Key("s-tab"),
    "\x1b[127u": Key("backspace"),
    "\x1b[127;3u": Key("alt-backspace"),
    "\x1b[32u": Key("space", " "),
    "\x1b[32;2u": Key("space", " "),
    "\x1b[32;5u": Key("c-space"),
    "\x1b[97u": Key("text", "a"),
    "\x1b[97;2u": Key("text", "A"),
    "\x1b[97:65;2u": Key("text", "A"),
    "\x1b[97:65;2:1u": Key("text", "A"),
    "\x1b[97:65;2:2u": Key("text", "A"),
    "\x1b[49:33;2u": Key("text", "!"),
    "\x1b[97;65u": Key("text", "A"),
    "\x1b[97;66u": Key("text", "a"),
    "\x1b[223;2u": Key("text", "ß"),
    "\x1b[233;;233u": Key("text", "é"),
    "\x1b[97;;229u": Key("text", "å"),
    "\x1b[0;;128512u": Key("text", "😀"),
    "\x1b[99;5u": Key("c-c"),
    "\x1b[99;5:2u": Key("c-c"),
    "\x1b[99;69u": Key("c-c"),
    "\x1b[1089::99;5u": Key("c-c"),
    "\x1b[100;5u": Key("c-d"),
    "\x1b[117;5u": Key("c-u"),
    "\x1b[122;133u": Key("c-z"),
    "\x1b[45:95;6u": Key("c-_"),
    "\x1b[91;5u": Key("escape"),
    "\x1b[120;3u": Key("alt-x"),
    "\x1b[120:88;4u": Key("alt-X"),
    "\x1b[120;33u": Key("alt-x"),
    "\x1b[91;3u": Key("alt-["),
    "\x1b[57400u": Key("text", "1"),
    "\x1b[57400;129u": Key("text", "1"),
    "\x1b[57411;;42u": Key("text", "*"),
    "\x1b[57417u": Key("left"),
    "\x1b[57419;5u": Key("c-up"),
    "\x1b[57421u": Key("pageup"),
    "\x1b[57426u": Key("delete"),
    "\x1b[57376u": Key("f13"),
    # the older keys with what kitty adds
    "\x1b[1;1A": Key("up"),
    "\x1b[1;1:1A": Key("up"),
    "\x1b[1;1:2A": Key("up"),
    "\x1b[1;129A": Key("up"),
    "\x1b[1;3:1C": Key("alt-right"),
    "\x1b[1;5:2D": Key("c-left"),
    "\x1b[1;7C": Key("alt-c-right"),
    "\x1b[3;1:1~": Key("delete"),
    "\x1b[5;3~": Key("alt-pageup"),
    "\x1b[15;3~": Key("alt-f5"),
    "\x1b[P": Key("f1"),
    "\x1b[1;5P": Key("c-f1"),
    "\x1b[Z": Key("s-tab"),
    "\x1b[1;2Z": Key("s-tab"),
    # modifyOtherKeys
    "\x1b[27;2;13~": NEWLINE,
    "\x1b[27;5;99~": Key("c-c"),
    "\x1b[27;3;120~": Key("alt-x"),
    "\x1b[27;1;27~": Key("escape"),
    "\x1b[27;2;65~": Key("text", "A"),
    # the keypad, rxvt, Linux's console, 8 bits
    "\x1bOM": Key("enter"),
    "\x1bOp": Key("text", "0"),
    "\x1bOk": Key("text", "+"),
    "\x1bO5A": Key("c-up"),
    "\x1bOa": Key("c-up"),
    "\x1b[a": Key("s-up"),
    "\x1b[3$": Key("s-delete"),
    "\x1b[3^": Key("c-delete"),
    "\x1b[[A": Key("f1"),
    "\x9bA": Key("up"),
    "\udc9bA": Key("up"),
    "\x8fP": Key("f1"),
    # as ever
    "\x1b[A": Key("up"),
    "\x1bOB": Key("down"),
    "\x1b\x1b[A": Key("alt-up"),
    "\x1bx": Key("alt-x"),
    "\x1b\r": Key("alt-enter"),
    "\x03": Key("c-c"),
    "é": Key("text", "é"),
    " ": Key("space", " "),
    "\x1b[200~\x1b[27u\x1b]11;?\x07\x9b\x031\x1b[201~": Key("paste", "\x1b[27u\x1b]11;?\x07\x9b\x031"),
}
NOISE = [
    # keys that are let go, the desktop's, and those without a meaning
    "\x1b[97;1:3u",
    "\x1b[27;1:3u",
    "\x1b[1;1:3A",
    "\x1b[3;5:3~",
    # what does something, held down
    "\x1b[32;1:2u",
    "\x1b[32;1:2;32u",
    "\x1b[32;5:2u",
    "\x1b[13;1:2u",
    "\x1b[27;1:2u",
    "\x1b[57414;1:2u",
    "\x1b[99;9u",
    "\x1b[57441;2u",
    "\x1b[57358u",
    "\x1b[57428u",
    "\x1b[49;5u",
    "\x1b[3u",
    "\x1b[128u",
    "\x1b[55296u",
    "\x1b[1114112u",
    "\x1b[99999999999999999999u",
    "\x1b[u",
    "\x1b[;u",
    "\x1b[" + "9" * 5000 + "u",
    "\x1b[201~",
    # replies: attributes, modes, colours, version, flags, settings, the clipboard, a title, graphics
    "\x1b[?62;1;4;22;52c",
    "\x1b[>0;276;0c",
    "\x1b[=0c",
    "\x1b[?2026;2$y",
    "\x1b[4;1$y",
    "\x1b]10;rgb:0000/0000/0000\x1b\\",
    "\x1b]11;rgb:ffff/ffff/ffff\x07",
    "\x1b]4;1;rgb:cdcd/0000/0000\x1b\\",
    "\x1b]11;rgb:0000/0000/0000\x9c",
    "\x1b]11;#ffffff\udc9c",
    "\x9d11;rgb:ffff/ffff/ffff\x9c",
    "\udc9d11;rgb:ffff/ffff/ffff\udc9c",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]52;c;" + "aGVs" * 5000 + "\x1b\\",
    "\x1b]lsome title\x1b\\",
    "\x1bP>|XTerm(390)\x1b\\",
    "\x90>|kitty 0.40\x9c",
    "\x1bP1$r0m\x1b\\",
    "\x1bP1+r544e=787465726d\x1b\\",
    "\x1bP!|00000000\x1b\\",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\x1b[?1u",
    "\x1b[?997;1n",
    "\x1b[0n",
    "\x1b[8;24;80t",
    "\x1b[48;24;80;480;800t",
    "\x1b[12;40R",
    "\x1b[?12;40;1R",
    "\x1b[1;2R",
    "\x1b[2;1x",
    # the mouse
    "\x1b[<0;10;10M",
    "\x1b[<0;10;10m",
    "\x1b[96;14;13M",
    "\x1b[M !!",
    "\x1b[M\udce9\udcff!",
    # nothing that anybody knows
    "\x1b[E",
    "\x1b[?1;2;3 q",
    "\x1b[1;2;3!p",
    "\x85",
    "\udc85",
]


@pytest.mark.parametrize("sequence", KEYS)
def test_a_key_is_the_same_key_in_every_protocol(sequence: str) -> None:
    assert keys_of(f"a{sequence}b") == [Key("text", "a"), KEYS[sequence], Key("text", "b")]


@pytest.mark.parametrize("noise", NOISE)
def test_what_is_no_key_is_never_typed(noise: str) -> None:
    assert keys_of(f"a{noise}b") == typed("ab")


@pytest.mark.parametrize("whole", [*KEYS, *(each for each in NOISE if len(each) < 100)])
def test_a_sequence_cut_anywhere_on_a_slow_line_is_still_one(whole: str) -> None:
    for gap in (0.08, 0.14):
        for at in range(1, len(whole)):
            if whole[:at] == "\x1b" and whole[1:] in ("x", "\r", "\x1b[A"):
                continue  # Alt comes in one write, or it is an Esc
            assert keys_of(whole[:at], whole[at:], "!", gap=gap) == [*keys_of(whole), Key("text", "!")]


def test_an_escape_that_was_delivered_already_does_not_have_its_rest_typed() -> None:
    """Slower still, the answer has ended; but nothing of the key or the reply is in the line."""
    for rest in (
        "[A",
        "OA",
        "[1;5A",
        "[?62;1c",
        "]11;rgb:ffff/ffff/ffff\x1b\\",
        "P>|XTerm(390)\x1b\\",
        "_Gi=1;OK\x1b\\",
        "[M !!",
    ):
        keys = keys_of("\x1b", rest, "!", gap=0.3)

        assert keys[0] == Key("escape")
        assert keys[-1] == Key("text", "!")
        assert not any(key.name == "text" for key in keys[:-1])


@pytest.mark.parametrize("text", ["hello", "OK then", "[link](there)", "[", "]", "Plain", "P", "O", "X", "^", "_"])
def test_text_after_an_escape_is_text(text: str) -> None:
    """Esc, and then a new line that begins like a sequence: at once by a program, or by hand."""
    assert keys_of("\x1b", text, gap=0.3) == [Key("escape"), *typed(text)]
    assert keys_of("\x1b", *text, gap=0.3) == [Key("escape"), *typed(text)]


def test_an_escape_and_a_key_by_hand_are_not_alt() -> None:
    """Sooner than an Esc is taken for one, and later than a terminal sends Alt."""
    assert keys_of("\x1b", "x", gap=0.1) == [Key("escape"), Key("text", "x")]
    assert keys_of("\x1b", "\r", gap=0.1) == [Key("escape"), Key("enter")]
    assert keys_of("\x1b", "\x1b", gap=0.1) == [Key("escape"), Key("escape")]
    assert keys_of("\x1b", " ", gap=0.1) == [Key("escape"), Key("space", " ")]


@pytest.mark.parametrize(
    ("pressed", "keys"),
    [
        ("\x1b", ["escape"]),
        ("\x1b\x1b", ["escape", "escape"]),
        ("\x1b\x1b\x1b", ["escape", "escape", "escape"]),
        ("\x1b\x03", ["escape", "c-c"]),
        ("\x1b\x1b[27u", ["escape", "escape"]),
        ("\x1b\x1b[?62c", ["escape"]),
        ("\x1b\x1b]11;?\x07", ["escape"]),
        ("\x1b\x1b[200~x\x1b[201~", ["escape", "paste"]),
        ("\x1b\x1b[I", ["escape", "focus-in"]),
        ("\x1b[27ux", ["escape", "text"]),
        ("\x1b[27u\x1b[27u", ["escape", "escape"]),
    ],
)
def test_an_escape_before_other_keys_is_not_lost(pressed: str, keys: list[str]) -> None:
    assert [key.name for key in keys_of(pressed)] == keys


@pytest.mark.parametrize(
    ("begun", "keys"),
    [
        ("\x1b[", [Key("alt-[")]),
        ("\x1bO", [Key("alt-O")]),
        ("\x1b]", [Key("alt-]")]),
        ("\x1bP", [Key("alt-P")]),
        ("\x1b]1", [Key("alt-]"), Key("text", "1")]),
        ("\x1b_hello", [Key("alt-_"), *typed("hello")]),
        ("\x1bX\r", [Key("alt-X"), Key("enter")]),
        ("\x1b[é", [Key("alt-["), Key("text", "é")]),
        ("\x1b[\r", [Key("alt-["), Key("enter")]),
        ("\x1b^yes\x1b[A", [Key("alt-^"), *typed("yes"), Key("up")]),
        ("\x1b^yes\x1b", [Key("alt-^"), *typed("yes"), Key("escape")]),
        # what a terminal began to say, and never ended
        ("\x1b[?62;", []),
        ("\x1b]11;rgb:ffff/ff", []),
        ("\x1b]11;rgb:ffff/ffff/ffff\x1b", []),
        ("\x1bP>|XTerm", []),
        ("\x1b[M", []),
        ("\x9b", []),
        ("\x1b]11;rgb:ff\x03", [Key("c-c")]),
        ("\x1b]11;rgb:ff\r", [Key("enter")]),
        ("\x1b[1;\x1b[A", [Key("up")]),
    ],
)
def test_what_is_never_finished_is_typed_only_if_somebody_may_have(begun: str, keys: list[Key]) -> None:
    """Alt with a bracket and the text after it were a person's; half a reply was not."""
    assert keys_of(begun, gap=0.0) == keys
    assert keys_of(begun, "!", gap=10.0) == [*keys, Key("text", "!")]


@pytest.mark.parametrize("begun", ["\x1b]52;c;", "\x1bP", "\x1bX", "\x1b_", "\x1b[", "\x1b]"])
def test_a_sequence_without_an_end_is_passed_over_in_bounded_memory(begun: str) -> None:
    scanner = Scanner()
    scanner.feed(begun, 0.0)
    for _ in range(1000):
        assert scanner.feed("1" * 1000, 0.0) == []
        assert sum(len(value) for value in vars(scanner).values() if isinstance(value, str)) < 2000
    ended = keys_of(begun + "1" * 100_000 + "\x07\x1b[A")

    assert ended[-1] == Key("up")


@pytest.mark.parametrize(
    ("reply", "background"),
    [
        ("rgb:ffff/8000/0000", (1.0, 0x8000 / 0xFFFF, 0.0)),
        ("rgb:fff/800/000", (1.0, 0x800 / 0xFFF, 0.0)),
        ("rgb:ff/80/00", (1.0, 0x80 / 0xFF, 0.0)),
        ("rgb:f/8/0", (1.0, 0x8 / 0xF, 0.0)),
        ("rgba:ffff/8000/0000/ffff", (1.0, 0x8000 / 0xFFFF, 0.0)),
        ("#f80", (1.0, 0x8 / 0xF, 0.0)),
        ("#ff8000", (1.0, 0x80 / 0xFF, 0.0)),
        ("#FFF800000", (1.0, 0x800 / 0xFFF, 0.0)),
        ("#ffff80000000", (1.0, 0x8000 / 0xFFFF, 0.0)),
        ("#ffff8", None),
        ("#", None),
        ("rgb:fffff/0/0", None),
        ("rgb:ff/80", None),
        ("black", None),
        ("?", None),
    ],
)
def test_the_background_is_heard_in_every_notation(reply: str, background: object) -> None:
    for begin in ("\x1b]", "\x9d", "\udc9d"):
        for end in ("\x07", "\x1b\\", "\x9c", "\udc9c"):
            whole = f"{begin}11;{reply}{end}"

            assert heard(whole).background == background
            assert heard(*whole, gap=0.4).background == background
            assert keys_of(whole) == []


def test_other_colours_are_not_the_background() -> None:
    assert heard("\x1b]10;rgb:ff/ff/ff\x07\x1b]111;rgb:ff/ff/ff\x07\x1b]4;11;rgb:ff/ff/ff\x07").background is None


def test_attributes_say_that_all_is_answered() -> None:
    assert not heard("\x1b]11;rgb:ff/ff/ff\x07\x1b[?997;1n\x1b[>0;1;0c").complete
    assert heard("\x1b[?62;22c").complete


@given(
    items=st.lists(st.sampled_from([*KEYS, *(each for each in NOISE if len(each) < 100), "a", "hello", "日本", "\r"])),
    cuts=st.lists(st.integers(0, 200)),
)
def test_any_chunking_of_keys_replies_and_text_gives_the_same_keys(items: list[str], cuts: list[int]) -> None:
    # Two Esc in a row, the first of them a key of its own, are told apart by time alone.
    text = "".join(items)
    expected = [key for item in items for key in keys_of(item)]

    assert keys_of(*cut(text, cuts)) == expected


@given(
    text=st.text("\x1b[]OPX^_M~?;:;119uc<=rgb/\\\x07\r\x03\x9b\x9c\x9d\x90\x8f\udc9b\udc9d\udc9caé "),
    cuts=st.lists(st.integers(0, 200)),
)
def test_any_chunking_of_any_bytes_gives_the_same_keys(text: str, cuts: list[int]) -> None:
    assert keys_of(*cut(text, cuts)) == keys_of(text)


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"])), cuts=st.lists(st.integers(0, 200)))
def test_text_is_never_lost(text: str, cuts: list[int]) -> None:
    assert keys_of(*cut(text, cuts), gap=0.1) == typed(text)


@given(content=st.text().filter(lambda text: "\x1b[201~" not in text), cuts=st.lists(st.integers(0, 200)))
def test_a_paste_is_what_was_pasted(content: str, cuts: list[int]) -> None:
    """Whatever is in it, and however long its reads are apart."""
    scanner, found = Scanner(), list[KeyPress]()
    for number, part in enumerate(["\x1b[200~", *cut(f"{content}\x1b[201~", cuts)]):
        found += presses(scanner.feed(part, number * 60.0))

        assert scanner.due is None

    assert found == [KeyPress(Keys.BracketedPaste, content)]


def _pressed(data: str) -> list[KeyPress]:
    return presses(Scanner().feed(data, 0.0))


def _bound() -> set[str]:
    """Return the keys that mean something in a line, of prompt_toolkit's emacs and vi modes."""
    return {getattr(key, "value", key) for binding in load_key_bindings().bindings for key in binding.keys}


@pytest.mark.parametrize("form", ["\x1b[{code};{held}u", "\x1b[27;{held};{code}~"])
def test_whatever_is_bound_arrives_from_a_newer_terminal(form: str) -> None:
    """Each key with Ctrl, and each character with Alt, is the press that an older terminal makes of it."""
    bound = _bound()
    with_ctrl = {key[2:] for key in bound if key.startswith("c-") and len(key) == 3}
    characters = {key for key in bound if len(key) == 1}
    assert {*"abcdefghijklmnopqrstuvwxyz", "@"} <= with_ctrl
    assert {"b", "f", "d", "<", "."} <= characters

    for key in with_ctrl:
        assert _pressed(form.format(code=ord(key), held=5)) == _pressed(chr(ord(key) & 0x1F)), key
    for key in characters - {*"[O"}:  # which begin a sequence where they come with an ESC
        [escape, press] = _pressed(form.format(code=ord(key), held=3))
        assert (escape.key, press) == (Keys.Escape, KeyPress(key, key))
    for code, control in ((32, "\0"), (9, "\t"), (27, "\x1b"), (127, "\x7f"), (13, "\r")):
        held = 5 if code == 32 else 1
        assert _pressed(form.format(code=code, held=held)) == presses(Scanner().feed(control, 0.0) or [Escape()])
