"""What is supposed: what it moves and what it leaves alone, against whole-record likelihoods and a new fit."""

import subprocess
import sys
from dataclasses import fields, replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from worlds import HORIZONS

import forecast
from forecast import updating
from forecast.effects import accrual
from forecast.files import InputError
from forecast.gathered import gather
from forecast.hypotheses import whatifs as hypotheses
from forecast.hypotheses.suppositions import intervention, read_suppositions, watched
from forecast.hypotheses.whatifs import SUPPOSED, held, spoken_of, supposed_evidence, whatif
from forecast.impacts import cost
from forecast.inference import Draws
from forecast.model.focal import stated_probabilities
from forecast.outcomes import Intervention, courses, imagine, inside_weights
from forecast.quantities import IMPACTS
from forecast.terminal.hypotheses import whatif_screen
from forecast.vocabulary import FAMILIES, SCENARIOS

CHARGED = "2026-06-15 fr-crim-x-2025 executive_charged"
"""Hypothetical events: for tests alone."""
INVESTIGATED = "2026-03-20 fr-crim-x-2025 judicial_investigation"
ELSEWHERE = "2026-05-04 uk-osa-x-2026 preliminary_findings"
BRIEF = date(2026, 2, 3)


@pytest.fixture(scope="module")
def old(packaged):
    return held(packaged)


@pytest.fixture(scope="module")
def charged(packaged):
    return whatif(packaged, [CHARGED])


@pytest.fixture(scope="module")
def compliant(packaged):
    return whatif(packaged, levers=["proactive_compliance", "executive_governance"])


def supposed(packaged, *events, silence_until=None):
    return read_suppositions(packaged.record, packaged.specification, BRIEF, events, silence_until)


def evidence_with(packaged, old, *events, day):
    """Return the evidence of a forecast with supposed events, and nothing else in their matters up to a day."""
    read = supposed(packaged, *events, silence_until=day)
    matters = spoken_of(packaged, read.events)
    return supposed_evidence(old.evidence, watched(read.record, packaged.record, matters, day), day)


def values(result, what, view, horizon=0, statistic="probability"):
    rows = result.table.set_index(["target", "view", "horizon_months", "statistic"])
    return rows.loc[(what, view, horizon, statistic)]


def printed(result, width=160):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(whatif_screen(result))
    return capture.get()


def test_matters_spoken_of_have_the_whole_records_likelihood_and_all_others_their_old_one(packaged, old):
    record = supposed(packaged, CHARGED, ELSEWHERE).record  # with every open proceeding looked at up to its end
    matter = record.proceedings.set_index("case_id")["matter_id"]
    day, own = date(2026, 6, 15), (matter["fr-crim-x-2025"], matter["uk-osa-x-2026"])
    was = old.draws.take(np.arange(0, len(old.draws), 20))
    new = Draws(evidence_with(packaged, old, CHARGED, ELSEWHERE, day=day), was.flat)
    full = Draws(gather(packaged.specification, record, day, correction=old.evidence.correction), was.flat)
    assert new.evidence.hazards.matters == full.evidence.hazards.matters == was.evidence.hazards.matters
    assert new.news.log_likelihood == pytest.approx(full.news.log_likelihood, rel=1e-12)
    for i, name in enumerate(was.evidence.hazards.matters):
        expected = full if name in own else was
        assert new.by_matter[:, i] == pytest.approx(expected.by_matter[:, i], rel=1e-9, abs=1e-9), name
    moved = np.abs(full.by_matter - was.by_matter).max(axis=0) > 0.01
    assert moved[[was.evidence.hazards.matters.index(name) for name in own]].all()
    assert moved.sum() > 20  # else there is nothing to hold back


def test_nothing_but_the_matters_own_observations_changes(packaged, old):
    new = evidence_with(packaged, old, "2026-06-15 ec-dsa-x-2023 fine 90e6", day=date(2026, 6, 15)).observations
    for column in fields(new):
        values = [getattr(one, column.name) for one in (new, old.evidence.observations)]
        same = np.array_equal(*values) if isinstance(values[0], np.ndarray) else values[0] == values[1]
        assert same or column.name in SUPPOSED, column.name
    assert new.new_fine_sum == 90e6
    assert new.resolved.fine_total == 90e6
    assert new.set_off["attrition"] == ((0.0, 0.3),)


