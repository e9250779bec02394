//! Children for tests: the test binary again, running one test with a part to play.
//!
//! The test asks [`part`] first. A child plays the part and tells its parent lines with [`say`]; the
//! parent [spawns](spawn) children, reads what they [said], lets them [race], or kills them.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here fails the test that called it"
)]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

const PLACE: &str = "MAINSTAY_TEST_CHILD_PLACE";
const NUMBER: &str = "MAINSTAY_TEST_CHILD_NUMBER";

/// Starts child `number`, which runs `test`, the full name of the caller, on `place`: a path or a URL.
///
/// # Panics
/// When the process cannot be started.
pub fn spawn(test: &str, place: impl AsRef<OsStr>, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PLACE, place)
        .env(NUMBER, number.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Returns the place and the number that this child was started with; `None` in the parent.
///
/// # Panics
/// When somebody else has set the variables it reads.
pub fn part() -> Option<(String, usize)> {
    let place = std::env::var(PLACE).ok()?;
    let number = std::env::var(NUMBER).unwrap().parse().unwrap();
    Some((place, number))
}

/// Tells the parent a line.
///
/// # Panics
/// When the parent is gone.
pub fn say(line: &str) {
    // The test harness shares the stream, hence the mark.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n> {line}").unwrap();
    stdout.flush().unwrap();
}

/// Returns what a child says, line by line, until it ends.
///
/// # Panics
/// When called twice for one child.
pub fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = stdout.lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
}

/// Starts so many children and lets them loose once each has called [`wait_for_all`]; returns what
/// each said from then on.
///
/// # Panics
/// When a child fails.
pub fn race(test: &str, place: impl AsRef<OsStr>, children: usize) -> Vec<Vec<String>> {
    let mut children: Vec<_> = (0..children)
        .map(|number| spawn(test, &place, number))
        .collect();
    let mut lines: Vec<_> = children.iter_mut().map(said).collect();
    for ready in &mut lines {
        assert_eq!(ready.next().as_deref(), Some(READY));
    }
    for child in &mut children {
        writeln!(child.stdin.take().unwrap(), "go").unwrap();
    }
    let said = lines.into_iter().map(Iterator::collect).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    said
}

/// Returns in a child when all children of its [`race`] are here.
///
/// # Panics
/// When the parent is gone.
pub fn wait_for_all() {
    say(READY);
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

const READY: &str = "ready";

/// Waits until children have said so many lines each, then kills them in the middle of something;
/// returns all that they said.
///
/// # Panics
/// When a child ends on its own.
pub fn kill_after(mut children: Vec<Child>, lines: &[usize]) -> Vec<String> {
    let mut saying: Vec<_> = children.iter_mut().map(said).collect();
    let mut all = Vec::new();
    for (saying, lines) in saying.iter_mut().zip(lines) {
        all.extend(saying.by_ref().take(*lines));
    }
    for child in &mut children {
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    }
    // What they said between the decision and the kill.
    all.extend(saying.into_iter().flatten());
    assert!(all.len() >= lines.iter().sum());
    all
}
