"""One row per forecast: what was said, what came, and the score of a waiting time or a size.

============================================  =====================================================================
column                                        meaning
============================================  =====================================================================
forecast, kind                                number of the row; ``event``, ``time`` or ``size``
origin_date, case_id, ..., target             of what: a family, ``findings`` or ``decision``, ``fine``
age_months                                    of the proceeding at the origin, since it opened
batch                                         matters with an event of one authority class on one day have one name
window_months, window_end, exact_months       calendar window, its last day (times: that watched), and its length
outcome, is_censored, unit                    0 or 1; months, or those followed if nothing came; log EUR (e-based)
came_on                                       day of the event that was the answer
model, pooled, by_class, incidence            event: probability; time, size: median (infinite: later than followed)
plain_law                                     event: the model's probability with every legal multiplier at 1
mcse                                          Monte Carlo error of the model's probability
crps_*                                        CRPS by forecaster, in the unit; times censored where they end
pit                                           randomised PIT of the model
reason                                        what a size rests on, or why there is no forecast
============================================  =====================================================================

A window that reaches beyond the day to which its proceeding was looked at has no row. All scores of ``event`` rows
follow from the row. The distributions behind times and sizes do not fit into a row: their
quantiles are returned beside the rows, by ``forecast``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.backtesting.asking import NEVER, Answer, Question, months_to
from forecast.backtesting.saying import Said
from forecast.baselines import ASKED, BASELINES
from forecast.scores import censored_crps, censored_pit, crps, pit, smoothed_share

FORECASTERS = ("model", *BASELINES)
KINDS = ("event", "time", "size")
CRPS = tuple(f"crps_{name}" for name in FORECASTERS)
LEVELS = np.arange(1, 200) / 200
"""Probabilities of the quantiles that are kept of waiting times and sizes."""
COLUMNS = (
    "forecast", "kind", "origin_date", "case_id", "matter_id", "batch", "authority_class", "provider_group",
    "age_months", "target", "window_months", "window_end", "exact_months", "outcome", "is_censored", "came_on", "unit",
    *FORECASTERS, "plain_law", "mcse", *CRPS, "pit", "reason",
)  # fmt: skip
"""Columns of ``backtest.csv``, as above."""


@dataclass(frozen=True)
class Answers:
    """What the record says after one origin: first events by proceeding and target, and how far each was looked at."""

    first: Mapping[tuple[str, str], Answer]
    seen: Mapping[str, date]

    def of(self, case: str, target: str) -> Answer:
        """Return the first event of a target in a proceeding, or ``NEVER``."""
        return self.first.get((case, target), NEVER)


def event_rows(said: Said, asked: Question, found: Answers) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the yes/no forecasts of one origin, and of each the model's share in every batch (row, batch)."""
    shape = said.counts.shape[:3]
    case, window, target = (index.ravel() for index in np.indices(shape))
    total = said.courses.sum()
    share = said.counts / said.courses
    spread = share.std(axis=3, ddof=1) / np.sqrt(share.shape[3])
    came = [found.of(said.cases[c], ASKED[t]) for c, t in zip(case, target, strict=True)]
    windows = [asked.windows[w] for w in window]
    is_yes = np.array([a.months <= w.exact_months for a, w in zip(came, windows, strict=True)], dtype=bool)
    is_answered = [found.seen[said.cases[c]] >= w.end for c, w in zip(case, windows, strict=True)]
    frame = pd.DataFrame(
        {
            "kind": "event",
            "case_id": np.array(said.cases, dtype=object)[case],
            "age_months": np.array(said.ages)[case],
            "target": np.array(ASKED, dtype=object)[target],
            "window_months": [w.months for w in windows],
            "window_end": [str(w.end) for w in windows],
            "exact_months": [w.exact_months for w in windows],
            "outcome": is_yes.astype(float),
            "is_censored": False,
            "came_on": [a.day if yes else "" for a, yes in zip(came, is_yes, strict=True)],
            "unit": "yes/no",
            "model": smoothed_share(said.counts.sum(axis=3), total).ravel(),
            "plain_law": said.plain_law.ravel(),
            "mcse": spread.ravel(),
            **{name: said.baseline[..., b].ravel() for b, name in enumerate(BASELINES)},
        }
    )
    kept = np.flatnonzero(is_answered)
    return frame.iloc[kept].reset_index(drop=True), share.reshape(-1, share.shape[3])[kept]


