"""Exposure: months at risk and events, by hand on small records and by invariance on the packaged one."""

from dataclasses import fields, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from worlds import AS_OF, NEWS, brief, case, event, load_record, load_specification, with_news, with_rows, world

from forecast.exposure import CELLS, Exposure, build_exposure
from forecast.files import InputError
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES, FAMILY_TYPES

SIX, YEARS_2 = 182.625, 730.5  # days
LATER = date(2027, 7, 31)
NEVER = np.inf


@pytest.fixture(scope="module")
def record():
    return load_record()


@pytest.fixture(scope="module")
def spec():
    return load_specification()


def days(months: np.ndarray) -> dict[tuple[int, int], float]:
    """Return days at risk by (phase, stage), without empty cells."""
    table = np.asarray(months).reshape(3, 3) * DAYS_PER_MONTH
    return {(p, s): table[p, s] for p in range(3) for s in range(3) if table[p, s] > 1e-9}


def logged(x: Exposure, name: str) -> list[tuple[str, int, int]]:
    """Return (family, phase, stage) of every event of a proceeding in the history."""
    row = x.cases.index(name)
    chosen = [
        (FAMILIES[f], *divmod(c, 3))
        for r, f, c in zip(x.event_row, x.event_family, x.event_cell, strict=True)
        if r == row
    ]
    return sorted(chosen)


def news(x: Exposure) -> list[tuple[str, str, int, int, int]]:
    """Return (case, family, phase, stage, interval or -1) of every event of the news."""
    columns = zip(x.news_row, x.news_family, x.news_cell, x.news_group, strict=True)
    return sorted(
        (x.cases[r], FAMILIES[f], *divmod(int(c), 3), x.groups[g].interval if g >= 0 else -1) for r, f, c, g in columns
    )


def same(one: Exposure, two: Exposure):
    for field in fields(Exposure):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name


def small(*events: dict, closed: str = "", opened: str = "2024-01-01", **other) -> Exposure:
    """Return the exposure of one proceeding ``a`` beside a focal one that opened two days before the brief."""
    rows = [event("a", *e) if isinstance(e, tuple) else e for e in events]
    focal = [case("focal", "2026-02-01"), event("focal", "2026-02-01", "opened")]
    known = world(proceedings=[case("a", opened, closed, **other), focal[0]], events=[*rows, focal[1]])
    return build_exposure(known, brief("focal"), AS_OF)


def test_entry_phases_and_stages_by_hand():
    x = small(
        ("2023-12-01", "information_request"),
        ("2024-01-01", "opened"),
        ("2024-01-01", "information_request"),
        ("2024-03-01", "retention_order"),
        ("2024-08-01", "preliminary_findings"),
        ("2024-08-01", "extended"),
        event("a", "2024-10-01", "compliance_order", scope="person"),
        ("2025-06-01", "fine"),
        ("2025-09-01", "periodic_penalty"),
    )
    row = x.cases.index("a")
    expected = {(0, 0): SIX, (1, 0): 213 - SIX, (1, 1): 517 - 213, (1, 2): YEARS_2 - 517, (2, 2): 764 - YEARS_2}
    assert days(x.months[row]) == pytest.approx(expected)
    events = [("escalation", 1, 0), ("findings", 1, 0), ("fine", 1, 1), ("fine", 1, 2), ("request", 0, 0)]
    assert logged(x, "a") == events
    assert (x.is_open[row], x.stage[row], x.age[row]) == (True, 2, pytest.approx(764 / DAYS_PER_MONTH))


def test_entry_is_the_first_sourced_event_and_its_companions():
    x = small(("2024-05-01", "search"), ("2024-05-01", "preliminary_findings"), ("2024-06-01", "summons"))
    row = x.cases.index("a")
    assert days(x.months[row]) == pytest.approx({(0, 1): SIX - 121, (1, 1): YEARS_2 - SIX, (2, 1): 764 - YEARS_2})
    assert logged(x, "a") == [("summons", 0, 1)]


