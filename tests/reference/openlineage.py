"""Reads OpenLineage events, one a line on standard input, and writes them again, for tests to compare.

The classes of the package openlineage-python do it, which are generated from the JSON schema of OpenLineage.
Ends with 0 when every event is written as it was read, with 3 when one is not or cannot be read, with 77
without the package.
"""

import json
import sys

# Or else what lies beside this file may be taken for a package.
sys.path.pop(0)


try:
    from openlineage.client import event_v2 as model
    from openlineage.client.facet_v2 import dataset_version_dataset, ownership_dataset
    from openlineage.client.generated.base import RunFacet
    from openlineage.client.serde import Serde
except ImportError:
    sys.exit(77)


def version(said):
    return dataset_version_dataset.DatasetVersionDatasetFacet(
        datasetVersion=said["datasetVersion"], producer=said["_producer"]
    )


def ownership(said):
    owners = [ownership_dataset.Owner(**owner) for owner in said["owners"]]
    return ownership_dataset.OwnershipDatasetFacet(owners=owners, producer=said["_producer"])


FACETS = {"version": version, "ownership": ownership}


def written_again(event):
    def dataset(kind, said):
        facets = {name: FACETS[name](facet) for name, facet in said["facets"].items()}
        return kind(namespace=said["namespace"], name=said["name"], facets=facets)

    def own(said):
        facet = RunFacet(producer=said["_producer"])
        members = {name: value for name, value in said.items() if not name.startswith("_")}
        return facet.with_additional_properties(**members)

    facets = event["run"].get("facets", {})
    read = model.RunEvent(
        eventType=model.RunState(event["eventType"]),
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=model.Run(runId=event["run"]["runId"], facets={name: own(facet) for name, facet in facets.items()}),
        job=model.Job(**event["job"]),
        inputs=[dataset(model.InputDataset, said) for said in event["inputs"]],
        outputs=[dataset(model.OutputDataset, said) for said in event["outputs"]],
    )
    again = Serde.to_dict(read)
    # Facets that are not stated are written as none; a facet of one's own has a schema of its own.
    for said in again["run"], again["job"]:
        if not said.get("facets"):
            said.pop("facets", None)
    for said in again["inputs"] + again["outputs"]:
        for name in ("inputFacets", "outputFacets"):
            assert not said.pop(name, {})
    for name, facet in again["run"].get("facets", {}).items():
        facet["_schemaURL"] = facets[name]["_schemaURL"]
    return again


for line in sys.stdin:
    event = json.loads(line)
    try:
        again = written_again(event)
    except Exception as error:  # Whatever the package raises says that the event is not right.
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(3)
    if again != event:
        print(f"read\n{json.dumps(event)}\nand written\n{json.dumps(again)}", file=sys.stderr)
        sys.exit(3)
