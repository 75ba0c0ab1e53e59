"""Commands that confront a forecast with new evidence, real or imagined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.shell import FolderArgument, app, finish
from forecast.terminal.look import console


@app.command()
def update(
    folder: FolderArgument,
    events: Annotated[Path | None, typer.Option(help="CSV or Parquet file of new events.")] = None,
    proceedings: Annotated[Path | None, typer.Option(help="New proceedings, or known ones with closed_on.")] = None,
    origin: Annotated[str | None, typer.Option(help="New origin (default: the last new publication).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside DIR, by origin).")] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Fit anew whatever the certificate says.")] = False,
    late: Annotated[bool, typer.Option("--late", help="Admit events that were public by the old origin.")] = False,
) -> None:
    """Add new evidence to a saved forecast: reweight its draws where that is certified, else fit anew."""
    from forecast import forecasting, updating  # noqa: PLC0415
    from forecast.terminal.evidence import update_line  # noqa: PLC0415

    progress = console(stderr=True)
    given = {name: path for name, path in (("events", events), ("proceedings", proceedings)) if path}
    old = forecasting.load(folder)
    result = updating.update(
        old, given, origin, refit=refit, late=late, tell=lambda line: progress.print(line, style="dim")
    )
    beside = folder if folder.name not in ("", "..") else folder.resolve()
    finish(result, out or beside.with_name(result.manifest["origin"]))
    console().print(update_line(result.diagnostics), markup=False)
