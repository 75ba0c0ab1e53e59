"""The predictive density of every set of events in the focal matter on one day, after silence up to it.

A set has at most one event in each open proceeding. On one day no event changes what another finds, for the state of a
proceeding counts as it stood at the start of the day. So with q of the set's events the matter's first ones of stated
families, in intervals g(e), and all its events at the reference hazards h(e) (see `forecast.model.focal`),

    log p(set, silence | s) = log p(silence | s) + sum_e log h(e) + sum over the q of log m[g(e), s]
                              + log Gamma(k + q) - log Gamma(k) - q log rate[s]

where ``k`` and ``rate`` are those of the tempo after the silence. Sizes of fines are left open. Thousands of sets cost
no more than sums over the stored draws.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from scipy.special import gammaln, logsumexp

from forecast.evidence.cells import Piece, covariates
from forecast.gathered import Evidence
from forecast.hypotheses.suppositions import Supposed
from forecast.inference import Draws
from forecast.model.hazards import log_hazards
from forecast.vocabulary import FAMILIES, FAMILY_TYPES, ORDER_TYPES

LARGEST = 3
"""Most events of a set."""
AT_ONCE = 3_000_000
"""Numbers of an array that are held at once."""


@dataclass(frozen=True)
class EventSets:
    """What the density of any set needs, by draw and scenario.

    ``candidates``: events, in the order of their proceedings' names: of two first events of a family on one day the
    likelihood takes the first by name. ``silent``: ``log p(s, silence up to the day | known, theta)``, shape draw,
    scenario. ``hazard``: log reference hazard, candidate, draw. ``stated``: whether a candidate can be the first of a
    stated family; ``multiplier``: log ``m`` where it can, else 0, candidate, draw, scenario. ``tempo``: what q first
    events add, q, draw, scenario. ``case``, ``family``: indices of each candidate's.
    """

    candidates: tuple[Supposed, ...]
    silent: np.ndarray = field(repr=False)
    hazard: np.ndarray = field(repr=False)
    multiplier: np.ndarray = field(repr=False)
    tempo: np.ndarray = field(repr=False)
    stated: np.ndarray = field(repr=False)
    case: np.ndarray = field(repr=False)
    family: np.ndarray = field(repr=False)

    @property
    def silence(self) -> np.ndarray:
        """Probability of each scenario if nothing comes up to the day."""
        weight = np.exp(self.silent - self.silent.max()).sum(axis=0)
        return weight / weight.sum()

    def of_size(self, size: int) -> np.ndarray:
        """Return every set of so many events, at most one in each proceeding, shape set, element; indices rise."""
        sets = np.array(list(itertools.combinations(range(len(self.candidates)), size))).reshape(-1, size)
        case = self.case[sets]
        return sets[(case[:, 1:] != case[:, :-1]).all(axis=1)]  # candidates stand in the order of their proceedings

    def evaluate(self, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``p(s | set)`` (set, scenario) and the log predictive density of each set over that of silence.

        ``sets``: set, element; indices of candidates, rising. Densities are per month for each event.
        """
        rows = max(AT_ONCE // self.silent.size, 1)
        parts = [self._evaluate(sets[k : k + rows]) for k in range(0, len(sets), rows)]
        if not parts:
            return np.zeros((0, self.silent.shape[1])), np.zeros(0)
        share, total = (np.concatenate(column) for column in zip(*parts, strict=True))
        return share, total - logsumexp(self.silent)

    def _evaluate(self, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = self.family[sets]
        again = (own[:, :, None] == own[:, None, :]) & np.tri(sets.shape[1], k=-1, dtype=bool)
        leads = self.stated[sets] & ~again.any(axis=2)
        log_joint = self.silent + self.tempo[leads.sum(axis=1)]
        for j, event in enumerate(sets.T):
            log_joint += self.hazard[event][..., None] + leads[:, j, None, None] * self.multiplier[event]
        top = log_joint.max(axis=(1, 2), keepdims=True)
        by_scenario = np.exp(log_joint - top).sum(axis=1)
        whole = by_scenario.sum(axis=1)
        return by_scenario / whole[:, None], np.log(whole) + top[:, 0, 0]


def event_sets(known: Draws, silent: Evidence) -> EventSets:
    """Return the terms of every open focal proceeding and family on the origin of ``silent``.

    ``known``: draws with the evidence that they were sampled with; ``silent``: the same with nothing else up to a day.
    """
    draws, day, regime = Draws(silent, known.flat), silent.origin.toordinal(), silent.regime
    news, data = draws.news, silent.hazards.news
    if news is None or data is None:
        raise ValueError("an origin from the brief on was expected")
    lives = sorted((life for life in silent.focal if life.at_risk), key=lambda life: life.case_id)
    pieces = [Piece(i, e.authority_class, e.tags, e.opened, day - 1, day, e.last) for i, e in enumerate(lives)]
    parameters = {k: known.flat[k] for k in ("rate", "powers", "stage", "age", "law", "trend")}
    hazard = log_hazards(parameters, covariates(pieces, regime), regime)
    case, family = (grid.ravel() for grid in np.indices((len(lives), len(FAMILIES))))
    group = np.array([-1 if data.first[f] else _group(silent, f) for f in range(len(FAMILIES))])[family]
    multiplier = np.log(np.moveaxis(news.multiplier, 1, 0))[group]
    multiplier[group < 0] = 0.0
    q = np.arange(LARGEST + 1)[:, None, None]
    was = logsumexp(known.log_news + known.evidence.log_pi, axis=1) + known.by_matter.sum(axis=1)
    return EventSets(
        candidates=tuple(
            _event(silent.origin, lives[c].case_id, FAMILIES[f], regime.class_names[lives[c].authority_class])
            for c, f in zip(case, family, strict=True)
        ),
        silent=draws.log_news + silent.log_pi + (draws.by_matter.sum(axis=1) - was)[:, None],
        hazard=hazard[:, case, family].T,
        multiplier=multiplier,
        tempo=gammaln(news.shape + q) - gammaln(news.shape) - q * np.log(news.rate),
        stated=group >= 0,
        case=case,
        family=family,
    )


def _group(evidence: Evidence, family: int) -> int:
    """Return the interval of the statements in which a first event of a family on the origin lies, -1 for none."""
    statements, day = evidence.statements, evidence.origin.toordinal()
    begun = (g for g in statements.of_family(family) if statements.first_day(statements.groups[g]) < day)
    return max(begun, default=-1)


def _event(day: date, case: str, family: str, authority_class: str) -> Supposed:
    """Return a representative event of a family: charges by a prosecutor, fines of any size."""
    if FAMILY_TYPES[family] == ORDER_TYPES:
        return Supposed(day, case, "compliance_order", family.removeprefix("order."))
    return Supposed(day, case, FAMILY_TYPES[family][family == "findings" and authority_class == "criminal"])
