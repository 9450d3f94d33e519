"""
A small zoo and its leaderboard
===============================

Which measures predict the gap? Train a few networks that differ in their hyper-parameters, measure
each, and evaluate the measures on networks held out. The workflow does the same for any number of
networks, on a cluster if need be; this is the core of it in the library.
"""

# %%
# Sixteen networks: every combination of two widths, two depths, two learning rates and two
# fractions of wrong labels.

import itertools

import numpy as np
import pandas as pd
import torch

import gengap
from gengap.measures import Subject, tidy, to_frame
from gengap.training import Recipe, loss_and_accuracy, train

torch.set_num_threads(1)
data = gengap.datasets.load("digits", train_size=150, test_size=1000, balanced=True)
grid = {
    "width": [16, 64],
    "depth": [1, 2],
    "learning_rate": [0.002, 0.01],
    "label_corruption": [0.0, 0.2],
}
points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]

rows, tables = [], []
for number, point in enumerate(points):
    spec = gengap.networks.dense((8, 8, 1), 10, width=point["width"], depth=point["depth"])
    network = gengap.networks.build(spec)
    recipe = Recipe(
        optimiser="adam",
        learning_rate=point["learning_rate"],
        batch_size=25,
        epochs=300,
        stop_at_loss=0.05,
        label_corruption=point["label_corruption"],
        seed=number,
    )
    result = train(network, data.train, recipe)
    learnt = gengap.datasets.Split(data.train.inputs, result.labels, 10)
    _, train_accuracy = loss_and_accuracy(network, learnt)
    _, test_accuracy = loss_and_accuracy(network, data.test)
    rows.append({**point, "train_accuracy": train_accuracy, "gap": train_accuracy - test_accuracy})
    # All networks get the same random numbers, so that they differ in nothing else.
    for family in ("baseline", "norms", "margins"):
        subject = Subject(network, None, learnt, np.random.default_rng(0))
        frame = to_frame(gengap.measures.attempt(family, subject))
        tables.append(tidy(frame, "zoo", str(number), family))

networks = pd.DataFrame(rows, index=[str(number) for number in range(len(rows))])
networks.round(3)

# %%
# ``evaluate`` holds networks out in repeated cross-validation, and compares each measure with what
# is known without any: the mean gap, the training accuracy, the hyper-parameters.

evaluation = gengap.evaluation.evaluate(
    pd.concat(tables),
    networks["gap"],
    networks[list(grid)],
    training_accuracy=networks["train_accuracy"],
    resamples=200,
    permutations=200,
)
print(evaluation.summary)

# %%
# Sixteen networks tell little apart: most measures share the first rank. This is what a
# leaderboard should say then.

figure = gengap.figures.leaderboard(evaluation.leaderboard, top=10)
