//! `ingest`, `read` and `export` of 512 opaque MiB: a local repository beside `openssl` and `dd`.
//!
//! Every program works on the same file of seeded random bytes, taking turns, so that the ratios hold
//! also where the machine does not keep its speed. Rounds go on until enough runs of each program were
//! left alone by other processes. Recorded runs: `results/ingest.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for people that measures time and stops at the first failure"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Hasher};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{LocalOptions, LocalStorage};

const FILE_BYTES: u64 = 512 * 1024 * 1024;
const SEED: u64 = 0x6d61_696e_7374_6179;
/// How many runs of each program count: those during which other processes were busy the least.
const RUNS: usize = 5;
/// A run is undisturbed when other processes were busy for less than this share of it, on one processor.
const UNDISTURBED: f64 = 0.15;
const MAX_ROUNDS: usize = 40;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["ingest", repo, source] => ingest(repo.as_ref(), source.as_ref()),
        ["read", repo, digest] => read(repo.as_ref(), &digest.parse().unwrap()),
        ["export", repo, digest, target] => {
            export(repo.as_ref(), &digest.parse().unwrap(), target.as_ref());
        }
        _ => compare(),
    }
}

/// Every program is a process of its own, so that none has what another left in memory.
fn compare() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let directory = directory.path();
    let source = directory.join("source.bin");
    let digest = write_source(&source).to_string();
    println!("{FILE_BYTES} bytes, seed {SEED:#x}, median (least to most) of {RUNS} runs");

    let mut rows = [
        "openssl dgst -sha256",
        "dd conv=fsync",
        "ingest, durable",
        "read, verified",
        "export, durable",
    ]
    .map(Row::new);
    for _ in 0..MAX_ROUNDS {
        if rows.iter().all(|row| row.disturbance() < UNDISTURBED) {
            break;
        }
        let [openssl_row, dd_row, ingest_row, read_row, export_row] = &mut rows;
        let copy = directory.join("copy.bin");
        let repo = directory.join("repo");
        let restored = directory.join("restored.bin");
        let hashed = timed("openssl", &["dgst", "-sha256", text(&source)]);
        openssl_row.add(Measure::of_rival(hashed));
        let (from, to) = (
            format!("if={}", text(&source)),
            format!("of={}", text(&copy)),
        );
        dd_row.add(Measure::of_rival(timed(
            "dd",
            &[&from, &to, "bs=1M", "conv=fsync"],
        )));
        ingest_row.add(timed_self(&["ingest", text(&repo), text(&source)]));
        read_row.add(timed_self(&["read", text(&repo), &digest]));
        export_row.add(timed_self(&[
            "export",
            text(&repo),
            &digest,
            text(&restored),
        ]));
        run("cmp", &[text(&source), text(&restored)]);
        fs::remove_file(copy).unwrap();
        fs::remove_file(restored).unwrap();
        fs::remove_dir_all(repo).unwrap();
    }
    let [openssl_row, dd_row, ..] = &rows;
    let hashing = openssl_row.median(Measure::seconds);
    let slower = hashing.max(dd_row.median(Measure::seconds));
    for row in &rows {
        row.print(hashing, slower);
    }
}

/// One run of one program.
#[derive(Clone, Copy)]
struct Measure {
    elapsed: Duration,
    /// For which share of it other processes were busy, summed over the processors.
    others: f64,
    /// User and system time.
    busy: Option<Duration>,
    peak_mib: Option<u64>,
}

impl Measure {
    fn of_rival((elapsed, others, _printed): (Duration, f64, String)) -> Self {
        Self {
            elapsed,
            others,
            busy: None,
            peak_mib: None,
        }
    }

    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64()
    }
}

/// All runs of one program.
struct Row {
    name: &'static str,
    runs: Vec<Measure>,
}

