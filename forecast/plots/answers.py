"""What a forecast answers: scenarios, targets, cost, events in time, and every open proceeding."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from forecast.forecasting import Forecast
from forecast.plots import look
from forecast.plots.look import ACCENT, INK, POSTERIOR, POSTERIOR_MARKER, PRIOR, PRIOR_MARKER, SCENARIO_COLOURS
from forecast.prior_check import VIEW as PRIOR_VIEW
from forecast.quantities import percent
from forecast.summaries import TARGET_FAMILIES
from forecast.terminal.forecasts import views_of
from forecast.vocabulary import SCENARIOS
from forecast.watchlist import QUANTILES

FAMILY_NAMES = {
    "request": "Information request", "formal_opening": "Formal opening", "escalation": "Extension",
    "search": "Search", "summons": "Summons", "judicial_investigation": "Judicial investigation",
    "findings": "Findings or charges", "executive": "Executive charged", "order.specific": "Order of one duty",
    "order.extensive": "Order to overhaul", "order.filtering": "Order to filter", "suspension": "Suspension",
    "commitments": "Commitments", "fine": "Fine", "closure": "Closure, no fine",
}  # fmt: skip
NAMES = {
    **{f"event:{target}": FAMILY_NAMES.get(target, "Order, any") for target in TARGET_FAMILIES},
    "event:dropped": "A case closed, no fine", "event:all_closed": "All cases closed",
    "event:appeal": "New fine appealed", "event:appeal_of_old_fine": "Old fine appealed",
    "resolved_scenario:pending": "Unresolved",
    "fine_imposed": "Fines imposed", "fine_imposed_share": "Fines imposed, relative",
    "fine_left": "Fines left after appeals", "fine_left_share": "Fines left, relative", "total_cost": "Total cost",
    "fine_largest": "Largest fine, given one", "moderation_spending": "Moderation spending",
    "cost:moderation": "Cost: moderation", "cost:advertising": "Cost: advertising lost",
    "valuation_impact": "Valuation lost", "valuation_change": "Change in valuation", "user_attrition": "Users lost",
    "openings_member_states": "Openings, member states", "openings_other_platforms": "Openings, other platforms",
}  # fmt: skip
UNITS = {
    "EUR": (1e-6, "million EUR"), "EUR a year": (1e-6, "million EUR a year"), "count": (1.0, "count"),
    "fraction": (100.0, "%"), "share of turnover": (100.0, "% of turnover"),
}  # fmt: skip
RARE = 0.05  # the probability marked in costs, and the smallest that is printed in a segment or cell
DECADES = 1e4  # factor that an axis of amounts spans at most: what accrues in a first month is next to nothing
ROOMY = 2.5  # factor between two curves in which the name of one fits
type Style = dict[str, Any]
LINES: Style = {n: {"color": c, "lw": 1.3} for n, c in SCENARIO_COLOURS.items()} | {"all": {"color": INK, "lw": 2.4}}
MARKS: Style = {n: {"marker": m, "mec": INK, "mew": 0.5, "ms": 4.4} for n, m in zip(SCENARIOS, "vs^", strict=True)}
MARKS["all"] = {"marker": PRIOR_MARKER, "mfc": "white", "mec": PRIOR, "mew": 1.1, "ms": 4.4}
BEFORE: Style = {"color": PRIOR, **MARKS["all"]}
AFTER: Style = {"color": POSTERIOR, "marker": POSTERIOR_MARKER, "mew": 1.1, "ms": 4.8}
HORIZON_COLOURS = ("#86b0da", POSTERIOR, "#0b2240")  # of the horizons, ascending; the last is the darkest
HEAT = LinearSegmentedColormap.from_list("heat", ["#f7f9fc", *SCENARIO_COLOURS.values()])


def name_of(target: str, labels: Mapping[str, str]) -> str:
    """Return a target in words, a scenario by the analyst's label."""
    kind, _, scenario = target.partition(":")
    if kind == "resolved_scenario" and scenario in labels:
        return f"Resolved: {labels[scenario]}"
    return NAMES.get(target, target)


