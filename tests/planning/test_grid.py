"""Grids of hyper-parameters, and the identity of the networks on them."""

from __future__ import annotations

import pytest

from gengap.errors import GengapError
from gengap.planning.grid import check_roles, grid_points, identity, split_grid_point


def test_grid_points_are_the_product_in_the_order_of_the_keys() -> None:
    points = grid_points({"width": [4, 8], "depth": [1, 2]}, replicates=2)
    assert len(points) == 8
    assert points[0] == {"width": 4, "depth": 1, "replicate": 0}
    assert points[1] == {"width": 4, "depth": 1, "replicate": 1}
    assert points[2] == {"width": 4, "depth": 2, "replicate": 0}
    assert points[-1] == {"width": 8, "depth": 2, "replicate": 1}


@pytest.mark.parametrize("values", [[], [1, 1], ["a", "b", "a"], [0, 0.0]])
def test_a_grid_with_a_missing_or_repeated_value_is_refused(values: list[object]) -> None:
    with pytest.raises(GengapError, match=r"The grid's 'depth' is .* once, and at least one"):
        grid_points({"width": [1], "depth": values})


def test_a_point_is_split_into_network_and_training() -> None:
    network, training = split_grid_point(
        {"width": 8, "weight_decay": 0.1, "replicate": 3},
        {"template": "dense", "width": 1},
        {"epochs": 5},
        ["template", "width"],
        ["weight_decay", "epochs"],
    )
    assert network == {"template": "dense", "width": 8}
    assert training == {"epochs": 5, "weight_decay": 0.1}


def test_an_unknown_hyper_parameter_is_refused_by_name() -> None:
    with pytest.raises(GengapError, match=r"'widht', which is neither .*width.*epochs"):
        split_grid_point({"widht": 8}, {}, {}, ["width"], ["epochs"])


def test_a_role_needs_a_hyper_parameter_of_the_grid() -> None:
    check_roles("a", {"colour": "depth", "other": None}, ["depth"])
    with pytest.raises(GengapError, match=r"'colour' of task 'a' is 'width'.*one of depth, or"):
        check_roles("a", {"colour": "width"}, ["depth"])


def entry(**changes: object) -> dict[str, object]:
    return {
        "point": {"width": 8, "label_corruption": 0.0, "replicate": 0},
        "network": {"template": "dense", "width": 8},
        "training": {"epochs": 5, "label_corruption": 0.0},
    } | changes


def test_an_identity_does_not_depend_on_how_a_number_is_written() -> None:
    other = entry(
        point={"replicate": 0, "label_corruption": 0, "width": 8},
        training={"label_corruption": 0, "epochs": 5.0},
    )
    assert identity(entry(), 0) == identity(other, 0)


@pytest.mark.parametrize(
    ("changed", "seed"),
    [
        (entry(), 1),
        (entry(point={"width": 8, "label_corruption": 0.0, "replicate": 1}), 0),
        (entry(point={"width": 9, "label_corruption": 0.0, "replicate": 0}), 0),
        (entry(network={"template": "dense", "width": 8, "batch_normalisation": False}), 0),
        (entry(training={"epochs": 5, "label_corruption": 0.1}), 0),
    ],
)
def test_whatever_else_differs_makes_another_network(changed: dict[str, object], seed: int) -> None:
    assert identity(entry(), 0) != identity(changed, seed)
