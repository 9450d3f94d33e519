"""Named architectures, one module each.

To add one, write a module with a function or a :class:`~gengap.networks.network.Network` subclass
``(input_shape, classes, *, ...keywords)``, list it here, and list its keywords in
:data:`gengap.names.ARCHITECTURES`. Its keyword-only parameters are the keys of a spec besides
``architecture``, ``input_shape`` and ``classes``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gengap.networks.architectures.alexnet import alexnet
from gengap.networks.architectures.conv_x import conv_2, conv_4, conv_6
from gengap.networks.architectures.convnet import convnet
from gengap.networks.architectures.densenet import DenseNet
from gengap.networks.architectures.inception import Inception
from gengap.networks.architectures.lenet import lenet
from gengap.networks.architectures.lenet_10_20_50 import LeNet102050
from gengap.networks.architectures.lenet_300_100 import lenet_300_100
from gengap.networks.architectures.masked_dense import MaskedDense
from gengap.networks.architectures.mlp_mixer import MLPMixer
from gengap.networks.architectures.preact_resnet18 import PreActResNet18
from gengap.networks.architectures.preresnet import PreResNet
from gengap.networks.architectures.resnet import ResNet
from gengap.networks.architectures.vgg import vgg
from gengap.networks.architectures.vit import VisionTransformer
from gengap.networks.network import Network

ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "alexnet": alexnet,
    "conv_2": conv_2,
    "conv_4": conv_4,
    "conv_6": conv_6,
    "convnet": convnet,
    "densenet121": partial(DenseNet, "densenet121"),
    "densenet161": partial(DenseNet, "densenet161"),
    "densenet169": partial(DenseNet, "densenet169"),
    "densenet201": partial(DenseNet, "densenet201"),
    "inception": Inception,
    "lenet": lenet,
    "lenet_10_20_50": LeNet102050,
    "lenet_300_100": lenet_300_100,
    "masked_dense": MaskedDense,
    "mlp_mixer": MLPMixer,
    "preact_resnet18": PreActResNet18,
    "preresnet": PreResNet,
    "resnet101": partial(ResNet, "resnet101"),
    "resnet152": partial(ResNet, "resnet152"),
    "resnet18": partial(ResNet, "resnet18"),
    "resnet34": partial(ResNet, "resnet34"),
    "resnet50": partial(ResNet, "resnet50"),
    "vgg11": partial(vgg, "vgg11"),
    "vgg13": partial(vgg, "vgg13"),
    "vgg16": partial(vgg, "vgg16"),
    "vgg19": partial(vgg, "vgg19"),
    "vit": VisionTransformer,
}
