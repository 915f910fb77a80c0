"""What people call the figures."""

from __future__ import annotations

import re


def figure_title(name: str) -> str:
    """Title of a figure in lists.

    ``fig12`` is "Figure 12 of the study", ``fig08_conv1`` "Figure 8 of the study: conv1"; another name stays as it
    is, with spaces.
    """
    found = re.fullmatch(r"fig(\d+)(?:_(.+))?", name)
    if found is None:
        return name.replace("_", " ")
    part = f": {found.group(2).replace('_', ' ')}" if found.group(2) else ""
    return f"Figure {int(found.group(1))} of the study{part}"
