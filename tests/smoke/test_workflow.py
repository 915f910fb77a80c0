"""The small run, from the embedded digits to the report, and what becomes of it when something goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from figures.sidecars import check_sidecar
from smoke import reference
from workflow_runs import (
    REPOSITORY,
    RESULTS,
    STUDY,
    Finished,
    attribution_jobs,
    command,
    drawing_jobs,
    environment,
    everything,
    has_latex,
    planned,
    run,
    snapshot,
)

from nn_interpretability.comparison import compare_results
from nn_interpretability.storage.lock import RunLock
from nn_interpretability.storage.verify import verify

pytestmark = pytest.mark.smoke
CONFIG = yaml.safe_load((REPOSITORY / STUDY).read_text(encoding="utf-8"))


#: The lock names its owner; Snakemake's own report says when it was made; the others say how long jobs took.
ZIPPED = {".lock", "report/report.zip", "report/report.zip.sha256"}
CLOCKED = {*ZIPPED, "timings.json", "report/report.pdf"}
CLOCKED |= {f"report/tables/{name}.tex" for name in ("attribution_provenance", "figure_provenance", "jobs")}


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every product below a results folder."""
    skipped = {"logs", "benchmarks", "provenance"}
    files = (path for path in folder.rglob("*") if path.is_file() and not skipped & set(path.relative_to(folder).parts))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def arrays(file: Path) -> dict[str, np.ndarray]:
    """Return every data set of an HDF5 file."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(file) as opened:
        opened.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def assert_same_arrays(one: Path, other: Path) -> None:
    """All HDF5 files below two folders hold the same values, bit for bit."""
    names = {path.relative_to(one) for path in one.rglob("*.h5")}
    assert names == {path.relative_to(other) for path in other.rglob("*.h5")}
    assert names
    for name in names:
        left, right = arrays(one / name), arrays(other / name)
        assert left.keys() == right.keys()
        for key, values in left.items():
            assert values.tobytes() == right[key].tobytes() if values.dtype != object else (values == right[key]).all()


# What a run leaves -------------------------------------------------------------------------------------------------


def test_everything_is_there(finished: Finished) -> None:
    there = digests(finished.results)
    wanted = {"data/digits.h5", "data/digits.json", "probes/digits.h5", "metrics.csv", "numbers.json", "timings.json"}
    wanted |= {f"models/cnn/{name}" for name in ("weights.safetensors", "card.json", "history.csv")}
    wanted |= {f"attributions/{name}.h5" for name in CONFIG["attributions"]}
    wanted |= {f"figures/{name}.{kind}" for name in CONFIG["figures"] for kind in ("pdf", "png", "json")}
    wanted |= {f"figures/data/{name}.h5" for name in CONFIG["figures"]}
    wanted |= {"report/report.zip", "report/numbers.tex", "manifest.json"}
    wanted |= {"report/report.pdf"} if has_latex() else set()
    assert wanted <= there.keys()
    assert {f"{name}.sha256" for name in wanted} <= there.keys()


def test_the_html_report_has_all_categories_and_no_complaints(finished: Finished) -> None:
    with zipfile.ZipFile(finished.results / "report" / "report.zip") as packed:
        page = packed.read("report/report.html").decode("utf-8")
    assert "System Message" not in page  # what docutils writes into a text that it cannot read
    for category in ("Data", "Models", "Measurements", "Claims", "Figures, lrp"):
        assert f'"{category}": {{"Other": ' in page


def test_nothing_is_wrong_with_it(finished: Finished) -> None:
    assert verify(finished.results) == []


def test_it_says_how_far_it_is_and_on_which_data(finished: Finished, tmp_path: Path) -> None:
    lines = finished.words.splitlines()
    (total,) = re.findall(r"^(\d+) jobs to run, 2 at once\.$", finished.words, flags=re.MULTILINE)
    assert int(total) == sum(planned(tmp_path, *everything()).values())
    assert [line for line in lines if line.startswith(f"{total} of {total} jobs done: ")]
    assert re.fullmatch(rf"All {total} jobs done in .*", lines[-1])
    assert any(re.fullmatch(r"\d+ of \d+ jobs done, about .* left: attribute_cnn_lrp, .*", line) for line in lines)
    assert any(line.startswith("prepare_digits warns: digits: the embedded stand-in") for line in lines)
    assert "Traceback" not in finished.words


def test_logs_name_the_device_and_no_job_left_its_progress_behind(finished: Finished) -> None:
    logs = finished.results / "logs"
    assert "device: cpu" in (logs / "train_model" / "cnn.log").read_text(encoding="utf-8")
    assert not list(logs.rglob("*.progress"))


def test_the_manifest_lists_the_products(finished: Finished) -> None:
    products = json.loads((finished.results / "manifest.json").read_text(encoding="utf-8"))["products"]
    there = digests(finished.results)
    assert {name: entry["sha256"] for name, entry in products.items()} == {name: there[name] for name in products}
    assert {"attributions/lrp_0.h5", "figures/fig12.pdf", "metrics.csv"} <= products.keys()


def test_every_sidecar_has_the_numbers_of_its_figure(finished: Finished) -> None:
    figures = finished.results / "figures"
    compared = {data.stem: check_sidecar(data, figures / f"{data.stem}.json") for data in figures.glob("data/*.h5")}
    assert len(compared) > 30
    assert min(compared.values()) >= 2


def test_the_clock_is_in_one_file(finished: Finished) -> None:
    jobs = json.loads((finished.results / "timings.json").read_text(encoding="utf-8"))["jobs"]
    named = {(job["rule"], *job["wildcards"].values()) for job in jobs}
    made = {**attribution_jobs(CONFIG["attributions"]), **drawing_jobs(CONFIG["figures"])}
    assert {("prepare_digits",), ("train_model", "cnn"), *((name,) for name in made)} <= named


def test_the_html_report_opens_without_a_network(finished: Finished) -> None:
    with zipfile.ZipFile(finished.results / "report" / "report.zip") as packed:
        names = packed.namelist()
        page = packed.read("report/report.html").decode("utf-8")
    for wanted in ("fig06.png", "fig12.png", "fig13.png", "metrics.csv", "card.json", "digits.json"):
        assert any(name.endswith(f"/{wanted}") for name in names), wanted
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", page)
    for words in ("Figure 12 of the study", "Measurements", "negative log-likelihood", "scikit-learn"):
        assert words in page, words


def test_arrays_behind_figures_are_those_of_the_reference(
    finished: Finished, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    outcomes = reference.compare(finished.results)
    changed = reference.told(outcomes)
    if request.config.getoption("--regenerate"):
        reference.regenerate(finished.results)
        record_property("said", f"{changed}\nStored in {reference.REFERENCE}.")
    else:
        assert changed == "no array differs", f"{changed}\nIf this is meant: pytest tests/smoke --regenerate"
    assert len(outcomes) > 200


# Running again -----------------------------------------------------------------------------------------------------


def test_a_second_run_has_nothing_to_do(finished: Finished) -> None:
    before = digests(finished.results)
    told = finished.run(*everything())
    assert told.returncode == 0
    assert "Nothing to be done" in told.stderr
    assert digests(finished.results) == before


def test_a_removed_file_is_made_again_with_the_same_bytes(copy: Finished) -> None:
    before = digests(copy.results)
    pages = ["report/report.pdf"] if has_latex() else []
    # The pages first, for what is drawn again has other times, which the pages tell.
    for removed in filter(None, (pages, ["figures/fig06.pdf", "metrics/attributions.csv"])):
        forget(copy, *removed)
        assert copy.run("--", *(f"{RESULTS}/{name}" for name in removed)).returncode == 0
    if pages:  # LaTeX begins with the page numbers of the last run, and so needs no other
        log = (copy.results / "logs" / "report_pdf.latex.log").read_text(encoding="utf-8", errors="replace")
        assert re.findall(r"Run number (\d+) of rule 'pdflatex'", log) == ["1"]
    after = digests(copy.results)
    assert {name: after[name] for name in [*pages, *removed]} == {name: before[name] for name in [*pages, *removed]}
    assert verify(copy.results) == []


def test_the_whole_run_makes_every_missing_file_again(copy: Finished) -> None:
    forget(copy, "attributions/lrp_gamma.h5", "probes/digits.h5", "numbers/data.json", "report/tables/jobs.tex")
    jobs = copy.planned("--", "all")
    assert {"select_probes", "attribute_cnn_lrp", "numbers", "tables"} <= jobs.keys()
    assert "train_model" not in jobs


@pytest.mark.slow
def test_a_run_from_scratch_on_one_core_gives_the_same_bytes(finished: Finished, tmp_path: Path) -> None:
    again = replace(finished, folder=tmp_path / "again")
    again.folder.mkdir()
    told = run(again.folder, *everything(), checkout=again.checkout, cores=1)
    assert told.returncode == 0, told.stderr
    before, after = digests(finished.results), digests(again.results)
    assert before.keys() == after.keys()
    assert len([name for name in before if name.startswith("figures/")]) > 300
    changed = {name.removesuffix(".sha256") for name in before if before[name] != after[name]}
    assert changed <= CLOCKED
    assert compare_results(finished.results, again.results).same

    if has_latex():  # the report tells how long jobs took; with the same times it has the same bytes
        for name in ("timings.json", "timings.json.sha256"):
            shutil.copyfile(finished.results / name, again.results / name)
        assert again.run("--", "report").returncode == 0
        after = digests(again.results)
        assert {name for name in before if before[name] != after[name]} <= ZIPPED


@pytest.fixture
def checkout(finished: Finished, tmp_path: Path) -> Path:
    """Copy the code, to edit it."""
    return snapshot(tmp_path / "checkout", finished.checkout)


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_an_edit_of_a_method_runs_its_jobs_and_what_follows_again(copy: Finished, checkout: Path) -> None:
    method = checkout / "src" / "nn_interpretability" / "methods" / "input_x_gradient.py"
    targets = ("--", "figures", "metrics")
    assert copy.planned(*targets, checkout=checkout) == {}
    edited(method, '"""', '"""Other words. ')
    assert copy.planned(*targets, checkout=checkout) == {}
    edited(method, "class ", "EDITED = True\n\n\nclass ")
    made = {name for name, entry in CONFIG["attributions"].items() if entry["method"] == "input_x_gradient"}
    shown = {
        figure: definition
        for figure, definition in CONFIG["figures"].items()
        if made & {*definition["panels"], *definition.get("published", [])}
    }
    assert 0 < len(made) < len(CONFIG["attributions"])
    assert 0 < len(drawing_jobs(shown)) < len(drawing_jobs(CONFIG["figures"]))
    jobs = copy.planned(*targets, checkout=checkout)
    remade = attribution_jobs({name: CONFIG["attributions"][name] for name in made})
    expected = {"measure_attributions": 1, "collect_metrics": 1, "metrics": 1, "figures": 1}
    expected |= {"toys": 1, "figure_data_toys": 1, "draw_figure_toys": 1}  # every method answers there
    assert jobs == remade | drawing_jobs(shown) | expected


def test_an_edit_of_the_drawing_draws_again_and_computes_nothing(copy: Finished, checkout: Path) -> None:
    style = checkout / "src" / "nn_interpretability" / "plotting" / "style.py"
    edited(style, "\n\n\n", "\n\nEDITED = True\n\n\n")
    jobs = copy.planned("--", "figures", "metrics", checkout=checkout)
    drawn = {name: 1 for name in drawing_jobs(CONFIG["figures"]) if name.startswith("draw_figure")}
    assert jobs == drawn | {"figures": 1}


# Interruptions and damage ------------------------------------------------------------------------------------------


def start(copy: Finished, *targets: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("--", *targets, checkout=copy.checkout), cwd=copy.folder, env=environment(copy.checkout),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def processes_of(script: str, session: int) -> list[int]:
    """Return the processes of one of our runs that execute a script of the workflow."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if os.getsid(int(entry.name)) == session and any(
                    word.endswith(f".{script}.py".encode()) for word in words
                ):
                    found.append((len(words), int(entry.name)))
            except (OSError, ProcessLookupError):
                continue
    return [pid for count, pid in found if count == min(found)[0]]


