"""The posterior of the shared parameters under another reading, or without some evidence: exact, reweighted, refitted.

A reading changes numbers of the prior file, or what counts as the matter. Where the density of the shared parameters
stays what it was, up to a constant, the stored draws serve as they are (*exact*): sizes of fines, impacts and, until
there is news, the scenarios' probabilities act on the future alone; and the turnover, which is normal given its range
and its published figure and independent of everything else until the matter is fined, is moved to its new normal with
the same random numbers. Else the draws are weighted by the change of prior and likelihood, Pareto-smoothed, where the
certificate of ``updating`` holds (*reweighted*), and the model is fitted anew where it does not (*refitted*).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from forecast.attribution.way import origin_of
from forecast.conjugate import draw_conjugate
from forecast.files import InputError, Problem
from forecast.forecasting import Forecast
from forecast.hypotheses.event_sets import focal_rows
from forecast.inference import Compiled, Draws, Evidence, Posterior, converged, gather
from forecast.outcomes import Future, outside_weights, view_weights
from forecast.progress import report
from forecast.record import Record
from forecast.sensitivity.answers import futures, reread
from forecast.sensitivity.weighing import REFITTED, Sample, sample_of, turnover, weighted
from forecast.specification import Specification
from forecast.updating import Certificate, efficiency, settings_of, stored
from forecast.watchlist import Statute, focal_statute

OTHER_THINGS = "the reading states other things, not other numbers"


@dataclass(frozen=True)
class World:
    """The shared parameters, and courses of the matter, under readings that differ in the future alone.

    ``draws``: in the light of the first such reading and the whole record. ``others``: log-likelihood of all matters
    but the focal one, by draw. ``courses``: by scenario. ``weight``: of each draw, sums to 1, with its ``certificate``
    and why it fails, if it does.
    """

    draws: Draws
    others: np.ndarray
    law: Statute
    courses: tuple[Future, ...]
    source: Sample
    weight: np.ndarray
    method: str
    certificate: Certificate
    failures: tuple[str, ...] = ()

    @cached_property
    def outside(self) -> np.ndarray:
        """Probability of each scenario in the outside view, by draw."""
        return outside_weights(self.draws)


@dataclass(frozen=True)
class Read:
    """A world in the light of one reading: its draws (of the focal matter's rows), courses, and weights.

    ``view``: the scenarios' probabilities by draw, in the forecast's view.
    """

    world: World
    draws: Draws
    courses: tuple[Future, ...]
    view: np.ndarray
    weight: np.ndarray
    method: str
    certificate: Certificate

    @cached_property
    def whole(self) -> Draws:
        """The draws in the light of the whole record."""
        exposure = self.world.draws.evidence.exposure
        return Draws(replace(self.draws.evidence, exposure=exposure), self.draws.flat)


class Worlds:
    """Readings of one saved forecast; ``fitted`` counts the fits that were needed.

    Until there is news, a world's weights are those of all its readings. From then on what a reading says of ranges and
    probabilities enters the likelihood of the news, and every reading has weights of its own. What was fitted for one
    reading is tried, with its own certificate, for the others.
    """

    def __init__(self, forecast: Forecast, compiled: Compiled | None = None):
        self.posterior = _held(forecast)
        self.forecast, self.fitted = forecast, 0
        self.settings, self.origin = settings_of(forecast), origin_of(forecast)
        draws = self.posterior.draws
        self._sources = [sample_of(self.posterior, draws, efficiency(forecast))]
        self._worlds: dict[tuple[date, str, int], World] = {}
        self._compiled = {_compiled_key(self.posterior.evidence): compiled} if compiled else {}

    @cached_property
    def base(self) -> Read:
        """The forecast's own reading."""
        return self.read(self.forecast.specification, self.forecast.record)

    @property
    def has_news(self) -> bool:
        """Whether time has passed since the brief."""
        return self.posterior.evidence.exposure.has_news

    def read(self, spec: Specification, record: Record) -> Read:
        """Return what the forecast would be under another reading; raises ``NotConvergedError`` if a fit does not."""
        if not self.has_news:
            world = self._reached(spec, record, self.origin)
            return self.light(world, self._as_read(world, spec, self._pooled(world, spec)))
        pooled = self._pooled(None if spec.pooling.value == 1 else self._reached(spec, record, spec.as_of), spec)
        worlds = self._known(spec, record, self.origin)
        reasons = [] if worlds else [OTHER_THINGS]
        for world in worlds:
            seen = self.light(world, self._as_read(world, spec, pooled))
            weight, method, worth, failures = weighted(seen.draws, world.others, world.source)
            if not failures:
                return replace(seen, weight=weight, method=method, certificate=worth)
            reasons = reasons or failures
        evidence = replace(gather(spec, record, self.origin, wider=self.forecast.record), pooled_pi=pooled)
        self._refit(evidence, reasons)
        world = self._known(spec, record, self.origin)[-1]
        seen = self.light(world, self._as_read(world, spec, pooled))
        weight, method, worth, _ = weighted(seen.draws, world.others, world.source)
        return replace(seen, weight=weight, method=method, certificate=worth)

    def light(self, world: World, evidence: Evidence) -> Read:
        """Return a world in the light of evidence that differs from its own in what acts on the future alone."""
        evidence = replace(evidence, exposure=focal_rows(evidence.exposure))
        draws = Draws(evidence, self._moved(world.draws, evidence))
        courses = tuple(reread(future, draws, world.law, self.settings.seed) for future in world.courses)
        still = evidence.exposure.inside and not evidence.exposure.has_news
        view = np.tile(evidence.constants.pi, (len(draws), 1)) if still else view_weights(draws)
        return Read(world, draws, courses, view, world.weight, world.method, world.certificate)

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

    def world_of(self, posterior: Posterior, evidence: Evidence, law: Statute) -> World:
        """Return the world of a fit without some of ``evidence``, in the light of all of it, equally weighted."""
        draws = Draws(evidence, {k: posterior.draws.flat[k] for k in posterior.raw} | self._exact(evidence))
        n, source = len(draws), sample_of(posterior, posterior.draws, 1.0, REFITTED)
        even = np.full(n, 1 / n), REFITTED, Certificate(0.0, float(n), 1.0, {})
        return World(draws, np.zeros(n), law, futures(draws, law, self.settings.seed), source, *even)

    def _as_read(self, world: World, spec: Specification, pooled: np.ndarray | None) -> Evidence:
        return replace(world.draws.evidence, specification=spec, pooled_pi=pooled)

    def _reached(self, spec: Specification, record: Record, origin: date) -> World:
        """Return the first world whose weights hold, where there is no news; of a new fit where none does."""
        worlds = self._known(spec, record, origin)
        good = [world for world in worlds if not world.failures]
        if not good:
            why = list(worlds[0].failures) if worlds else [OTHER_THINGS]
            self._refit(gather(spec, record.as_of(origin), origin, wider=self.forecast.record), why)
            good = self._known(spec, record, origin)[-1:]
        return good[0]

    def _known(self, spec: Specification, record: Record, origin: date) -> list[World]:
        """Return the worlds of all draws at hand that have the reading's coordinates, the stored ones first."""
        found, known = [], record.as_of(origin)
        evidence: Evidence | None = None
        for number, source in enumerate(self._sources):
            key = (origin, _key(spec), number)
            if key not in self._worlds:
                evidence = evidence or gather(spec, known, origin, wider=self.forecast.record)
                if source.draws.evidence.coords != evidence.coords:
                    continue
                self._worlds[key] = self._made(source, evidence, known)
            found.append(self._worlds[key])
            if not (found[-1].failures or found[-1].draws.evidence.exposure.has_news):
                break  # without news the first that hold are taken
        return found

    def _made(self, source: Sample, evidence: Evidence, record: Record) -> World:
        """Return the world that some draws make in the light of other evidence."""
        sampled = {k: source.draws.flat[k] for k in self.posterior.raw}
        moved = self._moved(Draws(source.draws.evidence, sampled), evidence)
        draws = Draws(evidence, moved | self._exact(evidence))
        weight, method, worth, failures = weighted(draws, 0.0, source)
        by_matter = draws.matters.marginal(draws.effects["log_weight"], evidence.constants.log_pi)
        law = focal_statute(draws, record)
        courses = futures(draws, law, self.settings.seed)
        others = by_matter[:, 1:].sum(axis=1)
        return World(draws, others, law, courses, source, weight, method, worth, tuple(failures))

    def _refit(self, evidence: Evidence, why: list[str]) -> None:
        posterior = self.fit(evidence, "; ".join(why))
        self._sources.append(sample_of(posterior, posterior.draws, 1.0, REFITTED))

    def _exact(self, evidence: Evidence) -> dict[str, np.ndarray]:
        """Draw the conjugate parts, in every world with the same random numbers."""
        rng = np.random.default_rng([self.settings.seed, 12])
        return draw_conjugate(evidence.specification, evidence.observations, len(self.posterior.draws), rng)

    def _moved(self, draws: Draws, evidence: Evidence) -> dict[str, np.ndarray]:
        """Return draws with the turnover of another reading: from one normal to another, as long as it is one."""
        if len(evidence.observations.new_fine_amount):
            return dict(draws.flat)
        was, now = turnover(draws.evidence), turnover(evidence)
        score = (draws.flat["log_turnover"] - was.loc) / was.scale
        return {**draws.flat, "log_turnover": now.loc + now.scale * score}

    def _pooled(self, world: World | None, spec: Specification) -> np.ndarray | None:
        """Return the analyst's probabilities pooled with the outside view at the brief's date: ``forecasting.fit``.

        ``world``: that of the brief's date. The pool is fixed: its own Monte Carlo error is in no error that is told.
        """
        weight = spec.pooling.value
        if weight == 1 or world is None or not world.draws.evidence.exposure.inside:
            return None
        stated = np.array([case.probability.value for _, case in spec.scenarios.items()])
        pooled = stated**weight * (world.weight @ world.outside) ** (1 - weight)
        return pooled / pooled.sum()


def _held(forecast: Forecast) -> Posterior:
    """Return the posterior that a forecast holds, with its evidence; ``InputError`` if there is none to be reread."""
    spec, tree = forecast.specification, forecast.tree
    if "posterior" not in tree.children:
        raise InputError(Problem("forecast", "a fitted forecast was expected; here is the prior alone"))
    evidence = gather(spec, forecast.record, origin_of(forecast))
    if spec.pooling.value < 1 and evidence.exposure.has_news:
        what = "below 1, and news since: the pooled probabilities are not kept; give a forecast at the brief's date"
        raise InputError(Problem("pooling", what))
    return stored(evidence, settings_of(forecast), tree, forecast.tables["posterior_summary"])


def _key(spec: Specification) -> str:
    """Return, as text, what of a prior file a matter's courses depend on, given shared parameters and scenario.

    The ranges of fines and impacts and the scenarios' probabilities are left out, and the turnover, which is moved.
    """
    data: dict[str, Any] = spec.model_dump(
        mode="json", exclude={"title", "levers", "questions", "readings", "scenarios", "pooling"}
    )
    data["fines"] = {k: data["fines"][k] for k in ("ceiling", "turnover_of", "turnover_walk")}
    data["impacts"] = data["impacts"] and {"half_life": data["impacts"]["half_life"]}
    return json.dumps(data, sort_keys=True)


def _compiled_key(evidence: Evidence) -> str:
    """Return, as text, what a compiled model holds besides its data: its priors and its coordinates."""
    data = evidence.specification.model_dump(
        mode="json", exclude={"title", "matter", "scenarios", "pooling", "levers", "questions", "readings"}
    )
    return json.dumps([data, evidence.coords], sort_keys=True)
