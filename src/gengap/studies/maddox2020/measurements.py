"""What the sweeps measure of each trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from gengap.curvature import hessian
from gengap.measures import Subject
from gengap.measures.baseline import sum_of_squared_weights
from gengap.measures.curvature import loss_sharpness
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats
from gengap.studies.solving import Solution
from gengap.studies.spectra import Spectrum, spectrum_of

HEADLINE_ALPHA = 1.0
"""The alpha of N_eff where figures and claims show only one."""


@dataclass(frozen=True)
class Measurements:
    """Quantities of trained networks along leading axes (...); of one network there are none.

    Attributes:
        parameters: how many.
        train_loss, test_loss: means over the splits.
        train_error, test_error: fractions of wrong predictions.
        lambda_max, lambda_min: the largest and the smallest eigenvalue of the Hessian of the mean
            training loss.
        negatives: an estimate of how many of its eigenvalues are below -0.01 times the largest.
        negative_mass: an estimate of the sum of the absolute values of all that are below zero.
        squared_norm: of all weights.
        loss_sharpness: see :func:`gengap.measures.curvature.loss_sharpness`.
        eigenvalues, nodes, weights: (..., k) and (..., q), see :attr:`spectrum`.
    """

    parameters: Floats
    train_loss: Floats
    train_error: Floats
    test_loss: Floats
    test_error: Floats
    lambda_max: Floats
    lambda_min: Floats
    negatives: Floats
    negative_mass: Floats
    squared_norm: Floats
    loss_sharpness: Floats
    eigenvalues: Floats
    nodes: Floats
    weights: Floats

    @property
    def spectrum(self) -> Spectrum:
        """The spectra of the Hessians."""
        return Spectrum(self.eigenvalues, self.lambda_min, self.nodes, self.weights)

    @property
    def dimension(self) -> Floats:
        """N_eff (...) at :data:`HEADLINE_ALPHA`."""
        return self.spectrum.dimensions([HEADLINE_ALPHA])[..., 0]


def join(parts: Sequence[Measurements], how: Callable[[list[Floats]], Floats]) -> Measurements:
    """Join measurements, each quantity by a function of arrays such as ``np.stack``."""
    names = [entry.name for entry in fields(Measurements)]
    return Measurements(*(how([getattr(part, name) for part in parts]) for name in names))


def measure(context: Context, solution: Solution, eigenvalues: int) -> Measurements:
    """Measure one network with its final weights, and so many of its largest eigenvalues.

    Returns:
        The measurements, without leading axes.
    """
    network = solution.network
    operator = hessian(network, solution.loss, solution.train)
    spectrum, density = spectrum_of(context, operator, eigenvalues)
    negatives, negative_mass = (estimate.value for estimate in density.negatives())
    train_loss, train_accuracy = solution.on_train()
    test_loss, test_accuracy = solution.on_test()
    subject = Subject(network, None, solution.train, context.generator("sharpness"))
    quantities = {
        "parameters": operator.size,
        "train_loss": train_loss,
        "train_error": 1 - train_accuracy,
        "test_loss": test_loss,
        "test_error": 1 - test_accuracy,
        "lambda_max": spectrum.values[0],
        "lambda_min": spectrum.least,
        "negatives": negatives,
        "negative_mass": negative_mass,
        "squared_norm": sum_of_squared_weights(subject),
        "loss_sharpness": loss_sharpness(subject).value,
        "eigenvalues": spectrum.values,
        "nodes": spectrum.nodes,
        "weights": spectrum.weights,
    }
    return Measurements(**{name: np.array(values, float) for name, values in quantities.items()})
