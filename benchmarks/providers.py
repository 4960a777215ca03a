"""The CPU of a whole answer from each provider, start-up included, against a bare loop that knows the same wire.

Gemini's requests are worded by its SDK, whose import is most of what they take: no goal, only the figure, and that
against the SDK alone, which also decodes and validates each event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.answer import Recipe
from benchmarks.child import Child
from benchmarks.measure import Row, alternate, compared
from benchmarks.programs import Programs, programs

ROUNDS = 7
CHUNKS = 20_000
GOAL = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A provider over one of its wires: `base_url`, which is the server's with `path`, is a variable of its SDK.

    `said` is what its configuration says.
    """

    name: str
    provider: str
    base_url: str
    path: str = ""
    said: Mapping[str, str] = field(default_factory=dict)

    def environ(self, port: int) -> dict[str, str]:
        return {self.base_url: f"http://127.0.0.1:{port}{self.path}", f"{self.provider.upper()}_API_KEY": "none"}


SUBJECTS = (
    Subject(name="openai", provider="openai", base_url="OPENAI_BASE_URL", path="/v1"),
    Subject(name="responses", provider="openai", base_url="OPENAI_BASE_URL", path="/v1", said={"api": "responses"}),
    Subject(name="anthropic", provider="anthropic", base_url="ANTHROPIC_BASE_URL"),
    Subject(name="cohere", provider="cohere", base_url="CO_API_URL"),
    Subject(name="ollama", provider="ollama", base_url="OLLAMA_HOST"),
    Subject(name="gemini", provider="gemini", base_url="GOOGLE_GEMINI_BASE_URL"),
    Subject(name="gemini-wire", provider="gemini", base_url="GOOGLE_GEMINI_BASE_URL", said={"client": "wire"}),
)


def run() -> list[Row]:
    with programs() as subjects:
        return [row for subject in SUBJECTS for row in _rows(subject, subjects)]


def _rows(subject: Subject, subjects: Programs) -> list[Row]:
    recipe = Recipe(text="prose", chunks=CHUNKS)
    what = f"{subject.name}: {CHUNKS:,} chunks, CPU s"

    def ours() -> float:
        return _cpu(_ours(subject, subjects, recipe))

    def bare() -> float:
        return _cpu(subjects.bare(recipe, subject.name.removesuffix("-wire"), subject.path))

    if subject.name != "gemini":
        figures, baseline = alternate(ROUNDS, ours, bare)
        return [compared(what, figures, baseline, form="{:.2f}", goal=GOAL)]
    figures, baseline, sdk = alternate(ROUNDS, ours, bare, lambda: _cpu(subjects.bare_genai(recipe)))
    return [
        compared(what, figures, baseline, form="{:.2f}"),
        compared(f"{what}, against its SDK", figures, sdk, form="{:.2f}"),
    ]


def _ours(subject: Subject, subjects: Programs, recipe: Recipe) -> Child:
    env = subjects.env() | subject.environ(subjects.port)
    if subject.said:
        configuration = subjects.home / f"{subject.name}.toml"
        said = "".join(f'{name} = "{value}"\n' for name, value in subject.said.items())
        configuration.write_text(f"[providers.{subject.provider}]\n{said}", encoding="utf-8")
        env["LLMTERM_CONFIG"] = str(configuration)
    return subjects.pipe(recipe, env, "--provider", subject.provider, "--model", "test")


def _cpu(started: Child) -> float:
    with started as child:
        return child.finish().cpu
