"""Scores of a table of forecasts: means, skill against each baseline, intervals over matters; calibration.

All origins and windows of a matter are resampled together: what happened in it, and in a window within another, is one
piece of luck. Few matters saw any event, so intervals of single families are wide, and where a family saw no event at
all they say nothing of how it would have been forecast.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binom

from forecast.backtesting.rows import CRPS, FORECASTERS
from forecast.baselines import BASELINES
from forecast.scores import LEVEL, RESAMPLES, brier_score, interval, log_score, resampled_means, skill

ALL = "all"
SCORES = {"log": log_score, "brier": brier_score}
UNITS = {"log": "nats", "brier": "squared probability", "time": "months", "size": "log EUR"}
EXPECTED_EVENTS = 15.0
"""Events that each bin of the reliability diagram is to expect, at least."""
MOST_BINS = 8
GRID = np.arange(1, 20) / 20
"""Where the distribution of the PIT is looked at."""


def score_table(table: pd.DataFrame, batches: np.ndarray, seed: int) -> pd.DataFrame:
    """Return every mean score with its skill against every baseline: one row per part, score and baseline.

    Columns: ``kind, target, window_months, score, unit``; ``n`` forecasts of ``matters`` matters, of which ``eventful``
    saw an event; ``observed`` events, and as many as the model ``expected`` (missing for times and sizes); ``model``
    and ``score_baseline``, means, lower is better, with the model's Monte Carlo error ``mcse``; ``difference``, model
    less baseline (below 0: the model is better), and ``skill``, 1 - model / baseline (above 0: better), each with
    ``_low`` and ``_high``, eti 0.90 over matters. Forecasts on which one of the four says nothing are left out.
    """
    rows = []
    for kind, target, window, own in parts(table):
        names = SCORES if kind == "event" else {"crps": None}
        for name in names:
            values = losses(own, name)
            scored = np.isfinite(values).all(axis=1)
            part, values = own.loc[scored], values[scored]
            happened = part["outcome"] == 1 if kind == "event" else ~part["is_censored"].astype(bool)
            about = {
                "kind": kind,
                "target": target,
                "window_months": window,
                "score": name,
                "unit": UNITS[name if kind == "event" else kind],
                "n": len(part),
                "matters": part["matter_id"].nunique(),
                "eventful": part.loc[happened, "matter_id"].nunique(),
                "observed": int(happened.sum()),
                "expected": part["model"].sum() if kind == "event" else np.nan,
                "mcse": _monte_carlo(part, batches, name) if kind == "event" else np.nan,
            }
            rows += [{**about, **compared} for compared in _compared(values, part["matter_id"].to_numpy(), seed)]
    return pd.DataFrame(rows)


def parts(table: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Yield kind, target, window and rows of every part that is scored: each alone, and all together."""
    for kind, own in table.groupby("kind", sort=False):
        windows = sorted(own["window_months"].dropna().unique()) if kind == "event" else []
        for target in ([ALL] if kind == "event" else []) + list(dict.fromkeys(own["target"])):
            rows = own if target == ALL else own.loc[own["target"] == target]
            yield kind, target, ALL, rows
            for window in windows:
                yield kind, target, str(window), rows.loc[rows["window_months"] == window]


def losses(table: pd.DataFrame, score: str) -> np.ndarray:
    """Return the score of every forecast by every forecaster, shape row, forecaster: ``log``, ``brier`` or ``crps``."""
    if score == "crps":
        return table[list(CRPS)].to_numpy(float)
    outcome = table["outcome"].to_numpy(float)
    return np.stack([SCORES[score](table[name].to_numpy(float), outcome) for name in FORECASTERS], axis=1)


def _compared(values: np.ndarray, matters: np.ndarray, seed: int) -> Iterator[dict[str, float | str]]:
    """Yield the model's mean beside each baseline's; without a forecast there is no number."""
    if not len(values):
        return
    means, samples = values.mean(axis=0), resampled_means(values, matters, seed)
    low, high = interval(samples[:, 0])
    for number, name in enumerate(BASELINES, 1):
        apart = interval(samples[:, 0] - samples[:, number])
        gain = interval(skill(samples[:, 0], samples[:, number]))
        yield {
            "model": means[0], "model_low": low, "model_high": high,
            "baseline": name, "score_baseline": means[number],
            "difference": means[0] - means[number], "difference_low": apart[0], "difference_high": apart[1],
            "skill": float(skill(means[0], means[number])), "skill_low": gain[0], "skill_high": gain[1],
        }  # fmt: skip


def _monte_carlo(part: pd.DataFrame, batches: np.ndarray, score: str) -> float:
    """Return the Monte Carlo error of the model's mean score: to first order in the shares, batch by batch.

    What one batch of draws gets wrong, it gets wrong in all forecasts of an origin together; origins are independent.
    """
    p, y = part["model"].to_numpy(float), part["outcome"].to_numpy(float)
    slope = (1 - y) / (1 - p) - y / p if score == "log" else 2 * (p - y)
    shares = batches[part["forecast"].to_numpy()]
    origins = pd.factorize(part["origin_date"])[0]
    total = np.stack([np.bincount(origins, slope * batch) for batch in shares.T])
    variance = total.var(axis=0, ddof=1) / len(total)
    return float(np.sqrt(variance.sum()) / len(part))


