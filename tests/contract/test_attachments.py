"""Images and PDFs: as the documentation of each provider wants them, and a line of text for whoever takes none."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmterm import log
from llmterm.config import BUILT_IN, ProvidersSettings, RemoteSettings, Settings
from llmterm.conversation import Conversation
from llmterm.messages import Attachment, Message, StreamLimits
from llmterm.providers.attachments import noted
from tests.contract.caller import Answer, Caller, answering
from tests.contract.dialects import LOCAL, Dialect, whole

# In base64 these have every character in which its two alphabets differ.
PNG = b"\x89PNG\r\n\x1a\n\xfb\xef\xbe\xff\xff\xff"
IMAGE = Attachment(name="cat.png", media_type="image/png", data=PNG)
PDF = Attachment(name="paper.pdf", media_type="application/pdf", data=b"%PDF-1.7\n\xfb\xff\xfe")


async def sent(caller: Caller, *questions: Message, model: str) -> object:
    """Ask, and return the last message as it arrived at the server."""
    request = noted(Conversation().add(*questions).request(model=model), caller.provider.accepts(model))
    answer = Answer(await caller.provider.open(request, StreamLimits(), caller.progress))
    try:
        await answer.to_end()
    finally:
        await answer.aclose()
    assert answer.text == "a"
    return caller.dialect.last(caller.server.exchanges[-1].body)


def about(text: str, *attachments: Attachment) -> Message:
    return Message(role="user", text=text, attachments=attachments)


def set_to(name: str, *kinds: str) -> Settings:
    remote = replace(RemoteSettings.of(BUILT_IN[name]), attachments=kinds)
    return Settings(providers=ProvidersSettings(remotes={name: remote}))


async def test_image_arrives_as_documented(remote: Dialect) -> None:
    """With the question, in the order that the provider recommends."""
    async with Caller(remote, answering(remote, *whole(remote, "a"))) as caller:
        message = await sent(caller, about("what is it?", IMAGE), model=remote.sighted)

    assert message == remote.with_image("what is it?", PNG)


async def test_pdf_arrives_as_documented_or_as_a_line(remote: Dialect) -> None:
    """Two of the five have no words for one."""
    async with Caller(remote, answering(remote, *whole(remote, "a"))) as caller:
        message = await sent(caller, about("sum it up", PDF), model=remote.sighted)
        plain = await sent(caller, about("sum it up\n\n[PDF: paper.pdf]"), model=remote.sighted)

    assert message == (remote.with_pdf("sum it up", PDF.name, PDF.data) or plain)


async def test_model_without_eyes_gets_a_line_for_each(dialect: Dialect) -> None:
    """An answer comes all the same: nothing that it would refuse is sent."""
    async with Caller(dialect, answering(dialect, *whole(dialect, "a"))) as caller:
        model = "" if dialect is LOCAL else dialect.blind
        message = await sent(caller, about("look", IMAGE, PDF), model=model)
        plain = await sent(caller, about("look\n\n[image: cat.png]\n[PDF: paper.pdf]"), model=model)

    assert message == plain


async def test_large_image_arrives_as_documented(remote: Dialect) -> None:
    """It is encoded in slices while it is sent, which nobody sees who puts them together."""
    data = PNG + bytes(range(256)) * 2048
    large = Attachment(name="large.png", media_type="image/png", data=data)
    async with Caller(remote, answering(remote, *whole(remote, "a"))) as caller:
        message = await sent(caller, about("what is it?", large), model=remote.sighted)

    assert message == remote.with_image("what is it?", data)


async def test_images_arrive_in_their_order(remote: Dialect) -> None:
    """One may be about the other."""
    other = Attachment(name="dog.png", media_type="image/png", data=PNG[::-1])
    async with Caller(remote, answering(remote, *whole(remote, "a"))) as caller:
        said = json.dumps(await sent(caller, about("first and second", other, IMAGE), model=remote.sighted))

    places = [said.index(base64.b64encode(each.data).decode()) for each in (other, IMAGE)]
    assert places == sorted(places)


async def test_image_of_an_earlier_question_goes_again(remote: Dialect) -> None:
    """A conversation has no memory but what is sent; later questions are words alone, as ever."""
    async with Caller(remote, answering(remote, *whole(remote, "a"))) as caller:
        first = about("what is it?", IMAGE)
        await sent(caller, first, model=remote.sighted)
        alone = caller.server.exchanges[-1].body
        await sent(caller, first, Message(role="assistant", text="a cat"), about("sure?"), model=remote.sighted)
        again = caller.server.exchanges[-1].body

    name = next(each for each in ("contents", "input", "messages") if each in again)
    assert again[name][0] == alone[name][-1] == remote.with_image("what is it?", PNG)
    assert remote.question(again) == "sure?"


async def test_image_without_a_word_is_a_question(remote: Dialect) -> None:
    """No empty text goes with it: some would refuse that."""
    async with Caller(remote, answering(remote, *whole(remote, "a"))) as caller:
        message = await sent(caller, about("", IMAGE), model=remote.sighted)

    assert isinstance(message, dict)
    parts = message.get("parts") or message["content"] or message["images"]
    assert len(parts) == 1


async def test_settings_open_the_eyes_of_an_unknown_model(remote: Dialect) -> None:
    """What is known of a name is not all that can be known."""
    script = answering(remote, *whole(remote, "a"))
    async with Caller(remote, script, settings=set_to(remote.name, "image")) as caller:
        message = await sent(caller, about("what is it?", IMAGE), model="brand-new")

    assert message == remote.with_image("what is it?", PNG)


async def test_settings_close_the_eyes_of_a_known_model(remote: Dialect) -> None:
    """An empty list is nothing, unlike no list."""
    script = answering(remote, *whole(remote, "a"))
    async with Caller(remote, script, settings=set_to(remote.name)) as caller:
        await sent(caller, about("what is it?", IMAGE), model=remote.sighted)

    assert "[image: cat.png]" in remote.question(caller.server.exchanges[-1].body)


@pytest.mark.parametrize("text", [True, False])
async def test_log_never_has_what_is_in_a_file(dialect: Dialect, text: bool, tmp_path: Path) -> None:
    """Not even the one that has what was said."""
    stop = log.to_file(tmp_path, text=text)
    async with Caller(dialect, answering(dialect, *whole(dialect, "a"))) as caller:
        await sent(caller, about("look", IMAGE, PDF), model=dialect.sighted)
    stop()

    logged = (tmp_path / log.FILE_NAME).read_text("utf-8")
    assert "response" in logged
    assert not any(secret in logged for secret in ("iVBORw0KGgr7", "JVBERi0x", "PNG", "%PDF"))
    assert "PNG" not in repr(about("look", IMAGE, PDF))
