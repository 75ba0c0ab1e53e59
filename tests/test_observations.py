"""Sizes, appeals, closings, users, turnover, openings and new fines, by hand on small records."""

from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.special import logit
from worlds import AS_OF, LATER, NEWS, brief, case, event, load_record, load_specification, with_news, with_rows, world

from forecast.effects import accrual, felt
from forecast.observations import Observations, observe, statute
from forecast.vocabulary import DAYS_PER_MONTH

ANCHOR = [case("anchor", "2020-01-01")], [event("anchor", "2020-01-01", "opened")]


def small(cases=(), events=(), origin=AS_OF, spec=None, **tables) -> Observations:
    """Return what is observed of a small record with one old proceeding besides."""
    known = world(proceedings=[*ANCHOR[0], *cases], events=[*ANCHOR[1], *events], **tables)
    return observe(known, spec or brief("m", provider_group="X"), origin)


def fine(name: str, decided: str, amount: float, cap="", turnover="", **other) -> dict:
    row = {"decision_id": name, "decided_on": decided, "published_on": decided}
    return row | {"amount_eur": amount, "legal_cap_fraction": cap, "turnover_eur": turnover} | other


def test_sizes():
    o = small(
        [case("f", "2021-01-01", matter="m"), case("other", "2021-01-01")],
        [
            event("f", "2021-01-01", "opened"),
            event("other", "2021-01-01", "opened"),
            event("f", "2023-01-01", "fine", event_id="of-focal"),
            event("other", "2023-01-01", "fine", event_id="of-other"),
        ],
        fines=[
            fine("a", "2022-01-01", 4e6, 0.04, 1e9, instrument="UK GDPR"),
            fine("b", "2022-02-01", 5e7, 0.10, 1e9, instrument="EU antitrust", event_id="of-other"),
            fine("zero", "2022-03-01", 0, 0.04, 1e9, instrument="GDPR"),
            fine("no-turnover", "2022-03-02", 1e6, 0.04, instrument="GDPR"),
            fine("bare", "2022-04-01", 1e6, "", 1e9, instrument="media law"),
            fine("focal", "2023-01-01", 9e6, 0.06, 1e9, event_id="of-focal"),
            fine("over", "2022-05-01", 5e7, 0.04, 1e9, instrument="GDPR"),
            fine("late", "2025-01-01", 1e6, 0.04, 1e9, published_on="2026-02-04", instrument="GDPR"),
        ],
    )
    named = [o.instruments[i] for i in o.size_instrument]
    got = sorted(zip(named, o.size, strict=True))
    expected = [("GDPR", logit(0.1)), ("GDPR", logit(1 - 1e-6)), ("antitrust", logit(0.5))]
    assert [n for n, _ in got] == [n for n, _ in expected]
    assert [x for _, x in got] == pytest.approx([x for _, x in expected])
    assert o.bare_size == pytest.approx([np.log(1e-3)])


def test_appeals_and_their_censoring():
    day = "2020-02-03"  # 72 months before the origin
    o = small(
        fines=[
            fine("final", day, 1e6, outcome="final"),
            fine("unknown", day, 1e6, outcome="unknown"),
            fine("zero", day, 0, outcome="upheld", outcome_on="2021-02-03"),
            fine("fast", day, 1e6, outcome="upheld", outcome_on="2020-08-03", amount_after_eur=1e6),
            fine("mid", day, 8e6, outcome="reduced", outcome_on="2022-02-03", amount_after_eur=2e6),
            fine("slow", day, 1e6, outcome="annulled", outcome_on="2025-02-03", amount_after_eur=0),
            fine("later", day, 1e6, outcome="annulled", outcome_on="2026-02-04", amount_after_eur=0),
            fine("pending", "2025-02-03", 1e6, outcome="under_appeal"),
            fine("fresh", "2026-01-03", 1e6, outcome="under_appeal"),
        ]
    )
    assert (o.appealed, o.appealed_large) == ((5, 6), (0, 0))
    assert list(o.outcomes) == [1, 1, 1]
    assert list(o.rulings) == [1, 1, 1]
    days = {"fast": 182, "mid": 731, "slow": 1827, "later": 2192, "pending": 365}
    cuts = [(0, 365.25), (365.25, 1095.75), (1095.75, 1e9)]
    lived = [sum(np.clip(d, a, b) - a for d in days.values()) / DAYS_PER_MONTH for a, b in cuts]
    assert o.ruling_months == pytest.approx(lived)
    assert o.kept == pytest.approx([logit(0.25)])


