"""What the command line prints of a forecast: a screen of tables from the saved frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.labels import names_of
from forecast.quantities import percent
from forecast.resolution import CLEAR
from forecast.silence import assumption
from forecast.terminal.look import chance, table_of
from forecast.terminal.news import unused_rows, weight_of_evidence
from forecast.vocabulary import resolved_view

DISAGREE = 0.2
"""Total variation distance between inside and outside view from which a warning is printed."""
UNITS = {
    "EUR": (1e-6, 0, "m EUR"),
    "EUR a year": (1e-6, 0, "m EUR/yr"),
    "EUR, given a fine": (1e-6, 0, "m EUR, if any"),
    "share of turnover": (100.0, 0, "%"),
    "fraction": (100.0, 0, "%"),
    "count": (1.0, 0, ""),
}
"""Factor, decimals and name under which an amount is printed; shares of turnover are named as such already."""
REFERENCE = {
    "rate": "rates",
    "powers": "powers of classes",
    "stage": "stages",
    "age": "ages",
    "law": "rules of law",
    "trend": "trend",
}
"""Kinds of the reference class's effects, and what print calls them."""
FINE = 10.0
"""Per cent below which a share has a decimal."""
EXPECTED = ("total_cost",)
"""Amounts whose mean is printed beside the median: what a budget has to expect."""
NOISY = ("valuation_change",)
"""Amounts printed in full only: they hold the market's noise, which says nothing of the matter."""
COST = {"fine_left": "fines left", "cost:moderation": "moderation", "cost:advertising": "advertising"}
"""The parts of the total cost."""


def screen(
    tables: dict[str, pd.DataFrame],
    manifest: dict[str, Any],
    diagnostics: dict[str, Any],
    proceedings: pd.DataFrame | None = None,
    *,
    full: bool = False,
) -> Group:
    """Return everything that ``forecast run``, ``update`` and ``show`` print.

    ``proceedings``: the record's, for the names beside their ids. ``full``: with Monte Carlo errors, and means beside
    medians.
    """
    labels, last = manifest["labels"], manifest["horizons"][-1]
    parts: list[Any] = [
        *([Text(assumption(manifest), style="bold")] if assumption(manifest) else []),
        Text(f"{manifest['matter']}, origin {manifest['origin']}, {manifest['view']} view", style="bold"),
        Text(""),
        scenario_views(tables["scenarios"], manifest, full=full),
        *(Text(line) for line in cautions(tables, manifest)),
        Text(""),
        *weight_of_evidence(tables["weight_of_evidence"], manifest, full=full),
        probabilities_by_horizon(tables["summary"], labels, full=full),
        Text("Of all the matter's proceedings, those that will open included."),
        Text(""),
        amounts_by_horizon(tables["summary"], full=full),
        Text("[ ]: equal-tailed 90 % intervals (eti 0.90). Shares of fines: per cent of turnover."),
        Text(""),
    ]
    if full:
        parts += [means_by_horizon(tables["summary"]), Text("")]
    if len(tables["prior_resolution"]):
        parts += [cross_table(tables["resolution"], tables["prior_resolution"], labels, last), Text("")]
    parts += [next_events(tables["event_probabilities"], proceedings, full=full), Text("")]
    parts += [*unused_rows(tables["unused_rows"], manifest["matter"], full=full), Text("")]
    if len(tables["statements"]):
        parts.append(Text(statement_line(tables["statements"], labels)))
    parts.append(Text(diagnosis_line(diagnostics)))
    if full:
        parts.append(Text("± Monte Carlo errors: one standard error."))
    return Group(*parts)


