//! What other tools read.

use std::collections::BTreeSet;

use mainstay_lineage::Graph;
use serde_json::{Value, json};

use crate::fixture::{Fixture, node};

pub(crate) async fn trained() -> Graph {
    let fixture = fixture().await;
    Graph::from_view(&fixture.view().await).unwrap()
}

/// As [`trained`], with who committed what.
pub(crate) async fn authored() -> Graph {
    let (fixture, graph) = (fixture().await, trained().await);
    let view = fixture.view().await;
    graph.with_authors(&fixture.repo, &view).await.unwrap()
}

async fn fixture() -> Fixture {
    let fixture = Fixture::penguins().await;
    fixture
        .add(
            "run:train@7",
            json!({}),
            &["used train data:penguins@2", "attributed_to - agent:ada@1"],
        )
        .await;
    for model in ["model:a@1.0.0", "model:b@1.0.0"] {
        fixture
            .add(
                model,
                json!({}),
                &["generated_by - run:train@7", "used code code:training@ccc"],
            )
            .await;
    }
    fixture
        .add(
            "rollout:prod@1",
            json!({}),
            &["deploys candidate unit:penguins@2"],
        )
        .await;
    fixture.delete("prompt:explain@1").await;
    fixture
}

#[tokio::test]
async fn what_somebody_committed_is_attributed_to_them() {
    let document = authored().await.to_prov();
    assert_eq!(
        document["agent"]["mainstay:actor/ada"],
        json!({"prov:label": "ada"})
    );
    let of = |relation: &str, end: &str| -> BTreeSet<String> {
        let relations = document[relation].as_object().unwrap().values();
        let committed = relations.filter(|about| about["prov:agent"] == "mainstay:actor/ada");
        committed
            .map(|about| about[end].as_str().unwrap().to_owned())
            .collect()
    };
    let attributed = of("wasAttributedTo", "prov:entity");
    assert!(attributed.contains("mainstay:model/a/version/1.0.0"));
    assert!(
        !attributed.contains("mainstay:prompt/explain/version/1"),
        "it is gone"
    );
    let associated = of("wasAssociatedWith", "prov:activity");
    assert!(associated.contains("mainstay:run/train/version/7"));

    let fixture = Fixture::new().await;
    let who = "Zoë <z@example.org>";
    fixture.add_as(who, "data:d@1").await;
    let view = fixture.view().await;
    let graph = Graph::from_view(&view).unwrap();
    let graph = graph.with_authors(&fixture.repo, &view).await.unwrap();
    let agents = &graph.to_prov()["agent"];
    let agents: Vec<&String> = agents.as_object().unwrap().keys().collect();
    assert_eq!(agents, ["mainstay:actor/Zo%C3%AB%20%3Cz%40example.org%3E"]);

    let events = authored().await.to_openlineage("lab");
    let owners = events
        .iter()
        .flat_map(|event| event["outputs"].as_array().unwrap());
    let mut owners = owners.map(|set| &set["facets"]["ownership"]["owners"][0]["name"]);
    assert!(owners.all(|name| name == "ada"));
}

#[tokio::test]
async fn prov_names_relations_between_what_it_declares() {
    let graph = trained().await;
    let document = graph.to_prov();
    let sections = document.as_object().unwrap();
    let declared: BTreeSet<&String> = ["entity", "activity", "agent"]
        .iter()
        .flat_map(|section| sections[*section].as_object().unwrap().keys())
        .collect();
    assert_eq!(declared.len(), graph.len());
    let mut relations = 0;
    for (name, section) in sections {
        if ["prefix", "entity", "activity", "agent"].contains(&name.as_str()) {
            continue;
        }
        for about in section.as_object().unwrap().values() {
            relations += 1;
            let ends = about
                .as_object()
                .unwrap()
                .iter()
                .filter_map(|(key, value)| {
                    let is_end = key.starts_with("prov:") && key != "prov:type";
                    is_end.then(|| value.as_str().unwrap().to_owned())
                });
            let ends: Vec<String> = ends.collect();
            assert_eq!(ends.len(), 2, "{about}");
            assert!(ends.iter().all(|end| declared.contains(end)), "{about}");
        }
    }
    assert_eq!(relations, graph.edges().count());
    let generated = &document["wasGeneratedBy"];
    let generated: Vec<&Value> = generated.as_object().unwrap().values().collect();
    assert_eq!(
        generated[0],
        &json!({
            "prov:entity": "mainstay:model/a/version/1.0.0",
            "prov:activity": "mainstay:run/train/version/7",
            "mainstay:edge": "generated_by",
        })
    );
    assert_eq!(document["wasAssociatedWith"].as_object().unwrap().len(), 1);
    assert_eq!(document["hadMember"].as_object().unwrap().len(), 8);
    let gone = &document["entity"]["mainstay:prompt/explain/version/1"];
    assert_eq!(gone["mainstay:presence"], "deleted");
}

