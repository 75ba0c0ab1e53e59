"""Figures of the priors: stated numbers beside the record, and how latent classes resolve."""

from __future__ import annotations

import re
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from forecast.forecasting import Forecast
from forecast.passports import FEW, passport
from forecast.plots.answers import FAMILY_NAMES
from forecast.plots.look import (
    ACCENT,
    FAINT,
    INK,
    PRIOR,
    PRIOR_MARKER,
    SCENARIO_COLOURS,
    WIDTH,
    finish,
    new,
    short,
    styled,
)
from forecast.plots.look import labels as labels_of
from forecast.quantities import Statement, percent, printed
from forecast.resolution import CLEAR
from forecast.specification import Specification
from forecast.vocabulary import SCENARIOS

LABELS = {
    "fines.turnover": "turnover, EUR",
    "fines.share.": "fine, share of ceiling: {}",
    "fines.eur.": "fine, EUR: {}",
    "appeals.probability.": "a fine is appealed",
    "appeals.ruling_rate": "rulings a month, from month {}",
    "appeals.outcome.": "rulings: {}, prior count",
    "appeals.share_kept": "share kept of a reduced fine",
    "closing.": "a decision closes the proceeding",
    "regime.families": "rate a month: {}",
    "appeals.probability_large.": "a large fine is appealed",
    "sizes.share": "reference fine, share of ceiling",
    "sizes.without_ceiling": "reference fine, share of turnover",
    "openings.rate": "openings a month and provider",
    "openings.raised": "openings after an escalation, ratio",
    "impacts.attrition.": "share of users lost: {}",
    "impacts.valuation_decline.": "share of valuation lost: {}",
    "impacts.moderation_spending.": "moderation, EUR/year: {}",
}
"""Names of the prior file's numbers that have a counterpart in the record, by the beginning of their keys."""
WARNED, PITCH, STRIP = "X", 0.142, 2.05
LEFT, LABELLED = 2.8, 24
"""Inches left of the panels for the names of rows, and characters of a label there."""
KEYS = 0.3
"""Inches of the key of the statements."""
FAMILY_IN = re.compile(r'families(?:\.(?P<plain>\w+)|\["(?P<quoted>[^"]+)"\])')
SCENARIO_MARKERS = dict(zip(SCENARIOS, ("v", "s", "^"), strict=True))
LIKELY, SEEN = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999), (0.001, 0.999)


@styled
def priors(forecast: Forecast) -> Figure:
    """Draw each stated number that has a counterpart in the record beside it: percentiles, ratios, probabilities."""
    spec = forecast.specification
    table = passport(spec, forecast.record)
    table = table.assign(family=[family_in(key) for key in table["key"]])
    stated, known = table["key"].str.startswith("statements.families"), table["figure"].notna()
    ranked, compared = table.loc[table["percentile"].notna()], table.loc[table["percentile"].isna() & known & ~stated]
    drawn = [(draw, rows) for draw, rows in ((_percentiles, ranked), (_ratios, compared)) if len(rows)]
    picture = new(sum(PITCH * len(rows) + 0.8 for _, rows in drawn) + 1.23 + STRIP * stated.any())
    picture.set_layout_engine("none")
    top = 0.65
    for draw, rows in drawn:
        draw(_placed(picture, LEFT, top, 4.6 - LEFT, PITCH * len(rows)), rows, spec)
        top += PITCH * len(rows) + 0.8
    if stated.any():
        _statements(picture, top, table.loc[stated], spec)
    note = (
        "a: far right means above what the record has seen, far left below it. b: a stated range or value that misses "
        "the grey bar contradicts the record; without any event the bar's upper end is 1. c: the grey bars know no "
        "scenario, so the three should lie around them. Orange crosses and large, orange rings: the passport of the "
        "priors warns. Record: exact 90 % intervals (eti 0.90); of cases, median and "
        "5 to 95 %."
    )
    return finish(picture, "Priors against the record", note, forecast.manifest)


