"""Which providers take jobs, and by which interface."""

from __future__ import annotations

from typing import NamedTuple

from llmterm.errors import UsageError
from llmterm.providers import Provider
from llmterm.providers.http import HttpProvider
from llmterm.providers.jobs import Jobs


class JobProvider(NamedTuple):
    """A provider that takes jobs, and its interface for them."""

    http: HttpProvider
    jobs: Jobs


def taking(provider: Provider) -> JobProvider:
    """Return the provider with its interface. Raises UsageError for one that has none."""
    if isinstance(provider, HttpProvider) and (jobs := _jobs(provider)) is not None:
        return JobProvider(provider, jobs)
    raise UsageError(
        f"{provider.name} takes no batches",
        hint="openai, anthropic and gemini do; without --via provider it is asked question by question",
    )


def _jobs(provider: HttpProvider) -> Jobs | None:
    match provider.name:
        case "openai":
            from llmterm.providers.jobs.openai import OpenaiJobs

            return OpenaiJobs(provider.job_api())
        case "anthropic":
            from llmterm.providers.jobs.anthropic import AnthropicJobs

            return AnthropicJobs(provider.job_api())
        case "gemini":
            from llmterm.providers.jobs.gemini import GeminiJobs

            return GeminiJobs(provider.job_api())
        case _:
            return None
