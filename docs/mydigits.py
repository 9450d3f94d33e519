"""A network and its training on 100 digits: what a user might have in hand."""

import numpy as np
import torch

from gengap.datasets import load


def network():
    """Make the network, untrained."""
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    )


if __name__ == "__main__":
    data = load("digits", train_size=100, balanced=True, seed=1).train
    images, labels = np.moveaxis(data.inputs, -1, 1), torch.tensor(data.labels)
    torch.manual_seed(0)
    trained, loss = network(), torch.tensor(1.0)
    optimiser = torch.optim.Adam(trained.parameters(), lr=0.001)
    while loss > 0.02:
        loss = torch.nn.functional.cross_entropy(trained(torch.tensor(images)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.save(trained.state_dict(), "last.pt")
    np.savez("mydigits.npz", inputs=images, labels=data.labels)
