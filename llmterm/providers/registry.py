"""The providers by name, each built when it is first needed."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Self

from llmterm.errors import ConfigError, UsageError
from llmterm.messages import Effort
from llmterm.providers import Provider
from llmterm.threads import in_thread


class Entry(NamedTuple):
    """How to build a provider, the model it uses unless told otherwise, and what that model is called on the screen.

    `lacks` says how to get at a key that is missing, and `price` what a model costs where that is known; `window` is
    how many tokens it reads at once, where that is known, and `effort` what is configured for it. `owns` tells whether
    "name/model", which could mean a model of the provider `name`, is what one of its own models is called.
    """

    build: Callable[[], Provider]
    model: str
    label: Callable[[str], str] = str
    lacks: Callable[[], str] = str
    price: Callable[[str], str] = lambda _: ""
    window: Callable[[str], int | None] = lambda _: None
    effort: Callable[[str], Effort | None] = lambda _: None
    owns: Callable[[str], bool] = lambda _: False


class ProviderRegistry:
    """Builds providers lazily and closes those it built, at the latest when an `async with` of it is left."""

    def __init__(self, entries: Mapping[str, Entry], *, default: Callable[[], str] = str) -> None:
        """`default` says which "provider" or "provider/model" is meant where none is named."""
        self._entries = dict(entries)
        self._default = default
        self._built: dict[str, Provider] = {}
        self._models: dict[str, Sequence[str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    @property
    def names(self) -> list[str]:
        """All that can be asked for, with or without a key."""
        return list(self._entries)

    def get(self, name: str) -> Provider:
        """Return the provider of that name. Raises UsageError where there is none."""
        entry = self._entry(name)
        if name not in self._built:
            self._built[name] = entry.build()
        return self._built[name]

    def has(self, name: str) -> bool:
        """Tell whether a provider was built: to get it takes no time then."""
        return name in self._built

    async def models(self, name: str) -> Sequence[str]:
        """Return the models of a provider, asked for once. Raises as `Provider.models` does."""
        if name not in self._models:
            self._models[name] = await self.get(name).models()
        return self._models[name]

    def resolve(self, given: str) -> tuple[str, str]:
        """Return provider and model of "provider" or "provider/model". Raises UsageError for an unknown provider."""
        name, _, model = given.partition("/")
        entry = self._entry(name)
        if not model:
            return name, entry.model
        return name, given if entry.owns(given) else model

    def locate(self, given: str, current: str) -> tuple[str, str]:
        """Return provider and model of a model's name where `current` is the provider: a name of its own, or another's.

        "provider/model", as models are listed, is the model of that provider; unless `current` has models that are
        called so.
        """
        name, _, model = given.partition("/")
        if not model or name not in self._entries or (current in self._entries and self._entry(current).owns(given)):
            return current, given
        return name, model

    def require(self, name: str) -> None:
        """Raise ConfigError where a provider lacks the key that it needs."""
        if hint := self.lacks(name):
            raise ConfigError(f"no key for {name}", hint=hint)

    def lacks(self, name: str) -> str:
        """Return how to get at the key that a provider needs and has not, "" where it lacks none."""
        return self._entry(name).lacks()

    def price(self, name: str, model: str) -> str:
        """Return in a few words what a model of provider `name` costs, "" where that is not known."""
        return self._entry(name).price(model)

    def window(self, name: str, model: str) -> int | None:
        """Return how many tokens a model of provider `name` reads at once, None where that is not known."""
        return self._entry(name).window(model)

    def effort(self, name: str, model: str) -> Effort | None:
        """Return how much a model of provider `name` is to think unless that is said, None where nothing says it."""
        return self._entry(name).effort(model)

    async def choose(self, given: str = "") -> tuple[str, str]:
        """Return provider and model as `resolve` does, of the default where nothing is given.

        Where no model is set it is the first that the provider lists. Raises ProviderError, or UsageError where there
        is no model.
        """
        # The default may be looked for on other machines, by a program that has more to do.
        name, model = self.resolve(given or await in_thread(self._default))
        if model:
            return name, model
        names = await self.models(name)
        if not names:
            wanted = "URL" if name == "local" else f"NAME --provider {name}"
            raise UsageError(f"{name} has no model yet", hint=f"llmterm models pull {wanted}")
        return name, names[0]

    def fallbacks(
        self, given: Sequence[str], *, besides: tuple[str, str]
    ) -> list[Callable[[], Awaitable[tuple[Provider, str]]]]:
        """Return who answers in place of `besides`, in this order, each built when it is called for."""

        def ready(each: str) -> Callable[[], Awaitable[tuple[Provider, str]]]:
            async def choose() -> tuple[Provider, str]:
                name, model = await self.choose(each)
                return self.get(name), model

            return choose

        return [ready(each) for each in given if self.resolve(each) != besides]

    def default_model(self, name: str) -> str:
        """Return the model that is set for a provider, "" where it is the first that it lists. Raises UsageError."""
        return self._entry(name).model

    def label(self, name: str, model: str) -> str:
        """Return what the screen calls `model` of provider `name`."""
        return f"{name}/{self._entry(name).label(model)}"

    async def aclose(self) -> None:
        """Close the providers that were built. Idempotent; what is asked for later is built anew."""
        while self._built:
            _, provider = self._built.popitem()
            await provider.aclose()

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._entries)}"
            raise UsageError(f"there is no provider {name!r}", hint=hint)
        return entry
