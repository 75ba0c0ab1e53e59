"""The story in PyMC, in the story's order: one function, observed last.

The marginal likelihood of all matters (scenarios summed out, frailties integrated) is one custom operation around
``kernel.marginal``; everything else is plain PyMC. All data are ``pm.Data``, so that one compiled model serves any
origin of one prior file. Nothing is stored beside the parameters: effects and targets are computed after sampling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numba import njit
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from forecast import kernel
from forecast.exposure import Exposure
from forecast.observations import Observations
from forecast.parameters import constants, coordinates, effects, parameters
from forecast.specification import Specification

EXPOSURE_DATA = (
    "row_matter", "row_class", "row_provider", "months", "event_row", "event_family", "event_cell",
    "group_family", "news_months", "first_months", "stated_months", "news_row", "news_family", "news_cell",
    "news_group",
)  # fmt: skip
KERNEL_EFFECTS = (
    "log_rate", "phase", "stage", "authority", "pace", "loading", "severity", "shape", "log_weight", "stated",
)  # fmt: skip
STUDENT_DF = 4.0
"""Degrees of freedom of the noise in user counts: series are redefined now and then, and leap."""


class MatterLogLikelihood(Op):
    """``kernel.marginal`` as an operation: the log-likelihood first, then its gradient in the first eleven inputs."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Wrap inputs; outputs have the types of value and gradients."""
        variables = [pt.as_tensor_variable(i) for i in inputs]
        return Apply(self, variables, [pt.dscalar(), *(v.type() for v in variables[:11])])

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside the numba linker."""
        months = inputs[16].reshape(len(inputs[16]), 1, -1)
        for storage, result in zip(
            output_storage, kernel.marginal(*inputs[:16], months, *inputs[17:]), strict=True
        ):
            storage[0] = np.asarray(result)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradients by the cotangent of the value; data are not differentiated."""
        gradients = [cotangents[0] * g for g in outputs[1:]]
        return gradients + [pt.zeros_like(i, dtype="float64") for i in inputs[11:]]


@register_funcify_default_op_cache_key(MatterLogLikelihood)
def _numba_matter_log_likelihood(op: MatterLogLikelihood, node: Apply, **kwargs: Any) -> Any:
    marginal = kernel.marginal

    @njit
    def matter_log_likelihood(
        log_rate, phase, stage, authority, pace, loading, severity, shape, log_weight, stated, other,
        inside, log_pi, row_matter, row_class, row_provider, months, event_row, event_family, event_cell,
        group_family, news_months, first_months, stated_months, news_row, news_family, news_cell, news_group,
    ):  # fmt: skip
        rows = months.reshape(len(months), 1, months.shape[1])
        value, a, b, c, d, e, f, g, h, i, j, k = marginal(
            log_rate, phase, stage, authority, pace, loading, severity, shape.item(), log_weight, stated, other,
            inside.item(), log_pi, row_matter, row_class, row_provider, rows, event_row, event_family, event_cell,
            group_family, news_months, first_months, stated_months, news_row, news_family, news_cell, news_group,
        )  # fmt: skip
        return np.asarray(value), a, b, c, d, e, f, g, np.asarray(h), i, j, k

    return matter_log_likelihood


def model_data(spec: Specification, exposure: Exposure, observations: Observations) -> dict[str, np.ndarray]:
    """Return every observed array of the model by name: what ``pm.Data`` holds and a refit replaces."""
    fixed = constants(spec, exposure)
    data = {name: getattr(exposure, name) for name in EXPOSURE_DATA}
    data["inside"] = np.array(float(exposure.inside))
    data["log_pi"] = fixed.log_pi
    totals = observations.opening_count.sum(axis=1)
    data["opening_more"] = (totals[:, None] > np.arange(64)).sum(axis=0).astype(float)
    for name in ("opening_count", "opening_months", "size", "user_change", "user_months", "new_user_change",
                 "new_user_months", "new_user_accrual", "turnover", "turnover_sd", "new_fine_amount",
                 "new_fine_ceiling", "size_instrument", "user_service", "focal_service"):  # fmt: skip
        data[name] = np.asarray(getattr(observations, name))
    if (totals > 64).any():
        raise ValueError("more than 64 openings against one provider: raise the length of opening_more")
    return data


