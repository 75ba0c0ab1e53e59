"""Which class a matter turned out to have: the prior file's rule, the same on simulated courses and on the log.

crackdown if an event of certain families, or certain families together; else significant if fines of a certain sum, or
an event of certain other families; else limited if anything decisive happened or all closed; else pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from forecast.record import Record
from forecast.sections import Resolution
from forecast.vocabulary import FAMILIES, SCENARIOS, family_of

RESOLUTIONS = (*SCENARIOS, "pending")
PENDING = RESOLUTIONS.index("pending")
CLEAR = 0.8
"""Share of each latent scenario that must resolve as itself a priori."""
DECISIVE = (
    "executive",
    "order.specific",
    "order.extensive",
    "order.filtering",
    "suspension",
    "fine",
    "commitments",
)
"""Families of which any event means that something has happened; until then a matter is pending."""


@dataclass(frozen=True)
class Clauses:
    """The rule's own numbers and names, plain enough to be kept beside a forecast. Amounts in EUR."""

    severe_families: tuple[str, ...]
    severe_together: tuple[str, ...]
    serious_families: tuple[str, ...]
    serious_fines: float


def clauses_of(rule: Resolution) -> Clauses:
    """Return what the prior file's rule says, without its provenance."""
    severe, serious = rule.crackdown, rule.significant
    return Clauses(severe.families, severe.together, serious.families, serious.fine_total.value)


def classify(
    clauses: Clauses,
    seen: Mapping[str, ArrayLike],
    fines: ArrayLike,
    related: ArrayLike,
    closed: ArrayLike,
) -> np.ndarray:
    """Return the rule's answer, elementwise, as an index into ``RESOLUTIONS``.

    ``seen``: whether an event of each family came. ``fines``: their sum, EUR. ``related``: whether an executive charge
    stands beside a fine of the same proceeding, or beside one of at least ``serious_fines``. ``closed``: whether every
    proceeding has closed. All of one shape, or single values.
    """
    severe = np.zeros(np.shape(fines), dtype=bool)
    if clauses.severe_together:
        severe = np.logical_and.reduce([np.asarray(seen[family]) for family in clauses.severe_together])
        if {"executive", "fine"} <= set(clauses.severe_together):
            severe = severe & np.asarray(related)
    for family in clauses.severe_families:
        severe = severe | np.asarray(seen[family])
    serious = np.asarray(fines) >= clauses.serious_fines
    for family in clauses.serious_families:
        serious = serious | np.asarray(seen[family])
    decisive = np.logical_or.reduce([np.asarray(seen[family]) for family in DECISIVE]) | np.asarray(closed)
    return np.where(severe, 2, np.where(serious, 1, np.where(decisive, 0, PENDING)))


@dataclass(frozen=True)
class Happened:
    """What of a log the rule looks at.

    ``families`` that occur; ``fine_total``: sum of fines, EUR; ``fined``: largest fine, EUR, by proceeding;
    ``charged``: proceedings with an executive charge.
    """

    families: tuple[str, ...]
    fine_total: float
    fined: Mapping[str, float]
    charged: tuple[str, ...]

    def related(self, clauses: Clauses) -> bool:
        """Return whether an executive charge stands beside a fine of its proceeding or beside a large one."""
        return bool(self.charged) and (
            any(case in self.fined for case in self.charged)
            or any(amount >= clauses.serious_fines for amount in self.fined.values())
        )


def happened(events: pd.DataFrame) -> Happened:
    """Return what the rule sees in rows of the log; a fine of unknown amount adds nothing to the sum."""
    families = [family_of(t, s) for t, s in zip(events["type"], events["scope"], strict=True)]
    rows = events.assign(family=families)
    fines = rows.loc[rows["family"] == "fine"].assign(amount_eur=lambda x: x["amount_eur"].fillna(0.0))
    return Happened(
        families=tuple(sorted({f for f in families if f})),
        fine_total=float(fines["amount_eur"].sum()),
        fined={str(case): float(amount) for case, amount in fines.groupby("case_id")["amount_eur"].max().items()},
        charged=tuple(sorted(set(rows.loc[rows["family"] == "executive", "case_id"]))),
    )


def base_rate(known: Record, clauses: Clauses, matter: str) -> dict[str, int]:
    """Return how the rule answers for the record's other matters, by class, those that are resolved.

    A matter is resolved where something decisive has happened in it, or all its proceedings have closed. ``known`` is
    cut to a day and free of superseded events.
    """
    counts = dict.fromkeys(SCENARIOS, 0)
    cases = known.proceedings.loc[known.proceedings["matter_id"] != matter]
    events = known.events.merge(cases[["case_id", "matter_id"]], on="case_id")
    for name, own in cases.groupby("matter_id"):
        seen = happened(events.loc[events["matter_id"] == name])
        closed = bool(own["closed_on"].notna().all())
        came = {family: family in seen.families for family in FAMILIES}
        answer = int(classify(clauses, came, seen.fine_total, seen.related(clauses), closed))
        if answer != PENDING:
            counts[SCENARIOS[answer]] += 1
    return counts
