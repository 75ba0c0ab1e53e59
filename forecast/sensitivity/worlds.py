"""The posterior of the shared parameters under another reading, or without some evidence: exact, reweighted, refitted.

A reading changes numbers of the prior file, or what counts as the matter. Where the density of the shared parameters
stays what it was, up to a constant, the stored draws serve as they are (*exact*). Until there is news that holds of all
that the brief says: sums of fines, impacts, statements, the scenarios' probabilities and what the matter is act on the
future alone; and the turnover, which is normal given its range and its published figure and independent of everything
else until the matter is fined, is moved to its new normal with the same random numbers. Else the draws are weighted by
the change of prior and likelihood, Pareto-smoothed, where the certificate of ``updating`` holds (*reweighted*), and the
model is fitted anew where it does not (*refitted*).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from forecast.conjugate import draw_conjugate
from forecast.evidence.statements import statements_of
from forecast.files import InputError, Problem
from forecast.forecasting import Forecast
from forecast.gathered import Evidence, gather
from forecast.inference import Compiled, Draws, Posterior, converged
from forecast.model.mode import normal_approximation
from forecast.outcomes import Future, imagine, inside_weights
from forecast.progress import report
from forecast.projection.paths import Paths
from forecast.record import Record
from forecast.sensitivity.answers import Answers, futures, of_classes, simulated
from forecast.sensitivity.weighing import REFITTED, Sample, Weighted, sample_of, turnover, weighted
from forecast.specification import Specification
from forecast.trees import stored_correction
from forecast.updating import Certificate, efficiency, settings_of, stored
from forecast.vocabulary import SCENARIOS

OTHER_THINGS = "the reading states other things, not other numbers"
EXACT_STREAM, BRIEF_STREAM = 12, 13


@dataclass(frozen=True)
class World:
    """Draws, and courses of the matter, that readings share which differ in what follows from courses alone."""

    draws: Draws
    source: Sample
    seed: int

    @cached_property
    def events(self) -> np.ndarray:
        """Log-likelihood of the reference class's events, by draw."""
        return self.draws.by_matter.sum(axis=1)

    @cached_property
    def paths(self) -> tuple[Paths, ...]:
        """Courses of every draw: under each scenario, and last in the outside view."""
        return simulated(self.draws, self.seed)


@dataclass(frozen=True)
class Read:
    """Draws in the light of one reading, their futures (the outside view's last), and weights of the draws."""

    draws: Draws
    futures: tuple[Future, ...]
    weight: np.ndarray
    method: str
    certificate: Certificate

    @cached_property
    def view(self) -> np.ndarray:
        """Probability of each scenario in the forecast's view, by draw."""
        return inside_weights(self.draws) if self.draws.evidence.inside else of_classes(self.futures[-1])

    @cached_property
    def answers(self) -> Answers:
        """The answers, for any weights of the draws."""
        return Answers(self.futures, self.view)

    @cached_property
    def values(self) -> np.ndarray:
        """The answers with the reading's own weights, shape 1 + blocks, answer."""
        return self.answers.value(self.weight)


