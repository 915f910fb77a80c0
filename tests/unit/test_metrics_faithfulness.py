"""Sensitivity-n, infidelity and max-sensitivity: closed forms of linear models, twins, and what is refused."""

from __future__ import annotations

from typing import Any

import metric_twins as twins
import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import LRP, Gradient, InputXGradient
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.metrics import Infidelity, MaxSensitivity, SensitivityN


def linear(channels: int = 2) -> nn.Module:
    return nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(channels * 30, 3)), seed=4)


def images(count: int = 3, channels: int = 2) -> Tensor:
    return nets.uniform(count, channels, 5, 6, low=-1)


class TestSensitivityN:
    def test_a_linear_model_with_input_x_gradient_has_one(self) -> None:
        relevance = InputXGradient(linear()).interpret(images(), 1).values
        found = SensitivityN(linear(), sizes=(1, 7, 29)).measure(images(), relevance, 1)
        assert found.sizes.tolist() == [1, 7, 29]
        assert nets.relative(found.correlation, torch.ones(3, 3, dtype=torch.float64)) < 1e-12
        assert nets.relative(found.mean, torch.ones(3, dtype=torch.float64)) < 1e-12
        opposite = SensitivityN(linear(), sizes=(4,)).measure(images(), -3 * relevance, 1)
        assert nets.relative(opposite.correlation, -torch.ones(3, 1, dtype=torch.float64)) < 1e-12

    def test_correlations_are_numpys_over_subsets_of_n_pixels(self) -> None:
        model, given = nets.small_cnn(), nets.digits(2)
        relevance = nets.uniform(2, 1, 28, 28, low=-1)
        metric = SensitivityN(model, sizes=(40, 300), subsets=12, fill="white", chunk=7)
        chosen = metric._chosen(784)
        assert chosen.sum(dim=1).tolist() == [40] * 12 + [300] * 12
        assert len({tuple(row.tolist()) for row in chosen}) == 24
        found = metric.measure(given, relevance, 3)
        for i in range(2):
            score = twins.scorer(model.eval(), 3)
            for size in range(2):
                masks = chosen[12 * size : 12 * size + 12].reshape(-1, 28, 28).numpy()
                sums = [relevance[i, 0].numpy()[mask].sum() for mask in masks]
                falls = [score(given[i].numpy()) - score(np.where(mask, 1.0, given[i].numpy())) for mask in masks]
                assert found.correlation[i, size].item() == pytest.approx(np.corrcoef(sums, falls)[0, 1], abs=1e-11)

    def test_subsets_are_the_same_for_all_images_maps_and_lists_of_sizes(self) -> None:
        model, given, relevance = linear(), images(), images() ** 2
        one = SensitivityN(model, sizes=(3, 9)).measure(given, relevance, 1).correlation
        other = SensitivityN(model, sizes=(9,)).measure(given[1:2], relevance[1:2], 1).correlation
        assert nets.relative(other[:, 0], one[1:2, 1]) < 1e-11
        changed = SensitivityN(model, sizes=(3, 9), seed=1).measure(given, relevance, 1).correlation
        assert not changed.equal(one)

    def test_subsets_are_uniform(self) -> None:
        share = SensitivityN(linear(), sizes=(6,), subsets=4000)._chosen(30).double().mean(dim=0)
        assert (share - 0.2).abs().max() < 4.5 * (0.2 * 0.8 / 4000) ** 0.5

    def test_a_black_image_has_no_falls(self) -> None:
        given = images()
        given[1] = 0
        metric = SensitivityN(linear(), sizes=(3,))
        with pytest.raises(DataError, match=r"undefined for the maps at positions \[1\]"):
            metric.measure(given, images(), 1)
        assert SensitivityN(linear(), sizes=(3,), undefined=0).measure(given, images(), 1).correlation[1].item() == 0

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"sizes": ()}, "at least one number"),
            ({"sizes": (0,)}, "sizes=0 is not allowed"),
            ({"sizes": (3,), "subsets": 1}, "subsets=1 is not allowed"),
        ],
    )
    def test_settings_are_checked(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            SensitivityN(linear(), **settings)

    def test_all_pixels_are_no_subset(self) -> None:
        with pytest.raises(ConfigError, match="the images have 30 pixels, give less"):
            SensitivityN(linear(), sizes=(30,)).measure(images(), images(), 1)


class TestInfidelity:
    def test_a_linear_model_with_its_gradient_has_none(self) -> None:
        relevance = Gradient(linear()).interpret(images(), 1).values
        for settings in ({"perturbation": "gaussian"}, {"perturbation": "square", "side": 2, "fill": 0.3}):
            assert Infidelity(linear(), **settings).measure(images(), relevance, 1).max() < 1e-24  # type: ignore[arg-type]

    def test_a_linear_model_with_input_x_gradient_has_none_where_pixels_are_deleted(self) -> None:
        relevance = InputXGradient(linear()).interpret(images(), 1).values
        metric = Infidelity(linear(), perturbation="square", contributions=True)
        assert metric.measure(images(), relevance, 1).max() < 1e-24
        assert metric.measure(images(), relevance.sum(dim=1, keepdim=True), 1).max() < 1e-24
        assert metric.measure(images(), 2 * relevance, 1).min() > 1e-4

    def test_noise_of_a_linear_model_in_closed_form(self) -> None:
        """The error of a map that is off by d is normal with the variance (sigma |d|)^2."""
        model, given = linear(), images(1)
        wrong = nets.uniform(1, 2, 5, 6, seed=9)
        relevance = Gradient(model).interpret(given, 1).values + wrong
        found = Infidelity(model, sigma=0.3, samples=20_000).measure(given, relevance, 1).item()
        assert found == pytest.approx(0.09 * wrong.square().sum().item(), rel=0.04)  # 4 standard errors

    @pytest.mark.parametrize("scaled", [False, True])
    def test_errors_are_the_twins(self, scaled: bool) -> None:
        model, given = nets.small_cnn(), nets.digits(2)
        relevance = nets.uniform(2, 1, 28, 28, low=-1)
        changes = [nets.uniform(2, 1, 28, 28, low=-0.2, high=0.3, seed=s) for s in range(9)]
        metric = Infidelity(model, perturbation=lambda _, s: changes[s], samples=9, optimal_scale=scaled, chunk=5)
        found = metric.measure(given, relevance, 3)
        for i in range(2):
            each = [change[i].numpy() for change in changes]
            expected = twins.infidelity(
                twins.scorer(model.eval(), 3), given[i].numpy(), relevance[i].numpy(), each, scaled=scaled
            )
            assert found[i].item() == pytest.approx(expected, rel=1e-10)

    def test_squares_lie_everywhere_inside(self) -> None:
        metric = Infidelity(linear(), perturbation="square", side=3)
        squares = torch.stack([metric._square(images(), s)[0, 0] for s in range(200)])
        assert (squares.flatten(1).sum(dim=1) == 9).all()
        assert squares.any(dim=0).all()

    def test_with_the_best_scale_factors_do_not_matter(self) -> None:
        model, given = nets.small_cnn(), nets.digits(2)
        relevance = nets.uniform(2, 1, 28, 28, low=-1)
        metric = Infidelity(model, samples=20, optimal_scale=True)
        found = metric.measure(given, relevance, 3)
        assert nets.relative(metric.measure(given, -7 * relevance, 3), found) < 1e-11
        plain = Infidelity(model, samples=20).measure(given, torch.zeros_like(given), 3)
        assert nets.relative(metric.measure(given, torch.zeros_like(given), 3), plain) < 1e-12
        assert (found <= plain).all()

    def test_batches_do_not_matter(self) -> None:
        model, given = nets.small_cnn(), nets.digits(3)
        relevance = nets.uniform(3, 1, 28, 28, low=-1)
        for kind in ("gaussian", "square"):
            metric = Infidelity(model, perturbation=kind, samples=9)  # type: ignore[arg-type]
            single = [metric.measure(given[i : i + 1], relevance[i : i + 1], 2) for i in range(3)]
            assert nets.relative(torch.cat(single), metric.measure(given, relevance, 2)) < 1e-11

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"perturbation": "salt"}, "perturbation='salt' is not allowed"),
            ({"sigma": 0}, "sigma=0 is not allowed"),
            ({"contributions": True}, "needs perturbation='square'"),
            ({"samples": 0}, "samples=0 is not allowed"),
        ],
    )
    def test_settings_are_checked(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            Infidelity(linear(), **settings)

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(DataError, match="one value for each input value"):
            Infidelity(linear()).measure(images(), images()[:, :1], 1)
        with pytest.raises(ConfigError, match="side=6 is larger than the images"):
            Infidelity(linear(), perturbation="square", side=6).measure(images(), images(), 1)
        for bad in (torch.zeros(1), torch.full((3, 2, 5, 6), torch.nan, dtype=torch.float64)):
            with pytest.raises(DataError, match="must return a finite tensor"):
                Infidelity(linear(), perturbation=lambda _, s, bad=bad: bad).measure(images(), images(), 1)  # type: ignore[misc]


@pytest.mark.parametrize("around", [torch.enable_grad, torch.inference_mode])
def test_of_a_function_only_its_values_are_asked(around: Any) -> None:
    with around():
        measured = Infidelity(linear()).measure(images(), images(), lambda scores: scores[:, 1])
        steps = Infidelity(linear(), samples=3).measure(images(), images(), lambda scores: scores.argmax(1).double())
    assert nets.relative(measured, Infidelity(linear()).measure(images(), images(), 1)) < 1e-12
    assert steps.isfinite().all()


class TestMaxSensitivity:
    def test_the_gradient_of_a_linear_model_does_not_change(self) -> None:
        assert MaxSensitivity(Gradient(linear())).measure(images(), 1).max() < 1e-14

    def test_input_x_gradient_of_a_linear_model_in_closed_form(self) -> None:
        model, given = linear(), images()
        weight = model[1].weight[1].reshape(2, 5, 6).detach()  # type: ignore[index, union-attr, operator]
        changes = [nets.uniform(3, 2, 5, 6, low=-0.1, high=0.1, seed=s) for s in range(4)]
        found = MaxSensitivity(InputXGradient(model), samples=4, perturbation=lambda _, s: changes[s]).measure(given, 1)
        size = (weight * given).flatten(1).norm(dim=1)
        expected = torch.stack([(weight * change).flatten(1).norm(dim=1) / size for change in changes]).amax(dim=0)
        assert nets.relative(found, expected) < 1e-12

    def test_more_samples_find_no_less_and_larger_neighbourhoods_more(self) -> None:
        method, given = InputXGradient(nets.small_cnn()), nets.digits(3)
        few, many = (MaxSensitivity(method, samples=s).measure(given, 1) for s in (2, 6))
        assert (many >= few).all()
        assert (MaxSensitivity(method, radius=0.2, samples=2).measure(given, 1) > few).all()

    def test_noise_stays_within_the_radius_and_is_the_same_for_all_images(self) -> None:
        metric = MaxSensitivity(Gradient(linear()), radius=0.05)
        drawn = torch.stack([metric._change(images(), s) for s in range(100)])
        assert 0.0499 < drawn.abs().max() < 0.05
        assert abs(drawn.mean()) < 4 * 0.05 / 3**0.5 / drawn.numel() ** 0.5
        given = images()
        whole = MaxSensitivity(InputXGradient(linear())).measure(given, 1)
        single = MaxSensitivity(InputXGradient(linear())).measure(given[2:], 1)
        assert nets.relative(single, whole[2:]) < 1e-12

    def test_noisy_pixels_stay_in_their_bounds_where_asked_for(self) -> None:
        given = nets.digits(3)
        method = LRP(nets.small_cnn(), input_rule="z_box", input_bounds=(0, 1))
        found = MaxSensitivity(method, samples=2, clip=(0, 1)).measure(given, 1)

        def inside(images: Tensor, sample: int) -> Tensor:
            return (images + MaxSensitivity(method)._change(images, sample)).clamp(0, 1) - images

        expected = MaxSensitivity(method, samples=2, perturbation=inside, clip=(0, 1)).measure(given, 1)
        assert nets.relative(found, expected) < 1e-9
        with pytest.raises(ConfigError, match="outside its input_bounds"):
            MaxSensitivity(method, samples=2).measure(given, 1)

    def test_the_class_is_that_of_the_unchanged_image(self) -> None:
        method, given = InputXGradient(nets.small_cnn()), nets.digits(3)
        classes = method.model(given).argmax(dim=1)
        metric = MaxSensitivity(method, radius=2.0, samples=3)
        assert metric.measure(given).equal(metric.measure(given, classes))

    def test_a_map_of_zeros_is_named(self) -> None:
        given = images()
        given[0] = 0
        with pytest.raises(DataError, match=r"sensitivity is undefined for the maps at positions \[0\]"):
            MaxSensitivity(InputXGradient(linear())).measure(given, 1)
        assert MaxSensitivity(InputXGradient(linear()), undefined=9).measure(given, 1)[0] == 9

    def test_settings_are_checked(self) -> None:
        with pytest.raises(ConfigError, match="radius=0 is not allowed"):
            MaxSensitivity(Gradient(linear()), radius=0)
        with pytest.raises(ConfigError, match="one score for each image"):
            MaxSensitivity(Gradient(linear())).measure(images(), "all")
        with pytest.raises(DataError, match="must return a tensor of the shape"):
            MaxSensitivity(Gradient(linear()), perturbation=lambda _, s: torch.zeros(1)).measure(images(), 1)
