"""Figures of a backtest show the numbers of its tables, in one look, and change no setting."""

import matplotlib as mpl
import numpy as np
import pytest
from test_backtest import unfitted

import forecast
from forecast import plots
from forecast.backtesting.rows import FORECASTERS
from forecast.plots import backtests, look
from forecast.plots.reliability import CLIP, COLOURS, NAMES, PARTS, counts, pit, reliability, skill
from forecast.terminal.scores import FEW, FEW_MARK, OTHERS


def lines(picture, gid):
    """Return the lines of each panel that carry a name."""
    return [[line for line in axes.lines if line.get_gid() == gid] for axes in picture.axes]


def test_reliability_shows_every_bin():
    table = unfitted().reliability.query("window_months == 'all'")
    picture = reliability(unfitted())
    assert len(picture.axes) == len(FORECASTERS)
    panels = zip(picture.axes, lines(picture, "share"), lines(picture, "none"), FORECASTERS, strict=True)
    for axes, shares, none, name in panels:
        own = table[table["forecaster"] == name]
        came = own[own["observed"] > 0]
        np.testing.assert_allclose(shares[0].get_xdata(), came["probability"])
        np.testing.assert_allclose(shares[0].get_ydata(), came["share"])
        assert len(none[0].get_xdata()) == (own["observed"] == 0).sum()
        assert [text.get_text() for text in axes.texts] == [f"{n:.0f}" for n in own["observed"]]
        (low, high), bars = axes.get_xlim(), axes.collections[0].get_segments()
        assert low < own["probability"].min() <= own["probability"].max() < high
        np.testing.assert_allclose([bar[1, 1] for bar in bars], own["high"])


def test_counts_show_what_was_observed_and_expected():
    table = unfitted().counts.query("window_months == 'all'")
    table = table[~table["target"].isin(["all", OTHERS])]
    table = table.sort_values("observed", ascending=False, kind="stable")
    picture = counts(unfitted())
    axes = picture.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [NAMES[f] for f in table["target"]]
    for line, name in zip(axes.lines, FORECASTERS, strict=True):
        np.testing.assert_allclose(line.get_xdata(), table[f"expected_{name}"])
    spans = axes.collections[0].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in spans], table[["observed_low", "observed_high"]])


def test_pit_shows_line_and_band():
    table = unfitted().pit
    picture = pit(unfitted())
    assert len(picture.axes) == 3
    for axes, (kind, target) in zip(picture.axes, PARTS, strict=True):
        own = table[(table["kind"] == kind) & (table["target"] == target)]
        line = next(line for line in axes.lines if line.get_gid() == f"{kind}:{target}")
        np.testing.assert_allclose(line.get_ydata()[1:-1], own["difference"])
        outline = axes.collections[0].get_paths()[0].vertices
        assert outline[:, 1].max() == pytest.approx(own["band"].max())
        assert f"{own['n'].iloc[0]} forecasts, {own['matters'].iloc[0]} matters" in axes.get_title(loc="left")
        assert axes.get_ylim()[1] > max(own["band"].max(), own["difference"].abs().max())


def test_skill_shows_every_part_and_says_where_it_goes_on():
    scores = unfitted().scores.query("window_months == 'all' and score in ['log', 'crps']")
    picture = skill(unfitted())
    axes = picture.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 18
    assert names[0].startswith("All families (340 in ")
    assert names[1].startswith("All but procedural steps (338 in ")
    assert names[-1].startswith("Log size of a fine (")
    low, high = CLIP
    for name in list(FORECASTERS)[1:]:
        own = scores[scores["baseline"] == name]
        marks = {line.get_gid(): line for line in axes.lines}
        inside, enough = own["skill"].between(low, high), own["eventful"] >= FEW
        for line, kept in ((marks[f"skill:{name}"], enough), (marks[f"few:{name}"], ~enough)):
            np.testing.assert_allclose(sorted(line.get_xdata()), sorted(own.loc[inside & kept, "skill"]))
            assert (line.get_markerfacecolor() == "white") == kept.equals(~enough)
        arrows = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() in "<>" and colour(line, name))
        assert arrows == (own["skill_low"] < low).sum() + (own["skill_high"] > high).sum()
        assert sum(FEW_MARK in words for words in names) == (~enough).sum() > 0


def colour(line, name):
    return line.get_color() == COLOURS[name]


def test_figures_say_what_they_are_of_and_fill_the_page():
    for draw in backtests.FIGURES.values():
        picture = draw(unfitted())
        caption = picture.get_supxlabel()
        assert "origin 2024-08-03 to 2026-05-03, outside view" in caption
        assert picture.get_figwidth() == look.WIDTH
        bottom = min(axes.get_position().y0 for axes in picture.axes) * picture.get_figheight()
        assert bottom < 1.35  # no hole between axes and caption


def test_a_folder_has_its_figures_and_the_same_bytes(tmp_path):
    before = dict(mpl.rcParams)
    forecast.save_backtest(unfitted(), tmp_path / "a")
    assert dict(mpl.rcParams) == before
    names = {p.name for p in (tmp_path / "a").iterdir()}
    assert names >= {f"{name}.{form}" for name in backtests.FIGURES for form in ("png", "svg")}
    look.save_as(skill(unfitted()), tmp_path / "again.svg", "svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "a" / "skill.svg").read_bytes()
    assert plots.save_backtest is forecast.save_backtest