class Worlds:
    """Readings of one saved forecast; ``fitted`` counts the fits that were needed.

    What was fitted for one reading is tried, with its own certificate, for the others.
    """

    def __init__(self, forecast: Forecast, compiled: Compiled | None = None):
        self.forecast, self.fitted = forecast, 0
        self.settings, self.origin = settings_of(forecast), date.fromisoformat(forecast.manifest["origin"])
        spec = forecast.specification
        held = stored_correction(forecast.tree, spec) if "posterior" in forecast.tree.children else None
        self._corrections = {} if held is None else {_statements_key(spec): held}
        self._evidence: dict[tuple[date, str], Evidence] = {}
        self._worlds: dict[tuple[int, str], World] = {}
        self.posterior = self._held()
        self._sources = [sample_of(self.posterior, efficiency(forecast))]
        self._compiled = {_compiled_key(self.posterior.evidence): compiled} if compiled else {}

    @cached_property
    def base(self) -> Read:
        """The forecast's own reading."""
        return self.read(self.forecast.specification, self.forecast.record)

    @property
    def has_news(self) -> bool:
        """Whether time has passed since the brief."""
        return self.posterior.evidence.elapsed > 0

    def read(self, spec: Specification, record: Record) -> Read:
        """Return what the forecast would be under another reading; raises ``NotConvergedError`` if a fit does not."""
        evidence = self._gathered(spec, record, self.origin)
        if self.has_news and spec.pooling.value < 1:
            evidence = replace(evidence, pooled_pi=self._pool(spec, *self._at_brief(spec, record)))
        reasons: list[str] = []
        for world in self._known(evidence):
            draws = Draws(evidence, _moved(world.draws, evidence))
            found = weighted(draws, world.events, world.source)
            if not found.failures:
                return self._seen(world, draws, found)
            reasons = reasons or found.failures
        self._sources.append(sample_of(self.fit(evidence, "; ".join(reasons or [OTHER_THINGS])), 1.0, REFITTED))
        *_, world = self._known(evidence)
        draws = Draws(evidence, _moved(world.draws, evidence))
        return self._seen(world, draws, weighted(draws, world.events, world.source))

    def fit(self, evidence: Evidence, why: str) -> Posterior:
        """Return a new fit that passed the gate; raises ``NotConvergedError`` otherwise."""
        key = _compiled_key(evidence)
        if key not in self._compiled:
            report("Compiling the model (the first time takes up to a minute)")
            self._compiled[key] = Compiled(evidence)
        report(f"Fitting anew: {why}")
        posterior = converged(self._compiled[key], evidence, self.settings)
        self.fitted += 1
        return posterior

    def without(self, rest: Evidence, why: str) -> Read:
        """Return the forecast's own reading with draws of a fit to ``rest``, a part of its evidence."""
        posterior, evidence = self.fit(rest, why), self.base.draws.evidence
        draws = Draws(evidence, {**posterior.draws.flat, **self._exact(evidence, len(posterior.draws))})
        n, paths = len(draws), simulated(draws, self.settings.seed)
        worth = Certificate(0.0, float(n), 1.0, {})
        return Read(draws, futures(draws, paths, self.settings.seed), np.full(n, 1 / n), REFITTED, worth)

    def _seen(self, world: World, draws: Draws, found: Weighted) -> Read:
        """Return a reading with the futures that follow from a world's courses, pooled at the brief's date."""
        evidence, every = draws.evidence, futures(draws, world.paths, self.settings.seed)
        if evidence.inside and not self.has_news and evidence.specification.pooling.value < 1:
            pooled = self._pool(evidence.specification, found.weight, every[-1])
            draws = Draws(replace(evidence, pooled_pi=pooled), draws.flat)
        return Read(draws, every, found.weight, found.method, found.certificate)

    def _gathered(self, spec: Specification, record: Record, origin: date) -> Evidence:
        """Return the evidence of a reading; readings that differ in what follows from courses share all but numbers."""
        key = (origin, _key(spec))
        if key not in self._evidence:
            wider, correction = self.forecast.record, self._corrections.get(_statements_key(spec))
            self._evidence[key] = gather(spec, record, origin, wider=wider, correction=correction)
            if self._evidence[key].inside:
                self._corrections[_statements_key(spec)] = self._evidence[key].correction
        known = self._evidence[key]
        hazards = replace(known.hazards, statements=statements_of(spec, spec.regime))
        return replace(known, specification=spec, hazards=hazards)

    def _known(self, evidence: Evidence) -> Iterator[World]:
        """Yield the worlds of all draws at hand that have the reading's coordinates, the stored ones first."""
        for number, source in enumerate(self._sources):
            if source.draws.evidence.coords != evidence.coords:
                continue
            key = (number, _key(evidence.specification))
            if key not in self._worlds:
                flat = _moved(source.draws, evidence) | self._exact(evidence, len(source.draws))
                self._worlds[key] = World(Draws(evidence, flat), source, self.settings.seed)
            yield self._worlds[key]

    def _exact(self, evidence: Evidence, n: int) -> dict[str, np.ndarray]:
        """Draw the conjugate parts, in every world with the same random numbers."""
        rng = np.random.default_rng([self.settings.seed, EXACT_STREAM])
        return draw_conjugate(evidence.specification, evidence.observations, n, rng)

    def _at_brief(self, spec: Specification, record: Record) -> tuple[np.ndarray, Future]:
        """Return equal weights, and the future in the outside view at the brief's date.

        Hazards are those of the normal approximation of the reference class's posterior at that date, and all else is
        as known now, so that no fit at that date is needed. No error that is told includes that of this approximation.
        """
        evidence, n = self._gathered(spec, record, spec.as_of), len(self.posterior.draws)
        rng = np.random.default_rng([self.settings.seed, BRIEF_STREAM])
        hazards = normal_approximation(evidence.hazards.cells, evidence.regime).draw(n, rng)
        flat = _moved(self.posterior.draws, evidence) | hazards | self._exact(evidence, n)
        return np.full(n, 1 / n), imagine(Draws(evidence, flat), rng, outside=True)

    @staticmethod
    def _pool(spec: Specification, weight: np.ndarray, outside: Future) -> np.ndarray:
        """Return the analyst's probabilities pooled with the outside view at the brief's date: ``forecasting.fit``.

        The pool is fixed: its own Monte Carlo error is in no error that is told.
        """
        n, classes, w = len(weight), len(SCENARIOS), spec.pooling.value
        shares = (n * (weight @ of_classes(outside)) + 0.5) / (n + 0.5 * classes)
        stated = np.array([case.probability.value for _, case in spec.scenarios.items()])
        pooled = stated**w * shares ** (1 - w)
        return pooled / pooled.sum()

    def _held(self) -> Posterior:
        """Return the posterior that the forecast holds, with its evidence; ``InputError`` if it cannot be reread."""
        spec, tree = self.forecast.specification, self.forecast.tree
        if "posterior" not in tree.children:
            raise InputError(Problem("forecast", "a fitted forecast was expected; here is the prior alone"))
        evidence = self._gathered(spec, self.forecast.record, self.origin)
        if spec.pooling.value < 1 and evidence.elapsed > 0:
            what = "below 1, and news since: the pooled probabilities are not kept; give a forecast at the brief's date"
            raise InputError(Problem("pooling", what))
        return stored(evidence, self.settings, tree, self.forecast.tables["posterior_summary"])


