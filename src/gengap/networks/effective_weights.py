"""Weights as a network uses them, however they are parametrised."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from gengap.errors import GengapError
from gengap.networks.differentiation import differentiable_copy
from gengap.networks.masks import MaskedLinear


@torch.enable_grad()  # without gradients, torch makes buffers of such weights
def effective_copy(network: nn.Module) -> nn.Module:
    """Copy a network so that each weight is a parameter of its own.

    Weight and spectral normalisation, pruning, masks, and whatever else computes a weight of others
    are replaced by the weight that results.

    Args:
        network: any network; it is not changed.

    Returns:
        A float64 copy in eval mode that computes the same function, up to rounding. A weight may be
        trained if one of the parameters that it was made of may be.
    """
    trained = [name for name, value in network.named_parameters() if value.requires_grad]
    copied, _ = differentiable_copy(network, "all", torch.float64)
    for module in list(copied.modules()):
        if isinstance(module, MaskedLinear):
            with torch.no_grad():
                module.weight.mul_(module.mask)
        if parametrize.is_parametrized(module):
            # The copy shares its class with the original, and removal takes the weight from there.
            kind = type(module)
            module.__class__ = type(kind.__name__, kind.__bases__, dict(vars(kind)))
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
            elif isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
    for name, weight in copied.named_parameters():
        weight.requires_grad_(any(_makes(source, name) for source in trained))
    return copied


def _makes(source: str, name: str) -> bool:
    """Whether a parameter is a weight, or one of those that torch makes it of, by their names."""
    owner, dot, own = name.rpartition(".")
    former = {f"{owner}{dot}{own}_{part}" for part in ("orig", "g", "v")}
    parametrised = f"{owner}{dot}parametrizations.{own}."
    return source == name or source in former or source.startswith(parametrised)


@torch.no_grad()
def difference(network: nn.Module, initial: nn.Module) -> nn.Module:
    """Return the network whose weights are those of one network less those of another.

    Args:
        network: the trained network, say.
        initial: the same network with other weights.

    Returns:
        A float64 copy whose parameters are the differences of the effective weights.

    Raises:
        GengapError: the two are not the same network.
    """
    changed, start = effective_copy(network), dict(effective_copy(initial).named_parameters())
    for name, weight in changed.named_parameters():
        if name not in start or start[name].shape != weight.shape:
            raise GengapError(
                f"The initial weights have no parameter {name} of the trained one's shape: give "
                "those of the same network."
            )
        weight.sub_(start[name])
    return changed
