"""The story in PyMC, in the story's order: one function, observed last.

The marginal likelihood of all matters (scenarios summed out, frailties integrated) is one custom operation around
``kernel.marginal``; everything else is plain PyMC. All data are ``pm.Data``, so that one compiled model serves any
origin of one prior file. Nothing is stored beside the parameters: effects and targets are computed after sampling.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numba import njit
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from forecast import kernel
from forecast.elicitation import pool
from forecast.exposure import Exposure
from forecast.files import fingerprint
from forecast.observations import LEAST_ROOM, NO_BOUND, Observations
from forecast.parameters import Constants, Parameter, constants, coordinates, effects, parameters
from forecast.specification import Specification

KERNEL_EFFECTS = (
    "log_rate", "phase", "stage", "authority", "pace", "loading", "severity", "shape", "log_weight", "stated",
)  # fmt: skip
SHAPE = KERNEL_EFFECTS.index("shape")
STUDENT_DF = 4.0
"""Degrees of freedom of the noise in user counts: series are redefined now and then, and leap."""


class MatterLogLikelihood(Op):
    """``kernel.marginal_packed`` as an operation: the log-likelihood, then its gradient in the first eleven inputs."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Take eleven effects and the packed data; give value and gradients."""
        variables = [pt.as_tensor_variable(i) for i in inputs]
        return Apply(self, variables, [pt.dscalar(), *(v.type() for v in variables[:-1])])

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside the numba linker."""
        inputs = [*inputs[:SHAPE], float(inputs[SHAPE]), *inputs[SHAPE + 1 :]]
        for storage, result in zip(output_storage, kernel.marginal_packed(*inputs), strict=True):
            storage[0] = np.asarray(result)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradients by the cotangent of the value; data are not differentiated."""
        return [*(cotangents[0] * g for g in outputs[1:]), pt.zeros_like(inputs[-1])]


@register_funcify_default_op_cache_key(MatterLogLikelihood)
def _numba_matter_log_likelihood(op: MatterLogLikelihood, node: Apply, **kwargs: Any) -> Any:
    marginal = kernel.marginal_packed
    version = int(fingerprint(Path(kernel.__file__).read_bytes())[:12], 16)  # else an older kernel's code is taken

    @njit
    def matter_log_likelihood(
        log_rate, phase, stage, authority, pace, loading, severity, shape, w, stated, other, data
    ):
        value, a, b, c, d, e, f, g, h, i, j, k = marginal(
            log_rate, phase, stage, authority, pace, loading, severity, shape.item(), w, stated, other, data
        )
        return np.asarray(value), a, b, c, d, e, f, g, np.asarray(h), i, j, k

    return matter_log_likelihood, version


TABLES = {"sizes": 2, "users": 6, "turnover": 2, "new_fines": 4, "new_orders": 3, "openings": 4}
"""Columns of each table. ``sizes``: logit share, instrument. ``users``: as in ``Observations``. ``turnover``: log
figure, sd. ``new_fines``: EUR, ceiling, instrument, weight of the brief. ``new_orders``: log probability of the
scope by scenario. ``openings``: counts (usual, raised), months (usual, raised) per provider."""


def model_data(fixed: Constants, exposure: Exposure, observations: Observations) -> dict[str, np.ndarray]:
    """Return the model's data by name: what ``pm.Data`` holds and a refit replaces.

    It is one vector: the lengths of the tables, their columns, and what ``kernel.pack`` makes of the exposure. The
    sampler's compiler takes most of a second for each array of data that a model names.
    """
    o = observations
    tables = {
        "sizes": np.column_stack([o.size, o.size_instrument]),
        "users": o.users,
        "turnover": np.column_stack([o.turnover, o.turnover_sd]),
        "new_fines": np.column_stack(
            [
                o.new_fine_amount,
                o.new_fine_ceiling,
                o.new_fine_instrument,
                np.full(len(o.new_fine_amount), fixed.pooling),
            ]
        ),
        "new_orders": fixed.log_scope[o.new_order_scopes],
        "openings": np.column_stack([o.opening_count, o.opening_months]),
    }
    lengths = [len(tables[name]) for name in TABLES]
    parts = [np.ravel(tables[name].T) for name in TABLES]
    return {"evidence": np.concatenate([lengths, *parts, kernel.pack(exposure, fixed.log_pi)]).astype(float)}


def _unpack(evidence: Any) -> tuple[dict[str, list[Any]], Any]:
    """Return the columns of each table, and the rest of the vector, for the kernel."""
    start, tables = len(TABLES), {}
    for i, (name, columns) in enumerate(TABLES.items()):
        rows = pt.cast(evidence[i], "int64")
        tables[name] = [evidence[start + j * rows : start + (j + 1) * rows] for j in range(columns)]
        start = start + columns * rows
    return tables, evidence[start:]


