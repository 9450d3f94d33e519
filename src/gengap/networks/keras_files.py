"""Reading models and weights that Keras wrote, without Keras.

Three layouts are read. Legacy HDF5 (``.h5``, ``.hdf5``) lists layers in the attribute
``layer_names`` and their weights in ``weight_names``; a whole model has them in the group
``model_weights``, beside the attribute ``model_config``. Keras 3's own HDF5 (``.weights.h5``) has a
group ``layers``, in which layers are called by their kind and number (``conv2d_1``) and weights by
their position. A ``.keras`` file is a zip of such weights and ``config.json``. Layers are matched
by their order, and weights by their order and shape.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gengap import names
from gengap.errors import GengapError, MachineError
from gengap.networks.keras_weights import layer_weights
from gengap.networks.layers import ignored_keywords
from gengap.networks.sequential import SequentialNetwork
from gengap.networks.weights import set_weights

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""Members of a ``.keras`` file."""

ATTENTION_PARTS = ("query_dense", "key_dense", "value_dense", "output_dense")
"""Parts of attention in the order of its weights."""

LARGEST_CONFIG = 2**26
"""Most bytes of a model's configuration, which is some hundred bytes for each layer."""

_BROKEN = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)
"""What h5py raises where a file is damaged or laid out otherwise."""


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one Keras layer.

    Attributes:
        name: the layer's name.
        arrays: the weights in Keras' order.
    """

    name: str
    arrays: list[np.ndarray]


def read_keras_spec(path: str | Path) -> dict[str, Any]:
    """Read the layers of a whole Keras model.

    Args:
        path: a Sequential model, or a functional one with one input and one output, that
            ``model.save`` wrote as ``.keras`` or ``.h5``.

    Returns:
        The spec ``{"model_config": [...], "input_shape": [...]}``, without keywords that do not
        change what a layer computes. Whether the layers are known, building it says.

    Raises:
        GengapError: the file is missing, damaged, holds weights alone, or another kind of model.
    """
    path = Path(path)
    model = _model_config(path)
    kind, config = model.get("class_name"), model.get("config")
    if isinstance(config, list):  # of the first versions of Keras 2
        config = {"layers": config}
    if kind not in ("Sequential", "Functional", "Model") or not isinstance(config, Mapping):
        raise GengapError(
            f"{path} holds a {kind} model: only Sequential and functional models of layers that "
            "Keras knows can be read."
        )
    try:
        layers = [layer for layer in config["layers"] if layer["class_name"] != "InputLayer"]
        entries = [_entry(layer) for layer in layers]
        if kind != "Sequential":
            _connect(entries, layers, config, path)
        sizes = _input_shape(config)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise GengapError(
            f"{path} describes its layers as no version of Keras does ({error!r}): save the model "
            "again."
        ) from error
    if not all(isinstance(size, int) for size in sizes):
        raise GengapError(
            f"{path} takes inputs of any size ({sizes}): save the model with a fixed input shape, "
            "as keras.Input((32, 32, 3))."
        )
    return {"model_config": entries, "input_shape": sizes}


def read_layers(path: str | Path, kinds: Sequence[str] = ()) -> list[LayerWeights]:
    """Read the layers that have weights.

    Args:
        path: a file of weights or of a whole model, in any of the three layouts.
        kinds: the kinds of the model's layers in order (``Conv2D``, ...), which Keras 3's own
            layout needs since it does not tell the order.

    Returns:
        The layers, in the model's order.

    Raises:
        GengapError: the file is missing, truncated, corrupt, or in another layout.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            root = file.get("model_weights", file)  # a whole model keeps its weights in a group
            layers = _numbered(root["layers"], kinds) if "layers" in root else _named(root)
    except _BROKEN as error:
        if isinstance(error, GengapError):
            raise
        raise GengapError(
            f"{path} is truncated, corrupt or not in a layout of Keras: download the task again, "
            "or save the model or its weights with Keras again."
        ) from error
    return [layer for layer in layers if layer.arrays]


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Load the weights of a Keras file into a network of Keras' layers, in place.

    Args:
        network: built from the list of layers that belongs to the file.
        path: a file of weights or of a whole model.

    Raises:
        GengapError: the file is broken, or its layers do not match the network's layers.
    """
    if not isinstance(network, SequentialNetwork):
        raise GengapError(
            f"{path} holds weights of Keras, which fit a network that is a list of Keras' layers, "
            f"not a {type(network).__name__}: give safetensors or a state dict."
        )
    entries = network.spec.get("model_config", [])
    layers = read_layers(path, [entry["layer_name"] for entry in entries])
    own = [weights for weights in layer_weights(network) if weights]
    if len(layers) != len(own):
        raise GengapError(
            f"{path} has {len(layers)} layers with weights, its config {len(own)}: "
            "the two files do not belong together."
        )
    tensors = {
        name: torch.zeros_like(tensor)
        for name, tensor in network.state_dict().items()
        # PyTorch counts batches; Keras does not.
        if name.endswith(".num_batches_tracked")
    }
    state = {name: tensor.numpy(force=True) for name, tensor in network.state_dict().items()}
    for layer, weights in zip(layers, own, strict=True):
        expected = [
            weight.to_keras(*(state[one] for one in weight.tensors)).shape for weight in weights
        ]
        shapes = [array.shape for array in layer.arrays]
        if shapes != expected:
            name = weights[0].tensors[0].partition(".")[0]
            raise GengapError(
                f"{path}: layer {layer.name} has weights of the shapes {shapes}, but {name} of its "
                f"config needs {expected}: the two files do not belong together."
            )
        for weight, array in zip(weights, layer.arrays, strict=True):
            values = weight.from_keras(np.asarray(array, dtype=np.float32))
            for tensor, value in zip(weight.tensors, values, strict=True):
                tensors[tensor] = torch.from_numpy(np.ascontiguousarray(value))
    set_weights(network, tensors, source=str(path))


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MachineError(
            "Files of Keras need the package h5py, which is not installed: install it."
        ) from error
    return h5py


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the HDF5 file of weights, which a ``.keras`` file holds inside."""
    h5py = _h5py()
    if not path.is_file():
        raise GengapError(f"{path} does not exist: download the task again, or correct the path.")
    if path.suffix.lower() != ".keras":
        with h5py.File(path, "r") as file:
            yield file
        return
    with h5py.File(io.BytesIO(_member(path, WEIGHTS)), "r") as file:
        yield file


