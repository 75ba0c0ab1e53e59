"""The forecast that the prior file alone implies at ``as_of``: nothing is sampled, so it takes a few seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.files import InputError, Problem
from forecast.folders import with_labels
from forecast.inference import Evidence, Settings, gather, prior_draws
from forecast.outcomes import imagine
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
from forecast.watchlist import focal_statute

VIEW = "prior"


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
    """Do the same with evidence gathered at ``as_of``, the analyst's own probabilities and not pooled ones."""
    spec, rng = evidence.specification, np.random.default_rng([seed, 4])
    known, origin = record.as_of(spec.as_of), str(spec.as_of)
    prior = prior_draws(replace(evidence, pooled_pi=None), n, seed)
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
        manifest=provenance(evidence, known, seed, VIEW),
    )
