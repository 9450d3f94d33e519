"""What a tangent kernel is made of: for each input, factors whose products are its entries.

Take a layer with weights W whose input has positions t (one for a dense layer on vectors, the
pixels of its output for a convolution) with patches a_t. Its output there is z_t = W a_t + b. Its
gradient with respect to W is sum_t g_t a_t', where g_t is the gradient of the network's output with
respect to z_t. So its part of the kernel is (Novak et al. 2022, "Fast finite width neural tangent
kernel", section 3, "structured derivatives")

    sum_{t,t'} <a_t(x), a_t'(x')> <g_t(x), g_t'(x')>,

a product of two Gram matrices, which is cheaper than the gradients' own product where the layer is
large and has few positions. A bias is a one that is appended to every patch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap.networks import captured, logits
from gengap.networks.differentiation import over_inputs, weight_type
from gengap.tangent.outputs import OutputSelection, as_function, parameters_of, select_outputs

Normalisation = nn.BatchNorm1d | nn.BatchNorm2d
KINDS = (nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d)
"""Layers with a structured form; their subclasses have none."""
AGREEMENT = 1e-3
"""Fraction of the largest entry by which the structured form may differ from gradients'."""
LARGEST_PRODUCT = 1 << 22
"""Most entries of an intermediate matrix of a product over positions."""


@dataclass(frozen=True)
class Factor:
    """One layer's part of the features of a tile of n inputs.

    Attributes:
        left: (n, p) gradients, flattened; or (n, t, d) patches, together with ``right``.
        right: (n, t, o) gradients at the layer's outputs, or None.
    """

    left: Tensor
    right: Tensor | None = None

    @property
    def numbers(self) -> int:
        """Number of values held for each input."""
        held = self.left[0].numel()
        return held if self.right is None else held + self.right[0].numel()


Features = list[Factor]
Extractor = Callable[[Tensor], Features]


def product(first: Features, second: Features, kind: torch.dtype) -> Tensor:
    """Compute the kernel (n1, n2) between the inputs of two tiles, summed in the given type."""
    total = _share(first[0], second[0], kind)
    for one, other in zip(first[1:], second[1:], strict=True):
        total += _share(one, other, kind)
    return total


