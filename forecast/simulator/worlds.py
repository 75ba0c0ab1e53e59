"""One world: its parameters, what became of every proceeding, and the focal matter's scenario and tempo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from forecast.evidence.statements import Statements
from forecast.model.priors import draw_priors, hazard_priors, statement_priors
from forecast.regime import Regime
from forecast.simulator.design import Design, Row
from forecast.simulator.events import Event, Level, live, marks_of
from forecast.simulator.hazards import Law, Lives, Truth, hazards
from forecast.vocabulary import DAYS_PER_MONTH


@dataclass(frozen=True)
class World:
    """One world; days are ordinals.

    ``truth``: every parameter by name, ``closing`` and (with a focal matter) the statements' errors too. ``rows``:
    the design's proceedings, then the focal matter's new ones. ``events``: all of them in order of time, up to the
    design's last day. ``closed``: by proceeding, the day of its closing, 0 if it never closed. ``scenario``: index of
    the focal matter's true scenario, -1 without one; ``tempo``: its tempo. ``foreseen``: reference hazard that each
    statement's interval was seen to hold on ``as_of``; ``multiplier``: by group, that of first events in the true
    scenario. ``redrawn``: worlds thrown away before, see `draw_world`.
    """

    design: Design
    truth: Truth
    rows: tuple[Row, ...]
    events: tuple[Event, ...]
    closed: np.ndarray
    scenario: int = -1
    tempo: float = 1.0
    foreseen: np.ndarray | None = None
    multiplier: np.ndarray | None = None
    redrawn: int = 0

    @property
    def focal(self) -> tuple[int, ...]:
        """Positions of the focal matter's proceedings, new ones included."""
        return (*self.design.focal, *range(len(self.design.rows), len(self.rows)))


def draw_world(
    design: Design, seed: int | list[int], parameters: Mapping[str, np.ndarray] | None = None, attempts: int = 1000
) -> World:
    """Return one world.

    ``parameters`` gives parameters by name (without an axis of draws); the others come from their priors. A world in
    which a focal matter had no proceeding at risk on ``as_of`` is thrown away with its truth and drawn anew: that
    condition looks at data alone, so it leaves the posterior given the data of the other worlds as it is. Raises
    ``RuntimeError`` if none of so many ``attempts`` meets it.
    """
    rng = np.random.default_rng(seed)
    for attempt in range(attempts):
        world = _draw(design, {**draw_truth(design, rng), **(parameters or {})}, rng)
        if world is not None:
            return replace(world, redrawn=attempt)
    raise RuntimeError(
        f"in {attempts} worlds the focal matter never had a proceeding at risk when the brief was written"
    )


