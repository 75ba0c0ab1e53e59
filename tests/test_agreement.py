"""Every event of the record's last year taken as the next one: reweighted draws against a new fit.

The day before last on which something became public is the old evidence, everything up to the last one, silence
included, the new. Every fit has a seed of its own: the two sides of a comparison share no random number. Two fits of
the same evidence, compared in the same way, say whether the Monte Carlo errors are honest.
"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecast.attribution.bridge import BLOCKS
from forecast.attribution.valuation import WIDTH
from forecast.forecasting import fit
from forecast.inference import Compiled, Posterior, Settings, gather
from forecast.outcomes import imagine
from forecast.record import load_record
from forecast.specification import load_specification
from forecast.summaries import scenario_table, scenario_views, summary_table, targets
from forecast.updating import reweight
from forecast.watchlist import LEAST_FINES

FIRST, LAST = date(2025, 2, 3), date(2026, 2, 3)
SEED, OTHER_SEED = 20250203, 20260203
"""Seed of the first fit, to which each later one adds its number, and the same of the second fits."""
EVERY = 5
"""Of so many days one is fitted twice."""
DISCRETE = ("probability", "count")
"""Units of targets whose median jumps: of these the means are compared."""


@dataclass(frozen=True)
class Course:
    """What the year gave: one row per day in ``days``, one per number and day in ``updates`` and in ``refits``."""

    days: pd.DataFrame
    updates: pd.DataFrame
    refits: pd.DataFrame


@pytest.fixture(scope="module")
def course() -> Course:
    """Fit, reweight and compare day by day; two fits at most are in memory."""
    spec, record = load_specification(), load_record()
    published = record.events["published_on"].dt.date
    days = [FIRST, *sorted({day for day in published if FIRST < day <= LAST})]
    compiled = Compiled(gather(spec, record, LAST, wider=record))

    def fitted(day: date, seed: int) -> Posterior:
        posterior = fit(compiled, gather(spec, record, day, wider=record), record, Settings(seed=seed), record)
        posterior.require_convergence()
        return posterior

    rows, updates, refits = [], [], []
    old = fitted(FIRST, SEED)
    for number, (before, day) in enumerate(pairwise(days), 1):
        new = fitted(day, SEED + number)
        told = numbers(new)
        quick, certificate = reweight(old, new.evidence)
        reasons = certificate.failures + quick.failures
        seen = (day, (day - before).days, (published == day).sum())
        rows.append((*seen, certificate.k_hat, certificate.ess, "; ".join(reasons)))
        if not reasons:
            updates.append(differences(numbers(quick), told).assign(day=day))
        if number % EVERY == 0:
            again = numbers(fitted(day, OTHER_SEED + number))
            refits.append(differences(again, told).assign(day=day))
        old = new
    columns = ["day", "since", "events", "k_hat", "ess", "reasons"]
    return Course(
        pd.DataFrame(rows, columns=columns),
        pd.concat(updates, ignore_index=True),
        pd.concat(refits, ignore_index=True),
    )


def numbers(posterior: Posterior) -> pd.DataFrame:
    """Return probabilities, means and medians with their Monte Carlo errors, from the draws of ``conclude``."""
    draws, settings = posterior.draws, posterior.settings
    day, rng = posterior.evidence.origin, np.random.default_rng([settings.seed, 3])
    outcomes = targets(imagine(draws, rng))
    outside = imagine(draws, rng, outside=True).scenario
    views = {k: v for k, v in scenario_views(draws, outcomes, outside, {}).items() if k in ("inside", "outside")}
    weights = scenario_table(views, str(day), settings.chains)
    summary = summary_table(outcomes, str(day), settings.chains).query("scenario == 'all'")
    means = summary[summary["unit"].isin(DISCRETE)]
    rows = [
        *(("scenario", f"{r.scenario}, {r.view}", r.probability, r.mcse) for r in weights.itertuples()),
        *(("mean", f"{r.target}, {r.horizon_months} months", r.mean, r.mcse_mean) for r in means.itertuples()),
        *(
            ("median", f"{name}, {horizon} months", *median(values))
            for name, target in continuous(outcomes).items()
            for horizon, values in zip(outcomes["horizon"].values, target.values.T, strict=True)
        ),
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "value", "error"]).set_index(["kind", "name"])


def continuous(outcomes: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the targets with a unit (the scenario itself has none) that are neither 0 or 1 nor counts."""
    return {str(k): v for k, v in outcomes.items() if v.attrs.get("units", "count") not in DISCRETE}


