"""The tables in docs/ are what is made of the code today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nets
import pytest
import torch
import torchvision_coverage
from torchvision_coverage import CLASSIFIERS, ROWS, Outcome, cells, outcomes, page

from nn_interpretability.metrics.registry import METRICS
from nn_interpretability.registry import METHODS
from nn_interpretability.reporting.methods_table import END, methods_table, with_methods_table
from nn_interpretability.reporting.metrics_table import metrics_table, with_metrics_table


def test_the_table_of_methods_is_that_of_the_registry(repository: Path) -> None:
    text = (repository / "docs" / "methods.md").read_text()
    assert with_methods_table(text) == text, "make docs writes it anew"


def test_the_table_names_each_method_with_all_that_is_asked(repository: Path) -> None:
    rows = methods_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == sorted(METHODS)
    for row, (name, entry) in zip(rows, sorted(METHODS.items()), strict=True):
        assert len(row.split("|")) == 10, name
        assert f"`{entry.name}`" in row
        assert entry.paper in row


def test_the_table_of_metrics_is_that_of_their_registry(repository: Path) -> None:
    text = (repository / "docs" / "metrics.md").read_text()
    assert with_metrics_table(text) == text, "make docs writes it anew"
    rows = metrics_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(METRICS)
    assert all(len(row.split("|")) == 8 for row in rows)


def test_the_python_of_the_page_of_metrics_runs(repository: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (repository / "docs" / "metrics.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {
        "model": nets.small_cnn(dtype=torch.float32),
        "images": nets.digits(2, torch.float32),
        "target": None,
    }
    exec(block, names)
    assert names["curves"].most_relevant_first.shape == (2, 101)


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no '<!-- The table is written"):
        with_methods_table(f"# Methods\n{END}\n")


def test_every_method_is_tried_on_every_classifier(repository: Path) -> None:
    assert {row.method for row in ROWS.values()} == set(METHODS)
    written = cells((repository / "docs" / "torchvision.md").read_text())
    assert list(written) == list(CLASSIFIERS), "make docs writes it anew"
    assert all(list(found) == list(ROWS) for found in written.values()), "make docs writes it anew"


def test_a_page_can_be_read_again() -> None:
    found = {
        name: {
            label: [
                Outcome("covered"),
                Outcome("covered", bound="1e-9"),
                Outcome("warns", "mul"),
                Outcome("refused", "x"),
            ][i % 4]
            for i, label in enumerate(ROWS)
        }
        for name in ("one", "two")
    }
    text = page(found)
    assert cells(text) == found
    assert text.startswith(torchvision_coverage.TITLE)


FEW = ("lrp, epsilon", "deeplift, rescale", "guided_backprop", "cam")


@pytest.mark.parametrize(
    ("name", "rows"), [("squeezenet1_0", tuple(ROWS)), ("resnet18", FEW), ("mobilenet_v3_small", FEW)]
)
def test_the_table_of_torchvision_is_what_is_found(repository: Path, name: str, rows: tuple[str, ...]) -> None:
    written = cells((repository / "docs" / "torchvision.md").read_text())[name]
    for label, found in outcomes([name], rows)[name].items():
        said = written[label]
        assert (found.kind, found.words) == (said.kind, said.words), f"{label}: make docs writes it anew"
        assert (found.bound is None) == (said.bound is None)
        assert found.bound is None or float(found.bound) <= float(said.bound), label
