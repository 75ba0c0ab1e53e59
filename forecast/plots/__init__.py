"""Figures of a forecast: each function takes a saved or fresh forecast and returns a figure.

    result = forecast.load("outputs/2026-02-03")
    forecast.plots.scenarios(result)              # a notebook shows it
    forecast.plots.save(result, "figures")        # all of them, as PNG and SVG

Figures that ArviZ has are its ``PlotCollection``; all others are Matplotlib figures. Those of other results than a
forecast are imported when they are first used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from forecast.files import InputError, Problem, did_you_mean, whole_file
from forecast.forecasting import Forecast
from forecast.plots.answers import exceedance, scenarios, targets
from forecast.plots.brief import priors, resolution
from forecast.plots.courses import events, watchlist
from forecast.plots.law import law, powers
from forecast.plots.look import FORMATS, save_as
from forecast.plots.model import parameters, predictive
from forecast.plots.weights import weight_of_evidence
from forecast.progress import working

PLOTS: dict[str, Callable[[Forecast], Any]] = {
    "scenarios": scenarios,
    "weight_of_evidence": weight_of_evidence,
    "targets": targets,
    "exceedance": exceedance,
    "events": events,
    "watchlist": watchlist,
    "priors": priors,
    "parameters": parameters,
    "law": law,
    "powers": powers,
    "predictive": predictive,
    "resolution": resolution,
}
"""Every figure by name, in the order in which they tell the story."""

FIRST = ("scenarios", "weight_of_evidence", "targets", "exceedance", "events")
"""What ``forecast run`` saves beside its tables."""

_PLACES = {
    "counts": "reliability",
    "coverage": "calibration",
    "drivers": "multiverse",
    "learning": "calibration",
    "multiverse": "multiverse",
    "pit": "reliability",
    "ranks": "calibration",
    "reliability": "reliability",
    "save_backtest": "backtests",
    "save_calibration": "calibration",
    "save_explanation": "results",
    "save_scores": "track_record",
    "save_sensitivity": "multiverse",
    "save_trajectory": "results",
    "save_watch": "results",
    "signposts": "signposts",
    "skill": "reliability",
    "track_record": "track_record",
    "trajectory": "trajectory",
    "waterfall": "waterfall",
}
"""Figures and folders of other results, and their modules, which import what made the results."""

__all__ = sorted(["FIRST", "PLOTS", "save", *_PLACES, *PLOTS])  # noqa: PLE0605


class _Package(ModuleType):
    """This package, in which a figure keeps its name although its module, once imported, is bound under the same."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


@working("Drawing figures")
def save(
    forecast: Forecast, folder: Path | str, only: Iterable[str] = PLOTS, formats: Iterable[str] = FORMATS
) -> list[Path]:
    """Draw the named figures and write each into ``folder`` in every format (``png``, ``svg``); return the files.

    Raises ``InputError`` for a name that is no figure and a folder that cannot be written; each file is written whole
    or not at all, and the same forecast gives the same bytes.
    """
    names, folder = check(only), Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [path for name in names for path in _write(PLOTS[name](forecast), folder / name, formats)]
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


def _write(drawn: Any, stem: Path, formats: Iterable[str]) -> list[Path]:
    """Write one figure in each format, each file whole or not at all; return the files."""
    paths = [stem.with_suffix(f".{form}") for form in formats]
    picture = drawn.viz["figure"].item() if hasattr(drawn, "viz") else drawn
    for path in paths:
        with whole_file(path) as scratch:
            save_as(picture, scratch, path.suffix[1:])
    return paths
