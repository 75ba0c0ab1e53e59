"""How to sample, and the range of every number of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral

from forecast.files import InputError, Problem

RANGES = {"draws": (10, 20_000), "tune": (1, 20_000), "chains": (2, 32), "seed": (0, 2**63 - 1)}
"""Least and largest number of each setting."""


@dataclass(frozen=True)
class Settings:
    """How to sample: draws and tuning steps per chain, chains, and the seed of everything random.

    Raises ``InputError`` for numbers outside ``RANGES``. ``progress``: show the sampler's own bar.
    """

    draws: int = 1200
    tune: int = 400
    chains: int = 4
    seed: int = 20260203
    progress: bool = False

    def __post_init__(self) -> None:
        problems = [
            Problem(name, f"{value!r}, expected a whole number from {low} to {high}")
            for name, (low, high) in RANGES.items()
            if not is_whole(value := getattr(self, name)) or not low <= value <= high
        ]
        if problems:
            raise InputError(problems)

    @property
    def doubled(self) -> Settings:
        """The same with twice as many steps, as far as they may go."""
        most = {name: min(2 * getattr(self, name), RANGES[name][1]) for name in ("draws", "tune")}
        return replace(self, **most)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number: NumPy's count, true and false do not."""
    return isinstance(value, Integral) and not isinstance(value, bool)
