"""Building a network from its declarative spec."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gengap.errors import GengapError, MachineError
from gengap.networks.adoption import AdoptedNetwork, adopt
from gengap.networks.architectures import ARCHITECTURES
from gengap.networks.factories import make_module
from gengap.networks.hubs import HUB_LAYOUT, make_hub_module
from gengap.networks.initialisation import initialise
from gengap.networks.keras_files import load_weights, read_keras_spec
from gengap.networks.keywords import KeywordError, integer, refuse_unknown, shape
from gengap.networks.layout import keep_within_memory
from gengap.networks.network import Network
from gengap.networks.sequential import SequentialNetwork

if TYPE_CHECKING:
    from gengap.datasets import Split

NO_MEMORY = "allocate memory"
"""What torch says where an array is too large."""

FIRST_SEED = 0
"""The seed of the weights that a network has until it is trained or weights are read."""

KINDS = ("model_config", "architecture", "factory", "hub", "keras")
"""Keys that say how a spec describes its network; a spec has one of them."""

FOREIGN_KINDS = ("factory", "hub")
"""Those whose module is made elsewhere and adopted."""

INPUT_TYPES = ("float32", "int64")

_FOREIGN_KEYS = ("keywords", "layout", "outputs", "observe", "input_shape", "input_type")
_MODEL_CONFIG_KEYS = {"model_config", "input_shape"}
_ARCHITECTURE_KEYS = ("architecture", "input_shape", "classes")


def build(
    spec: Mapping[str, Any],
    *,
    example: Split | np.ndarray | Tensor | None = None,
    folder: str | Path = ".",
    seed: int = FIRST_SEED,
) -> Network:
    """Build a network from its spec, in eval mode.

    The weights are torch's default ones from the seed; the global random state is neither used
    nor changed. Under ``with torch.device("meta")`` only shapes are computed, which checks a spec
    at no cost.

    A network made elsewhere (``factory``, ``hub``) is adopted, see :func:`gengap.networks.adopt`,
    and has the weights that its own code gives it. Its ``spec`` is complete afterwards: with
    ``input_shape``, ``input_type``, ``outputs`` and the names of the layers that are observed. Then
    it builds the same network without an example.

    Args:
        spec: one of

            - ``{"model_config": [{"layer_name": ..., keywords}, ...], "input_shape": [...]}`` as
              PGDL writes it,
            - ``{"architecture": name, "input_shape": [...], "classes": k, keywords}``,
            - ``{"factory": "mynets.py:SmallResNet", "keywords": {...}}``, a function in a file of
              the user's own, which returns a module,
            - ``{"hub": "torchvision:resnet18", "keywords": {...}}``, or ``timm:...``,
            - ``{"keras": "model.keras"}``, or ``.h5``: a whole model with its weights, whose spec
              afterwards is a ``model_config``.

            Factories and hubs take ``layout``, ``outputs`` and ``observe`` as ``adopt`` does.
            Integral floats stand for integers.
        example: some inputs (n, *input_shape) for a network made elsewhere, channels last; not
            needed if the spec is complete.
        folder: what paths in the spec are relative to.
        seed: of the weights.

    Returns:
        A module with inputs (n, *input_shape) and outputs (n, classes); ``spec`` is its attribute.

    Raises:
        GengapError: an unknown layer, architecture or keyword, shapes that do not fit, or a module
            that cannot be made or adopted.
        MachineError: the network does not fit into memory, or a package is missing.
    """
    kinds = [kind for kind in KINDS if kind in spec] if isinstance(spec, Mapping) else []
    if len(kinds) != 1:
        raise GengapError(
            "A network's spec is a mapping with one of the keys model_config (a list of layers), "
            "architecture (a name), factory (file.py:function), hub (torchvision:name) or keras "
            "(a file): give one of them."
        )
    if kinds[0] in FOREIGN_KINDS:
        return _foreign(spec, kinds[0], example, folder, seed).eval()
    if kinds[0] == "keras":
        return _of_keras(spec, folder)
    # torch's layers draw their first weights from the global random state.
    with torch.random.fork_rng(devices=[]), _in_memory():
        network = _sequential(spec) if "model_config" in spec else _named(spec)
    network.spec = copy.deepcopy(dict(spec))
    keep_within_memory(network)
    if torch.get_default_device().type != "meta":
        initialise(network, "torch", torch.Generator().manual_seed(seed))
    return network.eval()


@contextmanager
def _in_memory() -> Iterator[None]:
    """Say in a sentence that a network does not fit into memory."""
    try:
        yield
    except RuntimeError as error:
        if NO_MEMORY not in str(error):
            raise
        raise MachineError(
            "The network of a spec does not fit into the memory of this machine: make its layers "
            "smaller, or take a larger machine."
        ) from error


def _of_keras(spec: Mapping[str, Any], folder: str | Path) -> Network:
    """Build the network of a Keras file, with its weights."""
    unknown = sorted(set(spec) - {"keras"})
    if unknown or not isinstance(spec["keras"], str):
        raise GengapError(
            f"A network's spec with keras is a file's path alone, not {dict(spec)!r}: give "
            "{'keras': 'model.keras'}."
        )
    path = Path(folder, spec["keras"])
    model = read_keras_spec(path)
    try:
        network = build(model)
    except GengapError as error:
        raise GengapError(f"{path}: {error}") from None
    load_weights(network, path)
    return network


def _foreign(
    spec: Mapping[str, Any],
    kind: str,
    example: Split | np.ndarray | Tensor | None,
    folder: str | Path,
    seed: int,
) -> Network:
    """Make a module by code from elsewhere, and adopt it."""
    unknown = sorted(set(spec) - {kind, *_FOREIGN_KEYS})
    if unknown:
        raise GengapError(
            f"Unknown key {unknown[0]!r} in a network's spec with {kind}: the known ones are "
            f"{', '.join(_FOREIGN_KEYS)}."
        )
    keywords = spec.get("keywords") or {}
    if not isinstance(keywords, Mapping):
        raise GengapError(f"keywords is {keywords!r}: give a mapping of names to values.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "hub":
            module = make_hub_module(spec["hub"], keywords)
        else:
            module = make_module(spec["factory"], keywords, folder)
    network = adopt(
        module,
        _example_of(spec) if example is None else example,
        layout=spec.get("layout", HUB_LAYOUT if kind == "hub" else None),
        outputs=spec.get("outputs"),
        observe=spec.get("observe", "auto"),
    )
    stated = network.stated() if isinstance(network, AdoptedNetwork) else {}
    network.spec = {kind: spec[kind], "keywords": copy.deepcopy(dict(keywords)), **stated}
    return network


def _example_of(spec: Mapping[str, Any]) -> Tensor:
    """Return an input of the shape and type that a complete spec states."""
    if "input_shape" not in spec:
        raise GengapError(
            "The inputs of a network made elsewhere are not known: build it with an example of its "
            "inputs, or give input_shape (and input_type int64 for tokens) in its spec."
        )
    sizes = spec["input_shape"]
    if not isinstance(sizes, list | tuple) or not sizes:
        raise GengapError(f"input_shape is {sizes!r}: give the sizes of one input, channels last.")
    kind = spec.get("input_type", "float32")
    if kind not in INPUT_TYPES:
        raise GengapError(f"input_type is {kind!r}: give {' or '.join(INPUT_TYPES)}.")
    # Token 0 is often padding, of which some networks see nothing.
    values = torch.ones if kind == "int64" else torch.zeros
    return values(1, *(integer(size, "input_shape") for size in sizes), dtype=getattr(torch, kind))


def _sequential(spec: Mapping[str, Any]) -> Network:
    unknown = sorted(set(spec) - _MODEL_CONFIG_KEYS)
    if unknown:
        raise GengapError(
            f"Unknown key {unknown[0]!r} in a network's spec with model_config: "
            "only input_shape stands beside it."
        )
    layers = spec["model_config"]
    if not isinstance(layers, list | tuple):
        raise GengapError(f"model_config is {layers!r}: give a list of layers.")
    return SequentialNetwork(layers, _input_shape(spec))


def _named(spec: Mapping[str, Any]) -> Network:
    name = spec["architecture"]
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise GengapError(
            f"Unknown architecture {name!r}: the known ones are {', '.join(sorted(ARCHITECTURES))}."
        )
    make = ARCHITECTURES[name]
    keywords = {key: value for key, value in spec.items() if key not in _ARCHITECTURE_KEYS}
    try:
        if "classes" not in spec:
            raise KeywordError("the key 'classes' is missing: give the number of classes.")
        refuse_unknown(keywords, make)
        return make(_input_shape(spec), integer(spec["classes"], "classes"), **keywords)
    except GengapError as error:
        raise GengapError(f"Architecture {name}: {error}") from None


def _input_shape(spec: Mapping[str, Any]) -> tuple[int, ...]:
    if "input_shape" not in spec:
        raise GengapError("The key input_shape is missing in a network's spec: add it.")
    try:
        return shape(spec["input_shape"], "input_shape")
    except KeywordError as error:
        raise GengapError(f"In a network's spec, {error}") from None
