"""`python -m llmterm`, and the command `llmterm`."""

from llmterm.loading import loading

with loading():
    from llmterm.cli import main

if __name__ == "__main__":
    main()
