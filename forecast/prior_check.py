"""What the brief says on its ``as_of``, before any news: nothing is sampled, so it takes a few seconds.

What the record says on that day is drawn without a sampler's compiler (`forecast.inference.brief_draws`).

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
from forecast.inference import Evidence, Settings, brief_draws, gather
from forecast.outcomes import imagine, resolve
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


def resolution_check(
    specification: Specification, record: Record, *, draws: int = 4800, seed: int = Settings.seed
) -> pd.DataFrame:
    """Return how each scenario resolves by the prior alone: latent (rows) by resolved (columns), rows sum to 1.

    Each scenario is simulated in all ``draws``, so that the Monte Carlo error of a share is at most 0.007 with 4,800
    of them, however improbable the scenario. Raises ``InputError`` as `prior_forecast` does.
    """
    prior, rows = brief_draws(gather(specification, record, specification.as_of), draws, seed), []
    for s in range(len(SCENARIOS)):
        rng = np.random.default_rng([seed, 4, s])
        future = imagine(prior, rng, scenario=np.full(draws, s))
        rows.append(np.bincount(resolve(future)[:, -1], minlength=len(SCENARIOS))[: len(SCENARIOS)] / draws)
    return pd.DataFrame(rows, index=pd.Index(SCENARIOS, name="latent"), columns=list(SCENARIOS))
