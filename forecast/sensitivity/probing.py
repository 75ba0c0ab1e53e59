"""What a saved forecast rests on: priors and data, single matters, and how the brief is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.forecasting import Forecast
from forecast.inference import Compiled
from forecast.progress import report, working
from forecast.sensitivity.contraction import by_part, contraction
from forecast.sensitivity.matters import UNREACHED, leave_one_out, total_elpd
from forecast.sensitivity.multiverse import answers_table, effects_table, multiverse, ranges_table, shares_table
from forecast.sensitivity.questions import OpenQuestion
from forecast.sensitivity.scaling import power_scaling
from forecast.sensitivity.weighing import EXACT, REFITTED, REWEIGHTED
from forecast.sensitivity.worlds import Worlds

TABLES = (
    "scaling", "parameters", "contraction", "matters", "matter_moves",
    "readings", "answers", "effects", "ranges", "shares",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """What a forecast rests on; ``tables`` holds the frames named in ``TABLES``, each also an attribute.

    ``scaling``: how far each answer moves when a part of prior or data counts more (``scaling``). ``parameters``,
    ``contraction``: from prior to posterior, by parameter and by part. ``matters``, ``matter_moves``: without each
    matter of the record. ``readings``: every reading of the brief and how it was reached; ``answers``: what it says;
    ``effects``: what each changes; ``ranges``: how far reading alone moves each answer; ``shares``: from which question
    that comes. The last five are empty before the brief's date. ``questions``: what the brief leaves open.
    ``checks``: elpd, readings by method, new fits, and what could not be reached.
    """

    questions: tuple[OpenQuestion, ...]
    tables: dict[str, pd.DataFrame]
    checks: dict[str, Any]
    manifest: dict[str, Any]

    def __getattr__(self, name: str) -> pd.DataFrame:
        tables = self.__dict__.get("tables", {})
        if name in tables:
            return tables[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        m = self.manifest
        return f"<Sensitivity of {m['matter']} at {m['origin']}, {self.checks['readings']} readings>"


@working("Sensitivity")
def probe(
    forecast: Forecast,
    *,
    quick: bool = False,
    compiled: Compiled | None = None,
) -> Sensitivity:
    """Return what a forecast rests on, from its stored draws; the forecast itself is not touched.

    ``quick``: only readings that change one answer, and nothing is fitted anew for a matter left out. ``compiled``: the
    model of the forecast's prior file and coordinates, where it is at hand. Raises ``InputError`` where the forecast or
    its prior file cannot be probed, and ``NotConvergedError`` if a fit that is needed does not converge.
    """
    worlds = Worlds(forecast, compiled)
    is_inside = worlds.posterior.evidence.inside
    read = multiverse(worlds, quick=quick) if is_inside else None
    report("Scaling priors and data")
    scaling, psense = power_scaling(worlds)
    report("Leaving out one matter at a time")
    matters, moves = leave_one_out(worlds, refit=not quick)
    every = contraction(worlds, psense)
    tables = {
        "scaling": scaling,
        "parameters": every,
        "contraction": by_part(every),
        "matters": matters,
        "matter_moves": moves,
        "readings": read.worlds if read else pd.DataFrame(),
        "answers": answers_table(read) if read else pd.DataFrame(),
        "effects": effects_table(read) if read else pd.DataFrame(),
        "ranges": ranges_table(read) if read else pd.DataFrame(),
        "shares": shares_table(read) if read else pd.DataFrame(),
    }
    elpd, error = total_elpd(matters)
    methods = read.worlds["method"].value_counts() if read else {}
    checks = {
        "elpd": elpd,
        "elpd_se": error,
        "matters_out_of_reach": matters.loc[matters["method"] == UNREACHED, "matter"].to_list(),
        "readings": len(read.worlds) if read else 0,
        **{method: int(methods.get(method, 0)) for method in (EXACT, REWEIGHTED, REFITTED)},
        "fits": worlds.fitted,
        "quick": quick,
    }
    questions = read.questions if read else ()
    return Sensitivity(questions, tables, checks, dict(forecast.manifest))
