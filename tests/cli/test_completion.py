"""Completion of the command, as a shell does it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gengap.cli import main
from gengap.cli.entry import COMMANDS


def test_bash_completes_subcommands_and_options(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("shtab", reason="shtab is not installed")
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "gengap.bash"
    script.write_text(capsys.readouterr().out)

    def completed(*words: str) -> set[str]:
        line = f"""
        source {script}
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words) - 1}
        $(complete -p gengap | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        return set(ran.stdout.split())

    assert {command.name for command in COMMANDS} <= completed("gengap", "")
    assert "--reference" in completed("gengap", "predict", "--ref")


def test_a_missing_shtab_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert "install the extra gengap[completion]" in capsys.readouterr().err
