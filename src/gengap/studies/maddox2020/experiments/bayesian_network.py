"""Posterior contraction in a small Bayesian network.

Maddox et al. 2020, section 4 and figure 4: with more data, the effective dimensionality of the
posterior's covariance falls and that of the Hessian rises. A network of one hidden tanh layer
regresses one number on another, with a prior N(0, v I) and Gaussian noise. Its posterior is sampled
by Hamiltonian Monte Carlo (Neal 2011); the Hessian is that of the negative log-likelihood at the
last sample of each chain. Covariances are those within the chains, averaged: different chains may
be in modes that are the same but for the order and the signs of the hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.curvature import effective_dimensionality, negatives
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.maddox2020.posterior_contraction import contraction

TARGET_ACCEPTANCE = 0.8
FIRST_STEP = 0.02
ADAPTATION = 0.1
"""The logarithm of the step size moves by so much times the error of the acceptance."""
DIFFERENCE = 1e-5
"""Of weights, for the Hessian by central differences of the exact gradient."""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """The posterior of weights (p,) = (w1, b1, w2, b2) of f(x) = w2 . tanh(w1 x + b1) + b2.

    Attributes:
        x, y: data (n,).
        noise, prior_variance: standard deviation of the noise; v.
    """

    x: Vector
    y: Vector
    noise: float
    prior_variance: float

    def density(self, weights: Vector) -> tuple[float, Vector]:
        """The log-density but for a constant, and its gradient (p,)."""
        fit, slope = self.likelihood(weights)
        return (
            fit - float(weights @ weights) / (2 * self.prior_variance),
            slope - weights / self.prior_variance,
        )

    def likelihood(self, weights: Vector) -> tuple[float, Vector]:
        """The log-likelihood but for a constant, and its gradient (p,)."""
        inner, shift, outer = np.split(weights[:-1], 3)
        hidden = np.tanh(np.outer(self.x, inner) + shift)
        left = (self.y - hidden @ outer - weights[-1]) / self.noise**2
        back = left[:, None] * outer * (1 - hidden**2)
        slope = np.concatenate([self.x @ back, back.sum(axis=0), left @ hidden, [left.sum()]])
        return -0.5 * self.noise**2 * float(left @ left), slope

    def hessian(self, weights: Vector) -> NDArray[np.float64]:
        """The Hessian (p, p) of the negative log-likelihood."""
        steps = DIFFERENCE * np.eye(len(weights))
        rows = [
            self.likelihood(weights - step)[1] - self.likelihood(weights + step)[1]
            for step in steps
        ]
        matrix = np.array(rows) / (2 * DIFFERENCE)
        return np.asarray((matrix + matrix.T) / 2)


@dataclass(frozen=True)
class Chain:
    """Samples (m, p), and the mean probability of acceptance after the burn-in."""

    samples: NDArray[np.float64]
    acceptance: float


def run(
    context: Context,
    *,
    counts: Sequence[int] = (5, 20, 50, 100, 200),
    width: int = 8,
    noise: float = 0.2,
    prior_variance: float = 3.0,
    chains: int = 2,
    burn_in: int = 300,
    samples: int = 500,
    leapfrogs: int = 50,
    covariance_alpha: float = 5.0,
    hessian_alpha: float = 1.0,
) -> Outcome:
    """Both dimensionalities at growing numbers of data; a larger set holds the smaller ones.

    The data are a network of the same kind, drawn from the prior, at uniform points of [-2, 2],
    with noise. The Hessian of a network need not be positive semi-definite, and its N_eff is of
    the positive eigenvalues alone, so ``negatives`` and ``negative_mass`` are kept beside it:
    number (beyond a millionth of the largest) and mass of the others, averaged over chains.

    Args:
        context: of the run.
        counts: numbers of data n.
        width: hidden units; p is three times as many and one.
        noise: standard deviation.
        prior_variance: v.
        chains: from different draws of the prior.
        burn_in, samples: of each chain.
        leapfrogs: steps of a proposal.
        covariance_alpha, hessian_alpha: of the two effective dimensionalities.
    """
    size = 3 * width + 1
    rng = generator(context.seed, "data")
    x = rng.uniform(-2, 2, max(counts))
    teacher = rng.standard_normal(size) * prior_variance**0.5
    inner, shift, outer = np.split(teacher[:-1], 3)
    y = np.tanh(np.outer(x, inner) + shift) @ outer + teacher[-1]
    y += noise * rng.standard_normal(len(x))
    rows = []
    for count in counts:
        posterior = Posterior(x[:count], y[:count], noise, prior_variance)
        found = [
            hamiltonian(
                posterior, size, generator(context.seed, "chain", count, chain),
                burn_in, samples, leapfrogs,
            )
            for chain in range(chains)
        ]  # fmt: skip
        variances = np.linalg.eigvalsh(np.mean([np.cov(one.samples.T) for one in found], axis=0))
        curvatures = [np.linalg.eigvalsh(posterior.hessian(one.samples[-1])) for one in found]
        below = [negatives(some) for some in curvatures]
        rows.append(
            (
                count,
                effective_dimensionality(variances, covariance_alpha),
                np.mean([effective_dimensionality(some, hessian_alpha) for some in curvatures]),
                np.mean([one.acceptance for one in found]),
                np.mean([some.count for some in below]),
                np.mean([some.mass for some in below]),
            )
        )
    names = ("counts", "covariance", "hessian", "acceptance", "negatives", "negative_mass")
    return Outcome({}, dict(zip(names, np.array(rows, float).T, strict=True)))


def hamiltonian(
    posterior: Posterior,
    size: int,
    rng: np.random.Generator,
    burn_in: int,
    samples: int,
    leapfrogs: int,
) -> Chain:
    """A chain of Hamiltonian Monte Carlo from a draw of the prior.

    The step size is adapted to an acceptance of 0.8 in the burn-in, and varied by a tenth from one
    proposal to the next.
    """
    position = rng.standard_normal(size) * posterior.prior_variance**0.5
    value, slope = posterior.density(position)
    log_step = math.log(FIRST_STEP)
    kept, accepted = np.empty((samples, size)), 0.0
    for iteration in range(burn_in + samples):
        step = math.exp(log_step) * rng.uniform(0.9, 1.1)
        momentum = rng.standard_normal(size)
        energy = value - 0.5 * momentum @ momentum
        proposal, proposed, proposed_slope = position, value, slope
        for _ in range(leapfrogs):
            momentum = momentum + 0.5 * step * proposed_slope
            proposal = proposal + step * momentum
            proposed, proposed_slope = posterior.density(proposal)
            momentum = momentum + 0.5 * step * proposed_slope
        gain = float(proposed - 0.5 * momentum @ momentum - energy)
        probability = math.exp(min(0.0, gain)) if math.isfinite(gain) else 0.0
        if rng.random() < probability:
            position, value, slope = proposal, proposed, proposed_slope
        if iteration < burn_in:
            log_step += ADAPTATION * (probability - TARGET_ACCEPTANCE)
        else:
            accepted += probability / samples
            kept[iteration - burn_in] = position
    return Chain(kept, accepted)


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``bayesian_network``: both against the number of data."""
    return {"bayesian_network": contraction(runs)}
