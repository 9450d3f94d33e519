"""The family ``norms``: path, spectral, Frobenius and Fisher-Rao norms, alone and over the margin.

Batch normalisation is folded into the kernel before it first, see :func:`gengap.networks.folded`.
The spectral norm of a kernel is that of its linear map, that of a convolution on the input that
reaches it, see :func:`gengap.networks.kernel_norms`; its Frobenius norm is that of its weight.
Biases count in the path norm and the Fisher-Rao norm only. The margin is the 10th percentile, over
the training inputs, of the label's logit minus the largest other one.

Of the 24 measures that Jiang et al. (2020, "Fantastic generalization measures and where to find
them") and Dziugaite et al. (2020, "In search of robust measures of generalization") compare, those
of norms are here under the names of these papers. Four others are in the family ``baseline``:
``params`` is :func:`~gengap.measures.baseline.parameter_count`, ``param_norm`` is
:func:`~gengap.measures.baseline.sum_of_squared_weights`, ``fro_dist`` is the square of
:func:`~gengap.measures.baseline.distance_from_initialisation`, and ``log_prod_of_spec`` is twice
:func:`~gengap.measures.baseline.log_spectral_norm_product`. ``path_norm_over_margin`` is here in
its logarithm. Those of PAC-Bayesian bounds are in the family ``pac_bayes``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gengap.curvature.operators import gradient_second_moment
from gengap.errors import GengapError
from gengap.measures.plain import (
    first_input,
    plain_initial,
    plain_network,
    plain_norms,
    starts,
)
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import (
    batched_outputs,
    class_logits,
    difference,
    kernel_norms,
    kernels,
    row_norms,
    sum_over_paths,
    tensor_of,
)
from gengap.networks.differentiation import counted_parameters

MARGIN_PERCENTILE = 10.0
FISHER_INPUTS = 1000
"""Most training inputs of the Fisher-Rao norm."""
TINY = float(np.finfo(float).tiny)


@measure("path_norm", "log_path_norm")
def path_norms(subject: Subject) -> dict[str, float]:
    """Compute the path norm: the root of the sum, over all paths, of squared products of weights.

    A path leads from an input, or from a bias, to an output, and takes one weight of each layer.
    Rescaling ReLU units leaves the path norm as it is. Pooling is no weight: average pooling takes
    the mean of the sums over paths, maximum pooling the largest. Paths begin at every token of an
    embedding. A network with attention, recurrent layers, other normalisation than by batch, or
    activations other than ReLU (leaky ones too) is refused.

    Equation:
        path_norm = sqrt(sum_k f(1; w^2)_k), with f(1; w^2) the outputs of the network with all
        weights and biases squared on an input of ones; log_path_norm is its natural logarithm.

    Source:
        Neyshabur, Tomioka and Srebro 2015, "Norm-based capacity control in neural networks"; called
        path_norm in Jiang et al. 2020, who take the square.

    Scale:
        logarithm (log_path_norm).

    Returns:
        Both, by name.

    Raises:
        GengapError: the outputs of the network are no sum over paths.
    """
    norm = math.sqrt(_sum_over_paths(subject))
    return {"path_norm": norm, "log_path_norm": _log(norm)}


@measure(needs={"classes"})
def log_path_norm_over_margin(subject: Subject) -> float:
    """Compute the logarithm of the path norm over the margin.

    Equation:
        log(path_norm / gamma) with the margin gamma, half the logarithm of path_norm^2 / gamma^2.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them", where
        path_norm_over_margin is the ratio of the squares.

    Scale:
        logarithm.

    Returns:
        The logarithm.

    Raises:
        GengapError: the outputs are no sum over paths, or the margin is not positive.
    """
    return _log(math.sqrt(_sum_over_paths(subject))) - math.log(training_margin(subject))


@measure(needs={"classes"})
def inverse_margin(subject: Subject) -> float:
    """Compute one over the squared margin.

    Equation:
        1 / gamma^2, with gamma the 10th percentile of the margins of the training inputs.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them".

    Scale:
        linear.

    Returns:
        The value, above 0.

    Raises:
        GengapError: the margin is not positive.
    """
    return training_margin(subject) ** -2


@measure(
    "log_sum_of_spec", "log_prod_of_fro", "log_sum_of_fro", "fro_over_spec", "mean_stable_rank",
    sees="kernels",
)  # fmt: skip
def norms_of_kernels(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute products and sums of the spectral and the Frobenius norms of all kernels.

    The sums are d times the geometric mean of d norms, so they do not grow with depth as products
    do. ``fro_over_spec`` sums stable ranks; that of a convolution has the Frobenius norm of its
    weight, so it may be below 1. ``mean_stable_rank`` has both norms of the linear map, and is at
    least 1.

    Equation:
        log_sum_of_spec = log(d (prod_i s_i^2)^(1/d)); log_prod_of_fro = log(prod_i f_i^2);
        log_sum_of_fro = log(d (prod_i f_i^2)^(1/d)); fro_over_spec = sum_i f_i^2 / s_i^2;
        mean_stable_rank = (1/d) sum_i F_i^2 / s_i^2. Kernel i of d has the spectral norm s_i and
        the Frobenius norms f_i of its weight and F_i of its linear map.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them"; the stable
        rank of layers: Neyshabur, Bhojanapalli and Srebro 2018, "A PAC-Bayesian approach to
        spectrally-normalized margin bounds for neural networks".

    Scale:
        logarithm (products and sums), linear (fro_over_spec, mean_stable_rank).

    Returns:
        The five measures by name; there is no mean stable rank where a convolution pads with other
        values than zeros.

    Raises:
        GengapError: the network calls no kernel.
    """
    network, norms = plain_network(subject), _norms(subject)

    def mean_stable_rank(rows: list[Tensor]) -> float:
        squares = np.array([float(norms_of_rows.square().sum()) for norms_of_rows in rows])
        return float((squares / norms.spectral**2).mean())

    return {
        "log_sum_of_spec": norms.log_sum_of_spec(),
        "log_prod_of_fro": norms.log_prod_of_fro(),
        "log_sum_of_fro": norms.log_sum_of_fro(),
        "fro_over_spec": norms.fro_over_spec(),
        "mean_stable_rank": _of_rows(network, subject, norms.names, mean_stable_rank),
    }


