"""What others state of a network, against what is recomputed from its weights and the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gengap.files import read_json
from gengap.tasks.folder import MAKE_AGAIN

RECOMPUTED_FILE = "recomputed.json"
"""The file in a network's folder that tells what its source states, and what was recomputed."""

LARGEST_DIFFERENCE = 0.005
"""Largest difference between a stated and a recomputed value that is not reported; of values above
one it is relative."""


def differs(recomputed: float, stated: float) -> bool:
    """Whether a recomputed accuracy, loss or error is not the stated one."""
    return not abs(recomputed - stated) <= LARGEST_DIFFERENCE * max(1.0, abs(stated))


def disagreement(network: str, what: str, recomputed: float, stated: float) -> str:
    """Return a sentence on a network whose recomputed value differs from the stated one.

    Args:
        network: its name at the source.
        what: the value, such as ``train accuracy``.
        recomputed: from weights and data.
        stated: at the source.
    """
    return (
        f"Network {network} has {what} {recomputed:.4f}, recomputed from its weights and data, but "
        f"{stated:.4f} is stated: its files may not belong together."
    )


def sentences(
    network: str, stated: Mapping[str, float], recomputed: Mapping[str, float]
) -> list[str]:
    """Return a sentence for each stated value that the recomputed one differs from.

    Args:
        network: its name at the source.
        stated: values such as ``train_accuracy``.
        recomputed: likewise; what is stated and was not recomputed is passed over.
    """
    return [
        disagreement(network, name.replace("_", " "), recomputed[name], value)
        for name, value in stated.items()
        if name in recomputed and differs(recomputed[name], value)
    ]


def disagreements(networks: Iterable[str | Path]) -> list[str]:
    """Name the adopted networks whose recomputed accuracy, loss or error is not the stated one.

    Args:
        networks: folders of networks of a task of checkpoints.

    Returns:
        One sentence for each value.

    Raises:
        GengapError: a folder holds no ``recomputed.json``.
    """
    contents = (read_json(Path(network) / RECOMPUTED_FILE, MAKE_AGAIN) for network in networks)
    return [
        sentence
        for content in contents
        for sentence in sentences(content["name"], content["stated"], content["recomputed"])
    ]
