"""What the sweeps measure of each trained network."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from gengap.curvature import CurvatureOperator, hessian
from gengap.errors import GengapError
from gengap.measures import Subject
from gengap.measures.baseline import sum_of_squared_weights
from gengap.measures.curvature import loss_sharpness
from gengap.measures.norms import path_norms
from gengap.measures.pac_bayes import bounds_by_loss
from gengap.measures.results import Estimate
from gengap.networks import parameter_count
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats
from gengap.studies.solving import Solution
from gengap.studies.spectra import Spectrum, record_products, spectrum_of, weights_digest

HEADLINE_ALPHA = 1.0
"""The alpha of N_eff where figures and claims show only one."""

LEADING = 100
"""Largest eigenvalues of which the published code sums N_eff."""

HessianOf = Literal["all", "published"]
"""Which Hessian is measured. ``all``: of all parameters, in eval mode. ``published``: as the
published code has it, without biases and batch normalisation (the parameters of one axis), and with
the statistics of mini-batches of :data:`PUBLISHED_BATCH` inputs, as in training."""

PUBLISHED_BATCH = 128


@dataclass(frozen=True)
class Measurements:
    """Quantities of trained networks along leading axes (...); of one network there are none.

    Attributes:
        parameters: how many, whichever the Hessian is of.
        train_loss, test_loss: means over the splits.
        train_error, test_error: fractions of wrong predictions.
        lambda_max, lambda_min: the largest and the smallest eigenvalue of the Hessian of the mean
            training loss.
        negatives: an estimate of how many of its eigenvalues are below -0.01 times the largest.
        negative_mass: an estimate of the sum of the absolute values of all that are below zero.
        squared_norm: of all weights.
        loss_sharpness: see :func:`gengap.measures.curvature.loss_sharpness`.
        path_norm: see :func:`gengap.measures.norms.path_norms`; NaN where there is none.
        pac_bayes: the bound ``pac_bayes_loss_orig``, see
            :func:`gengap.measures.pac_bayes.bounds_by_loss`; NaN where there is none.
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
    path_norm: Floats
    pac_bayes: Floats
    eigenvalues: Floats
    nodes: Floats
    weights: Floats

    @property
    def spectrum(self) -> Spectrum:
        """The spectra of the Hessians."""
        return Spectrum(self.eigenvalues, self.lambda_min, self.nodes, self.weights)

    @property
    def gap(self) -> Floats:
        """The test loss minus the training loss (...)."""
        return self.test_loss - self.train_loss

    @property
    def dimension(self) -> Floats:
        """N_eff (...) at :data:`HEADLINE_ALPHA`."""
        return self.dimension_at(HEADLINE_ALPHA)

    def dimension_at(self, alpha: float) -> Floats:
        """Return N_eff (...) of the whole spectrum."""
        return self.spectrum.dimensions([alpha])[..., 0]

    def leading_dimension_at(self, alpha: float) -> Floats:
        """Return N_eff (...) of the :data:`LEADING` largest eigenvalues, at most of those known."""
        leading = Spectrum(self.eigenvalues[..., :LEADING], self.lambda_min, *np.zeros((2, 0)))
        return leading.leading_dimensions([alpha])[..., 0]


def join(parts: Sequence[Measurements], how: Callable[[list[Floats]], Floats]) -> Measurements:
    """Join measurements, each quantity by a function of arrays such as ``np.stack``."""
    names = [entry.name for entry in fields(Measurements)]
    return Measurements(*(how([getattr(part, name) for part in parts]) for name in names))


def hessian_of(solution: Solution, of: HessianOf) -> CurvatureOperator:
    """Return the Hessian of the mean training loss, see :data:`HessianOf`."""
    network = solution.network
    if of == "all":
        return hessian(network, solution.loss, solution.train)
    left_out = [one for one in network.parameters() if one.dim() < 2 and one.requires_grad]
    for parameter in left_out:
        parameter.requires_grad_(False)
    try:
        return hessian(
            network,
            solution.loss,
            solution.train,
            batch_size=PUBLISHED_BATCH,
            batch_statistics=True,
        )
    finally:
        for parameter in left_out:
            parameter.requires_grad_(True)


def measure(
    context: Context, solution: Solution, eigenvalues: int, of: HessianOf = "all"
) -> Measurements:
    """Measure one network with its final weights, and so many of its largest eigenvalues.

    An interrupted run reads the products with the Hessian that it has computed, and the networks
    that it has measured.

    Returns:
        The measurements, without leading axes.
    """
    operator = hessian_of(solution, of)
    record_products(context, operator, solution.network)

    def computed() -> dict[str, Floats]:
        return _measured(context, solution, operator, eigenvalues)

    quantities = context.kept(f"measured_{weights_digest(solution.network)}", computed)
    if operator.record is not None:
        operator.record.path.unlink(missing_ok=True)
    return Measurements(**quantities)


def _measured(
    context: Context, solution: Solution, operator: CurvatureOperator, eigenvalues: int
) -> dict[str, Floats]:
    """The fields of the measurements."""
    network = solution.network
    spectrum, density = spectrum_of(context, operator, eigenvalues)
    negatives, negative_mass = (estimate.value for estimate in density.negatives())
    train_loss, train_accuracy = solution.on_train()
    test_loss, test_accuracy = solution.on_test()
    subject = Subject(network, None, solution.train, context.generator("sharpness"))
    bounded = Subject(
        network, None, solution.train, context.generator("bounds"), loss=solution.loss
    )
    quantities = {
        "parameters": parameter_count(network),
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
        "path_norm": _path_norm(bounded),
        "pac_bayes": _pac_bayes(bounded),
        "eigenvalues": spectrum.values,
        "nodes": spectrum.nodes,
        "weights": spectrum.weights,
    }
    return {name: np.array(values, float) for name, values in quantities.items()}


def _path_norm(subject: Subject) -> float:
    try:
        return math.exp(path_norms(subject)["log_path_norm"])
    except GengapError:  # the network's outputs are no sum over paths
        return np.nan


def _pac_bayes(subject: Subject) -> float:
    try:
        bound = bounds_by_loss(subject)["pac_bayes_loss_orig"]
    except GengapError:  # no noise raises the loss by so much
        return np.nan
    return float(typing.cast("float", bound.value)) if isinstance(bound, Estimate) else np.nan
