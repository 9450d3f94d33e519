"""Criteria of the last layer: Takeuchi's, and what leaving one input out would change."""

from __future__ import annotations

import logging

import numpy as np
from torch import Tensor

from gengap.measures.information.evidence import check_loss
from gengap.measures.information.last_layer import LastLayer, last_layer
from gengap.measures.plain import plain_network
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import predictions, tensor_of

log = logging.getLogger(__name__)

INPUTS = 1000
"""Number of training inputs that are left out, one at a time; all, if there are fewer."""


@measure(
    "takeuchi_last_layer", "influence_leave_one_out", "approximate_leave_one_out_loss",
    "approximate_leave_one_out_accuracy", needs={"fitting_outputs"}, estimates_gap=True,
    draws=2,
)  # fmt: skip
def last_layer_criteria(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute four estimates of the gap from the last layer alone, all features being fixed.

    The last layer is a generalised linear model of its features. Each of at most 1000 training
    inputs is left out in turn, at the prior precision delta of the largest evidence of this layer.
    The weights are taken as a minimum of the summed loss plus delta/2 times the squared distance
    from some centre, so they need not be a minimum of the loss. Of larger training sets the matrix
    H is that of the drawn inputs, in proportion.

    Equation:
        With outputs f_i = J_i theta, r_i and Lambda_i the first two derivatives of the loss l_i in
        them, H = sum_i J_i' Lambda_i J_i, N(0, I / delta) the prior of the largest evidence, and
        K_i = J_i (H + delta I)^-1 J_i':
        - ``takeuchi_last_layer``: mean_i r_i' K_i r_i, which is tr(C ((H + delta I) / n)^-1) / n
          with C the second moment of the gradients: the gap of losses to first order in what each
          input changes.
        - ``influence_leave_one_out``: mean_i l_i(f_i + K_i r_i) - l_i(f_i), the gap of losses at
          the outputs that influence functions predict without the input.
        - ``approximate_leave_one_out_loss``: mean_i l_i(h_i) - l_i(f_i), where h_i = f_i + K_i
          (I - Lambda_i K_i)^-1 r_i is the output after one Newton step of the objective without the
          input.
        - ``approximate_leave_one_out_accuracy``: the accuracy at f_i less that at h_i; left out
          where the targets are numbers.

    Source:
        - ``takeuchi_last_layer``: Thomas et al. 2020, "On the interplay between noise and curvature
          and its effect on optimization and generalization".
        - ``influence_leave_one_out``: Koh and Liang 2017, "Understanding black-box predictions via
          influence functions".
        - ``approximate_leave_one_out_loss``, ``approximate_leave_one_out_accuracy``: Rad and Maleki
          2020, "A scalable estimate of the out-of-sample prediction error via approximate
          leave-one-out cross-validation".

    Scale: linear, in the units of the loss or of the accuracy.

    Returns:
        The four measures by name.

    Raises:
        GengapError: the network does not end in a linear layer, or it is too large.
    """
    check_loss(subject.loss)
    network, train = plain_network(subject), subject.train.sample(INPUTS, subject.rng)
    total = len(subject.train.labels)
    layer = last_layer(network, train, total, subject.loss, subject.parameters)
    log.info("prior precision of the last layer: %.4g", layer.precision)
    return estimates(layer, layer.precision)


def estimates(layer: LastLayer, precision: float) -> dict[str, float | LeftOut]:
    """Compute the four measures of a last layer at a prior precision."""
    leverages = layer.leverages(precision)
    slopes = layer.slopes @ layer.directions
    influenced = np.einsum("nab,nb->na", leverages, slopes)
    left_out = _outputs(layer, _newton_steps(layer, leverages, slopes))
    before = float(layer.losses(layer.outputs).mean())
    values: dict[str, float | LeftOut] = {
        "takeuchi_last_layer": float((slopes * influenced).sum(axis=1).mean()),
        "influence_leave_one_out": _mean_loss(layer, _outputs(layer, influenced)) - before,
        "approximate_leave_one_out_loss": _mean_loss(layer, left_out) - before,
    }
    if layer.labels.is_floating_point():
        values["approximate_leave_one_out_accuracy"] = LeftOut(
            "The measure 'approximate_leave_one_out_accuracy' needs classes, and the targets of "
            "these data are numbers: do without this measure."
        )
    else:
        gap = _accuracy(layer, layer.outputs) - _accuracy(layer, left_out)
        values["approximate_leave_one_out_accuracy"] = gap
    return values


def _newton_steps(layer: LastLayer, leverages: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Compute K_i (I - Lambda_i K_i)^-1 r_i, (m, k')."""
    curvatures = np.einsum("ca,ncd,db->nab", layer.directions, layer.curvatures, layer.directions)
    remaining = np.eye(curvatures.shape[1]) - curvatures @ leverages
    stretched = np.linalg.solve(remaining, slopes[:, :, np.newaxis])
    return np.asarray((leverages @ stretched)[:, :, 0])


def _outputs(layer: LastLayer, changes: np.ndarray) -> Tensor:
    """Return the outputs (m, k) after changes (m, k') along the directions that losses see."""
    moved = tensor_of(changes @ layer.directions.T, layer.outputs.device)
    return layer.outputs + moved.to(layer.outputs)


def _mean_loss(layer: LastLayer, outputs: Tensor) -> float:
    return float(layer.losses(outputs).mean())


def _accuracy(layer: LastLayer, outputs: Tensor) -> float:
    return float((predictions(outputs) == layer.labels).double().mean())
