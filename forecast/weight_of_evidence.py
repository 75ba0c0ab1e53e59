"""The weight of evidence: which event, and which stretch of silence, moved the scenarios' probabilities by how much.

The news is taken up in the order of its days. After step i the scenarios have the probabilities

    p_i(s) = mean over draws of pi_s L_i(s) / sum over t of pi_t L_i(t),

with ``L_i`` the likelihood of the news up to there (`forecast.model.focal`) at parameters drawn given everything known
at the origin; the last row is the forecast's inside view. ``log_factor`` is ``log p_i(s) - log p_(i-1)(s)``: factors of
all steps multiply to the whole change, and the difference of two scenarios' is the log Bayes factor of the step between
them.

Rows that carry nothing between scenarios stand there with the reason. A step that changes the odds of two scenarios by
more than a factor of two names the statements that it rests on.
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
from forecast.quantities import percent
from forecast.record import Record
from forecast.unused import LATER, NOT_STATED, SEPARATOR

FIGURES = "fines imposed and user counts published"
LARGE = 2.0
"""Odds of two scenarios that one step may change by without a line that says why."""
COLUMNS = (
    *("step", "start", "end", "kind", "case_id", "event_id", "what", "note", "rests_on"),
    *("scenario", "log_factor", "probability"),
)


@dataclass(frozen=True)
class Step:
    """One step: the days after ``start`` up to ``end``; ``events``: rows of the log on its last day (none: silence)."""

    start: int
    end: int
    events: tuple[str, ...]


def weight_of_evidence(draws: Draws, record: Record) -> pd.DataFrame:
    """Return one row per step and scenario; no rows before the brief or where nothing is known after it.

    The columns are ``COLUMNS``. ``kind`` is ``silence``, ``event`` or ``figures``; ``start`` and ``end`` are days, of
    which the first is not part of the step; ``note`` says why events carry nothing; ``rests_on`` names the statements
    where the step changes the odds of two scenarios by more than ``LARGE``. ``record``: what was public by the origin.
    """
    e = draws.evidence
    if e.hazards.news is None or e.origin <= e.specification.as_of:
        return pd.DataFrame(columns=list(COLUMNS))
    log = _log(draws, record)
    steps = _steps(e.specification.as_of.toordinal(), e.origin.toordinal(), log)
    after, expected = _after_each(draws, steps)
    chances = [e.pi, *after, inside_weights(draws).mean(axis=0)]
    rows = []
    for number, step in enumerate([*steps, None], 1):
        factor = np.log(chances[number]) - np.log(chances[number - 1])
        if step is None and not np.abs(factor).max() > 1e-9:
            continue
        rests_on = ""
        if np.ptp(factor) > np.log(LARGE):
            rests_on = _rests_on(step, factor, expected[number - 1] if step else None, draws)
        told = (*_told(step, log, draws), rests_on)
        rows += [
            (number, *told, name, float(factor[s]), float(chances[number][s]))
            for s, name in enumerate(e.statements.scenarios)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _log(draws: Draws, record: Record) -> pd.DataFrame:
    """Return the focal matter's rows after ``as_of``, in order, with the reason of each that carries nothing."""
    e, known = draws.evidence, record.as_of(draws.evidence.origin).in_force()
    cases = {life.case_id for life in e.focal}
    as_of, origin = pd.Timestamp(e.specification.as_of), pd.Timestamp(e.origin)
    rows = known.events.loc[known.events["case_id"].isin(cases)]
    rows = rows.loc[(rows["date"] > as_of) & (rows["date"] <= origin)].sort_values(["date", "event_id"])
    reasons = {u.event_id: u.reason for life in e.focal for u in life.unused}
    counted = {c.event_id: c.family for life in e.focal for c in life.counted}
    statements = e.statements
    firsts = (
        set(first_event_ids(e.focal, e.hazards.news.first, statements.families).values()) if e.hazards.news else set()
    )
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


def _after_each(draws: Draws, steps: Sequence[Step]) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the scenarios' probabilities after each step, by events alone, and the events expected in it.

    Expected are first events at tempo 1, by step, group and scenario: silence weighs against who expects them.
    """
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
    expected = np.zeros((len(steps), *statements.location.shape))
    for rows in np.array_split(np.arange(len(draws)), max(len(draws) // CHUNK, 1)):
        values = {
            name: draws.flat[name][rows] for name in (*hazard_priors(regime), "statement_shared", "statement_own")
        }
        log_h = log_hazards(values, cells, regime)[..., families]
        hazard = np.exp(log_h)
        ahead = np.einsum("dcg,cg->dg", hazard, foreseen)
        multiplier = e.correction * interval_hazards(values, statements) / ahead[..., None]
        spent = np.einsum("dcg,tcg->tdg", hazard, lived, optimize=True)
        seen = np.einsum("dcg,tcg->td", log_h, came, optimize=True)
        expected += np.einsum("tdg,dgs->tgs", np.diff(spent, axis=0, prepend=0.0), multiplier, optimize=True)
        for t in range(len(steps)):
            terms = first_event_terms(multiplier, spent[t], came[t].sum(axis=0), seen[t], statements.tempo)
            log_weight = terms.log_likelihood + e.log_pi
            weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
            total[t] += (weight / weight.sum(axis=1, keepdims=True)).sum(axis=0)
    return list(total / len(draws)), expected / len(draws)


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


def _rests_on(step: Step | None, factor: np.ndarray, expected: np.ndarray | None, draws: Draws) -> str:
    """Return the statements that a step rests on: those of its first events, or in silence the one that weighs most."""
    e = draws.evidence
    statements, names = e.statements, e.regime.family_names
    if step is None or expected is None:
        return "the ranges of fines and of users lost that the brief gives"
    firsts = first_event_ids(e.focal, e.hazards.news.first, statements.families) if e.hazards.news else {}
    groups = [
        max(g for g in statements.of_family(family) if statements.first_day(statements.groups[g]) < step.end)
        for family, event in firsts.items()
        if event in step.events
    ]
    if not groups:
        groups = [int(np.argmax(expected[:, factor.argmin()] - expected[:, factor.argmax()]))]
    told = []
    for g in groups:
        shares = ", ".join(
            f"{e.specification.labels[name]} {percent(share)}"
            for name, share in zip(statements.scenarios, statements.stated[g], strict=True)
        )
        told.append(f"{names[statements.groups[g].family]} within {statements.groups[g].end:g} months: {shares}")
    return "; ".join(told)


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
    kinds = [str(kind).replace("_", " ") for kind in rows["type"]]
    details = [str(text).split(";")[0].strip() for text in rows["detail"]]  # asides follow a semicolon
    told = SEPARATOR.join(f"{kind}: {text}" if text else kind for kind, text in zip(kinds, details, strict=True))
    notes = _notes(kinds, list(rows["note"]))
    cases, events = ", ".join(dict.fromkeys(rows["case_id"])), ", ".join(rows.index)
    return start, end, "event", cases, events, told, notes


def _notes(kinds: Sequence[str], notes: Sequence[str]) -> str:
    """Return why events carry nothing; with the kinds of those meant, unless one reason holds for all events."""
    reasons = dict.fromkeys(note for note in notes if note)
    if len(reasons) == 1 and all(notes):
        return next(iter(reasons))
    meant = {
        reason: dict.fromkeys(k for k, note in zip(kinds, notes, strict=True) if note == reason) for reason in reasons
    }
    return SEPARATOR.join(f"{', '.join(own)}: {reason}" for reason, own in meant.items())
