//! W3C PROV, as PROV-JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_core::{Actor, Edge, EdgeKind, NodeKind, NodeRef};
use serde_json::{Map, Value, json};

use crate::graph::{Graph, Presence};

/// What a node is in PROV.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Entity,
    Activity,
    Agent,
}

impl Graph {
    /// Says the graph in [PROV-JSON](https://www.w3.org/submissions/prov-json/), the vocabulary that
    /// auditors know.
    ///
    /// Runs, rollouts and experiments are activities, people and services agents, everything else is an
    /// entity. Where PROV has a relation for an edge between such ends it is used, else
    /// `wasInfluencedBy`; `mainstay:edge` and `mainstay:role` say what it was. Who committed a thing is
    /// an agent, too, that it is attributed to, or associated with, as far as the graph
    /// [has authors](Self::with_authors).
    #[must_use]
    pub fn to_prov(&self) -> Value {
        let mut document: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        let prefix = Map::from_iter([("mainstay".to_owned(), json!("urn:mainstay:"))]);
        document.insert("prefix", prefix);
        for (node, presence) in self.nodes() {
            let section = match class(node) {
                Class::Entity => "entity",
                Class::Activity => "activity",
                Class::Agent => "agent",
            };
            let kind =
                json!({"$": format!("mainstay:{}", node.kind()), "type": "prov:QUALIFIED_NAME"});
            let mut about = json!({"prov:label": node, "prov:type": kind});
            if presence == Presence::Deleted || presence == Presence::Absent {
                about["mainstay:presence"] = json!(presence);
            }
            document.entry(section).or_default().insert(id(node), about);
        }
        for (number, (from, edge)) in self.edges().enumerate() {
            let (relation, mut about) = relation(from, edge);
            about["mainstay:edge"] = json!(edge.kind);
            if let Some(role) = &edge.role {
                about["mainstay:role"] = json!(role);
            }
            let relations = document.entry(relation).or_default();
            relations.insert(format!("_:e{number}"), about);
        }
        for (number, (node, author)) in self.authored().enumerate() {
            let agent = agent(author);
            let about = json!({"prov:label": author});
            document
                .entry("agent")
                .or_default()
                .insert(agent.clone(), about);
            let (relation, end) = match class(node) {
                Class::Entity => ("wasAttributedTo", "prov:entity"),
                Class::Activity => ("wasAssociatedWith", "prov:activity"),
                Class::Agent => continue,
            };
            let about = json!({end: id(node), "prov:agent": agent});
            let relations = document.entry(relation).or_default();
            relations.insert(format!("_:a{number}"), about);
        }
        json!(document)
    }

    fn authored(&self) -> impl Iterator<Item = (&NodeRef, &Actor)> {
        self.nodes()
            .filter_map(|(node, _)| Some((node, self.author(node)?)))
    }
}

/// An actor is any text, a local name is not: what RFC 3986 does not reserve stays, the rest is escaped.
fn agent(actor: &Actor) -> String {
    let mut id = "mainstay:actor/".to_owned();
    for byte in actor.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                id.push(char::from(byte));
            }
            other => {
                let _ = write!(id, "%{other:02X}");
            }
        }
    }
    id
}

fn class(node: &NodeRef) -> Class {
    match node.kind() {
        NodeKind::Run | NodeKind::Rollout | NodeKind::Experiment => Class::Activity,
        NodeKind::Agent => Class::Agent,
        _ => Class::Entity,
    }
}

fn id(node: &NodeRef) -> String {
    format!("mainstay:{}", node.ref_path())
}

fn relation(from: &NodeRef, edge: &Edge) -> (&'static str, Value) {
    use Class::{Activity, Agent, Entity};
    let (source, target) = (id(from), id(&edge.to));
    match (class(from), edge.kind, class(&edge.to)) {
        (Entity, EdgeKind::Supersedes, Entity) => {
            let kind = json!({"$": "prov:Revision", "type": "prov:QUALIFIED_NAME"});
            let about = json!({
                "prov:generatedEntity": source, "prov:usedEntity": target, "prov:type": kind,
            });
            ("wasDerivedFrom", about)
        }
        (Entity, EdgeKind::Used | EdgeKind::DerivedFrom, Entity) => {
            let about = json!({"prov:generatedEntity": source, "prov:usedEntity": target});
            ("wasDerivedFrom", about)
        }
        (Entity, EdgeKind::Contains, Entity) => (
            "hadMember",
            json!({"prov:collection": source, "prov:entity": target}),
        ),
        (Entity, EdgeKind::GeneratedBy, Activity) => (
            "wasGeneratedBy",
            json!({"prov:entity": source, "prov:activity": target}),
        ),
        (Activity, _, Entity) => (
            "used",
            json!({"prov:activity": source, "prov:entity": target}),
        ),
        (Activity, _, Activity) => (
            "wasInformedBy",
            json!({"prov:informed": source, "prov:informant": target}),
        ),
        (Activity, _, Agent) => (
            "wasAssociatedWith",
            json!({"prov:activity": source, "prov:agent": target}),
        ),
        (Entity, EdgeKind::AttributedTo, Agent) => (
            "wasAttributedTo",
            json!({"prov:entity": source, "prov:agent": target}),
        ),
        _ => (
            "wasInfluencedBy",
            json!({"prov:influencee": source, "prov:influencer": target}),
        ),
    }
}
