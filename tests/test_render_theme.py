"""Themes: readable on the backgrounds that terminals have, and chosen by them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from llmterm.render.ink import ink
from llmterm.render.theme import (
    DARK,
    HIGH_CONTRAST,
    LIGHT,
    THEMES,
    Theme,
    luminance,
    of_background,
    of_colorfgbg,
    themed,
)
from llmterm.style import sgr

# Black and white, and what well-known colour schemes have instead.
BACKGROUNDS = {
    "dark": [(0, 0, 0), (0x1E, 0x1E, 0x1E), (0x00, 0x2B, 0x36), (0x28, 0x2C, 0x34), (0x2E, 0x34, 0x40)],
    "light": [(255, 255, 255), (0xFD, 0xF6, 0xE3), (0xFA, 0xFA, 0xFA), (0xEF, 0xF1, 0xF5)],
}


def cube(number: int) -> tuple[int, int, int]:
    """Return a colour of the 240 that are the same on every terminal: a cube of 6 x 6 x 6, and greys."""
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    levels = (0, 95, 135, 175, 215, 255)
    red, rest = divmod(number - 16, 36)
    return levels[red], levels[rest // 6], levels[rest % 6]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    darker, lighter = sorted((luminance(*one), luminance(*other)))
    return (lighter + 0.05) / (darker + 0.05)


def colours(theme: Theme) -> set[int]:
    words = " ".join([*(str(each) for each in theme), *dict(theme.syntax).values()])
    return set(map(int, re.findall(r"color\((\d+)\)", words)))


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=str)
def test_every_colour_is_readable(theme: Theme) -> None:
    """The contrast is what WCAG asks for of text (4.5), on each background, with colours that nobody redefines."""
    assert len(colours(theme)) > 5
    for number in colours(theme):
        assert number >= 16
        for background in BACKGROUNDS[theme.name]:
            assert contrast(cube(number), background) >= 4.5, (number, background)


def test_both_themes_colour_the_same_things() -> None:
    """What has a colour in the dark has one in the light."""
    assert dict(DARK.syntax).keys() == dict(LIGHT.syntax).keys()
    assert {name: theme.name for name, theme in THEMES.items()} == {name: name for name in THEMES}


@pytest.mark.parametrize(("name", "background"), [(name, each) for name in BACKGROUNDS for each in BACKGROUNDS[name]])
def test_a_background_tells_its_theme(name: str, background: tuple[int, int, int]) -> None:
    """The theme for a background is the one that is readable on it."""
    assert of_background(*background) == name


@given(st.integers(), st.integers(), st.integers())
def test_any_background_has_a_theme(red: int, green: int, blue: int) -> None:
    """What a terminal says may be anything."""
    assert of_background(red, green, blue) in THEMES


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("15;0", "dark"),
        ("0;15", "light"),
        ("0;default;15", "light"),
        ("12;8", "dark"),
        ("0;7", "light"),
        ("default;default", None),
        ("15", None),
        ("", None),
        ("0;16", None),
        ("0;-1", None),
        ("0;²", None),
        ("0;" + "9" * 5000, None),
    ],
)
def test_the_variable_of_some_terminals_tells_the_theme(text: str, name: str | None) -> None:
    """COLORFGBG ends with the background, one of the 16 colours; anything else tells nothing."""
    assert of_colorfgbg(text) == name


@given(st.text())
def test_any_value_of_the_variable_is_taken(text: str) -> None:
    """An environment may hold anything."""
    assert of_colorfgbg(text) in (None, "dark", "light")


@pytest.mark.parametrize(
    "style", ["bold", "color(116)", "bold underline #ff8000", "dim on color(236)", "bright_red on blue"]
)
def test_styles_mean_what_they_mean_to_rich(style: str) -> None:
    """The prompt is written without it, answers with it."""
    wanted = Style.parse(style).render("x").removesuffix("x\x1b[0m")

    assert sgr(style) == wanted


@pytest.mark.parametrize(
    "style", ["blood", "on", "on on", "on bold", "color(256)", "color(x)", "#12345", "bright_", "bold on"]
)
def test_what_is_no_style_is_named(style: str) -> None:
    """Whoever writes a theme is told of it."""
    with pytest.raises(ValueError, match="no colour"):
        sgr(style)


def test_themes_have_ink_for_all_of_the_programs_lines() -> None:
    """Nothing that has a meaning looks like an answer's text."""
    assert all(all(ink(theme)) for theme in (DARK, LIGHT))
    assert [name for name, style in ink(HIGH_CONTRAST)._asdict().items() if not style] == ["faint"]


def test_high_contrast_has_no_colour_of_its_own() -> None:
    """It is what the terminal's own colours are, and nothing of it is dim."""
    styles = " ".join([*map(str, HIGH_CONTRAST[1:]), *dict(HIGH_CONTRAST.syntax).values()])

    assert not re.search("color|#|dim", styles)


def test_theme_of_ones_own_is_another_one_with_changes() -> None:
    """What is not said is as it was; code is looked at kind by kind."""
    theme = themed("mine", "light", {"code": "bold"}, {"Keyword": "red"})

    assert theme == LIGHT._replace(
        name="mine",
        code="bold",
        syntax=tuple((kind, "red" if kind == "Keyword" else style) for kind, style in LIGHT.syntax),
    )
