"""PGDL's format: the competition's tasks are downloaded and imported, our own are exported.

The organisers of "Predicting Generalization in Deep Learning" (NeurIPS 2020) published tasks as
Keras configs, legacy HDF5 weights and TFRecords. There is one function for each stage:

``download`` (from a server, archive or folder) -> ``locate`` and ``read_reference`` (the files) ->
``import_dataset`` and ``import_network`` (a task folder); ``export`` is the way back.
"""

from gengap.pgdl_layout import Tree, locate
from gengap.tasks.pgdl.download import Receipt, download
from gengap.tasks.pgdl.exporting import export
from gengap.tasks.pgdl.importing import (
    RECOMPUTED_FILE,
    Recomputed,
    disagreements,
    import_dataset,
    import_network,
    source_digest,
)
from gengap.tasks.pgdl.published import BASE_URL, TASKS, PublishedTask
from gengap.tasks.pgdl.reference import Reference, StatedNetwork, read_reference
from gengap.tasks.pgdl.remote import RetryPolicy

__all__ = [
    "BASE_URL",
    "RECOMPUTED_FILE",
    "TASKS",
    "PublishedTask",
    "Receipt",
    "Recomputed",
    "Reference",
    "RetryPolicy",
    "StatedNetwork",
    "Tree",
    "disagreements",
    "download",
    "export",
    "import_dataset",
    "import_network",
    "locate",
    "read_reference",
    "source_digest",
]