def wait_for(condition, running: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + 120
    while not condition():
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.02)


def forget(copy: Finished, *names: str) -> None:
    for name in names:
        (copy.results / name).unlink()


MODEL = ("models/cnn/weights.safetensors", "models/cnn/card.json", "models/cnn/history.csv")


def test_a_killed_job_is_named_and_the_same_command_ends_with_the_same_values(
    finished: Finished, copy: Finished
) -> None:
    forget(copy, *MODEL, "attributions/gradient.h5")
    target = f"{RESULTS}/attributions/gradient.h5"
    running = start(copy, target)
    progress = copy.results / "logs" / "train_model" / "cnn.log.progress"
    wait_for(progress.exists, running)
    for pid in processes_of("train_model", running.pid):
        os.kill(pid, signal.SIGKILL)
    words = running.communicate(timeout=60)[1]
    assert running.returncode == 1
    assert "FAILED  train_model cnn: it ended without a word" in words
    assert not (copy.results / MODEL[0]).exists()

    again = copy.run("--", target)
    assert again.returncode == 0, again.stderr
    assert (copy.results / MODEL[0]).read_bytes() == (finished.results / MODEL[0]).read_bytes()
    assert_same_arrays(copy.results, finished.results)


def test_a_killed_run_frees_its_lock_and_the_same_command_ends_with_the_same_values(
    finished: Finished, copy: Finished
) -> None:
    forget(copy, *MODEL, "attributions/lrp_composite.h5")
    target = f"{RESULTS}/attributions/lrp_composite.h5"
    running = start(copy, target)
    wait_for((copy.results / "logs" / "train_model" / "cnn.log.progress").exists, running)
    for pid in processes_of("train_model", running.pid):
        os.kill(pid, signal.SIGSTOP)  # or it might end before the second run begins

    try:
        second = copy.run("--forcerun", "attribute_cnn_lrp", "--", target)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
    assert second.returncode == 1
    assert "is in use by another run" in second.stderr

    again = copy.run("--", target)
    assert again.returncode == 0, again.stderr
    assert_same_arrays(copy.results, finished.results)
    assert verify(copy.results) == []


