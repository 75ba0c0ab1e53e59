"""The reading multiverse: the forecast over all admissible readings of a brief, and how far reading alone moves it.

All combinations of answers to the questions that the brief leaves open are valued on one set of random numbers
(``worlds``, ``answers``), so that what differs between two of them is the reading, not luck. A reading's own effect is
told twice: *alone*, against the file as stated, and *on average* over all combinations of the other questions' answers
(the main effect of a full factorial). Where the brief may speak of one proceeding alone, that is another question
asked: its answers are kept apart from those about the whole matter, and are no part of any average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.attribution.valuation import error
from forecast.progress import report, working
from forecast.sensitivity.answers import KEYS
from forecast.sensitivity.questions import ALONE, STATED, Choice, OpenQuestion, choices, label, questions_of, read
from forecast.sensitivity.worlds import Worlds
from forecast.vocabulary import INTERVAL

PILOT = 3
"""Readings after which the time left is told."""
QUICKER = "Quicker: single changes of the reading alone, and no new fits for single matters (--quick)."


@dataclass(frozen=True)
class Multiverse:
    """Answers under many readings: ``values`` (reading, 1 + blocks, answer), in the order of ``choices``.

    ``worlds``: how each reading was reached. ``is_full``: all combinations, not only single changes.
    """

    questions: tuple[OpenQuestion, ...]
    choices: tuple[Choice, ...]
    labels: pd.DataFrame
    values: np.ndarray
    worlds: pd.DataFrame
    is_full: bool

    @property
    def whole(self) -> np.ndarray:
        """Which readings speak of the whole matter."""
        return np.array([ALONE not in choice.values() for choice in self.choices])

    def place(self, **answers: str) -> int:
        """Return the index of the reading that differs from the file in these answers alone."""
        stated = {question.name: STATED for question in self.questions}
        return self.choices.index({**stated, **answers})


def multiverse(worlds: Worlds, *, quick: bool) -> Multiverse:
    """Return the answers under all readings of the forecast's prior file; ``quick``: one changed at a time."""
    spec, record = worlds.forecast.specification, worlds.forecast.record
    questions = questions_of(spec, record)
    readings = choices(questions, quick=quick)
    report(f"Reading the brief in {len(readings)} ways")
    names, values, reached = None, [], []
    with working("Readings", len(readings), "readings", quicker="" if quick else QUICKER, pilot=PILOT) as tell:
        for number, choice in enumerate(readings, 1):
            seen = worlds.read(*read(spec, record, questions, choice))
            names = seen.answers.labels if names is None else names
            values.append(seen.values)
            worth, matter = seen.certificate, seen.draws.evidence.specification.matter
            reached.append((label(choice), *choice.values(), matter, seen.method, worth.k_hat, worth.ess))
            tell(number)
    columns = ["reading", *(q.name for q in questions), "matter", "method", "k_hat", "ess"]
    return Multiverse(
        questions, tuple(readings), names, np.stack(values), pd.DataFrame(reached, columns=columns), not quick
    )


