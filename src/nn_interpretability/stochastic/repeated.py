"""What methods around repeated passes share: the loop over chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.engine.forward import refusal_named
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method, checked_count
from nn_interpretability.stochastic.attributor import Attributor
from nn_interpretability.stochastic.chunks import DrawnPasses
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.information import PassFunction, pass_weights
from nn_interpretability.stochastic.merge import Merge, stack_classes
from nn_interpretability.stochastic.passes import (
    checked_block,
    checked_chunk,
    checked_keep,
    checked_products,
    drawn_from,
)
from nn_interpretability.stochastic.result import PassesAttribution
from nn_interpretability.stochastic.sampler import Randomness, Sampler, blocks
from nn_interpretability.targets import Target

PASSES = 1000
PRODUCTS = ("mean", "covariance", "by_predicted_class")


class Repeated:
    """A method on many passes in which something is random; the constructors of its subclasses say what.

    Parameters
    ----------
    method
        The method.
    randomness
        What is random.
    passes
        Number of passes.
    block
        Passes that are computed together; part of the result's bits, and what bounds memory for large images.
    chunk
        Passes between two merges, a multiple of the block; changes nothing in the result.
    products, keep_raw
        What to compute: see :func:`~nn_interpretability.stochastic.passes.attribute_passes`.
    independent_masks
        For ``target="all"``: other masks for each class, as the 2020 study published Algorithm 1. Class c has the
        passes ``i * K + c``.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """

    def __init__(
        self,
        method: Method,
        randomness: Randomness,
        *,
        passes: int,
        block: int,
        chunk: int | None,
        products: Sequence[str],
        keep_raw: int,
        independent_masks: bool,
    ) -> None:
        if not isinstance(method, Method):
            name = type(self).__name__
            raise ConfigError(f"{name} goes around a method, not a {type(method).__name__}: {name}(LRP(model), ...).")
        self.method, self.randomness = method, randomness
        self.passes, self.block = checked_count("passes", passes), checked_block(block)
        self.chunk = checked_chunk(block * max(1, 250 // block) if chunk is None else chunk, block)
        self.products, self.keep_raw = checked_products(products), checked_keep(keep_raw)
        self.independent_masks = bool(independent_masks)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "of": {"method": self.method.name, "parameters": dict(self.method.parameters)},
            **self.randomness.describe(),
            "passes": self.passes,
            "block": self.block,
            "products": list(self.products),
            "keep_raw": self.keep_raw,
            "independent_masks": self.independent_masks,
        }

    def interpret(self, images: Tensor, target: Target | PassFunction = None) -> PassesAttribution:
        """Explain a batch of images.

        Parameters
        ----------
        images
            Shape ``(N, ...)``, as for the method.
        target
            None: the class of the largest score of each image, without dropout and noise. An int: this class. A
            sequence or tensor of N ints: one class per image. ``"all"``: every class, from the same masks. Weights
            ``(N, K)``. A function ``(P, N, K) -> (N,)`` of the scores of all passes, such as those of
            :mod:`nn_interpretability.stochastic.information`, which is explained completely (two sweeps).

        Raises
        ------
        ConfigError
            If the target does not fit, or the model has no dropout.
        DataError
            If the images do not fit the model.
        """
        self.method._check_images(images)
        images = images.detach()
        with torch.inference_mode(False):
            if self.independent_masks:
                return self._independent(images, target)
            if callable(target):
                return self._function(images, target)
            return self._merged(images, target)

    def _merged(self, images: Tensor, target: Target, *, every: int = 1, first: int = 0) -> PassesAttribution:
        sampler = Sampler(self.method.model, images, self.randomness)
        attributor = self._attributor(images)
        merge = Merge(self.passes)
        for drawn, draws in self._chunks(sampler, every=every, first=first):
            merge.add(drawn, attributor.run(drawn, target, draws))
        return merge.result()

    def _attributor(self, images: Tensor) -> Attributor:
        sampler = Sampler(self.method.model, images, self.randomness)
        return Attributor(self.method, sampler, self.products, self.keep_raw)

    def _chunks(
        self, sampler: Sampler, *, every: int = 1, first: int = 0
    ) -> Iterator[tuple[DrawnPasses, list[BlockDraws]]]:
        for begin in range(0, self.passes, self.chunk):
            end = min(begin + self.chunk, self.passes)
            draws = [BlockDraws(each.passes) for each in blocks(begin, end, self.block, every=every, first=first)]
            yield drawn_from(sampler, begin, end, self.block, draws, [every, first]), draws

    def _function(self, images: Tensor, function: PassFunction) -> PassesAttribution:
        """Two sweeps: the scores of all passes, then the maps that start from the function's own weights."""
        sampler = Sampler(self.method.model, images, self.randomness)
        chunks = [drawn for drawn, _ in self._chunks(sampler)]
        logits = torch.cat([drawn.logits for drawn in chunks])
        weights, explained = pass_weights(function, logits, self._origin(sampler, images))
        attributor = self._attributor(images)
        attributor.products = ("mean", *(name for name in attributor.products if name == "variance"))
        merge = Merge(self.passes)
        for drawn in chunks:
            draws = [BlockDraws(each.passes) for each in blocks(drawn.begin, drawn.end, self.block)]
            merge.add(drawn, attributor.run(drawn, weights[drawn.begin : drawn.end], draws))
        return replace(merge.result(), score_mean=explained)

    def _origin(self, sampler: Sampler, images: Tensor) -> Tensor | None:
        """Scores of the reference in the same passes."""
        references = self.method.origins(images)
        if not references:
            return None
        if len(references) != 1:
            raise ConfigError(f"A function of all passes needs a method with one reference, not {len(references)}.")
        with left_as_found(sampler.model):
            all_blocks = blocks(0, self.passes, self.block)
            found = [sampler.scores(BlockDraws(each.passes), references[0])[: each.valid] for each in all_blocks]
        return torch.cat(found)

    def _independent(self, images: Tensor, target: Target | PassFunction) -> PassesAttribution:
        if target != "all":
            raise ConfigError("independent_masks=True is for target='all', where each class has masks of its own.")
        model = self.method.model
        with left_as_found(model), refusal_named(model, images):
            classes = Sampler(model, images, self.randomness).undisturbed().shape[1]
        return stack_classes([self._merged(images, c, every=classes, first=c) for c in range(classes)])