def _member(path: Path, name: str) -> bytes:
    """Read one member of a ``.keras`` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if name == CONFIG and archive.getinfo(name).file_size > LARGEST_CONFIG:
                raise GengapError(f"{path} has a {name} of more than {LARGEST_CONFIG} bytes.")
            return archive.read(name)
    except (OSError, zipfile.BadZipFile, KeyError, NotImplementedError, EOFError) as error:
        raise GengapError(
            f"{path} is no .keras file with a {name} ({error}): save the model again."
        ) from error


def _model_config(path: Path) -> dict[str, Any]:
    """Read the JSON that describes a whole model."""
    if not path.is_file():
        raise GengapError(f"{path} does not exist: correct the path.")
    if path.suffix.lower() == ".keras":
        text: Any = _member(path, CONFIG)
    else:
        try:
            with _opened(path) as file:
                text = file.attrs.get("model_config")
        except OSError as error:
            raise GengapError(f"{path} is no HDF5 file ({error}): save the model again.") from error
        if text is None:
            raise GengapError(
                f"{path} holds weights alone: give the file of the whole model (model.save), or "
                "the list of its layers as the network and this file as its weights."
            )
    try:
        model = json.loads(text)
    except ValueError as error:
        raise GengapError(
            f"{path} describes its model in broken JSON ({error}): save the model again."
        ) from error
    if not isinstance(model, dict):
        raise GengapError(f"{path} describes no model: save the model again.")
    return model


def _entry(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer of a Keras model as an entry of a ``model_config``."""
    kind, config = layer["class_name"], dict(layer["config"])
    config.pop("batch_input_shape", None)  # of the first layer in Keras 2
    config.pop("name", None)
    dtype = config.pop("dtype", None)
    if isinstance(dtype, Mapping):  # Keras 3's DTypePolicy
        dtype = dtype["config"]["name"]
    if dtype not in (None, "float32"):
        config["dtype"] = dtype
    if config.get("trainable", True) is True:
        config.pop("trainable", None)
    known = names.LAYERS.get(kind, ())
    ignored = ignored_keywords(kind) - {"dtype", "trainable", "quantization_config", *known}
    entry = {"layer_name": kind}
    for key, value in config.items():
        if key not in ignored and not (key == "quantization_config" and value is None):
            entry[key] = _plain(value)
    return entry


