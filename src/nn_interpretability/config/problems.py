"""What is wrong with a configuration, in the user's words: where, what, what is allowed, what was meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError

LONGEST_VALUE = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a configuration.

    Attributes
    ----------
    path
        Where, such as ``attributions.lrp_0.parameters.rule``.
    complaint
        What is wrong, with the value.
    allowed
        What would be right; may be empty.
    suggestion
        What was probably meant; may be empty.
    """

    path: str
    complaint: str
    allowed: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        lines = [f"  {self.path or 'the configuration'}: {self.complaint}"]
        if self.suggestion:
            lines.append(f"      did you mean {self.suggestion}?")
        if self.allowed:
            lines.append(f"      allowed: {self.allowed}")
        return "\n".join(lines)


def unknown_name(path: str, value: str, known: Sequence[str], section: str) -> Problem:
    """Say that a value should be one of the names that a section of the configuration defines."""
    names = f": {words(known)}" if known else ", which is empty"
    complaint = f"{value!r} is not a name under {section}"
    return Problem(path, complaint, f"the names under {section}{names}", closest(value, known))


def from_schema_error(error: ValidationError) -> Iterator[Problem]:
    """Say one error that ``jsonschema`` found."""
    schema: Mapping[str, Any] = error.schema  # type: ignore[assignment]
    value: Any = error.instance
    path = joined(error.absolute_path)
    if error.validator == "additionalProperties":
        known = sorted(schema["properties"])
        for key in (key for key in value if key not in known):
            allowed = words(known) or "no keys at all"
            yield Problem(joined([path, str(key)]), "is not a known key", allowed, closest(key, known))
    elif error.validator == "required":
        for key in (key for key in schema["required"] if key not in value):
            allowed = described(schema["properties"][key])
            yield Problem(joined([path, key]), "is missing", allowed)
    elif "propertyNames" in error.absolute_schema_path:
        yield Problem(path, f"{show(value)} cannot be a name", schema["description"])
    elif error.validator in {"oneOf", "anyOf"} and (meant := _meant_alternative(error)):
        for child in meant:
            yield from from_schema_error(child)
    else:
        yield Problem(path, f"{show(value)} is not allowed", described(schema), _meant(value, schema))


def _meant_alternative(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the one alternative whose type fits the value; empty if that is not clear."""
    branches: dict[int, list[ValidationError]] = {}
    for child in error.context or []:
        branches.setdefault(int(child.relative_schema_path[0]), []).append(child)
    fitting = [errors for errors in branches.values() if not any(map(_is_of_another_kind, errors))]
    return fitting[0] if len(fitting) == 1 else []


def _is_of_another_kind(error: ValidationError) -> bool:
    return not error.relative_path and error.validator in {"type", "enum", "const"}


def joined(parts: Iterable[str | int]) -> str:
    """Join keys and indices to a path such as ``figures.fig12.panels[0]``."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def show(value: Any) -> str:
    """Show a value nearly as YAML has it, text in quotes, cut where it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 4] + " ..."


def words(values: Iterable[str]) -> str:
    """Join names with commas."""
    return ", ".join(values)


def closest(value: Any, known: Sequence[str]) -> str:
    """Return the known name that is spelt most like the value, in quotes; empty if none is close."""
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(value).lower(), list(lower), n=1)
    return repr(lower[close[0]]) if close else ""


def described(schema: Mapping[str, Any]) -> str:
    """Say in words what a schema allows."""
    if "enum" in schema:
        return " or ".join(map(show, schema["enum"]))
    for alternatives in ("oneOf", "anyOf"):
        if alternatives in schema:
            return ", or ".join(map(described, schema[alternatives]))
    kinds = schema.get("type", [])
    return " or ".join(_described(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _described(kind: str, schema: Mapping[str, Any]) -> str:
    if kind in {"integer", "number"}:
        return ("a whole number" if kind == "integer" else "a number") + _range(schema)
    if kind == "array":
        return f"a list{_length(schema)}, each {described(schema.get('items', {})) or 'any value'}"
    if kind == "object":
        keys = schema.get("properties")
        return f"a mapping with the keys {words(sorted(keys))}" if keys else "a mapping of keys to values"
    return {"boolean": "true or false", "string": "text", "null": "null"}[kind]


def _range(schema: Mapping[str, Any]) -> str:
    phrases = {
        "minimum": "at least",
        "exclusiveMinimum": "greater than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    limits = [f"{phrase} {schema[key]}" for key, phrase in phrases.items() if key in schema]
    return f" ({' and '.join(limits)})" if limits else ""


def _length(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if least == most:
        return f" of {least}"
    return f" of at least {least}" if least else ""


def _meant(value: Any, schema: Mapping[str, Any]) -> str:
    """Guess which allowed value was meant: another spelling, or one that YAML reads as another type."""
    choices = [choice for choice in _choices(schema) if isinstance(choice, str)]
    if not isinstance(value, str) and show(value) in choices:
        return f'"{show(value)}" (in quotes, so that YAML reads it as text)'
    if isinstance(value, str) and not choices:
        kinds = schema.get("type", [])
        return _unquoted(value, [kinds] if isinstance(kinds, str) else kinds)
    return closest(value, choices)


def _choices(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from schema.get("enum", [])
    for alternatives in ("oneOf", "anyOf"):
        for child in schema.get(alternatives, []):
            yield from _choices(child)


def _unquoted(text: str, kinds: Sequence[str]) -> str:
    """Name the value that a text spells out; YAML and the command line sometimes make a text of it."""
    words = {"true": "boolean", "false": "boolean", "null": "null"}
    if words.get(text.lower()) in kinds:
        return f"{text.lower()} (without quotes; nested keys of --config are always text: use --configfile)"
    try:
        number = float(text)
    except ValueError:
        return ""
    reason = "YAML reads 1e-3 as text but 1.0e-3 as a number, and nested keys of --config always as text"
    return f"{number:g} (without quotes; {reason})" if {"integer", "number"} & set(kinds) else ""
