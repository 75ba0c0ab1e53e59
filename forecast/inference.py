"""Gather the evidence, compile once, sample, diagnose."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from forecast.conjugate import draw_conjugate
from forecast.gathered import Evidence, likely_openings
from forecast.gathered import gather as gather  # noqa: PLC0414  (others import it from here)
from forecast.model.figures import figure_effects, log_figures, log_figures_given_scenario
from forecast.model.focal import NewsTerms, news_terms
from forecast.model.hazards import log_hazards
from forecast.model.mode import reference_draws
from forecast.model.priors import draw_priors, hazard_priors
from forecast.monte_carlo import convergence
from forecast.parallel import check
from forecast.progress import report, working
from forecast.settings import Settings as Settings  # noqa: PLC0414  (others import it from here)

CHUNK = 400
"""Draws whose hazards in all cells are held in memory at once."""
MAX_R_HAT, MIN_ESS = 1.01, 400
STATISTICS = ("diverging", "n_steps", "depth", "maxdepth_reached", "energy", "logp", "step_size", "mean_tree_accept")
TARGET_ACCEPT = 0.88
"""Mean acceptance that the step size is tuned to. Below it all trees are equally deep and end half a turn away, so that
means mix fast and variances slowly; above it trees are twice as deep for little."""
POLL = 0.2
"""Seconds after which a thread that samples looks whether it is still wanted."""


class NotConvergedError(RuntimeError):
    """The sampler's output does not pass the gate; the message says what failed and what to try."""

    def __init__(self, failures: list[str]):
        self.failures = failures
        advice = "Try more draws (--draws), more tuning (--tune) or another seed; then look at the priors it names."
        super().__init__(f"not converged: {'; '.join(failures)}. {advice}")


