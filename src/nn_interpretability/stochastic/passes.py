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

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.sampler import Block, Randomness, Sampler, blocks, differing, identity_of
from nn_interpretability.targets import Target, for_images, resolve_target

BLOCK = 50
SUMMED = ("mean", "covariance", "by_predicted_class", "target_by_predicted_class")
PER_PASS = ("variance",)
PRODUCTS = (*SUMMED, *PER_PASS)

_SMALL = 0.05  # relative difference of maps that is no mere rounding; a max-pooling may change its winner


@dataclass(frozen=True)
class DrawnPasses:
    """The scores of a chunk of passes.

    Attributes
    ----------
    begin, end
        Half-open range of passes.
    logits
        Shape ``(passes, N, K)``.
    undisturbed
        Scores without dropout and noise, shape ``(N, K)``.
    digests
        Of the numbers drawn in each block, SHA-256.
    identity
        What chunks must agree on: digests of weights and images, the key of the random numbers, the block.
    coverage
        How passes were computed.
    """

    begin: int
    end: int
    logits: Tensor
    undisturbed: Tensor
    digests: tuple[str, ...]
    identity: Mapping[str, Any]
    coverage: Mapping[str, int] = field(default_factory=dict)

    @property
    def predicted(self) -> Tensor:
        """The class of the largest score in each pass, shape ``(passes, N)``."""
        return self.logits.argmax(dim=-1)


@dataclass(frozen=True)
class AttributedPasses:
    """What a method says of a chunk of passes.

    Attributes
    ----------
    begin, end
        Half-open range of passes.
    sums
        For each product one float64 sum per block: ``(blocks, N, T, ...)`` with T the explained classes, or ``(blocks,
        N, K, ...)`` by predicted class.
    raw
        Maps of the first passes, ``(passes, N, T, ...)``, as many as were asked for; None for none.
    deterministic
        The maps that the variance is centred at, ``(N, T, ...)``, float64; None without variance.
    identity
        That of the drawn passes, and the method, its parameters, the target and the products.
    starts
        Start signals of the explained scores, ``(N, T, K)``; None where they differ from pass to pass.
    stacked
        Whether the results keep the axis for classes.
    classes
        The explained class of each image; None where it was not one class.
    coverage
        The method's coverage log.
    """

    begin: int
    end: int
    sums: Mapping[str, Tensor]
    raw: Tensor | None
    deterministic: Tensor | None
    identity: Mapping[str, Any]
    starts: Tensor | None
    stacked: bool
    classes: Tensor | None
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


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
    return drawn_from(sampler, begin, end, checked_block(block), every, first)


def drawn_from(sampler: Sampler, begin: int, end: int, block: int, every: int = 1, first: int = 0) -> DrawnPasses:
    """The scores of passes of a sampler; see :func:`draw_passes`."""
    logits, digests = [], []
    with torch.inference_mode(False), left_as_found(sampler.model):
        undisturbed = sampler.undisturbed()
        for each in blocks(begin, end, block, every=every, first=first):
            draws = BlockDraws(each.passes)
            logits.append(sampler.scores(draws)[: each.valid])
            digests.append(draws.digest())
    identity = identity_of(sampler.model, sampler.images, sampler.randomness, block)
    identity["numbering"] = [every, first]
    return DrawnPasses(begin, end, torch.cat(logits), undisturbed, tuple(digests), identity, sampler.coverage())


@dataclass(frozen=True)
class _Target:
    """What is explained in every pass: T start signals for each image, the same in all passes or not."""

    starts: Tensor  # (1 or passes of the chunk, N, T, K)
    stacked: bool
    classes: Tensor | None
    description: str
    fixed: bool = True

    @classmethod
    def of(cls, target: Target, drawn: DrawnPasses) -> _Target:
        """Decided once, at the scores without dropout and noise; or one start signal for each pass."""
        if isinstance(target, Tensor) and target.is_floating_point() and target.shape == drawn.logits.shape:
            return cls(target[:, :, None], False, None, "function of all passes", fixed=False)
        if callable(target):
            raise ConfigError(
                "A function of all passes is explained by its start signals: see pass_weights in "
                "nn_interpretability.stochastic.information."
            )
        resolved = resolve_target(for_images(target, drawn.logits.shape[1]), drawn.undisturbed)
        return cls(resolved.starts.movedim(0, 1)[None], resolved.stacked, resolved.classes, resolved.description)

    def at(self, passes: slice, count: int) -> Tensor:
        """Start signals of a block: ``(count, N, T, K)``, with zeros for passes that do not count."""
        if self.fixed:
            return self.starts.expand(count, *self.starts.shape[1:])
        given = self.starts[passes]
        return torch.cat([given, given.new_zeros(count - len(given), *given.shape[1:])])


@dataclass(frozen=True)
class _BlockOfScores:
    """What one block of passes starts from, for some of the images.

    Attributes
    ----------
    starts
        ``(B, n, T, K)``.
    change
        Explained scores less those without dropout and noise, ``(B, n, T)``, float64.
    predicted
        Which class each pass predicts, one-hot ``(B, n, K)``, float64; zeros for passes that do not count.
    counted
        1 for passes that count, else 0, ``(B,)``, float64.
    """

    starts: Tensor
    change: Tensor
    predicted: Tensor
    counted: Tensor


