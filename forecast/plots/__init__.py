"""Figures of a forecast: each function takes a saved or fresh forecast and returns a figure.

    result = forecast.load("outputs/2026-02-03")
    forecast.plots.scenarios(result)              # a notebook shows it
    forecast.plots.save(result, "figures")        # all of them, as PNG and SVG

Figures that ArviZ has are its ``PlotCollection``; all others are Matplotlib figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from forecast.files import InputError, Problem, did_you_mean, whole_file
from forecast.forecasting import Forecast
from forecast.plots.answers import events, exceedance, scenarios, targets, watchlist
from forecast.plots.backtests import save_backtest
from forecast.plots.brief import priors, resolution
from forecast.plots.calibration import coverage, learning, ranks, save_calibration
from forecast.plots.look import save_as
from forecast.plots.model import parameters, predictive
from forecast.plots.multiverse import drivers, multiverse, save_sensitivity
from forecast.plots.reliability import counts, pit, reliability, skill
from forecast.plots.results import save_explanation, save_trajectory, save_watch
from forecast.plots.signposts import signposts
from forecast.plots.track_record import save_scores, track_record
from forecast.plots.trajectory import trajectory
from forecast.plots.waterfall import waterfall

PLOTS: dict[str, Callable[[Forecast], Any]] = {
    "scenarios": scenarios,
    "targets": targets,
    "exceedance": exceedance,
    "events": events,
    "watchlist": watchlist,
    "priors": priors,
    "parameters": parameters,
    "predictive": predictive,
    "resolution": resolution,
}
"""Every figure by name, in the order in which they tell the story."""

FIRST = ("scenarios", "targets", "exceedance", "events")
"""What ``forecast run`` saves beside its tables."""

__all__ = [  # noqa: PLE0604
    "FIRST",
    "PLOTS",
    "counts",
    "coverage",
    "drivers",
    "learning",
    "multiverse",
    "pit",
    "ranks",
    "reliability",
    "save",
    "save_backtest",
    "save_calibration",
    "save_explanation",
    "save_scores",
    "save_sensitivity",
    "save_trajectory",
    "save_watch",
    "signposts",
    "skill",
    "track_record",
    "trajectory",
    "waterfall",
    *PLOTS,
]


def save(forecast: Forecast, folder: Path | str, only: Iterable[str] = PLOTS) -> list[Path]:
    """Draw the named figures and write each as PNG and SVG into ``folder``; return the files.

    Raises ``InputError`` for a name that is no figure and a folder that cannot be written; each file is written whole
    or not at all, and the same forecast gives the same bytes.
    """
    names, folder = check(only), Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [path for name in names for path in _write(PLOTS[name](forecast), folder / name)]
    except OSError as error:
        raise InputError(Problem(str(folder), f"cannot be written: {error.strerror}")) from error


def check(names: Iterable[str]) -> list[str]:
    """Return the names, or raise ``InputError`` for those that are no figure."""
    names, choices = list(names), ", ".join(PLOTS)
    unknown = [n for n in names if n not in PLOTS]
    if unknown:
        raise InputError(
            Problem(repr(n), f"is no figure{did_you_mean(n, PLOTS)}; expected one of {choices}") for n in unknown
        )
    return names


def _write(drawn: Any, stem: Path) -> list[Path]:
    """Write one figure as PNG and SVG beside each other, each whole or not at all; return the files."""
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    picture = drawn.viz["figure"].item() if hasattr(drawn, "viz") else drawn
    for path in paths:
        with whole_file(path) as scratch:
            save_as(picture, scratch, path.suffix[1:])
    return paths
