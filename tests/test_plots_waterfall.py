"""The waterfall: what it draws is what the table says."""

import numpy as np
import pandas as pd
import pytest
from worlds import SAID

from forecast import plots
from forecast.attribution import Explanation
from forecast.vocabulary import SCENARIOS

MANIFEST = SAID | {"matter": "m", "origin": "2026-01-01", "view": "outside", "priors_fingerprint": "p" * 64}
MANIFEST |= {"record_fingerprint": "r" * 64, "seed": 1, "as_of": "2026-02-03"}


def explanation(n_events):
    """Return bars of made-up numbers: n events, each after a silence, other matters, error."""
    rng, rows = np.random.default_rng(n_events), []
    quantities = [("view", s, 0, "probability") for s in SCENARIOS] + [("fine_left", "all", 60, "q50")]
    names = [f"2026-01-{k + 1:02d} case-{k} fine" for k in range(n_events)]
    names = ["silence", *names, "other matters", "error"]
    kinds = ["silence", *["event"] * n_events, "elsewhere", "error"]
    for target, scenario, horizon, statistic in quantities:
        scale = 1e8 if target == "fine_left" else 0.1
        moves = scale * rng.normal(size=len(names)) / len(names)
        start = 3 * scale
        for kind, name, move in zip(kinds, names, moves, strict=True):
            ends = (start, start + moves.sum())
            numbers = (move, 0.1 * scale)
            rows.append((target, scenario, horizon, statistic, "", *ends, kind, name, *numbers))
    columns = ["target", "scenario", "horizon_months", "statistic", "unit", "before", "after", "kind", "bar"]
    table = pd.DataFrame(rows, columns=[*columns, "change", "change_se"])
    later = {**MANIFEST, "origin": "2026-03-01", "view": "inside"}
    return Explanation(table, pd.DataFrame(index=range(n_events)), {}, dict(MANIFEST), later)


@pytest.mark.parametrize("n_events", [0, 3, 30])
def test_bars_run_from_before_to_after(n_events):
    found = explanation(n_events)
    picture = plots.waterfall(found)
    assert len(picture.axes) == 4
    for axis, scenario in zip(picture.axes, SCENARIOS, strict=False):
        bars = found.of("view", scenario, statistic="probability")
        ends = [patch.get_x() + patch.get_width() for patch in axis.patches]
        assert axis.patches[0].get_x() == pytest.approx(100 * bars["before"].iloc[0])
        assert ends[-1] == pytest.approx(100 * bars["after"].iloc[0])
    labels = [text.get_text() for text in picture.axes[0].get_yticklabels()]
    assert labels[0] == "forecast of 2026-01-01"
    assert labels[-1] == "forecast of 2026-03-01"
    assert ("11 other steps" in labels) == (n_events == 30)


def test_the_caption_says_where_the_view_changes_and_nothing_is_cut_off():
    picture = plots.waterfall(explanation(4))
    assert "Up to the brief: the outside view" in " ".join(picture.get_supxlabel().split())
    width, height = picture.get_size_inches()
    box = picture.get_tightbbox(picture.canvas.get_renderer())
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


def test_many_events_of_one_day_leave_the_panels_room():
    found = explanation(4)
    day = "; ".join(f"eu-regulator-platform-{n} preliminary findings" for n in range(4))
    found.table["bar"] = found.table["bar"].replace("2026-01-02 case-1 fine", f"2026-01-02 {day}")
    picture = plots.waterfall(found)
    (told,) = (text for text in picture.axes[0].get_yticklabels() if "regulator" in text.get_text())
    assert " ".join(told.get_text().split()) == f"2026-01-02 {day}"
    assert all(axis.get_position().width > 0.1 for axis in picture.axes)
    box = told.get_window_extent(picture.canvas.get_renderer())
    rows = picture.axes[0].transData.transform([[0, 1], [0, 0]])[:, 1]
    assert box.height <= 1.05 * abs(np.diff(rows)[0])
