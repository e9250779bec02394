//! Time, processor time and memory of programs that take turns.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many runs of each program count: those during which other processes were busy the least.
pub(crate) const RUNS: usize = 5;
/// A run is undisturbed when other processes were busy for less than this share of it, on one processor.
pub(crate) const UNDISTURBED: f64 = 0.15;

/// One run of one program.
#[derive(Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) elapsed: Duration,
    /// For which share of it other processes were busy, summed over the processors.
    others: f64,
    /// User and system time.
    busy: Option<Duration>,
    peak_mib: Option<u64>,
}

impl Measure {
    pub(crate) fn of_rival((elapsed, others, _printed): (Duration, f64, String)) -> Self {
        Self {
            elapsed,
            others,
            busy: None,
            peak_mib: None,
        }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64()
    }

    pub(crate) fn print(&self) {
        println!(
            "  {:.2} s, CPU {:.2} s, peak RSS {} MiB, others busy {:.0} %",
            self.seconds(),
            self.busy.unwrap_or_default().as_secs_f64(),
            self.peak_mib.unwrap_or_default(),
            100.0 * self.others,
        );
    }
}

/// All runs of one program.
pub(crate) struct Row {
    name: &'static str,
    runs: Vec<Measure>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            runs: Vec::new(),
        }
    }

    /// Keeps the runs that were disturbed the least.
    pub(crate) fn add(&mut self, run: Measure) {
        self.runs.push(run);
        self.runs
            .sort_unstable_by(|a, b| a.others.total_cmp(&b.others));
        self.runs.truncate(RUNS);
    }

    /// How busy others were during the most disturbed run that counts.
    pub(crate) fn disturbance(&self) -> f64 {
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

    pub(crate) fn median(&self, of: impl Fn(&Measure) -> f64) -> f64 {
        self.sorted(of)[self.runs.len() / 2]
    }

    /// The run of the median time.
    pub(crate) fn middle(&self) -> Measure {
        let mut runs = self.runs.clone();
        runs.sort_unstable_by_key(|run| run.elapsed);
        runs[runs.len() / 2]
    }

    pub(crate) fn print(&self, hashing: f64, slower: f64) {
        let median = self.middle().seconds();
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

/// Runs this program with other arguments.
pub(crate) fn timed_self(arguments: &[&str]) -> Measure {
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
pub(crate) fn timed(program: &str, arguments: &[&str]) -> (Duration, f64, String) {
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

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The processor time of this process so far.
pub(crate) fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let ticks = after_name.split(' ').skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum::<f64>()
        / 100.0
}

/// Prints the processor time of this process in milliseconds and its peak memory in MiB.
pub(crate) fn print_usage() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    let peak_kib: u64 = peak.parse().unwrap();
    println!("{:.0} {}", busy_seconds() * 1000.0, peak_kib / 1024);
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