def test_silence_that_the_forecast_assumes_elsewhere_stays_assumed(packaged):
    """Matters that are not spoken of keep their silence up to the origin, where the forecast assumes it."""
    early = replace(packaged.record, complete_until=date(2026, 1, 15))
    seen = watched(early, early, ("x-eu-2026",), date(2026, 3, 1))
    cases = seen.proceedings.set_index("case_id")
    still = cases["closed_on"].isna()
    own = cases["matter_id"] == "x-eu-2026"
    assert set(cases.loc[still & own, "observed_until"]) == {pd.Timestamp("2026-03-01")}
    assert set(cases.loc[still & ~own, "observed_until"]) == {pd.Timestamp(BRIEF)}


def test_scenarios_follow_the_weights(packaged, old, charged):
    new = Draws(evidence_with(packaged, old, CHARGED, day=date(2026, 6, 15)), old.draws.flat)
    history = new.by_matter.sum(axis=1) - old.draws.by_matter.sum(axis=1)
    joint = new.log_news + new.evidence.log_pi + history[:, None]
    share = np.exp(joint - joint.max()).sum(axis=0)
    for name, expected in zip(SCENARIOS, share / share.sum(), strict=True):
        row = values(charged, name, "inside")
        assert row["before"] == pytest.approx(packaged.specification.scenarios[name].probability.value)
        assert row["after"] == pytest.approx(expected, abs=0.004)
        assert row["change"] == row["after"] - row["before"]
    assert values(charged, "crackdown", "inside")["change"] > 0.2
    assert values(charged, "crackdown", "brief")["change"] == pytest.approx(0)


def test_tables_are_those_of_forecasts(packaged, charged):
    assert charged.before["scenarios"].equals(packaged.scenarios)
    assert list(charged.after["summary"]) == list(packaged.summary)
    assert set(charged.after["scenarios"]["origin_date"]) == {"2026-06-15"}
    after = charged.after["summary"].query("scenario == 'all'").set_index(["target", "horizon_months"])
    for target, statistic, column in (("fine_left", "median", "q50"), ("total_cost", "q95", "q95")):
        for horizon in HORIZONS:
            row = values(charged, target, "inside", horizon, statistic)
            assert row["after"] == pytest.approx(after.at[(target, horizon), column])
    assert (charged.table["mcse"] >= 0).all()
    assert not charged.table.isna().any().any()
    assert not charged.table.duplicated(["target", "view", "horizon_months", "statistic"]).any()


def test_silence_alone_speaks_for_the_milder_scenario(packaged):
    quiet = whatif(packaged, silence_until="2026-06-15")
    assert values(quiet, "limited", "inside")["change"] > 0.03
    assert values(quiet, "crackdown", "inside")["change"] < -0.03


def test_silence_up_to_an_event_is_told_apart_from_the_event(packaged, charged):
    """The middle column is what the same days without the event would leave, and the two parts sum to the change."""
    alone = whatif(packaged, silence_until="2026-06-15")
    keys = ["target", "view", "horizon_months", "statistic"]
    table, silent = (one.table.set_index(keys) for one in (charged, alone))
    for column in ("silent", "after"):
        assert silent[column].to_numpy() == pytest.approx(table["silent"].to_numpy(), rel=1e-12)
    assert (table["change_silent"] + table["change_event"]).to_numpy() == pytest.approx(table["change"].to_numpy())
    now, quiet, event = (table.at[("crackdown", "inside", 0, "probability"), c] for c in ("before", "silent", "after"))
    assert quiet < now < event  # the two parts have opposite signs: their sum alone would hide that
    assert charged.silent["scenarios"].equals(alone.after["scenarios"])
    assert charged.silent_certificate == alone.certificate


def test_an_event_elsewhere_is_compared_with_silence_of_the_same_matters(packaged):
    found = whatif(packaged, [ELSEWHERE])
    matters = ("x-eu-2026", packaged.record.proceedings.set_index("case_id").at["uk-osa-x-2026", "matter_id"])
    day = date(2026, 5, 4)
    both = supposed_evidence(held(packaged).evidence, watched(packaged.record, packaged.record, matters, day), day)
    posterior, _ = updating.reweight(held(packaged), both)
    expected = inside_weights(posterior.draws).mean(axis=0)
    silent = [values(found, name, "inside")["silent"] for name in SCENARIOS]
    assert np.array(silent) == pytest.approx(expected, abs=1e-9)


