"""Builds the program's objects out of settings: the only place, with `cli`, where anything is constructed.

What is expensive to import is imported here, at the moment it is needed: the HTTP client with the first provider, the
prompt with the first chat.
"""

from llmterm.assembly.asking import ask
from llmterm.assembly.chatting import chat
from llmterm.assembly.debugging import debug_log
from llmterm.assembly.launch import Launch, launch, require_key, store
from llmterm.assembly.listing import models
from llmterm.assembly.pulling import pull
from llmterm.assembly.roster import registry
from llmterm.assembly.secrets import secrets_of
from llmterm.assembly.streams import notice, piped

__all__ = [
    "Launch",
    "ask",
    "chat",
    "debug_log",
    "launch",
    "models",
    "notice",
    "piped",
    "pull",
    "registry",
    "require_key",
    "secrets_of",
    "store",
]
