"""New evidence without a new fit: stored draws are reweighted, with a certificate, or refused.

For stored draws theta_i of the posterior given the old evidence, the posterior given old and new evidence has weights

    log w_i = sum_k [ log p(new data_k | theta_i) - log p(old data_k | theta_i) ]

over every matter touched, silence included, and every other kind of data; Pareto-smoothed (Vehtari et al. 2024,
Pareto smoothed importance sampling, jmlr.org/papers/v25/19-556.html). Parameters that only the new evidence speaks of
(a provider, an instrument, a service unknown before) come from their prior, which is their old posterior. Conjugate
parts are drawn anew. The draws are then resampled in their order, so that repeated ones stand side by side: ESS and
Monte Carlo errors of the result, computed as of any draws, see what the weights cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from forecast.conjugate import draw_conjugate
from forecast.forecasting import Forecast, conclude, fit
from forecast.gathered import Evidence
from forecast.inference import MIN_ESS, Compiled, Draws, Posterior, Settings, gather
from forecast.joining import joined, silent_time
from forecast.monte_carlo import smoothed_weights
from forecast.outcomes import inside_weights
from forecast.progress import report, working
from forecast.requests import Request
from forecast.trees import stored_correction
from forecast.vocabulary import SCENARIOS

MAX_K_HAT = 0.7
"""Largest Pareto shape with which smoothed weights are trusted (Vehtari et al. 2024)."""

SLOPE = 0.02
"""Half width, in probability, over which the density at a median is taken."""


@dataclass(frozen=True)
class Certificate:
    """How far reweighted draws can be trusted.

    ``k_hat``: Pareto shape of the largest weights. ``ess``: effective draws, ``efficiency`` times their number;
    ``efficiency`` counts the losses of earlier updates too. ``scenario_error``: expected Monte Carlo error of each
    scenario's probability in the forecast's view.
    """

    k_hat: float
    ess: float
    efficiency: float
    scenario_error: dict[str, float]

    @property
    def failures(self) -> list[str]:
        """Return why the weights are not to be trusted, in words; empty when they are."""
        found = []
        if not self.k_hat < MAX_K_HAT:
            found.append(f"k-hat {self.k_hat:.2f}, below {MAX_K_HAT:g} expected")
        if not self.ess >= MIN_ESS:
            found.append(f"{self.ess:.0f} effective draws, at least {MIN_ESS} expected")
        return found


@working("Updating")
def update(
    forecast: Forecast,
    additions: Mapping[str, Path | str | pd.DataFrame],
    origin: date | str | None = None,
    *,
    refit: bool = False,
    late: bool = False,
    assume_silence: bool = False,
    complete_until: date | str | None = None,
) -> Forecast:
    """Return the forecast with new rows of the record, at a later origin: reweighted where certified, else refitted.

    ``additions`` and ``complete_until`` are as in ``append``. The default origin is the last publication among the new
    rows, or ``complete_until``; no row may be published after it. Reweighted draws must pass the gate of sampled ones,
    or there is a new fit. ``refit`` asks for one whatever the certificate says. ``late`` admits rows that were public
    by the old origin and were missed then. ``assume_silence`` takes an origin after the last complete day of the joined
    record, as in ``run``. What was done is kept in ``diagnostics["update"]``, with the open proceedings that were
    looked at since the old origin and had no event (``silent_proceedings``), and their days of silence, summed over
    them (``silent_days``). Raises ``InputError`` on bad input, ``NotConvergedError`` if a new fit does not pass the
    gate.
    """
    request = joined(
        forecast, additions, origin, late=late, assume_silence=assume_silence, complete_until=complete_until
    )
    return updated(forecast, request, refit=refit)


def updated(forecast: Forecast, request: Request, *, refit: bool = False) -> Forecast:
    """Return the forecast that ``update`` returns, given what was joined to it."""
    spec, record, day = request
    was, settings = date.fromisoformat(forecast.manifest["origin"]), settings_of(forecast)
    correction = stored_correction(forecast.tree, spec)
    evidence = gather(spec, record, day, correction=correction)
    before = efficiency(forecast)
    told: dict[str, object] = {"from_origin": str(was), "from_record": forecast.manifest["record_fingerprint"]}
    told |= dict(zip(("silent_proceedings", "silent_days"), silent_time(record.as_of(day), was, day), strict=True))
    reasons = ["asked for"] if refit else []
    if spec.pooling.value < 1:
        reasons.append("pooling below 1 needs the fit at the brief's date")
    if not reasons:
        known = gather(spec, forecast.record, was, correction=correction)
        old = stored(known, settings, forecast.tree, forecast.tables["posterior_summary"])
        posterior, certificate = reweight(old, evidence, before)
        told |= asdict(certificate)
        reasons = certificate.failures + posterior.failures
    if reasons:
        report(f"Fitting anew ({'; '.join(reasons)})")
        posterior = fit(Compiled(evidence), evidence, record, settings)
        told["efficiency"] = 1.0
    result = conclude(posterior, record.as_of(day), forecast)
    if not reasons:
        told["median_error"] = median_errors(result.outcomes, certificate.ess)
    told |= {"method": "refitted" if reasons else "reweighted", "reasons": reasons}
    return replace(result, diagnostics={**result.diagnostics, "update": told})


def median_errors(outcomes: xr.Dataset, ess: float) -> dict[str, dict[str, float]]:
    """Return the expected Monte Carlo error of each target's median, by target and horizon, in the target's unit.

    ``sqrt(1/4 / ess) / f(median)``, the density f as a finite difference of the quantile function. Targets that are
    zero or one have no median worth an error; one that no draw defines has none at all.
    """
    errors: dict[str, dict[str, float]] = {}
    for name, target in outcomes.data_vars.items():
        if name == "scenario" or target.attrs["units"] == "probability":
            continue
        for horizon, draws in zip(outcomes["horizon"].values, target.values.T, strict=True):
            known = draws[~np.isnan(draws)]
            if len(known):
                low, high = np.quantile(known, (0.5 - SLOPE, 0.5 + SLOPE))
                spread = 0.5 / np.sqrt(ess * len(known) / len(draws)) * (high - low) / (2 * SLOPE)
                errors.setdefault(str(name), {})[str(horizon)] = float(spread)
    return errors


def efficiency(forecast: Forecast) -> float:
    """Return the share of the draws that earlier reweighting left."""
    return float(forecast.diagnostics.get("update", {}).get("efficiency", 1.0))


def settings_of(forecast: Forecast) -> Settings:
    """Return how a forecast was sampled."""
    draws, tune, chains, seed = (int(forecast.tree.attrs[f"settings_{k}"]) for k in ("draws", "tune", "chains", "seed"))
    return Settings(draws=draws, tune=tune, chains=chains, seed=seed)


def reweight(
    old: Posterior,
    evidence: Evidence,
    efficiency: float = 1.0,
) -> tuple[Posterior, Certificate]:
    """Return the posterior given ``evidence`` by reweighting the draws of ``old``, and its certificate.

    ``efficiency``: that of the draws of ``old`` if they were reweighted before. Both must be of one prior file.
    """
    rng = np.random.default_rng([old.settings.seed, 6, evidence.origin.toordinal()])
    sampled = {k: old.draws.flat[k] for k in old.raw}
    wide = widened(sampled, old.evidence, evidence, rng)
    exact = draw_conjugate(evidence.specification, evidence.observations, len(old.draws), rng)
    new = Draws(evidence, {**wide, **exact})
    log_weight, k_hat = smoothed(total_log_likelihood(new) - total_log_likelihood(old.draws))
    weight = np.exp(log_weight)
    kept = float(efficiency / (len(weight) * (weight**2).sum()))
    certificate = Certificate(k_hat, kept * len(weight), kept, _scenario_error(new, weight, kept))
    rows = resampled(weight, rng)
    shape = (old.settings.chains, old.settings.draws)
    return (
        Posterior(
            evidence=evidence,
            settings=old.settings,
            raw={k: v[rows].reshape(*shape, *v.shape[1:]) for k, v in wide.items()},
            exact={k: v.reshape(*shape, *v.shape[1:]) for k, v in exact.items()},
            statistics={k: v.ravel()[rows].reshape(shape) for k, v in old.statistics.items()},
            r_hat=old.diagnostics["r_hat"] if old.r_hat is None else old.r_hat,
        ),
        certificate,
    )


def total_log_likelihood(draws: Draws) -> np.ndarray:
    """Return ``log p(all data | theta)`` of each draw, up to a constant of the data."""
    return np.sum(list(draws.log_likelihoods.values()), axis=0)


def smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Return normalised, Pareto-smoothed log weights and their k-hat; equal ratios give equal weights and k-hat 0."""
    if np.ptp(log_ratio) < 1e-9:
        return np.full(len(log_ratio), -np.log(len(log_ratio))), 0.0
    return smoothed_weights(log_ratio)


