"""The plan of one task: its networks by position, and the shards of networks that jobs work on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gengap import pgdl_layout
from gengap.errors import GengapError
from gengap.limits import LEAST_NETWORKS
from gengap.names import (
    KINDS,
    PGDL_NETWORKS,
    REFERENCE_FILE,
    STAGED_FAMILY,
    TOGETHER,
    TOGETHER_KEYS,
)
from gengap.planning.checkpoints import CheckpointsPlan
from gengap.planning.datasets import check_dataset, check_unlabelled
from gengap.planning.families import families, families_code
from gengap.planning.foreign import ForeignNetwork
from gengap.planning.grid import check_roles, grid_points, identity, split_grid_point
from gengap.planning.kept_networks import check_kept, kept_file, measured_from
from gengap.planning.networks import (
    check_complete,
    check_loss,
    check_network,
    check_training,
)
from gengap.planning.references import recipe_of
from gengap.planning.settings import Settings

ROLES = ("correlate_within", "rank_within", "colour")


@dataclass(frozen=True)
class TaskPlan:
    """What is known of a task before anything is run.

    Attributes:
        name: its full name; a study's task is named ``<study>/<task>``.
        own: what the task itself is set to.
        shared: the settings of all tasks (those of the config or of its study).
        network_keys: the keywords of a network that may vary in a grid.
        training_keys: the entries of a training recipe that may vary in a grid.
    """

    name: str
    own: Settings
    shared: Settings
    network_keys: Collection[str]
    training_keys: Collection[str]

    @property
    def run(self) -> Settings:
        """The settings under which it is run: those of all tasks, and what it sets itself.

        Feature sets are of the families of all tasks, so a task with families of its own has none.
        """
        run = self.shared
        if self.own["families"]:
            run = {**run, "families": self.own["families"], "feature_sets": {}}
        if self.own["neurons"]:
            activations = {**run["activations"], "neurons": self.own["neurons"]}
            run = {**run, "activations": activations}
        return run

    @property
    def kind(self) -> str:
        """``zoo`` for networks that are trained here, ``pgdl`` or ``checkpoints`` for others."""
        return next(kind for kind in KINDS if kind in self.own)

    @cached_property
    def checkpoints(self) -> CheckpointsPlan:
        """The table of a task of checkpoints."""
        return CheckpointsPlan(self.own["name"], self.own["checkpoints"])

    @property
    def dataset(self) -> Settings:
        """The data of a task that is no import; the pool, where its replicates draw from one."""
        dataset = dict(self.own[self.kind]["dataset"])
        if dataset.pop("resample"):
            dataset["train_size"] = None
        return dataset

    @cached_property
    def has_gaps(self) -> bool:
        """Whether the gaps of its networks can be known: whether there are test data."""
        if self.kind == "pgdl":
            return self._exported is not None or states_tests(self.own["pgdl"])
        return bool(self.own[self.kind]["dataset"]["test_size"] != 0)

    @property
    def is_evaluated(self) -> bool:
        """Whether measures are held against its gaps: there are gaps, and enough networks."""
        return self.has_gaps and self.count >= LEAST_NETWORKS

    @property
    def reference(self) -> str | None:
        """What its networks are predicted from, as the config names it; None if from nothing."""
        return self._references.get(self.own["name"])

    @property
    def reference_file(self) -> str:
        """The file that its networks are predicted from.

        Raises:
            GengapError: they are not to be predicted.
        """
        if self.reference is None:
            raise GengapError(
                f"Task '{self.name}' is predicted from nothing: name it in 'predictions'."
            )
        if self._names_file(self.reference):
            return self.reference
        return f"results/{self._full(self.reference)}/{REFERENCE_FILE}"

    @cached_property
    def stream(self) -> str:
        """The task whose random streams its measures are computed with.

        They are those of its reference, so that both are measured with the same random numbers.
        """
        names = [self.own["name"]]
        while (reference := self._references.get(names[-1])) is not None:
            if self._names_file(reference):
                stream: str = recipe_of(Path(reference))["task"]
                return stream
            if reference in names:
                return self._full(min(names[names.index(reference) :]))
            names.append(reference)
        return self._full(names[-1])

    @property
    def _references(self) -> dict[str, str]:
        return {entry["task"]: entry["reference"] for entry in self.run["predictions"]}

    def _names_file(self, reference: str) -> bool:
        return reference not in [task["name"] for task in self.run["tasks"]]

    def _full(self, name: str) -> str:
        """Return the full name of another task of the same settings."""
        return f"{self.name.rpartition('/')[0]}/{name}".lstrip("/")

    @property
    def draw(self) -> Settings | None:
        """How a replicate's training data are drawn from the pool: ``train_size``, ``balanced``.

        None where all networks are trained on the same data.
        """
        dataset = self.own[self.kind].get("dataset", {})
        if not dataset.get("resample"):
            return None
        return {key: dataset[key] for key in ("train_size", "balanced")}

    @property
    def gap(self) -> str | None:
        """What the gap is of; None where the data tell: accuracy for classes, loss for numbers."""
        gap: str | None = self.own[self.kind].get("gap")
        return gap

    @property
    def roles(self) -> dict[str, str | None]:
        """The hyper-parameter of each role, or None."""
        return {role: self.own[role] for role in ROLES}

    @property
    def grid(self) -> Mapping[str, list[Any]] | None:
        """The values of each hyper-parameter; None where only the task's files tell them."""
        if self.kind == "checkpoints":
            return self.checkpoints.grid
        if self.kind == "pgdl":
            return None if self._exported is None else self._exported.grid
        grid: Mapping[str, list[Any]] = self.own["zoo"]["grid"]
        return grid

    @cached_property
    def entries(self) -> list[Settings]:
        """The ``point``, ``network`` keywords and ``training`` recipe of each network of a zoo."""
        zoo, foreign = self.own["zoo"], self.foreign
        keywords, keys = zoo["network"], self.network_keys
        if foreign:
            keywords, keys = {}, foreign.grid_keys(zoo["grid"], self.training_keys)
        recipe = {key: value for key, value in zoo["training"].items() if key != TOGETHER}
        shared = keywords, recipe, keys, self.training_keys
        return [
            {
                "point": point,
                "network": foreign.spec(network) if foreign else network,
                "training": training,
            }
            for point in grid_points(zoo["grid"], zoo["replicates"])
            for network, training in [split_grid_point(point, *shared)]
        ]

    @property
    def factory(self) -> str:
        """A digest of the code of a zoo's factory; empty where its networks have none."""
        return (self.foreign.code or "") if self.foreign else ""

    @cached_property
    def foreign(self) -> ForeignNetwork | None:
        """What a zoo's networks are made by, where the library does not describe them."""
        return ForeignNetwork.of(self.own["zoo"]["network"])

    def shard_entries(self, shard: int) -> list[Settings]:
        """Return the entries of a shard's networks; those of a zoo have an ``identity`` each.

        The identity is a digest of the network's hyper-parameters, replicate and seed, by which a
        network is found again after its grid has grown.
        """
        if self.kind == "checkpoints":
            return [self.checkpoints.entries[network] for network in self.networks(shard)]
        return [
            {**self.entries[network], "identity": self._identity(self.entries[network])}
            for network in self.networks(shard)
        ]

    def _identity(self, entry: Settings) -> str:
        return identity(self.marked(entry), self.run["seed"])

    def marked(self, entry: Settings) -> Settings:
        """Return an entry of a zoo whose recipe says if the network is trained with others.

        What is trained together is equal up to rounding alone, so it is another network.
        """
        if not self.together:
            return entry
        return {**entry, "training": {**entry["training"], TOGETHER: True}}

    @property
    def together(self) -> bool:
        """Whether the networks of a zoo that have one shape are trained at once."""
        return self.kind == "zoo" and bool(self.own["zoo"]["training"][TOGETHER])

    @cached_property
    def count(self) -> int:
        """How many networks the task has; they are planned by position, 0 and on.

        Raises:
            GengapError: more are to be imported than there are, or nothing says how many.
        """
        if self.kind == "zoo":
            return len(self.entries)
        if self.kind == "checkpoints":
            return len(self.checkpoints.rows)
        pgdl = self.own["pgdl"]
        if self._exported is None:
            return imported_networks(pgdl["task"], pgdl["source"], pgdl["networks"])
        available = self._exported.count
        if pgdl["networks"] and pgdl["networks"] > available:
            raise GengapError(
                f"'networks' of task '{self.own['name']}' is {pgdl['networks']}, but the task "
                f"'{pgdl['exported']}' has {available} of them: lower it."
            )
        return pgdl["networks"] or available

    @cached_property
    def families(self) -> dict[str, str]:
        """The families of measures that are computed: by name, their entries in the settings."""
        return families(self.run["families"])

    @property
    def measured(self) -> dict[str, str]:
        """The families whose work is not staged in files: by name, their entries."""
        return {name: entry for name, entry in self.families.items() if name != STAGED_FAMILY}

    @property
    def slow(self) -> bool:
        """Whether measures marked slow are computed: asked for, or in families that are named."""
        slow: bool = self.run["slow"]
        return slow or self.run["families"] != "all"

    @property
    def recipe(self) -> Settings:
        """How the measures are computed: what :class:`gengap.measures.recipe.Recipe` reads."""
        losses = {self.loss(network) for network in range(self.count)}
        return {
            "task": self.stream,
            "seed": self.run["seed"],
            "families": self.families,
            "slow": self.slow,
            "activations": self.run["activations"],
            "topology": {
                key: self.run["topology"][key] for key in ("max_dim", "threshold", "engine")
            },
            "losses": sorted(losses - {""}),
            "code": families_code(self.families),
        }

    @property
    def staged(self) -> bool:
        """Whether persistence diagrams are computed, which the staged family rests on."""
        return STAGED_FAMILY in self.families

    @cached_property
    def kept(self) -> Mapping[int, Path]:
        """The files of an import's networks that were measured before, by position.

        A file that was made from other hyper-parameters, data or settings has another name.
        """
        folder, zoo = self.own.get("pgdl", {}).get("kept"), self._exported
        if not folder or zoo is None:
            return {}
        files = {network: self._kept_file(folder, network) for network in range(self.count)}
        return {network: path for network, path in files.items() if path.is_file()}

    @property
    def keeps(self) -> bool:
        """Whether networks are measured that a folder of measured networks lacks."""
        return bool(self.own.get("pgdl", {}).get("kept") and self.shards)

    def measured_from(self, network: int) -> Settings:
        """Return everything in the plan that the measures of a network of an import follow from.

        Args:
            network: its position.
        """
        assert self._exported is not None
        return measured_from(self._exported, self, network)

    def _kept_file(self, folder: str, network: int) -> Path:
        return Path(folder) / kept_file(self.measured_from(network))

    @cached_property
    def _left_out(self) -> Collection[int]:
        """The positions of networks that are not made, since each import has measures of them."""
        imports = [
            replace(self, name=self._full(own["name"]), own=own)
            for own in self.run["tasks"]
            if own.get("pgdl", {}).get("exported") == self.own["name"]
        ]
        if not imports:
            return self.kept
        return set.intersection(*(set(task.kept) for task in imports))

    @cached_property
    def shards(self) -> Sequence[int]:
        """The numbers of the shards that have networks to make."""
        shards = range(-(-self.count // self.own["networks_per_job"]))
        return [shard for shard in shards if self._made(shard)] if self._left_out else shards

    def networks(self, shard: int) -> list[int]:
        """Return the positions of the networks in a shard, without those measured before.

        Raises:
            GengapError: the task has no such shard.
        """
        if shard not in self.shards:
            last = -(-self.count // self.own["networks_per_job"]) - 1
            raise GengapError(
                f"Task '{self.name}' has shards 0 to {last} of networks, not {shard}."
            )
        return self._made(shard)

    def _made(self, shard: int) -> list[int]:
        size: int = self.own["networks_per_job"]
        planned = self._in_shards[shard * size : (shard + 1) * size]
        return sorted(network for network in planned if network not in self._left_out)

    @cached_property
    def _in_shards(self) -> Sequence[int]:
        """The positions of the networks, in the order in which shards take them.

        Networks that can be trained at once come one after the other.
        """
        if not self.together:
            return range(self.count)
        firsts: dict[str, int] = {}
        return sorted(
            range(self.count),
            key=lambda network: firsts.setdefault(_shape(self.entries[network]), network),
        )

    @cached_property
    def _places(self) -> dict[int, int]:
        """The place of each network in :attr:`_in_shards`."""
        return {network: place for place, network in enumerate(self._in_shards)}

    def shard_of(self, network: int) -> int:
        """Return the number of the shard that a network is in.

        Raises:
            GengapError: the task has no such network.
        """
        if network not in range(self.count):
            raise GengapError(
                f"Task '{self.name}' has networks 0 to {self.count - 1}, not {network}."
            )
        size: int = self.own["networks_per_job"]
        return self._places[network] // size

    def siblings(self, network: int) -> list[int]:
        """Return the positions of a zoo's networks that differ from one in their seed alone.

        Networks that were trained elsewhere have none, since nobody knows what else differs; nor
        have replicates with draws of their own, which differ in their training data too.
        """
        if self.kind != "zoo" or self.draw:
            return []
        replicates: int = self.own["zoo"]["replicates"]
        first = network - network % replicates
        return [other for other in range(first, first + replicates) if other != network]

    def shards_of_siblings(self, shard: int) -> list[int]:
        """Return the other shards that hold siblings of a shard's networks."""
        siblings = (other for network in self.networks(shard) for other in self.siblings(network))
        return sorted({self.shard_of(other) for other in siblings} - {shard})

    def loss(self, network: int) -> str:
        """Return the loss that a network was trained on; empty where the data tell.

        PGDL's networks were trained on cross-entropy.
        """
        if self.kind == "pgdl":
            return "cross_entropy"
        if self.kind == "checkpoints":
            return self.checkpoints.loss(network)
        loss: str = self.entries[network]["training"]["loss"]
        return loss

    @property
    def colour(self) -> str | None:
        """The hyper-parameter that colours the figures; None where only the task's files tell."""
        first = next(iter(self.own["zoo"]["grid"])) if self.kind == "zoo" else None
        return self.own["colour"] or first

    @property
    def exported_from(self) -> str | None:
        """Full name of the task whose export an imported task is, or None."""
        zoo = self.own.get("pgdl", {}).get("exported")
        return zoo and self._full(zoo)

    @property
    def pgdl_name(self) -> str:
        """An imported task's name in PGDL's tree."""
        pgdl = self.own["pgdl"]
        name: str = pgdl.get("exported") or pgdl["task"]
        return name

    @property
    def pgdl_source(self) -> str:
        """Where an imported task's files come from."""
        zoo, source = self.exported_from, self.own["pgdl"]["source"]
        return f"results/{zoo}/pgdl" if zoo else source

    @property
    def fetched(self) -> int | None:
        """How many of an imported task's networks are fetched.

        None stands for all that an exported task has: one that failed has no place in the export,
        and must not stop the import of the others.
        """
        return None if self.exported_from else self.count

    def check(self) -> None:
        """Refuse a plan with a fault that can be known before anything is run.

        Raises:
            GengapError: the fault, by the name of its key.
        """
        if self.exported_from:
            self._check_exported()
        if self.kind == "pgdl":
            check_kept(self)
        if self.kind != "pgdl":
            self._check_size(self.own[self.kind]["dataset"])
        if self.kind == "checkpoints":
            check_dataset(self.dataset, f"Task '{self.own['name']}'")
            if self.draw:
                raise GengapError(
                    f"Task '{self.own['name']}' sets 'resample', but its networks are there "
                    "already, trained on data of their own: leave it out."
                )
            self.checkpoints.check()
        if self.kind == "zoo":
            self._check_zoo(f"The zoo of task '{self.own['name']}'")
        if self.own["unlabelled"]:
            check_unlabelled(self.own["unlabelled"], f"Task '{self.own['name']}'")
        if self.reference is None:
            self._check_gaps()
        # Of files that are not here yet nobody knows the grid; the download checks it.
        if self.grid is not None:
            check_roles(self.own["name"], self.roles, self.grid)

    def _check_gaps(self) -> None:
        """Refuse a task of which nothing could be said, since it is not predicted either."""
        name = self.own["name"]
        if not self.has_gaps:
            raise GengapError(
                f"Task '{name}' has no test data, so its gaps are not known and nothing can be "
                "evaluated: give test data, or name it in 'predictions'."
            )
        if self.count < LEAST_NETWORKS:
            raise GengapError(
                f"Task '{name}' has {self.count} networks, but the evaluation needs at "
                f"least {LEAST_NETWORKS} networks: ask for more of them, or name it in "
                "'predictions'."
            )

    def _check_zoo(self, origin: str) -> None:
        check_dataset(self.dataset, origin)
        if self.draw and self.draw["train_size"] is None:
            raise GengapError(
                f"{origin} draws its data anew for each replicate, but not how many: set "
                "'train_size' beside 'resample'."
            )
        if not self.has_gaps:
            raise GengapError(
                f"{origin} sets 'test_size' to 0, but its gaps are measured on test data: leave "
                "it out, or ask for some."
            )
        if self.foreign:
            self.foreign.check(origin)
        for entry in self.entries:
            if self.foreign:
                self._check_keywords(self.foreign, entry["network"], origin)
            else:
                check_complete(entry["network"], origin)
                check_network(entry["network"], origin)
            loss = entry["training"]["loss"]
            check_loss(entry["network"], loss, origin, ("template", "architecture"))
            check_training(entry["training"], origin)

    def _check_keywords(self, foreign: ForeignNetwork, network: Settings, origin: str) -> None:
        lacking = foreign.lacks(network.get("keywords", ()))
        if lacking:
            raise GengapError(
                f"{origin} needs '{lacking}' for its factory {foreign.own['factory']}: give it in "
                "'keywords' or in the grid."
            )

    def _check_size(self, dataset: Settings) -> None:
        size = dataset["train_size"]
        if isinstance(size, float) and (size >= 1 or not dataset["resample"]):
            raise GengapError(
                f"'train_size' of task '{self.own['name']}' is {size}: give a whole number, or "
                "beside 'resample: replicate' a fraction of the pool, below 1."
            )

    def _check_exported(self) -> None:
        name, exported = self.own["name"], self.own["pgdl"]["exported"]
        if self._exported is None:
            raise GengapError(
                f"'exported' of task '{name}' is '{exported}', which is no zoo and no task of "
                "checkpoints of this config: name one."
            )
        if self._exported.draw:
            raise GengapError(
                f"Task '{name}' exports '{exported}', whose replicates draw their own training "
                "data, but PGDL's format has one dataset a task: leave out 'resample'."
            )
        made = self._exported.own[self._exported.kind]
        for kind in ("architecture", "factory", "hub", "keras"):
            if kind in {**made["network"], **made.get("grid", {})}:
                raise GengapError(
                    f"Task '{name}' exports '{exported}', whose networks are given by '{kind}', "
                    "which PGDL's format cannot describe: export networks of a template or a "
                    "'model_config'."
                )

    @property
    def _exported(self) -> TaskPlan | None:
        """The task whose networks an import takes; None if they come from elsewhere."""
        exported = self.own.get("pgdl", {}).get("exported")
        for own in self.run["tasks"]:
            if own["name"] == exported and "pgdl" not in own:
                return replace(self, name=str(self.exported_from), own=own)
        return None


def _shape(entry: Settings) -> str:
    """Return what is equal for all networks of a zoo that can be trained at once."""
    recipe = [entry["training"][key] for key in TOGETHER_KEYS]
    return json.dumps([entry["network"], recipe], sort_keys=True)


def states_tests(pgdl: Settings) -> bool:
    """Tell whether the files of a PGDL task state test accuracies.

    Args:
        pgdl: the settings of the import.

    Returns:
        True where its files are not here yet.
    """
    if not pgdl_layout.is_unpacked(pgdl["source"], pgdl["task"]):
        return True
    reference = pgdl_layout.locate(pgdl["source"], pgdl["task"]).reference
    entries = pgdl_layout.read_entries(reference).values()
    return any("test_acc" in entry.get("metrics", {}) for entry in entries)


def imported_networks(task: str, source: str, wanted: int | None) -> int:
    """Return how many networks are imported from a PGDL task.

    Args:
        task: the task's folder in PGDL's tree.
        source: where its files come from. The reference file of a folder in which the task lies
            unpacked says how many networks there are; else the published counts do.
        wanted: how many of them to import, or None for all.

    Raises:
        GengapError: a local source does not exist; more networks are wanted than there are; or
            nothing says how many there are.
    """
    if not pgdl_layout.is_url(source) and not Path(source).exists():
        raise GengapError(
            f"'source' of {task} is '{source}', which does not exist: give the URL, the archive or "
            "the folder with PGDL's files."
        )
    if pgdl_layout.is_unpacked(source, task):
        reference = pgdl_layout.locate(source, task).reference
        available, whose = len(pgdl_layout.read_entries(reference)), f"{reference} names"
    elif task in PGDL_NETWORKS:
        available, whose = PGDL_NETWORKS[task], "PGDL published"
    elif wanted is not None:
        return wanted
    else:
        raise GengapError(
            f"'{task}' is none of PGDL's published tasks ({', '.join(PGDL_NETWORKS)}), so the "
            "number of its networks is not known: set 'networks'."
        )
    if wanted is not None and wanted > available:
        raise GengapError(
            f"'networks' of {task} is {wanted}, but {whose} {available} of them: lower it."
        )
    return wanted or available
