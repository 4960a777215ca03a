"""OpenAI's batches: a file of requests, a batch of that file, and files of what came of it.

https://developers.openai.com/api/docs/guides/batch, https://platform.openai.com/docs/api-reference/batch: at most
50,000 requests and 200 MB in a file, all for one model; `metadata` goes with the batch and is listed with it; what was
not answered in time stands in the file of errors as `batch_expired`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from llmterm.providers.jobs import CANCELED, EXPIRED, NO_ANSWER, Bounds, Found, Job, Result, Sealed
from llmterm.providers.jobs.api import JobApi
from llmterm.untrusted import count

_MARK = "llmterm"
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_PAGE = 100
_MOST_PAGES = 50


class OpenaiJobs:
    """Batches of chat completions or of responses, as the path of a line has it."""

    # MB of 10**6 bytes, and room for what is around the file.
    bounds = Bounds(50_000, 199_000_000)
    between = b"\n"

    def __init__(self, api: JobApi) -> None:
        self._api = api

    def line(self, key: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"custom_id": key, "method": "POST", "url": f"/v1{path}", "body": body}

    async def deliver(self, parcel: Sealed) -> str:
        # https://platform.openai.com/docs/api-reference/files/create, https://www.rfc-editor.org/rfc/rfc7578
        mark = parcel.mark
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{_MARK}-{mark}.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        )
        content = parcel.content(head=head.encode(), tail=f"\n\r\n--{mark}--\r\n".encode())
        form = {"content-type": f"multipart/form-data; boundary={mark}"}
        return self._api.named((await self._api.send("/files", content, form)).get("id"), "file")

    async def create(self, parcel: Sealed, delivered: str) -> str:
        payload = {
            "input_file_id": delivered,
            "endpoint": f"/v1{parcel.path}",  # of OpenAI, whatever the base URL is
            "completion_window": "24h",
            "metadata": {_MARK: parcel.mark},
        }
        return self._api.named((await self._api.post("/batches", payload, model=parcel.model)).get("id"), "batch")

    async def find(self, mark: str, *, since: float, size: int) -> Found | None:
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self._api.get(f"/batches?limit={_PAGE}{after}")
            listed = page.get("data")
            batches = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
            for batch in batches:
                match batch:
                    case {"metadata": {"llmterm": found}} if found == mark:
                        return Found(self._api.named(batch.get("id"), "batch"))
            if not batches or page.get("has_more") is not True:
                return None
            after = f"&after={self._api.named(batches[-1].get('id'), 'batch')}"
        return None

    async def look(self, job: str) -> Job:
        batch = await self._api.get(f"/batches/{job}")
        status, counts = batch.get("status"), batch.get("request_counts")
        numbers = counts if isinstance(counts, dict) else {}
        files = [batch.get("output_file_id"), batch.get("error_file_id")]
        over = status in _OVER
        return Job(
            id=job,
            state="ended" if over else "running",
            total=count(numbers.get("total")),
            done=count(numbers.get("completed")),
            failed=count(numbers.get("failed")),
            why=self._why(batch) if over and status != "completed" else "",
            results=tuple(f"/files/{self._api.named(each, 'file')}/content" for each in files if each) if over else (),
        )

    async def cancel(self, job: str) -> None:
        await self._api.post(f"/batches/{job}/cancel", {})

    async def results(self, job: Job) -> AsyncGenerator[Result]:
        for path in job.results:
            async for line in self._api.lines(path):
                if (result := self._result(line)) is not None:
                    yield result

    def _result(self, line: Mapping[str, Any]) -> Result | None:
        match line:
            case {"custom_id": str(key), "response": {"body": dict(body)}}:
                return Result(key, json.dumps(body))
            case {"custom_id": str(key), "error": {"code": "batch_expired"}}:
                return Result(key, why=EXPIRED, kind="expired")
            case {"custom_id": str(key), "error": {"code": "batch_cancelled"}}:
                return Result(key, why=CANCELED, kind="canceled")
            case {"custom_id": str(key), "error": dict(error)}:
                return Result(key, why=self._api.said(error.get("message") or error.get("code")), kind="server")
            case {"custom_id": str(key)}:
                return Result(key, why=NO_ANSWER, kind="server")
            case _:
                return None

    def _why(self, batch: Mapping[str, Any]) -> str:
        """Return why a batch was not completed."""
        said = f"the batch is {batch.get('status')}"
        match batch:
            case {"errors": {"data": [{"message": words, **about}, *_]}}:
                line = about.get("line")
                where = f" (line {line} of the batch)" if isinstance(line, int) else ""
                return f"{said}: {self._api.said(words)}{where}"
        return said
