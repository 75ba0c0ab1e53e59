"""The table of weights against the forecast that it explains, and against hand-made news."""

from datetime import date

import numpy as np
import pytest
from worlds import brief, event, load_record, load_specification, with_rows

from forecast.evidence.episodes import ENTRY, NO_FAMILY
from forecast.gathered import gather
from forecast.inference import brief_draws
from forecast.outcomes import inside_weights
from forecast.weight_of_evidence import NOT_STATED, weight_of_evidence

CORRECTION = np.ones((23, 3))


def draws_at(day, record=None, n=300):
    spec = load_specification()
    evidence = gather(spec, record or load_record(), date.fromisoformat(day), correction=CORRECTION)
    return brief_draws(evidence, n, seed=5)


@pytest.fixture(scope="module")
def packaged_news():
    draws = draws_at("2026-10-06")
    return draws, weight_of_evidence(draws, load_record())


def test_factors_multiply_to_the_whole_change(packaged_news):
    draws, table = packaged_news
    pi, last = np.array([0.40, 0.45, 0.15]), inside_weights(draws).mean(axis=0)
    factors = table.groupby("scenario", sort=False)["log_factor"].sum().to_numpy()
    assert np.exp(factors) * pi == pytest.approx(last)
    end = table[table["step"] == table["step"].max()]["probability"].to_numpy()
    assert end == pytest.approx(last)
    assert table.groupby("step")["probability"].sum().to_numpy() == pytest.approx(1.0)


def test_steps_follow_each_other_without_a_gap(packaged_news):
    _, table = packaged_news
    steps = table[table["kind"] != "figures"].drop_duplicates("step")
    assert steps["start"].iloc[0] == "2026-02-03"
    assert steps["end"].iloc[-1] == "2026-10-06"
    assert (steps["start"].iloc[1:].to_numpy() == steps["end"].iloc[:-1].to_numpy()).all()


def test_what_carries_nothing_says_why(packaged_news):
    _, table = packaged_news
    notes = table.drop_duplicates("step").set_index("event_id")["note"]
    assert ENTRY in notes["nl-civil-xai-2026-e01"]
    assert notes["fr-crim-x-2025-e09"] == NO_FAMILY
    assert notes["fr-crim-x-2025-e10"] == ""  # the brief states judicial investigations: its first one carries weight
    silent = table[table["event_id"].isin(["nl-civil-xai-2026-e01", "fr-crim-x-2025-e09", "ec-dsa-x-2023-e10"])]
    assert silent["log_factor"].abs().max() < 0.02  # no more than the silence of that day


def test_a_judicial_investigation_weighs_for_the_crackdown(packaged_news):
    _, table = packaged_news
    row = table[table["event_id"] == "fr-crim-x-2025-e10"].set_index("scenario")["log_factor"]
    assert row["crackdown"] > row["significant"] > row["limited"]


def test_without_news_there_is_no_table():
    assert weight_of_evidence(draws_at("2026-02-03"), load_record()).empty


def test_a_routine_event_of_a_family_that_is_not_stated_moves_nothing_on_its_day():
    record = with_rows(load_record(), events=[event("ie-dsa-x-2025", "2026-02-05", "information_request")])
    draws = draws_at("2026-02-10", record)
    table = weight_of_evidence(draws, record)
    row = table[table["kind"] == "event"]
    assert row["note"].iloc[0] == NOT_STATED
    assert row["log_factor"].abs().max() < 0.02


def test_the_brief_that_states_one_family_weighs_it_as_counted_by_hand():
    """One stated family and silence: probabilities are those of the closed form, averaged over draws."""
    spec = brief("x-eu-2026", stated=("findings",))
    record = load_record().as_of("2026-03-03")
    evidence = gather(spec, record, date(2026, 3, 3), correction=np.ones((3, 3)))
    draws = brief_draws(evidence, 200, seed=6)
    table = weight_of_evidence(draws, record)
    news = draws.news
    assert news.shape == 3.0  # nothing stated came: silence alone
    weight = np.array([0.40, 0.45, 0.15]) * news.rate**-3.0
    expected = (weight / weight.sum(axis=1, keepdims=True)).mean(axis=0)
    last = table[table["step"] == table["step"].max()].set_index("scenario")["probability"]
    assert last.to_numpy() == pytest.approx(expected)
