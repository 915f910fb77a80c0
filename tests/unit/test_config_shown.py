from __future__ import annotations

import pytest

from nn_interpretability.config import shown
from nn_interpretability.config.schema import config_schema
from nn_interpretability.config.validate import problems_of

CONFIG = {"results": "out", "attributions": {"mine": {"method": "gradient"}}}


def test_a_name_leads_to_the_file_of_its_entry() -> None:
    assert shown.file_of(CONFIG, "mine") == "out/attributions/mine.h5"


def test_every_section_that_figures_show_is_one_of_the_configuration() -> None:
    assert shown.SHOWN.keys() <= config_schema()["properties"].keys()


def test_a_name_that_stands_twice_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shown.SHOWN, "models", "models/{name}")
    (problem,) = problems_of({"attributions": {"cnn": {"method": "gradient"}}})
    assert str(problem).startswith("  models.cnn: is the name of an entry under attributions and under models")
