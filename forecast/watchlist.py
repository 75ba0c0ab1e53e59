"""Every open proceeding of the record: what may come next in it, and how large its next fine would be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from forecast.exposure import Exposure
from forecast.inference import Draws
from forecast.likelihood import base_hazards, row_effects, tilts
from forecast.observations import ceiling, instrument, latest_turnover, log_sd
from forecast.outcomes import Future, choose_scenarios
from forecast.paths import Hazards, Start, simulate_paths
from forecast.record import Record
from forecast.vocabulary import FAMILIES, WINDOWS

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
LEAST_FINES = 100
"""Fewest simulated fines of a focal proceeding from which quantiles of its next fine are given."""


@dataclass(frozen=True)
class Statute:
    """Ceiling (share of turnover, NaN where the law sets none) and instrument index (-1 unknown) per proceeding."""

    ceilings: np.ndarray
    instruments: np.ndarray


def statute(record: Record, cases: tuple[str, ...], instruments: tuple[str, ...]) -> Statute:
    """Return ceiling and instrument of each proceeding from the record's table of statutory ceilings."""
    table = record.proceedings.set_index("case_id")
    caps = [ceiling(record, table.at[c, "instrument"], table.at[c, "jurisdiction"]) for c in cases]
    names = [instrument(table.at[c, "instrument"]) for c in cases]
    return Statute(
        ceilings=np.array([np.nan if cap is None else cap for cap in caps]),
        instruments=np.array([instruments.index(n) if n in instruments else -1 for n in names], dtype=np.int64),
    )


def focal_statute(draws: Draws, record: Record) -> Statute:
    """Return the same for the focal proceedings, with the prior file's ceiling where the law sets none."""
    x = draws.evidence.exposure
    own = statute(record, x.cases[: x.n_focal], draws.evidence.observations.instruments)
    stated = draws.evidence.specification.fines.ceiling.value
    return Statute(np.where(np.isnan(own.ceilings), stated, own.ceilings), own.instruments)


def event_probabilities(future: Future, rng: np.random.Generator) -> pd.DataFrame:
    """Return the probability of each family in each open proceeding within 3, 6, 9 and 12 months.

    Columns ``case_id, matter_id, family, window_months, probability, mcse``. Focal proceedings are read off the joint
    draws; every other one is simulated given its matter's scenario weights and frailty at each draw.
    """
    draws = future.draws
    x = draws.evidence.exposure
    first = _other_first_events(draws, rng)
    rows = []
    for row in map(int, np.flatnonzero(x.is_open)):
        times = future.paths.first[:, row] if row < x.n_focal else first[row]
        for window in WINDOWS:
            share = (times <= window).mean(axis=0)
            rows += [
                (x.cases[row], x.matters[x.row_matter[row]], family, window, p, np.sqrt(p * (1 - p) / len(draws)))
                for family, p in zip(FAMILIES, share, strict=True)
            ]
    columns = ["case_id", "matter_id", "family", "window_months", "probability", "mcse"]
    return pd.DataFrame(rows, columns=columns)


def _other_first_events(draws: Draws, rng: np.random.Generator) -> dict[int, np.ndarray]:
    """Simulate every open proceeding outside the focal matter for the longest window: first times, draw by family."""
    x, e, m, rows = draws.evidence.exposure, draws.effects, draws.matters, np.arange(len(draws))
    base, effect, tilt = base_hazards(e), row_effects(e, x), tilts(e)
    scenario, frailty = {}, {}
    found = {}
    for row in range(x.n_focal, len(x.cases)):
        matter = x.row_matter[row]
        if not x.is_open[row]:
            continue
        if matter not in scenario:
            log_weight = e["log_weight"] + m.history[:, matter]
            weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
            scenario[matter] = choose_scenarios(weight / weight.sum(axis=1, keepdims=True), rng)
            rate = e["shape"] + m.hazard[rows, matter, scenario[matter]]
            frailty[matter] = rng.gamma(e["shape"] + m.count[matter]) / rate
        hazards = _alone(draws, base, effect[:, row : row + 1], tilt[rows, :, scenario[matter]], frailty[matter])
        found[row] = simulate_paths(hazards, _standing(x, row), max(WINDOWS), rng).first[:, 0]
    return found


