"""Dense networks in which only a random subset of the weights has an effect."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from gengap.networks.keywords import integer, number
from gengap.networks.masks import MaskedLinear
from gengap.networks.network import Network


class MaskedDense(Network):
    """The masked networks of Maddox et al. (2020): ``depth`` hidden layers of ``width`` ReLU units.

    Each weight is kept with probability ``kept``. The mask is drawn from ``mask_seed`` alone and is
    saved with the weights. A weight that is not kept is a parameter without any effect. All biases
    are kept.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        width: Any,
        depth: Any,
        kept: Any = 0.6,
        mask_seed: Any = 0,
    ) -> None:
        super().__init__(input_shape)
        width, depth = integer(width, "width"), integer(depth, "depth")
        kept = number(kept, "kept", low=0.0, high=1.0)
        draws = torch.Generator().manual_seed(integer(mask_seed, "mask_seed", minimum=0))
        self.hidden = nn.Sequential()
        inputs = math.prod(input_shape)
        for position in range(depth):
            self.hidden.append(MaskedLinear(inputs, width, kept, draws))
            self.hidden.append(nn.ReLU())
            self.observed[f"hidden.{2 * position}"] = f"hidden.{2 * position + 1}"
            inputs = width
        self.dense = MaskedLinear(inputs, classes, kept, draws)
        self.observed["dense"] = "dense"
        self.outputs = classes

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for inputs (n, *input_shape)."""
        self.check_inputs(inputs.shape)
        outputs: Tensor = self.dense(self.hidden(inputs.flatten(1)))
        return outputs
