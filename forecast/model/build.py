"""The story in PyMC, in the order of ``forecast/model/README.md``: the reference class, the other figures, the news.

Every distribution is written by its name. All data are ``pm.Data``, so that one compiled model serves every origin of
one prior file; ``model_data`` says what they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from forecast.evidence.cells import Covariates
from forecast.evidence.news import News
from forecast.gathered import Evidence
from forecast.model.figures import figure_effects
from forecast.model.focal import news_terms
from forecast.model.hazards import log_hazards
from forecast.model.priors import NormalPrior
from forecast.specification import Specification


def model_data(evidence: Evidence) -> dict[str, np.ndarray]:
    """Return the model's data by name: what ``pm.Data`` holds and a refit replaces. Tables have a row per ...

    ``cells``: cell of person-time (class, stage, log age, year, rules). ``months``, ``counts``: cell, family.
    ``fine_size``: fine (logit share, instrument). ``user_change``: change (see ``Observations``). ``turnover``: figure
    (log, sd). ``openings``: provider (counts and months, usual and raised). With news about the focal matter also
    ``news_cells``; ``news_months``: (foreseen, lived, came), cell, group; ``statements``: group (correction by
    scenario); ``scenarios``: log probability, by scenario; ``new_fines``: sum (EUR), ceiling.
    """
    cells, o = evidence.hazards.cells, evidence.observations
    data = {
        "cells": cells.covariates.table,
        "months": cells.months,
        "counts": cells.count,
        "fine_sizes": np.column_stack([o.size, o.size_instrument]).astype(float),
        "users": o.users,
        "turnovers": np.column_stack([o.turnover, o.turnover_sd]).astype(float),
        "opening_counts": np.column_stack([o.opening_count, o.opening_months]).astype(float),
    }
    if evidence.hazards.news is None:
        return data
    news = evidence.hazards.news
    return data | {
        "news_cells": news.covariates.table,
        "news_months": np.stack([news.foreseen, news.lived, news.came]),
        "correction": evidence.correction,
        "log_pi": evidence.log_pi,
        "new_fines": np.array([o.new_fine_sum, o.new_fine_ceiling]),
    }


def build_model(evidence: Evidence) -> pm.Model:
    """Return the PyMC model of one prior file, with the evidence of one origin as data that can be replaced."""
    spec, regime = evidence.specification, evidence.regime
    data = model_data(evidence)
    with pm.Model(coords={k: list(v) for k, v in evidence.coords.items()}) as model:
        d = {name: pm.Data(name, values) for name, values in data.items()}
        values = {name: _normal(name, prior) for name, prior in evidence.priors.items()}

        # 1  Reference class: events in cells of person-time
        log_hazard = log_hazards(values, _covariates(d["cells"]), regime, pt)
        pm.Potential("events", _poisson(d["counts"], d["months"], log_hazard))

        # 2  Sizes of fines, users, turnover, openings
        effects = figure_effects(values, evidence.stated, pt)
        size, instrument = d["fine_sizes"][:, 0], pt.cast(d["fine_sizes"][:, 1], "int64")
        if evidence.observations.instruments:
            mean = values["size_mean"] + effects["instrument"][instrument]
            pm.Normal("fine_size", mean, pt.exp(values["log_size_spread"]), observed=size)
        pm.Normal("turnover", values["log_turnover"], d["turnovers"][:, 1], observed=d["turnovers"][:, 0])
        users = _user_changes(values, effects, d["users"]) if evidence.observations.services else None
        if users is not None:
            pm.Potential("user_change", pt.sum(users[:, 0] * (1 - d["users"][:, 5])))
        _openings(values, d["opening_counts"])

        # 3  Focal matter: the news, scenarios and tempo summed out
        statements = evidence.hazards.statements
        if evidence.hazards.news is not None and statements is not None:
            months = d["news_months"]
            news = News(_covariates(d["news_cells"]), months[0], months[1], months[2], evidence.hazards.news.first)
            terms = news_terms(values, news, statements, d["correction"], regime, pt, pt.gammaln)
            by_scenario = terms.log_likelihood + _new_fines(values, evidence, d["new_fines"], spec)
            if users is not None:
                by_scenario = by_scenario + pt.sum(users * d["users"][:, 5][:, None], axis=0)
            pm.Potential("news", pt.logsumexp(d["log_pi"] + by_scenario))
    return model


def _normal(name: str, prior: NormalPrior) -> Any:
    return pm.Normal(name, prior.loc, prior.scale, dims=prior.dims)


def _poisson(count: Any, months: Any, log_hazard: Any) -> Any:
    """Log density of ``count ~ Poisson(months * hazard)``, summed, without its constant.

    ``pm.Poisson`` would compute the factorials of the data anew at every step, which takes longer than all the rest.
    """
    return pt.sum(count * log_hazard) - pt.sum(months * pt.exp(log_hazard))


def _covariates(table: Any) -> Covariates:
    """Return the columns of a table of cells by name, as tensors."""
    kind, stage = (pt.cast(table[:, i], "int64") for i in (0, 1))
    return Covariates(kind, stage, table[:, 2], table[:, 3], table[:, 4:])


def _user_changes(values: Any, effects: Any, users: Any) -> Any:
    """Log density of each change of a user count, by scenario (columns); without accrual the columns agree."""
    change, months, service = users[:, 0], users[:, 1], pt.cast(users[:, 2], "int64")
    before, after = (pt.log1p(-effects["attrition"] * users[:, i][:, None]) for i in (3, 4))
    mean = (effects["drift"][service] * months)[:, None] + after - before
    noise = (pt.exp(values["log_user_noise"]) * pt.sqrt(months))[:, None]
    return pm.logp(pm.StudentT.dist(nu=4, mu=mean, sigma=noise), change[:, None])


def _openings(values: Any, table: Any) -> None:
    """Openings by provider: a gamma propensity, its rate raised for a while after escalations."""
    usual, raised = table[:, 0], table[:, 1]
    rate = pt.exp(values["log_opening_rate"])
    usual_hazard, raised_hazard = rate * table[:, 2], rate * table[:, 3] * pt.exp(values["log_raised"])
    mean = usual_hazard + raised_hazard
    total = pt.cast(usual + raised, "int64")
    pm.NegativeBinomial("openings", mu=mean, alpha=pt.exp(values["log_opening_shape"]), observed=total)
    share = pt.clip(raised_hazard / mean, 1e-12, 1 - 1e-12)
    pm.Binomial("openings_raised", n=total, p=share, observed=pt.cast(raised, "int64"))


def _new_fines(values: Any, evidence: Evidence, fines: Any, spec: Specification) -> Any:
    """Log probability that the scenario's sum of fines is at least what has been imposed, by scenario."""
    amount, ceiling = fines[0], fines[1]
    stated = evidence.stated
    if spec.fines.reading == "eur":
        scale = pt.log(pt.maximum(amount, 1e-9))
    else:
        share = pt.clip(amount / (ceiling * pt.exp(values["log_turnover"])), 1e-300, 1 - 1e-6)
        scale = pt.log(share) - pt.log1p(-share)
    survival = pm.logcdf(pm.Normal.dist(0.0, 1.0), -(scale - stated.fine_loc) / stated.fine_sd)
    return pt.switch(amount > 0, survival, 0.0)
