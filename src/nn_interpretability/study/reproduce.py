"""What the study's own networks give today: a measurement for each number of ``reference/published.yaml``.

A job's file (schema ``replication/1``) has ``measured``, plain data by the name of the number (the forms are those of
:mod:`nn_interpretability.study.verdicts`, with ``test`` beside it, the same for test pictures, where the study measured
on training pictures), and ``reason``, why there is nothing, or null.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.data import digits as digits_file
from nn_interpretability.data import study_weights
from nn_interpretability.data.digits import Digits
from nn_interpretability.data.rotations import rotated
from nn_interpretability.errors import DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.generators import build_generator
from nn_interpretability.models.weights import load_weights
from nn_interpretability.stochastic.passes import draw_passes
from nn_interpretability.stochastic.pooling import QuickPooling
from nn_interpretability.stochastic.sampler import Dropout, Noise, Randomness
from nn_interpretability.storage.product import write_json
from nn_interpretability.study.fluctuation import largest_entry
from nn_interpretability.study.published import load as load_published
from nn_interpretability.study.published_synthesis import PublishedMaximization, rescaled
from nn_interpretability.synthesis.activation_maximization import Progress
from nn_interpretability.training.determinism import reproducible
from nn_interpretability.training.loop import BLOCK
from nn_interpretability.uncertainty.evidential import expected_squared_error, opinion, penalty

LOGGER = logging.getLogger("nn_interpretability")
SCHEMA = "replication/1"
TRAIN, TEST = 60_000, 10_000
FIRST_ONE = 3
"""Place of the first 1 among the training pictures."""
PATHS = 100
"""Paths of the fluctuation curve, which are cheap."""

Measured = dict[str, dict[str, Any]]
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Settings:
    """How much is computed; each job reads the seed and one of the others.

    Attributes
    ----------
    seed
        Of everything random.
    passes
        Stochastic passes for the rate of each class.
    seeds
        Starts of each search; 0 leaves out the searches from random starts.
    pictures
        Training pictures, and as many test pictures, evenly spread, for the mean over 100 passes with dropout.
    """

    seed: int
    passes: int = 10_000
    seeds: int = 0
    pictures: int = 2_000


@dataclass(frozen=True)
class Material:
    """The study's networks, in evaluation mode, and MNIST in the order of its files.

    Attributes
    ----------
    ordinary, dropout, evidential, generator
        The networks.
    train, train_labels, test, test_labels
        Pictures, uint8 ``(n, 28, 28)``, and classes.
    """

    ordinary: nn.Module
    dropout: nn.Module
    evidential: nn.Module
    generator: nn.Module
    train: Images
    train_labels: NDArray[np.int64]
    test: Images
    test_labels: NDArray[np.int64]


def reproduce(
    digits_h5: Path | str,
    output: Path | str,
    *,
    job: str,
    local: str | None,
    settings: Settings,
    device: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
    required: bool = False,
) -> None:
    """Measure what one job measures, with the study's weights; without them the file says why there is nothing.

    Parameters
    ----------
    digits_h5
        The digits of this run.
    output
        JSON, see the head of this module.
    job
        One of :data:`nn_interpretability.study.published.JOBS`.
    local
        The configuration's ``data.local``.
    settings, device
        How much, and where searches and passes are computed.
    provenance, progress
        What makes the file; called with steps done.
    required
        Whether the weights must be there: they were when the run was planned.

    Raises
    ------
    DataError
        If a file is not the published one, or the weights must be there and are not.
    """
    files, reason = study_weights.obtain(local)
    if files is None and required:
        raise DataError(
            f"The study's weights were there when the run was planned, and are not where this job runs ({reason}): "
            f"give it the same data folder, or remove {output} to go on without them."
        )
    reason = reason or incomplete(digits := digits_file.load(digits_h5))
    measured: Measured = {}
    if files is not None and not reason:
        measured = measure(job, material_of(files, digits), settings, device, progress)
    else:
        LOGGER.warning("nothing to reproduce the study's numbers with: %s", reason)
    write_json(
        output,
        {
            "schema": SCHEMA,
            "job": job,
            "reason": reason or None,
            "settings": vars(settings),
            "measured": measured,
            "provenance": dict(provenance),
        },
    )


def incomplete(digits: Digits) -> str:
    """Why these digits are not those of the study; empty if they are all of MNIST."""
    if digits.source == "embedded":
        return "the study's pictures are MNIST, and this run has the embedded digits"
    counts = len(digits.train_labels) + len(digits.validation_labels), len(digits.test_labels)
    if counts != (TRAIN, TEST):
        return f"all of MNIST is needed, and this run has {counts[0]} training and {counts[1]} test pictures of it"
    return ""


def material_of(files: Mapping[str, Path], digits: Digits) -> Material:
    """The networks of some files, and the pictures in the order of their source."""
    order = np.argsort(np.concatenate([digits.train_source_index, digits.validation_source_index]))
    test = np.argsort(digits.test_source_index)

    def network(architecture: str, file: str) -> nn.Module:
        return load_weights(build_model(architecture), files[file]).eval()

    return Material(
        ordinary=network("small_cnn", "model_cnn.pt"),
        dropout=network("dropout_cnn", "mc_dropout_cnn.pt"),
        evidential=network("small_cnn", "evidential_cnn.pt"),
        generator=load_weights(build_generator("gan"), files["mnist_generator.pt"]).eval(),
        train=np.concatenate([digits.train_images, digits.validation_images])[order],
        train_labels=np.concatenate([digits.train_labels, digits.validation_labels])[order],
        test=digits.test_images[test],
        test_labels=digits.test_labels[test],
    )


def measure(
    job: str, material: Material, settings: Settings, device: str = "cpu", progress: Progress | None = None
) -> Measured:
    """What one job measures.

    Parameters
    ----------
    job
        One of :data:`nn_interpretability.study.published.JOBS`.
    material, settings
        Networks and pictures, and how much is computed.
    device, progress
        See :func:`reproduce`.
    """
    if job == "networks":
        parts: Iterable[Measured] = (
            qualities(material, settings),
            confidences(material),
            fluctuation(material, settings),
            occlusions(material),
            turning(material),
        )
        return {name: value for part in parts for name, value in part.items()}
    if job == "passes":
        return counts(material, settings, device)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        return searches(material, settings, device, progress)


def qualities(material: Material, settings: Settings) -> Measured:
    """Losses, accuracies and means over data sets, of training and of test pictures."""
    known = load_published()
    train, test = (material.train, material.train_labels), (material.test, material.test_labels)
    measured: Measured = {}

    def put(name: str, ours: dict[str, Any], of_test: float) -> None:
        (value,) = known[name].values()
        measured[value.name] = ours | {"test": of_test}

    (loss, right), (test_loss, test_right) = (_judged(_scores(material.dropout, x), y) for x, y in (train, test))
    put("dropout_off_loss", {"value": float(loss.mean())}, float(test_loss.mean()))
    put("dropout_off_accuracy", {"value": _percent(right)}, _percent(test_right))
    for name, passes in (("dropout_one", 1), ("dropout_hundred", 100)):
        parts = (train, test) if passes == 1 else (_some(*train, settings.pictures), _some(*test, settings.pictures))
        (loss, right), (test_loss, test_right) = (
            _judged(_dropout_scores(material.dropout, x, passes, settings.seed), y) for x, y in parts
        )
        spread = {"mean": float(loss.mean()), "deviation": float(loss.std()), "draws": len(loss)}
        put(f"{name}_loss", spread, float(test_loss.mean()))
        put(f"{name}_accuracy", {"hits": int(right.sum()), "draws": len(right)}, _percent(test_right))
    ours, of_test = (_evidence(_scores(material.evidential, x), y) for x, y in (train, test))
    for name, value in ours.items():
        put(f"evidential_{name}", {"value": value}, of_test[name])
    return measured


def confidences(material: Material) -> Measured:
    """The temperature as the study fitted it, and its histograms before and after."""
    scores, labels = _scores(material.ordinary, material.train), torch.from_numpy(material.train_labels)
    test_scores, test_labels = _scores(material.ordinary, material.test), torch.from_numpy(material.test_labels)
    temperature = published_temperature(scores, labels)
    of_test = published_temperature(test_scores, test_labels)
    measured: Measured = {"temperature.temperature": {"value": temperature, "test": of_test}}
    for row, divisor in (("before", 1.0), ("after", temperature)):
        found, on_test = (_histograms(s / divisor, y) for s, y in ((scores, labels), (test_scores, test_labels)))
        for table, heights in found.items():
            for place, height in enumerate(heights, start=1):
                name = f"{table}.{row}.{place / 10:.1f}"
                measured[name] = {"value": height, "test": on_test[table][place - 1]}
    return measured


def published_temperature(scores: Tensor, labels: Tensor) -> float:
    """100 steps of Adam from a temperature of 1, at a rate of 0.01: near the optimum only if that is near 1."""
    temperature = torch.ones(1, requires_grad=True)
    adam = torch.optim.Adam([temperature], lr=0.01)
    for _ in range(100):
        adam.zero_grad()
        F.cross_entropy(scores / temperature, labels).backward()
        adam.step()
    return float(temperature.detach())


def fluctuation(material: Material, settings: Settings) -> Measured:
    """The largest entry of the gradient on the way to a hardly noisy picture, relative to that at the picture."""
    table = load_published()["fluctuation"]
    shares = torch.tensor([0.0, *map(float, table.columns)])[:, None, None, None]
    picture = _pixels(material.train[FIRST_ONE : FIRST_ONE + 1])
    samples = []
    for number in range(PATHS):
        drawn = np.random.Generator(np.random.Philox(key=[settings.seed, number])).normal(0.01, 0.001, (1, 28, 28))
        images = (picture + shares * torch.from_numpy(drawn).float()).requires_grad_()
        scores = material.ordinary(images)
        (gradient,) = torch.autograd.grad(scores[:, int(scores[0].argmax())].sum(), images)
        samples.append(largest_entry(gradient.flatten(1).double().numpy())[1:])
    return {
        value.name: {"samples": each.tolist()} for value, each in zip(table.values(), np.array(samples).T, strict=True)
    }


def occlusions(material: Material) -> Measured:
    """The first 1 under a white block of 7 x 7 pixels, at each position."""
    whole = material.train[FIRST_ONE]
    covered = []
    for top in range(0, 28, 7):
        for left in range(0, 28, 7):
            one = whole.copy()
            one[top : top + 7, left : left + 7] = 255
            covered.append(one)
    share = 100 * _scores(material.ordinary, np.stack([whole, *covered])).double().softmax(1)[:, 1]
    worst = share[1:].sort().values
    return {
        **_in_order("fig09", share[1:]),
        **_in_order("fig10", torch.stack([share[0], worst[0], worst[1]])),
    }


def turning(material: Material) -> Measured:
    """The first 1 at the angles of Figs 18, 20 and 21; its values leave [0, 1], as in the study."""
    shares, classes = _at_angles(material.dropout, material, "fig18_share").double().softmax(1).topk(2)
    said = opinion(_at_angles(material.evidential, material, "fig20_share").double())
    largest = said.probabilities.topk(2)
    answered = ~said.abstains
    evidential, ordinary = (
        _at_angles(network, material, "fig21_class").argmax(1) for network in (material.evidential, material.ordinary)
    )
    return {
        **_in_order("fig18_share", 100 * shares.T.flatten()),
        **_in_order("fig18_class", classes.T.flatten()),
        **_in_order("fig20_share", 100 * largest.values.T.flatten()),
        **_in_order("fig20_uncertainty", 100 * said.uncertainty),
        **_in_order("fig20_class", largest.indices[answered, 0]),
        **_in_order("fig21_class", torch.cat([evidential, ordinary])),
    }


def counts(material: Material, settings: Settings, device: str) -> Measured:
    """How often passes predict each class, in the study's five experiments."""
    dropout, seed = Dropout(settings.seed), settings.seed
    turned = _turned(material, (-21, -7))
    upright = _pixels(material.train[FIRST_ONE : FIRST_ONE + 1])
    drawn = _predicted(material.dropout, turned, Randomness(dropout=dropout), settings, device)
    little = _predicted(material.dropout, upright, Randomness(dropout, Noise(0.08, seed=seed)), settings, device)
    noisy = _predicted(material.ordinary, upright, Randomness(noise=Noise(0.5, seed=seed)), settings, device)
    hits = {
        "fig19_left": drawn[0],
        "fig19_right": drawn[1],
        "weekly_taylor": drawn[0],
        "weekly_deeplift": little[0],
        "fig23": noisy[0],
    }
    known = load_published()
    return {
        value.name: {"hits": int(count), "draws": settings.passes}
        for table, found in hits.items()
        for value, count in zip(known[table].values(), found, strict=True)
    }


