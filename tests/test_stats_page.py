"""The page of figures in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmterm.messages import EndReason
from tests.chromium import Tab, browser
from tests.serving import TOKEN, serving
from tests.test_serve_stats import keep
from tests.wire import say

pytestmark = pytest.mark.xdist_group("chromium")

HOSTILE = '<img src=x onerror="document.title=1">'


async def test_page_shows_the_figures_of_each_model_and_day(tmp_path: Path) -> None:
    """By pointer and by keyboard, at any width; a name is text, whatever it says."""
    async with serving(tmp_path, say("x")) as client, browser() as running:
        seen = Tab(await running.new_page(viewport={"width": 1280, "height": 900}))
        page = seen.page
        await page.goto(f"{client.url}/stats?token={TOKEN}")
        await page.get_by_role("status").get_by_text("No model has answered").wait_for()
        for ago in (0, 3, 40):
            keep(tmp_path, ago=ago)
        keep(tmp_path, ago=3, model=HOSTILE, end=EndReason.NETWORK)
        await page.reload()
        await page.wait_for_selector("#chart .bar")
        of_month = await page.locator("#totals dd").first.inner_text()
        models = await page.locator("#models tbody th").all_inner_texts()
        bars = await page.locator("#chart .bar").count()
        await page.locator("#chart .day[tabindex]").first.focus()
        told = await page.locator(".tip").inner_text()
        await page.get_by_label("Failures").check(force=True)
        failures = await page.locator("#chart .bar").count()
        await page.get_by_label("All", exact=True).check(force=True)
        await page.locator("#totals dd").first.get_by_text("4", exact=True).wait_for()
        address = page.url
        await page.set_viewport_size({"width": 360, "height": 800})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        title = await page.title()

    assert of_month == "3"
    assert models == ["openai", "gpt", HOSTILE]
    assert (bars, failures) == (3, 1)
    assert f"openai/{HOSTILE}" in told
    assert address.endswith("/stats?days=&measure=failures")
    assert (wide, title, seen.trouble) == (360, "Figures · llmterm", [])
