"""Every open proceeding of the record: what may come next in it, and how large its next fine would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

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

    Columns ``case_id, matter_id, view, family, window_months, probability, mcse, outside_probability, outside_mcse``.
    Focal proceedings are read off the joint draws, in the forecast's own view; every other one is simulated given its
    matter's scenario weights and frailty at each draw, in the outside view. ``view`` says which.
    ``outside_probability`` is what the outside view, as of any other proceeding, says of a focal one too.
    """
    draws = future.draws
    x = draws.evidence.exposure
    open_rows = [int(row) for row in np.flatnonzero(x.is_open)]
    focal, others = ([row for row in open_rows if (row < x.n_focal) == own] for own in (True, False))
    outside = next(first_events(draws, others, max(WINDOWS), rng))
    if future.view == "inside":
        (apart,) = rng.spawn(1)  # so that the numbers of all other proceedings do not depend on it
        outside |= next(first_events(draws, focal, max(WINDOWS), apart))
    rows = []
    for row in open_rows:
        own = future.paths.first[:, row] if row < x.n_focal else outside[row]
        view = future.view if row < x.n_focal else "outside"
        for window in WINDOWS:
            shares = [(times <= window).mean(axis=0) for times in (own, outside.get(row, own))]
            rows += [
                (x.cases[row], x.matters[x.row_matter[row]], view, family, window, *_with_errors(pair, len(draws)))
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
    """Simulate open proceedings (``rows`` of the exposure) again and again; yield first times, by row: draw, family.

    Times are months from the origin, infinite where nothing came within ``months``. The reference class speaks, of the
    focal matter too (the outside view): each draw takes a scenario by the matter's weights and a frailty given its
    record, both shared by the matter's proceedings. Every pass is a fresh one; take as many as the precision asks for.
    """
    x, e, m, n = draws.evidence.exposure, draws.effects, draws.matters, np.arange(len(draws))
    base, effect, tilt = base_hazards(e), row_effects(e, x), tilts(e)
    is_focal = np.arange(len(x.matters)) == 0
    history = m.history + is_focal[:, None] * m.news_outside[:, None, :]
    lived = m.hazard + is_focal[:, None] * m.news_outside_hazard[:, None, :]
    count = m.count + is_focal * m.news_outside_count
    weights = {
        matter: softmax(e["log_weight"] + history[:, matter], axis=1) for matter in set(x.row_matter[list(rows)])
    }
    while True:
        scenario, frailty, found = {}, {}, {}
        for row in rows:
            matter = x.row_matter[row]
            if matter not in scenario:
                scenario[matter] = choose_scenarios(weights[matter], rng)
                rate = e["shape"] + lived[n, matter, scenario[matter]]
                frailty[matter] = rng.gamma(e["shape"] + count[matter]) / rate
            hazards = _alone(draws, base, effect[:, row : row + 1], tilt[n, :, scenario[matter]], frailty[matter])
            found[row] = simulate_paths(hazards, _standing(x, row), months, rng).first[:, 0]
        yield found


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
    each. All others: ``reference_fines``; empty, with the reason, where no turnover is known.
    """
    x = future.draws.evidence.exposure
    open_rows = [int(row) for row in np.flatnonzero(x.is_open)]
    reference = reference_fines(future.draws, record, [row for row in open_rows if row >= x.n_focal], rng)
    rows = []
    for row in open_rows:
        amounts, reason = _first_focal_fine(future, row) if row < x.n_focal else reference[row]
        quantiles = np.quantile(amounts, QUANTILES) if len(amounts) else [np.nan] * len(QUANTILES)
        rows.append((x.cases[row], *quantiles, reason))
    return pd.DataFrame(rows, columns=["case_id", *(f"q{round(100 * q):02d}" for q in QUANTILES), "reason"])


def reference_fines(
    draws: Draws, record: Record, rows: Sequence[int], rng: np.random.Generator
) -> dict[int, tuple[np.ndarray, str]]:
    """Draw the next fine of proceedings (``rows`` of the exposure) from the reference class, EUR, one per draw.

    Reference sizes of the instrument times ceiling and latest turnover; a share of turnover where the law sets no
    ceiling; nothing where no turnover is known. With the amounts goes what they rest on, or why there are none.
    """
    x, o = draws.evidence.exposure, draws.evidence.observations
    groups = dict(zip(record.proceedings["case_id"], record.proceedings["provider_group"], strict=True))
    turnovers = {group: latest_turnover(record, group) for group in set(groups.values())}
    law = statute(record, x.cases, o.instruments)
    of_row = {row: str(groups[x.cases[row]]) for row in rows}
    return {row: _reference_fine(draws, turnovers[group], group, law, row, rng) for row, group in of_row.items()}


def _first_focal_fine(future: Future, row: int) -> tuple[np.ndarray, str]:
    own, last = future.fine_proceeding == row, future.horizons[-1]
    path, time = future.fine_path[own], future.fine_time[own]
    is_first = time == future.paths.first[path, row, FAMILIES.index("fine")]
    amounts = future.fine_amount[own][is_first]
    if len(amounts) < LEAST_FINES:
        return np.zeros(0), f"only {len(amounts)} of {len(future.draws)} draws have a fine here within {last} months"
    size = "the brief's range of the scenario" if future.view == "inside" else "reference sizes"
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
