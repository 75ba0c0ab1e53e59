"""What the command line prints of a forecast: a screen of tables from the saved frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.resolution import CLEAR
from forecast.silence import assumption
from forecast.terminal.look import share, table_of

VIEWS = {
    "brief": "the analyst's numbers",
    "inside": "the brief, with news since it",
    "outside": "the reference class, with the matter's own history",
    "resolved_60m": "what the resolution rule will say at 60 months",
}
DISAGREE = 0.2
"""Total variation distance between inside and outside view from which a warning is printed."""


def screen(tables: dict[str, pd.DataFrame], manifest: dict[str, Any], diagnostics: dict[str, Any]) -> Group:
    """Return everything that ``forecast run`` and ``forecast show`` print."""
    parts: list[Any] = [
        *([Text(assumption(manifest), style="bold")] if assumption(manifest) else []),
        Text(f"{manifest['matter']}, origin {manifest['origin']}, {manifest['view']} view", style="bold"),
        Text(""),
        scenario_views(tables["scenarios"]),
        *(Text(line) for line in cautions(tables, manifest)),
        Text(""),
        targets_by_horizon(tables["summary"]),
        Text(
            "Events, closure and fines are of the proceedings open at the origin; new ones are counted, not followed."
        ),
        Text("Amounts in million EUR. [ ] are equal-tailed 90 % intervals (eti 0.90), ± Monte Carlo errors."),
        Text(""),
    ]
    if len(tables["prior_resolution"]):
        parts += [cross_table(tables["resolution"], tables["prior_resolution"]), Text("")]
    parts += [next_events(tables["event_probabilities"]), Text("")]
    if len(tables["statements"]):
        parts.append(Text(statement_line(tables["statements"])))
    parts.append(Text(diagnosis_line(diagnostics)))
    return Group(*parts)


def scenario_views(scenarios: pd.DataFrame) -> Table:
    """Return the scenarios by view, with Monte Carlo errors where there are any."""
    names = list(dict.fromkeys(scenarios["scenario"]))
    table = table_of("Scenarios", "view", *names, "what it is")
    for view, what in VIEWS.items():
        rows = scenarios.loc[scenarios["view"] == view].set_index("scenario")
        if len(rows):
            cells = [share(rows.at[n, "probability"], rows.at[n, "mcse"]) for n in names]
            table.add_row(view, *cells, what)
    return table


def cautions(tables: dict[str, pd.DataFrame], manifest: dict[str, Any]) -> list[str]:
    """Return plain warnings: views that disagree, a missing inside view, and how much of the outside view is prior."""
    wide = tables["scenarios"].pivot(index="view", columns="scenario", values="probability")
    lines = []
    if "inside" not in wide.index:
        lines.append(f"The brief is of {manifest['as_of']}: before it there is only the outside view.")
    else:
        gap = float(np.abs(wide.loc["inside"] - wide.loc["outside"]).sum() / 2)
        if gap >= DISAGREE:
            lines.append(f"Inside and outside view disagree: {gap:.0%} of the probability lies elsewhere.")
        for _, row in tables["prior_resolution"].iterrows():
            if row[row["latent"]] < CLEAR:
                lines.append(
                    f"The priors contradict the resolution rule: only {row[row['latent']]:.0%} of latent "
                    f"{row['latent']} resolves as {row['latent']}."
                )
    posterior = tables["posterior_summary"]
    own = posterior.loc[posterior["parameter"].str.match(r"log_step|log_loading|log_ratio"), "contraction"].mean()
    rest = "rest mostly on priors" if own < 0.5 else "owe more to data than to priors"
    lines.append(
        f"The outside view's classes {rest}: the data take away {own:.0%} of the prior variance of severities, "
        "loadings and weights."
    )
    return lines


def targets_by_horizon(summary: pd.DataFrame) -> Table:
    """Return mean and 90 % interval of every target at every horizon, all scenarios together."""
    rows = summary.loc[(summary["scenario"] == "all") & ~summary["target"].str.startswith("months_to:")]
    horizons = sorted(rows["horizon_months"].unique())
    table = table_of("Targets", "target", "unit", *(f"{h} months" for h in horizons))
    for target in dict.fromkeys(rows["target"]):
        own = rows.loc[rows["target"] == target].set_index("horizon_months")
        unit = str(own["unit"].iloc[0])
        cells = [_cell(own.loc[h], unit) for h in horizons]
        table.add_row(str(target), unit.replace("EUR", "m EUR"), *cells)
    return table


def _cell(row: pd.Series, unit: str) -> str:
    if np.isnan(row["mean"]):
        return "-"
    if unit == "probability":
        return f"{row['mean']:.3f} ± {row['mcse_mean']:.3f}"
    scale = 1e-6 if "EUR" in unit else 1.0
    digits = 0 if "EUR" in unit else 1 if unit == "count" else 3
    mean, low, high = (f"{row[k] * scale:,.{digits}f}" for k in ("mean", "q05", "q95"))
    return f"{mean} [{low}, {high}]"


def cross_table(posterior: pd.DataFrame, prior: pd.DataFrame) -> Table:
    """Return how each latent scenario resolves at 60 months, from the posterior and from the prior alone."""
    names = list(posterior["latent"])
    table = table_of(
        "Latent scenario (rows) resolved at 60 months as", "latent", *names, *(f"prior: {n}" for n in names)
    )
    for (_, one), (_, two) in zip(posterior.iterrows(), prior.iterrows(), strict=True):
        table.add_row(str(one["latent"]), *(f"{one[n]:.2f}" for n in names), *(f"{two[n]:.2f}" for n in names))
    return table


def next_events(events: pd.DataFrame, window: int = 6, most: int = 5) -> Table:
    """Return the likeliest next events over all open proceedings."""
    table = table_of(
        f"Likeliest events within {window} months, all open proceedings", "proceeding", "event", "probability"
    )
    rows = events.loc[events["window_months"] == window].nlargest(most, "probability")
    for _, row in rows.iterrows():
        table.add_row(str(row["case_id"]), str(row["family"]), share(row["probability"], row["mcse"]))
    return table


def statement_line(statements: pd.DataFrame) -> str:
    """Say how closely the model keeps the analyst's statements, and what closures and stages take off them."""
    error = (statements["net"] - statements["stated"]).abs() / statements["net_mcse"].clip(lower=1e-9)
    lost = statements["gross"] - statements["stated"]
    worst = statements.loc[lost.abs().idxmax()]
    return (
        f"Statements, from the prior alone: {len(statements)}, kept net within {error.max():.1f} Monte Carlo errors; "
        f"with closures and stages running the largest change is {worst['family']} by {worst['within_months']:g} "
        f"months, {worst['scenario']}: {worst['stated']:.2f} stated, {worst['gross']:.2f} gross."
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
        percentile = "" if pd.isna(row["percentile"]) else f"{row['percentile']:.0f}"
        source = f"{row['provenance']}: {row['brief']}" if row["brief"] else str(row["provenance"])
        table.add_row(row["key"], f"{row['says']} {row['unit']}", source, row["record"], percentile, row["warning"])
    return table
