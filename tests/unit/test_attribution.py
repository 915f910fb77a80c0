"""What a result says about itself."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor

from nn_interpretability import LRP, Attribution, Gradient
from nn_interpretability.attribution import concatenate

IMAGES = nets.uniform(4, 1, 28, 28)


def result(values: Tensor, score: Any, *, conserving: bool = True) -> Attribution:
    score = torch.tensor(score, dtype=torch.float64)
    return Attribution(
        values=values,
        score=score,
        logits=torch.zeros(len(values), 3),
        target=None,
        conserving=conserving,
        method="lrp",
        parameters={},
        target_description="all",
    )


def test_the_total_is_the_sum_of_each_map() -> None:
    values = torch.arange(12.0).reshape(2, 1, 2, 3)
    assert result(values, [15.0, 51.0]).total.tolist() == [15, 51]
    stacked = result(values[:, None].expand(2, 3, 1, 2, 3), [[15.0, 30, 0]] * 2)
    assert stacked.total.tolist() == [[15, 15, 15], [51, 51, 51]]


def test_the_total_is_summed_in_double_precision() -> None:
    values = torch.full((1, 1, 1000, 1000), 0.1)
    values[0, 0, 0, 0] = 1e8
    assert result(values, [1.0]).total.item() == pytest.approx(1e8 + 999_999 * 0.1, rel=1e-9)


def test_the_completeness_error_is_relative_to_the_score() -> None:
    values = torch.ones(3, 1, 2, 2)
    found = result(values, [4.0, 5.0, -8.0])
    assert found.completeness_error.tolist() == [0.0, pytest.approx(0.2), pytest.approx(1.5)]
    assert result(values, [4.0, 5.0, -8.0], conserving=False).completeness_error is None
    assert torch.isfinite(result(torch.zeros(1, 1, 2, 2), [0.0]).completeness_error).all()


def test_the_completeness_error_of_all_classes() -> None:
    found = LRP(nets.small_cnn(study=False), rule="0", bias="ignore").interpret(IMAGES, "all")
    assert found.completeness_error.shape == (4, 10)
    assert torch.allclose(found.completeness_error, (found.total - found.score).abs() / found.score.abs())


def test_batches_become_one() -> None:
    explained = LRP(nets.small_cnn(study=False), trace=True)
    whole = explained.interpret(IMAGES, "all")
    parts = [explained.interpret(IMAGES[i : i + 2], "all") for i in (0, 2)]
    joined = concatenate(parts)
    assert nets.relative(joined.values, whole.values) < 1e-12
    assert joined.score.shape == whole.score.shape
    assert joined.logits.shape == whole.logits.shape
    assert joined.trace.received.shape == whole.trace.received.shape == (4, 4, 10)
    assert joined.trace.unaccounted.shape == (4, 10)
    assert concatenate(parts[:1]) is parts[0]
    assert concatenate([Gradient(nets.small_cnn(study=False)).interpret(IMAGES[:1], 1)] * 2).target.tolist() == [1, 1]


def test_a_result_does_not_change() -> None:
    found = result(torch.zeros(1, 1, 2, 2), [0.0])
    with pytest.raises(AttributeError):
        found.values = torch.ones(1)  # type: ignore[misc]


def test_what_an_attribution_says_of_itself() -> None:
    found = LRP(nets.small_cnn(study=False), rule="gamma", gamma=0.5).interpret(IMAGES, [1, 2, 3, 0])
    assert found.method == "lrp"
    assert found.parameters["gamma"] == 0.5
    assert found.target_description == "classes"
    assert found.target.tolist() == [1, 2, 3, 0]
    assert found.conserving
    assert found.reference is None
    assert found.coverage["ruled"] == {"conv2d": 2, "linear": 2}
    gradient = Gradient(nets.small_cnn(study=False)).interpret(IMAGES)
    assert not gradient.conserving
    assert gradient.completeness_error is None
    assert gradient.target_description == "predicted"
    assert gradient.coverage == {"ruled": {}, "passed": {}, "uncovered": {}}


def test_a_result_is_shown_in_one_line() -> None:
    explained = LRP(nets.small_cnn(study=False), rule="gamma").interpret(IMAGES, 3)
    lowest, highest = float(explained.score.min()), float(explained.score.max())
    assert repr(explained) == (
        f"<Attribution: lrp of class 3, values (4, 1, 28, 28) torch.float64 on cpu, scores {lowest:.4g} to "
        f"{highest:.4g}, completeness_error <= {float(explained.completeness_error.max()):.2g}>"
    )
    alone = Gradient(nets.small_cnn(study=False)).interpret(IMAGES[:1])
    assert repr(alone).endswith(
        f"of predicted, values (1, 1, 28, 28) torch.float64 on cpu, score {alone.score[0]:.4g}>"
    )
