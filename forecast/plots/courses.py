"""What may come, in time and by proceeding: first events by month, and the watch list of every open proceeding."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from forecast.files import InputError, Problem
from forecast.forecasting import Forecast
from forecast.labels import names_of
from forecast.plots import look
from forecast.plots.answers import FAMILY_NAMES, HEAT, LINES, MARKS, NAMES, RARE, Style, on_colour
from forecast.plots.look import ACCENT
from forecast.quantities import percent
from forecast.summaries import TARGET_FAMILIES
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES, SCENARIOS, WINDOWS, family_of
from forecast.watchlist import both_views

EVENTS = (*TARGET_FAMILIES, "all_closed", "appeal")
"""Events of the matter that have a panel: all targets but appeals of fines that are imposed already."""
ACROSS = 4
NAMED = 46
"""Characters of provider, authority and instrument beside a row."""


@look.styled
def events(forecast: Forecast) -> Figure:
    """Draw the probability that the first event of each family has come, against months from the origin."""
    statements, scenario, m = _statements(forecast), forecast.outcomes["scenario"].values, forecast.manifest
    last, labels = m["horizons"][-1], {**look.labels(m), "all": "All"}
    lines = 1 + max(label.count("\n") for label in labels.values())
    picture = look.new(6.4 + 0.1 * lines)
    grid = picture.add_gridspec(2, 1, height_ratios=(0.04 * lines, 1.9))
    top = picture.add_subplot(grid[0], frameon=False, xticks=[], yticks=[])
    rows = -(-len(EVENTS) // ACROSS)
    panels = grid[1].subgridspec(rows, ACROSS).subplots(sharex=True, sharey=True, squeeze=False)
    for axes, event in zip(panels.flat, EVENTS, strict=False):
        times = forecast.outcomes[f"months_to:{event}"].sel(horizon=last).values
        stated = statements[statements["family"].isin(TARGET_FAMILIES.get(event, ())) & (event != "order")]
        _course(axes, event, times, scenario, stated, last)
        axes.set(xlabel="Months from origin", ylabel="Probability by then")
        axes.set_title(NAMES[f"event:{event}"], fontsize=8)
        axes.label_outer(remove_inner_ticks=True)
    for axes in panels.flat[len(EVENTS) :]:
        axes.set_visible(False)
    axes = panels.flat[0]
    axes.set(xlim=(0, last), ylim=(0, 1), xticks=look.month_ticks(last))
    keys = [Line2D([], [], label=labels[n], **LINES[n], **(MARKS[n] if len(statements) else {})) for n in LINES]
    top.legend(handles=keys, loc="center left", ncols=4, borderpad=0, fontsize=8 if lines == 1 else 7).set_in_layout(
        False
    )
    errors = [0.5 / max(n, 1) ** 0.5 for n in (len(scenario), np.bincount(scenario, minlength=len(SCENARIOS)).min())]
    title = "First events"
    note = (
        "Lines: share of draws in which the matter's first such event has come, in a proceeding open at the origin or "
    )
    note += f"opened later; Monte Carlo errors (one standard error) at most ±{errors[0]:.3f}, given a scenario "
    note += f"±{errors[1]:.3f}. "
    if not len(statements):
        note += f"There are no statements to show: the brief is of {m['as_of']}."
    else:
        title += ": draws (lines) and statements (markers)"
        note += f"Markers: what the analyst stated on {m['as_of']}, at the months that are left until then; diamonds: "
        note += (
            "mixed as in the brief. News since then moves lines away from markers; families that have had their first "
        )
        note += f"event, and statements beyond {last} months, are left out."
    return look.finish(picture, title, note, forecast.manifest)


def _course(axes: Axes, family: str, times: np.ndarray, scenario: np.ndarray, stated: pd.DataFrame, last: int) -> None:
    """Draw how often a first event has come by each month, and what the analyst stated, by scenario and in all."""
    months, stated = np.arange(0, last + 0.25, 0.5), stated[stated["month"] <= last]
    for i, (name, style) in enumerate(LINES.items()):
        own, said = times[(scenario == i) | (name == "all")], stated[stated["scenario"] == name]
        if len(own):
            come = np.searchsorted(np.sort(own), months, side="right") / len(own)  # NaN sorts last: never comes
            axes.plot(months, come, **style, gid=f"{family}:{name}")
        if len(said):
            over = {"color": style["color"], "ls": "none", "clip_on": False, "zorder": 3}
            axes.plot(said["month"], said["stated"], **over, **MARKS[name], gid=f"stated:{family}:{name}")


def _statements(forecast: Forecast) -> pd.DataFrame:
    """Return the analyst's statements still open at the origin, and their mixtures; ``month`` counts from it."""
    table, m = forecast.tables["statements"], forecast.manifest
    if not len(table):
        return pd.DataFrame(columns=["family", "scenario", "month", "stated"])
    elapsed = (pd.Timestamp(m["origin"]) - pd.Timestamp(m["as_of"])).days / DAYS_PER_MONTH
    cases = forecast.record.proceedings.set_index("case_id")["matter_id"]
    log = forecast.record.in_force().events
    log = log[(log["case_id"].map(cases) == m["matter"]) & (log["date"] > m["as_of"])]
    gone = {family_of(*kind) for kind in zip(log["type"], log["scope"], strict=True)}
    brief = forecast.tables["scenarios"].query("view == 'brief'").set_index("scenario")["probability"]
    mixed = table.assign(stated=table["stated"] * table["scenario"].map(brief), scenario="all")
    mixed = mixed.groupby(["family", "scenario", "within_months"], as_index=False)["stated"].sum()
    both = pd.concat([table, mixed]).assign(month=lambda t: t["within_months"] - elapsed)
    return both[(both["month"] > 0) & ~both["family"].isin(gone)]


