"""The command line's frame: application, shared options, exit codes: 1 bad input, 2 not converged, 3 not calibrated."""

from __future__ import annotations

import atexit
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.exceptions import TyperException

from forecast.files import InputError
from forecast.progress import LOGGER
from forecast.terminal.look import console

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Probabilistic forecasts of regulatory enforcement against online platforms.",
)

BAD_INPUT, NOT_CONVERGED, NOT_CALIBRATED, INTERRUPTED = 1, 2, 3, 130
PriorsOption = Annotated[Path | None, typer.Option("--priors", help="Prior file (default: the packaged one on X).")]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Folder of the record (default: the packaged one).")
]
DrawsOption = Annotated[int | None, typer.Option("--draws", min=1, help="Draws per chain (default: 1200).")]
TuneOption = Annotated[int | None, typer.Option("--tune", min=1, help="Tuning steps per chain (default: 400).")]
ChainsOption = Annotated[int | None, typer.Option("--chains", min=2, help="Chains (default: 4).")]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random (default: 20260203).")]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a forecast.")]
FullOption = Annotated[bool, typer.Option("--full", help="Print Monte Carlo errors, and means beside medians.")]
ONE_FORECAST = ("run", "update", "show", "plot")
"""Commands that make or read one forecast: they end before there is garbage to speak of."""


@app.callback()
def begin(context: typer.Context) -> None:
    """Leave garbage collection out where it costs time and finds nothing: imports make objects by the 100,000."""
    if context.invoked_subcommand in ONE_FORECAST:
        atexit.register(gc.freeze)  # else Python goes through all of them once more at its end, for most of a second
        gc.disable()
        context.call_on_close(gc.enable)


def finish(result: Any, folder: Path, *, full: bool = False) -> None:
    """Save a new forecast with its first figures, as PNG, and print it."""
    from forecast import forecasting, plots  # noqa: PLC0415
    from forecast.folders import FIGURES  # noqa: PLC0415
    from forecast.terminal.forecasts import screen  # noqa: PLC0415

    forecasting.save(result, folder, lambda scratch: plots.save(result, scratch / FIGURES, plots.FIRST, ["png"]))
    terminal = console()
    terminal.print(screen(result.tables, result.manifest, result.diagnostics, result.record.proceedings, full=full))
    terminal.print(f"Written to {escape(str(folder))}")


class _ToStandardError(logging.Handler):
    """Prints progress on standard error, dimmed where it is a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        console(stderr=True).print(record.getMessage(), style="dim", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress_shown() -> Iterator[None]:
    """Show the package's progress while a command runs, and leave logging as it was."""
    handler, level = _ToStandardError(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


def exit_code(arguments: list[str] | None) -> int:
    """Run the command line and return its exit code."""
    with _progress_shown():
        return _exit_code(arguments)


def _exit_code(arguments: list[str] | None) -> int:
    failed = console(stderr=True)
    try:
        code = app(arguments, standalone_mode=False) or 0
        if code == INTERRUPTED:  # Typer turns Ctrl-C into this code, and says nothing
            raise KeyboardInterrupt
        return code
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
