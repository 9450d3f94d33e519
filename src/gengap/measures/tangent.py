"""The family ``tangent``: how a network's tangent kernel fits its labels, and how it has moved.

The kernel is that of all logits (trace form) in eval mode, on a fixed number of training inputs. It
is the kernel of the network's own parameters, batch normalisation's among them: those that count
by ``subject.parameters``. The labels are those that the network was trained on, as centred one-hot
targets Y; a class without inputs has no part in them. Theta_0 is the kernel at the initial weights,
Theta_T at the final ones.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import batch_size_for
from gengap.tangent.alignment import normalised_alignment, one_hot
from gengap.tangent.eigenfunctions import check_positive
from gengap.tangent.kernel import Kernel, empirical_ntk

INPUTS = 200
"""Number of training inputs on which kernels are computed; all, if there are fewer."""

JITTER = 1e-6
"""Added to a kernel's spectrum where it is inverted, as a fraction of the mean eigenvalue: the
kernel of equal inputs has eigenvalues 0, and rounding makes others of that size."""


FITS = (
    "negative_initial_alignment",
    "negative_final_alignment",
    "alignment_growth",
    "log_label_complexity",
)
"""Measures that compare a kernel with the labels."""


@measure(
    "negative_initial_alignment",
    "negative_final_alignment",
    "alignment_growth",
    "kernel_effective_rank",
    "log_largest_kernel_eigenvalue",
    "log_label_complexity",
    "kernel_drift",
    needs={"initial", "classes"},
    draws=2,
)
def tangent(subject: Subject) -> dict[str, float | LeftOut]:
    """Compute alignment, size, spread and movement of the tangent kernel on training inputs.

    Alignments are negative, because a kernel that fits the target learns it from few samples. Their
    growth is not, because a kernel that turns towards its labels also fits what is wrong in them.
    Where all labels are equal, or a kernel has no component along them, the measures that compare
    both are left out. So is what needs the logarithm or the inverse of a kernel that vanishes.

    Equation:
        - ``negative_initial_alignment``: -tr(Y' Theta_0 Y) / (tr(Y' Y) tr(Theta_0)), with Theta_0
          the initial kernel and Y the centred one-hot labels.
        - ``negative_final_alignment``: -tr(Y' Theta_T Y) / (tr(Y' Y) tr(Theta_T)), with Theta_T the
          final kernel and Y the centred one-hot labels.
        - ``alignment_growth``: the logarithm of the final over the initial alignment.
        - ``kernel_effective_rank``: exp(-sum_i p_i log p_i), with p_i the eigenvalues of the final
          kernel over their sum; from 1 to the number of inputs.
        - ``log_largest_kernel_eigenvalue``: log lambda_1(Theta_T), with Theta_T the final kernel.
        - ``log_label_complexity``: log(tr(Y' Theta_0^-1 Y) / n), with Theta_0 the initial kernel
          and Y the centred one-hot labels.
        - ``kernel_drift``: ||Theta_T - Theta_0||_F / ||Theta_0||_F of the final and the initial
          kernel.

    Source:
        - ``negative_initial_alignment``, ``negative_final_alignment``, ``alignment_growth``:
          Ortiz-Jimenez, Moosavi-Dezfooli and Frossard 2021, "What can linearized neural networks
          actually say about generalization?".
        - ``kernel_effective_rank``: Roy and Vetterli 2007, "The effective rank: a measure of
          effective dimensionality".
        - ``log_largest_kernel_eigenvalue``: a feature of the kernel's spectrum, of this library.
        - ``log_label_complexity``: Arora et al. 2019, "Fine-grained analysis of optimization and
          generalization for overparameterized two-layer neural networks", equation 3: the square of
          the bound, up to a factor.
        - ``kernel_drift``: Fort et al. 2020, "Deep learning versus kernel learning".

    Scale:
        - ``alignment_growth``, ``log_largest_kernel_eigenvalue``, ``log_label_complexity``:
          logarithm.

    Returns:
        The seven measures by name.
    """
    assert subject.initial is not None
    train = subject.train.sample(INPUTS, subject.rng)
    for network in (subject.initial, subject.network):
        batch_size_for(network, train.inputs)  # refuses inputs that a network does not take
    first, last = (
        empirical_ntk(network, train.inputs, of="trace", double=True, parameters=subject.parameters)
        for network in (subject.initial, subject.network)
    )
    return {
        **_fits(first, last, train),
        **_sizes(first, last),
    }


def _fits(first: Kernel, last: Kernel, train: Split) -> dict[str, float | LeftOut]:
    """Compare the kernels at the start and at the end with the labels."""
    try:
        targets = one_hot(train.labels, train.classes)
        # A class that is not there has a target of zeros, which nothing can be compared with.
        present = targets.any(axis=0)
        targets = targets if present.all() else targets[:, present]
        before, after = (normalised_alignment(kernel, targets) for kernel in (first, last))
        if min(before, after) <= np.finfo(np.float32).eps:
            raise GengapError(
                "The kernel has no share along the labels (the network may be dead): look at the "
                "network's weights."
            )
        complexity = label_complexity(first, targets) / len(train.labels)
    except GengapError as error:
        return dict.fromkeys(FITS, LeftOut(str(error)))
    return {
        "negative_initial_alignment": -before,
        "negative_final_alignment": -after,
        "alignment_growth": math.log(after / before),
        "log_label_complexity": math.log(complexity),
    }


def _sizes(first: Kernel, last: Kernel) -> dict[str, float | LeftOut]:
    """Compute the spread and the size of the last kernel, and how far it is from the first."""
    spectrum, length = _spectrum(last), float(np.linalg.norm(first))
    vanishes = LeftOut(
        "The kernel vanishes (the network may be dead): look at the network's weights."
    )
    is_there = spectrum[-1] > 0
    return {
        "kernel_effective_rank": effective_rank(spectrum) if is_there else vanishes,
        "log_largest_kernel_eigenvalue": math.log(spectrum[-1]) if is_there else vanishes,
        "kernel_drift": float(np.linalg.norm(last - first)) / length if length else vanishes,
    }


def effective_rank(eigenvalues: np.ndarray) -> float:
    """Compute exp(-sum_i p_i log p_i) with p_i = lambda_i / sum; eigenvalues (n,) at least 0."""
    shares = eigenvalues[eigenvalues > 0] / eigenvalues.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def label_complexity(kernel: Kernel, targets: np.ndarray) -> float:
    """Compute tr(Y' (Theta + jitter I)^-1 Y) for targets (n, classes)."""
    jitter = JITTER * float(np.trace(kernel)) / len(kernel)
    regular = kernel + jitter * np.eye(len(kernel))
    return float(np.vdot(targets, scipy.linalg.solve(regular, targets, assume_a="pos")))


def _spectrum(kernel: Kernel) -> np.ndarray:
    values = np.asarray(scipy.linalg.eigvalsh(kernel), dtype=np.float64)
    # The sums are in float64, but the gradients have the precision of the weights, float32.
    check_positive(values, len(kernel), np.float32)
    return np.maximum(values, 0.0)
