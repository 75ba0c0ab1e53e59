"""Rows of a saved forecast's tables that belong together: full products, sums to one, and what two tables both say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from forecast.vocabulary import FAMILIES, SCENARIOS, WINDOWS

RESOLVED = re.compile("resolved_[0-9]+m")
"""The view of the scenarios that the resolution rule has at the last horizon."""
ENOUGH = 1e-6
"""How far from 1 the sum of probabilities may lie that were written with ten digits."""


def together(tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between rows and between tables: the name of a table, and what."""
    summary, events = tables["summary"], tables["event_probabilities"]
    if summary.empty:
        yield "summary", "has no rows"
    grid = (manifest["horizons"], summary["target"].unique(), ("all", *SCENARIOS))
    yield from _missing("summary", summary, ("horizon_months", "target", "scenario"), grid)
    yield from _missing(
        "event_probabilities",
        events,
        ("case_id", "family", "window_months"),
        (events["case_id"].unique(), FAMILIES, WINDOWS),
    )
    if (summary.groupby("target")["unit"].nunique() > 1).any():
        yield "summary", "has a target in several units"
    if (events.groupby("case_id")["matter_id"].nunique() > 1).any():
        yield "event_probabilities", "has a proceeding in several matters"
    foreign = set(tables["next_fines"]["case_id"]) - set(events["case_id"])
    if foreign:
        yield "next_fines", f"has proceedings that event_probabilities.csv lacks, such as {min(foreign)}"
    yield from _views(tables["scenarios"], manifest["view"] == "inside")
    yield from _base_rate(tables["scenarios"], manifest["resolved_matters"])
    has_news = manifest["view"] == "inside" and manifest["origin"] > manifest["as_of"]
    yield from _weights(tables["weight_of_evidence"], tables["scenarios"], has_news=has_news)
    for name in ("resolution", "prior_resolution"):
        if len(tables[name].columns):
            yield from _missing(name, tables[name], ("latent",), (SCENARIOS,))


def _views(scenarios: pd.DataFrame, inside: bool) -> Iterator[tuple[str, str]]:
    views = set(scenarios["view"])
    resolved = {view for view in views if RESOLVED.fullmatch(view)}
    expected = {"outside", *(("brief", "inside") if inside else ())}
    if views - resolved - {"base_rate"} != expected or len(resolved) != 1:
        yield "scenarios", f"has the views {', '.join(sorted(views))[:200]}; {', '.join(sorted(expected))} and one " \
                           "resolved_<months>m were expected"  # fmt: skip
    yield from _missing("scenarios", scenarios, ("view", "scenario"), (scenarios["view"].unique(), SCENARIOS))
    if (np.abs(scenarios.groupby("view")["probability"].sum() - 1) > ENOUGH).any():
        yield "scenarios", "has probabilities of a view that do not sum to 1"


def _base_rate(scenarios: pd.DataFrame, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield where the base rates are not those of the manifest's counts of resolved matters."""
    total, rows = sum(counts.values()), scenarios.loc[scenarios["view"] == "base_rate"]
    expected = rows["scenario"].map(counts) / max(total, 1)
    if bool(total) != bool(len(rows)) or (np.abs(rows["probability"] - expected) > ENOUGH).any():
        yield "scenarios", "has other base rates than resolved_matters in manifest.json gives"


def _weights(weights: pd.DataFrame, scenarios: pd.DataFrame, *, has_news: bool) -> Iterator[tuple[str, str]]:
    """Yield where steps are missing, or do not lead to the forecast's inside view."""
    name, steps = "weight_of_evidence", np.unique(weights["step"])
    if has_news == weights.empty:
        yield name, "has no steps, though days lie after the brief" if has_news else "has steps, but there is no news"
    if weights.empty:
        return
    if not np.array_equal(steps, np.arange(1, len(steps) + 1)):
        yield name, "has steps that are not counted from 1"
    yield from _missing(name, weights, ("step", "scenario"), (steps, SCENARIOS))
    chance, change = (
        weights.pivot(index="step", columns="scenario", values=column) for column in ("probability", "log_factor")
    )
    if (np.abs(chance.sum(axis=1) - 1) > ENOUGH).any():
        yield name, "has probabilities of a step that do not sum to 1"
    inside = scenarios.loc[scenarios["view"] == "inside"].set_index("scenario")["probability"]
    if not (np.abs(chance.iloc[-1] - inside) <= ENOUGH).all():
        yield name, "does not end at the inside view of scenarios.csv"
    if (np.abs(chance.shift() * np.exp(change) - chance) > ENOUGH).any(axis=None):
        yield name, "has factors that are not the ratios of its probabilities"


def _missing(name: str, table: pd.DataFrame, key: tuple[str, ...], grid: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    there = set(zip(*(table[column] for column in key), strict=True))
    for row in product(*grid):
        if row not in there:
            yield name, f"has no row of {', '.join(f'{c} {v}' for c, v in zip(key, row, strict=True))}"
            return
