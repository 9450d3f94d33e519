"""Networks: torch modules built from a declarative spec (JSON), and their weights.

A spec is PGDL's own ``config.json`` (a list of Keras-style layers and an input shape), a named
architecture, a function in the user's own file, a name in torchvision or timm, or a Keras file, see
:func:`build`. Any other torch module becomes a network by :func:`adopt`. Inputs are channels last:
(n, H, W, C) images, (n, d) vectors, ... float32, or int64 tokens (n, length). Front doors:
:func:`build`, :func:`adopt`, :func:`read_spec`, :func:`copy_code`, :func:`factory_keywords`,
:func:`initialise`, :func:`write_weights`, :func:`read_weights`, :func:`convolutional`,
:func:`dense`. For the parts of a network: :func:`weight_layers`, :func:`observed_layers`,
:func:`leaf_modules`, :func:`parameter_count`. For its linear maps: :func:`kernels`,
:func:`kernel_norms`, :func:`row_norms`, :func:`coverage`, :func:`unknown_layers`, :func:`folded`,
:func:`effective_copy`, :func:`difference`, :func:`sum_over_paths`. To run it over data:
:func:`batched_outputs`, :func:`predicted_classes`, :func:`logits`, :func:`class_logits`,
:func:`predictions`, :func:`penultimate`, :func:`last_layer`, :func:`captured`. For its device:
:func:`resolve_device`, :func:`device_of`, :func:`tensor_of`.
"""

from gengap.networks.adoption import AdoptedNetwork, adopt
from gengap.networks.architectures import ARCHITECTURES
from gengap.networks.building import build
from gengap.networks.device import device_of, resolve_device, tensor_of
from gengap.networks.effective_weights import difference, effective_copy
from gengap.networks.factories import copy_code, factory_keywords
from gengap.networks.folding import folded
from gengap.networks.inference import (
    batch_size_for,
    batched_outputs,
    captured,
    class_logits,
    evaluating,
    forward_hooks,
    input_batches,
    last_layer,
    logits,
    output_sizes,
    parameter_count,
    penultimate,
    predicted_classes,
    predictions,
)
from gengap.networks.initialisation import initialise
from gengap.networks.inspection import leaf_modules, observed_layers, weight_layers
from gengap.networks.kernels import (
    Kernel,
    coverage,
    kernel_norms,
    kernels,
    row_norms,
    unknown_layers,
)
from gengap.networks.layers import LAYERS
from gengap.networks.network import Network
from gengap.networks.path_norms import sum_over_paths
from gengap.networks.specs import read_spec
from gengap.networks.templates import TEMPLATES, convolutional, dense
from gengap.networks.weight_files import read_weights
from gengap.networks.weights import add_weights, set_weights, weights_of, write_weights

__all__ = [
    "ARCHITECTURES",
    "LAYERS",
    "TEMPLATES",
    "AdoptedNetwork",
    "Kernel",
    "Network",
    "add_weights",
    "adopt",
    "batch_size_for",
    "batched_outputs",
    "build",
    "captured",
    "class_logits",
    "convolutional",
    "copy_code",
    "coverage",
    "dense",
    "device_of",
    "difference",
    "effective_copy",
    "evaluating",
    "factory_keywords",
    "folded",
    "forward_hooks",
    "initialise",
    "input_batches",
    "kernel_norms",
    "kernels",
    "last_layer",
    "leaf_modules",
    "logits",
    "observed_layers",
    "output_sizes",
    "parameter_count",
    "penultimate",
    "predicted_classes",
    "predictions",
    "read_spec",
    "read_weights",
    "resolve_device",
    "row_norms",
    "set_weights",
    "sum_over_paths",
    "tensor_of",
    "unknown_layers",
    "weight_layers",
    "weights_of",
    "write_weights",
]
