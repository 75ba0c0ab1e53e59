"""Convergence, Monte Carlo errors and smoothed weights of draws, in NumPy, of many quantities at once.

The numbers are ArviZ's, and tests hold them equal; but importing ArviZ takes longer than reweighting a forecast, and it
goes through quantities one by one. Chains and draws are the last two axes here; those before tell quantities apart.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, ndtri

FEWEST_CHAINS, FEWEST_DRAWS, FEWEST_IN_TAIL = 2, 4, 5
TAILS = (0.05, 0.95)


def convergence(values: np.ndarray, *, mixing: bool = True) -> dict[str, np.ndarray]:
    """Return ``r_hat``, ``ess_bulk``, ``ess_tail`` and ``mcse_mean`` of draws (..., chain, draw), each of shape (...).

    Vehtari et al. 2021, doi:10.1214/20-BA1221. ``r_hat``: the larger of the two of normal scores and of normal scores
    of the distance from the median, chains split in two. ``ess_bulk``: of the normal scores. ``ess_tail``: the smaller
    of the two of lying below the 5 % and the 95 % quantile. NaN where any draw is NaN, where there are fewer than two
    chains of four draws, and, for R-hat, where no chain ever moves. Without ``mixing`` there is no R-hat.
    """
    if values.shape[-2] < FEWEST_CHAINS or values.shape[-1] < FEWEST_DRAWS:
        names = ("r_hat", "ess_bulk", "ess_tail", "mcse_mean")[not mixing :]
        return dict.fromkeys(names, np.full(values.shape[:-2], np.nan))
    split = _split(values)
    scores = _normal_scores(split)
    limits = np.quantile(values, TAILS, axis=(-2, -1))[..., None, None]
    found = {"r_hat": np.fmax(_r_hat(scores), _r_hat(_folded(split)))} if mixing else {}
    found |= {
        "ess_bulk": _ess(scores),
        "ess_tail": np.minimum(*(_ess(_split((values <= limit).astype(float))) for limit in limits)),
        "mcse_mean": mcse(values),
    }
    unknown = np.isnan(values).any(axis=(-2, -1))
    return {name: np.where(unknown, np.nan, column) for name, column in found.items()}


def mcse(values: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo error of the mean of draws (..., chain, draw): ``sd / sqrt(ess)``, zero for constants.

    NaN where any draw is NaN, and where chains have fewer than four draws.
    """
    if values.shape[-1] < FEWEST_DRAWS:
        return np.full(values.shape[:-2], np.nan)
    return np.std(values, axis=(-2, -1), ddof=1) / np.sqrt(_ess(_split(values)))


def _split(values: np.ndarray) -> np.ndarray:
    """Return each chain as two of half its length, without the middle draw of an odd number."""
    half = values.shape[-1] // 2
    return np.concatenate([values[..., :half], values[..., -half:]], axis=-2)


def _folded(split: np.ndarray) -> np.ndarray:
    """Return normal scores of the distance from the median."""
    return _normal_scores(np.abs(split - np.median(split, axis=(-2, -1), keepdims=True)))


def _normal_scores(split: np.ndarray) -> np.ndarray:
    """Return ``Phi^-1((rank - 3/8) / (n + 1/4))`` of each draw among all of its quantity; equal draws share ranks."""
    flat = split.reshape(*split.shape[:-2], -1)
    order, n = np.argsort(flat, axis=-1), flat.shape[-1]
    ordered = np.take_along_axis(flat, order, axis=-1)
    step, place = ordered[..., 1:] != ordered[..., :-1], np.arange(n)
    edge = np.ones((*flat.shape[:-1], 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, step], axis=-1), place, 0), axis=-1)
    last = np.where(np.concatenate([step, edge], axis=-1), place, n - 1)
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
    by_rank = ndtri((np.arange(2 * n - 1) / 2 + 5 / 8) / (n + 1 / 4))  # of the ranks 1, 1.5, 2, ...
    scores = np.empty(flat.shape)
    np.put_along_axis(scores, order, by_rank[first + last], axis=-1)
    return scores.reshape(split.shape)


@np.errstate(invalid="ignore", divide="ignore")  # draws that never move: zero by zero is NaN
def _r_hat(split: np.ndarray) -> np.ndarray:
    """Return ``sqrt((between / within + n - 1) / n)`` of split chains of n draws."""
    n = split.shape[-1]
    between = n * np.var(split.mean(axis=-1), axis=-1, ddof=1)
    within = np.mean(np.var(split, axis=-1, ddof=1), axis=-1)
    return np.sqrt((between / within + n - 1) / n)


