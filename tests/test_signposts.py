"""Signposts and reverse stress tests: closed forms, enumeration, and what a what-if says of the same event."""

import json
import re
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.special import logsumexp
from worlds import brief, case, event, with_news, world

import forecast
from forecast import plots
from forecast.evidence.statements import statements_of
from forecast.files import InputError
from forecast.gathered import gather
from forecast.hypotheses.branches import BLOCKS, DAYS, Branches, branch, information, with_error
from forecast.hypotheses.event_sets import event_sets
from forecast.hypotheses.reversals import check, stress
from forecast.hypotheses.signposts import LEAST, MOST, signpost_table, watch
from forecast.hypotheses.suppositions import watched as seen
from forecast.hypotheses.suppositions import with_events
from forecast.hypotheses.whatifs import held, supposed_evidence, whatif
from forecast.inference import Draws, prior_draws
from forecast.model.focal import stated_probabilities
from forecast.plots import look
from forecast.plots.look import SCENARIO_COLOURS
from forecast.terminal.hypotheses import stress_lines, watch_screen
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES, SCENARIOS

WINDOW = DAYS / DAYS_PER_MONTH
OVER_TWO = 0.94
"""A probability of the severe scenario that no single event lifts it over, and two do."""
FILES = ["about.json", "signposts.csv", "signposts.png", "signposts.svg", "stress.csv"]


@pytest.fixture(scope="module")
def old(packaged):
    return held(packaged)


@pytest.fixture(scope="module")
def branches(old):
    return branch(old.draws, np.random.default_rng(5))


@pytest.fixture(scope="module")
def watched(packaged):
    return watch(packaged)


@pytest.fixture(scope="module")
def table(watched):
    return watched.table


@pytest.fixture(scope="module")
def figure(watched):
    return plots.signposts(watched)


def printed(result, width=160):
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(watch_screen(result))
    return capture.get()


# One enlarged joint simulation


def test_scenario_probabilities_are_the_forecasts_own(packaged, branches):
    inside = packaged.scenarios.query("view == 'inside'").set_index("scenario")["probability"]
    assert branches.scenario[0] == pytest.approx(inside[list(SCENARIOS)].to_numpy(), abs=1e-12)


def test_the_law_of_total_probability_holds_exactly(branches):
    for events in (branches.came, ~branches.came.any(axis=(-2, -1))):
        yes, no = branches.joint(events), branches.joint(~events)
        whole = branches.scenario.reshape(BLOCKS + 1, 3, *(1,) * (yes.ndim - 2))
        assert yes + no == pytest.approx(np.broadcast_to(whole, yes.shape), abs=1e-13)


def test_probabilities_of_events_are_those_of_the_forecast(packaged, branches):
    """The watch list counts within 3 months, 1.4 % more than 90 days, in a twenty-fourth as many paths."""
    probability, error = with_error(branches.joint(branches.came).sum(axis=1))
    rows = packaged.event_probabilities.query("window_months == 3").set_index(["case_id", "family"])
    for i, name in enumerate(branches.cases):
        for j, family in enumerate(FAMILIES):
            there = rows.loc[(name, family)]
            gap = there["probability"] - probability[i, j] * 3 / WINDOW
            assert abs(gap) < 4.5 * np.hypot(there["mcse"], error[i, j]) + 0.001


@pytest.fixture(scope="module")
def constant():
    """One proceeding, two families with constant hazards and no others, one draw again and again; one is stated."""
    record = world(proceedings=[case("a", "2025-06-01", matter="m")], events=[event("a", "2025-06-01", "opened")])
    spec = brief("m", ("suspension",))
    exact = np.ones(statements_of(spec, spec.regime).location.shape)
    evidence = gather(spec, record, date(2026, 2, 3), correction=exact)
    flat = {k: v.copy() for k, v in prior_draws(evidence, 1, seed=2).flat.items()}
    flat["rate"][:] = np.where(np.array(FAMILIES) == "search", np.log(0.15), -50.0)
    flat["rate"][0, FAMILIES.index("suspension")] = np.log(0.01)
    for name in ("powers", "stage", "age", "law", "trend"):
        flat[name][:] = 0.0
    flat["log_opening_rate"][:] = -40.0
    draws = Draws(evidence, {k: np.repeat(v, 1000, axis=0) for k, v in flat.items()})
    return draws, branch(draws, np.random.default_rng(4), replicates=10)