@pytest.mark.parametrize("decision", ["fine", "commitments_accepted", "closed_no_action"])
def test_a_case_first_known_by_its_decision_has_no_exposure(decision):
    x = small(("2024-05-01", decision), ("2024-06-01", "periodic_penalty"))
    assert not x.months[x.cases.index("a")].any()
    assert logged(x, "a") == []


def test_a_boundary_belongs_to_the_phase_that_it_ends():
    x = small(("2022-01-01", "opened"), ("2024-01-02", "search"), opened="2022-01-01")
    assert logged(x, "a") == [("search", 2, 0)]  # 731 days; 24 months are 730.5
    x = small(("2022-01-01", "opened"), ("2024-01-01", "search"), opened="2022-01-01")
    assert logged(x, "a") == [("search", 1, 0)]


def test_closing_ends_exposure():
    rows = [("2024-01-01", "opened"), ("2024-03-01", "preliminary_findings"), ("2024-05-01", "closed_no_action")]
    x = small(*rows, closed="2024-05-01")
    row = x.cases.index("a")
    assert days(x.months[row]) == pytest.approx({(0, 0): 60, (0, 1): 61})
    assert logged(x, "a") == [("closure", 0, 1), ("findings", 0, 0)]
    assert not x.is_open[row]


def test_events_after_closing_are_ignored():
    rows = [("2024-01-01", "opened"), ("2024-03-01", "preliminary_findings")]
    alone = small(*rows, closed="2024-05-01")
    more = small(*rows, ("2024-06-01", "commitments_accepted"), ("2024-07-01", "appeal_filed"), closed="2024-05-01")
    row = alone.cases.index("a")
    assert logged(more, "a") == logged(alone, "a")
    assert days(more.months[row]) == pytest.approx(days(alone.months[row]))


def test_packaged_record_against_a_loop_over_days(record, spec):
    x = build_exposure(record, spec, AS_OF)
    known = record.as_of(AS_OF)
    total = 0
    for row, name in enumerate(x.cases):
        months, events = by_days(known, name)
        assert x.months[row] == pytest.approx(months, abs=1e-9), name
        assert logged(x, name) == sorted(events), name
        total += len(events)
    assert total == len(x.event_row) > 0


def by_days(known, name: str) -> tuple[np.ndarray, list]:
    """Return months by cell and events of one proceeding, walking from day to day."""
    row = known.proceedings.set_index("case_id").loc[name]
    mine = known.events[(known.events["case_id"] == name) & (known.events["date"] >= row["opened_on"])]
    kinds = {k: f for f, ks in FAMILY_TYPES.items() for k in ks}
    log: dict[pd.Timestamp, list[str]] = {}
    for e in mine.itertuples():
        if e.scope != "person":
            log.setdefault(e.date, []).append(kinds.get(e.type, "none"))
        else:
            log.setdefault(e.date, []).append("none")
    entry, months, events, stage = min(log), np.zeros((3, 3)), [], 0
    end = row["closed_on"] if pd.notna(row["closed_on"]) else pd.Timestamp(AS_OF)
    decided = {"fine", "commitments", "closure"} & set(log[entry])
    by_age = {(day - row["opened_on"]).days: families for day, families in log.items()}
    start = (entry - row["opened_on"]).days
    for age in range(start, (end - row["opened_on"]).days + 1):
        if age > start:
            for low, high, phase in ((0, SIX, 0), (SIX, YEARS_2, 1), (YEARS_2, NEVER, 2)):
                months[phase, stage] += max(0.0, min(age, high) - max(age - 1, low)) / DAYS_PER_MONTH
            phase = 0 if age <= SIX else 1 if age <= YEARS_2 else 2
            events += [(f, phase, stage) for f in by_age.get(age, []) if f != "none"]
        if {"fine", "commitments"} & set(by_age.get(age, [])):
            stage = 2
        elif "findings" in by_age.get(age, []):
            stage = max(stage, 1)
    return (np.zeros(CELLS), []) if decided else (months.ravel(), events)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_is_irrelevant(record, spec, seed):
    rng = np.random.default_rng(seed)
    larger = with_news()
    frames = {
        n: getattr(larger, n).sample(frac=1, random_state=rng).reset_index(drop=True)
        for n in ("proceedings", "events", "fines", "users")
    }
    same(build_exposure(larger, spec, LATER), build_exposure(replace(larger, **frames), spec, LATER))


