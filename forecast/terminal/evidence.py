"""What the command line prints of new evidence: how a forecast was updated, and what moved it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.silence import assumption, in_words
from forecast.terminal.forecasts import amount_name, median_cell, target_name
from forecast.terminal.look import chance, table_of
from forecast.vocabulary import SCENARIOS, horizon_by

if TYPE_CHECKING:
    from forecast.attribution import Explanation
    from forecast.forecasting import Forecast
    from forecast.replaying import Trajectory


MEDIANS = ("fine_imposed", "fine_left", "total_cost")
"""Targets whose medians' expected errors are printed after an update; the folder has those of all."""
EVENTS = ("event:findings", "event:order", "event:suspension", "event:fine")
"""Targets that are printed before and after an update at the middle horizon."""
AMOUNTS = ("fine_imposed", "fine_left", "valuation_impact", "user_attrition", "total_cost")
"""Targets that are printed before and after an update at the last horizon, beside the resolution."""
STEP = 30
"""Characters of a step's name in a line."""


def narrow(table: Table, width: int) -> Table:
    """Let the first column of a table break into lines of so many characters."""
    table.columns[0].no_wrap, table.columns[0].max_width = False, width
    return table


def notice(*manifests: Mapping[str, Any]) -> list[Text]:
    """Return the first lines of what is printed of results that assume silence; none of others."""
    lines = dict.fromkeys(assumption(manifest) for manifest in manifests)
    return [Text(line, style="bold") for line in lines if line]


def update_screen(old: Forecast, new: Forecast, *, full: bool = False) -> Group:
    """Return what ``forecast update`` prints beside the new forecast: both side by side, and how it was made.

    ``full``: with Monte Carlo errors.
    """
    told, was, now = new.diagnostics["update"], old.manifest, new.manifest
    silent = (
        f"Silence: from {was['origin']} to {now['origin']} no event came in {in_words(told['silent_days'], 'day')} of "
        f"{in_words(told['silent_proceedings'], 'proceeding')} that somebody looked at, and that is evidence too."
    )
    parts: list[Any] = [Text(""), _scenarios_beside(old, new, full), Text(""), _targets_beside(old, new, full)]
    parts.append(
        Text(
            f"Before: {was['origin']}; after: {now['origin']}; months count from each. Probabilities"
            f"{' ± Monte Carlo errors' if full else ''}; amounts: median and equal-tailed 90 % interval (eti 0.90)."
        )
    )
    if told["silent_days"]:
        parts.append(Text(silent))
    return Group(*parts, Text(update_line(new.diagnostics, now["labels"])))


def _scenarios_beside(old: Forecast, new: Forecast, full: bool) -> Table:
    table = table_of("Scenarios before and after", "view", "scenario", "before", "after", "change, points")
    keyed = [one.tables["scenarios"].set_index(["view", "scenario"]) for one in (old, new)]
    for view, scenario in (key for key in keyed[1].index if key in keyed[0].index and key[0] != "brief"):
        before, after = (one.loc[(view, scenario)] for one in keyed)
        cells = [chance(one["probability"], one["mcse"], full=full) for one in (before, after)]
        change = 100 * (after["probability"] - before["probability"])
        table.add_row(view, new.manifest["labels"][scenario], *cells, f"{change:+.1f}")
    return table


def _targets_beside(old: Forecast, new: Forecast, full: bool) -> Table:
    table = table_of("Targets before and after", "target", "months", "before", "after")
    summaries = [one.tables["summary"].query("scenario == 'all'") for one in (old, new)]
    horizons = sorted(summaries[1]["horizon_months"].unique())
    middle, last = horizons[len(horizons) // 2], horizons[-1]
    names = list(dict.fromkeys(summaries[1]["target"]))
    resolved = [name for name in names if name.startswith("resolved_scenario:")]
    wanted = [*((n, middle) for n in EVENTS), *((n, last) for n in (*resolved, *AMOUNTS))]
    keyed = [one.set_index(["target", "horizon_months"]) for one in summaries]
    for key in (key for key in wanted if all(key in one.index for one in keyed)):
        rows = [one.loc[key] for one in keyed]
        unit = str(rows[0]["unit"])
        if unit == "probability":
            name = target_name(key[0], new.manifest["labels"])
            cells = [chance(row["mean"], row["mcse_mean"], full=full) for row in rows]
        else:
            name, cells = amount_name(key[0], unit), [median_cell(row, unit) for row in rows]
        table.add_row(name, str(key[1]), *cells)
    return table


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
        f"draws; expected errors of the scenarios' probabilities: {errors}; of medians at {horizon} months: {amounts}."
    )


def replay_screen(trajectory: Trajectory) -> Group:
    """Return what ``forecast replay`` prints: one row an origin, and what to keep in mind."""
    m, worst = trajectory.manifest, trajectory.diagnostics
    lines = [
        f"The brief is of {m['as_of']}: before it there is only the outside view.",
        "The prior file is the same at every origin: what it knows beyond the record is hindsight there.",
        f"Fines left: million EUR within {_last(trajectory.table)} months, median and equal-tailed 90 % interval (eti "
        "0.90), in the inside view where there is one. New events: those in the matter that became public since the "
        f"origin before. Monte Carlo errors of the scenarios at most ±{_worst_error(trajectory.table):.3f}.",
    ]
    lines.append(
        f"Sampler, at its worst: R-hat {worst['r_hat'].max():.3f}, bulk ESS {worst['ess_bulk'].min():.0f}, tail ESS "
        f"{worst['ess_tail'].min():.0f}, {worst['divergences'].sum()} divergences."
    )
    title = Text(f"{m['matter']}, origins {m['start']} to {m['end']}, every {m['every']}", style="bold")
    return Group(*notice(m), title, Text(""), origins_table(trajectory), *(Text(line) for line in lines))


