"""Randomisation tests: whether a map changes when the model, or the class, is another one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nn_interpretability.engine.preserve import gpus_of, left_as_found, seed_generators
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.metrics.similarity import spearman, ssim
from nn_interpretability.stochastic.noise import checked_seed, uniforms
from nn_interpretability.targets import Target

Factory = Callable[[nn.Module], Method]
Similarity = Callable[[Tensor, Tensor, float | None], Tensor]

SIMILARITIES: Mapping[str, Similarity] = {
    "spearman": lambda a, b, undefined: spearman(a, b, undefined=undefined),
    "absolute_spearman": lambda a, b, undefined: spearman(a, b, absolute=True, undefined=undefined),
    "ssim": lambda a, b, undefined: ssim(a, b, undefined=undefined),
    "absolute_ssim": lambda a, b, undefined: ssim(a, b, absolute=True, undefined=undefined),
}
"""What maps can be compared by: signed or absolute values, ranks or structure."""

_DEFAULT = ("spearman", "absolute_spearman", "ssim")
_WAYS = ("reset", "permute")
_ORDERS = ("cascading", "independent")


@dataclass(frozen=True)
class RandomisationCurves:
    """How alike the maps of a model and of its randomised copies are.

    Attributes
    ----------
    layers
        The layers in the order of their randomisation, from the scores to the images (L of them).
    similarity
        By name, float64 ``(L, N)``. ``"cascading"``: with this layer and all before it in the list randomised.
        ``"independent"``: with this layer alone.
    """

    layers: tuple[str, ...]
    similarity: Mapping[str, Tensor]


class ParameterRandomisation:
    """Similarity of maps to those of the same model with layer after layer randomised.

    A map that stays the same does not depend on what was learned there. Layers are the modules with parameters of their
    own, in the order in which the model runs them, from the last to the first.

    Parameters
    ----------
    model
        The classifier; it is copied, and not touched.
    method
        Function of a model that returns an attribution method for it, for instance ``Gradient``, or
        ``lambda model: LRP(model, composite="montavon2019")``.
    order
        ``"cascading"`` randomises from the scores down and keeps what was randomised; ``"independent"`` randomises one
        layer at a time.
    how
        ``"reset"`` draws the parameters anew as when the layer was built (its ``reset_parameters``; batch norm also
        forgets its statistics); ``"permute"`` shuffles the values within each parameter, which keeps their distribution
        and works for any layer.
    similarities
        Names in :data:`SIMILARITIES`.
    seed
        Integer >= 0. A layer has the same random parameters in both orders, for any method.
    undefined
        What stands for the similarity with a constant map, or one of zeros; None to raise.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Adebayo et al. 2018, Sanity checks for saliency maps, section 3.
    """

    def __init__(
        self,
        model: nn.Module,
        method: Factory,
        *,
        order: Literal["cascading", "independent"] = "cascading",
        how: Literal["reset", "permute"] = "reset",
        similarities: Sequence[str] = _DEFAULT,
        seed: int = 0,
        undefined: float | None = None,
    ) -> None:
        if order not in _ORDERS:
            raise ConfigError(f"order={order!r} is not allowed: choose 'cascading' or 'independent'.")
        if how not in _WAYS:
            raise ConfigError(f"how={how!r} is not allowed: choose 'reset' or 'permute'.")
        self.model, self._method, self._order, self._how = model, method, order, how
        self._similarities, self._seed = _checked_similarities(similarities), checked_seed(seed)
        self._undefined = undefined

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        names = list(self._similarities)
        return {"order": self._order, "how": self._how, "similarities": names, "seed": self._seed}

    def measure(self, images: Tensor, target: Target = None) -> RandomisationCurves:
        """Explain a batch of images by the model and by its randomised copies.

        Parameters
        ----------
        images
            As for :meth:`~nn_interpretability.methods.base.Method.interpret`.
        target
            The class, decided once: None for the class that the model as it is predicts; else a class or one per image.

        Raises
        ------
        ConfigError
            If the target is not one class for each image, the model has no layer with parameters, or one cannot be
            reset.
        DataError
            If a map is constant, or zero, and ``undefined`` is None.
        """
        original = self._method(self.model).interpret(images, target)
        classes = _one_class(original.target)
        layers = layers_from_the_top(self.model, images)
        found: dict[str, list[Tensor]] = {name: [] for name in self._similarities}
        randomised = copy.deepcopy(self.model)
        for number, name in enumerate(layers):
            if self._order == "independent":
                randomised = copy.deepcopy(self.model)
            randomise_layer(randomised.get_submodule(name), self._how, seed=self._seed, number=number, name=name)
            maps = self._method(randomised).interpret(images, classes).values
            for similarity, values in found.items():
                values.append(SIMILARITIES[similarity](original.values, maps, self._undefined))
        return RandomisationCurves(layers, {name: torch.stack(values) for name, values in found.items()})


class RandomLogit:
    """Similarity of the maps of one class to those of another class, drawn at random.

    Parameters
    ----------
    method
        An attribution method.
    similarities
        Names in :data:`SIMILARITIES`.
    seed
        Integer >= 0; the other class of an image depends on it and on the image's place in the batch.
    undefined
        What stands for the similarity with a constant map, or one of zeros; None to raise.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Sixt, Granz and Landgraf 2020, When explanations lie: why many modified BP attributions fail, section 5.
    """

    def __init__(
        self,
        method: Method,
        *,
        similarities: Sequence[str] = _DEFAULT,
        seed: int = 0,
        undefined: float | None = None,
    ) -> None:
        self.method, self._similarities = method, _checked_similarities(similarities)
        self._seed, self._undefined = checked_seed(seed), undefined

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"similarities": list(self._similarities), "seed": self._seed}

    def measure(self, images: Tensor, target: Target = None) -> Mapping[str, Tensor]:
        """Explain a batch of images for their class and for another; similarities by name, float64 ``(N,)``.

        Parameters
        ----------
        images, target
            As for :meth:`~nn_interpretability.methods.base.Method.interpret`; one class for each image.

        Raises
        ------
        ConfigError
            If the target is not one class for each image, or the model has one class.
        DataError
            If a map is constant, or zero, and ``undefined`` is None.
        """
        one = self.method.interpret(images, target)
        classes, count = _one_class(one.target), one.logits.shape[1]
        if count < 2:
            raise ConfigError("The model has one class: there is no other to compare with.")
        drawn = torch.from_numpy(uniforms(self._seed, 0, (len(images),))).to(classes.device)
        others = (classes + 1 + (drawn * (count - 1)).long()) % count
        other = self.method.interpret(images, others)
        return {name: SIMILARITIES[name](one.values, other.values, self._undefined) for name in self._similarities}


def layers_from_the_top(model: nn.Module, images: Tensor) -> tuple[str, ...]:
    """Names of the modules with parameters of their own, from the last that the model runs to the first.

    A module whose parameters are used without calling it stands where the module around it was called.

    Raises
    ------
    ConfigError
        If there is none.
    """
    names = [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    if not names:
        raise ConfigError("The model has no parameters: there is nothing to randomise.")
    called: dict[str, int] = {}
    watched = copy.deepcopy(model)
    for name, module in watched.named_modules():
        module.register_forward_pre_hook(partial(_note, called, name))
    with torch.no_grad(), left_as_found(watched):
        watched(images[:1].clone())

    def first(name: str) -> int:
        while name not in called:
            name = name.rpartition(".")[0]
        return called[name]

    return tuple(sorted(names, key=first)[::-1])


def randomise_layer(layer: nn.Module, how: str, *, seed: int, number: int, name: str) -> None:
    """Give one module other parameters, in place.

    Parameters
    ----------
    layer
        The module; modules inside it keep theirs.
    how
        ``"reset"`` or ``"permute"``.
    seed, number
        What the parameters depend on: the seed, and the layer's number.
    name
        Its name, for errors.

    Raises
    ------
    ConfigError
        If it has no ``reset_parameters`` of its own.
    """
    if how == "permute":
        with torch.no_grad():
            for source, parameter in enumerate(layer.parameters(recurse=False)):
                drawn = torch.from_numpy(uniforms(seed, number, (parameter.numel(),), source=source))
                order = drawn.argsort(stable=True).to(parameter.device)
                parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
        return
    reset = getattr(layer, "reset_parameters", None)
    if reset is None:
        raise ConfigError(
            f"The layer {name!r} ({type(layer).__name__}) has no reset_parameters: how='permute' shuffles its own."
        )
    with torch.random.fork_rng(devices=gpus_of(layer)):
        seed_generators(int(uniforms(seed, number, ())[()] * 2**53), layer)
        reset()


def _note(called: dict[str, int], name: str, *_: Any) -> None:
    called.setdefault(name, len(called))


def _one_class(classes: Tensor | None) -> Tensor:
    if classes is None:
        raise ConfigError("The target must be one class for each image: None, a class, or one class per image.")
    return classes


def _checked_similarities(names: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in SIMILARITIES]
    if isinstance(names, str) or unknown or not names:
        raise ConfigError(f"similarities={names!r} is not allowed: give some of {', '.join(SIMILARITIES)}.")
    return tuple(names)
