"""New EU proceedings against designated providers: a gamma propensity each, raised for a while after escalations."""

from __future__ import annotations

import numpy as np

from forecast.inference import Draws


def designated_index(draws: Draws) -> int:
    """Index of the focal provider among the designated ones, -1 if it is none of them."""
    names = draws.evidence.observations.opening_providers
    group = draws.evidence.specification.provider_group
    return names.index(group) if group in names else -1


def opening_rates(draws: Draws, provider: int, rng: np.random.Generator) -> np.ndarray:
    """Rates of new EU proceedings per month, usual and raised: the propensity given the provider's own openings."""
    o, flat = draws.evidence.observations, draws.flat
    rate = np.exp(np.stack([flat["log_opening_rate"], flat["log_opening_rate"] + flat["log_raised"]], axis=1))
    shape = np.exp(flat["log_opening_shape"])
    count = o.opening_count[provider].sum() if provider >= 0 else 0.0
    lived = rate @ o.opening_months[provider] if provider >= 0 else 0.0
    return rate * (rng.gamma(shape + count) / (shape + lived))[:, None]


def other_openings(draws: Draws, rng: np.random.Generator) -> np.ndarray:
    """Openings in the EU against all other designated providers by each horizon, shape draw, horizon.

    Their own escalations are not simulated: after what is left of a raised year, the rate is raised for the share
    of time that it was in the past.
    """
    o, focal = draws.evidence.observations, designated_index(draws)
    horizons = draws.evidence.specification.horizons
    total = np.zeros((len(draws), len(horizons)))
    often = o.opening_months[:, 1].sum() / max(o.opening_months.sum(), 1e-9)
    edges = np.array([0.0, *horizons])
    for provider in range(len(o.opening_providers)):
        if provider == focal or o.opening_raised_left[provider] < 0:
            continue
        rate = opening_rates(draws, provider, rng)
        left = o.opening_raised_left[provider]
        raised = np.diff(np.minimum(edges, left) + often * np.maximum(edges - left, 0.0))
        expected = rate[:, :1] * (np.diff(edges) - raised) + rate[:, 1:] * raised
        total += np.cumsum(rng.poisson(expected), axis=1)
    return total
