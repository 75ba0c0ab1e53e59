"""The weight of evidence: which event, and which stretch of silence, moved the scenarios' probabilities by how much.

The news is taken up in the order of its days. After step i the scenarios have the probabilities

    p_i(s) = mean over draws of pi_s L_i(s) / sum over t of pi_t L_i(t),

with ``L_i`` the likelihood of the news up to there (`forecast.model.focal`) at parameters drawn given everything known at
the origin; the last row is the forecast's inside view. ``log_factor`` is ``log p_i(s) - log p_(i-1)(s)``: factors of all
steps multiply to the whole change, and the difference of two scenarios' is the log Bayes factor of the step between them.
Rows that carry nothing between scenarios stand there with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecast.evidence.cells import Covariates, Edges, same, sums
from forecast.evidence.news import News, first_event_ids, news_of
from forecast.inference import CHUNK, Draws
from forecast.model.focal import first_event_terms, interval_hazards
from forecast.model.hazards import log_hazards
from forecast.model.priors import hazard_priors
from forecast.outcomes import inside_weights
from forecast.record import Record

NOT_STATED = "the brief states no probability of it; it moves the proceeding on, or tells of the reference class"
LATER = "not the first of its family: the brief speaks of first events"
FIGURES = "fines imposed and user counts published"
LARGE = 2.0
"""Odds of two scenarios that one step may change by without a line that says why."""


@dataclass(frozen=True)
class Step:
    """One step: the days after ``start`` up to ``end``; ``events``: rows of the log on its last day (none: silence)."""

    start: int
    end: int
    events: tuple[str, ...]


def weight_of_evidence(draws: Draws, record: Record) -> pd.DataFrame:
    """Return one row per step and scenario; no rows before the brief or where nothing is known after it.

    Columns ``step, start, end, kind, case_id, event_id, what, note, scenario, log_factor, probability``: ``kind`` is
    ``silence``, ``event`` or ``figures``; days are ISO texts. ``record`` is what was public by the origin.
    """
    columns = ["step", "start", "end", "kind", "case_id", "event_id", "what", "note", "scenario", "log_factor"]
    empty = pd.DataFrame(columns=[*columns, "probability"])
    e = draws.evidence
    if e.hazards.news is None or e.origin <= e.specification.as_of:
        return empty
    log = _log(draws, record)
    steps = _steps(e.specification.as_of.toordinal(), e.origin.toordinal(), log)
    chances = [e.pi, *_after_each(draws, steps), inside_weights(draws).mean(axis=0)]
    rows = []
    for number, step in enumerate([*steps, None], 1):
        factor = np.log(chances[number]) - np.log(chances[number - 1])
        if step is None and not np.abs(factor).max() > 1e-9:
            continue
        told = _told(step, log, draws)
        rows += [
            (number, *told, name, float(factor[s]), float(chances[number][s]))
            for s, name in enumerate(e.statements.scenarios)
        ]
    return pd.DataFrame(rows, columns=[*columns, "probability"])


def _log(draws: Draws, record: Record) -> pd.DataFrame:
    """Return the focal matter's rows of the log after ``as_of``, in order, with the reason of each that carries nothing."""
    e, known = draws.evidence, record.as_of(draws.evidence.origin).in_force()
    cases = {life.case_id for life in e.focal}
    as_of, origin = pd.Timestamp(e.specification.as_of), pd.Timestamp(e.origin)
    rows = known.events.loc[known.events["case_id"].isin(cases)]
    rows = rows.loc[(rows["date"] > as_of) & (rows["date"] <= origin)].sort_values(["date", "event_id"])
    reasons = {u.event_id: u.reason for life in e.focal for u in life.unused}
    counted = {c.event_id: c.family for life in e.focal for c in life.counted}
    statements = e.statements
    firsts = set(first_event_ids(e.focal, e.hazards.news.first, statements.families).values()) if e.hazards.news else set()
    for event, family in counted.items():
        if event not in firsts:
            reasons[event] = LATER if family in statements.families else NOT_STATED
    return rows.assign(note=[reasons.get(event, "") for event in rows["event_id"]])


