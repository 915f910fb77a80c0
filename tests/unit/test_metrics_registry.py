"""The public names of the metrics, their table, and what importing them costs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import nn_interpretability
from nn_interpretability import metrics
from nn_interpretability.metrics.registry import METRICS

HELPERS = {"dilated_ink"}


def test_every_metric_has_an_entry_and_every_entry_a_metric() -> None:
    assert set(METRICS) | HELPERS == set(metrics.__all__) == set(metrics._PUBLIC)
    assert set(metrics.__all__) <= set(dir(metrics))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_a_function_of_maps_or_has_one_verb(name: str) -> None:
    metric, entry = getattr(metrics, name), METRICS[name]
    assert inspect.getdoc(metric)
    assert all((entry.measures, entry.values, entry.cost))
    if inspect.isclass(metric):
        assert [verb for verb in vars(metric) if not verb.startswith("_")] == ["parameters", "measure"]
        assert entry.cost != "none"
    else:
        assert entry.cost == "none"
        assert inspect.signature(metric).return_annotation == "Tensor"


def test_importing_the_package_and_the_table_imports_no_torch() -> None:
    code = (
        "import sys, nn_interpretability.metrics.registry, nn_interpretability; nn_interpretability.metrics; "
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_metrics_are_found_from_the_package() -> None:
    assert nn_interpretability.__getattr__("metrics") is metrics
    assert "metrics" in nn_interpretability.__all__
    assert "metrics" in dir(nn_interpretability)


def test_other_names_are_no_metrics() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'accuracy'"):
        _ = metrics.accuracy
