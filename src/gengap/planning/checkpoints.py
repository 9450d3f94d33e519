"""The networks of a task of checkpoints, as a table names them: a row a network."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import ARCHITECTURES, GAPS, LOSSES, TEMPLATES
from gengap.planning.foreign import ForeignNetwork
from gengap.planning.networks import check_complete, check_loss, check_network
from gengap.planning.settings import Settings

FILES = ("weights", "initial", "labels")
"""Columns of a table that name files of a network."""
OUTCOMES = tuple(f"{part}_{gap}" for gap in GAPS for part in ("train", "test"))
"""Columns of a table that state what is recomputed from weights and data."""
REPLICATION = ("seed", "replicate")
"""Columns that tell equal networks apart, and say nothing about their training."""

TAKEN = ("gap", "cluster", "all")
"""Names that no column may have, since the tables of results use them."""

_MISSING = ("", "nan")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Checkpoint:
    """One row of a table.

    Attributes:
        name: what the table calls the network; its position if it has no name.
        files: the paths of :data:`FILES` that the row names.
        stated: the :data:`OUTCOMES` that the row states.
        values: its hyper-parameters; None where a cell is empty.
    """

    name: str
    files: Mapping[str, str]
    stated: Mapping[str, float]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class CheckpointsPlan:
    """What is known of a task of checkpoints before anything is run.

    Attributes:
        task: the task's name.
        own: what ``checkpoints`` is set to.
    """

    task: str
    own: Settings

    @cached_property
    def rows(self) -> list[Checkpoint]:
        """The networks, in the order of the table.

        Raises:
            GengapError: the table cannot be read, or a fault of it, by its line or column.
        """
        return read_checkpoints(Path(self.own["table"]))

    @cached_property
    def grid(self) -> dict[str, list[Any]]:
        """The values of each hyper-parameter that may tell something about the gap.

        A column with one value tells nothing, nor does a text that is another one in most rows (a
        run's name) or a seed.
        """
        columns = self.rows[0].values if self.rows else ()
        values = {name: [row.values[name] for row in self.rows] for name in columns}
        return {name: _distinct(column) for name, column in values.items() if _tells(name, column)}

    @cached_property
    def entries(self) -> list[Settings]:
        """What each network is made from.

        ``name``, ``files``, ``stated`` and ``hyper_parameters`` are those of its row; ``network``
        is its spec, and ``replicate`` its number among the networks of the same hyper-parameters.
        """
        points = Counter[tuple[Any, ...]]()
        entries = []
        for row in self.rows:
            point = tuple(row.values[name] for name in self.grid)
            entries.append(
                {
                    "name": row.name,
                    "files": dict(row.files),
                    "stated": dict(row.stated),
                    "hyper_parameters": dict(row.values),
                    "network": self._spec(row),
                    "replicate": points[point],
                }
            )
            points[point] += 1
        return entries

    @property
    def code(self) -> str | None:
        """A digest of the factory's file and of what it imports; None without a factory."""
        return self._foreign.code if self._foreign else None

    def files(self, networks: Collection[int]) -> list[str]:
        """Return the files that some networks are made from, each once."""
        paths = [path for network in networks for path in self.rows[network].files.values()]
        if self._foreign and self._foreign.file:
            paths.append(os.path.normpath(self._foreign.file))
        return list(dict.fromkeys(paths))

    def loss(self, network: int) -> str:
        """Return the loss that a network was trained on; empty for the default of the data."""
        loss = self.rows[network].values.get("loss")
        return loss if loss in LOSSES else self.own["loss"] or ""

    def check(self) -> None:
        """Refuse a table or a network with a fault that can be known before anything is run.

        Raises:
            GengapError: the fault, by the name of its key, line or column.
        """
        origin = f"The network of task '{self.task}'"
        self._check_labels()
        if self._foreign:
            self._foreign.check(origin)
            self._check_keywords(self._foreign)
            return
        for entry in self.entries:
            check_complete(entry["network"], origin)
            check_network(entry["network"], origin)
            _check_template(entry["network"], origin)
        for network, entry in enumerate(self.entries):
            check_loss(entry["network"], self.loss(network), origin, ("template", "architecture"))

    @cached_property
    def _foreign(self) -> ForeignNetwork | None:
        return ForeignNetwork.of(self.own["network"])

    @cached_property
    def _keys(self) -> Collection[str]:
        """The columns that go to the network."""
        own = self.own["network"]
        if self._foreign:
            return self._foreign.columns
        if "architecture" in own:
            return {"architecture", *ARCHITECTURES.get(own["architecture"], ())}
        return {"template", *TEMPLATES.get(own["template"], ())} if "template" in own else ()

    def _spec(self, row: Checkpoint) -> Settings:
        given = {
            name: value
            for name, value in row.values.items()
            if name in self._keys and value is not None
        }
        return self._foreign.spec(given) if self._foreign else {**self.own["network"], **given}

    def _check_labels(self) -> None:
        """Refuse labels of inputs that are not in the order in which the user knows them."""
        dataset, has_labels = self.own["dataset"], any("labels" in row.files for row in self.rows)
        if has_labels and ("from" not in dataset or dataset["train_size"] or dataset["balanced"]):
            raise GengapError(
                f"{self.own['table']} has a column 'labels', but the data of task '{self.task}' "
                "are put in an order of their own: give them by 'from' with the test data apart, "
                "without 'train_size' and 'balanced'."
            )

    def _check_keywords(self, foreign: ForeignNetwork) -> None:
        """Refuse a row that lacks a parameter that the factory needs."""
        for row in self.rows:
            lacking = foreign.lacks(self._spec(row).get("keywords", ()))
            if lacking:
                raise GengapError(
                    f"The factory {foreign.own['factory']} of task '{self.task}' needs "
                    f"'{lacking}', which network '{row.name}' has neither in a column nor in "
                    "'keywords': add it."
                )


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """Read a table of checkpoints.

    Args:
        path: a CSV file with a header; its paths are relative to its folder. Empty cells are
            missing values.

    Returns:
        One entry a row. The cells of a hyper-parameter are whole numbers, numbers, truth values or
        texts, whichever all of its cells can be.

    Raises:
        GengapError: the file cannot be read; a row has more or fewer cells than the header; a
            column has no name or occurs twice; a weights file is not named or does not exist; a
            name occurs twice; or a stated value is no finite number.
    """
    header, lines = _read_cells(path)
    if "weights" not in header:
        raise GengapError(
            f"{path} has no column 'weights' (it has {', '.join(header)}): name the file of each "
            "network's weights in it."
        )
    columns = {
        name: _typed([cells[name] for cells in lines.values()])
        for name in header
        if name not in ("network", *FILES, *OUTCOMES)
    }
    rows = [
        Checkpoint(
            cells.get("network") or str(position),
            _files(cells, path, line),
            _stated(cells, path, line),
            {name: column[position] for name, column in columns.items()},
        )
        for position, (line, cells) in enumerate(lines.items())
    ]
    name, count = max(Counter(row.name for row in rows).items(), key=lambda item: item[1])
    if count > 1:
        raise GengapError(f"{path} names the network '{name}' twice: give each its own name.")
    return rows


def _read_cells(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Return the names of the columns, and the cells of each row by its line."""
    try:
        # A spreadsheet marks UTF-8 by its first bytes.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            numbered = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise GengapError(
            f"The table {path} cannot be read ({error.strerror}): correct 'table', whose path is "
            "relative to the config file."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise GengapError(f"{path} is no CSV file in UTF-8 ({error}): write it as one.") from error
    if not numbered:
        raise GengapError(f"{path} is empty: write a header, and a row for each network.")
    (_, names), *rows = numbered
    if not rows:
        raise GengapError(f"{path} has a header and no rows: write one for each network.")
    header = [name.strip() for name in names]
    for place, name in enumerate(header, start=1):
        if not name or name in header[: place - 1]:
            fault = (
                f"names the column '{name}' twice" if name else f"has no name for column {place}"
            )
            raise GengapError(f"{path} {fault}: give each column one name of its own.")
        if name in TAKEN:
            raise GengapError(
                f"{path} has a column '{name}', which is a name in the results: rename it or leave "
                "it out."
            )
    for line, row in rows:
        if len(row) != len(header):
            raise GengapError(
                f"{path}, line {line}, has {len(row)} cells for {len(header)} columns: write one "
                "for each; a cell with a comma is put in quotation marks."
            )
    cells = {
        line: {
            name: "" if cell.strip().lower() in _MISSING else cell.strip()
            for name, cell in zip(header, row, strict=True)
        }
        for line, row in rows
    }
    return header, cells


def _files(cells: Mapping[str, str], table: Path, line: int) -> dict[str, str]:
    """Return the files that a row names."""
    if not cells["weights"]:
        raise GengapError(f"{table}, line {line}, names no weights: name a file or drop the row.")
    paths = {name: table.parent / cells[name] for name in FILES if cells.get(name)}
    for name, path in paths.items():
        if not path.is_file():
            raise GengapError(
                f"{table}, line {line}, names the {name} {path}, which does not exist: paths in a "
                "table are relative to the table."
            )
    return {name: os.path.normpath(path) for name, path in paths.items()}


def _stated(cells: Mapping[str, str], table: Path, line: int) -> dict[str, float]:
    """Return the outcomes that a row states."""
    stated = {name: cells[name] for name in OUTCOMES if cells.get(name)}
    for name, cell in stated.items():
        is_number = _NUMBER.fullmatch(cell) is not None
        if not is_number or (name.endswith("_accuracy") and not 0 <= float(cell) <= 1):
            wanted = "a fraction from 0 to 1" if name.endswith("_accuracy") else "a finite number"
            raise GengapError(
                f"{table}, line {line}, states {name} as '{cell}': write {wanted}, or nothing."
            )
    return {name: float(cell) for name, cell in stated.items()}


def _typed(cells: Sequence[str]) -> list[Any]:
    """Return a column's cells in the narrowest type that holds all of them, None for empty ones."""
    present = [cell for cell in cells if cell]
    if all(cell.lower() in _TRUTH for cell in present):
        return [_TRUTH[cell.lower()] if cell else None for cell in cells]
    if not all(_NUMBER.fullmatch(cell) for cell in present):
        return [cell or None for cell in cells]
    # A column of whole numbers with an empty cell is written with a fraction by pandas.
    if all(_INTEGER.fullmatch(cell) or float(cell).is_integer() for cell in present):
        return [(int(cell) if _INTEGER.fullmatch(cell) else int(float(cell))) if cell else None
                for cell in cells]  # fmt: skip
    return [float(cell) if cell else None for cell in cells]


def _distinct(column: Sequence[Any]) -> list[Any]:
    """Return the values of a column, sorted; a missing one comes last."""
    present = sorted({value for value in column if value is not None})
    return present + [None] * (None in column)


def _tells(name: str, column: Sequence[Any]) -> bool:
    """Whether a hyper-parameter may tell something about the gap."""
    distinct = _distinct(column)
    is_text = any(isinstance(value, str) for value in distinct)
    is_label = is_text and 2 * len(distinct) > len(column)
    return name not in REPLICATION and len(distinct) > 1 and not is_label


def _check_template(network: Mapping[str, Any], origin: str) -> None:
    template = network.get("template")
    if template is None:
        return
    if template not in TEMPLATES:
        raise GengapError(
            f"{origin} names the template '{template}': choose one of {', '.join(TEMPLATES)}."
        )
    unknown = sorted(set(network) - {"template", *TEMPLATES[template]})
    if unknown:
        raise GengapError(
            f"{origin} gives the template '{template}' the keyword '{unknown[0]}', which it does "
            f"not have (it has {', '.join(TEMPLATES[template])}): leave it out."
        )
