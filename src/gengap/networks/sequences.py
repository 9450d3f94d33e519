"""Modules for tokens and series: looking tokens up, and what a recurrent layer gives on."""

from __future__ import annotations

from torch import Tensor, nn

from gengap.errors import GengapError


class TokenEmbedding(nn.Embedding):
    """An embedding that says which tokens it knows, where torch raises an IndexError."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Look up the vectors (n, length, d) of tokens (n, length)."""
        try:
            return super().forward(inputs)
        except IndexError as error:
            raise GengapError(
                f"The embedding knows the tokens 0 to {self.num_embeddings - 1}, but the inputs "
                "hold others: raise its input_dim, or number the tokens anew."
            ) from error


class RecurrentOutputs(nn.Module):
    """What follows an LSTM or GRU: its outputs at every step, channels first, or at the last."""

    def __init__(self, sequences: bool) -> None:
        super().__init__()
        self.sequences = sequences

    def forward(self, outputs: tuple[Tensor, object]) -> Tensor:
        """Return (n, units, length), or (n, units), of the pair that torch's layers return."""
        steps, _ = outputs
        return steps.transpose(1, 2) if self.sequences else steps[:, -1]