def time_rows(said: Said, asked: Question, found: Answers, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the waiting times of one origin, each with the quantiles of every forecaster under ``quantiles``.

    They are followed up to the last day on which the proceeding was looked at, ``exact_months`` away: what has not come
    by then is censored. A proceeding that was not looked at after the origin has no row.
    """
    rows = []
    for target, (cases, draws) in said.waits.items():
        for case, own in zip(cases, draws, strict=True):
            followed, answer = months_to(asked.day, found.seen[case]), found.of(case, target)
            if followed <= 0:
                continue
            limit, months = np.array([followed]), answer.months
            values = [own, *(said.baseline_waits[target, case, name] for name in BASELINES)]
            rows.append(
                {
                    "kind": "time",
                    "case_id": case,
                    "target": target,
                    "window_end": str(found.seen[case]),
                    "exact_months": followed,
                    "outcome": min(months, followed),
                    "is_censored": bool(months > followed),
                    "came_on": answer.day if months <= followed else "",
                    "unit": "months",
                    **dict(zip(CRPS, (censored_crps(v[None], [months], limit)[0] for v in values), strict=True)),
                    "pit": censored_pit(own[None], [months], limit, rng)[0],
                    **_described(values),
                }
            )
    return rows


def size_rows(said: Said, asked: Question, found: Answers, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the size of the next fine of every proceeding that was fined within the longest window of one origin.

    Where the model or a baseline says nothing, or the amount is not recorded, there is no score, and a reason.
    """
    rows = []
    last = asked.windows[-1]
    for case in said.cases:
        answer = found.of(case, "fine")
        if answer.months > last.exact_months:
            continue
        own, reason = said.sizes[case]
        values = [own, *(said.baseline_sizes[case][name] for name in BASELINES)]
        amount = float(np.log(answer.amount)) if answer.amount > 0 else np.nan
        scores = [crps(v[None], [amount])[0] if len(v) and np.isfinite(amount) else np.nan for v in values]
        rows.append(
            {
                "kind": "size",
                "case_id": case,
                "target": "fine",
                "window_months": last.months,
                "window_end": str(last.end),
                "exact_months": last.exact_months,
                "outcome": amount,
                "is_censored": False,
                "came_on": answer.day,
                "unit": "log EUR",
                **dict(zip(CRPS, scores, strict=True)),
                "pit": pit(own[None], [amount], rng)[0] if np.isfinite(scores[0]) else np.nan,
                "reason": reason if np.isfinite(amount) else "the amount of the fine is not recorded",
                **_described(values),
            }
        )
    return rows


def _described(values: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return median and quantiles of each forecaster, missing where it says nothing."""
    quantiles = np.full((len(FORECASTERS), len(LEVELS)), np.nan)
    for number, own in enumerate(values):
        if len(own):
            quantiles[number] = np.quantile(own, LEVELS, method="inverted_cdf")
    return {**dict(zip(FORECASTERS, quantiles[:, len(LEVELS) // 2], strict=True)), "quantiles": quantiles}


def all_rows(
    said: Sequence[Said], asked: Sequence[Question], found: Sequence[Answers], seed: int
) -> tuple[pd.DataFrame, np.ndarray, xr.Dataset]:
    """Return the table of all forecasts, the batches of the yes/no ones (row, batch), and quantiles of all others.

    Rows are numbered in ``forecast``: all yes/no ones first, by origin, then waiting times, then sizes.
    """
    events, batches = [], []
    times: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    for one, question, answer in zip(said, asked, found, strict=True):
        rng = np.random.default_rng([seed, 31, question.day.toordinal()])
        frame, shares = event_rows(one, question, answer)
        events.append(frame.assign(origin_date=str(question.day)))
        batches.append(shares)
        for rows, own in (
            (times, time_rows(one, question, answer, rng)),
            (sizes, size_rows(one, question, answer, rng)),
        ):
            age = dict(zip(one.cases, one.ages, strict=True))
            rows += [{"origin_date": str(question.day), "age_months": age[row["case_id"]], **row} for row in own]
    quantiles = [row.pop("quantiles") for row in (*times, *sizes)]
    frame = pd.concat([*events, pd.DataFrame([*times, *sizes])], ignore_index=True)
    about = asked[-1].known.proceedings.set_index("case_id")[["matter_id", "authority_class", "provider_group"]]
    frame = frame.join(about, on="case_id").assign(forecast=range(len(frame)))
    frame["window_months"] = frame["window_months"].astype("Int64")
    frame["batch"] = batches_of(frame)
    frame["reason"] = frame["reason"].fillna("") if "reason" in frame else ""
    table = frame.reindex(columns=list(COLUMNS))
    first = len(table) - len(quantiles)
    data = xr.Dataset(
        {
            "quantile": (
                ("forecast", "forecaster", "level"),
                np.array(quantiles).reshape(-1, len(FORECASTERS), len(LEVELS)),
            )
        },
        coords={"forecast": np.arange(first, len(table)), "forecaster": list(FORECASTERS), "level": LEVELS},
    )
    return table, np.concatenate(batches), data


def batches_of(table: pd.DataFrame) -> pd.Series:
    """Return for each row the name of its batch of matters: the first matter's of those that are linked.

    Two matters are linked where an event of each, by authorities of one class, came on the same day: an authority that
    decides ten cases at once makes one decision. Links chain.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    matter, names = pd.factorize(table["matter_id"], sort=True)
    came = table["came_on"] != ""
    day = pd.factorize(table["authority_class"].str.cat(table["came_on"], " "))[0] + len(names)
    size = len(names) + len(table)
    links = coo_array((np.ones(came.sum()), (matter[came], day[came])), shape=(size, size))
    label = connected_components(links, directed=False)[1][: len(names)]
    first = pd.Series(names).groupby(label).transform("min").to_numpy()
    return pd.Series(first[matter], index=table.index)
