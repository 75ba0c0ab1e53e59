"""Backtests: what is asked and answered, that nothing leaks, that scores follow from the rows; clusters."""

import csv
import sys
import threading
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scoringrules
import xarray as xr
from worlds import NEWS, brief, case, event, load_record, load_specification, with_news, with_rows, world

import forecast
from forecast import parallel
from forecast.backtesting import asking, backtest, rows, running, saying, scoring, spreading
from forecast.backtesting.asking import answers, first_answers, questions, waited, window
from forecast.backtesting.rows import CRPS, FORECASTERS
from forecast.baselines import ASKED, BASELINES, TARGETS, fit_baselines
from forecast.cli.shell import exit_code
from forecast.files import InputError
from forecast.gathered import gather, gather_reference
from forecast.inference import Draws, NotConvergedError, Posterior, Settings, prior_draws
from forecast.leaks import LeakError
from forecast.model.priors import hazard_priors
from forecast.outcomes import imagine
from forecast.plots import backtests
from forecast.terminal.look import console
from forecast.terminal.scores import backtest_screen, verdicts
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES, family_of
from forecast.watchlist import first_events, reference_fines

SHORT = Settings(draws=100, tune=1, chains=2, seed=3)
DATA = Path(forecast.__file__).parent / "data"


class Unfitted:
    """Stands for a compiled model: draws of the prior that pass every gate, in no time."""

    def __init__(self, evidence=None, worst: float = 1.0):
        self.worst = worst

    def sample(self, evidence, settings):
        flat = prior_draws(evidence, settings.chains * settings.draws, settings.seed).flat
        shaped = {k: v.reshape(settings.chains, settings.draws, *v.shape[1:]) for k, v in flat.items()}
        names = evidence.priors
        table = pd.DataFrame({"r_hat": [self.worst], "ess_bulk": [4e3], "ess_tail": [4e3]}, index=["size_mean"])
        posterior = Posterior(
            evidence=evidence,
            settings=settings,
            raw={k: v for k, v in shaped.items() if k in names},
            exact={k: v for k, v in shaped.items() if k not in names},
            statistics={"diverging": np.zeros(1)},
        )
        vars(posterior)["diagnostics"] = table
        return posterior


@cache
def unfitted():
    """Return the default backtest of the packaged record, with draws of the prior."""
    return backtest(settings=SHORT, compiled=Unfitted())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("backtest") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtests, "FIGURES", {})  # they have tests of their own
        forecast.save_backtest(unfitted(), path)
    return path


# What is asked


def test_default_origins_and_windows():
    asked = {str(q.day): [w.months for w in q.windows] for q in questions(load_record())}
    assert asked == {
        "2024-08-03": [3, 6, 9], "2024-11-03": [3, 6, 9], "2025-02-03": [3, 6, 9], "2025-05-03": [3, 6, 9],
        "2025-08-03": [3, 6, 9], "2025-11-03": [3, 6, 9], "2026-02-03": [3, 6], "2026-05-03": [3],
    }  # fmt: skip


def test_windows_are_calendar_months():
    assert window(date(2024, 11, 30), 3) == (3, date(2025, 2, 28), 90 / DAYS_PER_MONTH)
    assert window(date(2024, 8, 3), 9).end == date(2025, 5, 3)


def test_an_earlier_end_asks_and_answers_less():
    asked = questions(load_record(), end="2025-05-02")
    assert [[w.months for w in q.windows] for q in asked] == [[3, 6], [3]]
    assert asked[0].horizon == pytest.approx((date(2025, 5, 2) - date(2024, 8, 3)).days / DAYS_PER_MONTH)
    assert answers(load_record(), date(2025, 5, 2))["date"].max() <= pd.Timestamp("2025-05-02")


def test_what_cannot_be_asked_is_refused_at_once():
    with pytest.raises(InputError) as caught:
        questions(load_record(), end="2026-10-07", windows=[0, 3, 3])
    text = str(caught.value)
    assert "0 is no window" in text
    assert "each once" in text
    assert "2026-10-07 lies after 2026-10-06, the last day of the record" in text
    with pytest.raises(InputError, match=r"no window of 3 months from 2026-08-01 on ends by 2026-10-06"):
        questions(load_record(), start="2026-08-01")
    with pytest.raises(InputError, match="is no step"):
        questions(load_record(), every="quarterly")


def test_a_record_that_was_cut_ends_there():
    cut = load_record().as_of("2025-06-30")
    assert asking.last_day(cut) == date(2025, 6, 30)
    assert questions(cut)[-1].windows[-1].end <= date(2025, 6, 30)


def test_a_leak_is_noticed(monkeypatch):
    record = load_record()
    monkeypatch.setattr(type(record), "as_of", lambda self, day: record)
    with pytest.raises(LeakError):
        questions(record)


ORIGIN = date(2025, 1, 1)


