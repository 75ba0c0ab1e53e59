"""Forests of intervals, prior beside posterior, through ArviZ; what the figures of parameters and replicates share."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from forecast.forecasting import Forecast
from forecast.plots.look import INK, POSTERIOR, POSTERIOR_MARKER, PRIOR, PRIOR_MARKER, WIDTH, Picture, finish

if TYPE_CHECKING:
    from arviz_plots.plot_collection import PlotCollection

OBSERVED = "|"
DRAWS, FOREST, LOOKS = ("chain", "draw"), {"column": "forest"}, ("color", "facecolor", "marker")


class Page(Picture):
    """A picture that ArviZ's collections show in notebooks: they ask their figure for HTML."""

    def _repr_html_(self) -> str:
        picture, size = self._repr_png_()
        code = base64.b64encode(picture).decode()
        return f'<img src="data:image/png;base64,{code}" width="{size["width"]}">'


def forest(
    models: dict[str, xr.Dataset], height: float, whole: tuple[str, ...] = (), ratio: float = 6
) -> PlotCollection:
    """Return a forest of 90 and 50 % intervals by model: a row of plots for each variable, texts go into the right one.

    Variables named in ``whole`` get their plots, but no intervals. ``ratio``: width of the plots to that of the texts.
    """
    from arviz_plots import plot_forest  # noqa: PLC0415

    prior = models["prior"]
    dims = {k: next(d for d in x.dims if d not in DRAWS) for k, x in prior.items() if k not in whole}
    rows = {k: -xr.DataArray(range(prior.sizes[d]), coords={d: prior[d]}) for k, d in dims.items()}
    pc = _grid(models, height, ratio, [prior.sizes[dims[k]] + 1.0 if k in dims else 12.0 for k in prior])
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


def log_axis(axes: Any, steps: tuple[int, ...] = (1, 3)) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at ``steps`` times powers of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.9f}".rstrip("0").rstrip("."))
    axes.xaxis.set_minor_locator(NullLocator())


def _grid(models: dict[str, xr.Dataset], height: float, ratio: float, heights: list[float]) -> PlotCollection:
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
            "width_ratios": [ratio, 1],
            "height_ratios": heights,
            "sharey": "row",
            "FigureClass": Page,
        },
    )


def beside(pc: PlotCollection, texts: xr.Dataset, header: str) -> None:
    """Write one text beside each row of a forest."""
    from arviz_plots.visuals import annotate_xy  # noqa: PLC0415

    y, where = pc.get_aes_as_dataset("y").mean("model"), {"column": "text"}
    pc.map(annotate_xy, "text", data=texts, coords=where, ignore_aes=LOOKS, x=0.5, y=y, text=str, size=7.5)
    for axes in pc.viz["plot"].to_dataset().sel(where).data_vars.values():
        axes.item().set(xlim=(0, 1))
        axes.item().set_axis_off()
    pc.get_target(next(iter(texts)), where).set_title(header, loc="center", fontsize=7.5)


def finished(pc: PlotCollection, title: str, note: str, forecast: Forecast) -> PlotCollection:
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
