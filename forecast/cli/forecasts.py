"""Commands that make, check and show forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import (
    AssumeSilenceOption,
    ChainsOption,
    DrawsOption,
    FolderArgument,
    FullOption,
    OverwriteOption,
    PriorsOption,
    RecordOption,
    SeedOption,
    TuneOption,
    app,
    finish,
    sampling,
)
from forecast.files import InputError, Problem
from forecast.terminal.look import console


@app.command()
def run(
    priors: PriorsOption = None,
    record: RecordOption = None,
    origin: Annotated[
        str | None, typer.Option(help="Origin date, YYYY-MM-DD: what was public by its end counts.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: outputs/<matter>/<origin>).")] = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    seed: SeedOption = None,
    assume_silence: AssumeSilenceOption = False,
    overwrite: OverwriteOption = False,
    full: FullOption = False,
) -> None:
    """Fit the model and forecast the matter; print the tables and write a complete folder with the first figures."""
    from forecast.folders import refuse_foreign  # noqa: PLC0415
    from forecast.places import default_folder  # noqa: PLC0415
    from forecast.requests import read_request  # noqa: PLC0415
    from forecast.silence import require_past  # noqa: PLC0415

    request = read_request(priors, record, origin, assume_silence=assume_silence)
    require_past(request.origin, "origin")
    folder = out or default_folder(request.specification.matter, str(request.origin))
    refuse_foreign(folder, request.identity, overwrite=overwrite)
    from forecast import forecasting  # noqa: PLC0415

    settings = sampling(draws, tune, chains, seed)
    result = forecasting.run(*request, settings, assume_silence=assume_silence)
    finish(result, folder, overwrite=overwrite, full=full)


@app.command()
def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Prior files, folders of a record, single tables of one, or folders of a forecast."),
    ],
    record: RecordOption = None,
    full: Annotated[
        bool, typer.Option("--full", help="Name all rows of a log that enter no likelihood of hazards.")
    ] = False,
) -> None:
    """Check prior files, records, single tables and forecasts; name every mistake with its place.

    Of a prior file also, by simulating it alone: whether each scenario resolves as itself. That needs the record that
    knows its matter: --record, else the first record among the paths, else the packaged one. Of a record, and of the
    matter of a prior file, which rows of the log enter no likelihood of hazards, and why.
    """
    from forecast.cli.checking import checked, record_among  # noqa: PLC0415

    terminal = console()
    problems: list[Problem] = []
    for path in paths:
        try:
            first, *more = checked(path, record or record_among(paths), full=full)
        except InputError as error:
            problems += error.problems
            continue
        terminal.print(f"{escape(str(path))}: ok, {escape(first)}", soft_wrap=True)
        for line in more:
            terminal.print(f"  {escape(line)}", soft_wrap=True)
    if problems:
        raise InputError(dict.fromkeys(problems))


@app.command()
def priors(
    file: Annotated[Path | None, typer.Argument(help="Prior file (default: the packaged one on X).")] = None,
    record: RecordOption = None,
    warned: Annotated[bool, typer.Option("--warned", help="Only priors with which the record disagrees.")] = False,
) -> None:
    """Show each prior beside what the brief says and where it lies in the record."""
    from forecast.passports import passport  # noqa: PLC0415
    from forecast.record import load_record  # noqa: PLC0415
    from forecast.specification import load_specification  # noqa: PLC0415
    from forecast.terminal.forecasts import passport_table  # noqa: PLC0415

    spec = load_specification(file)
    table = passport(spec, load_record(record))
    disagreeing = table["warning"] != ""
    terminal = console()
    terminal.print(str(spec), markup=False)
    terminal.print(passport_table(table.loc[disagreeing] if warned else table))
    terminal.print(f"{int(disagreeing.sum())} of {len(table)} priors disagree with the record.")


@app.command()
def show(folder: FolderArgument, full: FullOption = False) -> None:
    """Print the tables of a saved forecast."""
    from forecast.folders import open_folder  # noqa: PLC0415
    from forecast.terminal.forecasts import screen  # noqa: PLC0415

    saved = open_folder(folder)
    console().print(screen(saved.tables, saved.manifest, saved.diagnostics, saved.proceedings, full=full))


@app.command()
def plot(
    folder: FolderArgument,
    only: Annotated[list[str] | None, typer.Option(help="Draw this figure alone (may be repeated).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures (default: DIR/figures).")] = None,
) -> None:
    """Draw the figures of a saved forecast, as PNG and SVG."""
    from forecast import forecasting, plots  # noqa: PLC0415
    from forecast.folders import FIGURES  # noqa: PLC0415

    names = plots.check(only or plots.PLOTS)
    for path in plots.save(forecasting.load(folder), out or folder / FIGURES, names):
        console().print(escape(str(path)), soft_wrap=True)


@app.command()
def export(
    folder: FolderArgument,
    form: Annotated[str, typer.Option("--format", help="csv, parquet, json, xlsx, netcdf, latex or markdown.")],
    out: Annotated[Path | None, typer.Option(help="File or folder to write (default: beside DIR, by format).")] = None,
) -> None:
    """Write the summaries, draws and event probabilities of a saved forecast in another format."""
    from forecast import exports, forecasting  # noqa: PLC0415

    target = out or exports.default_path(folder, form)
    console().print(escape(str(exports.export(forecasting.load(folder), form, target))), soft_wrap=True)
