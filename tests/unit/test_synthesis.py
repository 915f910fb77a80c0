"""Activation maximisation: closed forms, early stopping, independence of rows, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.synthesis.activation_maximization import ActivationMaximization
from nn_interpretability.synthesis.class_model import ClassModel
from nn_interpretability.synthesis.loop import Standing, ascend
from nn_interpretability.synthesis.parametrisations import Fourier, Pixels, SigmoidPixels
from nn_interpretability.synthesis.priors import ExpertDensity, Prior, SquaredDistance, TotalVariation
from tests.nets import randomised, uniform

SHAPE = (1, 28, 28)


def linear(shape: tuple[int, int, int] = (1, 3, 4), classes: int = 3) -> nn.Module:
    layer = nn.Linear(int(np.prod(shape)), classes).double()
    with torch.no_grad():
        layer.weight.copy_(uniform(classes, int(np.prod(shape)), low=-1, high=1, seed=3))
    return nn.Sequential(nn.Flatten(), layer)


def cnn() -> nn.Module:
    return randomised(build_model("small_cnn"), seed=1)


class TinyGenerator(nn.Module):
    """Codes of four numbers to digits' size, inside [0, 1]; batch norm and dropout would betray training mode."""

    latent_size = 4

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 784), nn.BatchNorm1d(784), nn.Dropout(0.5), nn.Sigmoid())

    def forward(self, codes: Tensor) -> Tensor:
        return self.net(codes).reshape(-1, 1, 28, 28)


class TinyRBM:
    """Free energy of a Gaussian restricted Boltzmann machine with unit variance."""

    def __init__(self) -> None:
        self.weight, self.bias = uniform(5, 12, low=-1, high=1, seed=4), uniform(5, seed=5)

    def free_energy(self, images: Tensor) -> Tensor:
        rows = images.flatten(1)
        hidden = torch.nn.functional.softplus(rows @ self.weight.T + self.bias).sum(dim=1)
        return rows.square().sum(dim=1) / 2 - hidden


