"""Answers that no record gives: a CSV file of figures, each with its source, checked as a whole before any is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from forecast.files import InputError, Problem, did_you_mean
from forecast.ledger.rules import Answer
from forecast.record_checks import Sheet, read_sheet

COLUMNS = ("origin_date", "target", "horizon", "location", "value", "source")
WORDS = {"void": "void", "open": "unanswered"}
"""What may stand instead of a number: the target can never be answered; an earlier answer is taken back."""
LEAST = {"fraction": -1.0}
"""Least value of a unit, where it is not 0."""
Place = tuple[str, str, int, str]
"""Origin date, target, horizon and location."""


class Asked(NamedTuple):
    """An issued target, as far as an answer by hand has to fit it."""

    place: Place
    rule: str
    unit: str
    until: date


def read_answers(path: Path | str, targets: Sequence[Asked], today: date) -> dict[Place, Answer]:
    """Return the answers in a CSV file, by place; ``InputError`` with every problem of every row.

    Columns ``origin_date, target, horizon, location, value, source``; ``value`` in the target's unit, ``void``, or
    ``open`` to take an answer back. Only targets with a rule ``manual`` can be answered by hand, once their deadline
    has passed on ``today``.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(Problem(str(path), f"is no file; a CSV file with {', '.join(COLUMNS)} was expected"))
    sheet, problems = read_sheet(file)
    if sheet is None:
        raise InputError(problems)
    problems += _header(sheet)
    if problems:
        raise InputError(problems)
    issued = {target.place: target for target in targets}
    found: dict[Place, Answer] = {}
    for row, cells in sheet.cells.iterrows():
        given = {name: str(cells[name]).strip() for name in COLUMNS}
        place = (given["origin_date"], given["target"], _whole(given["horizon"]), given["location"])
        wrong = _misplaced(place, given["horizon"], issued)
        if not wrong:
            wrong = _unfit(given, issued[place], today)
            wrong += [("target", "is answered twice in this file")] if place in found else []
            found[place] = _answer(given) if not wrong else Answer("unanswered")
        problems += [Problem(f"{sheet.source} row {row}, column {column}", what) for column, what in wrong]
    if problems:
        raise InputError(problems)
    return found


def _header(sheet: Sheet) -> list[Problem]:
    there = list(sheet.cells.columns)
    unknown = [Problem(f"{sheet.header}, column {c}", f"unknown column{did_you_mean(c, COLUMNS)}") for c in there
               if c not in COLUMNS]  # fmt: skip
    return unknown + [
        Problem(f"{sheet.header}, column {c}", "the column is missing") for c in COLUMNS if c not in there
    ]


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _misplaced(place: Place, horizon: str, issued: dict[Place, Asked]) -> list[tuple[str, str]]:
    """Return what keeps a row from naming an issued target: the first of its columns that fits none."""
    fitting = list(issued)
    for i, column in enumerate(COLUMNS[:4]):
        left = [other for other in fitting if other[i] == place[i]]
        if not left:
            options = sorted({str(other[i]) for other in fitting})
            said = horizon if column == "horizon" else str(place[i])
            near = did_you_mean(said, options) if len(options) > 5 else f": expected one of {', '.join(options)}"
            return [(column, f"{said!r} was not issued{near}")]
        fitting = left
    return []


def _unfit(given: dict[str, str], target: Asked, today: date) -> list[tuple[str, str]]:
    wrong = []
    if target.rule != "manual":
        what = f"resolves by the record (rule {target.rule!r}), not by hand: correct the record instead"
        wrong.append(("target", what))
    if target.until >= today:
        wrong.append(("horizon", f"its deadline is {target.until}: no answer before the day after it"))
    if not given["source"]:
        wrong.append(("source", "must not be empty: an answer by hand needs its source"))
    if given["value"] not in WORDS:
        number, least = _number(given["value"]), LEAST.get(target.unit, 0.0)
        if not math.isfinite(number) or number < least:
            what = (
                f"{given['value']!r} is no number of {least:g} or more, in the unit {target.unit!r}; nor void or open"
            )
            wrong.append(("value", what))
    return wrong


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _answer(given: dict[str, str]) -> Answer:
    if given["value"] in WORDS:
        return Answer(WORDS[given["value"]], reason=given["source"])
    return Answer("resolved", value=float(given["value"]), evidence=(given["source"],), reason=given["source"])


def asked(row: Any, rule: dict[str, Any]) -> Asked:
    """Return what an answer by hand to a row of issued targets has to fit."""
    place = (f"{row.origin_date:%Y-%m-%d}", row.target, int(row.horizon), row.location)
    return Asked(place, rule["rule"], row.unit, date.fromisoformat(rule["until"]))
