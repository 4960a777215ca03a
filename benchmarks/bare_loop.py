"""The baseline: an HTTP client, a JSON parser and standard output, with nothing around them."""

import asyncio
import json
import os
import sys

import httpx2


async def main() -> None:
    body = {"model": "test", "stream": True, "messages": [{"role": "user", "content": sys.stdin.read()}]}
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    async with httpx2.AsyncClient() as client, client.stream("POST", url, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                choices = json.loads(line[6:])["choices"]
                if choices and (text := choices[0]["delta"].get("content")):
                    sys.stdout.write(text)
                    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