def answers_table(m: Multiverse) -> pd.DataFrame:
    """Return every answer under every reading, one number a row, with its Monte Carlo error."""
    tables = [
        m.labels.assign(reading=label(choice), value=rows[0], mcse=error(rows), interval=_interval(m.labels))
        for choice, rows in zip(m.choices, m.values, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)[["reading", *KEYS, "value", "mcse", "interval"]]


def _interval(keys: pd.DataFrame) -> np.ndarray:
    return np.where(keys["statistic"].isin(["q05", "q95"]), INTERVAL, "")


def effects_table(m: Multiverse) -> pd.DataFrame:
    """Return what each reading moves: ``alone`` against the file as stated, ``average`` over the other answers.

    ``*_se``: Monte Carlo errors of these differences, on common random numbers. ``average`` is missing where only
    single changes were valued.
    """
    base, tables = m.values[m.place()], []
    for question in m.questions:
        for answer in list(question.answers)[1:]:
            alone = m.values[m.place(**{question.name: answer})] - base
            own = m.labels.assign(question=question.name, reading=answer, base=base[0], alone=alone[0])
            own["alone_se"] = error(alone)
            mean = _mean_effect(m, question, answer)
            own["average"] = mean[0] if mean is not None else np.nan
            own["average_se"] = error(mean) if mean is not None else np.nan
            tables.append(own)
    first = ["question", "reading"]
    return pd.concat(tables, ignore_index=True)[[*first, *KEYS, "base", "alone", "alone_se", "average", "average_se"]]


def _mean_effect(m: Multiverse, question: OpenQuestion, answer: str) -> np.ndarray | None:
    """Average change by an answer over all combinations of the others, those about the whole matter where it can be."""
    if not m.is_full:
        return None
    there = [i for i, c in enumerate(m.choices) if c[question.name] == answer and (answer == ALONE or m.whole[i])]
    stated = [m.choices.index({**m.choices[i], question.name: STATED}) for i in there]
    return m.values[there].mean(axis=0) - m.values[stated].mean(axis=0)


def ranges_table(m: Multiverse) -> pd.DataFrame:
    """Return how far each answer moves for reading alone.

    ``lowest`` and ``highest`` over all readings about the whole matter, with the readings that give them; ``*_any``:
    over all readings, those about one proceeding included. ``base_low``, ``base_high``: the 90 % interval of the base
    reading, of amounts; ``share_of_interval``: the range over the readings against the width of that interval.
    """
    first, rows = m.place(), m.values[:, 0]
    table = m.labels.assign(base=rows[first], base_se=error(m.values[first]))
    interval = _interval_of(m.labels, rows[first])
    table["base_low"], table["base_high"], table["interval"] = *interval, INTERVAL
    named = np.array([label(choice) for choice in m.choices])
    rounded = np.round(rows / np.maximum(np.abs(rows).max(axis=0), 1e-300), 9)  # of equals, the simplest reading
    for suffix, kept in (("", m.whole), ("_any", np.ones(len(rows), dtype=bool))):
        for end, pick in (("lowest", np.argmin), ("highest", np.argmax)):
            place = pick(rounded[kept], axis=0)
            table[f"{end}{suffix}"] = np.take_along_axis(rows[kept], place[None], axis=0)[0]
            table[f"{end}_reading{suffix}"] = named[kept][place]
    table["share_of_interval"] = (table["highest"] - table["lowest"]) / (table["base_high"] - table["base_low"])
    return table


def _interval_of(keys: pd.DataFrame, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 5 and 95 % quantiles of each answer's target under the same reading; missing for probabilities."""
    by = dict(zip(zip(keys["target"], keys["horizon_months"], keys["statistic"], strict=True), values, strict=True))
    targets = list(zip(keys["target"], keys["horizon_months"], strict=True))
    low, high = (np.array([by.get((*one, q), np.nan) for one in targets]) for q in ("q05", "q95"))
    return low, high


def shares_table(m: Multiverse) -> pd.DataFrame:
    """Return which question the spread over the readings comes from: first-order shares of its variance.

    ``share = Var_answer(E[value | answer]) / Var(value)`` over all readings about the whole matter, equally weighted
    (Saltelli et al. 2008, Global Sensitivity Analysis, doi:10.1002/9780470725184); ``together`` is what is left for
    answers that act only jointly. Empty where only single changes were valued.
    """
    keys = ["question", *KEYS, "share", "sd"]
    if not m.is_full:
        return pd.DataFrame(columns=keys)
    rows = m.values[m.whole, 0]
    kept = [choice for choice, whole in zip(m.choices, m.whole, strict=True) if whole]
    spread = rows.var(axis=0)
    share = {q.name: _between(rows, [choice[q.name] for choice in kept]) for q in m.questions if _varies(q)}
    with np.errstate(invalid="ignore", divide="ignore"):  # an answer that no reading moves has no shares
        tables = [
            m.labels.assign(question=name, share=np.where(spread > 0, between / spread, np.nan), sd=np.sqrt(spread))
            for name, between in share.items()
        ]
    table = pd.concat(tables, ignore_index=True)
    rest = tables[0].assign(question="together", share=1 - sum(one["share"] for one in tables))
    return pd.concat([table, rest], ignore_index=True)[keys]


def _varies(question: OpenQuestion) -> bool:
    return any(answer not in (STATED, ALONE) for answer in question.answers)


def _between(rows: np.ndarray, answers: Sequence[str]) -> np.ndarray:
    """Variance of the means by answer; answers are equally frequent."""
    named = np.array(answers)
    return np.stack([rows[named == one].mean(axis=0) for one in dict.fromkeys(answers)]).var(axis=0)
