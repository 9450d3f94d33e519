"""Named architectures, one module each.

To add one: write a module with a function or a :class:`~gengap.networks.network.Network` subclass
``(input_shape, classes, *, ...keywords)`` and list it here. Its keyword-only parameters are what a
spec may say besides ``architecture``, ``input_shape`` and ``classes``.
"""

from __future__ import annotations

from collections.abc import Callable

from gengap.networks.architectures.lenet import lenet
from gengap.networks.architectures.resnet18 import ResNet18
from gengap.networks.network import Network

ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "lenet": lenet,
    "resnet18": ResNet18,
}