def _last(table: pd.DataFrame) -> int:
    """Return the last horizon of the targets, months."""
    return int(table.loc[table["target"] == "fine_left", "horizon_months"].max())


def _worst_error(table: pd.DataFrame) -> float:
    own = table.loc[(table["target"] == "scenario") & table["view"].isin(["inside", "outside"])]
    return float(own["mcse"].max())


def origins_table(trajectory: Trajectory) -> Table:
    """Return scenarios by origin and view, fines left in the view that counts, and new events."""
    numbers, m = trajectory.table, trajectory.manifest
    names = [m["labels"][name] for name in SCENARIOS]
    table = table_of("Forecast by origin", "origin", "view", *names, "fines left (median)", "new events")
    focal = trajectory.events.loc[trajectory.events["is_focal"].astype(bool), "origin_date"].value_counts()
    for origin, rows in numbers.groupby("origin_date"):
        left = rows.loc[(rows["target"] == "fine_left") & (rows["horizon_months"] == _last(numbers))]
        low, middle, high = left.set_index("statistic").loc[["q05", "q50", "q95"], "value"] * 1e-6
        fresh = "" if origin == m["start"] else str(focal.get(origin, 0))
        amounts = f"{middle:,.0f} [{low:,.0f}, {high:,.0f}]"
        first, *others = [view for view in ("inside", "outside") if view in set(rows["view"])]
        table.add_row(str(origin), first, *_scenarios(rows, first), amounts, fresh)
        for view in others:
            table.add_row("", view, *_scenarios(rows, view))
    return table


def _scenarios(rows: pd.DataFrame, view: str) -> list[str]:
    own = rows.loc[(rows["view"] == view) & (rows["target"] == "scenario")].set_index("scenario")
    return [f"{own.at[name, 'value']:.3f}" for name in SCENARIOS]


def explanation_screen(explanation: Explanation, *, most: int = 20) -> Group:
    """Return what ``forecast explain`` prints: a row a bar, from before to after, and how far to trust it."""
    one, two, checks = explanation.before, explanation.after, explanation.checks
    labels, last = list(two["labels"].values()), int(explanation.table["horizon_months"].max())
    soon = horizon_by(two["horizons"], 24)
    scenarios = {f"{name}, %": ("view", s, 0, "probability") for s, name in zip(SCENARIOS, labels, strict=True)}
    scenarios[f"{labels[-1]} outside, %"] = ("outside", SCENARIOS[-1], 0, "probability")
    targets = {
        f"fine within {soon} months, %": ("event:fine", "all", soon, "mean"),
        f"fines left at {last} months (median), m EUR": ("fine_left", "all", last, "q50"),
    }
    lines = [
        "Each column sums exactly. ± standard errors. Steps stand in the order in which things became known. Silence: "
        "no event in the matter; months then count from a later day. Figures: users, turnover, sizes of fines, "
        "openings.",
        f"Valued on the draws of {checks['fits']} fits (overlap {checks['overlap']:.2f}, at least "
        f"{checks['least_effective_draws']:.0f} effective draws a step); largest error bar "
        f"{checks['largest_error']:.1f} standard errors, limit {checks['error_limit']:.1f}.",
        *(f"Not to be trusted: {failure}." for failure in checks["failures"]),
    ]
    if one["view"] != two["view"]:
        lines.insert(1, f"Up to the brief of {two['as_of']} these are probabilities of the outside view.")
    tables = [
        _bars(explanation, f"What moved {what}", wanted, most)
        for what, wanted in (("the scenarios", scenarios), ("targets", targets))
    ]
    return Group(*notice(one, two), tables[0], Text(""), tables[1], *map(Text, lines))


def _bars(explanation: Explanation, title: str, wanted: Mapping[str, tuple], most: int) -> Table:
    """Return one table of bars: a column for each quantity that is wanted."""
    panels = [explanation.merged(explanation.of(*w), most) for w in wanted.values()]
    scales = [1e-6 if w[3] == "q50" else 100.0 for w in wanted.values()]
    table = narrow(table_of(title, "step", *wanted), STEP)
    paired = list(zip(panels, scales, strict=True))
    table.add_row(
        f"forecast of {explanation.before['origin']}", *(f"{p['before'].iloc[0] * k:,.1f}" for p, k in paired)
    )
    for i, name in enumerate(panels[0]["bar"]):
        cells = [(p.at[i, "change"] * k, p.at[i, "change_se"] * k) for p, k in paired]
        table.add_row(str(name), *(f"{move:+,.1f} ± {se:,.1f}" if move or se else "" for move, se in cells))
    table.add_row(f"forecast of {explanation.after['origin']}", *(f"{p['after'].iloc[0] * k:,.1f}" for p, k in paired))
    return table