def _steps(as_of: int, origin: int, log: pd.DataFrame) -> list[Step]:
    steps, reached = [], as_of
    for day, rows in log.groupby("date", sort=True):
        end = day.toordinal()
        if end - 1 > reached:
            steps.append(Step(reached, end - 1, ()))
        steps.append(Step(max(reached, end - 1), end, tuple(rows["event_id"])))
        reached = end
    return steps if reached >= origin else [*steps, Step(reached, origin, ())]


def _after_each(draws: Draws, steps: Sequence[Step]) -> list[np.ndarray]:
    """Return the scenarios' probabilities after each step, by the news about events alone."""
    e = draws.evidence
    statements, regime = e.statements, e.regime
    first = min(life.opened for life in e.focal)
    last = max([e.origin.toordinal(), *(statements.last_day(group) for group in statements.groups)])
    edges = Edges.of(regime, first, last)
    each = [news_of([life.until(step.end) for life in e.focal], [], statements, regime, edges) for step in steps]
    cells, tables = _together([e.hazards.news, *each])
    (foreseen, _, _), *others = tables
    lived, came = np.stack([t[1] for t in others]), np.stack([t[2] for t in others])
    families = [group.family for group in statements.groups]
    total = np.zeros((len(steps), len(statements.scenarios)))
    for rows in np.array_split(np.arange(len(draws)), max(len(draws) // CHUNK, 1)):
        values = {name: draws.flat[name][rows] for name in (*hazard_priors(regime), "statement_shared", "statement_own")}
        log_h = log_hazards(values, cells, regime)[..., families]
        hazard = np.exp(log_h)
        ahead = np.einsum("dcg,cg->dg", hazard, foreseen)
        multiplier = e.correction * interval_hazards(values, statements) / ahead[..., None]
        spent = np.einsum("dcg,tcg->tdg", hazard, lived, optimize=True)
        seen = np.einsum("dcg,tcg->td", log_h, came, optimize=True)
        for t in range(len(steps)):
            terms = first_event_terms(multiplier, spent[t], came[t].sum(axis=0), seen[t], statements.tempo)
            log_weight = terms.log_likelihood + e.log_pi
            weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
            total[t] += (weight / weight.sum(axis=1, keepdims=True)).sum(axis=0)
    return list(total / len(draws))


def _together(each: Sequence[News | None]) -> tuple[Covariates, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Return one table of cells for several news, and the months foreseen, lived and the events of each in it."""
    news = [one for one in each if one is not None]
    fields = ("authority_class", "stage", "log_age", "year", "rules")
    joined = Covariates(*(np.concatenate([getattr(n.covariates, f) for n in news]) for f in fields))
    distinct, index = same(joined)
    places = np.split(index, np.cumsum([len(n.covariates) for n in news])[:-1])
    tables = [
        tuple(sums(place, len(distinct), table) for table in (n.foreseen, n.lived, n.came))
        for n, place in zip(news, places, strict=True)
    ]
    return distinct, tables  # type: ignore[return-value]


def _told(step: Step | None, log: pd.DataFrame, draws: Draws) -> tuple[str, str, str, str, str, str, str]:
    """Return start, end, kind, case, event, what and note of a step in words."""
    if step is None:
        origin = str(draws.evidence.origin)
        return origin, origin, "figures", "", "", FIGURES, ""
    start, end = (str(date.fromordinal(day)) for day in (step.start, step.end))
    if not step.events:
        days = step.end - step.start
        return start, end, "silence", "", "", f"{days} day{'s' if days != 1 else ''} without an event", ""
    rows = log.set_index("event_id").loc[list(step.events)]
    told = "; ".join(f"{kind.replace('_', ' ')}: {text}" for kind, text in zip(rows["type"], rows["detail"], strict=True))
    notes = "; ".join(dict.fromkeys(note for note in rows["note"] if note))
    cases, events = ", ".join(dict.fromkeys(rows["case_id"])), ", ".join(rows.index)
    return start, end, "event", cases, events, told, notes
