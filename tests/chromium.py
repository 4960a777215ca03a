"""A real browser for tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.serving import TOKEN, Client
from tests.x11 import require

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

# Nothing of its own may look for anybody on a network.
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    require("chromium", libraries=("playwright", "axe_playwright_python"))
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_QUIET))
        try:
            yield running
        finally:
            await running.close()


class Tab:
    """A page of the service, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.trouble: list[str] = []
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("dialog", lambda dialog: self.trouble.append(f"a dialog: {dialog.message}"))

    async def ask(self, text: str) -> None:
        await self.page.fill("#line", text)
        await self.page.keyboard.press("Enter")

    async def answered(self, number: int = 1) -> None:
        """Wait until so many answers are over."""
        await self.page.locator(".answer footer .figures").nth(number - 1).wait_for()

    async def paused(self, words: str) -> None:
        """Wait for a pause of which that is said."""
        await self.page.locator("#bar[data-state=paused] p").get_by_text(words).wait_for()

    async def says(self, text: str) -> None:
        await self.page.locator("#log").get_by_text(text).last.wait_for()

    async def answer(self) -> str:
        """Return the last answer as a reader takes it."""
        return await self.page.locator(".answer .text").last.inner_text()

    async def barriers(self) -> list[str]:
        """Return what keeps somebody from using what is seen now, light and dark, as axe-core judges it."""
        from axe_playwright_python.async_playwright import Axe

        found = []
        for scheme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result = (await Axe().run(self.page)).response
            found += [
                f"{scheme}: {each['id']} {node['target']}" for each in result["violations"] for node in each["nodes"]
            ]
        return found


async def tab(context: BrowserContext, client: Client, path: str = "") -> Tab:
    """Open the page by its link, or, once this browser has been there, at a path."""
    opened = Tab(await context.new_page())
    await opened.page.goto(f"{client.url}/{path}" if path else f"{client.url}/?token={TOKEN}")
    await opened.page.locator("#line").wait_for()
    return opened


async def context_of(running: Browser, **more: Any) -> BrowserContext:
    """Return a browser's memory of its own, in which the scripted model is chosen."""
    context = await running.new_context(**more)
    chosen = "localStorage.getItem('llmterm') || localStorage.setItem('llmterm', '{\"model\":\"openai/test\"}')"
    await context.add_init_script(chosen)
    return context
