"""What moved a forecast: the way from one forecast to a later one, in steps that sum to the whole change.

The steps (``way``) follow the order in which things became known, as Bayesian updating does: each stretch of silence
and each day with events in the focal matter, then what came elsewhere. All points between are valued on the draws of
both forecasts, weighted for each point (``bridge``), with common random numbers. The last step, *error*, is what the
reported numbers differ from the valued ones by Monte Carlo error at both ends. `forecast.weight_of_evidence` takes the
same steps, for the scenarios alone, with the reference class as it is known at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from forecast.attribution.bridge import BLOCKS, Bridge
from forecast.attribution.pool import Pool, all_priors, log_density
from forecast.attribution.steps import Valued, reported, valued
from forecast.attribution.valuation import error, smooth
from forecast.attribution.way import CORRECTIONS, ELSEWHERE, elsewhere_news, evidence_at, focal_news, label, origin_of
from forecast.files import InputError, Problem
from forecast.forecasting import Forecast
from forecast.gathered import Evidence
from forecast.inference import MIN_ESS
from forecast.progress import working
from forecast.updating import settings_of, stored, widened

EXACT = 1e-6
"""Nats by which the ends of the way may differ from the densities of the two forecasts."""

MOST_DRAWS = 2400
"""Draws of each of the two forecasts that are used."""

CLOSER = "explain the way in parts, by forecasts of dates between"
"""What to do where the draws of the two forecasts do not reach what lies between."""

MERGED = ("silence", "event")
"""Kinds of steps of which the least telling are shown as one."""


@dataclass(frozen=True)
class Explanation:
    """Why a later forecast says something else than an earlier one.

    ``table``: one row per quantity and bar, in the order of the way: ``target, scenario, horizon_months, statistic,
    unit, before, after, kind, bar, change, change_se``; over the bars of a quantity ``change`` sums to ``after -
    before``. ``events``: the new events by bar. ``checks``: fits pooled, their overlap, the smallest effective number
    of draws, the largest error in standard errors beside its limit.
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
        """Return the steps that move the scenarios of the forecast's view most, in probability."""
        t = self.table
        own = t.loc[(t["target"] == "view") & (t["statistic"] == "probability") & t["kind"].isin(MERGED)]
        return own["change"].abs().groupby(own["bar"]).sum().nlargest(most).index.tolist()

    def merged(self, bars: pd.DataFrame, most: int) -> pd.DataFrame:
        """Return the bars of one quantity, all but the leading steps summed into one, where the last of them stood.

        Its error is the sum of theirs: the most that it can be, for all bars share their draws.
        """
        other = bars["kind"].isin(MERGED) & ~bars["bar"].isin(self.leading(most))
        if other.sum() < 2:
            return bars
        rest = bars.loc[other].iloc[-1:].copy()
        rest[["change", "change_se"]] = bars.loc[other, ["change", "change_se"]].sum(min_count=1).to_numpy()
        rest["bar"] = f"{other.sum()} other steps"
        return pd.concat([bars.loc[~other], rest]).sort_index().reset_index(drop=True)


@working("Explaining")
def explain(before: Forecast, after: Forecast) -> Explanation:
    """Return the steps from ``before`` to ``after``: two forecasts of one matter, the second no earlier than the first.

    Raises ``InputError`` if the two cannot be compared. Where the draws of both do not reach a point between (fewer
    effective draws than ``MIN_ESS``, or an error bar beyond its limit), ``checks["failures"]`` says so.
    """
    _require_comparable(before, after)
    way = valued(before, after, _pool(before, after))
    return _explanation(before, after, way, _checks(way, _partial(before, after)))


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
    """Draws of one forecast with the coordinates of the later one, and the evidence that they were drawn given."""

    flat: dict[str, np.ndarray]
    evidence: Evidence


def _pool(before: Forecast, after: Forecast) -> Pool:
    """Return the draws of both forecasts side by side."""
    fits = [_stored(forecast, after) for forecast in (before, after)]
    flat = {k: np.concatenate([f.flat[k] for f in fits]) for k in fits[0].flat}
    counts = np.array([len(f.flat["log_turnover"]) for f in fits])
    names = tuple(str(k) for k in after.outcomes.data_vars if k in before.outcomes and k != "scenario")
    bare = Pool(flat, Bridge(np.zeros((2, counts.sum())), counts), names, int(after.manifest["seed"]))
    density = np.stack([log_density(bare.draws(fit.evidence)) for fit in fits])
    return replace(bare, bridge=Bridge(density, counts))


