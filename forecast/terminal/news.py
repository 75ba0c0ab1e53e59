"""What the command line prints of the news: how much each step weighed, and rows of the log that weighed nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from rich.text import Text

from forecast.evidence.episodes import DECIDED_AT_ENTRY, ENTRY, NO_FAMILY, OF_A_PERSON, SAME_DAY
from forecast.quantities import percent
from forecast.terminal.look import table_of
from forecast.unused import LATER, NOT_STATED, SEPARATOR

MANY = 8
"""Steps from which on a stretch of silence and the weightless event that ends it are printed in one line."""
TOLD = 76
"""Characters of what is told of one event; all of it stands in ``weight_of_evidence.csv``, and is printed in full."""
SHORT = {
    NO_FAMILY: "changes no rate",
    OF_A_PERSON: "against a person",
    ENTRY: "opens its proceeding",
    DECIDED_AT_ENTRY: "known from its decision on alone",
    SAME_DAY: "goes with another of the day",
    LATER: "not the first of its kind",
    NOT_STATED: "not in the brief, acts alike in all scenarios",
}
"""Why an event carries nothing, shorter."""


def weight_of_evidence(weights: pd.DataFrame, manifest: Mapping[str, Any], *, full: bool = False) -> list[Any]:
    """Return the table of steps by which the scenarios' probabilities changed, and lines that explain it.

    No parts where nothing is known after the brief. ``full``: a line for each step, and events in all words.
    """
    if not len(weights):
        return []
    labels = manifest["labels"]
    steps = stepwise(weights, list(labels))
    if not full and len(steps) > MANY:
        steps = merged(steps)
    table = table_of("Weight of evidence: what moved the scenarios", "until", "what came", *labels.values())
    table.add_row(manifest["as_of"], "the brief", *(percent(p, 1) for p in brief_of(steps, list(labels))))
    for step in steps:
        cells = [f"x{np.exp(step['log_factor'][s]):.2f}  {percent(step['probability'][s], 1)}" for s in labels]
        table.add_row(step["end"], "\n".join(lines_of(step, full=full)), *cells)
    note = "x: factor by which the step changed the probability; beside it the probability after the step."
    return [table, Text(note), *(Text(line) for line in reasons(steps)), Text("")]


def stepwise(weights: pd.DataFrame, scenarios: list[str]) -> list[dict[str, Any]]:
    """Return one entry for each step: its columns, and ``log_factor`` and ``probability`` by scenario."""
    steps = []
    for _, rows in weights.groupby("step", sort=True):
        by = rows.set_index("scenario").loc[scenarios]
        first = rows.iloc[0].to_dict()
        steps.append(first | {name: by[name].to_dict() for name in ("log_factor", "probability")})
    return steps


def merged(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps with each stretch of silence and the weightless event that ends it as one.

    Such an event carries no likelihood; what its own step shows is one more day of silence.
    """
    found: list[dict[str, Any]] = []
    for step in steps:
        before = found[-1] if found else None
        weightless = step["kind"] == "event" and step["note"] and not step["rests_on"] and not _partly(step)
        if before and weightless and before["kind"] == "silence" and not before["rests_on"]:
            both = {s: before["log_factor"][s] + more for s, more in step["log_factor"].items()}
            found[-1] = step | {"start": before["start"], "silence": before["what"], "log_factor": both}
        else:
            found.append(step)
    return found


def _partly(step: Mapping[str, Any]) -> bool:
    """Return whether one of a step's events carries weight: then its note names fewer kinds than it has events."""
    noted = {kind for part in step["note"].split(SEPARATOR) if ": " in part for kind in part.split(": ")[0].split(", ")}
    return bool(noted) and noted < {told.split(": ")[0] for told in step["what"].split(SEPARATOR)}


def brief_of(steps: list[dict[str, Any]], scenarios: list[str]) -> list[float]:
    """Return the probabilities before the first step."""
    first = steps[0]
    return [first["probability"][s] / float(np.exp(first["log_factor"][s])) for s in scenarios]


def lines_of(step: Mapping[str, Any], *, full: bool = False) -> list[str]:
    """Return a step in words: the days of silence, each event, and that it carries nothing, if it does not."""
    lines, note = [step["silence"]] if "silence" in step else [], step["note"]
    told = step["what"].split(SEPARATOR)
    lines += told if full else [short(one) for one in told]
    return [*lines, f"(no weight: {note if full else short_note(note)})"] if note else lines


def short_note(note: str) -> str:
    """Return why events carry nothing, in fewer words."""
    for long, brief in SHORT.items():
        note = note.replace(long, brief)
    return note


def short(told: str) -> str:
    """Return what is told of an event, cut off between words where it is long."""
    return told if len(told) <= TOLD else f"{told[: TOLD - 1].rsplit(' ', 1)[0].rstrip(',;:')}\N{HORIZONTAL ELLIPSIS}"


def reasons(steps: list[dict[str, Any]]) -> list[str]:
    """Return a line for each step that changes the odds of two scenarios by more than two: what it rests on."""
    return [
        f"The step to {step['end']} changes the odds of two scenarios by x{np.exp(odds_of(step)):.1f}. It rests on the "
        f"brief's probabilities of {step['rests_on']}."
        for step in steps
        if step["rests_on"]
    ]


def odds_of(step: Mapping[str, Any]) -> float:
    """Return the log of the largest factor by which a step changes the odds of two scenarios."""
    return float(np.ptp(list(step["log_factor"].values())))


def unused_rows(unused: pd.DataFrame, matter: str | None, *, full: bool = False) -> list[Text]:
    """Return the rows of the log that enter no likelihood of hazards, by reason: a matter's own, and how many others.

    ``full``: the others by name too.
    """
    if not len(unused):
        return [Text("All rows of the log enter the likelihood of hazards.")]
    own = unused["matter_id"] == matter
    count = f"{own.sum()} of {matter}, {(~own).sum()} of other matters" if matter else str(len(unused))
    lines = [Text(f"Rows of the log that enter no likelihood of hazards: {count}", style="bold")]
    for reason, rows in unused.groupby("reason", sort=False):
        mine, others = (_listed(rows.loc[which[rows.index]]) for which in (own, ~own))
        rest = f"{len(others)} of other matters" if matter else f"{len(others)} row{'s' * (len(others) != 1)}"
        parts = [f"{matter}: {', '.join(mine)}"] if mine else []
        parts += [f"{rest}: {', '.join(others)}" if full else rest] if others else []
        lines.append(Text(f"- {reason}. {'; '.join(parts)}"))
    return lines


def _listed(rows: pd.DataFrame) -> list[str]:
    return [f"{event} ({kind.replace('_', ' ')})" for event, kind in zip(rows["event_id"], rows["type"], strict=True)]
