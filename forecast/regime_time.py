"""How time enters the hazards of a regime: bands of age, of time in a stage, and of years."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import numpy as np
from pydantic import Field, Strict

from forecast.quantities import Base, Real

Positive = Annotated[Real, Field(gt=0)]


class Time(Base):
    """How time enters the hazards.

    ``log_age = log((min(months since opening, age_flat_after) + age_offset) / age_unit)``, rounded to multiples of
    ``age_band``; ripening likewise with the months since the stage began; ``year``: years since ``reference``, no
    earlier than ``earliest_year``, rounded to multiples of ``year_band``. Between the edges of these bands hazards are
    constant, so time at risk can be summed exactly.
    """

    reference: Annotated[date, Strict()]
    earliest_year: Real
    age_offset: Positive
    age_unit: Positive
    age_flat_after: Positive
    age_band: Positive
    ripening_offset: Positive
    ripening_unit: Positive
    ripening_band: Positive
    year_band: Positive

    def log_age(self, months: np.ndarray | float) -> np.ndarray:
        """Return the banded logarithm of age, for months since opening."""
        capped = np.minimum(months, self.age_flat_after) + self.age_offset
        return np.round(np.log(capped / self.age_unit) / self.age_band) * self.age_band

    def ripening(self, months: np.ndarray | float) -> np.ndarray:
        """Return the banded logarithm of time in a stage, for months since the stage began."""
        capped = np.minimum(months, self.age_flat_after) + self.ripening_offset
        return np.round(np.log(capped / self.ripening_unit) / self.ripening_band) * self.ripening_band

    def year(self, days: np.ndarray | float) -> np.ndarray:
        """Return the banded year, for days since ``reference``."""
        return np.round(np.maximum(np.asarray(days) / 365.25, self.earliest_year) / self.year_band) * self.year_band

    def age_edges(self) -> np.ndarray:
        """Return the months since opening at which ``log_age`` changes, ascending."""
        return _edges(self.age_offset, self.age_unit, self.age_band, self.age_flat_after)

    def ripening_edges(self) -> np.ndarray:
        """Return the months in a stage at which ``ripening`` changes, ascending."""
        return _edges(self.ripening_offset, self.ripening_unit, self.ripening_band, self.age_flat_after)


def _edges(offset: float, unit: float, band: float, flat_after: float) -> np.ndarray:
    first = np.round(np.log(offset / unit) / band)
    last = np.round(np.log((flat_after + offset) / unit) / band)
    edges = unit * np.exp((np.arange(first, last) + 0.5) * band) - offset
    return edges[(edges > 0) & (edges < flat_after)]
