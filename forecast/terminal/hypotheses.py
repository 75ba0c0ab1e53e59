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
from forecast.silence import in_words
from forecast.terminal.evidence import narrow, notice
from forecast.terminal.forecasts import target_name
from forecast.terminal.look import share, table_of
from forecast.vocabulary import SCENARIOS

MAIN = ("fine_imposed", "fine_left", "valuation_impact", "user_attrition", "moderation_spending", "total_cost")
"""Targets beside the events and the resolution that are printed."""
CASE = 20
"""Characters of a proceeding's name in a line."""


def whatif_screen(result: WhatIf) -> Group:
    """Return what ``forecast whatif`` prints: what is supposed, then scenarios and targets at each stage of it."""
    m = result.manifest
    was, day = m["origin"], m["supposed_origin"]
    parts: list[Any] = [
        *notice(m),
        Text(f"Hypothetical: {m['matter']}, forecast of {was}, supposed up to {day}. None of it has happened.", "bold"),
        *(Text(f"- {line}") for line in result.suppositions),
        Text(""),
        _scenarios_changed(result),
        Text(""),
        _targets_changed(result),
        Text(_legend(result)),
    ]
    if m["method"] == "unchanged":
        parts.append(Text("A lever is no evidence: scenario probabilities stay, only what follows from here on moves."))
    else:
        parts.append(Text(f"Horizons count from {was} now and from {day} after; what is supposed lies before it."))
        parts += [Text(line) for line in _weights(result)]
    return Group(*parts)


def _legend(result: WhatIf) -> str:
    """Say what the columns are."""
    what = "Probabilities; of all other targets the median. Amounts in million EUR. change ± its Monte Carlo error: "
    silence = f"silent: nothing comes up to {result.manifest['supposed_origin']}, which is evidence of its own. "
    if result.silent is None:
        what += "after less now. "
    elif result.after is result.silent:
        what += f"silent less now. {silence}"
    else:
        what += f"after less silent, which is what is supposed beyond silence. {silence}"
    return f"{what}Means and intervals: --out."


def _weights(result: WhatIf) -> list[str]:
    """Say how far the weights of each step can be trusted."""
    steps = {"after silence alone": result.silent_certificate, "with all that is supposed": result.certificate}
    if result.after is result.silent:
        steps.pop("with all that is supposed")
    told = "; ".join(f"{what} k-hat {c.k_hat:.2f}, {c.ess:.0f} effective draws" for what, c in steps.items())
    if result.manifest["method"] == "refitted":
        return [f"Fitted anew: weights would fail ({told})."]
    return [f"Stored draws reweighted: {told}."]


def _stages(result: WhatIf) -> tuple[list[str], tuple[str, str]]:
    """Return the columns that are printed, and that of the change beside them with that of its error."""
    if result.silent is None:
        return ["before", "after"], ("change", "mcse")
    if result.after is result.silent:
        return ["before", "silent"], ("change_silent", "mcse_silent")
    return ["before", "silent", "after"], ("change_event", "mcse_event")


def _cells(row: pd.Series, result: WhatIf, digits: int, scale: float = 1.0) -> list[str]:
    names, (change, error) = _stages(result)
    moved = f"{row[change] * scale:+,.{digits}f}" + (f" ± {row[error] * scale:,.{digits}f}" if row[error] else "")
    return [*(f"{row[name] * scale:,.{digits}f}" for name in names), moved]


def _heads(result: WhatIf) -> list[str]:
    return [{"before": "now"}.get(name, name) for name in _stages(result)[0]] + ["change"]


def _scenarios_changed(result: WhatIf) -> Table:
    table = result.table
    screen = table_of("Scenarios", "view", "scenario", *_heads(result))
    rows = table.loc[table["target"].isin(SCENARIOS) & ~table["view"].isin(["brief", "base_rate"])]
    for _, row in rows.iterrows():
        screen.add_row(row["view"], result.manifest["labels"][row["target"]], *_cells(row, result, 3))
    return screen


def _targets_changed(result: WhatIf) -> Table:
    table = result.table
    screen = table_of("Targets", "target", "months", *_heads(result))
    rows = table.loc[table["statistic"].isin(["probability", "median"]) & ~table["target"].isin(SCENARIOS)]
    for name in dict.fromkeys(rows["target"]):
        own = rows.loc[rows["target"] == name]
        unit = str(own["unit"].iloc[0])
        if unit == "probability" or name in MAIN:
            money = "EUR" in unit
            shown = [target_name(name, result.manifest["labels"]), unit.replace("EUR", "m EUR")]
            for place, (_, row) in enumerate(own.iterrows()):
                what = shown[place] if place < len(shown) else ""
                cells = _cells(row, result, 0 if money else 3, 1e-6 if money else 1.0)
                screen.add_row(what, str(row["horizon_months"]), *cells)
    return screen


