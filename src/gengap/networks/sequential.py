"""Networks from a list of Keras-style layers, as in PGDL's config.json."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks.keywords import KeywordError, refuse_unknown
from gengap.networks.layers import LAYERS, Modules, Shape, ignored_keywords
from gengap.networks.layout import channels_first, channels_last
from gengap.networks.network import Network

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


class SequentialNetwork(Network):
    """A network of layers one after another.

    The modules of layer ``i`` are named as Keras names its layers, with the position in
    ``model_config``: ``conv2d_0`` (and ``conv2d_0_padding``, ``conv2d_0_relu`` around it),
    ``batch_normalization_1``, ``dense_5``.

    Raises:
        GengapError: a layer or keyword is unknown, a value makes no sense or shapes do not fit; the
            sentence names the layer by its position in ``model_config``.
    """

    def __init__(self, model_config: Sequence[Mapping[str, Any]], input_shape: Shape) -> None:
        super().__init__(input_shape)
        if not model_config:
            raise GengapError("model_config lists no layers: give at least one Dense layer.")
        shape = self.input_shape
        for index, layer in enumerate(model_config):
            try:
                shape = self._add(index, layer, shape)
            except KeywordError as error:
                kind = layer.get("layer_name") if isinstance(layer, Mapping) else None
                raise GengapError(f"Layer {index} ({kind}) of model_config: {error}") from None
        if len(shape) != 1:
            raise GengapError(
                f"The last layer of model_config ({index}) gives outputs of shape {list(shape)} "
                "instead of one number per class: add Flatten or GlobalAveragePooling2D."
            )
        if not self.observed:
            raise GengapError("model_config has no Conv2D or Dense layer: add at least one.")
        self.outputs = shape[0]
        self.final_activation = _final_activation(list(self.children())[-1], self.outputs)

    def _add(self, index: int, layer: Mapping[str, Any], shape: Shape) -> Shape:
        name, modules = _make(layer, shape)
        prefix = f"{_WORD_START.sub('_', name).lower()}_{index}"
        for suffix, module in modules:
            self.add_module(prefix + suffix, module)
            if isinstance(module, nn.Conv2d | nn.Linear):
                self.observed[prefix] = prefix + modules[-1][0]
        return _output_shape(modules, shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) for inputs (n, *input_shape)."""
        return self._through(list(self.children()), inputs)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) before the final activation, if there is one."""
        modules = list(self.children())
        return self._through(modules[:-1] if self.final_activation else modules, inputs)

    def _through(self, modules: Sequence[nn.Module], inputs: Tensor) -> Tensor:
        self.check_inputs(inputs.shape)
        values = channels_first(inputs)
        for module in modules:
            values = module(values)
        return values


def _make(layer: Mapping[str, Any], shape: Shape) -> tuple[str, Modules]:
    if not isinstance(layer, Mapping) or "layer_name" not in layer:
        raise KeywordError("it is not a mapping with a layer_name: write one per layer.")
    name = layer["layer_name"]
    if not isinstance(name, str) or name not in LAYERS:
        raise KeywordError(f"unknown layer {name!r}: the known ones are {', '.join(LAYERS)}.")
    ignored = ignored_keywords(name)
    given = {key: value for key, value in layer.items() if key != "layer_name"}
    _refuse_other_numbers(given)
    refuse_unknown(given, LAYERS[name], also=ignored)
    keywords = {key: value for key, value in given.items() if key not in ignored}
    return name, LAYERS[name](shape, **keywords)


def _refuse_other_numbers(given: Mapping[str, Any]) -> None:
    """Refuse a layer that computes with other numbers than float32."""
    dtype = given.get("dtype")
    if isinstance(
        dtype, Mapping
    ):  # Keras 3: {"class_name": "DTypePolicy", "config": {"name": ...}}
        dtype = dtype.get("config", {}).get("name")
    if dtype not in (None, "float32"):
        raise KeywordError(f"dtype is {dtype!r}: only float32 is supported.")
    if given.get("quantization_config") is not None:
        raise KeywordError("quantization_config is set: only layers of float32 are supported.")


def _final_activation(last: nn.Module, outputs: int) -> str | None:
    """Return the function that makes probabilities of a network's logits, if its last module does.

    A sigmoid of several outputs says nothing of how the classes exclude each other, so it stays.
    """
    if isinstance(last, nn.Softmax):
        return "softmax"
    return "sigmoid" if isinstance(last, nn.Sigmoid) and outputs == 1 else None


def _output_shape(modules: Modules, shape: Shape) -> Shape:
    """Return the shape after a layer, found by sending an empty input through it."""
    values = channels_first(torch.zeros(1, *shape))
    with torch.no_grad():
        for _, module in modules:
            values = module.eval()(values)
    return tuple(channels_last(values).shape[1:])
