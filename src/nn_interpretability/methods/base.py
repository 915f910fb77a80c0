"""What all methods share: one constructor, one verb."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution, concatenate
from nn_interpretability.engine.coverage import warn_of_uncovered
from nn_interpretability.engine.forward import Forward, check_images, refusal_named
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.engine.trace import ConservationTrace
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.targets import ResolvedTarget, Target, for_images, resolve_target


class Method:
    """An attribution method bound to a model.

    Parameters
    ----------
    model
        Any ``torch.nn.Module`` that maps images ``(N, C, H, W)`` to scores ``(N, K)``. It is explained in evaluation
        mode and left exactly as it was found, also after an error.

    Attributes
    ----------
    name
        Name in configuration files.
    conserving
        Whether the values of a map sum to the explained score (up to what the method itself says it loses).
    linear
        Whether every step back is linear in the signal, from the start to the map: a sum of signals then gives the sum
        of their maps.
    start
        Where the start signal of a function target comes from; see
        :func:`~nn_interpretability.targets.resolve_target`.
    """

    name: ClassVar[str]
    conserving: bool = False
    linear: bool = False
    start: ClassVar[Literal["derivative", "path", "none"]] = "derivative"

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            raise ConfigError(f"The model must be a torch.nn.Module, not {type(model).__name__}.")
        self.model = model

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {}

    def interpret(self, images: Tensor, target: Target = None, *, chunk: int | None = None) -> Attribution:
        """Explain a batch of images.

        Parameters
        ----------
        images
            Batch ``(N, C, H, W)`` (or ``(N, ...)``) of finite floating-point values, on the device and of the dtype of
            the model. It is not changed.
        target
            What to explain. None: the class of the largest score of each image, decided once. An int: this class. A
            sequence or tensor of N ints: one class per image. ``"all"``: every class, with one forward pass. A tensor
            of weights ``(N, K)``: the weighted sum of the scores; ``(N, M, K)``: M such sums with one forward pass, as
            for ``"all"``. A function ``(N, K) -> (N,)`` of the scores.
        chunk
            Rows in one forward pass, to bound memory: images, or points of the paths and noisy copies of images for
            methods that need several. None: all images at once, points and copies in blocks of moderate size.

        Returns
        -------
        Attribution
            Values of the dtype and on the device of the images.

        Raises
        ------
        DataError
            If the images or the scores of the model are not what is described above.
        ConfigError
            If the target does not fit the model.
        CoverageError
            Under ``strict=True``, if the model uses an operation for which the method has no rule.

        Warns
        -----
        CoverageWarning
            Otherwise, once, naming these operations; the plain gradient is used there.
        """
        self._check_images(images)
        size = len(images) if chunk is None else checked_chunk(chunk)
        target = for_images(target, len(images))
        parts = []
        for begin in range(0, len(images), size):
            batch = images[begin : begin + size]
            part = self.for_samples(torch.arange(begin, begin + len(batch)), images)
            model = self.model
            with torch.inference_mode(False), torch.enable_grad(), left_as_found(model), refusal_named(model, batch):
                parts.append(part.explain(batch, _part_of(target, slice(begin, begin + size)), chunk))
        whole = concatenate(parts)
        self._warn(whole, stacklevel=2)
        self._check_values(whole.values)
        self._conclude(whole)
        return whole

    def for_samples(self, index: Tensor, images: Tensor) -> Self:
        """The same method for some of the images; hyper-parameters with one entry per image follow it.

        Parameters
        ----------
        index
            Positions of the images, in any order, repeated or not.
        images
            All images that hyper-parameters have entries for.

        Raises
        ------
        ConfigError
            If a hyper-parameter does not fit the images.
        """
        return self

    def on(self, model: nn.Module) -> Self:
        """The same method for a variant of its model in which rows of a batch have their own dropout masks."""
        chosen = copy.copy(self)
        chosen.model = model
        return chosen

    def origins(self, images: Tensor) -> Sequence[Tensor]:
        """The references, of the shape of the images, whose mean score a score is measured from; none for 0."""
        return ()

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch: what :meth:`interpret` calls, and methods around other methods.

        The model is in evaluation mode, none of its parameters asks for gradients, and gradients are recorded.

        Parameters
        ----------
        images, target
            As for :meth:`interpret`, checked.
        chunk
            Rows in one forward pass, for methods that need several rows per image.
        """
        forward = self._forward(images)
        resolved = self._resolve(target, forward.output)
        maps = torch.stack(self._maps(forward, resolved))
        return self._result(forward, resolved, maps, trace=self._trace(resolved, maps))

    def _resolve(self, target: Target, output: Tensor) -> ResolvedTarget:
        """Decide the target; methods with a start signal of their own override it."""
        return resolve_target(target, output, start=self.start)

    def _result(self, forward: Forward, resolved: ResolvedTarget, maps: Tensor, **details: Any) -> Attribution:
        """The result from maps ``(M, N, ...)``, one for each start of the target."""
        found: dict[str, Any] = {
            "values": (maps.movedim(0, 1) if resolved.stacked else maps[0]).detach(),
            "score": resolved.scores.T if resolved.stacked else resolved.scores[0],
            "logits": forward.output,
            "target": resolved.classes,
            "conserving": self.conserving,
            "method": self.name,
            "parameters": dict(self.parameters),
            "target_description": resolved.description,
            "coverage": forward.coverage.describe(),
        }
        return Attribution(**(found | details))

    def _warn(self, result: Attribution, *, stacklevel: int) -> None:
        """Say, once for all batches, what the method had no rule for."""
        warn_of_uncovered(type(self).__name__, result.coverage.get("uncovered", {}), stacklevel=stacklevel + 1)

    def _maps(self, forward: Forward, resolved: ResolvedTarget) -> list[Tensor]:
        last = len(resolved.starts) - 1
        return [self._map(forward, start, last=i == last) for i, start in enumerate(resolved.starts)]

    def _map(self, forward: Forward, start: Tensor, *, last: bool) -> Tensor:
        return self._read(forward.leaves, forward.pull(start, last=last)).detach()

    def _forward(self, images: Tensor) -> Forward:
        """The forward pass; methods with rules override it."""
        return Forward(self.model, images)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """A map from the leaves and the gradients that arrived there; the gradient itself, unless overridden."""
        return gradients[0]

    def _trace(self, resolved: ResolvedTarget, maps: Tensor) -> ConservationTrace | None:
        """The conservation trace of the passes just made, for methods that keep one."""
        return None

    def _conclude(self, whole: Attribution) -> None:
        """A last look at the result; methods with something to say about it override it."""
        return

    def _check_images(self, images: Tensor) -> None:
        check_images(images, self.model)

    def _check_values(self, values: Tensor) -> None:
        finite = torch.isfinite(values).flatten(1).all(dim=1)
        if not bool(finite.all()):
            bad = (~finite).nonzero().flatten().tolist()
            raise DataError(
                f"{type(self).__name__} gave NaN or infinite values for the images at positions {bad[:10]}: a "
                "denominator is too close to zero. Use the epsilon rule, a stabilizer, or float64."
            )


