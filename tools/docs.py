#!/usr/bin/env python3
"""Write the tables in docs/ that are made, not written: methods, metrics, and methods on classifiers of torchvision."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from torchvision_coverage import CLASSIFIERS, outcomes, page  # noqa: E402

from nn_interpretability.reporting.methods_table import with_methods_table  # noqa: E402
from nn_interpretability.reporting.metrics_table import with_metrics_table  # noqa: E402


def main() -> int:
    """Write all pages; some minutes."""
    for name, renewed in (("methods", with_methods_table), ("metrics", with_metrics_table)):
        written = ROOT / "docs" / f"{name}.md"
        written.write_text(renewed(written.read_text()))
        print(f"{written.relative_to(ROOT)}: the table of {name}")
    found = {}
    for name in CLASSIFIERS:
        print(f"docs/torchvision.md: {name}", flush=True)
        found |= outcomes([name])
    (ROOT / "docs" / "torchvision.md").write_text(page(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
