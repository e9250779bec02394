//! What tests say of the drift of a column, for people.

use super::Drift;
use crate::stats::ScalarValue;

/// How many categories are named.
const NAMED: usize = 3;
/// So many characters of a category are shown.
const MAX_CHARACTERS: usize = 32;
/// Of a probability below this it is only said that it is.
const LEAST_P: f64 = 0.001;

impl Drift {
    /// What the texts of [`evidence`](Self::evidence) are.
    pub const EVIDENCE: [&'static str; 6] = [
        "chi-square",
        "p",
        "Cramér's V",
        "missing p",
        "new",
        "vanished",
    ];

    /// Spells what tests say beside the measures, for a table whose head is [`EVIDENCE`](Self::EVIDENCE):
    /// the test of independence, how likely the change of missing values is when nothing drifted, and which
    /// categories are new, with their share of the later values, or vanished. Texts are empty where there
    /// is nothing to say; `None` when all are.
    #[must_use]
    pub fn evidence(&self) -> Option<[String; 6]> {
        let test = self.chi_square.as_ref();
        let of_test = |told: fn(&super::ChiSquare) -> String| test.map(told).unwrap_or_default();
        let categories = self.categories.as_ref();
        let new = categories.filter(|found| !found.new.is_empty());
        let new = new.map(|found| {
            let percent = found.new_share * 100.0;
            format!("{percent:.1} %: {}", few(&found.new))
        });
        let told = [
            of_test(|test| format!("{:.2} (df {})", test.statistic, test.freedom)),
            of_test(|test| probability(test.p_value)),
            of_test(|test| format!("{:.3}", test.cramers_v)),
            self.missing_p_value.map(probability).unwrap_or_default(),
            new.unwrap_or_default(),
            categories
                .map(|found| few(&found.vanished))
                .unwrap_or_default(),
        ];
        told.iter().any(|text| !text.is_empty()).then_some(told)
    }
}

fn probability(p: f64) -> String {
    if p < LEAST_P {
        format!("<{LEAST_P}")
    } else {
        format!("{p:.3}")
    }
}

/// Names some categories, and says how many more there are.
fn few(values: &[ScalarValue]) -> String {
    let named = values.iter().take(NAMED).map(|value| {
        let text = value.to_string();
        match text.char_indices().nth(MAX_CHARACTERS) {
            Some((end, _)) => format!("{}…", text.split_at(end).0),
            None => text,
        }
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match values.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::CategoryDrift;

    fn text(text: &str) -> ScalarValue {
        ScalarValue::Text(text.to_owned())
    }

    #[test]
    fn some_categories_are_named_and_the_others_counted() {
        let long = "x".repeat(40);
        let drift = Drift {
            missing_p_value: Some(1e-9),
            categories: Some(CategoryDrift {
                new: vec![text("a"), text("b"), text("c"), text("d"), text("e")],
                vanished: vec![text(&long)],
                new_share: 0.035,
            }),
            ..Drift::default()
        };
        let told = drift.evidence().unwrap();
        assert_eq!(told[4], "3.5 %: a, b, c and 2 more");
        assert_eq!(told[5], format!("{}…", "x".repeat(32)));
        assert_eq!((told[0].as_str(), told[3].as_str()), ("", "<0.001"));
        assert_eq!(Drift::default().evidence(), None);
    }
}
