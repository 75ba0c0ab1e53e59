"""What the answer figures show, against numbers computed here from the draws and tables."""

from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from worlds import HORIZONS, with_news

from forecast import plots
from forecast.files import InputError
from forecast.labels import names_of
from forecast.plots import answers
from forecast.plots.courses import EVENTS
from forecast.plots.look import SCENARIO_COLOURS
from forecast.quantities import percent
from forecast.terminal.forecasts import views_of
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES, SCENARIOS, WINDOWS
from forecast.watchlist import both_views

FIGURES = ("scenarios", "targets", "exceedance", "events", "watchlist")
IMPACTS = ["valuation_impact", "valuation_change", "user_attrition", "moderation_spending", "cost:moderation"]
IMPACTS += ["cost:advertising", "total_cost"]


@pytest.fixture(scope="module")
def drawn(packaged):
    return {name: plots.PLOTS[name](packaged) for name in FIGURES}


@pytest.fixture(scope="module")
def before_the_brief(packaged):
    """The same draws as if they were of a day before the brief: no prior, no statements, no impacts."""
    scenarios = packaged.tables["scenarios"]
    outside = scenarios[~scenarios["view"].isin(["brief", "inside"])]
    empty = {"statements": pd.DataFrame(), "prior_resolution": pd.DataFrame()}
    return replace(
        packaged,
        prior_outcomes=xr.Dataset(),
        outcomes=packaged.outcomes.drop_vars(IMPACTS),
        tables={**packaged.tables, **empty, "scenarios": outside},
        manifest=packaged.manifest | {"origin": "2025-02-03", "view": "outside"},
    )


def caption(picture):
    return " ".join(picture.get_supxlabel().split())


def line(picture, gid):
    found = [one for axes in picture.axes for one in axes.lines if one.get_gid() == gid]
    assert len(found) == 1, f"{len(found)} lines {gid!r}"
    return np.array(found[0].get_xdata(), dtype=float), np.array(found[0].get_ydata(), dtype=float)


def gids(picture):
    return {one.get_gid() for axes in picture.axes for one in axes.lines}


def panel(picture, title):
    found = [axes for axes in picture.axes if axes.get_title(loc="left") == title]
    assert len(found) == 1, title
    return found[0]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one, two):
    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", FIGURES)
def test_drawing_changes_nothing_global_and_shows_itself(packaged, name):
    before = dict(mpl.rcParams)
    picture = plots.PLOTS[name](packaged)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    assert picture._repr_png_()[0].startswith(b"\x89PNG")


@pytest.mark.parametrize("name", FIGURES)
def test_captions_name_their_forecast(packaged, drawn, name):
    m, text = packaged.manifest, caption(drawn[name])
    for words in (m["matter"], m["origin"], m["priors_fingerprint"][:8], str(m["seed"])):
        assert words in text
    assert drawn[name].get_suptitle()


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off(drawn, name):
    picture = drawn[name]
    width, height = picture.get_size_inches()
    box = picture.get_tightbbox(picture.canvas.get_renderer())
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_colours_of_scenarios_and_horizons_darken_in_order():
    for colours in (SCENARIO_COLOURS.values(), answers.HORIZON_COLOURS):
        levels = [luminance(c) for c in colours]
        assert all(a > 1.5 * b for a, b in pairwise(levels))
    heat = [luminance(answers.HEAT(x)) for x in np.linspace(0, 1, 50)]
    assert (np.diff(heat) < 0).all()


def test_letters_can_be_read_on_every_colour():
    for colour in [*SCENARIO_COLOURS.values(), *(answers.HEAT(x) for x in np.linspace(0, 1, 50))]:
        assert contrast(answers.on_colour(colour), colour) > 3.5


def test_every_target_and_view_has_a_name(packaged):
    assert list(views_of(packaged.manifest)) == ["brief", "inside", "outside", "base_rate", "resolved_60m"]
    kinds, labels = {"months_to"}, packaged.manifest["labels"]
    names = {n for n in packaged.outcomes.data_vars if n.split(":")[0] not in kinds} - {"scenario"}
    classes = {f"resolved_scenario:{scenario}" for scenario in SCENARIOS}
    assert names == set(answers.NAMES) | classes
    assert {answers.name_of(n, labels) for n in classes} == {f"Resolved: {label}" for label in labels.values()}
    assert len(set(answers.NAMES.values())) == len(answers.NAMES)
    assert set(answers.FAMILY_NAMES) == set(FAMILIES)


