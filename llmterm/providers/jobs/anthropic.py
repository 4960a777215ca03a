"""Anthropic's message batches: all requests in one, and the results in a file of lines.

https://platform.claude.com/docs/en/build-with-claude/batch-processing, .../docs/en/api/creating-message-batches: at
most 100,000 requests and 256 MB. A batch has no name of ours: which one it was that was accepted unheard, the keys in
its results tell, once it has ended.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any

from llmterm.providers.jobs import CANCELED, EXPIRED, NO_ANSWER, Bounds, Found, Job, Result, Sealed
from llmterm.providers.jobs.api import JobApi
from llmterm.untrusted import count

_PATH = "/v1/messages/batches"
_PAGE = 100
_MOST_PAGES = 50
# By how much the clocks may differ, in seconds; whoever is taken in by that has keys of its own in the results.
_SLACK = 24 * 3_600.0
_WORDS = {"canceled": CANCELED, "expired": EXPIRED}


class AnthropicJobs:
    bounds = Bounds(100_000, 255_000_000)
    between = b",\n"

    def __init__(self, api: JobApi) -> None:
        self._api = api

    def line(self, key: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"custom_id": key, "params": body}

    async def deliver(self, parcel: Sealed) -> str:
        return ""  # the batch is made with its requests in it

    async def create(self, parcel: Sealed, delivered: str) -> str:
        content = parcel.content(head=b'{"requests": [', tail=b"]}")
        answer = await self._api.send(
            _PATH, content, {"content-type": "application/json"}, model=parcel.model, once=True
        )
        return self._api.named(answer.get("id"), "batch")

    async def find(self, mark: str, *, since: float, size: int) -> Found | None:
        unsure = None
        async for batch in self._listed(since - _SLACK):
            if sum(_counts(batch).values()) != size:
                continue
            job = self._api.named(batch.get("id"), "batch")
            if batch.get("processing_status") != "ended":
                unsure = Found(job, sure=False)
                continue
            async with aclosing(self.results(await self.look(job))) as results:
                async for result in results:
                    if result.key.startswith(f"{mark}-"):
                        return Found(job)
                    break
        return unsure

    async def look(self, job: str) -> Job:
        batch = await self._api.get(f"{_PATH}/{job}")
        counts = _counts(batch)
        over = batch.get("processing_status") == "ended"
        # Where the file lies, the batch says; elsewhere than at the API, such as behind a gateway, no key goes.
        where = self._api.path_of(batch.get("results_url")) or f"{_PATH}/{job}/results"
        return Job(
            id=job,
            state="ended" if over else "running",
            total=sum(counts.values()),
            done=counts["succeeded"],
            failed=counts["errored"] + counts["expired"] + counts["canceled"],
            results=(where,) if over else (),
        )

    async def cancel(self, job: str) -> None:
        await self._api.post(f"{_PATH}/{job}/cancel", {})

    async def results(self, job: Job) -> AsyncGenerator[Result]:
        for path in job.results:
            async for line in self._api.lines(path):
                if (result := _result(line)) is not None:
                    yield result

    async def _listed(self, since: float) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield the batches that were made since then; the latest is listed first."""
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self._api.get(f"{_PATH}?limit={_PAGE}{after}")
            listed = page.get("data")
            batches = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
            for batch in batches:
                if _made(batch) < since:
                    return
                yield batch
            if not batches or page.get("has_more") is not True:
                return
            after = f"&after_id={self._api.named(batches[-1].get('id'), 'batch')}"


def _counts(batch: Mapping[str, Any]) -> dict[str, int]:
    given = batch.get("request_counts")
    numbers = given if isinstance(given, dict) else {}
    return {name: count(numbers.get(name)) for name in ("processing", "succeeded", "errored", "canceled", "expired")}


def _made(batch: Mapping[str, Any]) -> float:
    """Return when a batch was made, in seconds since 1970; one that does not say it was made just now."""
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).timestamp()
    except ValueError:
        return float("inf")


def _result(line: Mapping[str, Any]) -> Result | None:
    match line:
        case {"custom_id": str(key), "result": {"type": "succeeded", "message": dict(message)}}:
            return Result(key, json.dumps(message))
        case {"custom_id": str(key), "result": {"type": "errored", "error": dict(error)}}:
            return Result(key, json.dumps(error))
        case {"custom_id": str(key), "result": {"type": str(kind)}}:
            return Result(key, why=_WORDS.get(kind, NO_ANSWER), kind=kind if kind in _WORDS else "server")
        case _:
            return None
