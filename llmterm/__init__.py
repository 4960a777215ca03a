"""llmterm: a chat with language models that can be paused in the middle of an answer."""

__version__ = "0.1.0"
