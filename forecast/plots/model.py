"""Figures for whoever doubts the model: its parameters, and what it replicates."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit

from forecast.forecasting import Forecast
from forecast.inference import gather
from forecast.plots.forests import DRAWS, FOREST, LOOKS, OBSERVED, beside, finished, forest, log_axis
from forecast.plots.look import INK, POSTERIOR, PRIOR, require_fit, styled
from forecast.replication import by_class_and_family
from forecast.trees import prior_parameters, stored_correction
from forecast.updating import settings_of

if TYPE_CHECKING:
    from arviz_plots.plot_collection import PlotCollection

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
QUANTITIES = {
    "rate": ("Rates: events a month and proceeding", "log"),
    "age": ("Age: power of a proceeding's age in its rates", "linear"),
    "trend": ("Trend: factor on all rates, a year", "log"),
    "probability": ("Probabilities", "linear"),
    "size": ("Fine of the reference class: median share", "log"),
}
"""The parameters of this figure: title with unit, and scale of the axis; rules and powers have their own."""
TREND_TICKS = (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4)


@styled
def parameters(forecast: Forecast) -> PlotCollection:
    """Draw rates, ages, trend, shares and sizes before and after the data, with the contraction of each."""
    require_fit(forecast, "parameters")
    time = forecast.specification.regime.time
    models = {name: _quantities(draws) for name, draws in before_and_after(forecast).items()}
    pc = forest(models, 9.8)
    logs = {name for name, (_, scale) in QUANTITIES.items() if scale == "log"}
    beside(pc, contractions(models, logs), "contraction")
    for name, (title, scale) in QUANTITIES.items():
        axes = pc.get_target(name, FOREST)
        axes.set_title(title, fontsize=8)
        if scale == "log":
            log_axis(axes, (1,) if name == "rate" else (1, 3))
    trend = pc.get_target("trend", FOREST)
    trend.set_xticks(TREND_TICKS, [f"{tick:g}" for tick in TREND_TICKS])
    note = f"Rates are those of proceedings at {time.age_unit - time.age_offset:g} months, in the first stage, at an "
    note += f"average authority, on {time.reference}. {NOTE}"
    return finished(pc, "Parameters: prior against posterior", note, forecast)


NOTE = (
    "Thin and thick lines: equal-tailed 90 % and 50 % intervals (eti 0.90 and 0.50); symbols: medians. "
    "Contraction: 1-Var(posterior)/Var(prior), of logarithms on logarithmic axes; near 1 the data speak, "
    "near 0 the row shows the prior and is no finding, below 0 the data widened it."
)


def before_and_after(forecast: Forecast) -> dict[str, xr.Dataset]:
    """Return the draws of the parameters from the prior alone and from the posterior."""
    origin, spec = date.fromisoformat(forecast.manifest["origin"]), forecast.specification
    evidence = gather(spec, forecast.record, origin, correction=stored_correction(forecast.tree, spec))
    return {
        "prior": prior_parameters(evidence, settings_of(forecast)),
        "posterior": forecast.tree["posterior"].to_dataset(),
    }


def contractions(models: dict[str, xr.Dataset], logs: set[str]) -> xr.Dataset:
    """Return ``1 - Var(posterior) / Var(prior)`` of every row, as text; of logarithms of the variables in ``logs``."""

    def variance(draws: xr.Dataset) -> xr.Dataset:
        return draws.map(lambda x: np.log(x) if x.name in logs else x).var(DRAWS)

    prior, posterior = (variance(draws) for draws in models.values())
    return (1 - posterior / prior).map(lambda x: x.copy(data=np.vectorize(_signed)(x)))


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _quantities(draws: xr.Dataset) -> xr.Dataset:
    """Return what ``QUANTITIES`` names, each with one dimension of readable labels."""
    shares = {
        "a fine is appealed": draws["appeal_probability"],
        "a large fine is appealed": draws["appeal_probability_large"],
        "a decision closes": draws["closing_probability"],
    }
    sizes = {
        "of the ceiling": expit(draws["size_mean"]),
        "of turnover, no ceiling": np.exp(draws["bare_size"].sel(moment="mean", drop=True)),
    }
    draws = draws.assign_coords(family=[str(name).replace("_", " ") for name in draws["family"].values])
    return xr.Dataset(
        {
            "rate": np.exp(draws["rate"]),
            "age": draws["age"].rename(family="aging"),
            "trend": _stacked({"all families": draws["trend"].copy(data=np.exp(draws["trend"].values))}, "whole"),
            "probability": _stacked(shares, "share"),
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
    pc = forest(models, 8.7, whole=("fines",))
    counts, y = seen.drop_vars("fines", errors="ignore"), pc.get_aes_as_dataset("y").mean("model")
    style: dict[str, Any] = {"marker": OBSERVED, "size": 130, "color": INK, "width": 2, "zorder": 3}
    pc.map(scatter_x, "observed", data=counts, coords=FOREST, ignore_aes=LOOKS, y=y, **style)
    beside(pc, counts.astype(str), "observed")
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
        "and 0.50); of the prior's fines, 90 %. Wrong would be "
        "black marks beyond the thin blue lines, or a black line that leaves the blue bands. Inside the "
        f"posterior's 90 %: {rows['families']} families, {rows['authorities']} classes, {cells['events']} cells of "
        "family by class (more than 90 % is usual for small whole numbers); "
        f"{cells.get('fine_share', 'no')} fines, each in its own interval."
    )
    return finished(pc, "Replicates of the record, and the record", note, forecast)


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