class TestClosedForms:
    def test_score_with_l2_of_a_linear_model(self) -> None:
        model = linear()
        weight = 0.7
        maximiser = ActivationMaximization(
            model,
            objective="score",
            image_shape=(1, 3, 4),
            bounds=(-0.5, 0.5),
            priors=[SquaredDistance(weight)],
            steps=1500,
            learning_rate=0.005,
            threshold=None,
        )
        found = maximiser.synthesize("all").images
        expected = (model[1].weight / (2 * weight)).clamp(-0.5, 0.5).reshape(3, 1, 3, 4)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        assert set((expected.abs() < 0.5).flatten().tolist()) == {True, False}, "both kinds must be tested"

    def test_the_centre_is_that_of_the_class(self) -> None:
        centres = uniform(3, 1, 3, 4, seed=9)
        maximiser = ActivationMaximization(
            linear(),
            objective="score",
            image_shape=(1, 3, 4),
            bounds=None,
            priors=[SquaredDistance(1e4, centres)],
            steps=1500,
            learning_rate=0.003,
            threshold=None,
        )
        found = maximiser.synthesize([2, 0]).images
        torch.testing.assert_close(found, centres[[2, 0]], atol=1e-3, rtol=0)

    def test_class_model_adds_the_mean_back(self) -> None:
        model, mean = linear(), uniform(1, 3, 4, seed=2)
        found = ClassModel(model, weight=1.0, mean=mean, bounds=None, steps=1500, learning_rate=0.005).synthesize()
        expected = mean + (model[1].weight / 2).reshape(3, 1, 3, 4)
        torch.testing.assert_close(found.images, expected, atol=1e-5, rtol=0)
        assert set(found.reason) == {"steps"}

    def test_adam_of_the_loop_is_adam(self) -> None:
        goal = uniform(2, 5, seed=1)
        values = torch.zeros(2, 5, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([values], lr=0.1, weight_decay=0.01)
        for _ in range(7):
            adam.zero_grad()
            (values - goal).square().sum().backward()
            adam.step()

        def judge(images: Tensor, _: Tensor) -> Standing:
            total = -(images - goal).square().sum(dim=1)
            return Standing(total, total, None)

        found = ascend(
            Pixels(None),
            torch.zeros(2, 5, dtype=torch.float64),
            judge,
            steps=7,
            learning_rate=0.1,
            threshold=None,
            weight_decay=0.01,
        )
        torch.testing.assert_close(found.values, values.detach(), rtol=1e-14, atol=0)


class TestPriors:
    def test_total_variation_by_hand(self) -> None:
        image = torch.tensor([[[[0.0, 1.0, 0.5], [0.25, 1.0, 0.0]]]])
        # rows: 1 + .5, .75 + 1; columns: .25, 0, .5
        value = TotalVariation(2.0).log_density(image, image, torch.zeros(1, dtype=torch.int64))
        assert value.tolist() == [-2.0 * (1.5 + 1.75 + 0.75)]

    def test_expert_is_minus_the_free_energy(self) -> None:
        expert, images = TinyRBM(), uniform(3, 1, 3, 4, seed=7)
        value = ExpertDensity(expert, 0.5).log_density(images, images, torch.zeros(3, dtype=torch.int64))
        torch.testing.assert_close(value, -0.5 * expert.free_energy(images))

    def test_expert_gradient_by_finite_differences(self) -> None:
        prior = ExpertDensity(TinyRBM())
        images = uniform(2, 1, 3, 4, seed=8).requires_grad_()
        target = torch.zeros(2, dtype=torch.int64)
        assert torch.autograd.gradcheck(lambda x: prior.log_density(x, x, target), images, atol=1e-8, rtol=1e-6)

    def test_expert_takes_part(self) -> None:
        settings = {"image_shape": (1, 3, 4), "steps": 400, "learning_rate": 0.01, "threshold": None, "bounds": None}
        expert = TinyRBM()
        plain = ActivationMaximization(linear(), **settings).synthesize(1)
        with_expert = ActivationMaximization(linear(), expert=expert, **settings).synthesize(1)
        assert expert.free_energy(with_expert.images) < expert.free_energy(plain.images) - 1
        torch.testing.assert_close(with_expert.total, with_expert.objective - expert.free_energy(with_expert.images))

    def test_code_prior_is_the_squared_length(self) -> None:
        made = ActivationMaximization(cnn(), generator=TinyGenerator().double(), code_weight=0.25, steps=3)
        found = made.synthesize([0, 4])
        assert found.codes is not None
        torch.testing.assert_close(found.objective - found.total, 0.25 * found.codes.square().sum(dim=1))


class TestParametrisations:
    @pytest.mark.parametrize("size", [(5, 6), (6, 5), (28, 28)])
    def test_what_is_encoded_comes_back(self, size: tuple[int, int]) -> None:
        images = uniform(2, 1, *size, low=-0.9, high=1.8, seed=1)
        for each in (Pixels((-1, 2)), SigmoidPixels((-1, 2)), Fourier((-1, 2), size)):
            torch.testing.assert_close(each.images(each.encode(images)), images, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("parametrisation", ["pixels", "sigmoid", "fourier"])
    def test_bounds_are_respected_and_the_objective_grows(self, parametrisation: str) -> None:
        made = ActivationMaximization(
            cnn(), image_shape=SHAPE, parametrisation=parametrisation, bounds=(0.2, 0.7), steps=30, threshold=None
        )
        before = ActivationMaximization(
            cnn(), image_shape=SHAPE, parametrisation=parametrisation, bounds=(0.2, 0.7), steps=0, threshold=None
        )
        found = made.synthesize("all")
        assert float(found.images.min()) >= 0.2
        assert float(found.images.max()) <= 0.7
        assert bool((found.objective > before.synthesize("all").objective).all())


class TestStopping:
    def settings(self) -> dict[str, object]:
        return {"image_shape": SHAPE, "learning_rate": 0.02, "threshold": 0.9, "steps": 60}

    def test_it_stops_at_the_first_image_that_is_good_enough(self) -> None:
        model = cnn()
        found = ActivationMaximization(model, **self.settings()).synthesize("all")
        assert len(set(found.steps.tolist())) > 2, "rows must stop at different steps"
        for target, steps, reason in zip(found.target.tolist(), found.steps.tolist(), found.reason, strict=True):
            if reason != "threshold" or steps == 0:
                continue
            one_less = ActivationMaximization(model, **{**self.settings(), "steps": steps - 1}).synthesize(target)
            exact = ActivationMaximization(model, **{**self.settings(), "steps": steps}).synthesize(target)
            assert one_less.probability < 0.9 <= exact.probability

    def test_a_stopped_image_stays_bit_for_bit(self) -> None:
        model = cnn()
        found = ActivationMaximization(model, **self.settings()).synthesize("all")
        longer = ActivationMaximization(model, **{**self.settings(), "steps": 120}).synthesize("all")
        stopped = torch.tensor(found.reached)
        assert stopped.any()
        assert torch.equal(found.images[stopped], longer.images[stopped])

    def test_an_image_that_is_good_at_the_start_takes_no_step(self) -> None:
        model, settings = cnn(), self.settings()
        good = ActivationMaximization(model, **settings).synthesize("all")
        row = good.reached.index(True)
        again = ActivationMaximization(model, **settings).synthesize(int(good.target[row]), good.images[row])
        assert again.steps.tolist() == [0]
        assert torch.equal(again.images[0], good.images[row])

    def test_rows_do_not_see_each_other(self) -> None:
        model = cnn()
        together = ActivationMaximization(model, **self.settings()).synthesize("all", starts=2)
        alone = ActivationMaximization(model, **self.settings()).synthesize("all", starts=2, chunk=1)
        assert together.steps.tolist() == alone.steps.tolist()
        assert together.reason == alone.reason
        torch.testing.assert_close(together.images, alone.images, rtol=1e-9, atol=1e-9)
        one = ActivationMaximization(model, **self.settings()).synthesize(7)
        torch.testing.assert_close(one.images[0], together.images[14], rtol=1e-9, atol=1e-9)

    def test_a_row_that_diverges_keeps_its_last_finite_image(self) -> None:
        class Wall(Prior):
            parameters = {"prior": "wall"}  # noqa: RUF012

            def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
                low = images.flatten(1).amin(dim=1).double()
                return torch.where((target == 1) & (low < 0.4), torch.nan, 0.0) + 0.0 * low

        made = ActivationMaximization(
            linear(), objective="score", priors=[Wall()], steps=20, bounds=None, threshold=None
        )
        found = made.synthesize([0, 1], torch.full((1, 3, 4), 0.5, dtype=torch.float64))
        assert found.reason == ("steps", "diverged")
        assert found.steps[1] < 20
        assert bool(torch.isfinite(found.images).all())
        assert bool(torch.isfinite(found.total).all())

    def test_nan_at_the_start_is_refused(self) -> None:
        made = ActivationMaximization(
            cnn(), expert=lambda images: images.flatten(1).sum(1) * torch.nan, image_shape=SHAPE
        )
        with pytest.raises(DataError, match="not finite at the start"):
            made.synthesize(0)


class TestResult:
    def test_the_probability_is_that_of_the_images(self) -> None:
        model = cnn().float()
        found = ActivationMaximization(model, image_shape=SHAPE, steps=20).synthesize("all", starts=2)
        with torch.no_grad():
            again = model(found.images).double().softmax(dim=1)
        assert found.probability is not None
        torch.testing.assert_close(found.probability, again[torch.arange(20), found.target], rtol=1e-5, atol=1e-9)
        assert found.target.tolist() == [c for c in range(10) for _ in range(2)]
        assert found.start.tolist() == [0, 1] * 10

    def test_same_bits_for_the_same_seed(self) -> None:
        def images(seed: int) -> Tensor:
            return ActivationMaximization(cnn(), image_shape=SHAPE, steps=5, seed=seed).synthesize([3, 8]).images

        assert torch.equal(images(1), images(1))
        assert not torch.equal(images(1), images(2))

    def test_the_start_depends_on_target_and_number_only(self) -> None:
        made = ActivationMaximization(cnn(), image_shape=SHAPE, steps=0)
        many, few = made.synthesize("all", starts=3), made.synthesize([6], starts=2)
        assert torch.equal(many.images[18:20], few.images)
        assert not torch.equal(many.images[18], many.images[19])
        assert not torch.equal(many.images[18], many.images[15]), "each target has noise of its own"

    def test_models_are_left_as_found(self) -> None:
        model, generator = cnn().train(), TinyGenerator().double().train()
        before = {key: value.clone() for key, value in generator.state_dict().items()}
        state = torch.get_rng_state()
        first = ActivationMaximization(model, generator=generator, steps=3).synthesize([0, 1])
        second = ActivationMaximization(model, generator=generator, steps=3).synthesize([0, 1])
        assert torch.equal(first.images, second.images), "no dropout of the generator"
        assert all(module.training for module in (model, generator, generator.net[2]))
        assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
        assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
        assert torch.equal(state, torch.get_rng_state())
        assert not model._forward_hooks


class TestUnits:
    @pytest.mark.parametrize(
        ("layer", "neuron"), [("features.conv2", None), ("features.conv2", (2, 3)), ("classifier.fc1", None)]
    )
    def test_the_objective_is_the_activation(self, layer: str, neuron: tuple[int, int] | None) -> None:
        model = cnn()
        made = ActivationMaximization(model, layer=layer, neuron=neuron, image_shape=SHAPE, steps=10)
        found = made.synthesize([0, 5])
        seen: list[Tensor] = []
        handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: seen.append(output))
        with torch.no_grad():
            model(found.images)
        handle.remove()
        maps = seen[0][torch.arange(2), torch.tensor([0, 5])]
        expected = maps.flatten(1).mean(dim=1) if neuron is None and maps.dim() > 1 else maps
        if neuron is not None:
            expected = maps[:, neuron[0], neuron[1]]
        torch.testing.assert_close(found.objective, expected)
        assert found.probability is None
        assert found.steps.tolist() == [10, 10]

    def test_a_layer_in_front_of_an_in_place_activation_is_read_before_it(self) -> None:
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2), nn.ReLU(inplace=True)).double()
        found = ActivationMaximization(model, layer="1", image_shape=(1, 3, 4), steps=0).synthesize("all")
        expected = torch.nn.functional.linear(found.images.flatten(1), model[1].weight, model[1].bias)
        torch.testing.assert_close(found.objective, expected.diagonal())


