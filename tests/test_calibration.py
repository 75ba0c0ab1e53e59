"""Calibration: it passes where data come from the model that is fitted, fails where they do not, and survives a kill.

The quick tests sample nothing: in a small world of three families the posterior is drawn by weighting prior draws with
the NumPy likelihood. The slow ones do what the command does.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from math import factorial, prod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import binom
from worlds import AS_OF, brief, case, event, load_specification, world

from forecast import calibration
from forecast.calibration import Calibration, Examined, calibrate, tables
from forecast.calibration.fitting import Fitted, shortcomings
from forecast.calibration.learning import lessons, recognised
from forecast.calibration.uniformity import band, departure, holm, p_value, staying
from forecast.calibration.worlds import plan_of, simulated
from forecast.cli.shell import exit_code
from forecast.conjugate import draw_conjugate
from forecast.files import InputError
from forecast.inference import Draws, Posterior, Settings, prior_draws
from forecast.model.mode import reference_draws
from forecast.vocabulary import DAYS_PER_MONTH

WORLDS, MATTERS, SPAN, CANDIDATES = 16, 6, (3, 12), 300
"""So many worlds of so many matters, and draws of which the news takes some."""


def small_brief():
    """Return a brief on three families about a matter whose proceedings are of two kinds."""
    spec = load_specification()
    return brief("m0", ("findings", "fine", "suspension")).model_copy(update={"as_of": AS_OF, "impacts": spec.impacts})


def small_record(matters=MATTERS):
    kinds = ("data_protection", "criminal", "consumer")
    cases = [case(f"c{i}", "2025-02-03", matter=f"m{i // 2}", authority_class=kinds[i % 3]) for i in range(2 * matters)]
    return world(proceedings=cases, events=[event(c["case_id"], "2025-02-03", "opened") for c in cases])


def weighted(evidence, seed, n=CANDIDATES, keep=200):
    """Return draws of the posterior: of the reference class, exact, taken in proportion to the news."""
    rng = np.random.default_rng(seed)
    flat = prior_draws(evidence, n, seed).flat | reference_draws(evidence.hazards.cells, evidence.regime, n, rng)
    flat |= draw_conjugate(evidence.specification, evidence.observations, n, rng)
    draws = Draws(evidence, flat)
    log_weight = logsumexp(draws.log_news + evidence.log_pi, axis=1)
    weight = np.exp(log_weight - log_weight.max())
    return Fitted(draws.take(rng.choice(n, keep, p=weight / weight.sum())))


def examined(seed=7, worlds=WORLDS, fit=weighted, simulate=simulated, **other):
    options = {"worlds": worlds, "seed": seed, "span": SPAN, "fit": fit, "simulate": simulate, **other}
    return calibrate(small_brief(), small_record(), **options)


@pytest.fixture(scope="module")
def sound():
    return examined()


def test_data_from_the_model_that_is_fitted_pass(sound):
    assert sound.passed
    assert sound.departures.empty
    table = sound.tables["uniformity"]
    assert set(table["kind"]) == {"scenario", "density", "parameter", "effect", "target"}
    assert (table["worlds"] == WORLDS).all()
    assert 0.2 < (table["p_value"] < 0.5).mean() < 0.8
    assert sound.tables["power"].set_index(["departure", "size"]).at[("shift", 1.0), "power"] > 0.5
    scores = sound.tables["scores"].set_index("view")
    assert scores.at["events", "brier"] == pytest.approx(scores.at["events", "brier_expected"], abs=0.05)


def twice(evidence, seed):
    """Fit as if every proceeding had been at risk three times as long."""
    hazards = evidence.hazards
    cells = replace(hazards.cells, months=3 * hazards.cells.months)
    return weighted(replace(evidence, hazards=replace(hazards, cells=cells)), seed)


def narrow(evidence, seed):
    """Return draws that spread too little."""
    fitted = weighted(evidence, seed)
    closer = {name: v.mean(axis=0) + 0.3 * (v - v.mean(axis=0)) for name, v in fitted.draws.flat.items()}
    return replace(fitted, draws=Draws(evidence, closer))


def unheeded(plan, months, seed):
    """Return a world in which every scenario lives as the first one is stated to."""
    statements = plan.design.statements
    same = replace(statements, location=np.repeat(statements.location[:, :1] + 2.5, 3, axis=1))
    return simulated(replace(plan, design=replace(plan.design, statements=same)), months, seed)


@pytest.mark.parametrize(
    ("fit", "simulate", "where"),
    [
        (twice, simulated, {"events", "joint", "expected[request]", "rate[request]", "months_to:request"}),
        (narrow, simulated, {"joint", "prior"}),
        (weighted, unheeded, {"focal scenario", "focal tempo", "news", "months_to:suspension", "months_to:fine"}),
    ],
    ids=["months at risk counted thrice", "draws too narrow", "scenarios that the matter does not heed"],
)
def test_a_broken_model_fails(fit, simulate, where):
    broken = examined(fit=fit, simulate=simulate)
    assert not broken.passed
    assert where & set(broken.departures["quantity"])


def test_the_chance_of_staying_inside_is_that_of_enumeration():
    n, tail = 5, 0.08
    points = np.arange(1, n) / n
    inside = 0.0
    for cells in itertools.product(range(n + 1), repeat=n):
        if sum(cells) == n:
            counts = np.cumsum(cells)[:-1]
            low, high = binom.cdf(counts, n, points), binom.sf(counts - 1, n, points)
            chance = factorial(n) / prod(map(factorial, cells)) / n**n
            inside += chance * bool((np.minimum(low, high) > tail).all())
    assert 0.1 < inside < 0.9
    assert staying(n, tail) == pytest.approx(inside, abs=1e-12)


def test_p_values_of_uniform_ranks_are_uniform_and_small_ones_are_seen():
    rng = np.random.default_rng(1)
    p = np.array([p_value(rng.random(60)) for _ in range(2000)])
    for level in (0.5, 0.1, 0.02):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 2000))
    assert p_value(rng.random(60) ** 2) < 1e-4
    assert p_value(np.full(60, 0.5)) < 1e-9
    assert p_value(np.array([0.3])) == 1.0


def test_the_band_holds_uniform_samples_as_often_as_it_says_and_is_nearly_the_one_that_arviz_simulates():
    from arviz_stats.ecdf_utils import ecdf_pit  # noqa: PLC0415

    n, rng = 40, np.random.default_rng(2)
    x, low, high = band(n, 0.9)
    held = []
    for _ in range(4000):
        lines = np.searchsorted(np.sort(rng.random(n)), x, side="right") / n - x
        held.append(((lines >= low - 1e-9) & (lines <= high + 1e-9))[1:-1].all())
    assert np.mean(held) == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 4000) + 0.005)
    _, _, theirs_low, theirs_high = ecdf_pit(np.linspace(0, 1, n), 0.9, 4000, rng=rng)
    assert (np.abs(theirs_low - x - low) <= 1.01 / n).all()
    assert (np.abs(theirs_high - x - high) <= 1.01 / n).all()


def test_a_p_value_is_small_exactly_where_the_line_leaves_the_band():
    rng, n = np.random.default_rng(3), 50
    x, low, high = band(n, 0.95)
    seen = set()
    for _ in range(400):
        values = rng.random(n)
        lines = np.searchsorted(np.sort(values), x, side="right") / n - x
        leaves = bool(((lines < low - 1e-9) | (lines > high + 1e-9))[1:-1].any())
        seen.add(leaves)
        assert leaves == (staying(n, departure(values)) > 0.95)
    assert seen == {True, False}


def test_adjusted_p_values_are_those_of_statsmodels():
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415

    p = np.random.default_rng(4).random(50) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def made(number, pits, **other):
    """Return a world with the given ranks and little else."""
    plain = {"months": 12.0, "scenario": 0, "events": 5, "redrawn": 0, "attempts": 1, "failed": (), "worst": {}}
    ranked = {"parameter": {f"p{i}": pit for i, pit in enumerate(pits)}}
    return Examined(world=number, pit=ranked, **{**plain, "inside": (0.7, 0.2, 0.1), **other})


def test_coverage_counts_truths_inside_central_intervals():
    table = tables.coverage(tables.ranks([made(i, [pit]) for i, pit in enumerate((0.5, 0.26, 0.1, 0.951, 0.049))]))
    own = table.loc[table["quantity"] == "p0"].set_index("level")
    assert own["covered"].to_dict() == {0.5: 0.4, 0.8: 0.6, 0.9: 0.6}
    assert own.at[0.9, "low"] == binom.ppf(0.025, 5, 0.9) / 5


def test_reliability_and_scores_by_hand():
    told = [made(0, [], scenario=0), made(1, [], scenario=1), made(2, [], scenario=0, failed=("no",))]
    told[0] = replace(told[0], forecasts=((0.5, 0.0), (0.5, 1.0)))
    table = tables.reliability(told).set_index(["view", "bin_low"])
    focal = table.loc["scenario"]
    assert focal["forecasts"].to_dict() == {0.05: 2, 0.2: 2, 0.6: 2}
    assert focal["observed"].to_dict() == {0.05: 0.0, 0.2: 0.5, 0.6: 0.5}
    assert focal.at[0.6, "error"] == pytest.approx(np.sqrt(0.3**2 + 0.7**2) / 2)
    events = table.loc["events"]
    assert events.at[0.4, "observed"] == 0.5
    assert events.at[0.4, "error"] == 0.0  # both of one world: their errors cancel
    scores = tables.scores(told).set_index("view").loc["scenario"]
    assert scores["brier"] == pytest.approx((0.3**2 + 0.2**2 + 0.1**2 + 0.7**2 + 0.8**2 + 0.1**2) / 2)
    assert scores["brier_expected"] == pytest.approx(0.7 * 0.3 + 0.2 * 0.8 + 0.1 * 0.9)
    assert scores["log"] == pytest.approx(-(np.log(0.7) + np.log(0.2)) / 2)


def test_learning_takes_the_first_moment_and_says_what_came_of_it():
    steps = ((0.0, 0, 0.4, 0.45, 0.15), (3.0, 2, 0.1, 0.85, 0.05), (6.0, 4, 0.9, 0.05, 0.05), (60.0, 6, 0.7, 0.2, 0.1))
    one, never = made(0, [], steps=steps), made(1, [], steps=steps[:1], scenario=2)
    table = tables.learning([one, never]).set_index("world")
    assert table.loc[0, ["events", "months", "held", "mistaken", "events_in_all"]].tolist() == [
        4.0, 6.0, False, True, 6,
    ]  # fmt: skip
    assert table.at[1, "events"] == np.inf
    curve = tables.learning_curve([one, never]).set_index(["scenario", "months"])
    assert curve.at[("all", 0), "probability"] == pytest.approx((0.4 + 0.15) / 2)
    assert curve.at[("limited", 6), "recognised"] == 1.0
    assert curve.at[("limited", 3), "mistaken"] == 1.0


def test_lessons_begin_with_the_brief_and_end_at_the_last_horizon():
    plan = plan_of(small_brief(), small_record())
    for seed in range(2):
        one = simulated(plan, 12.0, [31, seed]).world
        steps = lessons(plan, one, [seed])
        assert steps[0].months == 0.0
        assert steps[0].probabilities == pytest.approx([0.40, 0.45, 0.15])
        assert steps[-1].months == 60
        assert all(sum(step.probabilities) == pytest.approx(1) for step in steps)
        at_year = next(step for step in steps if step.months == 12.0)
        year = AS_OF.toordinal() + round(12 * DAYS_PER_MONTH)
        assert at_year.events == sum(AS_OF.toordinal() < e.day <= year and e.row in one.focal for e in one.events)
        assert recognised(steps, 0)[1] in {*(step.months for step in steps), np.inf}


def test_worlds_do_not_depend_on_how_many_there_are():
    few, many = examined(worlds=2), examined(worlds=4)
    assert few.examined == many.examined[:2]
    assert examined(worlds=2, seed=8).examined[0].pit != few.examined[0].pit


def test_an_interruption_loses_the_worlds_at_work_alone_and_changes_nothing(tmp_path):
    whole, done = examined(worlds=5), []

    def interrupted(evidence, seed):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(seed)
        return weighted(evidence, seed)

    with pytest.raises(KeyboardInterrupt):
        examined(worlds=5, fit=interrupted, folder=tmp_path / "c")
    kept = list((tmp_path / "c" / "worlds").iterdir())
    assert 1 <= len(kept) <= 3
    again = []

    def counted(evidence, seed):
        again.append(seed)
        return weighted(evidence, seed)

    resumed = examined(worlds=5, fit=counted, folder=tmp_path / "c")
    assert len(again) == 5 - len(kept)
    assert resumed.examined == whole.examined
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(table, resumed.tables[name])


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_calibration import examined
if __name__ == "__main__":
    examined(worlds={worlds}, folder={folder!r})
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "c"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), worlds=500, folder=str(folder)))
    with subprocess.Popen([sys.executable, str(script)]) as running:
        deadline = time.monotonic() + 300
        while len(list(folder.glob("worlds/[0-9]*.json"))) < 2 and time.monotonic() < deadline:
            assert running.poll() is None
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
    files = sorted(folder.glob("worlds/[0-9]*.json"))
    assert len(files) >= 2
    before = {path: path.read_bytes() for path in files}
    for path in files:
        assert Examined.of_json(json.loads(path.read_text())).pit  # each whole
    total = 1 + max(int(path.stem) for path in files)
    resumed = examined(worlds=total, folder=folder)
    assert len(resumed.examined) == total
    assert {path: path.read_bytes() for path in files} == before


def test_worlds_of_anything_else_are_refused_unless_thrown_away(tmp_path):
    folder = tmp_path / "c"
    first = examined(worlds=2, folder=folder)
    with pytest.raises(InputError, match="holds worlds of another seed"):
        examined(worlds=2, seed=8, folder=folder)
    assert examined(worlds=2, seed=8, folder=folder, anew=True).examined != first.examined
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no calibration"):
        examined(worlds=2, folder=other, anew=True)
    assert (other / "notes.txt").exists()


def test_worlds_that_do_not_converge_are_counted_and_not_ranked():
    def unfit(evidence, seed):
        fitted = weighted(evidence, seed)
        return replace(fitted, failures=("R-hat 2",)) if seed % 3 == 0 else fitted

    told = examined(worlds=10, fit=unfit)
    lost = [one.world for one in told.examined if one.failed]
    assert len(lost) >= 1
    assert not told.converged
    assert not told.passed
    assert set(told.tables["ranks"]["world"]) == {*range(10)} - {*lost}
    assert told.tables["worlds"].set_index("world").loc[lost, "failures"].eq("R-hat 2").all()
    assert set(told.tables["learning"]["world"]).isdisjoint(lost)


def test_the_gate_of_a_fit_names_what_falls_short():
    diagnostics = pd.DataFrame({"r_hat": [1.01, 1.2], "ess_bulk": [90.0, 200.0], "ess_tail": [150.0, 300.0]})
    posterior = Posterior(None, Settings(), {}, {}, {"diverging": np.array([True] + 99 * [False])})
    vars(posterior)["diagnostics"] = diagnostics
    assert shortcomings(posterior) == [
        "R-hat 1.200, at most 1.05", "bulk ESS 90, at least 100", "1.00% divergent, at most 0.5%",
    ]  # fmt: skip
    good = replace(posterior, statistics={"diverging": np.zeros(9)})
    vars(good)["diagnostics"] = pd.DataFrame({"r_hat": [1.01], "ess_bulk": [290.0], "ess_tail": [150.0]})
    assert shortcomings(good) == []


@pytest.mark.parametrize("worlds", [0, 1, 10_001])
def test_too_few_worlds_are_refused(worlds):
    with pytest.raises(InputError, match="from 2 to 10000"):
        examined(worlds=worlds)


def told(sound, **change):
    worlds = [replace(one, **{k: v(one) for k, v in change.items()}) for one in sound.examined]
    return Calibration(tuple(worlds), sound.manifest)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({}, 0, "none of"),
        ({"pit": lambda one: {k: {n: p**8 for n, p in v.items()} for k, v in one.pit.items()}}, 3, "NOT CALIBRATED"),
        ({"failed": lambda one: ("R-hat 2",) if one.world % 9 == 0 else ()}, 2, "NOT CONVERGED: 2 of 16"),
    ],
    ids=["sound", "ranks too low", "not converged"],
)
def test_the_command_writes_all_and_exits_by_the_verdict(sound, monkeypatch, tmp_path, capsys, change, code, words):
    result, asked = told(sound, **change), {}

    def instead(priors, record, **options):
        asked.update(options)
        return result

    monkeypatch.setattr(calibration, "calibrate", instead)
    out = tmp_path / "c"
    assert exit_code(["calibrate", "--out", str(out), "--worlds", "16", "--seed", "7"]) == code
    assert words in " ".join(capsys.readouterr().out.split())
    assert {k: asked[k] for k in ("worlds", "seed", "folder", "anew")} == {
        "worlds": 16, "seed": 7, "folder": out, "anew": False,
    }  # fmt: skip
    names = {path.name for path in out.iterdir()}
    assert names == {"about.json", "figures", "worlds", *(f"{name}.csv" for name in result.tables)}
    assert len(list((out / "worlds").iterdir())) == WORLDS
    assert json.loads((out / "about.json").read_text())["calibrated"] == (code != 3)
    if code == 0:
        exit_code(["calibrate", "--out", str(out), "--full"])
        assert asked["worlds"] == 1000


def test_what_was_saved_can_be_gone_on_with(sound, tmp_path):
    from forecast.plots import save_calibration  # noqa: PLC0415

    save_calibration(examined(worlds=2), tmp_path / "c")

    def never(evidence, seed):
        raise AssertionError("fitted again")

    assert examined(worlds=2, fit=never, folder=tmp_path / "c").examined == sound.examined[:2]


@pytest.mark.slow
def test_the_model_itself_is_calibrated_in_its_own_worlds(tmp_path):
    """The packaged prior file and record, sampled: what ``forecast calibrate --worlds 20`` does."""
    result = calibrate(worlds=20, folder=tmp_path / "c", seed=1)
    print(result.tables["worlds"].to_string())
    print(result.departures.to_string())
    assert result.calibrated
    assert result.converged
