"""Which event moved a forecast by how much: the way from one forecast to a later one, in bars that sum to the whole.

Every step of the way (``steps``) is valued on one set of draws with common random numbers (``game``, ``bridge``). *The
clock*: later horizons, as if everything stood where it stood. *Silence*: no new event by the later origin. *Figures*:
users, turnover, rulings, closings without an event. *Events* share what they move together as Shapley values
(``shapley``), exactly up to ten of them; beside it stands what each added in order of arrival. The last bar, *error*,
is what the reported numbers differ from the valued ones by Monte Carlo error at both ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from forecast.attribution.bridge import BLOCKS, Bridge
from forecast.attribution.game import Game, Pool, log_density
from forecast.attribution.shapley import MOST_EXACT
from forecast.attribution.steps import Bar, Way, origin_of, reported
from forecast.attribution.subsets import Growth
from forecast.attribution.valuation import error, smooth
from forecast.files import InputError, Problem
from forecast.forecasting import Forecast
from forecast.inference import MIN_ESS, Compiled, converged, gather
from forecast.progress import report, working
from forecast.updating import settings_of, stored, widened

MOST_FITS = 3
"""Fits that may be added where the draws of the two forecasts do not reach what lies between them."""

LEAST_OVERLAP = 0.03
"""Below it draws of different fits hardly connect; a limit of our own."""

LEAST_OF_SUBSETS = 100
"""Fewest effective draws of any subset of new events: enough for an error of its own by leaving out blocks."""

EXACT = 1e-6
"""Nats by which the ends of the way may differ from the densities of the two forecasts."""

FEW_DRAWS = 2400
"""Draws of each fit that are used where thousands of subsets are to be valued; all of them otherwise."""


@dataclass(frozen=True)
class Explanation:
    """Why a later forecast says something else than an earlier one.

    ``table``: one row per quantity and bar: ``target, scenario, horizon_months, statistic, unit, before, after, kind,
    bar, order_free, order_free_se, arrival, arrival_se``; over the bars of a quantity ``order_free`` and ``arrival``
    each sum to ``after - before``. ``events``: the new events by bar. ``checks``: fits pooled, their overlap, the
    smallest effective number of draws, the largest error in standard errors beside its limit.
    """

    table: pd.DataFrame
    events: pd.DataFrame
    checks: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"<Explanation of {self.after['matter']} from {self.before['origin']} to {self.after['origin']}, "
            f"{len(self.events)} new events>"
        )

    @property
    def manifest(self) -> dict[str, Any]:
        """What both forecasts were made from, and the checks."""
        return {"labels": self.after["labels"], "before": self.before, "after": self.after, "checks": self.checks}

    def of(
        self, target: str, scenario: str = "all", horizon: int | None = None, statistic: str | None = None
    ) -> pd.DataFrame:
        """Return the bars of one quantity: of a target, or with ``view`` or ``outside`` of a scenario.

        Default: the last horizon, and the first statistic of the target (its mean, a scenario's probability).
        Raises ``InputError`` with what there is where nothing fits.
        """
        rows, asked = self.table, {"target": target, "scenario": scenario, "horizon_months": horizon}
        for column, wanted in {**asked, "statistic": statistic}.items():
            there = rows[column].unique().tolist()
            chosen = wanted if wanted is not None else there[-1 if column == "horizon_months" else 0]
            if chosen not in there:
                options = ", ".join(map(str, there))
                raise InputError(Problem(f"{column} {chosen!r}", f"is not among the quantities; one of {options}"))
            rows = rows.loc[rows[column] == chosen]
        return rows.reset_index(drop=True)

    def leading(self, most: int) -> list[str]:
        """Return the events that move the scenarios of the forecast's view most, in probability.

        Order-free, or in order of arrival where only that was valued.
        """
        t = self.table
        own = t.loc[(t["target"] == "view") & (t["statistic"] == "probability") & (t["kind"] == "event")]
        moved = own["order_free"].fillna(own["arrival"]).abs().groupby(own["bar"]).sum()
        return moved.nlargest(most).index.tolist()

    def merged(self, bars: pd.DataFrame, most: int) -> pd.DataFrame:
        """Return the bars of one quantity, all but the leading events summed into one, where the last of them stood.

        Its errors are the sums of theirs: the most that they can be, for all bars share their draws.
        """
        other = (bars["kind"] == "event") & ~bars["bar"].isin(self.leading(most))
        if other.sum() < 2:
            return bars
        rest = bars.loc[other].iloc[-1:].copy()
        for column in ("order_free", "arrival"):
            rest[column] = bars.loc[other, column].sum(min_count=1)
            rest[f"{column}_se"] = bars.loc[other, f"{column}_se"].sum(min_count=1)
        rest["bar"] = f"{other.sum()} other events"
        return pd.concat([bars.loc[~other], rest]).sort_index().reset_index(drop=True)


@working("Explaining")
def explain(before: Forecast, after: Forecast, *, order_free: bool = True) -> Explanation:
    """Return the bars from ``before`` to ``after``: two forecasts of one matter, the second no earlier than the first.

    Draws of both are pooled; where they do not reach a step between (fewer effective draws than ``MIN_ESS``, hardly
    overlapping fits, or an error bar beyond its limit), the model is fitted there and its draws join the pool.
    ``order_free=False`` does without the Shapley values, for which very many subsets of events may have to be valued:
    ``order_free`` of events is missing then. Raises ``InputError`` if the two cannot be compared, and
    ``NotConvergedError`` if such a fit does not converge.
    """
    _require_comparable(before, after)
    growth = Growth(before.record, after.record, origin_of(before))
    fits = [_stored(before, after), _stored(after, after)]
    compiled: list[Compiled] = []
    most = FEW_DRAWS if order_free and len(growth.newcomers) > MOST_EXACT // 2 else len(fits[0].raw["log_turnover"])
    while True:
        way = Way(before, after, growth, _pool([f.thinned(most) for f in fits], before, after))
        checks, last = _checks(way, MIN_ESS), len(fits) == 2 + MOST_FITS
        if last or not checks["failures"]:
            bars, reached = way.bars(order_free=order_free), checks["failures"]
            checks = _checks(way, LEAST_OF_SUBSETS)
            checks["failures"] = list(dict.fromkeys([*reached, *checks["failures"]]))
            if last or not checks["failures"]:
                return _explanation(way, bars, checks)
        report(f"Fitting between the two ({'; '.join(checks['failures'])})")
        fits.append(_fitted(way, compiled))


def _require_comparable(before: Forecast, after: Forecast) -> None:
    one, two = before.specification, after.specification
    problems = []
    if one.matter != two.matter:
        problems.append(Problem("matter", f"{one.matter!r} and {two.matter!r} are two matters"))
    elif origin_of(after) < origin_of(before):
        problems.append(Problem("origin", f"{origin_of(after)} lies before {origin_of(before)}: swap them"))
    problems += [
        Problem(name, "pooling below 1 is not explained: its pool is fitted anew at the brief's date")
        for name, spec in (("first forecast", one), ("second forecast", two))
        if spec.pooling.value < 1
    ]
    if one.as_of <= origin_of(before) < two.as_of <= origin_of(after):
        problems.append(Problem("as_of", "the first forecast knows its brief already, and the second's is a later one"))
    lost = set(before.record.events["event_id"]) - set(after.record.events["event_id"])
    problems += [Problem("record", f"event {name!r} of the first is missing from the second") for name in sorted(lost)]
    if problems:
        raise InputError(problems)


@dataclass(frozen=True)
class _Fit:
    """Sampled parameters with the coordinates of the later forecast, draw after draw, and the density they are of."""

    raw: dict[str, np.ndarray]
    density: Callable[[Pool], np.ndarray]

    def thinned(self, most: int) -> _Fit:
        """Return every k-th draw, at most so many."""
        step = -(-len(self.raw["log_turnover"]) // most)
        return self if step == 1 else _Fit({k: v[::step] for k, v in self.raw.items()}, self.density)


def _stored(forecast: Forecast, after: Forecast) -> _Fit:
    """Return the draws of a saved forecast with the labels of the later one; new labels come from their prior."""
    spec, settings = forecast.specification, settings_of(forecast)
    own = gather(spec, forecast.record, origin_of(forecast))
    wide = gather(spec, forecast.record, origin_of(forecast), wider=after.record)
    _require_one_shape(own.coords, wide.coords, gather(after.specification, after.record, origin_of(after)).coords)
    posterior = stored(own, settings, forecast.tree, forecast.tables["posterior_summary"])
    sampled = {k: posterior.draws.flat[k] for k in posterior.raw}
    rng = np.random.default_rng([settings.seed, 8])
    return _Fit(widened(sampled, own, wide, rng), lambda pool: log_density(pool.draws(wide)))


def _require_one_shape(own: dict, wide: dict, later: dict) -> None:
    lost = {k: set(v) - set(later[k]) for k, v in own.items() if set(v) - set(later[k])}
    problems = [Problem(k, f"{sorted(v)} of the first forecast are unknown to the second") for k, v in lost.items()]
    problems += [
        Problem(k, "the two prior files state different things, not different numbers; explain cannot follow")
        for k in wide
        if not lost and wide[k] != later[k]
    ]
    if problems:
        raise InputError(problems)


def _pool(fits: list[_Fit], before: Forecast, after: Forecast) -> Pool:
    flat = {k: np.concatenate([f.raw[k] for f in fits]) for k in fits[0].raw}
    counts = np.array([len(f.raw["log_turnover"]) for f in fits])
    names = tuple(str(k) for k in after.outcomes.data_vars if k in before.outcomes and k != "scenario")
    flattened = Bridge(np.zeros((len(fits), counts.sum())), counts)
    bare = Pool(flat, flattened, after.record, names, int(after.manifest["seed"]))
    return replace(bare, bridge=Bridge(np.stack([f.density(bare) for f in fits]), counts))


def _checks(way: Way, least_ess: int) -> dict[str, Any]:
    """Return how far what was valued can be trusted; ``failures`` in words, empty when it can.

    The error bar is compared, over all quantities with nearly normal errors, with the limit that all of them together
    exceed as rarely as one alone exceeds three standard errors (Sidak 1967, doi:10.1080/01621459.1967.10482935), in
    Student's t with as many degrees of freedom as an error from blocks has. Both ends of the way must have the very
    density of the two forecasts: that is arithmetic, and no Monte Carlo error may hide it.
    """
    last = way.error_bar
    counted = smooth(way.labels, last.sampling) & np.isfinite(last.free[0])
    alone = -np.expm1(np.log1p(-2 * norm.sf(3.0)) / max(counted.sum(), 1)) / 2
    limit = float(student.isf(alone, BLOCKS - 1))
    worst = float(np.abs(last.free[0][counted] / last.sampling[counted]).max(initial=0.0))
    least = min(map(_least, way.games))
    overlap = way.pool.bridge.overlap
    failures = []
    if not least >= least_ess:
        failures.append(f"{least:.0f} effective draws for a step, at least {least_ess} expected")
    if not overlap >= LEAST_OVERLAP:
        failures.append(f"overlap of the fits {overlap:.3f}, at least {LEAST_OVERLAP:g} expected")
    if not worst <= limit:
        failures.append(f"an error bar of {worst:.1f} standard errors, at most {limit:.1f} expected")
    if not way.miss <= EXACT:
        failures.append(f"a way that ends {way.miss:.2g} nats off the two forecasts, 0 expected")
    told = {"fits": len(way.pool.bridge.counts), "overlap": overlap, "least_effective_draws": least}
    return {**told, "largest_error": worst, "error_limit": limit, "failures": failures}


def _least(game: Game) -> float:
    return game.effective(game.weakest)


def _fitted(way: Way, compiled: list[Compiled]) -> _Fit:
    """Fit the model to the step that the draws reach worst, under the later prior file."""
    changed = way.before.specification.fingerprint != way.after.specification.fingerprint
    game = min(way.games[1:] if changed else way.games, key=_least)
    evidence = gather(game.specification, game.record(game.weakest), game.origin, wider=way.after.record)
    if not compiled:
        compiled.append(Compiled(evidence))
    posterior = converged(compiled[0], evidence, settings_of(way.after))
    raw = {k: posterior.draws.flat[k] for k in posterior.raw}
    return _Fit(raw, lambda pool: log_density(pool.draws(evidence)))


def _explanation(way: Way, bars: list[Bar], checks: dict[str, Any]) -> Explanation:
    (before, _), (after, _) = (reported(f, way.labels) for f in (way.before, way.after))
    tables = []
    for bar in bars:
        own = way.labels.assign(before=before, after=after, kind=bar.kind, bar=bar.name, place=range(len(before)))
        own["order_free"], own["order_free_se"] = bar.free[0], np.hypot(error(bar.free), bar.sampling)
        own["arrival"] = bar.arrival[0]
        own["arrival_se"] = bar.sampling if bar.kind == "error" else error(bar.arrival)
        tables.append(own)
    table = pd.concat(tables).sort_values("place", kind="stable").drop(columns="place").reset_index(drop=True)
    events = pd.DataFrame(
        [(n.label, n.case, n.matter, n.day, n.published, n.kind) for n in way.growth.newcomers],
        columns=["bar", "case_id", "matter_id", "date", "published_on", "type"],
    )
    return Explanation(table, events, checks, dict(way.before.manifest), dict(way.after.manifest))