class TestCheckpoint:
    def test_a_stopped_run_goes_on(self, tmp_path: Path) -> None:
        class StoppedError(Exception):
            pass

        def stop(done: int, total: int, unit: str) -> None:
            if done > total // 2:
                raise StoppedError

        made = ActivationMaximization(cnn(), image_shape=SHAPE, steps=6, threshold=None)
        with pytest.raises(StoppedError):
            made.synthesize("all", chunk=2, checkpoint=tmp_path, progress=stop)
        kept = sorted(path.name for path in tmp_path.glob("*.h5"))
        assert kept == ["rows_00000-00002.h5", "rows_00002-00004.h5"]
        written = {name: (tmp_path / name).stat().st_mtime_ns for name in kept}
        found = made.synthesize("all", chunk=2, checkpoint=tmp_path)
        assert {name: (tmp_path / name).stat().st_mtime_ns for name in kept} == written
        assert torch.equal(found.images, made.synthesize("all", chunk=2).images)

    def test_other_weights_start_anew(self, tmp_path: Path) -> None:
        one, other = cnn(), randomised(build_model("small_cnn"), seed=2)
        options = {"image_shape": SHAPE, "steps": 4, "threshold": None}
        ActivationMaximization(one, **options).synthesize([1], checkpoint=tmp_path)
        found = ActivationMaximization(other, **options).synthesize([1], checkpoint=tmp_path)
        assert torch.equal(found.images, ActivationMaximization(other, **options).synthesize([1]).images)

    def test_another_architecture_with_the_same_weights_starts_anew(self, tmp_path: Path) -> None:
        one, other = (
            nn.Sequential(nn.Flatten(), nn.Linear(12, 8), act(), nn.Linear(8, 3)) for act in (nn.ReLU, nn.GELU)
        )
        other.load_state_dict(one.state_dict())
        options = {"image_shape": (1, 3, 4), "steps": 4, "threshold": None}
        ActivationMaximization(one, **options).synthesize([1], checkpoint=tmp_path)
        found = ActivationMaximization(other, **options).synthesize([1], checkpoint=tmp_path)
        assert torch.equal(found.images, ActivationMaximization(other, **options).synthesize([1]).images)

    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("generator", {"generator": lambda z: z.sigmoid()[:, None, None].expand(-1, 1, 3, 4)}),
            ("expert", {"expert": lambda x: -x.square().flatten(1).sum(1)}),
            ("expert", {"expert": TinyRBM()}),
            ("expert", {"priors": [ExpertDensity(lambda x: -x.square().flatten(1).sum(1))]}),
        ],
    )
    def test_what_cannot_be_told_from_another_is_refused(self, tmp_path: Path, name: str, settings: dict) -> None:
        made = ActivationMaximization(linear((1, 3, 4)), image_shape=(1, 3, 4), steps=1, **settings)
        start = torch.zeros(4) if name == "generator" else "noise"
        with pytest.raises(ConfigError, match=rf"where the {name} is a .*Make it a torch.nn.Module"):
            made.synthesize([1], start, checkpoint=tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("parametrisation", ["pixels", "sigmoid", "fourier"])
def test_a_model_of_half_precision_finds_what_its_twin_finds(parametrisation: str, dtype: torch.dtype) -> None:
    options = {"image_shape": SHAPE, "steps": 20, "threshold": None, "parametrisation": parametrisation}
    expected = ActivationMaximization(cnn().float(), **options).synthesize([1, 2])
    found = ActivationMaximization(cnn().to(dtype), **options).synthesize([1, 2])
    assert found.images.dtype == dtype
    assert found.reason == expected.reason == ("steps", "steps")
    begun = ActivationMaximization(cnn().float(), **{**options, "steps": 0}).synthesize([1, 2]).objective
    assert ((found.objective - begun) > 0.9 * (expected.objective - begun)).all()


def test_codes_of_a_generator_of_half_precision(tmp_path: Path) -> None:
    generator = TinyGenerator().half().eval()
    options = {"generator": generator, "code_weight": 0.01, "steps": 10, "threshold": None}
    made = ActivationMaximization(cnn().half(), **options)
    found = made.synthesize([1], checkpoint=tmp_path)
    with torch.no_grad():
        assert torch.equal(generator(found.codes), found.images)
    assert float(found.total) > float(
        ActivationMaximization(cnn().half(), **{**options, "steps": 0}).synthesize([1]).total
    )
    assert torch.equal(made.synthesize([1], checkpoint=tmp_path).codes, found.codes)


def made(**settings: object) -> ActivationMaximization:
    return ActivationMaximization(cnn(), **{"image_shape": SHAPE, "steps": 1, **settings})


_BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: made(bounds=(1, 0)), r"bounds=\(1, 0\) is not allowed"),
    (lambda: made(bounds=(0, float("nan"))), "bounds"),
    (lambda: made(steps=-1), "steps=-1"),
    (lambda: made(learning_rate=0), "learning_rate=0"),
    (lambda: made(threshold=1.5), "threshold=1.5"),
    (lambda: made(seed=-3), "seed=-3"),
    (lambda: made(objective="logit"), "objective='logit'.*'log_probability', 'score', 'activation'"),
    (lambda: made(objective="score", layer="features.conv1"), "layer and neuron are for objective='activation'"),
    (lambda: made(objective="activation"), "name one, layer="),
    (lambda: made(parametrisation="wavelet"), "'pixels', 'sigmoid', 'fourier'"),
    (lambda: made(parametrisation="fourier", bounds=None), "needs bounds"),
    (lambda: made(parametrisation="fourier", generator=TinyGenerator()), "two descriptions"),
    (lambda: made(code_weight=0.1), "there is no generator"),
    (lambda: made(priors=[0.1]), "a prior such as"),
    (lambda: made(priors=[SquaredDistance(-1.0)]), "weight=-1.0"),
    (lambda: made(expert="rbm"), "free_energy"),
    (lambda: made(layer="features.conv9").synthesize(0), "no layer 'features.conv9'.*Did you mean.*Layers: features"),
    (lambda: made(layer="features.conv2").synthesize(20), "target=20 does not exist: the channels.*0 to 19"),
    (lambda: made(layer="features.conv2", neuron=(8, 0)).synthesize(0), "positions 8 x 8"),
    (lambda: made().synthesize(10), "target=10 does not exist: the classes are 0 to 9"),
    (lambda: made().synthesize("each"), "the only word is 'all'"),
    (lambda: made().synthesize(1.5), "give an integer"),
    (lambda: made().synthesize(0, "white"), "'noise', 'zeros'"),
    (lambda: made().synthesize(0, starts=0), "starts=0"),
    (lambda: made().synthesize(0, "zeros", starts=2), "same image 2 times"),
    (lambda: made().synthesize([0, 1], torch.rand(3, 1, 28, 28)), "3 starts for 2 targets"),
    (lambda: made().synthesize(0, torch.rand(1, 14, 14)), "image_shape"),
    (lambda: made(image_shape=None).synthesize(0), "give image_shape"),
    (lambda: made(image_shape=(3, 28, 28)).synthesize(0), "does not take images of"),
    (lambda: made(priors=[SquaredDistance(1.0, torch.rand(1, 14, 14))]).synthesize(0), r"centre.*\(1, 14, 14\)"),
    (lambda: made(priors=[SquaredDistance(1.0, torch.rand(2, 1, 28, 28))]).synthesize(5), "none for target 5"),
    (lambda: made(expert=lambda x: x.sum()).synthesize(0), "one value per image"),
    (lambda: made(generator=lambda z: z).synthesize(0), "no attribute latent_size"),
    (lambda: made(generator=TinyGenerator().double()).synthesize(0, torch.rand(5)), "5 numbers, the generator takes 4"),
    (lambda: ActivationMaximization("cnn"), "torch.nn.Module, not str"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), _BAD, ids=[message[:40] for _, message in _BAD])
def test_bad_input(call: Callable[[], object], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        call()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda codes: codes.new_zeros(len(codes), 1, 14, 14),
            r"images of \(1, 14, 14\), which the model does not take",
        ),
        (lambda codes: codes.new_full((len(codes), 1, 28, 28), -1.0), r"outside of bounds=.*for tanh"),
        (lambda codes: codes.new_zeros(len(codes), 784), "images .N, channels, height, width. are needed"),
        (lambda codes: codes.new_full((len(codes), 1, 28, 28), torch.nan), "NaN"),
    ],
)
def test_a_generator_that_does_not_fit(make: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(generator=make).synthesize(0, torch.zeros(4, dtype=torch.float64))
