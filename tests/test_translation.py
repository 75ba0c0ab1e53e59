"""Statements that simulated courses obey, with closings, stages and new proceedings running."""

from functools import cache

import numpy as np
import pytest
from statements import AS_OF, stated
from worlds import load_record

from forecast.evidence.gathering import gather_hazards
from forecast.files import InputError
from forecast.model.focal import multipliers_by_family, news_terms
from forecast.model.mode import reference_draws
from forecast.model.priors import draw_priors, statement_priors
from forecast.projection.courses import hazards_of, kinds_of, start_of
from forecast.projection.drivers import Law
from forecast.projection.paths import simulate_paths
from forecast.projection.translation import translate
from forecast.regime import load_regime

TRANSLATED, SIMULATED = 3000, 6000
COURSES = {
    "findings": [(0.25, 0.45, 0.55), (0.40, 0.80, 0.92), (0.50, 0.88, 0.96)],
    "executive": [(0.01, 0.02, 0.03), (0.03, 0.06, 0.08), (0.15, 0.50, 0.70)],
    "fine": [(0.05, 0.35, 0.60), (0.10, 0.70, 0.95), (0.15, 0.75, 0.97)],
}
"""Cumulative probabilities within 6, 24 and 60 months, by scenario."""
regime = cache(load_regime)


def courses(statements, n, seed):
    """Return the evidence at the brief's date, draws, and what they imply for courses of the focal matter."""
    rng = np.random.default_rng(seed)
    evidence = gather_hazards(load_record(), regime(), AS_OF, statements)
    draws = reference_draws(evidence.cells, regime(), n, rng)
    lives, day = [evidence.lives[i] for i in evidence.focal], AS_OF.toordinal()
    kinds = kinds_of(lives, regime(), {"commission_dsa": 0.6, "criminal": 0.4})
    opening = np.tile([0.05, 0.1], (n, 1))
    hazards = hazards_of(draws, regime(), kinds, day, rng.beta(7, 3, n), opening=opening)
    law = Law.of(regime(), ("search", "fine"), 12.0)
    return evidence, draws, hazards, start_of(lives, regime(), day, evidence=evidence), kinds, law, rng


def test_courses_have_the_stated_probabilities():
    """With draws and seeds of their own; the errors of both simulations count."""
    statements = stated(regime(), COURSES)
    correction = translate(*courses(statements, TRANSLATED, 1))
    evidence, draws, hazards, start, kinds, law, rng = courses(statements, SIMULATED, 2)
    values = draws | draw_priors(statement_priors(statements), SIMULATED, rng)
    multiplier = news_terms(values, evidence.news, statements, correction, regime()).multiplier
    tempo = rng.gamma(statements.tempo, 1 / statements.tempo, SIMULATED)
    z = []
    for s in range(3):
        table = multipliers_by_family(multiplier[:, :, s], statements, len(regime().families))
        own = hazards._replace(multiplier=table, tempo=tempo)
        seeds = rng.integers(0, 2**32, SIMULATED, dtype=np.uint64)
        first = simulate_paths(own, start, kinds, law, regime().rule_table, 60.0, seeds).first
        for g, group in enumerate(statements.groups):
            p = statements.stated[g, s]
            error = np.sqrt(p * (1 - p) * (1 / SIMULATED + 1 / TRANSLATED))
            z.append(((first[:, group.family] <= group.end).mean() - p) / error)
    assert len(z) == 27
    assert np.abs(z).max() < 4
    assert np.mean(np.square(z)) < 2


def test_what_no_multiplier_can_meet_is_refused_with_its_place():
    statements = stated(regime(), {"commitments": [(0.99, 0.999)] * 3}, ends=(0.2, 60.0))
    with pytest.raises(InputError, match=r"statements.families.commitments.a\[\d\].value: .* cannot be reached"):
        translate(*courses(statements, 800, 3))