@look.styled
def watchlist(forecast: Forecast, window: int = 6) -> Figure:
    """Draw the probability of each event family in every open proceeding within ``window`` months."""
    look.require_fit(forecast, "watchlist")
    if window not in WINDOWS:
        raise InputError(Problem("window", f"{window!r}, expected one of {', '.join(map(str, WINDOWS))} (months)"))
    table = both_views(forecast.tables["event_probabilities"]).query("window_months == @window")
    focal = table["matter_id"] == forecast.manifest["matter"]
    table = table.assign(row=table["case_id"].where(~focal, table["case_id"] + ", " + table["view"] + " view"))
    wide = table.pivot(index="row", columns="family", values="probability")[list(FAMILIES)]
    wide = wide.loc[wide.max(axis=1).sort_values(ascending=False, kind="stable").index]
    values, top = wide.to_numpy(), np.ceil(10 * wide.to_numpy().max() + 1e-9) / 10
    picture = look.new(1.5 + 0.145 * len(wide))
    axes = picture.subplots()
    axes.pcolormesh(values, cmap=HEAT, vmin=0, vmax=top, edgecolor="white", linewidth=0.6)
    for row, column in np.argwhere(values >= RARE):
        share, ink = values[row, column], on_colour(HEAT(values[row, column] / top))
        axes.text(
            column + 0.5, row + 0.53, f"{100 * share:.0f}", size=6, ha="center", va="center", color=ink, clip_on=True
        )
    axes.set(xlim=(0, len(FAMILIES)), ylim=(len(wide), 0), frame_on=False)
    heads: Style = {"rotation": 30, "ha": "left", "rotation_mode": "anchor", "fontsize": 7}
    axes.set_xticks(np.arange(len(FAMILIES)) + 0.35, [FAMILY_NAMES[f] for f in FAMILIES], **heads)
    axes.set_yticks(np.arange(len(wide)) + 0.5, wide.index, fontsize=6.5)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, pad=2)
    names = names_of(forecast.record.proceedings)
    cases = table.drop_duplicates("row").set_index("row")["case_id"]
    for row, case in enumerate(cases[wide.index]):
        axes.text(
            len(FAMILIES) + 0.15, row + 0.53, look.short(names[case], NAMED), size=5.5, va="center", color="#555555"
        )
    own = set(table.loc[focal, "row"])
    for label in (one for one in axes.get_yticklabels() if one.get_text() in own):
        label.set(color=ACCENT, fontweight="bold")
    note = f"Probabilities in per cent, printed from {percent(RARE)} on; Monte Carlo errors (one standard error) at "
    note += f"most ±{100 * table['mcse'].max():.1f}. Beside: provider, authority, instrument. Rows by largest "
    note += f"probability; bold: {forecast.manifest['matter']}. Rows without a view: outside view."
    return look.finish(picture, f"Watch list: what may come within {window} months", note, forecast.manifest)
