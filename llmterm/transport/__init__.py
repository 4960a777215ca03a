"""HTTP and what makes it bearable: timeouts, retries, limits, errors in plain words, sockets that close at once."""

from llmterm.redaction import redact
from llmterm.transport.body import Embedded
from llmterm.transport.breaker import Breaker
from llmterm.transport.call import Call, Method
from llmterm.transport.client import FrameStream, Transport, in_time
from llmterm.transport.endpoint import Endpoint
from llmterm.transport.failures import QUOTA_HINT, error_words, refused
from llmterm.transport.keys import KeyRing
from llmterm.transport.limits import RateLimits
from llmterm.transport.proxies import Proxies
from llmterm.transport.quota import codes, used_up
from llmterm.transport.retry import RetryPolicy
from llmterm.transport.reuse import again_if_stale

__all__ = [
    "QUOTA_HINT",
    "Breaker",
    "Call",
    "Embedded",
    "Endpoint",
    "FrameStream",
    "KeyRing",
    "Method",
    "Proxies",
    "RateLimits",
    "RetryPolicy",
    "Transport",
    "again_if_stale",
    "codes",
    "error_words",
    "in_time",
    "redact",
    "refused",
    "used_up",
]