def _share(first: Factor, second: Factor, kind: torch.dtype) -> Tensor:
    left, columns = first.left.to(kind), second.left.to(kind)
    if first.right is None or second.right is None:
        return left @ columns.T
    right, gradients = first.right.to(kind), second.right.to(kind)
    positions = left.shape[1]
    if positions == 1:
        return (left[:, 0] @ columns[:, 0].T) * (right[:, 0] @ gradients[:, 0].T)
    rows = max(1, LARGEST_PRODUCT // (positions**2 * len(columns)))
    parts = []
    for start in range(0, len(left), rows):
        block = slice(start, start + rows)
        patches = left[block].flatten(0, 1) @ columns.flatten(0, 1).T
        patches *= right[block].flatten(0, 1) @ gradients.flatten(0, 1).T
        parts.append(patches.reshape(-1, positions, len(columns), positions).sum((1, 3)))
    return torch.cat(parts)


def jacobian(network: nn.Module, of: OutputSelection) -> Extractor:
    """Make features of each input's gradient with respect to all parameters, for any network."""
    parameters = parameters_of(network)
    function = as_function(network, of)

    def one(values: dict[str, Tensor], single: Tensor, output: Tensor) -> Tensor:
        return (function(values, single[None])[0] * output).sum()

    def features(inputs: Tensor) -> Features:
        with torch.no_grad():
            count = function(parameters, inputs[:1]).shape[1]
        rows = []
        for output in torch.eye(count, dtype=weight_type(network), device=inputs.device):
            same = output.expand(len(inputs), count)
            gradients = over_inputs(one, parameters, inputs, same)
            rows.append(torch.cat([g.reshape(len(inputs), -1) for g in gradients.values()], 1))
        return [Factor(rows[0] if count == 1 else torch.cat(rows, 1))]

    return features


def supports(network: nn.Module, examples: Tensor) -> bool:
    """Tell whether the structured form is known to be correct for this network.

    Every trainable parameter must belong to a layer of a kind with a structured form, and the form
    must give the products of the gradients themselves on the examples. Only this shows what else a
    forward pass does: call a layer twice, use its weights outside it, change its outputs in place,
    or fold inputs into positions.

    Args:
        network: any network.
        examples: a few inputs, (m, *input_shape).

    Returns:
        Whether :func:`structured` may be used for it.
    """
    owners = _owners(network)
    own = [parameter for module in owners for parameter in module.parameters(recurse=False)]
    plain = all(
        module.padding_mode == "zeros" and not isinstance(module.padding, str)
        for module in owners
        if isinstance(module, nn.Conv2d)
    )
    # A subclass, or a weight that is computed from other parameters, has other gradients.
    known = all(
        type(module) in KINDS
        and {name for name, _ in module.named_parameters(recurse=False)} <= {"weight", "bias"}
        for module in owners
    )
    # A frozen weight beside a trainable bias, or a weight of two layers, has no such form.
    whole = all(p.requires_grad for p in own) and len({id(p) for p in own}) == len(own)
    return known and plain and whole and _reproduces(network, own, examples)


def _owners(network: nn.Module) -> list[nn.Module]:
    """Return the modules that own a trainable parameter."""
    return [
        module
        for module in network.modules()
        if any(parameter.requires_grad for parameter in module.parameters(recurse=False))
    ]


def _reproduces(network: nn.Module, parameters: list[nn.Parameter], examples: Tensor) -> bool:
    """Tell whether structured features of the sum of the logits give the gradients' products."""
    try:
        features = structured(network, "sum")(examples)
        kernel = product(features, features, weight_type(network))
    except Exception:  # whatever a foreign forward pass raises, the form does not fit it
        return False
    rows = []
    for single in examples:
        with torch.enable_grad():
            output = logits(network, single[None]).sum()
        gradients = torch.autograd.grad(output, parameters, materialize_grads=True)
        rows.append(torch.cat([gradient.flatten() for gradient in gradients]))
    expected = torch.stack(rows) @ torch.stack(rows).T
    return kernel.shape == expected.shape and torch.allclose(
        kernel, expected, rtol=0, atol=AGREEMENT * float(expected.abs().max())
    )


def structured(network: nn.Module, of: OutputSelection) -> Extractor:
    """Make features that are, per layer, the cheaper of gradients and factors of their products."""
    layers = _owners(network)

    def features(inputs: Tensor) -> Features:
        with torch.enable_grad(), captured(layers) as passages:
            outputs = select_outputs(logits(network, inputs), of).sum(0)
        at = [passages[layer].output for layer in layers]
        gradients = [
            torch.autograd.grad(output, at, retain_graph=place + 1 < len(outputs))
            for place, output in enumerate(outputs)
        ]
        return [
            _factor(layer, passages[layer].input.detach(), [each[place] for each in gradients])
            for place, layer in enumerate(layers)
        ]

    return features


def _factor(layer: nn.Module, inputs: Tensor, gradients: list[Tensor]) -> Factor:
    """Make the factor of a layer from its inputs and each output's gradient at its outputs."""
    if isinstance(layer, Normalisation):
        return Factor(
            torch.cat([_normalisation(layer, inputs, gradient) for gradient in gradients], 1)
        )
    if isinstance(layer, nn.Conv2d):
        assert not isinstance(layer.padding, str)
        patches = functional.unfold(
            inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride
        ).transpose(1, 2)
        at = [gradient.flatten(2).transpose(1, 2) for gradient in gradients]
        groups = layer.groups
    else:
        assert isinstance(layer, nn.Linear)
        patches = inputs.reshape(len(inputs), -1, inputs.shape[-1])
        at = [gradient.reshape(len(inputs), -1, gradient.shape[-1]) for gradient in gradients]
        groups = 1
    return _of_patches(patches, at, groups, layer.bias is not None)


def _of_patches(patches: Tensor, at: list[Tensor], groups: int, biased: bool) -> Factor:
    """Return gradients, or patches and output gradients: whichever makes cheaper products."""
    positions, width, outputs = patches.shape[1], patches.shape[2], at[0].shape[2]
    of_gradients = len(at) * outputs * (width // groups + biased)
    of_factors = positions**2 * (width + biased + len(at) * outputs)
    if groups == 1:
        if biased:
            patches = functional.pad(patches, (0, 1), value=1.0)
        if of_factors < of_gradients:
            return Factor(patches.contiguous(), torch.cat(at, 2))
        return Factor(
            torch.cat([(gradient.transpose(1, 2) @ patches).flatten(1) for gradient in at], 1)
        )
    shape = (len(patches), positions, groups, -1)
    split = patches.reshape(shape)
    weights = [
        torch.einsum("ntgo,ntgd->ngod", gradient.reshape(shape), split).flatten(1)
        for gradient in at
    ]
    biases = [gradient.sum(1) for gradient in at] if biased else []
    return Factor(torch.cat([*weights, *biases], 1))


def _normalisation(layer: nn.Module, inputs: Tensor, gradient: Tensor) -> Tensor:
    """Compute gradients (n, p) for the scale and shift of batch normalisation in eval mode."""
    assert isinstance(layer, Normalisation)
    parts = []
    positions = tuple(range(2, inputs.ndim))
    if layer.weight is not None:
        standard = functional.batch_norm(
            inputs, layer.running_mean, layer.running_var, eps=layer.eps
        )
        scaled = gradient * standard
        parts.append(scaled.sum(positions) if positions else scaled)
    if layer.bias is not None:
        parts.append(gradient.sum(positions) if positions else gradient)
    return torch.cat(parts, 1)
