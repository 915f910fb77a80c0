from __future__ import annotations

import pytest

from nn_interpretability.reporting.names import figure_title


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("fig12", "Figure 12 of the study"),
        ("fig06", "Figure 6 of the study"),
        ("fig08_conv1", "Figure 8 of the study: conv1"),
        ("six_modes", "six modes"),
        ("figures", "figures"),
    ],
)
def test_figures_are_called_by_their_number(name: str, title: str) -> None:
    assert figure_title(name) == title
