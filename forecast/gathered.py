"""One prior file and what was public by one origin, as the model takes it; and the translation of its statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property

import numpy as np

from forecast.conjugate import draw_conjugate
from forecast.evidence.episodes import Episode
from forecast.evidence.gathering import HazardEvidence, gather_hazards
from forecast.evidence.statements import Statements, statements_of
from forecast.files import InputError, Problem
from forecast.model.figures import Stated, figure_coordinates, figure_priors, log_openings, stated_figures
from forecast.model.mode import reference_draws
from forecast.model.priors import NormalPrior, coordinates, draw_priors, hazard_priors, statement_priors
from forecast.observations import Observations, Statute, observe, statute
from forecast.projection.courses import hazards_of, kinds_of, start_of
from forecast.projection.drivers import Law
from forecast.projection.openings import opening_rates, raised_left
from forecast.projection.translation import translate
from forecast.record import Record
from forecast.regime import Regime
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH

TRANSLATED_DRAWS, CANDIDATES = 4000, 20_000
"""Draws on which statements are translated, and prior draws of opening rates that are resampled for it."""
TRANSLATION_STREAM = 8


@dataclass(frozen=True)
class Evidence:
    """One prior file and what was public by one origin.

    ``correction``: group, scenario; the translation of the statements (`forecast.projection.translation`), ones where
    there is no news. ``statute``: ceilings and instruments of fines in the focal matter's proceedings, then in new ones
    of each class that openings have. ``pooled_pi``: scenario probabilities after pooling with the outside view;
    ``None``: the analyst's.
    """

    specification: Specification
    hazards: HazardEvidence
    observations: Observations
    correction: np.ndarray
    statute: Statute
    pooled_pi: np.ndarray | None = None

    @property
    def origin(self) -> date:
        """The day by whose end everything here was public."""
        return self.hazards.origin

    @property
    def regime(self) -> Regime:
        """The law that the hazards know."""
        return self.specification.regime

    @property
    def inside(self) -> bool:
        """Whether the brief has a say: from its ``as_of`` on, where its statements were gathered."""
        return self.hazards.news is not None

    @property
    def elapsed(self) -> float:
        """Months from ``as_of`` to the origin (negative before the brief)."""
        return (self.origin - self.specification.as_of).days / DAYS_PER_MONTH

    @cached_property
    def statements(self) -> Statements:
        """What the analyst states of first events."""
        return self.hazards.statements or statements_of(self.specification, self.regime)

    @property
    def focal(self) -> tuple[Episode, ...]:
        """Episodes of the focal matter's proceedings."""
        return tuple(self.hazards.lives[i] for i in self.hazards.focal)

    @property
    def pi(self) -> np.ndarray:
        """Probabilities of the scenarios before any news."""
        return self.statements.pi if self.pooled_pi is None else self.pooled_pi

    @property
    def log_pi(self) -> np.ndarray:
        """Log probabilities of the scenarios before any news."""
        return np.log(self.pi)

    @cached_property
    def stated(self) -> Stated:
        """What the prior file fixes of sums of fines and impacts."""
        return stated_figures(self.specification)

    @cached_property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of the model's dimensions."""
        hazards = coordinates(self.regime, self.statements if self.inside else None)
        return {"scenario": self.statements.scenarios, **hazards, **figure_coordinates(self.observations)}

    @cached_property
    def priors(self) -> dict[str, NormalPrior]:
        """The prior of every sampled parameter, by name."""
        stated = statement_priors(self.statements) if self.inside else {}
        return hazard_priors(self.regime) | stated | figure_priors(self.specification, self.coords)


