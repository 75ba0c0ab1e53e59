"""Leave one matter out: what each matter of the record adds to what is known of all of them, and to the answers.

Without matter m the shared parameters have the weights ``1 / p(record of m | theta_i)``, Pareto-smoothed (Vehtari,
Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4). Where k-hat says that the draws do not reach that far, the model
is fitted anew without the matter's months and events. ``elpd`` is the log predictive density of a matter's record given
all the others; news is part of the focal matter's record. The focal matter left out is left out as evidence about
others: its own future still starts from its own history. Scenario probabilities that were pooled with the outside view
stay as they were pooled.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.sparse import csr_array, diags_array
from scipy.special import logsumexp

from forecast.attribution.valuation import error
from forecast.evidence.gathering import HazardEvidence
from forecast.inference import Draws
from forecast.progress import report, working
from forecast.sensitivity.answers import KEYS
from forecast.sensitivity.weighing import SAME
from forecast.sensitivity.worlds import Worlds
from forecast.updating import MAX_K_HAT

QUICKER = "Quicker: --quick fits nothing anew and leaves them out of reach."
IMPORTANCE, REFITTED, UNREACHED = "importance weights", "refitted", "out of reach"


def leave_one_out(worlds: Worlds, *, refit: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``matters``, a row each, and ``matter_moves``, each answer without each matter.

    ``matters``: ``elpd``, ``p`` (how much better the matter is predicted with itself known, in nats), ``k_hat``,
    ``ess``, ``method``. ``refit``: fit anew where k-hat is too large; what is not is ``out of reach``, and its answers
    are missing.
    """
    seen, n = worlds.base, len(worlds.base.draws)
    hazards, focal = seen.draws.evidence.hazards, seen.draws.evidence.specification.matter
    keys, stated = seen.answers.labels, seen.answers.value(np.full(n, 1 / n))
    density = matter_density(seen.draws)
    loo = importance(density, (worlds.settings.chains, worlds.settings.draws), _relative(worlds))
    reached = loo["k_hat"] < MAX_K_HAT
    may = [refit and not (name == focal and worlds.has_news) for name in hazards.matters]
    fitted = np.flatnonzero(~reached & may)
    if len(fitted):
        report(f"Fitting anew without each of {len(fitted)} matters that importance weights do not reach. {QUICKER}")
    matters, moves = [], []
    with working("Fits without a matter", len(fitted), "fits") as tell:
        for m, name in enumerate(hazards.matters):
            weight, k_hat, elpd = np.exp(loo["log_weights"][:, m]), float(loo["k_hat"][m]), float(loo["elpd"][m])
            method, values = UNREACHED, None
            if reached[m]:
                method, values = IMPORTANCE, seen.answers.value(weight)
            elif m in fitted:
                method, (values, elpd) = REFITTED, _without(worlds, m, name)
                tell()
            known = float(logsumexp(density[:, m]) - np.log(n))
            matters.append((name, *_size(hazards, m), elpd, known - elpd, k_hat, 1 / (weight**2).sum(), method))
            moves.append(_moved(keys, name, stated, values))
    report(f"Left out each of {len(matters)} matters")
    columns = ["matter", "proceedings", "months", "events", "elpd", "p", "k_hat", "ess", "method"]
    return pd.DataFrame(matters, columns=columns), pd.concat(moves, ignore_index=True)


def matter_density(draws: Draws) -> np.ndarray:
    """Return ``log p(record of matter | theta)``, shape draw, matter; that of the focal one with its news."""
    evidence = draws.evidence
    news = logsumexp(draws.log_news + evidence.log_pi, axis=1)
    own = np.array([name == evidence.specification.matter for name in evidence.hazards.matters])
    return draws.by_matter + own * news[:, None]


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


def emptied(hazards: HazardEvidence, matter: int) -> HazardEvidence:
    """Return the evidence without a matter's months and events, news apart: they have likelihood 1; labels stay."""
    cells, shape = hazards.cells, hazards.cells.months.shape
    own = [table[[matter]].toarray().reshape(shape) for table in (hazards.matter_months, hazards.matter_count)]
    rest = replace(cells, months=np.maximum(cells.months - own[0], 0.0), count=cells.count - own[1])
    others = diags_array((np.arange(len(hazards.matters)) != matter).astype(float))
    months, count = (csr_array(others @ table) for table in (hazards.matter_months, hazards.matter_count))
    return replace(hazards, cells=rest, matter_months=months, matter_count=count)


def _without(worlds: Worlds, matter: int, name: str) -> tuple[np.ndarray, float]:
    """Return the answers of a fit without a matter, and the log predictive density of its record."""
    evidence = worlds.base.draws.evidence
    again = worlds.without(replace(evidence, hazards=emptied(evidence.hazards, matter)), f"without {name}")
    density = matter_density(again.draws)[:, matter]
    return again.values, float(logsumexp(density) - np.log(len(density)))


def _size(hazards: HazardEvidence, matter: int) -> tuple[int, float, int]:
    """Proceedings, months at risk (of the family with most), and events of a matter that enter the likelihood."""
    own = sum(life.matter_id == hazards.matters[matter] for life in hazards.lives)
    months = hazards.matter_months[[matter]].toarray().reshape(hazards.cells.months.shape)
    return own, float(months.sum(axis=0).max(initial=0.0)), int(hazards.matter_count[[matter]].sum())


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
