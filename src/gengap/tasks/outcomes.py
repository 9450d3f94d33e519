"""Losses, accuracies and errors of a network on the data of its task, and the gap they make."""

from __future__ import annotations

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network
from gengap.training import loss_and_accuracy, mean_loss, root_mean_square_error


def default_loss(data: Split) -> str:
    """Return the loss of networks of which nobody says what they were trained on."""
    return "mse" if data.has_numbers else "cross_entropy"


def output_count(data: Split) -> int:
    """Return how many outputs a network of these data has: one for each class, or one number."""
    return data.classes or 1


def check_gap(gap: str | None, data: Split) -> None:
    """Refuse a gap that the targets of the data do not have.

    Args:
        gap: one of :data:`gengap.names.GAPS`; None for what the data tell.
        data: the training split.

    Raises:
        GengapError: an accuracy of numbers, or an error of classes.
    """
    unsuited = "accuracy" if data.has_numbers else "error"
    if gap == unsuited:
        targets = "numbers" if data.has_numbers else "classes"
        raise GengapError(
            f"'gap' is {gap}, but the targets of the data are {targets}, which have no {gap}: take "
            f"loss or {'error' if data.has_numbers else 'accuracy'}."
        )


def outcomes(network: Network, train: Split, test: Split | None, loss: str) -> dict[str, float]:
    """Return losses, and accuracies where targets are classes, errors where they are numbers.

    Args:
        network: in eval mode.
        train: with the labels that the network was trained on.
        test: the test data, if there are any.
        loss: name of the loss.

    Returns:
        ``train_loss``, ``test_loss``, and ``train_accuracy`` and ``test_accuracy``, or
        ``train_error`` and ``test_error``; those of ``train`` alone without test data.
    """
    values: dict[str, float] = {}
    for part, split in (("train", train), ("test", test)):
        if split is None:
            continue
        if split.has_numbers:
            values[f"{part}_loss"] = mean_loss(network, split, loss)
            values[f"{part}_error"] = root_mean_square_error(network, split)
        else:
            values[f"{part}_loss"], values[f"{part}_accuracy"] = loss_and_accuracy(
                network, split, loss
            )
    return values
