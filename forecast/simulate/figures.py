"""What a world holds besides events in proceedings: sizes of fines, appeals, users, turnover, openings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import truncnorm

from forecast.elicitation import lognormal_from_range
from forecast.simulate.design import Design
from forecast.simulate.story import Event
from forecast.vocabulary import FAMILIES, OPERATIONAL_SCOPES

STUDENT_DF = 4
UPHELD, REDUCED, ANNULLED = range(3)
Truth = Mapping[str, np.ndarray]
"""Parameters or effects of one world by name, without an axis of draws."""
Span = tuple[float, float]


@dataclass(frozen=True)
class Appeal:
    """What became of one fine: when an appeal was filed and ruled on (months since ``as_of``), and how."""

    filed: float
    ruled: float
    outcome: int
    kept: float

    @property
    def share(self) -> float:
        """The share of the fine that the ruling leaves."""
        return (1.0, self.kept, 0.0)[self.outcome]


@dataclass(frozen=True)
class Figures:
    """Everything drawn beside the events.

    ``size``, ``bare_size``, ``turnover``: as in ``Observations``. ``rulings``: the reference decisions'. ``users``:
    changes of counts as in ``Observations``, with the month of publication as a last column. ``propensity``,
    ``openings``: of each designated provider, and the months of its new proceedings. ``amount``, ``scope``: of the
    focal matter's fines and orders after ``as_of``; ``appeal``: of all its fines.
    """

    size: np.ndarray
    bare_size: np.ndarray
    turnover: np.ndarray
    rulings: tuple[Appeal, ...]
    users: np.ndarray
    propensity: np.ndarray
    openings: tuple[np.ndarray, ...]
    amount: Mapping[Event, float]
    scope: Mapping[Event, int]
    appeal: Mapping[Event, Appeal]


def draw_figures(
    design: Design,
    truth: Truth,
    effects: Truth,
    scenario: int,
    events: list[Event],
    months: tuple[float, float],
    rng: np.random.Generator,
) -> Figures:
    """Draw all figures of a world whose events are known: openings up to the first of ``months``, users to the last."""
    origin, end = months
    o, n_focal = design.observations, design.exposure.n_focal
    focal = [e for e in events if e.row < n_focal]
    news = [e for e in focal if e.time > 0]
    mean = truth["size_mean"] + effects["instrument"][o.size_instrument]
    propensity = rng.gamma(np.exp(truth["log_opening_shape"]), size=len(o.opening_providers))
    propensity /= np.exp(truth["log_opening_shape"])
    return Figures(
        size=rng.normal(mean, np.exp(truth["log_size_spread"])),
        bare_size=rng.normal(truth["bare_size"][0], truth["bare_size"][1], len(o.bare_size)),
        turnover=rng.normal(truth["log_turnover"], o.turnover_sd),
        rulings=tuple(_appeal(design, truth, when, rng, known=True) for when in design.decided),
        users=_users(design, truth, effects, scenario, end, rng),
        propensity=propensity,
        openings=tuple(
            _openings(design, truth, provider, k, events, origin, rng)
            for provider, k in zip(o.opening_providers, propensity, strict=True)
        ),
        amount={e: _amount(design, truth, scenario, e, rng) for e in news if FAMILIES[e.family] == "fine"},
        scope={
            e: int(rng.choice(len(OPERATIONAL_SCOPES), p=_scopes(design, scenario)))
            for e in news
            if FAMILIES[e.family] == "order"
        },
        appeal={e: _appeal(design, truth, e.time, rng) for e in focal if FAMILIES[e.family] == "fine"},
    )


def _scopes(design: Design, scenario: int) -> np.ndarray:
    chances = np.exp(design.constants.log_scope[:, scenario])
    return chances / chances.sum()


def _amount(design: Design, truth: Truth, scenario: int, event: Event, rng: np.random.Generator) -> float:
    """Draw a focal fine, EUR: the brief's range of its scenario, in euros cut off at its ceiling."""
    ceiling = design.rows[event.row].cap * float(np.exp(truth["log_turnover"]))
    loc, sd = design.constants.fine_loc[scenario], design.constants.fine_sd[scenario]
    if design.specification.fines.reading == "eur":
        return float(np.exp(truncnorm.rvs(-np.inf, (np.log(ceiling) - loc) / sd, loc, sd, random_state=rng)))
    return float(expit(rng.normal(loc, sd))) * ceiling


