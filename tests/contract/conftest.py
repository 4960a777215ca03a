"""Runs a test once for each dialect that it asks for."""

from __future__ import annotations

import pytest

from tests.contract.dialects import ALL, REMOTE, Dialect


@pytest.fixture(params=ALL, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """One of all six."""
    found: Dialect = request.param
    return found


@pytest.fixture(params=REMOTE, ids=lambda dialect: dialect.name)
def remote(request: pytest.FixtureRequest) -> Dialect:
    """One of the five that have an address, limits and retries."""
    found: Dialect = request.param
    return found