def test_levers_alone_have_no_silence(compliant):
    assert compliant.silent is None
    assert not {"silent", "change_silent", "change_event"} & set(compliant.table)
    assert "silent" not in printed(compliant)


@pytest.mark.parametrize("kind", ["charged", "compliant"])
def test_screens_fit_eighty_columns_and_amounts_are_medians(kind, request):
    result = request.getfixturevalue(kind)
    text = printed(result, 80)
    rows = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    median = values(result, "total_cost", "inside", 6, "median")["after"] * 1e-6
    assert f" {median:,.0f} " in rows["total_cost"]
    assert "of all other targets the median" in " ".join(text.split())
    for name in ("resolved as Substantial fines", "moderation_spending", "m EUR a year"):
        assert name in text  # no name is cut or folded


def test_an_event_elsewhere_brings_its_own_matter_and_hardly_moves_ours(packaged):
    with_it = whatif(packaged, [ELSEWHERE])
    matter = packaged.record.proceedings.set_index("case_id").at["uk-osa-x-2026", "matter_id"]
    assert matter in with_it.suppositions[1]
    alone = whatif(packaged, silence_until="2026-05-04")
    for name in SCENARIOS:
        gap = values(with_it, name, "inside")["after"] - values(alone, name, "inside")["after"]
        assert abs(gap) < 0.01


def test_a_supposed_closing_closes_and_no_other_event_does(packaged, old):
    events = ("2026-03-02 ec-dsa-x-2023 fine", "2026-03-02 ie-dsa-x-2025 closed_no_action")
    focal = evidence_with(packaged, old, *events, day=date(2026, 3, 2)).focal
    still = {life.case_id: life.at_risk for life in focal}
    assert still["ec-dsa-x-2023"]
    assert not still["ie-dsa-x-2025"]


def test_a_judicial_investigation_makes_charges_of_persons_likelier_in_every_view_and_scenario(packaged, old):
    """Charges are brought by an investigating judge: once there is one they are likelier, whatever the scenario."""
    day, executive = date(2026, 3, 20), FAMILIES.index("executive")
    after = updating.reweight(old, evidence_with(packaged, old, INVESTIGATED, day=day))[0].draws
    silent = updating.reweight(old, evidence_with(packaged, old, day=day))[0].draws

    def chance(draws, **how):
        came = imagine(draws, np.random.default_rng(1), **how).paths.first[:, executive] <= 24
        return came.mean(), came.std() / np.sqrt(len(came))

    views = {name: {"scenario": np.full(len(after), s)} for s, name in enumerate(SCENARIOS)}
    for view, how in ({"inside": {}, "outside": {"outside": True}} | views).items():
        probability, error = chance(after, **how)
        for other in (old.draws, silent):
            without, other_error = chance(other, **how)
            assert probability - without > 4 * np.hypot(error, other_error), view


def test_a_what_if_says_that_a_judicial_investigation_makes_charges_likelier(packaged):
    row = values(whatif(packaged, [INVESTIGATED]), "event:executive", "inside", 24)
    assert row["change"] > 10 * row["mcse"]
    assert row["silent"] < row["before"] < row["after"]


def test_levers_move_what_follows_and_never_the_scenarios(packaged, compliant):
    assert compliant.manifest["method"] == "unchanged"
    assert compliant.manifest["supposed_origin"] == "2026-02-03"
    now = compliant.table[compliant.table["horizon_months"] == 0]
    assert len(now) == 12
    assert now["change"].abs().max() < 1e-9
    for horizon in HORIZONS[1:]:
        for what, sign in (("event:fine", -1), ("event:executive", -1)):
            row = values(compliant, what, "inside", horizon)
            assert sign * row["change"] > 3 * row["mcse"]
    spending = values(compliant, "moderation_spending", "inside", 60, "mean")
    assert 1.1 < spending["after"] / spending["before"] < 1.3  # 1.3 times as much at full size, and fewer orders
    assert values(compliant, "crackdown", "resolved_60m", 60)["change"] < 0


