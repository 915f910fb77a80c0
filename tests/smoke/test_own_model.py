"""The workflow on a network of a user's own: a Python file, weights, a folder of pictures, names of classes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import h5py
import own_model
import pandas as pd
import pytest
from figures.sidecars import check_sidecar
from workflow_runs import Finished, has_latex, jobs_in, run, snapshot

from nn_interpretability.storage.verify import verify

pytestmark = pytest.mark.smoke
TARGETS = ("--", "figures", "metrics", "manifest", "report_html", *(["report_pdf"] if has_latex() else []))


class Own(Finished):
    """A run of that configuration."""

    @property
    def results(self) -> Path:
        return self.folder / "results-own"

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        mine = self.folder / "mine.yaml"
        return run(self.folder, "--replace-workflow-config", *arguments, checkout=self.checkout, configs=(mine,))

    def plan(self) -> dict[str, int]:
        told = self.call("--dry-run", *TARGETS)
        assert told.returncode == 0, told.stderr + told.stdout
        return jobs_in(told.stdout)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    folder = tmp_path_factory.mktemp("own")
    own_model.write(folder, own_model.make(folder))
    found = Own(folder, snapshot(tmp_path_factory.mktemp("checkout")), "")
    told = found.call(*TARGETS)
    assert told.returncode == 0, told.stderr
    return found


def test_everything_but_what_the_study_alone_has_is_there(own: Own) -> None:
    config = own_model.configuration(own.folder)
    there = {path.relative_to(own.results).as_posix() for path in own.results.rglob("*") if path.is_file()}
    wanted = {"models/mine/weights.safetensors", "models/mine/card.json", "probes/mine.h5", "metrics.csv"}
    wanted |= {"manifest.json", "report/report.zip", "dreams/mine_dream.h5", "syntheses/mine_am.h5"}
    wanted |= {f"attributions/{name}.h5" for name in config["attributions"]}
    wanted |= {f"pass_attributions/{name}.h5" for name in config["pass_attributions"]}
    wanted |= {f"figures/{name}.{kind}" for name in config["figures"] for kind in ("pdf", "png", "json")}
    wanted |= {"report/report.pdf"} if has_latex() else set()
    assert wanted <= there
    assert not any(name.startswith("data/") for name in there)  # no digit was looked at
    assert verify(own.results) == []


def test_the_card_says_what_it_is_and_where_from(own: Own) -> None:
    card = json.loads((own.results / "models/mine/card.json").read_text(encoding="utf-8"))
    assert card["parameters"] == 3 * 6 * 25 + 6 + 6 * 8 * 9 + 8 + 8 * 3 + 3
    assert card["recipe"]["imported"]["file"].endswith("my stüff/my model.py")
    assert card["test"]["n"] == 8
    assert (card["seed"], card["validation"]) == (None, {})


def test_figures_say_names_of_classes_and_every_number(own: Own) -> None:
    figures = own.results / "figures"
    for data in figures.glob("data/*.h5"):
        check_sidecar(data, figures / f"{data.stem}.json")
    for name in ("my_maps", "my_cam", "my_uncertainty"):
        sidecar = json.loads((figures / f"{name}.json").read_text(encoding="utf-8"))
        assert sidecar["numbers"]["classes"] == own_model.CLASSES
    words = json.loads((figures / "my_syntheses.json").read_text(encoding="utf-8"))["drawn"]["words"]
    assert [word.partition(": ")[0] for word in words if ": " in word] == own_model.CLASSES


def test_pictures_are_shown_in_their_colours_and_explained_as_the_model_sees_them(own: Own) -> None:
    with h5py.File(own.results / "probes/mine.h5") as probe:
        seen = probe["images"][0]
        assert probe["labels"][:].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    with h5py.File(own.results / "figures/data/my_maps.h5") as figure:
        shown = figure["pictures"][0]
    assert seen.min() < -1
    assert shown[:, 10, 15] == pytest.approx([250 / 255, 40 / 255, 30 / 255], abs=0.02)


def test_measurements_are_of_the_model(own: Own) -> None:
    table = pd.read_csv(own.results / "metrics.csv")
    assert set(table.model) == {"mine"}
    assert {"test.accuracy", "score", "gini"} <= set(table.metric)
    assert "ink_share" not in set(table.metric)
    lrp = table[(table.method == "lrp") & (table.metric == "completeness_error")]
    assert len(lrp) == 8


def test_a_second_run_has_nothing_to_do_and_an_edit_of_the_file_reruns_what_builds_it(own: Own) -> None:
    assert own.plan() == {}
    code = own.folder / "my stüff" / "my model.py"
    before = code.read_text(encoding="utf-8")
    try:
        code.write_text(before.replace("A small network", "A comment on a network"), encoding="utf-8")
        assert own.plan() == {}
        code.write_text(before.replace("maps.mean(dim=(2, 3))", "maps.amax(dim=(2, 3))"), encoding="utf-8")
        planned = own.plan()
    finally:
        code.write_text(before, encoding="utf-8")
    assert {"import_model", "attribute_mine_lrp", "draw_passes_mine_0_20", "synthesize_mine_pixels"} <= planned.keys()
    assert {"activation_views", "prepare_dream", "dream", "figure_data_mine", "manifest"} <= planned.keys()
    assert "select_pictures" not in planned
