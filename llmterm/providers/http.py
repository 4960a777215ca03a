"""A provider that is a wire over the transport: what OpenAI, Anthropic, Cohere and Ollama have in common."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from llmterm import tokens
from llmterm.address import basic, joined
from llmterm.errors import (
    ConfigError,
    CursorRefusedError,
    LlmtermError,
    ModelNotFoundError,
    ProviderError,
    RequestRefusedError,
    ServerError,
    SummaryRefusedError,
)
from llmterm.messages import Continuation, Cursor, Effort, Request, StreamLimits, Usage, are_long
from llmterm.progress import Progress
from llmterm.providers import EventStream
from llmterm.providers.attachments import Accepts
from llmterm.providers.capabilities import accepted
from llmterm.providers.extras import Extras
from llmterm.providers.generation import Generation, Generations
from llmterm.providers.learned import Learned
from llmterm.providers.retrying import RetryingStream
from llmterm.providers.stream import WireStream
from llmterm.providers.structured import in_words
from llmterm.providers.wire import Wire
from llmterm.providers.wishes import refuse
from llmterm.redaction import redact
from llmterm.threads import in_thread_if, in_turns
from llmterm.transport import Call, Endpoint, FrameStream, Transport

if TYPE_CHECKING:
    from llmterm.providers.jobs.api import JobApi  # few hand over a batch

# What asking for the list of models may take, in seconds.
_LISTING = StreamLimits(first_token_timeout=10.0, chunk_timeout=10.0, stream_timeout=20.0)
# What servers say of an image that their model does not take.
_NO_IMAGES = re.compile(r"\bimages?\b|image_url|vision|multi-?modal|mmproj|modalit", re.IGNORECASE)
# What servers say where an answer of theirs cannot go on without its reader.
_NO_BACKGROUND = re.compile(r"\bbackground\b", re.IGNORECASE)
# What a request says to have its answer in pieces.
_STREAMING = frozenset({"stream", "stream_options"})
# So many messages are freed in a tenth of a millisecond.
_AT_ONCE = 1_000
_NEAREST = replace(_LISTING, stream_timeout=3.0)


def free(_model: str, _usage: Usage) -> None:
    """The cost where there is no price."""


def about(request: Request) -> int:
    """Return about how many tokens a request takes, for limits that count them."""
    return tokens.of_messages(request.messages) + (request.left() or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is said of a provider's models besides what it says itself.

    `known` are models that it does not list. `cost` gives what their usage costs. `attachments` are the kinds that all
    of them take, None what is known of each. `own` is a server of the user's own, which may have any model. `effort`
    is that of a model where a question says none, and `extras` go along with every request.
    `cut` says in words that a model would leave out some of about so many tokens, "" where it does not.
    """

    known: Sequence[str] = ()
    cost: Callable[[str, Usage], float | None] = free
    attachments: Sequence[str] | None = None
    own: bool = False
    effort: Callable[[str], Effort | None] = lambda _: None
    extras: Extras | None = None
    cut: Callable[[str, int], str] = lambda _model, _tokens: ""


@dataclass(slots=True)
class _Question:
    """A request in all its tries, and the wire that it is said in: of both less is left where that is refused."""

    request: Request
    wire: Wire


