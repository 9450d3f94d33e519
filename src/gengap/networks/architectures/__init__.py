"""Named architectures, one module each.

To add one, write a module with a function or a :class:`~gengap.networks.network.Network` subclass
``(input_shape, classes, *, ...keywords)``, list it here, and list its keywords in
:data:`gengap.names.ARCHITECTURES`. Its keyword-only parameters are the keys of a spec besides
``architecture``, ``input_shape`` and ``classes``.
"""

from __future__ import annotations

from collections.abc import Callable

from gengap.networks.architectures.alexnet import alexnet
from gengap.networks.architectures.conv_x import conv_2, conv_4, conv_6
from gengap.networks.architectures.convnet import convnet
from gengap.networks.architectures.densenet121 import DenseNet121
from gengap.networks.architectures.inception import Inception
from gengap.networks.architectures.lenet import lenet
from gengap.networks.architectures.lenet_300_100 import lenet_300_100
from gengap.networks.architectures.masked_dense import MaskedDense
from gengap.networks.architectures.mlp_mixer import MLPMixer
from gengap.networks.architectures.preresnet import PreResNet
from gengap.networks.architectures.resnet18 import (
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
)
from gengap.networks.architectures.vgg16 import vgg16
from gengap.networks.architectures.vit import VisionTransformer
from gengap.networks.network import Network

ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "alexnet": alexnet,
    "conv_2": conv_2,
    "conv_4": conv_4,
    "conv_6": conv_6,
    "convnet": convnet,
    "densenet121": DenseNet121,
    "inception": Inception,
    "lenet": lenet,
    "lenet_300_100": lenet_300_100,
    "masked_dense": MaskedDense,
    "mlp_mixer": MLPMixer,
    "preresnet": PreResNet,
    "resnet18": ResNet18,
    "resnet34": ResNet34,
    "resnet50": ResNet50,
    "resnet101": ResNet101,
    "resnet152": ResNet152,
    "vgg16": vgg16,
    "vit": VisionTransformer,
}
