"""What a batch would take, without asking anybody: its questions, their tokens, and what those cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from llmterm.batch.preparation import estimate
from llmterm.batch.questions import BadLine, Question
from llmterm.conversation import Conversation
from llmterm.messages import Usage
from llmterm.respondent import Respondent


class Trial:
    """Counts questions, an estimate of their tokens, and what is known of the prices.

    `most` is what the answers may cost at most, None where they have no limit, or no price is known. `share` is how
    much of its price is paid for an answer.
    """

    def __init__(self, system: str = "", *, share: float = 1.0) -> None:
        self.asked = self.bad = self.done = 0
        self.input_tokens = 0
        self.cost = 0.0
        self.most: float | None = 0.0
        self.unpriced: set[str] = set()
        self._system = system
        self._share = share

    async def run(
        self,
        questions: Iterator[Question | BadLine],
        has: Callable[[str], bool],
        choose: Callable[[str], Awaitable[Respondent]],
    ) -> None:
        """Count all of them but those that it `has`. Raises our errors, for a model that cannot be."""
        respondents: dict[str, Respondent] = {}
        for each in questions:
            if has(each.id):
                self.done += 1
            elif isinstance(each, BadLine):
                self.bad += 1
            else:
                if each.model not in respondents:
                    respondents[each.model] = await choose(each.model)
                self._add(each, respondents[each.model])

    def _add(self, question: Question, respondent: Respondent) -> None:
        system = self._system if question.system is None else question.system
        most = question.options.max_tokens or respondent.options.max_tokens
        usage = estimate(Conversation(system=system, messages=question.messages), most or 0)
        self.asked += 1
        self.input_tokens += usage.input_tokens
        cost = respondent.provider.cost(respondent.model, usage)
        if cost is None:
            self.unpriced.add(f"{respondent.provider.name}/{respondent.model}")
            return
        asking = respondent.provider.cost(respondent.model, _asking(usage.input_tokens)) or 0.0
        self.cost += asking * self._share
        self.most = self.most + (cost - asking) * self._share if self.most is not None and most else None

    def lines(self) -> list[str]:
        """Return it in words."""
        done = f"{self.done:,} done already" if self.done else ""
        bad = f"{self.bad:,} that cannot be asked" if self.bad else ""
        beside = ", ".join(filter(None, (done, bad)))
        found = [f"{self.asked:,} questions{beside and f' ({beside})'}, about {self.input_tokens:,} tokens in"]
        if self._share != 1.0:
            found.append(f"{self._share:.0%} of the price, within a day: the providers' own batches")
        if self.unpriced:
            found.append(
                f"the price of {', '.join(sorted(self.unpriced))} is not known: [providers.NAME.prices] says it"
            )
        elif self.most is None:
            found.append(f"about {self.cost:.4f} for the questions; answers without --max-tokens may cost anything")
        else:
            found.append(f"about {self.cost:.4f} for the questions, and {self.most:.4f} at most for the answers")
        return found


def _asking(tokens: int) -> Usage:
    """Return the usage of a question without its answer."""
    return Usage(input_tokens=tokens, estimated=True)
