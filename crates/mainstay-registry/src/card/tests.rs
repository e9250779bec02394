//! What a reader of Markdown sees is the text, whatever the text is.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::text::{cell, code, line, paragraphs, quoted};

/// Every extension, but for the one that sets other quotes and dashes.
fn parse(markdown: &str) -> Vec<Event<'_>> {
    let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    Parser::new_ext(markdown, options).collect()
}

/// Free text, and pieces that mean something to a renderer.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "# ",
        "- ",
        "1. ",
        "2) ",
        "---",
        "===",
        "> ",
        "    ",
        "\t",
        "\n",
        "\n\n",
        "```",
        "~~~",
        "*a*",
        "__b__",
        "`c`",
        "[x](y)",
        "![x](y)",
        "[x]: y\n",
        "<b>",
        "</td>",
        "<!--",
        "<script>",
        "&lt;",
        "&#35;",
        "|",
        "\\|",
        "\\",
        "| --- |",
        "$x$",
        "$$",
        "[^1]",
        "[^1]: x",
        "- [ ] ",
        ":::",
        ": x",
        "{#id}",
        "~~x~~",
        "^x^",
        "[[w]]",
        "> [!NOTE]\n",
        "+++",
        "\u{202e}",
        "\u{feff}",
        "\0",
        "\r",
        "\u{85}",
        "\u{2028}",
        "a",
        " ",
    ]);
    let piece =
        prop_oneof![4 => pieces.prop_map(str::to_owned), 1 => "[ -~\n]{0,6}", 1 => ".{0,3}"];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What is shown of one line.
fn seen(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let shown = words.join(" ");
    shown
        .chars()
        .map(|c| match c {
            '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                '\u{fffd}'
            }
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Reads what is nothing but paragraphs; `None` when it is anything else.
fn read_paragraphs(markdown: &str) -> Option<Vec<Vec<String>>> {
    let mut paragraphs: Vec<Vec<String>> = Vec::new();
    for event in parse(markdown) {
        match event {
            Event::Start(Tag::Paragraph) => paragraphs.push(vec![String::new()]),
            Event::End(TagEnd::Paragraph) => {}
            Event::SoftBreak => paragraphs.last_mut()?.push(String::new()),
            Event::Text(text) => paragraphs.last_mut()?.last_mut()?.push_str(&text),
            _ => return None,
        }
    }
    Some(paragraphs)
}

/// Reads the cells of a table of one row; `None` when it is anything else.
fn read_row(markdown: &str) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    for event in parse(markdown) {
        match event {
            Event::Start(Tag::TableCell) => cells.push(String::new()),
            Event::Text(text) | Event::Code(text) => cells.last_mut()?.push_str(&text),
            Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow)
            | Event::End(
                TagEnd::Table | TagEnd::TableHead | TagEnd::TableRow | TagEnd::TableCell,
            ) => {}
            _ => return None,
        }
    }
    Some(cells)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn paragraphs_are_read_as_the_very_text(text in texts()) {
        let lines: Vec<String> = text.lines().map(seen).collect();
        let expected: Vec<Vec<String>> = lines
            .split(String::is_empty)
            .filter(|paragraph| !paragraph.is_empty())
            .map(<[String]>::to_vec)
            .collect();
        let markdown = paragraphs(&text);
        let read = read_paragraphs(&markdown);
        prop_assert_eq!(read, Some(expected), "{:?}", markdown);
    }

    #[test]
    fn cells_are_read_as_the_very_text(text in texts(), name in texts()) {
        let code = code(&name);
        // As code, text stays as it is.
        let name = if code == format!("`{name}`") { name } else { seen(&name) };
        let markdown = format!("| a | b | c |\n| --- | --- | --- |\n| {} | {code} | x |\n", cell(&text));
        let read = read_row(&markdown);
        let expected = ["a", "b", "c", &seen(&text), &name, "x"].map(str::to_owned);
        prop_assert_eq!(read, Some(expected.to_vec()), "{:?}", markdown);
    }

    #[test]
    fn a_fact_keeps_its_text(text in texts()) {
        let expected = seen(&text);
        let markdown = format!("- **Fact:** {}\n", line(&text));
        let mut read = String::new();
        for event in parse(&markdown) {
            match event {
                Event::Text(text) => read.push_str(&text),
                Event::Start(Tag::List(_) | Tag::Item | Tag::Strong)
                | Event::End(TagEnd::List(_) | TagEnd::Item | TagEnd::Strong) => {}
                other => prop_assert!(false, "{:?}: {:?}", other, markdown),
            }
        }
        let expected = format!("Fact: {expected}");
        prop_assert_eq!(read.trim_end(), expected.trim_end(), "{:?}", markdown);
    }

    #[test]
    fn a_scalar_of_the_metadata_is_the_text_and_one_line(text in texts()) {
        let quoted = quoted(&text);
        let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}' | '\u{feff}');
        let is_clean = !quoted.contains(bad);
        prop_assert!(is_clean);
        prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
    }
}

#[test]
fn what_is_plain_stays_readable() {
    for plain in [
        "fine-tuned on 1.2 M rows (2024)",
        "risk@example.org",
        "50 % of #3, a = b: c!",
    ] {
        assert_eq!(line(plain), plain);
        assert_eq!(paragraphs(plain), plain);
    }
    assert_eq!(paragraphs("1. one\n\n\n- two"), "1\\. one\n\n\\- two");
    assert_eq!(line("<b> & [x](y)"), "&lt;b&gt; &amp; \\[x\\](y)");
}

#[test]
fn a_long_cell_says_how_much_it_leaves_out() {
    let shown = cell(&"ä".repeat(1_500));
    assert!(shown.ends_with("ä … (500 more characters)"), "{shown}");
    assert_eq!(cell(&"ä".repeat(1_000)), "ä".repeat(1_000));
}
