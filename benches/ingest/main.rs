//! `ingest`, `read` and `export` on a local repository, beside `openssl` and `dd`.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench ingest                 512 MiB of opaque bytes, beside the rivals
//! cargo bench -p mainstay-bench --bench ingest -- small        100,000 files of 4 KiB
//! cargo bench -p mainstay-bench --bench ingest -- weights      opaque bytes and weights of 16 and 32 bits, beside
//!                                                              `fastcdc` cutting the same bytes, and what grouping takes
//! cargo bench -p mainstay-bench --bench ingest -- lookups      chunks that are stored and new ones, in a table of 1,000,000
//!                                                              records, or of as many as a number behind it says
//! cargo bench -p mainstay-bench --bench ingest -- changed      100 MiB of weights, then again with 1 MiB of them changed
//! cargo bench -p mainstay-bench --bench ingest -- large        a model of 16 GiB, seven eighths of it zeros
//! ```
//!
//! Every program works on the same files, taking turns, so that the ratios hold also where the machine
//! does not keep its speed. Rounds go on until enough runs of each program were left alone by other
//! processes. Recorded runs: `results/ingest.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for people that measures time and stops at the first failure"
)]

mod changed;
mod inputs;
mod lookups;
mod measure;
mod weights;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::Digest;
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{LocalOptions, LocalStorage};

use self::inputs::SEED;
use self::measure::{Measure, RUNS, Row, UNDISTURBED, print_usage, run, text, timed, timed_self};

const FILE_BYTES: u64 = 512 * 1024 * 1024;
const MAX_ROUNDS: usize = 40;

fn main() {
    let arguments = mainstay_bench::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["ingest", repo, source] => ingest(repo.as_ref(), source.as_ref()),
        ["ingest-all", repo, directory] => ingest_all(repo.as_ref(), directory.as_ref()),
        ["ingest-weights", width] => weights::measure(width.parse().unwrap()),
        ["read", repo, digest] => read(repo.as_ref(), &digest.parse().unwrap()),
        ["export", repo, digest, target] => {
            export(repo.as_ref(), &digest.parse().unwrap(), target.as_ref());
        }
        ["small"] => small(),
        ["weights"] => weights(),
        ["large"] => large(),
        ["lookups"] => lookups(1_000_000),
        ["lookups", records] => lookups(records.parse().unwrap()),
        ["changed"] => changed(),
        [] => compare(),
        _ => panic!("{arguments:?}"),
    }
}

/// Every program is a process of its own, so that none has what another left in memory.
fn compare() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let directory = directory.path();
    let source = directory.join("source.bin");
    let digest = inputs::write_random(&source, FILE_BYTES).to_string();
    println!("{FILE_BYTES} bytes, seed {SEED:#x}, median (least to most) of {RUNS} runs");

    // Where syncing costs nothing.
    let memory = tempfile::tempdir_in("/dev/shm").ok();
    let mut rows = [
        "openssl dgst -sha256",
        "dd conv=fsync",
        "ingest, durable",
        "ingest again",
        "first read, verified",
        "read, verified",
        "export, durable",
        "export, not synced",
    ]
    .into_iter()
    .map(Row::new)
    .collect::<Vec<_>>();
    if memory.is_none() {
        rows.pop();
    }
    for _ in 0..MAX_ROUNDS {
        if rows.iter().all(|row| row.disturbance() < UNDISTURBED) {
            break;
        }
        let [
            openssl_row,
            dd_row,
            ingest_row,
            again_row,
            first_row,
            read_row,
            export_row,
            unsynced_row @ ..,
        ] = &mut rows[..]
        else {
            panic!("too few rows");
        };
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
        again_row.add(timed_self(&["ingest", text(&repo), text(&source)]));
        // What was just stored is on the disk alone.
        first_row.add(timed_self(&["read", text(&repo), &digest]));
        read_row.add(timed_self(&["read", text(&repo), &digest]));
        export_row.add(timed_self(&[
            "export",
            text(&repo),
            &digest,
            text(&restored),
        ]));
        run("cmp", &[text(&source), text(&restored)]);
        if let (Some(memory), [row]) = (&memory, unsynced_row) {
            let target = memory.path().join("restored.bin");
            row.add(timed_self(&["export", text(&repo), &digest, text(&target)]));
            fs::remove_file(target).unwrap();
        }
        fs::remove_file(copy).unwrap();
        fs::remove_file(restored).unwrap();
        fs::remove_dir_all(repo).unwrap();
    }
    let [openssl_row, dd_row, ..] = &rows[..] else {
        panic!("too few rows");
    };
    let hashing = openssl_row.median(Measure::seconds);
    let slower = hashing.max(dd_row.median(Measure::seconds));
    for row in &rows {
        row.print(hashing, slower);
    }
}

fn small() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    inputs::write_small(&files, 100_000, 4096);
    let repo = directory.path().join("repo");
    let measure = timed_self(&["ingest-all", text(&repo), text(&files)]);
    let objects = |kind: &str| fs::read_dir(repo.join(kind)).unwrap().count();
    println!(
        "100,000 files of 4 KiB: {:.2} s, {} packs, {} index objects",
        measure.seconds(),
        objects("pack"),
        objects("index"),
    );
    measure.print();
}

/// In memory, so that what is measured is the processor's work: hashing, cutting, grouping, packing.
fn weights() {
    for width in ["0", "4", "2"] {
        let what = match width {
            "0" => "opaque bytes".to_owned(),
            width => format!("weights of {width} bytes"),
        };
        println!("{} MiB of {what}", FILE_BYTES >> 20);
        print!(
            "{}",
            run(
                text(&std::env::current_exe().unwrap()),
                &["ingest-weights", width]
            )
        );
    }
}

fn large() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let directory = directory.path();
    let source = directory.join("model.safetensors");
    inputs::write_model(&source, 128, 128 << 20);
    let (repo, restored) = (
        directory.join("repo"),
        directory.join("restored.safetensors"),
    );
    let digest = run("sha256sum", &[text(&source)]);
    let digest = format!("sha256:{}", digest.split(' ').next().unwrap());
    for arguments in [
        vec!["ingest", text(&repo), text(&source)],
        vec!["ingest", text(&repo), text(&source)],
        vec!["read", text(&repo), &digest],
        vec!["export", text(&repo), &digest, text(&restored)],
    ] {
        println!(
            "{} of {} bytes",
            arguments[0],
            fs::metadata(&source).unwrap().len()
        );
        timed_self(&arguments).print();
    }
    print!(
        "{}",
        run("du", &["-sm", text(&source), text(&repo), text(&restored)])
    );
    run("cmp", &[text(&source), text(&restored)]);
}

fn lookups(records: usize) {
    // One thread of the runtime's, and the one that a session hashes and looks up on.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(lookups::measure(records));
}

fn changed() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = directory.path().join("repo");
    runtime().block_on(async { changed::measure(&open(&root).await, &root).await });
}

fn ingest(repo: &Path, source: &Path) {
    runtime().block_on(async {
        let mut ingest = open(repo).await.ingest();
        ingest.file(source).await.unwrap();
        ingest.finish().await.unwrap();
    });
    print_usage();
}

fn ingest_all(repo: &Path, directory: &Path) {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    runtime().block_on(async {
        let mut ingest = open(repo).await.ingest();
        for stored in ingest.files(paths).await.unwrap() {
            stored.unwrap();
        }
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