@pytest.fixture(scope="module")
def story():
    """One proceeding with every kind of thing that may be mistaken for an answer."""
    return world(
        proceedings=[case("a", "2024-01-01", "2025-06-01"), case("b", "2024-01-01")],
        events=[
            event("a", "2024-01-01", "opened"),
            event("b", "2024-01-01", "opened"),
            event("a", "2024-12-20", "information_request", published="2025-01-20"),
            event("a", "2025-02-01", "compliance_order", scope="person"),
            event("a", "2025-03-01", "preliminary_findings"),
            event("a", "2025-06-01", "fine", amount_eur=2_000_000),
            event("a", "2025-06-01", "periodic_penalty", amount_eur=500_000),
            event("a", "2025-08-01", "commitments_accepted"),
            event("b", "2025-01-01", "extended"),
            event("b", "2025-04-01", "search", published="2025-09-01"),
            event("b", "2025-05-01", "summons", event_id="b-wrong"),
            event("b", "2025-07-01", "summons", supersedes="b-wrong", event_id="b-right", published="2025-07-02"),
        ],
    )


def test_answers_are_events_in_force_after_the_origin_while_it_was_open(story):
    first = first_answers(answers(story, date(2025, 9, 30)), ORIGIN)
    days = {key: round(answer.months * DAYS_PER_MONTH) for key, answer in first.items()}
    assert days == {
        ("a", "findings"): 59, ("a", "fine"): 151, ("a", "decision"): 151, ("b", "search"): 90, ("b", "summons"): 181,
    }  # fmt: skip
    assert first["a", "fine"].amount == 2_500_000
    assert np.isnan(first["a", "findings"].amount)


def test_what_is_not_public_by_the_end_is_no_answer(story):
    assert ("b", "search") not in first_answers(answers(story, date(2025, 8, 31)), ORIGIN)


def test_waiting_times_are_asked_while_they_wait(story):
    assert waited(story.as_of("2025-02-15"), "a") == ("findings", "decision")
    assert waited(story.as_of("2025-03-15"), "a") == ("decision",)
    assert waited(story.as_of("2025-06-15"), "a") == ()


# What is said


def draws_of(evidence, n=8000, seed=1) -> Draws:
    return prior_draws(evidence, n, seed)


def test_the_focal_matter_before_the_brief_is_forecast_as_it_is_imagined():
    """Two ways to the outside view: with the other proceedings of the watchlist, and with all targets of the matter."""
    known = load_record().as_of("2025-11-20")
    evidence = gather(load_specification(), known, date(2025, 11, 20))
    draws = draws_of(evidence)
    rows = [row for row in evidence.hazards.focal if evidence.hazards.lives[row].at_risk]
    rng = np.random.default_rng(2)
    imagined = imagine(draws, rng).paths.first_in(len(evidence.focal))
    other = next(first_events(draws, rows, 12.0, rng))
    assert len(rows) >= 3
    for row in rows:
        place = evidence.hazards.focal.index(row)
        one, two = ((times <= 12).mean(axis=0) for times in (imagined[:, place], other[row]))
        error = np.sqrt((one * (1 - one) + two * (1 - two)) / len(draws)) + 1e-3
        assert (np.abs(one - two) < 4.5 * error).all()


def test_the_focal_matter_is_one_of_the_reference_class():
    """Its events after the brief carry the likelihood of the reference class, whatever the brief says of them."""
    day, spec = date(2026, 9, 1), load_specification()
    known = with_news().as_of(day)
    without, inside = gather_reference(spec, known, day), gather(spec, known, day)
    assert inside.inside
    assert not without.inside
    assert without.hazards.news is None
    matter = without.hazards.matters.index(spec.matter)
    counted = sum(len(life.counted) for life in without.hazards.lives if life.matter_id == spec.matter)
    assert without.hazards.matter_count[[matter]].sum() == counted
    assert inside.hazards.cells.count.sum() + inside.hazards.news.came.sum() == without.hazards.cells.count.sum()
    assert set(without.priors) == set(inside.priors) - {"statement_shared", "statement_own"}


def test_without_law_the_rules_and_powers_are_centred_on_one():
    regime = load_specification().regime
    plain, full = hazard_priors(saying.without_law(regime)), hazard_priors(regime)
    assert not plain["law"].loc.any()
    assert not plain["powers"].loc.any()
    assert full["law"].loc.any()
    assert full["powers"].loc.any()
    for name in ("rate", "stage", "age", "trend"):
        np.testing.assert_array_equal(plain[name].loc, full[name].loc)
    for name in full:
        np.testing.assert_array_equal(plain[name].scale, full[name].scale)


def question_at(record, day, months=(3,)):
    known = record.as_of(day)
    return asking.Question(day, known, tuple(window(day, m) for m in months), 9.0)


