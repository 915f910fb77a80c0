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


def test_a_figure_is_looked_for_by_method_network_and_pictures() -> None:
    config = {
        **{section: {} for section in shown.SHOWN},
        "attributions": {"a": {"method": "lrp", "model": "cnn", "probe": "digits"}},
        "passes": {"drawn": {"model": "dropout_cnn", "probe": "turning"}},
        "pass_attributions": {"p": {"method": "deeplift", "passes": "drawn"}},
        "generators": {"gan": {}},
        "figures": {"one": {"panels": ["a"], "published": ["p"]}, "two": {"panels": ["gan"], "published": []}},
    }
    assert shown.labels_of(config, "one") == {
        "method": "lrp, deeplift",
        "model": "cnn, dropout_cnn",
        "data": "digits, turning",
    }
    assert shown.labels_of(config, "two") == {"method": "samples", "model": "gan", "data": "-"}
