//! The whole promise on real data: `cargo run --example quickstart`.
//!
//! Learns the species of the Palmer penguins from two seasons, serves the model, learns again when a
//! third season arrives with a fault in it, and lets a canary find out. Everything is kept in
//! `./.mainstay-quickstart`, which is made anew on each run; the story is the same under its seed.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the numbers are small"
)]

mod classifier;
mod penguins;
mod serve;
mod tell;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use classifier::{Classifier, FEATURES};
use futures::TryStreamExt as _;
use mainstay::data::{ReadOptions, SnapshotReport, SnapshotSpec};
use mainstay::env::Capture;
use mainstay::experiment::Guardrail;
use mainstay::lineage::{Direction, WalkOptions};
use mainstay::prompt::{Inference, PromptContent, RenderOptions};
use mainstay::registry::signature::{ColSpec, DataType, Schema, Signature};
use mainstay::registry::{FileSpec, ModelSpec, Registered};
use mainstay::repo::{RepoOptions, VerifyLevel};
use mainstay::rollout::{ChannelConfig, GuardrailSpec, OnFail, RolloutPlan, UnitSpec};
use mainstay::store::{LocalOptions, LocalStorage};
use mainstay::{Actor, Error, ManualClock, NodeRef, Result, SeededIds, Workspace};
use penguins::{Part, Penguin, Table};
use tell::{chapter, short, tell};

/// Where everything is kept.
const HOME: &str = ".mainstay-quickstart";

/// The workspace in it.
const WORKSPACE: &str = ".mainstay-quickstart/workspace";

/// Decides who visits; another seed is another crowd.
const SEED: u64 = 2009;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match story().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            tell!("{}: {error}", tell::bad("error"));
            std::process::ExitCode::FAILURE
        }
    }
}

/// Everything the chapters share.
struct Story {
    workspace: Workspace,
    clock: Arc<ManualClock>,
    ada: Actor,
    table: Table,
    held_out: Vec<Penguin>,
    held_out_data: NodeRef,
}

async fn story() -> Result<()> {
    let story = Story::begin().await?;

    chapter(1, "Snapshot the seasons 2007 and 2008");
    story.write_rows("season-2007-2008.csv", &["2007", "2008"], Mass::Grams)?;
    let first = story
        .snapshot(&["season-2007-2008.csv"], None, "two seasons")
        .await?;

    chapter(
        2,
        "Capture the environment, learn the species, register the model",
    );
    let environment = story.capture_environment().await?;
    let a = story.learn(&first, &environment, "first model").await?;

    chapter(3, "Publish a prompt that explains a prediction");
    let prompt = story.publish_prompt().await?;
    story.explain(&a, &prompt).await?;

    chapter(4, "Bundle them into a unit and serve it");
    let unit_a = story
        .bundle(&a, &prompt, &first.node, &environment.node)
        .await?;
    story.serve_first(&unit_a).await?;

    chapter(
        5,
        "The season 2009 arrives, and its body mass is in kilograms",
    );
    story.clock.advance(Duration::from_hours(365 * 24));
    tell!("(The fault is injected here; its kind is real. The column still says body_mass_g.)");
    story.write_rows("season-2009.csv", &["2009"], Mass::Kilograms)?;
    let files = ["season-2007-2008.csv", "season-2009.csv"];
    let second = story
        .snapshot(&files, Some(&first.node), "third season")
        .await?;
    let b = story
        .learn(&second, &environment, "learn from three seasons")
        .await?;
    let unit_b = story
        .bundle(&b, &prompt, &second.node, &environment.node)
        .await?;

    chapter(6, "Give the new unit 10 % of the visitors");
    story.start_canary(&unit_b).await?;
    serve::visitors(&story.workspace, &story.clock, &story.held_out, SEED).await?;

    chapter(7, "What changed?");
    story.what_changed(&unit_a, &unit_b).await?;
    story.look_back(&unit_b).await?;
    story.workspace.settle().await;
    Ok(())
}

