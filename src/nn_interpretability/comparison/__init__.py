"""Two runs side by side: what the arrays behind figures, the pictures, the numbers and the verdicts have in common."""

from nn_interpretability.comparison.results import Comparison, compare_results

__all__ = ["Comparison", "compare_results"]