def test_levers_of_one_change_nothing_at_all(packaged):
    levers = packaged.specification.levers
    one = levers["executive_governance"].hazards["executive"].model_copy(update={"value": 1.0})
    idle = levers["executive_governance"].model_copy(update={"hazards": {"executive": one}})
    spec = packaged.specification.model_copy(update={"levers": {"idle": idle}})
    same = whatif(replace(packaged, specification=spec), levers=["idle"])
    scale = same.table["before"].abs().clip(lower=1)  # draws are kept rounded, to 32 binary digits
    assert (same.table["change"].abs() <= 1e-7 * scale).all()
    assert (same.table["mcse"] <= 1e-7 * scale)[same.table["view"] != "resolved_60m"].all()


def test_a_lever_acts_on_first_stated_events_before_their_tempo(old):
    """A hazard times c makes ``1 - (1 + A / k)^-k`` into ``1 - (1 + c A / k)^-k``; nearly, for stages move."""
    draws, k = old.draws, old.evidence.statements.tempo
    factor = np.where(np.array(FAMILIES) == "findings", 0.5, 1.0)
    stated = stated_probabilities(draws.flat, old.evidence.statements)
    for s in range(len(SCENARIOS)):
        acted = Intervention(factor, np.ones(len(IMPACTS)))
        first = courses(draws, np.random.default_rng(8), 6.0, scenario=np.full(len(draws), s), intervention=acted).first
        for family, c in (("findings", 0.5), ("order.extensive", 1.0)):
            group = old.evidence.statements.of_family(FAMILIES.index(family))[0]
            cumulative = k * np.expm1(-np.log1p(-stated[:, group, s]) / k)
            expected = (1 - (1 + c * cumulative / k) ** -k).mean()
            assert (first[:, FAMILIES.index(family)] <= 6).mean() == pytest.approx(expected, abs=0.02)


def test_a_lever_acts_on_impacts_at_full_size(old):
    factors = np.array([0.8, 0.9, 1.3])
    plain, acted = (
        cost(imagine(old.draws, np.random.default_rng(1), intervention=Intervention(*both)))
        for both in ((np.ones(len(FAMILIES)), np.ones(3)), (np.ones(len(FAMILIES)), factors))
    )
    assert acted["user_attrition"] == pytest.approx(0.8 * plain["user_attrition"])
    assert acted["moderation_spending"] == pytest.approx(1.3 * plain["moderation_spending"])
    assert (acted["valuation_change"] >= plain["valuation_change"]).all()


def test_levers_multiply_each_other(packaged):
    spec = packaged.specification
    joint = intervention(spec, ["proactive_compliance", "planned_change"])
    assert joint.hazards[FAMILIES.index("order.extensive")] == pytest.approx(0.8 * 0.8)
    assert joint.hazards[FAMILIES.index("closure")] == 1
    assert joint.impacts[IMPACTS.index("moderation_spending")] == pytest.approx(1.3)


def test_too_much_silence_is_refused_with_the_certificate_and_a_way_out(packaged):
    with pytest.raises(InputError, match="so unlike anything drawn that weights fail") as caught:
        whatif(packaged, ["2026-03-20 ec-dsa-x-2023 fine 250e6"], silence_until="2031-02-03")
    for words in ("effective draws", "fewer events", "fit anew"):
        assert words in str(caught.value)


def test_a_refit_is_made_where_it_is_asked_for_and_weights_fail(packaged, old, charged, monkeypatch, caplog):
    """The gate is closed by hand; in place of the fit stands the posterior that reweighting gave."""
    asked = []
    caplog.set_level("INFO", "forecast")

    def fit(compiled, evidence, record, settings):
        asked.append(evidence)
        return updating.reweight(old, evidence)[0]

    monkeypatch.setattr(updating, "MAX_K_HAT", -9.0)
    monkeypatch.setattr(hypotheses, "Compiled", lambda evidence: evidence)
    monkeypatch.setattr(hypotheses, "fit", fit)
    anew = whatif(packaged, [CHARGED], refit=True)
    assert any("Fitting anew (k-hat" in line for line in caplog.messages)
    assert anew.manifest["method"] == "refitted"
    assert "Fitted anew" in printed(anew)
    assert [evidence.origin for evidence in asked] == [date(2026, 6, 15)] * 2  # after silence, and the event
    assert asked[1].hazards.news.came.sum() == asked[0].hazards.news.came.sum() + 1
    assert anew.table.equals(charged.table)


