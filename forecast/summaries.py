"""Tables of a forecast: targets by horizon and scenario, views of the scenarios, posterior summary.

Every interval is an equal-tailed one at 90 % (``eti 0.90``): the columns q05 and q95.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from forecast.descriptions import of_target
from forecast.impacts import cost
from forecast.inference import Draws, Posterior, labels_of
from forecast.monte_carlo import mcse
from forecast.outcomes import Future, courses, fine_left, inside_weights, resolve
from forecast.resolution import RESOLUTIONS
from forecast.vocabulary import FAMILIES, INTERVAL, SCENARIOS, resolved_view
from forecast.watchlist import QUANTILES

TARGET_FAMILIES: dict[str, tuple[str, ...]] = {
    "judicial_investigation": ("judicial_investigation",),
    "findings": ("findings",),
    "executive": ("executive",),
    "order": ("order.specific", "order.extensive", "order.filtering"),
    "order.extensive": ("order.extensive",),
    "order.filtering": ("order.filtering",),
    "suspension": ("suspension",),
    "fine": ("fine",),
    "commitments": ("commitments",),
    "dropped": ("closure",),
}
"""Events of the matter that are targets -> the families of which any event counts."""


def first_times(future: Future) -> dict[str, np.ndarray]:
    """Return when each event that is a target comes first, months from the origin (infinite: not), by target."""
    each = future.paths.first
    first = {
        name: each[:, [FAMILIES.index(f) for f in families]].min(axis=1) for name, families in TARGET_FAMILIES.items()
    }
    return first | {
        "all_closed": future.paths.all_closed,
        "appeal": future.appeal_time,
        "appeal_of_old_fine": future.old_appeal_time,
    }


def targets(future: Future) -> xr.Dataset:
    """Return the joint draws of every target: draw by horizon (months), each variable with its unit.

    A probability's draws are 0 or 1. A variable that is defined only in some draws (the largest fine, the date of an
    event) is NaN in the others.
    """
    horizons = np.array(future.horizons, dtype=float)
    columns: dict[str, tuple[str, np.ndarray]] = {}
    for family, time in first_times(future).items():
        came = time[:, None] <= horizons
        columns[f"event:{family}"] = ("probability", came.astype(float))
        columns[f"months_to:{family}"] = ("months, given the event", np.where(came, time[:, None], np.nan))
    answer = resolve(future)
    for index, name in enumerate(RESOLUTIONS):
        columns[f"resolved_scenario:{name}"] = ("probability", (answer == index).astype(float))
    imposed = future.by(future.fine_time, future.fine_path, future.fine_amount)
    largest = np.full(imposed.shape, np.nan)
    for j, horizon in enumerate(future.horizons):
        upto = future.fine_time <= horizon
        np.fmax.at(largest[:, j], future.fine_path[upto], future.fine_amount[upto])
    left = fine_left(future)
    columns |= {
        "fine_imposed": ("EUR", imposed),
        "fine_imposed_share": ("share of turnover", imposed / future.turnover[:, None]),
        "fine_largest": ("EUR, given a fine", largest),
        "fine_left": ("EUR", left),
        "fine_left_share": ("share of turnover", left / future.turnover[:, None]),
    }
    units = {"moderation_spending": "EUR a year"} | dict.fromkeys(
        ("total_cost", "cost:moderation", "cost:advertising"), "EUR"
    )
    columns |= {name: (units.get(name, "fraction"), values) for name, values in cost(future).items()}
    opened = future.by(future.paths.new_time, future.paths.new_path)
    columns["openings_member_states"] = ("count", opened)
    columns["openings_other_platforms"] = ("count", future.other_openings)
    data = {k: xr.Variable(("draw", "horizon"), v, {"units": unit, **of_target(k)}) for k, (unit, v) in columns.items()}
    labels = {"labels": ", ".join(SCENARIOS), **of_target("scenario")}
    data["scenario"] = xr.Variable(("draw",), future.scenario, labels)
    months = ("horizon", list(future.horizons), {"units": "months after the origin"})
    return xr.Dataset(data, coords={"horizon": months})


def summary_table(draws: xr.Dataset, origin: str, chains: int) -> pd.DataFrame:
    """Return mean, sd, quantiles and Monte Carlo error of each target, horizon and scenario (``all`` or a name).

    A yes/no target has its probability as ``mean``, and no quantiles: its draws are zeros and ones.
    """
    rows = []
    scenario = draws["scenario"].values
    for name, variable in draws.data_vars.items():
        if name == "scenario":
            continue
        for j, horizon in enumerate(draws["horizon"].values):
            values = variable.values[:, j]
            for label in ("all", *SCENARIOS):
                part = values if label == "all" else values[scenario == SCENARIOS.index(label)]
                part = part[~np.isnan(part)]
                rows.append((origin, int(horizon), name, label, variable.attrs["units"], *_moments(part)))
    columns = ["origin_date", "horizon_months", "target", "scenario", "unit", "mean", "sd"]
    names = [f"q{round(100 * q):02d}" for q in QUANTILES]
    columns += [*names, "mcse_mean"]
    table = pd.DataFrame(rows, columns=columns)
    _true_errors(table, draws, chains)
    table.loc[table["unit"] == "probability", names] = np.nan
    return table


def _moments(part: np.ndarray) -> tuple[float, ...]:
    if len(part) < 2:
        return (np.nan,) * (3 + len(QUANTILES))
    sd = part.std(ddof=1)
    return (part.mean(), sd, *np.quantile(part, QUANTILES), sd / np.sqrt(len(part)))


def _true_errors(table: pd.DataFrame, draws: xr.Dataset, chains: int) -> None:
    """Where a target has a value in every draw, replace the error of its mean by one that knows the chains."""
    full = {k: v.values for k, v in draws.data_vars.items() if k != "scenario" and not np.isnan(v.values).any()}
    stacked = np.stack([v.T for v in full.values()])
    stacked = stacked.reshape(*stacked.shape[:2], chains, -1)
    errors = mcse(stacked)
    horizons = list(draws["horizon"].values)
    index = {name: i for i, name in enumerate(full)}
    for row in table.index[(table["scenario"] == "all") & table["target"].isin(index)]:
        name, horizon = table.at[row, "target"], table.at[row, "horizon_months"]
        table.at[row, "mcse_mean"] = errors[index[name], horizons.index(horizon)]


def scenario_views(
    draws: Draws, outcomes: xr.Dataset, outside: np.ndarray, base: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return probabilities by draw and scenario of each view, in this order.

    ``brief``: the analyst's. ``inside``: updated by the news. ``outside``: the classes to which courses at the
    reference hazards resolve (``outside``, an index per draw). ``base_rate``: shares of the record's resolved matters
    (``base``: their counts; left out where none is resolved). ``resolved_60m``, named by the last horizon: what the
    rule says of the forecast's own courses. Before ``as_of`` there is no brief to have a view: then only the last
    three.
    """
    views: dict[str, np.ndarray] = {}
    if draws.evidence.inside:
        stated = [s.probability.value for _, s in draws.evidence.specification.scenarios.items()]
        views["brief"] = np.broadcast_to(stated, (len(draws), len(SCENARIOS)))
        views["inside"] = inside_weights(draws)
    views["outside"] = (outside[:, None] == np.arange(len(SCENARIOS))).astype(float)
    if total := sum(base.values()):
        shares = np.array([base[s] / total for s in SCENARIOS])
        views["base_rate"] = np.broadcast_to(shares, (len(draws), len(SCENARIOS)))
    last = int(outcomes["horizon"].values[-1])
    views[resolved_view(last)] = np.stack([outcomes[f"resolved_scenario:{s}"].values[:, -1] for s in SCENARIOS], axis=1)
    return views


