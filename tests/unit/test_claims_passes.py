"""What the claims on passes and evidence measure, on cases whose answer is known."""

import numpy as np
import pytest
import torch

from nn_interpretability.claims.assertions.algorithm_shows_uncertainty import net, share_entropy
from nn_interpretability.claims.assertions.high_softmax_uncertain import uncertain_share
from nn_interpretability.claims.assertions.noise_resembles_prediction import (
    class_mean_maps,
    contrasts,
    likeness,
    other_predictions,
)
from nn_interpretability.claims.assertions.softmax_separates import largest_two
from nn_interpretability.claims.dropout_passes import by_angle, turned
from nn_interpretability.claims.signs import negative_share


def test_the_negative_share_of_maps() -> None:
    maps = torch.tensor([[[1.0, -3.0], [0.0, 0.0]], [[2.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])[:, None]
    assert negative_share(maps).tolist() == [0.75, 0.0, 0.0]


def test_pictures_are_turned_angle_by_angle() -> None:
    images = torch.zeros(2, 1, 9, 9)
    images[0, 0, 4, 1:8] = 1  # lies
    images[1, 0, 1:8, 4] = 1  # stands
    found = turned(images, [0, 90])
    torch.testing.assert_close(found[2:], images.flip(0), atol=1e-6, rtol=0)
    assert by_angle(torch.arange(4), 2).tolist() == [[0, 2], [1, 3]]


def test_the_two_classes_that_are_most_probable_over_passes() -> None:
    logits = torch.tensor([[[5.0, 0, 4.9, 0]], [[0.0, 0, 5.0, 0]], [[9.0, 1, 8.0, 0]]])
    first, second = largest_two(logits)["logit"]
    assert first[:, 0].tolist() == pytest.approx([4.9, 5, 8], abs=1e-6)
    assert second[:, 0].tolist() == [5.0, 0.0, 9.0]
    shares = largest_two(logits)["softmax"]
    assert (shares[0] + shares[1] < 1).all()


def test_certain_pictures_are_compared_with_the_middle_one_of_the_others() -> None:
    softmax = np.array([[[0.9, 0.95, 0.99, 0.85], [0.9, 0.9, 0.7, 0.3]]])
    information = np.array([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.9, 0.6, 0.7]]])
    values = np.stack([softmax, information], axis=-1)
    assert uncertain_share(values, 0.8) == pytest.approx(
        1 / 6
    )  # 0.9 is above 0.65; above the median of all is 0.5, too
    assert uncertain_share(values, 0.1) == 0.0  # no others


def test_net_relevance_and_the_entropy_of_its_shares() -> None:
    maps = torch.zeros(2, 3, 1, 2, 2)
    maps[0, 0] = 1.0
    maps[0, 1] = 1.0
    maps[0, 2] = -5.0
    assert net(maps).tolist() == [[4.0, 4.0, -20.0], [0.0, 0.0, 0.0]]
    assert share_entropy(net(maps)).tolist() == pytest.approx([np.log(2), 0.0])


def test_mean_maps_of_classes_and_likeness_to_them() -> None:
    maps = torch.tensor([[1.0, 0, 0], [3.0, 0, 0], [0, 0, 5.0]]).reshape(3, 1, 1, 3)
    means = class_mean_maps(maps, torch.tensor([0, 0, 2]), 3)
    assert means[:, 0, 0].tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 5]]
    found = likeness(maps[:1, None], means)
    assert found.shape == (1, 1, 3)
    assert found[0, 0].tolist() == pytest.approx([1.0, 0.0, -0.5])


def test_a_contrast_is_with_the_other_wrong_classes() -> None:
    like = np.array([[[[0.9, 0.5, 0.1, 0.3]]]])
    found = contrasts(like, np.array([0]))[0, 0, 0]
    np.testing.assert_allclose(found, [0, 0.5 - 0.2, 0.1 - 0.4, 0.3 - 0.3], atol=1e-15)


def test_permuted_predictions_are_those_of_all_pictures() -> None:
    passes = np.zeros((1, 3, 3))
    passes[0, 0, 1] = 10  # a 0 is taken for a 1
    passes[0, 1, 2] = 1  # so is another 0 for a 2
    passes[0, 2, 0] = 5  # and a 1 for a 0
    found = other_predictions(passes, np.array([0, 0, 1]))[0]
    np.testing.assert_allclose(found, [[0, 0.5, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5]])


def test_permuted_predictions_are_the_mean_over_permutations() -> None:
    rng = np.random.default_rng(0)
    passes = rng.poisson(2, (1, 6, 4)).astype(float)
    label = np.array([0, 1, 2, 3, 0, 1])
    passes[:, np.arange(6), label] = 0
    shares = passes[0] / passes[0].sum(axis=1, keepdims=True)
    allowed = np.arange(4) != label[:, None]
    drawn = np.mean([shares[rng.permutation(6)] for _ in range(20000)], axis=0) * allowed
    np.testing.assert_allclose(other_predictions(passes, label)[0], drawn / drawn.sum(axis=1, keepdims=True), atol=0.01)
