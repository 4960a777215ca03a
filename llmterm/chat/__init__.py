"""The chat: a prompt, answers that stream, and what keys and commands do to them."""
