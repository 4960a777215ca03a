"""The page in a real browser: it streams, pauses, guides and goes on, in any number of tabs, and runs nothing."""

from __future__ import annotations

import random
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.chatting import until_hung_up
from tests.chromium import browser, context_of, tab
from tests.serving import serving
from tests.wire import Exchange, Gate, Script, say

if TYPE_CHECKING:
    from playwright.async_api import Browser

PAGE = Path(__file__).parent.parent / "llmterm" / "serve" / "page"
# The smallest PNG.
PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
pytestmark = pytest.mark.xdist_group("chromium")
in_browser = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Browser]:
    """One browser for all of these tests, as it takes its time to start; each has a memory of its own in it."""
    async with browser() as started:
        yield started


def halves() -> Script:
    return until_hung_up("First.\n\n", "word0 word1 ", then="word2 and the end.")


@in_browser
async def test_answer_is_paused_by_space_guided_and_gone_on_with_in_every_tab(tmp_path: Path, running: Browser) -> None:
    async with serving(tmp_path, halves()) as client:
        context = await context_of(running)
        one = await tab(context, client)
        await one.ask("Why?")
        await one.says("word0")
        await one.page.keyboard.press("Space")
        await one.paused("paused by a browser")
        two = await tab(context, client, one.page.url.removeprefix(f"{client.url}/"))
        await two.paused("paused by a browser")
        await two.page.keyboard.type("Be brief.")
        await two.page.keyboard.press("Enter")
        for each in (one, two):
            await each.answered()
            assert await each.answer() == "First.\n\nword0 word1 word2 and the end."
        figures = await two.page.locator(".answer footer .figures").inner_text()

        assert "Be brief." in client.upstream.exchanges[1].question
        assert figures.startswith("openai/test · 2 parts · ")
        assert one.trouble == two.trouble == []


@in_browser
async def test_question_of_another_appears_and_a_second_one_waits_its_turn(tmp_path: Path, running: Browser) -> None:
    gate = Gate()

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(f"An answer to {exchange.question}. ")
        if exchange.question == "two":
            await gate.wait()
        await exchange.end()

    async with serving(tmp_path, script) as client:
        context = await context_of(running)
        seen = await tab(context, client)
        await seen.ask("one")
        await seen.answered()
        session = seen.page.url.partition("#")[2]
        await client.post("/v1/turns", {"question": "two", "model": "openai/test", "session": session}, 201)
        await seen.says("An answer to two.")
        await seen.ask("three")
        waits = await seen.page.locator(".queued").inner_text()
        gate.open()
        await seen.answered(3)

        assert waits.startswith("three")
        assert await seen.answer() == "An answer to three."
        assert seen.trouble == []


@in_browser
async def test_page_comes_back_after_a_restart_with_nothing_lost_or_doubled(tmp_path: Path, running: Browser) -> None:
    """It goes on where it was: in the same port there is another process by then."""
    context = await context_of(running)
    async with serving(tmp_path, halves()) as client:
        seen = await tab(context, client)
        await seen.ask("Why?")
        await seen.says("word0")
        port = int(client.url.rpartition(":")[2])
    await seen.page.locator("#bar[data-state=lost]").wait_for()
    await seen.page.evaluate("() => (location.hash = '#another')")  # it cannot be read: what is open stays open
    await seen.page.get_by_role("alert").get_by_text("does not answer").wait_for()
    async with serving(tmp_path, say("word2 and the end."), port=port):
        await seen.paused("paused: the service was ended")
        await seen.page.keyboard.press("Space")
        await seen.answered()
        answer = await seen.answer()

    assert answer == "First.\n\nword0 word1 word2 and the end."
    assert seen.trouble == []


