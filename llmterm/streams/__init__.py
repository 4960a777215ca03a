"""Streams put together: any asynchronous iterables one after the other, at once, into several, through a queue.

All keep to the same rules. A source is read by one task, from its first step to its last. It is closed when it is at
its end, when another one has failed, and when the reader stops (`aclose`, as `contextlib.aclosing` calls it) or is
cancelled; none of that returns before it is done, and no task is left behind. What was never read is not touched.
An item is any value, None too. An error comes in its place, after the items before it and as it was raised, never as a
group. A source that is cancelled from within has not ended: its reader, who was not cancelled, gets a
`StreamCancelledError`. A slow reader slows the sources down: where they are read ahead of it, it is by `AHEAD` items.
"""

from llmterm.streams.combined import concat, merge
from llmterm.streams.queues import AHEAD, StreamCancelledError, StreamQueue, dequeue, enqueue
from llmterm.streams.single import endless_stream, gather_stream, stream_content, throttle
from llmterm.streams.split import Branch, split

__all__ = [
    "AHEAD",
    "Branch",
    "StreamCancelledError",
    "StreamQueue",
    "concat",
    "dequeue",
    "endless_stream",
    "enqueue",
    "gather_stream",
    "merge",
    "split",
    "stream_content",
    "throttle",
]
