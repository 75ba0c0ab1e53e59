"""What a forecast rests on: scaled densities, left-out matters and readings against closed forms and real refits."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console
from scipy import stats
from scipy.special import expit, logit, logsumexp
from worlds import event, load_record, load_specification, with_rows

import forecast
from forecast.attribution.bridge import BLOCKS
from forecast.attribution.valuation import error
from forecast.cli import exit_code
from forecast.elicitation import logitnormal_from_range
from forecast.files import InputError
from forecast.inference import Draws, gather
from forecast.model.hazards import log_hazards
from forecast.model.priors import hazard_priors
from forecast.observations import RULINGS
from forecast.sensitivity import probing
from forecast.sensitivity.answers import Answers, futures, headline, of_classes, simulated
from forecast.sensitivity.contraction import by_part
from forecast.sensitivity.exact_parts import exact_likelihood, exact_prior
from forecast.sensitivity.matters import emptied, importance, leave_one_out, matter_density, total_elpd
from forecast.sensitivity.multiverse import Multiverse, effects_table, ranges_table, shares_table
from forecast.sensitivity.parts import EXACT_GROUP, GROUPS, STRUCTURE, Part, data_parts, group_of, prior_parts
from forecast.sensitivity.questions import (
    ALONE,
    STATED,
    OpenQuestion,
    choices,
    label,
    narrowed,
    questions_of,
    read,
)
from forecast.sensitivity.scaling import ALPHAS, THRESHOLD, Told, _doubling, _shift, psense
from forecast.sensitivity.weighing import EXACT, REFITTED, REWEIGHTED, log_density, turnover
from forecast.sensitivity.worlds import Worlds
from forecast.specification import Specification
from forecast.terminal.look import console
from forecast.terminal.sensitivity import sensitivity_screen
from forecast.vocabulary import FAMILIES, SCENARIOS

PARIS, MATTER = "fr-crim-x-2025", "x-eu-2026"


@pytest.fixture(scope="module")
def worlds(packaged):
    return Worlds(packaged)


@pytest.fixture(scope="module")
def probed(packaged):
    return forecast.probe(packaged, quick=True)


@pytest.fixture(scope="module")
def questions():
    return questions_of(load_specification(), load_record())


def changed(**parts) -> Specification:
    data = load_specification().model_dump()
    return Specification.model_validate({**data, **parts})


# Readings


def test_the_brief_on_x_leaves_six_questions_open(questions):
    counts = {q.name: len(q.answers) for q in questions}
    assert counts == {"intervals": 3, "euros": 2, "turnover": 2, "pooling": 3, "conditional": 4, "subject": 2}
    every, single = choices(questions, quick=False), choices(questions, quick=True)
    assert len(every) == 3 * 2 * 2 * 3 * 4 * 2
    assert len(single) == 1 + sum(n - 1 for n in counts.values())
    assert label(every[0]) == label(single[0]) == STATED
    assert len({label(one) for one in every}) == len(every)
    assert all(one in every for one in single)


def test_each_combination_is_a_prior_file_of_its_own(questions):
    spec, record = load_specification(), load_record()
    seen = {}
    for choice in choices(questions, quick=False):
        read_as, known = read(spec, record, questions, choice)
        seen[read_as.fingerprint] = choice
        alone = choice["subject"] == ALONE
        assert read_as.matter == (PARIS if alone else MATTER)
        assert (set(known.proceedings.loc[known.proceedings["matter_id"] == PARIS, "case_id"]) == {PARIS}) is alone
        assert read_as.fines.turnover.high == (40e9 if choice["turnover"] == "parent_turnover" else 6e9)
        mass = {STATED: 0.90, "mass_80": 0.80, "mass_99": 0.99}[choice["intervals"]]
        ranges = [r for part in (read_as.fines.share, read_as.fines.eur) for _, r in part.items()]
        ranges += [r for name in ("attrition", "valuation_decline") for _, r in getattr(read_as.impacts, name).items()]
        assert {r.mass for r in [read_as.fines.turnover, *ranges]} == {mass}
    assert len(seen) == 288


def test_ranges_of_the_whole_are_the_parts_of_the_stated_range():
    spec, whole = load_specification(), load_specification().with_reading("ranges_of_the_whole")
    weights = np.array([case.probability.value for _, case in spec.scenarios.items()])
    edges = np.concatenate([[0.0], np.cumsum(weights)])
    for name in ("attrition", "valuation_decline"):
        stated = getattr(spec.impacts, name).significant
        centre, scale = logitnormal_from_range(stated.low, stated.high, stated.mass)
        within = 0.0
        for i, (_, part) in enumerate(getattr(whole.impacts, name).items()):
            piece = stats.truncnorm(*stats.norm.ppf(edges[i : i + 2]), loc=centre, scale=scale)
            mean, sd = logitnormal_from_range(part.low, part.high, part.mass)
            assert expit(mean) == pytest.approx(expit(piece.mean()), abs=0.001)
            assert sd == pytest.approx(piece.std(), abs=0.012)
            within += weights[i] * np.diff(stats.norm(mean, sd).cdf(logit([stated.low, stated.high])))[0]
        assert within == pytest.approx(0.89, abs=0.01)


def test_a_question_needs_its_words_and_a_reading_its_question():
    data = load_specification().model_dump()
    with pytest.raises(ValueError, match="there is no question 'euro' \\(did you mean 'euros'\\?\\)"):
        changed(readings={"eur": {**data["readings"]["eur"], "question": "euro"}})
    with pytest.raises(ValueError, match="missing key 'alone', which 'proceeding' needs"):
        changed(questions={"subject": {"what": "a", "stated": "b", "proceeding": PARIS}}, readings={})


def test_readings_without_a_question_are_questions_of_their_own():
    spec = changed(questions={}, readings={"eur": {"what": "in euros", "set": {"fines.reading": "eur"}}})
    (question,) = questions_of(spec, load_record())
    assert question == OpenQuestion("eur", "in euros", {STATED: "as the file has it", "eur": "in euros"})


def test_readings_of_two_questions_may_not_set_one_value():
    half = {"what": "half", "set": {"pooling.value": 0.5}}
    spec = changed(questions={}, readings={"half": half, "quarter": {**half, "set": {"pooling.value": 0.75}}})
    with pytest.raises(InputError, match=r"readings\.quarter\.set\.pooling\.value: is also set by 'half'"):
        questions_of(spec, load_record())


def test_one_proceeding_alone_is_a_matter_of_its_own():
    spec, record = load_specification(), load_record()
    own, regrouped = narrowed(spec, record)
    before, after = (r.proceedings.set_index("case_id")["matter_id"] for r in (record, regrouped))
    assert own.matter == after[PARIS] == PARIS
    assert (before != after).sum() == 1
    assert own == spec.model_copy(update={"matter": PARIS})
    with pytest.raises(InputError, match=r"is none of the matter 'x-eu-2026' \(did you mean 'ec-dsa-x-2023'\?\)"):
        narrowed(spec, record, "ec-dsa-x-2024")
    with pytest.raises(InputError, match="none names a proceeding"):
        narrowed(changed(questions={}, readings={}), record)


def test_a_matter_of_one_proceeding_leaves_no_question_what_it_is():
    record = load_record()
    cases = record.proceedings
    only = replace(record, proceedings=cases.loc[(cases["matter_id"] != MATTER) | (cases["case_id"] == PARIS)])
    assert "subject" not in [q.name for q in questions_of(load_specification(), only)]


# Worlds


def test_the_turnover_is_the_normal_that_its_range_and_figure_make(worlds, packaged):
    evidence = worlds.posterior.evidence
    figure, sd = evidence.observations.turnover, evidence.observations.turnover_sd
    prior = evidence.priors["log_turnover"]
    x = np.linspace(20, 24, 40_001)
    density = stats.norm.pdf(x, prior.loc, prior.scale) * stats.norm.pdf(x, figure, sd)
    density /= density.sum()
    mean = density @ x
    exact = turnover(evidence)
    assert exact.loc == pytest.approx(mean, abs=1e-9)
    assert exact.scale == pytest.approx(np.sqrt(density @ (x - mean) ** 2), rel=1e-6)
    stored = packaged.tree["posterior"]["log_turnover"].values
    assert stored.mean() == pytest.approx(exact.loc, abs=5 * exact.scale / np.sqrt(1000))
    parent = gather(load_specification().with_reading("parent_turnover"), packaged.record, worlds.origin)
    low, high = stats.norm(*turnover(parent)).ppf([0.05, 0.95])
    assert np.exp([low, high]) == pytest.approx([3e9, 40e9])


def test_what_is_called_exact_has_one_density_up_to_a_constant(worlds, questions, packaged):
    spec, record = packaged.specification, packaged.record
    (source,) = worlds._sources
    for choice in choices(questions, quick=True):
        seen = worlds.read(*read(spec, record, questions, choice))
        assert seen.method == EXACT
        assert np.ptp(seen.weight) == 0
        assert seen.weight.sum() == pytest.approx(1)
        assert np.ptp(log_density(seen.draws, seen.draws.by_matter.sum(axis=1)) - source.density) < 1e-9
    assert worlds.fitted == 0


def test_evidence_that_readings_share_is_what_would_be_gathered_for_each(worlds, packaged):
    spec, record = packaged.specification, packaged.record
    base = gather(spec, record, worlds.origin, correction=worlds.posterior.evidence.correction)
    assert base.correction == pytest.approx(gather(spec, record, worlds.origin).correction)
    for names in (("parent_turnover",), ("mass_99", "outside_pool_half"), ("ranges_of_the_whole", "eur")):
        read_as = spec.with_reading(*names)
        own = gather(read_as, record, worlds.origin, correction=base.correction)
        seen = worlds.read(read_as, record).draws.evidence
        assert np.array_equal(seen.correction, own.correction)
        assert np.array_equal(seen.observations.turnover, own.observations.turnover)
        assert np.array_equal(seen.statements.location, own.statements.location)
        for part in vars(own.stated):
            assert np.array_equal(getattr(seen.stated, part), getattr(own.stated, part))
        for name, prior in own.priors.items():
            assert np.array_equal(seen.priors[name].loc, prior.loc)


def test_cached_courses_are_those_of_a_simulation_from_scratch(worlds, packaged):
    spec, record, seed = packaged.specification, packaged.record, worlds.settings.seed
    for names in (("eur",), ("mass_99", "outside_pool_half"), ("ranges_of_the_whole", "mass_80", "parent_turnover")):
        seen = worlds.read(spec.with_reading(*names), record)
        anew = futures(seen.draws, simulated(seen.draws, seed), seed)
        for one, two in zip(seen.futures, anew, strict=True):
            xr.testing.assert_allclose(headline(one), headline(two), rtol=1e-12)


def test_readings_of_amounts_leave_courses_and_other_random_numbers_as_they_were(worlds, packaged):
    one = worlds.base
    two = worlds.read(packaged.specification.with_reading("eur"), packaged.record)
    for mine, other in zip(one.futures, two.futures, strict=True):
        assert mine.paths is other.paths
        assert np.array_equal(mine.other_openings, other.other_openings)
        assert np.array_equal(mine.brownian, other.brownian)
    assert one.futures[1].fine_amount != pytest.approx(two.futures[1].fine_amount)


def test_weighted_answers_are_plain_moments_of_weighted_draws(worlds):
    seen = worlds.base
    drawn = xr.concat([headline(future) for future in seen.futures[:-1]], dim="draw")
    n, outside = len(seen.draws), of_classes(seen.futures[-1])
    rng = np.random.default_rng(1)
    weight, view = rng.dirichlet(np.ones(n)), rng.dirichlet([3, 2, 1], n)
    answers = Answers(seen.futures, view)
    values = answers.value(weight)
    assert values.shape[0] == 1 + BLOCKS
    table = answers.labels.assign(value=values[0]).set_index(["target", "scenario", "horizon_months", "statistic"])
    joint = (weight[:, None] * view).T.ravel()
    for s, name in enumerate(SCENARIOS):
        assert table.at[("view", name, 0, "probability"), "value"] == pytest.approx(weight @ view[:, s])
        assert table.at[("outside", name, 0, "probability"), "value"] == pytest.approx(weight @ outside[:, s])
    for j, horizon in enumerate((6, 24, 60)):
        for target in ("event:fine", "fine_left", "total_cost"):
            told = table.at[(target, "all", horizon, "mean"), "value"]
            assert told == pytest.approx(joint @ drawn[target].values[:, j])
    cost = drawn["total_cost"].values[:, 2]
    for q, name in ((0.05, "q05"), (0.5, "q50"), (0.95, "q95")):
        value = table.at[("total_cost", "all", 60, name), "value"]
        assert joint[cost < value].sum() == pytest.approx(q, abs=2 * joint.max())
    rows = np.where(np.arange(n) * BLOCKS // n == 3, 0.0, weight)
    without = answers.value(rows / rows.sum())[0]
    means = ~answers.labels["statistic"].isin(["q05", "q50", "q95"])
    assert values[4][means] == pytest.approx(without[means])


def test_the_stated_reading_is_the_forecast(worlds, packaged, probed):
    base = probed.answers.query("reading == @STATED").set_index(["target", "horizon_months", "statistic"])
    saved = packaged.summary.query("scenario == 'all'").set_index(["target", "horizon_months"])
    means = base.xs("mean", level="statistic")
    own = saved.loc[means.index]
    score = (means["value"] - own["mean"]) / np.hypot(means["mcse"], own["mcse_mean"])
    assert np.abs(score).max() < 5
    assert score.std() < 2
    inside = base.xs("view", level="target")["value"].to_numpy()
    assert inside == pytest.approx([0.40, 0.45, 0.15], abs=1e-12)


def test_pooling_is_the_logarithmic_pool_with_the_outside_view(worlds, packaged):
    stated = np.array([0.40, 0.45, 0.15])
    for name, weight in (("outside_pool_half", 0.5), ("outside_pool_quarter", 0.75)):
        seen = worlds.read(packaged.specification.with_reading(name), packaged.record)
        classes = np.bincount(seen.futures[-1].scenario, minlength=3) + 0.5
        pooled = stated**weight * (classes / classes.sum()) ** (1 - weight)
        assert seen.view == pytest.approx(np.tile(pooled / pooled.sum(), (len(seen.draws), 1)))


def test_the_narrow_reading_splits_one_matter_in_two_and_fits_nothing(worlds, packaged):
    spec, record = narrowed(packaged.specification, packaged.record)
    one, two = worlds.base.draws, worlds.read(spec, record).draws
    whole, split = one.evidence.hazards, two.evidence.hazards
    assert [life.case_id for life in two.evidence.focal] == [PARIS]
    assert len(one.evidence.focal) > 1
    assert set(split.matters) == {*whole.matters, PARIS}
    assert split.cells.months.sum() == pytest.approx(whole.cells.months.sum())
    assert split.cells.count.sum() == whole.cells.count.sum()
    frames = [pd.DataFrame(d.by_matter, columns=d.evidence.hazards.matters) for d in (one, two)]
    same = [m for m in whole.matters if m != MATTER]
    assert np.abs(frames[0][same] - frames[1][same]).to_numpy().max() < 1e-9
    assert frames[1][[PARIS, MATTER]].sum(axis=1).to_numpy() == pytest.approx(frames[0][MATTER].to_numpy())


@pytest.mark.slow
def test_readings_are_those_of_a_fit_of_their_own(worlds, packaged):
    spec, record = narrowed(packaged.specification.with_reading("parent_turnover"), packaged.record)
    seen = worlds.read(spec, record)
    errors = error(seen.values)
    anew = forecast.run(spec, record, origin=worlds.origin, settings=forecast.Settings(seed=5))
    table = seen.answers.labels.assign(value=seen.values[0], error=errors).query("statistic == 'mean'")
    saved = anew.summary.query("scenario == 'all'").set_index(["target", "horizon_months"])
    own = saved.loc[list(zip(table["target"], table["horizon_months"], strict=True))]
    score = (table["value"].to_numpy() - own["mean"].to_numpy()) / np.hypot(table["error"], own["mcse_mean"].to_numpy())
    assert np.nanmax(np.abs(score)) < 4.5
    assert np.sqrt(np.nanmean(score**2)) < 1.6


# Power scaling


def test_parts_hold_every_sampled_parameter_once(worlds):
    table = worlds.posterior.evidence.priors
    members = [name for group in GROUPS.values() for name in group]
    assert len(members) == len(set(members))
    assert set(members) <= set(table)
    assert all(name.endswith("_score") for name in table if group_of(name) == STRUCTURE)


def test_parts_add_up_to_the_density_that_was_sampled(worlds):
    seen = worlds.base
    prior, data = prior_parts(seen), data_parts(seen)
    conjugate = prior[EXACT_GROUP].draw + data[EXACT_GROUP].draw
    total = prior["all priors"].draw + prior[STRUCTURE].draw + data["all data"].draw - conjugate
    assert np.ptp(total - log_density(seen.draws, seen.draws.by_matter.sum(axis=1))) < 1e-8


def normal_world(n=20_000, seed=3):
    """Prior N(0, 1), one figure 1.5 with sd 0.8: the posterior, its draws, and both log densities."""
    mean, sd = 1.5 / (1 + 0.64), np.sqrt(0.64 / 1.64)
    theta = np.random.default_rng(seed).normal(mean, sd, n)
    return theta, stats.norm.logpdf(theta), stats.norm.logpdf(1.5, theta, 0.8)


def scaled_normal(prior, likelihood):
    """Mean and sd of the posterior with both powers."""
    precision = prior + likelihood / 0.64
    return 1.5 * likelihood / 0.64 / precision, 1 / np.sqrt(precision)


def cjs(one, two, low, high):
    """Cumulative Jensen-Shannon distance between ``low`` and ``high``, the larger of both directions, by quadrature."""
    x = np.linspace(low, high, 100_001)

    def distance(p, q):
        middle = np.log2((p + q) / 2)
        total = sum((a * (np.log2(a) - middle)).sum() for a in (p, q))
        return np.sqrt(max(total, 0.0) / (p + q).sum())

    return max(distance(one.cdf(x), two.cdf(x)), distance(one.sf(x), two.sf(x)))


@pytest.mark.parametrize("kind", ["prior", "likelihood"])
def test_psense_of_a_normal_is_the_exact_gradient(kind):
    theta, prior, likelihood = normal_world()
    density = {"prior": prior, "likelihood": likelihood}[kind]
    (found,) = psense(kind, density, theta[None], (4, 5000))
    base = stats.norm(*scaled_normal(1, 1))
    powers = [(a, 1) if kind == "prior" else (1, a) for a in ALPHAS]
    seen = theta.min(), theta.max()  # the distance is over what was drawn
    lower, upper = (cjs(base, stats.norm(*scaled_normal(*p)), *seen) for p in powers)
    exact = (-lower / np.log2(ALPHAS[0]) + upper / np.log2(ALPHAS[1])) / 2
    assert found == pytest.approx(exact, rel=0.08)
    assert found > THRESHOLD


def test_the_threshold_is_a_shift_of_a_quarter_of_an_sd():
    shift = 0.25 * np.log2(ALPHAS[1])
    gradient = cjs(stats.norm(0, 1), stats.norm(shift, 1), -3.7, 3.7) / np.log2(ALPHAS[1])
    assert gradient == pytest.approx(THRESHOLD, rel=0.1)


def test_doubling_and_shift_are_the_derivatives_of_the_mean():
    theta, prior, likelihood = normal_world()
    name, n = ("x", "all", 60), len(theta)
    told = Told({name: np.repeat(theta[:, None], 3, axis=1)}, {name: "EUR"}, np.full((n, 3), 1 / 3))
    means = {name: theta}
    for part, powers in ((Part(draw=prior), (1 + 1e-5, 1)), (Part(draw=likelihood), (1, 1 + 1e-5))):
        moved, error = _doubling(told, part, means, (4, 5000))
        exact = (scaled_normal(*powers)[0] - scaled_normal(1, 1)[0]) / np.log2(1 + 1e-5)
        assert moved[0] == pytest.approx(exact, abs=4 * error[0])
        assert 0 < error[0] < 0.02
    size, error = _shift(Part(draw=prior, scores=theta[:, None]), means)
    weight_of_prior = 1 / (1 + 1 / 0.64)  # a posterior mean moves by the prior's share of the precision
    assert size[0] == pytest.approx(weight_of_prior, abs=4 * error[0])
    noise = np.random.default_rng(5).normal(size=(n, 50))
    assert _shift(Part(draw=prior, scores=noise), means)[0][0] < 0.02
    assert np.isnan(_shift(Part(draw=likelihood), means)[0]).all()


def test_a_density_that_is_constant_moves_nothing():
    theta, *_ = normal_world(4000)
    assert psense("prior", np.full(4000, 2.0), theta[None], (4, 1000)) == [0]


def test_conjugate_densities_make_the_posteriors_that_are_drawn(worlds):
    spec, o = worlds.posterior.evidence.specification, worlds.posterior.evidence.observations
    flat = {k: v[:400] for k, v in worlds.base.draws.flat.items()}
    a, w = spec.appeals, np.array([p.weight.value for p in spec.appeals.ruling_rate])
    rate = np.array([p.rate.value for p in a.ruling_rate])

    def beta(name, prior, data):
        mean, weight, p = prior.mean.value, prior.weight.value, flat[name]
        return stats.beta.logpdf(p, mean * weight + data[0], (1 - mean) * weight + data[1] - data[0]) + np.log(p - p**2)

    def moments(name, loc, scale, weight, data):
        total, (mean, sd) = weight + len(data), flat[name].T
        centre = (weight * loc + data.sum()) / total
        squares = weight * scale**2 + ((data - data.mean()) ** 2).sum()
        squares += weight * len(data) / total * (data.mean() - loc) ** 2
        own = stats.invgamma.logpdf(sd**2, total / 2, scale=squares / 2) + 2 * np.log(sd)
        return own + stats.norm.logpdf(mean, centre, sd / np.sqrt(total))

    exact = beta("appeal_probability", a.probability, o.appealed) + beta("closing_probability", spec.closing, o.closed)
    exact += beta("appeal_probability_large", a.probability_large, o.appealed_large)
    gammas = stats.gamma.logpdf(flat["ruling_rate"], rate * w + o.rulings, scale=1 / (w + o.ruling_months))
    exact += (gammas + np.log(flat["ruling_rate"])).sum(axis=1)
    counts = np.array([getattr(a.outcome, k).value for k in RULINGS]) + o.outcomes
    exact += np.log(flat["ruling_outcome"]) @ counts
    kept = logitnormal_from_range(a.share_kept.low, a.share_kept.high, a.share_kept.mass)
    bare = spec.sizes.without_ceiling
    z = stats.norm.ppf((1 + bare.mass) / 2)
    spread = np.log(bare.high / bare.low) / 2 / z
    exact += moments("kept", *kept, a.share_kept_weight.value, o.kept)
    middle = np.log(bare.low * bare.high) / 2
    exact += moments("bare_size", middle, spread, spec.sizes.without_ceiling_weight.value, o.bare_size)
    # The normal mean given the variance is centred in the prior, so that it lacks the variance's log: once for each.
    ours = exact_prior(spec, flat) + exact_likelihood(o, flat)
    ours -= np.log(flat["kept"][:, 1]) + np.log(flat["bare_size"][:, 1])
    assert np.ptp(ours - exact) < 1e-8


def test_scenario_probabilities_scale_as_their_power(probed):
    pi = np.array([0.40, 0.45, 0.15])
    own = probed.scaling.query("part == 'scenario probabilities'").set_index(["target", "scenario", "horizon_months"])
    exact = np.log(2) * pi * (np.log(pi) - pi @ np.log(pi))
    for name, value in zip(SCENARIOS, exact, strict=True):
        assert own.at[("view", name, 0), "doubling"] == pytest.approx(value)
        assert own.at[("outside", name, 0), "doubling"] == 0
    assert own["psense"].isna().all()


def test_each_statement_moves_its_own_family_most(probed):
    prior = probed.scaling.query("kind == 'prior' and horizon_months == 60 and part.str.startswith('statements')")
    for family in ("findings", "executive", "order.extensive", "suspension", "fine", "commitments"):
        shift = prior.query(f"target == 'event:{family}'").set_index("part")["shift"]
        assert shift.idxmax() == f"statements: {family}"
    turnover_moves = probed.scaling.query("part == 'turnover' and target == 'fine_left' and horizon_months == 60")
    mean = probed.ranges.query("target == 'fine_left' and horizon_months == 60 and statistic == 'mean'")["base"].item()
    scale = load_specification().fines.turnover
    prior_sd = np.log(scale.high / scale.low) / 2 / stats.norm.ppf(0.95)
    left = 1 - probed.parameters.set_index("parameter").at["log_turnover", "contraction"]
    assert turnover_moves["shift"].item() == pytest.approx(mean * prior_sd * left, rel=0.12)  # fines go as the turnover


def test_noise_is_what_unrelated_draws_give(probed):
    table = probed.scaling.dropna(subset="noise").groupby("part")["noise"].first()
    assert (table > 0).all()
    assert table["turnover"] < table["event rates"] < table["all priors"]  # it grows with the number of parameters


# Leaving out a matter


def test_importance_weights_give_the_exact_leave_one_out_density():
    rng = np.random.default_rng(8)
    y = np.append(rng.normal(0, 1, 9), 2.2)
    precision = 1 + len(y)
    theta = rng.normal(y.sum() / precision, 1 / np.sqrt(precision), 8000)
    found = importance(stats.norm.logpdf(y, theta[:, None], 1), (4, 2000))
    for i, value in enumerate(y):
        rest = np.delete(y, i)
        mean, variance = rest.sum() / (precision - 1), 1 / (precision - 1)
        assert found["elpd"][i] == pytest.approx(stats.norm.logpdf(value, mean, np.sqrt(1 + variance)), abs=0.03)
        weight = np.exp(found["log_weights"][:, i])
        assert weight.sum() == pytest.approx(1)
        assert weight @ theta == pytest.approx(mean, abs=0.02)
    assert found["k_hat"].max() < 0.5
    silent = importance(np.zeros((8000, 1)), (4, 2000))
    assert silent["k_hat"] == [0]
    assert np.exp(silent["log_weights"]) == pytest.approx(np.full((8000, 1), 1 / 8000))


def test_a_matter_left_out_says_nothing_and_the_others_what_they_said(worlds):
    one = worlds.base.draws
    for m in (0, 7, 55):
        rest = replace(one.evidence, hazards=emptied(one.evidence.hazards, m))
        two = Draws(rest, one.flat)
        assert np.abs(two.by_matter[:, m]).max() < 1e-9
        others = np.arange(one.by_matter.shape[1]) != m
        assert np.abs(two.by_matter[:, others] - one.by_matter[:, others]).max() < 1e-9
        cells, part = rest.hazards.cells, {k: one.flat[k][:50] for k in hazard_priors(rest.regime)}
        log_h = log_hazards(part, cells.covariates, rest.regime)
        poisson = (cells.count * log_h - cells.months * np.exp(log_h)).sum(axis=(1, 2))
        assert poisson == pytest.approx(two.by_matter[:50].sum(axis=1))


def test_matters_are_told_with_their_place_in_the_sum(probed):
    table = probed.matters
    assert MATTER in set(table["matter"])
    assert (table["p"] > -0.05).all()
    total, error = total_elpd(table)
    assert (probed.checks["elpd"], probed.checks["elpd_se"]) == (total, error)
    assert error == pytest.approx(np.sqrt(len(table)) * table["elpd"].std(ddof=0))
    far = set(table.loc[table["k_hat"] > 0.7, "matter"])
    assert far == set(probed.checks["matters_out_of_reach"]) == set(table.query("method == 'out of reach'")["matter"])
    moves = probed.matter_moves.set_index("matter")["move"]
    assert moves.loc[list(far)].isna().all()
    assert moves.drop(list(far)).notna().all()
    silent = table.loc[table["months"] == 0, "matter"]
    assert np.abs(moves.loc[list(silent)]).max() < 1e-6 * probed.matter_moves["base"].abs().max()


def test_importance_weights_agree_with_a_fit_without_the_matter(worlds, probed):
    """The matter with the largest k-hat that is still trusted, against what the sampler says without it."""
    table = probed.matters
    name = table.loc[table["k_hat"].where(table["k_hat"] < 0.6).idxmax(), "matter"]
    place = int(table.index[table["matter"] == name][0])
    evidence = worlds.base.draws.evidence
    again = worlds.without(replace(evidence, hazards=emptied(evidence.hazards, place)), "a test")
    density = matter_density(again.draws)[:, place]
    elpd = logsumexp(density) - np.log(len(density))
    likelihood = np.exp(density - density.max()).reshape(4, -1).mean(axis=1)
    se = likelihood.std(ddof=1) / 2 / likelihood.mean()
    assert table.set_index("matter").at[name, "elpd"] == pytest.approx(elpd, abs=4 * np.hypot(se, 0.05))
    values, errors = again.values, error(again.values)
    own = probed.matter_moves.query("matter == @name and statistic in ('mean', 'probability') and target != 'view'")
    fresh = again.answers.labels.assign(fresh=values[0], fresh_se=errors)
    both = own.merge(fresh, on=["target", "scenario", "horizon_months", "statistic"])
    both = both.loc[both["move_se"] > 0]
    score = (both["without"] - both["fresh"]) / np.hypot(both["move_se"], np.sqrt(2) * both["fresh_se"])
    assert len(score) > 40
    assert np.abs(score).max() < 4.5
    assert worlds.fitted >= 1


def test_what_is_out_of_reach_is_fitted_anew_where_it_may_be(worlds, monkeypatch):
    fitted = []

    def fit(evidence, why):
        fitted.append(why)
        return worlds.posterior

    monkeypatch.setattr(worlds, "fit", fit)
    monkeypatch.setattr("forecast.sensitivity.matters.MAX_K_HAT", 0.62)
    matters, moves = leave_one_out(worlds, refit=True)
    far = matters.query("k_hat >= 0.62")
    assert len(far)
    assert fitted == [f"without {name}" for name in far["matter"]]
    assert set(matters["method"]) == {"importance weights", REFITTED}
    assert moves["move"].notna().all()


# Tables of the multiverse, of made-up answers


def made_up(kind="sum"):
    """Return two questions of two and three answers and one of what the brief speaks of; one answer in two units."""
    asked = (
        OpenQuestion("a", "a", {STATED: "", "a1": ""}),
        OpenQuestion("b", "b", {STATED: "", "b1": "", "b2": ""}),
        OpenQuestion("c", "c", {STATED: "", ALONE: ""}, "case"),
    )
    every = tuple(choices(asked, quick=False))
    size = {STATED: 0.0, "a1": 2.0, "b1": 3.0, "b2": 7.0}
    means = []
    for choice in every:
        one, two = size[choice["a"]], size[choice["b"]]
        value = 10 + (one + two if kind == "sum" else one * two)
        means.append(value if choice["c"] == STATED else 100 + value)
    rows = np.array(means)[:, None, None] * np.array([1.0, 0.5, 2.0]) * np.ones((1, 1 + BLOCKS, 1))
    keys = pd.DataFrame(
        {"target": "t", "scenario": "all", "horizon_months": 60, "statistic": ["mean", "q05", "q95"], "unit": "EUR"}
    )
    return Multiverse(asked, every, keys, rows, pd.DataFrame(), True)


def test_additive_readings_move_the_same_alone_and_on_average():
    table = effects_table(made_up()).query("statistic == 'mean'").set_index("reading")
    assert table["alone"].to_dict() == {"a1": 2, "b1": 3, "b2": 7, ALONE: 100}
    assert table["average"].to_dict() == pytest.approx({"a1": 2, "b1": 3, "b2": 7, ALONE: 100})
    assert (table["alone_se"] == 0).all()
    shares = shares_table(made_up()).query("statistic == 'mean'").set_index("question")["share"]
    between = {"a": np.var([0, 2]), "b": np.var([0, 3, 7])}
    total = sum(between.values())
    assert shares.to_dict() == pytest.approx({"a": between["a"] / total, "b": between["b"] / total, "together": 0})


def test_readings_that_act_together_leave_a_rest():
    table = effects_table(made_up("product")).query("statistic == 'mean'").set_index("reading")
    assert table["alone"].to_dict() == {"a1": 0, "b1": 0, "b2": 0, ALONE: 100}
    assert table["average"].to_dict() == pytest.approx({"a1": 2 * 10 / 3, "b1": 3, "b2": 7, ALONE: 100})
    values = np.array([a * b for a, b in product((0, 2), (0, 3, 7))])
    shares = shares_table(made_up("product")).query("statistic == 'mean'").set_index("question")["share"]
    assert shares["a"] == pytest.approx(np.var([0, 20 / 3]) / values.var())
    assert shares["b"] == pytest.approx(np.var([0, 3, 7]) / values.var())
    assert shares["together"] == pytest.approx(1 - shares["a"] - shares["b"])


def test_ranges_are_of_the_whole_matter_and_beside_it_of_one_proceeding():
    row = ranges_table(made_up()).iloc[0]
    assert (row["base"], row["lowest"], row["highest"]) == (10, 10, 19)
    assert (row["lowest_reading"], row["highest_reading"]) == (STATED, "a1 + b2")
    assert (row["base_low"], row["base_high"]) == (5, 20)
    assert row["share_of_interval"] == pytest.approx(9 / 15)
    assert (row["lowest_any"], row["highest_any"]) == (10, 119)
    assert row["highest_reading_any"] == "a1 + b2 + c alone"
    close = made_up()
    noisy = replace(close, values=close.values * (1 + 1e-14 * np.arange(len(close.choices))[::-1, None, None]))
    assert ranges_table(noisy).iloc[0]["lowest_reading"] == STATED  # of equals, the simplest


def test_single_changes_have_no_averages_and_no_shares():
    every = made_up()
    kept = [i for i, c in enumerate(every.choices) if sum(a != STATED for a in c.values()) <= 1]
    quick = replace(every, choices=tuple(every.choices[i] for i in kept), values=every.values[kept], is_full=False)
    table = effects_table(quick)
    assert table["average"].isna().all()
    assert table.query("reading == 'b2' and statistic == 'mean'")["alone"].item() == 7
    assert shares_table(quick).empty


# Contraction, and all of it


def test_contraction_is_of_variances_against_the_prior(probed, packaged):
    table = probed.parameters.set_index("parameter")
    stored = packaged.posterior_summary.set_index("parameter")["contraction"]
    assert table.loc[stored.index, "contraction"].to_numpy() == pytest.approx(stored.to_numpy(), abs=1e-6)
    appeal = table.loc["appeal_probability"]
    a, b = 2.0, 2.0  # Beta(2, 2): mean 0.5, worth four fines
    assert appeal["prior_sd"] == pytest.approx(np.sqrt(a * b / (a + b) ** 2 / (a + b + 1)), rel=0.05)
    assert 0.5 < appeal["contraction"] < 1
    parts = by_part(probed.parameters).set_index("part")
    rates = probed.parameters.query("part == 'event rates'")
    assert parts.at["event rates", "parameters"] == len(FAMILIES)
    assert parts.at["event rates", "contraction"] == pytest.approx(rates["contraction"].mean())
    worst = rates.loc[rates["contraction"].idxmax()]
    assert parts.at["event rates", "largest_parameter"] == worst["parameter"]


def test_a_probe_holds_together(probed, packaged):
    assert set(probed.tables) == set(probing.TABLES)
    assert repr(probed) == "<Sensitivity of x-eu-2026 at 2026-02-03, 11 readings>"
    assert probed.checks["exact"] == 11
    assert probed.checks["reweighted"] == probed.checks["refitted"] == probed.checks["fits"] == 0
    assert len(probed.readings) == 11
    assert not hasattr(probed, "nothing")
    with pytest.raises(InputError, match="a fitted forecast was expected"):
        forecast.probe(forecast.prior_forecast(draws=50))


def test_the_same_forecast_gives_the_same_numbers(packaged, probed):
    assert np.array_equal(
        Worlds(packaged).base.values[0], probed.answers.query("reading == @STATED")["value"].to_numpy()
    )


def test_the_screen_tells_four_things_in_words(probed):
    terminal = Console(width=160, no_color=True)
    with terminal.capture() as captured:
        terminal.print(sensitivity_screen(probed))
    text = captured.get()
    for words in (
        "1. What drives each answer",
        "2. Without one matter",
        "3. From prior to posterior",
        "4. How the brief is read (11 readings: 11 exact, ",
        "statements: findings",
        "out of reach",
        "log_rate[",
        f"with the readings of {PARIS} alone",
    ):
        assert words in text
    fine = probed.effects.query("reading == 'parent_turnover' and target == 'fine_left' and horizon_months == 60")
    moved = fine.query("statistic == 'mean'")["alone"].item()
    assert f"{moved * 1e-6:+,.0f}" in text


def test_the_command_writes_prints_and_refuses(probed, packaged_folder, tmp_path, monkeypatch, capsys):
    asked = []

    def probe(result, *, quick):
        asked.append((result.manifest["matter"], quick))
        return probed

    monkeypatch.setattr("forecast.sensitivity.probe", probe)
    out = tmp_path / "out"
    assert exit_code(["sensitivity", str(packaged_folder), "--quick", "--out", str(out)]) == 0
    assert asked == [(MATTER, True)]
    assert "4. How the brief is read" in capsys.readouterr().out
    names = {p.name for p in out.iterdir()}
    assert names == {f"{n}.csv" for n in probing.TABLES} | {"about.json"} | {
        f"{figure}.{form}" for figure in ("drivers", "multiverse") for form in ("png", "svg")
    }
    back = pd.read_csv(out / "ranges.csv")
    assert back["base"].to_numpy() == pytest.approx(probed.ranges["base"].to_numpy())
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "note").write_text("mine")
    assert exit_code(["sensitivity", str(packaged_folder), "--out", str(tmp_path / "taken")]) == 1
    assert exit_code(["sensitivity", str(packaged_folder), "--out", str(packaged_folder / "inside")]) == 1
    assert exit_code(["sensitivity", str(tmp_path / "nowhere")]) == 1
    assert len(asked) == 1


# Later and earlier forecasts


@pytest.mark.slow
def test_with_news_every_reading_has_its_own_weights():
    record = with_rows(load_record(), events=[event(PARIS, "2026-03-20", "charged")])
    result = forecast.run(record=record, origin="2026-04-30", assume_silence=True)
    worlds = Worlds(result)
    assert worlds.has_news
    assert worlds.base.method == EXACT
    half = worlds.read(result.specification.with_reading("outside_pool_half"), result.record)
    assert half.method in (EXACT, REWEIGHTED)
    assert half.view[:, 2].mean() > worlds.base.view[:, 2].mean()
    anew = forecast.run(
        result.specification.with_reading("outside_pool_half"), result.record, origin="2026-04-30", assume_silence=True
    )
    told = anew.scenarios.query("view == 'inside'")["probability"].to_numpy()
    assert half.weight @ half.view == pytest.approx(told, abs=0.02)
    with pytest.raises(InputError, match="below 1, and news since"):
        Worlds(anew)


@pytest.mark.slow
def test_before_the_brief_there_is_nothing_to_read():
    result = forecast.probe(forecast.run(origin="2026-01-15"), quick=True)
    assert result.readings.empty
    assert result.checks["readings"] == 0
    assert len(result.scaling)
    terminal = console()
    with terminal.capture() as captured:
        terminal.print(sensitivity_screen(result))
    assert "before its date no reading counts" in captured.get()