@pytest.mark.slow
def test_a_refit_on_the_same_supposition_agrees(packaged, charged, monkeypatch):
    monkeypatch.setattr(updating, "MAX_K_HAT", -9.0)  # else weights would do, and nothing would be fitted
    anew = whatif(packaged, [CHARGED], refit=True)
    assert anew.manifest["method"] == "refitted"
    both = charged.table.merge(anew.table, on=["target", "view", "horizon_months", "statistic"], suffixes=("", "_anew"))
    assert len(both) == len(charged.table)
    error = np.hypot(both["mcse"], both["mcse_anew"]).clip(lower=1e-12)
    off = ((both["after"] - both["after_anew"]) / error)[both["mcse"] > 0]
    assert (off.abs() > 3).mean() < 0.03
    assert off.abs().max() < 5


def test_what_is_printed_says_plainly_that_it_is_hypothetical(charged, compliant):
    text = printed(charged)
    assert (
        "Hypothetical: x-eu-2026, forecast of 2026-02-03, supposed up to 2026-06-15. None of it has happened." in text
    )
    assert f"{CHARGED}: supposed" in text
    assert "nothing else happens in x-eu-2026" in text
    after = values(charged, "crackdown", "inside")["after"]
    silent = values(charged, "crackdown", "inside")["silent"]
    assert f"inside Broader crackdown 0.150 {silent:.3f} {after:.3f} {after - silent:+.3f}" in " ".join(text.split())
    assert "event:executive" in text
    levers = printed(compliant)
    assert "do(executive_governance), an assumption and no evidence: executive hazards x 0.6" in levers
    assert "scenario probabilities stay" in levers


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "nothing is supposed"),
        ({"events": ["2026-06-15 fr-crim-x-2025"]}, "expected DATE CASE TYPE"),
        ({"events": ["2026-06-31 fr-crim-x-2025 search"]}, "is not a day of the calendar"),
        ({"events": ["2026-02-03 fr-crim-x-2025 search"]}, "is not after the forecast's origin, 2026-02-03"),
        ({"events": ["2026-06-15 fr-crim-x-2026 search"]}, "did you mean 'fr-crim-x-2025'"),
        ({"events": ["2026-06-15 fr-crim-x-2025 executive_charge"]}, "did you mean 'executive_charged'"),
        ({"events": ["2026-06-15 fr-crim-x-2025 findings"]}, "of that family are preliminary_findings, charged"),
        ({"events": ["2026-06-15 fr-crim-x-2025 compliance_order"]}, "needs a scope; expected one of specific"),
        ({"events": ["2026-06-15 fr-crim-x-2025 compliance_order:extensiv"]}, "did you mean 'extensive'"),
        ({"events": ["2026-06-15 fr-crim-x-2025 search:person"]}, "a scope stands on 'search'"),
        ({"events": ["2026-06-15 fr-crim-x-2025 search 5e6"]}, "an amount stands on 'search'"),
        ({"events": ["2026-06-15 fr-crim-x-2025 fine -5"]}, "'-5' is no amount"),
        ({"events": ["2026-06-15 fr-crim-x-2025 search"] * 2}, "is supposed twice"),
        ({"events": [CHARGED], "silence_until": "2026-06-14"}, "lies before the last supposed event"),
        ({"silence_until": "2026-02-03"}, "silence_until: 2026-02-03 is not after"),
        ({"silence_until": "soon"}, "silence_until: 'soon' is not a day"),
        ({"levers": ["proactive"]}, "lever 'proactive': is no lever"),
        ({"levers": ["planned_change"] * 2}, "is named twice"),
    ],
)
def test_bad_suppositions_are_refused(packaged, request_, words):
    with pytest.raises(InputError) as caught:
        whatif(packaged, **request_)
    assert words in str(caught.value)


def test_every_mistake_is_named_at_once_under_its_own_text(packaged):
    closing, after = "2026-03-02 ie-dsa-x-2025 closed_no_action", "2026-04-01 ie-dsa-x-2025 search"
    with pytest.raises(InputError) as caught:
        whatif(packaged, ["soon nobody raid", closing, after], levers=["dialogue"], silence_until="later")
    text = str(caught.value)
    assert text.count("event 'soon nobody raid'") == 3
    assert f"event {after!r}: search on 2026-04-01 lies after closed_on 2026-03-02" in text
    assert "lever 'dialogue'" in text
    assert "silence_until" in text


