"""Self-attention, written with linear maps that hooks and norms see."""

from __future__ import annotations

import math

from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, "Attention is all you need", section 3.2).

    Its four maps are :class:`torch.nn.Linear`, and it multiplies matrices explicitly.
    ``torch.nn.MultiheadAttention`` hides three maps in one tensor, needs ``heads * key_width ==
    width``, and its fused kernels have no second derivatives.

    Args:
        width: channels of the inputs and of the outputs.
        heads: number of heads.
        key_width: channels of the queries and keys of each head.
        value_width: channels of the values of each head.
        bias: whether the four maps have a bias.
        dropout: probability with which an attention weight is left out in training.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        key_width: int,
        value_width: int,
        *,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, heads * key_width, bias=bias)
        self.key = nn.Linear(width, heads * key_width, bias=bias)
        self.value = nn.Linear(width, heads * value_width, bias=bias)
        self.softmax = nn.Softmax(dim=-1)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(heads * value_width, width, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Let each token of (n, tokens, width) attend to all tokens of its input."""
        by_head = (*inputs.shape[:2], self.heads, -1)
        query, key, value = (
            part(inputs).reshape(by_head).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        mixed = self.dropout(self.softmax(scores)) @ value
        outputs: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return outputs