def test_nothing_later_changes_what_is_said():
    day = date(2025, 11, 3)
    plain, other = load_record(), with_rows(
        load_record(), events=[event("ec-dsa-x-2023", "2025-11-04", "fine", amount_eur=9e8), *NEWS["events"][:2]]
    )  # fmt: skip
    said = []
    for record in (plain, other):
        asked = question_at(record, day)
        evidence = saying.evidence_at(load_specification(), asked, asked.known)
        said.append(saying.say(Unfitted(), evidence, asked, SHORT))
    one, two = said
    np.testing.assert_array_equal(one.counts, two.counts)
    np.testing.assert_array_equal(one.baseline, two.baseline)
    for target, (cases, draws) in one.waits.items():
        assert cases == two.waits[target][0]
        np.testing.assert_array_equal(draws, two.waits[target][1])
    assert one.sizes.keys() == two.sizes.keys()
    assert all(np.array_equal(one.sizes[c][0], two.sizes[c][0]) for c in one.sizes)


def test_the_brief_has_no_say():
    """The reference class alone speaks: other probabilities of the scenarios, or another day, change nothing."""
    day = date(2026, 2, 3)
    asked, spec = question_at(load_record(), day), load_specification()
    cases = spec.scenarios
    swapped = cases.model_copy(update={"limited": cases.crackdown, "crackdown": cases.limited})
    said = []
    for one in (spec, spec.model_copy(update={"scenarios": swapped}), spec.model_copy(update={"as_of": date.max})):
        evidence = saying.evidence_at(one, asked, asked.known)
        said.append(saying.say(Unfitted(), evidence, asked, SHORT).counts)
    np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[0], said[2])


def test_counts_are_of_every_pass_and_batch():
    asked = question_at(load_record(), date(2025, 11, 3), (3, 9))
    evidence = saying.evidence_at(load_specification(), asked, asked.known)
    said = saying.say(Unfitted(), evidence, asked, SHORT)
    draws = Unfitted().sample(evidence, SHORT).draws
    rows = [row for row, life in enumerate(evidence.hazards.lives) if life.at_risk]
    rng = np.random.default_rng([3, 30, asked.day.toordinal()])
    passes = list(islice(first_events(draws, rows, asked.horizon, rng), saying.PASSES))
    for w, days in enumerate((92, 273)):  # from 3 November to 3 February and to 3 August
        for t, target in enumerate(ASKED):
            own = [FAMILIES.index(family) for family in TARGETS[target]]
            came = sum((times[rows[0]][:, own] <= days / DAYS_PER_MONTH).any(axis=1).sum() for times in passes)
            assert said.counts[0, w, t].sum() == came
    assert said.courses.sum() == saying.PASSES * 200
    assert said.counts.shape == (len(said.cases), 2, len(ASKED), saying.BATCHES)
    assert (said.counts <= said.courses).all()
    assert (said.counts[:, 0] <= said.counts[:, 1]).all()
    waits = said.waits["findings"][1]
    assert waits.shape == (len(said.waits["findings"][0]), 200)
    row = said.cases.index(said.waits["findings"][0][0])
    share = said.counts[row, 1, ASKED.index("findings")].sum() / said.courses.sum()
    limit = 4.5 * np.sqrt(share * (1 - share) * (1 / 200 + 1 / 2000))
    assert (waits[0] <= asked.windows[1].exact_months).mean() == pytest.approx(share, abs=limit)


# Rows, read again from the files


def read(folder, name):
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])


@cache
def looked_at():
    """Return the day up to which each proceeding was looked at, read with nothing but the csv module."""
    with (DATA / "proceedings.csv").open(encoding="utf-8") as file:
        return {row["case_id"]: row["observed_until"] or "2026-10-06" for row in csv.DictReader(file)}


def test_every_open_proceeding_is_asked_about_every_family_and_window(folder):
    table = read(folder, "backtest")
    events = table[table["kind"] == "event"]
    keys = ["origin_date", "case_id", "target", "window_months"]
    assert not events.duplicated(keys).any()
    for question in questions(load_record()):
        lives = gather_reference(load_specification(), question.known, question.day).hazards.lives
        cases = {life.case_id for life in lives if life.at_risk}
        own = events[events["origin_date"] == str(question.day)]
        asked = {
            (c, w.months, t) for c in cases for w in question.windows for t in ASKED if str(w.end) <= looked_at()[c]
        }
        assert set(zip(own["case_id"], own["window_months"], own["target"], strict=True)) == asked
        assert len(own) == len(asked)
    assert (table["forecast"] == np.arange(len(table))).all()


