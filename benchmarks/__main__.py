"""`python -m benchmarks [NAME]`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import (
    ask,
    cancel,
    cluster,
    concurrency,
    day,
    fidelity,
    frames,
    growth,
    instances,
    journal,
    loop,
    machines,
    many,
    memory,
    mentions,
    pause,
    price,
    providers,
    readers,
    serve,
    start,
    store,
    streaming,
    together,
)
from benchmarks.measure import Row, table

BENCHMARKS: dict[str, tuple[Callable[[], list[Row]], str]] = {
    "start": (start.run, "wall time until the prompt is ready, against importing what it stands on"),
    "ask": (ask.run, "wall time until `llmterm ask` has sent its request, against importing what sends it"),
    "streaming": (streaming.run, "CPU of a whole answer, against a bare HTTP and JSON loop"),
    "growth": (growth.run, "CPU of ten times the text, against that of the text"),
    "providers": (providers.run, "CPU of a whole answer from each provider, against the bare loop for its wire"),
    "cancel": (cancel.run, "from the cancellation of an answer to the closed socket, for each provider"),
    "concurrency": (concurrency.run, "a thousand answers at once, and what each of four thousand streams takes"),
    "cluster": (cluster.run, "a batch of 10,000 questions on a Ray cluster, one worker killed, with faults"),
    "machines": (machines.run, "where the driver and the limiter of a large cluster bend, by simulation"),
    "pause": (pause.run, "from the key to the closed socket and to the word on the screen"),
    "price": (price.run, "what providers bill for an answer that is paused five times, by their caches and a cursor"),
    "together": (together.run, "from the key that pauses six answers at once to the last closed socket"),
    "frames": (frames.run, "what a minute at 200 chunks a second writes to the terminal, against the final rendering"),
    "loop": (
        loop.run,
        "how long a key would wait, at the longest, where a disk, a lock, a reader or a long text takes its time",
    ),
    "many": (
        many.run,
        "a batch of 10,000 questions, killed twenty times, with faults: each answered once, in flat memory",
    ),
    "memory": (memory.run, "growth of resident memory, against the bytes of the text"),
    "readers": (readers.run, "what a thousand more readers of one answer cost, against the first"),
    "serve": (serve.run, "answers relayed over HTTP to thousands of readers: delay, CPU of a token, memory"),
    "instances": (instances.run, "one of three instances of the service killed under 300 turns"),
    "mentions": (mentions.run, "how long a key takes that looks for a file among 50,000"),
    "fidelity": (fidelity.run, "whether a paused answer is the uninterrupted one, and what is wrong at its seams"),
    "day": (day.run, "key and memory of a chat that stays open for 2,000 turns"),
    "store": (store.run, "a search, the list and a very long session in a large store"),
    "journal": (journal.run, "how old the newest stored character is when the program is killed"),
}


def main() -> int:
    match sys.argv[1:]:
        case []:
            print("\n".join(f"{name:<10} {summary}" for name, (_, summary) in BENCHMARKS.items()))
            return 0
        case [name] if name in BENCHMARKS:
            run, summary = BENCHMARKS[name]
            print(f"{name}: {summary}\n\n{table(run())}")
            return 0
        case _:
            print(f"usage: python -m benchmarks [{' | '.join(BENCHMARKS)}]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