@measure(
    "log_prod_of_spec_over_margin", "log_sum_of_spec_over_margin", "log_prod_of_fro_over_margin",
    "log_sum_of_fro_over_margin", "log_spec_orig_main",
    needs={"classes"}, sees="kernels",
)  # fmt: skip
def norms_over_margin(subject: Subject) -> dict[str, float]:
    """Compute products and sums of the norms of all kernels over the squared margin.

    ``log_spec_orig_main`` is the main term of a spectrally normalised bound with the origin as its
    reference: the product over the margin times the sum of stable ranks.

    Equation:
        With the symbols of log_sum_of_spec: log_prod_of_spec_over_margin = log(prod_i s_i^2 /
        gamma^2); log_sum_of_spec_over_margin = log(d (prod_i s_i^2 / gamma^2)^(1/d)), and so with
        f_i for fro; log_spec_orig_main = log(prod_i s_i^2 / gamma^2 sum_i f_i^2 / s_i^2).

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them", after
        Bartlett, Foster and Telgarsky 2017 and Neyshabur, Bhojanapalli and Srebro 2018.

    Scale:
        logarithm.

    Returns:
        The five measures by name.

    Raises:
        GengapError: the network calls no kernel, or the margin is not positive.
    """
    norms = _norms(subject)
    margin = training_margin(subject)
    product = norms.log_prod_of_spec(margin)
    return {
        "log_prod_of_spec_over_margin": product,
        "log_sum_of_spec_over_margin": norms.log_sum_of_spec(margin),
        "log_prod_of_fro_over_margin": norms.log_prod_of_fro(margin),
        "log_sum_of_fro_over_margin": norms.log_sum_of_fro(margin),
        "log_spec_orig_main": product + _log(norms.fro_over_spec()),
    }


