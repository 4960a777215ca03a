"""Going on with an answer: fifty times, at another provider, after whatever broke it off. One message, nothing lost.

Real servers, the real store, and turns that are kept in step with their record as the chat does it. A server goes on
from exactly where the answer ends that it is given, so that what is missing or doubled in a request shows in the text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, permutations
from pathlib import Path
from typing import Any, Literal

import pytest

from llmterm.assembly.roster import registry
from llmterm.chat.status import pause_line
from llmterm.config import LocalSettings, ProvidersSettings, RemoteSettings, Settings
from llmterm.conversation import mode_of
from llmterm.marker import DEFAULT_MARKER, marker_for
from llmterm.messages import Continuation, EndReason, Message, Mode, Options, Reply, StreamLimits
from llmterm.providers import Provider
from llmterm.providers.weights import available
from llmterm.sessions import AnswerLog, SessionStore, StoredSession, export, markdown
from llmterm.turn import Turn, TurnState
from tests.conftest import need
from tests.contract.caller import KEY, Caller, environment
from tests.contract.dialects import USUAL, Anthropic, Dialect, Gemini, OpenAI
from tests.reading import heard
from tests.wire import Exchange, Gate, Script, WireServer

if sys.platform != "win32":
    from tests.chatting import opened

QUESTION = "Tell me about foxes."
SYSTEM = "Be brief."
# How the models of the dialects go on, by their providers' documentation.
MODES: Mapping[str, Mode] = {
    "openai": "instruct",
    "anthropic": "prefill",
    "gemini": "prefill",
    "cohere": "instruct",
    "ollama": "prefill",
}


class Session:
    """One session, with its record kept in step as the chat does it."""

    def __init__(self, store: SessionStore) -> None:
        self.id = store.create(system=SYSTEM)
        self._store = store
        self.turn: Turn
        self._log: AnswerLog

    @property
    def stored(self) -> StoredSession:
        """The session as another process would find it."""
        return self._store.load(self.id)

    @property
    def answer(self) -> Message:
        """The last message of the record, be it over or not."""
        stored = self.stored
        return stored.answer.message if stored.answer else stored.conversation.messages[-1]

    def ask(
        self,
        provider: Provider,
        model: str,
        question: str = QUESTION,
        *,
        limits: StreamLimits | None = None,
        options: Options | None = None,
        marker: str | None = None,
    ) -> None:
        asked = self.stored.conversation.ask(question)
        marker, note = marker_for(marker, question)
        request = asked.request(model=model, options=options, note=note)
        self._store.add(self.id, asked.messages[-1])
        self._log = self._store.begin(self.id, provider=provider.name, model=model, options=request.options)
        self.turn = Turn(provider, request, marker, limits=limits)
        self.turn.start()

    async def hear(self, text: str) -> None:
        """Read until this is all of the answer so far."""
        async for _ in heard(self.turn):
            if len(self.turn.reply.body) >= len(text):
                break
        assert self.turn.reply.text == text

    async def pause(self) -> None:
        self._log.journal(self.turn.reply)
        await self.turn.pause()
        self._log.pause(self.turn.reply, self.turn.reason)

    def resume(self, provider: Provider | None = None, model: str | None = None) -> None:
        provider = provider or self.turn.provider
        name = model or self.turn.request.model
        mode = mode_of(self.turn.reply, provider.continuation(name))
        self._log.resume(provider=provider.name, model=name, mode=mode)
        self.turn.resume(provider=provider, model=model)

    async def rest(self) -> None:
        """Read until the stream ends by itself."""
        async for _ in heard(self.turn):
            pass
        if self.turn.state is TurnState.DONE:
            self._log.finish(self.turn.reply)
        else:
            self._log.pause(self.turn.reply, self.turn.reason)

    async def keep(self) -> None:
        """Take the answer as it is."""
        await self.turn.cancel()
        self._log.finish(self.turn.reply, "interrupted")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with closing(SessionStore(tmp_path)) as store:
        yield store


def said(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return who said what in a request, in whichever wire's words, without the system prompt."""
    if "contents" in body:
        contents = [(each["role"].replace("model", "assistant"), each["parts"]) for each in body["contents"]]
        assert all(list(part) == ["text"] for _, parts in contents for part in parts)
        return [(role, "".join(part["text"] for part in parts)) for role, parts in contents]
    return [(each["role"], each["content"]) for each in body["messages"] if each["role"] != "system"]


