"""Replicates of the record against moments worked out by hand, and what the record itself holds."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit
from worlds import load_record, load_specification

from forecast.evidence.episodes import episodes
from forecast.inference import Draws, gather, prior_draws
from forecast.model.hazards import log_hazards
from forecast.model.priors import hazard_priors
from forecast.replication import REPLICATES, by_class_and_family, observed, replicate
from forecast.vocabulary import AUTHORITY_CLASSES, FAMILIES


@pytest.fixture(scope="module")
def one_draw():
    """Return the same single draw of the prior many times, so that only the replication is random."""
    spec = load_specification()
    evidence = gather(spec, load_record(), spec.as_of)
    prior = prior_draws(evidence, 2, 7)
    return Draws(evidence, {k: np.repeat(v[:1], REPLICATES, axis=0) for k, v in prior.flat.items()})


@pytest.fixture(scope="module")
def replicates(one_draw):
    return replicate(one_draw, np.random.default_rng(11))


def test_mean_and_variance_of_counts_are_those_of_poisson_counts(one_draw, replicates):
    """Given the parameters the counts of a class and a family are Poisson: months times hazard, summed over cells."""
    cells, regime = one_draw.evidence.hazards.cells, one_draw.evidence.regime
    one = {name: one_draw.flat[name][0] for name in hazard_priors(regime)}
    expected = cells.months * np.exp(log_hazards(one, cells.covariates, regime))
    mean = np.zeros((len(AUTHORITY_CLASSES), len(FAMILIES)))
    np.add.at(mean, cells.covariates.authority_class, expected)
    drawn = by_class_and_family(replicates).values
    busy = mean > 0.2
    assert busy.sum() > 25
    assert np.abs((drawn.mean(axis=0) - mean)[busy] / np.sqrt(mean / len(drawn))[busy]).max() < 4.5
    assert np.median((drawn.var(axis=0) / mean)[busy]) == pytest.approx(1, abs=0.15)


def test_shares_follow_the_size_model(one_draw, replicates):
    o, flat = one_draw.evidence.observations, one_draw.flat
    middle = flat["size_mean"][0] + one_draw.effects["instrument"][0, o.size_instrument]
    score = (logit(replicates["fine_share"].values) - middle) / np.exp(flat["log_size_spread"][0])
    assert stats.kstest(score.ravel(), "norm").pvalue > 1e-3


def test_observed_counts_are_the_records_own():
    spec, record = load_specification(), load_record()
    evidence = gather(spec, record, spec.as_of)
    data = observed(prior_draws(evidence, 2, 1))
    known = record.as_of(spec.as_of).in_force()
    classes = known.proceedings.set_index("case_id")["authority_class"]
    expected = np.zeros((len(AUTHORITY_CLASSES), len(FAMILIES)), dtype=int)
    for life in episodes(known, spec.regime, spec.as_of):
        for event in life.counted:
            expected[AUTHORITY_CLASSES.index(classes[life.case_id]), event.family] += 1
    assert expected.sum() > 60
    assert np.array_equal(by_class_and_family(data), expected)
    cells = data["events"].set_index(cell=["authority_class", "family"])
    for (i, c), (j, f) in product(enumerate(AUTHORITY_CLASSES), enumerate(FAMILIES)):
        assert cells.sel(authority_class=c, family=f).item() == expected[i, j]


def test_draws_are_thinned_evenly_and_seeds_repeat(one_draw):
    few = prior_draws(one_draw.evidence, 3 * REPLICATES, 3)
    a, b = (replicate(few, np.random.default_rng(4)) for _ in range(2))
    assert a.sizes["draw"] == REPLICATES
    assert a.identical(b)
