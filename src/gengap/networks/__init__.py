"""Networks: a declarative spec (JSON) to a torch module, and its weights in safetensors.

A spec is PGDL's own ``config.json`` (a list of Keras-style layers and an input shape) or
``{"architecture": name, "input_shape": [...], "classes": k, ...}``. Inputs are channels-last:
(n, H, W, C) images or (n, d) vectors, float32. Front doors: :func:`build`, :func:`logits`,
:func:`weight_layers`, :func:`observed_layers`, :func:`penultimate`, :func:`initialise`,
:func:`write_weights`, :func:`read_weights`, :func:`convolutional`, :func:`dense`; for the device
that a network is on, :func:`resolve_device`, :func:`device_of`, :func:`tensor_of`.
"""

from gengap.networks.architectures import ARCHITECTURES
from gengap.networks.building import build
from gengap.networks.device import device_of, resolve_device, tensor_of
from gengap.networks.initialisation import initialise
from gengap.networks.inspection import logits, observed_layers, penultimate, weight_layers
from gengap.networks.layers import LAYERS
from gengap.networks.network import Network
from gengap.networks.templates import convolutional, dense
from gengap.networks.weights import read_weights, set_weights, weights_of, write_weights

__all__ = [
    "ARCHITECTURES",
    "LAYERS",
    "Network",
    "build",
    "convolutional",
    "dense",
    "device_of",
    "initialise",
    "logits",
    "observed_layers",
    "penultimate",
    "read_weights",
    "resolve_device",
    "set_weights",
    "tensor_of",
    "weight_layers",
    "weights_of",
    "write_weights",
]
