"""A program that uses this one as a library: nothing that belongs to its whole process is changed for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.terminal import LLMTERM, environment
from tests.wire import Exchange, WireServer, say

# What a process has once, as far as it can be looked at.
HOST = """
import asyncio, decimal, faulthandler, gc, json, locale, logging, mimetypes, os, random, signal, socket, sys, threading
import warnings

import rich.style  # takes a number when it is imported, which google-genai's httpx does where it finds a command line

def state():
    logger = logging.getLogger
    known = [logging.root, *map(logger, ("asyncio", "google_genai", "httpx2", "httpcore2", "mine"))]
    return {
        "arguments": sys.argv, "environment": dict(os.environ), "folder": os.getcwd(), "umask": os.umask(0o022),
        "decimal": repr(decimal.getcontext()), "faults": faulthandler.is_enabled(),
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.get_debug()],
        "hooks": [repr(each) for each in (
            sys.excepthook, sys.unraisablehook, sys.displayhook, sys.breakpointhook, threading.excepthook,
            sys.gettrace(), sys.getprofile(), sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth(),
            sys.stdin, sys.stdout, sys.stderr, threading.stack_size(), socket.getdefaulttimeout(),
        )],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()],
        "locale": [locale.setlocale(each) for each in (locale.LC_CTYPE, locale.LC_NUMERIC, locale.LC_TIME)],
        "logging": [[each.name, each.level, list(map(repr, each.handlers)), each.propagate, each.disabled,
                     repr(each.filters)] for each in known] + [logging.root.manager.disable,
                     repr(logging.getLoggerClass()), repr(logging.getLogRecordFactory()), repr(logging.lastResort)],
        "loops": repr(type(asyncio.get_event_loop_policy())),
        "mimetypes": [mimetypes.inited, len(mimetypes.knownfiles)],
        "random": repr(random.getstate()),
        "signals": [repr(signal.getsignal(each)) for each in sorted(signal.valid_signals())],
        "warnings": [list(map(repr, each)) for each in warnings.filters],
    }

random.seed(1)
before = state()
"""
LIBRARY = """
async def answer(providers, choice):
    from llmterm import Conversation, TextDelta, Turn
    name, model = await providers.choose(choice)
    turn = Turn(providers.get(name), Conversation().ask("q").request(model=model))
    turn.start()
    async for _, event in turn.events():
        if isinstance(event, TextDelta) and event.text.startswith("One half"):
            await turn.pause()
            turn.resume()
    print(turn.reply.text, file=sys.stderr)

async def main():
    from llmterm import open_registry
    async with open_registry() as providers:
        await answer(providers, "openai/gpt-4.1")
        await answer(providers, "gemini/gemini-3.1-pro-preview")

asyncio.run(main())
after = state()
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
"""


class Answers:
    """Refuses a first question, says half of an answer to the second, and the rest to whoever goes on."""

    def __init__(self) -> None:
        self.refused = False

    async def __call__(self, exchange: Exchange) -> None:
        if "gemini" in exchange.path:
            await exchange.start()
            candidate = {"content": {"role": "model", "parts": [{"text": "Whole."}]}, "finishReason": "BRAND_NEW"}
            await exchange.raw(b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\n\n")
            await exchange.close()
        elif len(exchange.body["messages"]) > 1:
            await say("the other half.")(exchange)
        elif not self.refused:
            self.refused = True
            await exchange.refuse(503, {})
        else:
            await exchange.start()
            await exchange.text("One half, ")
            await exchange.hung_up()


def test_state_of_the_process_stays_the_hosts(tmp_path: Path) -> None:
    """After two providers, a retry, a pause, and a word of the API that is new to an SDK."""
    config = tmp_path / "config.toml"
    config.write_text("retry.max_wait = 0.01\n")
    with WireServer(Answers()) as server:
        env = environment(
            tmp_path,
            LLMTERM_CONFIG=str(config),
            OPENAI_API_KEY="k",
            OPENAI_BASE_URL=server.base_url,
            GEMINI_API_KEY="k",
            GOOGLE_GEMINI_BASE_URL=server.address,
        )
        done = subprocess.run(
            [sys.executable, "-c", HOST + LIBRARY], env=env, capture_output=True, text=True, check=False
        )

    assert "One half, the other half." in done.stderr
    assert "Whole." in done.stderr
    assert json.loads(done.stdout) == {}


def test_program_keeps_to_itself_what_an_sdk_says_to_programmers(tmp_path: Path) -> None:
    """Its process is its own: of the word that is new nothing is on the terminal but what it means for the answer."""
    with WireServer(Answers()) as server:
        env = environment(tmp_path, GOOGLE_API_KEY="k", GEMINI_API_KEY="k", GOOGLE_GEMINI_BASE_URL=server.address)
        command = [*LLMTERM, "ask", "-p", "gemini", "q"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert done.stdout == "Whole.\n"
    assert "UserWarning" not in done.stderr
    assert "Using GOOGLE_API_KEY" not in done.stderr