class HttpProvider:
    """Answers from one base URL."""

    def __init__(
        self,
        transport: Transport,
        wire: Wire,
        endpoint: Endpoint,
        *,
        base_url: str,
        needs_key: str = "",
        facts: ModelFacts | None = None,
        learned: Learned | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        """`needs_key` is the hint of the error that a missing key is, "" where it is none.

        `secrets` are to be kept out of what the server says, beside the key in use.
        """
        self._facts = facts or ModelFacts()
        self.name = endpoint.name
        self._transport = transport
        self._wire = wire if self._facts.extras is None else self._facts.extras.around(wire)
        self._endpoint = endpoint
        self._base_url = base_url
        self._needs_key = needs_key
        self._learned = learned or Learned()
        self._secrets = secrets
        self._generations = Generations(self._wire.background, transport, endpoint, self._call_at)

    def cost(self, model: str, usage: Usage) -> float | None:
        return self._facts.cost(model, usage) if usage.cost is None else usage.cost

    def continuation(self, model: str) -> Continuation:
        if self._learned.knows("no_prefill", self.name, model):
            return "instruct"
        return self._wire.continuation(model)

    def says_stop(self, model: str) -> bool:
        return self._wire.says_stop

    def accepts(self, model: str) -> Accepts:
        own = self._facts.own and not self._learned.knows("no_images", self.name, model)
        return accepted(self.name, self._wire, model, self._facts.attachments, own=own)

    def cannot_prefill(self, model: str) -> None:
        self._learned.learn("no_prefill", self.name, model)

    def stop(self, cursor: Cursor) -> None:
        self._generations.stop(cursor.place, cursor.model)

    def preparation(self, model: str) -> str:
        return ""

    async def open(self, request: Request, limits: StreamLimits, progress: Progress) -> RetryingStream:
        self._require_key()
        if self._wire.quiet(request.model):
            limits = replace(limits, first_token_timeout=limits.quiet_timeout)
        if request.cursor is not None and request.cursor.runs:
            read_on = partial(self._reading_on, request, limits, progress)
            return RetryingStream(self._endpoint, read_on, tokens=0, progress=progress)
        request = self._meant(request)
        if request.continuation is not None or not self._wire.schemas(request.model):
            request = in_words(request)
        asked = await in_thread_if(are_long(request.messages), about, request)
        if said := self._facts.cut(request.model, asked - (request.left() or 0)):
            progress.say(said)
        ask = partial(self._asking, self._question(request), limits, progress)
        return RetryingStream(self._endpoint, ask, tokens=asked, progress=progress)

    def _question(self, request: Request) -> _Question:
        """Return what is asked for, without what was refused of it before."""
        wire, name = self._wire, request.model
        if wire.plain is not None and self._learned.knows("no_summary", self.name, name):
            wire = wire.plain
        if wire.background is None or self._learned.knows("no_background", self.name, name):
            request = replace(request, background=False)
        return _Question(request, wire)

    async def _asking(self, asked: _Question, limits: StreamLimits, progress: Progress, key: str) -> EventStream:
        """Ask; where the account may not have all of it, in the same breath, and in every later try, without that."""
        name = asked.request.model
        while True:
            try:
                frames = await self._shaped(asked.request, key, asked.wire, limits, progress)
                break
            except SummaryRefusedError:
                if asked.wire.plain is None:
                    raise
                asked.wire = asked.wire.plain
            except RequestRefusedError as error:
                if not asked.request.background or not _NO_BACKGROUND.search(error.message):
                    raise
                self._learned.learn("no_background", self.name, name)
                asked.request = replace(asked.request, background=False)
        if asked.wire is self._wire.plain:
            self._learned.learn("no_summary", self.name, name)  # only now: it was that, and nothing else
        self._endpoint.limits.learn(frames.headers)
        progress.watch(frames.pulse)
        if asked.request.background:
            return WireStream(frames, self._wire, self._generation(asked.request, limits, progress, key))
        return self._stream(frames, limits, progress)

    async def _reading_on(self, request: Request, limits: StreamLimits, progress: Progress, key: str) -> WireStream:
        """Read on where the request says. Raises CursorRefusedError where nothing can come there."""
        assert request.cursor is not None
        place = request.cursor.place
        frames = await self._generations.read_on(place, request.model, key, limits)
        progress.watch(frames.pulse)
        stream = WireStream(frames, self._wire, self._generation(request, limits, progress, key))
        stream.go_on(place, request.messages[-1].blocks(self._wire.name))
        return stream

    def _generation(self, request: Request, limits: StreamLimits, progress: Progress, key: str) -> Generation:
        return Generation(self._generations, self._endpoint, request.model, key, limits, progress)

    def job_api(self) -> JobApi:
        """Return what asks this provider about jobs."""
        from llmterm.providers.jobs.api import JobApi

        return JobApi(
            self._transport,
            self._endpoint,
            base_url=self._base_url,
            headers=self._headers,
            model_headers=self._wire.model_headers,
            secrets=self._secrets,
        )

    async def alone(self, request: Request) -> tuple[str, Mapping[str, Any]]:
        """Return the path and the body of a request whose answer comes in one piece. Raises our errors."""
        self._require_key()
        request = self._meant(request)
        if not self._wire.schemas(request.model):
            request = in_words(request)
        wire = self._wire.plain or self._wire  # an account without summaries would hear of that tomorrow, for each
        payload = await in_thread_if(are_long(request.messages), wire.payload, request)
        return wire.path(request), {name: each for name, each in payload.items() if name not in _STREAMING}

    def answered(self, model: str, body: str) -> WireStream:
        """Return the stream of an answer that came in one piece, or of the error that came in its place."""
        from llmterm.providers.jobs.fetched import FetchedFrames

        call = Call(who=self.name, url=self._base_url, model=model, secrets=self._secrets)
        return WireStream(FetchedFrames(call, body), self._wire)

    async def models(self) -> Sequence[str]:
        self._require_key()
        return await self._models(self._endpoint.key(), _LISTING)

    async def aclose(self) -> None:
        await self._generations.aclose()
        await self._transport.aclose()

    def _meant(self, request: Request) -> Request:
        """Return the request with what is configured for its model. Raises WishRefusedError for what that cannot do."""
        if request.options.effort is None and (effort := self._facts.effort(request.model)):
            request = replace(request, options=replace(request.options, effort=effort))
        refuse(self.name, self._wire, request)
        return request

    def _require_key(self) -> None:
        if self._needs_key and not self._endpoint.has_key:
            raise ConfigError(f"no key for {self.name}", hint=self._needs_key)

    def _stream(self, frames: FrameStream, _limits: StreamLimits, _progress: Progress) -> EventStream:
        """Return what the frames of an answer say."""
        return WireStream(frames, self._wire)

    async def _shaped(
        self, request: Request, key: str, wire: Wire, limits: StreamLimits, progress: Progress
    ) -> FrameStream:
        """Ask; where the API does not take the schema, or no schema of that model, in words."""
        try:
            return await self._opened(request, key, wire, limits, progress)
        except RequestRefusedError as error:
            if request.options.schema is None or type(error) is not RequestRefusedError:
                raise
            return await self._opened(in_words(request), key, wire, limits, progress)

    async def _opened(
        self, request: Request, key: str, wire: Wire, limits: StreamLimits, progress: Progress
    ) -> FrameStream:
        try:
            return await self._sent(request, key, wire, limits, progress)
        except ModelNotFoundError as error:
            error.hint = await self._instead(request.model, key) or error.hint
            raise
        except (RequestRefusedError, ServerError) as error:
            if request.cursor is not None and type(error) is RequestRefusedError:
                raise CursorRefusedError(error.message, provider=error.provider, model=error.model) from None
            if self._unproven(request):
                raise self._blind(error, request.model) from None
            raise

    async def _sent(
        self, request: Request, key: str, wire: Wire, limits: StreamLimits, _progress: Progress
    ) -> FrameStream:
        # In a thread, as about the tokens: a long conversation is gone through as a whole.
        call = await in_thread_if(are_long(request.messages), self._call, request, key, wire)
        frames = await self._transport.open(call, limits)
        if call.payload is not None:
            await in_turns(let_go(call.payload))
        return frames

    def _unproven(self, request: Request) -> bool:
        """Tell whether something goes along of which nobody knows whether the model takes it."""
        assumed = self.accepts(request.model).assumed
        return bool(assumed) and any(message.attachments for message in request.messages)

    def _blind(self, error: RequestRefusedError | ServerError, model: str) -> ProviderError:
        """Return a refusal with what may be its reason; where it says so, that is known from now on, and final."""
        if not _NO_IMAGES.search(error.message):
            hint = f"where {model} takes no images, attachments = [] in [providers.{self.name}] says so"
            error.hint = f"{error.hint}; {hint}" if error.hint else hint
            return error
        self._learned.learn("no_images", self.name, model)
        # Without its status: llama.cpp's server says 500, and that would be tried again.
        return RequestRefusedError(
            error.message,
            hint=f'ask without it; if {model} does take images, set attachments = ["image"] in [providers.{self.name}]',
            provider=error.provider,
            model=error.model,
            request_id=error.request_id,
        )

    def _call(self, request: Request, key: str, wire: Wire) -> Call:
        call = self._call_at(wire.path(request), request.model, key)
        return replace(call, payload=wire.payload(request), headers={**call.headers, **wire.headers_of(request)})

    def _call_at(self, path: str, model: str, key: str) -> Call:
        return Call(
            who=self.name,
            model=model,
            url=joined(self._base_url, path),
            headers={**self._headers(key), **self._wire.model_headers(model)},
            secrets=(key, *self._secrets),
            framing=self._wire.framing,
        )

    def _headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of a request; a user in the base URL is named where there is no key."""
        return self._wire.headers(key) if key else {**basic(self._base_url), **self._wire.headers(key)}

    async def _models(self, key: str, limits: StreamLimits) -> list[str]:
        call = Call(
            who=self.name,
            url=joined(self._base_url, self._wire.models_path),
            headers=self._headers(key),
            secrets=(key, *self._secrets),
        )
        named = [redact(each, call.secrets) for each in await self._listed(call, limits)]
        return [*named, *(each for each in self._facts.known if each not in named)]

    async def _listed(self, call: Call, limits: StreamLimits) -> Sequence[str]:
        """Return the names in the list that `call` asks for."""
        return self._wire.models(await self._transport.fetch(call, limits))

    async def _instead(self, model: str, key: str) -> str:
        """Return a hint at what there is instead of a model; a server of the user's own may have what is no more."""
        followed = "" if self._facts.own else _followed(self.name, model)
        return followed or await self._nearest(model, key)

    async def _nearest(self, model: str, key: str) -> str:
        """Return a hint that names what there is instead of `model`."""
        try:
            names = await self._models(key, _NEAREST)
        except LlmtermError:
            return ""  # whoever has no such list has said enough
        near = difflib.get_close_matches(model, names, n=3, cutoff=0.4)
        if near:
            return f"did you mean {' or '.join(near)}?"
        return f"there are {', '.join(names[:5])}" if names else ""


def let_go(payload: Mapping[str, Any]) -> Generator[None, None, None]:
    """Take what was sent apart, in turns with everybody else: to free a long conversation at once takes its time."""
    for each in payload.values():
        while isinstance(each, list) and len(each) > _AT_ONCE:
            del each[-_AT_ONCE:]
            yield


def _followed(provider: str, model: str) -> str:
    """Return a hint at what follows a model that is no more, "" where that is not known."""
    from llmterm.providers.retired import retirement  # the table, of which few have need

    found = retirement(provider, model)
    return f"{found.words(model, date.today())}: {found.successor} follows it" if found is not None else ""
