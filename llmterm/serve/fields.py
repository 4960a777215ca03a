"""The fields of a request's JSON object, each looked at before it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

from llmterm.messages import Effort, Options, Verbosity
from llmterm.serve.problems import BadRequestError

EFFORTS: Final[tuple[Effort, ...]] = get_args(Effort)
VERBOSITIES: Final[tuple[Verbosity, ...]] = get_args(Verbosity)


class Fields:
    """`place` is where it stands in the request, as its field's name says: "options."."""

    def __init__(self, value: object, place: str = "") -> None:
        """Raises BadRequestError where it is no object."""
        if not isinstance(value, dict):
            raise BadRequestError(f"{place.rstrip('.') or 'the body'} has to be a JSON object", param=place or None)
        self.value: dict[str, Any] = value
        self._place = place

    @classmethod
    def of(cls, body: bytes) -> Fields:
        """Return those of a body; an empty one has none. Raises BadRequestError."""
        try:
            return cls(json.loads(body) if body.strip() else {})
        except (ValueError, RecursionError):
            raise BadRequestError("the body is not JSON", code="invalid_json") from None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a `default` it has to be there, and not be empty."""
        found = self.value.get(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or (default is None and not found.strip()):
            raise self.wrong(name, "has to be a text")
        return found

    def maybe(self, name: str) -> str | None:
        """Return a text, None where there is none."""
        return self.text(name, "") if self.value.get(name) is not None else None

    def flag(self, name: str, default: bool = False) -> bool:
        found = self.value.get(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise self.wrong(name, "has to be true or false")
        return found

    def number(self, name: str, low: float, high: float) -> float | None:
        found = self.value.get(name)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not low <= found <= high:
            raise self.wrong(name, f"has to be a number from {low:g} to {high:g}")
        return float(found)

    def whole(self, name: str, low: int, high: int = 2**53) -> int | None:
        found = self.value.get(name)
        if found is None:
            return None
        whole = isinstance(found, int) or (isinstance(found, float) and found.is_integer())
        if isinstance(found, bool) or not whole or not low <= found <= high:
            raise self.wrong(name, f"has to be a whole number from {low}")
        return int(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, or the one that stands alone."""
        found = self.value.get(name)
        listed = [] if found is None else [found] if isinstance(found, str) else found
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise self.wrong(name, "has to be a text, or a list of texts")
        return tuple(listed)

    def each(self, name: str) -> list[Any]:
        """Return a list, empty where there is none."""
        found = self.value.get(name)
        if found is not None and not isinstance(found, list):
            raise self.wrong(name, "has to be a list")
        return found or []

    def inner(self, name: str) -> Fields:
        """Return the fields of an object in it, none where there is no object."""
        found = self.value.get(name)
        return Fields({} if found is None else found, f"{self._place}{name}.")

    def of_list(self, name: str, number: int, value: object) -> Fields:
        """Return the fields of one object of a list in it."""
        return Fields(value, f"{self._place}{name}[{number}].")

    def place(self, name: str) -> str:
        """Return where a field stands in the request."""
        return f"{self._place}{name}"

    def wrong(self, name: str, words: str) -> BadRequestError:
        return BadRequestError(f"{self.place(name)} {words}", param=self.place(name))


def options_of(fields: Fields) -> Options:
    """Return what may be asked of a model besides the messages. Raises BadRequestError."""
    return Options(
        temperature=fields.number("temperature", 0, 2),
        max_tokens=fields.whole("max_tokens", 1),
        seed=fields.whole("seed", -(2**63), 2**63),
        stop=fields.texts("stop"),
        effort=effort_of(fields, "effort"),
        top_p=fields.number("top_p", 0, 1),
        verbosity=verbosity_of(fields),
        service_tier=fields.maybe("service_tier") or None,
        web_search=None if fields.value.get("web_search") is None else fields.flag("web_search"),
    )


def effort_of(fields: Fields, name: str, *, also: Mapping[str, Effort] | None = None) -> Effort | None:
    """Return how much is to be thought; `also` are words of others for ours. Raises BadRequestError."""
    known: dict[str, Effort] = {**{each: each for each in EFFORTS}, **(also or {})}
    found = fields.maybe(name)
    if found is not None and found not in known:
        raise fields.wrong(name, f"is one of {', '.join(known)}")
    return known.get(found or "")


def verbosity_of(fields: Fields) -> Verbosity | None:
    """Return how much is to be said. Raises BadRequestError."""
    found = fields.maybe("verbosity")
    said = next((each for each in VERBOSITIES if each == found), None)
    if found is not None and said is None:
        raise fields.wrong("verbosity", f"is one of {', '.join(VERBOSITIES)}")
    return said
