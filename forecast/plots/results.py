"""Folders of what was learnt from forecasts: tables, ``about.json`` (what it was made from), and the figure.

All of a folder is written or nothing; an older one of the same kind, matter, prior file and record is replaced, any
other result only with ``overwrite``, and anything else is left alone.
"""

from __future__ import annotations

from pathlib import Path

from forecast.attribution import Explanation
from forecast.folders import save_result
from forecast.hypotheses import Watch
from forecast.plots import look
from forecast.plots.signposts import signposts
from forecast.plots.trajectory import trajectory as drawn_trajectory
from forecast.plots.waterfall import waterfall
from forecast.record import save_record
from forecast.replaying import Trajectory, to_dataset
from forecast.specification import dump_specification

TRAJECTORY, EXPLANATION, SIGNPOSTS = "trajectory", "explanation", "signposts"
"""Kinds of folders, as ``about.json`` names them."""


def save_trajectory(trajectory: Trajectory, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write ``trajectory.csv``, ``events.csv``, ``diagnostics.csv``, ``trajectory.nc``, and the figure.

    With them go ``priors.yaml`` and ``record/`` as they were used. Raises ``InputError`` for a folder of anything else
    and one that cannot be written.
    """
    picture = drawn_trajectory(trajectory)

    def rest(scratch: Path) -> None:
        to_dataset(trajectory).to_netcdf(scratch / "trajectory.nc", engine="netcdf4")
        look.save_both(picture, scratch / "trajectory")
        (scratch / "priors.yaml").write_text(dump_specification(trajectory.specification), encoding="utf-8")
        save_record(trajectory.record, scratch / "record")

    tables = {"trajectory": trajectory.table, "events": trajectory.events, "diagnostics": trajectory.diagnostics}
    save_result(folder, TRAJECTORY, tables, trajectory.manifest, rest, overwrite=overwrite)


def save_explanation(explanation: Explanation, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write ``explanation.csv``, ``events.csv`` and the waterfall.

    Raises ``InputError`` for a folder of anything else and one that cannot be written.
    """
    picture = waterfall(explanation)
    tables = {"explanation": explanation.table, "events": explanation.events}
    save_result(
        folder,
        EXPLANATION,
        tables,
        explanation.manifest,
        lambda scratch: look.save_both(picture, scratch / "waterfall"),
        overwrite=overwrite,
    )


def save_watch(watch: Watch, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write ``signposts.csv``, ``stress.csv`` and the figure of the signposts.

    Raises ``InputError`` for a folder of anything else and one that cannot be written.
    """
    picture = signposts(watch)
    tables = {"signposts": watch.table, "stress": watch.stress.table}
    asked = f"the fewest events that lift {watch.stress.scenario} over {watch.stress.over:g}"
    about = {**watch.manifest, "content": "hypothetical: nothing of this has happened", "stress": asked}

    def drawn(scratch: Path) -> None:
        look.save_both(picture, scratch / "signposts")

    save_result(folder, SIGNPOSTS, tables, about, drawn, overwrite=overwrite)
