"""How instances ask each other for something, and answer: on channels, as what nobody hears must not be done later."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from llmterm import log
from llmterm.serve.peers import keys
from llmterm.serve.refusals import PeersLostError

# Seconds that an answer may take.
_PATIENCE = 10.0
_AGAIN = 0.2
_LISTENS = 1.0

Obey = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class Mailbox:
    """That of the instance `me`. `obey` does what is asked for and never raises; `hear` is told of sessions that have
    changed."""

    def __init__(self, redis: Redis, me: str, obey: Obey, hear: Callable[[str], None]) -> None:
        self._redis = redis
        self._me = me
        self._obey = obey
        self._hear = hear
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._doing: set[asyncio.Task[None]] = set()
        self.open = asyncio.Event()

    async def ask(self, instance: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what another instance answers. Raises PeersLostError where it does not, and RedisError."""
        number = secrets.token_hex(8)
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            heard = await self._redis.publish(
                keys.inbox(instance), json.dumps({"number": number, "from": self._me, "order": order})
            )
            if not heard:
                raise PeersLostError("the instance that has it does not answer", hint="try again in a moment")
            async with asyncio.timeout(_PATIENCE):
                return await answer
        except TimeoutError:
            raise PeersLostError("the instance that has it does not answer", hint="try again in a moment") from None
        finally:
            del self._waiting[number]

    async def tell_of(self, session_id: str) -> None:
        """Tell all others that a session has changed. Raises RedisError."""
        await self._redis.publish(keys.CHANGED, json.dumps({"from": self._me, "session": session_id}))

    async def listen(self) -> None:
        """Take what comes. Ends by being cancelled."""
        while True:
            try:
                async with self._redis.pubsub() as channels:
                    await channels.subscribe(keys.inbox(self._me), keys.CHANGED)
                    self.open.set()
                    while True:
                        message = await channels.get_message(ignore_subscribe_messages=True, timeout=_LISTENS)
                        if message is not None:
                            self._take(json.loads(message["data"]))
            except (RedisError, OSError):
                self.open.clear()
                await asyncio.sleep(_AGAIN)

    def _take(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"answer": answer, "number": number}:
                waiting = self._waiting.get(number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
            case {"order": order, "number": number, "from": sender}:
                task = asyncio.create_task(self._answer(order, number, sender), name="llmterm-order")
                self._doing.add(task)
                task.add_done_callback(self._doing.discard)
            case {"session": session_id, "from": sender} if sender != self._me:
                self._hear(session_id)
            case _:
                pass

    async def _answer(self, order: Mapping[str, Any], number: str, sender: str) -> None:
        answer = await self._obey(order)
        try:
            await self._redis.publish(keys.inbox(sender), json.dumps({"number": number, "answer": answer}))
        except (RedisError, OSError) as error:
            log.event("an answer to another instance was lost", error=repr(error))
