"""A reverse stress test: the fewest future events that lift a scenario over a probability.

Every supposed event stands on the day in the middle of the signposts' window, and nothing else happens in the focal
matter up to then. All sets of one event (open focal proceeding by family), then of two, then of three are tried: see
``event_sets``. Each set that is reported is confirmed as ``forecast whatif`` reckons it, with all draws and the same
certificate; a set whose weights fail is not reported as found.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecast.courses import FAMILY_INDEX
from forecast.files import InputError, Problem, did_you_mean
from forecast.forecasting import Forecast
from forecast.hypotheses.branches import DAYS, Branches, branch, with_error
from forecast.hypotheses.event_sets import EventSets, event_sets, focal_rows
from forecast.hypotheses.suppositions import Supposed, with_events
from forecast.hypotheses.whatifs import held, supposed_exposure
from forecast.inference import Evidence, Posterior
from forecast.outcomes import view_weights
from forecast.progress import working
from forecast.record import Record
from forecast.record_tables import REQUIRED_TABLES, TABLES
from forecast.updating import efficiency, reweight
from forecast.vocabulary import FAMILY_OF_TYPE, SCENARIOS

LARGEST = 3
SHOWN, TRIES = 5, 15
"""Sets that are reported, and sets that are confirmed at most to find them."""
COLUMNS = ["size", "events", "now", "silent", "probability", "mcse", "k_hat", "ess", "certified", "log_density"]
COLUMNS += ["comes", "comes_mcse"]


@dataclass(frozen=True, repr=False)
class Stress:
    """The smallest sets of supposed events that lift ``scenario`` over ``over``, likeliest first.

    ``reached``: whether any does; else ``table`` holds those that come nearest. Its columns: ``size``; ``events``, as
    ``forecast whatif`` reads them, separated by semicolons; probability of the scenario ``now``, ``silent`` (if nothing
    comes up to their day) and given them (``probability``, with ``mcse``);
    ``k_hat``, ``ess``, ``certified``: of the weights; ``log_density``: log of the predictive density of the set over
    that of silence up to the same day, per month for each event; ``comes``, with ``comes_mcse``: that all of
    it comes within the window, in any order and whatever else comes. ``present``: probability of the scenario now;
    ``silent``: if nothing comes up to that day.
    """

    scenario: str
    over: float
    present: float
    silent: float
    reached: bool
    table: pd.DataFrame
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        size = self.table["size"].iloc[0] if self.reached else 0
        found = "no set of events lifts" if not size else "1 event lifts" if size == 1 else f"{size} events lift"
        return f"<Stress: {found} {self.scenario} from {self.present:.3f} over {self.over:g}>"


@working("Searching for the fewest events that lift a scenario")
def stress(
    forecast: Forecast,
    scenario: str = "crackdown",
    over: float = 0.5,
    most: int = LARGEST,
    *,
    branches: Branches | None = None,
) -> Stress:
    """Return the smallest set of up to ``most`` events that lifts ``scenario`` over ``over``, in the forecast's view.

    ``branches``: a simulation from the same forecast, if there is one already. Raises ``InputError`` on bad input.
    """
    old = held(forecast)
    target = check(scenario, over, most, old)
    trial = _trial(forecast, old, target, branches)
    terms = event_sets(old.draws, trial.evidence(()), trial.record, trial.day, most)
    found: list[dict[str, Any]] = []
    nearest: list[tuple[float, float, list[Supposed]]] = []
    for size in range(1, most + 1):
        found, near = _tried(terms, trial, size, over)
        if found:
            break
        nearest = sorted([*nearest, *near], key=lambda one: -one[0])[:SHOWN]
    before = {"now": float(view_weights(old.draws)[:, target].mean()), "silent": float(terms.silence[target])}
    rows = found or [trial.confirmed(events, density) for _, density, events in nearest]
    return Stress(
        scenario=scenario,
        over=over,
        present=before["now"],
        silent=before["silent"],
        reached=bool(found),
        table=pd.DataFrame([row | before for row in rows], columns=COLUMNS),
        manifest=forecast.manifest,
    )


def check(scenario: str, over: float, most: int, posterior: Posterior) -> int:
    """Return the scenario's index; raise ``InputError`` for what cannot be asked, or if nothing can come."""
    problems = []
    if scenario not in SCENARIOS:
        expected = did_you_mean(scenario, SCENARIOS) or f"; expected one of {', '.join(SCENARIOS)}"
        problems.append(Problem("scenario", f"{scenario!r} is no scenario{expected}"))
    if not 0 < over < 1:
        problems.append(Problem("over", f"{over!r}, expected a probability between 0 and 1"))
    if most not in range(1, LARGEST + 1):
        problems.append(Problem("most", f"{most!r}, expected 1 to {LARGEST} events"))
    x = posterior.evidence.exposure
    day = middle(x.origin)
    if x.origin < x.as_of <= day:
        problems.append(Problem("forecast", f"{day} crosses the brief's date, {x.as_of}: forecast at that date first"))
    if not x.is_open[: x.n_focal].any():
        problems.append(Problem("forecast", "no proceeding of the matter is open: no event can come"))
    if problems:
        raise InputError(problems)
    return SCENARIOS.index(scenario)


