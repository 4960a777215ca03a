"""Runs a test once for each dialect that it asks for."""

from __future__ import annotations

import pytest

from tests.contract.dialects import ALL, REMOTE, Dialect, label


@pytest.fixture(params=ALL, ids=label)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """One of them all."""
    found: Dialect = request.param
    return found


@pytest.fixture(params=REMOTE, ids=label)
def remote(request: pytest.FixtureRequest) -> Dialect:
    """One of those that have an address, limits and retries."""
    found: Dialect = request.param
    return found
