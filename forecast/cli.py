"""The command line. Exit codes: 0, 1 for bad input, 2 where the sampler did not converge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.exceptions import TyperException

from forecast.files import InputError, Problem
from forecast.terminal import console

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Probabilistic forecasts of regulatory enforcement against online platforms.",
)

BAD_INPUT, NOT_CONVERGED, INTERRUPTED = 1, 2, 130
PriorsOption = Annotated[Path | None, typer.Option("--priors", help="Prior file (default: the packaged one on X).")]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Folder of the record (default: the packaged one).")
]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a forecast.")]


@app.command()
def run(
    priors: PriorsOption = None,
    record: RecordOption = None,
    origin: Annotated[
        str | None, typer.Option(help="Origin date, YYYY-MM-DD: what was public by its end counts.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: outputs/<origin>).")] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Draws per chain (default: 1200).")] = None,
    tune: Annotated[int | None, typer.Option(min=1, help="Tuning steps per chain (default: 450).")] = None,
    chains: Annotated[int | None, typer.Option(min=2, help="Chains (default: 4).")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random (default: 20260203).")] = None,
) -> None:
    """Fit the model and forecast the matter; print the tables and write a complete folder with the first figures."""
    from forecast import forecasting  # noqa: PLC0415
    from forecast.inference import Settings  # noqa: PLC0415

    progress = console(stderr=True)
    asked = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    settings = Settings(**{k: v for k, v in asked.items() if v is not None}, progress=progress.is_terminal)
    result = forecasting.run(priors, record, origin, settings, tell=lambda line: progress.print(line, style="dim"))
    _finish(result, out or Path("outputs") / result.manifest["origin"])


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
    from forecast.terminal import update_line  # noqa: PLC0415

    progress = console(stderr=True)
    given = {name: path for name, path in (("events", events), ("proceedings", proceedings)) if path}
    old = forecasting.load(folder)
    result = updating.update(
        old, given, origin, refit=refit, late=late, tell=lambda line: progress.print(line, style="dim")
    )
    beside = folder if folder.name not in ("", "..") else folder.resolve()
    _finish(result, out or beside.with_name(result.manifest["origin"]))
    console().print(update_line(result.diagnostics), markup=False)


def _finish(result: Any, folder: Path) -> None:
    """Save a new forecast with its first figures, and print it."""
    from forecast import forecasting, plots  # noqa: PLC0415
    from forecast.folders import FIGURES  # noqa: PLC0415
    from forecast.terminal import screen  # noqa: PLC0415

    forecasting.save(result, folder)
    plots.save(result, folder / FIGURES, plots.FIRST)
    terminal = console()
    terminal.print(screen(result.tables, result.manifest, result.diagnostics))
    terminal.print(f"Written to {escape(str(folder))}")


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
    from forecast.terminal import passport_table  # noqa: PLC0415

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
    from forecast.terminal import screen  # noqa: PLC0415

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


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit with its code."""
    sys.exit(_code(arguments))


def _code(arguments: list[str] | None) -> int:
    failed = console(stderr=True)
    try:
        return app(arguments, standalone_mode=False) or 0
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        failed.print(error.format_message(), markup=False, highlight=False)
        failed.print("See forecast --help, or forecast COMMAND --help.")
        return BAD_INPUT
    except InputError as error:
        for problem in error.problems:
            failed.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        return BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        failed.print("Interrupted; no file is half-written.")
        return INTERRUPTED
    except RuntimeError as error:
        from forecast.inference import NotConvergedError  # noqa: PLC0415

        if not isinstance(error, NotConvergedError):
            raise
        failed.print(str(error), markup=False, soft_wrap=True)
        return NOT_CONVERGED
