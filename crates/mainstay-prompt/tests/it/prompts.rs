//! Prompts in a repository.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use mainstay_core::{Actor, ErrorKind, Locator, ManualClock, Name, SeededIds, Timestamp};
use mainstay_prompt::{LabelExpectation, PromptContent, Prompts};
use mainstay_repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
use mainstay_store::MemoryStorage;

struct World {
    repo: Repo,
    prompts: Prompts,
    clock: Arc<ManualClock>,
}

async fn world() -> World {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let options = RepoOptions::default()
        .with_clock(Arc::<ManualClock>::clone(&clock))
        .with_ids(Arc::new(SeededIds::new(1)));
    let repo = Repo::create(Arc::new(MemoryStorage::new()), options)
        .await
        .unwrap();
    World {
        prompts: Prompts::new(repo.clone()),
        repo,
        clock,
    }
}

fn ada() -> Actor {
    Actor::new("ada").unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn locator(text: &str) -> Locator {
    text.parse().unwrap()
}

impl World {
    /// Publishes a text and returns the version's number and whether it is new.
    async fn publish(&self, text: &str, labels: &[&str]) -> (String, bool) {
        let labels: Vec<Name> = labels.iter().map(|label| name(label)).collect();
        let content = PromptContent::text(text);
        let published = self
            .prompts
            .publish(&name("p"), content, &labels, ada(), "why")
            .await
            .unwrap();
        (published.node.version().to_string(), published.created)
    }

    async fn text(&self, reference: &str) -> Result<String, ErrorKind> {
        let found = self
            .prompts
            .get(&locator(reference))
            .await
            .map_err(|error| error.kind())?;
        let rendered = found
            .prompt
            .render([("", ""); 0], &mainstay_prompt::RenderOptions::default());
        Ok(rendered.unwrap().output().as_text().unwrap().to_owned())
    }
}

#[tokio::test]
async fn publishing_is_idempotent_on_the_latest_version_only() {
    let world = world().await;
    assert_eq!(world.publish("one", &[]).await, ("1".into(), true));
    assert_eq!(world.publish("one", &[]).await, ("1".into(), false));
    assert_eq!(world.publish("two", &[]).await, ("2".into(), true));
    assert_eq!(world.publish("one", &[]).await, ("3".into(), true));
    assert_eq!(world.repo.view().await.unwrap().seq(), 3);
}

#[tokio::test]
async fn publishing_again_moves_labels_but_makes_no_version() {
    let world = world().await;
    world.publish("one", &["staging"]).await;
    world.publish("two", &["production"]).await;
    assert_eq!(
        world.publish("two", &["staging", "staging"]).await,
        ("2".into(), false)
    );
    assert_eq!(world.text("p@staging").await.as_deref(), Ok("two"));
    let seq = world.repo.view().await.unwrap().seq();
    world.publish("two", &["staging", "production"]).await;
    assert_eq!(world.repo.view().await.unwrap().seq(), seq);
}

#[tokio::test]
async fn a_version_is_found_by_number_label_digest_and_latest() {
    let world = world().await;
    world.publish("one", &["production"]).await;
    world.publish("two", &[]).await;
    let digest = PromptContent::text("one").digest().unwrap();
    for (reference, text) in [
        ("p", "two"),
        ("prompt:p@latest", "two"),
        ("p@1", "one"),
        ("p@production", "one"),
        (&*format!("p@{digest}"), "one"),
    ] {
        assert_eq!(
            world.text(reference).await.as_deref(),
            Ok(text),
            "{reference}"
        );
    }
    for (reference, kind) in [
        ("p@9", ErrorKind::NotFound),
        ("q", ErrorKind::NotFound),
        ("p@staging", ErrorKind::NotFound),
        ("model:p@1", ErrorKind::Invalid),
    ] {
        assert_eq!(world.text(reference).await, Err(kind), "{reference}");
    }
    let found = world.prompts.get(&locator("p@1")).await.unwrap();
    assert_eq!(found.digest, digest);
    let again = world.prompts.get(&locator("p@production")).await.unwrap();
    assert!(Arc::ptr_eq(&found.prompt, &again.prompt));
}

#[tokio::test]
async fn a_bad_prompt_or_label_writes_nothing() {
    let world = world().await;
    let publish = |text: &str, label: &str| {
        let content = PromptContent::text(text);
        let labels = [name(label)];
        let prompts = world.prompts.clone();
        async move {
            prompts
                .publish(&name("p"), content, &labels, ada(), "why")
                .await
        }
    };
    for (text, label) in [("{{open", "ok"), ("fine", "latest"), ("fine", "42")] {
        assert_eq!(
            publish(text, label).await.unwrap_err().kind(),
            ErrorKind::Invalid,
            "{text}"
        );
    }
    assert_eq!(world.repo.view().await.unwrap().seq(), 0);
}

#[tokio::test]
async fn a_label_moves_only_from_where_it_is_expected() {
    let world = world().await;
    let (p, label) = (name("p"), name("production"));
    world.publish("one", &[]).await;
    world.publish("two", &[]).await;
    let set = |to: &str, expected: LabelExpectation| {
        let to = to.parse().unwrap();
        let (prompts, p, label) = (world.prompts.clone(), p.clone(), label.clone());
        async move {
            prompts
                .set_label(&p, &label, &to, &expected, ada(), "go")
                .await
        }
    };
    let first = set("1", LabelExpectation::Absent).await.unwrap();
    let conflict = set("2", LabelExpectation::Absent).await.unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    assert!(conflict.to_string().contains("prompt:p@1"), "{conflict}");
    let second = set("latest", LabelExpectation::At(first.clone()))
        .await
        .unwrap();
    assert_eq!(second.version().as_str(), "2");
    assert_eq!(
        set("1", LabelExpectation::At(first))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Conflict
    );
    assert_eq!(
        set("9", LabelExpectation::Any).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // Moving it to where it is changes nothing.
    let seq = world.repo.view().await.unwrap().seq();
    set("2", LabelExpectation::Any).await.unwrap();
    assert_eq!(world.repo.view().await.unwrap().seq(), seq);
}

#[tokio::test]
async fn a_label_keeps_its_history_and_may_be_removed() {
    let world = world().await;
    let (p, label) = (name("p"), name("production"));
    world.publish("one", &["production"]).await;
    world.clock.advance(Duration::from_mins(1));
    world.publish("two", &["production"]).await;
    let any = LabelExpectation::Any;
    let removed = world
        .prompts
        .remove_label(&p, &label, &any, ada(), "stop")
        .await
        .unwrap();
    assert_eq!(removed.version().as_str(), "2");
    assert_eq!(world.text("p@production").await, Err(ErrorKind::NotFound));
    let again = world
        .prompts
        .remove_label(&p, &label, &any, ada(), "stop")
        .await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::NotFound);

    let history: Vec<_> = world
        .prompts
        .label_history(&p, &label)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let shown: Vec<_> = history
        .iter()
        .map(|change| (change.to.as_ref().map(ToString::to_string), &*change.reason))
        .collect();
    assert_eq!(
        shown,
        [
            (None, "stop"),
            (Some("prompt:p@2".into()), "why"),
            (Some("prompt:p@1".into()), "why"),
        ]
    );
    // What was served at a time is still known.
    let then = world.repo.view_as_of(Timestamp::UNIX_EPOCH).await.unwrap();
    let node = Prompts::resolve(&then, &locator("p@production")).unwrap();
    assert_eq!(node.version().as_str(), "1");
}

#[tokio::test]
async fn listings_show_versions_labels_and_authors() {
    let world = world().await;
    world.publish("one", &["production"]).await;
    world.publish("two", &["canary", "beta"]).await;
    let view = world.repo.view().await.unwrap();

    let list = Prompts::list(&view).unwrap();
    assert_eq!((list.len(), list[0].versions), (1, 2));
    assert_eq!(list[0].latest.to_string(), "prompt:p@2");
    let labels: Vec<_> = list[0]
        .labels
        .iter()
        .map(|(label, _)| label.as_str())
        .collect();
    assert_eq!(labels, ["beta", "canary", "production"]);

    let log: Vec<_> = world
        .prompts
        .log(&view, &name("p"))
        .try_collect()
        .await
        .unwrap();
    let shown: Vec<_> = log
        .iter()
        .map(|line| {
            (
                line.node.version().as_str(),
                line.labels.len(),
                line.actor.as_str(),
            )
        })
        .collect();
    assert_eq!(shown, [("2", 2, "ada"), ("1", 1, "ada")]);
    assert_eq!(log[1].digest, PromptContent::text("one").digest().unwrap());
    assert!(
        world
            .prompts
            .log(&view, &name("q"))
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_number_is_never_used_again() {
    let world = world().await;
    world.publish("one", &[]).await;
    world.publish("two", &[]).await;
    let mut deletion = Transaction::new(ada(), "mistake");
    deletion.delete("prompt/p/version/2".parse().unwrap(), Expectation::Any);
    assert!(matches!(
        world.repo.commit(deletion).await.unwrap(),
        CommitOutcome::Committed(_)
    ));
    assert_eq!(world.publish("two", &[]).await, ("3".into(), true));
    assert_eq!(world.text("p@2").await, Err(ErrorKind::NotFound));
}

#[tokio::test]
async fn concurrent_publishers_get_numbers_of_their_own() {
    let world = world().await;
    let texts: Vec<String> = (0..8).map(|number| format!("text {number}")).collect();
    let published = texts.iter().map(|text| world.publish(text, &["newest"]));
    let mut numbers: Vec<u32> = futures::future::join_all(published)
        .await
        .into_iter()
        .map(|(number, created)| {
            assert!(created);
            number.parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn a_record_that_is_newer_or_damaged_is_refused() {
    let world = world().await;
    let content = serde_json::json!({"body": {"text": "x"}});
    for (version, record, kind) in [
        (
            "1",
            serde_json::json!({"format": 2, "anything": 1}),
            ErrorKind::Incompatible,
        ),
        (
            "2",
            serde_json::json!({"format": 0, "content": content}),
            ErrorKind::Corrupt,
        ),
        (
            "3",
            serde_json::json!({"format": 1, "content": content, "more": 1}),
            ErrorKind::Corrupt,
        ),
        (
            "4",
            serde_json::json!({"format": 1, "content": {"body": {"text": "{{"}}}),
            ErrorKind::Corrupt,
        ),
        ("5", serde_json::json!(null), ErrorKind::Corrupt),
    ] {
        let mut transaction = Transaction::new(ada(), "damage");
        let path = format!("prompt/p/version/{version}").parse().unwrap();
        transaction.set(
            path,
            Value::new("prompt.version", &record).unwrap(),
            Expectation::Any,
        );
        assert!(matches!(
            world.repo.commit(transaction).await.unwrap(),
            CommitOutcome::Committed(_)
        ));
        assert_eq!(
            world.text(&format!("p@{version}")).await,
            Err(kind),
            "{version}"
        );
    }
}
