//! What the guides tell to type is what the command takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};

use crate::cli::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages that tell people what to type, with their names.
fn pages() -> Vec<(String, String)> {
    let markdown = |directory: PathBuf| {
        let entries = fs::read_dir(directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    };
    let mut paths = vec![root().join("README.md")];
    paths.extend(markdown(root().join("docs")));
    paths.extend(markdown(root().join("docs/guides")));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// The lines of code blocks that run the command; one that goes on after `\` is one line.
fn in_blocks(page: &str) -> Vec<String> {
    let joined = page.replace("\\\n", " ");
    let mut lines = Vec::new();
    let mut is_code = false;
    for line in joined.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if is_code && line.trim_start().starts_with("mainstay ") {
            lines.push(line.trim_start().to_owned());
        }
    }
    lines
}

/// What stands in the text between backticks and runs the command, where nothing is left open in it.
fn in_text(page: &str) -> Vec<String> {
    let is_open = |span: &&str| span.contains(['[', '|', '…']) || span.contains(" COMMAND ");
    let spans = page
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    spans
        .filter(|span| span.starts_with("mainstay "))
        .filter(|span| !is_open(span))
        .map(str::to_owned)
        .collect()
}

/// Splits a line as a shell does, up to what another program reads; variables have the value 1.
fn words(line: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('$') {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
        plain.push_str(before);
        plain.push('1');
        rest = &after[end..];
    }
    plain.push_str(rest);
    let words = shlex::split(&plain).unwrap_or_else(|| panic!("open quotes: {line}"));
    let is_word = |word: &String| !["|", "||", "&&", ">", ";", "&"].contains(&word.as_str());
    words.into_iter().take_while(is_word).collect()
}

#[test]
fn every_command_in_a_code_block_is_complete() {
    let mut count = 0;
    for (page, text) in pages() {
        for line in in_blocks(&text) {
            count += 1;
            if let Err(error) = Cli::try_parse_from(words(&line)) {
                panic!("{page}: {line}: {error}");
            }
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn every_command_that_the_text_names_is_there() {
    let mut count = 0;
    for (page, text) in pages() {
        for span in in_text(&text) {
            count += 1;
            let Err(error) = Cli::try_parse_from(words(&span)) else {
                continue;
            };
            // The name alone is a way to speak of a command.
            let is_named = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            assert!(is_named, "{page}: {span}: {error}");
        }
    }
    assert!(count > 30, "{count}");
}

/// Every command that does something, by its words.
fn leaves(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
    for sub in command.get_subcommands() {
        let words = format!("{words}{} ", sub.get_name());
        if sub.has_subcommands() {
            leaves(sub, &words, found);
        } else {
            found.push((words.trim_end().to_owned(), sub.clone()));
        }
    }
}

#[test]
fn the_guide_has_a_row_of_each_command_and_all_its_options() {
    let page = fs::read_to_string(root().join("docs/guides/command-line.md")).unwrap();
    let mut found = Vec::new();
    leaves(&Cli::command(), "", &mut found);
    let told = ["model ", "lineage ", "changed", "history"];
    for (words, command) in found {
        if !told.iter().any(|verb| words.starts_with(verb)) {
            continue;
        }
        let of_it = |line: &&str| {
            let begins = format!("`{words}");
            let mut after = line
                .match_indices(&begins)
                .map(|(at, _)| &line[at + begins.len()..]);
            after.any(|rest| rest.starts_with([' ', '`']))
        };
        let rows: Vec<&str> = page.lines().filter(of_it).collect();
        assert!(!rows.is_empty(), "{words}");
        let options = command
            .get_arguments()
            .filter_map(|option| option.get_long());
        let missing: BTreeSet<&str> = options
            .filter(|option| !["help", "version"].contains(option))
            .filter(|option| !rows.iter().any(|row| row.contains(&format!("--{option}"))))
            .collect();
        assert!(missing.is_empty(), "{words}: {missing:?}");
    }
}