def test_scenario_bars_are_the_table(packaged, drawn):
    table = packaged.tables["scenarios"].set_index(["view", "scenario"])
    axes, views = drawn["scenarios"].axes[0], views_of(packaged.manifest)
    assert [c.get_label() for c in axes.containers] == list(packaged.manifest["labels"].values())
    texts = [t.get_text() for t in axes.texts]
    for scenario, bars in zip(SCENARIOS, axes.containers, strict=True):
        assert len(bars) == len(views)
        for view, bar in zip(views, bars, strict=True):
            stated = table.at[(view, scenario), "probability"]
            assert bar.get_width() == pytest.approx(stated)
            before = sum(table.at[(view, s), "probability"] for s in SCENARIOS[: SCENARIOS.index(scenario)])
            assert bar.get_x() == pytest.approx(before)
    printed = [t for t in texts if t.endswith(" %")]
    expected = [percent(table.at[(v, s), "probability"]) for s in SCENARIOS for v in views]
    assert printed == expected
    assert [" ".join(t.split()) for t in texts if " ".join(t.split()) in views.values()] == list(views.values())
    assert f"±{100 * packaged.tables['scenarios']['mcse'].max():.1f} percentage points" in caption(drawn["scenarios"])


def test_tiny_scenarios_carry_no_number(packaged):
    table = packaged.tables["scenarios"].copy()
    brief = (table["view"] == "brief").to_numpy()
    table.loc[brief, "probability"] = [0.96, 0.03, 0.01]
    axes = plots.scenarios(replace(packaged, tables={**packaged.tables, "scenarios": table})).axes[0]
    printed = [t.get_text() for t in axes.texts]
    assert "96 %" in printed
    assert "3 %" not in printed
    assert "1 %" not in printed


@pytest.mark.parametrize("horizon", HORIZONS)
def test_dots_are_probabilities_of_posterior_and_prior(packaged, drawn, horizon):
    summary = packaged.tables["summary"].query(
        "scenario == 'all' and unit == 'probability' and horizon_months == @horizon"
    )
    shown, rows = line(drawn["targets"], f"Posterior:{horizon}")
    np.testing.assert_allclose(shown, summary["mean"])
    assert (np.diff(rows) > 0).all()
    prior = packaged.prior_outcomes.sel(horizon=horizon)
    expected = [prior[name].values.mean() for name in summary["target"]]
    np.testing.assert_allclose(line(drawn["targets"], f"Prior:{horizon}")[0], expected)
    first = panel(drawn["targets"], f"{HORIZONS[0]} months")
    assert [t.get_text() for t in first.get_yticklabels()] == [
        answers.name_of(n, packaged.manifest["labels"]) for n in summary["target"]
    ]


def test_medians_and_bars_are_quantiles(packaged, drawn):
    summary = packaged.tables["summary"].query("scenario == 'all' and unit != 'probability'")
    summary = summary[~summary["target"].str.startswith("months_to")]
    assert len(summary) == 14 * len(HORIZONS)
    for target, rows in summary.groupby("target"):
        unit = rows["unit"].iloc[0]
        scale = 1e-6 if unit.startswith("EUR") else 1 if unit == "count" else 100
        axes = panel(drawn["targets"], answers.NAMES[target])
        words = axes.texts[0].get_text()
        assert ("million EUR" in words) == unit.startswith("EUR")
        assert words.startswith("%") == (scale == 100)
        np.testing.assert_allclose(line(drawn["targets"], f"Posterior:{target}")[1], scale * rows["q50"], rtol=1e-9)
        thick, thin = axes.collections[-2:]
        for bars, low, high in ((thick, "q25", "q75"), (thin, "q05", "q95")):
            ends = np.array([segment[:, 1] for segment in bars.get_segments()])
            np.testing.assert_allclose(ends, scale * rows[[low, high]], rtol=1e-9)
        draws = packaged.prior_outcomes[target].values
        medians = [np.median(column[~np.isnan(column)]) for column in draws.T]
        np.testing.assert_allclose(line(drawn["targets"], f"Prior:{target}")[1], scale * np.array(medians))
        low, high = axes.get_ylim()
        assert low < scale * rows["q05"].min()
        assert high > scale * rows["q95"].max()