def test_a_second_run_is_refused_with_one_sentence_and_touches_nothing(copy: Finished) -> None:
    (copy.results / "figures" / "fig06.png").unlink()
    with RunLock().acquire(copy.results):
        before = digests(copy.results)
        os.environ.pop("NN_INTERPRETABILITY_RUN")  # the second run is nobody's job
        told = copy.run("--", "figures")
        assert digests(copy.results) == before
        assert copy.planned("--", "figures")["draw_figure_backpropagation"] == 1
    assert told.returncode == 1
    said = [line for line in told.stderr.splitlines() if not line.startswith("Using workflow specific profile")]
    assert len(said) == 1, said
    assert f"{RESULTS} is in use by another run (process {os.getpid()}" in said[0]


def test_a_truncated_product_is_named_set_aside_and_made_again(finished: Finished, copy: Finished) -> None:
    probe = copy.results / "probes" / "digits.h5"
    whole, clock = probe.read_bytes(), probe.stat()
    probe.write_bytes(whole[: len(whole) // 2])
    os.utime(probe, ns=(clock.st_atime_ns, clock.st_mtime_ns))  # as a bad disk would leave it
    forget(copy, "attributions/gradient.h5")

    target = f"{RESULTS}/attributions/gradient.h5"
    told = copy.run("--", target)
    assert told.returncode == 1
    assert f"FAILED  attribute_cnn_gradient: {RESULTS}/probes/digits.h5 is damaged or was changed" in told.stderr
    assert "renamed to digits.h5.broken" in told.stderr
    assert "Traceback" not in told.stderr
    assert probe.with_name("digits.h5.broken").read_bytes() == whole[: len(whole) // 2]

    again = copy.run("--", target)
    assert again.returncode == 0, again.stderr
    assert_same_arrays(copy.results, finished.results)
