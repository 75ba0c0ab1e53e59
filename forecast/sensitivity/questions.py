"""The readings of a brief as a product: one answer to each question that it leaves open.

A prior file names its questions and the readings that answer them otherwise than it does itself; readings of one
question exclude each other, readings of different ones combine. One question may be what the brief speaks of: the whole
matter, or one proceeding of it alone. That reading regroups the record, so that the proceeding is a matter of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from forecast.files import InputError, Problem, did_you_mean
from forecast.record import Record
from forecast.specification import Specification

STATED, ALONE = "as stated", "alone"
"""Answers to a question: the file's own, and that the brief speaks of one proceeding alone."""

type Choice = dict[str, str]
"""One reading of the whole brief: question -> answer."""


@dataclass(frozen=True)
class OpenQuestion:
    """What a brief leaves open: ``answers`` (the file's own first) in words; ``proceeding``, if it may be alone."""

    name: str
    what: str
    answers: Mapping[str, str]
    proceeding: str | None = None


def questions_of(specification: Specification, record: Record) -> tuple[OpenQuestion, ...]:
    """Return the questions that have more than one answer, in the file's order.

    A reading without a question is one of its own. What a proceeding alone would mean is asked only where the matter
    has others. Raises ``InputError`` if readings of different questions set the same value.
    """
    asked: dict[str, OpenQuestion] = {}
    for name, stated in specification.questions.items():
        lone = _others(specification, record, stated.proceeding) if stated.proceeding else False
        alone = {ALONE: str(stated.alone)} if lone else {}
        asked[name] = OpenQuestion(
            name, stated.what, {STATED: stated.stated, **alone}, stated.proceeding if lone else None
        )
    for name, reading in specification.readings.items():
        key = reading.question or name
        known = asked.get(key, OpenQuestion(key, reading.what, {STATED: "as the file has it"}))
        asked[key] = replace(known, answers={**known.answers, name: reading.what})
    _require_apart(specification)
    return tuple(question for question in asked.values() if len(question.answers) > 1)


def _require_apart(specification: Specification) -> None:
    """Raise ``InputError`` where the answers to two questions set one value: they do not combine."""
    by: dict[str, dict[str, str]] = {}
    for name, reading in specification.readings.items():
        for path in reading.set:
            by.setdefault(path, {})[reading.question or name] = name
    problems = [
        Problem(f"readings.{name}.set.{path}", f"is also set by {other!r}; give both readings one question")
        for path, setters in by.items()
        for (_, other), (_, name) in itertools.pairwise(setters.items())
    ]
    if problems:
        raise InputError(problems)


def choices(questions: Sequence[OpenQuestion], *, quick: bool) -> list[Choice]:
    """Return all readings of the brief, the file's own first; ``quick``: those that change one answer alone."""
    product = (
        dict(zip([q.name for q in questions], one, strict=True))
        for one in itertools.product(*(q.answers for q in questions))
    )
    return [one for one in product if not quick or len(others(one)) <= 1]


def others(choice: Choice) -> tuple[str, ...]:
    """Return the answers of a reading that are not the file's own."""
    return tuple(answer for answer in choice.values() if answer != STATED)


def label(choice: Choice) -> str:
    """Return a reading in a line."""
    return " + ".join(f"{q} {ALONE}" if a == ALONE else a for q, a in choice.items() if a != STATED) or STATED


def read(
    specification: Specification, record: Record, questions: Sequence[OpenQuestion], choice: Choice
) -> tuple[Specification, Record]:
    """Return prior file and record as a reading has them."""
    spec = specification.with_reading(*(answer for answer in others(choice) if answer != ALONE))
    for question in questions:
        if choice[question.name] == ALONE:
            spec, record = narrowed(spec, record, question.proceeding)
    return spec, record


def narrowed(
    specification: Specification, record: Record, proceeding: str | None = None
) -> tuple[Specification, Record]:
    """Return prior file and record of a brief that speaks of one proceeding alone: that is a matter of its own then.

    Default: the proceeding that the prior file's questions name. All that the file says, its probabilities and
    statements, is of it; the matter's other proceedings stay in the record as a matter of reference, and what comes in
    them is neither news nor part of any target. Raises ``InputError`` if there is no such proceeding in the matter.
    """
    named = [q.proceeding for q in specification.questions.values() if q.proceeding]
    case = proceeding or next(iter(named), None)
    if case is None:
        raise InputError(Problem("questions", "none names a proceeding of which alone the brief may speak"))
    _others(specification, record, case)
    cases = record.proceedings
    own = cases.assign(matter_id=cases["matter_id"].mask(cases["case_id"] == case, case))
    return specification.model_copy(update={"matter": case}), replace(record, proceedings=own)


def _others(specification: Specification, record: Record, case: str) -> bool:
    """Return whether the matter has other proceedings than ``case``; ``InputError`` where it does not have it."""
    of_matter = record.proceedings.loc[record.proceedings["matter_id"] == specification.matter, "case_id"].to_list()
    if case not in of_matter:
        near = did_you_mean(case, of_matter) or f"; expected one of {', '.join(of_matter)}"
        raise InputError(Problem("proceeding", f"{case!r} is none of the matter {specification.matter!r}{near}"))
    return len(of_matter) > 1
