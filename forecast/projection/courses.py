"""From draws of the hazards' parameters to courses of a matter: where it stands, and what drives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from forecast.evidence.episodes import Episode, months_between
from forecast.evidence.gathering import HazardEvidence
from forecast.model.hazards import stage_effects
from forecast.projection.drivers import Hazards, Kinds, Start
from forecast.regime import Regime
from forecast.vocabulary import DAYS_PER_MONTH


def kinds_of(lives: Sequence[Episode], regime: Regime, share: Mapping[str, float] | None = None) -> Kinds:
    """Return the kinds of proceedings that a matter has or may come to have.

    First one for each of ``lives``, then one for each class that new proceedings may have; ``share``: class -> share of
    new proceedings that are of it. A new proceeding begins in its procedure's first stage, with the marks of its
    opening.
    """
    share = dict(share or {})
    names = [regime.class_names[life.authority_class] for life in lives] + list(share)
    opened = regime.bits("opened")
    return Kinds(
        authority_class=np.array([regime.class_names.index(name) for name in names], dtype=np.int64),
        tags=np.array([life.tags for life in lives] + [0] * len(share), dtype=np.int64),
        stage=np.array([regime.first_stage(name) for name in names], dtype=np.int64),
        marks=np.full(len(names), opened, dtype=np.int64),
        share=np.array([0.0] * len(lives) + list(share.values()) if share else [1.0] * len(lives), dtype=float),
    )


def start_of(
    lives: Sequence[Episode],
    regime: Regime,
    day: int,
    *,
    evidence: HazardEvidence | None = None,
    raised_until: float = 0.0,
) -> Start:
    """Return where proceedings stand at the end of ``day`` (an ordinal); kinds are those of ``kinds_of``, in order.

    With the focal matter's ``evidence`` the first events of stated families follow the statements.
    """
    ends, happened, elapsed = np.zeros((len(regime.families), 1)), np.zeros(len(regime.families), dtype=bool), 0.0
    if evidence is not None and evidence.statements is not None and evidence.news is not None:
        statements = evidence.statements
        width = max(g.interval for g in statements.groups) + 1
        ends = np.zeros((len(regime.families), width))
        for group in statements.groups:
            ends[group.family, group.interval] = group.end
        happened = evidence.news.first > 0
        elapsed = (day - statements.as_of.toordinal()) / DAYS_PER_MONTH
    return Start(
        kind=np.arange(len(lives)),
        age=np.array([months_between(e.opened, day) for e in lives], dtype=float),
        in_stage=np.array([months_between(e.last.since, day) for e in lives], dtype=float),
        stage=np.array([e.last.stage for e in lives], dtype=np.int64),
        marks=np.array([e.last.marks for e in lives], dtype=np.int64),
        is_open=np.array([e.at_risk for e in lives], dtype=bool),
        happened=happened,
        elapsed=elapsed,
        ends=ends,
        raised_until=raised_until,
    )


def hazards_of(
    draws: Mapping[str, np.ndarray],
    regime: Regime,
    kinds: Kinds,
    day: int,
    closing: np.ndarray,
    *,
    opening: np.ndarray | None = None,
    multiplier: np.ndarray | None = None,
    tempo: np.ndarray | None = None,
) -> Hazards:
    """Return the hazards of one course per draw, at the trend's level of ``day``, an ordinal: no extrapolation."""
    n, families = draws["rate"].shape
    year = float(regime.time.year(day - 0.5 - regime.time.reference.toordinal()))
    level = draws["rate"][:, None, :] + draws["powers"][:, kinds.authority_class, :]
    return Hazards(
        level=np.ascontiguousarray(level + draws["trend"][:, None, None] * year),
        stage=np.ascontiguousarray(stage_effects(draws["stage"], regime)),
        age=np.ascontiguousarray(draws["age"]),
        law=np.ascontiguousarray(draws["law"]),
        multiplier=np.ones((n, families, 1)) if multiplier is None else np.ascontiguousarray(multiplier),
        tempo=np.ones(n) if tempo is None else tempo,
        closing=closing,
        opening=np.zeros((n, 2)) if opening is None else np.ascontiguousarray(opening),
    )
