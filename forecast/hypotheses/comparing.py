"""A forecast side by side at the stages of a supposition: as it stands, after silence, after the supposed events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from forecast.forecasting import Forecast
from forecast.inference import Posterior

QUANTILES = {"median": 0.5, "q05": 0.05, "q95": 0.95}
SAME = 1e-6
"""Relative difference up to which two draws are the same: saved draws are rounded to 32 binary digits."""


class Stage(NamedTuple):
    """The forecast at one stage of a supposition: its tables, its joint draws, and the draws of the parameters."""

    tables: dict[str, pd.DataFrame]
    outcomes: xr.Dataset
    posterior: Posterior


def compared(stages: Sequence[Stage], forecast: Forecast) -> pd.DataFrame:
    """Return every scenario and every target that has a value in each draw, at each stage: two, or three with silence.

    Where two stages are of the same draws of the parameters, the errors of means are those of differences. Else they
    are taken as independent, which overstates the error of a change, for all rest on the same fit.
    """
    view, chains = forecast.manifest["view"], int(forecast.tree.attrs["settings_chains"])
    rows = _scenario_rows(stages)
    first, *others = (stage.outcomes for stage in stages)
    for name in (n for n in others[-1] if n in first and n != "scenario"):
        draws = [stage.outcomes[name].values for stage in stages]
        if any(np.isnan(one).any() for one in draws):
            continue  # defined only in some draws: a date, the largest fine
        unit = others[-1][name].attrs["units"]
        for j, months in enumerate(others[-1]["horizon"].values):
            values = [one[:, j].reshape(chains, -1) for one in draws]
            rows += [
                (name, view, int(months), *numbers)
                for numbers in _statistics(values, unit, [stage.posterior for stage in stages])
            ]
    names = ["before", "silent", "after"] if len(stages) == 3 else ["before", "after"]
    errors = ["mcse", "mcse_silent", "mcse_event"] if len(stages) == 3 else ["mcse"]
    keys = ["target", "view", "horizon_months", "statistic", "unit"]
    table = pd.DataFrame(rows, columns=[*keys, *names, *errors])
    table.insert(len(keys) + len(names), "change", table["after"] - table["before"])
    if len(stages) == 3:
        table.insert(table.columns.get_loc("mcse_silent"), "change_silent", table["silent"] - table["before"])
        table.insert(table.columns.get_loc("mcse_event"), "change_event", table["after"] - table["silent"])
    return table


def _pairs(stages: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return the two ends of each change: of the whole, and with three stages of its two parts."""
    return [(stages[0], stages[-1]), *(pairwise(stages) if len(stages) == 3 else ())]


def _scenario_rows(stages: Sequence[Stage]) -> list[tuple[Any, ...]]:
    """Return the rows of the scenarios' probabilities."""
    keyed = [stage.tables["scenarios"].set_index(["view", "scenario"]) for stage in stages]
    rows: list[tuple[Any, ...]] = []
    for view, scenario in keyed[0].index:
        resolved = view.startswith("resolved_")
        told = [one.loc[(view, scenario)] for one in keyed]
        errors = [
            0.0 if one is two and not resolved else math.hypot(told[i]["mcse"], told[j]["mcse"])
            for (one, two), (i, j) in zip(
                _pairs([stage.posterior for stage in stages]), _pairs(range(len(stages))), strict=True
            )
        ]
        horizon = int(view.removeprefix("resolved_").removesuffix("m")) if resolved else 0
        rows.append((scenario, view, horizon, "probability", "probability", *(t["probability"] for t in told), *errors))
    return rows


def _statistics(values: Sequence[np.ndarray], unit: str, posteriors: Sequence[Posterior]) -> list[tuple[Any, ...]]:
    """Return statistic, unit, its value at each stage and the errors of the changes, for draws (chain, draw)."""
    from arviz_stats.base import array_stats  # noqa: PLC0415  (ArviZ costs seconds to import)

    def error(draws: np.ndarray, **how: Any) -> float:
        return 0.0 if np.ptp(draws) == 0 else float(array_stats.mcse(draws, chain_axis=0, draw_axis=1, **how))

    def apart(one: np.ndarray, two: np.ndarray, **how: Any) -> float:
        return 0.0 if np.allclose(one, two, rtol=SAME, atol=0) else math.hypot(error(one, **how), error(two, **how))

    ends = list(zip(_pairs(values), _pairs(posteriors), strict=True))
    errors = [
        error(two - one, method="mean") if same[0] is same[1] else apart(one, two, method="mean")
        for (one, two), same in ends
    ]
    name = "probability" if unit == "probability" else "mean"
    rows: list[tuple[Any, ...]] = [(name, unit, *(float(v.mean()) for v in values), *errors)]
    for name, q in QUANTILES.items() if unit != "probability" else ():
        errors = [apart(one, two, method="quantile", prob=q) for (one, two), _ in ends]
        rows.append((name, unit, *(float(np.quantile(v, q)) for v in values), *errors))
    return rows