def _plain(value: Any) -> Any:
    """Return the name of one of Keras' own functions in place of the object that stands for it."""
    if isinstance(value, Mapping) and value.get("class_name") == "function":
        return value.get("config")
    return value


def _connect(
    entries: list[dict[str, Any]],
    layers: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    path: Path,
) -> None:
    """Say in each entry of a functional model which others it takes."""
    inputs = [layer["name"] for layer in config["layers"] if layer["class_name"] == "InputLayer"]
    ends = config["output_layers"]
    ends = [ends] if isinstance(ends[0], str) else ends
    if len(inputs) != 1 or len(ends) != 1:
        raise GengapError(
            f"{path} has {len(inputs)} inputs and {len(ends)} outputs: only models with one of "
            "each can be read."
        )
    if ends[0][0] != layers[-1]["name"]:
        raise GengapError(f"{path} gives its outputs before its last layer: save it without that.")
    for entry, layer in zip(entries, layers, strict=True):
        if len(layer["inbound_nodes"]) != 1:
            raise GengapError(
                f"{path} uses the layer {layer['name']} several times: only models that use each "
                "layer once can be read."
            )
        taken = list(_histories(layer["inbound_nodes"][0]))
        if entry["layer_name"] not in names.MERGING_LAYERS:
            taken = list(dict.fromkeys(taken))  # attention of a sequence to itself
        entry["name"] = layer["name"]
        entry["inbound_nodes"] = ["input" if name == inputs[0] else name for name in taken]


def _histories(node: Any) -> Iterator[str]:
    """Yield the names of the layers that a node takes, in Keras 3's form or that of Keras 2."""
    if isinstance(node, Mapping):
        if "keras_history" in node:
            yield node["keras_history"][0]
        else:
            for value in node.values():
                yield from _histories(value)
    elif isinstance(node, list | tuple):
        if len(node) in (3, 4) and isinstance(node[0], str) and isinstance(node[1], int):
            yield node[0]
        else:
            for value in node:
                yield from _histories(value)


def _input_shape(config: Mapping[str, Any]) -> list[Any]:
    """Return the shape of one input, without the batch."""
    first = config["layers"][0]["config"]
    shape = (
        first.get("batch_shape")
        or first.get("batch_input_shape")
        or config.get("build_input_shape")
        or config["layers"][0]["build_config"]["input_shape"]
    )
    return list(shape[1:])


def _named(root: Any) -> list[LayerWeights]:
    """Read the weights of layers in the legacy layout."""
    return [
        LayerWeights(
            name, [_array(root[name][weight]) for weight in _names(root[name], "weight_names")]
        )
        for name in _names(root, "layer_names")
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


def _numbered(group: Any, kinds: Sequence[str]) -> list[LayerWeights]:
    """Read the weights of layers that are called by their kind and number."""
    counts: Counter[str] = Counter()
    layers = []
    for kind in kinds:
        snake = _snake_case(kind)
        name = f"{snake}_{counts[snake]}" if counts[snake] else snake
        counts[snake] += 1
        if name in group:
            layers.append(LayerWeights(name, list(_arrays(group[name]))))
    read = {layer.name for layer in layers}
    layers += [LayerWeights(name, list(_arrays(group[name]))) for name in group if name not in read]
    return layers


def _arrays(group: Any) -> Iterator[np.ndarray]:
    """Yield the weights of a layer and of its parts, but for the states of random generators."""
    weights = group.get("vars", {})
    for position in sorted(weights, key=int):
        yield _array(weights[position])
    parts = [name for name in group if name not in ("vars", "seed_generator")]
    for name in sorted(parts, key=lambda name: (*map(name.__ne__, ATTENTION_PARTS), name)):
        yield from _arrays(group[name])


def _array(dataset: Any) -> np.ndarray:
    if dataset.external is not None or dataset.is_virtual:
        raise ValueError("a weight lies in another file")
    return np.asarray(dataset)


def _snake_case(kind: str) -> str:
    """Return how Keras writes the name of a class in its own files: Conv2D as conv2d."""
    apart = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub("([a-z])([A-Z])", r"\1_\2", apart).lower()
