"""What the command line prints of a ledger: what was issued, how it resolved, how it scored, and its head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.ledger.packaged import remarks
from forecast.ledger.scoring import FEW, score_name
from forecast.terminal.look import table_of

if TYPE_CHECKING:
    from forecast.ledger import Entry, Ledger, LedgerScores, Resolution

MOST = 20
"""Changes that are listed; the ledger has all."""


def issue_screen(entry: Entry) -> Group:
    """Return what ``forecast issue`` prints."""
    said = entry.body
    lines: list[Any] = [
        Text(f"Entry {entry.index}: {said['matter']}, origin {said['origin_date']}, {said['view']} view", style="bold"),
        Text(
            f"{said['targets']:,} targets, each with its rule; {said['manual_targets']} of them need a figure entered "
            f"by hand. Deadlines from {said['first_deadline']} to {said['last_deadline']}."
        ),
        Text(f"Frozen beside it, on the same targets: {', '.join(m for m in said['models'] if m != 'forecast')}."),
    ]
    if said["not_issued"]:
        reasons = Counter(item["reason"] for item in said["not_issued"]).most_common(3)
        some = "; ".join(f"{reason} ({n})" for reason, n in reasons)
        lines.append(Text(f"Not issued: {len(said['not_issued'])} targets, among them: {some}. The entry names all."))
    if said["days_after_origin"] > 0:
        late = f"Issued {said['days_after_origin']:,} days after its origin"
        past = said["targets_past_deadline"]
        lines.append(Text(f"{late}; {past:,} targets were past their deadline by then: hindcasts." if past else late))
    return Group(*lines, head_line(entry.sha256))


def head_line(head: str) -> Text:
    """Return the head, and what it is good for."""
    use = f"Publish it elsewhere: forecast score --expect {head[:16]} then proves that nothing up to here was changed."
    return Text(f"Head {head}\n{use}")


def remark_lines(said: Iterable[str]) -> list[Text]:
    """Say what must be said of some entries."""
    return [Text(remark) for remark in said]


def resolve_screen(resolution: Resolution) -> Group:
    """Return what ``forecast resolve`` prints."""
    lines: list[Any]
    changes = resolution.changes
    if resolution.entry is None and len(changes):
        read = resolution.ledger.entries[-1].index
        title = f"Entries 1 to {read}, as known on {resolution.known_on}: {len(changes):,} answers would change"
        unsaid = Text("Nothing was entered, for the ledger has later entries.")
        lines = [Text(title, style="bold"), unsaid, Text(""), status_line(changes), changes_table(changes)]
    elif resolution.entry is None:
        lines = [Text(f"As known on {resolution.known_on}, nothing changed: nothing was entered.")]
    else:
        told = ", ".join(f"{n:,} {change}" for change, n in changes["change"].value_counts().items())
        title = f"Entry {resolution.entry.index}: as known on {resolution.known_on}, {len(changes):,} new versions"
        lines = [Text(f"{title} ({told})", style="bold"), Text(""), status_line(changes), changes_table(changes)]
    ledger = resolution.ledger
    return Group(*lines, *remark_lines(remarks(ledger.entries)), *stray_lines(ledger), head_line(ledger.head))


def status_line(changes: pd.DataFrame) -> Text:
    """Return how many targets got which answer."""
    plain = changes["outcome"].where(changes["outcome"] != "", "a number").where(
        changes["status"].isin(["resolved", "early"]), changes["status"]
    )  # fmt: skip
    early = int((changes["status"] == "early").sum())
    told = ", ".join(f"{n:,} {answer}" for answer, n in plain.value_counts().items())
    return Text(f"Answers: {told}." + (f" {early:,} of them early, before the deadline." if early else ""))


def changes_table(changes: pd.DataFrame) -> Table:
    """Return what is most telling, alike changes in one row: corrected answers first, then what came, silence last."""
    rows = changes.assign(
        was=[
            _said(*old) for old in zip(changes["old_status"], changes["old_outcome"], changes["old_value"], strict=True)
        ],
        now=[_said(*new) for new in zip(changes["status"], changes["outcome"], changes["value"], strict=True)],
        is_first=changes["version"] == 1,
        is_quiet=(changes["evidence"] == "") & (changes["change"] != "by hand"),
    )
    alike = ["is_first", "is_quiet", "target", "location", "change", "was", "now", "reason"]
    told = rows.groupby(alike, sort=False).size().reset_index(name="n")
    told = told.sort_values(["is_first", "is_quiet"], kind="stable")
    title = "What changed" if len(told) <= MOST else f"What changed: {MOST} of {len(told):,} rows, the ledger has all"
    table = table_of(title, "target", "place", "answers", "was", "is", "why")
    for row in told.head(MOST).itertuples():
        why = str(row.reason) if row.is_first else f"{row.change}: {row.reason}"
        table.add_row(str(row.target), str(row.location), str(row.n), "" if row.is_first else row.was, row.now, why)
    return table


def _said(status: str, outcome: str, value: float) -> str:
    number = "" if pd.isna(value) else f"{value:,.4g}" if abs(value) < 1e6 else f"{value * 1e-6:,.4g} m"
    known = outcome or number
    return f"{known} ({status})" if known and status != "resolved" else known or status


def score_screen(scores: LedgerScores) -> Group:
    """Return what ``forecast score`` prints."""
    about = scores.about
    title = f"{about['forecasts']} forecasts, origins {about['origins'][0]} to {about['origins'][-1]}"
    known = f"resolved as known on {about['known_on']}" if about["known_on"] else "nothing resolved yet"
    parts: list[Any] = [Text(f"{title}, {known}", style="bold"), Text(""), counts_table(scores.counts)]
    parts += [
        Text(
            "open: the deadline is ahead, or nobody has looked at its proceeding up to the deadline. early: decided "
            "before that, not scored until then, for yes can come early and no cannot. void: its condition was not "
            "met. unanswered: nobody has entered the figure."
        ),
        Text(""),
    ]
    for timing in dict.fromkeys(scores.skill["timing"]):
        parts += [skill_table(scores.skill.loc[scores.skill["timing"] == timing], timing), Text("")]
    parts += [*remark_lines(about["remarks"]), *(Text(line) for line in cautions(scores))]
    return Group(*parts, *stray_lines(scores.ledger), head_line(scores.ledger.head))


def counts_table(counts: pd.DataFrame) -> Table:
    """Return how many targets were issued and how they stand."""
    names = list(counts.columns[1:])
    table = table_of("Targets", "targets", *names)
    for _, row in counts.iterrows():
        table.add_row(str(row["group"]), *(f"{row[name]:,}" for name in names))
    table.add_row("all", *(f"{counts[name].sum():,}" for name in names))
    return table


def skill_table(skill: pd.DataFrame, timing: str) -> Table:
    """Return the forecast's mean scores beside each baseline's, with numbers of cases and bands."""
    titles = {"in time": "Scores of forecasts issued in time", "late": "Scores of forecasts issued late (hindcasts)"}
    table = table_of(
        f"{titles[timing]}; lower is better", "targets", "score", "scored", "yes (events)", "matters", "forecast",
        "against", "baseline", "difference", "skill",
    )  # fmt: skip
    for row in skill.itertuples():
        scale, unit = (1e-6, "m EUR") if str(row.unit).startswith("EUR") else (1.0, str(row.unit).split(",")[0])
        name = score_name(str(row.group), str(row.score)) + (f", {unit}" if unit else "")
        yes = f"{row.yes} ({row.events})" if row.yes else ""
        cells = [f"{row.targets:,}", yes, str(row.matters), _number(row.forecast_score * scale)]
        against = (
            [row.baseline, _number(row.baseline_score * scale), _band(row, scale), _gain(row)]
            if row.baseline
            else [""] * 4
        )
        table.add_row(str(row.group), name, *cells, *against)
    return table


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}" if abs(value) >= 5e-5 or value == 0 else f"{value:+.0e}"


def _band(row: Any, scale: float) -> str:
    difference = _signed(row.difference * scale)
    if row.matters < FEW:
        return f"{difference} (too few)"
    return f"{difference} [{_signed(row.low * scale)}, {_signed(row.high * scale)}]"


def _gain(row: Any) -> str:
    """Return the share of the baseline's score that the forecast saves, per cent, with its band where there is one."""
    if not np.isfinite(row.skill):
        return "none"
    own, low, high = (f"{100 * value:+.0f}" for value in (row.skill, row.skill_low, row.skill_high))
    return f"{own} %" if row.matters < FEW else f"{own} % [{low}, {high}]"


