//! Children: this test binary again, running one test with a role in its environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use mainstay_store::{Durability, Key, LocalOptions, LocalStorage};

const ROOT: &str = "MAINSTAY_TEST_ROOT";
const WRITER: &str = "MAINSTAY_TEST_WRITER";

pub(crate) fn spawn(test: &str, root: &Path, writer: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROOT, root)
        .env(WRITER, writer.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The root and the number of the writer, in a child.
pub(crate) fn role() -> Option<(PathBuf, usize)> {
    let root = std::env::var_os(ROOT)?;
    let writer = std::env::var(WRITER).unwrap().parse().unwrap();
    Some((root.into(), writer))
}

/// Tells the parent something; the test harness shares the stream, hence the mark.
pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n> {line}").unwrap();
    stdout.flush().unwrap();
}

pub(crate) fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = stdout.lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
}

pub(crate) async fn open(root: &Path, durability: Durability) -> LocalStorage {
    let options = LocalOptions::default().with_durability(durability);
    LocalStorage::open(root, options).await.unwrap()
}

/// Every other writer commits in batches.
pub(crate) fn durability_of(writer: usize) -> Durability {
    [Durability::Strict, Durability::Batch][writer % 2]
}

/// Bytes that name their key and are of one piece.
pub(crate) fn self_checking(key: &Key, len: usize) -> Bytes {
    let line = format!("{key} {len}\n");
    line.bytes().cycle().take(len).collect()
}

pub(crate) fn is_whole(key: &Key, bytes: &Bytes) -> bool {
    *bytes == self_checking(key, bytes.len()) && bytes.len() >= 1000
}
