use mainstay_core::EdgeKind;
use mainstay_lineage::{Direction, Graph, WalkOptions};
use serde_json::json;

use crate::fixture::{Fixture, node};

#[tokio::test]
async fn a_tree_shows_parts_with_their_roles_and_nothing_twice() {
    let fixture = Fixture::penguins().await;
    fixture.delete("data:penguins@1").await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let all = WalkOptions::default();
    let tree = graph.tree(&node("unit:penguins@2"), Direction::Up, &all);
    assert_eq!(
        tree.unwrap(),
        "\
unit:penguins@2
├── data    data:penguins@2
├── env     env:lab@1
├── model   model:species@1.1.0
│   ├── code                     code:training@bbb222
│   ├── env                      env:lab@1
│   ├── train                    data:penguins@2
│   ├── derived from (continue)  model:species@1.0.0
│   │   ├── code   code:training@aaa111
│   │   ├── env    env:lab@1
│   │   └── train  data:penguins@1 (deleted)
│   └── evaluated on (heldout)   data:heldout@1 (missing)
└── prompt  prompt:explain@2
"
    );
    let tree = graph.tree(&node("data:penguins@1"), Direction::Down, &all);
    assert_eq!(
        tree.unwrap(),
        "\
data:penguins@1 (deleted)
├── train  model:species@1.0.0
│   ├── derived from (continue)  model:species@1.1.0
│   │   └── model  unit:penguins@2
│   └── model                    unit:penguins@1
└── data   unit:penguins@1
"
    );
}

#[tokio::test]
async fn a_tree_says_where_it_was_cut_and_what_was_drawn_before() {
    let fixture = Fixture::new().await;
    fixture
        .add(
            "data:a@1",
            json!({}),
            &["used - data:b@1", "derived_from - data:b@1"],
        )
        .await;
    fixture
        .add("data:b@1", json!({}), &["used - data:c@1"])
        .await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let all = WalkOptions::default();
    let tree = graph.tree(&node("data:a@1"), Direction::Up, &all).unwrap();
    assert_eq!(
        tree,
        "\
data:a@1
├── used          data:b@1
│   └── used  data:c@1 (missing)
└── derived from  data:b@1 (see above)
"
    );
    for cut in [
        WalkOptions::default().with_max_depth(1),
        WalkOptions::default().with_stops([mainstay_core::NodeKind::Data]),
    ] {
        let cut = cut.with_edges([EdgeKind::Used]);
        let near = fixture.near("data:a@1", &[Direction::Up], &cut).await;
        for graph in [&graph, &near] {
            let tree = graph.tree(&node("data:a@1"), Direction::Up, &cut).unwrap();
            assert_eq!(tree, "data:a@1\n└── used  data:b@1 …\n");
        }
    }
}

#[tokio::test]
async fn a_long_chain_is_cut_and_not_overflowed() {
    let fixture = Fixture::new().await;
    fixture
        .commit("chain", |transaction| {
            for number in 0..2_000_u32 {
                let edge = format!("derived_from - data:n@{}", number + 1);
                let value = mainstay_repo::Value::new("note", &json!({})).unwrap();
                transaction.set(
                    node(&format!("data:n@{number}")).ref_path(),
                    value.with_edges([crate::fixture::edge(&edge)]),
                    mainstay_repo::Expectation::Any,
                );
            }
        })
        .await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    let all = WalkOptions::default();
    let start = node("data:n@0");
    assert_eq!(graph.ancestors(&start, &all).unwrap().reached.len(), 2_000);
    let tree = graph.tree(&start, Direction::Up, &all).unwrap();
    assert!(tree.ends_with("data:n@64 …\n"), "{tree}");
}

#[tokio::test]
async fn dot_and_mermaid_say_the_same() {
    let fixture = Fixture::new().await;
    fixture.add("data:größe@1", json!({}), &[]).await;
    fixture
        .add(
            "model:m@1.0.0",
            json!({}),
            &[
                "used train data:größe@1",
                "derived_from fine_tune model:base@2.0.0",
            ],
        )
        .await;
    let graph = Graph::from_view(&fixture.view().await).unwrap();
    assert_eq!(
        graph.to_dot(),
        r#"digraph lineage {
  rankdir=LR;
  node [fontname="sans-serif"];
  "data:größe@1" [label="data:größe@1", shape=cylinder];
  "model:base@2.0.0" [label="model:base@2.0.0 (missing)", shape=box3d, style=dashed];
  "model:m@1.0.0" [label="model:m@1.0.0", shape=box3d];
  "model:m@1.0.0" -> "data:größe@1" [label="train"];
  "model:m@1.0.0" -> "model:base@2.0.0" [label="derived from (fine_tune)"];
}
"#
    );
    assert_eq!(
        graph.to_mermaid(),
        "\
flowchart LR
  n0[(\"data:größe@1\")]
  n1[\"model:base@2.0.0 (missing)\"]
  n2[\"model:m@1.0.0\"]
  n2 -- \"train\" --> n0
  n2 -- \"derived from (fine_tune)\" --> n1
"
    );
}
