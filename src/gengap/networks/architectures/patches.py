"""How Vision Transformer and MLP-Mixer turn an image into tokens, and tokens into classes."""

from __future__ import annotations

from torch import Tensor, nn

from gengap.networks.keywords import KeywordError, check_images
from gengap.networks.layout import channels_first
from gengap.networks.network import Network

EPSILON = 1e-6
"""Added to the variance by layer normalisation, as in the authors' code of both networks."""

MLP_RATIO = 4
"""Ratio of the hidden units of a block's MLP over channels to its channels."""


def mlp(width: int, hidden: int) -> nn.Sequential:
    """Make two linear maps with GELU between them, on the last axis."""
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class PatchNetwork(Network):
    """An image classifier that works on patches, one token each.

    Args:
        input_shape: (H, W, C).
        width: channels of a token.
        patch: height and width of a patch, a divisor of both sides of the image.

    Attributes:
        tokens: number of patches.
    """

    def __init__(self, input_shape: tuple[int, ...], width: int, patch: int) -> None:
        super().__init__(input_shape)
        check_images(input_shape)
        height, side, channels = input_shape
        if height % patch or side % patch:
            raise KeywordError(
                f"patch is {patch}, which does not divide the image of {height}x{side}: choose a "
                "divisor of both."
            )
        self.tokens = (height // patch) * (side // patch)
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.observed["patches"] = "patches"

    def add_classifier(self, width: int, classes: int) -> None:
        """Register the last normalisation and the dense layer."""
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.dense = nn.Linear(width, classes)
        self.observed["dense"] = "dense"
        self.outputs = classes
        self.channels_last = frozenset(self.observed) - {"patches"}

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the tokens (n, tokens, width) of images (n, H, W, C), row by row."""
        self.check_inputs(inputs.shape)
        tokens: Tensor = self.patches(channels_first(inputs)).flatten(2).transpose(1, 2)
        return tokens
