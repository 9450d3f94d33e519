"""Tasks: trained networks, the data that they were trained on, and the gap measured for each.

A task is a folder (see :mod:`gengap.tasks.folder`), made by training a zoo
(:mod:`gengap.tasks.zoo`), by importing PGDL's files (:mod:`gengap.tasks.pgdl`), or of checkpoints
that are there already (:mod:`gengap.tasks.checkpoints`).
"""

from gengap.tasks.folder import Task, TrainedNetwork, load, write_task

__all__ = ["Task", "TrainedNetwork", "load", "write_task"]