def watch_screen(result: Watch) -> Group:
    """Return what ``forecast watch`` prints: the signposts, then what it would take to lift a scenario."""
    m = result.manifest
    title = f"{m['matter']}, {m['view']} view of {m['origin']}: what to watch until {result.until}"
    worst = result.table[[f"{name}_mcse" for name in SCENARIOS]].to_numpy().max()
    note = (
        "First the forecast as it stands, and after silence: no event of any family in any open proceeding of the "
        "matter within the window. Then what each event would tell: the probability that it comes within the window; "
        "each scenario's probability and the median of the fines left at the last horizon, million EUR, if it comes, "
        "whatever else does; in brackets the move from now. Last: expected information about the scenario. Monte Carlo "
        f"errors of the scenarios at most ±{worst:.3f}."
    )
    return Group(
        *notice(m),
        Text(f"{title}. None of it has happened.", style="bold"),
        Text(""),
        _signposts(result),
        Text(note),
        Text(""),
        *stress_lines(result.stress),
    )


def _signposts(result: Watch) -> Table:
    """Return two lines a signpost: its family and numbers, then its proceeding and the moves from now."""
    names = [result.manifest["labels"][name] for name in SCENARIOS]
    columns = ("event", "comes", *names, "fines\nleft\n(median)", "1/1000\nbit")
    screen = narrow(table_of("Signposts: now, after silence, and events by what they would tell", *columns), CASE)
    before = result.table["kind"].map({PRESENT: 0, SILENCE: 1}).fillna(2)
    for _, row in result.table.loc[before.sort_values(kind="stable").index].iterrows():
        what = {PRESENT: "now", SILENCE: "silence"}.get(row["kind"], row["family"])
        now = row["kind"] == PRESENT
        shares, left = [f"{row[name]:.3f}" for name in SCENARIOS], f"{row['fine_left_median'] * 1e-6:,.0f}"
        chance = "" if now else f"{row['probability']:.3f}"
        screen.add_row(what, chance, *shares, left, "" if now else f"{1000 * row['bits']:.1f}")
        if not now:
            moves = [f"({row[f'{name}_move']:+.3f})" for name in SCENARIOS]
            screen.add_row(row["case_id"], "", *moves, f"({row['fine_left_median_move'] * 1e-6:+,.0f})", "")
    return screen


def stress_lines(result: Stress) -> list[Any]:
    """Say how few events lift a scenario, which, and how plausible they are."""
    name = result.manifest["labels"][result.scenario]
    now = f"from {result.present:.3f} now ({result.silent:.3f} after silence up to then)"
    many = in_words(int(result.table["size"].iloc[0]), "event")
    if result.reached:
        head = f"{many.capitalize()} would lift {name} over {result.over:g}, {now}:"
    else:
        head = f"No set of events with weights that hold lifts {name} over {result.over:g}, {now}. Nearest:"
    parts: list[Any] = [Text(head, style="bold")]
    screen = table_of("", "", "now", "silent", "after", "all within the window", "against silence")
    for number, (_, row) in enumerate(result.table.iterrows(), 1):
        chance = f"{row['comes']:.2g} ± {row['comes_mcse']:.1g}" if row["comes"] > 0 else "not simulated once"
        per = f"{np.exp(row['log_density']):.2g} per month" + ("" if row["size"] == 1 else f"^{row['size']}")
        numbers = (f"{row['now']:.3f}", f"{row['silent']:.3f}", share(row["probability"], row["mcse"]))
        screen.add_row(f"{number}", *numbers, chance, per)
        trust = f"k-hat {row['k_hat']:.2f}, {row['ess']:.0f} effective draws" + ("" if row["certified"] else ": fail")
        events = str(row["events"]).replace("; ", "\n   ")
        parts.append(Text(f"{number}. {events}\n   importance weights: {trust}"))
    order = "Likeliest first" if result.reached else "Highest first"
    note = (
        f"Probability of {name}: now, after silence up to the events' day, and after the events. {order}; forecast "
        "whatif gives the same for each set whose weights hold. Tried: every set of at most three events, one in a "
        "proceeding at most; fines of any size, though large ones say more."
    )
    return [*parts, screen, Text(note)]
