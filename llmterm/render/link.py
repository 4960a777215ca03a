"""Links that a terminal opens (OSC 8), to targets that a model wrote: none but web and mail addresses, in plain ASCII.

https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda says what they look like, and that addresses are of
printable ASCII and may be 2083 characters long.
"""

from __future__ import annotations

import re
from zlib import crc32

_SAFE = re.compile(r"(?:https?://|mailto:)[!-~]+", re.IGNORECASE)
_LONGEST = 2_000
_OPEN, _CLOSE = "\x1b]8;id={};{}\x1b\\", "\x1b]8;;\x1b\\"
# Where a label looks like an address, it must not be taken for the one behind it.
_ADDRESS = re.compile(r"[^\s.][.。．｡]\w|[@/:\\]")


def is_safe(target: str) -> bool:
    """Tell whether a terminal may be given `target` to open."""
    return len(target) <= _LONGEST and _SAFE.fullmatch(target) is not None


def says_enough(label: str) -> bool:
    """Tell whether `label` can stand for its target, which is then not seen."""
    return label.strip() != "" and not _ADDRESS.search(label)


def linked(text: str, target: str) -> str:
    """Return `text`, which may have styles, as a link; the parts of one that wraps belong together."""
    return f"{_OPEN.format(f'{crc32(target.encode()):x}', target)}{text}{_CLOSE}"
