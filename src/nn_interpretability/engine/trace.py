"""The conservation trace: where relevance went, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

PARTS = ("received", "sent", "bias", "stabilizer", "blocked")


@dataclass(frozen=True)
class ConservationTrace:
    r"""What became of the relevance that each layer received.

    For every layer, up to rounding,

    .. math:: \text{received} = \text{sent} + \text{bias} + \text{stabilizer} + \text{blocked}.

    Attributes
    ----------
    layers, rules
        Names of the layers in order of execution, and of the rule that each used.
    received
        Sum of the relevance at the layer's output; float64, shape ``(layers, samples)``, or
        ``(layers, samples, targets)`` when all targets were explained at once. In units of the explained score.
    sent
        Sum of the relevance that the layer passed to its input.
    bias
        Relevance absorbed by the bias.
    stabilizer
        Relevance absorbed by what was added to the denominator.
    blocked
        Relevance that reached units without any contribution to send it to (dead or blank windows).
    unaccounted
        Score minus the relevance of the input minus everything absorbed in a layer, shape as one layer's entry: what
        operations outside the list took (a constant added between layers, an operation without a rule).
    """

    layers: tuple[str, ...]
    rules: tuple[str, ...]
    received: Tensor
    sent: Tensor
    bias: Tensor
    stabilizer: Tensor
    blocked: Tensor
    unaccounted: Tensor

    @property
    def absorbed(self) -> Tensor:
        """All that a layer did not pass on, shape as ``received``."""
        return self.bias + self.stabilizer + self.blocked


@dataclass
class TraceRecorder:
    """Collects sums while relevance flows back; one column for each backward pass."""

    samples: int
    layers: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    _columns: list[dict[int, dict[str, Tensor]]] = field(default_factory=list)

    def enter(self, layer: str) -> int:
        """Reserve a row; a layer that is used again gets a row of its own."""
        self.layers.append(layer)
        self.rules.append("")
        return len(self.layers) - 1

    def next_target(self) -> None:
        """A new backward pass begins."""
        self._columns.append({})

    def record(self, row: int, rule: str, **parts: Tensor) -> None:
        """Store the parts of one layer: each a tensor whose first axis counts samples (times positions)."""
        self.rules[row] = rule
        column = self._columns[-1].setdefault(row, {})
        for name, value in parts.items():
            column[name] = column.get(name, 0.0) + self._per_sample(value)

    def _per_sample(self, value: Tensor) -> Tensor:
        """Sum in float64 over everything but samples."""
        return value.detach().to(torch.float64).reshape(self.samples, -1).sum(dim=1).cpu()

    def finish(self, score: Tensor, remaining: Tensor, *, stacked: bool) -> ConservationTrace:
        """The trace of all backward passes; rows that no relevance reached are left out.

        Parameters
        ----------
        score, remaining
            Explained score and sum of the relevance of the input; shape ``(targets, samples)``.
        stacked
            Whether to keep an axis for targets, at the end.
        """
        rows = [row for row in range(len(self.layers)) if any(row in column for column in self._columns)]
        zero = torch.zeros(self.samples, dtype=torch.float64, device="cpu")
        parts = {part: self._table(part, rows, zero, stacked) for part in PARTS}
        absorbed = (parts["bias"] + parts["stabilizer"] + parts["blocked"]).sum(dim=0)
        gap = (score - remaining).to(torch.float64).cpu()
        return ConservationTrace(
            layers=_numbered([self.layers[row] for row in rows]),
            rules=tuple(self.rules[row] for row in rows),
            unaccounted=(gap.T if stacked else gap[0]) - absorbed,
            **parts,
        )

    def _table(self, part: str, rows: Sequence[int], zero: Tensor, stacked: bool) -> Tensor:
        columns = [[column.get(row, {}).get(part, zero) for column in self._columns] for row in rows]
        if not rows:
            shape = (0, self.samples, len(self._columns)) if stacked else (0, self.samples)
            return torch.zeros(shape, dtype=torch.float64, device="cpu")
        table = torch.stack([torch.stack(column, dim=-1) for column in columns])
        return table if stacked else table[..., 0]


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Tell the uses of one layer apart: ``conv``, ``conv#2``, ``conv#3``."""
    uses: Counter[str] = Counter()
    numbered = []
    for name in names:
        uses[name] += 1
        numbered.append(name if uses[name] == 1 else f"{name}#{uses[name]}")
    return tuple(numbered)
