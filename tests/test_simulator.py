"""Worlds against hazards by hand, against the evidence read from their records, and as a test of fits."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import oracles
import pytest
from scipy.stats import chi2
from statements import AS_OF, random_courses, stated
from worlds import load_record

from forecast.evidence.gathering import gather_hazards
from forecast.model.focal import news_terms
from forecast.model.hazards import log_hazards
from forecast.model.mode import normal_approximation
from forecast.model.priors import draw_priors, hazard_priors, statement_priors
from forecast.record import Record
from forecast.regime import load_regime
from forecast.simulator import (
    Design,
    Openings,
    Row,
    at_risk,
    design_of,
    draw_world,
    first_events,
    focal_truth,
    reference_rows,
    to_record,
)
from forecast.simulator.events import live
from forecast.simulator.hazards import Law, hazards
from forecast.simulator.worlds import entered, foreseen, integrated_hazards, level_of
from forecast.vocabulary import DAYS_PER_MONTH

NEVER = -40.0  # log of a hazard that nothing follows from
START, ORIGIN = date(2025, 1, 1), date(2027, 1, 1)
regime = cache(load_regime)
packaged = cache(lambda: design_of(load_record(), regime(), AS_OF, horizon=0))


def plain(rates, **effects):
    """Return parameters: hazards per month of the named families, no other families, and no effects but these."""
    values = {name: np.zeros(prior.loc.shape) for name, prior in hazard_priors(regime()).items()}
    logs = [np.log(rates[name]) if name in rates else NEVER for name in regime().family_names]
    return values | {"rate": np.array(logs), "closing": np.array(0.0)} | effects


def by_name(family):
    return regime().family_names.index(family)


def counts(world):
    """Return numbers of events by class of the proceeding, and family."""
    out = np.zeros((len(regime().classes), len(regime().families)))
    for event in world.events:
        out[regime().class_names.index(world.rows[event.row].authority_class), event.family] += 1
    return out


def score(observed, expected):
    return (observed - expected) / np.sqrt(expected)


def detectable(expected, share):
    """Return the power of ``|z| < 4`` against a hazard that is wrong by a share: z beyond its threshold, in sd."""
    return np.sqrt(expected) * share - 4


def test_constant_hazards_give_person_time_times_hazard_in_every_class():
    n, rates = 150, {"request": 0.12, "search": 0.1, "summons": 0.08, "order.specific": 0.1, "suspension": 0.06}
    rows = reference_rows(dict.fromkeys(regime().class_names, n), START, START)
    world = draw_world(Design(regime(), rows, ORIGIN, 0), 1, plain(rates))
    months = n * (ORIGIN - START).days / DAYS_PER_MONTH
    seen = counts(world)
    expected = np.array([rates.get(name, 0.0) for name in regime().family_names]) * months
    assert np.all(np.abs(score(seen, expected + 1e-9)[:, expected > 0]) < 4)
    assert seen[:, expected == 0].sum() == 0
    assert np.abs(score(seen.sum(), expected.sum() * 8)) < 4
    assert detectable(expected.sum() * 8, 0.05) > 1.3  # 5 % too many or too few are found with 90 % probability
    assert len({(e.row, e.day) for e in world.events}) == len(world.events)  # one a day


def test_an_event_may_close_its_proceeding():
    """Events that close always come at h: closed by then with ``1 - (1 - h)^days``; those that may, with a part."""
    n, days = 3000, (ORIGIN - START).days
    rows = reference_rows({"data_protection": n}, START, START)
    world = draw_world(
        Design(regime(), rows, ORIGIN, 0), 2, plain({"closure": 0.03, "fine": 0.05}, closing=np.array(0.4))
    )
    per_day = (0.03 + 0.4 * 0.05) / DAYS_PER_MONTH
    share = 1 - (1 - per_day) ** days
    closed = (world.closed > 0).sum()
    assert abs(closed - n * share) < 4 * np.sqrt(n * share * (1 - share))
    lived = (1 - (1 - per_day) ** days) / per_day / DAYS_PER_MONTH  # months, in the mean
    expected = n * lived * np.array([0.03, 0.05])
    seen = counts(world).sum(axis=0)[[by_name("closure"), by_name("fine")]]
    assert np.all(np.abs(score(seen, expected)) < 4)
    assert all(e.day <= world.closed[e.row] or world.closed[e.row] == 0 for e in world.events)


def test_stages_move_and_ripen():
    """Findings come at a constant hazard; a fine comes in their stage alone, ripening by the bands of time in it."""
    n, days, kind = 4000, (ORIGIN - START).days, "data_protection"
    findings, fine = 0.2, 0.02
    law = np.array([0.5 if rule.ripens else 0.0 for rule in regime().rules])
    stage = np.zeros((len(regime().later_stages), len(regime().families)))
    stage[:, by_name("findings")] = NEVER
    stage[regime().later_stages.index("after_decision"), by_name("fine")] = NEVER
    rate = plain({"findings": findings, "fine": fine})["rate"]
    rate[by_name("fine")] = NEVER
    stage[regime().later_stages.index("after_findings"), by_name("fine")] = np.log(fine) - NEVER
    rows = reference_rows({kind: n}, START, START)
    world = draw_world(Design(regime(), rows, ORIGIN, 0), 3, plain({}, rate=rate, stage=stage, law=law))
    p, lags = findings / DAYS_PER_MONTH, np.arange(1, days + 1)
    months = np.minimum((lags - 0.5) / DAYS_PER_MONTH, 36) + 1
    ripe = np.round(np.log(months / 5) / 0.5) * 0.5
    daily = fine * np.exp(0.5 * ripe) / DAYS_PER_MONTH
    fined = 1 - np.cumprod(1 - daily)  # so many days after findings
    expected = [
        n * (1 - (1 - p) ** days),
        n * sum(p * (1 - p) ** (k - 1) * fined[days - k - 1] for k in range(1, days)),
    ]
    seen = counts(world).sum(axis=0)[[by_name("findings"), by_name("fine")]]
    assert np.all(np.abs(score(seen, np.array(expected))) < 4)
    assert detectable(expected[1], 0.2) > 1.3
    flat = fine / DAYS_PER_MONTH
    unripe = n * sum(p * (1 - p) ** (k - 1) * (1 - (1 - flat) ** (days - k)) for k in range(1, days))
    assert abs(score(seen[1], unripe)) > 4  # without ripening the counts would be others


def test_powers_age_trend_and_rules_multiply_the_hazard():
    """Requests of the Commission before a formal opening, and what may not come then; age and trend by their bands."""
    n, days = 2500, (ORIGIN - START).days
    powers = np.zeros((len(regime().classes), len(regime().families)))
    powers[regime().class_names.index("commission_dsa"), by_name("request")] = np.log(0.5)
    rule = next(i for i, r in enumerate(regime().rules) if r.where.unmarked == "formally_opened")
    law = np.zeros(len(regime().rules))
    law[rule] = np.log(0.2)
    age = np.zeros(len(regime().families))
    age[by_name("request")] = 0.6
    values = plain({"request": 0.1, "search": 0.1}, powers=powers, law=law, age=age, trend=np.array(0.3))
    first = reference_rows({"commission_dsa": n, "consumer": n}, START, START)
    rows = tuple(replace(row, steps=(("information_request", ""),)) for row in first)
    world = draw_world(Design(regime(), rows, ORIGIN, 0), 4, values)
    k = np.arange(1, days + 1)
    log_age = np.round(np.log((np.minimum((k - 0.5) / DAYS_PER_MONTH, 36) + 2) / 10) / 0.25) * 0.25
    year = np.round((k - 0.5) / 365.25 / 0.5) * 0.5  # the reference day is the first of them
    requests = n * np.sum(0.1 * np.exp(0.6 * log_age + 0.3 * year)) / DAYS_PER_MONTH
    searches = n * np.sum(0.1 * np.exp(0.3 * year)) / DAYS_PER_MONTH
    expected = {
        ("commission_dsa", "request"): 0.5 * requests,
        ("commission_dsa", "search"): 0.2 * searches,
        ("consumer", "request"): requests,
        ("consumer", "search"): searches,
    }
    seen = counts(world)
    for (kind, family), value in expected.items():
        assert abs(score(seen[regime().class_names.index(kind), by_name(family)], value)) < 4
        assert detectable(value, 0.15) > 1.3
    opened = draw_world(Design(regime(), first, ORIGIN, 0), 4, values)
    commission = counts(opened)[regime().class_names.index("commission_dsa"), by_name("search")]
    assert abs(score(commission, searches)) < 4  # a formal opening lifts the rule


def test_hazards_of_a_day_are_those_of_brute_force():
    """At random parameters, for every proceeding of the packaged record as it stood when it was first known."""
    values = draw_priors(hazard_priors(regime()), 1, np.random.default_rng(5))
    values = {name: v[0] for name, v in values.items()}
    lives = entered(packaged(), 0.5, np.random.default_rng(1))
    table, day = oracles.Hazard(values, regime()), date(2024, 5, 17)
    rows = lives.at_risk(day.toordinal())
    own = hazards(values, Law.of(regime()), lives.take(rows), day.toordinal())
    for i, row in enumerate(rows):
        about = packaged().rows[row]
        stage, since = regime().stage_names[lives.stage[row]], date.fromordinal(int(lives.since[row]))
        marks = {m for j, m in enumerate(regime().marks) if lives.marks[row] >> j & 1}
        tags = {t for j, t in enumerate(regime().tags) if lives.tags[row] >> j & 1}
        state = (stage, since, frozenset(marks))
        told = table((about.authority_class, frozenset(tags), date.fromordinal(about.opened)), state, day)
        assert np.log(own[i]) == pytest.approx(list(told.values()), rel=1e-10)
    assert len(rows) > 20


def by_day(world, origin):
    """Return months and counts by covariates, summed over all days of all proceedings of a world's record."""
    months, count = {}, {}
    for one in oracles.lives(to_record(world), regime(), origin):
        for day, state in one.days.items():
            key = oracles.covariates(one.about, state, day, regime())
            months[key] = months.get(key, 0.0) + 1 / DAYS_PER_MONTH
            if day in one.counted:
                place = key, by_name(one.counted[day][1])
                count[place] = count.get(place, 0) + 1
    return months, count


