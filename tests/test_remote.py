"""A turn of a service, read and steered from here: what its readers here see, and what becomes of it there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from llmterm import __version__
from llmterm.errors import ConfigError, ConnectError, SessionError, UsageError
from llmterm.eventlog import Reader
from llmterm.events import Notice, StateChanged
from llmterm.messages import Attachment, EndReason, Message, Options, TextDelta
from llmterm.recorded import Standing
from llmterm.remote.host import RemoteHost
from llmterm.remote.record import load
from llmterm.remote.service import Service, parted
from llmterm.remote.session import RemoteSession
from llmterm.remote.turn import RemoteTurn
from llmterm.states import TurnState
from llmterm.transport import Transport
from tests.serving import TOKEN, serving
from tests.test_serve_turns import halves
from tests.wire import Exchange, WireServer, say

WHY = Message(role="user", text="Why?")
NOBODY = "http://127.0.0.1:9"


class Choice(NamedTuple):
    provider: str = "openai"
    model: str = "test"
    options: Options = Options(max_tokens=9)


class Here(NamedTuple):
    service: Service
    session: RemoteSession
    host: RemoteHost


@asynccontextmanager
async def attached(url: str, token: str = TOKEN, by: str = "me") -> AsyncIterator[Here]:
    transport = Transport()
    service = Service(transport, url, token, by=by)
    session = RemoteSession(service, system="")
    try:
        yield Here(service, session, RemoteHost(service, session, Choice()))
    finally:
        await transport.aclose()


async def until(reader: Reader, text: str) -> None:
    """Read until the text ends so."""
    seen = ""
    async for entry in reader:
        seen += entry.event.text if isinstance(entry.event, TextDelta) else ""
        if seen.endswith(text):
            return


async def over(turn: RemoteTurn) -> None:
    async for _ in turn.reader():
        pass


async def test_what_is_done_here_has_come_about_here_and_there(tmp_path: Path) -> None:
    async with serving(tmp_path, halves()) as client, attached(client.url) as here:
        async with await here.host.ask(WHY) as turn:
            reader = turn.reader()
            await until(reader, "word1")
            await turn.pause()
            assert (turn.state, turn.reason, turn.rested) == (TurnState.PAUSED, EndReason.PAUSE, True)
            await turn.rewrite(turn.reply.rewrite("First.\n\nword0"))
            assert turn.reply.text == "First.\n\nword0"
            with pytest.raises(SessionError, match="no model 'nobody/m'"):
                await turn.resume(guidance="", continuation=None, who=("nobody", "m"))
            await turn.resume(guidance="in verse", continuation=None, who=turn.who)
            assert turn.guidance == "in verse"
            assert turn.state is not TurnState.PAUSED  # what comes may be all there by now
            await over(turn)
        notices = [each.event for each in reader.pending() if isinstance(each.event, Notice)]
        shown = await client.get(f"/v1/sessions/{here.session.id}")

        assert turn.standing is Standing.SAID
        assert notices == []  # who has done all that is here
        assert [each.text for each in here.session.talk.messages] == ["Why?", turn.reply.text]
        assert shown["messages"][1]["text"] == turn.reply.text
        assert client.upstream.exchanges[0].body["max_tokens"] == 9


async def test_a_pause_has_come_about_also_where_the_screen_is_held(tmp_path: Path) -> None:
    """More waits than a held screen is waited for."""

    async def script(exchange: Exchange) -> None:
        await exchange.start()
        for _ in range(3_000):
            await exchange.text("x ")
        await exchange.hung_up()

    async with serving(tmp_path, script) as client, attached(client.url) as here:
        async with await here.host.ask(WHY) as turn:
            reader = turn.reader()
            await reader.filled()
            await turn.pause(upto=2)

            assert (turn.state, turn.reply.text, reader.text) == (TurnState.PAUSED, "x ", 0)
        shown = await client.get(f"/v1/sessions/{here.session.id}")

        assert shown["messages"][1]["text"] == "x "


async def test_leaving_is_not_stopping_and_who_comes_back_reads_on(tmp_path: Path) -> None:
    """What somebody else does meanwhile is told with his name."""
    async with serving(tmp_path, halves()) as client, attached(client.url) as here:
        async with await here.host.ask(WHY) as turn:
            await until(turn.reader(), "word1")
            await turn.leave()
            assert turn.state is TurnState.PAUSED
        stored = await load(here.service, here.session.recorded())
        assert stored.answer is not None
        there = (await client.get(f"/v1/turns/{stored.id}.{stored.answer.message_id}"))["state"]
        here.session.open(stored)
        async with await here.host.go_on(stored.answer) as turn:
            reader = turn.reader()
            await client.post(f"/v1/turns/{stored.id}.{stored.answer.message_id}/pause", {"by": "a page"})
            told = [(await anext(reader)).event for _ in range(9) if turn.state is not TurnState.PAUSED]
            while not any(isinstance(each, Notice) for each in told):
                told.append((await anext(reader)).event)

        assert there == "streaming"
        assert [each for each in told if isinstance(each, Notice)] == [Notice("paused by a page", by="a page")]
        assert any(isinstance(each, StateChanged) and each.state is TurnState.PAUSED for each in told)


async def test_a_question_that_comes_to_nothing_leaves_all_as_it_was(tmp_path: Path) -> None:
    """And it is nothing that somebody else has asked; the next one takes its place."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        if asked % 2:
            await exchange.refuse(400, {"error": {"message": "no such thing"}})
        else:
            await say("Because.")(exchange)

    async with serving(tmp_path, script) as client, attached(client.url) as here:
        said = []
        for failing in (True, False, True, False):
            async with await here.host.ask(WHY) as turn:
                await turn_state(turn, TurnState.FAILED if failing else TurnState.DONE)
            said.append((turn.standing, [each.text for each in here.session.talk.messages]))
            if failing:
                assert "no such thing" in str(turn.error)
                assert here.session.id is None or not here.session.differs(
                    await load(here.service, here.session.recorded())
                )

        once = ["Why?", "Because."]
        assert said == [
            (Standing.WITHDRAWN, []),
            (Standing.SAID, once),
            (Standing.WITHDRAWN, once),
            (Standing.SAID, [*once, *once]),
        ]