def answered(body: Mapping[str, Any]) -> str:
    """Return the answer, or as much as there is of it, that a request holds: it may come in parts."""
    return "".join(text for role, text in said(body) if role == "assistant")


# Fifty pauses

PAUSES = 50
EACH = 40
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]


def _token(number: int) -> str:
    """Return one of many tokens: no word comes twice, every thirteenth is a paragraph's end."""
    word = SYLLABLES[number % len(SYLLABLES)] + SYLLABLES[number // len(SYLLABLES)]
    match number % 13:
        case 0:
            return word.title()
        case 11:
            return f" {word}."
        case 12:
            return "\n\n"
        case _:
            return f" {word}"


TOKENS = [_token(number) for number in range((PAUSES + 1) * EACH)]
TEXT = "".join(TOKENS)
PARTS = [TOKENS[start : start + EACH] for start in range(0, len(TOKENS), EACH)]
ENDS = list(accumulate(sum(map(len, part)) for part in PARTS))


async def tell(exchange: Exchange) -> None:
    """Say the next part of TEXT and wait to be cut off; after all of it, answer something else."""
    so_far = answered(exchange.body)
    assert TEXT.startswith(so_far)
    number = sum(len(TEXT[:end].rstrip()) <= len(so_far) for end in ENDS)
    await exchange.start()
    if number == len(PARTS):
        await exchange.text("You are welcome.")
        await exchange.end()
        return
    # White space that was not sent is said again, as models do.
    for token in filter(None, [TEXT[len(so_far) : ENDS[number] - sum(map(len, PARTS[number]))], *PARTS[number]]):
        await exchange.text(token)
    if number == PAUSES:
        await exchange.end()
    else:
        await exchange.hung_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer that was paused fifty times, a second question, and all that the server was asked."""

    stored: StoredSession
    requests: list[Exchange]
    folder: Path


@pytest.fixture(params=["prefill", "instruct"])
def mode(request: pytest.FixtureRequest) -> Literal["prefill", "instruct"]:
    found: Literal["prefill", "instruct"] = request.param
    return found


@pytest.fixture
async def told(tmp_path: Path, store: SessionStore, mode: Literal["prefill", "instruct"]) -> Told:
    settings = Settings(providers=ProvidersSettings(remotes={"openai": RemoteSettings(continuation=mode)}))
    with WireServer(tell) as server:
        async with registry(settings, _environ(tmp_path, (OpenAI(), server))) as providers:
            session = Session(store)
            session.ask(providers.get("openai"), "m", marker=DEFAULT_MARKER)
            for end in ENDS[:-1]:
                await session.hear(TEXT[:end])
                await session.pause()
                session.resume()
            await session.rest()
            session.ask(providers.get("openai"), "m", "Thank you.", marker=DEFAULT_MARKER)
            await session.rest()
    return Told(stored=session.stored, requests=server.exchanges, folder=tmp_path)


def _environ(folder: Path, *servers: tuple[Dialect, WireServer]) -> dict[str, str]:
    """Return the variables of several providers' SDKs, and of a program whose data are in `folder`."""
    environ = {"LLMTERM_DATA_DIR": str(folder)}
    for dialect, server in servers:
        environ |= environment(dialect, server)
    return environ


def test_fifty_pauses_leave_one_message(told: Told, mode: Continuation) -> None:
    """Every character in its place, and who wrote which part."""
    question, answer, *_ = told.stored.conversation.messages

    assert (question.role, question.text) == ("user", QUESTION)
    assert (answer.role, answer.text, answer.status) == ("assistant", TEXT, "complete")
    assert [each.role for each in told.stored.conversation.messages] == ["user", "assistant"] * 2
    assert [each.mode for each in answer.segments] == ["fresh", *[mode] * PAUSES]
    assert [each.end_reason for each in answer.segments] == [*[EndReason.PAUSE] * PAUSES, EndReason.STOP]
    assert [each.end for each in answer.segments] == ENDS
    assert all(one.end == other.start for one, other in pairwise(answer.segments))


def test_fifty_pauses_leave_a_clean_transcript(told: Told) -> None:
    """No instruction, no note and no marker: neither in what is exported nor anywhere in the files."""
    instructions = [
        text for exchange in told.requests[1:-1] for role, text in said(exchange.body)[2:] if role == "user"
    ]
    system = told.requests[0].body["messages"][0]["content"]
    ours = {line for text in [*instructions, system] for line in text.split("\n") if not line.startswith("«")}
    ours -= {SYSTEM, "", *(line for text in instructions for line in _quote(text).split("\n"))}

    exports = json.dumps(export(told.stored), ensure_ascii=False), markdown(told.stored)
    files = b"".join(path.read_bytes() for path in told.folder.glob("sessions.db*"))

    assert any(DEFAULT_MARKER in line for line in ours)
    for line in (DEFAULT_MARKER, *ours):
        assert all(line not in exported for exported in exports)
        assert line.encode() not in files
    assert [exported.count(paragraph) for exported in exports for paragraph in (TEXT[:40], TEXT[-40:])] == [1] * 4


def test_each_of_fifty_requests_replays_the_answer_once(told: Told, mode: Continuation) -> None:
    """Its size is that of the text and a constant for each pause; an instruction quotes few words."""
    first, *resumed = told.requests[:-1]
    fixed = []
    for number, (exchange, end) in enumerate(zip(resumed, ENDS[:-1], strict=True), 1):
        question, *turns = said(exchange.body)
        text = TEXT[:end] if mode == "instruct" else TEXT[:end].rstrip()
        instructions = [words for role, words in turns if role == "user"]
        assert (question, answered(exchange.body)) == (("user", QUESTION), text)
        assert [role for role, _ in turns] == (["assistant", "user"] * number if mode == "instruct" else ["assistant"])
        for words, stop in zip(instructions, ENDS, strict=False):
            assert words.count("interrupted") == 1
            assert len(_quote(words)) <= 200
            assert TEXT[:stop].rstrip().endswith(_quote(words))
        size = _size(exchange) - _size(first) - len(json.dumps(text, ensure_ascii=False).encode())
        fixed.append(size if mode == "prefill" else size // number)

    assert len(resumed) == PAUSES
    if mode == "prefill":
        assert len(set(fixed)) == 1
        assert max(fixed) < 50
    else:
        assert max(fixed) < 650


def test_each_of_fifty_requests_begins_with_all_of_the_one_before(told: Told, mode: Continuation) -> None:
    """So a provider's cache has all of it: but for the white space that a literal continuation must not end in."""
    requests = told.requests[:-1]
    for one, other in pairwise(exchange.body["messages"] for exchange in requests):
        whole = one if mode == "instruct" or one is requests[0].body["messages"] else one[:-1]
        assert other[: len(whole)] == whole
        assert mode == "instruct" or other[-1]["content"].startswith(one[-1]["content"]) or whole is one


def test_next_question_sees_the_clean_answer_only(told: Told) -> None:
    """As if there had been no pause."""
    assert said(told.requests[-1].body) == [("user", QUESTION), ("assistant", TEXT), ("user", "Thank you.")]


def _quote(instruction: str) -> str:
    found = re.search("«(.*)»", instruction, re.DOTALL)
    assert found is not None
    return found[1]


def _size(exchange: Exchange) -> int:
    return int(exchange.headers["content-length"])


# Another provider

SONNET = "claude-sonnet-4-6"  # takes no beginning of its answer
THOUGHT = "The user is fond of foxes, I suppose."
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBtb2RlbA=="
HIDDEN = "aGlkZGVuIHRob3VnaHRz"
NEXT = "And then?"
BEGUN, MOVED, WHOLE = "One fox sat ", "One fox sat by the river. ", "One fox sat by the river. It slept."


def thoughts(dialect: Dialect) -> bytes:
    """What a model thinks, in the dialect's own words, and signed where its models do that."""
    match dialect:
        case Anthropic():
            return (
                _event("content_block_start", content_block={"type": "thinking", "thinking": "", "signature": ""})
                + _event("content_block_delta", delta={"type": "thinking_delta", "thinking": THOUGHT})
                + _event("content_block_delta", delta={"type": "signature_delta", "signature": SIGNATURE})
                + _event("content_block_start", 2, content_block={"type": "redacted_thinking", "data": HIDDEN})
            )
        case Gemini():
            parts = [{"text": "", "thoughtSignature": SIGNATURE}]
            chunk = {"candidates": [{"content": {"role": "model", "parts": parts}}]}
            return dialect.thinking(THOUGHT) + f"data: {json.dumps(chunk)}\r\n\r\n".encode()
        case _:
            return dialect.thinking(THOUGHT)


def _event(kind: str, index: int = 1, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'index': index, **fields})}\n\n".encode()


