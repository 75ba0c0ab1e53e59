"""Figures for whoever doubts the model: its parameters, and what it replicates."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from scipy.special import expit

from forecast.forecasting import Forecast
from forecast.inference import gather
from forecast.plots.look import (
    INK,
    POSTERIOR,
    POSTERIOR_MARKER,
    PRIOR,
    PRIOR_MARKER,
    WIDTH,
    Picture,
    finish,
    require_fit,
    short,
    styled,
)
from forecast.quantities import LOADED_FAMILIES
from forecast.replication import by_class_and_family
from forecast.trees import prior_parameters
from forecast.updating import settings_of
from forecast.vocabulary import LOADING_SIGNS, SCENARIOS

if TYPE_CHECKING:
    from arviz_plots.plot_collection import PlotCollection

SHORT = 24
"""Characters of a label beside a row."""
OBSERVED, COUNTS = "|", (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
DRAWS, FOREST, LOOKS = ("chain", "draw"), {"column": "forest"}, ("color", "facecolor", "marker")
QUANTITIES = {
    "hazard": ("Hazard, months 0-6, before findings: events a month and proceeding", "log"),
    "severity": ("Severity: step of a fine's log hazard from '{}'", "linear"),
    "loading": ("Loading: effect of severity on a log hazard, relative to the fine's", "log"),
    "probability": ("Shares and probabilities", "linear"),
    "shape": ("Frailty: gamma shape (large where matters are alike)", "log"),
    "size": ("Fine of the reference class: median share", "log"),
}
"""The parameters asked for first: title with unit, and scale of the axis."""


class Page(Picture):
    """A picture that ArviZ's collections show in notebooks: they ask their figure for HTML."""

    def _repr_html_(self) -> str:
        picture, size = self._repr_png_()
        code = base64.b64encode(picture).decode()
        return f'<img src="data:image/png;base64,{code}" width="{size["width"]}">'


@styled
def parameters(forecast: Forecast) -> PlotCollection:
    """Draw the key parameters before and after the data, with the contraction of each: an ArviZ forest."""
    require_fit(forecast, "parameters")
    labels = forecast.manifest["labels"]
    evidence = gather(forecast.specification, forecast.record, date.fromisoformat(forecast.manifest["origin"]))
    before, after = prior_parameters(evidence, settings_of(forecast)), forecast.tree["posterior"].to_dataset()
    models = {"prior": _quantities(before, labels), "posterior": _quantities(after, labels)}
    prior, posterior = (x.map(_on_axis).var(("chain", "draw")) for x in models.values())
    pc = _forest(models, 9.3)
    _beside(pc, (1 - posterior / prior).map(lambda x: x.copy(data=np.vectorize(_signed)(x))), "contraction")
    for name, (title, scale) in QUANTITIES.items():
        axes = pc.get_target(name, FOREST)
        axes.set_title(title.format(short(labels[SCENARIOS[1]], SHORT)), fontsize=8)
        axes.set_xscale(scale)
        if scale == "log":
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_locator(NullLocator())
    note = (
        "Thin and thick lines: equal-tailed 90 % and 50 % intervals (eti 0.90 and 0.50); symbols: medians. "
        "Contraction: 1-Var(posterior)/Var(prior), of logarithms on logarithmic axes; near 1 the data speak, "
        "near 0 the row shows the prior and is no finding, below 0 the data widened it."
    )
    return _finished(pc, "Parameters: prior against posterior", note, forecast)


def _on_axis(values: xr.DataArray) -> Any:
    return np.log(values) if QUANTITIES[str(values.name)][1] == "log" else values


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _quantities(draws: xr.Dataset, labels: Mapping[str, str]) -> xr.Dataset:
    """Return what ``QUANTITIES`` names, each with one dimension of readable labels."""
    lowered = [f"{f}{' (downwards)' if LOADING_SIGNS[f] < 0 else ''}" for f in LOADED_FAMILIES]
    loading = abs(draws["loading"].sel(family=list(LOADED_FAMILIES))).rename(family="loaded")
    shares = {f"class: {short(labels[s], SHORT)}": draws["weight"].sel(scenario=s, drop=True) for s in SCENARIOS}
    shares |= {"fines appealed": draws["appeal_probability"], "decisions that close": draws["closing_probability"]}
    ends = [SCENARIOS[0], SCENARIOS[-1]]
    severity = draws["severity"].sel(scenario=ends).rename(scenario="class")
    sizes = {
        "of the ceiling": expit(draws["size_mean"]),
        "of turnover, no ceiling": np.exp(draws["bare_size"].sel(moment="mean", drop=True)),
    }
    return xr.Dataset(
        {
            "hazard": np.exp(draws["log_rate"]),
            "severity": severity.assign_coords({"class": [short(labels[s], SHORT) for s in ends]}),
            "loading": loading.assign_coords(loaded=lowered),
            "probability": _stacked(shares, "share"),
            "shape": _stacked({"frailty": draws["shape"]}, "spread"),
            "size": _stacked(sizes, "fine"),
        }
    )