def searches(material: Material, settings: Settings, device: str, progress: Progress | None = None) -> Measured:
    """Where the searches of Figs 1 to 3 end."""
    model, generator = material.ordinary.to(device), material.generator.to(device)
    first, mean = (pictures.to(device) for pictures in _of_classes(material))

    def share(images: Tensor) -> Tensor:
        with torch.no_grad():
            shares: Tensor = 100 * model(images).double().softmax(1).cpu()
        return shares

    def search(steps: int, rate: float, **more: Any) -> PublishedMaximization:
        return PublishedMaximization(model, steps=steps, learning_rate=rate, seed=settings.seed, **more)

    from_image = search(1000, 5e-3, weight=1e-3, centre=mean, threshold=0.999).synthesize("all", first).images
    from_mean = search(1000, 6e-6, weight=8e-2, centre=None, threshold=0.999).synthesize("all", mean).images
    measured = {
        **_in_order("fig01_left", share(from_image).diagonal()),
        **_in_order("fig01_right", share(rescaled(from_mean)).diagonal()),
        **_in_order("fig02_right", share(from_image[9:])[0]),
    }
    if not settings.seeds:
        return measured
    images = search(10_000, 5e-3, weight=1e-2, centre=mean, threshold=0.999, image_shape=tuple(first.shape[1:]))
    codes = search(10_000, 8e-2, weight=1e-2, centre=mean, threshold=0.99, generator=generator)
    chunk = 10 * settings.seeds if device != "cpu" else None
    for table, one, shown in (("fig02_left", images, Tensor.detach), ("fig03_left", codes, rescaled)):
        ended = one.synthesize("all", "noise", starts=settings.seeds, chunk=chunk, progress=progress)
        found = share(shown(ended.images)).gather(1, ended.target.cpu()[:, None]).reshape(-1, settings.seeds)
        for value, samples in zip(load_published()[table].values(), found.tolist(), strict=True):
            measured[value.name] = {"samples": samples}
    return measured


