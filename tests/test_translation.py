"""Statements that the simulated probabilities obey, and those that no multiplier can meet."""

from datetime import date

import numpy as np
import pytest
from worlds import load_record, load_specification

from forecast.files import InputError
from forecast.gathered import gather
from forecast.inference import brief_draws
from forecast.model.mode import normal_approximation, reference_draws
from forecast.outcomes import imagine, inside_weights
from forecast.specification import Specification
from forecast.summaries import statement_table

N = 6000


@pytest.fixture(scope="module")
def at_brief():
    spec = load_specification()
    return brief_draws(gather(spec, load_record(), spec.as_of), N, seed=11)


def test_simulated_probabilities_are_the_stated_ones(at_brief):
    """Each within 2 errors of its own Monte Carlo and of the translation's together; all of them as normal scores."""
    table = statement_table(at_brief, np.random.default_rng(12))
    z = (table["simulated"] - table["stated"]) / (table["mcse"] * np.sqrt(1 + N / 4000))
    assert len(table) == 69
    assert z.abs().max() < 4
    assert (z.abs() < 2).mean() > 0.85
    assert (z**2).mean() < 1.6


def test_mixed_over_scenarios_the_printed_probabilities_are_the_stated_ones(at_brief):
    statements = at_brief.evidence.statements
    future = imagine(at_brief, np.random.default_rng(13))
    for g, group in enumerate(statements.groups):
        mixed = float(statements.pi @ statements.stated[g])
        share = (future.paths.first[:, group.family] <= group.end).mean()
        error = np.sqrt(mixed * (1 - mixed) * (1 / N + 1 / 4000))
        assert abs(share - mixed) < 3.5 * error, (group, share, mixed)


def test_without_news_the_scenarios_are_the_briefs_exactly(at_brief):
    assert np.array_equal(inside_weights(at_brief), np.tile([0.40, 0.45, 0.15], (N, 1)))


def test_the_correction_does_not_depend_on_what_came_later():
    spec, record = load_specification(), load_record()
    now, later = (gather(spec, record, day).correction for day in (spec.as_of, date(2026, 10, 6)))
    assert np.array_equal(now, later)


def test_what_no_multiplier_can_meet_is_refused_with_what_can():
    """Commitments within a week by near certainty, from proceedings that may close before."""
    data = load_specification().model_dump()
    for scenario in ("limited", "significant", "crackdown"):
        family = data["statements"]["families"]["commitments"][scenario]
        source = {"kind": "ours"}
        data["statements"]["families"]["commitments"][scenario] = [
            {**family[0], "within": 0.2, "value": 0.99, "source": source},
            {**family[1], "within": 60.0, "value": 0.999, "source": source},
        ]
    spec = Specification.model_validate(data)
    with pytest.raises(InputError, match=r"commitments.limited\[1\].value: 0.999 within 60 months cannot be reached"):
        gather(spec, load_record(), spec.as_of)


def test_reference_draws_expect_what_the_record_holds():
    """Mean expected events of each family that came often enough lie near the counts; the normal expects more."""
    spec = load_specification()
    evidence = gather(spec, load_record(), date(2026, 10, 6), correction=np.ones((23, 3)))
    cells, regime = evidence.hazards.cells, evidence.regime
    from forecast.model.hazards import log_hazards  # noqa: PLC0415

    def expected(draws):
        total = np.zeros(len(regime.families))
        for i in range(len(draws["trend"])):
            one = {name: values[i] for name, values in draws.items()}
            total += (cells.months * np.exp(log_hazards(one, cells.covariates, regime))).sum(axis=0)
        return total / len(draws["trend"])

    exact = expected(reference_draws(cells, regime, 400, np.random.default_rng(1)))
    rough = expected(normal_approximation(cells, regime).draw(400, np.random.default_rng(1)))
    count = cells.count.sum(axis=0)
    often = count >= 10
    assert exact[often] == pytest.approx(count[often], rel=0.15)
    rare = count == 0
    assert (exact[rare] < rough[rare]).all()
    assert exact.sum() == pytest.approx(count.sum(), rel=0.05)
