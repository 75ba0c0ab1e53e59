"""What the command line prints of what has not happened: what-ifs, signposts, and what would lift a scenario."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.hypotheses.reversals import Stress
from forecast.hypotheses.signposts import PRESENT, SILENCE, Watch
from forecast.hypotheses.whatifs import WhatIf
from forecast.terminal.forecasts import target_name
from forecast.terminal.look import share, table_of
from forecast.vocabulary import SCENARIOS, resolved_view

MAIN = ("fine_imposed", "fine_left", "valuation_change", "user_attrition", "moderation_spending", "total_cost")
"""Targets beside the events and the resolution that are printed."""


def whatif_screen(result: WhatIf) -> Group:
    """Return what ``forecast whatif`` prints: what is supposed, then scenarios and targets before and after."""
    m = result.manifest
    was, day = m["origin"], m["supposed_origin"]
    parts: list[Any] = [
        Text(f"Hypothetical: {m['matter']}, forecast of {was}, supposed up to {day}. None of it has happened.", "bold"),
        *(Text(f"- {line}") for line in result.suppositions),
        Text(""),
        _scenarios_changed(result.table, m),
        Text(""),
        _targets_changed(result.table, m),
        Text("Means; medians and quantiles with --out. Amounts in million EUR, ± Monte Carlo errors of the change."),
    ]
    if m["method"] == "unchanged":
        parts.append(Text("A lever is no evidence: scenario probabilities stay, only what follows from here on moves."))
    else:
        c = result.certificate
        parts.append(Text(f"Horizons count from {was} before and from {day} after; what is supposed lies before it."))
        parts.append(Text(f"Stored draws reweighted: k-hat {c.k_hat:.2f}, {c.ess:.0f} effective draws."))
        if m["method"] == "refitted":
            parts[-1] = Text(f"Fitted anew: weights would fail (k-hat {c.k_hat:.2f}, {c.ess:.0f} effective draws).")
    return Group(*parts)


def _moved(row: pd.Series, digits: int, scale: float = 1.0) -> str:
    before, after, error = (row[k] * scale for k in ("before", "after", "mcse"))
    return f"{before:,.{digits}f} -> {after:,.{digits}f}" + (f" ± {error:,.{digits}f}" if error else "")


def _scenarios_changed(table: pd.DataFrame, manifest: dict[str, Any]) -> Table:
    screen = table_of("Scenarios, before -> after", "view", *manifest["labels"].values())
    for view in ("inside", "outside", resolved_view(manifest["horizons"][-1])):
        rows = table.loc[(table["view"] == view) & table["target"].isin(SCENARIOS)].set_index("target")
        if len(rows):
            screen.add_row(view, *(_moved(rows.loc[name], 3) for name in SCENARIOS))
    return screen


def _targets_changed(table: pd.DataFrame, manifest: dict[str, Any]) -> Table:
    horizons, labels = manifest["horizons"], manifest["labels"]
    screen = table_of("Targets, before -> after", "target", "unit", *(f"{h} months" for h in horizons))
    rows = table.loc[table["statistic"].isin(["probability", "mean"]) & ~table["target"].isin(SCENARIOS)]
    for name in dict.fromkeys(rows["target"]):
        own = rows.loc[rows["target"] == name].set_index("horizon_months")
        unit = str(own["unit"].iloc[0])
        if unit == "probability" or name in MAIN:
            money = "EUR" in unit
            cells = [_moved(own.loc[h], 0 if money else 3, 1e-6 if money else 1.0) for h in horizons]
            screen.add_row(target_name(name, labels), unit.replace("EUR", "m EUR"), *cells)
    return screen


def watch_screen(result: Watch) -> Group:
    """Return what ``forecast watch`` prints: the signposts, then what it would take to lift a scenario."""
    m = result.manifest
    title = f"{m['matter']}, {m['view']} view of {m['origin']}: what to watch until {result.until}"
    return Group(
        Text(f"{title}. None of it has happened.", style="bold"),
        Text(""),
        _signposts(result),
        Text(
            f"Each scenario's probability, and the median of the fines left at {m['horizons'][-1]} months in million "
            "EUR, if it comes within the window, whatever else does; in brackets the move. Bits: expected information "
            "about the scenario; ± Monte Carlo errors. Silence: no event of any family in any open proceeding of the "
            "matter."
        ),
        Text(""),
        *stress_lines(result.stress),
    )


def _signposts(result: Watch) -> Table:
    t, labels = result.table, result.manifest["labels"].values()
    worst = t[[f"{name}_mcse" for name in SCENARIOS]].to_numpy().max()
    title = f"Signposts, most informative first (errors of the scenarios at most ±{worst:.3f})"
    screen = table_of(title, "if there is", "in", "probability", *labels, "fines left", "bits")
    for _, row in t.iterrows():
        what = {PRESENT: "(as it stands)", SILENCE: "silence"}.get(row["kind"], row["family"])
        moves = [f"{row[n]:.3f}" + ("" if row["kind"] == PRESENT else f" ({row[f'{n}_move']:+.3f})") for n in SCENARIOS]
        median, move = row["fine_left_median"] * 1e-6, row["fine_left_median_move"] * 1e-6
        fines = f"{median:,.0f}" + ("" if row["kind"] == PRESENT else f" ({move:+,.0f})")
        bits = "" if row["kind"] == PRESENT else f"{row['bits']:.4f} ± {row['bits_mcse']:.4f}"
        chance = "" if row["kind"] == PRESENT else share(row["probability"], row["probability_mcse"])
        screen.add_row(what, row["case_id"], chance, *moves, fines, bits)
    return screen


def stress_lines(result: Stress) -> list[Any]:
    """Say how few events lift a scenario, which, and how plausible they are."""
    now = f"from {result.present:.3f} now ({result.silent:.3f} were nothing to come up to then)"
    name = result.manifest["labels"][result.scenario]
    size = int(result.table["size"].iloc[0])
    many = f"{size} event{'s' if size > 1 else ''}"
    if result.reached:
        head = f"{many.capitalize()} would lift '{name}' over {result.over:g}, {now}:"
    else:
        head = f"No set of events with weights that hold lifts '{name}' over {result.over:g}, {now}. Nearest:"
    screen = table_of(head, "events", name, "all of it within the window", "against silence", "weights")
    for _, row in result.table.iterrows():
        odds = np.exp(row["log_density"])
        chance = f"{row['comes']:.2g} ± {row['comes_mcse']:.1g}"
        chance = chance if row["comes"] > 0 else "not once in the simulation"
        trust = f"k-hat {row['k_hat']:.2f}, {row['ess']:.0f} draws" + ("" if row["certified"] else ": fail")
        per = f"{odds:.2g} per month" + ("" if row["size"] == 1 else f"^{row['size']}")
        screen.add_row(
            str(row["events"]).replace("; ", "\n"), share(row["probability"], row["mcse"]), chance, per, trust
        )
    order = "Likeliest first" if result.reached else "Highest first"
    note = (
        f"{order}; forecast whatif gives the same for each set whose weights hold. Tried: every set of at most "
        "three events, fines of any size and specific orders; large fines and wider orders say more."
    )
    return [screen, Text(note)]