def count_table(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return events observed and expected, by family and window: ``observed`` with eti 0.90 over matters."""
    rows = []
    for kind, target, window, own in parts(table):
        if kind == "event":
            values = own[["outcome", *FORECASTERS]].to_numpy(float)
            low, high = interval(len(own) * resampled_means(values[:, :1], own["matter_id"], seed))[:, 0]
            expected = dict(zip(FORECASTERS, values[:, 1:].sum(axis=0), strict=True))
            rows.append(
                {
                    "target": target,
                    "window_months": window,
                    "n": len(own),
                    "observed": values[:, 0].sum(),
                    "observed_low": low,
                    "observed_high": high,
                    **{f"expected_{name}": value for name, value in expected.items()},
                }
            )
    return pd.DataFrame(rows)


def reliability_table(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return how often what was given some probability came, for model and baselines, by bins of the probability.

    Bins hold equal sums of the probability, at least ``EXPECTED_EVENTS`` each: bins of equal numbers of forecasts would
    leave nearly all events in one. ``low`` and ``high`` are where the share of a reliable forecaster lies with
    probability 0.90 (Bröcker and Smith 2007, doi:10.1175/WAF993.1): a binomial of as many forecasts as the bin holds,
    divided by ``inflation``: by how much more the total varies over resampled matters than independent outcomes would.
    """
    rows = []
    for _, target, window, own in parts(table.loc[table["kind"] == "event"]):
        if target == ALL:
            rows += [
                {"window_months": window, "forecaster": name, **row}
                for name in FORECASTERS
                for row in _bins(own[name].to_numpy(float), own["outcome"].to_numpy(float), own["matter_id"], seed)
            ]
    return pd.DataFrame(rows)


def _bins(p: np.ndarray, y: np.ndarray, matters: pd.Series, seed: int) -> Iterator[dict[str, float]]:
    more = inflation((y - p)[:, None], p * (1 - p) / len(p) ** 2, matters, seed)
    order = np.argsort(p, kind="stable")
    number = int(np.clip(p.sum() // EXPECTED_EVENTS, 1, MOST_BINS))
    edges = np.searchsorted(np.cumsum(p[order]), p.sum() * np.arange(1, number) / number)
    for bin_number, index in enumerate(np.split(order, edges)):
        if len(index):
            mean, effective = p[index].mean(), max(round(len(index) / more), 1)
            low, high = binom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], effective, mean) / effective
            yield {
                "bin": bin_number, "n": len(index), "probability": mean, "observed": int(y[index].sum()),
                "share": y[index].mean(), "low": low, "high": high, "inflation": more,
            }  # fmt: skip


def inflation(values: np.ndarray, variance: np.ndarray, matters: pd.Series, seed: int) -> float:
    """Return the design effect: the variance of means over resampled matters by that of independent rows; at least 1.

    ``values``: row, column. ``variance``: that of the mean of each column, were the rows independent. Both are summed.
    """
    spread = resampled_means(values, matters, seed).var(axis=0).sum()
    return float(max(spread / variance.sum(), 1.0)) if variance.any() else 1.0


def pit_table(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the distribution of the PIT of waiting times and sizes: its ``share`` up to ``u``, and less ``u``.

    ``band``: within +- this the whole ``difference`` lies with probability 0.90 if the forecasts are calibrated: the
    simulated widest standardised difference of as many uniform values as there are forecasts, divided by ``inflation``
    (as in ``reliability_table``).
    """
    rows = []
    for kind, target, _, own in parts(table.loc[(table["kind"] != "event") & table["pit"].notna()]):
        below = (own["pit"].to_numpy(float)[:, None] <= GRID).astype(float)
        share = below.mean(axis=0)
        more = inflation(below, share * (1 - share) / len(own), own["matter_id"], seed)
        band = _band(max(round(len(own) / more), 1), seed)
        about = {
            "kind": kind,
            "target": target,
            "n": len(own),
            "matters": own["matter_id"].nunique(),
            "inflation": more,
        }
        rows += [
            {**about, "u": u, "share": s, "difference": s - u, "band": b}
            for u, s, b in zip(GRID, share, band, strict=True)
        ]
    return pd.DataFrame(rows)


def _band(n: int, seed: int) -> np.ndarray:
    """Return the simultaneous band of the difference of ``n`` uniform values' distribution from the diagonal."""
    uniform = np.random.default_rng(seed).random((RESAMPLES, n))
    apart = (uniform[:, :, None] <= GRID).mean(axis=1) - GRID
    spread = np.sqrt(GRID * (1 - GRID) / n)
    return np.quantile(np.abs(apart / spread).max(axis=1), LEVEL) * spread