class Attributor:
    """Explains blocks of passes with one method.

    Sums come from passes born at the first dropout where the method is linear and the model allows it: autograd adds
    the passes up, one vector-Jacobian product for each sum. Else each pass's own map is computed and added.

    Parameters
    ----------
    method
        The method, around the model.
    sampler
        The model's passes, for the images.
    products
        What to compute, see :data:`PRODUCTS`.
    keep_raw
        Of how many passes, from pass 0 on, to keep the maps.
    """

    def __init__(self, method: Method, sampler: Sampler, products: Sequence[str], keep_raw: int) -> None:
        self.method, self.sampler = method, sampler
        self.products = checked_products(products)
        self.keep_raw = keep_raw
        self.coverage: Mapping[str, Mapping[str, int]] = {}
        self._deterministic: Tensor | None = None
        if not method.linear:
            sampler.born_at_input("the method is not linear in its signal")
        elif "variance" in self.products or keep_raw:
            sampler.born_at_input("maps of each pass are asked for")
        self._compared = not sampler.late

    def run(self, drawn: DrawnPasses, target: Target) -> AttributedPasses:
        """Explain the passes of a chunk."""
        block: int = drawn.identity["block"]
        every, first = drawn.identity["numbering"]
        decided = _Target.of(target, drawn)
        if decided.stacked and "target_by_predicted_class" in self.products:
            raise ConfigError("The product 'target_by_predicted_class' is for one class, not for target='all'.")
        sums: dict[str, list[Tensor]] = {}
        raw = []
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            left_as_found(self.sampler.model),
            _each_warning_once(),
        ):
            center = self._center(decided) if "variance" in self.products else None
            for number, each in enumerate(blocks(drawn.begin, drawn.end, block, every=every, first=first)):
                draws = BlockDraws(each.passes)
                if not self._compared:
                    self._compare(drawn, decided, block)
                found, maps = self._block(each, draws, drawn, decided, center)
                if draws.digest() != drawn.digests[number]:
                    raise DataError(
                        f"The random numbers of the passes from {each.index * block} on are not those that the scores "
                        "were drawn with: draw the passes again."
                    )
                for name, value in found.items():
                    sums.setdefault(name, []).append(value)
                if maps is not None:
                    raw.append(maps)
        identity = {
            **drawn.identity,
            "method": self.method.name,
            "parameters": dict(self.method.parameters),
            "target": decided.description,
            "products": sorted(self.products),
            "keep_raw": self.keep_raw,
        }
        return AttributedPasses(
            drawn.begin,
            drawn.end,
            {name: torch.stack(each) for name, each in sums.items()},
            torch.cat(raw) if raw else None,
            center,
            identity,
            decided.starts[0] if decided.fixed else None,
            decided.stacked,
            decided.classes,
            {**self.coverage, "passes": self.sampler.coverage()},
        )

    def _center(self, target: _Target) -> Tensor:
        """Maps without dropout and noise, ``(N, T, ...)``, to take deviations from; 0 for start signals per pass."""
        images = self.sampler.images
        if not target.fixed:
            return torch.zeros(())
        return self.method.explain(images, target.starts[0], None).values.double()

    def _block(
        self, block: Block, draws: BlockDraws, drawn: DrawnPasses, target: _Target, center: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Sums over one block, each ``(N, T or K, ...)``, and the maps that are kept."""
        size = len(block.passes)
        start = block.index * size - drawn.begin
        where = slice(start, start + block.valid)
        starts = target.at(where, size)
        sums: dict[str, list[Tensor]] = {}
        raw = []
        keep = max(0, min(self.keep_raw - block.index * size, block.valid))
        for part in self.sampler.parts(size):
            scores = _block_of_scores(starts[:, part], drawn.logits[where, part], drawn.undisturbed[part], size)
            if self.sampler.late:
                found = self._late(draws, part, scores)
            else:
                middle = None if center is None else center[part] if center.dim() else center
                found, maps = self._rows(draws, part, scores, middle)
                raw.append(maps[:keep])
            for name, value in found.items():
                sums.setdefault(name, []).append(value)
        kept = torch.cat(raw, dim=1) if keep else None
        return {name: torch.cat(each) for name, each in sums.items()}, kept

    def _explained(self, draws: BlockDraws, part: slice, starts: Tensor) -> Tensor:
        """Maps of the rows ``(passes, images)``, or of the images where passes are born late."""
        images = self.sampler.images[part]
        variant = self.sampler.variant(draws, len(images))
        index = torch.arange(part.start, part.stop)
        method = self.method if variant is self.sampler.model else self.method.on(variant)
        rows = self.sampler.rows(images, draws)
        copies = 1 if self.sampler.late else len(draws.passes)
        method = method.for_samples(index.repeat(copies), self.sampler.images)
        result = method.explain(rows, starts.flatten(0, 1).to(rows), None)
        method._check_values(result.values)
        if not self.coverage:
            self.coverage = result.coverage
            self.method._warn(result, stacklevel=5)
        return result.values

    def _rows(
        self, draws: BlockDraws, part: slice, scores: _BlockOfScores, center: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Each pass's own maps ``(passes, n, T, ...)``, and their sums."""
        starts = scores.starts
        explained = starts.shape[2]
        own = "by_predicted_class" in self.products
        if own:
            starts = torch.cat([starts, scores.predicted[:, :, None].to(starts)], dim=2)
        maps = self._explained(draws, part, starts).unflatten(0, starts.shape[:2])
        each, counted = maps[:, :, :explained].double(), scores.counted
        found = {"mean": torch.einsum("p,pnt...->nt...", counted, each)}
        if "covariance" in self.products:
            found["covariance"] = torch.einsum("pnt,pnt...->nt...", scores.change, each)
        if own:
            found["by_predicted_class"] = torch.einsum(
                "pnk,pn...->nk...", scores.predicted, maps[:, :, explained].double()
            )
        if "target_by_predicted_class" in self.products:
            found["target_by_predicted_class"] = torch.einsum("pnk,pn...->nk...", scores.predicted, each[:, :, 0])
        if center is not None:
            deviation = each - center
            found["deviations"] = torch.einsum("p,pnt...->nt...", counted, deviation)
            found["squares"] = torch.einsum("p,pnt...->nt...", counted, deviation.square())
        return found, maps[:, :, :explained]

    def _late(self, draws: BlockDraws, part: slice, scores: _BlockOfScores) -> dict[str, Tensor]:
        """The sums alone, one start signal for each."""
        starts, predicted = scores.starts, scores.predicted
        classes = starts.shape[3]
        wanted = {"mean": starts * scores.counted.to(starts)[:, None, None, None]}
        if "covariance" in self.products:
            wanted["covariance"] = starts * scores.change.to(starts)[..., None]
        if "by_predicted_class" in self.products:
            wanted["by_predicted_class"] = torch.diag_embed(predicted.to(starts))
        if "target_by_predicted_class" in self.products:
            wanted["target_by_predicted_class"] = predicted.to(starts)[..., None] * starts[:, :, :1]
        signals = torch.cat(list(wanted.values()), dim=2)
        used = signals.flatten(3).any(dim=3).any(dim=1).any(dim=0)  # a class that is never predicted starts nothing
        used[0] = True
        maps = self._explained(draws, part, signals[:, :, used]).double()
        whole = maps.new_zeros(len(maps), len(used), *maps.shape[2:])
        whole[:, used] = maps
        assert classes == signals.shape[3]
        return dict(zip(wanted, whole.split([each.shape[2] for each in wanted.values()], dim=1), strict=True))

    def _compare(self, drawn: DrawnPasses, target: _Target, block: int) -> None:
        """Explain the first two passes both ways; passes are born at the input if anything goes wrong, or differs."""
        self._compared = True
        count = min(2, block)
        draws = BlockDraws(range(count))
        part = slice(0, next(self.sampler.parts(block)).stop)
        sampler, products = self.sampler, self.products
        self.products = ("mean",)
        try:
            first = min(count, len(drawn.logits))
            scores = _block_of_scores(
                target.at(slice(0, first), count)[:, part],
                drawn.logits[:first, part],
                drawn.undisturbed[part],
                count,
            )
            try:
                if not sampler._checked:
                    sampler.scores(BlockDraws(range(block)))
                if not sampler.late:
                    return
                late = self._late(draws, part, scores)["mean"]
            except (RuntimeError, ValueError, IndexError, TypeError) as surprise:
                sampler.born_at_input(
                    f"{type(surprise).__name__} in the backward pass: {str(surprise).splitlines()[0]}"
                )
                return
            self.sampler = Sampler(sampler.model, sampler.images, sampler.randomness, late=False)
            summed = self._rows(draws, part, scores, None)[0]["mean"]
        finally:
            self.sampler, self.products, self.coverage = sampler, products, {}
        gap = float((late - summed).norm()) if late.shape == summed.shape else float("inf")
        if gap > _SMALL * float(summed.norm()):
            sampler.born_at_input("other maps when born late")


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
    return Attributor(method, sampler, products, checked_keep(keep_raw)).run(drawn, target)


def _block_of_scores(starts: Tensor, logits: Tensor, undisturbed: Tensor, size: int) -> _BlockOfScores:
    """For a block that may have fewer passes that count than its size."""
    valid = len(logits)
    change = torch.einsum("pntk,pnk->pnt", starts[:valid].double(), logits.double() - undisturbed.double())
    predicted = one_hot(logits.argmax(dim=-1), logits.shape[-1]).double()
    counted = torch.ones(valid, dtype=torch.float64, device=logits.device)
    return _BlockOfScores(starts, *(_padded(each, size) for each in (change, predicted, counted)))


def _padded(values: Tensor, size: int) -> Tensor:
    return torch.cat([values, values.new_zeros(size - len(values), *values.shape[1:])])


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Many blocks say the same: hand on the first warning of each category."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = set[type[Warning]]()
    for each in caught:
        if each.category not in said:
            said.add(each.category)
            warnings.warn(each.message, each.category, stacklevel=5)


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