def scenario_table(views: dict[str, np.ndarray], origin: str, chains: int) -> pd.DataFrame:
    """Return the mean of each view's probabilities, with its Monte Carlo error."""

    def error(values: np.ndarray) -> float:
        if np.ptp(values) < 1e-12:
            return 0.0
        return float(mcse(values.reshape(chains, -1)))

    rows = [
        (origin, view, scenario, float(values[:, s].mean()), error(values[:, s]))
        for view, values in views.items()
        for s, scenario in enumerate(SCENARIOS)
    ]
    return pd.DataFrame(rows, columns=["origin_date", "view", "scenario", "probability", "mcse"])


def resolution_table(draws: xr.Dataset) -> pd.DataFrame:
    """Return the cross-table latent (rows) by resolved (columns) scenario at the last horizon; rows sum to 1.

    A scenario of no draw has a row of NaN.
    """
    scenario = draws["scenario"].values
    resolved = np.stack([draws[f"resolved_scenario:{s}"].values[:, -1] for s in SCENARIOS], axis=1)
    of = [scenario == s for s in range(len(SCENARIOS))]
    table = [resolved[own].mean(axis=0) if own.any() else np.full(len(SCENARIOS), np.nan) for own in of]
    return pd.DataFrame(table, index=pd.Index(SCENARIOS, name="latent"), columns=list(SCENARIOS))


def statement_table(draws: Draws, rng: np.random.Generator) -> pd.DataFrame:
    """Return each statement beside what courses simulated from ``as_of`` make of it.

    ``stated``: the analyst's cumulative probability. ``simulated``: the share of courses, given the scenario, in which
    the event has come by then, closings and new proceedings included; ``mcse``: its Monte Carlo error.
    """
    statements, rows = draws.evidence.statements, []
    names = draws.evidence.regime.family_names
    furthest = max((group.end for group in statements.groups), default=0.0)
    for s, name in enumerate(statements.scenarios if statements.groups else ()):
        first = courses(draws, rng, furthest, scenario=np.full(len(draws), s)).first
        for g, group in enumerate(statements.groups):
            stated, share = statements.stated[g, s], (first[:, group.family] <= group.end).mean()
            error = np.sqrt(stated * (1 - stated) / len(draws))
            rows.append((names[group.family], name, group.end, stated, share, error))
    return pd.DataFrame(rows, columns=["family", "scenario", "within_months", "stated", "simulated", "mcse"])


def posterior_table(posterior: Posterior) -> pd.DataFrame:
    """Return one row per sampled parameter: moments, 90 % interval, diagnostics, and contraction against its prior.

    ``contraction = 1 - Var(posterior) / Var(prior)``: near 0 the row shows the prior, not a finding.
    """
    table = posterior.diagnostics.copy()
    priors, coords = posterior.evidence.priors, posterior.evidence.coords
    labels, bounds, variance = [], [], []
    for name, values in posterior.raw.items():
        flat = values.reshape(len(posterior.draws), math.prod(values.shape[2:]))
        labels += labels_of(name, priors[name].dims, coords)
        bounds.append(np.quantile(flat, (0.05, 0.95), axis=0))
        variance += list(np.ravel(priors[name].scale) ** 2)
    low, high = np.concatenate(bounds, axis=1)
    table.insert(2, "q05", low)
    table.insert(3, "q95", high)
    table["contraction"] = 1 - table["sd"] ** 2 / np.array(variance)
    table["interval"] = INTERVAL
    return table.reset_index()
