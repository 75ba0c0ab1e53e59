"""Every open proceeding of the record: what may come next in it, and how large its next fine would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from forecast.inference import Draws
from forecast.observations import Statute, latest_turnover, log_sd, statute
from forecast.outcomes import Future
from forecast.projection.courses import hazards_of, kinds_of, start_of
from forecast.projection.drivers import Law
from forecast.projection.paths import simulate_paths
from forecast.record import Record
from forecast.vocabulary import FAMILIES, WINDOWS

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
LEAST_FINES = 100
"""Fewest simulated fines of a focal proceeding from which quantiles of its next fine are given."""


def event_probabilities(future: Future, rng: np.random.Generator) -> pd.DataFrame:
    """Return the probability of each family in each open proceeding within 3, 6, 9 and 12 months.

    Columns ``case_id, matter_id, view, family, window_months, probability, mcse, outside_probability, outside_mcse``.
    Focal proceedings are read off the joint draws, in the forecast's own view; every other one is simulated from the
    reference class. ``view`` says which. ``outside_probability`` is what the reference class says of a focal one too.
    """
    draws, e = future.draws, future.draws.evidence
    place = {row: i for i, row in enumerate(e.hazards.focal)}
    open_rows = [row for row, life in enumerate(e.hazards.lives) if life.at_risk]
    outside = next(first_events(draws, open_rows, max(WINDOWS), rng))
    focal_first = future.paths.first_in(len(e.focal))
    rows = []
    for row in open_rows:
        life = e.hazards.lives[row]
        own = focal_first[:, place[row]] if row in place else outside[row]
        view = future.view if row in place else "outside"
        for window in WINDOWS:
            shares = [(times <= window).mean(axis=0) for times in (own, outside[row])]
            rows += [
                (life.case_id, life.matter_id, view, family, window, *_with_errors(pair, len(draws)))
                for family, *pair in zip(FAMILIES, *shares, strict=True)
            ]
    columns = ["case_id", "matter_id", "view", "family", "window_months"]
    return pd.DataFrame(rows, columns=[*columns, "probability", "mcse", "outside_probability", "outside_mcse"])


def both_views(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of ``event_probabilities`` with a row for each view: inside ones are there in both views."""
    inside = table["view"] == "inside"
    outside = table.assign(view="outside", probability=table["outside_probability"], mcse=table["outside_mcse"])
    return pd.concat([table.loc[inside], outside.loc[inside], table.loc[~inside]], ignore_index=True)


def _with_errors(shares: Sequence[float], n: int) -> list[float]:
    """Return shares of ``n`` draws, each with its Monte Carlo error."""
    return [value for p in shares for value in (p, np.sqrt(p * (1 - p) / n))]


def first_events(
    draws: Draws, rows: Sequence[int], months: float, rng: np.random.Generator
) -> Iterator[dict[int, np.ndarray]]:
    """Simulate open proceedings (positions in ``lives``) again and again; yield first times, by row: draw, family.

    Times are months from the origin, infinite where nothing came within ``months``. The reference class speaks, of the
    focal matter's proceedings too (the outside view), each by itself. Every pass is a fresh one; take as many as the
    precision asks for.
    """
    e = draws.evidence
    regime, day, law = e.regime, e.origin.toordinal(), Law.of(e.regime)
    alone = {row: [e.hazards.lives[row]] for row in rows}
    while True:
        found = {}
        for row, lives in alone.items():
            kinds = kinds_of(lives, regime)
            hazards = hazards_of(draws.flat, regime, kinds, day, draws.flat["closing_probability"])
            seeds = rng.integers(0, 2**32, len(draws), dtype=np.uint64)
            start = start_of(lives, regime, day)
            found[row] = simulate_paths(hazards, start, kinds, law, regime.rule_table, months, seeds).first
        yield found


def next_fines(future: Future, record: Record, rng: np.random.Generator) -> pd.DataFrame:
    """Return quantiles of the next fine, EUR, given that one comes, for every open proceeding.

    Columns ``case_id, q05, q25, q50, q75, q95, reason``. Focal proceedings: the first simulated fine in
    each. All others: ``reference_fines``; empty, with the reason, where no turnover is known.
    """
    e = future.draws.evidence
    place = {row: i for i, row in enumerate(e.hazards.focal)}
    open_rows = [row for row, life in enumerate(e.hazards.lives) if life.at_risk]
    reference = reference_fines(future.draws, record, [row for row in open_rows if row not in place], rng)
    rows = []
    for row in open_rows:
        amounts, reason = _first_focal_fine(future, place[row]) if row in place else reference[row]
        quantiles = np.quantile(amounts, QUANTILES) if len(amounts) else [np.nan] * len(QUANTILES)
        rows.append((e.hazards.lives[row].case_id, *quantiles, reason))
    return pd.DataFrame(rows, columns=["case_id", *(f"q{round(100 * q):02d}" for q in QUANTILES), "reason"])


def reference_fines(
    draws: Draws, record: Record, rows: Sequence[int], rng: np.random.Generator
) -> dict[int, tuple[np.ndarray, str]]:
    """Draw the next fine of proceedings (positions in ``lives``) from the reference class, EUR, one per draw.

    Reference sizes of the instrument times ceiling and latest turnover; a share of turnover where the law sets no
    ceiling; nothing where no turnover is known. With the amounts goes what they rest on, or why there are none.
    """
    cases, o = tuple(life.case_id for life in draws.evidence.hazards.lives), draws.evidence.observations
    groups = dict(zip(record.proceedings["case_id"], record.proceedings["provider_group"], strict=True))
    turnovers = {group: latest_turnover(record, group) for group in set(groups.values())}
    law = statute(record, cases, o.instruments)
    of_row = {row: str(groups[cases[row]]) for row in rows}
    return {row: _reference_fine(draws, turnovers[group], group, law, row, rng) for row, group in of_row.items()}


def _first_focal_fine(future: Future, place: int) -> tuple[np.ndarray, str]:
    own, last = future.fine_proceeding == place, future.horizons[-1]
    path, time = future.fine_path[own], future.fine_time[own]
    first = np.full(len(future.draws), np.inf)
    np.minimum.at(first, path, time)
    is_first = time == first[path]
    amounts = future.fine_amount[own][is_first]
    if len(amounts) < LEAST_FINES:
        return np.zeros(0), f"only {len(amounts)} of {len(future.draws)} draws have a fine here within {last} months"
    size = "a part of the scenario's sum" if future.view == "inside" else "reference sizes"
    return amounts, f"{size}, given a fine here within {last} months"


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