@np.errstate(invalid="ignore", divide="ignore")
def _ess(split: np.ndarray) -> np.ndarray:
    """Return ``size / (1 + 2 sum rho_t)`` of split chains, at most ``size log10(size)``; ``size`` for constants.

    The sum goes over Geyer's initial monotone sequence of pairs of autocorrelations (doi:10.1214/ss/1177011137).
    """
    *_, chains, n = split.shape
    size = chains * n
    wave = np.fft.rfft(split - split.mean(axis=-1, keepdims=True), n=2 * n)
    power = wave.real**2 + wave.imag**2
    covariance = np.fft.irfft(power.mean(axis=-2), n=2 * n)[..., :n] / n  # by lag, the mean over chains
    within, between = covariance[..., :1] * n / (n - 1), np.var(split.mean(axis=-1), axis=-1, ddof=1)[..., None]
    rho = 1 - (within - covariance) / (covariance[..., :1] + between)
    rho[..., 0] = 1
    even, odd = rho[..., 0::2], rho[..., 1::2]
    pairs = max((n - 1) // 2, 1)
    sums = even[..., :pairs] + odd[..., :pairs]
    ends = sums <= 0
    ends[..., -1] = True
    end = np.argmax(ends, axis=-1)[..., None]
    monotone = np.where(np.arange(pairs) < end, np.minimum.accumulate(sums, axis=-1), 0.0)
    last, its_sum = (np.take_along_axis(x, end, axis=-1)[..., 0] for x in (even, sums))
    time = 2 * monotone.sum(axis=-1) - 1 + np.where(its_sum < 0, np.maximum(last, 0), last)
    constant = np.ptp(split, axis=(-2, -1)) < np.finfo(float).resolution
    return np.where(constant, size, size / np.maximum(time, 1 / np.log10(size)))


def smoothed_weights(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Return normalised log weights, the largest replaced by quantiles of a Pareto distribution, and its shape, k-hat.

    Pareto smoothed importance sampling: Vehtari et al. 2024, jmlr.org/papers/v25/19-556.html. The shape is NaN, and
    nothing is smoothed, where the largest weights are too few or too much alike to tell it.
    """
    log_weight = log_ratio - log_ratio.max()
    n = len(log_weight)
    n_tail = int(3 * np.sqrt(n)) if n > 225 else n // 5
    order = np.argsort(log_weight)
    tail, below = order[n - n_tail :], np.exp(log_weight[order[n - n_tail - 1]])
    shape, scale = _pareto(np.exp(log_weight[tail]) - below) if n_tail >= FEWEST_IN_TAIL else (np.nan, np.nan)
    if np.isfinite(shape):
        upto = np.arange(0.5, n_tail) / n_tail
        quantiles = np.log(below + scale * np.expm1(-shape * np.log1p(-upto)) / shape)
        log_weight[tail] = np.minimum(quantiles, log_weight[tail[-1]])
    return log_weight - logsumexp(log_weight), shape


def _pareto(excess: np.ndarray) -> tuple[float, float]:
    """Return shape and scale of the generalised Pareto distribution of sorted ``excess``, the shape drawn to 1/2.

    Posterior mean of ``shape / scale`` over a grid: Zhang and Stephens 2009, doi:10.1198/tech.2009.08017.
    """
    n, quartile = len(excess), excess[int(len(excess) / 4 - 0.5)]
    if quartile <= excess[0]:
        return np.nan, np.nan
    size = 30 + int(np.sqrt(n))
    grid = (1 - np.sqrt(size / (np.arange(1, size + 1) - 0.5))) / (3 * quartile) + 1 / excess[-1]
    shapes = np.mean(np.log1p(-grid[:, None] * excess), axis=1)
    log_density = n * (np.log(-grid / shapes) - shapes - 1)
    weight = np.exp(log_density - logsumexp(log_density))
    likely = weight >= 10 * np.finfo(float).eps
    ratio = np.sum(grid[likely] * (weight[likely] / weight[likely].sum()))
    shape = np.mean(np.log1p(-ratio * excess))
    return float((n * shape + 5) / (n + 10)), float(-shape / ratio)
