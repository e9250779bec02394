"""Reads documents of PROV-JSON, one a line on standard input, and writes them again, for tests to compare.

The package prov reads and writes them, and brings the JSON schema of the W3C member submission, against which
jsonschema validates each. Ends with 0 when every document is valid and says the same when it is written again,
with 3 when one is not or cannot be read, with 77 without the packages.
"""

import json
import pathlib
import sys

# Or else what lies beside this file may be taken for a package.
sys.path.pop(0)

try:
    import jsonschema
    import prov
    from prov.model import ProvDocument

    schema = pathlib.Path(prov.__file__).parent / "tests/schemas/prov-json.schema.json"
    schema = json.loads(schema.read_text())
except (ImportError, FileNotFoundError):
    sys.exit(77)

validator = jsonschema.validators.validator_for(schema)(schema)
RELATIONS = set(schema["properties"]) - {"prefix", "entity", "activity", "agent", "bundle"}


def check(said):
    for error in validator.iter_errors(said):
        raise ValueError(f"{error.json_path}: {error.message}")
    read = ProvDocument.deserialize(content=json.dumps(said), format="json")
    again = json.loads(read.serialize(format="json"))
    if ProvDocument.deserialize(content=json.dumps(again), format="json") != read:
        raise ValueError("another document when written again")
    for section in set(said) - {"prefix"}:
        if len(again.get(section, {})) != len(said[section]):
            raise ValueError(f"{section}: {len(said[section])} are {len(again.get(section, {}))} when written again")
    declared = {name for section in ("entity", "activity", "agent") for name in again.get(section, {})}
    for section in RELATIONS & set(again):
        for about in again[section].values():
            ends = {about[end] for end in about if end.startswith("prov:") and isinstance(about[end], str)}
            if not ends <= declared:
                raise ValueError(f"{section} names what is not declared: {sorted(ends - declared)}")


for line in sys.stdin:
    try:
        check(json.loads(line))
    except Exception as error:  # Whatever the package raises says that the document is not right.
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(3)
