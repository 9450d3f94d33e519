"""Positions of inputs in the plane by t-SNE."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.studies.context import Context
from gengap.studies.outcomes import Floats32

LARGEST_EMBEDDED = 20_000
"""Most inputs for t-SNE: 3000 images of CIFAR-10 take about a minute, 14,000 some five."""

PERPLEXITY = 30.0


def check_embeddable(data: Split) -> None:
    """Refuse more inputs than t-SNE embeds in minutes.

    Raises:
        GengapError: there are more.
    """
    if len(data.labels) > LARGEST_EMBEDDED:
        raise GengapError(
            f"t-SNE of {len(data.labels)} inputs takes too long: set 'train_size' of the dataset "
            f"to at most {LARGEST_EMBEDDED}."
        )


def embedded(context: Context, inputs: NDArray[np.floating]) -> Floats32:
    """Return the positions (n, 2) of inputs by t-SNE (van der Maaten and Hinton 2008)."""
    flat = inputs.reshape(len(inputs), -1)
    model = TSNE(
        perplexity=min(PERPLEXITY, (len(flat) - 1) / 3),
        init="pca",
        random_state=context.seed_for("t-SNE") % 2**32,
    )
    return np.asarray(model.fit_transform(flat), dtype=np.float32)
