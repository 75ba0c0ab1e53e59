"""The forecast that the prior file alone implies at ``as_of``: nothing is sampled, so it takes a few seconds.

`resolution_check` asks of the same draws whether the scenarios and the resolution rule mean the same classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.files import InputError, Problem
from forecast.folders import with_labels
from forecast.inference import Draws, Evidence, Settings, gather, prior_draws
from forecast.likelihood import base_hazards, row_effects, tilts
from forecast.outcomes import focal_hazards, imagine, resolve
from forecast.record import Record, load_record
from forecast.specification import Specification, load_specification
from forecast.summaries import (
    resolution_table,
    scenario_table,
    scenario_views,
    statement_table,
    summary_table,
    targets,
)
from forecast.trees import prior_tree, provenance
from forecast.vocabulary import SCENARIOS
from forecast.watchlist import focal_statute

VIEW = "prior"
MOST_A_MONTH, MOST_DRAWS = 1e6, 0.01
"""Rate of events of one family in one proceeding, and the share of draws that may lie beyond it: long tails reach it in
one draw of 30,000 under the packaged files."""
MOST_EVENTS = 2000
"""Most events in a course up to the last horizon, in the mean of the draws: the packaged files expect 200 to 300."""


@dataclass(frozen=True, repr=False)
class PriorForecast:
    """What a prior file says of the matter before any fit, in independent draws; laid out as a forecast is.

    ``outcomes``: joint draws of every target (draw, horizon). ``tables``: ``summary``, ``scenarios``, ``statements``
    (stated, net and gross) and ``prior_resolution`` (latent by resolved scenario). ``tree``: the parameters
    (``prior``), and replicates of the record (``prior_predictive``) beside its own data (``observed_data``).
    """

    specification: Specification
    record: Record
    outcomes: xr.Dataset
    tree: xr.DataTree
    tables: dict[str, pd.DataFrame]
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return f"<PriorForecast of {self.manifest['matter']} at {self.manifest['as_of']}>"

    @property
    def prior_outcomes(self) -> xr.Dataset:
        """Nothing: here the outcomes themselves are the prior's."""
        return xr.Dataset()


def prior_forecast(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    *,
    draws: int = 4800,
    seed: int = Settings.seed,
) -> PriorForecast:
    """Simulate from the prior file alone, at its ``as_of``, with the matter as the record shows it on that day.

    ``specification`` and ``record`` are values or paths; ``None`` takes the packaged ones. Raises ``InputError`` on
    bad input.
    """
    if draws < 2:
        raise InputError(Problem("draws", f"{draws}, expected at least 2"))
    spec = specification if isinstance(specification, Specification) else load_specification(specification)
    known = record if isinstance(record, Record) else load_record(record)
    return from_prior(gather(spec, known, spec.as_of), known, draws, seed)


def from_prior(evidence: Evidence, record: Record, n: int, seed: int) -> PriorForecast:
    """Do the same with evidence gathered at ``as_of``, the analyst's own probabilities and not pooled ones.

    Raises ``InputError`` if events would come faster than anything can be simulated (`check_pace`).
    """
    spec, rng = evidence.specification, np.random.default_rng([seed, 4])
    known, origin = record.as_of(spec.as_of), str(spec.as_of)
    prior = prior_draws(replace(evidence, pooled_pi=None), n, seed)
    check_pace(prior)
    law = focal_statute(prior, known)
    future = imagine(prior, law.ceilings, law.instruments, rng)
    outcomes = targets(future)
    views = {k: v for k, v in scenario_views(prior, outcomes).items() if k not in ("inside", "outside")}
    outcomes.attrs = {"origin": origin, "matter": spec.matter, "view": VIEW, "seed": seed}
    tables = {
        "summary": summary_table(outcomes, origin, 1),
        "scenarios": scenario_table(views, origin, 1),
        "statements": statement_table(future, outcomes, rng),
        "prior_resolution": resolution_table(outcomes).reset_index(),
    }
    return PriorForecast(
        specification=spec,
        record=known,
        outcomes=outcomes,
        tree=prior_tree(prior, seed),
        tables={name: with_labels(table, spec.labels) for name, table in tables.items()},
        manifest=provenance(evidence, known, seed, VIEW) | {"assumed_silence": None},  # nothing is fitted
    )


def check_pace(prior: Draws) -> None:
    """Raise ``InputError`` if the prior file's hazards together are beyond simulation, each being in its own interval.

    Hazards multiply: a rate, effects of authority, phase, stage and provider, and ``exp(loading x severity)``. Ranges
    that are wide at once give some draws in which events follow each other within seconds.
    """
    narrower = "narrow the ranges of hazards.rates, .scales, .severity and .loadings, or of openings"
    e = prior.effects
    with np.errstate(over="ignore", invalid="ignore"):
        effect = row_effects(e, prior.evidence.exposure).max(axis=1)
        fastest = (base_hazards(e).max(axis=2) * effect * tilts(e).max(axis=2)).max(axis=1)
    beyond = (~(fastest <= MOST_A_MONTH)).mean()
    if beyond > MOST_DRAWS or not np.isfinite(fastest).all():
        what = f"a family has more than {MOST_A_MONTH:,.0f} events a month in {beyond:.2%} of the draws"
        raise InputError(Problem("hazards", f"{what}: {narrower}"))
    last = prior.evidence.specification.horizons[-1]
    for s, scenario in enumerate(SCENARIOS):
        h = focal_hazards(prior, np.full(len(prior), s), np.random.default_rng(s))
        events = (h.base.max(axis=2) * h.effect.sum(axis=1) * h.tilt).sum(axis=1) * h.frailty + h.opening.max(axis=1)
        if not (expected := events.mean() * last) <= MOST_EVENTS:
            what = f"up to {expected:,.0f} events are expected within {last} months, given {scenario}: expected"
            raise InputError(Problem("hazards", f"{what} at most {MOST_EVENTS:,}; {narrower}"))


def resolution_check(
    specification: Specification, record: Record, *, draws: int = 4800, seed: int = Settings.seed
) -> pd.DataFrame:
    """Return how each scenario resolves by the prior alone: latent (rows) by resolved (columns), rows sum to 1.

    Each scenario is simulated in all ``draws``, so that the Monte Carlo error of a share is at most 0.007 with 4,800
    of them, however improbable the scenario. Raises ``InputError`` as `prior_forecast` does.
    """
    prior = prior_draws(gather(specification, record, specification.as_of), draws, seed)
    check_pace(prior)
    law, rows = focal_statute(prior, record.as_of(specification.as_of)), []
    for s in range(len(SCENARIOS)):
        rng = np.random.default_rng([seed, 4, s])
        future = imagine(prior, law.ceilings, law.instruments, rng, scenario=np.full(draws, s))
        rows.append(np.bincount(resolve(future)[:, -1], minlength=len(SCENARIOS))[: len(SCENARIOS)] / draws)
    return pd.DataFrame(rows, index=pd.Index(SCENARIOS, name="latent"), columns=list(SCENARIOS))
