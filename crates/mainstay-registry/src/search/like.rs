//! `LIKE`: text patterns.

/// Reports whether `text` matches `pattern`, where `%` is any text and `_` any one character.
///
/// Complexity: O(text × pattern) time, O(1) space beside the characters.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut t, mut p) = (0, 0);
    // Where to go on when what follows the last '%' does not match: it then takes one more character.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                retry = Some((t, p + 1));
                p += 1;
            }
            Some(&wanted) if wanted == '_' || wanted == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match retry {
                Some((from, after)) => {
                    retry = Some((from + 1, after));
                    (t, p) = (from + 1, after);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&rest| rest == '%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, read aloud.
    fn model(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|skip| model(&text[skip..], rest)),
            Some((&one, rest)) => text
                .split_first()
                .is_some_and(|(&first, tail)| (one == '_' || one == first) && model(tail, rest)),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(text in "[ab_%]{0,10}", pattern in "[ab_%]{0,7}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&text, &pattern), model(&chars(&text), &chars(&pattern)));
        }
    }
}
