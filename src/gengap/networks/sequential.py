"""Networks from a list of Keras-style layers, as in PGDL's config.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengap import names
from gengap.errors import GengapError
from gengap.networks.keywords import KeywordError, flag, refuse_unknown
from gengap.networks.layers import KERNEL_OWNERS, LAYERS, Modules, Shape, ignored_keywords
from gengap.networks.layout import channels_first, channels_last
from gengap.networks.network import Network
from gengap.planning.layer_graph import INPUT_POSITION, default_name, inbound_positions

TOKENS, NUMBERS = "int64", "float32"
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Attributes in which torch keeps what observes a module."""
_EMBEDDING = "Embedding"


class Step(NamedTuple):
    """One entry of a ``model_config`` in a forward pass.

    Attributes:
        inbound: positions of the steps whose outputs it takes; -1 stands for the input.
        modules: names of its modules, in order.
        last_uses: positions of the steps whose outputs are not needed after it.
    """

    inbound: tuple[int, ...]
    modules: tuple[str, ...]
    last_uses: tuple[int, ...]


class SequentialNetwork(Network):
    """A network of layers, each of which takes the one before or others that it names.

    The modules of layer ``i`` are named as Keras names its layers, with the position in
    ``model_config``: ``conv2d_0`` (and ``conv2d_0_padding``, ``conv2d_0_relu`` around it),
    ``batch_normalization_1``, ``dense_5``. Besides its keywords, an entry may have

    - ``inbound_nodes``: the names of the layers that it takes, see
      :mod:`gengap.planning.layer_graph`; ``Add``, ``Concatenate`` and ``Multiply`` take several;
    - ``name``: what others call it by;
    - ``trainable``: with false its parameters need no gradients, so they are not trained, and its
      batch normalisation uses the running statistics in training too, as in Keras.

    Where ``Embedding`` takes the input, inputs are int64 tokens (n, length), and float32 otherwise.

    Attributes:
        steps: the forward pass, one step for each entry.

    Raises:
        GengapError: a layer or keyword is unknown, a value makes no sense or shapes do not fit; the
            sentence names the layer by its position in ``model_config``.
    """

    def __init__(self, model_config: Sequence[Mapping[str, Any]], input_shape: Shape) -> None:
        super().__init__(input_shape)
        if not model_config:
            raise GengapError("model_config lists no layers: give at least one Dense layer.")
        self.steps: list[Step] = []
        self._inferring: list[str] = []  # modules that are in eval mode also in training
        for position, layer in enumerate(model_config):
            try:
                _check_entry(layer)
            except KeywordError as error:
                raise _named(position, layer, error) from None
        inbound = inbound_positions(model_config)
        if any(
            layer["layer_name"] == _EMBEDDING and INPUT_POSITION in taken
            for layer, taken in zip(model_config, inbound, strict=True)
        ):
            self.input_type = TOKENS
        shapes = {INPUT_POSITION: self.input_shape}
        for position, layer in enumerate(model_config):
            taken = inbound[position]
            try:
                modules, shapes[position] = self._add(
                    position, layer, taken, [shapes[one] for one in taken]
                )
            except KeywordError as error:
                raise _named(position, layer, error) from None
            later = {one for others in inbound[position + 1 :] for one in others}
            self.steps.append(Step(taken, modules, tuple(set(taken) - later)))
        self._followers = _followers(self.steps)
        shape = shapes[len(model_config) - 1]
        if len(shape) != 1:
            raise GengapError(
                f"The last layer of model_config ({len(model_config) - 1}) gives outputs of shape "
                f"{list(shape)} instead of one number per class: add Flatten or global pooling."
            )
        if not self.observed:
            raise GengapError(
                "model_config has no layer with a kernel, such as Conv2D or Dense: add at least "
                "one."
            )
        self.outputs = shape[0]
        self.final_activation = _final_activation(list(self.children())[-1], self.outputs)

    def _add(
        self, position: int, layer: Mapping[str, Any], taken: Sequence[int], shapes: list[Shape]
    ) -> tuple[tuple[str, ...], Shape]:
        """Register the modules of an entry; return their names and the shape of its outputs."""
        kind = layer["layer_name"]
        self._check_input(kind, taken)
        modules = _make(layer, shapes)
        prefix = default_name(kind, position)
        for suffix, module in modules:
            self.add_module(prefix + suffix, module)
            if isinstance(module, KERNEL_OWNERS):
                self.observed[prefix] = prefix + modules[-1][0]
            if not flag(layer.get("trainable", True), "trainable"):
                module.requires_grad_(False)
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    self._inferring.append(prefix + suffix)
        shape = _output_shape(modules, shapes, TOKENS if kind == _EMBEDDING else NUMBERS)
        return tuple(prefix + suffix for suffix, _ in modules), shape

    def _check_input(self, kind: str, taken: Sequence[int]) -> None:
        """Refuse tokens for layers of numbers, and numbers for an embedding."""
        if kind == _EMBEDDING and tuple(taken) != (INPUT_POSITION,):
            raise KeywordError(
                "it takes tokens, which only the input of the network holds: put it first."
            )
        if kind != _EMBEDDING and self.input_type == TOKENS and INPUT_POSITION in taken:
            raise KeywordError(
                "it takes the input, which holds tokens for the Embedding: let it take the "
                "Embedding instead."
            )

    def train(self, mode: bool = True) -> Self:
        """Set the mode; batch normalisation that is not trainable stays in eval mode."""
        super().train(mode)
        for name in self._inferring:
            self.get_submodule(name).eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) for inputs (n, *input_shape)."""
        return self._through(inputs, without_last=False)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, outputs) before the final activation, if there is one.

        Several sigmoids p give log p: Keras divides such outputs by their sum for the cross-entropy
        of classes, which is the softmax of log p.
        """
        if self.outputs > 1 and isinstance(list(self.children())[-1], nn.Sigmoid):
            return functional.logsigmoid(self._through(inputs, without_last=True))
        return self._through(inputs, without_last=self.final_activation is not None)

    def _through(self, inputs: Tensor, *, without_last: bool) -> Tensor:
        self.check_inputs(inputs.shape)
        self._check_type(inputs)
        values = {INPUT_POSITION: channels_first(inputs)}
        last = len(self.steps) - 1
        pooled = None  # the position of a step that was computed within the one before it
        for position, step in enumerate(self.steps):
            arguments = [values[one] for one in step.inbound]
            for one in step.last_uses:
                del values[one]
            names = step.modules[:-1] if without_last and position == last else step.modules
            modules: list[Any] = [self._modules[name] for name in names if position != pooled]
            follower = self._modules.get(self._followers.get(position, ""))
            if modules and commute(modules[-1], follower):
                # The same values and derivatives, with a nonlinearity on fewer numbers.
                modules.insert(-1, follower)
                pooled = position + 1
            for module in modules:
                arguments = [module(*arguments)]
            (values[position],) = arguments
        return values[last]

    def _check_type(self, inputs: Tensor) -> None:
        if inputs.is_floating_point() == (self.input_type == TOKENS):
            wanted = "tokens, int64," if self.input_type == TOKENS else "float32 inputs"
            raise GengapError(
                f"The network takes {wanted} but got {inputs.dtype}: take data that fit, or "
                "put an Embedding layer first for tokens."
            )