def _moved(draws: Draws, evidence: Evidence) -> dict[str, np.ndarray]:
    """Return draws with the turnover of another reading: from one normal to another, as long as it is one."""
    if evidence.observations.new_fine_sum > 0:
        return dict(draws.flat)
    was, now = turnover(draws.evidence), turnover(evidence)
    score = (draws.flat["log_turnover"] - was.loc) / was.scale
    return {**draws.flat, "log_turnover": now.loc + now.scale * score}


def _key(spec: Specification) -> str:
    """Return, as text, what of a prior file the evidence and a matter's courses depend on.

    Left out are the ranges of fines and impacts, the scenarios' probabilities, and the turnover, which is moved.
    """
    data: dict[str, Any] = spec.model_dump(
        mode="json", exclude={"title", "levers", "questions", "readings", "scenarios", "pooling"}
    )
    data["fines"] = {k: data["fines"][k] for k in ("ceiling", "turnover_of", "turnover_walk")}
    data["impacts"] = data["impacts"] and {k: data["impacts"][k] for k in ("half_life", "set_off")}
    return json.dumps(data, sort_keys=True)


def _statements_key(spec: Specification) -> str:
    """Return, as text, what of a prior file the translation of its statements depends on."""
    names = {"matter", "provider_group", "as_of", "regime", "statements", "openings", "closing"}
    return json.dumps(spec.model_dump(mode="json", include=names), sort_keys=True)


def _compiled_key(evidence: Evidence) -> str:
    """Return, as text, what a compiled model holds besides its data: its priors and its coordinates."""
    data = evidence.specification.model_dump(
        mode="json", exclude={"title", "matter", "scenarios", "pooling", "levers", "questions", "readings"}
    )
    return json.dumps([data, evidence.coords], sort_keys=True)