def test_appeals_are_counted_by_size():
    """Fines of 100 m EUR, the prior file's limit, and more stand apart; the limit itself is large."""
    day = "2020-02-03"
    amounts = {"a": (99e6, "final"), "b": (100e6, "upheld"), "c": (3e8, "final"), "d": (2e6, "under_appeal")}
    rulings = {"upheld": {"outcome_on": "2022-02-03", "amount_after_eur": 100e6}}
    o = small(fines=[fine(k, day, x, outcome=how, **rulings.get(how, {})) for k, (x, how) in amounts.items()])
    assert (o.appealed, o.appealed_large) == ((1, 2), (1, 2))
    assert list(o.outcomes) == [1, 0, 0]


@pytest.mark.parametrize("after", ["", 0, 8e6])
def test_what_a_reduction_left_is_finite(after):
    row = fine("r", "2020-02-03", 8e6, outcome="reduced", outcome_on="2022-02-03", amount_after_eur=after)
    assert np.isfinite(small(fines=[row]).kept).all()


def test_closings():
    cases = [
        case("a", "2024-01-01", "2024-06-01"),
        case("b", "2024-01-01"),
        case("c", "2024-01-01", "2024-05-01"),
        case("d", "2024-01-01", "2025-01-01"),
        case("e", "2024-01-01", "2026-01-01"),
    ]
    events = [event(c["case_id"], "2024-01-01", "opened") for c in cases] + [
        event("a", "2024-06-01", "fine"),
        event("a", "2024-06-01", "commitments_accepted"),  # one day: one decision
        event("b", "2024-06-01", "fine"),
        event("b", "2024-07-01", "periodic_penalty"),
        event("c", "2024-05-01", "closed_no_action"),
        event("c", "2024-06-01", "commitments_accepted"),  # after closing
        event("d", "2024-06-01", "fine"),
        event("d", "2025-01-01", "closed_no_action"),
        event("e", "2026-01-01", "fine", published="2026-03-01"),
    ]
    assert small(cases, events).closed == (1, 4)
    assert small(cases, events, origin=date(2026, 4, 1)).closed == (2, 5)


def count(series: str, first: str, last: str, number: float, published: str = "", **other) -> dict:
    row = {"series_id": series, "period_start": first, "period_end": last, "monthly_active_millions": number}
    return row | {"published_on": published or last} | other


X_USERS = [
    count("x-eu-total", "2025-01-01", "2025-01-31", 100, service="X"),
    count("x-eu-total", "2025-07-01", "2025-07-31", 95, service="X"),
    count("x-eu-total", "2026-01-01", "2026-01-31", 90, "2026-02-15", service="X"),
    count("x-eu-total", "2026-08-01", "2026-08-31", 80, "2026-09-15", service="X"),
    count("x-fr-total", "2025-01-01", "2025-01-31", 20, service="X"),
    count("x-fr-total", "2025-07-01", "2025-07-31", 19, service="X"),
    count("p-1", "2025-01-01", "2025-01-31", 50),
    count("p-1", "2025-03-01", "2025-03-31", 55),
    count("p-2", "2025-01-01", "2025-01-31", 10),
    count("p-2", "2025-03-01", "2025-03-31", 11),
    count("p-2", "2026-03-01", "2026-03-31", 12),
    count("alone", "2025-01-01", "2025-01-31", 50, service="Q"),
]


def test_user_changes_before_the_brief():
    o = small(users=X_USERS)
    assert o.services == ("P", "Q", "X")
    expected = [
        [np.log(1.1), 59 / DAYS_PER_MONTH, 0, 0, 0, 0],
        [np.log(1.1), 59 / DAYS_PER_MONTH, 0, 0, 0, 0],
        [np.log(0.95), 181 / DAYS_PER_MONTH, 2, 0, 0, 0],
    ]
    assert o.users == pytest.approx(np.array(expected))


