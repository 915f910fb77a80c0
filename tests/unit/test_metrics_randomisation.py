"""Randomisation tests: which layers, what they become, and what is compared."""

from __future__ import annotations

import copy

import nets
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import LRP, Gradient, GuidedBackprop, Saliency, metrics
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.metrics.randomisation import (
    ParameterRandomisation,
    RandomLogit,
    layers_from_the_top,
    randomise_layer,
)
from nn_interpretability.models import build_model

LAYERS = ("classifier.fc2", "classifier.fc1", "features.conv2", "features.conv1")


def images(count: int = 2) -> Tensor:
    return nets.digits(count)


class TestLayers:
    def test_from_the_scores_to_the_images(self) -> None:
        assert layers_from_the_top(nets.small_cnn(), images(1)) == LAYERS

    def test_the_order_is_that_of_execution(self) -> None:
        model = nets.net(lambda self, x: self.one(self.two(x.flatten(1))), one=nn.Linear(3, 2), two=nn.Linear(784, 3))
        assert layers_from_the_top(model, images(1)) == ("one", "two")

    def test_parameters_that_no_call_shows_stand_where_their_module_is(self) -> None:
        class Own(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))
                self.inner = nn.Linear(784, 3).double()

            def forward(self, x: Tensor) -> Tensor:
                return nn.functional.linear(self.scale * x.flatten(1), self.inner.weight)

        model = nn.Sequential(Own(), nn.Linear(3, 2).double())
        assert layers_from_the_top(model, images(1)) == ("1", "0.inner", "0")

    def test_without_parameters_there_is_nothing_to_randomise(self) -> None:
        with pytest.raises(ConfigError, match="nothing to randomise"):
            layers_from_the_top(nn.Flatten(), images(1))


class TestRandomiseLayer:
    def test_reset_draws_as_when_the_layer_was_built(self) -> None:
        layer = nets.randomised(nn.Linear(400, 300))
        before = layer.weight.clone()
        state = torch.random.get_rng_state()
        randomise_layer(layer, "reset", seed=1, number=2, name="fc")
        assert torch.random.get_rng_state().equal(state)
        assert not layer.weight.equal(before)
        assert layer.weight.abs().max().item() == pytest.approx(1 / 20, rel=1e-3)  # uniform up to 1 / sqrt(inputs)
        again = nn.Linear(400, 300).double()
        randomise_layer(again, "reset", seed=1, number=2, name="fc")
        assert again.weight.equal(layer.weight)
        randomise_layer(again, "reset", seed=1, number=3, name="fc")
        assert not again.weight.equal(layer.weight)

    def test_gpus_that_the_layer_is_not_on_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("all GPUs were seeded"))
        randomise_layer(nn.Linear(4, 3), "reset", seed=1, number=2, name="fc")

    def test_permute_keeps_the_values(self) -> None:
        layer = nets.randomised(nn.Conv2d(3, 8, 3))
        before = copy.deepcopy(layer)
        randomise_layer(layer, "permute", seed=0, number=0, name="conv")
        for name in ("weight", "bias"):
            one, other = getattr(layer, name), getattr(before, name)
            assert not one.equal(other)
            assert one.flatten().sort().values.equal(other.flatten().sort().values)

    def test_what_cannot_be_reset_can_be_permuted(self) -> None:
        layer = nn.Module()
        layer.weight = nn.Parameter(torch.arange(9.0))
        with pytest.raises(ConfigError, match=r"layer 'norm' \(Module\) has no reset_parameters: how='permute'"):
            randomise_layer(layer, "reset", seed=0, number=0, name="norm")
        randomise_layer(layer, "permute", seed=0, number=0, name="norm")
        assert not layer.weight.equal(torch.arange(9.0))