def test_outcomes_are_what_the_files_of_the_record_say(folder):
    """Read with nothing but the csv module."""
    with (DATA / "events.csv").open(encoding="utf-8") as file:
        log = list(csv.DictReader(file))
    with (DATA / "proceedings.csv").open(encoding="utf-8") as file:
        closed = {row["case_id"]: row["closed_on"] or "9999" for row in csv.DictReader(file)}
    table = read(folder, "backtest")
    for row in table[table["kind"] == "event"].itertuples():
        came = any(
            e["case_id"] == row.case_id
            and row.origin_date < e["date"] <= min(row.window_end, closed[row.case_id])
            and family_of(e["type"], e["scope"]) in TARGETS[row.target]
            for e in log
        )
        assert came == row.outcome
        assert row.window_end <= looked_at()[row.case_id]
    for row in table[table["kind"] == "time"].itertuples():
        days = sorted(
            e["date"]
            for e in log
            if e["case_id"] == row.case_id
            and row.origin_date < e["date"] <= closed[row.case_id]
            and family_of(e["type"], e["scope"]) in TARGETS[row.target]
        )
        assert row.is_censored == (not days)
        assert row.window_end == looked_at()[row.case_id]
        end = days[0] if days else row.window_end
        months = (date.fromisoformat(end) - date.fromisoformat(row.origin_date)).days / DAYS_PER_MONTH
        assert row.outcome == pytest.approx(months)
    sizes = table[table["kind"] == "size"]
    assert len(sizes) > 10
    for row in sizes.itertuples():
        fines = [e for e in log if e["case_id"] == row.case_id and family_of(e["type"], e["scope"]) == "fine"]
        first = min(e["date"] for e in fines if e["date"] > row.origin_date)
        assert row.came_on == first
        known = [float(e["amount_eur"]) for e in fines if e["date"] == first and e["amount_eur"]]
        assert np.exp(row.outcome) == pytest.approx(sum(known) if known else np.nan, nan_ok=True)
    assert (sizes["crps_model"].isna() == sizes["reason"].str.contains("no turnover|not recorded")).all()


def test_every_score_follows_from_the_rows(folder):
    """Plain loops over ``backtest.csv`` give every number of ``scores.csv``."""
    table, scores = read(folder, "backtest"), read(folder, "scores")
    for part in scores.itertuples():
        own = table[table["kind"] == part.kind]
        if part.target == scoring.OTHERS:
            own = own[~own["target"].isin(["formal_opening", "judicial_investigation"])]
        elif part.target != "all":
            own = own[own["target"] == part.target]
        if part.window_months != "all":
            own = own[own["window_months"] == int(part.window_months)]
        means = {}
        for name in ("model", part.baseline):
            p, y = own[name].to_numpy(), own["outcome"].to_numpy()
            if part.score == "log":
                values = [-np.log(a) if b else -np.log(1 - a) for a, b in zip(p, y, strict=True)]
            elif part.score == "brier":
                values = scoringrules.brier_score(y, p)
            else:
                values = own.loc[own[list(CRPS)].notna().all(axis=1), f"crps_{name}"]
            means[name] = np.mean(values)
            count = len(values)
        assert part.n == count
        assert part.model == pytest.approx(means["model"], rel=1e-8)
        assert part.score_baseline == pytest.approx(means[part.baseline], rel=1e-8)
        assert part.difference == pytest.approx(means["model"] - means[part.baseline], abs=1e-8)
        assert part.skill == pytest.approx(1 - means["model"] / means[part.baseline], rel=1e-8, abs=1e-8)
    kinds = {
        (p.kind, p.score): len(set(g["target"]))
        for p, g in ((g.iloc[0], g) for _, g in scores.groupby(["kind", "score"]))
    }
    assert kinds == {("event", "log"): 15, ("event", "brier"): 15, ("time", "crps"): 2, ("size", "crps"): 1}
    assert set(scores["baseline"]) == set(BASELINES)


def test_scores_say_how_many_events_and_days_they_rest_on(folder):
    """Counted from ``backtest.csv`` by sets; groups and the worth of the law likewise."""
    table, scores = read(folder, "backtest"), read(folder, "scores")
    events = table[table["kind"] == "event"]
    yes = events[events["outcome"] == 1]
    row = scores[(scores["kind"] == "event") & (scores["target"] == "all") & (scores["window_months"] == "all")].iloc[0]
    assert row["observed"] == len(yes)
    assert row["events"] == len(set(zip(yes["case_id"], yes["target"], yes["came_on"], strict=True))) < len(yes)
    assert row["class_days"] == len(set(zip(yes["authority_class"], yes["came_on"], strict=True))) < row["events"]
    loss = {
        name: -np.log(np.where(events["outcome"] == 1, events[name], 1 - events[name]))
        for name in ("model", "pooled", "plain_law")
    }
    saved = scores[(scores["target"] == "all") & (scores["window_months"] == "all") & (scores["score"] == "log")]
    saved = saved.set_index("baseline")["saved"]
    assert saved["pooled"] == pytest.approx((loss["pooled"] - loss["model"]).sum())
    law = read(folder, "law").set_index("target")
    assert law.loc["all", "saved"] == pytest.approx((loss["plain_law"] - loss["model"]).sum())
    groups = read(folder, "groups")
    for group in ("class", "age", "origin"):
        assert groups.loc[(groups["group"] == group) & (groups["baseline"] == "pooled"), "n"].sum() == len(events)
    young = events["age_months"] < 6
    own = groups[(groups["value"] == "0 to 6 months") & (groups["baseline"] == "pooled")].iloc[0]
    assert (own["n"], own["model"]) == (young.sum(), pytest.approx(loss["model"][young].mean()))


def test_matters_with_an_event_of_one_class_on_one_day_are_drawn_together():
    table = pd.DataFrame(
        {
            "matter_id": ["a", "b", "c", "d", "b", "e", "e"],
            "authority_class": ["x", "x", "x", "y", "x", "x", "x"],
            "came_on": ["2025-01-01", "2025-01-01", "2025-02-02", "2025-01-01", "2025-02-02", "", ""],
        }
    )
    assert rows.batches_of(table).tolist() == ["a", "a", "a", "d", "a", "e", "e"]