def _tried(
    terms: EventSets, trial: _Trial, size: int, over: float
) -> tuple[list[dict[str, Any]], list[tuple[float, float, list[Supposed]]]]:
    """Return the likeliest sets of one size that are confirmed over ``over``, or else those that come nearest."""
    sets = np.array(list(itertools.combinations(range(len(terms.candidates)), size)))
    shares, density = terms.evaluate(sets)
    share, order = shares[:, trial.target], np.argsort(-density, kind="stable")

    def named(k: int) -> tuple[float, float, list[Supposed]]:
        return float(share[k]), float(density[k]), [terms.candidates[c] for c in sets[k]]

    found = []
    for k in order[share[order] > over][:TRIES]:
        row = trial.confirmed(named(k)[2], float(density[k]))
        found += [row] if row["certified"] and row["probability"] > over else []
        if len(found) == SHOWN:
            break
    return found, [named(k) for k in np.argsort(-share, kind="stable")[:SHOWN]]


@dataclass(frozen=True)
class _Trial:
    """Confirms sets: the forecast's posterior reweighted by them with all draws."""

    forecast: Forecast
    old: Posterior
    target: int
    branches: Branches
    record: Record
    day: date

    def evidence(self, events: tuple[Supposed, ...]) -> Evidence:
        """Return the focal matter's evidence with these events and nothing else up to the day."""
        matters = (self.forecast.specification.matter,)
        exposure = supposed_exposure(self.old.evidence, with_events(self.record, events), self.day, matters)
        return replace(self.old.evidence, exposure=focal_rows(exposure))

    def confirmed(self, events: list[Supposed], log_density: float) -> dict[str, Any]:
        """Return one row of the table."""
        from arviz_stats.base import array_stats  # noqa: PLC0415  (ArviZ costs seconds to import)

        kept, matter = efficiency(self.forecast), self.forecast.specification.matter
        posterior, certificate = reweight(self.old, self.evidence(tuple(events)), kept, matters=(matter,))
        chances = view_weights(posterior.draws)[:, self.target].reshape(self.old.settings.chains, -1)
        b = self.branches
        places = [(b.cases.index(e.case), FAMILY_INDEX[FAMILY_OF_TYPE[e.kind]]) for e in events]
        all_come = np.logical_and.reduce([b.came[..., case, family] for case, family in places])
        plausible, error = with_error(b.joint(all_come).sum(axis=1))
        return {
            "size": len(events),
            "events": "; ".join(map(str, events)),
            "probability": float(chances.mean()),
            "mcse": float(array_stats.mcse(chances, chain_axis=0, draw_axis=1)),
            "k_hat": certificate.k_hat,
            "ess": certificate.ess,
            "certified": not (certificate.failures + posterior.failures),
            "log_density": log_density,
            "comes": float(plausible),
            "comes_mcse": float(error),
        }


def _trial(forecast: Forecast, old: Posterior, target: int, branches: Branches | None) -> _Trial:
    if branches is None:
        branches = branch(old.draws, forecast.record, np.random.default_rng([old.settings.seed, 7]))
    record = focal_record(forecast.record, forecast.specification.matter)
    return _Trial(forecast, old, target, branches, record, middle(old.evidence.exposure.origin))


def middle(origin: date) -> date:
    """Return the day in the middle of the window, on which every supposed event stands."""
    return origin + timedelta(days=DAYS // 2)


def focal_record(record: Record, matter: str) -> Record:
    """Return the proceedings and events of one matter alone: checking whole records takes half a second each."""
    cases = record.proceedings.loc[record.proceedings["matter_id"] == matter]
    events = record.events.loc[record.events["case_id"].isin(cases["case_id"])]
    rest = {name: getattr(record, name).iloc[:0] for name in TABLES if name not in REQUIRED_TABLES}
    return replace(record, proceedings=cases, events=events, **rest)
