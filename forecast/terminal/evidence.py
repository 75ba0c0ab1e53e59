"""What the command line prints of new evidence: how a forecast was updated, and what moved it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.terminal.look import share, table_of
from forecast.vocabulary import SCENARIOS, horizon_by

if TYPE_CHECKING:
    from forecast.attribution import Explanation
    from forecast.replaying import Trajectory


MEDIANS = ("fine_imposed", "fine_left", "total_cost")
"""Targets whose medians' expected errors are printed after an update; the folder has those of all."""


def update_line(diagnostics: dict[str, Any], labels: Mapping[str, str]) -> str:
    """Say how a forecast was updated, and how far its draws can be trusted."""
    told = diagnostics["update"]
    if told["method"] == "refitted":
        return f"Updated from {told['from_origin']} by a new fit: {'; '.join(told['reasons'])}."
    errors = ", ".join(f"{labels[name]} ± {error:.3f}" for name, error in told["scenario_error"].items())
    horizon = list(told["median_error"]["fine_left"])[-1]
    medians = {name: by[horizon] for name, by in told["median_error"].items() if name in MEDIANS}
    amounts = ", ".join(f"{name} ± {error * 1e-6:,.1f} m EUR" for name, error in medians.items())
    return (
        f"Updated from {told['from_origin']} by reweighting: k-hat {told['k_hat']:.2f}, {told['ess']:.0f} effective "
        f"draws; expected errors of the scenarios' probabilities: {errors}; of medians at {horizon} months: {amounts}. "
        "Silence counts too: the record claims to be complete up to the new origin."
    )


def replay_screen(trajectory: Trajectory) -> Group:
    """Return what ``forecast replay`` prints: one row an origin, and what to keep in mind."""
    m, worst = trajectory.manifest, trajectory.diagnostics
    last = m["horizons"][-1]
    lines = [
        f"The brief is of {m['as_of']}: before it there is only the outside view.",
        "The prior file is the same at every origin: what it knows beyond the record is hindsight there.",
        f"Fines left: million EUR within {last} months, median and equal-tailed 90 % interval (eti 0.90). New events: "
        "those in the matter that became public since the origin before. ± Monte Carlo errors.",
    ]
    last = trajectory.record.events["published_on"].max().date()
    if str(last) < m["end"]:
        lines.append(f"The record's last publication is of {last}: later silence counts as evidence.")
    lines.append(
        f"Sampler, at its worst: R-hat {worst['r_hat'].max():.3f}, bulk ESS {worst['ess_bulk'].min():.0f}, tail ESS "
        f"{worst['ess_tail'].min():.0f}, {worst['divergences'].sum()} divergences."
    )
    title = Text(f"{m['matter']}, origins {m['start']} to {m['end']}, every {m['every']}", style="bold")
    return Group(title, Text(""), origins_table(trajectory), *(Text(line) for line in lines))


def origins_table(trajectory: Trajectory) -> Table:
    """Return the scenarios in the view that counts, and in the outside view beside it, fines left, and new events."""
    numbers, first = trajectory.table, trajectory.manifest["start"]
    labels = trajectory.manifest["labels"].values()
    outside, last = [f"outside: {name}" for name in labels], trajectory.manifest["horizons"][-1]
    table = table_of("Forecast by origin", "origin", "view", *labels, *outside, "fines left", "new events")
    focal = trajectory.events.loc[trajectory.events["is_focal"].astype(bool), "origin_date"].value_counts()
    for origin, rows in numbers.groupby("origin_date"):
        view = "inside" if "inside" in set(rows["view"]) else "outside"
        beside = _scenarios(rows, "outside") if view == "inside" else [""] * len(SCENARIOS)
        left = rows.loc[(rows["target"] == "fine_left") & (rows["horizon_months"] == last)]
        low, middle, high = left.set_index("statistic").loc[["q05", "q50", "q95"], "value"] * 1e-6
        fresh = "" if origin == first else str(focal.get(origin, 0))
        amounts = f"{middle:,.0f} [{low:,.0f}, {high:,.0f}]"
        table.add_row(str(origin), view, *_scenarios(rows, view), *beside, amounts, fresh)
    return table


def _scenarios(rows: pd.DataFrame, view: str) -> list[str]:
    own = rows.loc[(rows["view"] == view) & (rows["target"] == "scenario")].set_index("scenario")
    return [share(own.at[name, "value"], own.at[name, "mcse"]) for name in SCENARIOS]


def explanation_screen(explanation: Explanation, *, arrival: bool = False, most: int = 15) -> Group:
    """Return what ``forecast explain`` prints: a row a bar, from before to after, and how far to trust it."""
    one, two, checks = explanation.before, explanation.after, explanation.checks
    how = "in order of arrival" if arrival else "order-free"
    labels, horizons = list(two["labels"].values()), two["horizons"]
    soon, last = horizon_by(horizons, 24), horizons[-1]
    headers = [f"{s}, %" for s in labels] + [f"{labels[-1]} outside, %", f"fine within {soon} months, %"]
    headers += [f"fines left at {last} months, m EUR"]
    wanted = [("view", s, 0, "probability") for s in SCENARIOS] + [
        ("outside", SCENARIOS[-1], 0, "probability"),
        ("event:fine", "all", soon, "mean"),
        ("fine_left", "all", last, "q50"),
    ]
    panels = [explanation.merged(explanation.of(*w), most) for w in wanted]
    scales = [1e-6 if w[3] == "q50" else 100.0 for w in wanted]
    table = table_of(f"What moved the forecast, events {how}", "step", *headers)
    paired = list(zip(panels, scales, strict=True))
    table.add_row(f"forecast of {one['origin']}", *(f"{p['before'].iloc[0] * k:,.1f}" for p, k in paired))
    column = "arrival" if arrival else "order_free"
    for i, name in enumerate(panels[0]["bar"]):
        cells = [(p.at[i, column] * k, p.at[i, f"{column}_se"] * k) for p, k in paired]
        table.add_row(str(name), *(f"{move:+,.1f} ± {se:,.1f}" if move or se else "" for move, se in cells))
    table.add_row(f"forecast of {two['origin']}", *(f"{p['after'].iloc[0] * k:,.1f}" for p, k in paired))
    lines = [
        "Each column sums exactly. ± standard errors. The clock: later horizons, as if everything stood where it "
        "stood. Silence: no new event. Figures: users, turnover, rulings. Fines left: median.",
        f"Valued on the draws of {checks['fits']} fits (overlap {checks['overlap']:.2f}, at least "
        f"{checks['least_effective_draws']:.0f} effective draws a step); largest error bar "
        f"{checks['largest_error']:.1f} standard errors, limit {checks['error_limit']:.1f}.",
        *(f"Not to be trusted: {failure}." for failure in checks["failures"]),
    ]
    if one["view"] != two["view"]:
        lines.insert(1, f"Up to the brief of {two['as_of']} these are probabilities of the outside view.")
    return Group(table, *map(Text, lines))
