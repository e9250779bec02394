//! A shell in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory in which commands are run, by the actor ada.
pub(crate) struct Shell {
    directory: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shell {
    /// Opens a shell in an empty directory.
    pub(crate) fn empty() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    /// Opens a shell in a directory with a workspace, the penguins and some files.
    pub(crate) fn new() -> Self {
        let shell = Self::empty();
        shell.write("penguins.csv", &penguins());
        shell.write("model.bin", "weights");
        shell.write("prompt.md", "Answer {{name}}: {{question}}\n");
        shell.json("init");
        shell
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Prepares a command, its arguments separated by spaces.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        self.command_of(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    fn command_of(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("MAINSTAY_REPO")
            .env("MAINSTAY_ACTOR", "ada")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command, its arguments separated by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command whose arguments hold spaces.
    pub(crate) fn run_of(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command_of(arguments).output().unwrap())
    }

    /// Runs a command that succeeds, and returns its document.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &str) -> Value {
        self.answer(0, arguments)
    }

    /// Runs a command that ends with `code`, which is no failure, and returns its document.
    #[track_caller]
    pub(crate) fn answer(&self, code: i32, arguments: &str) -> Value {
        let ran = self.run(&format!("--json {arguments}"));
        assert_eq!(ran.code, code, "{arguments}: {ran:?}");
        ran.document()
    }

    /// Runs a command that fails with `code`, and returns `error` of what it says.
    ///
    /// A failure writes nothing to standard output, and nothing to the log.
    #[track_caller]
    pub(crate) fn failure(&self, code: i32, arguments: &str) -> Value {
        let head = self.head();
        let ran = self.run(&format!("--json {arguments}"));
        assert_eq!(ran.code, code, "{arguments}: {ran:?}");
        assert_eq!(ran.out, "", "{arguments}");
        assert_eq!(self.head(), head, "{arguments}: half written");
        let mut document: Value = serde_json::from_str(&ran.err).unwrap();
        let error = document["error"].take();
        has(&error, &["kind", "message", "context"]);
        error
    }

    /// Counts the log entries.
    fn head(&self) -> usize {
        let log = self.path(".mainstay/log");
        fs::read_dir(log).map_or(0, Iterator::count)
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Reads the one document on standard output.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asserts that an object has members.
#[track_caller]
pub(crate) fn has(value: &Value, members: &[&str]) {
    for member in members {
        assert!(value.get(member).is_some(), "no {member} in {value}");
    }
}

/// The table of examples/data.
pub(crate) fn penguins() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join("examples/data/penguins.csv")).unwrap()
}

/// The same table with the body mass of 2009 in kilograms instead of grams.
pub(crate) fn penguins_in_kilograms() -> String {
    let rows = penguins();
    let convert = |row: &str| {
        let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
        if let (Some("2009"), Ok(grams)) =
            (cells.last().map(String::as_str), cells[5].parse::<f64>())
        {
            cells[5] = (grams / 1000.0).to_string();
        }
        cells.join(",") + "\n"
    };
    rows.lines().map(convert).collect()
}