def _stored(forecast: Forecast, after: Forecast) -> _Fit:
    """Return the draws of a saved forecast with the labels of the later one; new labels come from their prior."""
    origin, settings = origin_of(forecast), settings_of(forecast)
    own, wide = (evidence_at(forecast, origin, record) for record in (forecast.record, after.record))
    _require_one_shape(own, wide, evidence_at(after, origin_of(after), after.record))
    posterior = stored(own, settings, forecast.tree, forecast.tables["posterior_summary"])
    rng = np.random.default_rng([settings.seed, 8])
    flat = widened({k: posterior.draws.flat[k] for k in posterior.raw}, own, wide, rng)
    n = len(posterior.draws)
    missing = {k: prior.draw(n, rng) for k, prior in all_priors(wide).items() if k not in flat}
    step = -(-n // MOST_DRAWS)
    return _Fit({k: values[::step] for k, values in {**flat, **missing}.items()}, wide)


def _require_one_shape(own: Evidence, wide: Evidence, later: Evidence) -> None:
    """Raise ``InputError`` where two forecasts do not have the same parameters."""
    lost = {k: sorted(set(v) - set(later.coords.get(k, v))) for k, v in own.coords.items()}
    problems = [Problem(k, f"{v} of the first forecast are unknown to the second") for k, v in lost.items() if v]
    one, two = ({k: p.loc.shape for k, p in all_priors(e).items()} for e in (wide, later))
    problems += [
        Problem(k, "the two prior files state different things, not different numbers; explain cannot follow")
        for k in one
        if not problems and one[k] != two.get(k)
    ]
    if problems:
        raise InputError(problems)


def _partial(before: Forecast, after: Forecast) -> set[str]:
    """Return the targets that some draws do not define, such as the months to an event that does not come."""
    both = [(str(name), values) for f in (before, after) for name, values in f.outcomes.data_vars.items()]
    return {name for name, values in both if bool(np.isnan(values.values).any())}


def _checks(way: Valued, partial: set[str]) -> dict[str, Any]:
    """Return how far what was valued can be trusted; ``failures`` in words, empty when it can.

    The error bar is compared, over all quantities with nearly normal errors, with the limit that all of them together
    exceed as rarely as one alone exceeds three standard errors (Sidak 1967, doi:10.1080/01621459.1967.10482935), in
    Student's t with as many degrees of freedom as an error from blocks has. Both ends of the way must have the very
    density of the two forecasts: that is arithmetic, and no Monte Carlo error may hide it. Little overlap of the two
    fits is no failure: all points but the last are near the first fit, and the last one is the second.
    Quantiles of ``partial`` targets, of which few draws may have a value, are left out.
    """
    last = way.bars[-1]
    counted = smooth(way.labels, last.sampling) & np.isfinite(last.moved[0])
    counted &= ~(way.labels["target"].isin(partial) & (way.labels["statistic"] != "mean")).to_numpy()
    alone = -np.expm1(np.log1p(-2 * norm.sf(3.0)) / max(counted.sum(), 1)) / 2
    limit = float(student.isf(alone, BLOCKS - 1))
    worst = float(np.abs(last.moved[0][counted] / last.sampling[counted]).max(initial=0.0))
    least = min(way.effective, key=way.effective.__getitem__)
    failures = []
    if not way.effective[least] >= MIN_ESS:
        few = f"{way.effective[least]:.0f} effective draws at {least!r}, at least {MIN_ESS} expected"
        failures.append(f"{few}: {CLOSER}")
    if not worst <= limit:
        failures.append(f"an error bar of {worst:.1f} standard errors, at most {limit:.1f} expected")
    if not way.miss <= EXACT:
        failures.append(f"a way that ends {way.miss:.2g} nats off the two forecasts, 0 expected")
    told = {"fits": 2, "overlap": way.overlap, "least_effective_draws": way.effective[least]}
    return {**told, "largest_error": worst, "error_limit": limit, "failures": failures}


def _explanation(before: Forecast, after: Forecast, way: Valued, checks: dict[str, Any]) -> Explanation:
    (one, _), (two, _) = (reported(f, way.labels) for f in (before, after))
    tables = [
        way.labels.assign(
            before=one,
            after=two,
            kind=bar.kind,
            bar=bar.name,
            change=bar.moved[0],
            change_se=np.hypot(error(bar.moved), bar.sampling),
            place=range(len(one)),
        )
        for bar in way.bars
    ]
    table = pd.concat(tables).sort_values("place", kind="stable").drop(columns="place").reset_index(drop=True)
    return Explanation(table, _events(before, after), checks, dict(before.manifest), dict(after.manifest))


def _events(before: Forecast, after: Forecast) -> pd.DataFrame:
    """Return every event that the second forecast knows and the first does not, with the bar that it stands in."""
    start, matter = origin_of(before), after.specification.matter
    known = after.record.as_of(start)
    late = known.events.loc[~known.events["event_id"].isin(before.record.events["event_id"])].assign(bar=CORRECTIONS)
    own = [rows.assign(bar=label(day, rows)) for day, rows in focal_news(after, start).items()]
    others = elsewhere_news(after, known).assign(bar=ELSEWHERE)
    rows = pd.concat([late, *own, others.drop(columns="matter_id")])
    matters = after.record.proceedings.set_index("case_id")["matter_id"]
    columns = ["bar", "event_id", "case_id", "matter_id", "date", "published_on", "type"]
    return rows.assign(matter_id=rows["case_id"].map(matters).fillna(matter))[columns].reset_index(drop=True)
