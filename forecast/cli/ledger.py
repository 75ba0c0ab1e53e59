"""Commands that keep a ledger: what was issued, how it resolved, how it scored."""

from __future__ import annotations

import atexit
import gc
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from forecast.cli.shell import FolderArgument, RecordOption, app, whole_option
from forecast.terminal.look import console

LedgerArgument = Annotated[
    Path, typer.Argument(metavar="LEDGER", help="Folder of a ledger, or track-record: the packaged one.")
]
UntilOption = Annotated[
    int | None,
    typer.Option("--until", min=1, help="Read the ledger up to this entry alone, as where later ones are damaged."),
]
DEFAULT = Path("ledger")


def _for_duckdb() -> None:
    """Let Python collect what is left at its end: DuckDB's binding reports what is not as leaked, on the terminal."""
    atexit.unregister(gc.freeze)


@app.command()
def issue(
    folder: FolderArgument,
    ledger: Annotated[Path, typer.Option(help="Folder of the ledger; begun where there is none.")] = DEFAULT,
    grace: Annotated[int, whole_option("grace", 0, 3650, "Days left for publication after each deadline")] = 0,
) -> None:
    """Enter a saved forecast into a ledger, for good: every number, and the rule by which each target resolves."""
    from forecast import ledger as ledgers  # noqa: PLC0415
    from forecast.terminal.ledger import issue_screen  # noqa: PLC0415

    console().print(issue_screen(ledgers.issue(folder, ledger, grace_days=grace)))


@app.command()
def resolve(
    ledger: LedgerArgument = DEFAULT,
    record: RecordOption = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="What was public by this day (default: the record's last publication)."),
    ] = None,
    answers: Annotated[Path | None, typer.Option(help="CSV file of answers to targets that no record answers.")] = None,
    until: UntilOption = None,
) -> None:
    """Answer every issued target from a record; what changed becomes a new version, and nothing is overwritten."""
    from forecast import ledger as ledgers  # noqa: PLC0415
    from forecast.terminal.ledger import resolve_screen  # noqa: PLC0415

    _for_duckdb()
    console().print(resolve_screen(ledgers.resolve(ledger, record, as_of=as_of, answers=answers, until=until)))


@app.command()
def score(
    ledger: LedgerArgument = DEFAULT,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside LEDGER, LEDGER-scores).")] = None,
    expect: Annotated[
        str | None, typer.Option(help="SHA-256 of an entry that must be there, such as a published head.")
    ] = None,
    until: UntilOption = None,
) -> None:
    """Score what has resolved, anew, against the brief and the baselines as they were frozen at issue."""
    from forecast import ledger as ledgers  # noqa: PLC0415
    from forecast import plots  # noqa: PLC0415
    from forecast.folders import require_place  # noqa: PLC0415
    from forecast.plots.track_record import KIND  # noqa: PLC0415
    from forecast.terminal.ledger import score_screen  # noqa: PLC0415

    _for_duckdb()
    beside = ledger if ledger.name not in ("", "..") else ledger.resolve()
    target = out or beside.with_name(f"{beside.name}-scores")
    require_place(target, KIND)
    scores = ledgers.score_ledger(ledger, expect=expect, until=until)
    plots.save_scores(scores, target)
    console().print(score_screen(scores))
    console().print(f"Written to {escape(str(target))}", soft_wrap=True)
