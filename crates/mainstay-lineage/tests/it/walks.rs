use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{EdgeKind, ErrorKind, NodeRef};
use mainstay_lineage::{Direction, Graph, Presence, Walk, WalkOptions};
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
async fn impact_says_what_serves_it_and_by_which_way_also_through_what_was_deleted() {
    let fixture = Fixture::penguins().await;
    fixture.delete("model:species@1.0.0").await;
    let down = [Direction::Down];
    let all = WalkOptions::default();
    let whole = Graph::from_view(&fixture.view().await).unwrap();
    let near = fixture.near("data:penguins@1", &down, &all).await;
    for graph in [&whole, &near] {
        let impact = graph.impact(&node("data:penguins@1"), &all).unwrap();
        let live: Vec<_> = impact.names.iter().filter(|name| name.serves).collect();
        assert_eq!(live.len(), 1);
        assert_eq!(
            live[0].path,
            [node("data:penguins@1"), node("unit:penguins@1")]
        );
        // By way of the model that is no more.
        let stage = &impact.names[1];
        assert_eq!(stage.name.as_str(), "model/species/stage/production");
        let way = [
            "data:penguins@1",
            "model:species@1.0.0",
            "model:species@1.1.0",
        ];
        assert_eq!(stage.path, way.map(node));
    }
    let up = fixture
        .near("model:species@1.1.0", &[Direction::Up], &all)
        .await;
    for graph in [&whole, &up] {
        let walk = graph.ancestors(&node("model:species@1.1.0"), &all);
        assert!(told(&walk.unwrap()).contains(&"2 data:penguins@1".to_owned()));
    }
    assert_eq!(
        up.presence(&node("model:species@1.0.0")),
        Some(Presence::Deleted)
    );
}

#[tokio::test]
async fn what_is_near_is_read_and_what_nobody_knows_is_not_found() {
    let fixture = Fixture::penguins().await;
    let all = WalkOptions::default();
    let near = fixture
        .near("prompt:explain@1", &[Direction::Down], &all)
        .await;
    let nodes: Vec<_> = near.nodes().map(|(node, _)| node.to_string()).collect();
    assert_eq!(nodes, ["prompt:explain@1", "unit:penguins@1"]);
    // Only named by others.
    let heldout = fixture
        .near("data:heldout@1", &[Direction::Down], &all)
        .await;
    assert_eq!(heldout.len(), 3);
    let view = fixture.view().await;
    let nothing = node("data:nothing@1");
    let error = Graph::near(&fixture.repo, &view, &nothing, &[Direction::Up], &all);
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::NotFound);
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

/// How many ways there are.
fn ways(edges: &BTreeSet<(u8, u8)>, from: u8, to: u8) -> usize {
    let next = edges.iter().filter(|(start, _)| *start == from);
    next.map(|(_, n)| usize::from(*n == to) + ways(edges, *n, to))
        .sum()
}

/// What both came from, and the ways from one to the other.
fn check_two(
    graph: &Graph,
    edges: &BTreeSet<(u8, u8)>,
    (a, a_node): (u8, &NodeRef),
    (b, b_node): (u8, &NodeRef),
) {
    let all = WalkOptions::default();
    let above = |of: u8| -> BTreeSet<u8> {
        let mut above: BTreeSet<u8> = distances(edges, of).into_keys().collect();
        above.insert(of);
        above
    };
    let common: BTreeSet<u8> = above(a).intersection(&above(b)).copied().collect();
    let is_nearest = |n: &&u8| {
        common
            .iter()
            .all(|other| other == *n || !above(*other).contains(n))
    };
    let nearest: Vec<String> = common
        .iter()
        .filter(is_nearest)
        .map(|n| format!("data:n{n}@1"))
        .collect();
    let told = graph.common(a_node, b_node, &all).unwrap();
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        nearest
    );
    let paths = graph.paths(a_node, b_node, &all, 1_000).unwrap();
    assert_eq!(paths.len(), ways(edges, a, b));
    assert!(paths.is_sorted_by_key(|path| path.edges.len()));
    assert!(
        paths
            .iter()
            .all(|path| path.edges.last().unwrap().to == *b_node)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whether all is read, or what is near.
    #[test]
    fn walks_find_what_relaxation_finds(
        edges in proptest::collection::btree_set((0_u8..6, 0_u8..6), 0..14), start in 0_u8..6
    ) {
        // A version comes from those before it only.
        let edges: BTreeSet<(u8, u8)> = edges.into_iter().filter(|(from, to)| from > to).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let [graph, near] = runtime.block_on(async {
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
            let both = [Direction::Up, Direction::Down];
            let (start, all) = (format!("data:n{start}@1"), WalkOptions::default());
            let near = fixture.near(&start, &both, &all).await;
            [Graph::from_view(&fixture.view().await).unwrap(), near]
        });
        let id = |node: &NodeRef| node.name().as_str()[1..].parse::<u8>().unwrap();
        let start_node = node(&format!("data:n{start}@1"));
        let back: BTreeSet<(u8, u8)> = edges.iter().map(|(from, to)| (*to, *from)).collect();
        let all = WalkOptions::default();
        for (walk, edges) in [
            (graph.ancestors(&start_node, &all).unwrap(), &edges),
            (graph.descendants(&start_node, &all).unwrap(), &back),
            (near.ancestors(&start_node, &all).unwrap(), &edges),
            (near.descendants(&start_node, &all).unwrap(), &back),
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
        for other in 0..6_u8 {
            let other_node = node(&format!("data:n{other}@1"));
            check_two(&graph, &edges, (start, &start_node), (other, &other_node));
        }
        // Drawing mentions everything that is reached.
        let tree = graph
            .tree(&start_node, Direction::Up, &all)
            .unwrap();
        for reached in graph.ancestors(&start_node, &all).unwrap().reached {
            prop_assert!(tree.contains(&reached.node.to_string()));
        }
    }
}