@pytest.mark.parametrize("seed", [6, 7])
def test_gathering_finds_the_months_at_risk_and_the_events_that_a_world_had(seed):
    design = replace(packaged(), rows=tuple(_watched(i, row) for i, row in enumerate(packaged().rows)))
    world = draw_world(design, seed)
    evidence = gather_hazards(to_record(world), regime(), AS_OF)
    ends = [min(x for x in (c or np.inf, r.watched or np.inf, AS_OF.toordinal())) for r, c in _lived(world)]
    months = sum(max(0, end - row.entry) for (row, _), end in zip(_lived(world), ends, strict=True)) / DAYS_PER_MONTH
    assert evidence.cells.months[:, 0].sum() == pytest.approx(months)
    seen = np.zeros(len(regime().families))
    for event in world.events:
        seen[event.family] += event.day <= (world.rows[event.row].watched or np.inf)
    assert np.array_equal(evidence.cells.count.sum(axis=0), seen)
    assert seen.sum() > 50
    by_covariates, counted = by_day(world, AS_OF)
    cells = evidence.cells
    for c, row in enumerate(cells.covariates.table):
        kind, stage = regime().class_names[int(row[0])], regime().stage_names[int(row[1])]
        key = kind, stage, round(row[2], 9), round(row[3], 9), tuple(round(v, 9) for v in row[4:])
        assert cells.months[c] == pytest.approx(by_covariates.pop(key))
        assert cells.count[c].tolist() == [counted.get((key, f), 0) for f in range(len(regime().families))]
    assert not by_covariates


