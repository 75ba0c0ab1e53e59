"""Saving figures: every one, whole or not at all, with the same bytes each time; unknown names are refused."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

import forecast
from forecast import plots
from forecast.files import InputError
from forecast.plots import look

OUTLINE = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def drawn(packaged, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return plots.save(packaged, folder / "new")


def test_every_figure_is_a_picture_in_both_formats(drawn):
    assert [p.name for p in drawn] == [f"{name}.{form}" for name in plots.PLOTS for form in ("png", "svg")]
    for path in drawn:
        if path.suffix == ".png":
            pixels = imread(path)[..., :3]
            assert pixels.shape[1] > 800
            assert np.ptp(pixels) > 0.8  # ink on paper
        else:
            assert ElementTree.parse(path).getroot().tag == OUTLINE
    assert {p.name for p in drawn[0].parent.iterdir()} == {p.name for p in drawn}


def test_the_same_forecast_gives_the_same_bytes(packaged, drawn, tmp_path):
    again = plots.save(packaged, tmp_path, ["events", "resolution", "parameters"])
    for path in again:
        assert path.read_bytes() == (drawn[0].parent / path.name).read_bytes(), path.name


def test_figures_keep_their_names_and_load_only_what_they_show():
    """Some figures are named as their modules are; importing all modules hides none of them."""
    code = (
        "import sys, pkgutil, importlib, forecast.plots as plots\n"
        "others = [m for m in sys.modules if m.startswith(('forecast.attribution', 'forecast.ledger'))]\n"
        "for module in pkgutil.iter_modules(plots.__path__, 'forecast.plots.'): importlib.import_module(module.name)\n"
        "print(others, [name for name in dir(plots) if isinstance(getattr(plots, name), type(sys))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"
    assert set(dir(plots)) >= {*plots.PLOTS, "save", "trajectory", "waterfall", "save_watch"}
    assert all(callable(getattr(plots, name)) for name in dir(plots) if name not in ("PLOTS", "FIRST"))
    with pytest.raises(AttributeError, match="has no attribute 'cats'"):
        plots.cats  # noqa: B018


def test_titles_stand_where_they_would_be_put_above_the_ticks(packaged, drawn, monkeypatch, tmp_path):
    """The style says where titles stand; Matplotlib, left to find a place above all ticks, finds the same one."""
    monkeypatch.delitem(look.STYLE, "axes.titley")
    for path in plots.save(packaged, tmp_path, ["targets", "events", "priors", "predictive"]):
        assert path.read_bytes() == (drawn[0].parent / path.name).read_bytes(), path.name


def test_the_prior_alone_has_its_figures(tmp_path):
    prior = forecast.prior_forecast(draws=400)
    for name in ("scenarios", "targets", "exceedance", "events", "priors", "resolution"):
        settings = dict(mpl.rcParams)
        assert plots.PLOTS[name](prior).get_suptitle()
        assert dict(mpl.rcParams) == settings
    for name in ("watchlist", "parameters", "predictive"):
        with pytest.raises(InputError, match=f"{name}: is a figure of a fitted forecast"):
            plots.PLOTS[name](prior)


def test_an_unknown_name_is_refused_before_anything_is_written(packaged, tmp_path):
    with pytest.raises(InputError, match="'scenario': is no figure") as caught:
        plots.save(packaged, tmp_path / "none", ["events", "scenario", "cats"])
    text = str(caught.value)
    assert "did you mean 'scenarios'" in text
    assert "'cats': is no figure" in text
    assert "expected one of scenarios, targets" in text
    assert not (tmp_path / "none").exists()


def test_a_path_that_cannot_be_written_is_refused(packaged, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        plots.save(packaged, tmp_path / "file", ["resolution"])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failure_leaves_the_old_figure(packaged, tmp_path, monkeypatch):
    (old,) = [p for p in plots.save(packaged, tmp_path, ["resolution"]) if p.suffix == ".png"]
    was = old.read_bytes()

    def broken(picture, target, form):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plots, "save_as", broken)
    with pytest.raises(InputError, match="No space left"):
        plots.save(packaged, tmp_path, ["resolution"])
    assert old.read_bytes() == was
    assert len(list(tmp_path.iterdir())) == 2


def test_scenarios_are_told_apart_in_grey():
    def lightness(colour):
        return float(np.dot([0.2126, 0.7152, 0.0722], [int(colour[i : i + 2], 16) for i in (1, 3, 5)]))

    steps = -np.diff([lightness(c) for c in look.SCENARIO_COLOURS.values()])
    assert (steps > 50).all()
