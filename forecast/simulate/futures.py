"""What a forecast made at a world's origin is asked about, as it truly turns out: every target at every horizon."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.special import expit

from forecast.elicitation import logitnormal_from_range, lognormal_from_range
from forecast.simulate.figures import accrued, lasting, raised, union
from forecast.simulate.observed import observations_of
from forecast.simulate.story import Event
from forecast.simulate.worlds import World
from forecast.vocabulary import FAMILIES, OPERATIONAL_SCOPES, SCENARIOS

DECISIVE = ("executive", "order", "suspension", "fine", "commitments")
"""Families of which any event ends the waiting for the resolution rule's first answer; so does the last closing."""


def true_targets(world: World, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the true value of every target by its name in a forecast's tables, one per horizon.

    A date that does not come by the last horizon is infinite; the largest of no fines is 0. ``rng`` draws what no
    record shows: the market's noise, advertising revenue, and openings after the origin.
    """
    return {**_events(world), **_resolutions(world), **_fines(world), **_costs(world, rng), **_openings(world, rng)}


def _horizons(world: World) -> tuple[int, ...]:
    return world.design.specification.horizons


def _focal(world: World) -> list[Event]:
    return [e for e in world.events if e.row < world.design.exposure.n_focal]


def _all_closed(world: World) -> float:
    """Return when the last focal proceeding closed, in months since ``as_of``; those never observed do not count."""
    rows = world.design.rows[: world.design.exposure.n_focal]
    return max(world.closed[r] for r, row in enumerate(rows) if row.is_observed)


def _events(world: World) -> dict[str, np.ndarray]:
    """First event of each stated kind after the origin, the last closing after it, the first appeal after it."""
    origin, closed = world.months, _all_closed(world)
    first = dict.fromkeys(("findings", "executive", "order", "suspension", "fine", "commitments"), np.inf)
    for event in reversed(_focal(world)):
        if event.time > origin and FAMILIES[event.family] in first:
            first[FAMILIES[event.family]] = event.time - origin
    first["closure"] = closed - origin if closed > origin else np.inf
    first["appeal"] = min([a.filed - origin for a in world.figures.appeal.values() if a.filed > origin], default=np.inf)
    found, horizons = {}, _horizons(world)
    for name, when in first.items():
        found[f"event:{name}"] = np.array([float(when <= h) for h in horizons])
        found[f"months_to:{name}"] = np.array([when if when <= h else np.inf for h in horizons])
    return found


def _resolutions(world: World) -> dict[str, np.ndarray]:
    """What the resolution rule says at each horizon, from all events since ``as_of`` and within the rule's months."""
    horizons = _horizons(world)
    answers = [_resolved(world, world.months + h, is_last=h == horizons[-1]) for h in horizons]
    return {
        f"resolved_scenario:{name}": np.array([float(a == name) for a in answers]) for name in (*SCENARIOS, "pending")
    }


def _resolved(world: World, until: float, *, is_last: bool) -> str:
    rule, figures = world.design.specification.resolution, world.figures
    until = min(until, rule.months.value)
    seen = [e for e in _focal(world) if 0 < e.time <= until]
    families = {FAMILIES[e.family] for e in seen}
    scopes = {OPERATIONAL_SCOPES[figures.scope[e]] for e in seen if e in figures.scope}
    together = rule.crackdown.together
    if (
        families & {*rule.crackdown.families}
        or scopes & {*rule.crackdown.order_scopes}
        or (together and families >= {*together})
    ):
        return "crackdown"
    fines = sum(figures.amount[e] for e in seen if e in figures.amount)
    if fines >= rule.significant.fine_total.value or scopes & {*rule.significant.order_scopes}:
        return "significant"
    return "limited" if is_last or families & {*DECISIVE} or _all_closed(world) <= until else "pending"


def _fines(world: World) -> dict[str, np.ndarray]:
    """Fines imposed after the origin, their largest, and what rulings known by each horizon leave of them."""
    f, origin, turnover = world.figures, world.months, float(np.exp(world.truth["log_turnover"]))
    ahead = {e: amount for e, amount in f.amount.items() if e.time > origin}
    imposed, largest, left = [], [], []
    for h in _horizons(world):
        upto = {e: amount for e, amount in ahead.items() if e.time <= origin + h}
        gone = sum(a * (1 - f.appeal[e].share) for e, a in upto.items() if f.appeal[e].ruled <= origin + h)
        imposed.append(sum(upto.values()))
        largest.append(max(upto.values(), default=0.0))
        left.append(imposed[-1] - gone)
    return {
        "fine_imposed": np.array(imposed),
        "fine_imposed_share": np.array(imposed) / turnover,
        "fine_largest": np.array(largest),
        "fine_left": np.array(left),
        "fine_left_share": np.array(left) / turnover,
    }


def _costs(world: World, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What the matter costs beside fines; nothing where the prior file states no impacts."""
    spec, fixed = world.design.specification, world.design.constants
    if spec.impacts is None:
        return {}
    half, horizons = spec.impacts.half_life.value, np.array(spec.horizons, dtype=float)
    score = fixed.impact_cholesky @ world.truth["impact_score"]
    full = fixed.impact_loc[:, world.scenario] + fixed.impact_sd[:, world.scenario] * score
    attrition, decline, spending = expit(full[0]), expit(full[1]), np.exp(full[2])
    felt, before = accrued(world.months + horizons, half), float(accrued(np.array(world.months), half))
    grid = np.linspace(0.0, horizons[-1], 6001)
    running = accrued(world.months + grid, half) / 12  # accrued by then, summed over years
    years = np.array([np.trapezoid(running[grid <= h], grid[grid <= h]) for h in horizons])
    steps = np.diff([0.0, *horizons]) / 12
    walk = np.cumsum(rng.normal(size=len(steps)) * np.sqrt(steps))
    volatility = spec.impacts.volatility.value
    market = np.exp(volatility * walk - volatility**2 * horizons / 24)
    lost = attrition * _advertising(world, rng) * years
    return {
        "valuation_change": (1 - decline * felt) / (1 - decline * before) * market - 1,
        "user_attrition": attrition * felt,
        "moderation_spending": spending * felt,
        "total_cost": _fines(world)["fine_left"] + spending * years + lost,
    }


def _advertising(world: World, rng: np.random.Generator) -> float:
    stated = world.design.specification.advertising
    if stated is None:
        return 0.0
    revenue, share = stated.revenue, stated.region_share
    drawn = rng.normal(*logitnormal_from_range(share.low, share.high, share.mass))
    return float(rng.lognormal(*lognormal_from_range(revenue.low, revenue.high, revenue.mass)) * expit(drawn))


def _openings(world: World, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """New proceedings after the origin: against the focal provider, and against the other designated ones.

    As the forecast has it, the focal rate is raised by what comes in the focal matter, the others' for what is left of
    a raised time and then for the share of time that all have been raised so far.
    """
    design, o = world.design, observations_of(world, world.months)
    spec = design.specification
    edges = np.array([0.0, *spec.horizons])
    usual, factor = np.exp(world.truth["log_opening_rate"]), np.exp(world.truth["log_raised"])
    shape = np.exp(world.truth["log_opening_shape"])
    often = o.opening_months[:, 1].sum() / max(o.opening_months.sum(), 1e-9)
    propensity, spans, others = float(rng.gamma(shape) / shape), [], np.zeros(len(spec.horizons))
    for p, provider in enumerate(o.opening_providers):
        left = o.opening_raised_left[p]
        if provider == spec.provider_group:
            propensity = float(world.figures.propensity[p])
            spans = raised(design, provider, world.events, world.months)
        elif left >= 0:
            high = np.diff(np.minimum(edges, left) + often * np.maximum(edges - left, 0.0))
            expected = world.figures.propensity[p] * usual * (np.diff(edges) - high + factor * high)
            others += np.cumsum(rng.poisson(expected))
    width = spec.openings.raised_months.value
    names = [e for e in _focal(world) if e.time > world.months and FAMILIES[e.family] in spec.openings.raised_by]
    spans = union([*spans, *((e.time, e.time + width) for e in names)])
    high = np.array([lasting(spans, world.months + a, world.months + b) for a, b in pairwise(edges)])
    own = np.cumsum(rng.poisson(propensity * usual * (np.diff(edges) - high + factor * high)))
    return {"openings_member_states": own.astype(float), "openings_other_platforms": others}
