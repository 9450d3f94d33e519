"""Writing a network's weights in Keras' legacy HDF5 layout.

The root has the attribute ``layer_names``. Each layer is a group with the attribute
``weight_names``, and each weight a dataset.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gengap.errors import GengapError
from gengap.files import writing
from gengap.planning.layer_graph import default_name

if TYPE_CHECKING:
    from torch import nn

BACKEND, KERAS_VERSION = "tensorflow", "2.4.0"
"""The versions that PGDL's own files name."""


def write_weights(network: nn.Module, path: str | Path) -> None:
    """Write the weights of a network of Keras' layers in the legacy layout.

    The same weights give the same bytes.

    Args:
        network: built from a list of Keras layers.
        path: the file to write.

    Raises:
        GengapError: the network was built otherwise.
        MachineError: the file cannot be written.
    """
    import h5py

    from gengap.networks.keras_weights import layer_weights
    from gengap.networks.sequential import SequentialNetwork

    if not isinstance(network, SequentialNetwork):
        raise GengapError(
            f"A {type(network).__name__} is no list of Keras' layers, so Keras has no place for "
            "its weights: write them as safetensors."
        )
    kinds = [layer["layer_name"] for layer in network.spec["model_config"]]
    names = [default_name(kind, position) for position, kind in enumerate(kinds)]
    state = {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}
    weights = dict(zip(names, layer_weights(network), strict=True))
    with writing(path) as part, h5py.File(part, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        file.attrs["backend"] = BACKEND
        file.attrs["keras_version"] = KERAS_VERSION
        for name in names:
            group = file.create_group(name)
            arrays = {
                f"{name}/{weight.name}:0": weight.to_keras(*(state[one] for one in weight.tensors))
                for weight in weights[name]
            }
            group.attrs["weight_names"] = np.array([weight.encode() for weight in arrays])
            for weight, array in arrays.items():
                group.create_dataset(weight, data=np.ascontiguousarray(array))