def _appeal(design: Design, truth: Truth, decided: float, rng: np.random.Generator, *, known: bool = False) -> Appeal:
    """Draw what becomes of a fine decided at a moment; of a reference decision (``known``) no filing date matters."""
    appeals = design.specification.appeals
    starts = np.array([phase.from_months for phase in appeals.ruling_rate])
    filed = rng.random() < truth["appeal_probability"]
    delay = 0.0 if known else rng.lognormal(*lognormal_from_range(*_bounds(appeals.delay)))
    need, wait = rng.exponential(), 0.0
    for rate, low, high in zip(truth["ruling_rate"], starts, [*starts[1:], np.inf], strict=True):
        if need <= rate * (high - low):  # the unit exponential is used up in this phase
            wait = low + need / rate
            break
        need -= rate * (high - low)
    outcome = int(rng.choice(3, p=truth["ruling_outcome"]))
    kept = float(expit(rng.normal(*truth["kept"])))
    if not filed:
        return Appeal(np.inf, np.inf, outcome, kept)
    return Appeal(decided + delay, decided + max(wait, delay), outcome, kept)


def _bounds(stated: Any) -> tuple[float, float, float]:
    return stated.low, stated.high, stated.mass


def _users(
    design: Design, truth: Truth, effects: Truth, scenario: int, months: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw every log change: drift, attrition accrued in the focal series since ``as_of``, heavy-tailed noise."""
    spec, o = design.specification, design.observations
    known = o.users[o.users[:, 5] == 0]
    rows = [[0.0, gap, service, 0.0, 0.0, 0.0, -np.inf] for _, gap, service, *_ in known]
    to_come, published = design.user_news(months)
    if len(to_come) and spec.users is not None:
        own = set(design.record.users.loc[design.record.users["series_id"] == spec.users.series, "service"])
        service = float(o.services.index(own.pop()))
        half = spec.impacts.half_life.value if spec.impacts else np.inf
        felt = accrued(np.maximum(to_come, 0.0), half)
        rows += [
            [0.0, after - before, service, *part, 1.0, day]
            for (before, after), part, day in zip(to_come, felt, published, strict=True)
        ]
    users = np.array(rows, dtype=float).reshape(-1, 7)
    lost = effects["attrition"][scenario]
    drift = effects["drift"][users[:, 2].astype(int)] * users[:, 1]
    felt = np.log1p(-lost * users[:, 4]) - np.log1p(-lost * users[:, 3])
    noise = np.exp(truth["log_user_noise"]) * np.sqrt(users[:, 1]) * rng.standard_t(STUDENT_DF, len(users))
    users[:, 0] = drift + felt + noise
    return users


def accrued(months: np.ndarray, half_life: float) -> np.ndarray:
    """Return the part of an impact that is felt so many months after ``as_of``: half of it after a half-life."""
    return 1 - 0.5 ** (months / half_life)


def raised(design: Design, provider: str, events: Sequence[Event], until: float) -> list[Span]:
    """Return when a provider's rate of new openings is raised by what happened ``until`` a moment: disjoint spans."""
    openings = design.specification.openings
    own = {i: row for i, row in enumerate(design.rows) if row.group == provider}
    times = [t for row in own.values() for t in row.raising]
    times += [e.time for e in events if e.row in own and e.time <= until and FAMILIES[e.family] in openings.raised_by]
    return union([(t, t + openings.raised_months.value) for t in times])


def union(spans: list[Span]) -> list[Span]:
    """Return the union of spans as disjoint ones, in order."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def lasting(spans: list[Span], start: float, end: float) -> float:
    """Return the months of disjoint spans that lie between two moments."""
    return sum(max(0.0, min(b, end) - max(a, start)) for a, b in spans)


def _openings(
    design: Design,
    truth: Truth,
    provider: str,
    propensity: float,
    events: list[Event],
    months: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw when proceedings open against a provider: a Poisson process at its highest rate, thinned to its own."""
    start, end = design.designated[provider]
    end = min(end, months)
    rate, factor = propensity * np.exp(truth["log_opening_rate"]), np.exp(truth["log_raised"])
    top, spans = max(1.0, float(factor)), raised(design, provider, events, months)
    times = rng.uniform(start, max(end, start), rng.poisson(rate * top * max(end - start, 0.0)))
    now = np.array([factor if _within(t, spans) else 1.0 for t in times])
    return np.sort(times[rng.random(len(times)) * top < now]) if len(times) else times


def _within(time: float, spans: list[Span]) -> bool:
    return any(a < time <= b for a, b in spans)
