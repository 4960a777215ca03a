"""What the embedded model is asked: prose, lists, tables, code, and other languages than English."""

from __future__ import annotations

PROMPTS = (
    "Write a long story about a fox who crosses a frozen river.",
    "Explain how a bicycle stays upright.",
    "Describe the water cycle to a child.",
    "Why is the sky blue in the day and red in the evening?",
    "Write a letter to a friend about a rainy week at the sea.",
    "Write a poem of four verses about autumn.",
    "List ten fruits, each with a short remark.",
    "Give me a numbered list of steps to repair a flat tyre.",
    "Make a packing list for a week in the mountains, with nested bullet points.",
    "Name the planets in order, one on each line, with one fact about each.",
    "Write a checklist for moving to a new flat.",
    "Make a markdown table of five countries with capital, language and population.",
    "Make a markdown table that compares tea and coffee in taste, price and caffeine.",
    "Write a timetable for a school day as a markdown table.",
    "Make a markdown table of the first ten square numbers.",
    "Write a Python function that reverses a linked list, with a docstring.",
    "Write a Python class for a bank account, with type hints.",
    "Write an HTML page with a heading, a paragraph and a list.",
    "Write a shell script that renames all .txt files in a folder to .md.",
    "Write a JSON object that describes a book, with nested author and chapters.",
    "Schreibe eine kurze Geschichte über eine Katze im Schnee.",
    "Raconte l'histoire d'un boulanger qui perd sa recette.",
    "Escribe una lista de cinco consejos para aprender a nadar.",
    "Descrivi una giornata al mercato di un piccolo paese.",
)
# Asked while an answer is paused: one in the words that many of the prompts begin with, one in others.
OTHERS = ("Write a haiku about a bicycle.", "What is the capital of Portugal?")
