"""Vision Transformer for small images."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gengap.networks.architectures.patches import EPSILON, MLP_RATIO, PatchNetwork, mlp
from gengap.networks.attention import SelfAttention
from gengap.networks.keywords import KeywordError, integer
from gengap.networks.tokens import ClassToken, Positions


class EncoderBlock(nn.Module):
    """Self-attention, then an MLP, each after layer normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attention = SelfAttention(width, heads, width // heads, width // heads)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = mlp(width, MLP_RATIO * width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return tokens of the same shape (n, tokens, width)."""
        mixed = inputs + self.attention(self.norm1(inputs))
        outputs: Tensor = mixed + self.mlp(self.norm2(mixed))
        return outputs


class VisionTransformer(PatchNetwork):
    """Vision Transformer (Dosovitskiy et al. 2021, "An image is worth 16x16 words", section 3.1).

    Patches of ``patch`` x ``patch`` cells are mapped to tokens of ``width`` channels. A class token
    comes before them, learned positions are added, and ``depth`` blocks follow, of self-attention
    with ``heads`` heads and an MLP of 4 * ``width`` units with GELU. The class token, normalised,
    is classified by a linear layer. There is no dropout. The observed outputs are those of the
    patches, of each attention, of each GELU and MLP, and of the linear layer.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        width: Any = 64,
        depth: Any = 4,
        heads: Any = 4,
        patch: Any = 4,
    ) -> None:
        width, depth = integer(width, "width"), integer(depth, "depth")
        heads = integer(heads, "heads")
        super().__init__(input_shape, width, integer(patch, "patch"))
        if width % heads:
            raise KeywordError(
                f"heads is {heads}, which does not divide the width {width}: choose a divisor."
            )
        self.class_token = ClassToken(width)
        self.positions = Positions(self.tokens + 1, width)
        self.blocks = nn.Sequential()
        for position in range(depth):
            self.blocks.append(EncoderBlock(width, heads))
            block = f"blocks.{position}"
            self.observed[f"{block}.attention.output"] = f"{block}.attention.output"
            self.observed[f"{block}.mlp.0"] = f"{block}.mlp.1"
            self.observed[f"{block}.mlp.2"] = f"{block}.mlp.2"
        self.add_classifier(width, classes)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the outputs (n, classes) for images (n, H, W, C)."""
        tokens = self.blocks(self.positions(self.class_token(self.embed(inputs))))
        outputs: Tensor = self.dense(self.norm(tokens[:, 0]))
        return outputs