/// The machine this runs on, and the commit of the code if there is one.
struct Environment {
    node: NodeRef,
    commit: Option<String>,
}

/// The unit of the body mass in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mass {
    Grams,
    Kilograms,
}

impl Story {
    async fn begin() -> Result<Self> {
        let home = Path::new(HOME);
        if home.exists() {
            // Nobody's work: only this program writes here.
            std::fs::remove_dir_all(home)?;
        }
        std::fs::create_dir_all(home.join("incoming"))?;
        let clock = Arc::new(ManualClock::new("2008-12-01T09:00:00Z".parse()?));
        let options = RepoOptions::default()
            .with_clock(Arc::clone(&clock) as _)
            .with_ids(Arc::new(SeededIds::new(SEED)));
        let storage = LocalStorage::open(WORKSPACE, LocalOptions::default()).await?;
        let workspace = Workspace::create_on(Arc::new(storage), options).await?;
        tell!("workspace {WORKSPACE}");

        let csv = concat!(env!("CARGO_MANIFEST_DIR"), "/data/penguins.csv");
        let table = Table::read(Path::new(csv))?;
        let held_out = table.select(&["2007", "2008", "2009"], Part::HeldOut)?;
        let path = home.join("incoming/held-out.csv");
        held_out.write(&path)?;
        let ada = Actor::new("ada")?;
        let spec = SnapshotSpec::new(
            "penguins-held-out".parse()?,
            ada.clone(),
            "rows no model sees",
        );
        let report = workspace.data().snapshot(spec.with_path(path)).await?;
        Ok(Self {
            held_out: held_out.penguins()?,
            held_out_data: report.node,
            workspace,
            clock,
            ada,
            table,
        })
    }

    fn write_rows(&self, file: &str, years: &[&str], mass: Mass) -> Result<()> {
        let rows = self.table.select(years, Part::Training)?;
        let rows = if mass == Mass::Kilograms {
            rows.with_mass_in_kilograms()?
        } else {
            rows
        };
        rows.write(&Path::new(HOME).join("incoming").join(file))
    }

    async fn snapshot(
        &self,
        files: &[&str],
        parent: Option<&NodeRef>,
        reason: &str,
    ) -> Result<SnapshotReport> {
        let mut spec = SnapshotSpec::new("penguins".parse()?, self.ada.clone(), reason);
        for file in files {
            spec = spec.with_path(Path::new(HOME).join("incoming").join(file));
        }
        if let Some(parent) = parent {
            spec = spec.with_parent(parent.clone());
        }
        let report = self.workspace.data().snapshot(spec).await?;
        tell!(
            "{}  {} rows, {} columns, snapshot {}",
            tell::name(&report.node),
            report.rows.unwrap_or(0),
            report.columns.len(),
            short(report.snapshot)
        );
        tell!("{} new bytes stored", report.new_bytes);
        Ok(report)
    }

    /// Learns from the bytes of a snapshot, not from whatever lies in a directory.
    async fn learn(
        &self,
        data: &SnapshotReport,
        environment: &Environment,
        reason: &str,
    ) -> Result<Registered> {
        let columns = ["species", FEATURES[0], FEATURES[1]];
        let options = ReadOptions::default().with_columns(columns);
        let batches: Vec<_> = self
            .workspace
            .data()
            .read(&data.node, options)
            .await?
            .try_collect()
            .await?;
        let rows = penguins::from_batches(&batches)?;
        let model = Classifier::train(&rows)?;
        let accuracy = model.accuracy(&self.held_out);

        let file = FileSpec::from_bytes("model.safetensors".parse()?, model.to_safetensors()?);
        let mut spec = ModelSpec::new("penguin-species".parse()?, self.ada.clone(), reason)
            .with_file(file)
            .with_signature(signature())
            .with_data("train".parse()?, data.node.clone())
            .with_environment(environment.node.clone())
            .with_parameter("algorithm", "multinomial logistic regression")
            .with_parameter("l2_penalty", 1.0)
            .with_metric_on("accuracy", accuracy, self.held_out_data.clone());
        if let Some(commit) = &environment.commit {
            spec = spec.with_code("mainstay".parse()?, commit.parse()?);
        }
        let registered = self.workspace.models().register(spec).await?;
        tell!(
            "{}  learned from {} rows, right on {} of {} held-out rows",
            tell::name(&registered.node),
            rows.len(),
            tell::percent(accuracy),
            self.held_out.len()
        );
        for reason in &registered.reasons {
            tell!(
                "  a {} version because of {} ({})",
                reason.level,
                reason.path,
                reason.rule
            );
        }
        Ok(registered)
    }