def _in_order(table: str, values: Tensor) -> Measured:
    """Values in the order in which a table has its numbers."""
    numbers = list(load_published()[table].values())
    return {value.name: {"value": float(x)} for value, x in zip(numbers, values.tolist(), strict=True)}


def _pixels(images: Images) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images))[:, None].float() / 255


def _scores(model: nn.Module, images: Images) -> Tensor:
    with torch.no_grad(), QuickPooling():
        return torch.cat([model(_pixels(images[at : at + BLOCK])) for at in range(0, len(images), BLOCK)])


def _dropout_scores(model: nn.Module, images: Images, passes: int, seed: int) -> Tensor:
    """Mean of the logits over some passes, with masks of its own for every picture."""
    try:
        with reproducible(seed, torch.device("cpu")):
            model.train()
            return torch.stack([_scores(model, images) for _ in range(passes)]).mean(dim=0)
    finally:
        model.eval()


def _judged(scores: Tensor, labels: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Cross entropy of each picture, and whether its class is right."""
    truth = torch.from_numpy(labels)
    return F.cross_entropy(scores.double(), truth, reduction="none"), scores.argmax(1) == truth


def _percent(right: Tensor) -> float:
    return 100 * float(right.double().mean())


def _some(images: Images, labels: NDArray[np.int64], count: int) -> tuple[Images, NDArray[np.int64]]:
    rows = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(np.int64)
    return images[rows], labels[rows]


def _evidence(scores: Tensor, labels: NDArray[np.int64]) -> dict[str, float]:
    """Loss with a tenth of the penalty, as the study judged; accuracy by logits; mean evidence and uncertainty."""
    truth = torch.from_numpy(labels)
    said = opinion(scores.double())
    alpha, one_hot = said.evidence + 1, F.one_hot(truth, scores.shape[1]).double()
    return {
        "loss": float((expected_squared_error(alpha, one_hot) + 0.1 * penalty(alpha, one_hot)).mean()),
        "accuracy": _percent(scores.argmax(1) == truth),
        "evidence": float(said.evidence.sum(1).mean()),
        "uncertainty": float(said.uncertainty.mean()),
    }


def _histograms(scores: Tensor, labels: Tensor) -> dict[str, list[float]]:
    """Shares of pictures in bins of a tenth, from 0.1 on, by their largest probability and by that of the truth."""
    probabilities = scores.double().softmax(1)
    edges = np.linspace(0.1, 1, 10)
    by = {
        "confidence": probabilities.max(1).values,
        "confidence_truth": probabilities.gather(1, labels[:, None])[:, 0],
    }
    return {table: (np.histogram(x.numpy(), edges)[0] / len(labels)).tolist() for table, x in by.items()}


def _turned(material: Material, angles: Iterable[int]) -> Tensor:
    picture = material.train[FIRST_ONE].astype(np.float32) / 255
    return torch.from_numpy(rotated(picture, tuple(angles), clip=False))[:, None]


def _at_angles(model: nn.Module, material: Material, table: str) -> Tensor:
    """Scores at the angles that are a table's columns."""
    with torch.no_grad():
        scores: Tensor = model(_turned(material, (-int(angle) for angle in load_published()[table].columns)))
    return scores


def _predicted(
    model: nn.Module, images: Tensor, randomness: Randomness, settings: Settings, device: str
) -> NDArray[np.int64]:
    """How many passes predict each class ``(images, classes)``."""
    model = model.to(device)
    block = min(500, settings.passes)
    try:
        drawn = draw_passes(model, images.to(device), randomness, 0, settings.passes, block=block)
    finally:
        model.to("cpu")
    return np.stack([np.bincount(one.cpu().numpy(), minlength=10) for one in drawn.predicted.T])


def _of_classes(material: Material) -> tuple[Tensor, Tensor]:
    """The first picture of each class, and the class means, shifted and scaled to [0, 1]."""
    rows = [int(np.flatnonzero(material.train_labels == label)[0]) for label in range(10)]
    means = np.stack([material.train[material.train_labels == label].mean(axis=0) for label in range(10)])
    low, high = means.min(axis=(1, 2), keepdims=True), means.max(axis=(1, 2), keepdims=True)
    return _pixels(material.train[rows]), torch.from_numpy(((means - low) / (high - low)).astype(np.float32))[:, None]
