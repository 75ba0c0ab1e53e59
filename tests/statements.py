"""Statements of a brief, by hand: cumulative probabilities by family and scenario."""

from datetime import date

import numpy as np

from forecast.elicitation import conditional_probabilities, statement_location
from forecast.evidence.statements import Group, Statements

AS_OF = date(2026, 2, 3)
ENDS = (6.0, 24.0, 60.0)


def stated(regime, families, matter="x-eu-2026", *, as_of=AS_OF, ends=ENDS, pi=(0.4, 0.45, 0.15), error=0.5, tempo=3.0):
    """Return statements: ``families`` maps a family to one course of cumulative probabilities for each scenario."""
    groups, values, location = [], [], []
    for index, name in enumerate(regime.family_names):
        if name in families:
            courses = families[name]
            groups += [Group(index, k, a, b) for k, (a, b) in enumerate(zip((0.0, *ends), ends, strict=False))]
            values += np.transpose(courses).tolist()
            parts = [[statement_location(q, error) for q in conditional_probabilities(list(c))] for c in courses]
            location += np.transpose(parts).tolist()
    names = tuple("abcdefgh"[: len(pi)])
    return Statements(
        matter, as_of, names, np.array(pi), tuple(groups), np.array(values), np.array(location), error, 0.7, tempo
    )


def random_courses(families, rng, scenarios=3, intervals=3):
    """Return random rising probabilities for each family and scenario."""
    return {name: [np.sort(rng.uniform(0.02, 0.9, intervals)).tolist() for _ in range(scenarios)] for name in families}
