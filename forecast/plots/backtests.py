"""The folder of a backtest: every forecast, every score, and the figures."""

from __future__ import annotations

from pathlib import Path

from forecast.backtesting import Backtest
from forecast.folders import save_result
from forecast.plots import look
from forecast.plots.reliability import counts, pit, reliability, skill
from forecast.record import save_record
from forecast.specification import dump_specification

KIND = "backtest"
"""Kind of the folder, as ``about.json`` names it."""
FIGURES = {"reliability": reliability, "counts": counts, "pit": pit, "skill": skill}


def save_backtest(result: Backtest, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write ``backtest.csv``, the tables of scores, ``quantiles.nc``, and the figures.

    With them go ``priors.yaml`` and ``record/`` as they were used. Raises ``InputError`` for a folder of anything else
    and one that cannot be written.
    """
    drawn = {name: draw(result) for name, draw in FIGURES.items()}

    def rest(scratch: Path) -> None:
        result.quantiles.to_netcdf(scratch / "quantiles.nc", engine="netcdf4")
        for name, picture in drawn.items():
            look.save_both(picture, scratch / name)
        (scratch / "priors.yaml").write_text(dump_specification(result.specification), encoding="utf-8")
        save_record(result.record, scratch / "record")

    tables = {
        "backtest": result.forecasts,
        "scores": result.scores,
        "groups": result.groups,
        "law": result.law,
        "counts": result.counts,
        "reliability": result.reliability,
        "pit": result.pit,
        "diagnostics": result.diagnostics,
    }
    save_result(folder, KIND, tables, result.manifest, rest, overwrite=overwrite)
