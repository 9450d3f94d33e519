"""The bar of a command: on a terminal alone, and gone when the work is done."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios

import pytest

CODE = """
import time
from gengap.cli.progress import each, working
for family in each({"norms": 1, "margins": 2}, "family"):
    time.sleep(0.2)
    print(family)
with working("predicting"):
    time.sleep(1.2)
"""


@pytest.mark.slow
def test_there_is_a_bar_on_a_terminal_alone() -> None:
    quiet = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert quiet.stdout == "norms\nmargins\n"
    assert quiet.stderr == ""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = subprocess.run(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    assert select.select([ours], [], [], 10)[0], "nothing is drawn"
    drawn = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert shown.stdout == quiet.stdout
    assert "norms" in drawn
    assert "1/2" in drawn
    assert "predicting 00:01" in drawn
    assert drawn.split("\r")[-1].strip() == ""
