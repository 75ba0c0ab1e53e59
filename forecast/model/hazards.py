"""Hazards of the reference class as a function of parameters and covariates: one formula, for NumPy and PyTensor.

    log h[c, e] = rate[e] + powers[class(c), e] + stage[stage(c), e] + age[e] log_age(c)
                + sum over rules r of law[r] value[c, r] concerns[r, e] + trend year(c)

for cell c and family e; ``stage`` is 0 in a procedure's first stage. Units: events per month and proceeding.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from forecast.evidence.cells import Covariates
from forecast.regime import Regime


def log_hazards(values: Mapping[str, Any], cells: Covariates, regime: Regime, xp: ModuleType = np) -> Any:
    """Return log hazards per month, shape (..., cell, family); ``values`` may have leading axes of draws in NumPy."""
    law = values["law"][..., None, :] * cells.rules
    stage = stage_effects(values["stage"], regime, xp)
    return (
        values["rate"][..., None, :]
        + values["powers"][..., cells.authority_class, :]
        + stage[..., cells.stage, :]
        + values["age"][..., None, :] * cells.log_age[:, None]
        + law @ regime.rule_table.families.astype(float)
        + values["trend"][..., None, None] * cells.year[:, None]
    )


def stage_effects(stage: Any, regime: Regime, xp: ModuleType = np) -> Any:
    """Return the effects of all stages, shape (..., stage, family): zero for the first stage of each procedure."""
    zero = xp.zeros_like(stage[..., :1, :])
    parts, taken = [], 0
    for names in regime.procedures.values():
        parts += [zero, stage[..., taken : taken + len(names) - 1, :]]
        taken += len(names) - 1
    return xp.concatenate(parts, axis=-2)