def going_on(dialect: Dialect, *stops: str, end: EndReason = EndReason.STOP) -> Script:
    """Return a script that thinks and says all up to the next of `stops`; there it waits, or ends at the last."""

    async def script(exchange: Exchange) -> None:
        so_far = answered(exchange.body)
        finish: EndReason | None
        await exchange.start(content_type=dialect.content_type)
        if said(exchange.body)[-1] == ("user", NEXT):
            text, finish = "Yes.", EndReason.STOP
        else:
            stop = next(each for each in stops if len(each.rstrip()) > len(so_far))
            assert stop.startswith(so_far)
            text, finish = stop[len(so_far) :], end if stop == stops[-1] else None
        await exchange.raw(dialect.opening() + thoughts(dialect) + dialect.text(text))
        if finish is None:
            await exchange.hung_up()
            return
        await exchange.raw(dialect.ending(finish) + dialect.marker)
        await exchange.close()

    return script


def sent_back(*servers: WireServer) -> set[str]:
    """Return what of models' thoughts and signatures was sent to anybody."""
    bodies = json.dumps([exchange.body for server in servers for exchange in server.exchanges])
    return {each for each in (THOUGHT, SIGNATURE, SIGNATURE.rstrip("="), HIDDEN) if each in bodies}


@pytest.mark.parametrize(
    ("one", "other"),
    [pytest.param(one, other, id=f"{one.name}-{other.name}") for one, other in permutations(USUAL, 2)],
)
async def test_answer_goes_on_at_another_provider(
    tmp_path: Path, store: SessionStore, one: Dialect, other: Dialect
) -> None:
    """In that one's own form, with the whole answer and no thoughts, and then back where it came from."""
    with ExitStack() as stack:
        here = stack.enter_context(WireServer(going_on(one, BEGUN, WHOLE)))
        there = stack.enter_context(WireServer(going_on(other, MOVED, WHOLE)))
        async with registry(Settings(), _environ(tmp_path, (one, here), (other, there))) as providers:
            session = Session(store)
            session.ask(providers.get(one.name), one.model)
            await session.hear(BEGUN)
            await session.pause()
            session.resume(providers.get(other.name), other.model)
            await session.hear(MOVED)
            await session.pause()
            session.resume(providers.get(one.name), one.model)
            await session.rest()

    assert (session.answer.text, session.answer.thinking) == (WHOLE, THOUGHT * 3)
    assert [(each.provider, each.model, each.mode) for each in session.answer.segments] == [
        (one.name, one.model, "fresh"),
        (other.name, other.model, MODES[other.name]),
        (one.name, one.model, MODES[one.name]),
    ]
    for dialect, server, text in ((other, there, BEGUN), (one, here, MOVED)):
        exchange = server.exchanges[-1]
        assert exchange.path == dialect.path
        goes_on(dialect, exchange, text)
    assert not sent_back(here, there)


