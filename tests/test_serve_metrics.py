"""What Prometheus gets: names and buckets of OpenTelemetry's conventions, every answer counted once."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from llmterm.messages import EndReason, Segment, Timing, Usage
from llmterm.serve.metrics import MOST_MODELS, Metrics
from llmterm.states import TurnState
from tests.chatting import until_hung_up
from tests.serving import TOKEN, Client, reply_of, serving
from tests.wire import Exchange

WHO = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "test"}


class Scrape:
    """All that Prometheus has got."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Return a figure; 0 where it has never been counted."""
        return self.samples.get((name, frozenset(labels.items())), 0)


async def scraped(client: Client) -> Scrape:
    return Scrape(await client.text("/metrics"))


async def answered(client: Client, turn: str) -> None:
    async with client.told(turn) as told:
        await reply_of(told)


async def failed(client: Client) -> str:
    """Ask, and return the turn once it has failed: it could still be gone on with."""
    turn: str = (await client.ask())["id"]
    async with client.told(turn) as told:
        async for entry in told:
            if getattr(entry.event, "state", "") == TurnState.FAILED:
                break
    return turn


async def test_every_part_of_an_answer_is_counted_once(tmp_path: Path) -> None:
    """Also those that rest and are gone on with, and those that OpenAI's clients ask for."""
    async with serving(tmp_path, until_hung_up("First. ", "second", then=" and third.")) as client:
        turn = (await client.ask())["id"]
        async with client.told(turn) as told:
            async for entry in told:
                if "second" in getattr(entry.event, "text", ""):
                    break
        before = await scraped(client)
        await client.post(f"/v1/turns/{turn}/pause")
        paused = await scraped(client)
        await client.post(f"/v1/turns/{turn}/resume")
        await answered(client, turn)
        asked = {"model": "openai/test", "messages": [{"role": "user", "content": "And now?"}]}
        await client.post("/v1/chat/completions", asked)
        after = await scraped(client)

    def counted(scrape: Scrape) -> float:
        return scrape.value("gen_ai_client_operation_duration_seconds_count", **WHO, error_type="")

    assert [counted(each) for each in (before, paused, after)] == [0, 1, 3]
    assert before.value("llmterm_turns_streaming") == 1
    assert after.value("llmterm_turns_streaming") == 0
    assert paused.value("llmterm_turn_rests_total", state="paused", reason="pause") == 1
    assert after.value("llmterm_turn_rests_total", state="done", reason="stop") == 2
    assert after.value("gen_ai_client_operation_time_to_first_chunk_seconds_count", **WHO) == 3
    assert after.value("gen_ai_client_token_usage_count", **WHO, gen_ai_token_type="output") == 2
    assert after.value("gen_ai_client_token_usage_sum", **WHO, gen_ai_token_type="output") == 14


async def test_failure_and_refusal_are_counted_by_what_they_are(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(400, {"error": {"message": "no such thing"}})

    async with serving(tmp_path, script) as client:
        await failed(client)
        turn = await failed(client)
        await client.post(f"/v1/turns/{turn}/cancel")
        asked = {"model": "openai/test", "messages": [{"role": "user", "content": "And now?"}]}
        await client.post("/v1/chat/completions", asked, 400)
        await client.get("/v1/turns/nothing", status=404)
        await client.http.get("/metrics", headers={"authorization": "Bearer wrong"})
        found = await scraped(client)

    refused = {**WHO, "error_type": "RequestRefusedError"}
    assert found.value("gen_ai_client_operation_duration_seconds_count", **refused) == 3
    assert found.value("llmterm_refusals_total", code="not_found") == 1
    assert found.value("llmterm_refusals_total", code="invalid_token") == 1


async def test_readers_are_those_that_read_now(tmp_path: Path) -> None:
    async with serving(tmp_path, until_hung_up("First.", then="never")) as client:
        turn = (await client.ask())["id"]
        async with client.told(turn) as one, client.told(turn) as other:
            await anext(one)
            await anext(other)
            during = (await scraped(client)).value("llmterm_readers")
        await client.post(f"/v1/turns/{turn}/cancel")
        open_metrics = await client.http.get("/metrics", headers={"accept": "application/openmetrics-text"})

    assert during == 2
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")
    assert TOKEN not in open_metrics.text


def test_models_that_have_figures_of_their_own_are_so_many() -> None:
    """Their names come from whoever asks: without a limit anybody could fill the memory with them."""
    metrics = Metrics()
    for number in range(3 * MOST_MODELS):
        metrics.ended(
            Segment(
                provider="openai",
                model=f"model-{number}",
                mode="fresh",
                start=0,
                end=1,
                end_reason=EndReason.STOP,
                usage=Usage(input_tokens=1, output_tokens=1),
                timing=Timing(first_token_ms=1, duration_ms=2),
            )
        )
    written, _ = metrics.written("")
    found = Scrape(written.decode())
    name = "gen_ai_client_operation_duration_seconds_count"
    counts = {
        dict(labels)["gen_ai_request_model"]: value for (each, labels), value in found.samples.items() if each == name
    }

    assert len(counts) == MOST_MODELS + 1
    assert counts["other"] == 2 * MOST_MODELS
