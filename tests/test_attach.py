"""`llmterm chat --attach`: one answer of a service in two terminals and for a client of HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

from tests.serving import served
from tests.terminal import LLMTERM, READY, Program, environment
from tests.wire import Exchange, Script, WireServer

# The status line of a prompt: who answers, and what was said until now has cost.
ASKED = r"(?m)^openai/test - (about )?\d+ tokens? [^\n]*\Z"


class Place:
    """A service, the user's environment, and somebody who asks it over HTTP."""

    def __init__(self, folder: Path, upstream: WireServer) -> None:
        self.env = environment(folder, OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test")
        self.stack = ExitStack()
        self.program, self.url, self.token = self.stack.enter_context(served(self.env))
        self.http = httpx2.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=30.0, trust_env=False
        )

    def restart(self) -> None:
        """Start it again, at the same port."""
        port = self.url.rpartition(":")[2].strip("/")
        self.program, _, _ = self.stack.enter_context(served(self.env, "--port", port))

    @contextmanager
    def chat(self, *arguments: str) -> Iterator[Program]:
        command = [*LLMTERM, "chat", "--attach", f"{self.url}/?token={self.token}", *arguments]
        with Program(command, self.env) as program:
            program.wait_for(READY)
            yield program

    def session(self) -> str:
        found: str = self.http.get("/v1/sessions").json()["sessions"][0]["id"]
        return found

    def turn(self) -> str:
        found: str = self.http.get(f"/v1/sessions/{self.session()}").json()["turn"]
        return found


@contextmanager
def place(folder: Path, script: Script) -> Iterator[Place]:
    with WireServer(script) as upstream:
        found = Place(folder, upstream)
        try:
            yield found
        finally:
            found.http.close()
            found.stack.close()


def halves(*, then: str = " and two.") -> Script:
    """Return a script that answers a first question until it is hung up on, and goes on with that when asked again."""
    asked = 0

    async def script(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.start()
        if asked == 1:
            await exchange.text("One")
            await exchange.hung_up()
        else:
            await exchange.text(then if asked == 2 else "Three.")
            await exchange.end()

    return script


def test_one_answer_is_read_and_steered_from_everywhere(tmp_path: Path) -> None:
    """Whoever pauses it or guides it does so for all, and all hear who; a question of one is seen by all."""
    with place(tmp_path, halves()) as service, service.chat("--model", "openai/test") as first:
        first.send("Why?\r")
        first.wait_for(r"(?m)^One$")
        with service.chat("--session", service.session()) as second:
            second.wait_for(r"(?m)^One$")
            second.wait_for("SPACE pause")
            second.send(" ")
            second.wait_for("paused after 1 token")
            first.wait_for("paused by .* at pts")
            first.wait_for("paused after 1 token")

            edited = service.http.post(f"/v1/turns/{service.turn()}/edit", json={"text": "One,", "by": "a page"})
            assert edited.status_code == 200
            for each in (first, second):
                each.wait_for(r"the answer is now 4 characters long\s+edited by a page\s+One,")

            guided = service.http.post(
                f"/v1/turns/{service.turn()}/resume", json={"guidance": "in verse", "by": "a page"}
            )
            assert guided.status_code == 200
            for each in (first, second):
                each.wait_for("> in verse")
                each.wait_for("and two\\.")
                each.wait_for(ASKED)

            first.send("And?\r")
            for each in (first, second):
                each.wait_for(r"(?s)> And\?.*Three\.")
                each.wait_for(ASKED)
            second.send("/branch\r")
            second.wait_for("/branch is not for a session of a service")
            second.send("/title Mine\r")
            second.wait_for("(?m)^Mine$")
            second.send("/versions\r")
            second.wait_for("no other versions")

            second.send("\x04")
            assert second.exit_code == 0
            assert f"--session {service.session()} goes on with it" in second.words
        shown = service.http.get(f"/v1/sessions/{service.session()}").json()

        assert shown["title"] == "Mine"
        assert [each["text"] for each in shown["messages"]] == ["Why?", "One, and two.", "And?", "Three."]


def test_a_service_that_is_killed_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    """The terminal says that it is lost, and goes on with the answer where it was."""
    with place(tmp_path, halves()) as service, service.chat("--model", "openai/test") as chat:
        chat.send("Why?\r")
        chat.wait_for(r"(?m)^One$")
        path = f"/v1/sessions/{service.session()}/whole"
        while service.http.get(path).json()["answer"]["message"]["parts"] == []:
            pass  # until all that came is on the disk
        service.program.kill()
        service.program.wait()
        chat.wait_for("the service cannot be reached")
        service.restart()
        chat.wait_for("paused by the end of llmterm")
        chat.send(" ")
        chat.wait_for(r"(?m)^One and two\.$")
        chat.wait_for(ASKED)
        service.program.kill()
        service.program.wait()
        chat.send("And?\r")
        chat.wait_for("cannot reach")
        service.restart()
        chat.send("\r")
        chat.wait_for(r"(?s)> And\?.*Three\.")

        assert len(re.findall("One and two", chat.text)) == 1
