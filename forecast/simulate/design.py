"""What a world takes from the real record as given: which proceedings, opened and first seen when, under whose law."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.exposure import Exposure, build_exposure
from forecast.files import InputError, Problem
from forecast.observations import APPEALED, Observations, ceiling, instrument, observe
from forecast.parameters import Constants, constants, coordinates
from forecast.record import Record
from forecast.specification import Specification
from forecast.vocabulary import CLOSING_FAMILIES, DAYS_PER_MONTH, DECISION_FAMILIES, family_of

HALF_YEAR = 365.25 / 2
DISCLOSED_AFTER = 75
"""Days from the end of a half year of user counts to their publication: the next ones of the focal series."""


class Row(NamedTuple):
    """One proceeding as given; times in months since ``as_of``.

    ``entered``: its first sourced event, from which on it is observed; ``stage``: how far it had come then.
    ``is_observed``: False where that first step was its decision (``is_decision``: one that may close it).
    ``raising``: given events that raise the rate of new openings. ``cap``: ceiling of a fine, share of turnover.
    """

    case: str
    matter: int
    authority: int
    provider: int
    group: str
    opened: float
    entered: float
    stage: int
    is_observed: bool
    is_decision: bool
    raising: tuple[float, ...]
    cap: float
    instrument: int


@dataclass(frozen=True)
class Design:
    """Everything that no world changes.

    ``exposure`` and ``observations`` are the real record's at ``as_of``: their coordinates are those of all worlds,
    and of ``observations`` the number and kind of figures is used, never a figure.
    """

    specification: Specification
    record: Record
    exposure: Exposure
    observations: Observations

    @property
    def as_of(self) -> pd.Timestamp:
        """The brief's date."""
        return pd.Timestamp(self.specification.as_of)

    def months(self, day: pd.Timestamp) -> float:
        """Return months from ``as_of`` to a day."""
        return (day - self.as_of).days / DAYS_PER_MONTH

    @cached_property
    def constants(self) -> Constants:
        """The numbers that the prior file fixes."""
        return constants(self.specification, self.exposure)

    @cached_property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of the model's dimensions."""
        return coordinates(self.exposure, self.observations)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every proceeding, in the order of the exposure: the focal matter's first."""
        table, x = self.record.proceedings.set_index("case_id"), self.exposure
        return tuple(
            self._row(case, table.loc[case], int(m), int(a), int(p))
            for case, m, a, p in zip(x.cases, x.row_matter, x.row_class, x.row_provider, strict=True)
        )

    def _row(self, case: str, about: pd.Series, matter: int, authority: int, provider: int) -> Row:
        opened_on, _, log = self.record.logs[case]
        first = min(day for day, *_ in log if day >= opened_on)
        named = [(day, family_of(kind, scope)) for day, _, kind, scope in log if day <= first]
        entry = {family for day, family in named if day == first}
        cap = ceiling(self.record, about["instrument"], about["jurisdiction"])
        names, own = self.observations.instruments, instrument(about["instrument"])
        stage = 2 if entry & {*DECISION_FAMILIES} else int("findings" in entry)
        return Row(
            case, matter, authority, provider, about["provider_group"],
            opened=self.months(opened_on),
            entered=self.months(first),
            stage=stage,
            is_observed=not entry & {*CLOSING_FAMILIES},
            is_decision=bool(entry & {*DECISION_FAMILIES}),
            raising=tuple(self.months(d) for d, f in named if f in self.specification.openings.raised_by),
            cap=self.specification.fines.ceiling.value if cap is None else cap,
            instrument=names.index(own) if own in names else -1,
        )  # fmt: skip

    @cached_property
    def fines(self) -> pd.DataFrame:
        """The reference decisions with an amount: those of the focal matter are a world's own."""
        focal = self.record.events["case_id"].isin(self.exposure.cases[: self.exposure.n_focal])
        table = self.record.fines
        return table.loc[(table["amount_eur"] > 0) & ~table["event_id"].isin(self.record.events.loc[focal, "event_id"])]

    @cached_property
    def decided(self) -> np.ndarray:
        """Months from ``as_of`` to each reference decision of which it is known whether it was appealed."""
        known = self.fines["outcome"].isin([*APPEALED, "final"])
        return np.array([self.months(day) for day in self.fines.loc[known, "decided_on"]])

    @cached_property
    def designated(self) -> dict[str, tuple[float, float]]:
        """From when to when each provider is designated (infinite: still), in months since ``as_of``."""
        services = self.record.designated_services
        spans = {}
        for group, rows in services.groupby("provider_group"):
            ends = [np.inf if pd.isna(day) else self.months(day) for day in rows["ended_on"]]
            spans[str(group)] = (self.months(rows["designated_on"].min()), max(ends))
        return spans

    def user_news(self, until: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the focal series' counts that become public after ``as_of`` and by ``until`` (months since ``as_of``).

        The mid-periods before and at each count, shape n, 2, and the days of publication: half years on from the last
        known one, each published ``DISCLOSED_AFTER`` its end; none without such a series.
        """
        users, base = self.record.users, self.specification.users
        own = users.loc[users["series_id"] == base.series] if base else users.iloc[:0]
        if own.empty:
            return np.zeros((0, 2)), np.zeros(0)
        last = self.months((own["period_start"] + (own["period_end"] - own["period_start"]) / 2).max())
        step = HALF_YEAR / DAYS_PER_MONTH
        lag = step / 2 + DISCLOSED_AFTER / DAYS_PER_MONTH
        published = last + lag + step * np.arange(1, max(int((until - last) / step), 0) + 1)
        published = published[(published > 0) & (published <= until)]
        middles = np.array([last, *(published - lag)])
        return np.column_stack([middles[:-1], middles[1:]]), published


def design_of(specification: Specification, record: Record) -> Design:
    """Return what the worlds of a prior file take from a record, as it was public at the brief's date.

    Raises ``InputError`` where the record knows no open proceeding of the matter, or where the prior file pools the
    brief with the record: a scenario's probability would then depend on a fit, and no world could be drawn from it.
    """
    if specification.pooling.value != 1:
        what = f"{specification.pooling.value:g}: worlds are drawn from the brief's own probabilities; expected 1"
        raise InputError(Problem("pooling", what))
    known = record.as_of(specification.as_of).in_force()
    exposure = build_exposure(known, specification, specification.as_of)
    return Design(specification, known, exposure, observe(known, specification, specification.as_of))