def resampled(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of a systematic resample, in their order: row i stands about ``n weight_i`` times."""
    points = (np.arange(len(weight)) + rng.random()) / len(weight)
    return np.minimum(np.searchsorted(np.cumsum(weight), points), len(weight) - 1)


def widened(
    sampled: dict[str, np.ndarray], old: Evidence, new: Evidence, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return draws with the labels of the new evidence: known elements as drawn, new ones from their prior."""
    wide = {}
    for name, prior in new.priors.items():
        if name not in sampled:  # errors of statements, where the brief was not known yet
            wide[name] = prior.draw(len(next(iter(sampled.values()))), rng)
            continue
        values = sampled[name]
        n, shape = len(values), prior.loc.shape
        drawn = prior.draw(n, rng) if values.shape[1:] != shape else np.empty((n, *shape))
        places = [[new.coords[d].index(label) for label in old.coords[d]] for d in prior.dims]
        drawn[np.ix_(range(n), *places)] = values
        wide[name] = drawn
    return wide


def _scenario_error(draws: Draws, weight: np.ndarray, kept: float) -> dict[str, float]:
    """``sqrt(sum w (p - mean)^2 / ess)``: error of each scenario's weighted mean probability; 0 before the brief."""
    if not draws.evidence.inside:
        return dict.fromkeys(SCENARIOS, 0.0)
    chances = inside_weights(draws)
    spread = weight @ (chances - weight @ chances) ** 2
    return dict(zip(SCENARIOS, np.sqrt(spread / (kept * len(weight))).tolist(), strict=True))


def stored(evidence: Evidence, settings: Settings, tree: xr.DataTree, summary: pd.DataFrame) -> Posterior:
    """Return the posterior that a forecast holds; ``evidence`` is gathered from its record at its origin."""
    group = tree["posterior"].to_dataset()
    exact = draw_conjugate(evidence.specification, evidence.observations, 1, np.random.default_rng(0))
    return Posterior(
        evidence=evidence,
        settings=settings,
        raw={k: group[k].values for k in evidence.priors},
        exact={k: group[k].values for k in exact},
        statistics={str(k): v.values for k, v in tree["sample_stats"].data_vars.items()},
        r_hat=summary.set_index("parameter")["r_hat"],
    )
