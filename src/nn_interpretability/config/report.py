r"""Whether the report's text and a configuration fit: the numbers, figures and tables that it names are made."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn_interpretability.config.files import read_config
from nn_interpretability.config.models import of_own
from nn_interpretability.config.schema import config_schema
from nn_interpretability.config.validate import with_defaults
from nn_interpretability.errors import ConfigError
from nn_interpretability.reporting.sources import Mention, mentions, nearest
from nn_interpretability.reporting.tables import made_from
from nn_interpretability.study.number_keys import declared_numbers
from nn_interpretability.study.number_part import DeclaredKeys

_MAKERS = {
    "number": "no job writes this number",
    "figure": "there is no such figure under figures:",
    "table": "no job makes this table",
}
_PREFIXES = {
    "models": "model",
    "attributions": "attribution",
    "pass_attributions": "passes",
    "figures": "figure",
}
_SPELLED = {"number": r"\result{%s}", "figure": "the figure %s", "table": r"\input{tables/%s}"}


@dataclass(frozen=True)
class Made:
    """What the jobs of a configuration make for the report."""

    numbers: DeclaredKeys
    figures: frozenset[str]
    tables: frozenset[str]

    def has(self, mention: Mention) -> bool:
        """Whether a job makes what a place in the text names."""
        places: dict[str, Container[str]] = {"number": self.numbers, "figure": self.figures, "table": self.tables}
        return mention.name in places[mention.kind]


@dataclass(frozen=True)
class Fit:
    """How the report's text and a configuration fit.

    Attributes
    ----------
    left_out
        Names of what the text has and this configuration leaves out, by kind (``number``, ``figure``, ``table``).
    unshown
        Figures of the configuration that are on no page, and have no caption of their own.
    own
        Captions of the figures that are on no page but have one, by name.
    """

    left_out: dict[str, list[str]]
    unshown: list[str]
    own: dict[str, str]

    def pages(self, *files: str) -> list[str]:
        """Give the files of the report back, if every figure is on some page.

        Raises
        ------
        ConfigError
            Naming the figures that are on none.
        """
        if self.unshown:
            raise ConfigError(
                f"No page of the report shows {', '.join(self.unshown)}: give the entry under figures: a caption, add "
                f"\\appendixfigure{{{self.unshown[0]}}}{{caption}} to a file in report/sections/, take the entry "
                "out of figures:, or stop at the target figures."
            )
        return list(files)


def made(config: Mapping[str, Any]) -> Made:
    """What the jobs of a configuration (checked, with all defaults) make for the report.

    What is about the user's own networks and pictures does not count, whatever its name: the text speaks of others.
    """
    own = of_own(config)
    apart = tuple(f"{prefix}.{name}." for section, prefix in _PREFIXES.items() for name in own[section])
    keys = (key for part in declared_numbers(config).values() for key in part if not key.startswith(apart))
    tables = {table for table, section in made_from().items() if not section or config[section]}
    return Made(DeclaredKeys(keys), frozenset(config["figures"]) - own["figures"], frozenset(tables))


def fit(folder: Path | str, config: Mapping[str, Any], study: Path | str) -> Fit:
    """Compare the report's text with a configuration, and with that of the study, for which it was written.

    Parameters
    ----------
    folder
        The report's TeX sources.
    config
        The configuration, checked.
    study
        The study's own configuration file: what its jobs make and those of ``config`` do not is left out of the
        report; what neither make is a mistake in the text.

    Raises
    ------
    ConfigError
        One message for all mistakes, each with file and line.
    """
    named = [each for each in mentions(folder) if each.kind != "page"]
    here = made(config)
    missing = [each for each in named if not here.has(each)]
    whole = made(with_defaults(read_config(study), config_schema())) if missing else here
    wrong = [each for each in missing if not whole.has(each)]
    if wrong:
        count = "1 place" if len(wrong) == 1 else f"{len(wrong)} places"
        listed = "\n".join(_complaint(each, whole, Path(folder).name) for each in wrong)
        raise ConfigError(f"The text of the report names in {count} what no job makes; nothing was run.\n{listed}")
    left_out = {kind: sorted({each.name for each in missing if each.kind == kind}) for kind in _MAKERS}
    shown = here.figures & {each.name for each in named if each.kind == "figure"}
    own = {name: entry["caption"] for name, entry in config["figures"].items() if "caption" in entry}
    return Fit(
        left_out,
        unshown=sorted(config["figures"].keys() - shown - own.keys()),
        own={name: caption for name, caption in own.items() if name not in shown},
    )


def _complaint(mention: Mention, known: Made, folder: str) -> str:
    places = {"number": known.numbers.exact, "figure": known.figures, "table": known.tables}
    near = nearest(mention.name, places[mention.kind])
    words = f"  {folder}/{mention}: {_SPELLED[mention.kind] % mention.name}: {_MAKERS[mention.kind]}"
    return f"{words}\n      did you mean {near!r}?" if near else words