def _watched(i, row):
    return replace(row, watched=max(row.entry, AS_OF.toordinal() - 150)) if i % 3 == 0 else row


def _lived(world):
    """Return the proceedings that are observed, each with the day of its closing (0: none)."""
    decided = {t for f in regime().families.values() if f.closes != "never" for t in f.types}
    pairs = zip(world.rows, world.closed, strict=True)
    return [(row, int(closed)) for row, closed in pairs if not any(kind in decided for kind, _ in row.steps)]


FOCAL = ("findings", "fine", "order.extensive", "suspension", "commitments")


def focal_design(seed, correction=1.0):
    """Return the packaged record's design with random statements about its focal matter, and new proceedings."""
    statements = stated(regime(), random_courses(FOCAL, np.random.default_rng(seed)), tempo=2.0)
    openings = Openings(0.15, {"criminal": 0.3, "consumer": 0.7}, 0.3, ("findings", "escalation"), 12)
    return Design(regime(), packaged().rows, date(2028, 2, 3), 12, statements, correction, openings, closing=(3, 5))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_focal_matter_is_read_from_its_record_as_it_was_lived(seed):
    """Multipliers, reference class and news of a world with new proceedings, by the core and by brute force."""
    correction = np.random.default_rng(seed).uniform(0.5, 2, (15, 3))
    design = focal_design(seed, correction=correction)
    world, origin = draw_world(design, seed), design.origin
    record = to_record(world)
    assert len(world.rows) > len(design.rows)
    evidence = gather_hazards(record, regime(), origin, design.statements)
    terms = news_terms(world.truth, evidence.news, design.statements, correction, regime())
    assert terms.multiplier[:, world.scenario] == pytest.approx(world.multiplier, rel=1e-9)
    hazard = oracles.Hazard(world.truth, regime())
    told = oracles.news_log_likelihood(record, regime(), origin, hazard, design.statements, world.truth, correction)
    assert terms.log_likelihood == pytest.approx(told, rel=1e-9)
    cells = evidence.cells
    log_h = log_hazards(world.truth, cells.covariates, regime())
    reference = np.sum(cells.count * log_h - cells.months * np.exp(log_h))
    by_days = oracles.reference_log_likelihood(record, regime(), origin, hazard, design.statements)
    assert reference == pytest.approx(by_days, rel=1e-10)
    first = focal_truth(world, AS_OF).first
    stated_families = list(design.statements.families)
    seen = np.where(first <= (origin - AS_OF).days / DAYS_PER_MONTH, first * DAYS_PER_MONTH + AS_OF.toordinal(), 0)
    assert evidence.news.first[stated_families] == pytest.approx(seen[stated_families])


