"""The figures of what a forecast rests on: what is drawn is what the tables say, and nothing is cut off."""

import json

import numpy as np
import pandas as pd
import pytest
from worlds import HORIZONS, SAID

from forecast import plots
from forecast.attribution.bridge import BLOCKS
from forecast.files import InputError
from forecast.plots.multiverse import driven, panels
from forecast.sensitivity import Sensitivity
from forecast.sensitivity.multiverse import (
    Multiverse,
    answers_table,
    effects_table,
    ranges_table,
    shares_table,
)
from forecast.sensitivity.questions import ALONE, STATED, OpenQuestion, choices, label

DRIVEN, PANELS = driven(HORIZONS), panels(HORIZONS)
MANIFEST = SAID | {"matter": "m", "origin": "2026-01-01", "view": "inside", "priors_fingerprint": "p" * 64}
MANIFEST |= {"record_fingerprint": "r" * 64, "seed": 1, "as_of": "2026-01-01"}
UNITS = {"view": "probability", "fine_largest": "EUR, given a fine", "fine_left": "EUR", "total_cost": "EUR"}
UNITS |= {"valuation_impact": "fraction", "user_attrition": "fraction", "moderation_spending": "EUR a year"}
PARTS = ["all priors", "statements: fine", "turnover", "pooling of effects"]


def made(*, quick=False, alone=True):
    """Return a made-up result: two questions, one with two readings, and perhaps one of a proceeding alone."""
    asked = (
        OpenQuestion("ranges", "a", {STATED: "", "wide": "", "wider": ""}),
        OpenQuestion("euros", "b", {STATED: "", "eur": ""}),
    )
    asked += (OpenQuestion("subject", "c", {STATED: "", ALONE: ""}, "case"),) if alone else ()
    every = tuple(choices(asked, quick=quick))
    rng = np.random.default_rng(4)
    effect = {STATED: 0.0, "wide": 0.1, "wider": 0.25, "eur": -0.15, ALONE: 0.4}
    keys, base = [], []
    for target, scenario, horizon, statistic in PANELS:
        unit = UNITS.get(target, "probability")
        scale = 3e8 if "EUR" in unit else 0.3
        rows = (
            [(statistic, scale)]
            if unit == "probability"
            else [("mean", scale), ("q05", 0.1 * scale), ("q50", 0.9 * scale), ("q95", 3 * scale)]
        )
        keys += [(target, scenario, horizon, name, unit) for name, _ in rows]
        base += [size for _, size in rows]
    factor = np.array([1 + sum(effect[a] for a in choice.values()) for choice in every])
    wobble = 1 + 1e-3 * rng.normal(size=(1, 1 + BLOCKS, len(base)))
    values = factor[:, None, None] * np.array(base) * wobble
    named = pd.DataFrame(keys, columns=["target", "scenario", "horizon_months", "statistic", "unit"])
    worlds = pd.DataFrame([dict(choice) for choice in every])
    worlds.insert(0, "reading", [label(choice) for choice in every])
    worlds["matter"] = ["case" if ALONE in choice.values() else "m" for choice in every]
    m = Multiverse(asked, every, named, values, worlds, not quick)
    tables = {"readings": worlds, "answers": answers_table(m), "effects": effects_table(m)}
    tables |= {"ranges": ranges_table(m), "shares": shares_table(m), "scaling": scaling(rng)}
    checks = {"readings": len(every), "exact": len(every), "reweighted": 0, "refitted": 0, "quick": quick}
    return Sensitivity(asked, tables, checks, dict(MANIFEST))


def scaling(rng):
    """Return made-up moves; that of the turnover is within its error, but in the row of the fines."""
    rows = []
    for target, scenario, horizon in DRIVEN:
        unit = UNITS.get(target, "probability")
        scale = 1e8 if "EUR" in unit else 0.1
        for part in PARTS:
            shift = scale * rng.uniform(0.2, 1)
            noisy = part == "turnover" and target != "fine_left"
            rows.append(
                (
                    "prior",
                    part,
                    target,
                    scenario,
                    horizon,
                    unit,
                    np.nan if part == PARTS[0] else shift,
                    shift * (0.5 if noisy else 0.1),
                )
            )
    return pd.DataFrame(
        rows, columns=["kind", "part", "target", "scenario", "horizon_months", "unit", "shift", "shift_se"]
    )


def of(table, answer):
    target, scenario, horizon, statistic = answer
    same = (table["target"] == target) & (table["scenario"] == scenario) & (table["horizon_months"] == horizon)
    return table.loc[same & (table["statistic"] == statistic)]


def points(axis, filled):
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in axis.lines
        if line.get_marker() in ("o", "^", "s") and (line.get_markerfacecolor() != "white") is filled
    ]


def assert_inside(picture):
    width, height = picture.get_size_inches()
    box = picture.get_tightbbox(picture.canvas.get_renderer())
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


