"""Builds what answers one question in this terminal: a chat of a single question."""

from __future__ import annotations

from collections.abc import Sequence

from llmterm.ask import judged
from llmterm.assembly.chatting import in_terminal
from llmterm.assembly.launch import Launch
from llmterm.assembly.streams import notice
from llmterm.chat.app import Chat
from llmterm.chat.outcome import Ask
from llmterm.messages import EndReason, Message
from llmterm.sessions import StoredSession
from llmterm.turn import TurnState

_INTERRUPTED = 130


async def answer(launch: Launch, question: Message, said: Sequence[str], session: StoredSession | None) -> int:
    """Have it answered, below what is `said` of it; return the exit code.

    Raises our errors, also where the answer is not what was wanted.
    """

    async def run(chat: Chat) -> int:
        ended = await chat.once(Ask(question, said=tuple(said)), session)
        if ended.failure is not None:
            raise ended.failure
        turn = ended.turn
        if turn is None or turn.state is TurnState.CANCELLED:
            return _INTERRUPTED
        if turn.state is TurnState.PAUSED and turn.reason is EndReason.PAUSE:
            if ended.session is not None:
                notice(f"llmterm chat --session {ended.session} goes on with it")
            return _INTERRUPTED
        answered = judged(turn, ended.session, launch.options)
        if answered.remark:
            notice(answered.remark)
        if answered.problem is not None:
            raise answered.problem
        return 0

    return await in_terminal(launch, run, once=True)
