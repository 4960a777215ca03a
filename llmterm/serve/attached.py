"""Images and documents that come with a request: as base64, or in a data URL as OpenAI's clients have them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from llmterm.files import FILE_LIMIT, TAKEN, media_type
from llmterm.messages import Attachment
from llmterm.serve.fields import Fields
from llmterm.serve.problems import BadRequestError


def attachments_of(given: Sequence[object]) -> tuple[Attachment, ...]:
    """Return what comes as `{"name", "data"}`, of base64. Raises BadRequestError."""
    found = []
    for number, each in enumerate(given):
        fields = Fields(each, f"attachments[{number}].")
        found.append(attachment(fields.text("data"), name=fields.text("name", ""), param=f"attachments[{number}].data"))
    return tuple(found)


def from_url(url: str, *, name: str = "", param: str) -> Attachment:
    """Return what a data URL holds. Raises BadRequestError, also for an address: nothing is fetched for anybody."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma or not head.endswith(";base64"):
        raise BadRequestError(
            f"{param} has to be a data URL with base64: nothing is fetched from elsewhere", param=param
        )
    return attachment(data, name=name, param=param)


def attachment(data: str, *, name: str, param: str) -> Attachment:
    """Return what some base64 is; its kind is known by its first bytes. Raises BadRequestError."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequestError(f"{param} is not base64", param=param) from None
    kind = media_type(raw)
    if not kind or len(raw) > FILE_LIMIT:
        raise BadRequestError(f"{param} cannot be attached: {TAKEN}", param=param)
    return Attachment(name=name or kind.replace("/", "."), media_type=kind, data=raw)
