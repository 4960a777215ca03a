"""The questions of a batch: lines of JSON, rows of a table, lines of text.

Read one after the other, so that a file of any length takes no memory. What one of them has that makes no sense is its
own failure, with its number: the others are asked all the same.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, BinaryIO, Literal, NamedTuple, TypeAlias, get_args

from llmterm.errors import UsageError
from llmterm.messages import Effort, Message, Options, Verbosity
from llmterm.template import Template

Format: TypeAlias = Literal["jsonl", "csv", "text"]

# The column that is asked where no other is named.
PROMPT = "prompt"
# Of the digest that is the id of a question without one.
_DIGITS = 16
# Characters of one value of a table: what a message may have, and more.
_MOST_CHARACTERS = 16 * 1024 * 1024
_UNREADABLE = re.compile("[\udc80-\udcff]")
_NOT_UTF8 = "it is not in UTF-8"
_SUFFIXES: Mapping[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked in a line; `model` is "" and `system` None where it says nothing of them.

    The `id` of a line that gives none is made of all that is asked in it, and of how often that was asked before.
    `files` are names of what goes along with the last message, to be read when it is asked.
    """

    line: int
    id: str
    messages: tuple[Message, ...]
    model: str = ""
    system: str | None = None
    options: Options = field(default_factory=Options)
    files: tuple[str, ...] = ()


class BadLine(NamedTuple):
    """A line that cannot be asked, and why."""

    line: int
    id: str
    problem: str


