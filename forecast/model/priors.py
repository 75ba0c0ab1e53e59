"""The priors of the hazards: one normal per parameter, its dimensions, location and standard deviation.

Everything is on the scale of log hazards, where effects add up. The regime's file holds the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast.elicitation import log_normal, lognormal_from_range
from forecast.evidence.statements import Statements
from forecast.regime import Regime


@dataclass(frozen=True)
class NormalPrior:
    """Independent normals: ``loc`` and ``scale`` have the shape that ``dims`` name."""

    dims: tuple[str, ...]
    loc: np.ndarray
    scale: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return ``n`` independent draws, on a leading axis."""
        return rng.normal(self.loc, self.scale, (n, *self.loc.shape))

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Return the elementwise log density, for any leading axes."""
        return log_normal(values, self.loc, self.scale)


def coordinates(regime: Regime, statements: Statements | None = None) -> dict[str, tuple[str, ...]]:
    """Return the labels of every dimension of the hazards' parameters."""
    labels = {
        "family": regime.family_names,
        "authority_class": regime.class_names,
        "later_stage": regime.later_stages,
        "rule": tuple(rule.name for rule in regime.rules),
    }
    if statements is None:
        return labels
    names = [f"{regime.family_names[g.family]} {g.start:g}-{g.end:g}m" for g in statements.groups]
    return {**labels, "statement": tuple(names), "scenario": statements.scenarios}


def hazard_priors(regime: Regime) -> dict[str, NormalPrior]:
    """Return the priors of the reference class.

    ``rate[family]``: log events per month at the regime's reference age, stage, class and year.
    ``powers[authority_class, family]``, ``stage[later_stage, family]``: differences of log hazards.
    ``age[family]``: power of age. ``law[rule]``: log multiplier of a rule, or power of ripening. ``trend``: per year.
    """
    scales, families = regime.scales, regime.families.values()
    rates = [lognormal_from_range(f.rate.low, f.rate.high, f.rate.mass) for f in families]
    powers = np.array([_logs(regime, kind.powers) for kind in regime.classes.values()])
    stages = np.array([_logs(regime, regime.stages.get(stage, {})) for stage in regime.later_stages])
    return {
        "rate": NormalPrior(("family",), np.array([r.loc for r in rates]), np.array([r.scale for r in rates])),
        "powers": _around(("authority_class", "family"), powers, scales.powers.value),
        "stage": _around(("later_stage", "family"), stages, scales.stage.value),
        "age": _around(("family",), np.array([f.age for f in families]), scales.age.value),
        "law": NormalPrior(
            ("rule",),
            np.log([rule.multiplier for rule in regime.rules]),
            np.array([rule.sd for rule in regime.rules]),
        ),
        "trend": _around((), np.array(0.0), scales.trend.value),
    }


def statement_priors(statements: Statements) -> dict[str, NormalPrior]:
    """Return the priors of the errors of statements, as standard scores: shared by scenarios, and each one's own."""
    groups, scenarios = statements.location.shape
    return {
        "statement_shared": _around(("statement",), np.zeros(groups), 1.0),
        "statement_own": _around(("statement", "scenario"), np.zeros((groups, scenarios)), 1.0),
    }


def draw_priors(priors: Mapping[str, NormalPrior], n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ``n`` independent draws of every parameter."""
    return {name: prior.draw(n, rng) for name, prior in priors.items()}


def _logs(regime: Regime, multipliers: Mapping[str, float]) -> np.ndarray:
    return np.log([multipliers.get(family, 1.0) for family in regime.families])


def _around(dims: tuple[str, ...], loc: np.ndarray, scale: float) -> NormalPrior:
    return NormalPrior(dims, loc, np.full(loc.shape, scale))
