"""What the command line prints of a calibration: the verdict, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.quantities import percent
from forecast.terminal.look import table_of
from forecast.vocabulary import SCENARIOS

if TYPE_CHECKING:
    from forecast.calibration import Calibration

MOST = 12
"""Departures, and worlds that did not converge, that are listed; the folder has all."""


def calibration_screen(calibration: Calibration) -> Group:
    """Return what ``forecast calibrate`` prints."""
    from forecast.calibration.quantities import KINDS  # noqa: PLC0415
    from forecast.calibration.tables import LEVELS  # noqa: PLC0415

    m, t = calibration.manifest, calibration.tables
    low, high = m["span_months"]
    title = f"{m['matter']}: {m['worlds']} worlds drawn from the prior file, each observed for {low} to {high} months"
    parts: list[Any] = [
        Text(f"{title} after {m['as_of']}, seed {m['seed']}", style="bold"),
        Text(""),
        _uniform(t["uniformity"], KINDS),
        Text("Expected of uniform ranks: a smallest p of about one over the number of quantities."),
        Text(""),
        _covered(t["coverage"], KINDS, LEVELS),
        Text("[ ]: where the mean over worlds lies with 95 % if the level holds. Ties are broken at random."),
        Text(""),
        _scored(t["scores"]),
        Text("Losses. Expected: by the probabilities themselves. Frequencies: what the true shares would score."),
        Text(""),
        _learnt(t["learning"], m["labels"]),
        Text("Events in the matter since the brief, silence included, looked at after each and every third month."),
        Text(f"Never: not within {m['horizons'][-1]} months. Hazards as the record of that day leaves them."),
        Text(""),
        Text(_power_line(t["power"])),
        Text(_sampler_line(t["worlds"], m)),
        *verdict(calibration),
    ]
    return Group(*parts)


def _uniform(table: pd.DataFrame, kinds: dict[str, str]) -> Table:
    columns = ("kind", "what", "quantities", "not uniform", "smallest p", "of")
    screen = table_of("Ranks of the truth among the draws", *columns)
    for kind, what in kinds.items():
        own = table.loc[table["kind"] == kind]
        if len(own):
            worst = own.loc[own["p_value"].idxmin()]
            counts = (str(len(own)), str(int((~own["passed"].astype(bool)).sum())))
            screen.add_row(kind, what, *counts, f"{worst['p_value']:.2g}", str(worst["quantity"]))
    return screen


def _covered(table: pd.DataFrame, kinds: dict[str, str], levels: tuple[float, ...]) -> Table:
    heads = [f"of {percent(level)}" for level in levels]
    screen = table_of("Truths inside central intervals, per cent", "kind", *heads)
    both = table.loc[table["quantity"] == "all"].set_index(["kind", "level"])
    for kind in kinds:
        rows = [both.loc[(kind, level)] for level in levels if (kind, level) in both.index]
        cells = [f"{100 * r['covered']:.1f} [{100 * r['low']:.1f}, {100 * r['high']:.1f}]" for r in rows]
        if cells:
            screen.add_row(kind, *cells)
    return screen


def _scored(table: pd.DataFrame) -> Table:
    columns = ("Brier", "expected", "frequencies", "log score", "expected")
    screen = table_of("Probabilities of scenarios and stated events", "of", "forecasts", *columns)
    names = ["brier", "brier_expected", "brier_base", "log", "log_expected"]
    for row in table.to_dict("records"):
        screen.add_row(str(row["view"]), str(row["forecasts"]), *(f"{row[name]:.3f}" for name in names))
    return screen


def _learnt(table: pd.DataFrame, labels: Mapping[str, str]) -> Table:
    spread = ("events: median [10, 90 %]", "months: median [10, 90 %]")
    columns = ("true scenario", "worlds", "reached", *spread, "another at 80 % meanwhile")
    screen = table_of("How many events until the true scenario has 80 %", *columns)
    for name in ("all", *SCENARIOS):
        own = table if name == "all" else table.loc[table["scenario"] == name]
        if len(own):
            ever, wrong = np.isfinite(own["months"].astype(float)).mean(), own["mistaken"].astype(bool).mean()
            cells = (_quantiles(own[column]) for column in ("events", "months"))
            screen.add_row(labels.get(name, name), str(len(own)), percent(ever), *cells, percent(wrong))
    return screen


def _quantiles(values: pd.Series) -> str:
    low, middle, high = np.quantile(values.to_numpy(float), (0.1, 0.5, 0.9), method="higher")
    words = [f"{value:.0f}" if np.isfinite(value) else "never" for value in (middle, low, high)]
    return f"{words[0]} [{words[1]}, {words[2]}]"


def _power_line(table: pd.DataFrame) -> str:
    """Return what departures so many worlds would have shown."""
    if table.empty:
        return "Power: no world was ranked."
    told = table.set_index(["departure", "size"])["power"].astype(float)
    off, one, narrow = told["shift", 0.5], told["shift", 1.0], told["spread", 0.5]
    return (
        f"Power for one quantity: draws half a standard deviation off are found with {percent(off)}, one off with "
        f"{percent(one)}; draws half as wide as they should be with {percent(narrow)}."
    )


def _sampler_line(worlds: pd.DataFrame, manifest: dict[str, Any]) -> str:
    gate, again = manifest["gate"], int((worlds["fits"] > 1).sum())
    failed = int((~worlds["converged"].astype(bool)).sum())
    return (
        f"Sampler: {again} worlds sampled twice, {failed} not converged even then: counted, not ranked (gate: R-hat "
        f"{gate['r_hat']}, ESS {gate['ess']}, {gate['divergent']:.1%} divergent). Worlds drawn anew as a whole: "
        f"{int(worlds['redrawn'].sum())}."
    )


def verdict(calibration: Calibration) -> list[Text]:
    """Return the verdict in words: what departs, and whether too many worlds did not converge."""
    from forecast.calibration.tables import ERROR  # noqa: PLC0415

    found, many = calibration.departures, len(calibration.tables["uniformity"])
    if found.empty:
        said = f"none of {many} quantities departs from uniform, at an error of {percent(ERROR)} over all."
        lines = [Text(f"Ranks: {said}")]
    else:
        lines = [Text(f"NOT CALIBRATED: {len(found)} of {many} quantities depart from uniform ranks:", style="bold")]
        for row in found.head(MOST).to_dict("records"):
            told = f"p {row['p_value']:.2g}, adjusted {row['adjusted']:.2g}, mean rank {row['mean_pit']:.2f}"
            lines.append(Text(f"- {row['kind']}: {row['quantity']} ({told})"))
        lines += [Text(f"- and {len(found) - MOST} more: uniformity.csv")] if len(found) > MOST else []
    if not calibration.converged:
        worlds = calibration.tables["worlds"]
        lost = worlds.loc[~worlds["converged"].astype(bool)]
        lines.append(Text(f"NOT CONVERGED: {len(lost)} of {len(worlds)} worlds, more than 5 %:", style="bold"))
        lines += [Text(f"- world {row['world']}: {row['failures']}") for row in lost.head(MOST).to_dict("records")]
        lines += [Text(f"- and {len(lost) - MOST} more: worlds.csv")] if len(lost) > MOST else []
    return lines
