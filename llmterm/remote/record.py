"""A session as the service has it."""

from __future__ import annotations

from llmterm.errors import ProtocolError
from llmterm.remote.service import Service
from llmterm.sessions import StoredSession
from llmterm.sessions.portable import carried


async def load(service: Service, session_id: str) -> StoredSession:
    """Return a session as the service has it. Raises our errors."""
    value = await service.get(f"/v1/sessions/{session_id}/whole")
    try:
        return carried(value)
    except ValueError as error:
        raise ProtocolError(f"the service: {error}") from None
