"""Strategies for the values that the program speaks in: any text at all, any figures, any parts in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmterm.messages import (
    Attachment,
    EndReason,
    Message,
    Options,
    Reply,
    Request,
    Rope,
    Segment,
    Snapshot,
    TextPart,
    ThinkingPart,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
    parts_of,
)

TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # surrogates too
FIGURE = st.integers(min_value=0, max_value=2**63 - 1)
AMOUNT = st.floats(-1_000, 1_000)
# A text in pieces, cut anywhere.
ROPE = st.lists(TEXT, max_size=3).map(tuple).map(Rope)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SEGMENT = st.builds(
    Segment,
    provider=TEXT,
    model=TEXT,
    mode=st.sampled_from(["fresh", "prefill", "instruct"]),
    start=FIGURE,
    end=FIGURE,
    end_reason=st.sampled_from(EndReason),
    usage=st.builds(
        Usage,
        input_tokens=FIGURE,
        output_tokens=FIGURE,
        cached_tokens=FIGURE,
        cache_write_tokens=FIGURE,
        estimated=st.booleans(),
        cost=st.none() | AMOUNT,
    ),
    timing=st.builds(Timing, first_token_ms=st.none() | FIGURE, duration_ms=FIGURE),
    guidance=TEXT,
    cost=st.none() | AMOUNT,
    input_cost=st.none() | AMOUNT,
    saved=st.none() | AMOUNT,
)
ATTACHMENT = st.builds(Attachment, name=TEXT, media_type=TEXT, data=st.binary(max_size=8))
OPAQUE: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.dictionaries(TEXT, JSON, max_size=3)
PART = st.one_of(
    st.builds(TextPart, ROPE, OPAQUE),
    st.builds(ThinkingPart, ROPE, OPAQUE),
    st.builds(Attachment, name=TEXT, media_type=TEXT, data=st.binary(max_size=8), provider_data=OPAQUE),
    st.builds(ToolCall, id=TEXT, name=TEXT, arguments=TEXT, provider_data=OPAQUE),
    st.builds(ToolResult, id=TEXT, text=TEXT, failed=st.booleans(), provider_data=OPAQUE),
)
PARTS = st.one_of(
    st.builds(parts_of, TEXT, TEXT, st.lists(ATTACHMENT, max_size=3), st.dictionaries(TEXT, JSON, max_size=3)),
    st.lists(PART, max_size=4),
)
MESSAGE = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant"]),
    parts=PARTS,
    status=st.sampled_from(["complete", "interrupted"]),
    segments=st.lists(SEGMENT, max_size=3).map(tuple),
)
OPTIONS = st.builds(
    Options,
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(1, 10**6),
    seed=st.none() | st.integers(0, 2**70),
    stop=st.lists(TEXT, max_size=2).map(tuple),
)


def at_rest(request: Request, reply: Reply) -> Snapshot:
    """Return the answer to `request` that was paused at `reply`."""
    return Snapshot(request=request, reply=reply, reason=EndReason.PAUSE)
