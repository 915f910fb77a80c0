"""Check the digests in reference/claims.yaml, or write them: ``python tools/claims.py [--fix]``."""

from __future__ import annotations

import re
import sys

import yaml

from nn_interpretability.claims.rules import digest_of, load_rules, rules_file


def fix(text: str) -> str:
    """The file with a version and the right digest at the end of each entry."""
    head, *entries = re.split(r"(?m)^(?=- id: )", text)
    return head + "".join(_fixed(entry) for entry in entries)


def _fixed(entry: str) -> str:
    bare = re.sub(r"(?m)^  digest: .*\n", "", entry)
    if not re.search(r"(?m)^  version: ", bare):
        bare += "  version: 1\n"
    return f'{bare}  digest: "{digest_of(yaml.safe_load(bare)[0])}"\n'


def main() -> None:
    """Write the digests if asked; then check."""
    path = rules_file()
    if "--fix" in sys.argv[1:]:
        path.write_text(fix(path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(load_rules())} rules\n")


if __name__ == "__main__":
    main()
