//! Differences of two JSON values.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The most differences that are listed.
pub const MAX_DIFFERENCES: usize = 64;
/// The longest text of a value that is listed, in characters.
const MAX_TEXT: usize = 200;
/// The longest text of a value in one line, in characters.
const MAX_INLINE: usize = 32;
/// How deep differences are looked for.
const MAX_DEPTH: usize = 64;

/// The differences of two JSON values.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[non_exhaustive]
pub struct JsonDiff {
    /// The first [`MAX_DIFFERENCES`], in order of path.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub omitted: u64,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Where: a JSON Pointer (RFC 6901), as `/parameters/depth`.
    pub path: String,
    /// What was there; `None` for nothing. Long text and large values are cut.
    pub before: Option<Value>,
    /// What is there; `None` for nothing.
    pub after: Option<Value>,
}

impl JsonDiff {
    /// Reports whether the values are equal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty() && self.omitted == 0
    }

    fn add(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.differences.len() == MAX_DIFFERENCES {
            self.omitted += 1;
        } else {
            self.differences.push(Difference {
                path: path.to_owned(),
                before: before.map(short),
                after: after.map(short),
            });
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.trim_start_matches('/');
        let path = if path.is_empty() { "record" } else { path };
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                write!(f, "{path} {} → {}", inline(before), inline(after))
            }
            (Some(before), None) => write!(f, "{path} {} removed", inline(before)),
            (None, after) => {
                let after = after.as_ref().map_or_else(String::new, inline);
                write!(f, "{path} {after} added")
            }
        }
    }
}

/// Compares two JSON values member by member and element by element.
///
/// Numbers are equal when they are the same number, however spelled.
///
/// # Complexity
/// O(n) in both values; what is deeper than 64 levels is compared as a whole.
#[must_use]
pub fn diff(before: &Value, after: &Value) -> JsonDiff {
    let mut found = JsonDiff::default();
    compare(before, after, &mut String::new(), 0, &mut found);
    found
}

fn compare(before: &Value, after: &Value, path: &mut String, depth: usize, found: &mut JsonDiff) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if depth < MAX_DEPTH => {
            for (key, old) in old {
                step(path, key, |path| match new.get(key) {
                    Some(new) => compare(old, new, path, depth + 1, found),
                    None => found.add(path, Some(old), None),
                });
            }
            for (key, new) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                step(path, key, |path| found.add(path, None, Some(new)));
            }
        }
        (Value::Array(old), Value::Array(new)) if depth < MAX_DEPTH => {
            for index in 0..old.len().max(new.len()) {
                step(path, &index.to_string(), |path| {
                    match (old.get(index), new.get(index)) {
                        (Some(old), Some(new)) => compare(old, new, path, depth + 1, found),
                        (old, new) => found.add(path, old, new),
                    }
                });
            }
        }
        (Value::Number(old), Value::Number(new)) if old.as_f64() == new.as_f64() => {}
        (old, new) if old == new => {}
        (old, new) => found.add(path, Some(old), Some(new)),
    }
}

fn step(path: &mut String, segment: &str, then: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(&segment.replace('~', "~0").replace('/', "~1"));
    then(path);
    path.truncate(length);
}

/// Cuts long text, and replaces large values by their size.
fn short(value: &Value) -> Value {
    match value {
        Value::String(text) if text.chars().nth(MAX_TEXT).is_some() => {
            Value::String(text.chars().take(MAX_TEXT).collect::<String>() + "…")
        }
        Value::Array(items) if items.len() > 8 || items.iter().any(is_nested) => {
            Value::String(format!("[{} elements]", items.len()))
        }
        Value::Array(items) => items.iter().map(short).collect(),
        Value::Object(members) if members.len() > 8 || members.values().any(is_nested) => {
            Value::String(format!("{{{} members}}", members.len()))
        }
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.chars().take(MAX_TEXT).collect(), short(value)))
            .collect::<serde_json::Map<String, Value>>()
            .into(),
        scalar => scalar.clone(),
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn inline(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_INLINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
