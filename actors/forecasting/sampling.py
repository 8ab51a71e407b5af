"""Samples: several answers to one question, from several models and to both of its phrasings, blind to the price."""

import asyncio
from collections.abc import Sequence

from actors.forecasting.session import Session
from agents.errors import Unavailable
from agents.forecasting import answers, prompts
from agents.forecasting.answers import BadAnswer
from agents.forecasting.journal import Basis
from agents.forecasting.prompts import BaseRate, Case
from agents.forecasting.records import Sample


async def outside_view(session: Session, model: str, case: Case, basis: Basis) -> BaseRate | None:
    """Return how often the first outcome comes about in such cases, before any news; None if the model could not say.

    Raises:
        Unavailable: if the model does not answer.
    """
    try:
        return await session.ask(model, "base rate", prompts.base_rate(case, basis.similar), answers.BASE_RATE)
    except BadAnswer as error:
        session.note(f"base rate: there is none, {model} gave none: {error}")
        return None


async def sampled(
    session: Session, models: Sequence[str], count: int, case: Case, basis: Basis, outside: BaseRate | None
) -> tuple[Sample, ...]:
    """Return the answers that came, of `count` that were asked for by turns over the models and both phrasings.

    Raises:
        Unavailable: if fewer than half of them came.
    """
    tasks = [
        _sample(session, models[n % len(models)], n // len(models) % 2, case, basis, outside, (n + 1, count))
        for n in range(count)
    ]
    came = await asyncio.gather(*tasks, return_exceptions=True)
    samples = tuple(each for each in came if isinstance(each, Sample))
    failures = [each for each in came if isinstance(each, BaseException)]
    for failure in failures:
        if not isinstance(failure, Unavailable | BadAnswer):
            raise failure
        session.note(f"a sample is missing: {failure}")
    if 2 * len(samples) < count:
        raise Unavailable(f"only {len(samples)} of {count} samples came: {failures[-1]}")
    return samples


async def _sample(
    session: Session, model: str, index: int, case: Case, basis: Basis, outside: BaseRate | None, opinion: tuple[int, int]
) -> Sample:
    prompt = prompts.forecast(case, index, basis.evidence, outside, opinion)
    said = await session.ask(model, f"forecast of outcome {index + 1}", prompt, answers.FORECAST)
    asked = f'P("{case.market.outcomes[index]}")'
    return Sample(model, asked, said.p if index == 0 else round(1 - said.p, 6), said.reasoning)
