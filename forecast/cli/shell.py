"""The command line's frame: application, shared options, exit codes.

1: bad input, or output that cannot be written. 2: not converged. 3: not calibrated. 130: interrupted by Ctrl-C; 143: by
SIGTERM, 129: by SIGHUP. 141: whoever read the output closed it.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.markup import escape
from typer.exceptions import TyperException

from forecast.files import InputError, reason_of
from forecast.progress import LOGGER, working
from forecast.settings import RANGES, Settings
from forecast.terminal.look import TO_ASCII, OutputClosedError, console
from forecast.version import PACKAGE, package_version

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Probabilistic forecasts of regulatory enforcement against online platforms.",
)

BAD_INPUT, NOT_CONVERGED, NOT_CALIBRATED = 1, 2, 3
INTERRUPTED, CLOSED = 130, 141
PriorsOption = Annotated[
    Path | None, typer.Option("--priors", help="Prior file, or the name of a packaged one (default: that on X).")
]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Folder of the record (default: the packaged one).")
]


def whole_option(name: str, low: int, high: int, text: str) -> Any:
    """Return an option for a whole number in a range, which its help and its refusal name."""

    def within(value: int | None) -> int | None:
        if value is not None and not low <= value <= high:
            raise typer.BadParameter(f"{value}, expected a whole number from {low} to {high}")
        return value

    return typer.Option(f"--{name}", callback=within, help=f"{text}, {low} to {high}.")


def _setting(name: str, text: str) -> Any:
    return whole_option(name, *RANGES[name], f"{text} (default: {getattr(Settings, name)})")


DrawsOption = Annotated[int | None, _setting("draws", "Draws per chain")]
TuneOption = Annotated[int | None, _setting("tune", "Tuning steps per chain")]
ChainsOption = Annotated[int | None, _setting("chains", "Chains")]
SeedOption = Annotated[int | None, _setting("seed", "Seed of everything random")]


def sampling(draws: int | None, tune: int | None, chains: int | None, seed: int | None) -> Settings:
    """Return the settings of the sampler: the numbers that are given, the defaults for the others."""
    given: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    return Settings(**{name: value for name, value in given.items() if value is not None})


AssumeSilenceOption = Annotated[
    bool,
    typer.Option(
        "--assume-silence", help="Take an origin after the record's last complete day; assume nothing came since."
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a result of another matter, origin, prior file or record that is there."),
]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a forecast.")]
FullOption = Annotated[bool, typer.Option("--full", help="Print Monte Carlo errors, and means beside medians.")]
ONE_FORECAST = ("run", "update", "show", "plot")
"""Commands that make or read one forecast: they end before there is garbage to speak of."""


def _version(asked: bool) -> None:
    if asked:
        console().print(f"{PACKAGE} {package_version()}", highlight=False)
        raise typer.Exit


@app.callback()
def begin(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Probabilistic forecasts of regulatory enforcement against online platforms."""
    context.with_resource(working(f"forecast {context.invoked_subcommand}"))
    # Garbage collection is left out where it costs time and finds nothing: imports make objects by the 100,000.
    if context.invoked_subcommand in ONE_FORECAST:
        atexit.register(gc.freeze)  # else Python goes through all of them once more at its end, for most of a second
        gc.disable()
        context.call_on_close(gc.enable)


def finish(result: Any, folder: Path, *, overwrite: bool = False, full: bool = False) -> None:
    """Save a new forecast with its first figures, as PNG, and print it."""
    from forecast import forecasting, plots  # noqa: PLC0415
    from forecast.folders import FIGURES  # noqa: PLC0415
    from forecast.terminal.forecasts import screen  # noqa: PLC0415

    def drawn(scratch: Path) -> None:
        plots.save(result, scratch / FIGURES, plots.FIRST, ["png"])

    forecasting.save(result, folder, drawn, overwrite=overwrite)
    terminal = console()
    terminal.print(screen(result.tables, result.manifest, result.diagnostics, result.record.proceedings, full=full))
    terminal.print(f"Written to {escape(str(folder))}")


class _ToStandardError(logging.Handler):
    """Prints progress on standard error, dimmed where it is a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        with suppress(OSError, OutputClosedError):  # progress that nobody can read must not end the work
            console(stderr=True).print(line, style="dim", markup=False, highlight=False, soft_wrap=True)


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


@contextmanager
def _any_encoding() -> Iterator[None]:
    """Print ASCII for characters that the encoding of a stream lacks, while a command runs."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=TO_ASCII)
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with suppress(OSError, ValueError):  # a stream that was closed, or cannot be written, stays as it is
                stream.reconfigure(errors=errors)


@contextmanager
def _signals_caught() -> Iterator[list[int]]:
    """Have SIGTERM and SIGHUP end the command as Ctrl-C does; yields a list for the number of the one that came.

    Signals that were ignored or handled before are left alone, and so are all outside the main thread.
    """
    came: list[int] = []

    def stop(number: int, frame: object) -> None:
        if not came:  # a second one must not cut the cleaning up short
            came.append(number)
            raise KeyboardInterrupt

    ours = []
    if threading.current_thread() is threading.main_thread():
        names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        ours = [n for n in (getattr(signal, name) for name in names) if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield came
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def exit_code(arguments: list[str] | None) -> int:
    """Run the command line and return its exit code."""
    with _any_encoding(), _progress_shown(), _signals_caught() as came:
        try:
            code = _exit_code(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()
        except (OutputClosedError, BrokenPipeError):
            _give_up(sys.stdout)
            return CLOSED
        except OSError as error:
            _give_up(sys.stdout)
            _complain(f"the output cannot be written: {reason_of(error)}")
            return BAD_INPUT
        return 128 + came[0] if code == INTERRUPTED and came else code


def _give_up(stream: TextIO | None) -> None:
    """Let go of what a stream still holds: Python would try to write it once more at its end, and complain."""
    if stream is None:
        return
    with suppress(OSError, ValueError):  # a stream without a file has nothing to let go of
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _complain(line: str) -> None:
    """Print a line on standard error; where that fails too, the exit code alone tells."""
    try:
        console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    except (OSError, OutputClosedError):
        _give_up(sys.stderr)


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, standalone_mode=False) or 0
        if code == INTERRUPTED:  # Typer turns Ctrl-C into this code, and says nothing
            raise KeyboardInterrupt
        return code
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _complain("Interrupted; no file is half-written.")
        return INTERRUPTED
    except (TyperException, InputError, OSError, RuntimeError) as error:
        return _told(error)


def _told(error: Exception) -> int:
    """Say what went wrong and return the exit code; raise what the user cannot have brought about."""
    code = BAD_INPUT
    if isinstance(error, TyperException):
        _complain(error.format_message())
        _complain("See forecast --help, or forecast COMMAND --help.")
    elif isinstance(error, InputError):
        for problem in error.problems:
            _complain(str(problem))
    elif isinstance(error, OSError) and error.filename is not None:  # without a file it is the output's trouble
        _complain(f"{error.filename}: {reason_of(error)}; no file is half-written.")
    elif isinstance(error, RuntimeError) and _is_not_converged(error):
        _complain(str(error))
        code = NOT_CONVERGED
    else:
        raise error
    return code


def _is_not_converged(error: RuntimeError) -> bool:
    from forecast.inference import NotConvergedError  # noqa: PLC0415

    return isinstance(error, NotConvergedError)