@measure(needs={"initial"}, sees="kernels")
def dist_spec_init(subject: Subject) -> float:
    """Compute the sum of the squared spectral distances of all kernels from initialisation.

    Equation:
        sum_i ||W_i - W_i^0||_2^2, over the linear maps W_i and those at initialisation, W_i^0.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them".

    Scale:
        linear.

    Returns:
        The sum, at least 0.

    Raises:
        GengapError: the initial weights are those of another network, or there is no kernel.
    """
    plain_norms(subject)  # refuses a network without kernels
    moved = _moved(subject)
    norms = kernel_norms(moved, first_input(moved, subject.train), starts())
    return float(sum(norm**2 for norm in norms.values()))


@measure(
    "log_spec_init_main", "log_spectrally_normalised_margin_bound",
    needs={"classes", "initial"}, sees="kernels",
)  # fmt: skip
def spectral_bounds(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute spectrally normalised margin bounds with initialisation as their reference.

    The first is the main term of the bound of Neyshabur et al. 2018 as Jiang et al. rank it. The
    second is the bound of Bartlett et al., without its factors that are logarithms.

    Equation:
        log_spec_init_main = log(prod_i s_i^2 / gamma^2 sum_i ||V_i||_F^2 / s_i^2), with V_i the
        weight of kernel i less its initial one; log_spectrally_normalised_margin_bound =
        log(||X||_F / (gamma n) prod_i s_i (sum_i (b_i / s_i)^(2/3))^(3/2)), with X the n training
        inputs and b_i the sum of the Euclidean norms of the rows of V_i as a linear map.

    Source:
        Jiang et al. 2020, "Fantastic generalization measures and where to find them"; Bartlett,
        Foster and Telgarsky 2017, "Spectrally-normalized margin bounds for neural networks",
        Theorem 1.1 with initialisation as reference matrices.

    Scale:
        logarithm.

    Returns:
        Both, by name; the second is left out where a convolution pads with other values than zeros.

    Raises:
        GengapError: the initial weights are those of another network, there is no kernel, or the
            margin is not positive.
    """
    moved, norms, train = _moved(subject), _norms(subject), subject.train
    changes = _frobenius_norms(moved, norms.names)
    margin = training_margin(subject)
    # One-hot tokens have the norm 1 each.
    tokens = train.kind == "tokens"
    inputs = math.sqrt(train.inputs.size) if tokens else float(np.linalg.norm(train.inputs))

    def log_bound(rows: list[Tensor]) -> float:
        sums = np.array([float(norms_of_rows.sum()) for norms_of_rows in rows])
        complexity = float(((sums / norms.spectral) ** (2 / 3)).sum() ** 1.5)
        scale = _log(inputs) - math.log(margin * len(train.labels))
        return norms.log_prod_of_spec() / 2 + _log(complexity) + scale

    return {
        "log_spec_init_main": norms.log_prod_of_spec(margin)
        + _log(float(((changes / norms.spectral) ** 2).sum())),
        "log_spectrally_normalised_margin_bound": _of_rows(moved, subject, norms.names, log_bound),
    }


@measure(needs={"fitting_outputs"}, draws=2)
def fisher_rao(subject: Subject) -> float:
    """Compute the Fisher-Rao norm of the parameters.

    The gradients g are those of the loss of each training input, at most 1000 of them, at its label
    and in all parameters that count by ``subject.parameters``, biases among them. Rescaling ReLU
    units leaves the norm as it is.

    Equation:
        sqrt(mean over training inputs of (w . g)^2), the root of w . F w with the empirical Fisher
        matrix F.

    Source:
        Liang, Poggio, Rakhlin and Stokes 2019, "Fisher-Rao metric, geometry, and complexity of
        neural networks".

    Scale:
        linear.

    Returns:
        The norm, at least 0.

    Raises:
        GengapError: a part of the network cannot be differentiated, or the loss is 0 or not finite.
    """
    network = plain_network(subject)
    data = subject.train.sample(FISHER_INPUTS, subject.rng)
    fisher = gradient_second_moment(network, subject.loss, data, parameters=subject.parameters)
    counted = counted_parameters(network, subject.parameters)
    weights = torch.cat([weight.detach().flatten() for weight in counted.values()])
    vector = weights.numpy(force=True).astype(fisher.dtype)
    return math.sqrt(max(float(vector @ (fisher @ vector)), 0.0))


def training_margin(subject: Subject) -> float:
    """Compute the 10th percentile of the margins of the training inputs.

    Args:
        subject: a network with class outputs, and its training data.

    Returns:
        The margin, in units of the logits, above 0.

    Raises:
        GengapError: it is not positive, so that nothing can be divided by it.
    """
    margin = subject.once("training margin", lambda: _training_margin(subject))
    if not margin > 0:
        raise GengapError(
            f"The 10th percentile of the training margins is {margin:.3g}, so nothing can be "
            "divided by it: train the network until it fits nine inputs of ten, or do without this "
            "measure."
        )
    return margin


def _training_margin(subject: Subject) -> float:
    logits = class_logits(batched_outputs(subject.network, subject.train)).double()
    labels = tensor_of(subject.train.labels, logits.device)[:, None]
    correct = logits.gather(1, labels)[:, 0]
    others = logits.scatter(1, labels, -math.inf).amax(1)
    return float(np.percentile((correct - others).numpy(force=True), MARGIN_PERCENTILE))


class _Norms(NamedTuple):
    """The kernels that an input passes: their names, and their norms (d,)."""

    names: list[str]
    spectral: np.ndarray
    frobenius: np.ndarray

    def log_prod_of_spec(self, margin: float = 1.0) -> float:
        return _log_product(self.spectral, margin)

    def log_sum_of_spec(self, margin: float = 1.0) -> float:
        return math.log(len(self.names)) + self.log_prod_of_spec(margin) / len(self.names)

    def log_prod_of_fro(self, margin: float = 1.0) -> float:
        return _log_product(self.frobenius, margin)

    def log_sum_of_fro(self, margin: float = 1.0) -> float:
        return math.log(len(self.names)) + self.log_prod_of_fro(margin) / len(self.names)

    def fro_over_spec(self) -> float:
        return float(((self.frobenius / self.spectral) ** 2).sum())


def _norms(subject: Subject) -> _Norms:
    """Compute the norms of the kernels of the network without batch normalisation."""
    spectral = plain_norms(subject)
    names, values = list(spectral), np.array(list(spectral.values()))
    return _Norms(names, values, _frobenius_norms(plain_network(subject), names))


def _moved(subject: Subject) -> nn.Module:
    """Return the network whose weights are the trained ones less the initial ones."""
    return subject.once(
        "moved network", lambda: difference(plain_network(subject), plain_initial(subject))
    )


def _frobenius_norms(network: nn.Module, names: list[str]) -> np.ndarray:
    """Return the Frobenius norms (d,) of the weights of these kernels."""
    by_name = {kernel.name: kernel.weight.detach().double() for kernel in kernels(network)}
    return np.array([float(by_name[name].norm()) for name in names])


def _of_rows(
    network: nn.Module,
    subject: Subject,
    names: list[str],
    compute: Callable[[list[Tensor]], float],
) -> float | LeftOut:
    """Compute a value of the norms of the rows of these kernels, if rows are known."""
    try:
        rows = row_norms(network, first_input(network, subject.train))
    except GengapError as error:
        return LeftOut(str(error))
    return compute([rows[name] for name in names])


def _sum_over_paths(subject: Subject) -> float:
    network = plain_network(subject)
    return subject.once(
        "sum over paths", lambda: sum_over_paths(network, first_input(network, subject.train))
    )


def _log_product(norms: np.ndarray, margin: float) -> float:
    """Return the logarithm of the product of squared norms over a squared margin."""
    return 2 * float(np.log(np.maximum(norms, TINY)).sum() - math.log(margin))


def _log(value: float) -> float:
    """Return the natural logarithm; that of the smallest number for 0, where all weights vanish."""
    return math.log(max(value, TINY))
