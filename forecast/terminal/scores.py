"""What the command line prints of a backtest: scores beside the baselines', in tables and in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.terminal.look import table_of

if TYPE_CHECKING:
    from forecast.backtesting import Backtest

ALL = "all"
BASELINES = {
    "pooled": "one hazard per family",
    "by_class": "a hazard per authority class, shrunk",
    "incidence": "a cumulative-incidence curve",
}
FEW = 5
"""Matters with an event below which an interval over matters says next to nothing."""
FEW_MARK = "*"
LOWEST = -1.0
"""Skill below which it does not matter how far."""


def backtest_screen(result: Backtest) -> Group:
    """Return what ``forecast backtest`` prints: verdicts first, then scores by part, and what to keep in mind."""
    m, worst = result.manifest, result.diagnostics
    events = result.forecasts.loc[result.forecasts["kind"] == "event"]
    title = (
        f"Backtest: {m['origins']} origins from {m['start']} to {worst['origin_date'].iloc[-1]}, record to {m['end']}, "
        "outside view"
    )
    asked = (
        f"{len(events):,} yes/no forecasts of {events['matter_id'].nunique()} matters, windows of "
        f"{', '.join(map(str, m['windows']))} months; {int(events['outcome'].sum())} came true, "
        f"{events['model'].sum():.0f} were expected. An event counts in every window and at every origin that covers "
        "it."
    )
    lines = [
        "Log scores in nats, CRPS of times in months and of sizes in log EUR: means, lower is better. Skill: share of "
        "the baseline's score that the model saves, [ ] eti 0.90 over resampled matters. "
        f"{FEW_MARK} events in fewer than {FEW} matters: the interval says next to nothing.",
        "Baselines: " + "; ".join(f"{name}, {what}" for name, what in BASELINES.items()) + ".",
        "The prior file is the same at every origin: what it knows beyond the record is hindsight there.",
        f"Sampler, at its worst: R-hat {worst['r_hat'].max():.3f}, bulk ESS {worst['ess_bulk'].min():.0f}, tail ESS "
        f"{worst['ess_tail'].min():.0f}, {worst['divergences'].sum()} divergences. Monte Carlo error of the pooled log "
        f"score: {_of(result.scores, 'event', ALL, ALL, 'log')['mcse'].iloc[0]:.4f}.",
    ]
    return Group(
        Text(title, style="bold"),
        Text(asked),
        Text(""),
        *(Text(line) for line in verdicts(result.scores)),
        Text(""),
        window_table(result.scores),
        Text(""),
        family_table(result),
        Text(""),
        waiting_table(result),
        *(Text(line) for line in lines),
    )


def verdicts(scores: pd.DataFrame) -> list[str]:
    """Say of each kind of forecast, in a sentence, against which baselines it is better, worse, or neither."""
    asked = {
        "Events, all families and windows (log score)": ("event", ALL, "log"),
        "Waiting times to findings (CRPS)": ("time", "findings", "crps"),
        "Waiting times to a first decision (CRPS)": ("time", "decision", "crps"),
        "Sizes of fines (CRPS)": ("size", "fine", "crps"),
    }
    lines = []
    for name, (kind, target, score) in asked.items():
        rows = _of(scores, kind, target, ALL, score)
        if rows.empty:
            lines.append(f"{name}: none to score.")
            continue
        better = list(rows.loc[rows["difference_high"] < 0, "baseline"])
        worse = list(rows.loc[rows["difference_low"] > 0, "baseline"])
        neither = [b for b in rows["baseline"] if b not in better + worse]
        said = [
            f"{word} {_listed(found)}"
            for word, found in (
                ("better than", better),
                ("worse than", worse),
                ("not to be told apart from", neither),
            )
            if found
        ]
        lines.append(f"{name}: {', '.join(said)}.")
    return lines


def _listed(names: list[str]) -> str:
    return " and ".join(([", ".join(names[:-1])] if names[1:] else []) + names[-1:])


def window_table(scores: pd.DataFrame) -> Table:
    """Return the pooled scores of all families, by window."""
    columns = ("window", "forecasts", "events", "expected", "log score", *BASELINES, "Brier", "Brier skill: pooled")
    table = table_of("All families: log score and skill against", *columns)
    for window, rows in scores.loc[(scores["kind"] == "event") & (scores["target"] == ALL)].groupby(
        "window_months", sort=False
    ):
        log, brier = rows.loc[rows["score"] == "log"], rows.loc[rows["score"] == "brier"]
        one = log.iloc[0]
        name = "all" if window == ALL else f"{window} months"
        table.add_row(
            name, f"{one['n']:,}", str(one["observed"]), f"{one['expected']:.1f}", f"{one['model']:.4f}",
            *_skills(log), f"{brier['model'].iloc[0]:.4f}", _skills(brier)[0],
        )  # fmt: skip
    return table


def family_table(result: Backtest) -> Table:
    """Return the log scores of each family, all windows together."""
    columns = ("family", "events", "in matters", "expected", "log score", *BASELINES)
    table = table_of("By family, all windows: log score and skill against", *columns)
    scores = result.scores
    own = scores.loc[(scores["score"] == "log") & (scores["target"] != ALL) & (scores["window_months"] == ALL)]
    for family, rows in own.groupby("target", sort=False):
        one = rows.iloc[0]
        table.add_row(
            str(family), str(one["observed"]), str(one["eventful"]), f"{one['expected']:.1f}", f"{one['model']:.4f}",
            *_skills(rows),
        )  # fmt: skip
    return table


def waiting_table(result: Backtest) -> Table:
    """Return the CRPS of waiting times and sizes, and how many there were to score."""
    columns = ("what", "forecasts", "came", "in matters", "CRPS", *BASELINES)
    table = table_of("Waiting times to the record's end, and sizes of fines: CRPS and skill against", *columns)
    scores = result.scores.loc[result.scores["score"] == "crps"]
    names = {"findings": "months to findings", "decision": "months to a first decision", "fine": "log size of a fine"}
    for target, rows in scores.groupby("target", sort=False):
        one = rows.iloc[0]
        cells = (f"{one['n']:,}", str(one["observed"]), str(one["eventful"]), f"{one['model']:.3f}")
        table.add_row(names[str(target)], *cells, *_skills(rows))
    sizes = result.forecasts.loc[result.forecasts["kind"] == "size"]
    left = int(sizes["crps_model"].isna().sum())
    if left:
        table.caption = f"{left} of {len(sizes)} fines cannot be scored: {_reasons(sizes)}."
    return table


def _reasons(sizes: pd.DataFrame) -> str:
    missing = sizes.loc[sizes["crps_model"].isna(), "reason"].value_counts()
    return "; ".join(f"{reason} ({count})" for reason, count in missing.items())


def _of(scores: pd.DataFrame, kind: str, target: str, window: str, score: str) -> pd.DataFrame:
    part = (scores["kind"] == kind) & (scores["target"] == target) & (scores["score"] == score)
    return scores.loc[part & (scores["window_months"] == window)]


def _skills(rows: pd.DataFrame) -> list[str]:
    """Return skill with its interval, per cent, against each baseline; marked where too few matters saw an event."""
    by = rows.set_index("baseline")
    mark = FEW_MARK if rows["eventful"].iloc[0] < FEW else ""
    return [_percent(by.loc[name]) + mark for name in BASELINES]


def _percent(row: pd.Series) -> str:
    numbers = [row[name] for name in ("skill", "skill_low", "skill_high")]
    if not np.isfinite(numbers).all():
        return "none"
    own, low, high = (f"<{100 * LOWEST:.0f}" if n < LOWEST else f"{round(100 * n):+d}" for n in numbers)
    return f"{own} % [{low}, {high}]"