def test_user_counts_published_after_the_brief_are_news():
    o = small(users=X_USERS, origin=LATER)
    news = o.users[o.users[:, 5] > 0]
    assert news[0] == pytest.approx([np.log(90 / 95), 184 / DAYS_PER_MONTH, 2, 0, 0, 1])
    assert news[1] == pytest.approx([np.log(80 / 90), 212 / DAYS_PER_MONTH, 2, 0, 0, 1])  # nothing has set anything off
    assert len(news) == 2
    assert len(o.users) == 6  # two of the focal service's base series, one and two of P's, one old
    assert accrual(9.0, 9.0) == pytest.approx(0.5)


SET_OFF = {
    "cases": [case(c, "2025-01-01", matter="m") for c in ("m1", "m2")],
    "events": [
        event("m1", "2025-01-01", "opened"),
        event("m2", "2025-01-01", "opened"),
        event("m1", "2025-06-01", "charged"),  # before the brief: in its numbers already
        event("m1", "2026-03-05", "preliminary_findings"),
        event("m2", "2026-05-01", "charged"),  # the first one set it off
        event("m2", "2026-06-03", "compliance_order", scope="person"),  # no operational order
        event("m2", "2026-07-03", "suspension"),
        event("anchor", "2026-04-01", "fine"),
    ],
}


def test_events_set_off_parts_of_an_impact_and_the_first_of_a_family_counts():
    o = small(origin=date(2026, 8, 16), **SET_OFF)
    months = [(date(2026, 8, 16) - day).days / DAYS_PER_MONTH for day in (date(2026, 3, 5), date(2026, 7, 3))]
    stated = load_specification().impacts.set_off
    for name in ("attrition", "valuation_decline"):
        shares = [getattr(stated, name)[family].value for family in ("findings", "suspension")]
        assert o.set_off[name] == tuple(zip(months, shares, strict=True))
    assert o.set_off["moderation_spending"] == ()
    assert small(origin=AS_OF, **SET_OFF).set_off == dict.fromkeys(o.set_off, ())


@pytest.mark.parametrize(("kind", "count"), [("hearing", 0), ("suspension", 1)])
def test_a_single_event_is_enough_to_be_looked_at(kind, count):
    o = small([case("m1", "2025-01-01", matter="m")], [event("m1", "2026-03-05", kind)], LATER)
    assert len(o.set_off["attrition"]) == count


def test_what_is_felt_accrues_from_each_event_and_is_at_most_the_whole():
    assert felt([(9.0, 0.4), (18.0, 0.2)], 9.0) == pytest.approx(0.4 / 2 + 0.2 * 3 / 4)
    assert felt([(-3.0, 1.0), (0.0, 1.0)], 9.0) == 0.0
    assert felt([(200.0, 0.9), (200.0, 0.9)], 9.0) == 1.0


def test_users_lost_to_events_are_told_by_their_middles():
    """By mid-January 2026 nothing was set off; by mid-August findings and a suspension were."""
    o = small(users=X_USERS, origin=LATER, **SET_OFF)
    (before, after), half_life = (date(2026, 1, 16), date(2026, 8, 16)), load_specification().impacts.half_life.value
    shares = load_specification().impacts.set_off.attrition
    parts = [
        ((after - day).days / DAYS_PER_MONTH, shares[family].value)
        for family, day in (("findings", date(2026, 3, 5)), ("suspension", date(2026, 7, 3)))
    ]
    last = o.users[o.users[:, 5] > 0][-1]
    assert before < AS_OF
    assert list(last[3:5]) == pytest.approx([0.0, felt(parts, half_life)])
    assert 0.2 < last[4] < 0.3


def test_without_impacts_nothing_is_felt():
    spec = brief("m", provider_group="X", impacts=None)
    assert not small(users=X_USERS, origin=LATER, spec=spec).users[:, 3:5].any()


def turnover(year: int, value: float, low="", high="", published="", **other) -> dict:
    row = {"company_group": "X", "year": year, "turnover_eur": value, "turnover_low_eur": low}
    return row | {"turnover_high_eur": high, "published_on": published or f"{year + 1}-04-30"} | other


