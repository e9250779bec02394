//! Which logical types hold the values of which others.

/// The deepest nesting that is looked into; what lies deeper fits where it is the same.
const MAX_DEPTH: usize = 32;

/// Reports whether every value of one logical type is a value of another.
pub(super) fn fits(from: &str, into: &str) -> bool {
    fits_at(from, into, MAX_DEPTH)
}

fn fits_at(from: &str, into: &str, depth: usize) -> bool {
    if from == into || from == "null" {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let (Some((outer, inner)), Some((wanted, wanted_inner))) = (nested(from), nested(into)) else {
        return number_fits(from, into);
    };
    let (Some(parts), Some(wanted_parts)) = (parts(inner), parts(wanted_inner)) else {
        return false;
    };
    match (outer, wanted) {
        ("list", "list") | ("map", "map") => {
            let mut pairs = parts.iter().zip(&wanted_parts);
            parts.len() == wanted_parts.len()
                && pairs.all(|(from, into)| fits_at(from, into, depth))
        }
        ("struct", "struct") => wanted_parts.iter().all(|wanted| {
            let Some((name, into)) = field(wanted) else {
                return false;
            };
            let mut fields = parts.iter().filter_map(|part| field(part));
            let found = fields.find(|(found, _)| *found == name);
            found.is_some_and(|(_, from)| fits_at(from, into, depth))
        }),
        _ => false,
    }
}

fn number_fits(from: &str, into: &str) -> bool {
    let bits = |of: &str, prefix: &str| -> Option<u32> { of.strip_prefix(prefix)?.parse().ok() };
    let (int, uint, float) = (bits(from, "int"), bits(from, "uint"), bits(from, "float"));
    match (bits(into, "int"), bits(into, "uint"), bits(into, "float")) {
        (Some(wide), ..) => int.is_some_and(|n| n <= wide) || uint.is_some_and(|n| n < wide),
        (_, Some(wide), _) => uint.is_some_and(|n| n <= wide),
        (.., Some(wide)) => {
            // Significant bits: 11, 24 and 53.
            let exact = match wide {
                16 => 8,
                32 => 16,
                _ => 32,
            };
            float.is_some_and(|n| n <= wide) || int.or(uint).is_some_and(|n| n <= exact)
        }
        _ => false,
    }
}

/// Divides `word(inner)`.
fn nested(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(')')?.split_once('(')
}

/// Divides a field of a struct into its name, quoted, and its type.
fn field(text: &str) -> Option<(&str, &str)> {
    let end = name_end(text)?;
    Some((&text[..end], text[end..].strip_prefix(':')?))
}

/// Divides what stands between parentheses at its commas.
fn parts(text: &str) -> Option<Vec<&str>> {
    let (mut found, mut start, mut at, mut open) = (Vec::new(), 0, 0, 0_usize);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += name_end(&text[at..])? - 1,
            b'(' => open += 1,
            b')' => open = open.checked_sub(1)?,
            b',' if open == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    found.push(&text[start..]);
    Some(found)
}

/// Finds where the name ends, quoted as in JSON, that a text begins with.
fn name_end(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    bytes.next().filter(|(_, byte)| *byte == b'"')?;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wider_types_hold_narrower_ones() {
        for (from, into, expected) in [
            ("int32", "int64", true),
            ("int64", "int32", false),
            ("uint32", "int64", true),
            ("uint64", "int64", false),
            ("int8", "uint8", false),
            ("int32", "float64", true),
            ("int64", "float64", false),
            ("float32", "float64", true),
            ("int16", "float32", true),
            ("utf8", "binary", false),
            ("utf8", "json", false),
            ("null", "utf8", true),
            ("interval(day_time)", "interval(day_time)", true),
            ("timestamp(s)", "timestamp(ms)", false),
            ("list(int32)", "list(int64)", true),
            ("list(int64)", "list(int32)", false),
            ("list(list(null))", "list(list(utf8))", true),
            ("map(int8,int32)", "map(int16,int64)", true),
            ("map(int16,int32)", "map(int8,int64)", false),
            ("list(int32)", "int64", false),
            (r#"struct("a":int8,"b":utf8)"#, r#"struct("a":int16)"#, true),
            (r#"struct("a":int8)"#, r#"struct("a":int8,"b":utf8)"#, false),
            (
                r#"struct("a\",(":int8,"b":utf8)"#,
                r#"struct("a\",(":int16)"#,
                true,
            ),
            (r#"struct("a\",(":int8)"#, r#"struct("a\",)":int16)"#, false),
            (
                r#"struct("a":list(struct("b":int8,"c":bool)))"#,
                r#"struct("a":list(struct("b":int64)))"#,
                true,
            ),
            (r#"union("a":int8)"#, r#"union("a":int16)"#, false),
        ] {
            assert_eq!(fits(from, into), expected, "{from} into {into}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(from in r#"[a-z("\\:,)é]{0,40}"#, into in r#"[a-z("\\:,)é]{0,40}"#) {
            prop_assert!(fits(&from, &from));
            fits(&from, &into);
        }
    }
}
