"""Leave one matter out: what each matter of the record adds to what is known of all of them, and to the answers.

Without matter m the shared parameters have the weights ``1 / p(record of m | theta_i)``, Pareto-smoothed (Vehtari,
Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4). Where k-hat says that the draws do not reach that far, the model
is fitted anew without the matter's months and events. ``elpd`` is the log predictive density of a matter's record given
all the others. The focal matter left out is left out as evidence about other matters: its own future still starts from
its own history. Scenario probabilities that were pooled with the outside view stay as they were pooled.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from forecast.attribution.valuation import error
from forecast.exposure import Exposure
from forecast.progress import report, working
from forecast.sensitivity.answers import KEYS, Answers, labels, outcomes
from forecast.sensitivity.weighing import SAME
from forecast.sensitivity.worlds import Read, Worlds
from forecast.updating import MAX_K_HAT

QUICKER = "Quicker: --quick fits nothing anew and leaves them out of reach."
IMPORTANCE, REFITTED, UNREACHED = "importance weights", "refitted", "out of reach"


def leave_one_out(worlds: Worlds, *, refit: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``matters``, a row each, and ``matter_moves``, each answer without each matter.

    ``matters``: ``elpd``, ``p`` (how much better the matter is predicted with itself known, in nats), ``k_hat``,
    ``ess``, ``method``. ``refit``: fit anew where k-hat is too large; what is not is ``out of reach``, and its answers
    are missing.
    """
    seen = worlds.base
    drawn = outcomes(seen.courses)
    answers, keys = Answers(drawn, seen.view, seen.world.outside), labels(drawn)
    n = len(seen.draws)
    stated = answers.value(np.full(n, 1 / n))
    density = matter_density(seen)
    loo = importance(density, (worlds.settings.chains, worlds.settings.draws), _relative(worlds))
    reached = loo["k_hat"] < MAX_K_HAT
    fitted = [m for m in np.flatnonzero(~reached) if refit and (m or not seen.draws.evidence.exposure.has_news)]
    if fitted:
        report(f"Fitting anew without each of {len(fitted)} matters that importance weights do not reach. {QUICKER}")
    matters, moves = [], []
    with working("Fits without a matter", len(fitted), "fits") as tell:
        for m, name in enumerate(seen.whole.evidence.exposure.matters):
            weight, k_hat, elpd = np.exp(loo["log_weights"][:, m]), float(loo["k_hat"][m]), float(loo["elpd"][m])
            method, values = UNREACHED, None
            if reached[m]:
                method, values = IMPORTANCE, answers.value(weight)
            elif m in fitted:
                method, (values, elpd) = REFITTED, _without(worlds, m, name)
                tell()
            known = float(logsumexp(density[:, m]) - np.log(n))
            matters.append((name, *_size(seen, m), elpd, known - elpd, k_hat, 1 / (weight**2).sum(), method))
            moves.append(_moved(keys, name, stated, values))
    report(f"Left out each of {len(matters)} matters")
    columns = ["matter", "proceedings", "months", "events", "elpd", "p", "k_hat", "ess", "method"]
    return pd.DataFrame(matters, columns=columns), pd.concat(moves, ignore_index=True)


def matter_density(seen: Read) -> np.ndarray:
    """Return ``log p(record of matter | theta)``, shape draw, matter."""
    draws = seen.whole
    return draws.matters.marginal(draws.effects["log_weight"], draws.evidence.constants.log_pi)


def importance(density: np.ndarray, shape: tuple[int, int], relative: float = 1.0) -> dict[str, np.ndarray]:
    """Return PSIS-LOO of ``density`` (draw, matter), as ArviZ computes it.

    ``elpd`` and ``k_hat`` by matter, ``log_weights`` (draw, matter), normalised. ``relative``: effective draws by draw.
    A matter of constant density (no months at risk) has equal weights, which have no tail.
    """
    from arviz_stats import loo  # noqa: PLC0415  (ArviZ costs seconds to import)

    told = {"elpd": density[0].copy(), "k_hat": np.zeros(density.shape[1])}
    log_weights = np.full(density.shape, -np.log(len(density)))
    speaks = np.ptp(density, axis=0) > SAME
    if speaks.any():
        values = xr.Dataset({"matters": (("chain", "draw", "matter"), density[:, speaks].reshape(*shape, -1))})
        tree = xr.DataTree.from_dict({"log_likelihood": values})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of large k-hats, which are told one by one
            found = loo(tree, pointwise=True, var_name="matters", reff=relative)
        told["elpd"][speaks], told["k_hat"][speaks] = found.elpd_i.values, found.pareto_k.values
        weights = found.log_weights.transpose("chain", "draw", "matter").values.reshape(len(density), -1)
        log_weights[:, speaks] = weights - logsumexp(weights, axis=0)
    return {**told, "log_weights": log_weights}


def _relative(worlds: Worlds) -> float:
    """Effective draws of the parameters on average, by draw; at most 1."""
    table = worlds.posterior.diagnostics["ess_bulk"]
    return float(min(1.0, table.mean() / len(worlds.posterior.draws)))


def emptied(exposure: Exposure, matter: int) -> Exposure:
    """Return the exposure without one matter's months and events: its likelihood is 1, and every label stays."""
    own = exposure.row_matter == matter
    kept = ~own[exposure.event_row]
    events = {name: getattr(exposure, name)[kept] for name in ("event_row", "event_family", "event_cell")}
    return replace(exposure, months=np.where(own[:, None], 0.0, exposure.months), **events)


def _without(worlds: Worlds, matter: int, name: str) -> tuple[np.ndarray, float]:
    """Return the answers of a fit without a matter, and the log predictive density of its record."""
    seen = worlds.base
    evidence = seen.whole.evidence
    rest = replace(evidence, exposure=emptied(evidence.exposure, matter))
    world = worlds.world_of(worlds.fit(rest, f"without {name}"), evidence, seen.world.law)
    again = worlds.light(world, evidence)
    values = Answers(outcomes(again.courses), again.view, world.outside).value(again.weight)
    density = matter_density(again)[:, matter]
    return values, float(logsumexp(density) - np.log(len(density)))


def _size(seen: Read, matter: int) -> tuple[int, float, int]:
    """Proceedings, months at risk and events of a matter's history."""
    x = seen.whole.evidence.exposure
    own = x.row_matter == matter
    return int(own.sum()), float(x.months[own].sum()), int(own[x.event_row].sum())


def _moved(keys: pd.DataFrame, name: str, stated: np.ndarray, values: np.ndarray | None) -> pd.DataFrame:
    """Return each answer with and without a matter, the move and its Monte Carlo error."""
    change = np.full_like(stated, np.nan) if values is None else values - stated
    se = np.full(len(keys), np.nan) if values is None else error(change)
    table = keys.assign(matter=name, base=stated[0], without=stated[0] + change[0], move=change[0], move_se=se)
    return table[["matter", *KEYS, "base", "without", "move", "move_se"]]


def total_elpd(matters: pd.DataFrame) -> tuple[float, float]:
    """Return the sum over the matters, and its standard error ``sqrt(n Var)``."""
    elpd = matters["elpd"].to_numpy()
    return float(elpd.sum()), float(np.sqrt(len(elpd) * elpd.var(ddof=0)))