class Questions:
    """Reads a file of questions.

    `template` has `{{column}}` where a value of the row goes; without one the `column` is asked, or the message of the
    line's own. Raises UsageError for a file that is no such file.
    """

    def __init__(self, *, form: Format, template: str = "", column: str = PROMPT) -> None:
        self._form = form
        self._template = Template.of(template) if template else None
        self._column = column

    def read(self, file: BinaryIO, *, delimiter: str = ",") -> Iterator[Question | BadLine]:
        """Yield what each line asks, the first line being 1. Blank lines are none."""
        seen: dict[str, int] = {}
        unnamed = Counter[str]()
        for line, row in self._rows(file, delimiter):
            found = self._question(line, row)
            if not found.id and isinstance(found, Question):
                own = digest(found)
                unnamed[own] += 1
                found = replace(found, id=own if unnamed[own] == 1 else f"{own}-{unnamed[own]}")
            if (before := seen.setdefault(found.id, line)) != line:
                found = BadLine(line, f"{found.id}#{line}", f"the id {found.id!r} is that of line {before} too")
            yield found

    def _rows(self, file: BinaryIO, delimiter: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        """Yield the rows with their numbers; what is wrong with one is a text."""
        match self._form:
            case "jsonl":
                for line, text in _lines(file):
                    yield line, _NOT_UTF8 if _UNREADABLE.search(text) else _object(text)
            case "text":
                for line, text in _lines(file):
                    yield line, _NOT_UTF8 if _UNREADABLE.search(text) else {self._column: text, PROMPT: text}
            case "csv":
                yield from self._table(file, delimiter)

    def _table(self, file: BinaryIO, delimiter: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        csv.field_size_limit(_MOST_CHARACTERS)
        # What is not in UTF-8 is found in its row, and named.
        text = (raw.decode("utf-8" if number else "utf-8-sig", "surrogateescape") for number, raw in enumerate(file))
        rows = csv.DictReader(text, delimiter=delimiter)
        names = rows.fieldnames or []
        if self._template is None and self._column not in names:
            raise UsageError(
                f"there is no column {self._column!r}",
                hint=f"--column or --template names one of: {', '.join(names) or 'none is there'}",
            )
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield rows.line_num, f"it is no row of a table: {error}"
                continue
            if None in row:  # where the csv module puts what is too much
                yield rows.line_num, f"it has more values than the {len(names)} columns of the first line"
            elif any(_UNREADABLE.search(value) for value in row.values() if value):
                yield rows.line_num, _NOT_UTF8
            else:
                yield rows.line_num, {name: value or "" for name, value in row.items()}

    def _question(self, line: int, row: Mapping[str, Any] | str) -> Question | BadLine:
        if isinstance(row, str):
            return BadLine(line, str(line), row)
        given = row.get("id")
        key = str(given) if isinstance(given, str | int) else ""
        try:
            return Question(
                line=line,
                id=key,
                messages=self._messages(row),
                model=_text(row, "model"),
                system=_text(row, "system") or None,
                options=_options(row) if self._form == "jsonl" else Options(),
                files=tuple(_texts(row, "attachments")) if self._form == "jsonl" else (),
            )
        except _BadRowError as error:
            return BadLine(line, key or str(line), str(error))

    def _messages(self, row: Mapping[str, Any]) -> tuple[Message, ...]:
        if self._template is not None:
            return (_asked(_filled(self._template, row)),)
        if self._form == "jsonl" and "messages" in row:
            return _conversation(row["messages"])
        if self._column not in row:
            wanted = f"{self._column!r}" if self._column != PROMPT else "'prompt' and no 'messages'"
            raise _BadRowError(f"it has no {wanted}")
        return (_asked(_text(row, self._column)),)


def digest(question: Question) -> str:
    """Return what tells a question from all others: another answer is not that to it."""
    options = question.options
    asked = [
        [[message.role, message.text] for message in question.messages],
        [question.model, question.system, options.temperature, options.max_tokens, options.seed],
        question.files,
        *_newer(question.options),
    ]
    return sha256(json.dumps(asked).encode()).hexdigest()[:_DIGITS]


def _newer(options: Options) -> list[object]:
    """Return what is said of the options that earlier programs did not know: nothing where that is nothing."""
    said = {name: getattr(options, name) for name, _ in _OPTIONS[3:]}
    return [said] if any(each is not None for each in said.values()) else []


class _BadRowError(Exception):
    """What is wrong with a row."""


def format_of(name: str) -> Format:
    """Return what a file of that name has in it: questions, a line each, where the name says nothing else."""
    return _SUFFIXES.get(name[name.rfind(".") :].lower() if "." in name else "", "text")


def _filled(template: Template, row: Mapping[str, Any]) -> str:
    values = {name: row[name] for name in template.names if name in row}
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }
    try:
        return template.text(texts)
    except KeyError as error:
        there = ", ".join(map(str, row)) or "none"
        raise _BadRowError(f"there is no column {error.args[0]!r} (there are: {there})") from None


def _lines(file: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    for line, raw in enumerate(file, 1):
        if text := raw.decode("utf-8-sig" if line == 1 else "utf-8", "surrogateescape").strip():
            yield line, text


def _object(text: str) -> Mapping[str, Any] | str:
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"it is no JSON: {error}"
    except RecursionError:
        return "it is no JSON that can be read: it is nested too deeply"
    return value if isinstance(value, dict) else "it is no JSON object"


def _asked(text: str) -> Message:
    if not text.strip():
        raise _BadRowError("there is no question in it")
    return Message(role="user", text=text)


def _conversation(given: object) -> tuple[Message, ...]:
    if not isinstance(given, list) or not given:
        raise _BadRowError("'messages' is no list of messages")
    said = tuple(map(_message, given))
    if said[-1].role != "user":
        raise _BadRowError("the last of 'messages' is not the user's")
    return said


def _message(given: object) -> Message:
    if not isinstance(given, dict):
        raise _BadRowError("a message is an object with 'role' and 'content'")
    role, content = given.get("role"), given.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str):
        raise _BadRowError("the 'content' of a message is no text (what is attached has its names in 'attachments')")
    match role:
        case "system" | "user" | "assistant":
            return Message(role=role, text=content)
        case _:
            raise _BadRowError(f"there is no role {role!r} (system, user or assistant)")


def _options(row: Mapping[str, Any]) -> Options:
    said = {name: row[name] for name, _ in _OPTIONS if row.get(name) is not None}
    for name, right in _OPTIONS:
        if name in said and not right(said[name]):
            raise _BadRowError(f"{name!r} is {said[name]!r}")
    return Options(**said)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _whole(value: object) -> bool:
    return isinstance(value, int) and _number(value)


# Of a line, and what is right for each. Those from the fourth on came later.
_OPTIONS: Sequence[tuple[str, Callable[[Any], bool]]] = (
    ("temperature", _number),
    ("max_tokens", _whole),
    ("seed", _whole),
    ("effort", get_args(Effort).__contains__),
    ("top_p", lambda value: _number(value) and value <= 1),
    ("verbosity", get_args(Verbosity).__contains__),
    ("service_tier", lambda value: isinstance(value, str)),
    ("web_search", lambda value: isinstance(value, bool)),
)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise _BadRowError(f"{name!r} is no text")
    return value or ""


def _texts(row: Mapping[str, Any], name: str) -> Sequence[str]:
    value = row.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _BadRowError(f"{name!r} is no list of names of files")
    return value