def _alone(draws: Draws, base: np.ndarray, effect: np.ndarray, tilt: np.ndarray, frailty: np.ndarray) -> Hazards:
    n = len(draws)
    return Hazards(
        base=base,
        effect=effect,
        tilt=tilt,
        frailty=frailty,
        multiplier=np.zeros((n, len(FAMILIES), 1)),
        ends=np.zeros((len(FAMILIES), 1)),
        closing=draws.flat["closing_probability"],
        opening=np.zeros((n, 2)),
        raising=np.zeros(len(FAMILIES), dtype=bool),
        raised_months=0.0,
    )


def _standing(x: Exposure, row: int) -> Start:
    return Start(
        age=x.age[row : row + 1],
        stage=x.stage[row : row + 1],
        is_open=np.array([True]),
        happened=np.zeros(len(FAMILIES), dtype=bool),
        elapsed=0.0,
        raised_until=0.0,
    )


def next_fines(future: Future, record: Record, rng: np.random.Generator) -> pd.DataFrame:
    """Return quantiles of the next fine, EUR, given that one comes, for every open proceeding.

    Columns ``case_id, q05, q25, q50, q75, q95, reason``. Focal proceedings: the first simulated fine in
    each. All others: the reference sizes of their instrument times ceiling and latest turnover; as a share of turnover
    where the law sets no ceiling; empty, with the reason, where no turnover is known.
    """
    draws = future.draws
    x, o = draws.evidence.exposure, draws.evidence.observations
    groups = dict(zip(record.proceedings["case_id"], record.proceedings["provider_group"], strict=True))
    turnovers = {group: latest_turnover(record, group) for group in set(groups.values())}
    law = statute(record, x.cases, o.instruments)
    rows = []
    for row in map(int, np.flatnonzero(x.is_open)):
        case = x.cases[row]
        if row < x.n_focal:
            amounts, reason = _first_focal_fine(future, row)
        else:
            group = str(groups[case])
            amounts, reason = _reference_fine(draws, turnovers[group], group, law, row, rng)
        quantiles = np.quantile(amounts, QUANTILES) if len(amounts) else [np.nan] * len(QUANTILES)
        rows.append((case, *quantiles, reason))
    return pd.DataFrame(rows, columns=["case_id", *(f"q{round(100 * q):02d}" for q in QUANTILES), "reason"])


def _first_focal_fine(future: Future, row: int) -> tuple[np.ndarray, str]:
    own = future.fine_proceeding == row
    path, time = future.fine_path[own], future.fine_time[own]
    is_first = time == future.paths.first[path, row, FAMILIES.index("fine")]
    amounts = future.fine_amount[own][is_first]
    if len(amounts) < LEAST_FINES:
        return np.zeros(0), f"only {len(amounts)} of {len(future.draws)} draws have a fine here within 60 months"
    size = "the brief's range of the scenario" if future.view == "inside" else "reference sizes"
    return amounts, f"{size}, given a fine here within 60 months"


def _reference_fine(
    draws: Draws, latest: pd.Series | None, group: str, law: Statute, row: int, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    if latest is None:
        return np.zeros(0), f"no turnover of {group} in the record"
    n, flat = len(draws), draws.flat
    turnover = latest["turnover_eur"] * np.exp(log_sd(latest) * rng.normal(size=n))
    if np.isnan(law.ceilings[row]):
        share = np.exp(rng.normal(flat["bare_size"][:, 0], flat["bare_size"][:, 1]))
        return share * turnover, f"no ceiling in law: reference share of turnover {int(latest['year'])}"
    index = law.instruments[row]
    scale = np.exp(flat["log_instrument_scale"])
    own = draws.effects["instrument"][:, index] if index >= 0 else scale * rng.normal(size=n)
    size = rng.normal(flat["size_mean"] + own, np.exp(flat["log_size_spread"]))
    return expit(size) * law.ceilings[row] * turnover, f"reference sizes, ceiling and turnover {int(latest['year'])}"
