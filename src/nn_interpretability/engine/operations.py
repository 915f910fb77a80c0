"""What an intercepted torch function is, for the purposes of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from nn_interpretability.engine.convolution import convolved


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


LINEAR = _names("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d")

# Piecewise linear through zero: the derivative is the secant, so relevance passes by the plain gradient.
HOMOGENEOUS_ACTIVATIONS = _names("relu leaky_relu prelu rrelu")

SMOOTH_ACTIVATIONS = _names(
    """celu elu gelu hardshrink hardsigmoid hardswish hardtanh logsigmoid log_sigmoid mish relu6 selu sigmoid silu
    softplus softshrink softsign tanh tanhshrink threshold clamp clip"""
)

# Other elementwise functions of one tensor.
FUNCTIONS = _names(
    """abs absolute exp exp2 expm1 log log1p log2 log10 sqrt rsqrt square pow sin cos sinh cosh asinh atan arctan erf
    reciprocal"""
)

# Never decreasing (given settings that are not negative), so that they commute with max-pooling.
MONOTONE_ACTIVATIONS = _names(
    """relu relu6 hardtanh clamp clip sigmoid tanh softplus selu hardsigmoid logsigmoid log_sigmoid softsign
    leaky_relu elu celu"""
)

MAX_POOL = frozenset(
    f"{prefix}max_pool{dimension}d{suffix}"
    for prefix in ("", "adaptive_")
    for dimension in (1, 2, 3)
    for suffix in ("", "_with_indices")
)

BATCH_NORM = _names("batch_norm")

# Linear in their input without weights of their own (or linear for given masks and switches): input times gradient
# is conserved, which is the proportional redistribution of LRP-0.
TRANSPARENT = _names(
    """add iadd radd sub isub rsub subtract neg negative cat concat concatenate stack hstack vstack sum mean
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    view reshape flatten unflatten permute transpose t movedim moveaxis swapaxes squeeze unsqueeze expand expand_as
    contiguous clone to float double half bfloat16 type type_as cpu cuda get getitem narrow select index_select
    chunk split tensor_split unbind unfold roll flip repeat repeat_interleave tile view_as reshape_as
    pad constant_pad_nd pixel_shuffle pixel_unshuffle channel_shuffle interpolate upsample identity
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout copy"""
)

# Among these: what adds, what averages, what can move the batch axis, and what may drop values at random.
SUMS = _names("add iadd radd sub isub rsub subtract")
AVERAGES = _names(
    """sum mean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    interpolate upsample"""
)
REORDERING = _names("permute transpose t movedim moveaxis swapaxes get")  # get: the attribute .T
DROPOUT = _names("dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout")

# Linear as long as only one operand depends on the input; of the quotient x / y only x may.
PRODUCTS = _names("mul imul rmul multiply")
QUOTIENTS = _names("div idiv truediv itruediv divide rtruediv rdiv")

# With one operand that depends on the input these are linear layers, but not in the form that rules take.
MATRIX_PRODUCTS = _names("matmul rmatmul mm bmm addmm einsum bilinear")
CONTRACTIONS = MATRIX_PRODUCTS - {"addmm", "bilinear"}  # the ones that add nothing

JOINING = _names("cat concat concatenate stack hstack vstack")  # several tensors, each value handed on as it is

# Monotone in each value, so that bounds can be followed: values are scaled, shifted, moved, joined or averaged.
MONOTONE = (TRANSPARENT | BATCH_NORM | _names("mul imul rmul multiply div idiv truediv itruediv divide")) - _names(
    """sum mean interpolate upsample copy
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout"""
)


def function_name(function: Callable[..., Any]) -> str:
    """The bare name of a torch function: ``Tensor.__iadd__`` and ``add_`` become ``iadd`` and ``add``."""
    return str(getattr(function, "__name__", type(function).__name__)).strip("_")


def writes_in_place(function: Callable[..., Any]) -> bool:
    """Whether a torch function is meant to write into its first argument, by its name: ``add_``, ``__iadd__``."""
    name = str(getattr(function, "__name__", ""))
    return name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in (nested) arguments or results of a torch function."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


def depends_on_input(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors that depend on the explained input.

    While the engine runs, no parameter asks for gradients, so asking for gradients *is* that dependence.
    """
    return [tensor for tensor in tensors if tensor.requires_grad]


