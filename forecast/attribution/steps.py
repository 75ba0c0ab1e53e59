"""The way from one forecast to a later one, step by step: what ``attribution`` turns into bars.

    earlier forecast -> other priors -> corrections -> clock -> silence -> figures -> each new event -> later forecast

and where the brief's date lies between: clock, silence, figures and events up to it in the outside view, then the brief
itself, then the same from there on in the inside view.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import logit

from forecast.attribution import shapley
from forecast.attribution.bridge import BLOCKS, Bridge
from forecast.attribution.game import Game, Pool
from forecast.attribution.subsets import Growth, Newcomer
from forecast.attribution.valuation import VIEWS, error, labels, rank, value
from forecast.forecasting import Forecast
from forecast.progress import expected, report, working
from forecast.specification import Specification
from forecast.vocabulary import SCENARIOS

QUICKER = "Quicker: events in their order of arrival alone (--arrival; in Python order_free=False)."


@dataclass(frozen=True)
class Bar:
    """What one step moved, order-free and in order of arrival, shape row, quantity (rows as in ``valuation``).

    ``sampling``: standard error beside the jackknife's: of sampled orders, or of the numbers that forecasts report.
    """

    kind: str
    name: str
    free: np.ndarray
    arrival: np.ndarray
    sampling: np.ndarray


@dataclass(frozen=True)
class Stage:
    """A part of the way in one view: from ``since`` to ``until``, with its new events and those already there."""

    specification: Specification
    since: date
    until: date
    players: tuple[Newcomer, ...]
    present: tuple[Newcomer, ...]


class Way:
    """All steps from one forecast to another, valued on one pool of draws."""

    def __init__(self, before: Forecast, after: Forecast, growth: Growth, pool: Pool):
        self.before, self.after, self.growth, self.pool = before, after, growth, pool
        self.labels = labels(after.outcomes, pool.targets)
        self.stages = _stages(before, after, growth)
        self.games: list[Game] = []
        self._steps: list[tuple[str, str, np.ndarray, np.ndarray]] = []
        self._contests: list[tuple[int, Stage, Game, float]] = []
        self._walk()

    def _walk(self) -> None:
        """Value every step, and the events in their order of arrival."""
        start, spec = origin_of(self.before), self.after.specification
        unchanged = Growth(self.before.record, self.before.record, start)
        self._at = self.start = self._value(Game(self.before.specification, unchanged, self.pool, start, start))
        if self.before.specification.fingerprint != spec.fingerprint:
            self._step("priors", "other priors", Game(spec, unchanged, self.pool, start, start))
        corrected = Game(self.stages[0].specification, self.growth, self.pool, start, start)
        if corrected.record(frozenset()).as_of(start) != self.before.record:
            self._step("corrections", "corrections of the past", corrected)
        for place, stage in enumerate(self.stages):
            if place:
                brief = Game(spec, self.growth, self.pool, stage.since, stage.since, present=stage.present)
                self._step("brief", "the brief", brief)
            self._walk_stage(stage)

    def _walk_stage(self, stage: Stage) -> None:
        spec, since, until, there = stage.specification, stage.since, stage.until, stage.present
        clock = Game(spec, self.growth, self.pool, since, since, present=there, moved=until)
        self._step("clock", f"the clock, to {until}", clock)
        self._step("silence", f"silence until {until}", Game(spec, self.growth, self.pool, until, since, present=there))
        game = Game(spec, self.growth, self.pool, until, until, stage.players, there)
        self._step("figures", f"figures until {until}", game)
        spent = []
        with working("Events in their order of arrival", len(stage.players), "events") as reached:
            for count in range(1, len(stage.players) + 1):
                began = time.monotonic()
                self._at = game.value(frozenset(range(count)))
                spent.append(time.monotonic() - began)
                reached(count)
        self._contests.append((len(self._steps), stage, game, game.seconds(spent)))
        self._last = game.log_density(frozenset(range(len(stage.players))))

    def _step(self, kind: str, name: str, game: Game) -> None:
        reached = self._value(game)
        self._steps.append((kind, name, self._at, reached))
        self._at = reached

    def _value(self, game: Game) -> np.ndarray:
        self.games.append(game)
        return game.value(frozenset())

    @property
    def miss(self) -> float:
        """How far the ends of the way are from the densities of the two forecasts, up to a constant, in nats."""
        first, last = self.pool.bridge.log_density[:2]
        return float(max(np.ptp(self.games[0].log_density(frozenset()) - first), np.ptp(self._last - last)))

    def bars(self, *, order_free: bool = True) -> list[Bar]:
        """Return every bar in the order of the way, the error's last.

        ``order_free``: value the subsets of new events; else what they move together is shared in order of arrival
        alone, and order-free numbers of events are missing.
        """
        nothing = np.zeros(len(self.labels))
        bars = [Bar(kind, name, b - a, b - a, nothing) for kind, name, a, b in self._steps]
        for place, stage, game, seconds in reversed(self._contests):
            bars[place:place] = self._event_bars(stage, game, seconds, order_free)
        return [*bars, self.error_bar]

    def _event_bars(self, stage: Stage, game: Game, seconds: float, order_free: bool) -> list[Bar]:
        n = len(stage.players)
        arrival = shapley.in_order(list(range(n)), game.value)
        free, spread = np.full_like(arrival, np.nan), np.zeros_like(arrival)
        if order_free:
            free, spread = self._shared(stage, game, seconds)
        rows = zip(stage.players, free, arrival, spread, strict=True)
        return [Bar("event", player.label, one, two, se[0]) for player, one, two, se in rows]

    def _shared(self, stage: Stage, game: Game, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the events' Shapley values and their errors by sampled orders, and report how it goes."""
        n = len(stage.players)
        every = n <= shapley.MOST_EXACT
        how = f"{2**n} subsets" if every else f"{2 * shapley.ORDERS} orders"
        report(expected(f"Valuing {how} of the {n} new events until {stage.until}", seconds, QUICKER))
        with working("Subsets of the new events", shapley.subsets(n), "subsets") as reached:

            def value(subset: frozenset[int]) -> np.ndarray:
                found = game.value(subset)
                reached(game.valued)
                return found

            if every:
                free = shapley.exact(n, value)
                return free, np.zeros_like(free)
            return shapley.sampled(n, value, shapley.ORDERS, np.random.default_rng([self.pool.seed, 9]))

    @property
    def error_bar(self) -> Bar:
        """``(first value - earlier report) + (later report - last value)``; its error from all four."""
        (one, se_one), (two, se_two) = (reported(f, self.labels) for f in (self.before, self.after))
        off = (self.start[0] - one) + (two - self._at[0])
        rows = np.tile(off, (1 + BLOCKS, 1))
        return Bar("error", "Monte Carlo error", rows, rows, np.sqrt(se_one**2 + se_two**2 + self._gap**2))

    @property
    def _gap(self) -> np.ndarray:
        return error(self._at - self.start)


