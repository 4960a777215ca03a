"""`python -m llmterm`, and the command `llmterm`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from llmterm.loading import loading
from llmterm.opening import Opening


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    opening = Opening()
    if sys.stdin is not None and sys.stdout is not None:
        opening.show(sys.argv[1:], os.environ)
    try:
        with loading():
            from llmterm.cli import main as run
    except KeyboardInterrupt:
        opening.take_back()
        sys.exit(130)
    run(opening)


if __name__ == "__main__":
    main()
