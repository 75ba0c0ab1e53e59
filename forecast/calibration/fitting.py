"""One fit to one world: sample, look at the draws, and once again with more of them where they will not do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from forecast.gathered import Evidence
from forecast.inference import Compiled, Draws, Posterior, Settings

MAX_R_HAT, MIN_ESS, MAX_DIVERGENT = 1.05, 100, 0.005
"""Gate of a world's fit: R-hat, bulk and tail ESS of every parameter, share of divergent draws.

Ranks among some dozens of draws need fewer effective ones than the tails of a forecast do, whose gate is 1.01 and 400,
and R-hat scatters more around 1 the fewer there are.
"""
SETTINGS = Settings(draws=400, tune=350)
AGAIN = Settings(draws=2000, tune=1000)
"""How to sample each world, and those whose first draws do not pass."""


@dataclass(frozen=True)
class Fitted:
    """Draws of one world's posterior, and what there is to say of them; no ``failures`` where they may be used."""

    draws: Draws
    failures: tuple[str, ...] = ()
    attempts: int = 1
    worst: dict[str, float] = field(default_factory=dict)


Fit = Callable[[Evidence, int], Fitted]
"""From evidence and a seed to draws of the posterior."""


def sampler(compiled: Compiled, first: Settings = SETTINGS, again: Settings = AGAIN) -> Fit:
    """Return a fit by the compiled model."""

    def fit(evidence: Evidence, seed: int) -> Fitted:
        for attempt, settings in enumerate((first, again), 1):
            posterior = compiled.sample(evidence, replace(settings, seed=seed + attempt - 1))
            failures = shortcomings(posterior)
            if not failures:
                break
        return Fitted(posterior.draws, tuple(failures), attempt, _worst(posterior))

    return fit


def _worst(posterior: Posterior) -> dict[str, float]:
    table = posterior.diagnostics
    return {
        "r_hat": float(table["r_hat"].max()),
        "ess_bulk": float(table["ess_bulk"].min()),
        "ess_tail": float(table["ess_tail"].min()),
        "divergent": float(posterior.statistics["diverging"].mean()),
    }


def shortcomings(posterior: Posterior) -> list[str]:
    """Return what keeps the draws of one world from being ranked among; empty when all is well."""
    worst = _worst(posterior)
    checks = {
        f"R-hat {worst['r_hat']:.3f}, at most {MAX_R_HAT}": worst["r_hat"] <= MAX_R_HAT,
        f"bulk ESS {worst['ess_bulk']:.0f}, at least {MIN_ESS}": worst["ess_bulk"] >= MIN_ESS,
        f"tail ESS {worst['ess_tail']:.0f}, at least {MIN_ESS}": worst["ess_tail"] >= MIN_ESS,
        f"{worst['divergent']:.2%} divergent, at most {MAX_DIVERGENT:.1%}": worst["divergent"] <= MAX_DIVERGENT,
    }
    return [what for what, holds in checks.items() if not holds]


def thinned(draws: Draws, keep: int) -> Draws:
    """Return evenly spaced draws, nearly independent where there are fewer of them than effective ones."""
    return draws.take(np.linspace(0, len(draws) - 1, min(keep, len(draws))).astype(int))
