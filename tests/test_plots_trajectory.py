"""The figure of a trajectory, against numbers made here: what is drawn where, and that nothing lies over anything."""

from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import num2date
from worlds import AS_OF, SAID, load_record, load_specification

from forecast import plots
from forecast.plots.look import SCENARIO_COLOURS, save_as
from forecast.replaying import Trajectory, origins
from forecast.vocabulary import SCENARIOS

EVENTS = [
    ("2025-02-07", "fr-crim-x-2025", "opened"),
    ("2025-04-11", "ie-gdpr-x-2025", "opened"),
    ("2025-11-12", "ie-dsa-x-2025", "opened"),
    ("2025-11-19", "fr-crim-x-2025", "extended"),
    ("2026-01-26", "ec-dsa-x-2023", "extended"),
    ("2026-02-03", "fr-crim-x-2025", "search"),
    ("2026-02-03", "fr-crim-x-2025", "summons"),
    ("2026-01-08", "ec-dsa-x-grok-2026", "retention_order"),  # of a proceeding unknown until the 26th
    ("2026-03-03", "ec-dsa-x-grok-2026", "preliminary_findings"),
]


def told(rows):
    columns = ["published_on", "case_id", "type"]
    events = pd.DataFrame(rows, columns=columns).assign(origin_date="2026-02-03", is_focal=True, matter_id="x-eu-2026")
    events["published_on"] = pd.to_datetime(events["published_on"])
    other = {
        "published_on": pd.Timestamp("2025-06-06"),
        "case_id": "uk-osa-4chan-2025",
        "type": "fine",
        "is_focal": False,
    }
    return pd.concat([events, pd.DataFrame([other])], ignore_index=True)


def made(start, end, every="1M", rows=EVENTS):
    """Return a trajectory of numbers that differ everywhere."""
    rng, table = np.random.default_rng(7), []
    for day in origins(start, end, every):
        inside = day >= AS_OF
        for view in ("inside", "outside") if inside else ("outside",):
            table += [
                (str(day), view, "scenario", pd.NA, s, "probability", p)
                for s, p in zip(SCENARIOS, rng.dirichlet([3, 3, 3]), strict=True)
            ]
        own = "inside" if inside else "outside"
        for target in ("event:findings", "event:fine"):
            table += [(str(day), own, target, h, "all", "probability", rng.random()) for h in (6, 24, 60)]
        amounts = np.sort(rng.gamma(1, 2e8, 3))
        for quantity, value in zip(("q05", "q50", "q95"), amounts, strict=True):
            table.append((str(day), own, "fine_left", 60, "all", quantity, value))
    columns = ["origin_date", "view", "target", "horizon_months", "scenario", "statistic", "value"]
    manifest = SAID | {
        "matter": "x-eu-2026",
        "as_of": str(AS_OF),
        "start": start,
        "end": end,
        "every": every,
        "seed": 1,
    }
    manifest |= {"view": "outside", "priors_fingerprint": "f" * 64, "record_fingerprint": "0" * 64}
    frame = pd.DataFrame(table, columns=columns).assign(mcse=0.004)
    return Trajectory(frame, told(rows), pd.DataFrame(), load_specification(), load_record(), manifest)


@pytest.fixture(scope="module")
def both():
    return made("2025-02-03", "2026-06-15")


@pytest.fixture(scope="module")
def drawn(both):
    return plots.trajectory(both)


def lines(picture):
    return {one.get_gid(): one for axes in picture.axes for one in axes.lines if one.get_gid()}


def labels(picture):
    return [one for axes in picture.axes for one in axes.texts if one.get_gid() == "event"]


def test_every_line_shows_its_numbers(both, drawn):
    found = lines(drawn)
    names = {f"{view}:{s}" for view in ("inside", "outside") for s in SCENARIOS}
    names |= {f"{view}:{t}" for view in ("inside", "outside") for t in ("event:findings", "event:fine", "fine_left")}
    assert set(found) == names
    for name, one in found.items():
        view, _, what = name.partition(":")
        rows = both.table[both.table["view"] == view]
        if what in SCENARIOS:
            rows = rows[rows["scenario"] == what]
            assert one.get_color() == SCENARIO_COLOURS[what]
        elif what == "fine_left":
            rows = rows[rows["target"].eq(what) & rows["statistic"].eq("q50")]
        else:
            rows = rows[rows["target"].eq(what) & rows["horizon_months"].eq(24)]
        days = [f"{num2date(x):%Y-%m-%d}" for x in one.get_xdata()]
        assert days == rows["origin_date"].tolist()
        scale = 1e-6 if what == "fine_left" else 1.0
        assert np.asarray(one.get_ydata(), float) == pytest.approx(rows["value"].to_numpy(float) * scale)
        assert (one.get_markerfacecolor() == "white") == (view == "outside")


