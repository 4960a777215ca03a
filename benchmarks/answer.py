"""The answers that the server gives: a recipe, which travels as the question, and the chunks that it stands for.

Chunks are about five characters, as a model's tokens are. Answers end in `END`, so that it can be seen on the screen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, cycle, islice
from typing import Literal

END = "Finis"
_SIZES = (3, 5, 7, 4, 6)

_PROSE = """\
The river had been rising for three days when the ferryman finally agreed to take them across, and even then he would
only do it before noon. Nobody asked why. They loaded the crates in silence, counted them twice, and found {n} of them.

"""

_MARKDOWN = """\
## {n}. How a *bounded* buffer behaves

A producer that is **faster than its consumer** has to wait, or to drop something. Which of the two is right depends on
what `put` promises; see the [documentation](https://docs.example.org/queues) for the details of each, and section {n}
for what happens when the consumer is cancelled in the middle of a `get`.

- The *first* kind blocks:
  - `put` waits until there is room, and so does everything above it;
  - a cancelled `put` leaves nothing behind.
- The second kind drops:
  1. the oldest item, where the newest is worth most;
  2. the newest item, where order matters more than being up to date.
- Either way the size is **{n}**.

| kind      | waits | drops  | typical size |
|-----------|:-----:|--------|-------------:|
| blocking  | yes   | never  |         {n} |
| `deque`   | no    | oldest |         4096 |
| unbounded | no    | never  |    no limit  |

```python
async def consume(queue: asyncio.Queue[bytes], limit: int = {n}) -> int:
    \"\"\"Take items until one is empty.\"\"\"
    total = 0
    while item := await queue.get():
        total += len(item)  # bytes, not items
        if total > limit:
            raise OverflowError(f"{total} bytes are more than {limit}")
    return total
```

> A queue is not a place to keep things. It is a place where things wait.

Measure before you choose: most queues are either empty or full, and the ones in between are rarely the bottleneck.

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An answer of `chunks`, at `rate` a second or, with 0, as fast as it goes.

    The server waits `hold` seconds after the first chunk, and as long again before the end.
    """

    text: Literal["prose", "markdown", "stamps"]
    chunks: int
    rate: float = 0.0
    hold: float = 0.0

    def question(self) -> str:
        return json.dumps(asdict(self))

    def pieces(self) -> Iterator[str]:
        """Return the chunks of the answer's text, lazily: a stamp is that of its sending."""
        if self.text == "stamps":
            return (f"{time.monotonic_ns()} " for _ in range(self.chunks))
        return islice(_cut(_PROSE if self.text == "prose" else _MARKDOWN), self.chunks)


def parse(question: str) -> Recipe | None:
    """Return the recipe that `question` is, if it is one."""
    try:
        return Recipe(**json.loads(question))
    except (ValueError, TypeError):
        return None


def _cut(section: str) -> Iterator[str]:
    sizes = cycle(_SIZES)
    for number in count(1):
        text, start = section.replace("{n}", str(number)), 0
        while start < len(text):
            end = start + next(sizes)
            yield text[start:end]
            start = end
