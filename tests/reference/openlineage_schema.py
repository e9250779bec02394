"""Validates OpenLineage events, one a line on standard input, against the JSON schemas of OpenLineage.

    openlineage_schema.py DIRECTORY

DIRECTORY holds OpenLineage.json and facets/*.json as https://openlineage.io/spec has them; an event says by
`schemaURL` which definition of the first it is, and a facet by `_schemaURL` which of the others. A facet whose
schema is elsewhere is a facet of one's own, which only has to be a facet. The package jsonschema[format-nongpl]
does it, and loads nothing. Ends with 0 when every event is valid, with 3 when one is not, with 77 without the package.
"""

import json
import pathlib
import sys

# Or else what lies beside this file may be taken for a package.
sys.path.pop(0)

try:
    from jsonschema import Draft202012Validator as Validator
    from referencing import Registry, Resource
except ImportError:
    sys.exit(77)

CHECKER = Validator.FORMAT_CHECKER
if not {"date-time", "uri", "uuid"} <= set(CHECKER.checkers):
    sys.exit(77)

SPEC = "https://openlineage.io/spec/"

# They name the core by the version that they were written for; its facets have not changed since.
core = json.loads((pathlib.Path(sys.argv[1]) / "OpenLineage.json").read_text())


def retrieve(uri):
    if not (uri.startswith(SPEC) and uri.endswith("/OpenLineage.json")):
        raise LookupError(f"no schema of {uri}")
    return Resource.from_contents(core)


schemas = [json.loads(path.read_text()) for path in sorted(pathlib.Path(sys.argv[1]).glob("facets/*.json"))]
known = {schema["$id"]: Resource.from_contents(schema) for schema in [core, *schemas]}
registry = Registry(retrieve=retrieve).with_resources(known.items())


def validate(url, value):
    schema = {"$schema": core["$schema"], "$ref": url}
    for error in Validator(schema, registry=registry, format_checker=CHECKER).iter_errors(value):
        print(f"{error.json_path}: {error.message} ({url})", file=sys.stderr)
        sys.exit(3)


for line in sys.stdin:
    event = json.loads(line)
    if not str(event.get("schemaURL")).startswith(core["$id"]):
        print(f"no event of {core['$id']}: {event.get('schemaURL')}", file=sys.stderr)
        sys.exit(3)
    validate(core["$id"], event)
    validate(event["schemaURL"], event)
    for said in [event["run"], event["job"], *event["inputs"], *event["outputs"]]:
        for facet in said.get("facets", {}).values():
            if facet["_schemaURL"].startswith(SPEC):
                validate(facet["_schemaURL"], facet)
