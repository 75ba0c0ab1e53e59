"""Scores of a table of forecasts: means, skill against each baseline, intervals over matters; calibration.

All origins and windows of a matter are resampled together, and with them those of matters that one class of authorities
decided about on one day (``batch``): each is one piece of luck. Few matters saw any event, so intervals of single
families are wide, and where a family saw no event at all they say nothing of how it would have been forecast. Beside
every score stands how many different events it rests on, and on how many class-days: days on which authorities of one
class did something.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from forecast.backtesting.rows import CRPS, FORECASTERS
from forecast.baselines import BASELINES
from forecast.scores import LEVEL, RESAMPLES, brier_score, interval, log_score, resampled_means, skill

ALL, OTHERS = "all", "all but procedural steps"
STEPS = ("formal_opening", "judicial_investigation")
"""Families that are steps within a procedure and no measure against anybody; ``OTHERS`` are the eleven other ones."""
SCORES = {"log": log_score, "brier": brier_score}
UNITS = {"log": "nats", "brier": "squared probability", "time": "months", "size": "log EUR"}
EXPECTED_EVENTS = 15.0
"""Events that each bin of the reliability diagram is to expect, at least."""
MOST_BINS = 8
AGES, AGE_NAMES = (0, 6, 24, np.inf), ("0 to 6 months", "6 to 24 months", "24 months and more")
"""Ages of proceedings at the origin by which scores are told, months."""
GRID = np.arange(1, 20) / 20
"""Where the distribution of the PIT is looked at."""


def score_table(table: pd.DataFrame, batches: np.ndarray, seed: int) -> pd.DataFrame:
    """Return every mean score with its skill against every baseline: one row per part, score and baseline.

    Columns: ``kind, target, window_months, score, unit``; ``n`` forecasts of ``matters`` matters, of which ``eventful``
    saw an event; ``observed`` answers yes, which rest on so many different ``events`` on ``class_days``, and as many as
    the model ``expected`` (missing for times and sizes); ``model`` and ``score_baseline``, means, lower is better, with
    the model's Monte Carlo error ``mcse``; ``difference``, model less baseline (below 0: the model is better), and
    ``skill``, 1 - model / baseline (above 0: better), each with ``_low`` and ``_high``, eti 0.90 over batches of
    matters; ``saved``, the sum of the difference over all forecasts, turned round: of log scores, the nats that the
    model saves. Forecasts on which one of the four says nothing are left out.
    """
    rows = []
    for kind, target, window, own in parts(table):
        for name in SCORES if kind == "event" else ("crps",):
            about = {"kind": kind, "target": target, "window_months": window, "score": name}
            rows += _score_rows(about, own, batches, seed)
    return pd.DataFrame(rows)


def _score_rows(about: dict[str, str], own: pd.DataFrame, batches: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Return the scores of a part against each baseline; ``about``: what it is, its ``kind`` and ``score`` included."""
    kind, name = about["kind"], about["score"]
    values = losses(own, name)
    scored = np.isfinite(values).all(axis=1)
    part, values = own.loc[scored], values[scored]
    happened = part["outcome"] == 1 if kind == "event" else ~part["is_censored"].astype(bool)
    came = part.loc[happened]
    numbers = {
        "unit": UNITS[name if kind == "event" else kind],
        "n": len(part),
        "matters": part["matter_id"].nunique(),
        "eventful": came["matter_id"].nunique(),
        "observed": len(came),
        "events": len(came[["case_id", "target", "came_on"]].drop_duplicates()),
        "class_days": len(came[["authority_class", "came_on"]].drop_duplicates()),
        "expected": part["model"].sum() if kind == "event" else np.nan,
        "mcse": _monte_carlo(part, batches, name) if kind == "event" else np.nan,
    }
    return [{**about, **numbers, **compared} for compared in _compared(values, part["batch"].to_numpy(), seed)]


