"""Fonts, sizes and colours shared by all figures.

Figures are made at the size at which they are printed, so a size given here is the size on paper.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl

from nn_interpretability.plotting.style_sheet import STYLE_SHEET

TEXT_WIDTH_CM = 15.2
"""Width of the text column of the report."""

PNG_DPI = 254
"""100 dots per centimetre: a cell of 1.40 cm shows each of 28 x 28 values as exactly 5 x 5 dots."""

HEADING_PT = 8.5
TEXT_PT = 7.5
SMALL_PT = 7.0

DIVERGING = "RdBu_r"
"""Red positive, white zero, blue negative; distinguishable with the common kinds of colour blindness."""
PICTURE = "gray"
OVERLAY = "inferno"
"""Dark at zero, so that the ground of a digit stays dark; its lightness grows evenly."""
OVERLAY_SHARE = 0.6
"""Share of the colour in an overlay; the rest is the picture."""

INK = "#1a1a1a"
MUTED = "#666666"
FRAME = "#c4c4c4"
BAND = "#ececec"


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw with the style of the figures, whatever the user's own matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(mpl.rc_params_from_file(STYLE_SHEET, use_default_template=False))
        yield


# The first font has TeX's own encoding, in which these lie elsewhere; the fonts for formulas have them.
_AS_FORMULA = {
    "$": r"\$",
    "\\": r"$\mathit{\backslash}$",
    "<": r"$\mathit{<}$",
    ">": r"$\mathit{>}$",
    "{": r"$\mathit{\{}$",
    "}": r"$\mathit{\}}$",
    "|": r"$\mathit{\vert}$",
    "_": r"$\mathit{\_}$",
    "~": r"$\sim$",
    '"': "''",
    "\N{NO-BREAK SPACE}": " ",
    "−": "$-$",
    "×": r"$\times$",
    "°": r"$^{\circ}$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "α": r"$\mathit{\alpha}$",
    "β": r"$\mathit{\beta}$",
    "γ": r"$\mathit{\gamma}$",
    "ε": r"$\mathit{\varepsilon}$",
    "λ": r"$\mathit{\lambda}$",
    "σ": r"$\mathit{\sigma}$",
    "ᴮ": r"$^{\mathcal{B}}$",
    "⁻": "$^{-}$",
} | {raised: f"$^{digit}$" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}


def typeset(words: str) -> str:
    r"""Plain words as matplotlib must be given them; Greek letters are set in the italics of formulas.

    The superscript of the rule :math:`z^\mathcal{B}` is written ``zᴮ``.
    """
    found = "".join(_AS_FORMULA.get(letter, letter) for letter in words)
    # Beside a formula no other font than the first is asked, and it has no letters with accents.
    return "".join(map(_accented, found)) if "$" in found.replace(r"\$", "") else found


_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "grave",
    "\N{COMBINING ACUTE ACCENT}": "acute",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "hat",
    "\N{COMBINING TILDE}": "tilde",
    "\N{COMBINING DIAERESIS}": "ddot",
    "\N{COMBINING CARON}": "check",
    "\N{COMBINING MACRON}": "bar",
    "\N{COMBINING BREVE}": "breve",
    "\N{COMBINING DOT ABOVE}": "dot",
}


def _accented(letter: str) -> str:
    base, accent = (*unicodedata.normalize("NFD", letter), "")[:2]
    return rf"$\mathsf{{\{_ACCENTS[accent]}{{{base}}}}}$" if accent in _ACCENTS else letter


def _letter(found: re.Match[str]) -> str:
    accents = {name: accent for accent, name in _ACCENTS.items()}
    return unicodedata.normalize("NFC", found[2] + accents[found[1]]) if found[1] in accents else found[0]


def plain(words: str) -> str:
    """Words as people read them, from what :func:`typeset` and drawing code give to matplotlib."""
    for letter, formula in sorted(_AS_FORMULA.items(), key=lambda item: -len(item[1])):
        words = words.replace(formula, letter) if letter.strip() else words
    words = re.sub(r"\$\\mathsf\{\\(\w+)\{(\w)\}\}\$", _letter, words)
    words = re.sub(r"\\math(?:it|cal|rm|bf)\{([^{}]*)\}", r"\1", words)
    return re.sub(r"\$([^$]*)\$", lambda found: found.group(1).translate(_NO_BRACES), words)


_NO_BRACES = str.maketrans("", "", "{}")


def inches(centimetres: float) -> float:
    """Length in inches, matplotlib's unit."""
    return centimetres / 2.54