def test_a_window_beyond_the_day_that_was_looked_at_has_no_answer(story):
    """Neither no nor yes, and a waiting time ends that day."""
    cases = story.proceedings.assign(
        observed_until=story.proceedings["observed_until"].mask(
            story.proceedings["case_id"] == "b", pd.Timestamp("2025-08-01")
        )
    )
    record, end = replace(story, proceedings=cases), date(2025, 9, 1)
    asked = question_at(record, ORIGIN, (3, 6, 8))
    evidence = saying.evidence_at(brief("a", users=None), asked, asked.known)
    said = saying.say(Unfitted(), evidence, asked, SHORT)
    found = rows.Answers(first_answers(answers(record, end), ORIGIN), asking.looked_at(record, end))
    frame, shares = rows.event_rows(said, asked, found)
    assert len(frame) == len(shares)
    windows = frame.groupby("case_id")["window_months"].apply(lambda own: sorted(set(own))).to_dict()
    assert windows == {"a": [3, 6, 8], "b": [3, 6]}
    own = frame[(frame["case_id"] == "b") & (frame["outcome"] == 1)]
    assert set(zip(own["target"], own["window_months"], strict=True)) == {("search", 3), ("search", 6), ("summons", 6)}
    times = {row["case_id"]: row for row in rows.time_rows(said, asked, found, np.random.default_rng(1))
             if row["target"] == "findings"}  # fmt: skip
    assert times["b"]["is_censored"]
    assert times["b"]["window_end"] == "2025-08-01"
    assert times["b"]["exact_months"] == pytest.approx((date(2025, 8, 1) - ORIGIN).days / DAYS_PER_MONTH)


