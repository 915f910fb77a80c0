"""Draw passes, explain them, merge: the three steps of a workflow, each of which can be a job of its own.

Passes have numbers from 0. A *chunk* is a half-open range of them that one job works on; inside, everything is computed
in *blocks* of one fixed size that begin at multiples of it, and a chunk keeps one float64 sum for each block. The merge
adds blocks one by one in the order of passes. So results have the same bits for any chunk size and any order of jobs.

1. :func:`draw_passes`: scores of a chunk of passes;
2. :func:`attribute_passes`: a method on the same passes;
3. :class:`Merge`: checks that the chunks belong together and tile 0 to P, and gives a
   :class:`~nn_interpretability.stochastic.result.PassesAttribution`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from nn_interpretability.engine.forward import refusal_named
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.attributor import PRODUCTS, Attributor
from nn_interpretability.stochastic.chunks import AttributedPasses, DrawnPasses
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.sampler import Randomness, Sampler, blocks, device_of, differing, identity_of
from nn_interpretability.targets import Target

BLOCK = 50


def draw_passes(
    model: nn.Module,
    images: Tensor,
    randomness: Randomness,
    begin: int,
    end: int,
    *,
    block: int = BLOCK,
    every: int = 1,
    first: int = 0,
    late: bool = True,
) -> DrawnPasses:
    """The scores of the passes from ``begin`` to before ``end``.

    Parameters
    ----------
    model
        The classifier, left as it was found.
    images
        Shape ``(N, ...)``.
    randomness
        What is random, and its seeds.
    begin, end
        Half-open range; ``begin`` is a multiple of the block.
    block
        Passes that are computed together; part of the result's bits.
    every, first
        Pass i has the random numbers of pass ``i * every + first``.
    late
        Whether passes may be born at the first dropout.

    Raises
    ------
    ConfigError
        If the range or the block is not allowed, or the model has no dropout where dropout is to be random.
    """
    sampler = Sampler(model, images.detach(), randomness, late=late)
    each = blocks(begin, end, checked_block(block), every=every, first=first)
    draws = [BlockDraws(one.passes) for one in each]
    drawn = drawn_from(sampler, begin, end, block, draws, [every, first])
    return replace(drawn, digests=tuple(one.digest() for one in draws))


def drawn_from(
    sampler: Sampler, begin: int, end: int, block: int, draws: Sequence[BlockDraws], numbering: Sequence[int]
) -> DrawnPasses:
    """The scores of the passes of a sampler, in blocks with these random numbers; without their digests."""
    model, images = sampler.model, sampler.images
    with torch.inference_mode(False), left_as_found(model), refusal_named(model, images):
        undisturbed = sampler.undisturbed()
        logits = torch.cat([sampler.scores(each) for each in draws])[: end - begin]
    identity = sampler.identity(block) | {"numbering": list(numbering)}
    return DrawnPasses(begin, end, logits, undisturbed, (), identity, device_of(images), sampler.coverage())


def attribute_passes(
    method: Method,
    images: Tensor,
    drawn: DrawnPasses,
    randomness: Randomness,
    target: Target = None,
    *,
    products: Sequence[str] = ("mean", "covariance", "by_predicted_class"),
    keep_raw: int = 0,
    late: bool = True,
) -> AttributedPasses:
    """Explain the passes of a chunk.

    Parameters
    ----------
    method
        The method, around the model that the passes were drawn from.
    images
        The images that they were drawn for.
    drawn
        The passes.
    randomness
        What is random, as when they were drawn.
    target
        None: the class of the largest score of each image, without dropout and noise. An int, or one class per image.
        ``"all"``: every class from the same masks (Algorithm 1). Weights ``(N, K)``. Start signals ``(passes, N, K)``
        of this chunk, from :func:`~nn_interpretability.stochastic.information.pass_weights`, for a function of all
        passes.
    products
        Any of ``"mean"``, ``"covariance"``, ``"by_predicted_class"`` (each pass starts from the class that it predicts,
        approach 1), ``"target_by_predicted_class"`` (each pass starts from the target, sorted by the class that it
        predicts), which need only sums; and ``"variance"``, which needs the map of each pass.
    keep_raw
        Of how many passes, from pass 0 on, to keep the maps; needs the map of each pass.
    late
        Whether passes may be born at the first dropout.

    Raises
    ------
    DataError
        If the model, the images or the random numbers are not those of the drawn passes.
    ConfigError
        If an argument is not allowed.
    """
    method._check_images(images)
    identity = identity_of(method.model, images, randomness, drawn.identity["block"])
    found = {name: value for name, value in drawn.identity.items() if name != "numbering"}
    if wrong := differing(found, identity):
        raise DataError(
            f"The passes from {drawn.begin} to {drawn.end} were drawn with other {' and other '.join(wrong)}: draw "
            "them again."
        )
    sampler = Sampler(method.model, images.detach(), randomness, late=late)
    drawn = replace(drawn, logits=drawn.logits.to(images.device), undisturbed=drawn.undisturbed.to(images.device))
    return Attributor(method, sampler, checked_products(products), checked_keep(keep_raw)).run(drawn, target)


def checked_block(block: int) -> int:
    """Passes in a block.

    Raises
    ------
    ConfigError
        If it is no integer >= 1.
    """
    if not isinstance(block, int) or isinstance(block, bool) or block < 1:
        raise ConfigError(f"block={block!r} is not allowed: give an integer >= 1.")
    return block


def checked_chunk(chunk: int, block: int) -> int:
    """Passes in a chunk.

    Raises
    ------
    ConfigError
        If it is no multiple of the block.
    """
    if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1 or chunk % block:
        raise ConfigError(f"chunk={chunk!r} is not allowed: give a multiple of the block, {block}.")
    return chunk


def checked_products(products: Sequence[str]) -> tuple[str, ...]:
    """Names of products.

    Raises
    ------
    ConfigError
        If there is no such product.
    """
    unknown = [name for name in products if name not in PRODUCTS]
    if unknown or isinstance(products, str):
        raise ConfigError(f"products={products!r} is not allowed: choose from {', '.join(map(repr, PRODUCTS))}.")
    return tuple(name for name in PRODUCTS if name in products or name == "mean")


def checked_keep(keep_raw: int) -> int:
    """A number of passes.

    Raises
    ------
    ConfigError
        If it is no integer >= 0.
    """
    if not isinstance(keep_raw, int) or isinstance(keep_raw, bool) or keep_raw < 0:
        raise ConfigError(f"keep_raw={keep_raw!r} is not allowed: give an integer >= 0.")
    return keep_raw