def test_first_events_come_at_the_stated_probabilities():
    """Nothing changes the matter's state, correction 1: ``1 - (1 + A / k)^-k``, mixed over the statements' errors."""
    n, k, names = 3000, 3.0, ("request", "search", "suspension")
    courses = {"request": [[0.5, 0.7]], "search": [[0.4, 0.6]], "suspension": [[0.3, 0.4]]}
    statements = stated(regime(), courses, "m", ends=(6.0, 24.0), pi=(1.0,), tempo=k)
    rows = tuple(
        Row(f"c{i}", "m", kind, START.toordinal(), START.toordinal()) for i, kind in enumerate(("consumer", "criminal"))
    )
    design = Design(regime(), rows, AS_OF, 24, statements)
    truth = plain({"request": 0.1, "search": 0.02, "suspension": 0.005}, age=np.full(len(regime().families), 0.3))
    one, rng = entered(design, 0.0, np.random.default_rng(0)), np.random.default_rng(14)
    ahead = foreseen(one, truth, regime(), statements)
    errors = draw_priors(statement_priors(statements), n, rng)
    added = np.array([integrated_hazards({e: v[i] for e, v in errors.items()}, statements)[:, 0] for i in range(n)])
    level = level_of(statements, regime(), added / ahead, rng.gamma(k, 1 / k, n))
    lives = one.take(np.flatnonzero(one.copy >= 0)).repeated(n)
    first = np.full((n, len(regime().families)), np.inf)
    end = AS_OF.toordinal() + round(24 * DAYS_PER_MONTH)
    for event in reversed(live(lives, truth, regime(), (AS_OF.toordinal(), end), rng, level=level)):
        first[lives.copy[event.row], event.family] = event.day - AS_OF.toordinal()
    for g, group in enumerate(statements.groups):
        of_family = [i for i in statements.of_family(group.family) if i <= g]
        closed_form = 1 - (1 + added[:, of_family].sum(axis=1) / k) ** -k
        came = first[:, group.family] <= round(group.end * DAYS_PER_MONTH)
        assert abs((came - closed_form).sum()) < 3.5 * np.sqrt(np.sum(closed_form * (1 - closed_form)))
        assert came.mean() == pytest.approx(statements.stated[g, 0], abs=3.5 * np.sqrt(0.25 / n))
    # Silence of all three families at once: the tempo is common to them.
    early = [g for g, group in enumerate(statements.groups) if group.interval == 0]
    silent = (1 + added[:, early].sum(axis=1) / k) ** -k
    quiet = (first[:, [by_name(name) for name in names]] > round(6 * DAYS_PER_MONTH)).all(axis=1)
    assert abs((quiet - silent).sum()) < 3.5 * np.sqrt(np.sum(silent * (1 - silent)))
    independent = np.prod((1 + added[:, early] / k) ** -k, axis=1)
    assert abs((quiet - independent).sum()) > 3.5 * np.sqrt(np.sum(independent * (1 - independent)))


