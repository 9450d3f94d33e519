"""Networks as a user writes them: plain torch modules, with nothing of the library in them."""

from __future__ import annotations

import torch
from blocks import Block, Residual  # type: ignore[import-not-found]
from torch import Tensor, nn


class SmallResNet(nn.Module):
    """A residual network with batch normalisation, for images (n, C, H, W)."""

    def __init__(self, width: int = 8, channels: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.first = Residual(width)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.second = Residual(2 * width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        values = self.second(self.down(self.first(self.stem(images))))
        logits: Tensor = self.head(values.mean((2, 3)))
        return logits


class LayerNormMLP(nn.Module):
    """A perceptron with layer normalisation and GELU, for vectors."""

    def __init__(self, width: int = 32, features: int = 30, classes: int = 2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (features, width):
            layers += [nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        logits: Tensor = self.layers(vectors)
        return logits


class SmallViT(nn.Module):
    """A vision transformer on patches of 2x2 pixels of images (n, 1, 8, 8)."""

    def __init__(self, width: int = 16, depth: int = 2, classes: int = 10) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.places = nn.Parameter(0.02 * torch.randn(1, 16, width))
        self.blocks = nn.ModuleList(Block(width, heads=2) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(self.norm(tokens).mean(1))
        return logits


class SeriesCNN(nn.Module):
    """A convolutional network for series (n, channels, length)."""

    def __init__(self, width: int = 16, channels: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(2),
            nn.Flatten(),
            nn.Linear(2 * width, classes),
        )

    def forward(self, series: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        logits: Tensor = self.layers(series)
        return logits


class BagOfWords(nn.Module):
    """The mean of the tokens' embeddings, and two layers on it, for tokens (n, length)."""

    def __init__(self, width: int = 16, vocabulary: int = 128, classes: int = 3) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(vocabulary, width)
        self.hidden = nn.Linear(width, 64)
        self.head = nn.Linear(64, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        logits: Tensor = self.head(torch.relu(self.hidden(self.bag(tokens))))
        return logits


class TextLSTM(nn.Module):
    """A recurrent classifier of tokens (n, length); it returns its last state beside the logits."""

    def __init__(self, width: int = 16, vocabulary: int = 128, classes: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 16)
        self.lstm = nn.LSTM(16, width, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, classes) and the last hidden state (n, width)."""
        states, _ = self.lstm(self.embedding(tokens))
        return self.head(states[:, -1]), states[:, -1]


def tabular_regressor(width: int = 32, features: int = 10) -> nn.Module:
    """Return a perceptron with one output, a number."""
    return nn.Sequential(
        nn.Linear(features, width),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 1),
    )
