"""The command that asks whether the model finds the truth in worlds of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import NOT_CALIBRATED, NOT_CONVERGED, PriorsOption, RecordOption, SeedOption, app, whole_option
from forecast.terminal.look import console


@app.command()
def calibrate(
    priors: PriorsOption = None,
    record: RecordOption = None,
    worlds: Annotated[int | None, whole_option("worlds", 2, 10_000, "Worlds (default: 100)")] = None,
    full: Annotated[bool, typer.Option("--full", help="1000 worlds; those that are there already count.")] = False,
    out: Annotated[Path, typer.Option(help="Folder to write, and to go on in.")] = Path("outputs/calibration"),
    anew: Annotated[bool, typer.Option("--anew", help="Throw away the worlds that are there.")] = False,
    seed: SeedOption = None,
) -> None:
    """Draw worlds from the prior file, fit each, test that their truths rank uniformly: exit 3 if not, 2 if unfit."""
    from forecast import calibration  # noqa: PLC0415
    from forecast.calibration.running import FULL, WORLDS  # noqa: PLC0415
    from forecast.inference import Settings  # noqa: PLC0415
    from forecast.plots.calibration import save_calibration  # noqa: PLC0415
    from forecast.terminal.calibration import calibration_screen  # noqa: PLC0415

    many = worlds if worlds is not None else FULL if full else WORLDS
    start = Settings.seed if seed is None else seed
    result = calibration.calibrate(priors, record, worlds=many, seed=start, folder=out, anew=anew)
    save_calibration(result, out)
    console().print(calibration_screen(result))
    console().print(f"Written to {escape(str(out))}", soft_wrap=True)
    if not result.calibrated:
        raise typer.Exit(NOT_CALIBRATED)
    if not result.converged:
        raise typer.Exit(NOT_CONVERGED)