def test_order_of_events_within_a_day_is_irrelevant(record, spec):
    larger = with_news()
    names = larger.events["event_id"]
    other = dict(zip(names, np.random.default_rng(1).permutation(names), strict=True))
    events = larger.events.assign(event_id=names.map(other), supersedes="")
    one, two = (build_exposure(r, spec, LATER) for r in (larger, replace(larger, events=events)))
    for name in ("months", "news_months", "first_months", "stated_months", "stage", "happened"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert [logged(one, c) for c in one.cases] == [logged(two, c) for c in one.cases]
    assert news(one) == news(two)


def test_a_row_published_later_changes_nothing(record, spec):
    for origin in (date(2025, 1, 31), AS_OF, date(2026, 2, 28)):
        same(build_exposure(record, spec, origin), build_exposure(with_rows(record, **NEWS), spec, origin))


def test_at_the_brief_there_is_no_news(record, spec):
    x = build_exposure(record, spec, AS_OF)
    assert x.inside
    assert not x.has_news
    assert x.elapsed == 0
    assert not x.happened.any()
    assert x.stated_months.sum(axis=(0, 2)) == pytest.approx([5 * (g.end - g.start) for g in x.groups])


def test_before_the_brief_only_the_outside_view_exists(record, spec):
    x = build_exposure(record, spec, date(2025, 8, 31))
    assert not x.inside
    assert not x.has_news
    assert x.elapsed < 0
    assert not x.stated_months.any()
    assert all(x.cases[r] != "ec-dsa-x-grok-2026" for r in range(x.n_focal))


def test_unknown_matter_is_an_error(record, spec):
    with pytest.raises(InputError, match="nobody-2026"):
        build_exposure(record, brief("nobody-2026"), AS_OF)
    with pytest.raises(InputError, match="later origin"):
        build_exposure(record, spec, date(2015, 1, 1))


def test_a_brief_on_a_closed_matter_is_an_error():
    rows = [event("a", "2024-01-01", "opened"), event("a", "2024-05-01", "closed_no_action")]
    known = world(proceedings=[case("a", "2024-01-01", "2024-05-01")], events=rows)
    with pytest.raises(InputError, match="no proceeding of the matter is open"):
        build_exposure(known, brief("a"), AS_OF)


def focal(*events: dict, origin: date, cases: tuple[dict, ...] = (), closed: str = "", stated=("findings", "order")):
    """Return the exposure of a focal matter of two proceedings, opened 33 and 398 days before the brief."""
    proceedings = [case("old", "2025-01-01", closed, matter="m"), case("young", "2026-01-01", matter="m"), *cases]
    opened = [event(c["case_id"], c["opened_on"], "opened") for c in proceedings]
    return build_exposure(world(proceedings=proceedings, events=[*opened, *events]), brief("m", stated), origin)


def test_silence_through_an_interval_is_what_the_analyst_foresaw(record, spec):
    x = build_exposure(record, spec, AS_OF + timedelta(days=731))
    for g in (i for i, g in enumerate(x.groups) if g.end <= 24):
        assert x.first_months[:, g] == pytest.approx(x.stated_months[:, g])


def test_a_case_first_known_by_its_decision_is_foreseen_as_it_is_lived():
    """Where its silence counts for nothing, the analyst's multipliers must not count it either."""
    late = [case("late", "2025-06-01", matter="m")]
    x = focal(event("late", "2025-06-01", "fine"), cases=tuple(late), origin=AS_OF + timedelta(days=183))
    g = group(x, "findings", 0)
    assert x.first_months[:, g].sum(axis=1) == pytest.approx(x.stated_months[:, g].sum(axis=1))


def test_a_proceeding_that_enters_on_the_day_of_the_brief_is_foreseen():
    x = focal(cases=(case("today", "2026-02-03", matter="m"),), origin=AS_OF)
    row = x.cases.index("today")
    assert not x.months[row].any()
    assert days(x.stated_months[row, group(x, "findings", 0)]) == pytest.approx({(0, 0): SIX})


def group(x: Exposure, family: str, interval: int) -> int:
    return next(i for i, g in enumerate(x.groups) if (g.family, g.interval) == (family, interval))


def test_silence_after_the_brief_is_exposure_before_the_first():
    x = focal(origin=AS_OF + timedelta(days=100))
    g, k = group(x, "findings", 0), FAMILIES.index("findings")
    assert x.has_news
    assert days(x.first_months[0, g]) == pytest.approx({(1, 0): 100})
    assert days(x.first_months[1, g]) == pytest.approx({(0, 0): 100})
    assert not x.first_months[:, group(x, "findings", 1)].any()
    assert not x.news_months[:, k].any()
    assert days(x.news_months[1, FAMILIES.index("fine")]) == pytest.approx({(0, 0): 100})  # not stated here
    assert days(x.months[0]) == pytest.approx({(0, 0): SIX, (1, 0): 398 - SIX})  # the history stays


def test_first_stated_event_splits_the_time_at_risk():
    rows = [event("young", "2026-05-14", "charged"), event("old", "2026-05-14", "charged")]
    x = focal(*rows, event("old", "2026-06-13", "charged"), origin=AS_OF + timedelta(days=200))
    g, k = group(x, "findings", 0), FAMILIES.index("findings")
    assert days(x.first_months[0, g]) == pytest.approx({(1, 0): 100})
    assert days(x.first_months[1, g]) == pytest.approx({(0, 0): 100})
    assert days(x.news_months[0, k]) == pytest.approx({(1, 1): 100})
    assert days(x.news_months[1, k]) == pytest.approx({(0, 1): SIX - 133, (1, 1): 233 - SIX})
    firsts = [n for n in news(x) if n[-1] == 0]
    assert len(firsts) == 1  # the matter's first: its companion of the same day is an ordinary event
    assert sorted(n[:4] for n in news(x)) == [
        ("old", "findings", 1, 0), ("old", "findings", 1, 1), ("young", "findings", 0, 0),
    ]  # fmt: skip
    assert days(x.stated_months[1, g]) == pytest.approx({(0, 0): SIX - 33, (1, 0): 33})
    assert x.happened[k]
    assert x.happened.sum() == 1


def test_interval_of_the_first_event_and_the_last_interval_persists():
    day = {8: AS_OF + timedelta(days=240), 30: AS_OF + timedelta(days=900), 70: AS_OF + timedelta(days=2130)}
    for months, interval in ((8, 1), (30, 2), (70, 2)):
        x = focal(event("old", str(day[months]), "charged"), origin=day[months] + timedelta(days=30))
        assert [n[-1] for n in news(x)] == [interval]
        lived = [x.first_months[0, group(x, "findings", k)].sum() for k in range(3)]
        total = (day[months] - AS_OF).days / DAYS_PER_MONTH
        assert lived == pytest.approx([min(6, total), np.clip(total - 6, 0, 18), max(total - 24, 0)])


def test_a_new_proceeding_adds_exposure():
    new = case("new", "2026-03-05", matter="m")
    x = focal(event("new", "2026-04-04", "interim_measures", scope="specific"), cases=(new,), origin=date(2026, 5, 4))
    row, g, k = x.cases.index("new"), group(x, "order", 0), FAMILIES.index("order")
    assert row < x.n_focal == 3
    assert not x.months[row].any()
    assert days(x.first_months[row, g]) == pytest.approx({(0, 0): 30})
    assert days(x.news_months[row, k]) == pytest.approx({(0, 0): 30})
    assert not x.stated_months[row].any()
    assert news(x) == [("new", "order", 0, 0, 0)]


def test_a_late_published_event_is_news_but_no_first():
    late = event("old", "2026-01-10", "charged", published="2026-03-01")
    x = focal(late, origin=date(2026, 4, 4))
    g = group(x, "findings", 0)
    assert news(x) == [("old", "findings", 1, 0, -1)]
    assert not x.happened.any()
    assert logged(x, "old") == []
    assert days(x.months[0]) == pytest.approx({(0, 0): SIX, (1, 0): 398 - SIX})
    assert days(x.first_months[0, g]) == pytest.approx({(1, 1): 60})  # the stage moved before the brief
    assert days(x.stated_months[0, g]) == pytest.approx({(1, 0): SIX})  # the analyst did not know


def test_what_was_public_at_the_brief_never_becomes_news():
    early = event("young", "2026-01-01", "opened", published="2026-03-01")
    rows = [event("young", "2026-01-20", "search"), early, event("old", "2025-01-01", "opened")]
    cases = [case("old", "2025-01-01", matter="m"), case("young", "2026-01-01", matter="m")]
    x = build_exposure(world(proceedings=cases, events=rows), brief("m"), date(2026, 4, 4))
    assert news(x) == []  # the search let the case into the record, and was in the brief


def test_a_proceeding_published_late_is_at_risk_from_its_entry():
    new = case("new", "2025-12-05", matter="m")
    cases = [case("old", "2025-01-01", matter="m"), new]
    rows = [event("old", "2025-01-01", "opened"), event("new", "2025-12-05", "opened", published="2026-03-01")]
    rows += [event("new", "2026-01-04", "search", published="2026-03-01")]
    x = build_exposure(world(proceedings=cases, events=rows), brief("m"), date(2026, 4, 4))
    row = x.cases.index("new")
    assert news(x) == [("new", "search", 0, 0, -1)]
    at_risk = x.months[row].sum() + x.news_months[row, FAMILIES.index("search")].sum()
    assert at_risk * DAYS_PER_MONTH == pytest.approx(120)  # an event whose days at risk count, too


def test_closing_ends_news():
    rows = [event("old", "2026-03-05", "closed_no_action")]
    x = focal(*rows, closed="2026-03-05", origin=date(2026, 5, 4))
    assert days(x.first_months[0, group(x, "findings", 0)]) == pytest.approx({(1, 0): 30})
    assert days(x.stated_months[0, group(x, "findings", 0)]) == pytest.approx({(1, 0): SIX})  # nothing closes
    assert news(x) == [("old", "closure", 1, 0, -1)]


@pytest.mark.parametrize("origin", [date(2026, 3, 1), date(2026, 10, 1), LATER, date(2032, 1, 1)])
def test_months_before_and_after_the_first_add_up(record, spec, origin):
    x = build_exposure(with_news(), spec, origin)
    alone = build_exposure(with_news(), brief("x-eu-2026", ()), origin)
    assert not alone.groups
    for k in range(len(FAMILIES)):
        own = x.group_family == k
        assert x.first_months[:, own].sum(axis=1) + x.news_months[:, k] == pytest.approx(alone.news_months[:, k])
    after = (pd.Timestamp(origin) - pd.Timestamp(AS_OF)).days / DAYS_PER_MONTH
    assert alone.news_months[x.cases.index("fr-crim-x-2025"), 0].sum() == pytest.approx(after)


def test_stated_months_stay_as_the_analyst_saw_them(record, spec):
    one = build_exposure(with_news(), spec, AS_OF)
    two = build_exposure(with_news(), spec, LATER)
    rows = [two.cases.index(c) for c in one.cases[: one.n_focal]]
    assert np.array_equal(two.stated_months[rows], one.stated_months)
    assert not np.delete(two.stated_months, rows, axis=0).any()
