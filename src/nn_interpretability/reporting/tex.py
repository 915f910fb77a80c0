"""Words and numbers in LaTeX's spelling; the only place where characters are escaped.

The result is plain ASCII, so that it does not depend on what the installed LaTeX knows of Unicode.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import read_json, write_text

_ASCII = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "/": r"/\allowbreak{}",
}

_MATHS = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "Δ": r"\Delta",
    "ε": r"\varepsilon",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "µ": r"\mu",
    "μ": r"\mu",
    "π": r"\pi",
    "ρ": r"\rho",
    "σ": r"\sigma",
    "Σ": r"\Sigma",
    "τ": r"\tau",
    "ω": r"\omega",
    "Ω": r"\Omega",
    "×": r"\times",
    "÷": r"\div",
    "±": r"\pm",
    "·": r"\cdot",
    "−": "-",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "∞": r"\infty",
    "→": r"\to",
    "←": r"\leftarrow",
    "∑": r"\sum",
    "√": r"\surd",
    "°": r"^\circ",
    "ᴮ": r"^{\mathcal{B}}",
    "⁻": "^{-}",
} | {raised: f"^{digit}" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}

_WORDS = {
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "đ": r"\dj{}",
    "Đ": r"\DJ{}",
    "ð": r"\dh{}",
    "þ": r"\th{}",
    "ı": r"\i{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\dots{}",
    "§": r"\S{}",
    "©": r"\copyright{}",
    "€": r"\texteuro{}",
    "\N{NO-BREAK SPACE}": "~",
    "\n": " ",
    "\t": " ",
    "\r": "",
}

_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING CEDILLA}": "c",
    "\N{COMBINING OGONEK}": "k",
}

_UNITS = {
    "%": r"\percent",
    "s": r"\second",
    "min": r"\minute",
    "h": r"\hour",
    "MiB": r"\mebi\byte",
    "GiB": r"\gibi\byte",
}

_LIGATURE = re.compile(r"([-',])(?=\1)")
_KEY = re.compile(r"[A-Za-z0-9_.\-]+")


def escape(words: str) -> str:
    """Plain words for running text in LaTeX.

    Special characters are escaped, accented letters spelled with accent commands, Greek letters and signs set as
    formulas.  A letter that LaTeX's text fonts lack (Chinese, an emoji) is replaced by its code, as ``[U+4E2D]``:
    a word that cannot be printed must not stop a report.  Addresses may be broken after ``/``.
    """
    spelled = "".join(_spell(letter) for letter in unicodedata.normalize("NFC", words))
    return _LIGATURE.sub(r"\1{}", spelled)


def code(name: str) -> str:
    """A name in type-writer letters that may be broken after ``_``, ``/``, ``.`` and ``:``."""
    return r"\texttt{" + re.sub(r"(\\_|[.:])", r"\1\\allowbreak{}", escape(name)) + "}"


def number(text: str, unit: str = "") -> str:
    r"""A number (in a form that siunitx reads) with its unit: ``\qty{99.12}{\percent}``.

    Raises
    ------
    DataError
        If the unit is not known.
    """
    if not unit:
        return rf"\num{{{text}}}"
    if unit not in _UNITS:
        raise DataError(f"The unit {unit!r} has no spelling in LaTeX; known are {', '.join(_UNITS)}.")
    return rf"\qty{{{text}}}{{{_UNITS[unit]}}}"


def printed_entry(entry: Mapping[str, Any]) -> str:
    """One entry of ``numbers.json`` as LaTeX prints it."""
    if isinstance(entry["value"], str) or entry["value"] is None:
        return escape(entry["text"])
    return number(entry["text"], entry["unit"])


def write_numbers(numbers_json: Path | str, output_tex: Path | str) -> None:
    r"""Write the numbers as definitions for ``results.sty``: ``\DefineResult{key}{text}``.

    Raises
    ------
    DataError
        If a key has characters that cannot stand in ``\result{key}``.
    """
    write_text(output_tex, definitions(read_json(numbers_json)))


def definitions(numbers: Mapping[str, Mapping[str, Any]]) -> str:
    """Definitions of numbers, a line each."""
    lines = ["% Made from numbers.json; changes are lost."]
    for key, value in sorted(numbers.items()):
        if not _KEY.fullmatch(key):
            raise DataError(
                f"The number {key!r} cannot be named in LaTeX; a key has letters, digits, dots, hyphens, underscores."
            )
        lines.append(rf"\DefineResult{{{key}}}{{{printed_entry(value)}}}")
    return "\n".join(lines) + "\n"


def _spell(letter: str) -> str:
    if letter in _MATHS:
        return rf"\ensuremath{{{_MATHS[letter]}}}"
    known = _ASCII.get(letter) or _WORDS.get(letter)
    if known is not None or letter in _WORDS:
        return known or ""
    if " " <= letter <= "\N{TILDE}":
        return letter
    parts = list(unicodedata.normalize("NFD", letter))
    base, marks = parts[0], parts[1:]
    if marks and all(mark in _ACCENTS for mark in marks) and base.isascii():
        for mark in marks:
            base = rf"\{_ACCENTS[mark]}{{{base}}}"
        return base
    return f"[U+{ord(letter):04X}]"