class TestParameterRandomisation:
    def test_cascading_keeps_what_was_randomised(self) -> None:
        model = nets.small_cnn()
        seen: list[nn.Module] = []

        def factory(given: nn.Module) -> Gradient:
            seen.append(copy.deepcopy(given))
            return Gradient(given)

        for order in ("cascading", "independent"):
            seen.clear()
            found = ParameterRandomisation(model, factory, order=order).measure(images())  # type: ignore[arg-type]
            assert found.layers == LAYERS
            changed = [
                {n for n in LAYERS if not m.get_submodule(n).weight.equal(model.get_submodule(n).weight)} for m in seen
            ]
            steps = range(len(LAYERS) + 1) if order == "cascading" else ()
            expected = [set(LAYERS[:step]) for step in steps] or [set(), *({name} for name in LAYERS)]
            assert changed == expected

    def test_similarities_are_those_of_the_maps(self) -> None:
        model, given = nets.small_cnn(), images()
        found = ParameterRandomisation(model, Gradient, order="independent", seed=3).measure(given, 4)
        one = Gradient(model).interpret(given, 4).values
        copied = copy.deepcopy(model)
        randomise_layer(copied.get_submodule(LAYERS[2]), "reset", seed=3, number=2, name=LAYERS[2])
        other = Gradient(copied).interpret(given, 4).values
        assert found.similarity["spearman"].shape == (4, 2)
        assert found.similarity["spearman"][2].equal(metrics.spearman(one, other))
        assert found.similarity["absolute_spearman"][2].equal(metrics.spearman(one, other, absolute=True))
        assert found.similarity["ssim"][2].equal(metrics.ssim(one, other))

    def test_the_class_is_that_of_the_model_as_it_is(self) -> None:
        model, given = nets.small_cnn(), images()
        classes = model(given).argmax(dim=1)
        one, other = (ParameterRandomisation(model, LRP).measure(given, target) for target in (None, classes))
        assert all(one.similarity[name].equal(other.similarity[name]) for name in one.similarity)

    def test_the_model_is_not_touched(self) -> None:
        model = nets.small_cnn().train()
        before = copy.deepcopy(model.state_dict())
        ParameterRandomisation(model, Gradient).measure(images())
        assert model.training
        assert all(values.equal(before[name]) for name, values in model.state_dict().items())
        assert not any(module._forward_pre_hooks for module in model.modules())

    def test_a_map_that_ignores_the_model_stays_the_same(self) -> None:
        class Edges(Saliency):
            def explain(self, images, target, chunk):  # type: ignore[no-untyped-def]
                found = super().explain(images, target, chunk)
                return type(found)(**{**vars(found), "values": images.clone()})

        found = ParameterRandomisation(nets.small_cnn(), Edges).measure(images())
        assert all(values.min() > 1 - 1e-12 for values in found.similarity.values())

    def test_guided_backpropagation_is_less_sensitive_than_the_gradient(self) -> None:
        """What the paper found; here on digits, and for the class's last layer alone."""
        torch.manual_seed(0)
        model = build_model("small_cnn").double()
        ways = [
            ParameterRandomisation(model, way, seed=1).measure(nets.digits(8)) for way in (GuidedBackprop, Gradient)
        ]
        guided, plain = (found.similarity["absolute_spearman"][0].mean() for found in ways)
        assert guided > plain

    def test_seeds(self) -> None:
        model = nets.small_cnn()
        one, same, other = (ParameterRandomisation(model, Gradient, seed=s).measure(images()) for s in (0, 0, 1))
        assert one.similarity["ssim"].equal(same.similarity["ssim"])
        assert not one.similarity["ssim"].equal(other.similarity["ssim"])

    def test_a_map_of_zeros_is_named_or_replaced(self) -> None:
        model = nets.small_cnn()
        black = [torch.zeros_like(images(1)), images(1)]
        with pytest.raises(DataError, match="rank correlation is undefined"):
            ParameterRandomisation(model, LRP).measure(torch.cat(black), 1)
        found = ParameterRandomisation(model, LRP, undefined=0.0).measure(torch.cat(black), 1)
        assert found.similarity["spearman"][:, 0].tolist() == [0] * 4

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"order": "upwards"}, "order='upwards' is not allowed"),
            ({"how": "zero"}, "how='zero' is not allowed"),
            ({"similarities": ("pearson",)}, "give some of spearman"),
            ({"similarities": "ssim"}, "give some of spearman"),
            ({"seed": -1}, "seed=-1 is not allowed"),
        ],
    )
    def test_settings_are_checked(self, settings: dict[str, object], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            ParameterRandomisation(nets.small_cnn(), Gradient, **settings)  # type: ignore[arg-type]

    def test_one_class_for_each_image(self) -> None:
        with pytest.raises(ConfigError, match="one class for each image"):
            ParameterRandomisation(nets.small_cnn(), Gradient).measure(images(), "all")


class TestRandomLogit:
    def test_another_class_is_compared(self) -> None:
        model, given = nets.small_cnn(), nets.digits(8)
        targets: list[Tensor] = []

        class Noted(Gradient):
            def explain(self, images, target, chunk):  # type: ignore[no-untyped-def]
                targets.append(target)
                return super().explain(images, target, chunk)

        found = RandomLogit(Noted(model), seed=2).measure(given, 3)
        other = targets[1]
        assert (other != 3).all()
        assert len(other.unique()) > 2
        one = Gradient(model).interpret(given, 3).values
        assert found["spearman"].equal(metrics.spearman(one, Gradient(model).interpret(given, other).values))

    def test_two_classes_leave_one_other(self) -> None:
        model = nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(784, 2)))
        weights = model[1].weight.reshape(2, 1, 28, 28)  # type: ignore[index, union-attr, operator]
        found = RandomLogit(Gradient(model)).measure(images(2), torch.tensor([0, 1]))
        expected = metrics.spearman(weights[:1], weights[1:]).item()
        assert found["spearman"].tolist() == pytest.approx([expected] * 2)

    def test_one_class_has_no_other(self) -> None:
        model = nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(784, 1)))
        with pytest.raises(ConfigError, match="no other to compare with"):
            RandomLogit(Gradient(model)).measure(images(), 0)
