"""One list while it is made, and one list when it is finished: what the steps of the pipeline read and write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from recommendations.core.chance import Chance
from recommendations.core.deadline import Deadline
from recommendations.core.strategies import Strategy
from recommendations.core.types import NOTHING_RANKED, FallbackReason, Ranked, RequestUser, RowArray, Stage
from recommendations.exceptions import RecommendationError
from recommendations.pipeline.eligibility import Eligibility
from recommendations.pipeline.explanation import Explanation
from recommendations.pipeline.fusion import NO_VOTES, Votes
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.rules.applying import ActiveRules
from recommendations.pipeline.rules.base import Pin
from recommendations.retrieval.base import ServingContext


class Step(StrEnum):
    """The steps of the pipeline, in their order."""

    FEATURES = "features"
    CANDIDATES = "candidates"
    FILTER = "filter"
    RANK = "rank"
    RULES = "rules"
    DIVERSITY = "diversity"
    FILL = "fill"
    EXPLAIN = "explain"


CANDIDATE_FIELDS: Final = ("candidates", "weights", "fusion_k", "order", "unlearned", "problem")
"""What the step ``CANDIDATES`` writes; no rule has a part in it."""

RANK_FIELDS: Final = ("eligibility", "fused", "ranked")
"""What the steps ``FILTER`` and ``RANK`` write; of rules, only those have a part in it that keep items out."""


@dataclass(slots=True, kw_only=True)
class PipelineState:
    """One list while it is made. Each step reads what earlier ones wrote and writes its own group of fields.

    Attributes
    ----------
    shown : collection of int
        Rows in other lists of the same page: not shown twice.
    step : Step
        The one that runs now; an error names it.
    strategy, about, page_row, is_of_user, active : features
        What the list goes with, newest first and repeats kept (training counted them, too); the row of the page's
        item; whether the rows come from the user's history and not only from the request; the rules that apply.
    candidates, weights, fusion_k, order, unlearned, problem : candidates
        What each source proposed, and its weight; the order of the ranker, where it was asked; for each row of the
        user's history that is newer than the model, its position from the end; why the model was not asked, or did
        not answer.
    eligibility, votes, fused, ranked, stands_for : filter, rank
        Everything that sources proposed, source by source and fused; then what may be shown, in the order of the
        ranker; the row in whose place another variant of its product stands, by that variant's row.
    boosted, used_rules, pins : rules
    chosen : diversity
    rows, n_own, drawn_from, filled, replacements : fill
        The list; how many of its rows the strategy itself found; from how many new items chance drew, 0 where it had
        no part; why the other ones are there; the rule by which a row stands in another's place.
    reasons, stage, fallback_reason, explanation : explain
    """

    query: ListQuery
    user: RequestUser
    context: ServingContext
    deadline: Deadline
    shown: Collection[int] = ()
    step: Step = Step.FEATURES

    strategy: Strategy = field(init=False)
    about: tuple[int, ...] = ()
    page_row: int | None = None
    is_of_user: bool = False
    active: ActiveRules = field(init=False)

    candidates: Mapping[str, Ranked] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    fusion_k: float = 10.0
    order: RowArray | None = None
    unlearned: Mapping[int, int] = field(default_factory=dict)
    problem: FallbackReason | None = None

    eligibility: Eligibility = field(init=False)
    votes: Votes = NO_VOTES
    fused: Ranked = NOTHING_RANKED
    ranked: Ranked = NOTHING_RANKED
    stands_for: dict[int, int] = field(default_factory=dict)
    boosted: Ranked = NOTHING_RANKED
    used_rules: Sequence[int] = ()
    pins: Sequence[Pin] = ()
    chosen: Ranked = NOTHING_RANKED

    rows: tuple[int, ...] = ()
    n_own: int = 0
    drawn_from: int = 0
    filled: dict[int, str] = field(default_factory=dict)
    replacements: dict[int, int] = field(default_factory=dict)

    reasons: tuple[str, ...] = ()
    stage: Stage = Stage.EMPTY
    fallback_reason: FallbackReason | None = None
    failed_step: Step | None = None
    explanation: Explanation | None = None

    def origins(self, row: int) -> Iterator[int]:
        """Yield a row, and the rows in whose place it stands: the variant chosen before it, what a source proposed."""
        yield row
        while row in self.stands_for:
            row = self.stands_for[row]
            yield row


@dataclass(slots=True, kw_only=True)
class ListResult:
    """One finished list.

    Attributes
    ----------
    rows : tuple of int
        Rows of the catalogue, in the order of the page.
    reasons : tuple of str
        The source that contributed most to each item's score, or a ``retrieval.sources.Reason``.
    rule_ids : tuple of int
        Rules that had an effect.
    failed_step : Step, optional
        The step that raised an error, where the fallback reason is ``pipeline_error``.
    is_passing : bool
        A source that may answer the next time did not: written by ``serving.service``, which does not keep the list.
    chance : Chance, optional
        What chance had to do with it, where it can be told.
    cards : bytes
        The items as the usual reply holds them, a JSON array; written by ``serving.response``.
    digest : int
        Of the items' ids, for the reply's id; written by ``serving.response``.
    """

    query: ListQuery
    rows: tuple[int, ...]
    reasons: tuple[str, ...]
    stage: Stage
    fallback_reason: FallbackReason | None
    model_version: str
    variant: str
    rule_ids: tuple[int, ...] = ()
    failed_step: Step | None = None
    explanation: Explanation | None = None
    is_passing: bool = False
    chance: Chance | None = None
    cards: bytes = b""
    digest: int = 0


class PipelineError(RecommendationError):
    """A step of the pipeline failed; ``pipeline.recover`` returns what can be had without it.

    Attributes
    ----------
    state : PipelineState
        As far as it got; ``state.step`` is the step that failed.
    """

    def __init__(self, state: PipelineState) -> None:
        super().__init__(f"step {state.step!r} failed for placement {state.query.placement.name!r}")
        self.state = state