def test_an_unstated_family_has_its_closed_form(constant):
    joint = constant[1].joint(constant[1].came)[0][:, 0]
    given = joint[:, FAMILIES.index("search")] / constant[1].scenario[0]
    assert given == pytest.approx([-np.expm1(-0.15 * WINDOW)] * 3, abs=4 * 0.5 / np.sqrt(10_000))
    assert joint[:, [f not in ("search", "suspension") for f in FAMILIES]].max() == 0


def test_a_stated_family_has_its_closed_form(constant):
    """At a constant hazard ``P(t) = 1 - (1 + A t / 6 k)^-k``: the analyst's ``P(6)``, at any level of the record."""
    draws, split = constant
    k = draws.evidence.statements.tempo
    stated = stated_probabilities(draws.flat, draws.evidence.statements)[0, 0]
    cumulative = k * ((1 - stated) ** (-1 / k) - 1)
    expected = 1 - (1 + cumulative * WINDOW / 6 / k) ** -k
    given = split.joint(split.came)[0][:, 0, FAMILIES.index("suspension")] / split.scenario[0]
    assert given == pytest.approx(expected, abs=4 * np.sqrt(expected.max() / 10_000))
    row = signpost_table(split, least=0.0).query("family == 'suspension'").iloc[0]
    weight = np.array([0.40, 0.45, 0.15])
    posterior = weight * expected / (weight @ expected)
    for name, value in zip(SCENARIOS, posterior, strict=True):
        assert row[name] == pytest.approx(value, abs=5 * row[f"{name}_mcse"] + 1e-3)


def test_information_is_what_enumeration_gives():
    rng = np.random.default_rng(6)
    both = rng.dirichlet(np.ones(6), 50).reshape(50, 3, 2)
    for joint, bits in zip(both, information(both[..., 0], both.sum(axis=2)), strict=True):
        table = [
            joint[s, e] * np.log2(joint[s, e] / (joint[s].sum() * joint[:, e].sum()))
            for s in range(3)
            for e in range(2)
        ]
        assert bits == pytest.approx(sum(table))
    scenario = np.array([0.4, 0.45, 0.15])
    assert information(0.3 * scenario, scenario) == pytest.approx(0, abs=1e-15)
    assert information(np.zeros(3), scenario) == 0
    told = np.array([0.4, 0.0, 0.0])  # the event is the scenario: all of its entropy
    assert information(told, scenario) == pytest.approx(-(0.4 * np.log2(0.4) + 0.6 * np.log2(0.6)))


