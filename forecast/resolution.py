"""Which class a matter turned out to have: the prior file's rule, the same on simulated courses and on the log.

crackdown if an event of certain families, an order of certain scopes, or certain families together; else significant
if fines of a certain sum, or an order of certain scopes; else limited if anything decisive happened or all closed; else
pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from forecast.sections import Resolution
from forecast.vocabulary import SCENARIOS, family_of

RESOLUTIONS = (*SCENARIOS, "pending")
PENDING = RESOLUTIONS.index("pending")
CLEAR = 0.8
"""Share of each latent scenario that must resolve as itself a priori."""
DECISIVE = ("executive", "order", "suspension", "fine", "commitments")
"""Families of which any event means that something has happened; until then a matter is pending."""


@dataclass(frozen=True)
class Clauses:
    """The rule's own numbers and names, plain enough to be kept beside a forecast. Amounts in EUR."""

    severe_families: tuple[str, ...]
    severe_scopes: tuple[str, ...]
    severe_together: tuple[str, ...]
    serious_scopes: tuple[str, ...]
    serious_fines: float


def clauses_of(rule: Resolution) -> Clauses:
    """Return what the prior file's rule says, without its provenance."""
    severe, serious = rule.crackdown, rule.significant
    return Clauses(
        severe.families, severe.order_scopes, severe.together, serious.order_scopes, serious.fine_total.value
    )


def classify(
    clauses: Clauses,
    seen: Mapping[str, ArrayLike],
    scopes: Mapping[str, ArrayLike],
    fines: ArrayLike,
    closed: ArrayLike,
) -> np.ndarray:
    """Return the rule's answer, elementwise, as an index into ``RESOLUTIONS``.

    ``seen``: whether an event of each family came; ``scopes``: whether an order of each scope did; ``fines``: their
    sum, EUR; ``closed``: whether every proceeding has closed. All of one shape, or single values.
    """
    severe = np.zeros(np.shape(fines), dtype=bool)
    if clauses.severe_together:
        severe = np.logical_and.reduce([np.asarray(seen[family]) for family in clauses.severe_together])
    for family in clauses.severe_families:
        severe = severe | np.asarray(seen[family])
    for scope in clauses.severe_scopes:
        severe = severe | np.asarray(scopes[scope])
    serious = np.asarray(fines) >= clauses.serious_fines
    for scope in clauses.serious_scopes:
        serious = serious | np.asarray(scopes[scope])
    decisive = np.logical_or.reduce([np.asarray(seen[family]) for family in DECISIVE]) | np.asarray(closed)
    return np.where(severe, 2, np.where(serious, 1, np.where(decisive, 0, PENDING)))


@dataclass(frozen=True)
class Happened:
    """What of a log the rule looks at: families and scopes of orders that occur, and the sum of fines, EUR."""

    families: tuple[str, ...]
    order_scopes: tuple[str, ...]
    fine_total: float


def happened(events: pd.DataFrame) -> Happened:
    """Return what the rule sees in rows of the log; a fine of unknown amount adds nothing to the sum."""
    families = [family_of(t, s) for t, s in zip(events["type"], events["scope"], strict=True)]
    is_order = [family == "order" for family in families]
    is_fine = [family == "fine" for family in families]
    return Happened(
        families=tuple(sorted({f for f in families if f})),
        order_scopes=tuple(sorted(set(events.loc[is_order, "scope"]))),
        fine_total=float(events.loc[is_fine, "amount_eur"].sum()),
    )
