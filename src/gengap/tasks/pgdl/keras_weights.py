"""Reading Keras' legacy HDF5 weights into a network, and writing them from one.

The root has the attribute ``layer_names``. Each layer is a group with the attribute
``weight_names``, and each weight a dataset. The initial and the final file of a PGDL network may
name their layers differently, so weights are matched by their order and shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.errors import GengapError
from gengap.files import writing

if TYPE_CHECKING:
    from torch import Tensor, nn

BACKEND, KERAS_VERSION = "tensorflow", "2.4.0"
"""The versions that PGDL's own files name."""

OIHW_TO_HWIO = (2, 3, 1, 0)
OI_TO_IO = (1, 0)
UNCHANGED = (0,)
LAYERS_WITH_WEIGHTS = frozenset({"BatchNormalization", "Conv2D", "Dense"})


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one Keras layer.

    Attributes:
        name: the layer's name.
        arrays: the weights by their names, in Keras' order.
    """

    name: str
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class Correspondence:
    """A tensor of a module and the Keras weight with the same values.

    Attributes:
        tensor: the tensor's name in the module's ``state_dict``.
        weight: the name that Keras gives to the weight.
        axes: order of the tensor's axes in Keras.
    """

    tensor: str
    weight: str
    axes: tuple[int, ...]


def read_layers(path: str | Path) -> list[LayerWeights]:
    """Read the layers that have weights.

    Args:
        path: a file in Keras' legacy layout, of weights alone or of a whole model.

    Returns:
        The layers, in the file's order.

    Raises:
        GengapError: the file is missing, truncated, corrupt, or not in the legacy layout.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise GengapError(f"{path} does not exist: download the task again.")
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)  # a whole model keeps its weights in a group
            names = _names(root, "layer_names")
            layers = [
                LayerWeights(
                    name,
                    {
                        weight: np.asarray(root[name][weight])
                        for weight in _names(root[name], "weight_names")
                    },
                )
                for name in names
            ]
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise GengapError(
            f"{path} is truncated, corrupt or not in Keras' legacy HDF5 layout: download the task "
            "again, or save the weights with Keras 2 as .hdf5."
        ) from error
    return [layer for layer in layers if layer.arrays]


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Load the weights of a Keras file into a sequential network, in place.

    Args:
        network: built from the config that belongs to the file.
        path: ``weights.hdf5`` or ``weights_init.hdf5``.

    Raises:
        GengapError: the file is broken, or its layers do not match the network's layers.
    """
    import torch

    from gengap.networks import set_weights

    layers, modules = read_layers(path), list(_modules(network))
    if len(layers) != len(modules):
        raise GengapError(
            f"{path} has {len(layers)} layers with weights, its config {len(modules)}: "
            "the two files do not belong together."
        )
    tensors: dict[str, Tensor] = {
        name: torch.zeros_like(tensor)
        for name, tensor in network.state_dict().items()
        # PyTorch counts batches; Keras does not.
        if name.endswith(".num_batches_tracked")
    }
    for layer, (name, module) in zip(layers, modules, strict=True):
        tensors |= _converted(layer, name, module, path)
    set_weights(network, tensors, source=str(path))


def write_weights(network: nn.Module, path: str | Path) -> None:
    """Write a sequential network's weights in the legacy layout.

    The same weights give the same bytes.

    Args:
        network: built from a list of Keras layers.
        path: the file to write.

    Raises:
        MachineError: the file cannot be written.
    """
    import h5py

    modules = _modules(network)
    with writing(path) as part, h5py.File(part, "w") as file:
        names = _layer_names(network)
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        file.attrs["backend"] = BACKEND
        file.attrs["keras_version"] = KERAS_VERSION
        for name, layer in zip(names, _model_config(network), strict=True):
            group = file.create_group(name)
            weights = {}
            if layer["layer_name"] in LAYERS_WITH_WEIGHTS:
                state = next(modules)[1].state_dict()
                for entry in _correspondences(state):
                    array = state[entry.tensor].numpy(force=True)
                    weights[f"{name}/{entry.weight}:0"] = array.transpose(entry.axes)
            group.attrs["weight_names"] = np.array([weight.encode() for weight in weights])
            for weight, array in weights.items():
                group.create_dataset(weight, data=np.ascontiguousarray(array))


def _converted(
    layer: LayerWeights, name: str, module: nn.Module, path: str | Path
) -> dict[str, Tensor]:
    """Convert the arrays of a Keras layer to the tensors of its module."""
    import torch

    state = module.state_dict()
    entries = _correspondences(state)
    expected = [_keras_shape(state[entry.tensor], entry.axes) for entry in entries]
    shapes = [array.shape for array in layer.arrays.values()]
    if shapes != expected:
        raise GengapError(
            f"{path}: layer {layer.name} has weights of the shapes {shapes}, but {name} of its "
            f"config needs {expected}: the two files do not belong together."
        )
    return {
        f"{name}.{entry.tensor}": torch.from_numpy(
            np.ascontiguousarray(array.transpose(np.argsort(entry.axes)), dtype=np.float32)
        )
        for entry, array in zip(entries, layer.arrays.values(), strict=True)
    }


def _keras_shape(tensor: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(tensor.shape[axis] for axis in axes)


def _modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules with weights and their names, in forward order."""
    from torch import nn

    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)
    return (pair for pair in network.named_modules() if isinstance(pair[1], kinds))


def _correspondences(state: Mapping[str, Tensor]) -> list[Correspondence]:
    """List the Keras weights of a module with these tensors, in Keras' order."""
    if "running_mean" in state:
        entries = [
            Correspondence("weight", "gamma", UNCHANGED),
            Correspondence("bias", "beta", UNCHANGED),
            Correspondence("running_mean", "moving_mean", UNCHANGED),
            Correspondence("running_var", "moving_variance", UNCHANGED),
        ]
    else:
        axes = OIHW_TO_HWIO if state["weight"].ndim == len(OIHW_TO_HWIO) else OI_TO_IO
        entries = [
            Correspondence("weight", "kernel", axes),
            Correspondence("bias", "bias", UNCHANGED),
        ]
    # Layers may lack a bias, a scale (gamma) or a center (beta).
    return [entry for entry in entries if entry.tensor in state]


def _model_config(network: nn.Module) -> list[dict[str, Any]]:
    config: list[dict[str, Any]] = network.spec["model_config"]  # type: ignore[index, assignment]
    return config


def _layer_names(network: nn.Module) -> list[str]:
    """Name each layer of the config as Keras does, whether it has weights or not."""
    return [
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", layer["layer_name"]).lower() + f"_{index}"
        for index, layer in enumerate(_model_config(network))
    ]


def _names(group: Any, attribute: str) -> list[str]:
    """Read a list of names from an attribute, which Keras splits into numbered ones if long."""
    if attribute in group.attrs:
        pieces = [group.attrs[attribute]]
    else:
        pieces = []
        while f"{attribute}{len(pieces)}" in group.attrs:
            pieces.append(group.attrs[f"{attribute}{len(pieces)}"])
        if not pieces:
            raise KeyError(attribute)
    return [
        name.decode() if isinstance(name, bytes) else str(name)
        for piece in pieces
        for name in piece
    ]
