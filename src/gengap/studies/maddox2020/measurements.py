"""A network that is trained in a run, and what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.curvature import hessian
from gengap.curvature.effective_dimension import filter_factors
from gengap.datasets import Dataset, Split
from gengap.measures import Subject
from gengap.measures.curvature import loss_sharpness
from gengap.networks import build
from gengap.seeding import derive, generator
from gengap.studies import Context
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, loss_and_accuracy, train

QUANTITIES = (
    "parameters",
    "train_loss",
    "train_error",
    "test_loss",
    "test_error",
    "lambda_max",
    "lambda_min",
    "negatives",
    "negative_mass",
    "squared_norm",
    "loss_sharpness",
)
SPECTRA = ("eigenvalues", "nodes", "weights")
RUNS, STEPS = 2, 30
"""Of the quadrature of all eigenvalues but the largest."""


@dataclass(frozen=True)
class Spectrum:
    """Spectra of networks (...): the largest eigenvalues, and a quadrature of the others.

    Attributes:
        eigenvalues: (..., k), descending; NaN in the places of those that there are not.
        nodes, weights: (..., q), Ritz values and how many eigenvalues each stands for.
    """

    eigenvalues: NDArray[np.float64]
    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Spectrum:
        """That which an outcome or several of them hold, by name."""
        return cls(*(arrays[name] for name in SPECTRA))

    def dimensions(self, alphas: Sequence[float]) -> NDArray[np.float64]:
        """N_eff (..., alphas) of all eigenvalues."""
        others = [(self.weights * filter_factors(self.nodes, alpha)).sum(-1) for alpha in alphas]
        return np.asarray(self.computed(alphas) + np.stack(others, axis=-1))

    def computed(self, alphas: Sequence[float]) -> NDArray[np.float64]:
        """What the largest eigenvalues alone make of N_eff (..., alphas)."""
        values = np.nan_to_num(self.eigenvalues)
        return np.stack([filter_factors(values, alpha).sum(-1) for alpha in alphas], axis=-1)


@dataclass(frozen=True)
class Solution:
    """A trained network.

    Attributes:
        network: with its final weights, eval mode.
        train: the inputs and the labels that it was trained on.
        test: the test split, to measure the generalisation that the experiments explain.
        loss: of the training.
    """

    network: nn.Module
    train: Split
    test: Split
    loss: str


def solve(
    context: Context, data: Dataset, network: Mapping[str, Any], training: Mapping[str, Any]
) -> Solution:
    """Train one network; all of a run see the same wrong labels."""
    recipe = Recipe.from_mapping({**training, "seed": derive(context.seed, "training")})
    module = build(network_spec(network, data.input_shape, data.classes)).to(context.device)
    result = train(module, data.train, recipe)
    trained_on = Split(data.train.inputs, result.labels, data.classes)
    return Solution(module, trained_on, data.test, recipe.loss)


def measured(
    context: Context, solution: Solution, eigenvalues: int
) -> tuple[dict[str, float], Spectrum]:
    """The :data:`QUANTITIES` of a network, and the spectrum of its Hessian.

    ``negatives`` is an estimate of the number of eigenvalues below -0.01 times the largest,
    ``negative_mass`` one of the sum of the absolute values of all below zero, both over the whole
    spectrum; ``lambda_min`` is the most negative one.

    Args:
        context: of the run.
        solution: the network.
        eigenvalues: how many of the largest are computed; fewer parameters have fewer.

    Returns:
        Numbers by name; the spectrum () of the Hessian of the mean training loss.
    """
    network, seed = solution.network, derive(context.seed, "eigenvalues")
    operator = hessian(network, solution.loss, solution.train)
    found = operator.eigsh(min(eigenvalues, operator.size), seed=seed)
    values = np.full(eigenvalues, np.nan)
    values[: len(found.values)] = found.values
    density = operator.spectral_density(
        RUNS, STEPS, known=found, seed=derive(context.seed, "quadrature")
    )
    nodes, weights = np.zeros(RUNS * STEPS), np.zeros(RUNS * STEPS)
    nodes[: density.nodes.size] = density.nodes.ravel()
    weights[: density.nodes.size] = density.weights.ravel() / len(density.nodes)
    negatives, negative_mass = density.negatives()
    train_loss, train_accuracy = loss_and_accuracy(network, solution.train, solution.loss)
    test_loss, test_accuracy = loss_and_accuracy(network, solution.test, solution.loss)
    subject = Subject(network, None, solution.train, generator(context.seed, "sharpness"))
    numbers = {
        "parameters": float(operator.size),
        "train_loss": train_loss,
        "train_error": 1 - train_accuracy,
        "test_loss": test_loss,
        "test_error": 1 - test_accuracy,
        "lambda_max": float(found.values[0]),
        "lambda_min": float(operator.eigsh(1, "bottom", seed=seed).values[0]),
        "negatives": negatives,
        "negative_mass": negative_mass,
        "squared_norm": float(
            sum(weight.detach().double().square().sum() for weight in network.parameters())
        ),
        "loss_sharpness": loss_sharpness(subject),
    }
    return numbers, Spectrum(values, nodes, weights)
