"""Commands that make, check and show forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import (
    ChainsOption,
    DrawsOption,
    FolderArgument,
    PriorsOption,
    RecordOption,
    SeedOption,
    TuneOption,
    app,
    finish,
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
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: outputs/<origin>).")] = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    seed: SeedOption = None,
) -> None:
    """Fit the model and forecast the matter; print the tables and write a complete folder with the first figures."""
    from forecast import forecasting  # noqa: PLC0415
    from forecast.inference import Settings  # noqa: PLC0415

    asked = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    settings = Settings(**{k: v for k, v in asked.items() if v is not None}, progress=False)
    result = forecasting.run(priors, record, origin, settings)
    finish(result, out or Path("outputs") / result.manifest["origin"])


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Prior files, folders of a record, or folders of a forecast.")],
) -> None:
    """Check prior files, records and forecasts; name every mistake with its place."""
    terminal = console()
    problems: list[Problem] = []
    for path in paths:
        try:
            terminal.print(f"{escape(str(path))}: ok, {escape(_checked(path))}", soft_wrap=True)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)


def _checked(path: Path) -> str:
    """Return what a valid path holds, in a line; raise ``InputError`` for an invalid one."""
    if (path / "manifest.json").is_file():
        from forecast.folders import check_folder  # noqa: PLC0415

        manifest = check_folder(path)
        _checked(path / "priors.yaml")
        _checked(path / "record")
        return f"forecast of {manifest['matter']} at {manifest['origin']}"
    if path.is_dir():
        from forecast.record import load_record  # noqa: PLC0415

        return str(load_record(path)).strip("<>")
    from forecast.specification import load_specification  # noqa: PLC0415

    spec = load_specification(path)
    return f"prior file on {spec.matter}, as of {spec.as_of}, fingerprint {spec.fingerprint[:12]}"


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
def show(folder: FolderArgument) -> None:
    """Print the tables of a saved forecast."""
    from forecast.folders import check_folder, read_json, read_tables  # noqa: PLC0415
    from forecast.terminal.forecasts import screen  # noqa: PLC0415

    manifest = check_folder(folder)
    console().print(screen(read_tables(folder), manifest, read_json(folder / "diagnostics.json")))


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