@dataclass(frozen=True)
class LinearOperation:
    """A convolution, a transposed convolution or a linear layer, with its settings bound.

    Attributes
    ----------
    layer
        Dotted module name, found by the identity of the weight; else the name of the function with a number.
    kind
        Name of the torch function, for example ``"conv2d"``.
    input, weight, bias
        The tensors of this call. Weight and bias do not depend on the explained input.
    index
        Position among the weight layers in order of execution, from 0.
    """

    layer: str
    kind: str
    function: Callable[..., Tensor]
    input: Tensor
    weight: Tensor
    bias: Tensor | None
    settings: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    index: int = 0

    def apply(self, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The same operation on other values, with another weight and bias."""
        if self.kind == "conv2d":
            named = dict(zip(("stride", "padding", "dilation", "groups"), self.settings, strict=False))
            return convolved(values, weight, bias, {**named, **self.options})
        return self.function(values, weight, bias, *self.settings, **self.options)

    @property
    def output_axis(self) -> int:
        """The axis of the output that counts channels or features (after the batch axis, or last)."""
        return -1 if self.kind == "linear" else 1

    @property
    def joining_axes(self) -> tuple[int, int] | None:
        """The axes of input and weight along which the operation is a sum; None where it is one for each group."""
        if self.kind == "linear":
            return -1, 1
        groups = self.options.get("groups", self.settings[3] if len(self.settings) > 3 else 1)
        if groups != 1:
            return None
        return 1, 0 if self.kind.startswith("conv_transpose") else 1

    def along_output(self, vector: Tensor, output: Tensor) -> Tensor:
        """Shape a vector of one value per output feature so that it broadcasts against ``output``."""
        if self.kind == "linear":
            return vector
        return vector.reshape(1, -1, *([1] * (output.dim() - 2)))


def bind_linear(
    function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Tensor, Tensor, Tensor | None, tuple[Any, ...], dict[str, Any]] | None:
    """Split the arguments of a linear function into input, weight, bias and settings.

    Returns None where the call is not linear in its first argument alone (a weight that itself depends on the
    explained input), or has no batch axis.
    """
    options = dict(kwargs)
    names = ("input", "weight", "bias")
    bound = [args[i] if i < len(args) else options.pop(name, None) for i, name in enumerate(names)]
    values, weight, bias = bound
    if not isinstance(values, Tensor) or not isinstance(weight, Tensor):
        return None
    if depends_on_input(t for t in (weight, bias) if isinstance(t, Tensor)) or not values.requires_grad:
        return None
    unbatched = weight.dim() if function_name(function) != "linear" else 2
    if values.dim() < unbatched:
        return None
    return values, weight, bias, tuple(args[3:]), options


def linear_in_input(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a product, a quotient or a matrix product is linear in what depends on the explained input.

    It is where one operand alone depends on the input, and is not what is divided by.
    """
    if len(depends_on_input(tensors_in((args, kwargs)))) > 1:
        return False
    if name not in QUOTIENTS:
        return True
    divisor = args[1] if len(args) > 1 else kwargs.get("other")
    return not name.startswith("r") and not (isinstance(divisor, Tensor) and divisor.requires_grad)


def replace_input(
    args: tuple[Any, ...], kwargs: dict[str, Any], values: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same arguments with another first tensor."""
    if args:
        return (values, *args[1:]), kwargs
    return args, {**kwargs, "input": values}


def first_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The tensor that an elementwise or pooling function works on."""
    value = args[0] if args else kwargs.get("input")
    return value if isinstance(value, Tensor) else None


def changed_in_place(value: Tensor, version: int) -> bool:
    """Whether somebody wrote into ``value`` since its version counter stood at ``version``."""
    return bool(value._version != version)
