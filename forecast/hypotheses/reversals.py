"""A reverse stress test: the fewest future events that lift a scenario over a probability.

Every supposed event stands on the day in the middle of the signposts' window, at most one in each open proceeding of
the focal matter, and nothing else happens in the matter up to then. All sets of one event (proceeding by family), then
of two, then of three are tried: see ``event_sets``. Each set that is reported is confirmed as ``forecast whatif`` takes
it, with the same certificate; a set whose weights fail is not reported as found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecast.files import InputError, Problem, did_you_mean
from forecast.forecasting import Forecast
from forecast.gathered import Evidence
from forecast.hypotheses.branches import DAYS, Branches, branch, with_error
from forecast.hypotheses.event_sets import LARGEST, EventSets, event_sets
from forecast.hypotheses.suppositions import Supposed, watched, with_events
from forecast.hypotheses.whatifs import held, supposed_evidence
from forecast.inference import Posterior
from forecast.outcomes import inside_weights
from forecast.progress import working
from forecast.updating import efficiency, reweight
from forecast.vocabulary import SCENARIOS

SHOWN, TRIES = 5, 10
"""Sets that are reported, and sets that are confirmed at most to find them."""
COLUMNS = ["size", "events", "now", "silent", "probability", "mcse", "k_hat", "ess", "certified", "log_density"]
COLUMNS += ["comes", "comes_mcse"]


@dataclass(frozen=True, repr=False)
class Stress:
    """The smallest sets of supposed events that lift ``scenario`` over ``over``, likeliest first.

    ``reached``: whether any does; else ``table`` holds those that come nearest, of equal ones (to 0.01) the likeliest.
    Its columns: ``size``; ``events``, as
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
    """Return the smallest set of up to ``most`` events that lifts ``scenario`` over ``over``, in the inside view.

    ``branches``: a simulation from the same forecast, if there is one already. Raises ``InputError`` on bad input.
    """
    old = held(forecast)
    target = check(scenario, over, most, old.evidence)
    trial = _Trial(forecast, old, target, branches or branch(old.draws, np.random.default_rng([old.settings.seed, 7])))
    terms = event_sets(old.draws, trial.evidence([]))
    found: list[dict[str, Any]] = []
    nearest: list[tuple[float, float, list[Supposed]]] = []
    for size in range(1, most + 1):
        found, near = _tried(terms, trial, size, over)
        if found:
            break
        nearest = sorted([*nearest, *near], key=lambda one: (-round(one[0], 2), -one[1]))[:SHOWN]
    before = {"now": float(inside_weights(old.draws)[:, target].mean()), "silent": float(terms.silence[target])}
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


def check(scenario: str, over: float, most: int, evidence: Evidence) -> int:
    """Return the scenario's index; raise ``InputError`` for what cannot be asked, or if nothing can come."""
    problems = []
    if scenario not in SCENARIOS:
        expected = did_you_mean(scenario, SCENARIOS) or f"; expected one of {', '.join(SCENARIOS)}"
        problems.append(Problem("scenario", f"{scenario!r} is no scenario{expected}"))
    if not 0 < over < 1:
        problems.append(Problem("over", f"{over!r}, expected a probability between 0 and 1"))
    if most not in range(1, LARGEST + 1):
        problems.append(Problem("most", f"{most!r}, expected 1 to {LARGEST} events"))
    if not evidence.inside:
        as_of = evidence.specification.as_of
        what = f"is of {evidence.origin}, before the brief of {as_of}: there are no scenarios that news could speak for"
        problems.append(Problem("forecast", f"{what}; forecast at {as_of} or later first"))
    if not any(life.at_risk for life in evidence.focal):
        problems.append(Problem("forecast", "no proceeding of the matter is open: no event can come"))
    if problems:
        raise InputError(problems)
    return SCENARIOS.index(scenario)


def _tried(
    terms: EventSets, trial: _Trial, size: int, over: float
) -> tuple[list[dict[str, Any]], list[tuple[float, float, list[Supposed]]]]:
    """Return the likeliest sets of one size that are confirmed over ``over``, or else those that come nearest."""
    sets = terms.of_size(size)
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
    return found, [named(k) for k in np.lexsort((-density, -share.round(2)))[:SHOWN]]


@dataclass(frozen=True)
class _Trial:
    """Confirms sets: the forecast's posterior reweighted by them, as a what-if does it."""

    forecast: Forecast
    old: Posterior
    target: int
    branches: Branches

    def evidence(self, events: list[Supposed]) -> Evidence:
        """Return the evidence with these events, and nothing else in the focal matter, up to the day."""
        known, day = self.forecast.record, middle(self.old.evidence.origin)
        record = with_events(known, events) if events else known
        record = watched(record, known, (self.forecast.specification.matter,), day)
        return supposed_evidence(self.old.evidence, record, day)

    def confirmed(self, events: list[Supposed], log_density: float) -> dict[str, Any]:
        """Return one row of the table."""
        from arviz_stats.base import array_stats  # noqa: PLC0415  (ArviZ costs seconds to import)

        posterior, certificate = reweight(self.old, self.evidence(events), efficiency(self.forecast))
        chances = inside_weights(posterior.draws)[:, self.target].reshape(self.old.settings.chains, -1)
        b, regime = self.branches, self.old.evidence.regime
        places = [(b.cases.index(e.case), regime.family_of(e.kind, e.scope)) for e in events]
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


def middle(origin: date) -> date:
    """Return the day in the middle of the window, on which every supposed event stands."""
    return origin + timedelta(days=DAYS // 2)