@look.styled
def scenarios(forecast: Forecast) -> Figure:
    """Draw the probabilities of the scenarios in each view: brief, inside, outside, and as they will be resolved."""
    table = forecast.tables["scenarios"]
    wide = table.pivot(index="view", columns="scenario", values="probability")
    what_is, labels = views_of(forecast.manifest), look.labels(forecast.manifest)
    views = [view for view in what_is if view in wide.index]
    shares, rows = wide.loc[views, list(SCENARIOS)].to_numpy().T, np.arange(len(views))
    picture = look.new(1.5 + 0.47 * len(views))
    axes = picture.subplots()
    for (name, colour), own, end in zip(SCENARIO_COLOURS.items(), shares, shares.cumsum(axis=0), strict=True):
        bars = axes.barh(rows, own, 0.68, end - own, color=colour, ec="white", lw=0.8, label=labels[name])
        axes.bar_label(
            bars, [percent(p) if p >= RARE else "" for p in own], label_type="center", color=on_colour(colour)
        )
    beside: Style = {"transform": axes.get_yaxis_transform(), "ha": "right"}
    for row, (name, what) in enumerate((_view_name(view), what_is[view]) for view in views):
        axes.text(-0.015, row - 0.05, name, va="bottom", fontweight="bold", **beside)
        axes.text(-0.015, row + 0.02, fill(what, 34), va="top", fontsize=6.5, color="#555555", **beside)
    axes.set(xlim=(0, 1), ylim=(len(views) - 0.45, -0.6), yticks=[], xlabel="Probability")
    axes.grid(visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.97), ncols=len(SCENARIOS), handlelength=1.2)
    axes.xaxis.set_major_formatter(lambda share, _: percent(share))
    note = f"Monte Carlo errors (one standard error) at most ±{100 * table['mcse'].max():.1f} percentage points."
    if "brief" not in views:
        note += f" The brief is of {forecast.manifest['as_of']}: before it there is only the outside view."
    return look.finish(picture, "Scenario probabilities by view", note, forecast.manifest)


def _view_name(view: str) -> str:
    return "As resolved" if view.startswith("resolved_") else view.replace("_", " ").capitalize()


@look.styled
def targets(forecast: Forecast) -> Figure:
    """Draw every target at every horizon, posterior beside prior: probabilities first, then amounts."""
    units = {str(k): v.attrs.get("units", "").split(",")[0] for k, v in forecast.outcomes.data_vars.items()}
    yes_no, amounts = [n for n in units if units[n] == "probability"], [n for n in units if units[n] in UNITS]
    sources, rows = _sources(forecast), len(amounts) // 4 + 1
    heights = (0.6 + 0.165 * len(yes_no), 1.45 * rows)
    picture = look.new(sum(heights) + 1.0)
    blocks = picture.add_gridspec(2, 1, height_ratios=heights)
    across = blocks[0].subgridspec(1, len(forecast.manifest["horizons"]))
    _dots(across.subplots(sharey=True, squeeze=False)[0], yes_no, sources, forecast.manifest)
    panels = blocks[1].subgridspec(rows, 4).subplots(squeeze=False)
    for axes, name in zip(panels.flat, amounts, strict=False):
        _intervals(axes, name, units[name], [s for s in sources if name in s[1]], forecast.manifest["horizons"])
    for axes in panels.flat[len(amounts) :]:
        axes.set_axis_off()
    keys = [(Line2D([], [], c=style["color"], lw=5, alpha=0.4), Line2D([], [], lw=1, **style)) for *_, style in sources]
    axes.legend(keys, [label for label, *_ in sources], loc="center left", handlelength=3, labelspacing=0.8)
    error = 0.5 / min(draws.sizes["draw"] for _, draws, _ in sources) ** 0.5
    note = f"Above: probabilities, Monte Carlo errors (one standard error) at most ±{error:.3f}. "
    note += "Below: dots medians, thick bars eti 0.50, thin bars eti 0.90, equal-tailed; a dot at "
    note += (
        "zero: at least half of the draws are zero. Events, closings and fines are of all the matter's proceedings, "
    )
    note += f"those opened after the origin included.{_about_prior(forecast)}"
    return look.finish(picture, "Targets by horizon", note, forecast.manifest)


