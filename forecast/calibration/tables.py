"""From worlds to tables: uniformity, coverage, reliability of the scenarios, how soon they are recognised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from forecast.calibration.examining import Examined
from forecast.calibration.learning import EVERY, SURE, Step, recognised
from forecast.calibration.quantities import KINDS
from forecast.calibration.uniformity import departure, holm, p_value
from forecast.scores import brier_score, log_score
from forecast.vocabulary import SCENARIOS

ERROR = 0.01
"""Probability that a calibrated model is found wanting: over all quantities, an equal share for each kind."""
LEVELS = (0.5, 0.8, 0.9)
BINS = np.array([0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
"""Edges of the bins of probabilities in the reliability table."""
ALL = "all"


def all_tables(examined: Sequence[Examined]) -> dict[str, pd.DataFrame]:
    """Return every table by name.

    ``worlds``: one row a world. ``ranks``: the PIT of every quantity in every world whose fit converged.
    ``uniformity``, ``coverage``: by quantity. ``scenario``: reliability of the probabilities of scenarios and events;
    ``scores``: their Brier and log scores. ``learning``: how soon each world's scenario was recognised;
    ``learning_curve``: its probability by month. ``power``: how likely departures of some sizes are found.
    """
    ranked = ranks(examined)
    return {
        "worlds": worlds(examined),
        "ranks": ranked,
        "uniformity": uniformity(ranked),
        "coverage": coverage(ranked),
        "scenario": reliability(examined),
        "scores": scores(examined),
        "learning": learning(examined),
        "learning_curve": learning_curve(examined),
        "power": power(ranked),
    }


def worlds(examined: Sequence[Examined]) -> pd.DataFrame:
    """Return one row a world: what it was, and how its fit went."""
    rows = [
        {
            "world": one.world,
            "months": one.months,
            "scenario": SCENARIOS[one.scenario],
            "events": one.events,
            "redrawn": one.redrawn,
            "fits": one.attempts,
            "converged": not one.failed,
            **one.worst,
            "failures": "; ".join(one.failed),
        }
        for one in examined
    ]
    return pd.DataFrame(rows)


def ranks(examined: Sequence[Examined]) -> pd.DataFrame:
    """Return one PIT a row: world, kind, quantity, pit."""
    rows = [
        (one.world, kind, name, value)
        for one in examined
        for kind in KINDS
        for name, value in one.pit.get(kind, {}).items()
    ]
    return pd.DataFrame(rows, columns=["world", "kind", "quantity", "pit"])


def uniformity(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return for each quantity how far its ranks are from uniform.

    ``departure``: the smallest pointwise tail probability of the ECDF; ``p_value``: of one that small in uniform ranks;
    ``adjusted``: for all quantities of the kind (Holm) and all kinds (Bonferroni); ``passed``: adjusted above 1 %.
    """
    rows = [
        (kind, name, len(pits), departure(pits) if len(pits) > 1 else 1.0, p_value(pits), float(pits.mean()))
        for (kind, name), pits in _by_quantity(ranked).items()
    ]
    columns = ["kind", "quantity", "worlds", "departure", "p_value", "mean_pit"]
    table = pd.DataFrame(rows, columns=columns)
    table["adjusted"] = 1.0
    for _, own in table.groupby("kind"):
        table.loc[own.index, "adjusted"] = np.minimum(holm(own["p_value"].to_numpy()) * len(KINDS), 1.0)
    return table.assign(passed=table["adjusted"] > ERROR)


SHIFTS, SPREADS = (0.25, 0.5, 0.75, 1.0), (0.5, 0.7, 1.4, 2.0)
"""Departures of which the power is stated: distance of the draws from where they belong, in their standard deviations;
standard deviation of the draws as a multiple of the right one."""
TRIALS = 200


