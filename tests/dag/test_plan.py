"""What the workflow would do is known from the configuration alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import pytest
import yaml
from workflow_runs import REPOSITORY, STUDY, attribution_jobs, drawing_jobs, pass_jobs, planned, run

from nn_interpretability.config.claims import claim_groups, replicas

CONFIG = yaml.safe_load((REPOSITORY / STUDY).read_text(encoding="utf-8"))


@pytest.fixture
def config(tmp_path: Path):
    """Write a configuration beside the study's."""

    def write(**content: object) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, int]]:
    """Return what a call would run in an empty folder, asked once for the same words."""
    folder = tmp_path_factory.mktemp("plan")
    return cache(partial(planned, folder))


def test_the_jobs_of_the_study(plan) -> None:
    assert plan(configs=(STUDY,)) == {
        **attribution_jobs(CONFIG["attributions"]),
        **drawing_jobs(CONFIG["figures"]),
        **pass_jobs(CONFIG),
        "prepare_digits": 1,
        "select_probes": len(CONFIG["probes"]),
        "train_model": len(CONFIG["models"]) + len(replicas(CONFIG)),
        **{f"measure_claims_{group}": 1 for group in claim_groups(CONFIG)},
        "decide_claims": 1,
        "train_generator": len(CONFIG["generators"]),
        "sample_generators": 1,
        "synthesize_cnn_pixels": 1,
        "synthesize_cnn_generative": 1,
        "prepare_dream": 1,
        "dream": len(CONFIG["dreams"]),
        "activation_views": len(CONFIG["activation_views"]),
        "measure_evidence": len(CONFIG["evidence"]),
        "calibrate": len(CONFIG["calibrations"]),
        "toys": len(CONFIG["toys"]),
        "reproduce_published": 3,
        "replicate_published": 1,
        "measure_attributions": 1,
        "measure_models": 1,
        "collect_metrics": 1,
        "numbers": 1,
        "timings": 1,
        "tables": 1,
        "report_pdf": 1,
        "report_html": 1,
        "manifest": 1,
        "study": 1,
    }


def test_the_small_run_has_every_rule_and_few_jobs(plan) -> None:
    jobs = plan()
    with_chunks = {name for name in jobs if re.search(r"_\d+_\d+$", name)}
    whole_study = plan(configs=(STUDY,))
    assert jobs.keys() - with_chunks == whole_study.keys() - pass_jobs(CONFIG).keys() | merges(jobs)
    assert {re.sub(r"_\d+_\d+$", "", name) for name in with_chunks} | merges(jobs) == {
        re.sub(r"_\d+_\d+$", "", name) for name in pass_jobs(CONFIG)
    }
    assert sum(jobs.values()) <= 112


def merges(jobs: Mapping[str, int]) -> set[str]:
    return {name for name in jobs if name.startswith("merge_passes_")}


def test_more_passes_are_more_chunks(tmp_path: Path, config) -> None:
    before = planned(tmp_path, "--", "passes", configs=(STUDY,))
    mine = config(passes={"turning_dropout": {"passes": 1700}})
    after = planned(tmp_path, "--", "passes", configs=(STUDY, mine))
    jobs = ("draw_passes_dropout_cnn", "attribute_chunk_dropout_cnn_lrp", "attribute_chunk_dropout_cnn_lrp_functions")
    new = {f"{job}_{chunk}" for job in jobs for chunk in ("1000_1500", "1500_1700")}
    assert after == {**before, **dict.fromkeys(new, 1)}


def test_an_attribution_of_another_model_is_one_job_more(tmp_path: Path, config, plan) -> None:
    before = plan("metrics", configs=(STUDY,))
    mine = config(attributions={"mine": {"method": "gradient"}})
    assert planned(tmp_path, "metrics", configs=(STUDY, mine)) == before
    mine = config(attributions={"mine": {"method": "gradient", "model": "cam_3x3"}})
    assert planned(tmp_path, "metrics", configs=(STUDY, mine)) == {**before, "attribute_cam_3x3_gradient": 1}


def test_a_short_configuration_is_enough(tmp_path: Path, config) -> None:
    mine = config(attributions={"mine": {"method": "gradient"}})
    jobs = planned(tmp_path, "attributions", configs=(mine,))
    assert jobs == {
        "prepare_digits": 1,
        "select_probes": 1,
        "train_model": 1,
        "attribute_cnn_gradient": 1,
        "attributions": 1,
    }


@pytest.mark.parametrize(
    ("target", "last", "not_needed"),
    [
        ("models", "train_model", {"attribute_cnn_lrp", "draw_figure_lrp"}),
        ("attributions", "attribute_cnn_lrp", {"measure_attributions", "draw_figure_lrp"}),
        ("metrics", "collect_metrics", {"draw_figure_lrp", "report_pdf"}),
        ("figures", "draw_figure_lrp", {"collect_metrics", "report_pdf"}),
        ("numbers", "numbers", {"collect_metrics", "draw_figure_lrp", "report_pdf"}),
        ("report", "report_pdf", {"manifest"}),
        ("report_html", "report_html", {"report_pdf", "manifest"}),
        ("all", "manifest", set()),
    ],
)
def test_named_targets_stop_where_they_say(plan, target: str, last: str, not_needed: set[str]) -> None:
    jobs = plan("--", target) if target != "all" else plan()
    assert last in jobs
    assert not not_needed & jobs.keys()


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    planned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".snakemake"]


def test_planning_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch was imported')", encoding="utf-8")
    path = f"{tmp_path}{os.pathsep}{REPOSITORY / 'src'}"
    told = run(tmp_path, "--dry-run", PYTHONPATH=path)
    assert told.returncode == 0, told.stderr


def test_gpu_rules_ask_for_one_where_there_is_one(tmp_path: Path, plan) -> None:
    def asked(*arguments: str, pretended: str) -> set[str]:
        told = run(tmp_path, "--dry-run", *arguments, NN_INTERPRETABILITY_PRETEND_GPU=pretended).stdout
        rules, rule = set(), ""
        for line in told.splitlines():
            rule = line.split()[-1].rstrip(":") if line.startswith(("rule ", "localrule ")) else rule
            rules |= {rule} if "gpu=1" in line else set()
        return rules

    assert asked(pretended="0") == set()
    on_gpu = {"train_model", "train_generator", "sample_generators", "dream", *attribution_jobs(CONFIG["attributions"])}
    on_gpu |= {"synthesize_cnn_pixels", "synthesize_cnn_generative", "reproduce_published"}
    on_gpu |= {f"measure_claims_{group}" for group in claim_groups(CONFIG)}
    on_gpu |= {name for name in plan() if name.startswith(("draw_passes_", "attribute_chunk_"))}
    assert asked(pretended="1") == on_gpu
    assert asked("--config", "device=cpu", pretended="1") == set()
    assert asked("--config", "device=cuda", pretended="0") == on_gpu


def test_the_example_of_a_study_of_ones_own_works(tmp_path: Path) -> None:
    example = "workflow/configs/my_model.example.yaml"
    jobs = planned(tmp_path, "--replace-workflow-config", "--", "attributions", "metrics", configs=(example,))
    assert jobs["import_model"] == jobs["select_pictures"] == 1
    assert not {"train_model", "select_probes", "prepare_digits"} & jobs.keys()
    theirs = {name for name in jobs if name.startswith("attribute_")}
    assert theirs == {"attribute_mine_gradient", "attribute_mine_lrp", "attribute_mine_deeplift"}
    jobs = planned(tmp_path, "--replace-workflow-config", "--", "report", configs=(example,))
    assert jobs["report_pdf"] == 1  # of what it computes: the text leaves the rest out
