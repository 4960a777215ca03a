"""Where the service of this user is: written down while it serves, for whatever leads there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from llmterm import config, files
from llmterm.sessions.owner import Owner

LINK_FILE = "serve-link"


@contextmanager
def written_down(environ: Mapping[str, str], link: str) -> Iterator[None]:
    """Have `service_link` find the link as long as the `with` lasts. Where it cannot be written, nobody finds it."""
    path = config.data_dir(environ) / LINK_FILE
    text = json.dumps({"link": link, "owner": Owner.current()._asdict()})
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(path, text, private=True)
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_text("utf-8") == text:
                path.unlink()


def service_link(environ: Mapping[str, str], page: str = "/") -> str | None:
    """Return the link that opens a page of the service that runs, None where none does.

    What a killed one has left is not believed: by now anybody may listen there.
    """
    try:
        value = json.loads((config.data_dir(environ) / LINK_FILE).read_text("utf-8"))
        link, owner = urlsplit(value["link"]), Owner(**value["owner"])
        return link._replace(path=page).geturl() if owner.alive() else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
