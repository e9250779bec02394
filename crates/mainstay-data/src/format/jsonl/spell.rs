//! The one spelling of a JSON text.

/// Appends a valid JSON text without white space, its strings escaped as RFC 8785 says; `None` when an
/// escape in it is no character.
///
/// Numbers stay as they are spelled, and members in their order: nothing of the text's meaning is lost.
pub(super) fn compact(json: &str, out: &mut String) -> Option<()> {
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        without_space(&rest[..start], out);
        let (token, after) = rest.split_at(string_end(rest, start));
        let token = &token[start..];
        if token.contains('\\') {
            let text: String = serde_json::from_str(token).ok()?;
            out.push_str(&serde_json::to_string(&text).ok()?);
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    without_space(rest, out);
    Some(())
}

fn without_space(json: &str, out: &mut String) {
    out.extend(json.split([' ', '\t', '\r', '\n']));
}

/// Returns where the string that begins at `start` ends.
fn string_end(json: &str, start: usize) -> usize {
    let mut escaped = false;
    let closes = |byte: u8| {
        let was_escaped = escaped;
        escaped = byte == b'\\' && !was_escaped;
        byte == b'"' && !was_escaped
    };
    let inside = json.as_bytes().get(start + 1..).unwrap_or_default();
    let length = inside.iter().copied().position(closes);
    length.map_or(json.len(), |length| start + length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_spelling() {
        let spelled = |json: &str| {
            let mut out = String::new();
            compact(json, &mut out).map(|()| out)
        };
        let same = |json: &str, as_text: &str| assert_eq!(spelled(json).unwrap(), as_text);
        same("1.50", "1.50");
        same(" 12345678901234567890123 ", "12345678901234567890123");
        same(
            r#"{ "b" : [ 1 ,2 ], "a b": null }"#,
            r#"{"b":[1,2],"a b":null}"#,
        );
        same(r#""\u0041\/\u00e9\n""#, "\"A/é\\n\"");
        same(r#"["\\", "\"", " \\\" "]"#, r#"["\\","\""," \\\" "]"#);
        assert_eq!(spelled(r#""\ud800""#), None);
    }
}
