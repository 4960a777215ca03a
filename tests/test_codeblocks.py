"""The code of an answer, as it is copied: fenced blocks, wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmterm.openblock import CodeBlock, code_blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("only `code` inline and ```this```", []),
        ("    indented code is not copied", []),
        ("```python\nx = 1\n\ny = 2\n```\n", [("python", "x = 1\n\ny = 2")]),
        ("```\na\n```\nand\n~~~sh\nb\n~~~", [("", "a"), ("sh", "b")]),
        ("``` c++ with words\nx\n```", [("c++", "x")]),
        ("```\n```", [("", "")]),
        ("```\n\n```", [("", "")]),
        ("````md\n```\nx\n```\n````", [("md", "```\nx\n```")]),
        ("~~~\n```\n~~~", [("", "```")]),
        ("- item\n  ```py\n  if x:\n      y\n  ```", [("py", "if x:\n    y")]),
        ("1. ```py\n   x\n\n   y\n   ```", [("py", "x\n\ny")]),
        ("- a\n  - b\n    ```\n    x\n    ```\n", [("", "x")]),
        ("> ```py\n> x\n>\n>   y\n> ```", [("py", "x\n\n  y")]),
        ("> > ```\n> > x\n> > ```", [("", "x")]),
        ("  ```\n  a\n b\nc\n  ```", [("", "a\nb\nc")]),
        ("text\n```js\nlet x", [("js", "let x")]),
        ("text\n```js\nlet x\n", [("js", "let x\n")]),
        ("text\n```", [("", "")]),
        ("```py\r\nx\r\ny\r\n```\r\ntext\r\n```\r\nz\r\n```", [("py", "x\ny"), ("", "z")]),
    ],
)
def test_blocks_of_an_answer(text: str, blocks: list[tuple[str, str]]) -> None:
    """In lists and quotes without what belongs to those; one that is open at the end is one, too."""
    assert code_blocks(text) == [CodeBlock(language, code) for language, code in blocks]


@given(st.text(), st.sampled_from(["", "py", "c++"]), st.sampled_from(["`", "~"]), st.text("ab\n", max_size=5))
def test_fenced_text_comes_back(code: str, language: str, mark: str, before: str) -> None:
    """Any text in a fence that it cannot close, after any words: the same text, line ends aside."""
    code = code.replace("\r", "")
    fence = mark * (3 + code.count(mark))

    assert code_blocks(f"{before}\n{fence}{language}\n{code}\n{fence}\n") == [CodeBlock(language, code)]


@given(st.text("ab \n", max_size=30), st.integers(0, 4))
def test_indented_fence_takes_its_indentation_off(code: str, indent: int) -> None:
    """As in a list: every line as deep as the fence."""
    lines = ["```py", *code.split("\n"), "```"]

    [block] = code_blocks("\n".join(" " * indent + line for line in lines))

    assert block == CodeBlock("py", code)


@given(st.text("`~>-. 1\nab\r"))
def test_any_text_has_its_blocks(text: str) -> None:
    """Hostile markdown is no error."""
    assert isinstance(code_blocks(text), list)