def draw_truth(design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw every parameter from its prior."""
    priors = hazard_priors(design.regime)
    if design.statements is not None:
        priors |= statement_priors(design.statements)
    drawn = {name: values[0] for name, values in draw_priors(priors, 1, rng).items()}
    return drawn | {"closing": np.array(rng.beta(*design.closing))}


def _draw(design: Design, truth: Truth, rng: np.random.Generator) -> World | None:
    """Let a world live; ``None`` where the focal matter had nothing at risk on ``as_of``."""
    regime, statements = design.regime, design.statements
    held = design.trend_held_from.toordinal() if design.trend_held_from else None
    lives = entered(design, float(truth["closing"]), rng)
    begin, last = int(lives.entry.min(initial=design.last_day)), design.last_day
    if statements is None:
        events = live(lives, truth, regime, (begin, last), rng, held_from=held)
        return World(design, truth, design.rows, tuple(events), lives.closed)
    as_of = statements.as_of.toordinal()
    events = live(lives, truth, regime, (begin, as_of), rng, held_from=held)
    ahead = foreseen(lives, truth, regime, statements)
    if not ahead.all():
        return None
    scenario = int(rng.choice(len(statements.pi), p=statements.pi))
    tempo = rng.gamma(statements.tempo, 1 / statements.tempo)
    stated = integrated_hazards(truth, statements)[:, scenario]
    correction = np.broadcast_to(design.correction, statements.location.shape)[:, scenario]
    multiplier = correction * stated / ahead
    level = level_of(statements, regime, multiplier[None], np.array([tempo]))
    events += live(
        lives, truth, regime, (as_of, last), rng, level=level, openings=design.openings, held_from=held
    )  # fmt: skip
    new = range(len(design.rows), len(lives))
    rows = (*design.rows, *(_new_row(lives, i, regime, statements.matter) for i in new))
    return World(design, truth, rows, tuple(events), lives.closed, scenario, tempo, ahead, multiplier)


def entered(design: Design, closing: float, rng: np.random.Generator) -> Lives:
    """Return every proceeding as it stands at the end of the day of its first known step."""
    regime, names = design.regime, design.regime.stage_names
    lives = Lives.none()
    for i, row in enumerate(design.rows):
        procedure = regime.classes[row.authority_class].procedure
        begun = names.index(regime.procedures[procedure][0])
        stage, marks, closed, is_observed = begun, 0, 0, True
        for kind, scope in row.steps:
            marks |= marks_of(regime, kind)
            family = next((f for f in regime.families.values() if f.takes(kind, scope)), None)
            if family is None or scope == "person":
                continue
            target = family.moves_to.get(procedure)
            stage = max(stage, names.index(target) if target else stage)
            if family.closes != "never":
                is_observed = False
                closed = row.entry if family.closes == "always" or rng.random() < closing else closed
        lives.add(
            authority_class=regime.class_names.index(row.authority_class),
            tags=sum(2**t for t, text in enumerate(regime.tags.values()) if text in row.authority),
            opened=row.opened,
            entry=row.entry,
            stage=stage,
            since=row.opened if stage == begun else row.entry,
            marks=marks,
            closed=closed,
            is_observed=is_observed,
            copy=0 if i in design.focal else -1,
        )
    return lives


def foreseen(lives: Lives, truth: Truth, regime: Regime, statements: Statements) -> np.ndarray:
    """Return the reference hazard integrated over each statement's interval as the matter was seen on ``as_of``.

    Every proceeding of the focal matter then at risk stays open and in its stage, with the age of each day and the
    trend of ``as_of``.
    """
    law, as_of = Law.of(regime), statements.as_of.toordinal()
    own = lives.take(
        np.flatnonzero((lives.copy >= 0) & lives.is_observed & (lives.entry <= as_of) & (lives.closed == 0))
    )
    total, last = np.zeros(len(statements.groups)), max(statements.last_day(g) for g in statements.groups)
    for day in range(as_of + 1, last + 1):
        today = hazards(truth, law, own, day, as_of).sum(axis=0) / DAYS_PER_MONTH
        for g, group in enumerate(statements.groups):
            if statements.first_day(group) < day <= statements.last_day(group):
                total[g] += today[group.family]
    return total


def integrated_hazards(truth: Truth, statements: Statements) -> np.ndarray:
    """Return what each statement adds to the integrated hazard of a first event at tempo 1, shape group, scenario.

    ``A(P) = k ((1 - P)^(-1/k) - 1)`` at the end of the interval minus at its beginning, with P the stated probability
    and its error: ``logit P(event in interval | none before) = location + error_sd * error``.
    """
    added = np.zeros(statements.location.shape)
    for s in range(added.shape[1]):
        survival: dict[int, float] = {}
        for g, group in enumerate(statements.groups):
            shared, own = truth["statement_shared"][g], truth["statement_own"][g, s]
            error = np.sqrt(statements.shared) * shared + np.sqrt(1 - statements.shared) * own
            chance = 1 / (1 + np.exp(-(statements.location[g, s] + statements.error_sd * error)))
            before = survival.get(group.family, 1.0)
            after = survival[group.family] = before * (1 - chance)
            added[g, s] = statements.tempo * (after ** (-1 / statements.tempo) - before ** (-1 / statements.tempo))
    return added


def level_of(statements: Statements, regime: Regime, multiplier: np.ndarray, tempo: np.ndarray) -> Level:
    """Return the level of first events on ``as_of`` for copies of the focal matter.

    ``multiplier``: copy, group. ``tempo``: copy.
    """
    own = {family: list(statements.of_family(family)) for family in statements.families}
    return Level(
        ends={f: np.array([statements.last_day(statements.groups[g]) for g in groups]) for f, groups in own.items()},
        multiplier={f: multiplier[:, groups] for f, groups in own.items()},
        tempo=tempo,
        happened=np.zeros((len(tempo), len(regime.families)), dtype=bool),
        raised_until=np.zeros(len(tempo), dtype=np.int64),
        as_of=statements.as_of.toordinal(),
    )


def _new_row(lives: Lives, row: int, regime: Regime, matter: str) -> Row:
    kind, day = regime.class_names[lives.authority_class[row]], int(lives.opened[row])
    return Row(f"new-{row}", matter, kind, day, day)
