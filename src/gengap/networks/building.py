"""Building a network from its declarative spec."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from gengap.errors import GengapError
from gengap.networks.architectures import ARCHITECTURES
from gengap.networks.initialisation import initialise
from gengap.networks.keywords import KeywordError, integer, refuse_unknown, shape
from gengap.networks.network import Network
from gengap.networks.sequential import SequentialNetwork

FIRST_SEED = 0
"""The seed of the weights that a network has until it is trained or weights are read."""

_MODEL_CONFIG_KEYS = {"model_config", "input_shape"}
_ARCHITECTURE_KEYS = ("architecture", "input_shape", "classes")


def build(spec: Mapping[str, Any]) -> Network:
    """Build a network from its spec, in eval mode.

    The weights are torch's default ones from a fixed seed; the global random state is neither used
    nor changed. Under ``with torch.device("meta")`` only shapes are computed, which checks a spec
    at no cost.

    Args:
        spec: ``{"model_config": [{"layer_name": ..., keywords}, ...], "input_shape": [...]}`` as
            PGDL writes it, or ``{"architecture": name, "input_shape": [...], "classes": k,
            keywords}``. Integral floats stand for integers.

    Returns:
        A module with inputs (n, *input_shape) and outputs (n, classes); ``spec`` is its attribute.

    Raises:
        GengapError: an unknown layer, architecture or keyword, or shapes that do not fit.
    """
    if not isinstance(spec, Mapping) or ("model_config" in spec) == ("architecture" in spec):
        raise GengapError(
            "A network's spec is a mapping with either the key model_config (a list of layers) or "
            "the key architecture (a name): give one of the two."
        )
    # torch's layers draw their first weights from the global random state.
    with torch.random.fork_rng(devices=[]):
        network = _sequential(spec) if "model_config" in spec else _named(spec)
    network.spec = copy.deepcopy(dict(spec))
    if torch.get_default_device().type != "meta":
        initialise(network, "torch", torch.Generator().manual_seed(FIRST_SEED))
    return network.eval()


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
