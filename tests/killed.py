"""A life of questions and answers, versions and pauses, that tells what it has done until it is killed.

`python -m tests.killed FOLDER SEED`. Each line has the time, in ns of the monotonic clock, what was done and about
what: a question that is on the record, a word of an answer that has come, an answer that is over, a place gone to.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

from llmterm.conversation import Conversation
from llmterm.messages import EndReason, Finished, Message, TextDelta
from llmterm.recorded import RecordedTurn
from llmterm.sessions import SessionStore
from llmterm.sessions.current import CurrentSession
from llmterm.sessions.versions import neighbour
from llmterm.turn import Turn
from tests.scripted import ScriptedProvider

_WORD_SECONDS = 0.001


def tell(done: str, what: str) -> None:
    sys.stdout.write(f"{time.monotonic_ns()} {done} {what}\n")
    sys.stdout.flush()


class Life:
    def __init__(self, store: SessionStore, dice: random.Random) -> None:
        self.store = store
        self.dice = dice
        self.session = CurrentSession(store, system="")
        self.questions = self.answers = 0

    async def step(self) -> None:
        steps = [self.ask]
        if self.session.talk.messages:
            steps += [self.ask, self.ask_again, self.edit, self.go_back, self.switch, self.switch]
        await self.dice.choice(steps)()

    async def ask(self) -> None:
        self.questions += 1
        await self.answer(Message(role="user", text=f"q{self.questions}."))

    async def ask_again(self) -> None:
        await self.answer(self.session.edit())

    async def edit(self) -> None:
        self.session.edit()
        await self.ask()

    async def go_back(self) -> None:
        await self.session.take_back()
        tell("head", str(self.session.head))

    async def switch(self) -> None:
        row = neighbour(self.session.forks, self.dice.choice((-1, 1)))
        if row is not None:
            self.session.open(await self.session.switch(row))
            tell("head", str(self.session.head))

    async def answer(self, question: Message) -> None:
        self.answers += 1
        provider = ScriptedProvider()
        asked = Conversation(messages=self.session.talk.messages).add(question)
        turn = Turn(provider, asked.request(model="m"), seam_seconds=0)
        async with RecordedTurn(turn, self.session, question) as recorded:
            tell("asked", question.text)
            for number in range(self.dice.randrange(1, 120)):
                # Unlike all others: where an answer goes on, what looks like its beginning is held back.
                word = f"{''.join(self.dice.choices('kmnprst', k=9))}-{self.answers}-{number} "
                await provider.opened.wait()
                provider.stream.put(TextDelta(word))
                await asyncio.sleep(_WORD_SECONDS)
                if not self.dice.randrange(25):
                    provider.opened.clear()
                    await turn.pause()
                    await recorded.kept()
                    self.tell_last("paused", turn)
                    turn.resume()
                else:
                    self.tell_last("came", turn)
            await provider.opened.wait()
            provider.stream.put(Finished(EndReason.STOP))
            async for _ in turn.events():
                pass
        await self.session.settled()
        self.tell_last("over", turn)

    def tell_last(self, done: str, turn: Turn) -> None:
        """Tell which word is the last that has come."""
        words = turn.reply.text.split()
        if words:
            tell(done, words[-1])


async def live(folder: Path, seed: int) -> None:
    life = Life(SessionStore(folder), random.Random(seed))
    while True:
        await life.step()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2])))
