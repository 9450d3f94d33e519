"""Drawing initial weights from a generator, by the schemes that the literature compares."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.names import OWN_INITIALISATION
from gengap.networks.tokens import ClassToken, Positions

Kernel = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear
KERNELS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)
Normalisation = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.LayerNorm | nn.GroupNorm
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)

SLOPE = 0.25
"""First slope of PReLU (He et al. 2015, "Delving deep into rectifiers")."""

POSITION_STANDARD_DEVIATION = 0.02
"""Standard deviation of the first positions of a Vision Transformer, as in its authors' code."""

TRUNCATION = 2.0
"""Normals are truncated at this many standard deviations, as in Keras and JAX."""

TRUNCATED_STANDARD_DEVIATION = 0.87962566103423978
"""Standard deviation of a standard normal truncated there; draws are divided by it."""


def initialise(network: nn.Module, scheme: str, generator: torch.Generator) -> None:
    """Draw new weights in place, in the order of the network's modules.

    ======== ====================================================== =====================
    scheme   kernel                                                 bias
    ======== ====================================================== =====================
    torch    uniform, bound 1/sqrt(fan_in) (torch's default)        the same as the kernel
    glorot   uniform, bound sqrt(6/(fan_in + fan_out)) (Keras')     0
    lecun    normal truncated at 2 s.d., variance 1/fan_in (Flax')   0
    he       normal truncated at 2 s.d., variance 2/fan_in          0
    own      as it is: what the network's own code has drawn        as it is
    ======== ====================================================== =====================

    fan_in is the number of inputs of a row of the kernel, fan_out the number of rows times the size
    of the window; a transposed convolution is counted as torch and Keras count it, by the kernel of
    the convolution that it transposes. The two matrices of an LSTM or GRU hold the rows of all
    gates; by ``torch``, they and the biases have the bound 1/sqrt(units). Embeddings are standard
    normal by every scheme, since a row is looked up and not summed. Normalisation starts as the
    identity, PReLU with the slope 0.25, and class token and positions of a Vision Transformer at 0
    and with s.d. 0.02. Draws are made on the CPU, so that a network starts from the same weights on
    every device.

    Args:
        network: a network of the library's layers.
        scheme: one of :data:`gengap.names.INITIALISATIONS`.
        generator: a generator on the CPU.

    Raises:
        GengapError: the scheme is unknown, or a module with parameters is of an unknown kind.
    """
    if scheme == OWN_INITIALISATION:
        return
    if scheme not in SCHEMES:
        known = ", ".join((*SCHEMES, OWN_INITIALISATION))
        raise GengapError(f"Unknown initialisation {scheme!r}: choose one of {known}.")
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, KERNELS):
                _draw_layer(module, scheme, generator)
            elif isinstance(module, nn.LSTM | nn.GRU):
                _draw_recurrent(module, scheme, generator)
            elif isinstance(module, nn.Embedding):
                _draw_normal(module.weight, 1.0, generator)
            elif isinstance(module, ClassToken):
                module.token.fill_(0.0)
            elif isinstance(module, Positions):
                _draw_normal(module.positions, POSITION_STANDARD_DEVIATION, generator)
            elif isinstance(module, NORMALISATIONS):
                _reset_normalisation(module)
            elif isinstance(module, nn.PReLU):
                module.weight.fill_(SLOPE)
            elif list(module.parameters(recurse=False)):
                raise GengapError(
                    f"The module {name} ({type(module).__name__}) has parameters that cannot be "
                    "initialised: only those of the library's layers can."
                )


def _draw_layer(module: Kernel, scheme: str, generator: torch.Generator) -> None:
    fan_in = module.weight[0].numel()
    fan_out = module.weight.shape[0] * math.prod(module.weight.shape[2:])
    kernel = torch.empty(module.weight.shape, dtype=module.weight.dtype, device="cpu")
    SCHEMES[scheme](kernel, fan_in, fan_out, generator)
    module.weight.copy_(kernel)
    if module.bias is not None:
        bias = torch.zeros(module.bias.shape, dtype=module.bias.dtype, device="cpu")
        if scheme == "torch":
            _uniform_fan_in(bias, fan_in, fan_out, generator)
        module.bias.copy_(bias)


def _draw_recurrent(module: nn.LSTM | nn.GRU, scheme: str, generator: torch.Generator) -> None:
    for parameter in module.parameters():
        values = torch.zeros(parameter.shape, dtype=parameter.dtype, device="cpu")
        if scheme == "torch":
            _uniform_fan_in(values, module.hidden_size, 0, generator)
        elif parameter.ndim > 1:
            SCHEMES[scheme](values, parameter.shape[1], parameter.shape[0], generator)
        parameter.copy_(values)


def _draw_normal(parameter: Tensor, deviation: float, generator: torch.Generator) -> None:
    values = torch.empty(parameter.shape, dtype=parameter.dtype, device="cpu")
    parameter.copy_(values.normal_(0.0, deviation, generator=generator))


def _uniform_fan_in(values: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    bound = 1.0 / math.sqrt(fan_in)
    values.uniform_(-bound, bound, generator=generator)


def _glorot(values: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    values.uniform_(-bound, bound, generator=generator)


def _lecun(values: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    _truncated(values, 1.0 / fan_in, generator)


def _he(values: Tensor, fan_in: int, fan_out: int, generator: torch.Generator) -> None:
    _truncated(values, 2.0 / fan_in, generator)


def _truncated(values: Tensor, variance: float, generator: torch.Generator) -> None:
    std = math.sqrt(variance) / TRUNCATED_STANDARD_DEVIATION
    nn.init.trunc_normal_(values, 0.0, std, -TRUNCATION * std, TRUNCATION * std, generator)


SCHEMES: dict[str, Callable[[Tensor, int, int, torch.Generator], None]] = {
    "torch": _uniform_fan_in,
    "glorot": _glorot,
    "lecun": _lecun,
    "he": _he,
}


def _reset_normalisation(module: Normalisation) -> None:
    if not isinstance(module, nn.LayerNorm | nn.GroupNorm):
        module.reset_running_stats()
    for parameter, value in ((module.weight, 1.0), (module.bias, 0.0)):
        if parameter is not None:
            parameter.fill_(value)