def _placed(picture: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at so many inches from the left and upper edge: the same ones in every run, to the last digit."""
    x, y = picture.get_size_inches()
    return picture.add_axes((left / x, 1 - (top + height) / y, width / x, height / y))


def family_in(key: str) -> str:
    """Return the family that a key of the prior file is about, quoted there or not; empty where it is about none."""
    found = FAMILY_IN.search(key)
    return (found["quoted"] or found["plain"]) if found else ""


def _label(key: str, spec: Specification) -> str:
    start = next((start for start in LABELS if key.startswith(start)), "")
    phase = re.search(r"\[(\d+)\]", key)
    last = family_in(key).replace("_", " ") or key.rsplit(".", 1)[1]
    what = (
        f"{spec.appeals.ruling_rate[int(phase[1])].from_months:g}"
        if phase
        else short(spec.labels.get(last, last), LABELLED)
    )
    return LABELS.get(start, key).format(what)


def _rows(axes: Axes, table: pd.DataFrame, spec: Specification) -> np.ndarray:
    """Label the rows, print what is stated and the record's figure beside them, and return their heights."""
    section = table["key"].str.split(".").str[0]
    y = -(np.arange(len(table)) + 0.5 * (section != section.shift()).cumsum().to_numpy())
    axes.set_yticks(y, [_label(key, spec) for key in table["key"]])
    axes.set_ylim(y.min() - 0.8, y.max() + 0.8)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, pad=7)
    style: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
    for place, label, row in zip(y, axes.get_yticklabels(), table.itertuples(), strict=True):
        bare = np.isnan(row.figure)
        found = "-" if bare else f"{printed(row.figure + 0.0)} [{printed(row.figure_low)}, {printed(row.figure_high)}]"
        colour = ACCENT if row.warning else INK
        label.set(color=colour, fontsize=6.8, fontweight="bold" if row.warning else "normal")
        for right, text in ((8, row.says), (92, found)):
            axes.annotate(text, (1, place), (right, 0), fontsize=6.5, color=colour, **style)
    for right, text in ((8, "stated"), (92, "record")):
        axes.annotate(text, (1, y.max() + 1.2), (right, 0), fontsize=6.5, fontweight="bold", **style)
    return y


def _middles(axes: Axes, x: np.ndarray, y: np.ndarray, table: pd.DataFrame) -> None:
    for place, height, warned in zip(x, y, table["warning"] != "", strict=True):
        colour, marker = (ACCENT, WARNED) if warned else (PRIOR, PRIOR_MARKER)
        axes.scatter(place, height, s=42 if warned else 22, marker=marker, color=colour, zorder=4, clip_on=False)


def _percentiles(axes: Axes, table: pd.DataFrame, spec: Specification) -> None:
    y, x = _rows(axes, table, spec), table[["percentile_low", "percentile", "percentile_high"]].to_numpy().T
    known = table["figure"].notna().to_numpy()
    for place in y[~known]:
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5, "color": "#777777"}
        axes.text(50, place, f"fewer than {FEW} cases", **style)
    table, y, x = table.loc[known], y[known], x[:, known]
    axes.axvspan(5, 95, color=FAINT, alpha=0.5, linewidth=0, zorder=0)
    axes.hlines(y, x[0], x[2], color=PRIOR, linewidth=2.5, zorder=3)
    _middles(axes, x[1], y, table)
    axes.set(xlim=(0, 100), xlabel="percentile among the record's cases (grey: 5 to 95)")
    axes.set_title("a  Ranges among cases of the record", pad=12)


