"""What a forecast would say had only some of the new events come: the value of a subset, on one set of draws.

The log-likelihood is a sum over matters, so an event touches its own matter's term alone; the focal matter's events
also change where it stands, and its future is simulated anew from there, with the same random numbers. What a subset
leaves as it was is not computed twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache

import numpy as np

from forecast.attribution import shapley
from forecast.attribution.bridge import Bridge, effective
from forecast.attribution.subsets import Growth, Newcomer, of_matters
from forecast.attribution.valuation import Ranked, rank, value
from forecast.conjugate import draw_conjugate
from forecast.exposure import build_exposure
from forecast.inference import Draws, Evidence, gather
from forecast.likelihood import other_data
from forecast.observations import Observations, observe
from forecast.outcomes import imagine, inside_weights, outside_weights
from forecast.parameters import log_prior, parameters
from forecast.record import Record
from forecast.specification import Specification
from forecast.summaries import targets
from forecast.updating import total_log_likelihood
from forecast.watchlist import focal_statute

KEPT_COURSES = 48
"""Simulated futures kept in memory; each takes some megabytes."""


@dataclass(frozen=True)
class Pool:
    """Draws of every fit at hand, side by side: parameters by name (draw, ...), and the weights that they can take.

    ``wider`` is the record whose names are the coordinates of all of them, ``targets`` what is valued.
    """

    flat: Mapping[str, np.ndarray]
    bridge: Bridge
    wider: Record
    targets: tuple[str, ...]
    seed: int

    def worth(self, weights: np.ndarray) -> float:
        """Return how many equally weighted draws weights are worth; copies of one draw are one."""
        return effective(np.bincount(self._original, weights))

    @cached_property
    def _original(self) -> np.ndarray:
        return np.unique(self.flat["log_turnover"], return_inverse=True)[1]

    def draws(self, evidence: Evidence) -> Draws:
        """Return the draws in the light of some evidence; conjugate parts are drawn from it, always the same way."""
        n, rng = len(self.bridge.block), np.random.default_rng([self.seed, 7])
        exact = draw_conjugate(evidence.specification, evidence.observations, n, rng)
        return Draws(evidence, {**self.flat, **exact})


def log_density(draws: Draws) -> np.ndarray:
    """Return ``log p(theta) + log p(all data | theta)`` of each draw, up to a constant."""
    return _log_prior(draws) + total_log_likelihood(draws)


def _log_prior(draws: Draws) -> np.ndarray:
    table = parameters(draws.evidence.specification, draws.evidence.coords)
    terms = log_prior({name: draws.flat[name] for name in table}, table)
    return sum((term.reshape(len(draws), -1).sum(axis=1) for term in terms.values()), np.zeros(len(draws)))


class Game:
    """The value of every subset of ``players``, seen from ``origin``, with figures as they were public by ``figures``.

    All other newcomers of the growth are absent, except ``present`` ones. ``moved``: the day to which the clock is put
    forward, as if everything stood where it stood: what was seen stays what it was at ``origin``.
    """

    def __init__(
        self,
        specification: Specification,
        growth: Growth,
        pool: Pool,
        origin: date,
        figures: date,
        players: Collection[Newcomer] = (),
        present: Collection[Newcomer] = (),
        moved: date | None = None,
    ):
        self.specification, self.growth, self.pool = specification, growth, pool
        self.origin, self.moved = origin, moved
        self._public = growth.public(figures)
        self.players = list(players)
        self._values: dict[frozenset[int], tuple[np.ndarray, float]] = {}
        self._seen: dict[frozenset[int], Observations] = {}
        self._absent = [n for n in growth.newcomers if n not in set(present) | set(players)]
        self._focal = specification.matter
        self._touched = {p.matter for p in players} | {self._focal}
        self._watched = [i for i, p in enumerate(self.players) if self._is_observed(i)]
        self._own = [i for i, p in enumerate(self.players) if p.matter == self._focal or i in self._watched]
        empty = pool.draws(gather(specification, self.record(frozenset()), origin, wider=pool.wider))
        terms = empty.matters.marginal(empty.effects["log_weight"], empty.evidence.constants.log_pi)
        rest = [name not in self._touched for name in empty.evidence.exposure.matters]
        self._rest = _log_prior(empty) + terms[:, rest].sum(axis=1)
        self._course = lru_cache(KEPT_COURSES)(self._simulated)
        self._term = lru_cache(None)(self._matter_term)
        self._other = lru_cache(None)(self._other_term)

    def record(self, subset: frozenset[int]) -> Record:
        """Return the record in which of the players only ``subset`` came."""
        gone = [p for i, p in enumerate(self.players) if i not in subset]
        return self.growth.without([*self._absent, *gone], self._public)

    def value(self, subset: frozenset[int]) -> np.ndarray:
        """Return the quantities of ``valuation``, shape row, quantity."""
        return self._valued(subset)[0]

    def effective(self, subset: frozenset[int]) -> float:
        """Return how many equally weighted draws the subset's weights are worth."""
        return self._valued(subset)[1]

    @property
    def valued(self) -> int:
        """How many subsets were valued so far."""
        return len(self._values)

    def seconds(self, spent: list[float]) -> float:
        """Return about how long all subsets take, from the seconds that each player cost in order of arrival.

        A player of the focal matter needs a future of its own with every subset of such players; others do not.
        """
        own = [s for i, s in enumerate(spent) if i in self._own]
        rest = [s for i, s in enumerate(spent) if i not in self._own]
        each = sum(rest) / len(rest) if rest else 0.0
        future = max(sum(own) / len(own) - each, 0.0) if own else 0.0
        return shapley.subsets(len(own)) * future + shapley.subsets(len(spent)) * each

    @property
    def weakest(self) -> frozenset[int]:
        """The valued subset that the draws reach worst."""
        return min(self._values, key=self.effective)

    def _valued(self, subset: frozenset[int]) -> tuple[np.ndarray, float]:
        if subset not in self._values:
            weights = self.pool.bridge.weights(self.log_density(subset))
            chances, _, future = self._course(subset & frozenset(self._own))
            self._values[subset] = value(chances, future, weights), self.pool.worth(weights[0])
        return self._values[subset]

    def log_density(self, subset: frozenset[int]) -> np.ndarray:
        """Return ``log p(theta) + log p(data | theta)`` of each draw, had only ``subset`` come, up to a constant."""
        total = self._rest + self._other(subset & frozenset(self._watched))
        total = total + self._course(subset & frozenset(self._own))[1]
        for matter in self._touched - {self._focal}:
            own = frozenset(i for i in subset if self.players[i].matter == matter)
            total = total + self._term(matter, own)
        return total

    def _is_observed(self, player: int) -> bool:
        """Whether the observations beside the matters change with a player: openings, sizes, appeals, closings.

        Alone, beside all others, beside those of its own proceeding, and beside each of these.
        """
        everyone = frozenset(range(len(self.players)))
        own = frozenset(i for i in everyone - {player} if self.players[i].case == self.players[player].case)
        beside = {frozenset(), everyone - {player}, own, *(frozenset({other}) for other in own)}
        return any(not _same(self._observed(s), self._observed(s | {player})) for s in beside)

    def _observed(self, subset: frozenset[int]) -> Observations:
        if subset not in self._seen:
            self._seen[subset] = observe(self.record(subset), self.specification, self.origin, self.pool.wider)
        return self._seen[subset]

    def _evidence(self, subset: frozenset[int], matters: set[str]) -> Evidence:
        providers = tuple(self.pool.wider.proceedings["provider_group"])
        known = of_matters(self.record(subset), matters)
        exposure = build_exposure(known, self.specification, self.origin, providers)
        return Evidence(self.specification, exposure, self._observed(subset & frozenset(self._watched)))

    def _matter_term(self, matter: str, subset: frozenset[int]) -> np.ndarray | float:
        evidence = self._evidence(subset, {self._focal, matter})
        if matter not in evidence.exposure.matters:
            return 0.0
        draws = self.pool.draws(evidence)
        place = evidence.exposure.matters.index(matter)
        return draws.matters.marginal(draws.effects["log_weight"], evidence.constants.log_pi)[:, place]

    def _other_term(self, subset: frozenset[int]) -> np.ndarray:
        draws = self.pool.draws(self._evidence(subset, {self._focal}))
        return sum(other_data(draws.flat, draws.effects, draws.evidence.observations).values(), np.zeros(len(draws)))

    def _simulated(self, subset: frozenset[int]) -> tuple[dict[str, np.ndarray], np.ndarray, Ranked]:
        """Return scenario probabilities by draw, the focal matter's log-likelihood, and its simulated future."""
        evidence = self._evidence(subset, {self._focal})
        draws = self.pool.draws(evidence)
        term = draws.matters.marginal(draws.effects["log_weight"], evidence.constants.log_pi)[:, 0]
        outside = outside_weights(draws)
        chances = {"view": inside_weights(draws) if evidence.exposure.inside else outside, "outside": outside}
        ahead = draws if self.moved is None else self.pool.draws(put_forward(evidence, self.moved))
        law = focal_statute(ahead, self.record(subset))
        rng = np.random.default_rng([self.pool.seed, 3])
        future = targets(imagine(ahead, law.ceilings, law.instruments, rng))
        return chances, term, rank(future, self.pool.targets)


def put_forward(evidence: Evidence, day: date) -> Evidence:
    """Return the evidence with the clock at ``day``: older proceedings, nothing seen since, silence included."""
    x, o = evidence.exposure, evidence.observations
    ahead = replace(x, origin=day)
    months = ahead.elapsed - x.elapsed
    left = np.where(o.opening_raised_left < 0, -1.0, np.maximum(o.opening_raised_left - months, 0.0))
    waited = tuple(t + months for t in o.unappealed_fines)
    return replace(
        evidence,
        exposure=replace(ahead, age=x.age + months),
        observations=replace(o, opening_raised_left=left, unappealed_fines=waited),
    )


def _same(one: Observations, other: Observations) -> bool:
    return all(np.array_equal(v, getattr(other, k)) for k, v in vars(one).items())