    async fn publish_prompt(&self) -> Result<NodeRef> {
        let text = "You are a guide at a penguin station. A visitor's penguin has a bill of \
                    {{bill_length_mm}} mm and weighs {{body_mass_g}} g. The model says: \
                    {{species}} ({{probability}}). Explain why in two sentences.";
        let content = PromptContent::text(text)
            .with_inference(Inference::default().with_model("any", "a-small-model"))
            .with_param("temperature", 0.2)?;
        let labels = ["production".parse()?];
        let name = "explain-species".parse()?;
        let published = self
            .workspace
            .prompts()
            .publish(&name, content, &labels, self.ada.clone(), "first words")
            .await?;
        tell!(
            "{}  {}",
            tell::name(&published.node),
            short(published.digest)
        );
        Ok(published.node)
    }

    async fn capture_environment(&self) -> Result<Environment> {
        let manifest = Capture::new().with_project(".").run();
        let commit = manifest.identity.git.known().map(|git| git.commit.clone());
        let captured = self
            .workspace
            .environments()
            .record(
                &"station".parse()?,
                &manifest,
                self.ada.clone(),
                "the serving machine",
            )
            .await?;
        tell!("{}  {}", tell::name(&captured.node), short(captured.digest));
        Ok(Environment {
            node: captured.node,
            commit,
        })
    }

    async fn explain(&self, model: &Registered, prompt: &NodeRef) -> Result<()> {
        let classifier = serve::load(&self.workspace, &model.node).await?;
        let penguin = &self.held_out[0];
        let prediction = classifier.predict(penguin);
        let version = self.workspace.prompts().get(&prompt.clone().into()).await?;
        let bill_length_mm = format!("{:.1}", penguin.bill_length_mm);
        let body_mass_g = format!("{:.0}", penguin.body_mass_g);
        let probability = tell::percent(prediction.probability);
        let variables = [
            ("bill_length_mm", bill_length_mm.as_str()),
            ("body_mass_g", body_mass_g.as_str()),
            ("species", prediction.species),
            ("probability", probability.as_str()),
        ];
        let rendered = version
            .prompt
            .render(variables, &RenderOptions::default())?;
        tell!(
            "rendered: {}",
            rendered.output().as_text().unwrap_or_default()
        );
        Ok(())
    }

    async fn bundle(
        &self,
        model: &Registered,
        prompt: &NodeRef,
        data: &NodeRef,
        environment: &NodeRef,
    ) -> Result<NodeRef> {
        let spec = UnitSpec::new("penguin-guide".parse()?)
            .with_component("model".parse()?, model.node.clone())
            .with_component("prompt".parse()?, prompt.clone())
            .with_component("data".parse()?, data.clone())
            .with_component("env".parse()?, environment.clone());
        let reason = format!("serve {}", model.node);
        let unit = self
            .workspace
            .units()
            .create(spec, self.ada.clone(), &reason)
            .await?;
        tell!(
            "{}  = {} + {prompt} + {data} + {environment}",
            tell::name(&unit.node),
            model.node
        );
        Ok(unit.node)
    }