def power(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return the probability with which one quantity that departs is found, among as many as the largest kind has.

    ``departure``: ``shift`` or ``spread``; ``size``; ``power``: share of simulated studies with as many worlds in which
    the Holm-Bonferroni threshold is passed, for a normal posterior: ``pit = Phi((z + shift) / spread)``.
    """
    columns = ["departure", "size", "worlds", "power"]
    if ranked.empty:
        return pd.DataFrame(columns=columns)
    worlds, rng = int(ranked["world"].nunique()), np.random.default_rng(1)
    most = int(ranked.groupby("kind")["quantity"].nunique().max())
    z, rows = rng.standard_normal((TRIALS, worlds)), []
    for name, sizes in (("shift", SHIFTS), ("spread", SPREADS)):
        for size in sizes:
            pits = norm.cdf(z + size if name == "shift" else z / size)
            found = [p_value(own) <= ERROR / len(KINDS) / most for own in pits]
            rows.append((name, size, worlds, float(np.mean(found))))
    return pd.DataFrame(rows, columns=columns)


def _by_quantity(ranked: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    groups = ranked.groupby(["kind", "quantity"], sort=False)["pit"]
    return {(str(kind), str(name)): pits.to_numpy() for (kind, name), pits in groups}


def coverage(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return how often central intervals hold the truth, by quantity and over all of a kind.

    A truth lies inside where ``|pit - 1/2| <= level / 2``: ties broken at random, intervals of yes/no targets too have
    their nominal coverage. ``low``, ``high``: 95 % range of the share if the level holds; of a quantity binomial, of
    a kind from the spread between worlds (from 0 to 1), for a world's quantities hang together.
    """
    rows = []
    inside = pd.DataFrame({level: (ranked["pit"] - 0.5).abs() <= level / 2 for level in LEVELS})
    groups = ranked[["world", "kind", "quantity"]].join(inside)
    for level in LEVELS:
        for kind, own in groups.groupby("kind", sort=False):
            by_world = own.groupby("world")[level].mean()
            spread = 1.96 * by_world.std() / np.sqrt(len(by_world)) if len(by_world) > 1 else np.nan
            ends = np.clip([level - spread, level + spread], 0, 1)
            rows.append((kind, ALL, level, len(by_world), by_world.mean(), *ends))
        for (kind, name), own in groups.groupby(["kind", "quantity"], sort=False)[level]:
            n = len(own)
            low, high = binom.ppf([0.025, 0.975], n, level) / n
            rows.append((kind, name, level, n, own.mean(), low, high))
    return pd.DataFrame(rows, columns=["kind", "quantity", "level", "worlds", "covered", "low", "high"])


def _forecasts(examined: Sequence[Examined]) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return by view: probabilities (row, class), what was true (index), and the world of each row.

    ``scenario``: the focal matter's. ``events``: stated first events within each horizon; the first class is "came".
    """
    used = [one for one in examined if not one.failed]
    scenario = [(one.inside, one.scenario, one.world) for one in used]
    events = [((p, 1 - p), int(came == 0), one.world) for one in used for p, came in one.forecasts]
    found = {}
    for view, rows, width in (("scenario", scenario, len(SCENARIOS)), ("events", events, 2)):
        p = np.array([row[0] for row in rows], dtype=float).reshape(-1, width)
        found[view] = (p, np.array([row[1] for row in rows], dtype=int), np.array([row[2] for row in rows], dtype=int))
    return found


def reliability(examined: Sequence[Examined]) -> pd.DataFrame:
    """Return how often what was given some probability came true, by view and bin of probability.

    ``expected`` is the mean probability in the bin, ``observed`` the share that came true, ``error`` the standard error
    of their difference: its spread between worlds, for what is said of one world hangs together.
    """
    rows = []
    for view, (p, truth, world) in _forecasts(examined).items():
        shown = 1 if view == "events" else p.shape[1]  # that an event does not come says the same again
        came = np.equal.outer(truth, np.arange(shown)).ravel().astype(float)
        said, where = p[:, :shown].ravel(), np.repeat(world, shown)
        bins = np.clip(np.searchsorted(BINS, said, side="right") - 1, 0, len(BINS) - 2)
        for b in range(len(BINS) - 1):
            own = bins == b
            if own.any():
                sums = pd.Series((came - said)[own]).groupby(where[own]).sum()
                error = np.sqrt((sums**2).sum()) / own.sum()
                rows.append((view, BINS[b], BINS[b + 1], own.sum(), said[own].mean(), came[own].mean(), error))
    columns = ["view", "bin_low", "bin_high", "forecasts", "expected", "observed", "error"]
    return pd.DataFrame(rows, columns=columns)


def scores(examined: Sequence[Examined]) -> pd.DataFrame:
    """Return mean scores of the probabilities of scenarios and events, by view; all are losses.

    ``brier``: squared error summed over classes; ``log``: minus the log probability of the true one; ``*_expected``:
    what the probabilities themselves expect these to be, ``brier_base``: the score of the mean frequencies.
    """
    rows = []
    for view, (p, truth, _) in _forecasts(examined).items():
        if len(p):
            came = np.eye(p.shape[1])[truth]
            own = p[np.arange(len(p)), truth]
            rows.append(
                {
                    "view": view,
                    "forecasts": len(p),
                    "brier": brier_score(p, came).sum(axis=1).mean(),
                    "brier_expected": (p * (1 - p)).sum(axis=1).mean(),
                    "brier_base": 1 - (came.mean(axis=0) ** 2).sum(),
                    "log": log_score(np.clip(own, 1e-12, 1), np.ones(len(own))).mean(),
                    "log_expected": -(p * np.log(np.clip(p, 1e-12, 1))).sum(axis=1).mean(),
                }
            )
    return pd.DataFrame(rows)


def learning(examined: Sequence[Examined]) -> pd.DataFrame:
    """Return one row a world: events and months until its scenario first had 80 % (infinite: not by the last horizon).

    ``held``: whether it still had 80 % at the last horizon; ``mistaken``: whether another scenario ever had 80 %.
    """
    rows = []
    for one in examined:
        if not one.failed:
            steps = _steps(one)
            events, months = recognised(steps, one.scenario)
            p = np.array([step.probabilities for step in steps])
            others = np.delete(p, one.scenario, axis=1)
            held, mistaken = bool(p[-1, one.scenario] >= SURE), bool((others >= SURE).any())
            rows.append((one.world, SCENARIOS[one.scenario], events, months, held, mistaken, steps[-1].events))
    columns = ["world", "scenario", "events", "months", "held", "mistaken", "events_in_all"]
    return pd.DataFrame(rows, columns=columns)


def learning_curve(examined: Sequence[Examined]) -> pd.DataFrame:
    """Return the mean probability of the true scenario by months since the brief, and how many worlds recognise it.

    By true scenario and over all; ``recognised``: share of worlds in which it has 80 %; ``mistaken``: in which another
    has.
    """
    rows = []
    for one in examined:
        for step in _steps(one):
            if step.months % EVERY == 0:
                own = step.probabilities[one.scenario]
                most = max(p for s, p in enumerate(step.probabilities) if s != one.scenario)
                rows.append((SCENARIOS[one.scenario], round(step.months), own, own >= SURE, most >= SURE))
    long = pd.DataFrame(rows, columns=["scenario", "months", "probability", "recognised", "mistaken"])
    both = pd.concat([long.assign(scenario=ALL), long])
    grouped = both.groupby(["scenario", "months"], sort=False)
    table = grouped[["probability", "recognised", "mistaken"]].mean()
    return table.assign(worlds=grouped.size()).reset_index()


def _steps(one: Examined) -> list[Step]:
    n = len(SCENARIOS)
    return [Step(step[0], step[1], tuple(step[2 : 2 + n])) for step in one.steps]