def test_caption_holds_kind_and_level_of_the_interval(drawn):
    assert "thick bars eti 0.50, thin bars eti 0.90" in caption(drawn["targets"])
    for name in ("scenarios", "exceedance", "events", "watchlist"):
        assert "(one standard error)" in caption(drawn[name])


def test_amounts_that_are_never_given_leave_a_gap(packaged):
    outcomes = packaged.outcomes.copy()
    values = outcomes["fine_largest"].values.copy()
    values[:, 0] = np.nan
    outcomes["fine_largest"] = outcomes["fine_largest"].copy(data=values)
    x, y = line(plots.targets(replace(packaged, outcomes=outcomes)), "Posterior:fine_largest")
    assert np.round(x).tolist() == [1, 2]
    np.testing.assert_allclose(y, 1e-6 * np.nanmedian(values[:, 1:], axis=0))


@pytest.mark.parametrize("horizon", HORIZONS)
def test_exceedance_is_the_share_of_draws_above(packaged, drawn, horizon):
    for label, draws in (("Posterior", packaged.outcomes), ("Prior", packaged.prior_outcomes)):
        x, y = line(drawn["exceedance"], f"{label}:{horizon}")
        cost = draws["total_cost"].sel(horizon=horizon).values / 1e6
        for i in range(0, len(x), 23):
            assert y[i] == pytest.approx((cost > x[i]).mean(), abs=1e-12)
        assert (np.diff(y) <= 0).all()
    axes = drawn["exceedance"].axes[0]
    assert axes.get_xscale() == "log"
    assert "Million EUR" in axes.get_xlabel()
    rare = packaged.outcomes["total_cost"].sel(horizon=horizon).quantile(0.95).item() / 1e6
    texts = [t.get_text() for t in axes.texts]
    assert f"{rare:,.0f}" in texts
    assert f"{horizon} months" in texts


def test_event_curves_are_frequencies(packaged, drawn):
    scenario = packaged.outcomes["scenario"].values
    summary = packaged.tables["summary"].set_index(["target", "horizon_months", "scenario"])["mean"]
    for family in EVENTS:
        times = packaged.outcomes[f"months_to:{family}"].sel(horizon=60).values
        for name in ("all", *SCENARIOS):
            x, y = line(drawn["events"], f"{family}:{name}")
            own = times if name == "all" else times[scenario == SCENARIOS.index(name)]
            assert y[x == 0] == 0
            for month in (1, 7.5, 13, 36):
                assert y[x == month] == pytest.approx(np.mean([t <= month for t in own]))
            for horizon in HORIZONS:
                assert y[x == horizon] == pytest.approx(summary[f"event:{family}", horizon, name])


def test_markers_are_the_statements_and_their_mixture(packaged, drawn):
    table = packaged.tables["statements"]
    brief = {name: s.probability.value for name, s in packaged.specification.scenarios.items()}
    for family, own in table.groupby("family"):
        for name in SCENARIOS:
            x, y = line(drawn["events"], f"stated:{family}:{name}")
            rows = own[own["scenario"] == name].sort_values("within_months")
            assert x.tolist() == rows["within_months"].tolist()
            assert y.tolist() == rows["stated"].tolist()
        x, y = line(drawn["events"], f"stated:{family}:all")
        mixed = [sum(brief[s] * p for s, p in zip(r["scenario"], r["stated"], strict=True))
                 for _, r in own.groupby("within_months")]  # fmt: skip
        np.testing.assert_allclose(y, mixed)
    for family in set(EVENTS) - set(table["family"]):
        assert f"stated:{family}:all" not in gids(drawn["events"])
    assert "Markers: what the analyst stated on 2026-02-03" in caption(drawn["events"])


def test_later_origins_shift_statements_and_drop_what_is_decided(packaged):
    manifest = packaged.manifest | {"origin": "2026-12-31"}
    picture = plots.events(replace(packaged, record=with_news().as_of("2026-12-31"), manifest=manifest))
    elapsed = (pd.Timestamp("2026-12-31") - pd.Timestamp("2026-02-03")).days / DAYS_PER_MONTH
    x, _ = line(picture, "stated:suspension:crackdown")
    np.testing.assert_allclose(x, [24 - elapsed, 60 - elapsed])
    for seen in ("findings", "order.extensive", "executive"):
        came = seen in {"findings", "order.extensive"}  # no executive was charged in that record
        assert (f"stated:{seen}:limited" not in gids(picture)) == came
    assert "what the analyst stated on 2026-02-03, at the months that are left" in caption(picture)
    targets = plots.targets(replace(packaged, manifest=manifest))
    assert "prior's months count from 2026-02-03, the posterior's from 2026-12-31" in caption(targets)
    assert "count from" not in caption(plots.targets(packaged))


