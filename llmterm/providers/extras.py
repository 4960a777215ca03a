"""What the configuration adds to the requests of a wire: last of all, and around it, so that no wire knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmterm.messages import Request
from llmterm.providers.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """`body` and `headers` by model; "" is a request that is about none, such as that for the list of them."""

    body: Callable[[str], Mapping[str, Any]]
    headers: Callable[[str], Mapping[str, str]]

    def around(self, wire: Wire) -> Wire:
        """Return the wire with these on top of what it says."""

        def payload(request: Request) -> dict[str, Any]:
            return merged(wire.payload(request), self.body(request.model))

        return replace(
            wire,
            payload=payload,
            headers=lambda key: {**wire.headers(key), **self.headers("")},
            model_headers=lambda model: {**wire.model_headers(model), **self.headers(model)},
            plain=self.around(wire.plain) if wire.plain is not None else None,
        )


def merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` with `more` in its place: tables are put together, anything else is that of `more`."""
    found = dict(body)
    for name, value in more.items():
        match found.get(name), value:
            case dict() as before, dict():
                found[name] = merged(before, value)
            case _:
                found[name] = value
    return found