def goes_on(dialect: Dialect, exchange: Exchange, text: str) -> None:
    """Assert that a request goes on with `text`, as the models of the dialect do: all of it, once, and in its place."""
    literal = MODES[dialect.name] == "prefill"
    question, answer, *instruction = said(exchange.body)
    assert (question, answer) == (("user", QUESTION), ("assistant", text.rstrip() if literal else text))
    assert [role for role, _ in instruction] == ([] if literal else ["user"])
    assert all(_quote(words) == text.rstrip() for _, words in instruction)


async def test_signatures_do_not_outlive_a_move(tmp_path: Path, store: SessionStore) -> None:
    """Not even those of a part that came to its end, nor at the next question: the answer is not what was signed."""
    dialects: tuple[Dialect, ...] = (Anthropic(), Gemini(), OpenAI())
    with ExitStack() as stack:
        scripts = (
            going_on(dialects[0], BEGUN, end=EndReason.LENGTH),
            going_on(dialects[1], WHOLE),
            going_on(dialects[2]),
        )
        servers = [stack.enter_context(WireServer(script)) for script in scripts]
        environ = _environ(tmp_path, *zip(dialects, servers, strict=True))
        async with registry(Settings(), environ) as providers:
            session = Session(store)
            session.ask(providers.get("anthropic"), dialects[0].model)
            await session.rest()
            signed = session.answer.provider_data
            session.resume(providers.get("gemini"), dialects[1].model)
            await session.rest()
            for dialect in dialects:
                session.ask(providers.get(dialect.name), dialect.model, NEXT)
                await session.rest()

    assert SIGNATURE in str(signed)
    assert session.stored.conversation.messages[1].text == WHOLE
    for server, count in zip(servers, (1, 2, 3), strict=True):
        clean = [("user", QUESTION), ("assistant", WHOLE), *[("user", NEXT), ("assistant", "Yes.")] * count]
        assert said(server.exchanges[-1].body) == clean[:-1]
    assert not sent_back(*servers)


