"""Scoring: from issued rows and the newest resolutions, from nothing else, anew each time.

==============================  ==========================================================================
yes/no targets and classes      logarithmic score, ranked probability score (of yes/no: Brier's)
amounts, counts, dates          CRPS by quantiles; of next fines on the logarithm of the amount
==============================  ==========================================================================

Every score is a loss: lower is better. A target is scored once its time has come, whatever was known before. What is
open, void or unanswered is counted beside the scores. Targets of one matter share its fate: bands come from resampling
matters, each with all its targets, horizons and origins, and they are wide where matters are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.ledger.chain import Ledger, open_ledger
from forecast.ledger.issuing import LEDGER
from forecast.ledger.packaged import readable_ledger, remarks
from forecast.ledger.questions import CLASS, FORECAST, IN_PROCEEDING, NEXT_FINE
from forecast.ledger.rules import NO, STATUSES, YES
from forecast.ledger.tables import resolved_rows, standing
from forecast.progress import working
from forecast.resolution import RESOLUTIONS
from forecast.scores import RESAMPLES, brier_score, interval, log_score, resampled_means, skill
from forecast.vocabulary import INTERVAL

FEW = 10
"""Matters below which a comparison proves nothing, and its band would pretend to know."""
PROMPT_DAYS = 7
"""Days after its origin within which a forecast counts as issued in time."""
TIMINGS = ("in time", "late")
"""Issued within a week of its origin, or later: then some of its answers could be known already."""
ORDER = {NO: 0, YES: 1, RESOLUTIONS[-1]: 0, **{name: i + 1 for i, name in enumerate(RESOLUTIONS[:-1])}}
"""Rank of each category, for ranked scores: pending comes before every class."""
LOG_GROUP = "next fine, log amount"
"""Next fines of firms of any size: errors count as ratios."""
PLACE = ["entry", "target", "horizon", "location", "model_id"]
SCORES = ("log_score", "ranked_score", "crps")
SKILL = [
    "timing", "group", "score", "unit", "baseline", "targets", "yes", "events", "matters", "forecast_score",
    "baseline_score", "difference", "low", "high", "skill", "skill_low", "skill_high",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class LedgerScores:
    """How a ledger's forecasts did.

    ``table``: one row a target and model, with what came and its scores. ``skill``: by timing and group of targets, the
    forecast beside each baseline on the same targets; ``difference`` is forecast minus baseline and ``skill`` the share
    of the baseline's score that the forecast saves, each with its band; ``yes`` answers rest on so many different
    ``events``, in so many ``matters``. ``counts``: targets by group and status.
    """

    ledger: Ledger
    table: pd.DataFrame
    skill: pd.DataFrame
    counts: pd.DataFrame
    about: dict[str, Any]

    def __repr__(self) -> str:
        scored = self.counts["resolved"].sum()
        return f"<LedgerScores: {scored} of {self.counts['issued'].sum()} targets resolved>"


@working("Scoring the ledger")
def score_ledger(
    ledger: Path | str = LEDGER, *, expect: str | None = None, until: int | None = None, seed: int = 20260203
) -> LedgerScores:
    """Score everything in a ledger that has resolved.

    ``ledger``: a folder, or ``track-record``: the packaged one. ``expect``: SHA-256 of an entry that must be in it,
    ``until``: number of the last entry that is read (``open_ledger``). ``seed``: of the resampling of matters.
    Raises ``InputError`` if there is no ledger, or if it was tampered with.
    """
    known = open_ledger(readable_ledger(ledger), expect, until)
    table, asked = _scored(resolved_rows(known)), standing(known)
    issues, resolutions = known.of("issue"), known.of("resolution")
    about = {
        "head": known.head,
        "entries": len(known.entries),
        "forecasts": len(issues),
        "origins": sorted({entry.body["origin_date"] for entry in issues}),
        "known_on": resolutions[-1].body["known_on"] if resolutions else None,
        "matters_resolved": int(table["matter_id"].nunique()),
        "interval": INTERVAL,
        "resamples": RESAMPLES,
        "seed": seed,
        "strays": len(known.strays),
        "remarks": remarks(known.entries),
        "manual_unanswered": int((asked["status"] == "unanswered").sum()),
    }
    return LedgerScores(known, table, _skill(table, seed), _counts(asked), about)


def group_of(target: str) -> str:
    """Return the group in which a target is counted and scored: the same kind of question, in the same unit."""
    kind = target.partition(":")[0]
    names = {
        "event": "events of the matter",
        IN_PROCEEDING: "events in proceedings",
        CLASS: "class of the matter",
        "months_to": "months to an event",
        NEXT_FINE: LOG_GROUP,
    }
    return names.get(kind, target)


def score_name(group: str, score: str) -> str:
    """Return what a score is called where it is of a group of targets."""
    names = {"log_score": "log score", "ranked_score": "RPS" if group == group_of(CLASS) else "Brier"}
    return names.get(score, "CRPS")


def _timing(rows: pd.DataFrame) -> np.ndarray:
    issued = pd.to_datetime(rows["issued_on"])
    prompt = issued <= rows["origin_date"] + pd.Timedelta(days=PROMPT_DAYS)
    return np.where(prompt, *TIMINGS)


def _scored(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per target and model, with its scores."""
    table = rows.drop_duplicates(PLACE).drop(columns=["output_type_id", "value"]).reset_index(drop=True)
    table.insert(0, "timing", _timing(table))
    table.insert(1, "group", [group_of(target) for target in table["target"]])
    for kind, score in (("pmf", _probabilities), ("quantile", _quantities)):
        own = rows.loc[rows["output_type"] == kind]
        table = table.merge(score(own), how="left", on=PLACE)
    return table


