"""The file that holds the whole state of a training, from which an interrupted one resumes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from gengap.errors import GengapError
from gengap.files import writing
from gengap.networks import device_of, weights_of
from gengap.planning.sources import code_version
from gengap.training.recipe import Recipe

if TYPE_CHECKING:
    from gengap.datasets import Split


def state_file(
    folder: Path, network: nn.Module, data: Split, recipe: Recipe, snapshots: Collection[int]
) -> Path:
    """Return the path of a training's state, named by a digest of all that decides the result.

    The digest covers the network with its first weights, the data, the recipe, the epochs of the
    snapshots, the kind of device, and the versions of torch and of the trainer. So each training
    has a file of its own, and none resumes from another's by mistake.

    Args:
        folder: the folder of the states.
        network: the network, with the weights that it starts from.
        data: the training data.
        recipe: the recipe of the training.
        snapshots: epochs after which the weights are kept.

    Returns:
        A file in the folder; it need not exist.
    """
    plan = {
        "recipe": dataclasses.asdict(recipe),
        "snapshots": sorted(set(snapshots)),
        "network": repr(network),
        "trained": [name for name, value in network.named_parameters() if value.requires_grad],
        "classes": data.classes,
        "device": device_of(network).type,
        "torch": torch.__version__,
        "code": code_version("gengap.training.trainer"),
    }
    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode())
    arrays = {name: tensor.numpy() for name, tensor in weights_of(network).items()}
    for name, array in (arrays | {"inputs": data.inputs, "labels": data.labels}).items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return folder / f"{digest.hexdigest()[:16]}.pt"


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values to a file that is either complete or absent.

    Args:
        path: what :func:`state_file` returned.
        state: tensors and values by name.

    Raises:
        GengapError: the folder cannot be written to.
    """
    with writing(path) as part:
        torch.save(state, part)


def read_state(path: Path) -> dict[str, Any] | None:
    """Read what :func:`write_state` wrote.

    Args:
        path: what :func:`state_file` returned.

    Returns:
        The state, on the CPU; None if there is no such file.

    Raises:
        GengapError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise GengapError(
            f"{path} is not a readable state of a training: delete it, to train from the start."
        ) from error
    return state
