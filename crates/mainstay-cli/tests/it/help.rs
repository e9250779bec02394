//! Help: every command explains itself, and its examples are right.

use std::path::Path;
use std::process::Command;

use crate::support::Shell;

/// Every command that does something, found by following the help.
fn commands(shell: &Shell) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(command) = pending.pop() {
        let help = shell.run(&format!("{command} -h")).out;
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names: Vec<&str> = listed
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
            .filter(|name| !name.is_empty() && *name != "help")
            .collect();
        if names.is_empty() {
            found.push(command.trim().to_owned());
        }
        pending.extend(names.iter().map(|name| format!("{command} {name}")));
    }
    found.sort();
    found
}

#[test]
fn every_command_has_a_summary_and_an_example() {
    let shell = Shell::empty();
    let commands = commands(&shell);
    assert!(commands.len() > 40, "{commands:?}");
    for command in commands {
        for flag in ["-h", "--help"] {
            let ran = shell.run(&format!("{command} {flag}"));
            assert_eq!(ran.code, 0, "{command}: {ran:?}");
            let usage = format!("Usage: mainstay {command}");
            assert!(ran.out.contains(&usage), "{command} {flag}: {}", ran.out);
        }
        let help = shell.run(&format!("{command} --help")).out;
        let example = format!("\n  mainstay {command}");
        assert!(
            help.contains(&example) || command == "init",
            "{command}: {help}"
        );
        let summary = help.lines().next().unwrap_or_default();
        assert!(
            summary.len() > 10 && !summary.ends_with('.'),
            "{command}: {summary}"
        );
    }
}

/// Runs a line where there is nothing; right arguments are answered by what is missing.
#[cfg(unix)]
#[track_caller]
fn fits_the_grammar(line: &str) {
    let binaries = Path::new(env!("CARGO_BIN_EXE_mainstay")).parent().unwrap();
    let elsewhere = Shell::empty();
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .current_dir(elsewhere.path("."))
        .env("PATH", binaries)
        .env_remove("MAINSTAY_REPO")
        .output()
        .unwrap();
    let code = output.status.code().unwrap();
    // There is no workspace and there are no files, so 3 is the answer to right arguments.
    let fits = code == 3 || (code == 0 && line.trim().ends_with(" init"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(fits, "{code}: {line}: {said}");
}

#[test]
#[cfg(unix)]
fn every_example_fits_the_grammar() {
    let shell = Shell::empty();
    for command in commands(&shell) {
        let help = shell.run(&format!("{command} --help")).out;
        let (_, examples) = help.split_once("Example:\n").unwrap();
        let joined = examples.replace("\\\n", " ");
        let lines = joined.lines().filter(|line| line.starts_with("  mainstay"));
        // This build opens no cloud.
        for line in lines.filter(|line| !line.contains("s3://")) {
            let (line, _) = line.split_once(" | ").unwrap_or((line, ""));
            fits_the_grammar(line);
        }
    }
}

#[test]
#[cfg(unix)]
fn what_stands_for_the_commands_of_others_fits_the_grammar() {
    let guide = include_str!("../../../../docs/guides/coming-from-dvc.md");
    let spans = guide.split('`').skip(1).step_by(2);
    let commands: Vec<&str> = spans.filter(|span| span.starts_with("mainstay ")).collect();
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        fits_the_grammar(command);
    }
}

#[test]
fn the_guide_names_every_command() {
    let shell = Shell::empty();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/command-line.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for command in commands(&shell) {
        assert!(guide.contains(&format!("`{command}")), "{command}");
    }
}

#[test]
fn without_a_command_help_is_shown_as_an_error() {
    let shell = Shell::empty();
    let ran = shell.run("");
    assert!(
        ran.code == 2 && ran.out.is_empty() && ran.err.contains("Usage:"),
        "{ran:?}"
    );
    assert!(shell.run("--version").out.starts_with("mainstay "));
}
