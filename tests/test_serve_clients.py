"""Programs that speak OpenAI's interface, as they come, with the service in OpenAI's place.

`llm`, `llm-comply` and the npm packages `ai`, `@openai/codex` and `compatcanary` are tried where they are:
LLMTERM_TEST_LLM and LLMTERM_TEST_LLM_COMPLY are the programs, LLMTERM_TEST_NODE_MODULES the folder in which npm has put
the packages.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from llmterm.assembly.library import connect
from llmterm.messages import Options
from tests.serving import TOKEN, Client, serving
from tests.terminal import environment
from tests.wire import Exchange
from tests.x11 import require

SCRIPT = """
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, streamText } from 'ai';
const served = createOpenAI({ baseURL: process.env.BASE, apiKey: process.env.KEY });
for (const model of [served('openai/test'), served.chat('openai/test')]) {
  const { textStream, usage } = streamText({ model, prompt: 'Why?' });
  let text = '';
  for await (const part of textStream) text += part;
  console.log(text, (await usage).totalTokens, (await generateText({ model, prompt: 'Why?' })).text);
}
"""


async def blue(exchange: Exchange) -> None:
    """Answer, and say which models there are."""
    if not exchange.body:
        await exchange.refuse(200, {"data": [{"id": "test"}]})
        return
    await exchange.start()
    # The one that `compatcanary` asks for.
    shaped = "response_format" in exchange.body and "status" in json.dumps(exchange.body["response_format"])
    for text in ('{"status": ', '"ok"}') if shaped else ("The sky ", "is ", "blue."):
        await exchange.text(text)
    await exchange.end()


async def run(*command: str, home: Path, well: bool = True, **more: str) -> str:
    """Return what a program says that is to end `well`, or not."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), **more}
    pipe = asyncio.subprocess.PIPE
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, cwd=home, env=env, stdin=nothing, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    assert (process.returncode == 0) is well, errors.decode()
    return out.decode()


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_llmterm_itself_is_a_client_of_llmterm(tmp_path: Path, api: str) -> None:
    (tmp_path / "config.toml").write_text(f'[providers.openai]\napi = "{api}"\n')
    async with serving(tmp_path / "served", blue) as client:
        places = {"OPENAI_BASE_URL": f"{client.url}/v1", "LLMTERM_CONFIG": str(tmp_path / "config.toml")}
        environ = environment(tmp_path, OPENAI_API_KEY=TOKEN, **places)
        async with connect("openai/openai/test", environ=environ) as model:
            schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
            reply = await model.generate("Why?", options=Options(max_tokens=20, schema=schema))
            streamed = "".join([text async for text in model.stream("Why?")])
        [asked, _] = client.upstream.exchanges
        sessions = await client.get("/v1/sessions")

    assert reply.text == streamed == "The sky is blue."
    assert [(each.usage.input_tokens, each.usage.output_tokens) for each in reply.segments] == [(5, 7)]
    assert (asked.body["max_tokens"], asked.body["response_format"]["json_schema"]["schema"]) == (20, schema)
    assert sessions == {"sessions": []}


async def test_curl_reads_the_chunks(tmp_path: Path) -> None:
    require("curl")
    async with serving(tmp_path, blue) as client:
        body = json.dumps({"model": "openai/test", "stream": True, "messages": [{"role": "user", "content": "Why?"}]})
        key = f"authorization: Bearer {TOKEN}"
        out = await run("curl", "-sN", f"{client.url}/v1/chat/completions", "-H", key, "-d", body, home=tmp_path)

    *chunks, done = [line.removeprefix("data: ") for line in out.splitlines() if line]
    deltas = [json.loads(each)["choices"][0]["delta"] for each in chunks]
    assert "".join(each.get("content", "") for each in deltas) == "The sky is blue."
    assert done == "[DONE]"


async def test_llm_asks_by_an_extra_model(tmp_path: Path) -> None:
    program = _installed("LLMTERM_TEST_LLM")
    async with serving(tmp_path, blue) as client:
        models = f"- {{model_id: served, model_name: openai/test, api_base: {client.url}/v1, api_key_name: served}}\n"
        (tmp_path / "extra-openai-models.yaml").write_text(models)
        for more in ([], ["--no-stream"]):
            words = (program, "-m", "served", "--key", TOKEN, *more, "Why?")
            assert await run(*words, home=tmp_path, LLM_USER_PATH=str(tmp_path)) == "The sky is blue.\n"


async def test_npm_package_ai_asks_for_responses_and_completions(tmp_path: Path) -> None:
    modules = _installed("LLMTERM_TEST_NODE_MODULES")
    require("node")
    async with serving(tmp_path, blue) as client:
        (tmp_path / "node_modules").symlink_to(modules)
        (tmp_path / "ask.mjs").write_text(SCRIPT)
        out = await run("node", "ask.mjs", home=tmp_path, BASE=f"{client.url}/v1", KEY=TOKEN)

    assert out == "The sky is blue. 12 The sky is blue.\n" * 2


async def test_codex_asks_for_responses(tmp_path: Path) -> None:
    """It offers tools; what it gets is words."""
    modules = _installed("LLMTERM_TEST_NODE_MODULES")
    require("node")
    async with serving(tmp_path / "served", blue) as client:
        (tmp_path / "config.toml").write_text(_codex(client))
        words = (f"{modules}/.bin/codex", "exec", "--skip-git-repo-check", "Why is the sky blue?")
        out = await run(*words, home=tmp_path, CODEX_HOME=str(tmp_path), SERVED_KEY=TOKEN)

    assert out.strip() == "The sky is blue."


@pytest.mark.parametrize("form", ["openai-chat", "open-responses"])
async def test_llm_comply_misses_tools_and_a_model_that_has_to_be_named(tmp_path: Path, form: str) -> None:
    """Tools are never called, and who names no model is answered by the usual one."""
    program = _installed("LLMTERM_TEST_LLM_COMPLY")
    async with serving(tmp_path, blue) as client:
        words = ("-u", f"{client.url}/v1", "-k", TOKEN, "-m", "openai/test", "--format", form, "--json")
        found = json.loads(await run(program, *words, home=tmp_path, well=False))["results"]

    assert {each["name"] for each in found if each["status"] == "failed"} == {"Tool Calling", "Error Handling"}
    assert len([each for each in found if each["status"] == "passed"]) >= 6


async def test_compatcanary_misses_tools(tmp_path: Path) -> None:
    modules = _installed("LLMTERM_TEST_NODE_MODULES")
    require("node")
    async with serving(tmp_path, blue) as client:
        words = ("scan", "--base-url", f"{client.url}/v1", "--model", "openai/test", "--format", "json")
        out = await run(f"{modules}/.bin/compatcanary", *words, home=tmp_path, well=False, OPENAI_API_KEY=TOKEN)

    statuses = {each["name"]: each["status"] for each in json.loads(out)["results"]}
    assert statuses.pop("Forced tool call") == "fail"
    assert set(statuses.values()) == {"pass"}
    assert len(statuses) == 6


def _codex(client: Client) -> str:
    return (
        'model = "openai/test"\nmodel_provider = "served"\n[model_providers.served]\nname = "served"\n'
        f'base_url = "{client.url}/v1"\nenv_key = "SERVED_KEY"\nwire_api = "responses"\n'
    )


def _installed(name: str) -> str:
    if not (found := os.environ.get(name, "")):
        pytest.skip(f"{name} does not say where it is")
    return found