def test_intervals_resample_matters_whole(folder):
    table, scores = read(folder, "backtest"), read(folder, "scores")
    own = table[(table["kind"] == "event") & (table["target"] == "findings")]
    loss = -np.log(np.where(own["outcome"] == 1, own["model"], 1 - own["model"]))
    plain = -np.log(np.where(own["outcome"] == 1, own["pooled"], 1 - own["pooled"]))
    sums = pd.DataFrame({"m": own["batch"], "a": loss, "b": plain, "n": 1}).groupby("m").sum().to_numpy()
    rng = np.random.default_rng(99)
    drawn = [sums[rng.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(20_000)]
    a, b, n = np.array(drawn).T
    row = scores[
        (scores["target"] == "findings") & (scores["score"] == "log") & (scores["window_months"] == "all")
        & (scores["baseline"] == "pooled") & (scores["kind"] == "event")
    ].iloc[0]  # fmt: skip
    width = np.ptp(np.quantile((a - b) / n, [0.05, 0.95]))
    assert np.quantile((a - b) / n, [0.05, 0.95]) == pytest.approx(
        row[["difference_low", "difference_high"]].to_numpy(float), abs=0.06 * width
    )
    width = np.ptp(np.quantile(1 - a / b, [0.05, 0.95]))
    assert np.quantile(1 - a / b, [0.05, 0.95]) == pytest.approx(
        row[["skill_low", "skill_high"]].to_numpy(float), abs=0.06 * width
    )


def test_crps_and_pit_follow_from_the_quantiles(folder):
    """Anyone can rescore waiting times and sizes from ``quantiles.nc``."""
    table = read(folder, "backtest").set_index("forecast")
    with xr.open_dataset(folder / "quantiles.nc", engine="netcdf4") as opened:
        data = opened.load()["quantile"]
    assert list(data["forecaster"].values) == list(FORECASTERS)
    for number in data["forecast"].values:
        row = table.loc[number]
        for name in FORECASTERS:
            values = data.sel(forecast=number, forecaster=name).to_numpy().astype(float)
            if np.isnan(row[f"crps_{name}"]):
                continue
            top = row["exact_months"] if row["kind"] == "time" else np.inf
            y = np.inf if row["is_censored"] else row["outcome"]
            own = scoringrules.crps_ensemble(min(y, top), np.minimum(values, top), estimator="qd")
            assert float(own) == pytest.approx(row[f"crps_{name}"], rel=0.05, abs=0.02)
            if name == "model" and not row["is_censored"]:
                assert (values < row["outcome"]).mean() == pytest.approx(row["pit"], abs=0.02)
    assert np.isnan(table.loc[table["kind"] == "event", "pit"]).all()


def test_baselines_are_those_of_the_day(folder):
    table = read(folder, "backtest")
    for origin in ("2024-08-03", "2025-11-03"):
        fitted = fit_baselines(load_record(), date.fromisoformat(origin), load_specification().regime)
        own = table[(table["kind"] == "event") & (table["origin_date"] == origin)]
        for row in own.iloc[::37].itertuples():
            for name in BASELINES:
                expected = float(fitted.within(name, row.target, row.case_id, row.exact_months))
                assert getattr(row, name) == pytest.approx(expected, rel=1e-9)


def test_the_monte_carlo_error_is_that_of_other_seeds():
    """Sixteen other simulations of the same draws: their scores spread as the error says, per row and in the mean."""
    asked = question_at(load_record(), date(2024, 8, 3), (6,))
    evidence = saying.evidence_at(load_specification(), asked, asked.known)
    end = date(2026, 2, 3)
    found = rows.Answers(first_answers(answers(load_record(), end), asked.day), asking.looked_at(load_record(), end))
    runs = []
    for seed in range(16):
        said = saying.say(Unfitted(), evidence, asked, replace(SHORT, seed=seed, draws=200))
        frame, shares = scoring_rows(said, asked, found)
        error = scoring._monte_carlo(frame, shares, "log")
        runs.append(
            (frame["model"].to_numpy(), frame["mcse"].to_numpy(), scoring.losses(frame, "log")[:, 0].mean(), error)
        )
    p, mcse, mean, error = (np.array(column) for column in zip(*runs, strict=True))
    assert np.sqrt((mcse**2).mean()) == pytest.approx(np.sqrt(p.var(axis=0, ddof=1).mean()), rel=0.12)
    assert np.sqrt((error**2).mean()) == pytest.approx(mean.std(ddof=1), rel=0.6)


@pytest.mark.parametrize("score", ["log", "brier"])
def test_the_monte_carlo_error_by_finite_differences(score):
    """Two origins, four batches: shift all shares of an origin to one batch's, and see how far the mean score moves."""
    rng = np.random.default_rng(14)
    shares = rng.uniform(0.2, 0.4, (6, 4))
    table = pd.DataFrame({"forecast": range(6), "origin_date": list("aabbbb"), "model": shares.mean(axis=1)})
    table["outcome"] = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    loss, step, total = scoring.SCORES[score], 1e-6, 0.0
    for origin in "ab":
        own = (table["origin_date"] == origin).to_numpy()
        p, y = table.loc[own, "model"].to_numpy(), table.loc[own, "outcome"].to_numpy()
        moved = [(loss(p + step * (s - p), y) - loss(p, y)).sum() / step for s in shares[own].T]
        total += np.var(moved, ddof=1) / 4
    assert scoring._monte_carlo(table, shares, score) == pytest.approx(np.sqrt(total) / 6, rel=1e-4)


def scoring_rows(said, asked, found):
    frame, shares = rows.event_rows(said, asked, found)
    return frame.assign(forecast=range(len(frame)), origin_date=str(asked.day)), shares


# Calibration, with known truth


@pytest.fixture(scope="module")
def known_truth():
    """3,000 forecasts of 1,500 matters by a reliable forecaster and one that says twice as much."""
    rng = np.random.default_rng(11)
    p = rng.beta(1, 12, 3000)
    table = pd.DataFrame(
        {
            "kind": "event", "target": "fine", "window_months": 3, "batch": np.repeat(np.arange(1500), 2),
            "outcome": (rng.random(3000) < p).astype(float), "model": p, "pooled": 0.1, "by_class": 0.1,
            "incidence": np.minimum(2 * p, 0.99),
        }
    )  # fmt: skip
    return table


def test_reliability_tells_a_reliable_forecaster(known_truth):
    table = scoring.reliability_table(known_truth, seed=1).query("window_months == 'all'")
    own = table[table["forecaster"] == "model"]
    inside = (own["low"] <= own["share"]) & (own["share"] <= own["high"])
    assert len(own) == scoring.MOST_BINS
    assert inside.sum() >= 6
    assert own["n"].sum() == 3000
    assert own["observed"].sum() == known_truth["outcome"].sum()
    sums = own["n"] * own["probability"]
    assert sums.to_numpy() == pytest.approx(np.full(len(own), known_truth["model"].sum() / len(own)), rel=0.05)
    double = table[table["forecaster"] == "incidence"]
    assert (double["share"] < double["low"]).sum() >= 6


def test_dependent_forecasts_weigh_less(known_truth, monkeypatch):
    """Each forecast six times over, all of one matter: the bars must not shrink as if there were six times as many."""
    monkeypatch.setattr(scoring, "MOST_BINS", 3)
    few = known_truth.head(800).assign(batch=range(800))
    six = pd.concat([few] * 6, ignore_index=True)
    once = scoring.reliability_table(few, seed=1)
    table = scoring.reliability_table(six, seed=1)
    assert table["inflation"].iloc[0] == pytest.approx(6 * once["inflation"].iloc[0], rel=0.1)
    for name in ("low", "high"):
        assert table[name].iloc[0] == pytest.approx(once[name].iloc[0], rel=0.15)


@pytest.mark.parametrize(("power", "inside"), [(1.0, True), (2.0, False)])
def test_pit_tells_a_calibrated_forecaster(power, inside):
    rng = np.random.default_rng(12)
    table = pd.DataFrame(
        {
            "kind": "time", "target": "findings", "window_months": pd.NA, "matter_id": range(300), "batch": range(300),
            "pit": rng.random(300) ** power,
        }
    )  # fmt: skip
    found = scoring.pit_table(table, seed=1)
    assert (found["difference"].abs() <= found["band"]).all() == inside
    assert found["difference"].to_numpy() == pytest.approx(found["share"] - found["u"])


def test_the_band_holds_nine_lines_in_ten():
    rng = np.random.default_rng(13)
    band = scoring._band(40, seed=5)
    lines = (rng.random((2000, 40))[:, :, None] <= scoring.GRID).mean(axis=1) - scoring.GRID
    assert (np.abs(lines) <= band + 1e-12).all(axis=1).mean() == pytest.approx(0.9, abs=0.03)


def test_counts_are_sums_of_the_rows():
    table, events = unfitted().counts, unfitted().forecasts.query("kind == 'event'")
    for row in table.itertuples():
        own = events if row.target == "all" else events[events["target"] == row.target]
        own = own if row.window_months == "all" else own[own["window_months"] == int(row.window_months)]
        assert (row.n, row.observed) == (len(own), own["outcome"].sum())
        assert row.expected_model == pytest.approx(own["model"].sum())
        assert row.observed_low <= row.observed <= row.observed_high


# Runs


def test_the_same_seed_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(backtests, "FIGURES", {})
    for name in ("one", "two"):
        result = backtest(start="2026-05-03", settings=SHORT, compiled=Unfitted())
        forecast.save_backtest(result, tmp_path / name)
    one, two = tmp_path / "one", tmp_path / "two"
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_folder_says_what_it_was_made_from(folder):
    names = {p.name for p in folder.iterdir()}
    assert names >= {"backtest.csv", "scores.csv", "counts.csv", "reliability.csv", "pit.csv", "diagnostics.csv"}
    assert names >= {"quantiles.nc", "about.json", "priors.yaml", "record"}
    m = unfitted().manifest
    assert (m["origins"], m["end"], m["windows"], m["settings_seed"]) == (8, "2026-10-06", [3, 6, 9], 3)
    assert "8 origins from 2024-08-03, up to 2026-10-06" in repr(unfitted())


def test_a_folder_of_anything_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no backtest"):
        forecast.save_backtest(unfitted(), tmp_path)


def test_an_origin_that_does_not_converge_is_named():
    with pytest.raises(NotConvergedError, match=r"origin 2024-08-03: r_hat of 1 parameters"):
        backtest(settings=SHORT, compiled=Unfitted(worst=1.2))


def test_a_small_record_has_a_backtest_too():
    """No fine, no size, hardly an event: everything that cannot be scored is left out, not invented."""
    record = world(
        proceedings=[case("m", "2023-01-01"), case("n", "2023-06-01")],
        events=[
            event("m", "2023-01-01", "opened"),
            event("n", "2023-06-01", "opened"),
            event("m", "2024-03-01", "preliminary_findings"),
            event("n", "2024-12-31", "information_request"),
        ],
    )
    spec = brief("m", stated=(), as_of=date(2030, 1, 1), users=None)
    result = backtest(spec, record, start="2023-12-01", settings=SHORT, compiled=Unfitted())
    assert set(result.forecasts["kind"]) == {"event", "time"}
    assert result.scores.query("kind == 'event' and target == 'all' and window_months == 'all'")["observed"].iloc[0] > 0
    assert "Sizes of fines (CRPS): none to score." in verdicts(result.scores)
    with console().capture() as _:
        console().print(backtest_screen(result))


def test_verdicts_follow_the_intervals():
    row = {"kind": "event", "target": "all", "window_months": "all", "score": "log"}
    ends = {"pooled": (-0.2, -0.1), "by_class": (-0.1, 0.1), "incidence": (0.1, 0.3)}
    table = [row | {"baseline": b, "difference_low": low, "difference_high": high} for b, (low, high) in ends.items()]
    expected = "better than pooled, worse than incidence, not to be told apart from by_class."
    assert verdicts(pd.DataFrame(table))[0].endswith(f": {expected}")


# The command line


@pytest.fixture
def no_sampling(monkeypatch):
    monkeypatch.setattr(running, "Compiled", Unfitted)


def test_the_command_prints_and_writes(no_sampling, tmp_path, capsys):
    arguments = ["backtest", "--from", "2026-03-03", "--windows", "3, 6", "--out", str(tmp_path / "bt")]
    assert exit_code([*arguments, "--draws", "50", "--chains", "2", "--seed", "4"]) == 0
    out, err = capsys.readouterr()
    title = "Backtest: 2 origins from 2026-03-03 to 2026-06-03, record to 2026-10-06, outside view"
    assert title in " ".join(out.split())
    assert max(map(len, out.partition("Written to")[0].splitlines())) <= 80
    assert "Events, all families and windows (log score):" in out
    assert "months to a first decision" in out
    assert "Origin 2026-06-03 done, 2 of 2" in err
    table = read(tmp_path / "bt", "backtest")
    assert set(table["window_months"].dropna()) == {3, 6}
    assert max(len(line) for line in out.splitlines()) <= 140


def test_bad_options_are_refused_before_anything_is_compiled(monkeypatch, tmp_path, capsys):
    def refuse(evidence):
        raise AssertionError("compiled")

    monkeypatch.setattr(running, "Compiled", refuse)
    for arguments, expected in (
        (["--windows", "3,six"], "'six' is no number of months; expected whole months"),
        (["--windows", "3,-6"], "'-6' is no number of months"),
        (["--from", "2019-02-30"], "is not a day of the calendar"),
        (["--to", "2027-01-01"], "lies after 2026-10-06, the last day of the record"),
        (["--record", str(tmp_path / "none")], "is not a folder"),
    ):
        assert exit_code(["backtest", "--out", str(tmp_path / "out"), *arguments]) == 1
        assert expected in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("mine")
    assert exit_code(["backtest", "--out", str(tmp_path)]) == 1
    assert "holds no backtest" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


FIRST = date(2024, 8, 3)
"""The first origin of a default backtest."""


class Endless(Unfitted):
    """Its first origin does not converge; any other one is sampled until nobody wants it any more."""

    def __init__(self):
        super().__init__(worst=2.0)
        self.other = threading.Event()

    def sample(self, evidence, settings):
        if evidence.origin > FIRST:
            self.other.set()
            while True:
                parallel.check()
        assert self.other.wait(60)
        return super().sample(evidence, settings)


def test_no_thread_outlives_a_backtest_that_fails():
    before = set(threading.enumerate())
    with pytest.raises(NotConvergedError, match=f"origin {FIRST}"):
        backtest(settings=SHORT, compiled=Endless())
    assert set(threading.enumerate()) == before


# Clusters


def test_without_dask_there_is_advice(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"--scheduler: needs Dask.*enforcement-forecast\[cluster\]"):
        backtest(settings=SHORT, scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("address", "words"),
    [("tcp://127.0.0.1:9", "no scheduler answers at"), ("nonsense://here", "expected tcp://HOST:PORT")],
)
def test_where_no_scheduler_answers_that_is_said(address, words):
    with pytest.raises(InputError, match=words):
        backtest(settings=SHORT, scheduler=address)


def test_something_else_than_a_scheduler_is_refused(monkeypatch):
    import socket  # noqa: PLC0415

    monkeypatch.setattr(spreading, "CONNECTING", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match="no Dask scheduler answers at"):
            backtest(settings=SHORT, scheduler=address)


def test_a_cluster_without_workers_is_refused(monkeypatch):
    from distributed import LocalCluster  # noqa: PLC0415

    monkeypatch.setattr(spreading, "PATIENCE", 1)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty,
        pytest.raises(InputError, match="has no workers"),
    ):
        backtest(start="2026-05-03", settings=SHORT, scheduler=empty.scheduler_address)


