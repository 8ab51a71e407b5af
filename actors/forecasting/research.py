"""What is known of a market at a moment: searched for in two rounds, rated, summed up, and what like it came out before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from actors.forecasting.session import Session
from agents.forecasting import answers, prompts
from agents.forecasting.answers import BadAnswer
from agents.forecasting.journal import Basis
from agents.forecasting.prompts import Case
from agents.forecasting.records import Evidence
from agents.forecasting.spend import EMBEDDING
from agents.ports import Librarian

#: Documents less relevant than this, 0 to 1, are not shown to those that forecast.
_RELEVANT = 0.3
#: Found documents that are shown to who plans the second round, at most.
_SHOWN = 8
#: Markets like this one that are looked up.
_SIMILAR = 5


@dataclass(frozen=True, slots=True)
class Research:
    """What was found of a market at a moment, the most relevant first; it serves all recipes.

    `most` is to how many documents it was cut, or None; `notes` says what could not be searched or rated.
    """

    basis: Basis
    most: int | None = None
    notes: tuple[str, ...] = ()

    def serves(self, articles: int, since: int) -> bool:
        """Whether it is not older than `since` (venue milliseconds), and holds the best `articles` of what there was."""
        enough = self.most is None or articles <= self.most or 0 < len(self.basis.evidence) < self.most
        return self.basis.at >= since and enough

    def shown(self, articles: int) -> Basis:
        """Return it with at most so many documents."""
        return replace(self.basis, evidence=self.basis.evidence[:articles])


async def find_out(session: Session, model: str, librarian: Librarian, case: Case, *, articles: bool) -> Research:
    """Return what is known of a case; without `articles` only markets like it.

    Raises:
        Unavailable: if the model or the librarian does not answer.
    """
    similar = await librarian.similar(case.market.question, as_of=case.as_of, limit=_SIMILAR)
    known = tuple(each for each in similar if each.resolved <= case.as_of)
    if not articles:
        return Research(Basis(case.as_of, similar=known), most=0)
    first = await _round(session, model, librarian, case, ())
    second = await _round(session, model, librarian, case, first)
    found = sorted((*first, *second), key=lambda each: (-each.relevance, -each.published))
    relevant = tuple(each for each in found if each.relevance >= _RELEVANT)
    return Research(Basis(case.as_of, relevant, known), notes=tuple(session.notes))


async def _round(
    session: Session, model: str, librarian: Librarian, case: Case, before: Sequence[Evidence]
) -> tuple[Evidence, ...]:
    """Plan, search and rate once; `before` is what the round before found, which is not returned again."""
    number = 2 if before else 1
    best = sorted(before, key=lambda each: -each.relevance)[:_SHOWN]
    step = f"queries {number}"
    queries: tuple[str, ...] = ()
    try:
        queries = await session.ask(model, step, prompts.plan_queries(case, best), answers.PLAN)
    except BadAnswer as error:
        session.note(f"{step}: only the question itself was searched for, as {model} planned nothing: {error}")
    question = prompts.quoted(case.market.question, prompts.QUERY)
    # The question itself is always a query, in the first round.
    wanted = tuple(dict.fromkeys((*queries, question) if not before or not queries else queries))
    findings = await librarian.search(wanted, as_of=case.as_of, limit=2 * prompts.BATCH)
    session.count(EMBEDDING, findings.tokens, 0)
    for sentence in findings.notes:
        session.note(sentence)
    seen = {(each.url, each.title) for each in before}
    # Checked here once more: what was published later must not be read.
    fresh = [each for each in findings.evidence if each.published <= case.as_of and (each.url, each.title) not in seen]
    return await _rated(session, model, case, f"digest {number}", fresh[: prompts.BATCH])


async def _rated(session: Session, model: str, case: Case, step: str, passages: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return passages with the model's relevance and summary; where it gives none, with the search's own."""
    if not passages:
        return ()
    try:
        rated = await session.ask(model, step, prompts.digest(case, passages), answers.DIGEST)
    except BadAnswer as error:
        session.note(f"{step}: documents are shown as they were found, as {model} rated none: {error}")
        return tuple(replace(each, summary=prompts.quoted(each.summary, prompts.SUMMARY)) for each in passages)
    by_number = {each.number: each for each in rated}
    return tuple(
        replace(each, relevance=said.relevance, summary=said.summary)
        for number, each in enumerate(passages, start=1)
        if (said := by_number.get(number)) is not None and said.summary
    )