def coverage(seed, broken=None):
    """Return the mean square of the truth's standardised distance from the mode, in a large world; its dimension."""
    rows = reference_rows(dict.fromkeys(regime().class_names, 375), date(2022, 1, 1), date(2025, 6, 1))
    truth = draw_priors(hazard_priors(regime()), 1, np.random.default_rng(seed))
    truth = {name: values[0] for name, values in truth.items()}
    world = draw_world(Design(regime(), rows, AS_OF, 0), seed, broken(truth) if broken else truth)
    fit = normal_approximation(gather_hazards(to_record(world), regime(), AS_OF).cells, regime())
    flat = np.concatenate([truth[name].ravel() for name in fit.priors])
    z = np.linalg.solve(fit.cholesky, flat - fit.mode)
    return float(z @ z) / len(z), len(z)


def test_the_mode_of_a_large_world_covers_its_truth():
    squares, size = zip(*(coverage(seed) for seed in (21, 22, 23)), strict=True)
    total = sum(size)
    low, high = chi2.ppf([0.001, 0.999], total) / total
    assert low < np.mean(squares) < high


@pytest.mark.parametrize("what", ["powers", "law", "age"])
def test_a_fit_to_a_world_that_is_broken_on_purpose_does_not_cover(what):
    """The world leaves one kind of effect out, so that the truth which it claims is not the one that it lived."""
    square, size = coverage(21, lambda truth: truth | {what: np.zeros_like(truth[what])})
    assert square > chi2.ppf(0.9999, size) / size


def test_a_trend_may_be_held():
    values = plain({"request": 0.1}, trend=np.array(0.5))
    lives, law = entered(packaged(), 0.0, np.random.default_rng(1)), Law.of(regime())
    day, held = date(2027, 2, 1).toordinal(), date(2026, 2, 1).toordinal()
    moving = hazards(values, law, lives, day)[:, by_name("request")]
    standing = hazards(values, law, lives, day, held)[:, by_name("request")]
    assert moving / standing == pytest.approx(np.exp(0.5))
    assert hazards(values, law, lives, held, held) == pytest.approx(hazards(values, law, lives, held))