def origin_of(forecast: Forecast) -> date:
    """Return the origin date of a forecast."""
    return date.fromisoformat(forecast.manifest["origin"])


def _stages(before: Forecast, after: Forecast, growth: Growth) -> list[Stage]:
    """Return the way in one stage, or up to the brief's date and from there on."""
    start, end, spec, new = origin_of(before), origin_of(after), after.specification, growth.newcomers
    if not start < spec.as_of <= end:
        return [Stage(spec, start, end, new, ())]
    early = tuple(n for n in new if n.published <= spec.as_of)
    late = tuple(n for n in new if n.published > spec.as_of)
    return [Stage(_outside(spec), start, spec.as_of, early, ()), Stage(spec, spec.as_of, end, late, early)]


def _outside(spec: Specification) -> Specification:
    """Return the prior file as if the brief came a day later: by its date there is the outside view alone."""
    return spec.model_copy(update={"as_of": spec.as_of + timedelta(days=1)})


def reported(forecast: Forecast, labels: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantities as a forecast's tables give them, and their Monte Carlo errors."""
    names = list(dict.fromkeys(labels.loc[labels["scenario"] == "all", "target"]))
    n = forecast.outcomes.sizes["draw"]
    even = Bridge(np.zeros((1, n)), np.array([n])).weights(np.zeros(n))
    anything = {view: np.full((n, len(SCENARIOS)), 1 / len(SCENARIOS)) for view in VIEWS}
    errors = error(value(anything, rank(forecast.outcomes, names), even))
    views = forecast.tables["scenarios"].set_index(["view", "scenario"])
    summary = forecast.tables["summary"].set_index(["target", "scenario", "horizon_months"])
    values = []
    for place, (target, scenario, horizon, statistic) in enumerate(labels.iloc[:, :4].itertuples(index=False)):
        if target in VIEWS:
            row = views.loc[(forecast.manifest["view"] if target == "view" else target, scenario)]
            p, odds = row["probability"], statistic == "log_odds"
            values.append(logit(p) if odds else p)
            errors[place] = row["mcse"] / (p * (1 - p)) if odds else row["mcse"]
        else:
            values.append(summary.at[(target, scenario, horizon), statistic])
    return np.array(values), errors