#[tokio::test]
async fn openlineage_tells_a_run_with_all_it_made_once() {
    let graph = trained().await;
    let all = graph.to_openlineage("lab");
    let of_type = |kind: &str| -> Vec<&Value> {
        let events = all.iter();
        events.filter(|event| event["eventType"] == kind).collect()
    };
    let (starts, events) = (of_type("START"), of_type("COMPLETE"));
    let names = |sets: &Value| -> Vec<String> {
        let sets = sets.as_array().unwrap().iter();
        sets.map(|set| {
            let version = &set["facets"]["version"]["datasetVersion"];
            format!(
                "{}@{}",
                set["name"].as_str().unwrap(),
                version.as_str().unwrap()
            )
        })
        .collect()
    };
    let run = events
        .iter()
        .find(|event| event["job"]["name"] == "run/train")
        .unwrap();
    assert_eq!(names(&run["inputs"]), ["data/penguins@2"]);
    assert_eq!(names(&run["outputs"]), ["model/a@1.0.0", "model/b@1.0.0"]);
    assert_eq!(
        run["run"]["facets"]["mainstay_edges"]["edges"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
    // Every edge is in one event, and every event has what the specification requires.
    let edges = events.iter().map(|event| {
        event["run"]["facets"]["mainstay_edges"]["edges"]
            .as_array()
            .unwrap()
            .len()
    });
    assert_eq!(edges.sum::<usize>(), graph.edges().count());
    let runs = |events: &[&Value]| -> BTreeSet<String> {
        let ids = events.iter().map(|event| event["run"]["runId"].as_str());
        ids.map(|id| id.unwrap().to_owned()).collect()
    };
    assert_eq!(runs(&events).len(), events.len());
    assert_eq!(runs(&starts), runs(&events));
    assert_eq!(starts.len() + events.len(), all.len());
    let position = |event: &Value| all.iter().position(|other| other == event).unwrap();
    for start in &starts {
        let mut ends = events
            .iter()
            .filter(|end| end["run"]["runId"] == start["run"]["runId"]);
        let end = ends.next().unwrap();
        assert!(position(start) < position(end));
        assert_eq!(
            (&start["job"], &start["inputs"]),
            (&end["job"], &end["inputs"])
        );
        assert_eq!(start["outputs"], json!([]));
    }
    for event in &all {
        for text in ["eventTime", "producer", "schemaURL", "eventType"] {
            assert!(event[text].is_string(), "{event}");
        }
        for dataset in event["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .chain(event["outputs"].as_array().unwrap())
        {
            assert_eq!(dataset["namespace"], "lab");
            assert!(dataset["facets"]["version"]["_schemaURL"].is_string());
        }
    }
    assert!(all.is_sorted_by_key(|event| event["eventTime"].as_str().unwrap().to_owned()));
    // As an id, so that a second export is no second run.
    assert_eq!(graph.to_openlineage("lab"), all);
    assert_ne!(graph.to_openlineage("other")[0]["run"], all[0]["run"]);
}

#[tokio::test]
async fn an_image_shows_every_node_once_and_holds_nothing_of_elsewhere() {
    let graph = trained().await;
    let svg = graph.to_svg();
    assert_eq!(svg.matches("<rect").count(), graph.len());
    assert_eq!(svg.matches("marker-end").count(), graph.edges().count());
    assert!(svg.contains("channel/prod/current") && svg.contains("prompt:explain@1 (deleted)"));
    assert_eq!(
        svg.matches("http").count(),
        1,
        "the name of the language alone"
    );
    assert!(graph.presence(&node("agent:ada@1")).is_some());
    assert_eq!(svg, trained().await.to_svg());
}