    /// Serves the first unit; an alias and a label follow whatever the channel serves.
    async fn serve_first(&self, unit: &NodeRef) -> Result<()> {
        let channel = "prod".parse()?;
        let rollouts = self.workspace.rollouts();
        let config = ChannelConfig::default()
            .with_follow(
                "model".parse()?,
                "model/penguin-species/alias/champion".parse()?,
            )
            .with_follow(
                "prompt".parse()?,
                "prompt/explain-species/label/production".parse()?,
            );
        rollouts
            .configure(&channel, &config, self.ada.clone(), "who follows prod")
            .await?;
        rollouts
            .put(
                &channel,
                &unit.clone().into(),
                self.ada.clone(),
                "open the station",
            )
            .await?;
        tell!("channel prod serves {unit}; the alias champion and the label production follow it");
        Ok(())
    }

    async fn start_canary(&self, unit: &NodeRef) -> Result<()> {
        let test = Guardrail::failure_rate(0.05, 200)?;
        let guardrail = GuardrailSpec::new("wrong-species".parse()?, test, OnFail::RollBack);
        let plan = RolloutPlan::default()
            .with_steps([1_000, 5_000])
            .with_min_requests_per_step(200)
            .with_guardrails([guardrail]);
        let channel = "prod".parse()?;
        self.workspace
            .rollouts()
            .start(
                &channel,
                &unit.clone().into(),
                &plan,
                self.ada.clone(),
                "try three seasons",
            )
            .await?;
        tell!("a guardrail compares wrong answers of both units and may be read at any time,");
        tell!("with at most 5 % false alarms over the whole rollout");
        Ok(())
    }

    async fn what_changed(&self, a: &NodeRef, b: &NodeRef) -> Result<()> {
        let changed = self.workspace.changed(a, b).await?;
        tell!("from {a} to {b}:");
        for component in &changed.components {
            let version = |node: &Option<NodeRef>| {
                node.as_ref()
                    .map_or_else(String::new, |node| node.version().to_string())
            };
            let mut versions = version(&component.a);
            if component.changed {
                versions = format!("{versions} → {}", version(&component.b));
            }
            tell!(
                "  {:<7} {versions:<14} {}",
                component.slot,
                component.summary
            );
        }
        Ok(())
    }

    async fn look_back(&self, unit: &NodeRef) -> Result<()> {
        chapter(8, "Where it came from, and whether all of it is sound");
        let graph = self.workspace.graph().await?;
        tell!(
            "{}",
            graph.tree(unit, Direction::Up, &WalkOptions::default())?
        );
        let report = self.workspace.repo().verify(VerifyLevel::Full).await?;
        if let Some(fault) = report.faults.first() {
            return Err(Error::corrupt(&fault.object, fault.detail.clone()));
        }
        tell!("verify: {}, {} checked", tell::good("ok"), report.checked);
        let stats = self.workspace.repo().stats().await?;
        tell!(
            "{} log entries, {} objects, {} bytes",
            stats.log_entries,
            stats.objects,
            stats.stored_bytes
        );

        chapter(9, "Look further");
        for command in [
            "changed penguin-guide@1 penguin-guide@2",
            "data diff penguins@1 penguins@2",
            "deploy status prod",
            "history model/penguin-species/alias/champion",
            "lineage graph unit:penguin-guide@2 --format mermaid",
            "log",
        ] {
            tell!("  cargo run -q -p mainstay-cli -- --repo {WORKSPACE} {command}");
        }
        Ok(())
    }
}

fn signature() -> Signature {
    let inputs = FEATURES.map(|feature| ColSpec::new(feature, DataType::Double));
    let outputs = [
        ColSpec::new("species", DataType::String),
        ColSpec::new("probability", DataType::Double),
    ];
    Signature::new(
        Some(Schema::Columns(inputs.to_vec())),
        Some(Schema::Columns(outputs.to_vec())),
    )
}