def group_table(table: pd.DataFrame, batches: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the log score of all yes/no forecasts by ``group``: class of authorities, age of the proceeding, origin.

    ``value`` names the part; the other columns are those of ``score_table``.
    """
    events = table.loc[table["kind"] == "event"]
    of_age = pd.cut(events["age_months"], AGES, labels=list(AGE_NAMES), right=False)
    groups = {"class": events["authority_class"], "age": of_age, "origin": events["origin_date"]}
    rows = []
    for group, values in groups.items():
        for value, own in events.groupby(values, sort=True, observed=True):
            about = {"group": group, "value": str(value), "kind": "event", "score": "log"}
            rows += _score_rows(about, own, batches, seed)
    return pd.DataFrame(rows)


def law_table(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return what the legal multipliers are worth: mean log scores of all yes/no forecasts with and without them.

    Columns ``target`` (all, or one), ``n``, ``model``, ``plain_law`` (every legal multiplier at 1), ``saved`` (nats
    that they save), ``best`` (the baseline of the best score) and the ``skill`` of both against it, with eti 0.90.
    """
    rows = []
    for kind, target, window, own in parts(table):
        if kind != "event" or window != ALL:
            continue
        values = losses(own, "log")
        plain = log_score(own["plain_law"].to_numpy(float), own["outcome"].to_numpy(float))
        best = 1 + int(values[:, 1:].mean(axis=0).argmin())
        both = np.column_stack([values[:, 0], plain, values[:, best]])
        means, samples = both.mean(axis=0), resampled_means(both, own["batch"], seed)
        told = {"target": target, "n": len(own), "model": means[0], "plain_law": means[1]}
        told |= {"saved": len(own) * (means[1] - means[0]), "best": FORECASTERS[best]}
        for number, name in enumerate(("skill", "skill_plain_law")):
            low, high = interval(skill(samples[:, number], samples[:, 2]))
            gain = float(skill(means[number], means[2]))
            told |= {name: gain, f"{name}_low": low, f"{name}_high": high}
        rows.append(told)
    return pd.DataFrame(rows)


def parts(table: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Yield kind, target, window and rows of every part that is scored: each alone, and all together."""
    for kind, own in table.groupby("kind", sort=False):
        windows = sorted(own["window_months"].dropna().unique()) if kind == "event" else []
        together = [ALL, OTHERS] if own["target"].isin(STEPS).any() else [ALL]
        for target in (together if kind == "event" else []) + list(dict.fromkeys(own["target"])):
            is_step = own["target"].isin(STEPS)
            rows = own if target == ALL else own.loc[~is_step if target == OTHERS else own["target"] == target]
            yield kind, target, ALL, rows
            for window in windows:
                yield kind, target, str(window), rows.loc[rows["window_months"] == window]


def losses(table: pd.DataFrame, score: str) -> np.ndarray:
    """Return the score of every forecast by every forecaster, shape row, forecaster: ``log``, ``brier`` or ``crps``."""
    if score == "crps":
        return table[list(CRPS)].to_numpy(float)
    outcome = table["outcome"].to_numpy(float)
    return np.stack([SCORES[score](table[name].to_numpy(float), outcome) for name in FORECASTERS], axis=1)


def _compared(values: np.ndarray, clusters: np.ndarray, seed: int) -> Iterator[dict[str, float | str]]:
    """Yield the model's mean beside each baseline's; without a forecast there is no number."""
    if not len(values):
        return
    means, samples = values.mean(axis=0), resampled_means(values, clusters, seed)
    low, high = interval(samples[:, 0])
    for number, name in enumerate(BASELINES, 1):
        apart = interval(samples[:, 0] - samples[:, number])
        gain = interval(skill(samples[:, 0], samples[:, number]))
        yield {
            "model": means[0], "model_low": low, "model_high": high,
            "baseline": name, "score_baseline": means[number],
            "difference": means[0] - means[number], "difference_low": apart[0], "difference_high": apart[1],
            "skill": float(skill(means[0], means[number])), "skill_low": gain[0], "skill_high": gain[1],
            "saved": len(values) * (means[number] - means[0]),
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
            low, high = interval(len(own) * resampled_means(values[:, :1], own["batch"], seed))[:, 0]
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
                for row in _bins(own[name].to_numpy(float), own["outcome"].to_numpy(float), own["batch"], seed)
            ]
    return pd.DataFrame(rows)


def _bins(p: np.ndarray, y: np.ndarray, clusters: pd.Series, seed: int) -> Iterator[dict[str, float]]:
    more = inflation((y - p)[:, None], p * (1 - p) / len(p) ** 2, clusters, seed)
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


def inflation(values: np.ndarray, variance: np.ndarray, clusters: pd.Series, seed: int) -> float:
    """Return the design effect: the variance of means over resampled clusters by that of independent rows; at least 1.

    ``values``: row, column. ``variance``: that of the mean of each column, were the rows independent. Both are summed.
    """
    spread = resampled_means(values, clusters, seed).var(axis=0).sum()
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
        more = inflation(below, share * (1 - share) / len(own), own["batch"], seed)
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
