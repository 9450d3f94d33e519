"""Networks by their names in torchvision and timm, without weights unless they are asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn

from gengap.errors import GengapError, MachineError

HUBS = ("torchvision", "timm")
"""Packages of networks by name."""

HUB_LAYOUT = "channels_first"
"""The layout of the inputs of all networks of these packages."""


def make_hub_module(hub: Any, keywords: Mapping[str, Any]) -> nn.Module:
    """Make a network of torchvision or timm.

    Args:
        hub: ``torchvision:resnet18``, ``timm:resnet18``, ...
        keywords: keywords of its function. Weights are downloaded only where ``weights``
            (torchvision) or ``pretrained`` (timm) says so.

    Returns:
        The module.

    Raises:
        GengapError: the name or a keyword is unknown.
        MachineError: the package is not installed.
    """
    package, _, name = hub.partition(":") if isinstance(hub, str) else ("", "", "")
    if package not in HUBS or not name:
        raise GengapError(f"hub is {hub!r}: give torchvision:NAME or timm:NAME.")
    module = _imported(package)
    names = module.models.list_models() if package == "torchvision" else module.list_models()
    # timm's names may be followed by a tag, which says where pretrained weights come from.
    if name.partition(".")[0] not in names:
        near = difflib.get_close_matches(name, names)
        raise GengapError(
            f"{package} has no network {name!r}: "
            + (f"did you mean {' or '.join(near)}?" if near else "see its list of models.")
        )
    make = module.models.get_model if package == "torchvision" else module.create_model
    try:
        network: nn.Module = make(name, **keywords)
    except Exception as error:
        cause = " ".join(str(error).split()).rstrip(".")
        raise GengapError(
            f"{hub} cannot be made ({type(error).__name__}: {cause}): correct its keywords."
        ) from error
    return network


def _imported(package: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except Exception as error:  # a torchvision that does not fit torch raises a RuntimeError
        raise MachineError(
            f"Networks of {package} need a package that cannot be imported ({error}): install "
            f"{package}, in the version that fits torch {torch.__version__}."
        ) from error