@dataclass(frozen=True)
class Draws:
    """Draws of everything unknown, from the posterior or the prior, with one leading axis of draws.

    ``flat`` are the parameters by name, the conjugate ones included.
    """

    evidence: Evidence
    flat: Mapping[str, np.ndarray] = field(repr=False)

    def __len__(self) -> int:
        return len(self.flat["log_turnover"])

    def take(self, rows: np.ndarray) -> Draws:
        """Return these draws alone."""
        return Draws(self.evidence, {k: v[rows] for k, v in self.flat.items()})

    @cached_property
    def effects(self) -> dict[str, np.ndarray]:
        """What the formulas speak of besides hazards: see `forecast.model.figures`."""
        return figure_effects(self.flat, self.evidence.stated)

    @cached_property
    def news(self) -> NewsTerms | None:
        """The likelihood of first events by scenario, multipliers and tempo; ``None`` before the brief."""
        hazards = self.evidence.hazards
        if hazards.news is None or hazards.statements is None:
            return None
        return news_terms(self.flat, hazards.news, hazards.statements, self.evidence.correction, hazards.regime)

    @cached_property
    def log_news(self) -> np.ndarray:
        """``log p(news | s, theta)``, shape draw, scenario: first events, fines and users; zero where there is none."""
        e = self.evidence
        if self.news is None:
            return np.zeros((len(self), len(e.statements.scenarios)))
        figures = log_figures_given_scenario(self.flat, self.effects, e.stated, e.specification, e.observations)
        return self.news.log_likelihood + figures

    @cached_property
    def by_matter(self) -> np.ndarray:
        """``log p(events of a matter | theta)``, shape draw, matter, up to a constant; the news apart."""
        hazards, out = self.evidence.hazards, []
        for rows in np.array_split(np.arange(len(self)), max(len(self) // CHUNK, 1)):
            part = {name: self.flat[name][rows] for name in hazard_priors(hazards.regime)}
            log_h = log_hazards(part, hazards.cells.covariates, hazards.regime).reshape(len(rows), -1)
            out.append(hazards.matter_count @ log_h.T - hazards.matter_months @ np.exp(log_h).T)
        return np.concatenate(out, axis=1).T

    @cached_property
    def log_likelihoods(self) -> dict[str, np.ndarray]:
        """The log-likelihood of each kind of data, shape draw: ``events``, ``news`` and the figures."""
        e = self.evidence
        news = {} if self.news is None else {"news": logsumexp(self.log_news + e.log_pi, axis=1)}
        return {
            "events": self.by_matter.sum(axis=1),
            **news,
            **log_figures(self.flat, self.effects, e.observations),
        }


@dataclass(frozen=True)
class Posterior:
    """What the sampler gave: ``raw`` parameters and ``exact`` conjugate ones, by name, each chain, draw, ...

    ``statistics`` are the sampler's, per draw. ``r_hat``: that of the chains, by parameter, where their draws were
    reweighted since.
    """

    evidence: Evidence
    settings: Settings
    raw: Mapping[str, np.ndarray] = field(repr=False)
    exact: Mapping[str, np.ndarray] = field(repr=False)
    statistics: Mapping[str, np.ndarray] = field(repr=False)
    r_hat: pd.Series | None = field(default=None, repr=False)

    @cached_property
    def draws(self) -> Draws:
        """All draws, chain after chain."""
        both = {**self.raw, **self.exact}
        flat = {k: v.reshape(v.shape[0] * v.shape[1], *v.shape[2:]) for k, v in both.items()}
        return Draws(self.evidence, flat)

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """One row per sampled parameter, as in ``diagnose``."""
        return diagnose(self.raw, self.evidence, self.r_hat)

    @property
    def divergences(self) -> int:
        """Number of divergent transitions."""
        return int(self.statistics["diverging"].sum())

    @property
    def failures(self) -> list[str]:
        """What keeps these draws from being used, in words; empty when all is well."""
        found = []
        for column, limit, sign in (("r_hat", MAX_R_HAT, 1), ("ess_bulk", MIN_ESS, -1), ("ess_tail", MIN_ESS, -1)):
            excess = (sign * (self.diagnostics[column] - limit)).fillna(np.inf)
            if (excess > 0).any():
                worst = excess.idxmax()
                value, bound = self.diagnostics.loc[worst, column], "at most" if sign > 0 else "at least"
                found.append(
                    f"{column} of {(excess > 0).sum()} parameters, worst {worst} ({value:.4g}, {bound} {limit})"
                )
        if self.divergences:
            found.append(f"{self.divergences} divergences (none allowed)")
        return found

    def require_convergence(self) -> None:
        """Raise ``NotConvergedError`` unless R-hat, bulk and tail ESS and divergences pass the gate."""
        if self.failures:
            raise NotConvergedError(self.failures)


class Compiled:
    """A model compiled once; ``sample`` takes any evidence of the same prior file and coordinates."""

    @working("Compiling the model", usual="20 to 60 s the first time")
    def __init__(self, evidence: Evidence):
        import nutpie  # noqa: PLC0415
        import pytensor  # noqa: PLC0415  (PyMC and nutpie cost seconds: only what samples imports them)

        from forecast.model.build import build_model  # noqa: PLC0415

        self._coords = evidence.coords
        model = build_model(evidence)
        with pytensor.config.change_flags(numba__fastmath=False):  # rounding must not depend on what was cached
            self._model = nutpie.compile_pymc_model(model)

    def sample(self, evidence: Evidence, settings: Settings) -> Posterior:
        """Sample the posterior with nutpie, and draw the conjugate parts; nothing is refused yet.

        An interruption ends the sampler and is raised: chains that were cut short are never returned.
        """
        from forecast.model.build import model_data  # noqa: PLC0415

        if evidence.coords != self._coords:
            raise ValueError("the evidence has other coordinates than the compiled model: compile it anew")
        tree = _sampled(self._model.with_data(**model_data(evidence)), settings)
        raw = {name: np.ascontiguousarray(tree["posterior"][name].values) for name in evidence.priors}
        rng = np.random.default_rng([settings.seed, 1])
        n = settings.chains * settings.draws
        exact = draw_conjugate(evidence.specification, evidence.observations, n, rng)
        exact = {k: v.reshape(settings.chains, settings.draws, *v.shape[1:]) for k, v in exact.items()}
        return Posterior(
            evidence=evidence,
            settings=settings,
            raw=raw,
            exact=exact,
            statistics={k: tree["sample_stats"][k].values for k in STATISTICS},
        )


def _sampled(model: Any, settings: Settings) -> Any:
    """Return what nutpie samples; on any error or interruption the sampler is ended and its draws are dropped.

    nutpie's own waiting turns an interruption into a trace that is cut short, with NaN for what is missing.
    """
    import nutpie  # noqa: PLC0415

    total = settings.chains * (settings.tune + settings.draws)
    with nullcontext() if settings.progress else working("Sampling", total, "draws") as reached:
        sampler = nutpie.sample(
            model,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=min(settings.chains, os.process_cpu_count() or 1),
            target_accept=TARGET_ACCEPT,
            seed=settings.seed,
            progress_bar=settings.progress,
            progress_callback=reached and (lambda chains: reached(sum(chain.finished_draws for chain in chains))),
            progress_rate=1000,
            blocking=False,
        )
        try:
            while True:
                check()
                with suppress(TimeoutError):  # nothing has gone wrong: the sampler is still at work
                    return sampler.wait(timeout=POLL)
        except BaseException:
            sampler.cancel()
            raise


def converged(compiled: Compiled, evidence: Evidence, settings: Settings) -> Posterior:
    """Return draws that pass the gate, of twice as many steps where those of ``settings`` do not.

    Among some hundred parameters chance alone lifts one over the limit of R-hat in about one sampling of a hundred;
    longer chains, unlike another seed, leave that to the chains. Raises ``NotConvergedError`` if they fail too.
    """
    posterior = compiled.sample(evidence, settings)
    try:
        posterior.require_convergence()
    except NotConvergedError as error:
        longer = settings.doubled
        if longer == settings:
            raise
        report(f"{'; '.join(error.failures)}: sampling {longer.tune} + {longer.draws} draws")
        posterior = compiled.sample(evidence, longer)
        posterior.require_convergence()
    return posterior


def diagnose(raw: Mapping[str, np.ndarray], evidence: Evidence, r_hat: pd.Series | None = None) -> pd.DataFrame:
    """Return R-hat (rank-normalised split), bulk and tail ESS, mean, sd and MCSE of every sampled parameter.

    As in ``monte_carlo.convergence``; a parameter that never moves has no R-hat: NaN, which the gate refuses. Draws
    that were reweighted have the ``r_hat`` of their chains, which says whether those met; 1 where no chain had the
    parameter, which then is drawn from its prior.
    """
    table = evidence.priors
    labels, stacked = [], []
    for name, values in raw.items():
        stacked.append(values.reshape(*values.shape[:2], math.prod(values.shape[2:])))  # -1 fails where it is empty
        labels += labels_of(name, table[name].dims, evidence.coords)
    draws = np.moveaxis(np.concatenate(stacked, axis=2), 2, 0)
    of_chains = {} if r_hat is None else {"r_hat": r_hat.reindex(labels, fill_value=1.0).to_numpy()}
    moments = {"mean": draws.mean(axis=(1, 2)), "sd": draws.std(axis=(1, 2), ddof=1)}
    columns = {**moments, **of_chains, **convergence(draws, mixing=r_hat is None)}
    return pd.DataFrame(columns, index=pd.Index(labels, name="parameter"))


def labels_of(name: str, dims: tuple[str, ...], coords: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return ``name[a, b]`` for every element of a parameter, in C order."""
    if not dims:
        return [name]
    index = pd.MultiIndex.from_product([coords[d] for d in dims])
    return [f"{name}[{', '.join(map(str, key if isinstance(key, tuple) else (key,)))}]" for key in index]


def prior_draws(evidence: Evidence, n: int, seed: int) -> Draws:
    """Return ``n`` independent draws of every parameter, conjugate ones included, from the prior file alone."""
    rng = np.random.default_rng([seed, 2])
    flat = draw_priors(evidence.priors, n, rng)
    return Draws(evidence, {**flat, **draw_conjugate(evidence.specification, None, n, rng)})


def brief_draws(evidence: Evidence, n: int, seed: int) -> Draws:
    """Return ``n`` independent draws of what the brief says on its ``as_of``; ``evidence`` is that of the day.

    Hazards come from the reference class's posterior (`reference_draws`), opening rates from resampled draws of
    their prior, conjugate parts from their posterior; all else, of which the record says little, from its prior.
    """
    rng = np.random.default_rng([seed, 10])
    spec, known = evidence.specification, evidence.observations
    prior = prior_draws(evidence, n, seed)
    hazards = reference_draws(evidence.hazards.cells, evidence.regime, n, rng)
    openings, exact = likely_openings(spec, known, n, rng), draw_conjugate(spec, known, n, rng)
    return Draws(evidence, {**prior.flat, **hazards, **openings, **exact})