def build_model(spec: Specification, exposure: Exposure, observations: Observations) -> pm.Model:
    """Return the PyMC model of one prior file, with the evidence of one origin as its data.

    The free variables are those of ``parameters.parameters``, each normal; ``log_turnover`` is moved by ``_turnover``
    where fines bound it. The potentials are: what that moving changes, matters (history and news), sizes of fines, user
    counts, turnover, openings.
    """
    coords = coordinates(exposure, observations)
    fixed = constants(spec, exposure)
    with pm.Model(coords=coords) as model:
        (vector,) = (pm.Data(k, v) for k, v in model_data(fixed, exposure, observations).items())
        data, matters_data = _unpack(vector)
        table = parameters(spec, coords)
        raw = {name: pm.Normal(name, p.loc, p.scale, dims=p.dims) for name, p in table.items()}
        raw["log_turnover"], change = _turnover(raw["log_turnover"], table["log_turnover"], data["new_fines"])
        pm.Potential("above_fines", change)
        e = effects(raw, fixed, pt)

        # Users: log changes drift with the service and leap with heavy-tailed noise; the focal series' news also
        # feels the attrition that has accrued, scenario by scenario.
        users = _users(raw, e, data["users"])
        is_news = data["users"][5][:, None]
        if observations.services:
            pm.Potential("users", ((1 - is_news) * users)[:, 0].sum())

        # Matters: events, silence and closings, whichever scenario they belong to; the focal one with its news.
        other = _new_fines(spec, fixed, raw, e, data["new_fines"]) + pt.sum(is_news * users, axis=0)
        other += pt.stack([pt.sum(column) for column in data["new_orders"]])
        inputs = [*(e[k] for k in KERNEL_EFFECTS), other, matters_data]
        pm.Potential("matters", MatterLogLikelihood()(*inputs)[0])

        # Sizes: logit(fine / (ceiling * turnover)) ~ Normal(mean + instrument, spread).
        size, instrument = data["sizes"]
        mean = raw["size_mean"] + e["instrument"][pt.cast(instrument, "int64")]
        pm.Potential("sizes", _normal(size, mean, pt.exp(raw["log_size_spread"])).sum())

        # Turnover: the latest published figure, as good as its spread and its age.
        figure, sd = data["turnover"]
        pm.Potential("turnover_figure", _normal(figure, raw["log_turnover"], sd).sum())

        # Openings: a gamma propensity per provider, integrated; its rate is raised for a while after escalations.
        pm.Potential("openings", _openings(raw, data["openings"]))
    return model


def _normal(x: Any, loc: Any, scale: Any) -> Any:
    return -0.5 * ((x - loc) / scale) ** 2 - pt.log(scale) - 0.5 * np.log(2 * np.pi)


def _student(x: Any, loc: Any, scale: Any) -> Any:
    """Student's t with four degrees of freedom: ``3/8 (1 + z^2/4)^(-5/2) / scale``."""
    z = (x - loc) / scale
    return np.log(3 / 8) - (STUDENT_DF + 1) / 2 * pt.log1p(z**2 / STUDENT_DF) - pt.log(scale)


def _turnover(z: Any, prior: Parameter, fines: Any) -> tuple[Any, Any]:
    """Return ``log_turnover = log(exp(bound) + exp(z))``, and what its prior density is above that of ``z``.

    A fine cannot exceed its ceiling, so the turnover lies above all of ``amount / ceiling``. Next to that wall the
    sampler diverges; ``z``, which it moves instead, has none. ``above_fines`` maps its draws back.
    """
    amount, ceiling, *_ = fines
    bound = pt.max(pt.concatenate([pt.log(amount) - pt.log(ceiling), [NO_BOUND]]))
    x = pt.logaddexp(bound + LEAST_ROOM, z)
    loc, scale = float(prior.loc), float(prior.scale)
    return x, _normal(x, loc, scale) - _normal(z, loc, scale) + z - x


def _new_fines(spec: Specification, fixed: Constants, raw: Any, e: Any, fines: Any) -> Any:
    """Log density of new focal fines by scenario, as ``likelihood.new_fines``; a steep wall beyond the ceiling."""
    amount, ceiling, instrument, weight = fines
    log_amount, log_ceiling = pt.log(amount), pt.log(ceiling) + raw["log_turnover"]
    log_share = log_amount - log_ceiling
    wall = pt.sum(-1e4 * pt.maximum(log_share + 1e-6, 0.0))
    law = fixed.fine_loc, fixed.fine_sd
    if spec.fines.reading == "eur":
        below = pm.logcdf(pm.Normal.dist(*law), log_ceiling[:, None])
        return pt.sum(_normal(log_amount[:, None], *law) - below - log_amount[:, None], axis=0) + wall
    own = pt.concatenate([e["instrument"], [0.0]])[pt.cast(instrument, "int64")]
    law = pool(weight[:, None], law, ((raw["size_mean"] + own)[:, None], pt.exp(raw["log_size_spread"])))
    inside = pt.minimum(log_share, -1e-6)
    rest = pt.log(-pt.expm1(inside))
    return pt.sum(_normal((inside - rest)[:, None], *law) - (log_amount + rest)[:, None], axis=0) + wall


def _users(raw: Any, e: Any, users: Any) -> Any:
    """Log density of each change of a user count, by scenario (columns); without accrual the columns agree."""
    change, months, service, *felt, _ = users
    drift = e["drift"][pt.cast(service, "int64")] * months
    before, after = (pt.log1p(-e["attrition"] * part[:, None]) for part in felt)
    noise = pt.exp(raw["log_user_noise"]) * pt.sqrt(months)
    return _student(change[:, None], drift[:, None] + after - before, noise[:, None])


def _openings(raw: Any, openings: Any) -> Any:
    """``sum_p log E[prod_j Poisson]``, ``k_p ~ Gamma(shape, shape)`` integrated: negative binomial totals.

    ``sum_p log Gamma(shape + n_p) / Gamma(shape)`` is ``sum_j log(shape + j)`` times the providers with more than j.
    """
    log_rate, shape = raw["log_opening_rate"], pt.exp(raw["log_opening_shape"])
    usual, raised, usual_months, raised_months = openings
    count = usual + raised
    steps = pt.arange(pt.max(pt.concatenate([[0.0], count])))
    more = pt.sum(count[:, None] > steps, axis=0)
    hazard = pt.exp(log_rate) * (usual_months + raised_months * pt.exp(raw["log_raised"]))
    return (
        (count * log_rate + raised * raw["log_raised"]).sum()
        + (more * pt.log(shape + steps)).sum()
        + (shape * pt.log(shape) - (shape + count) * pt.log(shape + hazard)).sum()
    )
