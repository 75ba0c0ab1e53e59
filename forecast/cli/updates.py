"""Commands that confront a forecast with new evidence, real or imagined."""

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
from forecast.terminal.look import console


@app.command()
def update(
    folder: FolderArgument,
    events: Annotated[Path | None, typer.Option(help="CSV or Parquet file of new events.")] = None,
    proceedings: Annotated[
        Path | None, typer.Option(help="New proceedings, or known ones with closed_on or observed_until.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="New origin (default: the last new publication, or --complete-until).")
    ] = None,
    complete_until: Annotated[
        str | None, typer.Option(help="Day to which every open proceeding has now been looked at, YYYY-MM-DD.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside DIR, by origin).")] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Fit anew whatever the certificate says.")] = False,
    late: Annotated[bool, typer.Option("--late", help="Admit events that were public by the old origin.")] = False,
    assume_silence: AssumeSilenceOption = False,
    overwrite: OverwriteOption = False,
    full: FullOption = False,
) -> None:
    """Add new evidence to a saved forecast: reweight its draws where that is certified, else fit anew."""
    from forecast import forecasting, updating  # noqa: PLC0415
    from forecast.folders import refuse_foreign  # noqa: PLC0415
    from forecast.joining import joined  # noqa: PLC0415
    from forecast.silence import require_past  # noqa: PLC0415
    from forecast.terminal.evidence import update_screen  # noqa: PLC0415

    given = {name: path for name, path in (("events", events), ("proceedings", proceedings)) if path}
    old = forecasting.load(folder)
    request = joined(old, given, origin, late=late, assume_silence=assume_silence, complete_until=complete_until)
    require_past(request.origin, "origin")
    beside = folder if folder.name not in ("", "..") else folder.resolve()
    target = out or beside.with_name(str(request.origin))
    refuse_foreign(target, request.identity, overwrite=overwrite)
    result = updating.updated(old, request, refit=refit)
    finish(result, target, overwrite=overwrite, full=full)
    console().print(update_screen(old, result, full=full))


@app.command()
def replay(
    start: Annotated[str, typer.Option("--from", help="First origin, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="Last origin.")],
    every: Annotated[str, typer.Option(help="Step: <n>D, <n>W or <n>M (days, weeks, calendar months).")] = "1M",
    priors: PriorsOption = None,
    record: RecordOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write (default: outputs/<matter>/replay-FROM-TO).")
    ] = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    seed: SeedOption = None,
    assume_silence: AssumeSilenceOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Forecast at each of several dates from what was public then; print and write how the forecast moved."""
    from forecast import plots, replaying  # noqa: PLC0415
    from forecast.folders import require_place  # noqa: PLC0415
    from forecast.places import default_folder  # noqa: PLC0415
    from forecast.requests import read_request  # noqa: PLC0415
    from forecast.terminal.evidence import replay_screen  # noqa: PLC0415

    replaying.origins(start, end, every)
    request = read_request(priors, record, end, place="end", assume_silence=assume_silence)
    folder = out or default_folder(request.specification.matter, f"replay-{start}-{end}")
    require_place(folder, "trajectory", request.identity, overwrite=overwrite)
    settings = sampling(draws, tune, chains, seed)
    spec, whole, _ = request
    result = replaying.replay(
        spec, whole, start=start, end=end, every=every, settings=settings, assume_silence=assume_silence
    )
    plots.save_trajectory(result, folder, overwrite=overwrite)
    console().print(replay_screen(result))
    console().print(f"Written to {escape(str(folder))}", soft_wrap=True)


@app.command()
def whatif(
    folder: FolderArgument,
    event: Annotated[
        list[str] | None, typer.Option(help='Supposed event, "DATE CASE TYPE[:SCOPE] [AMOUNT_EUR]" (may be repeated).')
    ] = None,
    silence_until: Annotated[
        str | None, typer.Option(help="Day up to which nothing else happens (default: the last supposed event's).")
    ] = None,
    lever: Annotated[
        list[str] | None, typer.Option(help="Mitigation of the prior file, as an assumption (may be repeated).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for every number before and after.")] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Fit anew where stored draws cannot be reweighted.")] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Say how a saved forecast would stand had events come, had nothing come, were mitigations at work."""
    from forecast import forecasting  # noqa: PLC0415
    from forecast.hypotheses import whatifs  # noqa: PLC0415
    from forecast.terminal.hypotheses import whatif_screen  # noqa: PLC0415

    old = forecasting.load(folder)
    if out:
        whatifs.require_file(out, old.manifest, overwrite=overwrite)
    result = whatifs.whatif(old, event or (), silence_until, lever or (), refit=refit)
    console().print(whatif_screen(result))
    if out:
        notes = whatifs.notes_of(result.manifest, result.suppositions)
        whatifs.write_table(out, result.table, notes, overwrite=overwrite)
        console().print(f"Written to {escape(str(out))}", soft_wrap=True)


@app.command()
def watch(
    folder: FolderArgument,
    scenario: Annotated[str, typer.Option(help="Scenario that the stress test lifts.")] = "crackdown",
    over: Annotated[float, typer.Option(help="Probability over which it is to be lifted.")] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside DIR, DIR-watch).")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Say which next events, or which silence, would tell most, and what it would take to lift a scenario."""
    from forecast import forecasting, hypotheses, plots  # noqa: PLC0415
    from forecast.folders import require_place  # noqa: PLC0415
    from forecast.terminal.hypotheses import watch_screen  # noqa: PLC0415

    beside = folder if folder.name not in ("", "..") else folder.resolve()
    target = out or beside.with_name(f"{beside.name}-watch")
    old = forecasting.load(folder)
    require_place(target, "signposts", old.manifest, overwrite=overwrite)
    result = hypotheses.watch(old, scenario, over)
    plots.save_watch(result, target, overwrite=overwrite)
    console().print(watch_screen(result))
    console().print(f"Written to {escape(str(target))}", soft_wrap=True)


@app.command()
def explain(
    before: Annotated[Path, typer.Argument(metavar="DIR1", help="Folder of the earlier forecast.")],
    after: Annotated[Path, typer.Argument(metavar="DIR2", help="Folder of the later forecast.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside DIR2, DIR2-explained).")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Say which event, and which silence, moved a forecast by how much, in steps that sum to the whole change."""
    from forecast import attribution, forecasting, plots  # noqa: PLC0415
    from forecast.folders import require_place  # noqa: PLC0415
    from forecast.terminal.evidence import explanation_screen  # noqa: PLC0415

    beside = after if after.name not in ("", "..") else after.resolve()
    target = out or beside.with_name(f"{beside.name}-explained")
    one, two = forecasting.load(before), forecasting.load(after)
    about = {"before": one.manifest, "after": two.manifest}
    require_place(target, "explanation", about, overwrite=overwrite)
    result = attribution.explain(one, two)
    plots.save_explanation(result, target, overwrite=overwrite)
    console().print(explanation_screen(result))
    console().print(f"Written to {escape(str(target))}", soft_wrap=True)