def test_a_longer_world_has_the_same_past():
    short, long = (draw_world(replace(focal_design(15), horizon=h), 15) for h in (0, 12))
    day = short.design.last_day
    assert short.events == tuple(e for e in long.events if e.day <= day)
    assert short.scenario == long.scenario
    assert to_record(short) == to_record(long)


def test_records_are_cut_where_the_world_was():
    world = draw_world(focal_design(16), 16)
    early = date(2026, 12, 31)
    cut, direct = to_record(world).as_of(early), to_record(world, early)
    assert isinstance(cut, Record)
    assert cut.events["event_id"].tolist() == direct.events["event_id"].tolist()
    assert to_record(world, given=load_record()).caps.equals(load_record().caps)
    assert to_record(world, given=load_record()).fines.empty
    assert cut.proceedings["closed_on"].equals(direct.proceedings["closed_on"])
    for row in world.events:
        family = list(regime().families.values())[row.family]
        assert regime().family_of(family.types[-1], family.scopes[0] if family.scopes else "") == row.family


def test_truth_says_what_happened_after_a_day():
    world, day = draw_world(focal_design(17), 17), date(2026, 8, 1)
    truth, focal = focal_truth(world, day), set(world.focal)
    later = [e for e in world.events if e.row in focal and e.day > day.toordinal()]
    for family in range(len(regime().families)):
        own = [e.day for e in later if e.family == family]
        expected = (min(own) - day.toordinal()) / DAYS_PER_MONTH if own else np.inf
        assert truth.first[family] == pytest.approx(expected)
    assert len(truth.fines) == sum(e.family == by_name("fine") for e in later)
    assert len(truth.openings) == sum(row.opened > day.toordinal() for row in world.rows if row.matter == "x-eu-2026")
    came = first_events(world, day, (6, 24))
    assert came[..., 0].sum() <= came[..., 1].sum()
    assert not came[~at_risk(world, day)].any()
    assert at_risk(world, day).sum() > 10
    rows = (Row("a", "m", "consumer", START.toordinal(), START.toordinal()),)
    one = stated(regime(), {"request": [[0.1, 0.2, 0.3]]}, "m", pi=(1.0,))
    single = draw_world(Design(regime(), rows, AS_OF, 60, one), 2, plain({"closure": 0.05}))
    assert single.closed[0] > AS_OF.toordinal()
    assert focal_truth(single, AS_OF).all_closed == (single.closed[0] - AS_OF.toordinal()) / DAYS_PER_MONTH


def test_new_proceedings_open_at_the_stated_rates():
    n, months = 1000, 24
    statements = stated(regime(), {"suspension": [[0.1, 0.2, 0.3]]}, "m", pi=(1.0,))
    rows = (Row("a", "m", "consumer", START.toordinal(), START.toordinal()),)
    openings = Openings(0.02, {"criminal": 0.25, "data_protection": 0.75}, 0.1, ("escalation",), 6)
    design = Design(regime(), rows, AS_OF, months, statements, openings=openings)
    one, rng = entered(design, 0.0, np.random.default_rng(0)), np.random.default_rng(18)
    level = level_of(statements, regime(), np.ones((n, 3)), np.ones(n))
    lives, truth = one.repeated(n), plain({"suspension": 1e-9})
    first, last = AS_OF.toordinal(), design.last_day
    live(lives, truth, regime(), (first, last), rng, level=level, openings=openings)
    new = lives.take(np.arange(n, len(lives)))
    assert abs(score(len(new), n * 0.02 * (last - first) / DAYS_PER_MONTH)) < 4
    criminal = (new.authority_class == regime().class_names.index("criminal")).sum()
    assert abs(criminal - len(new) / 4) < 4 * np.sqrt(len(new) * 3 / 16)
    # Escalations at a rate at which the rate of openings is raised nearly always: from the first day after one on.
    level = level_of(statements, regime(), np.ones((n, 3)), np.ones(n))
    lives = one.repeated(n)
    live(lives, plain({"escalation": 3.0}), regime(), (first, last), rng, level=level, openings=openings)
    raised = n * 0.1 * (months - 1 / 3) + n * 0.02 / 3
    assert abs(score(len(lives) - n, raised)) < 4


