"""What can be asked for, by its path."""

from __future__ import annotations

from typing import Final

from llmterm.serve.fields import EFFORTS, VERBOSITIES
from llmterm.serve.openai import EFFORTS_OF_OPENAI
from llmterm.serve.openapi.words import (
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    WORDS,
    Schema,
    asked,
    at,
    header,
    one_of,
    operation,
    query,
    ref,
    said,
    several,
    thing,
)

_TURN: Final = at("turn", "The turn's id.")
_SESSION: Final = at("session", "The session's id.")
_FROM_ONE: Final = {"type": "integer", "minimum": 1, "maximum": 2**53}
_SHARE: Final = {**NUMBER, "minimum": 0, "maximum": 1}
_EFFORT: Final = one_of([*EFFORTS, *EFFORTS_OF_OPENAI])
_PAGE: Final = {"text/html": TEXT}
_HEALTH: Final = {
    **operation(
        "service.health",
        "Whether it serves, or is about to end (status 503)",
        thing({"status": {"const": "ok"}}),
        also={503: thing({"status": {"const": "ending"}})},
    ),
    "security": [],
}
_BY: Final = {"by": said(TEXT, "Who does it: all readers hear it.")}
_OPTIONS: Final = asked(
    {},
    {
        "temperature": {**NUMBER, "minimum": 0, "maximum": 2},
        "max_tokens": _FROM_ONE,
        "seed": {"type": "integer", "minimum": -(2**63), "maximum": 2**63},
        "stop": {"anyOf": [TEXT, several(TEXT)]},
        "effort": said(one_of([*EFFORTS]), "How much is thought before the answer."),
        "top_p": _SHARE,
        "verbosity": one_of([*VERBOSITIES]),
        "service_tier": said(TEXT, "In the provider's own word."),
        "web_search": said(FLAG, "Whether the provider looks things up."),
    },
)
_QUESTION: Final = {
    **asked(
        {},
        {
            "question": said(WORDS, "What is asked."),
            "model": said(TEXT, "provider/model; the usual one where it is missing."),
            "session": said(TEXT, "The session that it goes on with; a new one where it is missing."),
            "system": said(TEXT, "The system prompt."),
            "options": _OPTIONS,
            "attachments": several(asked({"data": said(WORDS, "base64")}, {"name": TEXT})),
            "kept": said(FLAG, "Whether it is on the record; it is where that is missing."),
            "again": said(FLAG, "The session's last question is asked again; the answer that was stays beside it."),
            "replaces": said(FLAG, "This question takes the place of the session's last one, which stays beside it."),
            "keeps": said(several(TEXT), "Names of attachments of the question that it replaces, to go along again."),
        },
    ),
    "anyOf": [{"required": ["question"]}, {"required": ["again", "session"], "properties": {"again": {"const": True}}}],
}

_COMPLETION: Final = asked(
    {"messages": several(asked({"role": WORDS}, {"content": {}}))},
    {
        "model": said(TEXT, "provider/model; the usual one where it is missing."),
        "stream": FLAG,
        "stream_options": asked({}, {"include_usage": FLAG}),
        "temperature": {**NUMBER, "minimum": 0, "maximum": 2},
        "max_completion_tokens": _FROM_ONE,
        "max_tokens": _FROM_ONE,
        "seed": {"type": "integer", "minimum": -(2**63), "maximum": 2**63},
        "stop": {"anyOf": [TEXT, several(TEXT)]},
        "response_format": asked({}, {"type": one_of(["text", "json_object", "json_schema"])}),
        "reasoning_effort": _EFFORT,
        "top_p": _SHARE,
        "verbosity": one_of([*VERBOSITIES]),
        "service_tier": TEXT,
        "web_search_options": {"type": "object"},
        "n": {"const": 1},
    },
)

_RESPONSE: Final = asked(
    {"input": {"anyOf": [WORDS, several({"type": "object"})]}},
    {
        "model": said(TEXT, "provider/model; the usual one where it is missing."),
        "instructions": TEXT,
        "previous_response_id": said(TEXT, "The response that it goes on with."),
        "stream": FLAG,
        "store": said(FLAG, "Whether it is a session of the store; it is where that is missing."),
        "background": said(FLAG, "Whether it goes on without whoever asks."),
        "temperature": {**NUMBER, "minimum": 0, "maximum": 2},
        "max_output_tokens": _FROM_ONE,
        "text": asked(
            {},
            {
                "format": asked({}, {"type": one_of(["text", "json_object", "json_schema"])}),
                "verbosity": one_of([*VERBOSITIES]),
            },
        ),
        "reasoning": asked({}, {"effort": _EFFORT}),
        "top_p": _SHARE,
        "service_tier": TEXT,
        "tools": said(several({"type": "object"}), "web_search is used; all others are left aside."),
        "metadata": {"type": "object"},
    },
)
_OF_RESPONSE: Final = at("turn", "What follows resp_ in the response's id, the same after a restart.")

