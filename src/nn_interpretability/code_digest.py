"""Digest of the code that a job runs, so that a rule can say ``params: code=code_digest(...)``.

Snakemake sees edits of a rule's own script, but not of the modules that the script imports. The digest covers
the syntax trees of a module and of all modules of this package that it imports, also inside functions, found
without importing anything. Comments, docstrings, layout and imports under ``TYPE_CHECKING`` do not count:
mending them makes nothing run again.

A package's ``__init__.py`` and the registry are tables from names to modules, which would tie everything to
everything; they are not followed. A name imported from a package is traced through its table to the one
module that defines it. What is imported by a computed name (a method chosen in the configuration) cannot be
seen: the workflow names such modules itself, ``code_digest("nn_interpretability.study.attribute",
"nn_interpretability.methods.lrp")``.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["code_digest", "digests_of_modules", "modules_of_script"]

_PACKAGE = Path(__file__).resolve().parent

_AnyImport = ast.Import | ast.ImportFrom


def code_digest(*modules: str, package: Path = _PACKAGE) -> str:
    """Digest of modules and of all that they import from this package.

    Parameters
    ----------
    *modules : str
        Full names, ``"nn_interpretability.methods.lrp"``, or paths of Python files outside the package; their order
        does not matter.
    package : Path, optional
        Folder of the package; this one.

    Returns
    -------
    str
        The first 16 hexadecimal digits of the SHA-256 of the syntax trees, the same in every process.

    Raises
    ------
    ValueError
        A module does not exist, or a name imported from a package cannot be traced to a module.
    """
    if not modules:
        raise ValueError("code_digest needs the name of at least one module.")
    digest = hashlib.sha256()
    members = {module: _parsed(_file(module, package), package)[0] for module in sorted(_closure(modules, package))}
    for module, own in members.items():
        digest.update(f"{module}\n{own}\n".encode())
    found = digest.hexdigest()[:16]
    _MEMBERS[found] = {module: own[:12] for module, own in members.items()}
    return found


_MEMBERS: dict[str, dict[str, str]] = {}


def digests_of_modules() -> dict[str, dict[str, str]]:
    """What each digest that this process has computed stands for: modules, and the digest of each.

    Returns
    -------
    dict
        By the digest of :func:`code_digest`; first 12 hexadecimal digits by the full name of the module.
    """
    return {digest: dict(members) for digest, members in _MEMBERS.items()}


def modules_of_script(script: Path | str, *, package: Path = _PACKAGE) -> tuple[str, ...]:
    """Modules of this package that a script imports, for ``code_digest(*modules_of_script(script))``."""
    return _parsed(Path(script), package)[1]


def _closure(modules: tuple[str, ...], package: Path) -> set[str]:
    waiting = list(modules)
    found: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(_parsed(_file(module, package), package)[1])
    return found


def _parsed(file: Path, package: Path) -> tuple[str, tuple[str, ...]]:
    """Digest of a file's syntax tree, and the modules of the package that it imports."""
    stat = file.stat()
    return _parse(file, package, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=4096)
def _parse(file: Path, package: Path, _time: int, _size: int) -> tuple[str, tuple[str, ...]]:
    words: list[str] = []
    imports: list[_AnyImport] = []
    _canonical(_tree(file), words, imports)
    inside = ".".join(file.parent.relative_to(package.parent).parts) if file.is_relative_to(package) else ""
    modules = {module for node in imports for module in _imported(node, inside, package)}
    modules.discard(f"{package.name}.registry")
    return hashlib.sha256("\0".join(words).encode()).hexdigest(), tuple(sorted(modules))


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), filename=str(file))


def _canonical(item: object, words: list[str], imports: list[_AnyImport]) -> None:
    """Append a tree to `words`, without positions, docstrings and empty fields; collect its imports."""
    if not isinstance(item, ast.AST):
        words.append(repr(item))
        return
    if isinstance(item, ast.Import | ast.ImportFrom):
        imports.append(item)
    words.append(type(item).__name__)
    for name in item._fields:
        value = getattr(item, name, None)
        is_empty = value is None or value == []  # Python versions differ in what they leave out
        if name == "ctx" or (is_empty and not isinstance(item, ast.Constant)):
            continue
        words.append(name)
        for child in _without_unread(value) if isinstance(value, list) else (value,):
            _canonical(child, words, imports)
    words.append(")")


def _without_unread(items: list[Any]) -> Iterator[Any]:
    """Leave out strings that stand alone (docstrings) and what only the type checker reads."""
    for item in items:
        if isinstance(item, ast.If) and ast.unparse(item.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            yield from _without_unread(item.orelse)
        elif not (isinstance(item, ast.Expr) and _text(item.value) is not None):
            yield item


def _imported(node: _AnyImport, inside: str, package: Path) -> Iterator[str]:
    """Modules that an import in a file of the folder `inside` names (a package alone names none)."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == package.name and not _path(alias.name, package).is_dir():
                yield alias.name
        return
    base = _base(node, inside)
    if base.split(".")[0] == package.name:
        for alias in node.names:
            yield from _imported_name(base, alias.name, package)


def _base(node: ast.ImportFrom, inside: str) -> str:
    """Full name of what a statement ``from ... import`` imports from."""
    if not node.level:
        return node.module or ""
    folders = inside.split(".")
    return ".".join([*folders[: len(folders) - node.level + 1], *([node.module] if node.module else [])])


def _imported_name(base: str, name: str, package: Path) -> Iterator[str]:
    """Module in which ``from base import name`` finds the name."""
    if not _path(base, package).is_dir():
        yield base
    elif _path(f"{base}.{name}", package).with_suffix(".py").is_file():
        yield f"{base}.{name}"
    elif not _path(f"{base}.{name}", package).is_dir():
        yield _traced(base, name, package)


def _traced(base: str, name: str, package: Path) -> str:
    """Module that defines a name exported by a package: itself, one it imports from, one in its table."""
    tree = _tree(_file(base, package))
    if any(name in _defined(statement) for statement in tree.body):
        return base
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return next(_imported_name(_base(node, base), alias.name, package))
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                target = _text(value)
                if target is not None and _text(key) == name:
                    return target.split(":")[0]
    raise ValueError(
        f"code_digest cannot tell where {base!r} takes {name!r} from: import it from the module that defines it."
    )


def _defined(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _text(node: ast.AST | None) -> str | None:
    """Value of a string constant."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _path(module: str, package: Path) -> Path:
    return package.parent.joinpath(*module.split("."))


def _file(module: str, package: Path) -> Path:
    if module.endswith(".py") and Path(module).is_file():
        return Path(module)
    path = _path(module, package)
    for file in (path.with_name(path.name + ".py"), path / "__init__.py"):
        if module.split(".", maxsplit=1)[0] == package.name and file.is_file():
            return file
    raise ValueError(f"there is no module {module!r} in {package}: correct the name, or the import of it.")