def _stacked(parts: dict[str, xr.DataArray], dim: str) -> xr.DataArray:
    return xr.concat(list(parts.values()), dim=pd.Index(list(parts), name=dim))


@styled
def predictive(forecast: Forecast) -> PlotCollection:
    """Draw what the model would have seen in the months at risk beside what came: counts of events, sizes of fines."""
    require_fit(forecast, "predictive")
    from arviz_plots.visuals import scatter_x  # noqa: PLC0415  (ArviZ costs seconds to import)

    groups = [forecast.tree[k].to_dataset() for k in ("observed_data", "prior_predictive", "posterior_predictive")]
    real, *both = (x if x["fine_share"].size else x.drop_vars("fine_share") for x in groups)
    replicas = dict(zip(("prior", "posterior"), both, strict=True))
    seen, models = _margins(real), {k: _margins(x) for k, x in replicas.items()}
    pc = _forest(models, 8.7, whole=("fines",))
    counts, y = seen.drop_vars("fines", errors="ignore"), pc.get_aes_as_dataset("y").mean("model")
    style: dict[str, Any] = {"marker": OBSERVED, "size": 130, "color": INK, "width": 2, "zorder": 3}
    pc.map(scatter_x, "observed", data=counts, coords=FOREST, ignore_aes=LOOKS, y=y, **style)
    _beside(pc, counts.astype(str), "observed")
    for name, title in (("families", "Events by family"), ("authorities", "Events by class of authority")):
        axes = pc.get_target(name, FOREST)
        most = 1.2 * max(
            float(counts[name].max()), *(float(x[name].quantile(0.95, DRAWS).max()) for x in models.values())
        )
        axes.set_title(f"{title}: number in the months at risk", fontsize=8)
        axes.set_xscale("asinh", linear_width=3)
        axes.set_xticks(ticks := [n for n in COUNTS if n <= most], [str(n) for n in ticks])
        axes.minorticks_off()
        axes.set_xlim(-0.4, most)
    if "fines" in seen:
        _fines(pc, seen, models)
    rows, cells = _inside(counts, models["posterior"]), _inside(real, replicas["posterior"])
    note = (
        "Thin and thick lines, pale and dark bands: equal-tailed 90 % and 50 % intervals of replicates (eti 0.90 "
        "and 0.50); of the prior's fines, 90 %. Every matter's scenario and frailty is drawn anew. Wrong would be "
        "black marks beyond the thin blue lines, or a black line that leaves the blue bands. Inside the "
        f"posterior's 90 %: {rows['families']} families, {rows['authorities']} classes, {cells['events']} cells of "
        "family by class (more than 90 % is usual for small whole numbers); "
        f"{cells.get('fine_share', 'no')} fines, each in its own interval."
    )
    return _finished(pc, "Replicates of the record, and the record", note, forecast)


def _margins(data: xr.Dataset) -> xr.Dataset:
    """Return counts by family and by class of authority, and, if there are any, decimal logarithms of fines."""
    events = by_class_and_family(data)
    by_class = events.sum("family").rename(authority_class="authority")
    names = [re.sub("d[ms]a$", lambda m: m[0].upper(), name).replace("_", " ") for name in by_class["authority"].values]
    counts = {"families": events.sum("authority_class"), "authorities": by_class.assign_coords(authority=names)}
    return xr.Dataset({**counts, "fines": np.log10(data["fine_share"])} if "fine_share" in data else counts)


def _inside(seen: xr.Dataset, replicated: xr.Dataset) -> dict[str, str]:
    """Return how many of the observed values lie inside the 90 % interval of their replicates: ``9 of 11``."""
    low, high = (replicated.quantile(q, DRAWS) for q in (0.05, 0.95))
    within = (low <= seen) & (seen <= high)
    return {str(name): f"{int(values.sum())} of {values.size}" for name, values in within.items()}


def _fines(pc: PlotCollection, seen: xr.Dataset, models: dict[str, xr.Dataset]) -> None:
    """Draw the distribution of fines: bands of the replicated ones, and through ArviZ the observed."""
    from arviz_plots import plot_ppc_dist  # noqa: PLC0415

    axes, own = pc.get_target("fines", FOREST), models["posterior"][["fines"]]
    grid = np.linspace(min(float(own["fines"].quantile(0.002)), float(seen["fines"].min()) - 0.1), 0, 400)
    for model, colour, masses in (("prior", PRIOR, (0.9,)), ("posterior", POSTERIOR, (0.9, 0.5))):
        draws = models[model]["fines"].stack(sample=DRAWS).transpose("sample", "size").values
        below = np.stack([np.searchsorted(np.sort(one), grid, side="right") for one in draws]) / draws.shape[1]
        for mass in masses:
            low, high = np.quantile(below, [(1 - mass) / 2, (1 + mass) / 2], axis=0)
            axes.fill_between(grid, low, high, color=colour, alpha=0.28, linewidth=0)
    pc.coords = FOREST
    plot_ppc_dist(
        xr.DataTree.from_dict({"posterior_predictive": own, "observed_data": seen[["fines"]]}),
        kind="ecdf",
        plot_collection=pc,
        aes_by_visuals={"observed_dist": []},
        visuals={"predictive_dist": False, "observed_dist": {"color": INK, "width": 1.4}},
    )
    pc.coords = None
    axes.set_title("Fines of the reference class: share of fines below each size", fontsize=8)
    axes.set(xlim=(grid[0], 0), ylim=(0, 1.01), xlabel="share of the statutory ceiling (log scale)")
    axes.xaxis.set_major_formatter(lambda value, _: f"{10**value:g}")


