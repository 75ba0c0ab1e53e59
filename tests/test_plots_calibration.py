"""The figures of a calibration, against worlds made here: what is drawn where, and that nothing lies over anything."""

from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from worlds import SAID

from forecast.calibration import Calibration, Examined
from forecast.calibration.quantities import KINDS
from forecast.calibration.uniformity import band
from forecast.files import InputError
from forecast.plots import calibration as figures
from forecast.plots import save_calibration
from forecast.plots.look import ACCENT, save_as

MANIFEST = SAID | {
    "matter": "x-eu-2026",
    "as_of": "2026-02-03",
    "priors_fingerprint": "f" * 64,
    "record_fingerprint": "0" * 64,
    "seed": 1,
    "span_months": [3, 36],
    "worlds": 40,
}


def made(worlds=40, quantities=30, power=6):
    """Return a calibration of uniform ranks, but for ``parameter: p1``, whose truths rank low."""
    rng, told = np.random.default_rng(5), []
    for number in range(worlds):
        pits = {kind: {f"{kind[0]}{i}": rng.random() for i in range(quantities)} for kind in KINDS}
        pits["parameter"]["p1"] **= power
        p = rng.dirichlet([1, 1, 1])
        months, steps = [0.0, 3.0, 4.4, 6.0, 9.0, 60.0], []
        for count, when in enumerate(months):
            chances = (1 - count / 6) * np.array([0.40, 0.45, 0.15]) + count / 6 * np.eye(3)[number % 3]
            steps.append((when, count, *chances))
        forecasts = tuple((chance, float(rng.random() < chance)) for chance in rng.random(8))
        plain = {"months": 12.0, "events": 9, "redrawn": 0, "attempts": 1, "failed": (), "worst": {"r_hat": 1.01}}
        said = {"inside": tuple(p), "forecasts": forecasts, "steps": tuple(steps)}
        told.append(Examined(world=number, scenario=number % 3, pit=pits, **plain, **said))
    return Calibration(tuple(told), MANIFEST)


@pytest.fixture(scope="module")
def told():
    return made()


@pytest.fixture(scope="module")
def drawn(told):
    return {name: getattr(figures, name)(told) for name in ("ranks", "coverage", "learning")}


def artists(picture, prefix):
    found = {}
    for axes in picture.axes:
        for one in [*axes.lines, *axes.collections, *axes.containers]:
            name = one.get_gid() if hasattr(one, "get_gid") else None
            if name and name.startswith(prefix):
                found.setdefault(name, []).append(one)
    return found


def test_each_quantity_has_a_line_and_the_one_that_departs_stands_out(told, drawn):
    lines = artists(drawn["ranks"], "rank:")
    assert len(lines) == 5 * 30
    orange = {name for name, (one,) in lines.items() if one.get_color() == ACCENT}
    assert orange == {"rank:p1"}
    x, y = lines["rank:p1"][0].get_data()
    table = told.tables["ranks"]
    pits = np.sort(table.loc[table["quantity"] == "p1", "pit"])
    assert x[1:-1] == pytest.approx(pits)
    assert y[1:-1] + x[1:-1] == pytest.approx(np.arange(1, 41) / 40)
    assert "1 of 150" in drawn["ranks"].get_suptitle()


def test_the_bands_are_those_of_the_test(drawn):
    bands = artists(drawn["ranks"], "band:")
    assert {name: len(ones) for name, ones in bands.items()} == {"band:one": 5, "band:all": 5}
    _, low, high = band(40, 0.95)
    corners = bands["band:one"][0].get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(high.max())
    assert corners[:, 1].min() == pytest.approx(low.min())
    assert bands["band:all"][0].get_paths()[0].vertices[:, 1].max() > high.max()


def test_coverage_shows_every_quantity_and_the_mean_of_its_kind(told, drawn):
    table = told.tables["coverage"].set_index(["kind", "quantity", "level"])
    means = artists(drawn["coverage"], "all:")
    assert set(means) == {f"all:{kind}" for kind in KINDS}
    for kind in KINDS:
        shown = [float(one.get_xdata()[0]) for one in means[f"all:{kind}"]]
        assert shown == pytest.approx([table.at[(kind, "all", level), "covered"] for level in (0.5, 0.8, 0.9)])
    each = artists(drawn["coverage"], "each:")
    assert sum(len(one.get_xdata()) for ones in each.values() for one in ones) == 3 * 5 * 30


def test_learning_shows_curves_by_true_scenario_and_steps_that_never_fall(told, drawn):
    curves = artists(drawn["learning"], "probability:")
    assert set(curves) == {f"probability:{name}" for name in ("all", "limited", "significant", "crackdown")}
    x, y = curves["probability:crackdown"][0].get_data()
    assert x.tolist() == [0, 3, 6, 9, 60]
    assert y[0] == pytest.approx(0.15)
    for ones in artists(drawn["learning"], "events:").values():
        assert (np.diff(ones[0].get_ydata()) >= 0).all()
        assert (np.diff(ones[0].get_xdata()) >= 0).all()
    steps = artists(drawn["learning"], "events:")
    assert (
        steps["events:significant"][0].get_xdata()[1] == 4
    )  # 0.45 / 3 + 2 / 3 is over 0.8, and 0.45 / 2 + 1 / 2 is not
    assert steps["events:crackdown"][0].get_xdata()[1] == 5
    assert steps["events:all"][0].get_ydata()[-1] == 1


def boxes(picture):
    canvas = picture.canvas.get_renderer()
    texts = [t for axes in picture.axes for t in (axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label)]
    texts += [picture._suptitle, picture._supxlabel]
    return [(t.get_text(), t.get_window_extent(canvas)) for t in texts if t.get_text()]


@pytest.mark.parametrize("name", ["ranks", "coverage", "learning"])
def test_no_text_lies_over_another_or_beyond_the_page(drawn, name):
    picture, page = drawn[name], drawn[name].bbox
    found = boxes(picture)
    for text, box in found:
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
    for (one, a), (two, b) in combinations(found, 2):
        assert not a.overlaps(b), (one, two)


@pytest.mark.parametrize("name", ["ranks", "coverage", "learning"])
def test_the_same_worlds_give_the_same_bytes_and_change_no_setting(told, tmp_path, name):
    before = dict(mpl.rcParams)
    for i in (1, 2):
        save_as(getattr(figures, name)(told), tmp_path / f"{i}.svg", "svg")
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("left", [0, 1, 2], ids=["no world converged", "one did", "two did"])
def test_few_worlds_can_be_drawn_too(left):
    whole = made(worlds=3, quantities=2)
    lost = [replace(one, failed=("no",), pit={}, steps=(), forecasts=()) for one in whole.examined[left:]]
    few = Calibration((*whole.examined[:left], *lost), MANIFEST)
    for name in ("ranks", "coverage", "learning"):
        getattr(figures, name)(few)


def test_a_folder_holds_tables_worlds_and_figures_and_nothing_else_is_replaced(told, tmp_path):
    save_calibration(told, tmp_path / "c")
    assert {path.name for path in (tmp_path / "c" / "figures").iterdir()} == {
        f"{name}.{form}" for name in ("ranks", "coverage", "learning") for form in ("png", "svg")
    }
    assert (tmp_path / "c" / "uniformity.csv").read_text().count("\n") == 151
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no calibration"):
        save_calibration(told, tmp_path / "d")
