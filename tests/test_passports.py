"""The passport of a prior file: percentiles, exact intervals and warnings against figures worked out by hand."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from worlds import AS_OF, brief, case, event, load_record, load_specification, with_rows, world

from forecast import passports as module
from forecast.evidence.episodes import episodes
from forecast.intervals import binomial_interval, percentile, poisson_interval
from forecast.passports import FEW, passport
from forecast.quantities import Number, Range, Source, Statement, middle, says
from forecast.record_tables import REQUIRED_TABLES, TABLES
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES
from forecast.yaml_files import dotted, key_path

PRIORS = Path(__file__).parents[1] / "priors"
FILES = ("x-paris-2026.yaml", "tiktok-commission-2026.yaml")
OURS = Source(kind="ours")
COLUMNS = ["key", "says", "stated_low", "stated", "stated_high", "unit", "reading", "provenance", "brief", "record"]
COLUMNS += ["figure", "figure_low", "figure_high"]
COLUMNS += ["percentile", "percentile_low", "percentile_high", "warning"]


@pytest.fixture(scope="module")
def record():
    return load_record()


@pytest.fixture(scope="module", params=FILES)
def spec(request):
    return load_specification(PRIORS / request.param)


@pytest.fixture(scope="module")
def paris(record):
    return passport(load_specification(), record).set_index("key")


def moved(base: Specification, **values: float) -> Specification:
    """Return the prior file with numbers set by dotted path (dots written as two underscores)."""
    data = base.model_dump() | {"readings": {"moved": {"what": "moved", "set": {}}}}
    data["readings"]["moved"]["set"] = {key.replace("__", "."): value for key, value in values.items()}
    return Specification.model_validate(data).with_reading("moved")


def told(specification: Specification, record, key: str) -> pd.Series:
    return passport(specification, record).set_index("key").loc[key]


def range_of(low: float, high: float, unit: str = "EUR", mass: float = 0.9) -> Range:
    return Range(low=low, high=high, mass=mass, unit=unit, source=OURS)


def number(value: float, unit: str = "probability") -> Number:
    return Number(value=value, unit=unit, reading="-", source=OURS)


# The table as a whole


def test_one_row_per_number_in_the_order_of_the_file(spec, record):
    table = passport(spec, record)
    assert list(table.columns) == COLUMNS
    assert list(table["key"]) == [key for key, _ in spec.numbers()]
    assert table["key"].is_unique
    assert list(table["unit"]) == [stated.unit for _, stated in spec.numbers()]
    of_regime = table["key"].str.startswith("regime.")
    assert (of_regime == (table["provenance"] == "regime")).all()
    assert table.loc[~of_regime, "provenance"].isin(["source", "author_assumption", "ours"]).all()
    ranks = table[["percentile", "percentile_low", "percentile_high"]].stack().dropna()
    assert ranks.between(0, 100).all()
    assert not table[[c for c in COLUMNS if not c.startswith(("percentile", "figure"))]].isna().any(axis=None)
    ordered = table[["figure_low", "figure", "figure_high"]].dropna()
    assert len(ordered) > 50
    assert (ordered["figure_low"] <= ordered["figure"]).all()
    assert (ordered["figure"] <= ordered["figure_high"]).all()
    assert (table["stated_low"] <= table["stated"]).all()
    assert (table["stated"] <= table["stated_high"]).all()
    assert not table["record"].str.contains("nan|inf").any()


def test_every_pattern_has_a_number_and_the_rest_stays_silent(record):
    table = passport(load_specification(), record).set_index("key")
    silent = table.index[table["record"] == ""]
    prefixes = ("scenarios", "statements.families", "fines.share", "fines.eur", "regime.families", "sizes.share")
    assert not [key for key in silent if key.startswith(prefixes)]
    assert {
        "pooling",
        "regime.scales.trend",
        "statements.tempo",
        "drift.mean",
        "impacts.half_life",
        "statements.shared",
    } <= set(silent)
    assert (table.loc[silent, "warning"] == "").all()
    assert table.loc[silent, "percentile"].isna().all()
    assert set(table.loc[table.index.str.startswith("scenarios"), "record"]) == {"see the outside view"}


def test_nothing_published_after_the_brief_enters(spec, record):
    assert passport(spec, record).equals(passport(spec, record.as_of(spec.as_of)))
    later = {"decided_on": "2026-03-01", "published_on": "2026-03-01"}
    day, noise = "2026-03-02", {"published_on": "2026-03-02"}
    grown = with_rows(
        record,
        proceedings=[case("new", "2026-02-10")],
        events=[event("new", "2026-02-10", "opened"), event("new", "2026-03-01", "fine", amount_eur="9e9")],
        fines=[later | {"decision_id": "new", "amount_eur": "9e9", "turnover_eur": "1e10", "outcome": "upheld"}],
        turnover=[{"company_group": "X", "year": "2027", "turnover_eur": "9e9"} | noise],
        users=[
            {"series_id": "x-eu-total", "service": "X", "provider_group": "X", "monthly_active_millions": "9"}
            | {"period_start": "2025-08-01", "period_end": "2026-01-31", "published_on": day},
        ],
    )
    assert passport(spec, record).equals(passport(spec, grown))
    after = spec.model_copy(update={"as_of": date(2026, 4, 1)})
    assert not passport(after, record).equals(passport(after, grown))


@pytest.mark.parametrize("kept", [REQUIRED_TABLES, (*REQUIRED_TABLES, "fines"), ("users", "turnover", "moderation")])
def test_missing_tables_leave_words_instead_of_figures(spec, record, kept):
    poor = replace(record, **{n: getattr(record, n).iloc[:0] for n in TABLES if n not in kept})
    table = passport(spec, poor).set_index("key")
    assert list(table.index) == [key for key, _ in spec.numbers()]
    if "fines" not in kept:
        assert table.at["fines.share.limited", "record"].startswith("no sums of fines")
        assert np.isnan(table.at["fines.share.limited", "percentile"])
        assert table.at["appeals.probability.mean", "record"] == "no fines below 100 m EUR appealed"
        assert table.at["fines.share.crackdown", "warning"] == ""
    if "events" not in kept:
        assert table.at["regime.families.fine.rate", "record"].startswith("0 in 0 months")
        assert (table.loc[table.index.str.startswith("statements"), "warning"] == "").all()


def test_a_record_cut_before_the_brief_stays_cut(record):
    spec = load_specification()
    early = passport(spec, record.as_of("2024-12-31"))
    assert early.equals(passport(spec.model_copy(update={"as_of": date(2024, 12, 31)}), record))


# Arithmetic


@pytest.mark.parametrize(("x", "rank"), [(0, 0), (1, 12.5), (1.5, 25), (2, 50), (3, 87.5), (4, 100)])
def test_percentile_is_a_mid_rank(x, rank):
    assert percentile(np.array([1.0, 2.0, 2.0, 3.0]), x) == rank


@pytest.mark.parametrize(("events", "months"), [(0, 10.0), (1, 870.0), (16, 870.0), (400, 3.5)])
def test_poisson_interval_is_the_chi_square_one(events, months):
    low = stats.chi2.ppf(0.05, 2 * events) / 2 / months if events else 0.0
    high = stats.chi2.ppf(0.95, 2 * events + 2) / 2 / months
    assert poisson_interval(events, months) == pytest.approx((low, high), rel=1e-10)


@pytest.mark.parametrize(("events", "cases"), [(0, 5), (5, 5), (1, 2), (51, 72)])
def test_binomial_interval_is_the_exact_one(events, cases):
    exact = stats.binomtest(events, cases).proportion_ci(0.9, method="exact")
    assert binomial_interval(events, cases) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_the_middle_of_a_range_is_on_its_scale():
    assert middle(range_of(1e6, 1e8)) == pytest.approx(1e7)
    assert middle(range_of(0.1, 0.9, "fraction of ceiling")) == pytest.approx(0.5)
    odds = np.sqrt(0.05 / 0.95 * 0.15 / 0.85)
    assert middle(range_of(0.05, 0.15, "fraction of users")) == pytest.approx(odds / (1 + odds))
    assert middle(range_of(-0.005, 0.008, "log per month")) == pytest.approx(0.0015)
    assert middle(number(0.3)) == 0.3


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        (range_of(0.03, 0.33), "0.03 - 0.33 (90 %)"),
        (range_of(10e6, 1.2e9, mass=0.8), "10 m - 1.2 bn (80 %)"),
        (range_of(0.00005, 0.01), "0.00005 - 0.01 (90 %)"),
        (number(0.4), "0.40"),
        (number(0.005), "0.005"),
        (number(0.125), "0.125"),
        (number(4, "observations"), "4"),
        (number(100e6, "EUR"), "100 m"),
        (Statement(value=0.5, within=6, unit="probability", reading="-", source=OURS), "0.50 within 6 months"),
    ],
)
def test_what_is_stated_is_printed(stated, text):
    assert says(stated) == text


# Samples


def fine(n: int, share: float, **other) -> dict:
    """Return a fine of ``share`` of the ceiling of 6 % of 1 bn."""
    day = f"2024-01-{n + 1:02d}"
    row = {"decision_id": f"d{n}", "decided_on": day, "published_on": day, "amount_eur": repr(share * 6e7)}
    return row | {"turnover_eur": "1e9", "legal_cap_fraction": "0.06"} | other


def fined(shares: list[float], *more: dict, events: tuple[dict, ...] = ()):
    """Return a record of one open proceeding ``a`` and these fines."""
    seen = [event("a", "2025-01-01", "opened"), *events]
    return world(
        proceedings=[case("a", "2025-01-01")],
        events=seen,
        fines=[*map(fine, *zip(*enumerate(shares), strict=True)), *more],
    )


MANY = "9 sums of fines by matter, a decision outside the log being a matter of its own"
TENTHS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_fines_have_a_percentile_as_shares_and_in_euros():
    spec = moved(brief("a"), fines__share__limited__low=0.25, fines__share__limited__high=0.75)
    spec = moved(spec, fines__eur__limited__low=20e6, fines__eur__limited__high=50e6)
    table = passport(spec, fined(TENTHS)).set_index("key")
    row = table.loc["fines.share.limited"]
    ranks = (row["percentile"], row["percentile_low"], row["percentile_high"])
    assert ranks == pytest.approx((50, 100 * 2 / 9, 100 * 7 / 9))
    assert row["record"] == f"median 0.5 [0.14, 0.86], {MANY}"
    euros = table.loc["fines.eur.limited"]
    ranks = (euros["percentile"], euros["percentile_low"], euros["percentile_high"])
    assert ranks == pytest.approx((500 / 9, 300 / 9, 800 / 9))  # the middle is 31.6 m
    assert euros["record"].startswith("median 30 m [")
    assert table.at["sizes.share", "percentile"] == 0


def test_a_warning_comes_and_goes_with_the_range():
    record = fined(TENTHS)
    base = brief("a")
    inside = moved(base, fines__share__crackdown__low=0.3, fines__share__crackdown__high=0.8)
    above = moved(base, fines__share__crackdown__low=0.87, fines__share__crackdown__high=0.99)
    partly = moved(base, fines__share__crackdown__low=0.8, fines__share__crackdown__high=0.99)
    below = moved(base, fines__share__crackdown__low=0.05, fines__share__crackdown__high=0.13)
    low = moved(base, fines__share__crackdown__low=0.001, fines__share__crackdown__high=0.2)
    assert told(inside, record, "fines.share.crackdown")["warning"] == ""
    expected = [
        (above, f"the whole range lies above the record's 95 %: {MANY}"),
        (partly, f"above all of the reference class: {MANY}"),
        (below, f"the whole range lies below the record's 5 %: {MANY}"),
        (low, f"below all of the reference class: {MANY}"),
    ]
    for spec, warning in expected:
        assert told(spec, record, "fines.share.crackdown")["warning"] == warning


def test_a_part_of_the_class_is_named_in_percent():
    spec = moved(brief("a"), fines__share__limited__low=0.2, fines__share__limited__high=0.93)
    record = fined([0.01 * n for n in range(1, 31)], fine(30, 0.95))
    row = told(spec, record, "fines.share.limited")
    assert row["percentile"] == pytest.approx(100 * 30 / 31)
    assert row["warning"] == f"above 96 % of the reference class: {MANY.replace('9 ', '31 ', 1)}"


def test_few_values_are_listed_and_raise_no_warning():
    spec = moved(brief("a"), fines__share__limited__low=0.95, fines__share__limited__high=0.99)
    few, enough = told(spec, fined(TENTHS[: FEW - 1]), "fines.share.limited"), fined(TENTHS[:FEW])
    assert few["record"] == f"only {MANY.replace('9 ', '4 ', 1)}: 0.1, 0.2, 0.3, 0.4"
    assert (few["percentile"], few["warning"]) == (100, "")
    assert told(spec, enough, "fines.share.limited")["warning"] != ""


def test_the_matters_own_fines_are_no_reference():
    day = {"decided_on": "2025-06-01", "published_on": "2025-06-01"}
    own = event("a", "2025-06-01", "fine", event_id="a-fine", amount_eur="6e7")
    record = fined(TENTHS, fine(20, 1.0, event_id="a-fine", **day), events=(own,))
    table = passport(brief("a"), record).set_index("key")
    assert MANY in table.at["fines.share.limited", "record"]
    assert MANY in table.at["fines.eur.limited", "record"]
    assert "9 fines" in table.at["sizes.share", "record"]


def test_fines_of_one_matter_are_summed():
    """Two fines in the matter b, of 0.1 and 0.3 of the ceiling of 60 m EUR, are one sum of 0.4; others stand alone."""
    cases = [case("a", "2025-01-01"), case("b1", "2025-01-01", matter="b"), case("b2", "2025-01-01", matter="b")]
    log = [event(c["case_id"], "2025-01-01", "opened") for c in cases]
    log += [event(c, "2025-06-01", "fine", event_id=f"{c}-fine", amount_eur="1e6") for c in ("b1", "b2")]
    day = {"decided_on": "2025-06-01", "published_on": "2025-06-01"}
    fines = [fine(n, 0.5) for n in range(4)]
    fines += [fine(10, 0.1, event_id="b1-fine", **day), fine(11, 0.3, event_id="b2-fine", **day)]
    table = passport(brief("a"), world(proceedings=cases, events=log, fines=fines)).set_index("key")
    assert table.at["fines.share.limited", "record"].startswith("median 0.5 [0.42, 0.5], 5 sums of fines")
    assert table.at["fines.eur.limited", "record"].startswith("median 30 m [25.2 m, 30 m], 5 sums of fines")
    assert "6 fines" in table.at["sizes.share", "record"]


def test_a_range_for_a_median_should_hold_the_median():
    record = fined(TENTHS)
    key = "sizes.share"
    assert told(moved(brief("a"), sizes__share__high=0.51), record, key)["warning"] == ""
    assert told(brief("a"), record, key)["warning"] == "the record's median, 0.5, lies above the range"
    above = moved(brief("a"), sizes__share__low=0.6, sizes__share__high=0.9)
    assert told(above, record, key)["warning"] == "the record's median, 0.5, lies below the range"
    bare = [fine(n, share, legal_cap_fraction="") for n, share in enumerate(TENTHS)]
    loose = world(proceedings=[case("a", "2025-01-01")], events=[event("a", "2025-01-01", "opened")], fines=bare)
    row = told(brief("a"), loose, "sizes.without_ceiling")  # shares of turnover are 0.06 of those of the ceiling
    assert row["record"] == "median 0.03 [0.0084, 0.052], 9 fines without a ceiling"
    assert row["warning"] == "the record's median, 0.03, lies above the range"


def test_turnover_is_placed_among_the_published_years(record, paris):
    known = record.as_of(AS_OF).turnover
    years = known.loc[known["company_group"] == "X"]
    row = paris.loc["fines.turnover"]
    assert row["percentile"] == 100 * (years["turnover_eur"] < np.sqrt(12e18)).mean()
    assert row["record"].endswith("8 years of the provider's turnover; the latest 3.14 bn, of 2023")
    assert row["warning"] == ""
    low = told(moved(load_specification(), fines__turnover__high=3e9), record, "fines.turnover")
    assert low["warning"] == "the record's latest figure, 3.14 bn, lies above the range"
    parent = told(load_specification().with_reading("parent_turnover"), record, "fines.turnover")
    assert (parent["record"], parent["warning"]) == ("no years of the parent's turnover", "")


def test_changes_of_users_are_turned_into_half_yearly_losses():
    def counted(start: str, end: str, millions: float) -> dict:
        day = {"period_start": start, "period_end": end, "published_on": end}
        return {"series_id": "s", "monthly_active_millions": str(millions)} | day

    months = [
        ("2024-01-01", "2024-01-31", 100),
        ("2024-04-01", "2024-04-30", 90),
        ("2025-04-01", "2025-04-30", 99),
    ]
    record = with_rows(fined(TENTHS), users=[counted(*m) for m in months])
    row = told(brief("a"), record, "impacts.attrition.significant")
    first = 1 - 0.9 ** (6 * DAYS_PER_MONTH / 90)  # mid-January to mid-April: 90.5 days, counted as 90
    second = 1 - 1.1 ** (6 * DAYS_PER_MONTH / 365)
    figures = f"{second:.2g}, {first:.2g}"
    assert row["record"].startswith("only 2 half-yearly losses of users (negative: growth), from all causes")
    assert row["record"].endswith(f": {figures}")
    assert row["percentile"] == 50


def test_event_studies_and_market_values_are_kept_apart(record, paris):
    rows = record.as_of(AS_OF).valuations
    studies = -rows.loc[rows["kind"] == "event_study", "change_fraction"].dropna()
    row = paris.loc["impacts.valuation_decline.limited"]
    assert row["percentile"] == pytest.approx(
        100 * (studies < middle(range_of(0.01, 0.1, "fraction of valuation"))).mean()
    )
    assert f"{len(studies)} event studies" in row["record"]
    assert "Toncoin (Telegram-linked) 0.19" in row["record"]
    assert "Bluesky" not in row["record"]
    assert paris.at["impacts.valuation_decline.crackdown", "warning"].startswith("the whole range lies above")


def test_spending_is_listed_with_what_it_is(paris):
    row = paris.loc["impacts.moderation_spending.limited"]
    assert row["record"].startswith("only 2 figures of whole groups, in total rather than added: 1.85 bn, 11 bn; ")
    assert "cumulative" in row["record"]
    assert (row["percentile"], row["warning"]) == (0, "")


# Rates and shares


def test_rates_and_open_proceedings_are_those_of_the_episodes(spec, record):
    """Counted and summed stretch by stretch here, cell by cell there."""
    lives = episodes(record.as_of(spec.as_of).in_force(), spec.regime, spec.as_of)
    table = passport(spec, record).set_index("key")
    months = sum(part.end - part.start for life in lives for part in life.stretches) / DAYS_PER_MONTH
    happened = [FAMILIES[event.family] for life in lives for event in life.counted]
    still_open = sum(life.is_open and life.is_observed for life in lives if life.matter_id == spec.matter)
    assert len(happened) > 50
    for family in FAMILIES:
        text = table.at[dotted(("regime", "families", family, "rate")), "record"]
        assert text.endswith(f", {happened.count(family)} in {months:.0f} months: {family}, all classes and stages")
    for key, stated in spec.numbers():
        if isinstance(stated, Statement):
            events = happened.count(key_path(key)[2])
            text = table.at[key, "record"]
            assert f"(open proceedings: {still_open}; events: {events} in {months:.0f} months)" in text
            foreseen = stated.within * still_open
            rate = events / months if events else poisson_interval(0, months)[1]
            chance = 1 - np.exp(-rate * foreseen)
            assert float(text.removeprefix("at most ").split()[0]) == pytest.approx(chance, rel=0.01)
            odds = stated.value / (1 - stated.value) / (chance / (1 - chance))
            assert (table.at[key, "warning"] != "") == (odds > 4 or (events > 0 and odds < 1 / 4))


def thousand_days(events: int):
    """Return a record of one open proceeding ``a``, a thousand days (32.9 months) old, with so many searches."""
    days = pd.date_range("2023-07-01", periods=events, freq="7D").strftime("%Y-%m-%d")
    logged = [event("a", day, "search") for day in days]
    return world(proceedings=[case("a", "2023-05-10")], events=[event("a", "2023-05-10", "opened"), *logged])


@pytest.mark.parametrize(
    ("low", "high", "warning"),
    [
        (0.01, 0.17, ""),  # 10 events in 32.85 months: 0.30 a month, exact interval 0.165 to 0.516
        (0.01, 0.16, "the record's rate is 7.6 times the stated median and outside its range"),
        (0.51, 0.6, ""),
        (0.52, 0.6, "the record's rate is 0.54 times the stated median and outside its range"),
    ],
)
def test_a_rate_outside_its_range_raises_a_warning(low, high, warning):
    changed = {f"regime__families__search__rate__{end}": x for end, x in (("low", low), ("high", high))}
    row = told(moved(brief("a"), **changed), thousand_days(10), "regime.families.search.rate")
    assert row["record"] == "0.3 [0.17, 0.52], 10 in 33 months: search, all classes and stages"
    assert row["warning"] == warning
    assert np.isnan(row["percentile"])


def test_statements_without_an_event_in_the_record_are_held_against_a_bound():
    record = thousand_days(0)
    months = 1000 / DAYS_PER_MONTH
    ceiling = 1 - 0.05 ** (6 / months)  # rate at most -log(0.05) / months
    key = "statements.families.fine.limited[0]"
    low = told(brief("a"), record, key)
    assert low["record"] == f"at most {ceiling:.3g} whatever the scenario (open proceedings: 1; events: 0 in 33 months)"
    assert low["warning"] == ""  # 0.05 is far below the bound: no disagreement
    course = brief("a").statements.families["fine"].limited
    high = tuple(s.model_copy(update={"value": v}) for s, v in zip(course, (0.9, 0.95, 0.99), strict=True))
    base = brief("a")
    fines = base.statements.families["fine"].model_copy(update={"limited": high})
    families = base.statements.families | {"fine": fines}
    bold = base.model_copy(update={"statements": base.statements.model_copy(update={"families": families})})
    factor = 0.9 / 0.1 / (ceiling / (1 - ceiling))
    assert told(bold, record, key)["warning"] == f"the stated odds are {factor:.2g} times those at the record's rate"


def test_a_matter_without_an_open_proceeding_has_no_rate_of_its_own(record):
    table = passport(brief("nobody"), record).set_index("key")
    rows = table.loc[table.index.str.startswith("statements.families")]
    assert set(rows["record"]) == {"no proceeding of the matter is open, or none is at risk"}
    assert (rows["warning"] == "").all()


def test_appeals_are_counted_by_size(record, paris):
    """Fines of 100 m EUR and more apart from the others; known are those appealed and those that became final."""
    fines = record.as_of(AS_OF).in_force().fines
    fines = fines.loc[fines["amount_eur"] > 0]
    appealed = fines["outcome"].isin(["upheld", "reduced", "annulled", "under_appeal"])
    known, large = appealed | (fines["outcome"] == "final"), fines["amount_eur"] >= 100e6
    for key, own, words in (
        ("appeals.probability.mean", ~large, "fines below 100 m EUR appealed"),
        ("appeals.probability_large.mean", large, "fines of 100 m EUR or more appealed"),
    ):
        yes, total = (appealed & own).sum(), (known & own).sum()
        row = paris.loc[key]
        assert row["record"].endswith(f"{yes} of {total}: {words}")
        low, high = stats.binomtest(yes, total).proportion_ci(0.9, method="exact")
        assert (row["figure_low"], row["figure_high"]) == pytest.approx((low, high))
        stated = moved(load_specification(), **{key.replace(".", "__") + "__value": float(high) + 0.01})
        warning = told(stated, record, key)["warning"]
        assert warning.endswith("times the stated value, which its interval excludes")
        assert row["warning"] == ("" if low <= row["stated"] <= high else warning)
    assert paris.at["closing.mean", "record"].endswith("decisions that closed the proceeding")
    assert paris.at["appeals.ruling_rate[1].rate", "record"].endswith("12 in 722 months: rulings from month 12 on")


def test_outcomes_are_compared_as_shares_of_the_stated_counts(record):
    base, key = load_specification(), "appeals.outcome.upheld"  # 12 of 22 upheld: 0.55, exact 0.35 to 0.73
    assert told(moved(base, appeals__outcome__upheld__value=2.0), record, key)["warning"] == ""
    skewed = moved(base, appeals__outcome__upheld__value=1.0, appeals__outcome__reduced__value=8.0)
    assert told(skewed, record, key)["warning"].startswith("the record's share is 5.5 times the stated value")


def test_rulings_are_counted_in_the_phases_of_the_file(record):
    data = load_specification().model_dump() | {"readings": {}}
    data["appeals"]["ruling_rate"][1]["from_months"] = 24.0
    table = passport(Specification.model_validate(data), record).set_index("key")
    words = table.at["appeals.ruling_rate[1].rate", "record"].split("], ")[1]
    assert words.endswith(": rulings from month 24 on")
    assert int(words.split()[0]) < 12


def test_the_ratio_of_raised_openings_has_an_exact_interval(record, paris):
    row = paris.loc["openings.raised"]
    numbers = [int(word) for word in row["record"].split("], ")[1].replace(",", "").split() if word.isdigit()]
    many, raised, few, usual = numbers
    low, high = (p / (1 - p) * usual / raised for p in stats.binomtest(many, many + few).proportion_ci(0.9, "exact"))
    figures = row["record"].split("], ")[0].replace("[", "").replace(",", "").split()
    assert [float(x) for x in figures] == pytest.approx([many / raised / (few / usual), low, high], rel=0.05)
    assert row["warning"] == ""
    far = told(
        moved(load_specification(), openings__raised__low=30.0, openings__raised__high=40.0),
        record,
        "openings.raised",
    )
    assert far["warning"].startswith("the record's ratio is 0.")
    assert "times the stated median and outside its range" in far["warning"]


def test_it_starts_light():
    heavy = "[m for m in ('pymc', 'pytensor', 'arviz', 'nutpie', 'scipy.stats', 'xarray') if m in sys.modules]"
    code = f"import sys; import {module.__name__}; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
