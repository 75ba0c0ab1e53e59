"""Three plain forecasts that know no more than the record of the day: what a model must beat to be worth its name.

===========  =================================================  ================================================
name         events and waiting times                           size of a fine
===========  =================================================  ================================================
pooled       one constant hazard per target                     lognormal of all fines
by_class     a hazard per authority class, shrunk to the pool   lognormal per instrument, shrunk to the pool
incidence    cumulative incidence given the months lived        past shares of ceiling, or of turnover, or amounts
===========  =================================================  ================================================

A *target* is a family of events; ``order``: an order of any scope; or ``decision``: a fine, commitments or a closure.
Closing competes throughout: what has not come when a proceeding closes never comes. A closing that is itself an event
of the target is no competitor. All counts are of days with an event, from the day after a proceeding's first known step
on (`forecast.evidence.episodes`), and time at risk ends where nobody looked any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import norm
from scipy.stats import t as student

from forecast.evidence.episodes import episodes, months_between
from forecast.observations import ceiling, instrument, latest_turnover
from forecast.record import Record
from forecast.regime import Regime
from forecast.vocabulary import CLOSING_FAMILIES, FAMILIES

BASELINES = ("pooled", "by_class", "incidence")
DECISION, ORDER = "decision", "order"
ORDERS = tuple(family for family in FAMILIES if family.startswith(f"{ORDER}."))
TARGETS = {**{family: (family,) for family in FAMILIES}, ORDER: ORDERS, DECISION: CLOSING_FAMILIES}
"""Target -> the families of which any event counts."""
ASKED = tuple(dict.fromkeys(ORDER if family in ORDERS else family for family in FAMILIES))
"""The families with orders of every scope as one: the scope of an order is seldom recorded."""
QUANTILES = 1000
"""Equally likely values that stand for a distribution."""
_STRENGTHS = (1e-2, 1e4)
"""Least and greatest prior shape of ``by_class``; at the greatest one all classes are alike."""
_GRID = 2000
"""Steps in which a waiting time is resolved up to its horizon."""


class Life(NamedTuple):
    """One proceeding as known at the origin; ages in months since it opened."""

    authority_class: str
    entry: float
    end: float
    is_closed: bool
    events: tuple[tuple[int, float], ...]
    """Family index and age of every event."""

    def ages(self, target: str) -> list[float]:
        """Return the ages, in order and each once, at which an event of the target came."""
        own = {FAMILIES.index(family) for family in TARGETS[target]}
        return sorted({age for family, age in self.events if family in own})

    def is_closed_without(self, target: str) -> bool:
        """Return whether the proceeding closed on a day that saw no event of the target."""
        return self.is_closed and self.end not in self.ages(target)


def lives_of(record: Record, origin: date, regime: Regime) -> dict[str, Life]:
    """Return every proceeding that is known and observed by the end of ``origin``, by ``case_id``."""
    lives = {}
    for own in episodes(record.as_of(origin).in_force(), regime, origin):
        if own.is_observed:
            entry, end = (months_between(own.opened, day) for day in (own.entry, own.end))
            events = tuple((h.family, months_between(own.opened, h.day)) for h in own.happened if h.day > own.entry)
            lives[own.case_id] = Life(regime.class_names[own.authority_class], entry, end, not own.is_open, events)
    return lives


class Pair(NamedTuple):
    """Hazards per month: of the target, and of a closing without it."""

    event: float
    closing: float

    def within(self, months: np.ndarray) -> np.ndarray:
        """``P(T <= t) = a / (a + b) (1 - exp(-(a + b) t))``: the target comes by then, and before a closing."""
        total = self.event + self.closing
        return -self.event / total * np.expm1(-total * np.asarray(months, float))


@dataclass(frozen=True)
class Curve:
    """Cumulative incidence of the target after a gap, closing competing: Aalen-Johansen, as statsmodels has it.

    ``times``: months since entry or the target's last event; ``event``, ``closing``: incidence by then; ``gaps``: all
    gaps, in order, ended or not.
    """

    times: np.ndarray
    event: np.ndarray
    closing: np.ndarray
    gaps: np.ndarray

    def within(self, months: np.ndarray, lived: float, pooled: Pair) -> np.ndarray:
        """Return ``P(gap <= lived + t | gap > lived)``, with one observation of the pooled hazard added.

        ``(F(lived + t) - F(lived)) / S(lived)``; beyond the longest gap the pooled hazard goes on. The pooled hazard
        counts as one gap beside those that outlived ``lived``, so no probability is ever 0.
        """
        plain = pooled.within(months)
        outlived = len(self.gaps) - int(np.searchsorted(self.gaps, lived, side="right"))
        if not outlived:
            return plain
        then = lived + np.asarray(months, float)
        event, closing = self._at(self.event), self._at(self.closing)
        left = 1 - event(lived) - closing(lived)
        last = self.gaps[-1]
        tail = (1 - event(last) - closing(last)) * pooled.within(np.maximum(then - last, 0.0))
        return (outlived * (event(then) - event(lived) + tail) / left + plain) / (outlived + 1)

    def _at(self, incidence: np.ndarray):
        steps = np.concatenate([[0.0], incidence])
        return lambda t: steps[np.searchsorted(self.times, t, side="right")]


class Rates(NamedTuple):
    """What the three baselines know of one target."""

    pooled: Pair
    by_class: Mapping[str, Pair]
    incidence: Curve


@dataclass(frozen=True)
class Baselines:
    """The three baselines at one origin. ``strength``: prior shape of ``by_class``, estimated from the record."""

    lives: Mapping[str, Life]
    rates: Mapping[str, Rates]
    strength: float

    def within(self, name: str, target: str, case: str, months: np.ndarray | float) -> np.ndarray:
        """Return the probability that the target comes in a proceeding within so many months of the origin.

        ``name``: one of ``BASELINES``; ``target``: one of ``TARGETS``; ``case``: a proceeding known at the origin.
        """
        life, rates = self.lives[case], self.rates[target]
        if name == "pooled":
            return rates.pooled.within(np.asarray(months))
        if name == "by_class":
            return rates.by_class.get(life.authority_class, rates.pooled).within(np.asarray(months))
        lived = life.end - max([life.entry, *life.ages(target)])
        return rates.incidence.within(np.asarray(months), lived, rates.pooled)

    def waits(self, name: str, target: str, case: str, horizon: float) -> np.ndarray:
        """Return ``QUANTILES`` equally likely waiting times, months; infinite beyond ``horizon`` or if it never comes.

        Resolved to 1/2000 of the horizon.
        """
        grid = np.linspace(0.0, horizon, _GRID + 1)
        reached = np.searchsorted(self.within(name, target, case, grid), _midpoints(), side="left")
        return np.concatenate([grid, [np.inf]])[reached]


def fit_baselines(record: Record, origin: date, regime: Regime) -> Baselines:
    """Return the baselines from what was public by the end of ``origin``.

    pooled: ``rate = (N + 1/2) / T``, N events in T months at risk of all proceedings, at least one.
    by_class: ``(a + N_k) / (a / rate + T_k)`` in class k, the posterior mean under a gamma prior of mean ``rate`` and
    shape ``a``; one ``a`` for all targets maximises the negative binomial likelihood of all counts by class and family.
    incidence: one curve of all gaps between events of the target.
    """
    lives = lives_of(record, origin, regime)
    kinds = sorted({life.authority_class for life in lives.values()})
    exposed = np.array([sum(x.end - x.entry for x in lives.values() if x.authority_class == k) for k in kinds])
    counted = {target: _counts(lives.values(), kinds, target) for target in TARGETS}
    pools = {t: Pair(*((c.sum() + 0.5) / max(exposed.sum(), 1.0) for c in counted[t])) for t in TARGETS}
    cells = np.stack([counted[family][0] for family in ASKED], axis=1)
    strength = _strength(cells, exposed, np.array([pools[family].event for family in ASKED]))
    rates = {}
    for target, pool in pools.items():
        both = zip(counted[target], pool, strict=True)
        shrunk = [(strength + count) / (strength / rate + exposed) for count, rate in both]
        by_class = {k: Pair(float(a), float(b)) for k, a, b in zip(kinds, *shrunk, strict=True)}
        rates[target] = Rates(pool, by_class, _curve(lives.values(), target))
    return Baselines(lives, rates, strength)


def _counts(lives: Iterable[Life], kinds: list[str], target: str) -> tuple[np.ndarray, np.ndarray]:
    """Return days with an event of the target, and closings without one, by class."""
    events, closings = np.zeros(len(kinds)), np.zeros(len(kinds))
    for life in lives:
        k = kinds.index(life.authority_class)
        events[k] += len(life.ages(target))
        closings[k] += life.is_closed_without(target)
    return events, closings


def _strength(counts: np.ndarray, exposed: np.ndarray, rates: np.ndarray) -> float:
    """Return the gamma shape that makes the counts (class, family) likeliest, the rates of families given."""
    lived = exposed > 0
    if not lived.any():
        return _STRENGTHS[1]
    minus = partial(_minus_log_likelihood, n=counts[lived], mean=exposed[lived, None] * rates)
    return float(np.exp(minimize_scalar(minus, bounds=np.log(_STRENGTHS), method="bounded").x))


def _minus_log_likelihood(log_shape: float, n: np.ndarray, mean: np.ndarray) -> float:
    """Negative binomial of the given means and one shape, up to a constant of the counts."""
    a = np.exp(log_shape)
    terms = gammaln(a + n) - gammaln(a) - a * np.log1p(mean / a) - n * np.log(a + mean)
    return -float(terms.sum())


def _curve(lives: Iterable[Life], target: str) -> Curve:
    """Return the incidence of all gaps, from entry or an event of the target to the next one, a closing, or today."""
    from statsmodels.duration import survfunc  # type: ignore[import-untyped] # noqa: PLC0415  (heavy)

    found = []
    for life in lives:
        starts = [life.entry, *life.ages(target)]
        found += [(b - a, 1) for a, b in pairwise(starts)]
        found += [(life.end - starts[-1], 2 if life.is_closed_without(target) else 0)]
    gaps = np.array([(gap, status) for gap, status in found if gap > 0]).reshape(-1, 2)
    if not len(gaps):
        return Curve(*[np.zeros(0)] * 4)
    unit = np.ones(len(gaps))  # with weights it computes no standard errors
    fitted = survfunc.CumIncidenceRight(gaps[:, 0], gaps[:, 1].astype(int), freq_weights=unit)
    causes = [*fitted.cinc, *[np.zeros(len(fitted.times))] * 2]  # those that never came are not returned
    return Curve(fitted.times, causes[0], causes[1], np.sort(gaps[:, 0]))


def fine_sizes(known: Record, case: str) -> dict[str, np.ndarray]:
    """Return equally likely log amounts (EUR) of a proceeding's next fine by baseline, each in order.

    ``known``: the record as of the origin, without superseded events. Past fines of all matters count, each once.
    pooled: Student's t, the predictive distribution of a normal of unknown mean and spread. by_class: normal, the mean
    of the instrument shrunk to the pool by between- and within-variances (DerSimonian and Laird 1986,
    doi:10.1016/0197-2456(86)90046-2). incidence: the shares of the ceiling that past fines were, times this
    proceeding's ceiling and latest turnover; of turnover alone where the law sets no ceiling; past amounts where no
    turnover is known. A baseline with fewer than two fines to learn from is empty.
    """
    fines = known.fines.loc[known.fines["amount_eur"] > 0]
    row = known.proceedings.set_index("case_id").loc[case]
    logs, names = np.log(fines["amount_eur"].to_numpy(float)), [instrument(i) for i in fines["instrument"]]
    if len(logs) < 2:
        return {name: np.zeros(0) for name in BASELINES}
    spread = logs.std(ddof=1) * np.sqrt(1 + 1 / len(logs))
    loc, scale = _shrunk(logs, np.array(names), instrument(row["instrument"]))
    return {
        "pooled": logs.mean() + spread * student.ppf(_midpoints(), len(logs) - 1),
        "by_class": loc + scale * norm.ppf(_midpoints()),
        "incidence": np.sort(_like_past(known, fines, row, logs)),
    }


def _like_past(known: Record, fines, row, logs: np.ndarray) -> np.ndarray:
    """Return log amounts as past fines would be here, by share of ceiling and turnover where they are known."""
    latest = latest_turnover(known, row["provider_group"])
    cap = ceiling(known, row["instrument"], row["jurisdiction"])
    of_turnover = (fines["amount_eur"] / fines["turnover_eur"]).to_numpy(float)
    of_ceiling = of_turnover / fines["legal_cap_fraction"].to_numpy(float)
    shares = of_turnover if cap is None else of_ceiling
    shares = np.log(shares[np.isfinite(shares)])
    if latest is None or len(shares) < 2:
        return logs
    return shares + np.log(latest["turnover_eur"]) + (0.0 if cap is None else np.log(cap))


def _shrunk(values: np.ndarray, groups: np.ndarray, own: str) -> tuple[float, float]:
    """Return mean and sd of the next value of a group: one-way random effects, moment estimates."""
    labels, index = np.unique(groups, return_inverse=True)
    counts = np.bincount(index)
    means = np.bincount(index, values) / counts
    freedom = len(values) - len(labels)
    pooled = values.mean()
    if freedom < 1 or len(labels) < 2:
        return float(pooled), float(values.std(ddof=1))
    within = ((values - means[index]) ** 2).sum() / freedom
    excess = (counts * (means - pooled) ** 2).sum() - (len(labels) - 1) * within
    between = max(excess / (len(values) - (counts**2).sum() / len(values)), 0.0)
    if between == 0:
        return float(pooled), float(values.std(ddof=1))
    precision = 1 / (between + within / counts)
    centre = (precision * means).sum() / precision.sum()
    n = counts[labels == own].sum()
    weight = between / (between + within / n) if n else 0.0
    mean = weight * means[labels == own].sum() + (1 - weight) * centre
    return float(mean), float(np.sqrt(within + (1 - weight) * between))


def _midpoints() -> np.ndarray:
    return (np.arange(QUANTILES) + 0.5) / QUANTILES
