r"""The report's generated tables (booktabs), one file each, and the margin links of its figures.

A table is the ``tabular`` alone; the sections put it into a float with a caption.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.models.build import FILE
from nn_interpretability.plotting.data import PUBLISHED
from nn_interpretability.registry import STUDY_METHODS
from nn_interpretability.reporting import toy_tables
from nn_interpretability.reporting.claims_table import claim_lists, claims_table
from nn_interpretability.reporting.provenance import UNKNOWN, FigureRecord, Job, Timings, read_sidecar, short
from nn_interpretability.reporting.replication_table import NO_NUMBERS, replication_table
from nn_interpretability.reporting.tex import code, escape, number, printed_entry
from nn_interpretability.storage.product import read_json, write_text

Numbers = Mapping[str, Mapping[str, Any]]

_MADE_FROM = {
    "conservation": "attributions",
    "relevance_sinks": "attributions",
    "settings": "figures",
    "model_card": "models",
    "figure_provenance": "figures",
    "attribution_provenance": "figures",
    "jobs": "",
    "margin_links": "",
    "evidence": "evidence",
    "auroc": "evidence",
    "calibration": "calibrations",
    "toy_answers": "toys",
    "toy_pair": "toys",
    "matrices": "toys",
    "claims": "claims",
    "claim_lists": "",
    "replication": "replication",
}

TABLES = tuple(_MADE_FROM)
"""Names of the files, without ``.tex``."""

DEFINITIONS = {"margin_links": "", "claim_lists": "", "matrices": r"\providecommand{\toymatrix}[1]{\text{?}}"}
"""Those that print nothing where they are included, but define what the text uses; and what a draft defines instead."""

NONE = "--"
_DIGITS = {"value": "digits"}
_SINKS = ("bias", "stabilizer", "blocked", "sent")
_HEAD = "% Made from results; changes are lost.\n"


def made_from() -> Mapping[str, str]:
    """Section of the configuration without which each table of :data:`TABLES` has no rows; empty: it always has."""
    return _MADE_FROM


def write_tables(
    folder: Path | str,
    *,
    numbers: Path | str,
    cards: Mapping[str, Path | str],
    figures: Mapping[str, Path | str],
    timings: Path | str | None = None,
    claims: Path | str | None = None,
    verdicts: Path | str | None = None,
) -> None:
    """Write every table of :data:`TABLES` to ``folder/<name>.tex``.

    Parameters
    ----------
    folder
        Where the files go.
    numbers
        The merged numbers.
    cards
        Model card of each model.
    figures
        Sidecar of each figure.
    timings
        Clock readings of the jobs; without them the tables say that there are none.
    claims
        The ledger of claims; None where the run decides none.
    verdicts
        What became of the numbers that the study printed; None where the run does not compare them.
    """
    known: Numbers = read_json(numbers)
    models = {name: read_json(path) for name, path in sorted(cards.items())}
    records = [read_sidecar(path) for _, path in sorted(figures.items())]
    clock = Timings(timings)
    tables = {
        "conservation": conservation_table(known),
        "relevance_sinks": relevance_sinks_table(known),
        "settings": settings_table(known, records),
        "model_card": model_card_table(models),
        "figure_provenance": figure_provenance_table(records, models, clock),
        "attribution_provenance": attribution_provenance_table(records, clock),
        "jobs": jobs_table(clock),
        "margin_links": margin_links(records),
        "evidence": evidence_table(known, models),
        "auroc": auroc_table(known, models),
        "calibration": calibration_table(known),
        "toy_answers": _toy_table("lcccc", *toy_tables.answers_table(known)),
        "toy_pair": _toy_table("lccc", *toy_tables.pair_table(known)),
        "matrices": toy_tables.matrices(known),
        "claims": claims_table([] if claims is None else read_json(claims)),
        "claim_lists": claim_lists([] if claims is None else read_json(claims)),
        "replication": replication_table(NO_NUMBERS if verdicts is None else read_json(verdicts)),
    }
    assert tables.keys() == set(TABLES)
    for name, text in tables.items():
        write_text(Path(folder) / f"{name}.tex", _HEAD + text)


def tabular(columns: str, head: Sequence[str], groups: Iterable[Sequence[Sequence[str]]], *, above: str = "") -> str:
    """A booktabs table: a head (with a line above it), and groups of rows with a little space between them."""
    body = "\\addlinespace\n".join(
        "".join(" & ".join(row) + r" \\" + "\n" for row in group) for group in groups if group
    )
    top = f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n\\toprule\n{above}{' & '.join(head)} \\\\\n\\midrule\n"
    return top + body + "\\bottomrule\n\\end{tabular}\n"


def long_tabular(
    columns: str, head: Sequence[str], groups: Iterable[Sequence[Sequence[str]]], *, above: str = ""
) -> str:
    r"""The same over several pages, the head on each; the text defines ``\tabletitle``, caption and label."""
    whole = tabular(columns, head, groups, above=above)
    start, body = whole.split("\\midrule\n", 1)
    start = start.replace(r"\begin{tabular}", r"\begin{longtable}")
    begin, top = start.split("\n", 1)
    heads = f"{begin}\n\\tabletitle\\\\\n{top}\\midrule\n\\endfirsthead\n{top}\\midrule\n\\endhead\n"
    return heads + body.replace(r"\end{tabular}", r"\end{longtable}")


def _words(share: float) -> str:
    """A column of words that are broken into lines, at a share of the width of the text."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"