def _probabilities(rows: pd.DataFrame) -> pd.DataFrame:
    """Return ``-log p(what came)`` and ``sum_k (F_k - 1{y <= k})^2`` over the ordered categories."""
    rank = rows["output_type_id"].map(ORDER).to_numpy(float)
    ordered = rows.assign(rank=rank).sort_values([*PLACE, "rank"], kind="stable")
    reached = ordered["rank"] >= ordered["outcome"].map(ORDER)
    upto = ordered.groupby(PLACE)["value"].cumsum().clip(0.0, 1.0)
    ordered["ranked_score"] = brier_score(upto, reached.astype(float))
    ranked = ordered.groupby(PLACE, as_index=False)["ranked_score"].sum()
    came = rows.loc[rows["output_type_id"] == rows["outcome"]]
    came = came.assign(log_score=log_score(came["value"], np.ones(len(came))), probability=came["value"])
    return ranked.merge(came[[*PLACE, "probability", "log_score"]], how="left", on=PLACE)


def _quantities(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the CRPS by quantiles: ``2 / K sum_k (1{y < q_k} - a_k) (q_k - y)`` over K levels ``a_k``.

    Twice the mean quantile loss; with symmetric levels the weighted interval score (Bracher et al. 2021,
    doi:10.1371/journal.pcbi.1008618). Of a next fine, of the logarithms.
    """
    from scoringrules import crps_quantile  # type: ignore[import-untyped] # noqa: PLC0415  (costs seconds)

    found = []
    counted = rows.groupby(PLACE)["value"].transform("size")
    for _, own in rows.assign(level=rows["output_type_id"].astype(float)).groupby(counted):
        wide = own.pivot(index=PLACE, columns="level", values="value")
        seen = own.groupby(PLACE)["observed"].first().to_numpy(float)
        numbers, is_log = wide.to_numpy(float), wide.index.get_level_values("target") == NEXT_FINE
        numbers, seen = (np.where(_column(is_log, x), np.log(np.where(_column(is_log, x), x, 1.0)), x)
                         for x in (numbers, seen))  # fmt: skip
        losses = crps_quantile(seen, numbers, wide.columns.to_numpy(float), backend="numpy")
        found.append(wide.index.to_frame(index=False).assign(crps=losses))
    return pd.concat(found) if found else pd.DataFrame(columns=[*PLACE, "crps"]).astype({"crps": float})


def _column(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    return mask[:, None] if values.ndim == 2 else mask


def _skill(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Compare the forecast with every other model on the targets that both speak of."""
    rows = []
    for (timing, group), own in table.groupby(["timing", "group"], sort=False):
        for score in SCORES:
            scored = own.dropna(subset=score)
            if scored.empty:
                continue
            wide = scored.pivot(index=PLACE[:-1], columns="model_id", values=score)
            facts = scored.loc[scored["model_id"] == FORECAST].set_index(PLACE[:-1]).loc[wide.index]
            unit = "" if score != "crps" else "log EUR" if group == LOG_GROUP else scored["unit"].iloc[0]
            for other in [name for name in wide if name != FORECAST] or [FORECAST]:
                both = wide[[FORECAST, other]].notna().all(axis=1)
                told = _compared(wide.loc[both, [FORECAST, other]].to_numpy(float), facts.loc[both], seed)
                named = (other, *told) if other != FORECAST else ("", *told[:5], *[np.nan] * 7)
                rows.append((timing, group, score, unit, *named))
    skill = pd.DataFrame(rows, columns=SKILL)
    return skill.sort_values("timing", key=lambda t: t.map(TIMINGS.index), kind="stable", ignore_index=True)


def _compared(pair: np.ndarray, facts: pd.DataFrame, seed: int) -> tuple[Any, ...]:
    """Return numbers of cases, both mean scores, difference and skill, each with its band by resampling matters."""
    yes, matters = facts.loc[facts["outcome"] == YES], facts["matter_id"].nunique()
    own, theirs = pair.mean(axis=0)
    apart = gain = np.full(2, np.nan)
    if matters > 1:
        means = resampled_means(pair, facts["matter_id"], seed)
        apart, gain = interval(means[:, 0] - means[:, 1]), interval(skill(means[:, 0], means[:, 1]))
    numbers = (len(facts), len(yes), yes["evidence"].nunique(), matters, own, theirs)
    return *numbers, own - theirs, *apart, float(skill(own, theirs)), *gain


def _counts(asked: pd.DataFrame) -> pd.DataFrame:
    """Return how many targets of each group were issued, and how they stand."""
    groups = asked["target"].map(group_of)
    table = pd.crosstab(groups, asked["status"]).reindex(columns=list(STATUSES), fill_value=0)
    table = table.loc[list(dict.fromkeys(groups))]
    table.insert(0, "issued", table.sum(axis=1))
    return table.rename_axis(index="group", columns=None).reset_index()
