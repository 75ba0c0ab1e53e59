"""The headline answers of a forecast, with all draws under all scenarios, for any weights of the draws.

Every draw is simulated under each scenario and weighs ``w_i p_i(s)``: probabilities of the scenarios then move answers
exactly, and two readings of one brief share their random numbers. Amounts of fines have random numbers of their own, so
that other ranges, or another turnover, leave every course as it was. Errors leave out blocks of draws (``valuation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from forecast.attribution import valuation
from forecast.attribution.bridge import BLOCKS
from forecast.inference import Draws
from forecast.outcomes import Future, imagine
from forecast.penalties import fine_amounts
from forecast.summaries import targets
from forecast.vocabulary import SCENARIOS
from forecast.watchlist import Statute

EVENTS = ("findings", "executive", "order", "suspension", "fine", "commitments", "closure", "appeal")
TARGETS = (
    *(f"resolved_scenario:{name}" for name in SCENARIOS),
    *(f"event:{name}" for name in EVENTS),
    *("fine_imposed", "fine_largest", "fine_left"),
    *("valuation_change", "user_attrition", "moderation_spending", "total_cost"),
)
"""The headline targets; those are left out that a forecast does not have."""
KEYS = ["target", "scenario", "horizon_months", "statistic", "unit"]
"""What names an answer: as in the summary of a forecast, or ``view`` and ``outside`` of a scenario now."""


def futures(draws: Draws, law: Statute, seed: int, replicate: int = 0) -> tuple[Future, ...]:
    """Return one simulated future of every draw under each scenario; every ``replicate`` is another one."""
    n = len(draws)
    return tuple(
        imagine(draws, law.ceilings, law.instruments, _rng(seed, 10, s, replicate), scenario=np.full(n, s))
        for s in range(len(SCENARIOS))
    )


def _rng(seed: int, what: int, scenario: int, replicate: int) -> np.random.Generator:
    return np.random.default_rng([seed, what, scenario, replicate])


def reread(future: Future, draws: Draws, law: Statute, seed: int, replicate: int = 0) -> Future:
    """Return the same courses with the amounts, impacts and costs of ``draws``, which may be of another reading.

    What a ruling leaves of a fine keeps its share.
    """
    rng = _rng(seed, 11, int(future.scenario[0]), replicate)
    amount = fine_amounts(
        draws, future.scenario, future.fine_path, future.fine_proceeding, law.ceilings, law.instruments, rng
    )
    kept = future.fine_left / future.fine_amount
    return replace(future, draws=draws, ceilings=law.ceilings, fine_amount=amount, fine_left=amount * kept)


def scores_of_fines(future: Future, seed: int, replicate: int = 0) -> np.ndarray:
    """Return the standard normal scores behind the amounts that ``reread`` draws, one a fine."""
    return _rng(seed, 11, int(future.scenario[0]), replicate).standard_normal(len(future.fine_path))


def outcomes(courses: Sequence[Future]) -> xr.Dataset:
    """Return the draws of the headline targets, scenario after scenario."""
    parts = [targets(future) for future in courses]
    names = [name for name in TARGETS if name in parts[0]]
    return xr.concat([part[names] for part in parts], dim="draw")


def labels(drawn: xr.Dataset) -> pd.DataFrame:
    """Return what each answer is: columns ``KEYS``."""
    named = valuation.labels(drawn, [str(name) for name in drawn.data_vars])
    return named.loc[named["statistic"] != "log_odds"].reset_index(drop=True)


class Answers:
    """The answers that draws of targets imply; ``view`` and ``outside`` are scenario probabilities by draw."""

    def __init__(self, drawn: xr.Dataset, view: np.ndarray, outside: np.ndarray):
        names = [str(name) for name in drawn.data_vars]
        self._ranked = valuation.rank(drawn, names)
        self._wanted = (valuation.labels(drawn, names)["statistic"] != "log_odds").to_numpy()
        self._view = view
        chances = {"view": view, "outside": outside}
        self._chances = {name: np.tile(values, (len(SCENARIOS), 1)) for name, values in chances.items()}

    def value(self, weight: np.ndarray) -> np.ndarray:
        """Return the answers for weights of the draws, shape 1 + blocks, answer: all draws, then without each block."""
        block = np.arange(len(weight)) * BLOCKS // len(weight)
        kept = np.vstack([np.ones(len(weight)), np.arange(BLOCKS)[:, None] != block])
        rows = kept * weight
        rows /= rows.sum(axis=1, keepdims=True)
        joint = np.concatenate([rows * self._view[:, s] for s in range(len(SCENARIOS))], axis=1)
        return valuation.value(self._chances, self._ranked, joint)[:, self._wanted]