def _followers(steps: Sequence[Step]) -> dict[int, str]:
    """Return the module of the step after each one, where it is one that alone takes its output."""
    return {
        position: after.modules[0]
        for position, after in enumerate(steps[1:])
        if len(after.modules) == 1 and after.inbound == after.last_uses == (position,)
    }


def commute(nonlinearity: nn.Module, pool: nn.Module | None) -> bool:
    """Tell whether two modules are a ReLU and a max pooling that no hooks observe."""
    return (
        type(nonlinearity) is nn.ReLU
        and type(pool) in POOLS
        and not any(getattr(module, name) for module in (nonlinearity, pool) for name in HOOKS)
    )


def _named(position: int, layer: Any, error: KeywordError) -> GengapError:
    kind = layer.get("layer_name") if isinstance(layer, Mapping) else None
    return GengapError(f"Layer {position} ({kind}) of model_config: {error}")


def _check_entry(layer: Any) -> None:
    """Refuse an entry that is not a layer, or has keywords that its layer does not know."""
    if not isinstance(layer, Mapping) or "layer_name" not in layer:
        raise KeywordError("it is not a mapping with a layer_name: write one per layer.")
    name = layer["layer_name"]
    if not isinstance(name, str) or name not in LAYERS:
        raise KeywordError(f"unknown layer {name!r}: the known ones are {', '.join(LAYERS)}.")
    _refuse_other_numbers(layer)
    given = [key for key in layer if key != "layer_name"]
    refuse_unknown(given, LAYERS[name], also=ignored_keywords(name) | set(names.ENTRY_KEYWORDS))


def _make(layer: Mapping[str, Any], shapes: list[Shape]) -> Modules:
    """Make the modules of an entry that takes layers of these shapes."""
    name = layer["layer_name"]
    unread = ignored_keywords(name) | {"layer_name", *names.ENTRY_KEYWORDS}
    keywords = {key: value for key, value in layer.items() if key not in unread}
    return LAYERS[name](shapes if name in names.MERGING_LAYERS else shapes[0], **keywords)


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

    A sigmoid of several outputs makes no probabilities that sum to 1, so it is none. Nor is any
    other function of a single output, such as tanh: its values count as the logit, whose sign is
    the class.

    Args:
        last: the last module.
        outputs: number of outputs.

    Returns:
        ``softmax``, ``sigmoid`` or None.

    Raises:
        GengapError: it is the softmax of one output.
    """
    if isinstance(last, nn.Sigmoid) and outputs == 1:
        return "sigmoid"
    if not isinstance(last, nn.Softmax):
        return None
    if outputs == 1:
        raise GengapError(
            "model_config ends in the softmax of one output, which is always 1: use sigmoid, or "
            "one output for each class."
        )
    return "softmax"


def _output_shape(modules: Modules, shapes: Sequence[Shape], dtype: str) -> Shape:
    """Return the shape after a layer, found by sending an empty input through it."""
    values: Any = [
        channels_first(torch.zeros(1, *shape, dtype=getattr(torch, dtype))) for shape in shapes
    ]
    with torch.no_grad():
        for _, module in modules:
            values = [module.eval()(*values)]
    return tuple(channels_last(values[0]).shape[1:])
