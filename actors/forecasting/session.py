"""The questions of one set of samples: each asked until its answer can be used, all of them counted and written down."""

import logging
from typing import Any, TypeVar

from actors.forecasting.models import CutOff, ModelDown, Models
from agents.forecasting.answers import BadAnswer, Form
from agents.forecasting.prompts import Prompt
from agents.forecasting.spend import Prices
from agents.money import Micro

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How often one question is asked again after an answer of no use.
_REPAIRS = 2


class Session:
    """Asks models for one set; `spare` is how many questions may be asked again in all, as the estimate of its cost says.

    `tokens_in`, `tokens_out` and `usd` (millionths) are what was spent so far, `prompts` what was asked, by step, and
    `notes` what did not go as it should, one sentence each.
    """

    def __init__(self, models: Models, prices: Prices, spare: int) -> None:
        self.models = models
        self.tokens_in = 0
        self.tokens_out = 0
        self.usd: Micro = 0
        self.prompts: dict[str, list[tuple[str, str]]] = {}
        self.notes: list[str] = []
        self._prices = prices
        self._spare = spare

    def note(self, sentence: str) -> None:
        """Keep a sentence, once."""
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)

    def count(self, model: str, tokens_in: int, tokens_out: int) -> None:
        """Count what a model took."""
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.usd += self._prices.of(model).of(tokens_in, tokens_out)
        self.note(self._prices.note(model) if tokens_in + tokens_out else "")

    async def ask(self, model: str, step: str, prompt: Prompt, form: Form[T]) -> T:
        """Return what a model answers in a form; `step` names the question, equal for those that differ only in chance.

        Raises:
            BadAnswer: if no answer could be used, asked again as often as is allowed.
            ModelDown: if it does not answer.
        """
        self.prompts.setdefault(step, prompt.messages)
        asked, repairs = prompt, 0
        while True:
            try:
                answer = await self.models.ask(model, asked, form)
                self.count(model, answer.tokens_in, answer.tokens_out)
                return form.read(answer.content)
            except ModelDown as error:
                self.count(model, *error.tokens)
                raise
            except BadAnswer as error:
                if isinstance(error, CutOff):
                    self.count(model, *error.tokens)
                if repairs == _REPAIRS or not self._spare:
                    raise
                log.info("%s, %s: the answer could not be used: %s", model, step, error)
                repairs += 1
                self._spare -= 1
                asked = prompt.repaired(str(error))

    def written(self) -> list[dict[str, Any]]:
        """Return what was asked, as it is logged."""
        return [
            {"step": step, "messages": [{"role": role, "content": text} for role, text in messages]}
            for step, messages in self.prompts.items()
        ]