def test_a_scenario_without_draws_has_no_line(packaged):
    outcomes = packaged.outcomes.copy()
    scenario = outcomes["scenario"].values.copy()
    scenario[scenario == 2] = 1
    outcomes["scenario"] = outcomes["scenario"].copy(data=scenario)
    shown = gids(plots.events(replace(packaged, outcomes=outcomes)))
    assert "fine:crackdown" not in shown
    assert {"fine:limited", "fine:significant", "fine:all"} <= shown


@pytest.mark.parametrize("window", WINDOWS)
def test_cells_are_the_table_of_events(packaged, window):
    axes = plots.watchlist(packaged, window).axes[0]
    table = both_views(packaged.tables["event_probabilities"]).query("window_months == @window")
    rows = [t.get_text() for t in axes.get_yticklabels()]
    cells = axes.collections[0].get_array().reshape(len(rows), -1)
    focal = table["matter_id"] == packaged.manifest["matter"]
    table = table.assign(row=table["case_id"].where(~focal, table["case_id"] + ", " + table["view"] + " view"))
    assert len(rows) == table["row"].nunique()
    stated = table.set_index(["row", "family"])["probability"]
    expected = np.array([[stated[case, family] for family in FAMILIES] for case in rows])
    np.testing.assert_allclose(cells, expected)
    assert [t.get_text() for t in axes.get_xticklabels()] == [answers.FAMILY_NAMES[f] for f in FAMILIES]
    assert (np.diff(expected.max(axis=1)) <= 0).all()
    places = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    printed = {place: text for place, text in places.items() if place[1] < len(FAMILIES)}
    assert printed == {(i, j): f"{100 * expected[i, j]:.0f}" for i, j in np.argwhere(expected >= 0.05)}
    names = names_of(packaged.record.proceedings)
    for row, label in enumerate(rows):
        name, shown = names[label.split(", ")[0]], places[row, len(FAMILIES)]
        assert shown == name or name.startswith(shown[:-1])
    own = set(table.loc[focal, "row"])
    assert {t.get_text() for t in axes.get_yticklabels() if t.get_fontweight() == "bold"} == own
    assert len(own) == 2 * packaged.tables["event_probabilities"].query("view == 'inside'")["case_id"].nunique()
    assert {name.split(", ")[1] for name in own} == {"inside view", "outside view"}


def test_an_unknown_window_is_refused(packaged):
    with pytest.raises(InputError, match=r"window: 7, expected one of 3, 6, 9, 12"):
        plots.watchlist(packaged, 7)


def test_before_the_brief_everything_is_drawn_and_said(before_the_brief):
    drawn = {name: plots.PLOTS[name](before_the_brief) for name in FIGURES}
    assert [len(c) for c in drawn["scenarios"].axes[0].containers] == [3, 3, 3]
    assert "before it there is only the outside view" in caption(drawn["scenarios"])
    for name in ("targets", "exceedance"):
        assert "Posterior only: before the brief's date, 2026-02-03, there is no prior" in caption(drawn[name])
        assert not any(str(gid).startswith("Prior") for gid in gids(drawn[name]))
    assert not set(IMPACTS) & {str(gid).split(":")[-1] for gid in gids(drawn["targets"])}
    assert "no total cost" in caption(drawn["exceedance"])
    left = before_the_brief.outcomes["fine_left"].sel(horizon=60).values / 1e6
    x, y = line(drawn["exceedance"], "Posterior:60")
    np.testing.assert_allclose(y, [(left > amount).mean() for amount in x])
    assert "There are no statements to show" in caption(drawn["events"])
    assert not any(str(gid).startswith("stated") for gid in gids(drawn["events"]))


def test_a_forecast_without_any_fine_has_curves_at_zero(before_the_brief):
    nothing = {name: before_the_brief.outcomes[name] * 0 for name in ("fine_left", "fine_imposed")}
    kept = {name: value.assign_attrs(units="EUR") for name, value in nothing.items()}
    picture = plots.exceedance(replace(before_the_brief, outcomes=before_the_brief.outcomes.assign(kept)))
    assert line(picture, "Posterior:60")[1].max() == 0
