"""The stored figures over HTTP, the page that shows them, and the link that leads there."""

from __future__ import annotations

import subprocess
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx2

from llmterm.assembly.whereabouts import LINK_FILE
from llmterm.messages import EndReason, Message, Segment, Timing, Usage
from llmterm.sessions import SessionStore
from tests.serving import TOKEN, served, serving
from tests.terminal import LLMTERM, PATIENCE, environment
from tests.wire import say


def keep(folder: Path, *, ago: int, model: str = "gpt", end: EndReason = EndReason.STOP) -> None:
    """Store an answer of so many days ago."""
    moment = datetime.now(UTC) - timedelta(days=ago)
    segment = Segment(
        provider="openai",
        model=model,
        mode="fresh",
        start=0,
        end=7,
        end_reason=end,
        usage=Usage(input_tokens=10, output_tokens=100),
        timing=Timing(first_token_ms=500, duration_ms=1500, retries=1),
        cost=0.25,
    )
    with closing(SessionStore(folder / "data", clock=lambda: moment)) as store:
        session = store.create()
        store.add(session, Message(role="user", text="why?"))
        store.add(session, Message(role="assistant", text="because", segments=(segment,)))


async def test_figures_are_told_by_model_and_day(tmp_path: Path) -> None:
    for ago in (0, 1, 1, 40):
        keep(tmp_path, ago=ago)
    keep(tmp_path, ago=0, model="other", end=EndReason.NETWORK)
    async with serving(tmp_path, say("x")) as client:
        of_all = await client.get("/v1/stats")
        of_days = await client.get("/v1/stats", days=2)
        for wrong in ("0", "-1", "x", "9" * 30, "²"):
            await client.get("/v1/stats", status=400, days=wrong)

    gpt, other = of_all["models"]
    assert (gpt["model"], gpt["answers"], gpt["cost"], gpt["failures"]) == ("gpt", 4, 1.0, 0)
    assert [each["answers"] for each in gpt["by_day"]] == [1, 2, 1]
    assert gpt["by_day"][-1]["date"] == of_all["today"] == date.today().isoformat()
    assert (other["failures"], other["retries"], other["tokens_per_second"]) == (1, 1, 100.0)
    assert of_all["days"] is None
    assert of_days["days"] == 2
    assert [each["answers"] for each in of_days["models"]] == [3, 1]


async def test_link_with_the_token_leads_to_the_page_of_figures(tmp_path: Path) -> None:
    async with serving(tmp_path, say("x")) as client, httpx2.AsyncClient(base_url=client.url) as browser:
        refused = await browser.get("/stats")
        led = await browser.get(f"/stats?token={TOKEN}", follow_redirects=True)
        module = await browser.get("/page/stats/main.js")

        assert refused.status_code == 401
        assert (led.status_code, led.url.path, led.url.query) == (200, "/stats", b"")
        assert module.headers["content-type"].startswith("text/javascript")


def test_stats_in_a_browser_are_those_of_the_service_that_runs(tmp_path: Path) -> None:
    """What a service leaves that was killed leads nowhere: anybody may listen there by then."""
    env = environment(tmp_path)
    with served(env, "--token", "t0ken") as (program, url, _):
        done = subprocess.run(
            [*LLMTERM, "stats", "--web"], env=env, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        program.kill()
        program.wait(PATIENCE)
    assert done.stdout == f"{url}/stats?token=t0ken\n"
    assert (tmp_path / "data" / LINK_FILE).stat().st_mode & 0o077 == 0

    command = [*LLMTERM, "stats", "--web"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as begun:
        try:
            assert begun.stderr is not None
            link = begun.stderr.readline().rpartition("serving at ")[2].strip()
            assert httpx2.get(link, follow_redirects=True).status_code == 200
        finally:
            begun.terminate()
        assert begun.wait(PATIENCE) == 0
    assert not (tmp_path / "data" / LINK_FILE).exists()


def test_page_of_figures_is_of_all_of_them(tmp_path: Path) -> None:
    command = [*LLMTERM, "stats", "--web", "--json"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=PATIENCE)

    assert done.returncode == 2
    assert "--web shows all figures on a page" in done.stderr