PATHS: Final[dict[str, dict[str, Schema]]] = {
    "/": {"get": operation("page.show", "The page: a chat in the browser", kinds=_PAGE)},
    "/healthz": {"get": _HEALTH},
    "/openapi.json": {"get": operation("service.describe", "This document", {"type": "object"})},
    "/stats": {"get": operation("page.stats", "The page of the figures", kinds=_PAGE)},
    "/v1/stats": {
        "get": operation(
            "stats.show",
            "What each model did, in all and day by day",
            ref("Stats"),
            parameters=[
                query(
                    "days",
                    {**COUNT, "minimum": 1, "maximum": 3_660},
                    "Of so many days, today's one among them; of all where it is missing.",
                )
            ],
        )
    },
    "/v1/service": {
        "get": operation(
            "service.show",
            "What serves here",
            thing({"name": {"const": "llmterm"}, "version": TEXT, "model": TEXT, "providers": several(TEXT)}),
            words='`model` is who answers where nobody is named, "" where that is nobody.',
        )
    },
    "/metrics": {
        "get": operation("service.measure", "Figures of what happens here, for Prometheus", kinds={"text/plain": TEXT})
    },
    "/v1/models": {
        "get": operation(
            "models.list",
            "The models of all providers that are configured",
            thing({"object": {"const": "list"}, "data": several(ref("Model"))}),
        )
    },
    "/v1/models/{model}": {
        "get": operation(
            "models.show", "One of them", ref("Model"), parameters=[at("model", "provider/model, with its slashes.")]
        )
    },
    "/v1/chat/completions": {
        "post": operation(
            "completions.create",
            "Complete a chat, as OpenAI's clients ask for it",
            ref("ChatCompletion"),
            kinds={"text/event-stream": TEXT},
            body=_COMPLETION,
            words="On no record, and over when its client is. Fields that are not known are left aside; with `stream` "
            "it comes as server-sent events, each a chunk, the last of them `[DONE]`.",
        )
    },
    "/v1/responses": {
        "post": operation(
            "responses.create",
            "Ask for a response, as OpenAI's clients do",
            ref("Response"),
            kinds={"text/event-stream": TEXT},
            body=_RESPONSE,
            words="Over when its client is, unless it is in the background. Fields that are not known are left aside.",
        )
    },
    "/v1/responses/resp_{turn}": {
        "get": operation(
            "responses.show",
            "What there is of a response, or its events",
            ref("Response"),
            kinds={"text/event-stream": TEXT},
            parameters=[
                _OF_RESPONSE,
                query("stream", {**FLAG, "default": False}, "Whether it comes as events."),
                query("starting_after", COUNT, "The number of the last event that is known."),
            ],
        )
    },
    "/v1/responses/resp_{turn}/cancel": {
        "post": operation("responses.cancel", "End it; what came is kept", ref("Response"), parameters=[_OF_RESPONSE])
    },
    "/v1/turns": {
        "post": operation(
            "turns.ask",
            "Ask something",
            ref("Turn"),
            status=201,
            body=_QUESTION,
            words="The answer goes on whether or not anybody reads it.",
        )
    },
    "/v1/turns/{turn}": {"get": operation("turns.show", "What there is of an answer", ref("Turn"), parameters=[_TURN])},
    "/v1/turns/{turn}/events": {
        "get": operation(
            "turns.read",
            "Read an answer, live",
            kinds={"text/event-stream": TEXT},
            parameters=[
                _TURN,
                header("last-event-id", COUNT, "The place to go on from; a browser sends it by itself."),
                query("after", COUNT, "The same, for whoever cannot send the header."),
            ],
            words="Server-sent events: `id:` is the place, `event:` the kind, `data:` an Event. The stream ends when "
            "the turn is over, not when it rests. A place that is none of the turn's is answered with a Retraction of "
            "all, and all of it anew. `retry:` says that the service is ending: come back then. A WebSocket at "
            "/v1/turns/{turn}/ws?after=N has the same in one connection: each message is an Event, and "
            '{"do": "pause"|"resume"|"cancel"|"edit"} with the fields of the same over HTTP does it; what cannot be '
            "done is answered with a Problem.",
        )
    },
    "/v1/turns/{turn}/pause": {
        "post": operation("turns.pause", "Pause it", ref("Turn"), parameters=[_TURN], body=asked({}, _BY))
    },
    "/v1/turns/{turn}/resume": {
        "post": operation(
            "turns.resume",
            "Have it go on",
            ref("Turn"),
            parameters=[_TURN],
            body=asked(
                {},
                {
                    "guidance": said(TEXT, "What the model should mind from here on."),
                    "model": said(TEXT, "provider/model: who goes on with it."),
                    **_BY,
                },
            ),
        )
    },
    "/v1/turns/{turn}/cancel": {
        "post": operation(
            "turns.cancel", "End it; what came is kept", ref("Turn"), parameters=[_TURN], body=asked({}, _BY)
        )
    },
    "/v1/turns/{turn}/edit": {
        "post": operation(
            "turns.edit",
            "Put a text in the place of what came",
            ref("Turn"),
            parameters=[_TURN],
            body=asked({}, {"text": TEXT, **_BY}),
        )
    },
    "/v1/events": {
        "get": operation(
            "turns.follow",
            "Read any number of answers on one connection, live",
            kinds={"text/event-stream": TEXT},
            parameters=[
                query("session", several(TEXT), "The id of a session whose changes are told of. Several times."),
                query("turn", several(TEXT), "ID:PLACE, the place that its reader is at. Several times."),
            ],
            words="Server-sent events as those of one turn are, without numbers; each Event has the id of its `turn`. "
            "A turn that there is not is told of by one of the kind Gone.",
        )
    },
    "/v1/sessions": {
        "get": operation(
            "sessions.list",
            "The last sessions, or those that words are found in",
            thing({"sessions": several({"anyOf": [ref("SessionInfo"), ref("SessionHit")]})}),
            parameters=[
                query("q", TEXT, "Words to search for."),
                query("limit", {**COUNT, "minimum": 1, "maximum": 200, "default": 50}, "How many at most."),
            ],
        )
    },
    "/v1/sessions/{session}": {
        "get": operation("sessions.show", "All of a session", ref("Session"), parameters=[_SESSION]),
        "patch": operation(
            "sessions.rename",
            "Give it another title",
            thing({"id": TEXT, "title": TEXT}),
            parameters=[_SESSION],
            body=asked({"title": WORDS}),
        ),
        "delete": operation(
            "sessions.delete",
            "Delete it, for good",
            thing({"id": TEXT, "deleted": {"const": True}}),
            parameters=[_SESSION],
        ),
    },
    "/v1/sessions/{session}/versions": {
        "get": operation(
            "sessions.versions", "What was said in each other's place", ref("Versions"), parameters=[_SESSION]
        )
    },
    "/v1/sessions/{session}/switch": {
        "post": operation(
            "sessions.switch",
            "Go over to another version",
            ref("Session"),
            parameters=[_SESSION],
            body=asked({"row": _FROM_ONE}),
        )
    },
    "/v1/sessions/{session}/whole": {
        "get": operation(
            "sessions.carry",
            "All of a session as llmterm itself keeps it, but for the bytes of attachments",
            {"type": "object"},
            parameters=[_SESSION],
        )
    },
    "/v1/sessions/{session}/events": {
        "get": operation(
            "sessions.watch",
            "Hear of what changes in a session",
            kinds={"text/event-stream": TEXT},
            parameters=[_SESSION],
            words="Server-sent events: one of the kind Session, with the id of its turn that is not over, at once and "
            "whenever a turn has begun or ended, or the session has changed.",
        )
    },
    "/v1/sessions/{session}/undo": {
        "post": operation(
            "sessions.undo",
            "Go back to before its last question",
            ref("Session"),
            parameters=[_SESSION],
            body=asked(
                {},
                {
                    "row": said(
                        COUNT,
                        "That of an earlier question, to go back to before that; what comes after it stays a version.",
                    )
                },
            ),
        )
    },
    "/v1/sessions/{session}/continue": {
        "post": operation(
            "sessions.continue",
            "Have its last answer, which was stopped, rest, to be gone on with",
            ref("Session"),
            parameters=[_SESSION],
        )
    },
    "/v1/sessions/{session}/export": {
        "get": operation(
            "sessions.export",
            "A session to take along",
            ref("Export"),
            kinds={"text/markdown": TEXT},
            parameters=[
                _SESSION,
                query("format", {**one_of(["json", "markdown"]), "default": "json"}, "In what form."),
            ],
        )
    },
}
