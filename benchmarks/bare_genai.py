"""Gemini's other baseline: its SDK and standard output, with nothing around them.

`python -m benchmarks.bare_genai URL`, with the question on standard input.
"""

import asyncio
import sys

from google import genai
from google.genai import types


async def main(url: str) -> None:
    client = genai.Client(
        vertexai=False, api_key="none", http_options=types.HttpOptions(base_url=url, api_version="v1")
    )
    async for chunk in await client.aio.models.generate_content_stream(model="test", contents=sys.stdin.read()):
        if chunk.text:
            sys.stdout.write(chunk.text)
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
