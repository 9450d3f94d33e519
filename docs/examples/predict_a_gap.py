"""
Predict the gap of a network
============================

An evaluated task is a *reference*: networks whose gaps are known. From it, the gap of another
network is predicted from its weights and its training data alone, with an interval, or the network
is declined and the reason is given. This example lets the workflow train and measure a small
reference, and predicts a network that was not among its networks.
"""

# %%
# The reference: 24 networks on three draws of the digits, described in a config. In half of the
# networks a fifth of the labels is wrong, so that the gaps differ. Three families of measures are
# computed.

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import gengap

config = """
tasks:
  - name: small
    zoo:
      dataset: {name: digits, train_size: 100, test_size: 1000, balanced: true, resample: replicate}
      network: {template: dense, depth: 1}
      training: {optimiser: adam, batch_size: 25, stop_at_loss: 0.1, epochs: 500}
      grid:
        width: [16, 64]
        learning_rate: [0.005, 0.02]
        label_corruption: [0.0, 0.2]
      replicates: 3
    networks_per_job: 24
families: [baseline, norms, margins]
"""
checkout = Path(gengap.__file__).parents[2]
folder = Path(tempfile.mkdtemp())
(folder / "small.yaml").write_text(config)
ran = subprocess.run(
    [
        sys.executable, "-m", "snakemake", "--quiet", "all", "--cores", "2",
        "--snakefile", checkout / "Snakefile", "--directory", folder,
        "--configfile", folder / "small.yaml", "--", "results/small/measures.csv",
    ],
    check=True, capture_output=True, cwd=checkout,
)  # fmt: skip

# %%
# ``freeze`` chooses a predictor, and measures how often its intervals cover the gaps of networks
# that it has not seen.

reference = gengap.prediction.freeze(folder / "results" / "small")
print(len(reference.networks), "networks,", len(reference.measures), "measures")

# %%
# A network in hand: another width, trained on the first draw of the reference. Only its weights,
# its initial weights and its training data are looked at.

torch.set_num_threads(1)
task = gengap.tasks.load(folder / "results" / "small")
known = task.networks["0"]
data = known.train(task.train)
network = gengap.networks.build(gengap.networks.dense((8, 8, 1), 10, width=32, depth=1))
recipe = gengap.training.Recipe(
    optimiser="adam", learning_rate=0.01, batch_size=25, stop_at_loss=0.1, epochs=500, seed=7
)
result = gengap.training.train(network, data, recipe)
initial = gengap.networks.build(gengap.networks.dense((8, 8, 1), 10, width=32, depth=1))
gengap.networks.set_weights(initial, result.initial, source="the initial weights")
subject = gengap.measures.Subject(network, initial, data, np.random.default_rng(0))

prediction = gengap.prediction.predict(subject, reference)
print(prediction.verdict, prediction.reason)

# %%
# Where no predictor is better than the mean gap, or a network is too far from those of the
# reference, the verdict is ``declined``. ``force`` predicts all the same, and here we can compare,
# since the test data are known.

prediction = gengap.prediction.predict(subject, reference, force=True)
_, train_accuracy = gengap.training.loss_and_accuracy(network, data)
_, test_accuracy = gengap.training.loss_and_accuracy(network, task.test)
print(f"predicted {prediction.gap:.3f}, between {prediction.low:.3f} and {prediction.high:.3f}")
print(f"measured  {train_accuracy - test_accuracy:.3f}")
