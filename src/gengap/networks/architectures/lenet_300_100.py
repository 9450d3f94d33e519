"""LeNet-300-100."""

from __future__ import annotations

from gengap.networks.sequential import SequentialNetwork


def lenet_300_100(input_shape: tuple[int, ...], classes: int) -> SequentialNetwork:
    """Make the fully connected net of LeCun et al. (1998) with ReLU, for images and vectors.

    It has dense layers of 300 and 100 units, and a last one with one unit per class.

    Args:
        input_shape: (H, W, C) or (d,).
        classes: number of outputs.

    Returns:
        The network.
    """
    flatten = [{"layer_name": "Flatten"}] if len(input_shape) > 1 else []
    return SequentialNetwork(
        [
            *flatten,
            {"layer_name": "Dense", "units": 300, "activation": "relu"},
            {"layer_name": "Dense", "units": 100, "activation": "relu"},
            {"layer_name": "Dense", "units": classes},
        ],
        input_shape,
    )
