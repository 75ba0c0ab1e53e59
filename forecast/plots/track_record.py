"""The track record of a ledger: how its targets stand, and the forecast beside what it has to beat; and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from forecast.folders import save_result
from forecast.ledger import FEW, LedgerScores, score_name
from forecast.plots import look
from forecast.plots.look import ACCENT, INK, POSTERIOR, PRIOR

KIND = "scores of a ledger"
"""Kind of the folder, as ``about.json`` names it."""
STATUS_COLOURS = {"resolved": POSTERIOR, "early": "#7fa8cf", "void": PRIOR, "unanswered": ACCENT, "open": "#e3e3e3"}
BASELINES = {
    "brief": ("s", ACCENT),
    "pooled": ("o", POSTERIOR),
    "by_class": ("D", "#12294b"),
    "incidence": ("^", PRIOR),
}
"""Marks of what the forecast is compared with; any other model is a grey cross."""


@look.styled
def track_record(scores: LedgerScores) -> Figure:
    """Draw how many targets of each kind are resolved, and the relative difference of mean scores to each baseline."""
    skill = scores.skill.loc[(scores.skill["baseline"] != "") & (scores.skill["baseline_score"] > 0)]
    rows = list(dict.fromkeys(zip(skill["group"], skill["score"], skill["timing"], strict=True)))
    picture = look.new(1.9 + 0.17 * len(scores.counts) + 0.32 * max(len(rows), 2))
    heights = (0.17 * len(scores.counts) + 0.4, 0.32 * max(len(rows), 2) + 0.4)
    stands, gains = picture.subplots(2, 1, height_ratios=heights)
    _standing(stands, scores.counts)
    _differences(gains, skill, rows)
    about = scores.about
    note = "Above: early: decided before the deadline, not scored until then; void: its condition was not met; "
    note += "unanswered: nobody has entered the figure. Below: (forecast - baseline) / baseline of mean scores on the "
    note += "same targets, left of zero where the forecast was better; bars: equal-tailed 90 % (eti 0.90) of resampled "
    note += f"matters. Hollow, without a bar: fewer than {FEW} matters, which proves nothing. late: issued more than a "
    note += "week after the origin, when answers could be known."
    note = " ".join([note, *about["remarks"]])
    known = f"resolved as known on {about['known_on']}" if about["known_on"] else "nothing resolved yet"
    title = f"Track record: {about['forecasts']} forecasts, {known}"
    return look.finish(picture, title, note, f"ledger head {about['head'][:16]}")


def _standing(axes: Axes, counts: pd.DataFrame) -> None:
    places, left = np.arange(len(counts)), np.zeros(len(counts))
    for status, colour in STATUS_COLOURS.items():
        share = (counts[status] / counts["issued"]).to_numpy(float)
        axes.barh(places, share, 0.72, left=left, color=colour, label=status, gid=f"status:{status}")
        left += share
    for place, (issued, resolved) in enumerate(zip(counts["issued"], counts["resolved"], strict=True)):
        axes.text(1.01, place, f"{resolved:,} of {issued:,}", va="center", fontsize=7.5)
    axes.set(yticks=places, yticklabels=counts["group"], ylim=(len(counts) - 0.4, -0.6), xlim=(0, 1))
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title("How the targets stand, and how many are resolved", pad=18)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.985), ncols=5, handlelength=1, borderaxespad=0, fontsize=7.5)


def _differences(axes: Axes, skill: pd.DataFrame, rows: list[tuple[str, str, str]]) -> None:
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_title("Against the brief and plain baselines", pad=18)
    axes.set_xlabel("Difference of mean scores, % of the baseline's (left: the forecast is better)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not rows:
        axes.set(yticks=[], xlim=(-1, 1))
        axes.text(0.02, 0.5, "nothing resolved yet", transform=axes.transAxes, va="center")
        return
    names = [name for name in BASELINES if name in set(skill["baseline"])]
    names += sorted(set(skill["baseline"]) - set(names))
    for place, row in enumerate(rows):
        own = skill.loc[(skill["group"] == row[0]) & (skill["score"] == row[1]) & (skill["timing"] == row[2])]
        for one in own.itertuples():
            _mark(axes, place + 0.7 * ((names.index(str(one.baseline)) + 0.5) / len(names) - 0.5), one)
        n, events = own["matters"].max(), own["events"].max()
        text = f"{n} matter{'s' if n > 1 else ''}" + (f",\n{events} event{'s' if events > 1 else ''}" if events else "")
        axes.text(1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7, color="#666666")
    texts = [
        f"{group}\n{score_name(group, score)}{', late' if timing == 'late' else ''}" for group, score, timing in rows
    ]
    axes.set(yticks=range(len(rows)), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticklabels(texts, fontsize=7.5)
    keys = [Line2D([], [], ls="none", marker=_style(n)[0], color=_style(n)[1], ms=5, label=n) for n in names]
    beside: Any = {"loc": "lower left", "bbox_to_anchor": (0, 0.985), "ncols": 6, "handlelength": 1}
    axes.legend(handles=keys, borderaxespad=0, fontsize=7.5, **beside)


def _style(baseline: str) -> tuple[str, str]:
    return BASELINES.get(baseline, ("X", "#777777"))


def _mark(axes: Axes, at: float, one: Any) -> None:
    """Draw one difference: filled with a bar where there are matters enough, else hollow."""
    (marker, colour), scale = _style(str(one.baseline)), 100 / one.baseline_score
    enough = one.matters >= FEW
    if enough:
        axes.hlines(at, one.low * scale, one.high * scale, color=colour, linewidth=1.4)
    face = colour if enough else "white"
    axes.plot(one.difference * scale, at, marker, ms=5, mfc=face, mec=colour, gid=f"gain:{one.baseline}")


def save_scores(scores: LedgerScores, folder: Path | str) -> None:
    """Write ``scores.csv``, ``skill.csv``, ``counts.csv``, ``about.json`` and the figure: all of it or nothing."""
    picture = track_record(scores)
    tables = {"scores": scores.table, "skill": scores.skill, "counts": scores.counts}
    save_result(folder, KIND, tables, scores.about, lambda scratch: look.save_both(picture, scratch / "track_record"))