_ROWS, _VALUES = 250, 2**21  # larger batches of small images fall out of the cache; larger images cost memory


def rows_per_image(images: Tensor, chunk: int | None) -> int:
    """How many rows of each image go into one forward pass, for methods that need several; at least 1."""
    if chunk is None:
        chunk = min(_ROWS, _VALUES // max(images[0].numel(), 1))
    return max(1, chunk // len(images))


def checked_count(name: str, value: int) -> int:
    """A number of steps or samples, at least 1.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name}={value!r} is not allowed: give an integer >= 1.")
    return value


def checked_chunk(chunk: int) -> int:
    """Rows in one forward pass, at least 1.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1:
        raise ConfigError(f"chunk={chunk!r} is not allowed: give the number of rows in one forward pass, or None.")
    return chunk


def checked_clip(clip: Sequence[float] | None) -> tuple[float, float] | None:
    """Lowest and highest value that a noisy pixel may have; None for no limit.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if clip is None:
        return None
    if len(clip) != 2 or not clip[0] < clip[1]:
        raise ConfigError(f"clip={clip!r} is not allowed: give (lowest, highest), or None.")
    return float(clip[0]), float(clip[1])


def _part_of(target: Target, rows: slice) -> Target:
    """The part of a target that belongs to some of the images."""
    return target[rows] if isinstance(target, Tensor) and target.dim() > 0 else target
