"""What the brief says on its ``as_of``, before any news: nothing is compiled, so it takes well under a minute.

What the record says on that day is drawn without a sampler's compiler (`forecast.inference.brief_draws`).

`check_brief` asks of the same draws whether statements, sums of fines and the resolution rule mean what they say.
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
from forecast.gathered import Evidence, gather
from forecast.inference import Settings, brief_draws
from forecast.outcomes import Future, imagine, resolve
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

VIEW = "prior"


@dataclass(frozen=True, repr=False)
class PriorForecast:
    """What a brief says of the matter on its ``as_of``, in independent draws; laid out as a forecast is.

    ``outcomes``: joint draws of every target (draw, horizon). ``tables``: ``summary``, ``scenarios``, ``statements``
    (stated and simulated) and ``prior_resolution`` (latent by resolved scenario). ``tree``: the parameters
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
    """Simulate what a brief says on its ``as_of``, with the matter as the record shows it on that day.

    ``specification`` and ``record`` are values or paths; ``None`` takes the packaged ones. Raises ``InputError`` on
    bad input.
    """
    if draws < 2:
        raise InputError(Problem("draws", f"{draws}, expected at least 2"))
    spec = specification if isinstance(specification, Specification) else load_specification(specification)
    known = record if isinstance(record, Record) else load_record(record)
    return from_prior(gather(spec, known, spec.as_of), known, draws, seed)


def from_prior(evidence: Evidence, record: Record, n: int, seed: int) -> PriorForecast:
    """Do the same with evidence gathered at ``as_of``, the analyst's own probabilities and not pooled ones."""
    spec, rng = evidence.specification, np.random.default_rng([seed, 4])
    known, origin = record.as_of(spec.as_of), str(spec.as_of)
    prior = brief_draws(replace(evidence, pooled_pi=None), n, seed)
    future = imagine(prior, rng)
    outcomes = targets(future)
    every = scenario_views(prior, outcomes, np.zeros(n, dtype=int), {})
    views = {k: v for k, v in every.items() if k not in ("inside", "outside")}
    outcomes.attrs = {"origin": origin, "matter": spec.matter, "view": VIEW, "seed": seed}
    tables = {
        "summary": summary_table(outcomes, origin, 1),
        "scenarios": scenario_table(views, origin, 1),
        "statements": statement_table(prior, rng),
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


@dataclass(frozen=True)
class Check:
    """Whether a brief means what it says: what simulation from its ``as_of`` makes of each scenario.

    ``statements``: as in `forecast.summaries.statement_table`. ``resolution``: latent (rows) by resolved (columns)
    scenario, rows sum to 1. ``fines``: by scenario, ``fined``: the share of courses with a fine; of the sums of fines
    of these, as shares of ceiling x turnover or in EUR, as ``fines.reading`` says: ``low`` and ``high`` as stated, the
    shares ``below`` and ``above`` them, and the median, ``middle``.
    """

    statements: pd.DataFrame
    resolution: pd.DataFrame
    fines: pd.DataFrame


def check_brief(specification: Specification, record: Record, *, draws: int = 4800, seed: int = Settings.seed) -> Check:
    """Simulate each scenario of a brief by the prior alone, and say what became of it.

    Each is simulated in all ``draws``, so that the Monte Carlo error of a share is at most 0.007 with 4,800 of them,
    however improbable the scenario. Raises ``InputError`` as `prior_forecast` does.
    """
    prior = brief_draws(gather(specification, record, specification.as_of), draws, seed)
    rows, sums = [], []
    for s, name in enumerate(SCENARIOS):
        future = imagine(prior, np.random.default_rng([seed, 4, s]), scenario=np.full(draws, s))
        rows.append(np.bincount(resolve(future)[:, -1], minlength=len(SCENARIOS))[: len(SCENARIOS)] / draws)
        sums.append(_sums(future, name))
    scenarios = pd.Index(SCENARIOS, name="latent")
    return Check(
        statements=statement_table(prior, np.random.default_rng([seed, 4, len(SCENARIOS)])),
        resolution=pd.DataFrame(rows, index=scenarios, columns=list(SCENARIOS)),
        fines=pd.DataFrame(sums, index=scenarios.rename("scenario")),
    )


def _sums(future: Future, scenario: str) -> dict[str, float]:
    """Return one row of ``Check.fines``: where the sums of fines lie by the scenario's range."""
    stated = future.draws.evidence.specification.fines
    total = future.by(future.fine_time, future.fine_path, future.fine_amount)[:, -1]
    in_euros = stated.reading == "eur"
    own = (stated.eur if in_euros else stated.share)[scenario]
    sums = (total if in_euros else total / (stated.ceiling.value * future.turnover))[total > 0]
    some = len(sums) > 0
    return {
        "fined": float((total > 0).mean()),
        "low": own.low,
        "high": own.high,
        "below": float((sums < own.low).mean()) if some else np.nan,
        "above": float((sums > own.high).mean()) if some else np.nan,
        "middle": float(np.median(sums)) if some else np.nan,
    }
