"""Sizes of reference fines, changes of user counts and turnover, drawn from a world's truth: their laws told again.

    logit(share of ceiling) ~ Normal(size_mean + instrument, spread)
    log change of users     ~ drift months + noise sqrt(months) StudentT(4)
    log turnover figure     ~ Normal(log turnover, sd of the figure)

How many there are, of which instrument and service and over which months, is given. The focal matter's own figures
(amounts of its fines, its users after the brief) are not drawn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.observations import Observations
from forecast.simulator.hazards import Truth


def draw_figures(given: Observations, truth: Truth, rng: np.random.Generator) -> Observations:
    """Return the observations with sizes, user changes and turnover figures drawn anew from ``truth``."""
    instrument = np.exp(truth["log_instrument_scale"]) * truth["instrument_score"]
    drift = truth["drift_mean"] + np.exp(truth["log_drift_scale"]) * truth["drift_score"]
    spread, noise = np.exp(truth["log_size_spread"]), np.exp(truth["log_user_noise"])
    users = given.users[given.users[:, 5] == 0].copy()
    months, service = users[:, 1], users[:, 2].astype(int)
    if len(users):
        users[:, 0] = drift[service] * months + noise * np.sqrt(months) * rng.standard_t(4, len(users))
    size = np.zeros(0)
    if len(given.size):
        size = rng.normal(truth["size_mean"] + instrument[given.size_instrument], spread)
    turnover = rng.normal(truth["log_turnover"], given.turnover_sd)
    return replace(given, size=size, users=users, turnover=turnover)
