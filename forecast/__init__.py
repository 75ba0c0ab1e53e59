"""Probabilistic forecasting of regulatory enforcement against online platforms.

    import forecast

    result = forecast.run()                       # packaged prior file and record
    print(result)                                 # views of the scenarios
    result.summary                                # targets by horizon and scenario
    forecast.save(result, "outputs/2026-02-03")
    result = forecast.load("outputs/2026-02-03")
    forecast.progress.show()                      # show progress in plain Python; notebooks do by themselves

Names are imported when they are first used: importing the package loads neither PyMC nor ArviZ.
"""

from importlib import import_module
from typing import Any

_PLACES = {
    "run": "forecasting",
    "save": "forecasting",
    "load": "forecasting",
    "Forecast": "forecasting",
    "update": "updating",
    "replay": "replaying",
    "Trajectory": "replaying",
    "calibrate": "calibration",
    "Calibration": "calibration",
    "design_of": "simulator",
    "draw_world": "simulator",
    "to_record": "simulator",
    "World": "simulator",
    "backtest": "backtesting",
    "Backtest": "backtesting",
    "whatif": "hypotheses",
    "WhatIf": "hypotheses",
    "watch": "hypotheses",
    "Watch": "hypotheses",
    "stress": "hypotheses",
    "Stress": "hypotheses",
    "probe": "sensitivity",
    "Sensitivity": "sensitivity",
    "narrowed": "sensitivity",
    "explain": "attribution",
    "Explanation": "attribution",
    "prior_forecast": "prior_check",
    "PriorForecast": "prior_check",
    "Settings": "inference",
    "NotConvergedError": "inference",
    "load_record": "record",
    "save_record": "record",
    "append": "additions",
    "coverage": "unseen",
    "Record": "record",
    "load_specification": "specification",
    "dump_specification": "specification",
    "Specification": "specification",
    "InputError": "files",
    "passport": "passports",
    "save_trajectory": "plots",
    "save_explanation": "plots",
    "save_watch": "plots",
    "save_sensitivity": "plots",
    "save_backtest": "plots",
    "save_calibration": "plots",
    "issue": "ledger",
    "resolve": "ledger",
    "Resolution": "ledger",
    "score_ledger": "ledger",
    "save_scores": "plots",
    "LedgerScores": "ledger",
    "open_ledger": "ledger",
    "Ledger": "ledger",
    "export": "exports",
    "read_export": "exports",
}

_MODULES = ("plots", "exports", "progress")

__all__ = sorted([*_PLACES, *_MODULES, "__version__"])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"forecast.{name}")
    if name in _PLACES:
        return getattr(import_module(f"forecast.{_PLACES[name]}"), name)
    if name == "__version__":
        return import_module("forecast.version").package_version()
    raise AttributeError(f"module 'forecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
