"""Draws of the reference class without a sampler: in expectation the gradient of the log posterior is zero.

Integration by parts gives ``E[d log p(theta | data) / d theta] = 0`` for every parameter, in any posterior:
for a rate, ``E[count - months h] = E[(rate - loc) / scale^2]``. The gradient is computed here by hand.
"""

from datetime import date

import numpy as np
import pytest
from worlds import load_record

from forecast.evidence.gathering import gather_hazards
from forecast.model.hazards import log_hazards
from forecast.model.mode import normal_approximation, reference_draws
from forecast.model.priors import hazard_priors
from forecast.regime import load_regime

DRAWS = 1500


def scores(draws, cells, regime):
    """Return by family the gradient of the log posterior by its rate and its power of age, shape draw, 2 families."""
    priors = hazard_priors(regime)
    missing = cells.count - cells.months * np.exp(log_hazards(draws, cells.covariates, regime))
    rate = missing.sum(axis=1) - (draws["rate"] - priors["rate"].loc) / priors["rate"].scale ** 2
    age = (missing * cells.covariates.log_age[:, None]).sum(axis=1)
    age = age - (draws["age"] - priors["age"].loc) / priors["age"].scale ** 2
    return np.concatenate([rate, age], axis=1)


def standardised(values):
    return values.mean(axis=0) / (values.std(axis=0) / np.sqrt(len(values)))


@pytest.mark.parametrize("origin", [date(2023, 6, 30)])
def test_the_gradient_of_exact_draws_is_zero_in_expectation_and_that_of_the_normal_approximation_is_not(origin):
    regime = load_regime()
    cells = gather_hazards(load_record(), regime, origin).cells
    exact = reference_draws(cells, regime, DRAWS, np.random.default_rng(1))
    near = normal_approximation(cells, regime).draw(DRAWS, np.random.default_rng(1))
    z, z_near = (standardised(scores(draws, cells, regime)) for draws in (exact, near))
    assert np.abs(z).max() < 4.5
    assert np.abs(z_near).max() > np.abs(z).max() + 2