def test_the_brief_is_not_crossed_by_a_supposition(packaged):
    with pytest.raises(InputError, match="crosses the brief's date, 2026-02-03"):
        read_suppositions(packaged.record, packaged.specification, date(2026, 1, 1), silence_until="2026-03-01")


def test_forecasts_that_cannot_be_reweighted_are_refused(packaged):
    with pytest.raises(InputError, match="here is the prior alone"):
        whatif(forecast.prior_forecast(draws=50), silence_until="2026-03-01")
    half = replace(packaged, specification=packaged.specification.with_reading("outside_pool_half"))
    with pytest.raises(InputError, match="below 1 needs the fit"):
        whatif(half, silence_until="2026-03-01")


def test_the_forecast_and_its_record_stay_as_they_were(packaged, charged):
    again = held(packaged)
    assert len(packaged.record.events) == len(forecast.load_record().as_of(BRIEF).events)
    assert again.evidence.origin == BRIEF
    assert charged.manifest["record_fingerprint"] == packaged.manifest["record_fingerprint"]


def test_the_command_writes_one_file_touches_no_folder_and_needs_no_sampler(packaged_folder, tmp_path):
    before = {p: p.read_bytes() for p in packaged_folder.rglob("*") if p.is_file()}
    code = (
        "import sys; from forecast.cli.shell import exit_code; import forecast.cli; code = exit_code(sys.argv[1:]); "
        "print(code, [m in sys.modules for m in ('pymc', 'pytensor', 'nutpie')])"
    )

    def command(*arguments):
        line = [sys.executable, "-c", code, "whatif", str(packaged_folder), *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, check=True)

    out = tmp_path / "new.csv"
    done = command("--event", CHARGED, "--lever", "executive_governance", "--out", out)
    assert done.stdout.rstrip().endswith("0 [False, False, False]"), done.stderr
    assert out.read_text().startswith("# content: hypothetical: nothing of this has happened\n")
    table = pd.read_csv(out, comment="#")
    assert list(table) == [
        *("target", "view", "horizon_months", "statistic", "unit", "before", "silent", "after", "change", "mcse"),
        *("change_silent", "mcse_silent", "change_event", "mcse_event"),
    ]
    refused = command("--event", CHARGED, "--out", packaged_folder / "new.csv")
    assert "lies in the folder of a forecast" in refused.stderr
    assert {p: p.read_bytes() for p in packaged_folder.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["new.csv"]


def test_a_table_over_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        hypotheses.write_table(tmp_path, pd.DataFrame(), {})


def test_the_scope_of_an_order_is_evidence_where_the_brief_speaks_of_it(packaged):
    """Nobody stated an order of one duty; the brief has an overhaul in serious cases and a filter in severe ones."""
    day = "2026-06-15 ec-dsa-x-grok-2026 compliance_order"
    moved = {}
    for scope in ("specific", "extensive", "filtering"):
        result = whatif(packaged, [f"{day}:{scope}"])
        moved[scope] = [values(result, name, "inside")["change_event"] for name in SCENARIOS]
    assert moved["specific"] == pytest.approx([0, 0, 0], abs=0.02)
    assert moved["extensive"][1] > 0.2
    assert moved["filtering"][2] > 0.6


def test_a_lever_leaves_what_was_lost(packaged, old):
    """Findings eighteen months ago set off a part: what accrued before stays, what follows is halved."""
    past = {**old.evidence.observations.set_off, "attrition": ((18.0, 0.4),)}
    later = replace(old.evidence, observations=replace(old.evidence.observations, set_off=past))
    future = imagine(Draws(later, old.draws.flat), np.random.default_rng(1))
    plain = cost(future)["user_attrition"]
    halved = cost(replace(future, impact_factors=np.array([0.5, 1.0, 1.0])))["user_attrition"]
    half_life = packaged.specification.impacts.half_life.value
    before, after = (accrual(18.0 + t, half_life) for t in (0, 6))
    of_users = [FAMILIES.index(f) for f in packaged.specification.impacts.set_off.attrition]
    quiet = (future.paths.first[:, of_users] > 6).all(axis=1)
    expected = (before + 0.5 * (after - before)) / after
    assert halved[quiet, 0] / plain[quiet, 0] == pytest.approx(np.full(quiet.sum(), expected))
    assert (halved[:, 0] >= plain[:, 0] / 2).all()
    assert quiet.sum() > 1000
