"""Shards: every network is in just one, whatever their size."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.planning import targets
from gengap.planning.grid import identity
from gengap.planning.lookup import Lookup


@pytest.mark.parametrize("size", [1, 3, 8, 16])
def test_every_network_is_in_one_shard(size: int, reduced: Config, plan_of: PlanMaker) -> None:
    reduced["tasks"][0]["networks_per_job"] = size
    task = plan_of(reduced).task("reduced")
    assert [network for shard in task.shards for network in task.networks(shard)] == list(range(8))
    for shard in task.shards:
        networks = task.networks(shard)
        assert len(networks) <= size
        assert all(task.shard_of(network) == shard for network in networks)
        assert [entry["point"] for entry in task.shard_entries(shard)] == [
            task.entries[network]["point"] for network in networks
        ]


def test_the_default_is_sixteen_for_a_zoo_and_one_for_imported_networks(
    reduced: Config, plan_of: PlanMaker
) -> None:
    del reduced["tasks"][0]["networks_per_job"]
    reduced["tasks"].append({"name": "imported", "pgdl": {"task": "task2_v1"}})
    plan = plan_of(reduced)
    assert plan.task("reduced").shards == range(1)
    assert plan.task("imported").shards == range(54)


def test_a_network_or_shard_that_the_task_lacks_is_refused(
    reduced: Config, plan_of: PlanMaker
) -> None:
    task = plan_of(reduced).task("reduced")
    with pytest.raises(GengapError, match="Task 'reduced' has networks 0 to 7, not 8"):
        task.shard_of(8)
    with pytest.raises(GengapError, match="Task 'reduced' has shards 0 to 1 of networks, not 2"):
        task.networks(2)


def test_each_shard_has_summaries_and_a_list_of_families(
    reduced: Config, plan_of: PlanMaker
) -> None:
    reduced["tasks"][0]["networks_per_job"] = 4
    task = plan_of(reduced).task("reduced")
    for files, pattern in (
        (targets.summary_tables(task), "topology/summaries/{}.csv"),
        (targets.summary_failures(task), "topology/summaries/{}.failed.json"),
        (targets.measure_receipts(task), "measures/{}.json"),
    ):
        assert files == [f"results/reduced/{pattern.format(shard)}" for shard in (0, 1)]
    assert targets.receipt_of(task, 5) == targets.receipts(task)[1]


def test_siblings_differ_in_their_replicate_alone(reduced: Config, plan_of: PlanMaker) -> None:
    own = reduced["tasks"][0]
    own["networks_per_job"], own["zoo"]["replicates"] = 2, 3
    task = plan_of(reduced).task("reduced")
    for network, entry in enumerate(task.entries):
        expected = [
            other
            for other, theirs in enumerate(task.entries)
            if other != network
            and {**theirs["point"], "replicate": 0} == {**entry["point"], "replicate": 0}
        ]
        assert len(expected) == 2
        assert task.siblings(network) == expected
    # The networks 0 to 2, 3 to 5 and so on are siblings; shards hold 0 and 1, 2 and 3, ...
    receipts = [targets.sibling_receipts(task, shard) for shard in range(3)]
    assert receipts == [
        ["results/reduced/shards/1.json"],
        ["results/reduced/shards/0.json", "results/reduced/shards/2.json"],
        ["results/reduced/shards/1.json"],
    ]


def test_replicates_with_draws_of_their_own_are_no_siblings(
    reduced: Config, plan_of: PlanMaker
) -> None:
    reduced["tasks"][0]["zoo"]["dataset"]["resample"] = "replicate"
    task = plan_of(reduced).task("reduced")
    assert task.siblings(3) == task.shards_of_siblings(0) == []
    assert task.draw == {"train_size": 100, "balanced": True}
    assert task.dataset["train_size"] is None
    assert "resample" not in task.dataset


def test_only_some_families_look_at_siblings(
    reduced: Config, plan_of: PlanMaker, tmp_path: Path
) -> None:
    own = reduced["tasks"][0]
    own["networks_per_job"], own["zoo"]["replicates"] = 2, 3
    np.savez(tmp_path / "more.npz", inputs=np.zeros((2, 3)))
    own["unlabelled"] = {"from": str(tmp_path / "more.npz")}
    wildcards = SimpleNamespace(task="reduced", shard="0")
    for families, compared in (
        ("all", ["response", "unlabelled"]),
        (["topology", "baseline"], []),
        (["baseline", "response"], ["response"]),
    ):
        reduced["families"] = families
        look = Lookup(plan_of(reduced))
        named = look.families(wildcards)
        assert [family["name"] for family in named if family["compares"]] == compared
        assert "topology" not in [family["name"] for family in named]
        assert look.siblings(wildcards) == ([[1, 2], [0, 2]] if compared else [[], []])
        assert bool(look.sibling_receipts(wildcards)) == bool(compared)
        assert bool(look.unlabelled_file(wildcards)) == bool(compared)


def test_a_task_of_diagrams_alone_has_no_job_of_other_families(
    reduced: Config, plan_of: PlanMaker
) -> None:
    reduced["families"] = ["topology"]
    task = plan_of(reduced).task("reduced")
    assert targets.measure_receipts(task) == []
    assert len(targets.summary_tables(task)) == len(task.shards)
    reduced["families"] = ["baseline"]
    task = plan_of(reduced).task("reduced")
    assert targets.summary_tables(task) == targets.summary_failures(task) == []
    assert len(targets.measure_receipts(task)) == len(task.shards)


def test_imported_networks_have_no_siblings(reduced: Config, plan_of: PlanMaker) -> None:
    reduced["tasks"].append({"name": "imported", "pgdl": {"task": "task2_v1"}})
    plan = plan_of(reduced)
    assert [plan.task(name).siblings(3) for name in ("reduced", "imported")] == [[2], []]
    assert targets.sibling_receipts(plan.task("imported"), 3) == []


def test_networks_that_are_trained_together_share_shards(
    reduced: Config, plan_of: PlanMaker
) -> None:
    """The learning rate varies slowest, and networks of one width come together all the same."""
    own = reduced["tasks"][0]
    own["zoo"]["grid"] = {"learning_rate": [0.01, 0.02], "width": [8, 16], "batch_size": [5, 10]}
    own["zoo"]["replicates"], own["networks_per_job"] = 2, 4
    own.update(rank_within=None, colour=None)
    apart = plan_of(reduced).task("reduced")
    own["zoo"]["training"]["together"] = True
    task = plan_of(reduced).task("reduced")
    assert not apart.together
    assert task.together
    assert apart.networks(0) == [0, 1, 2, 3]
    shards = [task.networks(shard) for shard in task.shards]
    assert shards == [[0, 1, 8, 9], [2, 3, 10, 11], [4, 5, 12, 13], [6, 7, 14, 15]]
    for shard, networks in enumerate(shards):
        assert all(task.shard_of(network) == shard for network in networks)
        shapes = [task.entries[network] for network in networks]
        assert (
            len({(one["network"]["width"], one["training"]["batch_size"]) for one in shapes}) == 1
        )


def test_networks_that_are_trained_together_are_others(reduced: Config, plan_of: PlanMaker) -> None:
    """Their identities differ, and their recipes hold nothing that a recipe does not know."""
    training = reduced["tasks"][0]["zoo"]["training"]
    identities = []
    for value in (None, False, True):
        training.pop("together", None)
        if value is not None:
            training["together"] = value
        task = plan_of(reduced).task("reduced")
        entries = [entry for shard in task.shards for entry in task.shard_entries(shard)]
        assert all("together" not in entry["training"] for entry in entries)
        identities.append([entry["identity"] for entry in entries])
    plain = [identity(entry, reduced["seed"]) for entry in task.entries]
    assert identities[0] == identities[1] == plain
    assert set(identities[0]).isdisjoint(identities[2])