def build_model(spec: Specification, exposure: Exposure, observations: Observations) -> pm.Model:
    """Return the PyMC model of one prior file, with the evidence of one origin as its data.

    The free variables are those of ``parameters.parameters``, each normal. The potentials are, in order: matters
    (history and news), sizes of fines, user counts, turnover, openings.
    """
    coords = coordinates(exposure, observations)
    fixed = constants(spec, exposure)
    with pm.Model(coords=coords) as model:
        data = {k: pm.Data(k, v) for k, v in model_data(spec, exposure, observations).items()}
        raw = {
            name: pm.Normal(name, p.loc, p.scale, dims=p.dims)
            for name, p in parameters(spec, coords).items()
        }
        e = effects(raw, fixed, pt)

        # Matters: events, silence and closings, whichever scenario they belong to; the focal one with its news.
        amounts = _new_fines(spec, fixed, raw, data)
        other = amounts + _new_users(spec, raw, e, data)
        inputs = [*(e[k] for k in KERNEL_EFFECTS), other, data["inside"], data["log_pi"]]
        matters = MatterLogLikelihood()(*inputs, *(data[k] for k in EXPOSURE_DATA))[0]
        pm.Potential("matters", matters)

        # Sizes: logit(fine / (ceiling * turnover)) ~ Normal(mean + instrument, spread).
        sizes = raw["size_mean"] + e["instrument"][data["size_instrument"]]
        pm.Potential("sizes", _normal(data["size"], sizes, pt.exp(raw["log_size_spread"])).sum())

        # Users: log changes drift with the service and leap with heavy-tailed noise.
        if observations.services:
            change = e["drift"][data["user_service"]] * data["user_months"]
            noise = pt.exp(raw["log_user_noise"]) * pt.sqrt(data["user_months"])
            pm.Potential("users", _student(data["user_change"], change, noise).sum())

        # Turnover: the latest published figure, as good as its spread and its age.
        pm.Potential("turnover_figure", _normal(data["turnover"], raw["log_turnover"], data["turnover_sd"]).sum())

        # Openings: a gamma propensity per provider, integrated; its rate is raised for a while after escalations.
        pm.Potential("openings", _openings(raw, data))
    return model


def _normal(x: Any, loc: Any, scale: Any) -> Any:
    return -0.5 * ((x - loc) / scale) ** 2 - pt.log(scale) - 0.5 * np.log(2 * np.pi)


def _student(x: Any, loc: Any, scale: Any) -> Any:
    """Student's t with four degrees of freedom: ``3/8 (1 + z^2/4)^(-5/2) / scale``."""
    z = (x - loc) / scale
    return np.log(3 / 8) - (STUDENT_DF + 1) / 2 * pt.log1p(z**2 / STUDENT_DF) - pt.log(scale)


def _new_fines(spec: Specification, fixed: Any, raw: Any, data: Any) -> Any:
    """Log density of new focal fines by scenario; the amount may not exceed its ceiling (a steep wall beyond)."""
    log_ceiling = pt.log(data["new_fine_ceiling"]) + raw["log_turnover"]
    log_amount = pt.log(data["new_fine_amount"])
    log_share = log_amount - log_ceiling
    wall = pt.sum(-1e4 * pt.maximum(log_share + 1e-6, 0.0))
    if spec.fines.reading == "eur":
        x, jacobian = log_amount, -log_amount
    else:
        inside = pt.minimum(log_share, -1e-6)
        rest = pt.log(-pt.expm1(inside))
        x, jacobian = inside - rest, -log_amount - rest
    density = _normal(x[:, None], fixed.fine_loc, fixed.fine_sd) + jacobian[:, None]
    return pt.sum(density, axis=0) + wall


def _new_users(spec: Specification, raw: Any, e: Any, data: Any) -> Any:
    """Log density of the focal series' changes after ``as_of``, by scenario: drift, noise and attrition."""
    if spec.users is None or spec.impacts is None:
        return pt.zeros(3)
    focal = e["drift"][data["focal_service"]]
    months = data["new_user_months"][:, None]
    felt = pt.log1p(-e["attrition"] * data["new_user_accrual"][:, 1, None]) - pt.log1p(
        -e["attrition"] * data["new_user_accrual"][:, 0, None]
    )
    noise = pt.exp(raw["log_user_noise"]) * pt.sqrt(months)
    return pt.sum(_student(data["new_user_change"][:, None], focal * months + felt, noise), axis=0)


def _openings(raw: Any, data: Any) -> Any:
    """``sum_p log E[prod_j Poisson]``, ``k_p ~ Gamma(shape, shape)`` integrated: negative binomial totals per provider."""
    log_rate = pt.stack([raw["log_opening_rate"], raw["log_opening_rate"] + raw["log_raised"]])
    shape = pt.exp(raw["log_opening_shape"])
    count = data["opening_count"].sum(axis=1)
    hazard = (data["opening_months"] * pt.exp(log_rate)).sum(axis=1)
    more = data["opening_more"]
    return (
        (data["opening_count"] * log_rate).sum()
        + (more * pt.log(shape + pt.arange(64))).sum()
        + (shape * pt.log(shape) - (shape + count) * pt.log(shape + hazard)).sum()
    )
