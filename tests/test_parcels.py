"""Requests of a batch in parcels, none larger than its provider takes, and what is written down of them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmterm.batch.journal import Journal, Submission
from llmterm.batch.parcels import Line, Parcel, Parcels
from llmterm.errors import UsageError
from llmterm.providers.jobs import Bounds
from llmterm.providers.jobs.taking import JobProvider


@dataclass
class Taker:
    """As much of a provider and its interface as what packs has to know."""

    bounds: Bounds
    between: bytes = b"\n"
    name: str = "openai"

    def line(self, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"key": key, "body": body}


def taker(bounds: Bounds) -> JobProvider:
    each = cast(Any, Taker(bounds))
    return JobProvider(each, each)


async def _bytes(parcel: Parcel) -> bytes:
    return b"".join([piece async for piece in parcel.content()])


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text("xé\n", max_size=120)), max_size=30),
    st.integers(1, 5),
    st.integers(80, 400),
)
def test_each_request_is_in_one_parcel_and_no_parcel_is_too_large(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, str]], requests: int, size: int
) -> None:
    """Of one model each, in the order in which they came; what no parcel has room for is refused."""
    to, packed = taker(Bounds(requests, size)), list[int]()

    async def pack() -> list[tuple[Parcel, bytes]]:
        for number, (model, text) in enumerate(asked):
            try:
                await parcels.add(to, model, Line(str(number), number, ""), "/p", {"model": model, "text": text})
                packed.append(number)
            except UsageError:
                alone = json.dumps({"key": "0" * 16 + "-0", "body": {"model": model, "text": text}}, ensure_ascii=False)
                assert len(alone.encode()) > size - 2  # its number may have one digit more
        return [(each, await _bytes(each)) for each in parcels.packed]

    parcels = Parcels(tmp_path_factory.getbasetemp())
    found = asyncio.run(pack())
    parcels.close()

    assert sorted(int(line.id) for each, _ in found for line in each.lines) == packed
    for parcel, data in found:
        lines = [json.loads(line) for line in data.split(b"\n") if line]
        assert len(data) <= size
        assert len(lines) == len(parcel.lines) <= requests
        assert [each["key"] for each in lines] == [f"{parcel.mark}-{n}" for n in range(len(lines))]
        assert [(each["body"]["model"], each["body"]["text"]) for each in lines] == [
            asked[int(line.id)] for line in parcel.lines
        ]
        assert {each["body"]["model"] for each in lines} <= {parcel.model}


@given(st.data())
def test_journal_that_ends_anywhere_knows_all_that_was_written_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A program that is killed while it writes has not submitted what it was about to."""
    path = tmp_path_factory.mktemp("some") / "a.jobs.jsonl"
    one, two = (
        Submission(mark=mark, provider="openai", model="m", at=1.5, lines=(Line("q", 1, "d", 0.5),)) for mark in "ab"
    )
    stages = [{}, {"a": ""}, {"a": "job"}, {"a": "job", "b": ""}, {"b": ""}]
    with Journal(path) as journal:
        journal.submit(one)
        journal.accept("a", "job")
        journal.submit(two)
        journal.close("a")
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])

    with Journal(path) as again:
        found = {mark: each.job for mark, each in again.open.items()}
        lines = {each.lines for each in again.open.values()}

    assert found == stages[whole[:cut].count(b"\n")]
    assert lines <= {one.lines}
    assert path.exists() == bool(found)


def test_file_of_somebody_else_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "a.jobs.jsonl"
    for text in ('{"id": "a", "text": "an answer"}\n', '{"id": "a", "is": "accepted", "job": "x"}\n'):
        path.write_text(text)
        with pytest.raises(UsageError, match="is no journal of a batch"):
            Journal(path)
        assert path.read_text() == text
