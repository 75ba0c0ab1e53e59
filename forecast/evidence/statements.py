"""What the analyst states about the focal matter, as the likelihood takes it: intervals, locations, weights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from forecast.elicitation import conditional_probabilities, statement_location
from forecast.regime import Regime
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH


class Group(NamedTuple):
    """One interval of one statement: the first event of a family within ``(start, end]`` months of ``as_of``."""

    family: int
    interval: int
    start: float
    end: float


@dataclass(frozen=True)
class Statements:
    """The statements of one brief.

    ``scenarios``: their names. ``pi``: their probabilities. ``groups``: the intervals, family by family.
    ``stated``: cumulative probability at the end of each group's interval, shape group, scenario. ``location``:
    where ``logit P(first event in the interval | none before)`` is centred, so that its mean is the stated one.
    ``error_sd``, ``shared``: sd of the error on the logit, and the correlation that scenarios share. ``tempo``: the
    shape k of the tempo's Gamma(k, k).
    """

    matter: str
    as_of: date
    scenarios: tuple[str, ...]
    pi: np.ndarray
    groups: tuple[Group, ...]
    stated: np.ndarray
    location: np.ndarray
    error_sd: float
    shared: float
    tempo: float

    @property
    def families(self) -> tuple[int, ...]:
        """Indices of the stated families."""
        return tuple(dict.fromkeys(group.family for group in self.groups))

    def last_day(self, group: Group) -> int:
        """Return the ordinal of the last day of a group's interval."""
        return self.as_of.toordinal() + round(group.end * DAYS_PER_MONTH)

    def first_day(self, group: Group) -> int:
        """Return the ordinal of the day before a group's interval begins."""
        return self.as_of.toordinal() + round(group.start * DAYS_PER_MONTH)

    def of_family(self, family: int) -> tuple[int, ...]:
        """Return the indices of a family's groups, in order of time."""
        return tuple(i for i, group in enumerate(self.groups) if group.family == family)


def statements_of(spec: Specification, regime: Regime) -> Statements:
    """Return the statements of a prior file, families in the regime's order."""
    names = tuple(name for name, _ in spec.scenarios.items())
    groups, stated, location = [], [], []
    for index, family in enumerate(regime.family_names):
        if family not in spec.statements.families:
            continue
        courses = [[s.value for s in own] for _, own in spec.statements.families[family].items()]
        ends = [s.within for s in spec.statements.families[family][names[0]]]
        groups += [Group(index, k, a, b) for k, (a, b) in enumerate(zip([0.0, *ends], ends, strict=False))]
        stated += np.transpose(courses).tolist()
        error = spec.statements.error_sd.value
        parts = [[statement_location(q, error) for q in conditional_probabilities(course)] for course in courses]
        location += np.transpose(parts).tolist()
    return Statements(
        matter=spec.matter,
        as_of=spec.as_of,
        scenarios=names,
        pi=np.array([case.probability.value for _, case in spec.scenarios.items()]),
        groups=tuple(groups),
        stated=np.array(stated).reshape(-1, len(names)),
        location=np.array(location).reshape(-1, len(names)),
        error_sd=spec.statements.error_sd.value,
        shared=spec.statements.shared.value,
        tempo=spec.statements.tempo.value,
    )
