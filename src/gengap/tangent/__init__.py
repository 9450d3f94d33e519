"""Tangent kernels: networks to first order in their weights.

:func:`empirical_ntk` computes the kernel in blocks; :func:`kernel_operator` multiplies by it
without forming it. :func:`eigenfunctions`, :func:`nystrom` and :func:`extend` decompose it;
:func:`gengap.threads.using_threads` spreads both over threads. :func:`raw_alignment`,
:func:`normalised_alignment` and :func:`centred_alignment` compare a kernel with a target.
:func:`train_linearised`, :func:`ridge_regression` and :func:`gradient_flow` train with it, and
:class:`LinearisedNetwork` by its weights; :func:`anisotropy_directions` and
:func:`separable_along` concern directions of the inputs.
"""

from gengap.tangent.alignment import (
    centred_alignment,
    normalised_alignment,
    one_hot,
    raw_alignment,
    raw_alignments,
    signs,
)
from gengap.tangent.directions import (
    Directions,
    anisotropy_directions,
    read_directions,
    separable_along,
    write_directions,
)
from gengap.tangent.eigenfunctions import (
    Eigenfunctions,
    eigenfunctions,
    extend,
    nystrom,
    read_eigenfunctions,
    write_eigenfunctions,
)
from gengap.tangent.kernel import empirical_ntk, kernel_operator
from gengap.tangent.kernel_file import remove_kernel
from gengap.tangent.linearised import (
    HeldOut,
    LinearisedResult,
    gradient_flow,
    linearised_outputs,
    ridge_regression,
    train_linearised,
)
from gengap.tangent.linearised_network import LinearisedNetwork
from gengap.tangent.outputs import OutputSelection, scalar_outputs

__all__ = [
    "Directions",
    "Eigenfunctions",
    "HeldOut",
    "LinearisedNetwork",
    "LinearisedResult",
    "OutputSelection",
    "anisotropy_directions",
    "centred_alignment",
    "eigenfunctions",
    "empirical_ntk",
    "extend",
    "gradient_flow",
    "kernel_operator",
    "linearised_outputs",
    "normalised_alignment",
    "nystrom",
    "one_hot",
    "raw_alignment",
    "raw_alignments",
    "read_directions",
    "read_eigenfunctions",
    "remove_kernel",
    "ridge_regression",
    "scalar_outputs",
    "separable_along",
    "signs",
    "train_linearised",
    "write_directions",
    "write_eigenfunctions",
]
