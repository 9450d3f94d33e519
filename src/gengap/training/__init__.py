"""Training: one trainer for all networks. Front doors: :func:`train`, :func:`loss_and_accuracy`.

Where the targets are numbers, :func:`mean_loss` and :func:`root_mean_square_error` take the place
of the second.

A :class:`Recipe` says how: loss, optimiser, schedule, stopping, augmentation, label corruption,
initialisation and seed. :func:`gengap.training.together.train_together` trains many small networks
at once.
"""

from gengap.training.corruption import corrupt_labels
from gengap.training.losses import (
    loss_and_accuracy,
    loss_inputs,
    mean_loss,
    root_mean_square_error,
    sample_losses,
)
from gengap.training.recipe import Recipe
from gengap.training.trainer import TrainingResult, set_initial_weights, train

__all__ = [
    "Recipe",
    "TrainingResult",
    "corrupt_labels",
    "loss_and_accuracy",
    "loss_inputs",
    "mean_loss",
    "root_mean_square_error",
    "sample_losses",
    "set_initial_weights",
    "train",
]
