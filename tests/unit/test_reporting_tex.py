"""Any words can be typeset, and come out as they went in."""

from __future__ import annotations

import shutil
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_interpretability.errors import DataError
from nn_interpretability.reporting.tex import code, escape, number, write_numbers
from nn_interpretability.storage.product import write_json
from nn_interpretability.study.numbers import entry

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None or shutil.which("pdftotext") is None, reason="needs pdflatex and pdftotext"
)


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        ("50 % of a_b & c#d $5", r"50 \% of a\_b \& c\#d \$5"),
        ("{x}", r"\{x\}"),
        ("a--b", "a-{}-b"),
        ("Müller", r"M\"{u}ller"),
        ("Dvořák", r"Dvo\v{r}\'{a}k"),
        ("ế", r"\'{\^{e}}"),
        ("LRP-ε, zᴮ", r"LRP-\ensuremath{\varepsilon}, z\ensuremath{^{\mathcal{B}}}"),
        ("中", "[U+4E2D]"),
    ],
)
def test_spelling(words: str, spelled: str) -> None:
    assert escape(words) == spelled


@given(st.text())
def test_whatever_comes_the_result_is_plain_ascii_with_balanced_braces(words: str) -> None:
    spelled = escape(words)
    inner = spelled.replace(r"\{", "").replace(r"\}", "")

    assert spelled.isascii()
    assert inner.count("{") == inner.count("}")
    assert not any(character in spelled for character in "\n\r\t")


@needs_latex
def test_special_characters_come_out_of_latex_as_they_went_in(tmp_path: Path) -> None:
    words = "".join(sorted(set(string.punctuation)))
    letters = "äöüßéèêëñçåøæœłžřšěÿİŠ"
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{textcomp}\\usepackage{lmodern}"
        "\\pagestyle{empty}\\parindent0pt\\begin{document}\\raggedright\n"
        f"{escape(words)}\n\n{escape(letters)}\n\n{escape('-- --- ,, fin ??')}\n\n{code('a_b/c.d')}\n\\end{{document}}"
    )
    for command in ("pdflatex -interaction=nonstopmode -halt-on-error t.tex", "pdftotext -raw t.pdf t.txt"):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    lines = (tmp_path / "t.txt").read_text().replace("\f", "").split("\n")

    assert lines[0].replace("’", "'") == words
    assert lines[1] == letters
    assert lines[2].replace("ﬁ", "fi") == "-- --- ,, fin ??"
    assert lines[3] == "a_b/c.d"


def test_numbers_become_definitions(tmp_path: Path) -> None:
    entries = {
        "model.cnn.test.accuracy": entry(99.123, decimals=2, unit="%", source="s"),
        "data.name": entry("50 % of _all_", source="s"),
        "run.seed": entry(2020, source="s"),
    }
    write_json(tmp_path / "numbers.json", entries)
    write_numbers(tmp_path / "numbers.json", tmp_path / "numbers.tex")

    assert (tmp_path / "numbers.tex").read_text().splitlines()[1:] == [
        r"\DefineResult{data.name}{50 \% of \_all\_}",
        r"\DefineResult{model.cnn.test.accuracy}{\qty{99.12}{\percent}}",
        r"\DefineResult{run.seed}{\num{2020}}",
    ]


@pytest.mark.parametrize("key", ["a b", "a#b", "a}b", "ä", ""])
def test_keys_that_latex_cannot_name_are_refused(tmp_path: Path, key: str) -> None:
    write_json(tmp_path / "numbers.json", {key: entry(1.0, source="s")})

    with pytest.raises(DataError, match="cannot be named"):
        write_numbers(tmp_path / "numbers.json", tmp_path / "numbers.tex")
    assert not (tmp_path / "numbers.tex").exists()


def test_unknown_units_are_refused() -> None:
    with pytest.raises(DataError, match="furlong"):
        number("3", "furlong")
