"""Every rule says the same things in the same way, and scripts stay thin."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from workflow_runs import REPOSITORY


def rules_in(text: str) -> dict[str, str]:
    """Return the rules of a file by name; those made in a loop by what their names have in common."""
    plain = re.findall(r"^rule (\w+):\n((?:    .*\n|\n(?=    ))+)", text, flags=re.MULTILINE)
    inner = re.findall(r"^    rule ?(\w*):\n((?:        .*\n|\n(?=        ))+)", text, flags=re.MULTILINE)
    inner = [(name or _common_name(body), textwrap.indent(textwrap.dedent(body), "    ")) for name, body in inner]
    return dict(plain) | dict(inner)


def _common_name(body: str) -> str:
    found = re.match(r'        name:\n            f"([a-z_]+)_\{', body)
    assert found is not None
    return found.group(1)


RULES = {
    name: body
    for file in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
    for name, body in rules_in(file.read_text(encoding="utf-8")).items()
}
JOBS = {name: text for name, text in RULES.items() if "    output:" in text}
SCRIPTS = {path.stem: path for path in sorted((REPOSITORY / "scripts").glob("*.py"))}


def test_every_rule_that_makes_something_has_a_script_of_its_name() -> None:
    assert SCRIPTS.keys() == JOBS.keys()
    assert len(JOBS) >= 15


@pytest.mark.parametrize("rule", JOBS)
def test_a_rule_has_log_benchmark_threads_environment_code_and_script(rule: str) -> None:
    text = JOBS[rule]
    assert f'"<logs>/{rule}' in text
    assert f'"<benchmarks>/{rule}' in text
    assert "    threads: 1\n" in text
    assert "        code=" in text
    assert f'        "../../scripts/{rule}.py"\n' in text
    environment = re.search(r'conda:\n        "../../(envs/\w+\.yaml)"', text)
    assert environment is not None
    assert (REPOSITORY / environment.group(1)).is_file()


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_is_thin_and_reads_no_configuration(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    assert "snakemake.config" not in text
    assert "with job(snakemake) as this:" in text
    assert text.startswith('"""')


def test_rules_without_a_job_only_name_a_target() -> None:
    targets = {"models", "generators", "attributions", "syntheses", "passes", "metrics", "figures", "report"}
    targets |= {"claims", "replication"}
    assert RULES.keys() - JOBS.keys() == targets


def test_the_snakefile_is_a_table_of_contents() -> None:
    lines = (REPOSITORY / "workflow" / "Snakefile").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert (REPOSITORY / "Snakefile").read_text(encoding="utf-8").startswith('include: "workflow/Snakefile"\n')


def test_what_must_not_make_jobs_run_again_is_no_parameter() -> None:
    parameters = [re.search(r"    params:\n((?:        .*\n)+)", text) for text in JOBS.values()]
    for found in filter(None, parameters):
        assert not re.search(r"device|gpu|threads|terminal", found.group(1))