def _forest(models: dict[str, xr.Dataset], height: float, whole: tuple[str, ...] = ()) -> PlotCollection:
    """Return a forest of 90 and 50 % intervals by model: a row of plots for each variable, texts go into the right one.

    Variables named in ``whole`` get their plots, but no intervals.
    """
    from arviz_plots import plot_forest  # noqa: PLC0415

    prior = models["prior"]
    dims = {k: next(d for d in x.dims if d not in DRAWS) for k, x in prior.items() if k not in whole}
    rows = {k: -xr.DataArray(range(prior.sizes[d]), coords={d: prior[d]}) for k, d in dims.items()}
    pc = _grid(models, height, [prior.sizes[dims[k]] + 1.0 if k in dims else 12.0 for k in prior])
    shift = xr.DataArray([0.18, -0.18], coords={"model": list(models)})
    pc.update_aes_from_dataset("y", xr.Dataset(rows) + shift)
    plot_forest(
        {k: xr.DataTree.from_dict({"posterior": x[list(rows)]}) for k, x in models.items()},
        combined=True,
        point_estimate="median",
        ci_kind="eti",
        ci_probs=(0.5, 0.9),
        labels=[],
        plot_collection=pc,
        aes_by_visuals={"credible_interval": ["y", "color"], "point_estimate": ["y", *LOOKS]},
        visuals={
            "ticklabels": False,
            "remove_axis": False,
            "twig": {"width": 0.9, "solid_capstyle": "butt"},
            "trunk": {"width": 2.6, "solid_capstyle": "butt"},
            "point_estimate": {"size": 15},
        },
    )
    for name, y in rows.items():
        axes = pc.get_target(name, FOREST)
        axes.set_yticks(y.values, y[dims[name]].values, fontsize=7.5)
        axes.set_ylim(-len(y) + 0.4, 0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    return pc


def _grid(models: dict[str, xr.Dataset], height: float, heights: list[float]) -> PlotCollection:
    from arviz_plots.plot_collection import PlotCollection  # noqa: PLC0415

    return PlotCollection.grid(
        {k: x.expand_dims(column=["forest", "text"]) for k, x in models.items()},
        rows=["__variable__"],
        cols=["column"],
        backend="matplotlib",
        aes={look: ["model"] for look in LOOKS},
        color=[PRIOR, POSTERIOR],
        facecolor=["white", POSTERIOR],
        marker=[PRIOR_MARKER, POSTERIOR_MARKER],
        figure_kwargs={
            "figsize": (WIDTH, height),
            "width_ratios": [6, 1],
            "height_ratios": heights,
            "sharey": "row",
            "FigureClass": Page,
        },
    )


def _beside(pc: PlotCollection, texts: xr.Dataset, header: str) -> None:
    """Write one text beside each row of a forest."""
    from arviz_plots.visuals import annotate_xy  # noqa: PLC0415

    y, where = pc.get_aes_as_dataset("y").mean("model"), {"column": "text"}
    pc.map(annotate_xy, "text", data=texts, coords=where, ignore_aes=LOOKS, x=0.5, y=y, text=str, size=7.5)
    for axes in pc.viz["plot"].to_dataset().sel(where).data_vars.values():
        axes.item().set(xlim=(0, 1))
        axes.item().set_axis_off()
    pc.get_target(next(iter(texts)), where).set_title(header, loc="center", fontsize=7.5)


def _finished(pc: PlotCollection, title: str, note: str, forecast: Forecast) -> PlotCollection:
    """Add legend, title and caption, and take the figure out of pyplot's hands: it is shown once, as what it is."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure = pc.get_viz("figure")
    handles = [
        Line2D([], [], color=PRIOR, marker=PRIOR_MARKER, markerfacecolor="white", markersize=4, label="prior"),
        Line2D([], [], color=POSTERIOR, marker=POSTERIOR_MARKER, markersize=4, label="posterior"),
        Line2D([], [], color=INK, marker=OBSERVED, markersize=10, markeredgewidth=2, linestyle="", label="observed"),
    ]
    figure.legend(handles=handles[: 3 if "observed" in pc.viz.children else 2], loc="outside upper right", ncols=3)
    finish(figure, title, note, forecast.manifest)
    plt.close(figure)
    FigureCanvasAgg(figure)
    return pc