def test_views_never_share_a_line(both, drawn):
    """Targets are of the view that counts: no line runs from the outside view into the inside one."""
    found, brief = lines(drawn), str(AS_OF)
    for target in ("event:findings", "event:fine", "fine_left"):
        days = {
            view: [f"{num2date(x):%Y-%m-%d}" for x in found[f"{view}:{target}"].get_xdata()]
            for view in ("inside", "outside")
        }
        assert max(days["outside"]) < brief <= min(days["inside"])


def test_intervals_are_drawn_from_end_to_end(both, drawn):
    bars = [c for c in drawn.axes[3].collections if len(c.get_segments())]
    ends = sorted((s[0][1], s[1][1]) for c in bars for s in c.get_segments())
    left = both.table[both.table["target"] == "fine_left"]
    wide = left.pivot(index="origin_date", columns="statistic", values="value") * 1e-6
    assert np.array(ends) == pytest.approx(np.array(sorted(zip(wide["q05"], wide["q95"], strict=True))))


def test_focal_events_and_the_brief_are_marked_on_their_days(drawn):
    said = {(f"{num2date(one.xy[0]):%Y-%m-%d}", one.get_text()) for one in labels(drawn)}
    assert said == {
        ("2025-02-07", "Opened (FR)"),
        ("2025-04-11", "Opened (IE)"),
        ("2025-11-12", "Opened (IE)"),
        ("2025-11-19", "Extended (FR)"),
        ("2026-01-26", "Extended, retention order (EU)"),
        ("2026-02-03", "Search, summons (FR)"),
        ("2026-02-03", "The brief"),
        ("2026-03-03", "Preliminary findings (EU)"),
    }


CROWD = [
    (f"{day:%Y-%m-%d}", name, kind)
    for day, name, kind in zip(
        pd.date_range("2025-02-04", "2026-06-15", periods=40),
        ["fr-crim-x-2025", "ec-dsa-x-2023", "ie-gdpr-x-2025", "ie-dsa-x-2025"] * 10,
        ["information_request", "preliminary_findings", "fine", "compliance_order", "closed_no_action"] * 8,
        strict=True,
    )
]


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        ("2025-02-03", "2026-06-15", EVENTS),
        ("2025-02-03", "2026-02-03", EVENTS),
        ("2025-02-03", "2026-06-15", CROWD),
        ("2026-01-20", "2026-03-10", EVENTS[-5:]),
    ],
)
def test_no_label_lies_over_another_or_outside_the_page(start, end, rows):
    picture = plots.trajectory(made(start, end, rows=[row for row in rows if row[0] <= end]))
    shown = labels(picture)
    assert len(shown) >= 3
    picture.canvas.draw()
    page = picture.bbox
    renderer = picture.canvas.get_renderer()
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        boxes = [mpl.text.Text.get_window_extent(one, renderer) for one in shown]
        boxes += [one.title.get_window_extent(renderer) for one in picture.axes]
        boxes += [
            t.get_window_extent(renderer) for axes in picture.axes if axes.get_legend() for t in axes.get_legend().texts
        ]
    for box in boxes:
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
    for one, two in combinations(boxes[: len(shown)], 2):
        assert not one.overlaps(two)
    for one in boxes[: len(shown)]:
        assert not any(one.overlaps(other) for other in boxes[len(shown) :] if other.width)


def test_before_the_brief_there_is_only_the_outside_view():
    picture = plots.trajectory(made("2025-02-03", "2025-08-03"))
    assert all(name.startswith("outside:") for name in lines(picture))
    assert "The brief" not in {one.get_text() for one in labels(picture)}
    words = [t.get_text() for axes in picture.axes if axes.get_legend() for t in axes.get_legend().texts]
    assert "Outside view" in words
    assert not any("Inside" in word for word in words)
    assert "before it there is only the outside view" in " ".join(picture.get_supxlabel().split())


def test_one_origin_without_events_is_enough(tmp_path):
    one = made("2026-04-03", "2026-04-03")
    picture = plots.trajectory(replace(one, events=one.events.iloc[:0]))
    assert not labels(picture)
    assert picture.axes[0].get_title(loc="left") == "Nothing new became public in the matter"
    save_as(picture, tmp_path / "one.png", "png")
    assert len(lines(picture)["inside:limited"].get_xdata()) == 1


def test_the_same_trajectory_gives_the_same_bytes_and_settings_stay(both, drawn, tmp_path):
    was = dict(mpl.rcParams)
    again = plots.trajectory(both)
    assert dict(mpl.rcParams) == was
    for form in ("png", "svg"):
        for name, picture in (("one", drawn), ("two", again)):
            save_as(picture, tmp_path / f"{name}.{form}", form)
        assert (tmp_path / f"one.{form}").read_bytes() == (tmp_path / f"two.{form}").read_bytes()


def test_the_caption_says_what_the_numbers_are_and_where_from(drawn):
    text = " ".join(drawn.get_supxlabel().split())
    for words in ("±0.004", "eti 0.90", "The brief is of 2026-02-03", "hindsight", "origin 2025-02-03 to 2026-06-15"):
        assert words in text
    assert "trajectory" in plots.__all__
    assert "trajectory" not in plots.PLOTS  # those take a forecast
