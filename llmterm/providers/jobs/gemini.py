"""Gemini's batches: a file of requests, an operation, and a file of what came of it.

https://ai.google.dev/gemini-api/docs/batch-api, https://ai.google.dev/api/batch-api. Requests could also stand in the
request that makes the batch, up to 20 MB; a file does for all sizes, and its results can be read line by line, and once
more where the connection breaks. It is sent as https://ai.google.dev/api/files#method:-media.upload has it, in one
request (`multipart`, as https://github.com/google-gemini/deprecated-generative-ai-js does in file-manager.ts).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote

from llmterm.providers.jobs import NO_ANSWER, Bounds, Found, Job, Result, Sealed
from llmterm.providers.jobs.api import JobApi
from llmterm.untrusted import count

# The only version that has batches.
_VERSION = "v1beta"
_PAGE = 100
_MOST_PAGES = 50
# Of the ends, without what begins each: BATCH_STATE_, JOB_STATE_.
_OVER = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


class GeminiJobs:
    # A file may have 2 GB; one that is sent anew when the connection breaks should not.
    bounds = Bounds(50_000, 200_000_000)
    between = b"\n"

    def __init__(self, api: JobApi) -> None:
        self._api = api

    def line(self, key: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"key": key, "request": body}

    async def deliver(self, parcel: Sealed) -> str:
        mark = parcel.mark
        about = {"file": {"displayName": f"llmterm-{mark}", "mimeType": "application/jsonl"}}
        head = (
            f"--{mark}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{json.dumps(about)}\r\n"
            f"--{mark}\r\nContent-Type: application/jsonl\r\n\r\n"
        )
        content = parcel.content(head=head.encode(), tail=f"\n\r\n--{mark}--\r\n".encode())
        form = {"content-type": f"multipart/related; boundary={mark}", "x-goog-upload-protocol": "multipart"}
        answer = await self._api.send(f"/upload/{_VERSION}/files", content, form)
        match answer:
            case {"file": {"name": name}}:
                return self._api.named(name, "file")
        return self._api.named(None, "file")

    async def create(self, parcel: Sealed, delivered: str) -> str:
        payload = {"batch": {"displayName": parcel.mark, "inputConfig": {"fileName": delivered}}}
        path = f"/{_VERSION}/models/{parcel.model.removeprefix('models/')}:batchGenerateContent"
        return self._api.named((await self._api.post(path, payload, model=parcel.model)).get("name"), "batch")

    async def find(self, mark: str, *, since: float, size: int) -> Found | None:
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self._api.get(f"/{_VERSION}/batches?pageSize={_PAGE}{after}")
            listed = page.get("operations")
            for operation in listed if isinstance(listed, list) else ():
                match operation:
                    case {"metadata": {"displayName": found}} if found == mark:
                        return Found(self._api.named(operation.get("name"), "batch"))
            token = page.get("nextPageToken")
            if not token:
                return None
            after = f"&pageToken={quote(str(token), safe='')}"
        return None

    async def look(self, job: str) -> Job:
        operation = await self._api.get(f"/{_VERSION}/{job}")
        given = operation.get("metadata")
        about = given if isinstance(given, dict) else {}
        stats = about.get("batchStats")
        numbers = stats if isinstance(stats, dict) else {}
        end = next((each for each in _OVER if str(about.get("state")).endswith(each)), "")
        over = bool(end) or operation.get("done") is True
        return Job(
            id=job,
            state="ended" if over else "running",
            # Numbers of 64 bits are texts in google's JSON.
            total=_number(numbers.get("requestCount")),
            done=_number(numbers.get("successfulRequestCount")),
            failed=_number(numbers.get("failedRequestCount")),
            why=self._why(operation, end) if over and end != "SUCCEEDED" else "",
            results=self._files(operation, about) if over else (),
        )

    async def cancel(self, job: str) -> None:
        await self._api.post(f"/{_VERSION}/{job}:cancel", {})

    async def results(self, job: Job) -> AsyncGenerator[Result]:
        for path in job.results:
            async for line in self._api.lines(path):
                if (result := _result(line)) is not None:
                    yield result

    def _why(self, operation: Mapping[str, Any], end: str) -> str:
        match operation:
            case {"error": {"message": words}}:
                return f"the batch has failed: {self._api.said(words)}"
        return f"the batch is {end.lower() or 'over, and does not say how'}"

    def _files(self, operation: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[str, ...]:
        for where in (operation.get("response"), about.get("output")):
            match where:
                case {"responsesFile": name}:
                    return (f"/download/{_VERSION}/{self._api.named(name, 'file')}:download?alt=media",)
        return ()


def _number(value: object) -> int:
    return count(int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value)


def _result(line: Mapping[str, Any]) -> Result | None:
    match line:
        case {"key": str(key), "response": dict(response)}:
            return Result(key, json.dumps(response))
        case {"key": str(key), "error": dict(error)}:
            return Result(key, json.dumps({"error": error}))
        case {"key": str(key)}:
            return Result(key, why=NO_ANSWER, kind="server")
        case _:
            return None