@in_browser
async def test_answer_is_edited_gone_on_with_copied_and_asked_again_without_a_mouse(
    tmp_path: Path, running: Browser
) -> None:
    """And in no state of it does anything keep somebody from using it."""
    script = until_hung_up("# First\n\n```python\nx\n```\n\nword0 ", then="and the end.")
    async with serving(tmp_path, script) as client:
        context = await context_of(running)
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        seen = await tab(context, client)
        page = seen.page
        barriers = await seen.barriers()
        await seen.ask("Why?")
        await seen.says("word0")
        await page.keyboard.press("Space")
        await seen.paused("paused by")
        barriers += await seen.barriers()
        await page.keyboard.press("Alt+e")
        await page.locator("textarea.edited").fill("Another word0 ")
        await page.keyboard.press("Control+Enter")
        await seen.paused("edited by")
        await page.keyboard.press("Space")
        await seen.answered()
        edited = await seen.answer()
        seam = await page.locator(".seam").get_attribute("title")
        barriers += await seen.barriers()
        await page.get_by_role("button", name="Copy").last.press("Enter")
        await page.get_by_role("button", name="Copied").wait_for()
        copied = await page.evaluate("() => navigator.clipboard.readText()")
        await page.get_by_role("button", name="Again").press("Enter")
        await page.get_by_text("2/2").wait_for()
        await seen.answered()
        again = await seen.answer()
        await page.get_by_role("button", name="The version before").press("Enter")
        await page.get_by_text("1/2").wait_for()

        assert edited == copied == "Another word0 and the end."
        assert seam == "openai/test went on here"
        assert again == "and the end."
        assert await seen.answer() == edited
        assert barriers == []
        assert seen.trouble == []


@in_browser
async def test_earlier_question_is_asked_otherwise_and_what_came_after_it_stays_beside(
    tmp_path: Path, running: Browser
) -> None:
    async def script(exchange: Exchange) -> None:
        if exchange.question == "broken":
            await exchange.refuse(401, {"error": {"message": "wrong key"}})
            return
        await say(f"An answer to {exchange.question}.")(exchange)

    async with serving(tmp_path, script) as client:
        seen = await tab(await context_of(running), client)
        page, questions = seen.page, seen.page.locator(".question .said")
        for number, question in enumerate(("one", "two", "three"), start=1):
            await seen.ask(question)
            await seen.answered(number)

        async def edit(text: str) -> None:
            await page.get_by_label("The question, to be changed").fill(text)
            await page.keyboard.press("Control+Enter")

        await page.keyboard.press("Alt+e")
        await page.keyboard.press("Escape")
        assert await questions.all_inner_texts() == ["one", "two", "three"]
        await page.keyboard.press("Alt+e")
        await edit("third")
        await seen.says("An answer to third.")
        await seen.answered(3)
        assert await questions.all_inner_texts() == ["one", "two", "third"]
        await page.locator(".question").nth(1).get_by_role("button", name="Edit").press("Enter")
        await edit("broken")
        await page.locator("#bar[data-state=failed]").wait_for()
        assert await questions.all_inner_texts() == ["one", "broken"]
        await page.keyboard.press("Escape")
        await seen.says("An answer to third.")
        assert await questions.all_inner_texts() == ["one", "two", "third"]
        await page.locator(".question").nth(0).get_by_role("button", name="Edit").press("Enter")
        await edit("first")
        await seen.says("An answer to first.")
        await seen.answered()
        barriers = await seen.barriers()
        await page.get_by_role("button", name="The version before").press("Enter")
        await seen.says("An answer to third.")

        assert await questions.all_inner_texts() == ["one", "two", "third"]
        assert barriers == []
        assert seen.trouble == []


@in_browser
async def test_session_is_found_renamed_and_deleted_by_a_second_press_in_all_tabs(
    tmp_path: Path, running: Browser
) -> None:
    async with serving(tmp_path, say("An answer.")) as client:
        session = (await client.ask("Why is tea green?"))["session"]
        await client.ask("What is a semaphore?")
        context = await context_of(running)
        one = await tab(context, client)
        other = await tab(context, client, f"#{session}")
        await other.answered()
        rows = one.page.locator("#sessions .session")
        await rows.nth(1).wait_for()
        await one.page.keyboard.press("Control+k")
        await one.page.keyboard.type("green")
        await rows.nth(1).wait_for(state="detached")
        found = await rows.inner_text()
        await one.page.fill("#search", "")
        await rows.nth(1).wait_for()
        await one.page.get_by_label("Rename Why is tea green?").press("Enter")
        await one.page.get_by_label("Title").fill("Tea <b>")
        await one.page.keyboard.press("Enter")
        await other.page.locator("#title").get_by_text("Tea <b>").wait_for()
        remove = one.page.get_by_label("Delete Tea <b>")
        await remove.press("Enter")
        there = await client.get("/v1/sessions")
        await remove.press("Enter")
        await rows.nth(1).wait_for(state="detached")
        await other.page.locator("#title").get_by_text("New chat").wait_for()

        assert "green" in found
        assert len(there["sessions"]) == 2
        assert [each["title"] for each in (await client.get("/v1/sessions"))["sessions"]] == ["What is a semaphore?"]
        assert one.trouble == other.trouble == []