impl Row {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            runs: Vec::new(),
        }
    }

    /// Keeps the runs that were disturbed the least.
    fn add(&mut self, run: Measure) {
        self.runs.push(run);
        self.runs
            .sort_unstable_by(|a, b| a.others.total_cmp(&b.others));
        self.runs.truncate(RUNS);
    }

    /// How busy others were during the most disturbed run that counts.
    fn disturbance(&self) -> f64 {
        match self.runs[..] {
            [.., last] if self.runs.len() == RUNS => last.others,
            _ => f64::INFINITY,
        }
    }

    fn sorted(&self, of: impl Fn(&Measure) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.runs.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    fn median(&self, of: impl Fn(&Measure) -> f64) -> f64 {
        self.sorted(of)[self.runs.len() / 2]
    }

    fn print(&self, hashing: f64, slower: f64) {
        let median = self.median(Measure::seconds);
        let all = self.sorted(Measure::seconds);
        print!(
            "{:21} {:6.3} s ({:.3} to {:.3}) {:5.0} MiB/s {:5.2} x openssl {:5.2} x slower rival",
            self.name,
            median,
            all[0],
            all[all.len() - 1],
            512.0 / median,
            median / hashing,
            median / slower,
        );
        if let Some(peak) = self.runs.iter().filter_map(|run| run.peak_mib).max() {
            let busy = self.median(|run| run.busy.map_or(0.0, |busy| busy.as_secs_f64()));
            print!(", CPU {busy:.2} s, peak RSS {peak} MiB");
        }
        println!(", others busy at most {:.0} %", 100.0 * self.disturbance());
    }
}

/// Writes the file that all programs read; returns its digest.
fn write_source(path: &Path) -> Digest {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut hasher = Hasher::new();
    let mut state = SEED;
    for _ in 0..FILE_BYTES / 8 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bytes = (mixed ^ (mixed >> 31)).to_le_bytes();
        hasher.update(&bytes);
        file.write_all(&bytes).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    hasher.finish()
}

/// Runs this program with other arguments.
fn timed_self(arguments: &[&str]) -> Measure {
    let program = std::env::current_exe().unwrap();
    let (elapsed, others, printed) = timed(text(&program), arguments);
    let mut used = printed
        .split_whitespace()
        .map(|number| number.parse().unwrap());
    Measure {
        elapsed,
        others,
        busy: used.next().map(Duration::from_millis),
        peak_mib: used.next(),
    }
}

/// Runs a program with nothing left to write back; returns its time, how busy others were, and what it
/// printed.
fn timed(program: &str, arguments: &[&str]) -> (Duration, f64, String) {
    run("sync", &[]);
    let (all, ours) = busy_ticks();
    let start = Instant::now();
    let printed = run(program, arguments);
    let elapsed = start.elapsed();
    let (all_after, ours_after) = busy_ticks();
    let others = (all_after - all).saturating_sub(ours_after - ours);
    (
        elapsed,
        f64::from(others) / 100.0 / elapsed.as_secs_f64(),
        printed,
    )
}

/// Hundredths of a second that all processors, and that this process's children, have worked so far.
fn busy_ticks() -> (u32, u32) {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let all: Vec<u32> = numbers(stat.lines().next().unwrap());
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = all[..] else {
        panic!("{stat}");
    };
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let own = numbers(own.rsplit(") ").next().unwrap());
    // Counted from the field after the state: see proc(5), cutime and cstime.
    let ours = own[12] + own[13];
    (user + nice + system + irq + softirq + steal, ours)
}

/// The numbers in a line; negative ones count as nothing.
fn numbers(line: &str) -> Vec<u32> {
    let words = line.split_whitespace().skip(1);
    words.map(|word| word.parse().unwrap_or(0)).collect()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Prints the processor time of this process in milliseconds and its peak memory in MiB.
fn print_usage() {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let ticks = after_name.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kib: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    println!("{} {}", ticks * 10, peak_kib / 1024);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ingest(repo: &Path, source: &Path) {
    runtime().block_on(async {
        let mut ingest = open(repo).await.ingest();
        ingest.file(source).await.unwrap();
        ingest.finish().await.unwrap();
    });
    print_usage();
}

fn read(repo: &Path, digest: &Digest) {
    runtime().block_on(async {
        let blob = open(repo).await.blob(digest).await.unwrap().unwrap();
        let mut pieces = blob.stream();
        while pieces.try_next().await.unwrap().is_some() {}
    });
    print_usage();
}

fn export(repo: &Path, digest: &Digest, target: &Path) {
    runtime().block_on(async {
        let blob = open(repo).await.blob(digest).await.unwrap().unwrap();
        blob.export(target).await.unwrap();
    });
    print_usage();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().build().unwrap()
}

async fn open(path: &Path) -> Repo {
    let storage = LocalStorage::open(path, LocalOptions::default())
        .await
        .unwrap();
    Repo::create(Arc::new(storage), RepoOptions::default())
        .await
        .unwrap()
}
