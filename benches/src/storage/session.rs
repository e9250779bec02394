//! A run: backends take turns, results are kept, leavings are removed.

use std::pin::pin;

use futures::future::select;
use mainstay::{Error, ErrorKind, IdSource as _, RandomIds, Result, Timestamp};

use super::backend::Backend;
use super::bars::bars;
use super::encryption::{self, EncryptionRow};
use super::input::Input;
use super::machine::Machine;
use super::metric::Measured;
use super::report::{Failure, Report, Results};
use super::scale::Scale;
use super::target::Target;
use super::workload::{Job, Workload};
use super::wrappers::{self, WrapperRow};

/// What to measure and how.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the command constructs it")]
pub struct Options {
    /// The storages.
    pub targets: Vec<Target>,
    /// How much work.
    pub scale: Scale,
    /// What the written bytes and the order of reads come from.
    pub seed: u64,
    /// When this is; stands in the report.
    pub date: Timestamp,
}

/// Measures every target, and what wrappers cost, until done or until `stop` returns.
///
/// Says what it is about to do through `progress`. Never fails: what went wrong is in the report, and
/// a backend that failed is measured no further while the others go on.
pub async fn run(
    options: &Options,
    progress: &(dyn Fn(&str) + Send + Sync),
    stop: impl Future<Output = ()> + Send,
) -> Report {
    let mut session = Session::open(options, progress).await;
    let stopped = {
        let (measuring, stop) = (pin!(session.measure()), pin!(stop));
        matches!(
            select(measuring, stop).await,
            futures::future::Either::Right(_)
        )
    };
    if stopped {
        let error = Error::new(ErrorKind::Cancelled, "stopped before it was done");
        session.failures.push(Failure::new("all", "run", &error));
    }
    session.close().await
}

struct Session<'a> {
    options: &'a Options,
    progress: &'a (dyn Fn(&str) + Send + Sync),
    input: Input,
    backends: Vec<Backend>,
    results: Results,
    wrappers: Vec<WrapperRow>,
    encryption: Vec<EncryptionRow>,
    failures: Vec<Failure>,
}

impl<'a> Session<'a> {
    async fn open(options: &'a Options, progress: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        let mut session = Self {
            options,
            progress,
            input: Input::new(options.seed, options.scale.pack_bytes),
            backends: Vec::new(),
            results: Results::default(),
            wrappers: Vec::new(),
            encryption: Vec::new(),
            failures: Vec::new(),
        };
        for target in &options.targets {
            progress(&format!("opening {}", target.name));
            match open(target).await {
                Ok(opened) => session.backends.extend(opened),
                Err(error) => session
                    .failures
                    .push(Failure::new(&target.name, "open", &error)),
            }
        }
        session
    }

    async fn measure(&mut self) {
        for workload in Workload::ALL {
            self.prepare(workload).await;
            // The first round is to warm up.
            for round in 0..=self.options.scale.repetitions {
                (self.progress)(&format!(
                    "{} {round}/{}",
                    workload.name(),
                    self.options.scale.repetitions
                ));
                for turn in 0..self.backends.len() {
                    // Nobody is always the first.
                    let index = (turn + round) % self.backends.len();
                    self.take_turn(workload, index, round).await;
                }
            }
        }
        (self.progress)("wrappers");
        match wrappers::measure(&self.options.scale, &self.input).await {
            Ok(measured) => self.wrappers = measured,
            Err(error) => self.failures.push(Failure::new("all", "wrappers", &error)),
        }
        match encryption::measure(&self.options.scale, &self.input).await {
            Ok(measured) => self.encryption = measured,
            Err(error) => self
                .failures
                .push(Failure::new("memory", "encryption", &error)),
        }
    }

    async fn prepare(&mut self, workload: Workload) {
        for index in 0..self.backends.len() {
            if self.backends[index].failed {
                continue;
            }
            let place = self.backends[index].place.part(workload.name());
            let place = place.part("prepared");
            let prepared = workload.prepare(&place, &self.options.scale, &self.input);
            if let Err(error) = prepared.await {
                self.give_up(index, workload, &error);
            }
        }
    }

    async fn take_turn(&mut self, workload: Workload, index: usize, round: usize) {
        if self.backends[index].failed {
            return;
        }
        match self.once(workload, index, round).await {
            Ok(measured) if round > 0 => self.results.add(workload.name(), index, measured),
            Ok(_warm_up) => {}
            Err(error) => self.give_up(index, workload, &error),
        }
    }

    fn give_up(&mut self, index: usize, workload: Workload, error: &Error) {
        let backend = &mut self.backends[index];
        backend.failed = true;
        let failure = Failure::new(&backend.facts.name, workload.name(), error);
        (self.progress)(&format!("{} failed: {}", failure.backend, failure.error));
        self.failures.push(failure);
    }

    async fn once(&self, workload: Workload, index: usize, round: usize) -> Result<Vec<Measured>> {
        let place = self.backends[index].place.part(workload.name());
        let job = Job {
            place: place.part(round),
            prepared: place.part("prepared"),
            scale: &self.options.scale,
            input: &self.input,
        };
        let measured = workload.run(&job).await?;
        job.place.clear().await?;
        Ok(measured)
    }

    async fn close(mut self) -> Report {
        (self.progress)("removing what was written");
        let mut facts = Vec::new();
        for backend in self.backends {
            facts.push(backend.facts.clone());
            if let Err(error) = backend.remove().await {
                let name = &facts[facts.len() - 1].name;
                self.failures.push(Failure::new(name, "remove", &error));
            }
        }
        let results = self.results.rows(&facts);
        Report {
            format: 1,
            date: self.options.date,
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
            seed: self.options.seed,
            scale: self.options.scale,
            machine: Machine::this(),
            bars: bars(&facts, &results, &self.wrappers),
            backends: facts,
            results,
            wrappers: self.wrappers,
            encryption: self.encryption,
            failures: self.failures,
        }
    }
}

async fn open(target: &Target) -> Result<Vec<Backend>> {
    let id = RandomIds::default().write_id()?.to_string();
    Backend::open(target, &id).await
}
