"""Tasks: trained networks, the data that they were trained on, and the gap measured for each.

A task is a folder (see :mod:`gengap.tasks.folder`), made by training a zoo
(:mod:`gengap.tasks.zoo`) or by importing networks that others trained.
"""

from gengap.tasks.folder import Task, TrainedNetwork, load, write_task

__all__ = ["Task", "TrainedNetwork", "load", "write_task"]
