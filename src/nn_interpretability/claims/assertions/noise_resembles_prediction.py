"""c22: under noise the map resembles the class that is wrongly predicted."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.resampled import ratio_estimate
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.metrics.similarity import pearson
from nn_interpretability.stochastic.input_noise import InputNoise
from nn_interpretability.stochastic.passes import BLOCK
from nn_interpretability.storage.hdf5 import Array

PASSES = 4
"""One of so many passes: each has a map of its own."""

_SEED = 0


def measure(context: Context, rule: Rule) -> Measured:
    """Correlations of maps under noise with the mean map of each class, and how many passes predict each class."""
    images, labels = context.test_images()
    passes = max(2, context.budget.passes // PASSES)
    like, counts = [], []
    for model in context.networks("cnn"):
        method = DeepLIFT(model, rule="reveal_cancel")
        cloud = InputNoise(
            method,
            sigma=rule.parameters["sigma"],
            passes=passes,
            seed=_SEED,
            block=min(BLOCK, passes),
            products=("mean", "target_by_predicted_class"),
        ).interpret(images, labels)
        assert cloud.target_by_predicted_class is not None
        means = class_mean_maps(method.interpret(images, labels).values, labels, cloud.counts.shape[1])
        like.append(likeness(cloud.target_by_predicted_class, means).cpu().numpy())
        counts.append(cloud.counts.cpu().numpy())
    wrong = np.stack(counts)
    wrong[:, np.arange(len(labels)), labels.cpu().numpy()] = 0
    if not wrong.any():
        raise NotRun("under this noise no picture is taken for another class.")
    return {
        "likeness": Array(np.stack(like), ("seed", "image", "predicted", "class")),
        "wrong_passes": Array(wrong, ("seed", "image", "predicted")),
        "label": Array(labels.cpu().numpy(), ("image",)),
    }


def class_mean_maps(maps: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean map of the pictures of each class, each for its own class, ``(classes, ...)``; zero without pictures."""
    means = maps.new_zeros(classes, *maps.shape[1:])
    for label in labels.unique():
        means[label] = maps[labels == label].mean(0)
    return means


def likeness(maps: Tensor, means: Tensor) -> Tensor:
    """Pearson's correlation of maps ``(n, predicted, ...)`` with the mean map of each class, ``(n, predicted, class)``.

    0 for a class that is never predicted, whose map is zero.
    """
    count, predicted, classes = len(maps), maps.shape[1], len(means)
    one = maps.double().flatten(2)[:, :, None].expand(-1, -1, classes, -1)
    other = means.double().flatten(1).expand(count, predicted, -1, -1)
    return pearson(one, other, undefined=0.0)


def contrasts(like: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Likeness to each class less the mean likeness to the other wrong classes.

    Parameters
    ----------
    like
        Shape ``(seed, image, predicted, class)``.
    label
        The true classes, ``(image,)``.

    Returns
    -------
    ndarray
        Of the same shape; 0 for the true class.
    """
    wrong = np.arange(like.shape[-1]) != label[:, None]
    wrong = np.broadcast_to(wrong[None, :, None], like.shape)
    total = np.where(wrong, like, 0).sum(axis=-1, keepdims=True)
    others = (total - like) / (like.shape[-1] - 2)
    return np.asarray(np.where(wrong, like - others, 0.0))


def decide(measured: Measured, rule: Rule) -> Finding:
    """A map under noise must be more like the class that is predicted than like others, and than by chance."""
    del rule
    like, passes = (values_of(measured, name) for name in ("likeness", "wrong_passes"))
    label = measured["label"].values.astype(np.int64)
    contrast = contrasts(like, label)
    number = passes.sum(axis=2)
    weight = passes / np.maximum(number, 1)[:, :, None]
    own = np.einsum("sip,sipp->si", weight, contrast)
    chance = np.einsum("sip,sipc,sic->si", weight, contrast, other_predictions(passes, label))
    has = (number > 0).astype(np.float64)
    found = ratio_estimate(own * has, has)
    likeness_to = {
        "predicted": float(np.einsum("sip,sipp->", weight, like) / has.sum()),
        "true": float(np.einsum("sip,sipi->", weight, like[..., label]) / has.sum()),
    }
    return Finding(
        [
            above("correlation, predicted less other wrong classes", found, 0),
            above("the same, less that of permuted predictions", ratio_estimate((own - chance) * has, has), 0),
        ],
        images=like.shape[1],
        seeds=like.shape[0],
        numbers={
            "pictures_with_wrong_passes": float(has.mean()),
            "likeness_to_predicted": likeness_to["predicted"],
            "likeness_to_true": likeness_to["true"],
            "contrast_of_permuted": float((chance * has).sum() / has.sum()),
        },
        note=(
            f"{100 * has.mean():.0f} % of the pictures are taken for another class in some pass; the maps for the "
            f"true class then correlate with the mean map of the predicted class by {likeness_to['predicted']:.2f}, "
            f"with that of the true class by {likeness_to['true']:.2f}."
        ),
    )


def other_predictions(passes: np.ndarray, label: np.ndarray) -> np.ndarray:
    """What wrong passes of all pictures predict, as shares of the classes that are wrong for each picture.

    This is the mean over all permutations of the predicted classes, those left out that are right for the picture.

    Parameters
    ----------
    passes
        Wrong passes by predicted class, ``(seed, image, class)``.
    label
        The true classes, ``(image,)``.

    Returns
    -------
    ndarray
        Shape ``(seed, image, class)``; rows sum to 1, or are 0 where nothing is left.
    """
    number = passes.sum(axis=2, keepdims=True)
    shares = (passes / np.maximum(number, 1)).sum(axis=1, keepdims=True)
    allowed = np.arange(passes.shape[2]) != label[:, None]
    left = shares * allowed
    total = left.sum(axis=2, keepdims=True)
    return np.asarray(left / np.where(total > 0, total, 1.0))