def conservation_table(numbers: Numbers) -> str:
    """Per attribution that sums to the score: how far the sum is from it, and what lies on black pixels."""
    names = [name for name in _attributions(numbers, "conservation.median") if not _of_the_study(numbers, name)]
    corrected = [name for name in names if not name.endswith(PUBLISHED)]
    published = [name for name in names if name.endswith(PUBLISHED)]
    head = ["method", "settings", "median", "largest", r"on $x_i=0$"]
    groups = [[_conservation_row(numbers, name) for name in group] for group in (corrected, published)]
    return tabular(_METHOD.replace("0.17", "0.2") + r">{\raggedright\arraybackslash}p{0.33\linewidth}rrr", head, groups)


def _of_the_study(numbers: Numbers, name: str) -> bool:
    """Whether a method is one for comparisons within the study: the text speaks of what those sum to."""
    return numbers.get(f"attribution.{name}.method", {}).get("value") in STUDY_METHODS


def _conservation_row(numbers: Numbers, name: str) -> list[str]:
    keys = ("heading", "settings", "conservation.median", "conservation.max", "background")
    said = (numbers.get(f"attribution.{name}.{key}") for key in keys)  # only of digits there is a background
    return [NONE if found is None else printed_entry(found) for found in said]


def relevance_sinks_table(numbers: Numbers) -> str:
    """Per LRP variant and layer: what was sent on, and what bias, stabiliser and dead units kept.

    The variant with the settings as published stands to the right of the one with corrected settings.
    """
    layers = _layers(numbers)
    groups = []
    for name in (name for name in layers if not name.endswith(PUBLISHED)):
        heading = printed_entry(numbers[f"attribution.{name}.heading"])
        rows = []
        # pooling is a layer of its own where it has a stabiliser, so one list may be longer
        here, published = layers[name], layers.get(name + PUBLISHED, [])
        for place, layer in enumerate(published if len(published) > len(here) else here):
            cells = [*_sinks(numbers, name, layer), *_sinks(numbers, name + PUBLISHED, layer)]
            rows.append(["" if place else heading, code(layer), *cells])
        groups.append(rows)
    above = r" & & \multicolumn{4}{c}{here} & \multicolumn{4}{c}{as published} \\"
    rules = r" \cmidrule(lr){3-6} \cmidrule(l){7-10}"
    names = ["bias", "stabiliser", "blocked", "sent on"]
    return long_tabular("llrrrrrrrr", ["method", "layer", *names, *names], groups, above=above + rules + "\n")


def _sinks(numbers: Numbers, name: str, layer: str) -> list[str]:
    entries = (numbers.get(f"attribution.{name}.layers.{layer}.{part}") for part in _SINKS)
    return [NONE if entry is None else number(str(entry["text"])) for entry in entries]


