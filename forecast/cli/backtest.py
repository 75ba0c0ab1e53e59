"""The command that scores the forecasts of past dates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import (
    ChainsOption,
    DrawsOption,
    OverwriteOption,
    PriorsOption,
    RecordOption,
    SeedOption,
    TuneOption,
    app,
    sampling,
)
from forecast.files import InputError, Problem
from forecast.terminal.look import console


@app.command()
def backtest(
    start: Annotated[str, typer.Option("--from", help="First origin, YYYY-MM-DD.")] = "2024-08-03",
    end: Annotated[
        str | None, typer.Option("--to", help="Last day of the record that counts (default: its last).")
    ] = None,
    every: Annotated[str, typer.Option(help="Step between origins: <n>D, <n>W or <n>M.")] = "3M",
    windows: Annotated[str, typer.Option(help="Windows, months, with commas between them.")] = "3,6,9",
    priors: PriorsOption = None,
    record: RecordOption = None,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("outputs/backtest"),
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786: a task an origin.")
    ] = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    seed: SeedOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Forecast every open proceeding at past dates from what was public then, and score it against plain baselines."""
    from forecast import backtesting, plots  # noqa: PLC0415
    from forecast.backtesting.asking import last_day  # noqa: PLC0415
    from forecast.folders import require_place  # noqa: PLC0415
    from forecast.record import as_day, load_record  # noqa: PLC0415
    from forecast.requests import Request  # noqa: PLC0415
    from forecast.specification import load_specification  # noqa: PLC0415
    from forecast.terminal.scores import backtest_screen  # noqa: PLC0415

    spec, whole = load_specification(priors), load_record(record)
    final = last_day(whole) if end is None else as_day(end)
    require_place(out, "backtest", Request(spec, whole, final).identity, overwrite=overwrite)
    result = backtesting.backtest(
        spec,
        whole,
        start=start,
        end=end,
        every=every,
        windows=_months(windows),
        settings=sampling(draws, tune, chains, seed),
        scheduler=scheduler,
    )
    plots.save_backtest(result, out, overwrite=overwrite)
    console().print(backtest_screen(result))
    console().print(f"Written to {escape(str(out))}", soft_wrap=True)


def _months(text: str) -> list[int]:
    """Return the windows of ``--windows``, or raise ``InputError``."""
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if not part.isascii() or not part.isdigit()]
    if wrong:
        expected = "expected whole months with commas between them, such as 3,6,9"
        raise InputError(Problem("--windows", f"{part!r} is no number of months; {expected}") for part in wrong)
    return [int(part) for part in parts]