async def test_signatures_do_not_outlive_a_move_that_is_cut(tmp_path: Path, store: SessionStore) -> None:
    """As it is where the second part comes to its end: what is kept is not what was signed."""
    one, other = Anthropic(), Gemini()
    with ExitStack() as stack:
        signing = stack.enter_context(WireServer(going_on(one, BEGUN, end=EndReason.LENGTH)))
        unsigned = stack.enter_context(WireServer(going_on(other, MOVED, WHOLE)))
        async with registry(Settings(), _environ(tmp_path, (one, signing), (other, unsigned))) as providers:
            session = Session(store)
            session.ask(providers.get(one.name), one.model)
            await session.rest()
            session.resume(providers.get(other.name), other.model)
            await session.hear(MOVED)
            await session.pause()
            await session.keep()
            session.ask(providers.get(one.name), one.model, NEXT)
            await session.rest()

    assert not sent_back(signing, unsigned)


@pytest.mark.local
async def test_answer_goes_on_at_four_providers(tmp_path: Path, store: SessionStore) -> None:
    """From OpenAI to a thinking Claude, to Gemini, to the embedded model: one message, and who wrote which part."""
    if not available():
        need("embedded model (the extra `local` and the weights)")
    openai, anthropic, gemini = OpenAI(), Anthropic(), Gemini()
    settings = Settings(
        providers=ProvidersSettings(
            local=LocalSettings(threads=1), remotes={"anthropic": RemoteSettings(kind="anthropic", thinking=2048)}
        )
    )
    third = f"{WHOLE} Then it looked at the"
    with ExitStack() as stack:
        scripts = going_on(openai, BEGUN, ""), going_on(anthropic, MOVED, ""), going_on(gemini, third, "")
        servers = [stack.enter_context(WireServer(script)) for script in scripts]
        environ = _environ(tmp_path, (openai, servers[0]), (anthropic, servers[1]), (gemini, servers[2]))
        async with registry(settings, environ) as providers:
            session = Session(store)
            session.ask(providers.get("openai"), openai.model, options=Options(max_tokens=40, temperature=0, seed=7))
            for text, name, model in (
                (BEGUN, "anthropic", SONNET),
                (MOVED, "gemini", gemini.model),
                (third, *providers.resolve("local")),
            ):
                await session.hear(text)
                await session.pause()
                session.resume(providers.get(name), model)
            await session.rest()
            rest = replace(session.turn.snapshot(), reply=Reply().rewrite(third))
            alone = Turn(providers.get("local"), rest)
            alone.resume()
            async for _ in heard(alone):
                pass
            if session.turn.state is TurnState.PAUSED:
                await session.keep()

    answer = session.answer
    assert answer.text.startswith(third)
    assert len(answer.text) > len(third)
    assert [(each.provider, each.mode) for each in answer.segments] == [
        ("openai", "fresh"),
        ("anthropic", "instruct"),
        ("gemini", "prefill"),
        ("local", "prefill"),
    ]
    assert [each.end for each in answer.segments] == [len(BEGUN), len(MOVED), len(third), len(answer.text)]
    # The embedded model read as much as it does of the same answer without a past.
    assert answer.segments[-1].usage.input_tokens == alone.reply.segments[-1].usage.input_tokens > 30
    assert [each.role for each in session.stored.conversation.messages] == ["user", "assistant"]
    assert said(servers[0].exchanges[0].body) == [("user", QUESTION)]
    claude = servers[1].exchanges[0].body
    assert (claude["system"], claude["model"], claude["thinking"]["type"]) == (SYSTEM, SONNET, "adaptive")
    assert [role for role, _ in said(claude)] == ["user", "assistant", "user"]
    assert said(claude)[1] == ("assistant", BEGUN)
    assert servers[2].exchanges[0].body["systemInstruction"]["parts"] == [{"text": SYSTEM}]
    goes_on(gemini, servers[2].exchanges[0], MOVED)
    assert not sent_back(*servers)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_answer_goes_on_at_another_provider_in_the_chat(tmp_path: Path) -> None:
    """/on at a pause, in a terminal; the next question goes to the same one, with the clean answer."""
    anthropic = Anthropic()
    with WireServer(going_on(anthropic, WHOLE)) as other:
        script = going_on(OpenAI(), BEGUN, WHOLE)
        environ = {"ANTHROPIC_BASE_URL": other.address, "ANTHROPIC_API_KEY": KEY}
        with opened(tmp_path, script, "--system", SYSTEM, columns=120, rows=24, **environ) as chat:
            chat.ask(QUESTION)
            chat.program.wait_for("One fox sat")
            chat.program.send(" ")
            chat.program.wait_for("paused after")
            chat.program.send(f"/on anthropic/{anthropic.model}\r")
            chat.program.wait_for(r"It slept\.\n\n>(\n(?!.*SPACE pause).*)?$")
            chat.ask(NEXT)
            chat.program.wait_for(r"Yes\.\n\n>(\n(?!.*SPACE pause).*)?$")

            messages = chat.messages()
            assert [each["text"] for each in messages] == [QUESTION, WHOLE, NEXT, "Yes."]
            assert [(each["provider"], each["model"], each["mode"]) for each in messages[1]["segments"]] == [
                ("openai", "test", "fresh"),
                ("anthropic", anthropic.model, "prefill"),
            ]
            resumed, asked = other.exchanges
            goes_on(anthropic, resumed, BEGUN)
            assert said(asked.body) == [("user", QUESTION), ("assistant", WHOLE), ("user", NEXT)]
            assert resumed.body["system"].startswith(SYSTEM)
            assert not sent_back(chat.server, other)


