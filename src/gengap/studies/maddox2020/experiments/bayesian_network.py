"""Posterior contraction in a small Bayesian network.

Maddox et al. 2020, section 4 and figure 4: with more data, the effective dimensionality of the
posterior's covariance falls and that of the Hessian rises. A network of one hidden tanh layer
regresses one number on another, with a prior N(0, v I) and Gaussian noise. Its posterior is sampled
by Hamiltonian Monte Carlo (Neal 2011); the Hessian is that of the negative log-likelihood at the
last sample of each chain. Covariances are computed within each chain and averaged: different chains
may be in modes that differ only by the order and the signs of the hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gengap.curvature import effective_dimensionality, negatives
from gengap.studies.context import Context
from gengap.studies.maddox2020.experiments import posterior_contraction
from gengap.studies.outcomes import Floats, Run

REACH = 2.0
"""Inputs are in [-2, 2]."""
GRID = 100
"""Points of an even grid on it, at which the covariance of the outputs is taken."""
TARGET_ACCEPTANCE = 0.8
FIRST_STEP = 0.02
ADAPTATION = 0.1
"""Change of the logarithm of the step size per unit of excess acceptance."""
DIFFERENCE = 1e-5
"""Difference of weights, for the Hessian by central differences of the exact gradient."""


@dataclass(frozen=True)
class ChainSettings:
    """Hamiltonian Monte Carlo: chains, each from its own draw of the prior, and their lengths."""

    chains: int = 2
    burn_in: int = 300
    samples: int = 500
    leapfrogs: int = 50


@dataclass(frozen=True)
class Settings:
    """A Bayesian network, and how many data n it gets.

    Attributes:
        counts: the numbers of data n.
        width: hidden units; there are 3 width + 1 weights.
        noise, prior_variance: standard deviation of the noise; v.
        hmc: how the posterior is sampled.
        covariance_alpha, hessian_alpha: of the two effective dimensionalities.
    """

    counts: Sequence[int] = (5, 20, 50, 100, 200)
    width: int = 8
    noise: float = 0.2
    prior_variance: float = 3.0
    hmc: ChainSettings = ChainSettings()
    covariance_alpha: float = 5.0
    hessian_alpha: float = 1.0


@dataclass(frozen=True)
class Result(posterior_contraction.Result):
    """The effective dimensionalities, and what that of the Hessian leaves out, means over chains.

    The Hessian of a network need not be positive semi-definite, and its N_eff is that of the
    positive eigenvalues alone.

    Attributes:
        acceptance: mean probability after the burn-in (m,).
        negatives: eigenvalues below zero by more than a millionth of the largest (m,).
        negative_mass: sum of the absolute values of all eigenvalues below zero (m,).
    """

    acceptance: Floats
    negatives: Floats
    negative_mass: Floats


BayesianNetworkRun = Run[Settings, Result]


@dataclass(frozen=True)
class Posterior:
    """The posterior of weights (p,) = (w1, b1, w2, b2) of f(x) = w2 . tanh(w1 x + b1) + b2.

    The data are x and y (n,), ``noise`` is a standard deviation.
    """

    x: Floats
    y: Floats
    noise: float
    prior_variance: float

    def density(self, weights: Floats) -> tuple[float, Floats]:
        """Return the log-density up to a constant, and its gradient (p,)."""
        fit, slope = self.likelihood(weights)
        return (
            fit - float(weights @ weights) / (2 * self.prior_variance),
            slope - weights / self.prior_variance,
        )

    def likelihood(self, weights: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood up to a constant, and its gradient (p,)."""
        inner, shift, outer = np.split(weights[:-1], 3)
        hidden = np.tanh(np.outer(self.x, inner) + shift)
        left = (self.y - hidden @ outer - weights[-1]) / self.noise**2
        back = left[:, None] * outer * (1 - hidden**2)
        slope = np.concatenate([self.x @ back, back.sum(axis=0), left @ hidden, [left.sum()]])
        return -0.5 * self.noise**2 * float(left @ left), slope

    def hessian(self, weights: Floats) -> Floats:
        """Return the Hessian (p, p) of the negative log-likelihood."""
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

    samples: Floats
    acceptance: float


