"""What the command line prints of what a forecast rests on: priors and data, single matters, the brief's readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.quantities import percent
from forecast.sensitivity import Sensitivity
from forecast.sensitivity.matters import IMPORTANCE
from forecast.sensitivity.parts import ALL_DATA, ALL_PRIORS
from forecast.sensitivity.questions import ALONE, STATED
from forecast.sensitivity.scaling import THRESHOLD
from forecast.terminal.evidence import notice
from forecast.terminal.forecasts import target_name
from forecast.terminal.look import table_of
from forecast.updating import MAX_K_HAT
from forecast.vocabulary import horizon_by

type Answer = tuple[str, str, int, str]


def driven(horizons: Sequence[int]) -> tuple[Answer, ...]:
    """Return the answers whose drivers are printed; the folder has those of all."""
    soon, last = horizon_by(horizons, 24), horizons[-1]
    events = [(f"event:{name}", "all", soon, "mean") for name in ("findings", "order", "fine")]
    amounts = ("fine_left", "valuation_impact", "user_attrition", "moderation_spending", "total_cost")
    return (
        ("outside", "crackdown", 0, "probability"),
        ("resolved_scenario:crackdown", "all", last, "mean"),
        *events,
        ("event:suspension", "all", last, "mean"),
        *((name, "all", last, "mean") for name in amounts),
    )


def moved(horizons: Sequence[int]) -> tuple[Answer, ...]:
    """Return the answers that are printed without a matter."""
    told = driven(horizons)
    return (told[0], told[2], told[4], told[6])


def read(horizons: Sequence[int]) -> tuple[Answer, ...]:
    """Return the answers that are printed under the readings: medians, and means of fines left and of cost."""
    soon, last = horizon_by(horizons, 24), horizons[-1]
    amounts = [("fine_largest", "q50"), ("fine_left", "mean"), ("fine_left", "q95"), ("valuation_impact", "q50")]
    amounts += [("user_attrition", "q50"), ("moderation_spending", "q50"), ("total_cost", "mean")]
    return (
        ("view", "crackdown", 0, "probability"),
        ("resolved_scenario:limited", "all", last, "mean"),
        ("resolved_scenario:crackdown", "all", last, "mean"),
        ("event:fine", "all", soon, "mean"),
        *((name, "all", last, statistic) for name, statistic in amounts),
    )


def effects(horizons: Sequence[int]) -> tuple[Answer, ...]:
    """Return the answers that are printed by reading."""
    told = read(horizons)
    return tuple(told[i] for i in (0, 2, 3, 5, 7, 8, 10))


STATISTICS = {"mean": ", mean", "q50": ", median", "q95": ", 95 % quantile"}
PRINTED = {
    **dict.fromkeys(("fine_imposed", "fine_largest", "fine_left", "total_cost"), "m EUR"),
    "moderation_spending": "m EUR a year",
}
"""Units of the numbers under each amount; all else is in per cent."""
FEW = 6
"""Rows of matters that are printed."""
CLEAR = 3.0
"""Monte Carlo errors from which on a move is printed as one."""


def sensitivity_screen(result: Sensitivity) -> Group:
    """Return what ``forecast sensitivity`` prints: four sections, each with what its numbers mean."""
    m = result.manifest
    title = f"{m['matter']}, origin {m['origin']}, {m['view']} view: what the answers rest on"
    parts: list[Any] = [
        *notice(m),
        Text(title, style="bold"),
        Text(""),
        *_drivers(result),
        Text(""),
        *_matters(result),
        Text(""),
    ]
    return Group(*parts, *_contraction(result), Text(""), *_readings(result))


def _drivers(result: Sensitivity) -> list[Any]:
    m = result.manifest
    columns = ("answer", "now", "priors", "data", "moved by one sd of", "scenario weights x 2")
    table = table_of("1. What drives each answer", *columns)
    noise = result.scaling.groupby("part")["noise"].first()
    for answer in (one for one in driven(m["horizons"]) if len(_of(result.matter_moves, one))):
        own = _of(result.scaling, (*answer[:3], "")).set_index(["kind", "part"])
        unit, now = own["unit"].iloc[0], _of(result.matter_moves, answer)["base"].iloc[0]
        sense = [_sense(own["psense"][key], noise[key[1]]) for key in (("prior", ALL_PRIORS), ("likelihood", ALL_DATA))]
        clear = own.loc[own["shift"] > CLEAR * own["shift_se"], "shift"].nlargest(3)
        moved = ", ".join(f"{part} {_number(size, unit)}" for (_, part), size in clear.items())
        weights = own["doubling"].get(("prior", "scenario probabilities"), np.nan)
        doubled = "" if np.isnan(weights) or weights == 0 else _number(weights, unit, signed=True)
        table.add_row(_name(answer, m), _number(now, unit), *sense, moved, doubled)
    lines = [
        "Priors, data: az.psense, how much an answer's distribution over the parameters changes as all priors, or all "
        f"data, count more. * from {THRESHOLD:g} on and twice what chance gives ({noise[ALL_PRIORS]:.3f} and "
        f"{noise[ALL_DATA]:.3f}).",
        "A prior that counts more gets sharper about the same centre. What its centre does to an answer stands beside "
        "it: the move as the centre moves by one prior sd, in the direction that moves the answer most.",
        "Last: the move per doubling of the weight of the scenarios' probabilities. Moves are of probabilities and of "
        "means, in the unit beside the answer (probabilities, users and valuation in per cent). Errors, "
        "and every part and answer: scaling.csv.",
    ]
    return [table, *map(Text, lines)]


def _sense(value: float, noise: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}" + ("*" if value >= max(THRESHOLD, 2 * noise) else "")


def _matters(result: Sensitivity) -> list[Any]:
    m, moves, matters = result.manifest, result.matter_moves, result.matters.set_index("matter")
    shown = [one for one in moved(m["horizons"]) if len(_of(moves, one))]
    by = {one: _of(moves, one).set_index("matter") for one in shown}
    clear = pd.DataFrame(
        {i: (own["move"].abs() - CLEAR * own["move_se"]) / own["move"].abs().max() for i, own in enumerate(by.values())}
    )
    loudest = clear.max(axis=1).nlargest(FEW).index
    table = table_of("2. Without one matter", "matter", "elpd", "k-hat", "by", *(_name(one, m) for one in shown))
    now = [_number(own["base"].iloc[0], own["unit"].iloc[0]) for own in by.values()]
    table.add_row("(with all)", f"{result.checks['elpd']:.0f} ± {result.checks['elpd_se']:.0f}", "", "", *now)
    for matter in loudest:
        row, cells = matters.loc[matter], [_change(own.loc[matter]) for own in by.values()]
        table.add_row(str(matter), f"{row['elpd']:.1f}", f"{row['k_hat']:.2f}", str(row["method"]), *cells)
    far = matters.loc[matters["method"] != IMPORTANCE]
    reached = "; ".join(f"{name} {row['k_hat']:.2f}, {row['method']}" for name, row in far.iterrows())
    lines = [
        f"The {len(loudest)} of {len(matters)} matters that move these answers most clearly. elpd: log predictive "
        "density of a matter's record given all others, nats (PSIS-LOO). ± Monte Carlo errors; of the sum of elpd: its "
        "standard error over the matters.",
        f"k-hat above {MAX_K_HAT:g}, where the draws do not reach: {reached or 'none'}.",
        f"{result.manifest['matter']} is left out as evidence about others: its future starts from its own history.",
    ]
    return [table, *map(Text, lines)]


def _contraction(result: Sensitivity) -> list[Any]:
    columns = ("part", "parameters", "variance taken", "most", "from", "largest shift", "of")
    table = table_of("3. From prior to posterior", *columns)
    for _, row in result.contraction.sort_values("contraction", ascending=False).iterrows():
        taken = (percent(row["contraction"]), percent(row["largest"]), str(row["largest_parameter"]))
        shift = (f"{row['shift']:+.1f}", str(row["shift_parameter"]))
        table.add_row(str(row["part"]), str(row["parameters"]), *taken, *shift)
    lines = [
        "Variance taken: the share of the prior variance that the data took away, on average over a part's parameters. "
        "Near 0 % the prior is all there is to see; below it, Monte Carlo error, or data that widen.",
        "Shift: of the mean, in prior sds. Pooling of effects: what tells services, and instruments of fines, apart. "
        "Each parameter, with its psense: parameters.csv.",
    ]
    return [table, *map(Text, lines)]


def _readings(result: Sensitivity) -> list[Any]:
    if not len(result.ranges):
        return [Text("4. How the brief is read: before its date no reading counts.")]
    c = result.checks
    how = f"{c['readings']} readings: {c['exact']} exact, {c['reweighted']} reweighted, {c['refitted']} fitted anew"
    asked = [Text(f"{q.name}: {q.what}. As stated: {q.answers[STATED]}.") for q in result.questions]
    return [_ranges(result, how), *_subject(result), Text(""), _effects(result), *asked]


def _ranges(result: Sensitivity, how: str) -> Table:
    m = result.manifest
    is_alone = any(ALONE in question.answers for question in result.questions)
    columns = ["answer", "as stated", "its 90 %", "over the readings", "range", "most by"]
    columns += ["with one proceeding alone"] if is_alone else []
    table = table_of(f"4. How the brief is read ({how})", *columns)
    for answer in (one for one in read(m["horizons"]) if len(_of(result.ranges, one))):
        row = _of(result.ranges, answer).iloc[0]
        unit, has_interval = row["unit"], answer[3] in ("mean", "q50") and not np.isnan(row["base_low"])
        interval = f"[{_number(row['base_low'], unit)}, {_number(row['base_high'], unit)}]" if has_interval else ""
        ends = f"{_number(row['lowest'], unit)} to {_number(row['highest'], unit)}"
        far = _number(row["highest"] - row["lowest"], unit)
        far = f"{percent(row['share_of_interval'])} of it" if has_interval else far
        wider = [f"{_number(row['lowest_any'], unit)} to {_number(row['highest_any'], unit)}"] if is_alone else []
        cells = (_number(row["base"], unit), interval, ends, far, _mostly(result, answer))
        table.add_row(_name(answer, m), *cells, *wider)
    return table


def _mostly(result: Sensitivity, answer: Answer) -> str:
    """Return the question that most of the spread over the readings comes from."""
    if not len(result.shares):
        own = _of(result.effects.loc[result.effects["reading"] != ALONE], answer)
        return str(own.loc[own["alone"].abs().idxmax(), "question"]) if own["alone"].abs().max() > 0 else ""
    own = _of(result.shares, answer)
    if own["share"].isna().all():
        return ""
    most = own.loc[own["share"].idxmax()]
    return f"{most['question']} {percent(most['share'])}"


def _subject(result: Sensitivity) -> list[Text]:
    most = "moves it most" if result.checks["quick"] else "most of its variance over the readings comes from"
    lines = [
        "As stated, with the 90 % interval (eti 0.90) of what may come under that reading; then how far the number "
        f"moves for reading alone, and the question that {most}.",
    ]
    lines += [
        f"Last column: with the readings of {question.proceeding} alone, too. They answer another question: its "
        "events, fines and costs alone. What the brief says of users, valuation and spending is compared as it stands."
        for question in result.questions
        if ALONE in question.answers
    ]
    return list(map(Text, lines))


def _effects(result: Sensitivity) -> Table:
    m = result.manifest
    shown = [one for one in effects(m["horizons"]) if len(_of(result.effects, one))]
    how = "alone" if result.checks["quick"] else "alone (on average over all readings of the other questions)"
    table = table_of(f"What each reading moves, {how}", "reading", *(_name(one, m) for one in shown))
    for (question, reading), rows in result.effects.groupby(["question", "reading"], sort=False):
        name = f"{question}: {reading}" if reading == ALONE else str(reading)
        table.add_row(name, *(_effect(_of(rows, one).iloc[0]) for one in shown))
    return table


def _effect(row: pd.Series) -> str:
    alone = _number(row["alone"], row["unit"], signed=True)
    if np.isnan(row["average"]):
        return alone if row["alone"] else ""
    return f"{alone} ({_number(row['average'], row['unit'], signed=True)})" if row["alone"] or row["average"] else ""


def _of(table: pd.DataFrame, answer: Answer) -> pd.DataFrame:
    """Return the rows of an answer; without a statistic where that is empty."""
    target, scenario, horizon, statistic = answer
    kept = (table["target"] == target) & (table["scenario"] == scenario) & (table["horizon_months"] == horizon)
    return table.loc[kept & (table["statistic"] == statistic)] if statistic else table.loc[kept]


def _name(answer: Answer, manifest: Mapping[str, Any]) -> str:
    """Name an answer: target or scenario's label, statistic of an amount, months, and the unit of its numbers."""
    target, scenario, horizon, statistic = answer
    labels = manifest["labels"]
    if not horizon:
        return f"{labels[scenario]}, {'inside' if target == 'view' else target} view, %"
    plain = target_name(target, labels).replace("event:", "").replace("_", " ")
    unit = PRINTED.get(target, "%")
    which = STATISTICS[statistic] if ":" not in target else ""
    return f"{plain}{which}, {horizon} months, {unit}"


def _number(value: float, unit: str, *, signed: bool = False) -> str:
    """Return a number in million EUR, or in per cent."""
    if np.isnan(value):
        return "-"
    scale, digits = (1e-6, 0) if "EUR" in unit else (100.0, 1)
    rounded = round(value * scale, digits) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if signed and rounded else ''},.{digits}f}"


def _change(row: pd.Series) -> str:
    if np.isnan(row["move"]):
        return "-"
    return f"{_number(row['move'], row['unit'], signed=True)} ± {_number(row['move_se'], row['unit'])}"
