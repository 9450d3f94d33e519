"""``gengap describe SPEC``: the parts of a network, and which measures can be computed of it."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.cli.listing import joined, reason_lines, wrapped
from gengap.names import FAMILIES

if TYPE_CHECKING:
    import torch

    from gengap.datasets import Split
    from gengap.networks import Network

EXAMPLES = """\
gengap describe results/digits/networks/3
gengap describe config.json weights.safetensors --data train.safetensors
gengap describe config.json --json"""

WITHOUT_DATA = (
    "All measures need training data. Without --data, those that need class labels are listed as "
    "if there were a class for each output."
)


@dataclass(frozen=True)
class Layer:
    """A module of a network that owns parameters or has no parts.

    Attributes:
        name: its path in the network.
        kind: its class.
        kernel: the shape of its kernel; empty for a module without one.
        output: the shape of its output without the batch, as PyTorch has it; None for a module
            that the network does not use.
        parameters: number of its own parameters.
    """

    name: str
    kind: str
    kernel: list[int]
    output: list[int] | None
    parameters: int


@dataclass(frozen=True)
class Observed:
    """A layer whose activations count as neurons.

    Attributes:
        name: the layer with weights.
        read_at: the module whose outputs are its activations.
        neurons: how many there are.
    """

    name: str
    read_at: str
    neurons: int


@dataclass(frozen=True)
class Description:
    """What ``gengap describe`` prints.

    Attributes:
        input_shape: shape of one input, channels last.
        outputs: number of outputs.
        parameters: number of parameters.
        trainable: number of those that are not frozen.
        layers: in the order in which the network registers them.
        observed: the layers of neurons, in forward order.
        has_data: whether training data were given.
        measures: by family and measure, the reason why it cannot be computed, or None.
    """

    input_shape: list[int]
    outputs: int
    parameters: int
    trainable: int
    layers: list[Layer]
    observed: list[Observed]
    has_data: bool
    measures: dict[str, dict[str, str | None]]

    def text(self) -> str:
        """Return the description as text for a terminal."""
        frozen = self.parameters - self.trainable
        lines = [
            f"inputs      {_shape(self.input_shape)}",
            f"outputs     {self.outputs}",
            f"parameters  {self.parameters:,}" + (f", {frozen:,} frozen" if frozen else ""),
            "",
            *_columns(
                ["layer", "kind", "kernel", "output", "parameters"],
                [
                    [
                        layer.name,
                        layer.kind,
                        _shape(layer.kernel),
                        "not used" if layer.output is None else _shape(layer.output),
                        f"{layer.parameters:,}" if layer.parameters else "",
                    ]
                    for layer in self.layers
                ],
            ),
            "",
            f"{sum(layer.neurons for layer in self.observed):,} neurons",
            *_columns(
                ["layer", "read at", "neurons"],
                [[layer.name, layer.read_at, f"{layer.neurons:,}"] for layer in self.observed],
            ),
            "",
            "measures that can be computed",
        ]
        left_out: list[str] = []
        for family, reasons in self.measures.items():
            lacking = {name: reason for name, reason in reasons.items() if reason is not None}
            names = [name for name in reasons if name not in lacking]
            lines += wrapped(f"{family}: {joined(names)}") if names else []
            left_out += reason_lines(family, lacking)
        if left_out:
            lines += ["", "measures that cannot be computed", *left_out]
        return "\n".join(lines if self.has_data else [*lines, "", *wrapped(WITHOUT_DATA)])


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap describe``."""
    subject.add_network(parser)
    subject.add_training(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(options: Namespace) -> None:
    """Print the description."""
    description = describe(subject.read_named_network(options), options.loss)
    print(json.dumps(asdict(description), indent=1) if options.json else description.text())


def describe(named: subject.NamedNetwork, loss: str | None = None) -> Description:
    """Describe a network.

    Args:
        named: the network, and its training data if they are known.
        loss: the loss that it was trained on.

    Returns:
        Its layers and neurons as one input sees them, and the measures that can be computed.
    """
    import numpy as np

    from gengap.measures import applicable
    from gengap.networks import device_of, tensor_of

    data = _example(named.network) if named.data is None else named.data.take(slice(0, 1))
    layers, observed = _parts(named.network, tensor_of(data.inputs, device_of(named.network)))
    whole = named.subject(named.data or data, loss, np.random.default_rng(0))
    parameters = list(named.network.parameters())
    return Description(
        input_shape=list(named.network.input_shape),
        outputs=named.network.outputs,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(tensor.numel() for tensor in parameters if tensor.requires_grad),
        layers=layers,
        observed=observed,
        has_data=named.data is not None,
        measures={family: applicable(family, whole) for family in FAMILIES},
    )


def _example(network: Network) -> Split:
    """Return one input of zeros, in the first of as many classes as there are outputs."""
    import numpy as np

    from gengap.datasets import Split

    inputs = np.zeros((1, *network.input_shape), np.float32)
    return Split(inputs, np.zeros(1, np.int64), max(network.outputs, 2))


def _parts(network: Network, example: torch.Tensor) -> tuple[list[Layer], list[Observed]]:
    """Run one input through a network, and return its layers and its layers of neurons."""
    import torch

    from gengap.networks import captured, evaluating, observed_layers

    modules = {
        name: module
        for name, module in network.named_modules()
        if list(module.parameters(recurse=False)) or not list(module.children())
    }
    read_at = observed_layers(network)
    watched = [*modules.values(), *(module for _, module in read_at)]
    with torch.inference_mode(), evaluating(network), captured(watched) as passages:
        network(example)
    shapes = {module: _output_shape(passage.output) for module, passage in passages.items()}
    layers = [
        Layer(
            name,
            type(module).__name__,
            _kernel_shape(module),
            shapes.get(module),
            sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        )
        for name, module in modules.items()
    ]
    observed = [
        Observed(name, network.observed[name], math.prod(shapes[module]))
        for name, module in read_at
    ]
    return layers, observed


def _kernel_shape(module: torch.nn.Module) -> list[int]:
    weight = getattr(module, "weight", None)
    return list(weight.shape) if weight is not None and weight.ndim > 1 else []


def _output_shape(output: Any) -> list[int]:
    """Return the shape without the batch, of the first tensor where there are several."""
    first = output[0] if isinstance(output, tuple) else output
    return list(first.shape[1:])


def _shape(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))


def _columns(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return lines of left-aligned columns; one of numbers, the last, is aligned to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        *cells, last = row
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        lines.append("  " + "  ".join([*padded, last.rjust(widths[-1])]).rstrip())
    return lines


COMMAND = Command(
    "describe",
    "print the layers and neurons of a network, and which measures can be computed",
    EXAMPLES,
    add_arguments,
    run,
)
