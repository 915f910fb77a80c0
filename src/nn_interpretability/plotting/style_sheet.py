"""The style sheet of the figures, as plain settings: read without matplotlib, which planning a run need not pay for."""

from __future__ import annotations

from pathlib import Path

STYLE_SHEET = Path(__file__).with_name("figures.mplstyle")
"""Fonts, sizes and colours of axes, for matplotlib: ``plt.style.use(STYLE_SHEET)`` draws like the report."""


def style_settings() -> dict[str, str]:
    """Settings by name, comments left out: what makes figures be drawn again when it changes."""
    lines = (line.partition("#")[0] for line in STYLE_SHEET.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition(":") for line in lines if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}