def test_each_panel_shows_every_reading_and_each_ones_own_effect():
    result = made()
    picture = plots.multiverse(result)
    assert len(picture.axes) == len(PANELS)
    for axis, answer in zip(picture.axes, PANELS, strict=True):
        row, values = of(result.ranges, answer).iloc[0], of(result.answers, answer)
        scale = 1e-6 if "EUR" in row["unit"] else 100.0
        strips = {c.get_gid(): c for c in axis.collections if c.get_gid()}
        assert set(strips) == {"all readings", "one proceeding alone"}
        drawn = sorted(segment[0][0] for strip in strips.values() for segment in strip.get_segments())
        assert drawn == pytest.approx(sorted(values["value"] * scale))
        assert len(strips["all readings"].get_segments()) == 6
        effects = of(result.effects, answer)
        assert [x for x, _ in points(axis, True)] == pytest.approx(list((row["base"] + effects["alone"]) * scale))
        merged = values.merge(result.readings, on="reading")
        whole = merged.loc[merged["matter"] == "m"]
        means = [whole.loc[whole["ranges"] == name, "value"].mean() for name in ("wide", "wider")]
        means += [
            whole.loc[whole["euros"] == "eur", "value"].mean(),
            merged.loc[merged["subject"] == ALONE, "value"].mean(),
        ]
        assert [x for x, _ in points(axis, False)] == pytest.approx([m * scale for m in means])
        (stated,) = [line for line in axis.lines if line.get_gid() == "stated"]
        assert stated.get_xdata()[0] == pytest.approx(row["base"] * scale)
    labels = [text.get_text() for text in picture.axes[0].get_yticklabels()]
    assert labels == ["all readings", "one proceeding alone", "ranges", "euros", "subject"]


def test_titles_set_the_range_against_the_interval():
    result = made()
    picture = plots.multiverse(result)
    titles = [axis.get_title(loc="left") for axis in picture.axes]
    row = of(result.ranges, PANELS[4]).iloc[0]
    assert titles[4] == (
        f"Fines left after appeals, 60 months\nmean, m EUR: {row['lowest'] / 1e6:,.0f} to {row['highest'] / 1e6:,.0f}, "
        f"{row['share_of_interval'] * 100:.0f} % of [{row['base_low'] / 1e6:,.0f}, {row['base_high'] / 1e6:,.0f}]"
    )
    assert "of [" not in titles[0]  # a probability has no interval
    caption = " ".join(picture.get_supxlabel().split())
    assert "Ranges: ● wide, ▲ wider." in caption
    assert "Orange: one proceeding alone" in caption
    assert "12 readings of the brief" in caption


@pytest.mark.parametrize(("quick", "alone"), [(False, True), (True, True), (False, False), (True, False)])
def test_nothing_is_cut_off(quick, alone):
    result = made(quick=quick, alone=alone)
    picture = plots.multiverse(result)
    assert_inside(picture)
    boxes = [axis._left_title.get_window_extent(picture.canvas.get_renderer()) for axis in picture.axes]
    for left, right in zip(boxes[::2], boxes[1::2], strict=True):
        assert left.x1 < right.x0
    assert bool(points(picture.axes[0], False)) is not quick
    assert ("one proceeding alone" in [t.get_text() for t in picture.axes[0].get_yticklabels()]) is alone


def test_before_the_brief_there_is_no_multiverse():
    result = made()
    early = Sensitivity((), {**result.tables, "ranges": pd.DataFrame()}, result.checks, result.manifest)
    with pytest.raises(InputError, match="no reading counts"):
        plots.multiverse(early)


def test_drivers_are_the_moves_that_stand_out_of_their_errors():
    result = made()
    picture = plots.drivers(result)
    assert_inside(picture)
    (axis,) = picture.axes
    heads = [text.get_text() for text in axis.get_xticklabels()]
    assert heads == ["statements: fine", "turnover", "pooling of effects"]
    table = result.scaling.set_index(["target", "horizon_months", "part"])
    cells = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axis.texts}
    for i, (target, _, horizon) in enumerate(DRIVEN):
        unit = UNITS.get(target, "probability")
        for j, part in enumerate(heads):
            value = table.loc[(target, horizon, part), "shift"] * (1e-6 if "EUR" in unit else 100.0)
            shown = part != "turnover" or target == "fine_left"
            assert ((i, j) in cells) is shown
            if shown:
                assert float(cells[i, j].replace(",", "")) == pytest.approx(value, abs=0.5 if value >= 9.95 else 0.05)


def test_a_folder_holds_tables_figures_and_what_was_asked(tmp_path):
    result = made()
    plots.save_sensitivity(result, tmp_path / "out")
    about = json.loads((tmp_path / "out" / "about.json").read_text(encoding="utf-8"))
    assert about["kind"] == "sensitivity"
    assert about["questions"]["subject"]["answers"] == {STATED: "", ALONE: ""}
    assert about["checks"]["readings"] == 12
    first = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert {"multiverse.png", "multiverse.svg", "drivers.png", "drivers.svg", "answers.csv"} <= set(first)
    plots.save_sensitivity(made(), tmp_path / "out")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == first