def _ratios(axes: Axes, table: pd.DataFrame, spec: Specification) -> None:
    """Draw what is stated over the record's figure; where no event came, over the upper end of its interval."""
    y = _rows(axes, table, spec)
    base = table["figure"].where(table["figure"] > 0, table["figure_high"])
    low, middle, high = (table[c] / base for c in ("stated_low", "stated", "stated_high"))
    least, most = table["figure_low"] / base, table["figure_high"] / base
    left = 0.8 * min(low.min(), least[least > 0].min())
    axes.barh(y, most - least.clip(lower=left), left=least.clip(lower=left), height=0.7, color=FAINT, zorder=2)
    axes.axvline(1, color=INK, linewidth=0.8, zorder=2)
    axes.hlines(y, low, high, color=PRIOR, linewidth=2.5, zorder=3)
    _middles(axes, middle.to_numpy(), y, table)
    axes.set(xscale="log", xlabel="times the record's figure (log scale; 1: equal)")
    axes.set_xlim(left, 1.25 * max(high.max(), most.max()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title("b  Rates and shares over the record's own", pad=12)


def _statements(picture: Figure, top: float, table: pd.DataFrame, spec: Specification) -> None:
    """Draw one strip for each family: three scenarios at each horizon, beside what the record's crude rate gives."""
    numbers = dict(spec.numbers())
    within = [one.within for one in map(numbers.get, table["key"]) if isinstance(one, Statement)]
    scenario = table["key"].str.extract(r"\.(\w+)\[\d+\]$", expand=False)
    place = table[["key", "family"]].assign(scenario=scenario, within=within)
    families = place["family"].unique()
    share = (WIDTH - 0.62) / len(families)
    for number, family in enumerate(families):
        axes = _placed(picture, 0.62 + number * share, top + 0.15 + KEYS, share - 0.12, STRIP - 0.75 - KEYS)
        horizons = sorted(place.loc[place["family"] == family, "within"].unique())
        axes.set_title(fill(FAMILY_NAMES.get(family, family), 13), fontsize=6.8, va="bottom")
        axes.tick_params(labelsize=7)
        axes.set_xticks(range(len(horizons)), [f"{months:g}" for months in horizons])
        axes.set(yscale="logit", xlim=(-0.6, len(horizons) - 0.4), ylim=SEEN)
        axes.set_yticks(LIKELY, [f"{p:g}" for p in LIKELY] if number == 0 else [])
        axes.yaxis.minorticks_off()
        axes.grid(visible=False, axis="x")
        for key, row in place.loc[place["family"] == family].iterrows():
            x, one, scenario = horizons.index(row["within"]), table.loc[key], row["scenario"]
            low, figure, high = one[["figure_low", "figure", "figure_high"]].astype(float).clip(*SEEN)
            axes.bar(x, high - low, 0.86, bottom=low, color=FAINT, zorder=1)
            axes.hlines(figure, x - 0.43, x + 0.43, color="#777777", linewidth=1, zorder=2)
            edge, width, size = (ACCENT, 1.5, 42) if one["warning"] else (INK, 0.4, 20)
            style: dict[str, Any] = {"marker": SCENARIO_MARKERS[scenario], "facecolor": SCENARIO_COLOURS[scenario]}
            style |= {"edgecolor": edge, "linewidth": width, "s": size, "zorder": 3, "clip_on": False}
            axes.scatter(x + 0.27 * (SCENARIOS.index(scenario) - 1), np.clip(one["stated"], *SEEN), **style)
        if not number:
            axes.set_ylabel("probability")
    marks: dict[str, dict[str, Any]] = {
        s: {"marker": SCENARIO_MARKERS[s], "color": SCENARIO_COLOURS[s]} for s in SCENARIOS
    }
    names = labels_of({"labels": spec.labels})
    handles = [Line2D([], [], linestyle="", markeredgecolor=INK, label=names[s], **style) for s, style in marks.items()]
    tall = picture.get_figheight()
    height = 1 - (top - 0.2) / tall
    picture.text(0.5, 1 - (top + STRIP - 0.24) / tall, "months since the brief", ha="center", va="center")
    beside = (0.02, 1 - (top + 0.06) / tall)
    style = {"loc": "center left", "bbox_to_anchor": beside, "columnspacing": 1.6, "handletextpad": 0.3}
    picture.legend(handles=[*handles, Patch(color=FAINT, label="record")], ncols=4, **style)
    picture.text(0.02, height, "c  Statements: a first event by then", fontsize=9, fontweight="bold", va="center")


@styled
def resolution(forecast: Forecast) -> Figure:
    """Draw how each latent class resolves at the last horizon, from the prior alone and from the posterior."""
    tables = {"prior": forecast.tables["prior_resolution"], "posterior": forecast.tables.get("resolution", ())}
    shown = {name: table.set_index("latent").loc[list(SCENARIOS)] for name, table in tables.items() if len(table)}
    picture, labels = new(3.5), labels_of(forecast.manifest, 12, narrow=True)
    every = picture.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (name, table) in zip(every, shown.items(), strict=True):
        cells = table[list(SCENARIOS)].to_numpy(float)
        axes.pcolormesh(cells, cmap="Blues", vmin=0, vmax=1.15, edgecolor="white", linewidth=2)
        for (row, column), share in np.ndenumerate(cells):
            text = percent(share)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color="white" if share > 0.75 else INK)
            if name == "prior" and row == column:
                poor = not share >= CLEAR
                edge: dict[str, Any] = {"edgecolor": ACCENT if poor else INK, "linestyle": "--" if poor else "-"}
                axes.add_patch(Rectangle((column + 0.06, row + 0.06), 0.88, 0.88, fill=False, linewidth=1.6, **edge))
        places = np.arange(len(SCENARIOS)) + 0.5
        axes.set_xticks(places, [labels[name] for name in SCENARIOS], fontsize=6.5)
        axes.set_yticks(places, [labels[name] for name in SCENARIOS], fontsize=6.5)
        day = forecast.manifest["as_of" if name == "prior" else "origin"]
        axes.set(title=f"{name}, {day}", xlabel="resolved as", ylim=(len(SCENARIOS), 0), aspect="equal")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
    every[0].set_ylabel("latent class")
    rule = f"Framed: a priori at least {percent(CLEAR)} of each class must resolve as itself; less is framed in dashed "
    rule += "orange."
    error = max(map(_row_error, shown.values(), (_classes(forecast, name) for name in shown)))
    last = forecast.manifest["horizons"][-1]
    what = f"Shares of draws at {last} months; rows sum to 1. Monte Carlo errors (one standard error) at most "
    what += f"\N{PLUS-MINUS SIGN}{error:.3f}. {rule if 'prior' in shown else ''}"
    return finish(picture, "Latent and resolved classes", what, forecast.manifest)


def _classes(forecast: Forecast, group: str) -> np.ndarray:
    """Return how many draws each latent class has."""
    prior = forecast.prior_outcomes if len(forecast.prior_outcomes) else forecast.outcomes
    draws = prior if group == "prior" else forecast.outcomes
    return np.bincount(draws["scenario"].values, minlength=len(SCENARIOS))


def _row_error(table: pd.DataFrame, draws: np.ndarray) -> float:
    """Return the largest ``sqrt(p (1 - p) / draws of the row)``."""
    cells = table[list(SCENARIOS)].to_numpy(float)
    return float(np.nanmax(np.sqrt(cells * (1 - cells) / np.maximum(draws, 1)[:, None])))
