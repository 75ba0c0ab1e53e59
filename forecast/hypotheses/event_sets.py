"""The predictive density of every set of events in the focal matter on one day, after silence up to it.

On one day no event changes what another finds (stages count as they stood at the start of the day), so the
log-likelihood of a set is a sum of terms,

    log p(set, silence, news | s, theta) = log p(silence, news | s, theta) + sum_e a_e(s, theta) + G_m(s, theta)

with ``a_e`` the log hazard of the event (that of the matter's first stated event of a family: the brief's multiplier in
place of the tilt) and ``G_m`` what the frailty adds for the m events of the set that it drives. Sizes of fines are
left open. Thousands of sets cost no more than sums over the stored draws of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from scipy.special import logsumexp

from forecast.courses import FAMILY_INDEX, phase_of
from forecast.exposure import Exposure
from forecast.hypotheses.suppositions import Supposed
from forecast.inference import Draws, Evidence
from forecast.likelihood import base_hazards, first_hazards, row_effects
from forecast.record import Record
from forecast.vocabulary import FAMILIES, FAMILY_TYPES, SCOPES, STAGES

AT_ONCE = 3_000_000
"""Numbers of an array that are held at once."""


@dataclass(frozen=True)
class EventSets:
    """What the density of any set needs, by draw and scenario; candidates stand in the order of their families.

    ``silent``: ``log p(s, silence up to the day | known, theta)``. ``ordinary``, ``first``: the term of each
    candidate, alone or as the first of its stated family. ``frailty``: ``G_m`` by m.
    """

    candidates: tuple[Supposed, ...]
    silent: np.ndarray = field(repr=False)
    ordinary: np.ndarray = field(repr=False)
    first: np.ndarray = field(repr=False)
    frailty: np.ndarray = field(repr=False)
    stated: np.ndarray = field(repr=False)
    family: np.ndarray = field(repr=False)

    @property
    def silence(self) -> np.ndarray:
        """Probability of each scenario if nothing comes up to the day."""
        weight = np.exp(self.silent - self.silent.max()).sum(axis=0)
        return weight / weight.sum()

    def evaluate(self, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``p(s | set)`` (set, scenario) and the log predictive density of each set over that of silence.

        ``sets``: set, element; indices of candidates, rising. Densities are per month for each event.
        """
        rows = max(AT_ONCE // self.silent.size, 1)
        parts = [self._evaluate(sets[k : k + rows]) for k in range(0, len(sets), rows)]
        share, total = (np.concatenate(column) for column in zip(*parts, strict=True))
        return share, total - logsumexp(self.silent)

    def _evaluate(self, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = self.family[sets]
        again = np.array([[own[i, j] in own[i, :j] for j in range(sets.shape[1])] for i in range(len(sets))])
        leads = self.stated[sets] & ~again.reshape(sets.shape)
        log_joint = self.silent + self.frailty[(~leads).sum(axis=1)]
        for j in range(sets.shape[1]):
            log_joint += np.where(leads[:, j, None, None], self.first[sets[:, j]], self.ordinary[sets[:, j]])
        top = log_joint.max(axis=(1, 2), keepdims=True)
        by_scenario = np.exp(log_joint - top).sum(axis=1)
        whole = by_scenario.sum(axis=1)
        return by_scenario / whole[:, None], np.log(whole) + top[:, 0, 0]


def event_sets(known: Draws, silent: Evidence, record: Record, day: date, largest: int) -> EventSets:
    """Return the terms of every open focal proceeding and family on ``day``.

    ``known``: draws with the evidence that they were sampled with; ``silent``: the same evidence with nothing else up
    to ``day``, the focal matter's rows alone. ``largest``: the most events of a set.
    """
    draws, x = Draws(silent, known.flat), silent.exposure
    e, fixed = draws.effects, silent.constants
    rows = np.flatnonzero(x.is_open[: x.n_focal])
    row, family = (np.tile(rows, len(FAMILIES)), np.repeat(np.arange(len(FAMILIES)), len(rows)))
    cell = phase_of(x.age[row]) * len(STAGES) + x.stage[row]
    base, effect = base_hazards(e), row_effects(e, x)
    hazard = np.log(base[:, family, cell] * effect[:, row, family]).T[..., None]
    ordinary = hazard + e["loading"][:, family].T[..., None] * e["severity"]
    group = np.array([_group(x, FAMILIES[f]) for f in family])
    if x.inside:  # an order of a set is a specific one, and its scope speaks too
        ordinary = ordinary + np.where(family == FAMILIES.index("order"), 1.0, 0.0)[:, None, None] * fixed.log_scope[0]
    first = ordinary.copy()
    if (group >= 0).any():
        multiplier = first_hazards(e, x, base, effect)[1]
        first[group >= 0] = hazard[group >= 0] + np.log(np.moveaxis(multiplier[:, group[group >= 0]], 1, 0))
        first[(group >= 0) & (family == FAMILIES.index("order"))] += fixed.log_scope[0]
    weight = fixed.log_pi if x.inside else e["log_weight"]
    before = logsumexp(log_joint(known, weight), axis=1, keepdims=True)
    counts = [_repeated(x, int(row[0]), int(family[0]), int(cell[0]), m) for m in range(largest + 1)]
    levels = [log_joint(Draws(replace(silent, exposure=c), known.flat), weight) for c in counts]
    classes = record.proceedings.set_index("case_id")["authority_class"]
    return EventSets(
        candidates=tuple(
            _event(day, x.cases[r], FAMILIES[f], classes[x.cases[r]]) for r, f in zip(row, family, strict=True)
        ),
        silent=levels[0] - before,
        ordinary=ordinary,
        first=first,
        frailty=np.stack([level - levels[0] - m * ordinary[0] for m, level in enumerate(levels)]),
        stated=group >= 0,
        family=family,
    )


def log_joint(draws: Draws, log_weight: np.ndarray) -> np.ndarray:
    """Return ``log p(s, the focal matter's record | theta)`` in the forecast's view, up to what no scenario touches."""
    m = draws.matters
    return log_weight + (m.news if draws.evidence.exposure.inside else m.history[:, 0] + m.news_outside)


def focal_rows(x: Exposure) -> Exposure:
    """Return the exposure with the focal matter's proceedings alone; all other matters are left out."""
    own, n = x.event_row < x.n_focal, x.n_focal
    rows = ("cases", "row_matter", "row_class", "row_provider", "months", "is_open", "stage", "age")
    return replace(
        x,
        matters=x.matters[:1],
        **{name: getattr(x, name)[:n] for name in rows},
        **{name: getattr(x, name)[own] for name in ("event_row", "event_family", "event_cell")},
    )


def _group(x: Exposure, family: str) -> int:
    """Return the group whose multiplier drives the next event of a family, -1 where the frailty does."""
    if not x.inside or x.happened[FAMILY_INDEX[family]]:
        return -1
    return max((g for g, own in enumerate(x.groups) if own.family == family and own.start < x.elapsed), default=-1)


def _repeated(x: Exposure, row: int, family: int, cell: int, times: int) -> Exposure:
    """Return the exposure with one event so many times more, each driven by the frailty."""
    kind = "news" if x.inside else "event"
    added = {f"{kind}_row": row, f"{kind}_family": family, f"{kind}_cell": cell}
    added |= {"news_group": -1} if x.inside else {}
    columns: dict[str, Any] = {n: np.append(getattr(x, n), np.full(times, value)) for n, value in added.items()}
    return replace(x, **columns)


def _event(day: date, case: str, family: str, authority_class: str) -> Supposed:
    """Return a representative event of a family: charges by a prosecutor, specific orders, fines of any size."""
    if family == "order":
        return Supposed(day, case, "compliance_order", SCOPES[0])
    return Supposed(day, case, FAMILY_TYPES[family][family == "findings" and authority_class == "criminal"])
