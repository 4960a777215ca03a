"""llama.cpp's own server with the embedded weights, on loopback: a real one that speaks OpenAI's wire and Anthropic's.

Answers have no end of their own here, and the context moves on when it is full: what ends an answer is what the
request says, or the client. That the server is at rest then means that somebody has stopped it.
"""

from __future__ import annotations

import socket
from typing import Any, Self

import httpx2

from llmterm.providers.weights import find_model

KEY = "sesame-of-the-llama"
MODEL = "smollm2"


class LlamaServer:
    """Computes one answer at a time, from the start of a `with` to its end."""

    def __init__(self, *, context: int = 1024, threads: int = 1) -> None:
        self._context = context
        self._threads = threads
        self._server: Any = None

    def __enter__(self) -> Self:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(find_model(""))
        params.model_alias = {MODEL}
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [KEY]
        params.verbosity = 0
        params.n_ctx = self._context
        params.n_parallel = 1
        params.ctx_shift = True
        params.sampling.ignore_eos = True
        params.cpuparams.n_threads = self._threads
        params.cpuparams_batch.n_threads = self._threads
        params.warmup = False
        params.fit_params = False
        self._server = xllamacpp.Server(params)
        # One that is dropped before it takes connections never comes back from that.
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        socket.create_connection((host, int(port)), timeout=60).close()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server = None  # which stops it

    @property
    def url(self) -> str:
        address: str = self._server.listening_address
        return address

    async def busy(self) -> bool:
        """Tell whether an answer is being computed (https://github.com/ggml-org/llama.cpp/tree/master/tools/server)."""
        async with httpx2.AsyncClient(timeout=60) as client:
            slots = (await client.get(f"{self.url}/slots", headers={"authorization": f"Bearer {KEY}"})).json()
        return any(slot["is_processing"] for slot in slots)
