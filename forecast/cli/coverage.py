"""The command that says where a record needs a look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import RecordOption, app
from forecast.terminal.look import console

SHOWN = 20
"""Proceedings that are printed unless all are asked for."""


@app.command()
def coverage(
    record: RecordOption = None,
    priors: Annotated[
        Path | None,
        typer.Option("--priors", help="Prior file, or the name of a packaged one: its matter counts twice."),
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help=f"Print every open proceeding, not {SHOWN}.")] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file for all rows and columns.")] = None,
) -> None:
    """Say of each open proceeding when it was last looked at, and which need a look next, most valuable first."""
    from forecast.record import load_record  # noqa: PLC0415
    from forecast.terminal.coverage import coverage_screen  # noqa: PLC0415
    from forecast.unseen import coverage as covered  # noqa: PLC0415

    known = load_record(record)
    table = covered(known, priors)
    if out:
        from forecast.exports import write_table  # noqa: PLC0415

        write_table(table, out)
    console().print(coverage_screen(table, known.complete_until, None if whole else SHOWN))
    if out:
        console().print(f"Written to {escape(str(out))}", soft_wrap=True)
