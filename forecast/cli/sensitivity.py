"""The command that says what a forecast rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import FolderArgument, OverwriteOption, app
from forecast.terminal.look import console


@app.command()
def sensitivity(
    folder: FolderArgument,
    quick: Annotated[
        bool, typer.Option("--quick", help="Change one reading at a time only, and fit nothing anew for a matter.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside DIR, DIR-sensitivity).")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Say what a saved forecast rests on: priors and data, single matters, and how the brief is read."""
    from forecast import forecasting, plots, sensitivity  # noqa: PLC0415
    from forecast.folders import require_place  # noqa: PLC0415
    from forecast.terminal.sensitivity import sensitivity_screen  # noqa: PLC0415

    beside = folder if folder.name not in ("", "..") else folder.resolve()
    target = out or beside.with_name(f"{beside.name}-sensitivity")
    saved = forecasting.load(folder)
    require_place(target, "sensitivity", saved.manifest, overwrite=overwrite)
    result = sensitivity.probe(saved, quick=quick)
    plots.save_sensitivity(result, target, overwrite=overwrite)
    console().print(sensitivity_screen(result))
    console().print(f"Written to {escape(str(target))}", soft_wrap=True)
