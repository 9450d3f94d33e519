"""``gengap describe SPEC``: the parts of a network, and which measures can be computed of it."""

from __future__ import annotations

import copy
import json
import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
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
gengap describe mynets.py:SmallResNet --keywords '{"width": 16}' --input-shape 32,32,3
gengap describe mynets.py:SmallResNet last.pt --data train.npz --data-keys '{"layout": "NCHW"}'
gengap describe model.keras --json"""

NORMS = "norms of layers"
NEURONS = "layers of neurons"
OUTPUTS = "outputs"
DERIVATIVES = "derivatives"

SEEN_BY = {
    "topology": NEURONS,
    "baseline": NORMS,
    "norms": NORMS,
    "pac_bayes": DERIVATIVES,
    "competition": OUTPUTS,
    "curvature": DERIVATIVES,
    "tangent": DERIVATIVES,
    "functional_graph": NEURONS,
    "margins": OUTPUTS,
    "sharpness": DERIVATIVES,
    "response": OUTPUTS,
    "unlabelled": OUTPUTS,
    "gradients": DERIVATIVES,
    "information": DERIVATIVES,
    "weights": NORMS,
    "representations": NEURONS,
    "history": DERIVATIVES,
}
"""What most measures of a family look at."""

WITHOUT_DATA = (
    "All measures need training data. Without --data, those that need class labels are listed as "
    "if there were a class for each output."
)


@dataclass(frozen=True)
class Layer:
    """A module of a network that owns parameters or has no parts.

    Attributes:
        name: its path in the network; empty for parameters of the network itself.
        kind: its class.
        kernels: the shape (out, in, *window) of each of its kernels.
        output: the shape of its output without the batch, as PyTorch has it; None for a module
            that the network does not use.
        parameters: number of its own parameters.
    """

    name: str
    kind: str
    kernels: list[list[int]]
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
        shares: by family, the share of the parameters that its measures see.
        unknown: the layers that norms do not know.
        has_data: whether training data were given.
        measures: by family and measure, the reason why it cannot be computed, or None.
    """

    input_shape: list[int]
    outputs: int
    parameters: int
    trainable: int
    layers: list[Layer]
    observed: list[Observed]
    shares: dict[str, float]
    unknown: list[str]
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
                        layer.name or "(itself)",
                        layer.kind,
                        ", ".join(map(_shape, layer.kernels)),
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
            "share of the parameters that a family sees",
            *_columns(
                ["family", "by", "share"],
                [
                    [family, SEEN_BY[family], f"{100 * share:.1f} %"]
                    for family, share in self.shares.items()
                ],
            ),
            *(wrapped(f"norms do not know {', '.join(self.unknown)}") if self.unknown else []),
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
    parser.add_argument(
        "--input-shape",
        type=input_shape,
        metavar="SIZES",
        help="sizes of one input, channels last, such as 32,32,3: without data, for a spec that "
        "does not state them",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def input_shape(text: str) -> list[int]:
    """Read sizes separated by commas.

    Args:
        text: such as ``32,32,3``.

    Returns:
        The sizes.

    Raises:
        ArgumentTypeError: one of them is no positive integer.
    """
    sizes = text.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise ArgumentTypeError(f"{text!r} is no shape such as 32,32,3")
    return [int(size) for size in sizes]


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
    from gengap.networks import device_of, tensor_of, unknown_layers

    network = named.network
    data = _example(network) if named.data is None else named.data.take(slice(0, 1))
    example = tensor_of(data.inputs, device_of(network))
    layers, observed = _parts(network, example)
    whole = named.subject(named.data or data, loss, np.random.default_rng(0))
    parameters = list(network.parameters())
    return Description(
        input_shape=list(network.input_shape),
        outputs=network.outputs,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(tensor.numel() for tensor in parameters if tensor.requires_grad),
        layers=layers,
        observed=observed,
        shares=_shares(network, example),
        unknown=unknown_layers(network),
        has_data=named.data is not None,
        measures={family: applicable(family, whole) for family in FAMILIES},
    )


def _example(network: Network) -> Split:
    """Return one input of zeros, in the first of as many classes as there are outputs."""
    import numpy as np

    from gengap.datasets import Split

    # Token 0 is often padding, of which some networks see nothing.
    tokens = network.spec.get("input_type") == "int64"
    values = np.ones if tokens else np.zeros
    inputs = values((1, *network.input_shape), np.int64 if tokens else np.float32)
    return Split(inputs, np.zeros(1, np.int64), max(network.outputs, 2))


def _parts(network: Network, example: torch.Tensor) -> tuple[list[Layer], list[Observed]]:
    """Run one input through a network, and return its layers and its layers of neurons."""
    import torch

    from gengap.networks import AdoptedNetwork, captured, evaluating, kernels, observed_layers

    modules = _layers(network)
    shapes_of_kernels: dict[torch.nn.Module, list[list[int]]] = {}
    for kernel in kernels(network):
        shapes_of_kernels.setdefault(kernel.module, []).append(list(kernel.weight.shape))
    read_at = observed_layers(network)
    watched = [*modules.values(), *(module for _, module in read_at)]
    with torch.inference_mode(), evaluating(network), captured(watched) as passages:
        network(example)
    shapes = {module: _output_shape(passage.output) for module, passage in passages.items()}
    layers = [
        Layer(
            name,
            module.kind if isinstance(module, AdoptedNetwork) else type(module).__name__,
            shapes_of_kernels.get(module, []),
            shapes.get(module),
            sum(parameter.numel() for parameter in _own_parameters(module)),
        )
        for name, module in modules.items()
    ]
    observed = [
        Observed(name, network.observed[name], math.prod(shapes[module]))
        for name, module in read_at
    ]
    return layers, observed


def _layers(network: Network) -> dict[str, torch.nn.Module]:
    """Return the modules that own parameters or have no parts; attention is one with its parts."""
    from torch import nn

    inside = {
        part
        for module in network.modules()
        if isinstance(module, nn.MultiheadAttention)
        for part in module.children()
    }
    return {
        name: module
        for name, module in network.named_modules()
        if module not in inside and (_own_parameters(module) or not list(module.children()))
    }


def _own_parameters(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    from torch import nn

    return list(module.parameters(recurse=isinstance(module, nn.MultiheadAttention)))


def _shares(network: Network, example: torch.Tensor) -> dict[str, float]:
    """Return the share of the parameters that each family sees."""
    from gengap.networks import coverage, parameter_count
    from gengap.networks.differentiation import counted_parameters

    def share(parameters: Iterable[torch.nn.Parameter]) -> float:
        seen = set(parameters)
        return sum(tensor.numel() for tensor in seen) / parameter_count(network)

    observed = [network.get_submodule(name) for name in network.observed]
    by = {
        NORMS: coverage(network),
        NEURONS: share(tensor for layer in observed for tensor in layer.parameters()),
        OUTPUTS: share(_used_parameters(network, example)),
        DERIVATIVES: share(counted_parameters(network).values()),
    }
    return {family: by[SEEN_BY[family]] for family in FAMILIES}


def _used_parameters(network: Network, example: torch.Tensor) -> list[torch.nn.Parameter]:
    """Return the parameters that the outputs depend on."""
    import torch

    from gengap.networks import evaluating

    tensors = list(network.parameters())
    copied = copy.deepcopy(network).requires_grad_()
    with torch.enable_grad(), evaluating(copied):
        gradients = torch.autograd.grad(
            copied(example).sum(), list(copied.parameters()), allow_unused=True
        )
    return [
        tensor for tensor, gradient in zip(tensors, gradients, strict=True) if gradient is not None
    ]


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