def views_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return each view of the scenarios, and what it is."""
    last, resolved = manifest["horizons"][-1], sum(manifest.get("resolved_matters", {}).values())
    return {
        "brief": "the analyst's numbers",
        "inside": "the brief, with news since it",
        "outside": "the reference class, from where the matter stands",
        "base_rate": f"the record's {resolved} resolved matters, by the same rule",
        resolved_view(last): f"what the resolution rule will say at {last} months",
    }


def target_name(target: str, labels: Mapping[str, str]) -> str:
    """Return the name under which a target is printed: its own, but a scenario's label for the scenario's name."""
    kind, _, name = target.partition(":")
    if kind != "resolved_scenario":
        return target
    return f"resolved as {labels[name]}" if name in labels else "not resolved yet"


def scenario_views(scenarios: pd.DataFrame, manifest: Mapping[str, Any], *, full: bool = False) -> Table:
    """Return the probabilities of the scenarios by view, in ``full`` with Monte Carlo errors where there are any."""
    labels, counts = manifest["labels"], manifest.get("resolved_matters", {})
    table = table_of("Scenarios: probabilities", "view", *labels.values(), "what it is")
    for view, what in views_of(manifest).items():
        rows = scenarios.loc[scenarios["view"] == view].set_index("scenario")
        if len(rows):
            cells = [chance(rows.at[n, "probability"], rows.at[n, "mcse"], full=full) for n in labels]
            if view == "base_rate":
                cells = [
                    f"{cell} ({counts[n]} of {sum(counts.values())})" for n, cell in zip(labels, cells, strict=True)
                ]
            table.add_row(view, *cells, what)
    return table


def cautions(tables: dict[str, pd.DataFrame], manifest: Mapping[str, Any]) -> list[str]:
    """Return plain warnings: views that disagree, a missing inside view, and how much of the outside view is prior."""
    wide = tables["scenarios"].pivot(index="view", columns="scenario", values="probability")
    lines, labels = [], manifest["labels"]
    if "inside" not in wide.index:
        lines.append(f"The brief is of {manifest['as_of']}: before it there is only the outside view.")
    else:
        gap = float(np.abs(wide.loc["inside"] - wide.loc["outside"]).sum() / 2)
        if gap >= DISAGREE:
            lines.append(f"Inside and outside view disagree: their total variation distance is {percent(gap)}.")
        for _, row in tables["prior_resolution"].iterrows():
            if row[row["latent"]] < CLEAR:
                name = labels[row["latent"]]
                lines.append(
                    f"The priors contradict the resolution rule: {percent(row[row['latent']], 1)} of latent "
                    f"'{name}' resolves as '{name}', less than {percent(CLEAR)}."
                )
    return [*lines, how_much_is_prior(tables["posterior_summary"])]


def how_much_is_prior(posterior: pd.DataFrame) -> str:
    """Say how much of the hazards the record has taught: the median contraction of each kind of effect."""
    kinds = posterior["parameter"].str.extract(r"^(\w+)", expand=False)
    by = {kind: posterior.loc[kinds == kind, "contraction"].median() for kind in REFERENCE}
    told = [f"{name} {percent(max(by[kind], 0.0))}" for kind, name in REFERENCE.items() if not np.isnan(by[kind])]
    return f"Share of the prior variance that the record has removed, median by kind: {', '.join(told)}."


def _of_all(summary: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """Return the rows of all scenarios together, without dates, and the horizons."""
    rows = summary.loc[(summary["scenario"] == "all") & ~summary["target"].str.startswith("months_to:")]
    return rows, sorted(rows["horizon_months"].unique())


def probabilities_by_horizon(summary: pd.DataFrame, labels: Mapping[str, str], *, full: bool = False) -> Table:
    """Return the probability of every yes/no target at every horizon, all scenarios together."""
    rows, horizons = _of_all(summary)
    table = table_of("Events and resolution: probabilities", "target", *(f"{h} months" for h in horizons))
    for target, own in rows.loc[rows["unit"] == "probability"].groupby("target", sort=False):
        by = own.set_index("horizon_months")
        cells = [chance(by.at[h, "mean"], by.at[h, "mcse_mean"], full=full) for h in horizons]
        table.add_row(target_name(str(target), labels), *cells)
    return table


def amounts_by_horizon(summary: pd.DataFrame, *, full: bool = False) -> Table:
    """Return median and 90 % interval of every amount at every horizon, and the mean of what has to be expected.

    Under the total cost stand the means of its parts, which add up to its own; amounts of ``NOISY`` in ``full`` alone.
    """
    rows, horizons = _of_all(summary)
    rows = rows.loc[full | ~rows["target"].isin(NOISY)]
    table = table_of("Amounts: median [90 % interval]", "target", *(f"{h} months" for h in horizons))
    for target, own in rows.loc[rows["unit"] != "probability"].groupby("target", sort=False):
        by = own.set_index("horizon_months")
        unit = str(by["unit"].iloc[0])
        cells = [median_cell(by.loc[h], unit) for h in horizons]
        table.add_row(amount_name(str(target), unit), *cells)
        if target in EXPECTED:
            table.add_row(
                f"{amount_name(str(target), unit)}: mean", *(_amount(by.at[h, "mean"], unit) for h in horizons)
            )
            for part, name in COST.items():
                means = rows.loc[rows["target"] == part].set_index("horizon_months")["mean"]
                table.add_row(f"  of it {name}", *(_amount(means[h], unit) for h in horizons))
    return table


def means_by_horizon(summary: pd.DataFrame) -> Table:
    """Return the mean of every amount at every horizon, with its Monte Carlo error."""
    rows, horizons = _of_all(summary)
    table = table_of("Amounts: mean ± Monte Carlo error", "target", *(f"{h} months" for h in horizons))
    for target, own in rows.loc[rows["unit"] != "probability"].groupby("target", sort=False):
        by = own.set_index("horizon_months")
        unit = str(by["unit"].iloc[0])
        pairs = [[_amount(by.at[h, k], unit, finer=1) for k in ("mean", "mcse_mean")] for h in horizons]
        table.add_row(amount_name(str(target), unit), *(mean if mean == "-" else f"{mean} ± {e}" for mean, e in pairs))
    return table


def amount_name(target: str, unit: str) -> str:
    """Return the name of an amount, with its unit as it is printed."""
    words = UNITS[unit][2]
    return f"{target}, {words}" if words else target


def _amount(value: float, unit: str, finer: int = 0) -> str:
    if np.isnan(value):
        return "-"
    scale, digits, _ = UNITS[unit]
    return f"{round(value * scale, digits + finer) + 0.0:,.{digits + finer}f}"  # no minus before a zero


def median_cell(row: pd.Series, unit: str) -> str:
    """Return median and interval, with a decimal more where all are small."""
    ends, (scale, _, words) = row[["q50", "q05", "q95"]].astype(float), UNITS[unit]
    finer = int(words == "%" and (scale * ends.abs()).max() < FINE)
    middle, low, high = (_amount(value, unit, finer) for value in ends)
    return "-" if middle == "-" else f"{middle} [{low}, {high}]"


def cross_table(posterior: pd.DataFrame, prior: pd.DataFrame, labels: Mapping[str, str], last: int) -> Table:
    """Return how each latent scenario resolves at the last horizon, from the posterior and from the prior alone."""
    title = f"Latent scenario (rows) and as resolved at {last} months (columns)"
    table = table_of(title, "latent", "draws from", *labels.values())
    both = zip(posterior.to_dict("records"), prior.to_dict("records"), strict=True)
    for one, two in both:
        name = labels[one["latent"]]
        for whose, row in (("forecast", one), ("prior alone", two)):
            table.add_row(name if row is one else "", whose, *(percent(row[n]) for n in labels))
    return table


def next_events(
    events: pd.DataFrame,
    proceedings: pd.DataFrame | None = None,
    window: int = 6,
    most: int = 5,
    *,
    full: bool = False,
) -> Table:
    """Return the likeliest next events over all open proceedings, with whom and what each proceeding is about."""
    title = f"Likeliest events within {window} months, all open proceedings"
    table = table_of(title, "proceeding", "of", "event", "view", "prob.")
    names = {} if proceedings is None else names_of(proceedings)
    for row in events.loc[events["window_months"] == window].nlargest(most, "probability").to_dict("records"):
        case, shown = str(row["case_id"]), chance(row["probability"], row["mcse"], full=full)
        table.add_row(case, names.get(case, ""), str(row["family"]), str(row["view"]), shown)
    return table


def statement_line(statements: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Say how closely simulated courses keep the analyst's statements."""
    error = (statements["simulated"] - statements["stated"]).abs()
    worst = statements.loc[error.idxmax()]
    return (
        f"Statements: courses simulated from the brief's date, closings and new proceedings included, come within "
        f"{100 * error.max():.1f} percentage points of all {len(statements)} stated probabilities (Monte Carlo errors, "
        f"one standard error, up to {100 * statements['mcse'].max():.1f}). The largest difference is that of "
        f"{worst['family']} by {worst['within_months']:g} months, given '{labels[worst['scenario']]}': "
        f"{percent(worst['stated'], 1)} stated, {percent(worst['simulated'], 1)} simulated."
    )


def diagnosis_line(diagnostics: dict[str, Any]) -> str:
    """Say how the sampler did."""
    worst = {k: v["value"] for k, v in diagnostics["worst"].items()}
    return (
        f"Sampler: {diagnostics['parameters']} parameters, R-hat at most {worst['r_hat']:.3f}, bulk ESS at least "
        f"{worst['ess_bulk']:.0f}, tail ESS at least {worst['ess_tail']:.0f}, {diagnostics['divergences']} divergences."
    )


def passport_table(passport: pd.DataFrame) -> Table:
    """Return each prior beside what the brief says and where it lies in the record."""
    table = table_of("Priors against the record", "prior", "says", "provenance", "record", "percentile", "warning")
    for _, row in passport.iterrows():
        percentile = "" if pd.isna(row["percentile"]) or pd.isna(row["figure"]) else f"{row['percentile']:.0f}"
        source = f"{row['provenance']}: {row['brief']}" if row["brief"] else str(row["provenance"])
        table.add_row(row["key"], f"{row['says']} {row['unit']}", source, row["record"], percentile, row["warning"])
    return table
