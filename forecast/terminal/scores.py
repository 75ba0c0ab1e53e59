"""What the command line prints of a backtest: scores beside the baselines', in tables and in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.terminal.look import table_of

if TYPE_CHECKING:
    from forecast.backtesting import Backtest

ALL, OTHERS = "all", "all but procedural steps"
BASELINES = {
    "pooled": "one hazard per family",
    "by_class": "a hazard per authority class, shrunk",
    "incidence": "a cumulative-incidence curve",
}
FEW = 5
"""Matters with an event below which an interval over matters says next to nothing."""
FEW_MARK = "*"
CLASS_DAYS = 60
"""Class-days from which a skill of 10 % can be told from none, by how scores spread on the packaged record."""
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
        f"it. Windows that reach beyond the day to which a proceeding was looked at are left out: "
        f"{worst['windows_unanswered'].sum():,} of {(worst['asked'] * worst['windows'].str.split().str.len()).sum():,}."
    )
    scores = [window_table(result.scores), family_table(result), group_table(result.groups), law_table(result.law)]
    return Group(
        Text(title, style="bold"),
        Text(asked),
        Text(evidence_line(result)),
        Text(""),
        *(Text(line) for line in verdicts(result.scores)),
        *(part for table in (*scores, waiting_table(result)) for part in (Text(""), table)),
        *(Text(line) for line in notes(result)),
    )


def notes(result: Backtest) -> list[str]:
    """Say what the tables show, and with what precision."""
    worst = result.diagnostics
    return [
        "Log scores in nats, CRPS of times in months and of sizes in log EUR: means, lower is better. Skill: share of "
        "the baseline's score that the model saves, [ ] eti 0.90 over resampled matters, those with an event of one "
        "class of authorities on one day drawn together. events, days: different events, and class-days. "
        "saved: nats by which the sum of log scores is lower than the best baseline's. "
        f"{FEW_MARK} events in fewer than {FEW} matters: the interval says next to nothing.",
        "Baselines: " + "; ".join(f"{name}, {what}" for name, what in BASELINES.items()) + ".",
        "The prior file is the same at every origin: what it knows beyond the record is hindsight there.",
        f"Sampler, at its worst: R-hat {worst['r_hat'].max():.3f}, bulk ESS {worst['ess_bulk'].min():.0f}, tail ESS "
        f"{worst['ess_tail'].min():.0f}, {worst['divergences'].sum()} divergences. Monte Carlo error of the pooled log "
        f"score: {_of(result.scores, 'event', ALL, ALL, 'log')['mcse'].iloc[0]:.4f}.",
    ]


def evidence_line(result: Backtest) -> str:
    """Say how little all this rests on: different events and class-days, and data beside parameters."""
    one, last = _of(result.scores, "event", ALL, ALL, "log").iloc[0], result.diagnostics.iloc[-1]
    return (
        f"Behind the {one['observed']} answers yes stand {one['events']} different events, on {one['class_days']} "
        "class-days (days on which authorities of one class did something); to tell a skill of 10 % from none takes "
        f"some {CLASS_DAYS} class-days. At the last origin {last['likelihood_events']} events carried likelihood, for "
        f"{last['hazard_parameters']} parameters of hazards, which therefore rest on their priors too."
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
    """Return the pooled scores of all families, by window, and those of all but procedural steps."""
    events = scores.loc[(scores["kind"] == "event") & (scores["score"] == "log")]
    together = events.loc[events["target"] == ALL]
    parts = {
        ALL if window == ALL else f"{window} months": rows
        for window, rows in together.groupby("window_months", sort=False)
    }
    others = events.loc[(events["target"] == OTHERS) & (events["window_months"] == ALL)]
    return _skill_table("All families, by window", parts | ({OTHERS: others} if len(others) else {}))


def family_table(result: Backtest) -> Table:
    """Return the log scores of each family, all windows together."""
    own = result.scores.loc[(result.scores["score"] == "log") & (result.scores["window_months"] == ALL)]
    own = own.loc[~own["target"].isin([ALL, OTHERS])]
    return _skill_table("By family, all windows", {str(name): rows for name, rows in own.groupby("target", sort=False)})


def group_table(groups: pd.DataFrame) -> Table:
    """Return the log scores of all families and windows by class of authorities, age of the proceeding and origin."""
    parts = {str(value): rows for (_, value), rows in groups.groupby(["group", "value"], sort=False)}
    return _skill_table("By class of authorities, age of the proceeding, and origin", parts)


def _skill_table(title: str, parts: Mapping[str, pd.DataFrame]) -> Table:
    """Return the log scores of some parts: what came, behind it, expected, and skill against each baseline."""
    columns = ("part", "yes", "events, days", "expected", "log score", *BASELINES, "saved")
    table = table_of(f"{title}: log score and skill against", *columns)
    for name, rows in parts.items():
        one, best = rows.iloc[0], rows.loc[rows["score_baseline"].idxmin()]
        came = (str(one["observed"]), f"{one['events']}, {one['class_days']}", f"{one['expected']:.1f}")
        table.add_row(name, *came, f"{one['model']:.4f}", *_skills(rows), f"{best['saved']:+.1f}")
    return table


def law_table(law: pd.DataFrame) -> Table:
    """Return what the legal multipliers are worth, in nats and in skill against the best baseline."""
    columns = ("family", "nats saved by the law", "best baseline", "skill", "skill, multipliers at 1")
    table = table_of("With all legal multipliers at 1 (normal approximation): what the law is worth", *columns)
    for row in law.itertuples():
        plain = (row.skill_plain_law, row.skill_plain_law_low, row.skill_plain_law_high)
        skills = [_gain(row.skill, row.skill_low, row.skill_high), _gain(*plain)]
        table.add_row(str(row.target), f"{row.saved:+.1f}", str(row.best), *skills)
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
    return _gain(*(row[name] for name in ("skill", "skill_low", "skill_high")))


def _gain(*numbers: float) -> str:
    if not np.isfinite(numbers).all():
        return "none"
    own, low, high = (f"<{100 * LOWEST:.0f}" if n < LOWEST else f"{round(100 * n):+d}" for n in numbers)
    return f"{own} % [{low}, {high}]"
