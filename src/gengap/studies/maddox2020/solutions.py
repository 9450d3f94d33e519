"""A network that is trained in a run, and what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.curvature import effective_dimensionality, hessian
from gengap.curvature.measures import loss_sharpness
from gengap.datasets import Dataset, Split, load
from gengap.networks import build
from gengap.seeding import derive, generator
from gengap.studies import Context
from gengap.tasks.zoo import specify
from gengap.training import Recipe, evaluate, train

QUANTITIES = (
    "parameters",
    "train_loss",
    "train_error",
    "test_loss",
    "test_error",
    "lambda_max",
    "lambda_min",
    "squared_norm",
    "loss_sharpness",
)


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


def data_of(context: Context, dataset: Mapping[str, Any]) -> Dataset:
    """The data of a run: keywords of :func:`gengap.datasets.load`, drawn from the run's seed."""
    return load(**{"data_dir": context.data_dir, "seed": context.seed, **dataset})


def solve(
    context: Context, data: Dataset, network: Mapping[str, Any], training: Mapping[str, Any]
) -> Solution:
    """Train one network; all of a run see the same wrong labels."""
    recipe = Recipe.from_mapping({**training, "seed": derive(context.seed, "training")})
    module = build(specify(network, data.input_shape, data.classes)).to(context.device)
    result = train(module, data.train, recipe)
    trained_on = Split(data.train.inputs, result.labels, data.classes)
    return Solution(module, trained_on, data.test, recipe.loss)


def measured(
    context: Context, solution: Solution, eigenvalues: int
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """The :data:`QUANTITIES` of a network, and its largest eigenvalues.

    Args:
        context: of the run.
        solution: the network.
        eigenvalues: how many; fewer parameters have fewer, and NaN in the places of the others.

    Returns:
        Numbers by name; eigenvalues (``eigenvalues``,) of the Hessian of the mean training loss,
        descending.
    """
    network, seed = solution.network, derive(context.seed, "eigenvalues")
    operator = hessian(network, solution.loss, solution.train)
    values = np.full(eigenvalues, np.nan)
    found = operator.eigsh(min(eigenvalues, operator.size), seed=seed).values
    values[: len(found)] = found
    train_loss, train_accuracy = evaluate(network, solution.train, solution.loss)
    test_loss, test_accuracy = evaluate(network, solution.test, solution.loss)
    sharpness = loss_sharpness(network, None, solution.train, generator(context.seed, "sharpness"))
    numbers = (
        float(operator.size),
        train_loss,
        1 - train_accuracy,
        test_loss,
        1 - test_accuracy,
        float(found[0]),
        float(operator.eigsh(1, "bottom", seed=seed).values[0]),
        float(sum(weight.detach().double().square().sum() for weight in network.parameters())),
        float(sharpness),  # type: ignore[arg-type]
    )
    return dict(zip(QUANTITIES, numbers, strict=True)), values


def dimensions(eigenvalues: NDArray[np.float64], alphas: Sequence[float]) -> NDArray[np.float64]:
    """N_eff (..., alphas) from spectra (..., k) with NaN where there is no eigenvalue."""
    spectra = eigenvalues.reshape(-1, eigenvalues.shape[-1])
    values = [
        [effective_dimensionality(row[np.isfinite(row)], alpha) for alpha in alphas]
        for row in spectra
    ]
    return np.array(values).reshape(*eigenvalues.shape[:-1], len(alphas))