_PASTE = """() => {
  const files = new DataTransfer();
  for (const [name, type] of [["a.png", "image/png"], ["b.gif", "image/gif"], ["c.exe", "application/x-dosexec"]])
    files.items.add(new File([Uint8Array.from(atob(PIXEL), (each) => each.charCodeAt(0))], name, { type }));
  const paste = new ClipboardEvent("paste", { clipboardData: files, bubbles: true, cancelable: true });
  document.getElementById("line").dispatchEvent(paste);
}""".replace("PIXEL", f'"{b64encode(PIXEL).decode()}"')


@in_browser
async def test_files_are_pasted_and_an_answer_can_be_shown_only_once_it_is_there(
    tmp_path: Path, running: Browser
) -> None:
    gate = Gate()
    asked: list[object] = []

    async def script(exchange: Exchange) -> None:
        asked.append(exchange.body["messages"][-1]["content"])
        await exchange.start()
        await exchange.text("half ")
        await gate.wait()
        await exchange.text("whole")
        await exchange.end()

    async with serving(tmp_path, script) as client:
        seen = await tab(await context_of(running), client)
        page = seen.page
        await page.get_by_role("button", name="Settings").click()
        await page.get_by_label("Show answers as they come").uncheck()
        await page.get_by_role("combobox", name="Colours").select_option("dark")
        await page.get_by_role("button", name="Close").click()
        ground = await page.evaluate("() => getComputedStyle(document.body).colorScheme")
        await page.evaluate(_PASTE)
        await page.get_by_label("Leave out b.gif").click()
        refused = await page.get_by_role("alert").inner_text()
        await seen.ask("What is it?")
        await page.locator(".answer .wait").wait_for()
        shown = await page.locator(".question").inner_text()
        hidden = await seen.answer()
        gate.open()
        await seen.answered()

        assert ground == "dark"
        assert refused == "c.exe is no PNG, JPEG, GIF, WebP or PDF"
        assert shown.split() == ["What", "is", "it?", "a.png"]
        assert b64encode(PIXEL).decode() in str(asked[0])
        assert hidden == ""
        assert await seen.answer() == "half whole"
        assert seen.trouble == []


@in_browser
async def test_ten_tabs_of_one_browser_stream_at_once(tmp_path: Path, running: Browser) -> None:
    """A browser gives a host six connections."""
    gate, begun = Gate(), []

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.text(f"begun {exchange.question} ")
        begun.append(exchange.question)
        await gate.wait()
        await exchange.text("and done")
        await exchange.end()

    async with serving(tmp_path, script) as client:
        context = await context_of(running)
        tabs = []
        for number in range(10):
            seen = await tab(context, client)
            await seen.ask(f"q{number}")
            await seen.says(f"begun q{number}")
            tabs.append(seen)
        gate.open()
        for number, seen in enumerate(tabs):
            await seen.answered()
            assert await seen.answer() == f"begun q{number} and done"


@in_browser
async def test_narrow_window_has_all_of_it(tmp_path: Path, running: Browser) -> None:
    async with serving(tmp_path, say("| a | b |\n|---|---|\n| " + "wide " * 60 + "| x |\n")) as client:
        context = await context_of(running, viewport={"width": 360, "height": 640})
        seen = await tab(context, client)
        await seen.ask("Why?")
        await seen.answered()
        hidden = await seen.page.locator("#side").is_visible()
        await seen.page.click("#menu")
        await seen.page.locator("#sessions a").wait_for()
        width = await seen.page.evaluate("() => document.documentElement.scrollWidth")

        assert not hidden
        assert width == 360


