//! The details of a change, for people.

/// The most lines of a section.
const MAX_LINES: usize = 500;

/// Lines of detail under a title, as every form for people shows them below the one line of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// What the lines are, as `drifted columns`.
    pub title: String,
    /// The lines; the first 500 and a word on the rest.
    pub lines: Vec<String>,
    /// How they are laid out.
    pub layout: SectionLayout,
}

/// How the lines of a section are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who writes them out has to know each"
)]
pub enum SectionLayout {
    /// Each line tells one thing.
    List,
    /// The lines of a text before and after, each begun by `+`, `-`, a space or `@`.
    Hunks,
}

impl Section {
    /// Creates a section of which each line tells one thing.
    pub fn list<T: Into<String>>(
        title: impl Into<String>,
        lines: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::new(title.into(), SectionLayout::List, lines)
    }

    /// Creates a section of the lines of a text before and after.
    pub fn hunks<T: Into<String>>(
        title: impl Into<String>,
        lines: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::new(title.into(), SectionLayout::Hunks, lines)
    }

    fn new<T: Into<String>>(
        title: String,
        layout: SectionLayout,
        lines: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut rest = lines.into_iter().map(Into::into);
        let mut lines: Vec<String> = rest.by_ref().take(MAX_LINES).collect();
        match rest.count() {
            0 => {}
            more => lines.push(format!("… and {more} more")),
        }
        Self {
            title,
            lines,
            layout,
        }
    }
}
