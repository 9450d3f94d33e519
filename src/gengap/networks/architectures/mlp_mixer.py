"""MLP-Mixer for small images."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gengap.networks.architectures.patches import EPSILON, MLP_RATIO, PatchNetwork, mlp
from gengap.networks.keywords import integer

TOKEN_RATIO = 2
"""Ratio of the channels of a token to the hidden units of the MLP over tokens."""


class MixerBlock(nn.Module):
    """An MLP over tokens, then one over channels, each normalised and beside a shortcut."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.over_tokens = mlp(tokens, max(1, width // TOKEN_RATIO))
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.over_channels = mlp(width, MLP_RATIO * width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return tokens of the same shape (n, tokens, width)."""
        mixed = inputs + self.over_tokens(self.norm1(inputs).transpose(1, 2)).transpose(1, 2)
        outputs: Tensor = mixed + self.over_channels(self.norm2(mixed))
        return outputs


class MLPMixer(PatchNetwork):
    """MLP-Mixer (Tolstikhin et al. 2021, "MLP-Mixer: an all-MLP architecture for vision").

    Patches of ``patch`` x ``patch`` cells are mapped to tokens of ``width`` channels. ``depth``
    blocks follow, each of an MLP over the tokens (``width`` / 2 hidden units, the same for all
    channels) and one over the channels (4 * ``width``, the same for all tokens), with GELU. The
    mean over the normalised tokens is classified by a linear layer. There is no dropout. The
    observed outputs are those of the patches, of each GELU and MLP, and of the linear layer.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        width: Any = 64,
        depth: Any = 4,
        patch: Any = 4,
    ) -> None:
        width, depth = integer(width, "width"), integer(depth, "depth")
        super().__init__(input_shape, width, integer(patch, "patch"))
        self.blocks = nn.Sequential()
        for position in range(depth):
            self.blocks.append(MixerBlock(self.tokens, width))
            for part in ("over_tokens", "over_channels"):
                name = f"blocks.{position}.{part}"
                self.observed[f"{name}.0"] = f"{name}.1"
                self.observed[f"{name}.2"] = f"{name}.2"
        self.add_classifier(width, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        outputs: Tensor = self.dense(self.norm(self.blocks(self.embed(inputs))).mean(1))
        return outputs
