"""`python -m llmterm`."""

from llmterm.cli import main

if __name__ == "__main__":
    main()