def test_turnover():
    rows = [
        turnover(2022, 4e9, 4e9, 4e9),
        turnover(2023, 3e9, 2.5e9, 3.5e9),
        turnover(2024, 9e9, 9e9, 9e9, company_group="Y"),
        turnover(2025, 2e9, 2e9, 2e9, "2026-04-30"),
    ]
    o = small(turnover=rows)
    spread = np.log(3.5 / 2.5) / (2 * 1.6448536269514722)
    assert o.turnover == pytest.approx([np.log(3e9)])
    assert o.turnover_sd == pytest.approx([np.hypot(spread, 0.15 * np.sqrt(2))])  # 2023 to the last full year, 2025
    later = small(turnover=rows, origin=date(2026, 5, 1))
    assert later.turnover == pytest.approx([np.log(2e9)])
    assert later.turnover_sd == pytest.approx([0.01])
    assert len(small().turnover) == 0
    parent = brief("m", provider_group="X").with_reading("parent_turnover")
    assert len(small(turnover=rows, spec=parent).turnover) == 0


def test_turnover_without_a_range_is_finite():
    o = small(turnover=[turnover(2024, 3e9)])
    assert np.isfinite(o.turnover_sd).all()


def designated(service: str, group: str, day: str, ended: str = "") -> dict:
    return {"service": service, "provider_group": group, "designated_on": day, "ended_on": ended}


def opening(name: str, day: str, group: str, **other) -> tuple[dict, dict]:
    return case(name, day, provider_group=group, **other), event(name, day, "opened")


def opened(*openings: tuple[dict, dict], events=(), services=(), origin=AS_OF) -> dict[str, tuple]:
    """Return (usual count, raised count, usual days, raised days) by provider."""
    o = small([c for c, _ in openings], [e for _, e in openings] + list(events), origin, designated_services=services)
    table = np.column_stack([o.opening_count, o.opening_months * DAYS_PER_MONTH])
    return {p: tuple(row) for p, row in zip(o.opening_providers, table, strict=True)}


DESIGNATED = [
    designated("a1", "A", "2023-01-01"),
    designated("a2", "A", "2024-01-01"),
    designated("b", "B", "2024-01-01"),
]
TOTAL = (AS_OF - date(2023, 1, 1)).days


def test_openings_are_counted_from_designation():
    got = opened(
        opening("before", "2022-06-01", "A"),
        opening("first-day", "2023-01-01", "A"),
        opening("one", "2023-06-01", "A"),
        opening("uk", "2023-07-01", "A", jurisdiction="GB"),
        opening("de", "2023-08-01", "A", jurisdiction="DE"),
        opening("nobody", "2024-06-01", "C"),
        services=DESIGNATED,
    )
    assert got["A"] == pytest.approx((2, 0, TOTAL, 0))
    assert got["B"] == pytest.approx((0, 0, (AS_OF - date(2024, 1, 1)).days, 0))
    assert set(got) == {"A", "B"}


def test_same_day_openings_of_one_matter_count_once():
    got = opened(
        opening("one", "2023-06-01", "A", matter="x"),
        opening("two", "2023-06-01", "A", matter="x"),
        opening("three", "2023-06-01", "A", matter="y"),
        opening("four", "2023-06-02", "A", matter="x"),
        services=DESIGNATED,
    )
    assert got["A"][:2] == (3, 0)


def test_raised_windows():
    search = [event("old", d, "search") for d in ("2023-06-01", "2023-12-01")]
    got = opened(
        opening("old", "2022-01-01", "A"),
        opening("same-day", "2023-06-01", "A"),
        opening("in", "2023-06-02", "A"),
        opening("in-2", "2024-11-30", "A"),
        opening("out", "2024-12-02", "A"),
        events=[*search, event("old", "2024-12-10", "information_request")],
        services=DESIGNATED,
    )
    raised = (date(2023, 12, 1) - date(2023, 6, 1)).days + 365.25  # two windows of a year that overlap
    assert got["A"] == pytest.approx((2, 2, TOTAL - raised, raised))