def settings_table(numbers: Numbers, records: Sequence[FigureRecord]) -> str:
    """Per row of a figure: the settings used, those published, and how far the maps agree."""
    groups = []
    for record in records:
        blocks = record.facts["blocks"]
        if len(blocks) < 2:
            continue
        published = {row["name"]: row for row in blocks[1]["rows"]}
        pairs = [(row, published.get(row["name"] + PUBLISHED)) for row in blocks[0]["rows"]]
        groups.append([_settings_row(numbers, record.figure, one, other) for one, other in pairs if other])
    return long_tabular(f"l{_METHOD}{_WRAPPED}{_WRAPPED}rr", _SETTINGS_HEAD, groups)


_WRAPPED = r">{\raggedright\arraybackslash}p{0.245\linewidth}"
_METHOD = r">{\raggedright\arraybackslash}p{0.17\linewidth}"
_SETTINGS_HEAD = ["figure", "method", "here", "as published", "cosine", "rank"]


def _settings_row(numbers: Numbers, figure: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    agreement = f"figure.{figure}.agreement.{one['name']}"
    return [
        figure_number(figure),
        escape(one["heading"]),
        escape(one["detail"]),
        escape(other["detail"]),
        *(
            printed_entry(numbers[key]) if key in numbers else NONE
            for key in (f"{agreement}.cosine", f"{agreement}.rank")
        ),
    ]


def evidence_table(numbers: Numbers, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """Per network: what it gets right, and how often it abstains."""
    above = r" & & & & & \multicolumn{2}{c}{mean $u$} \\ " + r"\cmidrule(l){6-7}" + "\n"
    head = ["network", r"$\lambda$", "right", "abstains", "of answers", "right", "wrong"]
    groups = [[_evidence_row(numbers, cards, network) for _, network in group] for group in _asked(numbers, cards)]
    return tabular("lrrrrrr", head, groups, above=above)


def _evidence_row(numbers: Numbers, cards: Mapping[str, Mapping[str, Any]], network: str) -> list[str]:
    weight = cards[network]["recipe"].get("kl_weight")
    card = ("accuracy", "abstentions", "accuracy_of_answers", "mean_uncertainty_right", "mean_uncertainty_wrong")
    return [
        code(network),
        NONE if weight is None else number(f"{weight:g}"),
        *(_said(numbers, f"model.{network}.test.{key}") for key in card),
    ]


def auroc_table(numbers: Numbers, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """Per network and uncertainty: how much it tells, and below it the ends of the bootstrap interval."""
    groups = []
    for group, single in zip(_asked(numbers, cards), ("$u$", r"$1 - \max p$"), strict=True):
        for place in group:
            groups.append(_auroc_rows(numbers, *place, "", single))
            found = [each for each in _OF_PASSES if f"evidence.{'.'.join(place)}.{each}errors" in numbers]
            groups += [_auroc_rows(numbers, *place, each, _OF_PASSES[each]) for each in found]
    return tabular("llrrrrr", ["network", "uncertainty", "wrong", *_QUESTIONS.values()], groups)


def _auroc_rows(numbers: Numbers, entry: str, network: str, measure: str, words: str) -> list[list[str]]:
    start = f"evidence.{entry}.{network}.{measure}"
    values, intervals = [], []
    for question in _QUESTIONS:
        value, low, high = (_said(numbers, f"{start}auroc.{question}{end}") for end in ("", ".low", ".high"))
        values.append(value)
        intervals.append("" if value == NONE else rf"{{\scriptsize[{low}, {high}]}}")
    return [[code(network), words, _said(numbers, f"{start}errors"), *values], ["", "", "", *intervals]]


def _asked(numbers: Numbers, cards: Mapping[str, Mapping[str, Any]]) -> tuple[list[tuple[str, str]], ...]:
    """Entries of ``evidence`` and their networks: evidential ones, and others."""
    found = [key.split(".") for key in numbers if key.startswith("evidence.") and key.endswith(".errors")]
    places = [(parts[1], parts[2]) for parts in found if len(parts) == 4]
    evidential = [place for place in places if cards[place[1]]["recipe"].get("loss") == "evidential"]
    return evidential, [place for place in places if place not in evidential]


def _said(numbers: Numbers, key: str) -> str:
    found = numbers.get(key)
    return NONE if found is None or found["value"] is None else printed_entry(found)


_QUESTIONS = {"errors": "errors", "turned": "turned", "other_source": "source", "shuffled": "shuffled"}
_OF_PASSES = {"entropy.": "$H$ of passes", "mutual_information.": "$I$ of passes"}


def calibration_table(numbers: Numbers) -> str:
    """Per network and calibration: accuracy, likelihood and calibration errors of the test part."""
    keys = [key.split(".") for key in numbers if key.startswith("calibration.") and key.endswith(".none.nll")]
    groups = []
    for _, entry, network, *_ in keys:
        rows: list[list[str]] = []
        for scaling, words in _SCALINGS.items():
            cells = [numbers.get(f"calibration.{entry}.{network}.{scaling}.{metric}") for metric in _CALIBRATION]
            if cells[0] is None or cells[0]["value"] is None:
                continue
            printed = [NONE if cell is None else printed_entry(cell) for cell in cells]
            temperature = numbers.get(f"calibration.{entry}.{network}.temperature")
            size = f" {printed_entry(temperature)}" if scaling == "temperature" and temperature else ""
            rows.append(["" if rows else code(network), words + size, *printed])
        groups.append(rows)
    head = ["network", "calibration", "accuracy", "NLL", "Brier", "ECE", "MCE"]
    return tabular("llrrrrr", head, groups)


def _toy_table(columns: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of toys; what is as published stands apart, below."""
    published = [row for row in rows if "as published" in row[0]]
    return tabular(columns, head, [[row for row in rows if row not in published], published])


_CALIBRATION = ("accuracy", "nll", "brier", "ece", "mce")
_SCALINGS = {
    "none": "none",
    "temperature": "temperature",
    "vector": "vector scaling",
    "isotonic": "isotonic regression",
}


def _network(architecture: str) -> str:
    """The name of a network; of a Python file without its folder."""
    return architecture.rpartition("/")[2] if architecture.startswith(FILE) else architecture


def _share(part: Mapping[str, Any], quality: str) -> str:
    """A quality in per cent, where it was measured."""
    return number(f"{100 * part[quality]:.2f}", "%") if part else NONE


def model_card_table(cards: Mapping[str, Mapping[str, Any]]) -> str:
    """Per model: architecture, recipe, accuracy on the validation part, and quality on the test part."""
    rows = []
    for name, card in cards.items():
        recipe, test = card["recipe"], card["test"]
        rows.append(
            [
                code(name),
                code(_network(card["architecture"])),
                number(str(card["parameters"])),
                _plain(recipe.get("epochs")),
                _plain(recipe.get("max_learning_rate")),
                _seed(card["seed"]),
                _share(card["validation"], "accuracy"),
                _share(test, "accuracy"),
                number(f"{test['nll']:.4f}") if test else NONE,
                _share(test, "ece"),
            ]
        )
    head = ["network", "architecture", "parameters", "epochs", "rate", "seed", "validation", "test", "NLL", "ECE"]
    return tabular("llrrrrrrrr", head, [rows])


def figure_provenance_table(
    records: Sequence[FigureRecord], cards: Mapping[str, Mapping[str, Any]], clock: Timings
) -> str:
    """Per figure: job, digests of what it was made from, seed of the model, commit, device, time."""
    rows = []
    for record in records:
        origin = next(iter(record.attributions.values()), record.data)
        anchor = rf"\raisebox{{2.5ex}}[0pt]{{\hypertarget{{prov:{record.figure}}}{{}}}}"
        rows.append(
            [
                anchor + figure_number(record.figure),
                code(record.drawing.rule),
                _digest(record.drawing.input(f"{record.figure}.h5")),
                _digest(origin.probe),
                _digest(origin.input("weights.safetensors")),
                _seed(cards.get(origin.model or "", {}).get("seed", origin.seed)),
                _digest(record.drawing.commit) + ("*" if record.drawing.commit.endswith("-dirty") else ""),
                code(origin.device),
                _seconds(_total(clock, [record.drawing, record.data, *record.attributions.values()])),
            ]
        )
    head = ["figure", "rule", "figure data", "probe", "weights", "model seed", "commit", "device", "time"]
    return long_tabular(f"l{_words(0.19)}lllrllr", head, [rows])


def attribution_provenance_table(records: Sequence[FigureRecord], clock: Timings) -> str:
    """Per attribution shown in a figure: job, code, device, time."""
    shown: dict[str, list[str]] = defaultdict(list)
    jobs: dict[str, Job] = {}
    for record in records:
        for name, job in record.attributions.items():
            shown[name].append(figure_number(record.figure))
            jobs[name] = job
    rows = [
        [
            code(name),
            ", ".join(shown[name]),
            code(job.rule),
            _digest(job.code),
            code(job.device),
            _seconds(clock.seconds(job)),
        ]
        for name, job in sorted(jobs.items())
    ]
    return long_tabular(
        f"{_words(0.31)}{_words(0.17)}{_words(0.26)}llr",
        ["attribution", "figure", "rule", "code", "device", "time"],
        [rows],
    )


def jobs_table(clock: Timings) -> str:
    """Per kind of job: their number, their time and their memory."""
    rules: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for job in clock.jobs:
        rules[job.get("kind", job["rule"])].append(job)
    rows = []
    for rule, jobs in sorted(rules.items()):
        seconds = [job["seconds"] for job in jobs if job["seconds"] is not None]
        memory = [job["max_rss_mib"] for job in jobs if _was_sampled(job)]
        rows.append(
            [
                code(rule),
                number(str(len(jobs))),
                _seconds(sum(seconds) if seconds else None),
                _seconds(max(seconds, default=None)),
                number(f"{max(memory):.0f}", "MiB") if memory else NONE,
            ]
        )
    if not rows:
        rows = [["no clock readings were recorded", NONE, NONE, NONE, NONE]]
    return long_tabular(f"{_words(0.5)}rrrr", ["rule", "jobs", "time of all", "longest", "memory"], [rows])


def _was_sampled(job: Mapping[str, Any]) -> bool:
    """Memory is looked at from time to time; what is read of a job shorter than a second is its start."""
    return job["max_rss_mib"] is not None and (job["seconds"] or 0) >= 1


def margin_links(records: Sequence[FigureRecord]) -> str:
    """Definitions of the notes in the margin: the job that drew a figure, and a digest of what it drew."""
    lines = []
    for record in records:
        digest = short(record.drawing.input(f"{record.figure}.h5"))
        lines.append(rf"\DefineMarginLink{{{record.figure}}}{{{escape(record.drawing.rule)}}}{{{escape(digest)}}}")
    return "\n".join(lines) + "\n"


def figure_number(figure: str) -> str:
    """``fig06`` is Figure 6 of the original; other names are those of labels, where the report has them."""
    name, _, part = figure.partition("_")
    digits = name.removeprefix("fig")
    number_of_original = digits.isdecimal() and digits != name
    if not number_of_original:
        return rf"\figurelabelled{{{figure}}}"
    return f"{int(digits)}, {escape(part)}" if part else str(int(digits))


def _attributions(numbers: Numbers, ending: str) -> list[str]:
    """Names of the attributions of the pictures that most figures show, for which there is such a number."""
    keys = (key for key in numbers if key.startswith("attribution.") and key.endswith(f".{ending}"))
    names = sorted(key.removeprefix("attribution.").removesuffix(f".{ending}") for key in keys)
    return [name for name in names if numbers.get(f"attribution.{name}.probe", _DIGITS)["value"] == _DIGITS["value"]]


def _layers(numbers: Numbers) -> dict[str, list[str]]:
    """Layers of each attribution that has a trace, in the order in which relevance visits them."""
    layers: dict[str, list[str]] = {}
    for name in _attributions(numbers, "layers"):
        text = numbers[f"attribution.{name}.layers"]["value"]
        layers[name] = str(text).split()
    return layers


def _digest(digest: str) -> str:
    return NONE if digest == UNKNOWN else code(short(digest))


def _seed(value: Any) -> str:
    """A seed is a name, not a quantity: its digits are not grouped."""
    return NONE if value is None else escape(str(value))


def _plain(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return escape(str(value))
    return number(f"{value}" if isinstance(value, int) else f"{value:g}")


def _total(clock: Timings, jobs: Iterable[Job]) -> float | None:
    once = {(job.rule, job.wildcards): job for job in jobs}  # one job may make several products
    seconds = [clock.seconds(job) for job in once.values()]
    known = [value for value in seconds if value is not None]
    return sum(known) if known else None


def _seconds(value: float | None) -> str:
    return NONE if value is None else number(f"{value:.1f}", "s")