def test_a_matter_without_a_proceeding_at_risk_is_refused():
    rows = (Row("a", "m", "consumer", START.toordinal(), START.toordinal(), steps=(("fine", ""),)),)
    statements = stated(regime(), {"suspension": [[0.1, 0.2, 0.3]]}, "m", pi=(1.0,))
    with pytest.raises(RuntimeError, match="never had a proceeding at risk"):
        draw_world(Design(regime(), rows, AS_OF, 12, statements), 1, attempts=3)
    with pytest.raises(ValueError, match="'m'"):
        Design(regime(), (replace(rows[0], matter="other"),), AS_OF, 12, statements)


def recognised(seeds):
    """Return true scenario and its probabilities given the news of one year, by world, at known reference hazards.

    The statements' errors, which nobody knows, are averaged over.
    """
    courses = {
        "findings": [[0.10, 0.25, 0.4], [0.30, 0.6, 0.8], [0.50, 0.8, 0.9]],
        "fine": [[0.03, 0.10, 0.2], [0.10, 0.3, 0.6], [0.20, 0.5, 0.7]],
        "suspension": [[0.01, 0.02, 0.03], [0.02, 0.05, 0.1], [0.40, 0.7, 0.8]],
    }
    statements = stated(regime(), courses, pi=(0.3, 0.45, 0.25))
    openings = Openings(0.1, {"criminal": 0.3, "consumer": 0.7})
    rows = tuple(row for row in packaged().rows if row.matter == "x-eu-2026")
    design = Design(regime(), rows, date(2027, 2, 3), 0, statements, openings=openings)
    truth = {name: prior.loc for name, prior in hazard_priors(regime()).items()} | {"closing": np.array(0.5)}
    errors = draw_priors(statement_priors(statements), 400, np.random.default_rng(1))
    true, probability = [], []
    for seed in seeds:
        world = draw_world(design, seed, truth)
        news = gather_hazards(to_record(world), regime(), design.origin, statements).news
        many = {name: np.broadcast_to(value, (400, *np.shape(value))) for name, value in truth.items()} | errors
        one = np.ones(statements.location.shape)
        likelihood = np.exp(news_terms(many, news, statements, one, regime()).log_likelihood).mean(axis=0)
        true.append(world.scenario)
        probability.append(statements.pi * likelihood / np.sum(statements.pi * likelihood))
    return np.array(true), np.array(probability), statements.pi


@pytest.mark.slow
def test_scenarios_are_recognised_as_often_as_the_news_says():
    """A martingale: in simulated worlds what the news makes of the scenarios is on average what they turn out to be."""
    true, probability, pi = recognised(range(200))
    for s in range(3):
        p = probability[:, s]
        assert abs(np.sum((true == s) - p)) < 3.5 * np.sqrt(np.sum(p * (1 - p)))
        assert abs(p.mean() - pi[s]) < 3.5 * p.std() / np.sqrt(len(p))
    said = np.log(probability[np.arange(len(true)), true])
    expected = np.sum(probability * np.log(probability), axis=1)
    assert abs(np.sum(said - expected)) < 3.5 * np.sqrt(
        np.sum(probability * np.log(probability) ** 2) - np.sum(expected**2)
    )
    assert np.mean(said - np.log(pi[true])) > 0.1  # there is something to recognise