def run(context: Context, settings: Settings) -> Result:
    """Compute both dimensionalities at each number of data; a larger set holds the smaller ones."""
    # The data are outputs of a network of the same kind, drawn from the prior, with noise.
    size = 3 * settings.width + 1
    rng = context.generator("data")
    x = rng.uniform(-REACH, REACH, max(settings.counts))
    teacher = rng.standard_normal(size) * settings.prior_variance**0.5
    inner, shift, outer = np.split(teacher[:-1], 3)
    y = np.tanh(np.outer(x, inner) + shift) @ outer + teacher[-1]
    y += settings.noise * rng.standard_normal(len(x))
    rows = []
    for count in settings.counts:
        posterior = Posterior(x[:count], y[:count], settings.noise, settings.prior_variance)
        chains = [
            hamiltonian(posterior, size, context.generator("chain", count, chain), settings.hmc)
            for chain in range(settings.hmc.chains)
        ]
        rows.append((count, *_contraction(posterior, chains, settings)))
    return Result(*np.array(rows, float).T)


def _contraction(
    posterior: Posterior, chains: Sequence[Chain], settings: Settings
) -> tuple[float, ...]:
    """The fields of the result after ``counts``, for one number of data."""
    variances = np.linalg.eigvalsh(np.mean([np.cov(chain.samples.T) for chain in chains], axis=0))
    spectra = [np.linalg.eigvalsh(posterior.hessian(chain.samples[-1])) for chain in chains]
    below = [negatives(spectrum) for spectrum in spectra]
    alpha = settings.hessian_alpha
    dimensions = [effective_dimensionality(spectrum, alpha) for spectrum in spectra]
    grid = np.linspace(-REACH, REACH, GRID)
    of_outputs = [np.cov(outputs_of(chain.samples, grid).T) for chain in chains]
    function = np.linalg.eigvalsh(np.mean(of_outputs, axis=0)).clip(0)
    return (
        effective_dimensionality(variances, settings.covariance_alpha),
        float(np.mean(dimensions)),
        effective_dimensionality(function, settings.covariance_alpha),
        float(np.mean([chain.acceptance for chain in chains])),
        float(np.mean([part.count for part in below])),
        float(np.mean([part.mass for part in below])),
    )


def outputs_of(samples: Floats, x: Floats) -> Floats:
    """Return the outputs (m, g) of networks of weights (m, p) at x (g,)."""
    inner, shift, outer = np.split(samples[:, :-1, None], 3, axis=1)
    hidden = np.tanh(inner * x + shift)
    return np.asarray((outer * hidden).sum(axis=1) + samples[:, -1:])


def hamiltonian(
    posterior: Posterior, size: int, rng: np.random.Generator, settings: ChainSettings
) -> Chain:
    """Sample a chain of weights (size,) by Hamiltonian Monte Carlo from a draw of the prior."""
    # The step size is adapted to an acceptance of 0.8 in the burn-in, and varied by a tenth from
    # one proposal to the next.
    position = rng.standard_normal(size) * posterior.prior_variance**0.5
    value, slope = posterior.density(position)
    log_step = math.log(FIRST_STEP)
    samples, acceptance = np.empty((settings.samples, size)), 0.0
    for iteration in range(settings.burn_in + settings.samples):
        step = math.exp(log_step) * rng.uniform(0.9, 1.1)
        momentum = rng.standard_normal(size)
        energy = value - 0.5 * momentum @ momentum
        proposal, proposed, proposed_slope = position, value, slope
        for _ in range(settings.leapfrogs):
            momentum = momentum + 0.5 * step * proposed_slope
            proposal = proposal + step * momentum
            proposed, proposed_slope = posterior.density(proposal)
            momentum = momentum + 0.5 * step * proposed_slope
        gain = float(proposed - 0.5 * momentum @ momentum - energy)
        probability = math.exp(min(0.0, gain)) if math.isfinite(gain) else 0.0
        if rng.random() < probability:
            position, value, slope = proposal, proposed, proposed_slope
        if iteration < settings.burn_in:
            log_step += ADAPTATION * (probability - TARGET_ACCEPTANCE)
        else:
            acceptance += probability / settings.samples
            samples[iteration - settings.burn_in] = position
    return Chain(samples, acceptance)
