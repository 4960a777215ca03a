"""A service of llmterm's, `llmterm serve`, as a chat uses it: its answers, its sessions, its models."""
