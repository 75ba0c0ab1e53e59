"""Simulation-based calibration: worlds with known truth, each fitted by the model that forecasts, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.calibration import tables
from forecast.calibration.examining import Examined, examine
from forecast.calibration.fitting import AGAIN, MAX_DIVERGENT, MAX_R_HAT, MIN_ESS, SETTINGS, Fit, sampler
from forecast.calibration.store import Store, code_fingerprint
from forecast.calibration.worlds import Plan, Simulate, evidence_of, plan_of, simulated
from forecast.files import InputError, Problem
from forecast.inference import Compiled, Settings
from forecast.parallel import each
from forecast.progress import report, working
from forecast.record import Record, load_record
from forecast.settings import is_whole
from forecast.specification import Specification, load_specification

AT_ONCE = 2
"""Worlds worked on at a time: while one is ranked on one core, the other one is sampled."""
SPAN = (3, 36)
"""Months after the brief for which a world is observed: each for a whole number between these, drawn at random."""
WORLDS, FULL = 100, 1000
MOST_WORLDS = 10_000
QUICKER = "Quicker, and less exact: fewer worlds (--worlds 20). What is done is kept: the command may be interrupted."
MOST_FAILED = 0.05
"""Share of worlds that may fail to converge twice."""


@dataclass(frozen=True, repr=False)
class Calibration:
    """What worlds with known truth say of the model; ``examined``: one entry per world, in order."""

    examined: tuple[Examined, ...]
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        told = "passed" if self.passed else "failed"
        return f"<Calibration of {self.manifest['matter']} in {len(self.examined)} worlds: {told}>"

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name, as ``tables`` describes them."""
        return tables.all_tables(self.examined)

    @property
    def departures(self) -> pd.DataFrame:
        """The rows of ``uniformity`` whose ranks are not uniform, worst first."""
        table = self.tables["uniformity"]
        return table.loc[~table["passed"]].sort_values("adjusted", kind="stable")

    @property
    def converged(self) -> bool:
        """Whether few enough worlds failed to converge."""
        return sum(bool(one.failed) for one in self.examined) <= MOST_FAILED * len(self.examined)

    @property
    def calibrated(self) -> bool:
        """Whether no quantity's ranks depart from uniform."""
        return self.departures.empty

    @property
    def passed(self) -> bool:
        """Whether the model is calibrated in its own worlds, as far as these can tell."""
        return self.calibrated and self.converged


def calibrate(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    *,
    worlds: int = WORLDS,
    seed: int = Settings.seed,
    folder: Path | str | None = None,
    anew: bool = False,
    span: tuple[int, int] = SPAN,
    fit: Fit | None = None,
    simulate: Simulate = simulated,
) -> Calibration:
    """Draw worlds from the prior file, fit each, and rank every truth among the draws of its posterior.

    ``specification`` and ``record`` are values or paths; ``None`` takes the packaged ones. Every number follows from
    ``seed``. With a ``folder`` each world is written as it comes, and what is there already is not done again
    (``anew``: it is). ``fit`` and ``simulate`` replace sampler and story: two that do not belong together must fail.
    Raises ``InputError`` on bad input; worlds that do not converge are counted, not refused.
    """
    if not is_whole(worlds) or not 2 <= worlds <= MOST_WORLDS:
        raise InputError(Problem("worlds", f"{worlds!r}, expected a whole number from 2 to {MOST_WORLDS}"))
    Settings(seed=seed)  # refuses a seed out of range
    spec = specification if isinstance(specification, Specification) else load_specification(specification)
    plan = plan_of(spec, record if isinstance(record, Record) else load_record(record))
    about = _about(plan, seed, span, "sampler" if fit is None else "given")
    store = Store(Path(folder), about) if folder is not None else None
    done = store.open(anew=anew) if store else {}
    missing = [number for number in range(worlds) if number not in done]
    if len(missing) < worlds:
        report(f"{worlds - len(missing)} of {worlds} worlds are there already")
    if missing and fit is None:
        report("Compiling the model once for all worlds (the first time takes up to a minute)")
        fit = sampler(Compiled(evidence_of(plan, simulated(plan, span[0], [seed, 20]))))
    if missing and fit is not None:
        sampled = fit  # what the threads are given cannot be None
        found = _examined(missing, lambda number: examine(plan, span, number, seed, sampled, simulate), worlds)
        with closing(found):
            for one in found:
                done[one.world] = one
                if store:
                    store.keep(one)
    return Calibration(tuple(done[number] for number in range(worlds)), {**about, "worlds": worlds})


def _examined(missing: list[int], work: Callable[[int], Examined], worlds: int) -> Generator[Examined]:
    """Yield the missing worlds as they are done, and report how many of all ``worlds`` are."""
    with (
        each(work, missing, AT_ONCE, ordered=False) as found,
        working("Calibration", len(missing), "worlds", quicker=QUICKER, pilot=AT_ONCE) as reached,
    ):
        for number, one in enumerate(found, worlds - len(missing) + 1):
            yield one
            reached()
            if number % max(worlds // 10, 1) == 0:
                report(f"{number} of {worlds} worlds")


def _about(plan: Plan, seed: int, span: tuple[int, int], fit: str) -> dict[str, Any]:
    """Return what every world of a calibration is made from."""
    spec = plan.specification
    first, again = ({"draws": s.draws, "tune": s.tune, "chains": s.chains} for s in (SETTINGS, AGAIN))
    return {
        "matter": spec.matter,
        "as_of": str(spec.as_of),
        "labels": spec.labels,
        "horizons": list(spec.horizons),
        "priors_fingerprint": spec.fingerprint,
        "record_fingerprint": plan.record.fingerprint,
        "code_fingerprint": code_fingerprint(),
        "seed": seed,
        "span_months": list(span),
        "fit": fit,
        "settings": first,
        "settings_again": again,
        "gate": {"r_hat": MAX_R_HAT, "ess": MIN_ESS, "divergent": MAX_DIVERGENT},
    }
