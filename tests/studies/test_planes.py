"""Planes of inputs and of weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, build, dense, initialise
from gengap.studies.planes import loss_surface, neighbours, plane_around
from gengap.training import loss_and_accuracy

INPUTS = np.array([[0.0, 10.0, 3.0], [1.0, 30.0, 5.0]], dtype=np.float32)


def half_plane(inputs: int = 2, component: int = 0, offset: float = 0.0) -> Network:
    """A linear network whose boundary is where a component has the value ``offset``."""
    network = build(dense((inputs,), 2, width=1, depth=0))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        weight, bias = network.parameters()
        weight[1, component], bias[1] = 1.0, -offset
    return network.eval()


def test_a_plane_surrounds_its_inputs() -> None:
    plane = plane_around(INPUTS, 5)
    np.testing.assert_allclose(plane.x, np.linspace(-0.2, 1.2, 5), atol=1e-6)
    np.testing.assert_allclose(plane.y, np.linspace(6.0, 34.0, 5), atol=1e-5)
    assert plane.points.shape == (25, 3)
    assert (plane.points[:, 2] == 4.0).all()
    np.testing.assert_array_equal(plane.points[5:10, 0], plane.x.astype(np.float32))
    np.testing.assert_array_equal(plane.points[5:10, 1], np.full(5, plane.y[1], np.float32))
    other = plane_around(INPUTS, 3, components=(1, 2), margin=0.5)
    np.testing.assert_allclose(other.x, [0.0, 20.0, 40.0], atol=1e-5)
    np.testing.assert_allclose(other.y, [2.0, 4.0, 6.0], atol=1e-5)
    assert (other.points[:, 0] == 0.5).all()


def test_regions_and_the_length_of_their_boundary() -> None:
    plane = plane_around(np.array([[-1.0, -1.0], [1.0, 1.0]], dtype=np.float32), 40)
    regions = plane.regions(half_plane(offset=0.05))
    np.testing.assert_array_equal(regions.predicted[7], plane.x > 0.05)
    # One straight line across the plane: pi/4 of its length by lines along two axes.
    assert regions.length == pytest.approx(np.pi / 4)
    pairs, differ = neighbours(regions.predicted)
    assert pairs.shape == (2 * 40 * 39, 2)
    assert differ.sum() == 40
    crossing = plane.points[pairs[differ]]
    assert ((crossing[:, 0, 0] < 0.05) & (crossing[:, 1, 0] > 0.05)).all()
    assert plane.regions(half_plane(component=1)).predicted[:, 3].tolist() == (plane.y > 0).tolist()


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 2, 2, 1)])
def test_inputs_without_two_components_have_no_plane(shape: tuple[int, ...]) -> None:
    with pytest.raises(GengapError, match="two or more components"):
        plane_around(np.zeros(shape, np.float32), 5)


def test_a_loss_surface_is_evaluated_at_the_moved_weights() -> None:
    network = build(dense((2,), 2, width=3, depth=1)).eval()
    initialise(network, "lecun", torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    data = Split(rng.standard_normal((8, 2)).astype(np.float32), np.arange(8) % 2, 2)
    own = parameters_to_vector(network.parameters()).detach().clone()
    first, second = torch.randn(2, len(own), generator=torch.Generator().manual_seed(1))
    places: list[torch.Tensor] = []

    def loss() -> float:
        places.append(parameters_to_vector(network.parameters()).detach().clone())
        return loss_and_accuracy(network, data)[0]

    steps = np.array([-1.0, 0.0, 0.5])
    surface = loss_surface(network, lambda a, b: own + a * first + b * second, steps, loss)
    assert torch.equal(places[5], own + 0.5 * first)
    assert torch.equal(places[1], own - second)
    assert surface[1, 1] == loss_and_accuracy(network, data)[0]
    assert len(set(surface.ravel())) == 9
    assert torch.equal(parameters_to_vector(network.parameters()), own)