# What breaks an answer off


@pytest.mark.parametrize("remote", [pytest.param(each, id=each.name) for each in USUAL])
@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (EndReason.NETWORK, "paused by a broken connection after"),
        (EndReason.TIMEOUT, "paused by silence after"),
        (EndReason.LENGTH, "paused at the token limit after"),
    ],
)
async def test_answer_that_breaks_off_rests_and_goes_on(
    store: SessionStore, remote: Dialect, reason: EndReason, line: str, tmp_path: Path
) -> None:
    """By itself and for the right reason, which is on the disk; then one message, whole."""
    heard = Gate()

    async def script(exchange: Exchange) -> None:
        so_far = answered(exchange.body)
        await exchange.start(content_type=remote.content_type)
        if so_far:
            rest = remote.text(WHOLE[len(so_far) :])
            await exchange.raw(remote.opening() + rest + remote.ending() + remote.marker)
            await exchange.close()
            return
        await exchange.raw(remote.opening() + remote.text(BEGUN))
        await heard.wait()
        match reason:
            case EndReason.NETWORK:
                exchange.drop()
            case EndReason.TIMEOUT:
                await exchange.hung_up()
            case _:
                await exchange.raw(remote.ending(reason) + remote.marker)
                await exchange.close()

    silence = 0.3 if reason is EndReason.TIMEOUT else 30.0
    async with Caller(remote, script, environ={"LLMTERM_DATA_DIR": str(tmp_path)}) as caller:
        session = Session(store)
        session.ask(caller.provider, remote.model, limits=StreamLimits(chunk_timeout=silence))
        await session.hear(BEGUN)
        heard.open()
        await session.rest()
        at_rest, shown = session.stored.answer, pause_line(session.turn.reply, session.turn.reason)
        session.resume()
        await session.rest()

    assert at_rest is not None
    assert (at_rest.message.text, at_rest.reason, at_rest.message.status) == (BEGUN, reason, "interrupted")
    assert shown.startswith(line)
    goes_on(remote, caller.server.exchanges[1], BEGUN)
    assert [(each.text, each.status) for each in session.stored.conversation.messages] == [
        (QUESTION, "complete"),
        (WHOLE, "complete"),
    ]
    assert [(each.mode, each.end_reason) for each in session.answer.segments] == [
        ("fresh", reason),
        (MODES[remote.name], EndReason.STOP),
    ]
