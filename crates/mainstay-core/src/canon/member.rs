//! The order of the members of an object.

use std::cmp::Ordering;
use std::ops::Range;

/// Where a member stands in the text.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// The name, with its quotes.
    name: Range<usize>,
    /// Behind the value.
    end: usize,
}

impl Member {
    /// Begins a member whose name stands at `name`.
    pub(super) fn named(name: Range<usize>) -> Self {
        Self {
            end: name.end,
            name,
        }
    }

    /// Ends it.
    pub(super) fn end(&mut self, at: usize) {
        self.end = at;
    }
}

/// Puts into order the members of the object that makes up `text` from `begin`.
///
/// # Errors
/// Says which name two members have.
pub(super) fn arrange(
    text: &mut Vec<u8>,
    begin: usize,
    members: &mut [Member],
) -> Result<(), String> {
    let name = |member: &Member| &text[member.name.clone()];
    let order = |a: &Member, b: &Member| order(name(a), name(b));
    if members.is_sorted_by(|a, b| order(a, b).is_lt()) {
        return Ok(());
    }
    members.sort_by(order);
    let twice = members.array_windows().find(|[a, b]| order(a, b).is_eq());
    if let Some([twice, _]) = twice {
        let name = String::from_utf8_lossy(name(twice));
        return Err(format!("two members are named {name}"));
    }
    let mut arranged = Vec::with_capacity(text.len() - begin);
    for member in members {
        if !arranged.is_empty() {
            arranged.push(b',');
        }
        arranged.extend_from_slice(&text[member.name.start..member.end]);
    }
    text.truncate(begin);
    text.append(&mut arranged);
    Ok(())
}

/// Compares quoted names by the UTF-16 code units of what they spell (RFC 8785, section 3.2.3).
fn order(a: &[u8], b: &[u8]) -> Ordering {
    match (plain(a), plain(b)) {
        (Some(a), Some(b)) => a.cmp(b),
        _ => spelled(a).encode_utf16().cmp(spelled(b).encode_utf16()),
    }
}

/// The characters of a quoted name that spells itself in ASCII, which has one order in all encodings.
fn plain(quoted: &[u8]) -> Option<&[u8]> {
    let name = quoted.get(1..quoted.len() - 1)?;
    name.iter()
        .all(|byte| byte.is_ascii() && *byte != b'\\')
        .then_some(name)
}

fn spelled(quoted: &[u8]) -> String {
    // It is JSON that was just written.
    serde_json::from_slice(quoted).unwrap_or_default()
}
