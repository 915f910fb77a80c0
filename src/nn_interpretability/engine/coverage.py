"""Which operations of a model had a rule, and which were passed by the plain gradient for want of one."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from nn_interpretability.errors import CoverageError, CoverageWarning


@dataclass
class Coverage:
    """The coverage log of one call.

    Attributes
    ----------
    ruled
        Operations that a rule of the method handled, with how often.
    passed
        Operations for which the plain gradient is the method's own answer (sums, reshapes, ReLU, ...).
    uncovered
        Operations for which the method defines nothing; the plain gradient was used, which may be wrong.
    negative_inputs
        Layers with negative inputs whose rule is for inputs >= 0.
    """

    ruled: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    uncovered: Counter[str] = field(default_factory=Counter)
    negative_inputs: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether every operation had a rule."""
        return not self.uncovered

    def require(self, method: str) -> None:
        """Make sure that every operation had a rule.

        Raises
        ------
        CoverageError
            Naming the operations without one.
        """
        if not self.complete:
            raise CoverageError(
                f"{_complaint(method, self.uncovered)} Leave out strict=True to use the plain gradient."
            )

    def describe(self) -> dict[str, Any]:
        """Plain dictionaries, for metadata; layers with negative inputs only where there are any."""
        names = ("ruled", "passed", "uncovered", *(("negative_inputs",) if self.negative_inputs else ()))
        return {name: dict(sorted(getattr(self, name).items())) for name in names}


def warn_of_uncovered(method: str, uncovered: Mapping[str, int], *, stacklevel: int) -> None:
    """Warn about the operations without a rule, if there are any; ``stacklevel`` as in :func:`warnings.warn`."""
    if uncovered:
        message = f"{_complaint(method, uncovered)} The plain gradient was used there."
        warnings.warn(message, CoverageWarning, stacklevel=stacklevel + 1)


def _complaint(method: str, uncovered: Mapping[str, int]) -> str:
    named = ", ".join(f"{name} ({count}x)" for name, count in sorted(uncovered.items()))
    return f"{method} has no rule for these operations of the model: {named}."


class GraphWitness:
    """Finds operations that no torch function call accounts for.

    Scripted modules and custom autograd functions do their work out of sight of a ``TorchFunctionMode``, but they
    leave nodes in the autograd graph. Every call that *was* seen marks the nodes between its result and its
    inputs; what is unmarked in the end was not seen.
    """

    def __init__(self) -> None:
        self._seen: set[Any] = set()  # holding the nodes keeps their identity stable
        self._unseen: set[Any] = set()

    def mark_input(self, leaves: Iterable[Tensor]) -> None:
        """Nodes up to here belong to the engine itself."""
        for leaf in leaves:
            self._seen.update(_ancestors(leaf.grad_fn, self._seen))

    def mark(self, results: Iterable[Tensor], inputs: Iterable[Any]) -> None:
        """Account for one call: ``inputs`` are the grad_fn of its inputs, taken before the call."""
        for node in inputs:
            self._find_unseen(node)
        for result in results:
            self._seen.update(_ancestors(result.grad_fn, self._seen))

    def unseen(self, output: Tensor) -> Counter[str]:
        """Names of the nodes below ``output`` that no seen call made."""
        self._find_unseen(output.grad_fn)
        return Counter(node.name() for node in self._unseen)

    def _find_unseen(self, node: Any) -> None:
        for found in _ancestors(node, self._seen):
            self._seen.add(found)
            if "AccumulateGrad" not in found.name():
                self._unseen.add(found)


def _ancestors(node: Any, stop: set[Any]) -> set[Any]:
    """The node and those it leads back to, not passing beyond nodes in ``stop``."""
    stack, visited = [node], set[Any]()
    while stack:
        current = stack.pop()
        if current is None or current in stop or current in visited:
            continue
        visited.add(current)
        stack.extend(parent for parent, _ in current.next_functions)
    return visited
