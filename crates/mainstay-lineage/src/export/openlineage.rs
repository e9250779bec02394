//! OpenLineage run events.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Edge, EdgeKind, NodeKind, NodeRef, Timestamp};
use serde_json::{Value, json};

use crate::graph::{Direction, Graph};

const PRODUCER: &str = "https://github.com/mainstay-rs/mainstay";
const EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const VERSION: &str = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
const OWNERSHIP: &str = "https://openlineage.io/spec/facets/1-0-1/OwnershipDatasetFacet.json#/$defs/OwnershipDatasetFacet";
/// Of this release: the specification asks for an address whose contents never change.
const EDGES: &str = concat!(
    "https://github.com/mainstay-rs/mainstay/blob/v",
    env!("CARGO_PKG_VERSION"),
    "/docs/formats/openlineage.md#edges"
);

/// What was made in one go, and of what.
#[derive(Default)]
struct Made<'g> {
    outputs: BTreeSet<&'g NodeRef>,
    inputs: BTreeSet<&'g NodeRef>,
    edges: Vec<(&'g NodeRef, &'g Edge)>,
    /// When the first and the last of it were committed.
    times: Option<(Timestamp, Timestamp)>,
}

impl Graph {
    /// Says the graph in [OpenLineage](https://openlineage.io) events, a `START` and a `COMPLETE` of each
    /// run with what it made, and of the making of each other thing that came from something. Oldest
    /// first. `namespace` names the workspace.
    ///
    /// Data, splits, models, prompts and reports of evaluations are its datasets, with their version as
    /// facet. All edges, also to code and environments, are in the facet `mainstay_edges` of the run;
    /// see `docs/formats/openlineage.md`. What is not in the repository has no event. Who committed a
    /// dataset is its owner, as far as the graph [has authors](Self::with_authors).
    #[must_use]
    pub fn to_openlineage(&self, namespace: &str) -> Vec<Value> {
        let mut all: BTreeMap<&NodeRef, Made<'_>> = BTreeMap::new();
        for (node, _) in self.nodes() {
            let Some(time) = self.committed(node) else {
                continue;
            };
            let edges = self.neighbors(node, Direction::Up);
            let by = edges
                .iter()
                .find(|(edge, _)| edge.kind == EdgeKind::GeneratedBy);
            let run = by.map_or(node, |(_, run)| *run);
            if edges.is_empty() {
                continue;
            }
            let made = all.entry(run).or_default();
            let (first, last) = made.times.unwrap_or((time, time));
            made.times = Some((first.min(time), last.max(time)));
            if is_dataset(node) {
                made.outputs.insert(node);
            }
            let inputs = edges.iter().filter(|(_, to)| is_dataset(to));
            made.inputs.extend(inputs.map(|(_, to)| *to));
            made.edges
                .extend(edges.iter().map(|(edge, _)| (node, *edge)));
        }
        let events = all.into_iter().filter_map(|(run, made)| {
            let (first, last) = made.times?;
            let [start, complete] = made.events(self, run, namespace, (first, last));
            Some([(first, run, start), (last, run, complete)])
        });
        let mut events: Vec<(Timestamp, &NodeRef, Value)> = events.flatten().collect();
        // Stable: a start stays before its end.
        events.sort_by_key(|(time, run, _)| (*time, *run));
        events.into_iter().map(|(_, _, event)| event).collect()
    }
}

impl Made<'_> {
    /// The start, with what is known then, and the end with everything.
    fn events(
        &self,
        graph: &Graph,
        run: &NodeRef,
        namespace: &str,
        (first, last): (Timestamp, Timestamp),
    ) -> [Value; 2] {
        let datasets = |nodes: &BTreeSet<&NodeRef>| -> Vec<Value> {
            let nodes = nodes.iter();
            nodes.map(|node| dataset(graph, node, namespace)).collect()
        };
        // What one thing of a run made another of it used is no input of the run.
        let inputs = self.inputs.difference(&self.outputs).copied().collect();
        let start = json!({
            "eventType": "START",
            "eventTime": first,
            "producer": PRODUCER,
            "schemaURL": EVENT,
            "run": {"runId": uuid(namespace, run)},
            "job": {"namespace": namespace, "name": format!("{}/{}", run.kind(), run.name())},
            "inputs": datasets(&inputs),
            "outputs": [],
        });
        let mut complete = start.clone();
        complete["eventType"] = json!("COMPLETE");
        complete["eventTime"] = json!(last);
        complete["run"]["facets"] = json!({"mainstay_edges": self.edges()});
        complete["outputs"] = json!(datasets(&self.outputs));
        [start, complete]
    }

    fn edges(&self) -> Value {
        let edges = self.edges.iter().map(|(from, edge)| {
            let mut said = json!({"from": from, "kind": edge.kind, "to": edge.to});
            if let Some(role) = &edge.role {
                said["role"] = json!(role);
            }
            said
        });
        let edges: Vec<Value> = edges.collect();
        json!({"_producer": PRODUCER, "_schemaURL": EDGES, "edges": edges})
    }
}

fn is_dataset(node: &NodeRef) -> bool {
    matches!(
        node.kind(),
        NodeKind::Data | NodeKind::Split | NodeKind::Model | NodeKind::Prompt | NodeKind::Eval
    )
}

fn dataset(graph: &Graph, node: &NodeRef, namespace: &str) -> Value {
    let mut facets = json!({"version": {
        "_producer": PRODUCER, "_schemaURL": VERSION, "datasetVersion": node.version(),
    }});
    if let Some(author) = graph.author(node) {
        facets["ownership"] = json!({
            "_producer": PRODUCER,
            "_schemaURL": OWNERSHIP,
            "owners": [{"name": author, "type": "COMMITTER"}],
        });
    }
    json!({
        "namespace": namespace,
        "name": format!("{}/{}", node.kind(), node.name()),
        "facets": facets,
    })
}

/// A UUID of version 8 (RFC 9562): the same for the same run of the same namespace.
fn uuid(namespace: &str, run: &NodeRef) -> String {
    let digest = Digest::of(format!("openlineage run\n{namespace}\n{run}").as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
