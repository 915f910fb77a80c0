"""Explains blocks of passes with one method."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nn_interpretability.attribution import Attribution, joined_coverage
from nn_interpretability.engine.forward import refusal_named
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.chunks import AttributedPasses, DrawnPasses
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.sampler import Block, Sampler, blocks, device_of
from nn_interpretability.targets import Target, for_images, resolve_target

SUMMED = ("mean", "covariance", "by_predicted_class", "target_by_predicted_class")
PRODUCTS = (*SUMMED, "variance")

_SMALL = 0.05  # relative difference of maps that is no mere rounding; a max-pooling may change its winner
_SURPRISES = (RuntimeError, ValueError, IndexError, TypeError)


@dataclass(frozen=True)
class PassTarget:
    """What is explained in every pass: T start signals for each image.

    Attributes
    ----------
    starts
        ``(N, T, K)``, for every pass; or for a function of all passes ``(passes of the chunk, N, 1, K)``.
    fixed
        Whether they are the same in every pass.
    stacked, classes, description
        As in :class:`~nn_interpretability.targets.ResolvedTarget`.
    """

    starts: Tensor
    fixed: bool
    stacked: bool
    classes: Tensor | None
    description: str

    @classmethod
    def of(cls, target: Target, drawn: DrawnPasses) -> PassTarget:
        """Decided once, at the scores without dropout and noise; or one start signal for each pass."""
        if isinstance(target, Tensor) and target.is_floating_point() and target.shape == drawn.logits.shape:
            return cls(target[:, :, None], False, False, None, "function of all passes")
        if callable(target):
            raise ConfigError(
                "A function of all passes is explained by its start signals: see pass_weights in "
                "nn_interpretability.stochastic.information."
            )
        resolved = resolve_target(for_images(target, drawn.logits.shape[1]), drawn.undisturbed)
        starts = resolved.starts.movedim(0, 1)
        return cls(starts, True, resolved.stacked, resolved.classes, resolved.description)

    def at(self, passes: slice, count: int) -> Tensor:
        """Start signals of a block: ``(count, N, T, K)``, with zeros for passes that do not count."""
        if self.fixed:
            return self.starts.expand(count, *self.starts.shape)
        return _padded(self.starts[passes], count)


@dataclass(frozen=True)
class _Scored:
    """One block of passes, for some of the images.

    Attributes
    ----------
    draws, part
        The random numbers, and which images.
    starts
        Start signals ``(B, n, T, K)``.
    predicted
        Which class each pass predicts, one-hot ``(B, n, K)``, float64; zeros for passes that do not count.
    counted
        1 for passes that count, else 0, ``(B,)``, float64.
    logits
        Of the passes that count.
    base
        Explained score without dropout and noise, ``(n, T)``, float64; 0 where no product needs it.
    center
        Map without dropout and noise, ``(n, T, ...)``, float64; None where no variance is asked for.
    """

    draws: BlockDraws
    part: slice
    starts: Tensor
    predicted: Tensor
    counted: Tensor
    logits: Tensor
    base: Tensor
    center: Tensor | None


@dataclass(frozen=True)
class _Explained:
    """Sums over one block ``(n, T or K, ...)``, the explained scores ``(B, n, T)``, and each map, where there are."""

    sums: Mapping[str, Tensor]
    scores: Tensor
    maps: Tensor | None = None


class Attributor:
    """Explains blocks of passes with one method and one target.

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
        self.products, self.keep_raw = tuple(products), keep_raw
        self._coverage: Mapping[str, Mapping[str, int]] = {}
        self._undisturbed: tuple[Tensor, Tensor] | None = None
        if not method.linear:
            sampler.born_at_input("the method is not linear in its signal")
        elif "variance" in self.products or keep_raw:
            sampler.born_at_input("maps of each pass are asked for")
        self._compared = not sampler.late

    def run(
        self, drawn: DrawnPasses, target: Target, handed_on: Sequence[BlockDraws] | None = None
    ) -> AttributedPasses:
        """Explain the passes of a chunk.

        Parameters
        ----------
        drawn, target
            The passes, and what to explain.
        handed_on
            Their random numbers, block by block; None to draw them again, and compare digests.

        Raises
        ------
        DataError
            If the random numbers are not those that the passes were drawn with.
        ConfigError
            If the target does not fit.
        """
        decided = PassTarget.of(target, drawn)
        if decided.stacked and "target_by_predicted_class" in self.products:
            raise ConfigError("The product 'target_by_predicted_class' is for one class, not for target='all'.")
        block: int = drawn.identity["block"]
        every, first = drawn.identity["numbering"]
        found: list[_Explained] = []
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            left_as_found(self.sampler.model),
            refusal_named(self.sampler.model, self.sampler.images),
            _each_warning_once(),
        ):
            base, center = self._without_randomness(decided)
            for number, each in enumerate(blocks(drawn.begin, drawn.end, block, every=every, first=first)):
                draws = BlockDraws(each.passes) if handed_on is None else handed_on[number]
                found.append(self._block(each, draws, drawn, decided, base, center))
                if handed_on is None and draws.digest() != drawn.digests[number]:
                    raise DataError(
                        f"The random numbers of the passes from {each.index * block} on are not those that the scores "
                        "were drawn with: draw the passes again."
                    )
        raw = [each.maps for each in found if each.maps is not None]
        return AttributedPasses(
            begin=drawn.begin,
            end=drawn.end,
            sums={name: torch.stack([each.sums[name] for each in found]) for name in found[0].sums},
            raw=torch.cat(raw) if raw else None,
            scores=torch.cat([each.scores for each in found]),
            base=base,
            fixed=decided.fixed,
            stacked=decided.stacked,
            classes=decided.classes,
            identity={
                **drawn.identity,
                "method": self.method.name,
                "parameters": dict(self.method.parameters),
                "target": decided.description,
                "products": sorted(self.products),
                "keep_raw": self.keep_raw,
            },
            device=device_of(self.sampler.images),
            coverage={**self._coverage, "passes": self.sampler.coverage()},
        )

    def _without_randomness(self, target: PassTarget) -> tuple[Tensor, Tensor]:
        """Explained score ``(N, T)`` and map ``(N, T, ...)``, float64, that deviations are taken from, if any are."""
        images = self.sampler.images
        if not target.fixed or not {"covariance", "variance"} & set(self.products):
            zero = torch.zeros(*target.starts.shape[-3:-1], dtype=torch.float64, device=images.device)
            return zero, zero.reshape(*zero.shape, *([1] * (images.dim() - 1)))
        if self._undisturbed is None:
            still = self.sampler.still()
            method = self.method if still is self.sampler.model else self.method.on(still)
            result = method.explain(images, target.starts, None)
            self._undisturbed = result.score.double(), result.values.double()
        return self._undisturbed

    def _block(
        self,
        block: Block,
        draws: BlockDraws,
        drawn: DrawnPasses,
        target: PassTarget,
        base: Tensor,
        center: Tensor,
    ) -> _Explained:
        """One block for all images."""
        size = len(block.passes)
        begin = block.index * size - drawn.begin
        where = slice(begin, begin + block.valid)
        starts, logits = target.at(where, size), drawn.logits[where]
        found = []
        for part in self.sampler.parts(size):
            scored = _Scored(
                draws,
                part,
                starts[:, part],
                _padded(one_hot(logits[:, part].argmax(dim=-1), logits.shape[-1]).double(), size),
                _padded(logits.new_ones(block.valid, dtype=torch.float64), size),
                logits[:, part],
                base[part],
                center[part] if "variance" in self.products else None,
            )
            if not self._compared:
                self._compare(scored)
            found.append(self._late(scored) if self.sampler.late else self._rows(scored))
        keep = max(0, min(self.keep_raw - block.index * size, block.valid))
        maps = [each.maps[:keep] for each in found if each.maps is not None and keep]
        return _Explained(
            {name: torch.cat([each.sums[name] for each in found]) for name in found[0].sums},
            torch.cat([each.scores for each in found], dim=1)[: block.valid],
            torch.cat(maps, dim=1) if maps else None,
        )

    def _explain(self, scored: _Scored, starts: Tensor) -> Attribution:
        """Explain the rows ``(passes, images)``, or the images where passes are born late."""
        sampler, images = self.sampler, self.sampler.images[scored.part]
        variant = sampler.variant(scored.draws, len(images))
        method = self.method if variant is sampler.model else self.method.on(variant)
        copies = 1 if sampler.late else len(scored.draws.passes)
        index = torch.arange(scored.part.start, scored.part.stop).repeat(copies)
        rows = sampler.rows(images, scored.draws)
        result = method.for_samples(index, sampler.images).explain(rows, starts.flatten(0, 1).to(rows), None)
        method._check_values(result.values)
        coverage = joined_coverage([self._coverage, result.coverage])
        if coverage != self._coverage:  # the first block, or one that met something new
            self._coverage = coverage
            self.method._warn(result, stacklevel=5)
        return result

    def _rows(self, scored: _Scored) -> _Explained:
        """Each pass's own maps, and their sums."""
        starts, targets = scored.starts, scored.starts.shape[2]
        own = "by_predicted_class" in self.products
        if own:
            starts = torch.cat([starts, scored.predicted[:, :, None].to(starts)], dim=2)
        result = self._explain(scored, starts)
        maps = result.values.unflatten(0, starts.shape[:2])
        scores = result.score.double().unflatten(0, starts.shape[:2])[:, :, :targets]
        each, counted = maps[:, :, :targets].double(), scored.counted
        sums = {"mean": torch.einsum("p,pnt...->nt...", counted, each)}
        if "covariance" in self.products:
            change = (scores - scored.base) * counted[:, None, None]
            sums["covariance"] = torch.einsum("pnt,pnt...->nt...", change, each)
        if own:
            sums["by_predicted_class"] = torch.einsum(
                "pnk,pn...->nk...", scored.predicted, maps[:, :, targets].double()
            )
        if "target_by_predicted_class" in self.products:
            sums["target_by_predicted_class"] = torch.einsum("pnk,pn...->nk...", scored.predicted, each[:, :, 0])
        if scored.center is not None:
            deviation = each - scored.center
            sums["deviations"] = torch.einsum("p,pnt...->nt...", counted, deviation)
            sums["squares"] = torch.einsum("p,pnt...->nt...", counted, deviation.square())
        return _Explained(sums, scores, maps[:, :, :targets])

    def _late(self, scored: _Scored) -> _Explained:
        """The sums alone, one start signal for each."""
        starts, predicted = scored.starts, scored.predicted.to(scored.starts)
        counted = scored.counted[:, None, None]
        scores = self._scores(scored)
        wanted = {"mean": starts * counted[..., None].to(starts)}
        if "covariance" in self.products:
            wanted["covariance"] = starts * ((scores - scored.base) * counted)[..., None].to(starts)
        if "by_predicted_class" in self.products:
            wanted["by_predicted_class"] = torch.diag_embed(predicted)
        if "target_by_predicted_class" in self.products:
            wanted["target_by_predicted_class"] = predicted[..., None] * starts[:, :, :1]
        signals = torch.cat(list(wanted.values()), dim=2)
        used = signals.any(dim=3).flatten(0, 1).any(dim=0)  # a class that is never predicted starts nothing
        used[0] = True
        maps = self._explain(scored, signals[:, :, used]).values.double()
        whole = maps.new_zeros(len(maps), len(used), *maps.shape[2:])
        whole[:, used] = maps
        sizes = [each.shape[2] for each in wanted.values()]
        return _Explained(dict(zip(wanted, whole.split(sizes, dim=1), strict=True)), scores)

    def _scores(self, scored: _Scored) -> Tensor:
        """Explained scores of a linear method, less the mean of those of its references in the same passes."""
        images = self.sampler.images[scored.part]
        index = torch.arange(scored.part.start, scored.part.stop)
        method = self.method.for_samples(index, self.sampler.images)
        logits = scored.logits.double()
        origins = [self.sampler.scores(scored.draws, each).double() for each in method.origins(images)]
        if origins:
            logits = logits - torch.stack(origins).mean(dim=0)[: len(logits)]
        scores = torch.einsum("pntk,pnk->pnt", scored.starts[: len(logits)].double(), logits)
        return _padded(scores, len(scored.starts))

    def _compare(self, scored: _Scored) -> None:
        """Explain two passes both ways; passes are born at the input if anything goes wrong, or differs."""
        self._compared = True
        sampler = self.sampler
        sampler.check(BlockDraws(scored.draws.passes))
        two: dict[str, Any] = {name: getattr(scored, name)[:2] for name in ("starts", "predicted", "counted", "logits")}
        scored = replace(scored, draws=BlockDraws(scored.draws.passes[:2]), **two)
        try:
            if not sampler.late:
                return
            late = self._late(scored).sums["mean"]
        except _SURPRISES as surprise:
            sampler.born_at_input(f"{type(surprise).__name__} on the way back: {str(surprise).splitlines()[0]}")
            return
        finally:
            self._coverage = {}
        self.sampler = Sampler(sampler.model, sampler.images, sampler.randomness, late=False)
        try:
            summed = self._rows(scored).sums["mean"]
        finally:
            self.sampler, self._coverage = sampler, {}
        if late.shape != summed.shape or float((late - summed).norm()) > _SMALL * float(summed.norm()):
            sampler.born_at_input("other maps when born late")


def _padded(values: Tensor, size: int) -> Tensor:
    return torch.cat([values, values.new_zeros(size - len(values), *values.shape[1:])])


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Many blocks say the same, but for numbers: hand on what is said once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = set[tuple[type[Warning], str]]()
    for each in caught:
        key = each.category, re.sub(r"(?<![\w.])\d[\d.e+-]*", "", str(each.message))  # not the numbers of layers
        if key not in said:
            said.add(key)
            warnings.warn(each.message, each.category, stacklevel=5)