async def turn_state(turn: RemoteTurn, state: TurnState) -> None:
    reader = turn.reader()
    while turn.state is not state:
        await anext(reader)


async def test_questions_are_asked_again_edited_and_taken_back(tmp_path: Path) -> None:
    async with serving(tmp_path, say("Because.")) as client, attached(client.url) as here:
        session = here.session
        prepared: Message | None
        for prepared in (WHY, None, Message(role="user", text="How?")):
            question = prepared or session.edit()
            if prepared is not None and session.talk.path:
                session.edit()
            async with await here.host.ask(question) as turn:
                await over(turn)
        versions = [fork.rows for fork in session.forks]
        listed = await session.read(lambda shelf: shelf.versions([row for rows in versions for row in rows]))
        found = await session.read(lambda shelf: shelf.search("Because"))
        first = await session.switch(versions[-1][0])
        session.open(first)
        question = await session.take_back()

        assert [each.body["messages"][-1]["content"] for each in client.upstream.exchanges] == ["Why?", "Why?", "How?"]
        assert [each.text for each in listed] == ["Why?", "How?"]
        assert (question.text, session.talk.messages) == ("Why?", ())
        assert len(await session.read(lambda shelf: shelf.infos())) == 1
        assert [each.id for each in found] == [session.id]


async def test_a_question_that_is_edited_keeps_what_was_attached_to_it(tmp_path: Path) -> None:
    """Its bytes are the service's: they do not come here, and do not go back."""
    image = Attachment(name="a.png", media_type="image/png", data=b"\x89PNG\r\n\x1a\n")
    async with serving(tmp_path, say("Because.")) as client, attached(client.url) as here:
        async with await here.host.ask(Message(role="user", text="Why?", attachments=[image])) as turn:
            await over(turn)
        (light,) = here.session.edit().attachments
        async with await here.host.ask(Message(role="user", text="How?", attachments=[light])) as turn:
            await over(turn)
        first, second = (each.body["messages"][-1]["content"] for each in client.upstream.exchanges)

        assert light.data == b""
        assert [each for each in second if each["type"] != "text"] == [each for each in first if each["type"] != "text"]
        assert len(second) == 2


async def test_a_command_that_cannot_reach_the_service_is_a_notice_and_the_answer_stays(tmp_path: Path) -> None:
    async with attached(NOBODY) as here, serving(tmp_path, halves()) as client:
        here.service.url = client.url
        turn = await here.host.ask(WHY)
        async with turn:
            await until(turn.reader(), "word1")
            here.service.url = NOBODY
            reader = turn.reader()
            reader.skip()
            await turn.pause()
            notices = [each.event for each in reader.pending() if isinstance(each.event, Notice)]

            assert [each.failure for each in notices] == [True]
            assert "cannot reach" in notices[0].text
            assert (turn.state, turn.reply.text[-5:]) == (TurnState.STREAMING, "word1")


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("http://127.0.0.1:8484/?token=x", ("http://127.0.0.1:8484", "x")),
        ("localhost:8484", ("http://localhost:8484", "")),
        ("https://chat.example.org/?token=a%2Bb", ("https://chat.example.org", "a+b")),
    ],
)
def test_a_link_is_parted(link: str, found: tuple[str, str]) -> None:
    assert parted(link) == found


@pytest.mark.parametrize("link", ["", "ftp://host", "http://", "http://host:port/", "http://[::1"])
def test_what_is_no_link_is_refused(link: str) -> None:
    with pytest.raises(UsageError, match="no address of a service"):
        parted(link)


async def test_who_is_not_let_in_or_finds_something_else_hears_why(tmp_path: Path) -> None:
    async with serving(tmp_path, say("x")) as client:
        async with attached(client.url, "wrong") as here:
            with pytest.raises(ConfigError, match="refuses the token"):
                await here.service.greet()
        async with attached(client.url) as here:
            assert (await here.service.greet())["version"] == __version__
    async with attached(client.url) as here:
        with pytest.raises(ConnectError, match="cannot reach"):
            await here.service.greet()

    async def other(exchange: Exchange) -> None:
        await exchange.refuse(404, {"error": "x"})

    with WireServer(other) as server:
        async with attached(server.address) as here:
            with pytest.raises(ConfigError, match="no service of llmterm"):
                await here.service.greet()