def _dots(panels: np.ndarray, names: list[str], sources: list, manifest: Mapping[str, Any]) -> None:
    """Draw probabilities as rows of dots, one panel for each horizon."""
    rows = np.array([row + 0.5 * name.startswith("resolved") for row, name in enumerate(names)])
    for j, (axes, horizon) in enumerate(zip(panels, manifest["horizons"], strict=True)):
        values = [[float(draws[n].values[:, j].mean()) for n in names] for _, draws, _ in sources]
        axes.hlines(rows, np.min(values, axis=0), np.max(values, axis=0), color="#999999", linewidth=1)
        for x, (label, _, style) in zip(values, sources, strict=True):
            axes.plot(x, rows, **style, ls="none", clip_on=False, zorder=3, gid=f"{label}:{horizon}")
        axes.set(xlim=(-0.02, 1.02), ylim=(rows[-1] + 0.6, -0.6), xlabel="Probability", title=f"{horizon} months")
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.set_yticks(rows, [name_of(n, manifest["labels"]) for n in names])
        axes.tick_params(axis="y", length=0)


def _intervals(axes: Axes, name: str, unit: str, sources: list, horizons: list[int]) -> None:
    """Draw one amount at every horizon: median, 50 % and 90 % interval, prior to the left of the posterior."""
    (scale, words), at, seen = UNITS[unit], np.arange(len(horizons)), [0.0]
    for i, (label, draws, style) in enumerate(sources):
        columns = [column[~np.isnan(column)] * scale for column in draws[name].values.T]
        kept = [k for k in at if len(columns[k]) > 1]
        low, lower, middle, upper, high = np.reshape([np.quantile(columns[k], QUANTILES) for k in kept], (-1, 5)).T
        x = at[kept] + 0.3 * (i - (len(sources) - 1) / 2)
        axes.vlines(x, lower, upper, color=style["color"], linewidth=5, alpha=0.4)
        axes.vlines(x, low, high, color=style["color"], linewidth=1)
        axes.plot(x, middle, **style, ls="none", zorder=3, gid=f"{label}:{name}")
        seen += [*low, *high]
    room = 0.07 * (max(seen) - min(seen) or 1.0)
    axes.set(xlim=(-0.5, len(at) - 0.5), ylim=(min(seen) - room, max(seen) + room))
    axes.set_title(NAMES.get(name, name), fontsize=7.2, pad=13)
    axes.text(0, 1.03, words, transform=axes.transAxes, fontsize=7)
    axes.set_xticks(at, [f"{h} mo" for h in horizons])
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=unit == "count"))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.axhline(0, color="#888888", linewidth=0.7)


@look.styled
def exceedance(forecast: Forecast) -> Figure:
    """Draw the probability that the total cost exceeds each amount, at each horizon, posterior and prior."""
    name = "total_cost" if "total_cost" in forecast.outcomes else "fine_left"
    horizons = forecast.manifest["horizons"]
    colours = dict(zip(horizons, HORIZON_COLOURS[-len(horizons) :], strict=True))
    kinds = {label: data[name] * 1e-6 for label, data, _ in _sources(forecast) if name in data}
    draws = {(k, h): np.sort(v.sel(horizon=h).values) for k, v in kinds.items() for h in horizons}
    positive = np.concatenate([[1.0, 1000.0], *(values[values > 0] for values in draws.values())])
    last = np.quantile(positive, 0.9995)
    amounts = np.geomspace(max(np.quantile(positive, 0.002), last / DECADES), last, 300)
    styles: Style = {"Posterior": {"lw": 2.0, "zorder": 3}, "Prior": {"color": PRIOR, "lw": 1.2, "ls": "--"}}
    picture = look.new(3.8)
    axes = picture.subplots()
    axes.axhline(RARE, color=ACCENT, linewidth=0.8)
    for (label, horizon), values in draws.items():
        style = {"color": colours[horizon]} | styles[label]
        above = 1 - np.searchsorted(values, amounts, side="right") / len(values)
        axes.plot(amounts, above, **style, gid=f"{label}:{horizon}")
    axes.set(xscale="log", xlim=amounts[[0, -1]], ylim=(0, 1), xlabel="Million EUR (log scale)")
    axes.set_ylabel("Probability of more than that")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_yticks([RARE, 0.25, 0.5, 0.75, 1], [f"{RARE:g}", "0.25", "0.5", "0.75", "1"])
    _label_curves(axes, draws, amounts, colours)
    keys = {label: Line2D([], [], **{"color": POSTERIOR} | styles[label]) for label in styles if label in kinds}
    axes.legend(keys.values(), keys.keys(), loc="upper right")
    note = f"Dots: million EUR exceeded with probability {RARE:g}. Monte Carlo errors (one standard error) are at most "
    note += f"±{0.5 / len(forecast.outcomes['draw']) ** 0.5:.3f}.{_about_prior(forecast)}"
    if name != "total_cost":
        note += " There is no total cost in this forecast: these are the fines left after appeals, often none."
    return look.finish(picture, f"{NAMES[name]}: probability of exceeding an amount", note, forecast.manifest)


