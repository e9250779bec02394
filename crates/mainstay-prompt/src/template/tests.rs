use proptest::prelude::*;

use super::*;

/// Renders with each variable's value `<name>`.
fn render(text: &str) -> Result<String, ParseError> {
    let mut names: Vec<String> = Vec::new();
    let template = Template::parse(text, |name| {
        names.push(name.into());
        names.len() - 1
    })?;
    let values: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
    let mut out = String::new();
    template.render_into(&mut out, |variable| &values[variable]);
    assert_eq!(
        template.rendered_bytes(|variable| values[variable].len()),
        Some(out.len())
    );
    Ok(out)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(render(text).as_deref(), Ok(expected), "{text:?}");
}

#[track_caller]
fn check_error(text: &str, kind: ParseErrorKind, line: usize, column: usize) {
    let error = render(text).unwrap_err();
    assert_eq!(
        (error.kind, error.line, error.column),
        (kind, line, column),
        "{text:?}"
    );
}

#[test]
fn variables_are_replaced_and_white_space_inside_the_braces_is_tolerated() {
    check("a {{x}} b {{ y }}{{\tz\t}}", "a <x> b <y><z>");
    check("{{a.b}}{{a-b}}{{_1}}", "<a.b><a-b><_1>");
    check("", "");
}

#[test]
fn json_needs_no_escapes() {
    check(r#"{"a": {"b": {}}}"#, r#"{"a": {"b": {}}}"#);
    check(r#"{"a": "{{x}}"}}"#, r#"{"a": "<x>"}}"#);
    check("}} {x} { {", "}} {x} { {");
}

#[test]
fn runs_of_opening_braces_escape_from_the_left() {
    check("{{{x}}}", "{<x>}");
    check("{{{{x}}", "{{x}}");
    check("{{{{{x}}", "{{{x}}");
    check("{{{{{{x}}", "{{<x>");
    check("{{{{{{{x}}", "{{{<x>");
    check("{{{{{{{{", "{{{{");
}

#[test]
fn an_open_placeholder_is_refused_where_it_opens() {
    check_error("{{", ParseErrorKind::Unclosed, 1, 1);
    check_error("é\né{{x\n}}", ParseErrorKind::Unclosed, 2, 2);
    check_error("{{{x", ParseErrorKind::Unclosed, 1, 2);
    check_error("{{x} }", ParseErrorKind::Unclosed, 1, 1);
}

#[test]
fn anything_but_a_name_is_refused() {
    for bad in ["", "1", "a b", "#if", "a|b", "é", "a..b é", ".a", "x y"] {
        let text = format!("\n  {{{{{bad}}}}}");
        let error = render(&text).unwrap_err();
        assert_eq!((error.line, error.column), (2, 3), "{bad}");
    }
    let long = "a".repeat(129);
    check_error(
        &format!("{{{{{long}}}}}"),
        ParseErrorKind::LongVariable,
        1,
        1,
    );
}

#[test]
fn the_error_says_where_and_how_to_escape() {
    let error = ParseError {
        message: Some(2),
        ..render("a {{").unwrap_err()
    };
    assert_eq!(
        error.to_string(),
        "message 2, line 1, column 3: {{ is not closed by }} on its line; \
         write {{{{ for the text {{"
    );
}

#[test]
fn a_long_line_of_variables_is_parsed_in_one_pass() {
    let text = "{{x}}".repeat(200_000);
    let mut seen = 0;
    let template = Template::parse(&text, |_| {
        seen += 1;
        0
    });
    assert_eq!(template.unwrap().rendered_bytes(|_| 1), Some(seen));
}

/// One piece of a template as a person thinks of it.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Variable(String),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        "[{}a \n\"é]{0,6}".prop_map(Piece::Text),
        "[A-Za-z_][A-Za-z0-9_.-]{0,5}".prop_map(Piece::Variable),
    ];
    proptest::collection::vec(piece, 0..8)
}

/// Writes pieces as a template by the documented rule: a run of braces is doubled in pairs.
fn write(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut braces = 0;
    let flush = |text: &mut String, braces: &mut usize, opens: bool| {
        text.push_str(&"{{{{".repeat(*braces / 2));
        text.push_str(&"{".repeat(*braces % 2));
        text.push_str(if opens { "{{" } else { "" });
        *braces = 0;
    };
    for piece in pieces {
        match piece {
            Piece::Text(literal) => {
                for c in literal.chars() {
                    if c == '{' {
                        braces += 1;
                    } else {
                        flush(&mut text, &mut braces, false);
                        text.push(c);
                    }
                }
            }
            Piece::Variable(name) => {
                flush(&mut text, &mut braces, true);
                text.push_str(name);
                text.push_str("}}");
            }
        }
    }
    flush(&mut text, &mut braces, false);
    text
}

proptest! {
    #[test]
    fn what_is_written_by_the_rules_is_read_back(pieces in pieces()) {
        let expected: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(literal) => literal.clone(),
                Piece::Variable(name) => format!("<{name}>"),
            })
            .collect();
        prop_assert_eq!(render(&write(&pieces)).unwrap(), expected);
    }

    #[test]
    fn any_text_parses_or_is_refused_at_its_braces(text in "(\\PC|[{} \nx]){0,64}") {
        if let Err(error) = render(&text) {
            let line = text.split('\n').nth(error.line - 1).unwrap();
            prop_assert!(line.chars().skip(error.column - 1).collect::<String>().starts_with("{{"));
        }
    }

    #[test]
    fn a_text_without_braces_is_itself(text in "[^{]{0,64}") {
        prop_assert_eq!(render(&text).unwrap(), text);
    }
}