def plant():
    """Run on a worker: from now on its models are compiled in no time."""
    spreading.Compiled = Unfitted
    spreading._compiled.cache_clear()


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster  # noqa: PLC0415

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def test_a_cluster_of_processes_says_the_same(cluster, caplog):
    from distributed import Client  # noqa: PLC0415

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        client.run(plant)
    caplog.set_level("INFO", "forecast")
    there = backtest(start="2026-02-03", settings=SHORT, scheduler=cluster.scheduler_address)
    here = backtest(start="2026-02-03", settings=SHORT, compiled=Unfitted())
    for name in ("forecasts", "scores", "counts", "reliability", "pit", "diagnostics"):
        pd.testing.assert_frame_equal(getattr(there, name), getattr(here, name), check_exact=True)
    assert there.quantiles.identical(here.quantiles)
    assert "Origin 2026-05-03 done, 2 of 2" in caplog.messages


def test_a_worker_with_other_versions_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(spreading.importlib.metadata, "version", lambda package: "0.1")
    with pytest.raises(InputError, match=r"the worker at tcp://.* has numpy"):
        backtest(settings=SHORT, scheduler=cluster.scheduler_address)


@pytest.mark.slow
def test_a_cluster_that_samples_says_the_same_to_the_last_bit():
    from distributed import LocalCluster  # noqa: PLC0415

    asked = {"end": "2025-02-03", "windows": (3,), "settings": Settings(draws=700, seed=7)}
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as own:
        there = backtest(scheduler=own.scheduler_address, **asked)
    here = backtest(**asked)
    pd.testing.assert_frame_equal(there.forecasts, here.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(there.scores, here.scores, check_exact=True)
    assert there.quantiles.identical(here.quantiles)


def test_reference_fines_know_why_there_are_none():
    asked = question_at(load_record(), date(2025, 11, 3))
    evidence = saying.evidence_at(load_specification(), asked, asked.known)
    open_rows = [row for row, life in enumerate(evidence.hazards.lives) if life.at_risk]
    found = reference_fines(draws_of(evidence, 50), asked.known, open_rows, np.random.default_rng(1))
    assert all((len(amounts) == 0) == reason.startswith("no turnover") for amounts, reason in found.values())
    assert {len(amounts) for amounts, _ in found.values()} == {0, 50}