def test_errors_of_means_are_batch_errors_and_know_that_draws_are_correlated():
    rng, n = np.random.default_rng(7), 4000
    split = Branches(("a",), np.full((n, 3), 1 / (3 * n)), np.zeros((1, 3, n, 1, 1), dtype=bool), np.zeros((1, 3, n)))
    steady = rng.normal(size=n)
    sticky = np.repeat(rng.normal(size=n // 50), 50)
    for values, effective in ((steady, n), (sticky, n // 50)):
        means = split.totals(values) / split.totals(np.ones(n))
        value, error = with_error(means)
        batches = values.reshape(BLOCKS, -1).mean(axis=1)
        assert value == pytest.approx(values.mean())
        assert error == pytest.approx(batches.std(ddof=1) / np.sqrt(BLOCKS))
        assert error == pytest.approx(1 / np.sqrt(effective), rel=0.6)


def test_medians_of_weighted_paths_are_those_of_copies():
    rng, n = np.random.default_rng(8), 40
    copies = rng.integers(1, 5, (n, 3))
    left = np.round(rng.gamma(1, 3, (2, 3, n)), 1)
    kept = rng.random((2, 3, n)) < 0.6
    split = Branches(("a",), copies / copies.sum(), np.zeros((2, 3, n, 1, 1), dtype=bool), left)
    medians, means = split.fines_left(kept)
    for row, out in ((0, None), (7, 6)):
        own = kept & (split.block != out)
        every = np.sort(np.concatenate([np.repeat(left[r].T[own[r].T], copies[own[r].T]) for r in range(2)]))
        assert medians[row] == every[(len(every) + 1) // 2 - 1]
        assert means[row] == pytest.approx(every.mean())


# The table of signposts


def test_signposts_are_plausible_and_ranked_by_what_they_tell(table):
    assert table["kind"].iloc[0] == "present"
    assert table["rank"].tolist() == list(range(len(table)))
    assert (table["kind"] == "silence").sum() == 1
    events = table[table["kind"] == "event"]
    assert 0 < len(events) <= MOST
    assert (events["probability"] >= LEAST).all()
    assert (table["bits"].iloc[1:].diff().iloc[1:] <= 0).all()
    assert not events.duplicated(["case_id", "family"]).any()
    assert (events["authority"] != "").all()


def test_every_number_of_the_table_can_be_read_off_the_branches(branches):
    made = signpost_table(branches)
    row = made[made["kind"] == "event"].iloc[2]
    came = branches.came[..., branches.cases.index(row["case_id"]), FAMILIES.index(row["family"])]
    weight = np.broadcast_to(branches.weight.T / len(came), came.shape)
    assert row["probability"] == pytest.approx(weight[came].sum())
    for s, name in enumerate(SCENARIOS):
        given = weight[:, s][came[:, s]].sum() / weight[came].sum()
        assert row[name] == pytest.approx(given)
        assert row[f"{name}_move"] == pytest.approx(given - weight[:, s].sum())
    mean = (weight * branches.left).sum()
    assert row["fine_left_mean_move"] == pytest.approx((weight * branches.left)[came].sum() / weight[came].sum() - mean)
    given, weights = branches.left[came], weight[came]
    below, upto = (weights[given < row["fine_left_median"]].sum(), weights[given <= row["fine_left_median"]].sum())
    assert below < weights.sum() / 2 <= upto * (1 + 1e-9)


def test_moves_sum_to_nothing_and_silence_is_good_news(table):
    moves = table[[f"{name}_move" for name in SCENARIOS]]
    assert moves.sum(axis=1).abs().max() < 1e-12
    silence = table[table["kind"] == "silence"].iloc[0]
    assert silence["crackdown_move"] < -10 * silence["crackdown_move_mcse"]
    assert silence["fine_left_median_move"] < 0
    findings = table[table["family"] == "findings"]
    assert len(findings) > 2
    assert (findings["limited_move"] < -0.05).all()


def test_now_and_silence_stand_beside_every_signpost(watched, table):
    """Three columns: now, after silence, after the event; the stress test has the same three."""
    silence = table[table["kind"] == "silence"].iloc[0]
    for name in (*SCENARIOS, "fine_left_median", "fine_left_mean"):
        for end in ("", "_mcse"):
            assert (table[f"{name}_now{end}"] == table[f"{name}{end}"].iloc[0]).all()
            assert (table[f"{name}_silent{end}"] == silence[f"{name}{end}"]).all()
    stress = watched.stress
    assert (stress.table["now"] == stress.present).all()
    assert (stress.table["silent"] == stress.silent).all()
    assert list(stress.table)[2:5] == ["now", "silent", "probability"]


def test_the_screen_fits_eighty_columns(watched):
    text = printed(watched, 80)
    for name in watched.table["case_id"]:
        assert name in text
    for row in watched.stress.table.itertuples():
        assert re.search(rf"{row.now:.3f} +{row.silent:.3f}", text)
    assert "fines" in text
    assert "(median)" in text


def test_errors_are_as_large_as_another_seed_shows(table, branches):
    keys = ["kind", "case_id", "family"]
    both = signpost_table(branches).merge(table, on=keys, suffixes=("", "_b"))
    both = both[both["kind"] != "present"]
    assert len(both) > 10
    for column in ("probability", *SCENARIOS, "bits"):
        off = (both[column] - both[f"{column}_b"]) / np.hypot(both[f"{column}_mcse"], both[f"{column}_mcse_b"])
        assert off.abs().max() < 4  # both share the draws: less than independent runs would differ


def test_a_what_if_of_the_event_in_the_middle_is_near(packaged, table):
    """Near, not equal: the signpost lets the event come on any day and lets anything else come with it, the what-if
    puts it on one day and supposes 90 days without anything else, which speaks for the milder scenario."""
    origin = date(2026, 2, 3)
    middle, end = origin + timedelta(days=DAYS // 2), origin + timedelta(days=DAYS)
    kinds = {"findings": "preliminary_findings", "judicial_investigation": "judicial_investigation"}
    for case_id, family in (("ec-dsa-x-grok-2026", "findings"), ("fr-crim-x-2025", "judicial_investigation")):
        supposed = whatif(packaged, [f"{middle} {case_id} {kinds[family]}"], silence_until=end)
        row = table.query("case_id == @case_id and family == @family").iloc[0]
        after = supposed.table.query("view == 'inside'").set_index("target")["after"]
        gaps = np.array([after[name] - row[name] for name in SCENARIOS])
        assert np.abs(gaps).max() < 0.12
        assert gaps[2] < 0 < gaps[0]  # the silence around it


# The reverse stress test


def silent_or_with(known, record, events, day):
    """Return the evidence with these events, and nothing else in the matter, up to a day."""
    own = with_events(record, events) if events else record
    own = seen(own, record, (known.evidence.specification.matter,), day)
    return supposed_evidence(known.evidence, own, day)


def brute(known, record, events, day):
    """log p(s, set, silence | theta) - log p(known | theta) by a record that holds the events, per draw, scenario."""
    draws = Draws(silent_or_with(known, record, events, day), known.flat)
    was = known.log_likelihoods["events"] + known.log_likelihoods["news"]
    return draws.log_news + known.evidence.log_pi + (draws.by_matter.sum(axis=1) - was)[:, None]


def terms_of(known, record, day):
    return event_sets(known, silent_or_with(known, record, (), day))


@pytest.mark.parametrize("when", ["brief", "after news"])
def test_every_set_has_the_likelihood_of_its_record(old, when):
    """Singles, pairs and triples drawn at random, among them repeated families; after news some have happened."""
    spec, record, origin = forecast.load_specification(), forecast.load_record(), date(2026, 2, 3)
    if when == "after news":
        record, origin = with_news(), date(2026, 9, 20)
    record = record.as_of(origin)
    known = prior_draws(gather(spec, record, origin, correction=old.evidence.correction), 40, seed=9)
    day = origin + timedelta(days=45)
    terms = terms_of(known, record, day)
    assert brute(known, record, (), day) == pytest.approx(terms.silent, abs=1e-8)
    rng = np.random.default_rng(10)
    sets = [chosen for size in (1, 2, 3) for chosen in rng.choice(terms.of_size(size), 3)]
    pairs = terms.of_size(2)
    for family in ("fine", "findings"):
        same = (terms.family[pairs] == FAMILIES.index(family)).all(axis=1)
        sets.append(rng.choice(pairs[same]))
    for chosen in sets:
        exact = brute(known, record, [terms.candidates[k] for k in chosen], day)
        shares, density = terms.evaluate(chosen[None])
        assert density[0] == pytest.approx(logsumexp(exact) - logsumexp(terms.silent), abs=1e-8)
        share = np.exp(exact - exact.max()).sum(axis=0)
        assert shares[0] == pytest.approx(share / share.sum(), abs=1e-9)


def test_a_set_has_one_event_in_each_proceeding_at_most(packaged, old):
    draws = old.draws.take(np.arange(3))
    terms = terms_of(draws, packaged.record, date(2026, 3, 20))
    cases = sorted(life.case_id for life in old.evidence.focal if life.at_risk)
    n, families = len(cases), len(FAMILIES)
    for size, many in ((1, n), (2, n * (n - 1) // 2), (3, n * (n - 1) * (n - 2) // 6)):
        sets = terms.of_size(size)
        assert len(np.unique(sets, axis=0)) == len(sets) == many * families**size
        named = [{terms.candidates[k].case for k in one} for one in sets[::97]]
        assert all(len(one) == size for one in named)
    assert {event.case for event in terms.candidates} == set(cases)


@pytest.fixture(scope="module")
def pairs(packaged, branches):
    return stress(packaged, "crackdown", OVER_TWO, branches=branches)


def test_a_found_set_typed_into_whatif_gives_the_same_probability(packaged, watched, pairs):
    for result, size in ((watched.stress, 1), (pairs, 2)):
        assert result.reached
        row = result.table.iloc[0]
        texts = row["events"].split("; ")
        assert len(texts) == row["size"] == size
        supposed = whatif(packaged, texts)
        after = supposed.after["scenarios"].query("view == 'inside'").set_index("scenario")["probability"]
        assert after[result.scenario] == pytest.approx(row["probability"], abs=1e-9)
        assert after[result.scenario] > result.over
        assert supposed.certificate.k_hat == pytest.approx(row["k_hat"], abs=1e-6)


def crackdown_given(packaged, text):
    """Return the probability that a what-if gives, or nothing where it is refused."""
    try:
        after = whatif(packaged, text.split("; ")).after["scenarios"].query("view == 'inside'")
    except InputError:
        return np.nan
    return after.set_index("scenario").at["crackdown", "probability"]


def test_fewer_events_would_not_do_and_the_likeliest_sets_are_shown(packaged, old, pairs):
    terms = terms_of(old.draws, packaged.record, date(2026, 3, 20))
    names = list(map(str, terms.candidates))
    alone, _ = terms.evaluate(terms.of_size(1))
    assert alone[:, 2].max() < OVER_TWO
    sets = terms.of_size(2)
    share, density = terms.evaluate(sets)
    best = sorted(np.flatnonzero(share[:, 2] > OVER_TWO), key=lambda k: -density[k])
    texts = ["; ".join(names[c] for c in sets[k]) for k in best]
    shown = [texts.index(text) for text in pairs.table["events"]]
    assert shown == sorted(shown)
    assert pairs.table["log_density"].to_numpy() == pytest.approx(density[best][shown])
    skipped = [text for text in texts[: shown[-1]] if texts.index(text) not in shown]
    for text in skipped[:2]:  # likelier, but not found when confirmed: weights that fail, or just not over
        assert not crackdown_given(packaged, text) > OVER_TWO
    assert pairs.silent == pytest.approx(terms.silence[2])
    assert pairs.present == pytest.approx(0.15)


def test_plausibility_is_the_share_of_paths_with_all_of_the_set(branches, packaged, pairs):
    regime = packaged.specification.regime
    for row in pairs.table.to_dict("records"):
        came = np.ones(branches.came.shape[:3], dtype=bool)
        for text in row["events"].split("; "):
            _, name, kind = text.split()
            family = regime.family_of(*kind.split(":")) if ":" in kind else regime.family_of(kind, "")
            came &= branches.came[..., branches.cases.index(name), family]
        assert row["comes"] == pytest.approx((branches.weight.T / len(came) * came).sum())
    assert pairs.table["comes"].max() > 0


def test_where_no_set_is_enough_the_nearest_are_shown(packaged, branches):
    result = stress(packaged, "crackdown", 0.999, most=1, branches=branches)
    assert not result.reached
    assert (result.table["probability"] < 0.999).all()
    assert result.table["probability"].iloc[0] > 0.5
    lines = Console(width=160, no_color=True)
    with lines.capture() as capture:
        lines.print(*stress_lines(result))
    assert "No set of events with weights that hold lifts Broader crackdown over 0.999" in capture.get()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenario": "crakdown"}, "did you mean 'crackdown'"),
        ({"scenario": "severe"}, "expected one of limited, significant, crackdown"),
        ({"over": 1.0}, "over: 1.0, expected a probability between 0 and 1"),
        ({"over": float("nan")}, "over: nan"),
        ({"most": 4}, "most: 4, expected 1 to 3 events"),
    ],
)
def test_bad_requests_are_refused(packaged, arguments, words):
    with pytest.raises(InputError, match=words):
        stress(packaged, **arguments)


def test_before_the_brief_there_is_nothing_to_watch_for():
    spec, record = forecast.load_specification(), forecast.load_record()
    early = gather(spec, record.as_of("2026-01-10"), date(2026, 1, 10))
    with pytest.raises(InputError, match="before the brief of 2026-02-03: there are no scenarios"):
        check("crackdown", 0.5, 3, early)


# What is printed, drawn and written


def test_what_is_printed_says_plainly_that_none_of_it_has_happened(watched):
    text = printed(watched)
    assert "what to watch until 2026-05-04. None of it has happened." in text
    assert "1 event would lift Broader crackdown over 0.5, from 0.150 now" in text
    silence = watched.table[watched.table["kind"] == "silence"].iloc[0]
    lines = text.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("silence"))
    assert [line.split()[0] for line in lines[place - 1 : place + 1]] == ["now", "silence"]
    assert f"{silence['crackdown']:.3f}" in lines[place]
    assert f"({silence['crackdown_move']:+.3f})" in lines[place + 1]
    assert watched.stress.table["events"].iloc[0] in text


def test_the_figure_shows_the_table(table, figure):
    moves = figure.axes[1]
    lines = {one.get_gid(): one for one in moves.lines}
    for name, colour in SCENARIO_COLOURS.items():
        given = lines[f"given:{name}"]
        assert given.get_xdata() == pytest.approx(table[name].to_numpy()[1:])
        assert given.get_color() == colour
        assert set(lines[f"now:{name}"].get_xdata()) == {table[name].iloc[0]}
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("Silence") == 1
    assert any("European Commission, ec-dsa-x-grok-2026" in word for word in words)
    for axes, values, form in ((0, table["probability"], "{:.3f}"), (2, 1000 * table["bits"], "{:.1f}")):
        assert {form.format(v) for v in values[1:]} <= {text.get_text() for text in figure.axes[axes].texts}


def test_the_figure_explains_itself_and_nothing_is_cut_off(watched, figure):
    caption = " ".join(figure.get_supxlabel().split())
    for words in ("Hypothetical: none of it has happened", "mutual information", "Silence", "seed 20260203"):
        assert words in caption
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    assert "signposts" not in plots.PLOTS


def test_a_folder_is_written_whole_or_not_at_all(watched, packaged_folder, tmp_path, monkeypatch):
    out = tmp_path / "watched"
    plots.save_watch(watched, out)
    assert sorted(p.name for p in out.iterdir()) == FILES
    first = {p.name: p.read_bytes() for p in out.iterdir()}
    about = json.loads(first["about.json"])
    assert about["content"] == "hypothetical: nothing of this has happened"
    assert about["stress"] == "the fewest events that lift crackdown over 0.5"
    assert len(pd.read_csv(out / "signposts.csv")) == len(watched.table)
    plots.save_watch(watched, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == first
    for place in (packaged_folder, packaged_folder / "watch"):
        with pytest.raises(InputError, match="lies in the folder of a forecast"):
            plots.save_watch(watched, place)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no signposts"):
        plots.save_watch(watched, tmp_path / "mine")
    with pytest.raises(InputError, match="is a file"):
        plots.save_watch(watched, tmp_path / "mine" / "notes.txt")

    def broken(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(look, "save_as", broken)
    with pytest.raises(InputError, match="No space left"):
        plots.save_watch(watched, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == first


def test_the_command_writes_beside_the_folder_and_needs_no_sampler(packaged_folder, tmp_path):
    code = (
        "import sys; from forecast.cli.shell import exit_code; import forecast.cli; code = exit_code(sys.argv[1:]); "
        "print(code, [m in sys.modules for m in ('pymc', 'pytensor', 'nutpie')])"
    )
    line = [sys.executable, "-c", code, "watch", str(packaged_folder)]
    before = {p: p.read_bytes() for p in packaged_folder.rglob("*") if p.is_file()}
    done = subprocess.run(
        [*line, "--over", "0.45", "--out", str(tmp_path / "w")], capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("0 [False, False, False]"), done.stderr
    assert sorted(p.name for p in (tmp_path / "w").iterdir()) == FILES
    assert {p: p.read_bytes() for p in packaged_folder.rglob("*") if p.is_file()} == before