def _label_curves(
    axes: Axes, draws: dict[tuple[str, int], np.ndarray], amounts: np.ndarray, colours: dict[int, str]
) -> None:
    """Name each curve where there is room beside it, rather on its right; mark the amount that is rarely exceeded."""
    levels, main = np.linspace(0.9, 0.07, 40), next(reversed(draws))[0]
    reach = {key: np.clip(np.quantile(values, 1 - levels), *amounts[[0, -1]]) for key, values in draws.items()}
    text: Style = {"textcoords": "offset points", "fontsize": 7.5}
    for horizon, colour in colours.items():
        mine = [x for (_, h), x in reach.items() if h == horizon]
        end = np.min([np.full(40, amounts[-1]), *(x for (_, h), x in reach.items() if h > horizon)], axis=0)
        start = np.max([np.full(40, amounts[0]), *(x for (_, h), x in reach.items() if h < horizon)], axis=0)
        own, first = np.max(mine, axis=0), np.min(mine, axis=0)
        right, left = np.where(own > amounts[0], end / own, 0), np.where(first < amounts[-1], first / start, 0)
        rare = float(np.quantile(draws[main, horizon], 1 - RARE))
        if rare > amounts[0]:
            axes.plot(rare, RARE, "o", ms=4.8, color=colour, mec="white", mew=0.6, zorder=4)
            paper = {"fc": "white", "ec": "none", "pad": 0.2}
            axes.annotate(f"{rare:,.0f}", (rare, RARE), (3, 3), va="bottom", bbox=paper, **text)
        best, is_left = int(np.argmax(right)), right.max() < min(ROOMY, left.max())
        place = (own[best], levels[best])
        if is_left:
            best = int(np.argmax(left))
            place = (first[best], levels[best])
        side: Style = {"ha": "right", "va": "top"} if is_left else {"va": "bottom"}
        if max(right.max(), left.max()) > 1:
            offset = (-4, -2) if is_left else (4, 2)
            axes.annotate(f"{horizon} months", place, offset, **side, **text, fontweight="bold")


def _sources(forecast: Forecast) -> list[tuple[str, Any, Style]]:
    if forecast.manifest["view"] == PRIOR_VIEW:
        return [("Prior", forecast.outcomes, BEFORE)]
    both = [("Prior", forecast.prior_outcomes, BEFORE), ("Posterior", forecast.outcomes, AFTER)]
    return [source for source in both if len(source[1])]


def _about_prior(forecast: Forecast) -> str:
    origin, as_of = forecast.manifest["origin"], forecast.manifest["as_of"]
    if forecast.manifest["view"] == PRIOR_VIEW:
        return " What the brief says on its own day, with the record up to then: no news yet."
    if not len(forecast.prior_outcomes):
        return f" Posterior only: before the brief's date, {as_of}, there is no prior."
    return f" The prior's months count from {as_of}, the posterior's from {origin}." if origin != as_of else ""


def on_colour(colour: Any) -> str:
    """Return the colour of letters that reads best on a colour."""
    return "white" if np.dot([0.2126, 0.7152, 0.0722], np.power(to_rgb(colour), 2.2)) < 0.21 else INK
