//! The workspace as a whole: kinds resolve, changes are told, damage and newer formats are named.

use std::path::{Path, PathBuf};

use mainstay::repo::VerifyLevel;
use mainstay::rollout::ChannelConfig;
use mainstay::{Actor, ErrorKind, Workspace};
use tests::story::fill;

async fn local() -> (tempfile::TempDir, PathBuf, Workspace) {
    let scratch = tempfile::tempdir().unwrap();
    let home = scratch.path().join("workspace");
    let workspace = Workspace::create(home.to_str().unwrap()).await.unwrap();
    (scratch, home, workspace)
}

#[tokio::test]
async fn every_kind_of_thing_is_found_by_the_name_a_person_writes() {
    let (scratch, _, workspace) = local().await;
    let [a, _] = fill(&workspace, scratch.path()).await.unwrap();
    let (prod, ada) = ("prod".parse().unwrap(), Actor::new("ada").unwrap());
    workspace
        .rollouts()
        .put(&prod, &a.into(), ada, "serve")
        .await
        .unwrap();

    for (written, meant) in [
        ("data:penguins@1", "data:penguins@1"),
        ("data:penguins", "data:penguins@2"),
        ("model:species@latest", "model:species@1.1.0"),
        ("prompt:explain", "prompt:explain@1"),
        ("env:station@1", "env:station@1"),
        ("unit:guide", "unit:guide@2"),
        ("channel:prod", "unit:guide@1"),
        ("code:mainstay@abc", "code:mainstay@abc"),
    ] {
        let found = workspace.resolve(&written.parse().unwrap()).await.unwrap();
        assert_eq!(found.to_string(), meant, "{written}");
    }
    for (written, kind) in [
        ("data:penguins@9", ErrorKind::NotFound),
        ("run:training@1", ErrorKind::NotFound),
        ("channel:staging", ErrorKind::NotFound),
        ("penguins", ErrorKind::Invalid),
        ("code:mainstay", ErrorKind::Invalid),
    ] {
        let error = workspace
            .resolve(&written.parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{written}: {error}");
        assert!(
            error
                .to_string()
                .contains(written.split(['@', ':']).nth(1).unwrap_or(written)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_changed_names_the_drifted_column_first() {
    let (scratch, _, workspace) = local().await;
    let [a, b] = fill(&workspace, scratch.path()).await.unwrap();
    let changed = workspace.changed(&a, &b).await.unwrap();
    assert_eq!(changed.components[0].slot, "data");
    assert!(
        changed.components[0].summary.starts_with("mass drifted"),
        "{}",
        changed.components[0].summary
    );
    let slots: Vec<_> = changed
        .components
        .iter()
        .map(|part| (part.slot.as_str(), part.changed))
        .collect();
    assert_eq!(
        slots,
        [
            ("data", true),
            ("model", true),
            ("prompt", false),
            ("env", false)
        ]
    );
    assert!(changed.events.iter().any(|event| event.reason == "second"));
}

#[tokio::test]
async fn a_rollback_takes_model_prompt_data_and_environment_back_in_one_log_entry() {
    let (scratch, _, workspace) = local().await;
    let [a, b] = fill(&workspace, scratch.path()).await.unwrap();
    let prod = "prod".parse().unwrap();
    let ada = || Actor::new("ada").unwrap();
    let alias = "model/species/alias/champion";
    let config =
        ChannelConfig::default().with_follow("model".parse().unwrap(), alias.parse().unwrap());
    let rollouts = workspace.rollouts();
    rollouts
        .configure(&prod, &config, ada(), "follow")
        .await
        .unwrap();
    rollouts
        .put(&prod, &a.into(), ada(), "serve")
        .await
        .unwrap();
    let pointers = [
        alias,
        "channel/prod/current",
        "channel/prod/component/data",
        "channel/prod/component/model",
    ];
    let targets = async || {
        let view = workspace.repo().view().await.unwrap();
        view.load("").await.unwrap();
        pointers.map(|path| {
            let state = view.get(&path.parse().unwrap()).unwrap().unwrap();
            state.value.as_ref().unwrap().pointee().unwrap().to_string()
        })
    };
    let before = targets().await;
    rollouts
        .put(&prod, &b.into(), ada(), "serve the next")
        .await
        .unwrap();
    assert!(
        targets()
            .await
            .iter()
            .zip(&before)
            .all(|(after, before)| after != before)
    );

    let head = workspace.repo().view().await.unwrap().seq();
    rollouts
        .rollback(&prod, ada(), "it is worse")
        .await
        .unwrap();
    assert_eq!(workspace.repo().view().await.unwrap().seq(), head + 1);
    assert_eq!(targets().await, before);
}

#[tokio::test]
async fn opening_what_is_not_there_says_so_and_makes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let missing = scratch.path().join("missing");
    let error = Workspace::open(missing.to_str().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_newer_format_is_refused_by_its_number() {
    let (_scratch, home, _) = local().await;
    let descriptor = home.join("mainstay.json");
    let text = std::fs::read_to_string(&descriptor)
        .unwrap()
        .replace("\"format\":1", "\"format\":2");
    overwrite(&descriptor, text.as_bytes());
    let error = Workspace::open(home.to_str().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains('2'), "{error}");
}

#[tokio::test]
async fn a_flipped_byte_in_any_file_is_reported_and_never_read_as_data() {
    let (scratch, home, workspace) = local().await;
    let [a, b] = fill(&workspace, scratch.path()).await.unwrap();
    let told = workspace.changed(&a, &b).await.unwrap();
    for file in files(&home) {
        let sound = std::fs::read(&file).unwrap();
        for place in [0, sound.len() / 2, sound.len() - 1] {
            let mut damaged = sound.clone();
            damaged[place] ^= 0x10;
            overwrite(&file, &damaged);

            let report = mainstay::verify(home.to_str().unwrap(), VerifyLevel::Full)
                .await
                .unwrap();
            assert!(!report.faults.is_empty(), "{} at {place}", file.display());
            let read = async {
                let workspace = Workspace::open(home.to_str().unwrap()).await?;
                workspace.changed(&a, &b).await
            };
            match read.await {
                Ok(change) => assert_eq!(change, told, "{} at {place}", file.display()),
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::Corrupt | ErrorKind::Incompatible | ErrorKind::NotFound
                    ),
                    "{}: {error}",
                    file.display()
                ),
            }
        }
        overwrite(&file, &sound);
    }
    let report = mainstay::verify(home.to_str().unwrap(), VerifyLevel::Full)
        .await
        .unwrap();
    assert_eq!(report.faults, []);
}

/// Replaces a file that its owner made read-only.
fn overwrite(file: &Path, bytes: &[u8]) {
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, bytes).unwrap();
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
