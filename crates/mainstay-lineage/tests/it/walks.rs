use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{EdgeKind, ErrorKind, NodeRef};
use mainstay_lineage::{Graph, Presence, Walk, WalkOptions};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, node};

fn told(walk: &Walk) -> Vec<String> {
    let tell = |reached: &mainstay_lineage::Reached| format!("{} {}", reached.depth, reached.node);
    walk.reached.iter().map(tell).collect()
}

#[tokio::test]
async fn ancestors_come_nearest_first_by_a_shortest_way() {
    let fixture = Fixture::penguins().await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let all = WalkOptions::default();
    let walk = graph.ancestors(&node("unit:penguins@2"), &all).unwrap();
    assert_eq!(
        told(&walk),
        [
            "1 data:penguins@2",
            "1 env:lab@1",
            "1 model:species@1.1.0",
            "1 prompt:explain@2",
            "2 code:training@bbb222",
            "2 model:species@1.0.0",
            "2 data:heldout@1",
            "3 code:training@aaa111",
            "3 data:penguins@1",
        ]
    );
    let path = walk.path(&node("code:training@aaa111")).unwrap();
    let path: Vec<_> = path.iter().map(ToString::to_string).collect();
    assert_eq!(
        path,
        [
            "unit:penguins@2",
            "model:species@1.1.0",
            "model:species@1.0.0",
            "code:training@aaa111"
        ]
    );
    assert_eq!(walk.path(&node("data:unrelated@1")), None);
    let roles: Vec<_> = walk.reached[..2]
        .iter()
        .map(|reached| (reached.edge, reached.role.as_ref().unwrap().as_str()))
        .collect();
    assert_eq!(
        roles,
        [(EdgeKind::Contains, "data"), (EdgeKind::Contains, "env")]
    );
}

#[tokio::test]
async fn depth_and_kinds_of_edges_bound_a_walk() {
    let fixture = Fixture::penguins().await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let near = WalkOptions::default().with_max_depth(1);
    let walk = graph.descendants(&node("data:penguins@1"), &near).unwrap();
    assert_eq!(told(&walk), ["1 model:species@1.0.0", "1 unit:penguins@1"]);
    let nothing = WalkOptions::default().with_max_depth(0);
    let walk = graph
        .descendants(&node("data:penguins@1"), &nothing)
        .unwrap();
    assert!(walk.reached.is_empty());
    let derived = WalkOptions::default().with_edges([EdgeKind::DerivedFrom]);
    let walk = graph
        .descendants(&node("model:species@1.0.0"), &derived)
        .unwrap();
    assert_eq!(told(&walk), ["1 model:species@1.1.0"]);
}

#[tokio::test]
async fn impact_names_what_is_in_use() {
    let fixture = Fixture::penguins().await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let all = WalkOptions::default();
    let impact = graph.impact(&node("data:penguins@1"), &all).unwrap();
    assert_eq!(
        told(&impact.walk),
        [
            "1 model:species@1.0.0",
            "1 unit:penguins@1",
            "2 model:species@1.1.0",
            "3 unit:penguins@2"
        ]
    );
    let names: Vec<_> = impact
        .names
        .iter()
        .map(|named| format!("{} -> {}", named.name, named.node))
        .collect();
    assert_eq!(
        names,
        [
            "channel/prod/current -> unit:penguins@1",
            "model/species/stage/production -> model:species@1.1.0",
        ]
    );
}

#[tokio::test]
async fn what_is_not_there_is_marked() {
    let fixture = Fixture::penguins().await;
    fixture.delete("prompt:explain@1").await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    for (reference, presence) in [
        ("data:penguins@1", Some(Presence::Present)),
        ("prompt:explain@1", Some(Presence::Deleted)),
        ("data:heldout@1", Some(Presence::Absent)),
        ("code:training@aaa111", Some(Presence::External)),
        ("data:nothing@1", None),
    ] {
        assert_eq!(graph.presence(&node(reference)), presence, "{reference}");
    }
    let error = graph
        .ancestors(&node("data:nothing@1"), &WalkOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_surroundings_leave_out_what_has_nothing_to_do_with_it() {
    let fixture = Fixture::penguins().await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let around = graph
        .around(&node("model:species@1.0.0"), &WalkOptions::default())
        .unwrap();
    let nodes: Vec<_> = around.nodes().map(|(node, _)| node.to_string()).collect();
    assert_eq!(
        nodes,
        [
            "data:penguins@1",
            "model:species@1.0.0",
            "model:species@1.1.0",
            "env:lab@1",
            "code:training@aaa111",
            "unit:penguins@1",
            "unit:penguins@2",
        ]
    );
    assert_eq!(around.names(&node("unit:penguins@1")).len(), 1);
    assert!(around.edges().count() < graph.edges().count());
}

/// Distances by repeated relaxation: slow, short, right.
fn distances(edges: &BTreeSet<(u8, u8)>, start: u8) -> BTreeMap<u8, u32> {
    let mut distance = BTreeMap::from([(start, 0)]);
    for _ in 0..=edges.len() {
        for (from, to) in edges {
            if let Some(before) = distance.get(from).copied() {
                let known = distance.entry(*to).or_insert(u32::MAX);
                *known = (*known).min(before + 1);
            }
        }
    }
    distance.remove(&start);
    distance
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any graph, cycles and loops too.
    #[test]
    fn walks_find_what_relaxation_finds(
        edges in proptest::collection::btree_set((0_u8..6, 0_u8..6), 0..14), start in 0_u8..6
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let graph = runtime.block_on(async {
            let fixture = Fixture::new().await;
            for from in 0..6_u8 {
                let to: Vec<String> = edges
                    .iter()
                    .filter(|edge| edge.0 == from)
                    .map(|edge| format!("derived_from - data:n{}@1", edge.1))
                    .collect();
                let to: Vec<&str> = to.iter().map(String::as_str).collect();
                fixture.add(&format!("data:n{from}@1"), json!({}), &to).await;
            }
            Graph::from_view(&fixture.view().await).unwrap()
        });
        let id = |node: &NodeRef| node.name().as_str()[1..].parse::<u8>().unwrap();
        let start_node = node(&format!("data:n{start}@1"));
        let back: BTreeSet<(u8, u8)> = edges.iter().map(|(from, to)| (*to, *from)).collect();
        let all = WalkOptions::default();
        for (walk, edges) in [
            (graph.ancestors(&start_node, &all).unwrap(), &edges),
            (graph.descendants(&start_node, &all).unwrap(), &back),
        ] {
            let found: BTreeMap<u8, u32> =
                walk.reached.iter().map(|r| (id(&r.node), r.depth)).collect();
            prop_assert_eq!(found, distances(edges, start));
            prop_assert!(walk.reached.is_sorted_by_key(|reached| reached.depth));
            for reached in &walk.reached {
                let path = walk.path(&reached.node).unwrap();
                prop_assert_eq!(path.len() as u64, u64::from(reached.depth) + 1);
                prop_assert!(path.windows(2).all(|w| edges.contains(&(id(&w[0]), id(&w[1])))));
            }
        }
        // Drawing ends, whatever the cycles, and mentions everything that is reached.
        let tree = graph
            .tree(&start_node, mainstay_lineage::Direction::Up, &all)
            .unwrap();
        for reached in graph.ancestors(&start_node, &all).unwrap().reached {
            prop_assert!(tree.contains(&reached.node.to_string()));
        }
    }
}