def median(draws: np.ndarray) -> tuple[float, float]:
    """Return the median of the defined draws and its standard error.

    The error of the share of draws up to the median comes from sums over blocks of consecutive draws, which know
    chains and repeated draws; the slope of the quantile function turns it into the median's. The slope is taken over
    as much probability as the share's own error (Woodruff 1952, doi:10.1080/01621459.1952.10483443) if that is more
    than ``valuation`` takes: between two neighbours among some hundred draws it may be anything. Of fewer draws than
    the package itself asks of quantiles there is neither: an error from a handful has an error as large as itself.
    """
    defined = ~np.isnan(draws)
    n, values = defined.sum(), draws[defined]
    if n < LEAST_FINES:
        return np.nan, np.nan
    middle = np.median(values)
    excess = np.where(defined, (draws <= middle) - (values <= middle).mean(), 0.0)
    block = np.arange(len(draws)) * BLOCKS // len(draws)
    sums = np.bincount(block, excess, BLOCKS)
    share_error = np.sqrt(BLOCKS / (BLOCKS - 1) * (sums**2).sum()) / n
    width = min(max(WIDTH, share_error), 0.5)
    low, high = np.quantile(values, [0.5 - width, 0.5 + width])
    return float(middle), float(share_error * (high - low) / (2 * width))


def differences(one: pd.DataFrame, two: pd.DataFrame) -> pd.DataFrame:
    """Return each difference in combined Monte Carlo standard errors, ``z``.

    Numbers that no draw moves, on either side, must be equal: a median of zero fines, say. They have no ``z``, and
    neither have medians of too few draws.
    """
    assert one.index.equals(two.index)
    error = np.hypot(one["error"], two["error"])
    fixed = error == 0
    assert one["value"][fixed].equals(two["value"][fixed])
    z = (one["value"] - two["value"]) / error.mask(fixed)
    return pd.DataFrame({"one": one["value"], "two": two["value"], "error": error, "z": z}).reset_index()


def beyond(found: pd.DataFrame) -> tuple[float, float]:
    """Return the share of differences beyond 3 combined errors, and the largest one in such errors."""
    size = found["z"].dropna().abs()
    return float((size > 3).mean()), float(size.max())


def report(title: str, found: pd.DataFrame) -> None:
    print(f"\n{title}: {found['day'].nunique()} days")
    for kind, part in [("all", found), *found.groupby("kind", sort=False)]:
        share, _ = beyond(part)
        worst = part.loc[part["z"].abs().idxmax()]
        fixed, few = (part["error"] == 0).sum(), part["error"].isna().sum()
        left_out = f"{fixed} fixed and equal, {few} of under {LEAST_FINES} draws not"
        print(
            f"  {kind:9}{part['z'].count():5} compared ({left_out})\n"
            f"           z: sd {part['z'].std():.2f}, beyond 3: {share:.2%}, largest {worst['z']:+.2f} "
            f"({worst['name']} at {worst['day']}: {worst['one']:.4g} and {worst['two']:.4g})"
        )


@pytest.mark.slow
def test_two_fits_agree_so_that_the_errors_are_honest(course):
    """Errors too small would fail good weights, errors too large would pass bad ones; the share's own luck is large."""
    report("Refitted against refitted", course.refits)
    assert 0.8 < course.refits["z"].std() < 1.2
    assert beyond(course.refits)[1] <= 5


@pytest.mark.slow
def test_every_event_of_the_last_year_reweighted_agrees_with_a_new_fit(course):
    days = course.days
    refused = days[days["reasons"] != ""]
    print(f"\n{len(days)} days, {days['events'].sum()} events, {FIRST} (excluded) to {LAST}")
    accepted = days[days["reasons"] == ""]
    worst = f"{accepted['ess'].min():.0f} effective draws, k-hat {accepted['k_hat'].max():.2f}"
    print(f"The worst weights that it let pass: {worst}")
    print(
        f"Refused by the gate: {len(refused)} of {len(days)} days ({len(refused) / len(days):.1%}), "
        f"with {refused['events'].sum()} of {days['events'].sum()} events"
    )
    for row in refused.itertuples():
        print(f"  {row.day} ({row.events} events, {row.since} days on): {row.reasons}")
    report("Reweighted against refitted", course.updates)
    views = course.updates.query("kind == 'scenario'")["name"].str.split(", ").str[1]
    print(f"  views of the scenarios compared: {views.value_counts().to_dict()}")
    assert len(refused) < len(days) / 2  # a gate that refuses everything agrees with anything
    share, largest = beyond(course.updates)
    assert share <= 0.01
    assert largest <= 5
