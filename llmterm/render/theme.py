"""The colours of a chat, for dark and for light terminals, and how to tell which of them one is.

A style is words that rich understands. Colours come from the 240 of the 256 that are the same on every terminal (its
first 16 are the user's own, and may be anything): each is readable on the backgrounds that terminals have.
Nothing is drawn here, and nothing imported, so that a theme can be chosen before there is anything to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

ThemeName: TypeAlias = Literal["dark", "light", "high-contrast"]


class Theme(NamedTuple):
    """`syntax` has a style for kinds of tokens, by pygments' names; what is inside a kind looks like it."""

    name: str
    code: str
    marker: str
    question: str
    error: str
    chosen: str
    syntax: tuple[tuple[str, str], ...]
    strong: str = "bold"
    em: str = "italic"
    s: str = "strike"
    link: str = "underline"
    h1: str = "bold underline"
    h2: str = "bold"
    heading: str = "bold italic"
    th: str = "bold"
    faint: str = "dim"


DARK = Theme(
    name="dark",
    code="color(116)",
    marker="color(116)",
    question="color(116)",
    error="color(210)",
    chosen="bold color(116)",
    syntax=(
        ("Comment", "color(247)"),
        ("Comment.Preproc", "color(116)"),
        ("Keyword", "color(111)"),
        ("Keyword.Type", "color(116)"),
        ("Operator.Word", "color(177)"),
        ("Name.Builtin", "color(116)"),
        ("Name.Function", "color(114)"),
        ("Name.Namespace", "color(116) underline"),
        ("Name.Class", "color(114) underline"),
        ("Name.Exception", "color(116)"),
        ("Name.Decorator", "color(177) bold"),
        ("Name.Variable", "color(210)"),
        ("Name.Constant", "color(210)"),
        ("Name.Attribute", "color(116)"),
        ("Name.Tag", "color(111)"),
        ("Literal.String", "color(180)"),
        ("Literal.Number", "color(147)"),
        ("Generic.Deleted", "color(210)"),
        ("Generic.Inserted", "color(114)"),
        ("Generic.Heading", "bold"),
        ("Generic.Subheading", "color(177) bold"),
        ("Generic.Prompt", "bold"),
        ("Generic.Error", "color(210)"),
        ("Error", "color(210) underline"),
    ),
)
LIGHT = Theme(
    name="light",
    code="color(24)",
    marker="color(24)",
    question="color(24)",
    error="color(124)",
    chosen="bold color(24)",
    faint="color(241)",
    syntax=(
        ("Comment", "color(241)"),
        ("Comment.Preproc", "color(24)"),
        ("Keyword", "color(19)"),
        ("Keyword.Type", "color(24)"),
        ("Operator.Word", "color(90)"),
        ("Name.Builtin", "color(24)"),
        ("Name.Function", "color(22)"),
        ("Name.Namespace", "color(24) underline"),
        ("Name.Class", "color(22) underline"),
        ("Name.Exception", "color(24)"),
        ("Name.Decorator", "color(90) bold"),
        ("Name.Variable", "color(124)"),
        ("Name.Constant", "color(124)"),
        ("Name.Attribute", "color(24)"),
        ("Name.Tag", "color(19)"),
        ("Literal.String", "color(94)"),
        ("Literal.Number", "color(55)"),
        ("Generic.Deleted", "color(124)"),
        ("Generic.Inserted", "color(22)"),
        ("Generic.Heading", "bold"),
        ("Generic.Subheading", "color(90) bold"),
        ("Generic.Prompt", "bold"),
        ("Generic.Error", "color(124)"),
        ("Error", "color(124) underline"),
    ),
)
# In the terminal's own colours: bold, underlined or in reverse, and nothing dim, so that it can be read on any of them.
HIGH_CONTRAST = Theme(
    name="high-contrast",
    code="bold",
    marker="bold",
    question="bold",
    error="reverse",
    chosen="reverse",
    syntax=(
        ("Keyword", "bold"),
        ("Operator.Word", "bold"),
        ("Name.Function", "underline"),
        ("Name.Class", "underline"),
        ("Literal.String", "italic"),
        ("Generic.Heading", "bold"),
        ("Error", "reverse"),
    ),
    link="bold underline",
    faint="",
)
THEMES: dict[ThemeName, Theme] = {"dark": DARK, "light": LIGHT, "high-contrast": HIGH_CONTRAST}


def themed(name: str, base: ThemeName, styles: Mapping[str, str], syntax: Mapping[str, str]) -> Theme:
    """Return a theme of the user's: `base` with other `styles`, by what they are for, and other colours of code."""
    theme = THEMES[base]
    whole: dict[str, Any] = {**theme._asdict(), **styles}
    return Theme(**{**whole, "name": name, "syntax": tuple({**dict(theme.syntax), **syntax}.items())})


# https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
_WEIGHTS = (0.2126, 0.7152, 0.0722)
# Where black text and white text can be read equally well.
_MIDDLE = 0.1791


def luminance(red: int, green: int, blue: int) -> float:
    """Return how bright a colour of three bytes is, from 0 to 1."""
    shares = (min(max(value, 0), 255) / 255 for value in (red, green, blue))
    linear = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return sum(weight * value for weight, value in zip(_WEIGHTS, linear, strict=True))


def of_background(red: int, green: int, blue: int) -> ThemeName:
    """Return the name of the theme for a background, a colour of three bytes."""
    return "light" if luminance(red, green, blue) > _MIDDLE else "dark"


def of_colorfgbg(text: str) -> ThemeName | None:
    """Return the name of the theme that the variable COLORFGBG tells, which rxvt, Konsole and others set, if it does.

    It is two or three of the 16 colours with semicolons between, the background last: "15;0", "0;default;15".
    """
    last = text.rpartition(";")[2].strip()
    if ";" not in text or not (last.isascii() and last.isdecimal()) or len(last) > 2 or int(last) > 15:
        return None
    return "light" if int(last) == 7 or int(last) >= 9 else "dark"