def cautions(scores: LedgerScores) -> list[str]:
    """Say what the scores do and do not show."""
    about, skill = scores.about, scores.skill
    lines = []
    if len(skill):
        lines += [
            "difference: forecast minus baseline on the same targets, below zero where the forecast was better; skill: "
            "the share of the baseline's score that the forecast saves, above zero where it was better. "
            f"[ ]: equal-tailed 90 % ({about['interval']}) of {about['resamples']:,} resamples of matters, each with "
            "all its targets, horizons and origins; where it holds zero, no difference is shown.",
            f"too few: fewer than {FEW} matters, which proves nothing. yes (events): answers yes, and the number of "
            "different events that they rest on.",
        ]
    if about["matters_resolved"] < FEW:
        lines.append(f"Only {about['matters_resolved']} matters have anything resolved: this proves nothing.")
    late = int((scores.table.loc[scores.table["model_id"] == "forecast", "timing"] == "late").sum())
    if late:
        lines.append(
            f"{late:,} scored targets were issued more than a week after their origin, when answers could be known: "
            "they try the method out and are no track record."
        )
    if about["manual_unanswered"]:
        lines.append(f"{about['manual_unanswered']} targets wait for a figure: forecast resolve --answers FILE.")
    return lines


def stray_lines(ledger: Ledger) -> list[Text]:
    """Say that an interrupted command left files, where one did."""
    if not ledger.strays:
        return []
    return [
        Text(f"{len(ledger.strays)} files that an interrupted command left lie in the ledger; they count for nothing.")
    ]