def test_raised_windows_reach_over_both_ends():
    events = [event("old", "2022-07-01", "search"), event("old", "2025-12-05", "fine")]
    got = opened(opening("old", "2022-01-01", "A"), events=events, services=DESIGNATED)
    raised = 365.25 - (date(2023, 1, 1) - date(2022, 7, 1)).days + (AS_OF - date(2025, 12, 5)).days
    assert got["A"][2:] == pytest.approx((TOTAL - raised, raised))


def test_openings_against_another_provider_do_not_raise():
    events = [event("of-b", "2025-06-01", "search")]
    got = opened(opening("of-b", "2022-01-01", "B"), events=events, services=DESIGNATED)
    assert got["A"][3] == 0
    assert got["B"][3] == pytest.approx((AS_OF - date(2025, 6, 1)).days)


def test_new_fines_and_their_ceilings():
    cases = [
        case("m1", "2025-01-01", matter="m"),
        case("m2", "2025-01-01", matter="m", instrument="GDPR", jurisdiction="IE"),
    ]
    events = [
        event("m1", "2025-01-01", "opened"),
        event("m2", "2025-01-01", "opened"),
        event("m1", "2025-12-01", "fine", amount_eur=1e6),
        event("m2", "2026-06-01", "fine", amount_eur=2e6),
        event("m1", "2026-07-01", "periodic_penalty", amount_eur=3e6),
        event("m1", "2026-07-02", "fine", amount_eur=0),
        event("m1", "2026-07-03", "fine"),
        event("m1", "2027-12-01", "fine", amount_eur=4e6),
        event("anchor", "2026-06-01", "fine", amount_eur=7e6),
    ]
    caps = [{"instrument": "GDPR", "jurisdiction": "any", "legal_cap_fraction": 0.04}]
    o = small(cases, events, LATER, caps=caps)
    assert (o.new_fine_sum, o.new_fine_ceiling) == (5e6, 0.06)  # 2 m under 4 %, 3 m under the brief's own ceiling
    assert small(cases, events, caps=caps).new_fine_sum == 0
    late = [event("m1", "2026-01-05", "fine", published="2026-02-10", amount_eur=5e6)]
    assert small(cases, events[:2] + late, LATER).new_fine_sum == 5e6


def test_what_else_is_known_of_the_focal_matter():
    cases = [case(c, "2024-01-01", matter="m") for c in ("m1", "m2", "m3")]
    events = [event(c["case_id"], "2024-01-01", "opened") for c in cases] + [
        event("m1", "2025-01-01", "fine"),
        event("m1", "2025-02-01", "appeal_filed"),
        event("m2", "2025-03-01", "fine", amount_eur=7e6),
        event("m2", "2025-02-01", "appeal_filed"),
        event("m3", "2025-06-01", "compliance_order", scope="specific"),
        event("m3", "2026-03-01", "compliance_order", scope="extensive"),
        event("m3", "2026-04-01", "compliance_order", scope="person"),
        event("anchor", "2025-03-01", "fine"),
        event("anchor", "2026-03-01", "interim_measures", scope="filtering"),
    ]
    o = small(cases, events)
    assert o.resolved.families == ()
    assert o.unappealed_fines == (((AS_OF - date(2025, 3, 1)).days / DAYS_PER_MONTH, 7e6),)
    assert small(cases, events, LATER).resolved.families == ("order.extensive",)


def test_the_resolution_rule_reads_dates_not_likelihood():
    """An entry-day event counts, one dated before the brief does not, one after the rule's months does not."""
    spec = load_specification()
    record = with_rows(
        load_record(),
        proceedings=[case("new-x", "2026-03-01", matter=spec.matter, provider_group="X")],
        events=[
            event("new-x", "2026-03-01", "suspension"),
            event("ec-dsa-x-2023", "2026-01-30", "fine", published="2026-03-01", amount_eur=150e6),
            event("ec-dsa-x-2023", "2026-04-30", "fine", amount_eur=7e6),
            event("ec-dsa-x-2023", "2031-06-01", "executive_charged"),
        ],
    )
    o = observe(record, spec, date(2031, 7, 1))
    assert {"fine", "suspension"} <= set(o.resolved.families)
    assert "executive" not in o.resolved.families
    assert o.resolved.fine_total - observe(load_record(), spec, date(2031, 7, 1)).resolved.fine_total == 7e6
    assert o.resolved.fined["ec-dsa-x-2023"] == 7e6
    assert observe(record, spec, spec.as_of).resolved.families == ()


