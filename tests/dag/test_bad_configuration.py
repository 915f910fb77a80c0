"""A configuration with mistakes: all of them in one message, and nothing is run."""

from __future__ import annotations

from pathlib import Path

from workflow_runs import STUDY, run

MISTAKES = """
device: gpu
models:
  cnn: {epochs: six}
attributions:
  lrp_0: {method: lrp, parameters: {rule: gama}}
  mine: {method: gradient, model: cmn}
  mine: {method: gradient}
figures:
  fig06: {panels: [gradent]}
"""


def test_all_mistakes_come_in_one_message_and_nothing_runs(tmp_path: Path) -> None:
    mistakes = tmp_path / "mistakes.yaml"
    mistakes.write_text(MISTAKES, encoding="utf-8")
    told = run(tmp_path, configs=(STUDY, mistakes))
    assert told.returncode == 1
    words = told.stderr
    assert "The configuration has 5 problems; nothing was run." in words
    assert "device: 'gpu' is not allowed" in words
    assert "models.cnn.epochs: 'six' is not allowed\n      allowed: a whole number (at least 1)" in words
    assert "attributions.lrp_0.parameters.rule: 'gama' is not allowed\n      did you mean 'gamma'?" in words
    assert "figures.fig06.panels[0]: 'gradent' is not a name under attributions" in words
    assert "did you mean 'gradient'?" in words
    assert "attributions.mine: stands twice" in words
    assert "Traceback" not in words
    assert not (tmp_path / "results").exists()


def test_a_mistake_on_the_command_line_is_found_too(tmp_path: Path) -> None:
    told = run(tmp_path, "--config", "sed=7")
    assert told.returncode == 1
    assert "sed: is not a known key\n      did you mean 'seed'?" in told.stderr
