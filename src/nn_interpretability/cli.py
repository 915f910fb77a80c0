"""The command ``nn-interpretability``: explain a picture, list methods, check and compare results, configurations."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn_interpretability.errors import BrokenProductError, ConfigError, CoverageError, DataError, LockedError

if TYPE_CHECKING:
    from nn_interpretability.attribution import Attribution

EXPECTED = (BrokenProductError, ConfigError, CoverageError, DataError, LockedError, OSError)
_PACKAGE = Path(__file__).resolve().parent
DRAWN = (".png", ".pdf", ".svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Words of the command line; by default those of this process.

    Returns
    -------
    int
        Exit status: 0 if all is well, 1 if not;
        a command line that makes no sense, and what ``compare`` cannot compare, exits with 2.
    """
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        given = _parser().parse_args(arguments)
        status: int = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `nn-interpretability methods | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nn-interpretability", description=__doc__.partition(":")[2].strip())
    parser.add_argument("--list", action=_ListMethods, help="print the methods, with what each needs, and end")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_explain(commands.add_parser("explain", help="explain what a model sees in a picture"))
    methods = commands.add_parser("methods", help="print the methods, with what each needs")
    methods.add_argument("--study", action="store_true", help="those too that are for comparisons within the study")
    methods.set_defaults(run=lambda given: _list_methods(study=given.study))
    verify = commands.add_parser("verify", help="check every file of a results folder")
    verify.add_argument("--set-aside", action="store_true", help="rename broken files, so that a run makes them anew")
    verify.add_argument("results", metavar="RESULTS", type=Path, help="the folder, for example results")
    verify.set_defaults(run=_verify)
    why = commands.add_parser("why", help="what made a file of a results folder, and what has changed since")
    why.add_argument("product", metavar="PATH", type=Path, help="the file, for example results/figures/fig12.pdf")
    why.add_argument("--configfile", nargs="+", type=Path, default=[], metavar="FILE", help="default: as the last run")
    why.set_defaults(run=_why)
    draft = commands.add_parser("draft", help="typeset the report from whatever is there, without running a job")
    draft.add_argument("results", metavar="RESULTS", nargs="?", type=Path, default=Path("results"))
    draft.add_argument("--report", type=Path, default=Path("report"), help="the TeX sources (default: %(default)s)")
    draft.add_argument("--folder", type=Path, default=Path("build/draft"), help="where it goes (default: %(default)s)")
    draft.set_defaults(run=_draft)
    _add_compare(commands.add_parser("compare", help="compare the figures, numbers and claims of two results folders"))
    _add_config(commands.add_parser("config", help="check a configuration, or print what one may say"))
    return parser


def _add_explain(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("picture", metavar="PICTURE", type=Path, help="a picture file")
    add("--model", required=True, help="torchvision:NAME, or a network of the study")
    add("--weights", required=True, type=Path, metavar="FILE", help=".safetensors, or a state dict (.pt, .pth)")
    add("--method", default="lrp", help="name of the method (default: %(default)s)")
    add("--parameter", action="append", default=[], metavar="KEY=VALUE", help="of the method; may be repeated")
    add("--target", type=int, metavar="CLASS", help="the class to explain (default: the predicted one)")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="(default: %(default)s)")
    add("-o", "--output", required=True, type=Path, metavar="FILE", help=".png, .pdf or .svg: a drawing; .h5: the data")
    add("--list", action=_ListMethods, help="print the methods, with what each needs, and end")
    parser.set_defaults(run=_explain)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit status: 0 the same within tolerance, 1 they differ, 2 they cannot be compared."
    parser.add_argument("a", metavar="RESULTS_A", type=Path, help="a results folder")
    parser.add_argument("b", metavar="RESULTS_B", type=Path, help="another one: of another commit, device or data")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the pictures side by side, too")
    parser.set_defaults(run=_compare)


def _add_config(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="list everything that is wrong with a configuration")
    check.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, default=[Path("config.yaml")], help="later ones win"
    )
    check.set_defaults(run=_check_config)
    schema = commands.add_parser("schema", help="print the JSON schema of configurations")
    schema.set_defaults(run=lambda _: _print_schema())


class _ListMethods(argparse.Action):
    """An option that prints the methods and ends, whatever else is on the command line."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.exit(_list_methods())


# explain -------------------------------------------------------------------------------------------------------


def _explain(given: argparse.Namespace) -> int:
    if given.output.suffix not in (*DRAWN, ".h5"):
        raise ConfigError(f"-o {given.output} has no suffix that says what to write: {', '.join(DRAWN)} or .h5.")
    if not given.output.parent.is_dir():
        raise ConfigError(f"-o {given.output}: there is no folder {given.output.parent}.")
    parameters = _parameters(given.method, given.parameter)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the same bits on any number of cores

    from nn_interpretability.config.devices import gpus_to_ask, granted_device
    from nn_interpretability.study.explain import class_names, explain_picture

    explained, pixels = explain_picture(
        given.picture,
        model=given.model,
        weights=given.weights,
        method=given.method,
        parameters=parameters,
        target=given.target,
        device=granted_device(given.device, gpus_to_ask(given.device)),
    )
    names = class_names(given.model, explained.logits.shape[1])
    if given.output.suffix == ".h5":
        explained.save(given.output)
    else:
        _draw(explained, pixels, names, given.output)
    print(_summary(explained, names, given))
    return 0


def _parameters(method: str, words: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` words as YAML, and check them against what the method takes."""
    from nn_interpretability.config.files import read_yaml
    from nn_interpretability.config.validate import check_parameters

    parameters = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"--parameter {word} is not of the form KEY=VALUE, such as rule=gamma.")
        parameters[key] = read_yaml(value, f"--parameter {word}")
    return check_parameters(method, parameters)


def _draw(explained: Attribution, pixels: Any, names: Sequence[str] | None, output: Path) -> None:
    unfinished = output.with_name(f".{output.name}.{os.getpid()}{output.suffix}")
    try:
        explained.plot(pixels, names).savefig(unfinished)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


def _summary(explained: Attribution, names: Sequence[str] | None, given: argparse.Namespace) -> str:
    what = "" if explained.target is None else f"{_class(int(explained.target[0]), names)}, "
    if explained.score.dim() == 2:
        return f"{given.method}: {what}{explained.target_description}. Written: {given.output}"
    gap = explained.completeness_error
    conserved = "" if gap is None else f", the sum of the map is {100 * float(gap[0]):.2g} % off"
    return f"{given.method}: {what}score {float(explained.score[0]):.4g}{conserved}. Written: {given.output}"


def _class(number: int, names: Sequence[str] | None) -> str:
    return f"class {number}" if names is None else f"class {number} ({names[number]})"


# methods, verify, compare, config ---------------------------------------------------------------------------------


def _list_methods(*, study: bool = False) -> int:
    from nn_interpretability.registry import METHODS, configurable

    for name, entry in sorted((configurable() if study else METHODS).items()):
        print(name)
        for line in (f"{entry.summary} ({entry.paper})", f"needs {entry.needs}", *_parameter_words(entry.parameters)):
            print(textwrap.fill(line, width=100, initial_indent="    ", subsequent_indent="        "))
    return 0


def _parameter_words(schema: Mapping[str, Any]) -> list[str]:
    from nn_interpretability.config.problems import described

    return [f"{key}: {described(value)}" for key, value in schema["properties"].items()]


def _verify(given: argparse.Namespace) -> int:
    from nn_interpretability.storage.verify import verify

    problems = verify(given.results, set_aside=given.set_aside)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{given.results}: nothing is wrong.")
    return int(bool(problems))


def _compare(given: argparse.Namespace) -> int:
    from rich.console import Console

    from nn_interpretability.comparison.page import write_page
    from nn_interpretability.comparison.results import compare_results
    from nn_interpretability.comparison.terminal import print_comparison

    try:
        compared = compare_results(given.a, given.b)
        print_comparison(compared, Console())
        if given.html:
            write_page(compared, given.html)
    except BrokenPipeError:
        raise
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return int(not compared.same)


def _why(given: argparse.Namespace) -> int:
    from nn_interpretability.reporting.why import why

    checkout = next((folder for folder in (Path.cwd(), *_PACKAGE.parents) if (folder / "Snakefile").is_file()), None)
    if checkout is None:
        raise ConfigError("There is no Snakefile here: call this in the folder of the workflow.")
    print(why(given.product, checkout=checkout, configfiles=given.configfile))
    return 0


def _draft(given: argparse.Namespace) -> int:
    from nn_interpretability.reporting.draft import draft
    from nn_interpretability.reporting.pdf import ReportError

    try:
        print(draft(given.report, given.results, given.folder / given.results.name))
    except ReportError as error:
        raise DataError(str(error)) from error
    return 0


def _check_config(given: argparse.Namespace) -> int:
    from nn_interpretability.config.files import merged
    from nn_interpretability.config.validate import checked

    config = checked(merged(given.files), given.files)
    counts = ", ".join(f"{key}: {len(config[key])}" for key in ("models", "probes", "attributions", "figures"))
    print(f"{', '.join(map(str, given.files))}: nothing is wrong ({counts}).")
    return 0


def _print_schema() -> int:
    from nn_interpretability.config.schema import schema_text

    print(schema_text(), end="")
    return 0


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    print(f"warning: {message} ({category.__name__})", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