HOSTILE = [
    "<script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "<svg onload=window.ran=1><a href='javascript:window.ran=1'>x</a></svg>",
    "[x](javascript:window.ran=1)",
    "[x](JaVaScRiPt:window.ran=1)",
    "[x](java\tscript:window.ran=1)",
    "[x](data:text/html,<script>window.ran=1</script>)",
    "![x](data:image/svg+xml,<svg onload=window.ran=1>)",
    "![x](https://elsewhere.example/track.png)",
    "<javascript:window.ran=1>",
    "[x](vbscript:window.ran=1)",
    "[x](blob:null/1)",
    "[x](file:///etc/passwd)",
    "<iframe srcdoc='<script>top.ran=1</script>'></iframe>",
    "<style>*{display:none}</style>",
    "<form action=javascript:window.ran=1><button>x</button></form>",
    '[x](https://a.example" onmouseover="window.ran=1)',
    "```html\n<script>window.ran=1</script>\n```",
    "`<script>window.ran=1</script>`",
    "| <script>window.ran=1</script> |\n|---|\n| [x](javascript:1) |",
    "> - [ ] <b onclick=window.ran=1>x</b>",
    "&lt;script&gt;window.ran=1&lt;/script&gt;",
    "[![x](javascript:1)](javascript:2)",
    "$$<script>window.ran=1</script>$$",
    "\u2028\u0000\ufeff[x](\u0001javascript:window.ran=1)",
]
_MADE = """A BLOCKQUOTE P BR HR H2 H3 H4 H5 H6 EM STRONG S CODE UL OL LI TABLE THEAD TBODY TR TH TD DIV FIGURE
FIGCAPTION SPAN BUTTON PRE INPUT"""
_ELEMENTS = set(_MADE.split())
_ATTRIBUTES = {"class", "href", "rel", "target", "title", "type", "disabled", "tabindex", "start"}
_LOOK = """async (answers) => {
  const { Markdown } = await import("/page/markdown.js");
  const found = { elements: [], attributes: [], addresses: [] };
  for (const [text, cuts] of answers) {
    const root = document.createElement("div");
    document.body.append(root);
    const markdown = new Markdown(root);
    let at = 0;
    for (const cut of [...cuts, text.length]) { markdown.write(text.slice(at, cut)); at = Math.max(at, cut); }
    markdown.end();
    for (const each of root.querySelectorAll("*")) {
      found.elements.push(each.tagName);
      for (const attribute of each.attributes) found.attributes.push(attribute.name);
      if (each.href) found.addresses.push(each.protocol);
    }
    root.remove();
  }
  const only = (list) => [...new Set(list)];
  return { elements: only(found.elements), attributes: only(found.attributes), addresses: only(found.addresses),
    ran: window.ran ?? 0 };
}"""


@in_browser
async def test_hostile_answers_run_nothing_and_fetch_nothing(tmp_path: Path, running: Browser) -> None:
    """Two thousand of them, nested and cut anywhere: nothing is made of them that could do anything."""
    dice = random.Random(11)

    def answer() -> tuple[str, list[int]]:
        pieces = [dice.choice(HOSTILE) for _ in range(dice.randint(1, 4))]
        wraps = ["{}", "> {}", "- {}", "**{}**", "# {}", "| {} |\n|---|\n", "[{}](x)", "~~{}~~", "1. {}"]
        text = dice.choice(["\n\n", "\n", " ", ""]).join(dice.choice(wraps).format(each) for each in pieces)
        return text, sorted(dice.randrange(len(text) + 1) for _ in range(dice.randint(0, 6)))

    async with serving(tmp_path, say(*HOSTILE)) as client:
        context = await context_of(running)
        asked: list[str] = []
        seen = await tab(context, client)
        seen.page.on("request", lambda request: asked.append(request.url))
        await seen.ask("Why?")
        await seen.answered()
        found = await seen.page.evaluate(_LOOK, [answer() for _ in range(2_000)])

        assert found["ran"] == 0
        assert set(found["elements"]) <= _ELEMENTS
        assert set(found["attributes"]) <= _ATTRIBUTES
        assert set(found["addresses"]) <= {"http:", "https:", "mailto:"}
        assert [url for url in asked if not url.startswith(client.url)] == []
        assert seen.trouble == []


def test_what_was_written_elsewhere_is_as_it_was_there() -> None:
    listed = re.findall(
        r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (PAGE / "vendor" / "README.md").read_text("utf-8"), re.M
    )
    there = {path.name for path in (PAGE / "vendor").iterdir() if path.suffix == ".js"}

    assert {name for name, _ in listed} == there
    for name, digest in listed:
        assert sha256((PAGE / "vendor" / name).read_bytes()).hexdigest() == digest


async def test_nothing_of_the_page_is_inline_or_from_elsewhere() -> None:
    html = (PAGE / "index.html").read_text("utf-8")
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)

    assert scripts == [""] * len(scripts)
    assert "style=" not in html
    assert " on" not in re.sub(r">[^<]*<", "><", html)
    assert re.findall(r'(?:src|href)="(?!/|#)', html) == []
