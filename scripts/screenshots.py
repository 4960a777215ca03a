"""Takes the pictures of the page: the real service in this process, and the real page in Debian's Chromium.

uv run python -m scripts.screenshots
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from scripts.pictures import ANSWER, DOCS, QUESTION
from tests.chromium import Tab, browser, context_of, tab
from tests.serving import serving
from tests.wire import Exchange

_SIZE = {"width": 1100, "height": 760}
# How much of the answer there is when it is paused.
_HALF = 0.62


async def _say(exchange: Exchange) -> None:
    """Say half of the answer, and wait to be hung up on; then the rest."""
    half = ANSWER.index("\n", int(len(ANSWER) * _HALF)) + 1
    more = any(each["role"] == "assistant" for each in exchange.body["messages"])
    await exchange.start()
    for piece in (ANSWER[half:] if more else ANSWER[:half]).splitlines(keepends=True):
        await exchange.text(piece)
    await (exchange.end() if more else exchange.hung_up())


async def _paused(seen: Tab) -> None:
    await seen.ask(QUESTION)
    await seen.says("documentation")
    await asyncio.sleep(1)  # what is there by then is what there is
    await seen.page.keyboard.press("Space")
    await seen.paused("paused by")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), _say) as client, browser() as running:
            for scheme in ("light", "dark"):
                context = await context_of(running, viewport=_SIZE, color_scheme=scheme)
                seen = await tab(context, client)
                await _paused(seen)
                await seen.page.locator("#sessions a").first.wait_for()
                await seen.page.screenshot(path=DOCS / f"page-{scheme}.png")
                await seen.page.keyboard.press("Escape")
                await context.close()


if __name__ == "__main__":
    asyncio.run(main())
