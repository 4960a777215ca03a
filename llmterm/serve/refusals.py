"""Why a turn cannot be had, or cannot be begun now."""

from __future__ import annotations

from llmterm.errors import UsageError


class NoSuchTurnError(UsageError):
    """There is no turn of that id, or no session."""


class NoSuchModelError(UsageError):
    """No provider of that name has models."""


class ConflictError(UsageError):
    """Something else is being done there."""


class DrainingError(UsageError):
    """The service is ending, and begins nothing."""


class FullError(UsageError):
    """There are as many turns as the service may have."""


class PeersLostError(UsageError):
    """What other instances of the service have cannot be known now, or is not to be had from them."""
