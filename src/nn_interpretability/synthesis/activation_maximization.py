r"""Activation maximisation: the image that a class, a channel or a neuron answers to most.

D. Erhan, Y. Bengio, A. Courville and P. Vincent, *Visualizing higher-layer features of a deep network*, 2009;
G. Montavon, W. Samek and K.-R. Müller, *Methods for interpreting and understanding deep neural networks*, 2018,
section 3; A. Nguyen et al., *Synthesizing the preferred inputs for neurons in neural networks via deep generator
networks*, 2016 (codes of a generator).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.stochastic.noise import checked_seed
from nn_interpretability.synthesis import hyper_parameters as hyper
from nn_interpretability.synthesis.checkpoint import Checkpoint, key_of, plain_settings
from nn_interpretability.synthesis.loop import Ascent, Judge, Standing, ascend
from nn_interpretability.synthesis.objectives import Observer, log_probability, observed
from nn_interpretability.synthesis.parametrisations import (
    Bounds,
    Code,
    Fourier,
    Parametrisation,
    Pixels,
    Rounded,
    SigmoidPixels,
)
from nn_interpretability.synthesis.priors import Expert, ExpertDensity, Prior
from nn_interpretability.synthesis.result import Synthesis, reasons
from nn_interpretability.synthesis.starts import Start, Targets, checked_targets, start_codes, start_images

_CHUNK = 10  # rows in one batch: small ones stay in the cache, and end as soon as their slowest row has
_ROUNDING = 1e-5

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Part:
    """Some rows: where they ended, their images, and how good these are."""

    ascent: Ascent
    images: Tensor
    standing: Standing


class ActivationMaximization:
    r"""Images that maximise an objective, and are likely under priors.

    .. math:: \max_x \; \log p(c|x) - \lambda \|x - \bar x\|^2 + \log p(x) \qquad
              \max_z \; \log p(c|g(z)) - \lambda \|z\|^2

    Parameters
    ----------
    model
        Maps images ``(N, C, H, W)`` to scores ``(N, K)``. It runs in evaluation mode and is left as it was found.
    objective
        ``"log_probability"`` or ``"score"`` (before the softmax) of a class; ``"activation"`` of a channel of
        ``layer``. None: log-probability, or activation if there is a layer.
    layer, neuron
        For activations: dotted name of a layer, and a position in its channels such as ``(y, x)``; None for the mean
        over all positions.
    image_shape
        ``(C, H, W)``; needed where neither a start nor a generator says it.
    bounds
        Smallest and largest value of a pixel, which no image leaves; None: free.
    parametrisation
        How images are described: ``"pixels"``, clamped after each step; ``"sigmoid"`` of free values; ``"fourier"``,
        the spectrum of those, low frequencies first. With a generator, images are described by its codes.
    priors
        Terms added to the objective: :class:`~nn_interpretability.synthesis.priors.SquaredDistance`,
        :class:`~nn_interpretability.synthesis.priors.TotalVariation`, or your own
        :class:`~nn_interpretability.synthesis.priors.Prior`.
    generator
        A function from codes ``(N, D)`` to images inside the bounds; a module runs in evaluation mode, and its
        ``latent_size`` is D.
    code_weight
        :math:`\lambda` of :math:`\|z\|^2`, with a generator.
    expert, expert_weight
        A density of images: an object with ``free_energy``, or a function that returns log-densities; and its weight.
    steps
        At most so many steps of Adam.
    learning_rate
        Of Adam: about the largest change of a value in one step.
    threshold
        Probability of the class at which an image is left as it is; None for never. Channels have no probability, and
        always take all steps.
    seed
        Of the starts. An image's start depends on seed, target and number of the start, not on the other images.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed, or two contradict each other.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        objective: str | None = None,
        layer: str | None = None,
        neuron: tuple[int, ...] | None = None,
        image_shape: tuple[int, int, int] | None = None,
        bounds: Bounds = (0.0, 1.0),
        parametrisation: str = "pixels",
        priors: Sequence[Prior] = (),
        generator: Callable[[Tensor], Tensor] | None = None,
        code_weight: float = 0.0,
        expert: Expert | None = None,
        expert_weight: float = 1.0,
        steps: int = 500,
        learning_rate: float = 0.05,
        threshold: float | None = 0.999,
        seed: int = 0,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ConfigError(f"The model must be a torch.nn.Module, not {type(model).__name__}.")
        self.model, self.generator, self.expert = model, generator, expert
        self.objective = hyper.checked_objective(objective, layer, neuron)
        self.bounds = hyper.checked_bounds(bounds)
        self.image_shape = hyper.checked_shape(image_shape)
        self.parametrisation = hyper.checked_parametrisation(parametrisation, bounds, generator)
        self.priors = hyper.checked_priors(priors, generator, code_weight, expert, expert_weight)
        self.steps = hyper.checked_count("steps", steps, least=0)
        self.learning_rate = hyper.checked_rate(learning_rate)
        self.threshold = hyper.checked_threshold(threshold) if self.objective.of_class else None
        self.seed = checked_seed(seed)
        self.weight_decay = 0.0

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata; tensors by their digest."""
        settings = {
            "objective": self.objective.name,
            "layer": self.objective.layer,
            "neuron": getattr(self.objective, "neuron", None),
            "bounds": self.bounds,
            "parametrisation": "code" if self.generator is not None else self.parametrisation,
            "priors": [prior.parameters for prior in self.priors],
            "steps": self.steps,
            "learning_rate": self.learning_rate,
            "threshold": self.threshold,
            "seed": self.seed,
        }
        return {name: plain_settings(value) for name, value in settings.items()}

    def synthesize(
        self,
        target: Targets = "all",
        start: Start = "noise",
        *,
        starts: int = 1,
        chunk: int | None = None,
        checkpoint: Path | str | None = None,
        progress: Progress | None = None,
    ) -> Synthesis:
        """Synthesise one image for each target and start.

        Parameters
        ----------
        target
            A class, several, or ``"all"``; channels of the layer where the objective is an activation.
        start
            ``"noise"``: uniform between the bounds (0 and 1 where there are none), or normal codes. ``"zeros"``: black
            images, or the code zero. A tensor: one image ``(C, H, W)`` (or code ``(D,)``), or one per target with a
            leading axis. Images are brought inside the bounds first.
        starts
            So many starts for each target; more than one for noise only.
        chunk
            Images that are computed together; None: 10. An image does not depend on the others, but for rounding.
        checkpoint
            A folder that keeps finished chunks. The same call, after it was stopped, then goes on behind them. The
            generator and the expert must be modules then, for of a function nothing says whether it has changed.
        progress
            Called as ``progress(done, total, "steps")``; may raise to stop.

        Returns
        -------
        Synthesis
            On the device and in the dtype of the model.

        Raises
        ------
        ConfigError
            If target, start or layer do not exist, or do not fit the model; the message names what there is. If there
            is a checkpoint, and the generator or an expert is no module.
        DataError
            If the generator's images do not fit the model or the bounds, or the objective is not finite at the start.
        """
        starts = hyper.checked_count("starts", starts)
        size = _CHUNK if chunk is None else hyper.checked_count("chunk", chunk)
        with self._ready() as observer:
            asked, given = self._starts(observer, target, start, starts)
            parts = self._run(observer, asked, given, size, checkpoint, progress)
        codes = torch.cat([part.ascent.values for part in parts])
        probabilities = [part.standing.probability for part in parts if part.standing.probability is not None]
        return Synthesis(
            images=torch.cat([part.images for part in parts]),
            target=asked,
            start=torch.arange(starts, device=asked.device).repeat(len(asked) // starts),
            steps=torch.cat([part.ascent.steps for part in parts]),
            reason=reasons(torch.cat([part.ascent.reason for part in parts])),
            objective=torch.cat([part.standing.objective for part in parts]),
            total=torch.cat([part.standing.total for part in parts]),
            probability=torch.cat(probabilities) if probabilities else None,
            codes=None if self.generator is None else codes.to(self._like.dtype),
            parameters={**self.parameters, "start": start if isinstance(start, str) else "given"},
        )

    @contextmanager
    def _ready(self) -> Iterator[Observer]:
        """The model under observation; it, generator and expert are left as they were found."""
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            for module in self._modules().values():
                if isinstance(module, nn.Module):
                    stack.enter_context(left_as_found(module))
            yield stack.enter_context(observed(self.model, self.objective.layer))

    def _modules(self) -> dict[str, Any]:
        experts = [prior.expert for prior in self.priors if isinstance(prior, ExpertDensity)]
        parts: dict[str, Any] = {"model": self.model, "generator": self.generator}
        parts |= {"expert" if number == 0 else f"expert {number + 1}": each for number, each in enumerate(experts)}
        return {name: part for name, part in parts.items() if part is not None}

    def _starts(self, observer: Observer, target: Targets, start: Start, starts: int) -> tuple[Tensor, Tensor]:
        """Target and start of each row; the model has seen one image by then, so that both are known to fit."""
        like = self._like.to(torch.promote_types(self._like.dtype, torch.float32))  # Adam needs as much
        if self.generator is not None:
            size = getattr(self.generator, "latent_size", None)
            make = start_codes(start, size, starts, self.seed, like)
        else:
            make = start_images(start, self.image_shape, self.bounds, starts, self.seed, like)
        with torch.no_grad():
            image = self._first_image(make.example.to(self._like.dtype))
            try:
                answer = observer(image)
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                raise self._unfit(image, error) from error
        count, what = self.objective.targets(answer)
        asked = checked_targets(target, count, what).to(like.device)
        return asked.repeat_interleave(starts), make.rows(asked)

    def _first_image(self, example: Tensor) -> Tensor:
        if self.generator is None:
            return example
        try:
            image = self.generator(example)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise DataError(f"The generator does not take codes of shape {tuple(example.shape)}: {error}") from error
        if not isinstance(image, Tensor) or image.dim() != 4 or len(image) != len(example):
            found = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
            raise DataError(f"The generator returns {found}; images (N, channels, height, width) are needed.")
        if not bool(torch.isfinite(image).all()):
            raise DataError("The generator makes NaN or infinite pixels.")
        low, high = self.bounds or (-math.inf, math.inf)
        if float(image.min()) < low - _ROUNDING or float(image.max()) > high + _ROUNDING:
            raise DataError(
                f"The generator makes pixels from {float(image.min()):.3g} to {float(image.max()):.3g}, outside of "
                f"bounds={self.bounds}: map them into the bounds (for tanh to [0, 1], (x + 1) / 2), or set bounds to "
                "those of the pictures that the model was trained on."
            )
        return image

    def _unfit(self, image: Tensor, error: Exception) -> Exception:
        if isinstance(error, ConfigError | DataError):
            return error
        shape = tuple(image.shape[1:])
        if self.generator is not None:
            return DataError(f"The generator makes images of {shape}, which the model does not take: {error}")
        return ConfigError(f"The model does not take images of {shape}: {error}")

    @property
    def _like(self) -> Tensor:
        """A number of the dtype and on the device of the model."""
        return next((p for p in self.model.parameters() if p.is_floating_point()), torch.zeros(())).new_zeros(())

    def _describe(self, given: Tensor) -> Parametrisation:
        found, dtype = self._described(given), self._like.dtype
        return found if given.dtype == dtype else Rounded(found, dtype)

    def _described(self, given: Tensor) -> Parametrisation:
        if self.generator is not None:
            return Code(self.generator)
        if self.parametrisation == "pixels":
            return Pixels(self.bounds)
        assert self.bounds is not None
        if self.parametrisation == "sigmoid":
            return SigmoidPixels(self.bounds)
        return Fourier(self.bounds, (given.shape[-2], given.shape[-1]))

    def _judge(self, observer: Observer, target: Tensor) -> Judge:
        def judge(images: Tensor, values: Tensor) -> Standing:
            answer = observer(images)
            objective = self.objective.value(answer, target)
            priors = [prior.log_density(images, values, target) for prior in self.priors]
            total = torch.stack([objective, *priors]).sum(dim=0)
            probability = None
            if self.objective.of_class:
                probability = log_probability(answer.scores.detach(), target).exp()
            return Standing(total, objective, probability)

        return judge

    def _run(
        self,
        observer: Observer,
        target: Tensor,
        given: Tensor,
        size: int,
        checkpoint: Path | str | None,
        progress: Progress | None,
    ) -> list[_Part]:
        """The rows, ``size`` at a time."""
        parametrisation = self._describe(given)
        begin = parametrisation.encode(given)
        store = None
        if checkpoint is not None:
            settings = {**self.parameters, "chunk": size, "weight_decay": self.weight_decay}
            store = Checkpoint(checkpoint, key_of(settings, begin, target, self._modules()))
        blocks = [slice(first, min(first + size, len(begin))) for first in range(0, len(begin), size)]
        parts = []
        for done, rows in enumerate(blocks):
            judge = self._judge(observer, target[rows])
            report = _in_all(progress, done, len(blocks), self.steps)
            ascent = self._ascent(parametrisation, begin[rows], judge, store, rows, report)
            with torch.no_grad():
                images = parametrisation.images(ascent.values)
                parts.append(_Part(ascent, images, judge(images, ascent.values)))
            report(self.steps)
        return parts

    def _ascent(
        self,
        parametrisation: Parametrisation,
        begin: Tensor,
        judge: Judge,
        store: Checkpoint | None,
        rows: slice,
        report: Callable[[int], None],
    ) -> Ascent:
        part = store.load(rows, begin) if store is not None else None
        if part is not None:
            return part
        part = ascend(
            parametrisation,
            begin,
            judge,
            steps=self.steps,
            learning_rate=self.learning_rate,
            threshold=self.threshold,
            weight_decay=self.weight_decay,
            progress=report,
        )
        if store is not None:
            store.save(rows, part)
        return part


def _in_all(progress: Progress | None, done: int, blocks: int, steps: int) -> Callable[[int], None]:
    """Progress of one block as progress of all."""

    def report(step: int) -> None:
        if progress is not None:
            progress(done * steps + step, blocks * steps, "steps")

    return report
