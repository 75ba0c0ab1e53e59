"""New EU proceedings against designated providers: a gamma propensity each, raised for a while after escalations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from forecast.observations import Observations


def opening_rates(
    values: Mapping[str, np.ndarray], observations: Observations, provider: str, rng: np.random.Generator
) -> np.ndarray:
    """Draw rates of new EU proceedings a month, usual and raised: the propensity given the provider's own openings."""
    o = observations
    rate = np.exp(np.stack([values["log_opening_rate"], values["log_opening_rate"] + values["log_raised"]], axis=1))
    shape, known = np.exp(values["log_opening_shape"]), provider in o.opening_providers
    index = o.opening_providers.index(provider) if known else 0
    count = o.opening_count[index].sum() if known else 0.0
    lived = rate @ o.opening_months[index] if known else 0.0
    return rate * (rng.gamma(shape + count) / (shape + lived))[:, None]


def raised_left(observations: Observations, provider: str) -> float:
    """Return the months for which the opening rate of a provider is still raised."""
    o = observations
    if provider not in o.opening_providers:
        return 0.0
    return max(float(o.opening_raised_left[o.opening_providers.index(provider)]), 0.0)


def other_openings(
    values: Mapping[str, np.ndarray],
    observations: Observations,
    provider: str,
    horizons: Sequence[int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw openings in the EU against all other designated providers by each horizon, shape draw, horizon.

    Their own escalations are not simulated: after what is left of a raised year, the rate is raised for the share
    of time that it was in the past.
    """
    o = observations
    total = np.zeros((len(values["log_opening_rate"]), len(horizons)))
    often = o.opening_months[:, 1].sum() / max(o.opening_months.sum(), 1e-9)
    edges = np.array([0.0, *horizons])
    for other, left in zip(o.opening_providers, o.opening_raised_left, strict=True):
        if other == provider or left < 0:
            continue
        rate = opening_rates(values, o, other, rng)
        raised = np.diff(np.minimum(edges, left) + often * np.maximum(edges - left, 0.0))
        total += np.cumsum(rng.poisson(rate[:, :1] * (np.diff(edges) - raised) + rate[:, 1:] * raised), axis=1)
    return total