def test_ceilings_and_instruments_of_open_and_of_new_proceedings():
    cases = [case("m1", "2025-01-01", matter="m", instrument="UK GDPR", jurisdiction="GB")]
    cases[0] |= {"authority_class": "data_protection"}
    cases += [case(f"c{i}", "2025-01-01", authority_class="consumer", instrument="consumer law") for i in range(2)]
    cases += [case("c2", "2025-01-01", authority_class="consumer", instrument="DSA")]
    caps = [
        {"instrument": "UK GDPR", "jurisdiction": "GB", "legal_cap_fraction": 0.04},
        {"instrument": "UK GDPR", "jurisdiction": "any", "legal_cap_fraction": 0.02},
        {"instrument": "DSA", "jurisdiction": "any", "legal_cap_fraction": 0.06},
    ]
    known = world(proceedings=[*ANCHOR[0], *cases], events=ANCHOR[1], caps=caps)
    law = statute(known, ("m1", "anchor"), ("DSA", "GDPR"), ("consumer", "commission_dsa"))
    assert np.array_equal(law.ceilings, [0.04, 0.06, np.nan, 0.06], equal_nan=True)
    assert list(law.instruments) == [1, 0, -1, 0]


def test_what_is_left_of_a_raised_year():
    cases, events = zip(opening("of-a", "2022-01-01", "A"), opening("of-b", "2022-01-01", "B"), strict=True)
    more = [event("of-a", "2025-06-01", "search"), event("of-b", "2024-06-01", "search")]
    o = small(cases, [*events, *more], designated_services=DESIGNATED)
    assert o.opening_providers == ("A", "B")
    assert o.opening_raised_left == pytest.approx([12 - (AS_OF - date(2025, 6, 1)).days / DAYS_PER_MONTH, 0])


def same(one: Observations, two: Observations):
    for field in fields(Observations):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name


def test_what_is_published_later_changes_nothing():
    spec = load_specification()
    more = with_rows(
        load_record(),
        **NEWS,
        fines=[fine("late", "2026-01-05", 1e6, 0.04, 1e9, published_on="2026-03-01", instrument="new law")],
        turnover=[turnover(2027, 2e9, 2e9, 2e9, "2026-03-01")],
        designated_services=[designated("new", "New", "2026-03-01")],
    )
    for origin in (date(2025, 1, 31), AS_OF, AS_OF + timedelta(days=20)):
        same(observe(load_record(), spec, origin), observe(more, spec, origin))


def test_a_wider_record_fixes_coordinates_alone():
    spec = load_specification()
    one, two = (
        observe(load_record(), spec, date(2024, 1, 1)),
        observe(load_record(), spec, date(2024, 1, 1), load_record()),
    )
    assert set(one.instruments) < set(two.instruments)
    assert sorted(one.size) == pytest.approx(sorted(two.size))
    assert [one.instruments[i] for i in one.size_instrument] == [two.instruments[i] for i in two.size_instrument]
    assert one.users[:, :2] == pytest.approx(two.users[:, :2])
    assert [one.services[int(i)] for i in one.users[:, 2]] == [two.services[int(i)] for i in two.users[:, 2]]


def test_packaged_record():
    spec = load_specification()
    o = observe(load_record(), spec, AS_OF)
    assert o.closed[0] / o.closed[1] > 0.5
    assert o.appealed_large[0] / o.appealed_large[1] > o.appealed[0] / o.appealed[1] > 0.5
    assert o.outcomes.sum() == o.rulings.sum() == 22
    assert np.isfinite(np.concatenate([o.size, o.bare_size, o.kept, o.users.ravel(), o.turnover, o.turnover_sd])).all()
    assert o.opening_months.min() >= 0
    assert o.set_off == dict.fromkeys(("attrition", "valuation_decline", "moderation_spending"), ())
    assert len(o.users[o.users[:, 2] == o.services.index("X")]) == 4
    assert with_news().users["series_id"].eq("x-eu-total").sum() == 6