def gather(
    specification: Specification,
    record: Record,
    origin: date,
    wider: Record | None = None,
    *,
    correction: np.ndarray | None = None,
) -> Evidence:
    """Return the evidence public by the end of ``origin``; ``wider`` fixes the coordinates for several origins.

    ``correction``: the translation of the statements where it is known already, as in a saved forecast.
    """
    statements = statements_of(specification, specification.regime)
    hazards = gather_hazards(record, specification.regime, origin, statements)
    if not hazards.focal:
        what = f"nothing is public about the matter {specification.matter!r} by {origin}; choose a later origin"
        raise InputError(Problem("record", what))
    if hazards.news is None:
        correction = np.ones(statements.location.shape)
    elif correction is None:
        correction = _translated(_Brief(specification, record.as_of(specification.as_of)))
    seen = observe(record, specification, origin, wider)
    cases = tuple(hazards.lives[i].case_id for i in hazards.focal)
    law = statute(record.as_of(origin), cases, seen.instruments, tuple(seen.opening_classes))
    return Evidence(specification, hazards, seen, correction, law)


def gather_reference(
    specification: Specification, record: Record, origin: date, wider: Record | None = None
) -> Evidence:
    """Return the evidence about the reference class alone: nothing that the brief says of scenarios or events enters.

    The focal matter is one of the reference class, and may be absent. ``wider`` as in ``gather``.
    """
    hazards = gather_hazards(record, specification.regime, origin)
    seen = observe(record, specification, origin, wider)
    law = statute(record.as_of(origin), (), seen.instruments, tuple(seen.opening_classes))
    return Evidence(specification, hazards, seen, np.ones((0, 0)), law)


@dataclass(frozen=True, eq=False)
class _Brief:
    """A prior file and the record as it was public on its ``as_of``: equal where both have the same content."""

    specification: Specification
    record: Record

    @cached_property
    def key(self) -> tuple[str, str]:
        return self.specification.fingerprint, self.record.fingerprint

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Brief) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@cache
def _translated(brief: _Brief) -> np.ndarray:
    """Return the correction of a brief's statements, which depends on nothing that came after it."""
    spec, n = brief.specification, TRANSLATED_DRAWS
    rng = np.random.default_rng([TRANSLATION_STREAM])
    statements = statements_of(spec, spec.regime)
    hazards = gather_hazards(brief.record, spec.regime, spec.as_of, statements)
    observations = observe(brief.record, spec, spec.as_of)
    draws = reference_draws(hazards.cells, spec.regime, n, rng)
    closing = draw_conjugate(spec, observations, n, rng)["closing_probability"]
    opening = opening_rates(likely_openings(spec, observations, n, rng), observations, spec.provider_group, rng)
    lives, day = [hazards.lives[i] for i in hazards.focal], spec.as_of.toordinal()
    kinds = kinds_of(lives, spec.regime, observations.opening_classes)
    courses = hazards_of(draws, spec.regime, kinds, day, closing, opening=opening)
    raised = raised_left(observations, spec.provider_group)
    start = start_of(lives, spec.regime, day, evidence=hazards, raised_until=raised)
    law = Law.of(spec.regime, spec.openings.raised_by, spec.openings.raised_months.value)
    return translate(hazards, draws, courses, start, kinds, law, rng)


def likely_openings(
    spec: Specification, observations: Observations, n: int, rng: np.random.Generator
) -> Mapping[str, np.ndarray]:
    """Draw the three parameters of openings from their posterior, by resampling draws of their prior."""
    priors = figure_priors(spec, figure_coordinates(observations))
    names = ("log_opening_rate", "log_raised", "log_opening_shape")
    candidates = draw_priors({name: priors[name] for name in names}, CANDIDATES, rng)
    log_weight = log_openings(candidates, observations.opening_count, observations.opening_months)
    weight = np.exp(log_weight - log_weight.max())
    rows = rng.choice(CANDIDATES, n, p=weight / weight.sum())
    return {name: values[rows] for name, values in candidates.items()}


def pooled(evidence: Evidence, pi: np.ndarray) -> Evidence:
    """Return the evidence with other scenario probabilities."""
    return replace(evidence, pooled_pi=pi)
