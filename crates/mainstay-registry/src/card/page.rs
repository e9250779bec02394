//! A page of Markdown, block by block.

/// Blocks of Markdown below headings.
#[derive(Default)]
pub(super) struct Page(Vec<String>);

impl Page {
    /// Adds a section; one in which nothing is said, says so.
    pub(super) fn section(&mut self, title: &str, write: impl FnOnce(&mut Self)) {
        let mut section = Self::default();
        write(&mut section);
        if section.0.is_empty() {
            section.block("Not stated.".to_owned());
        }
        self.block(format!("## {title}"));
        self.0.append(&mut section.0);
    }

    /// Adds a part of a section; none when nothing is said in it.
    pub(super) fn part(&mut self, title: &str, write: impl FnOnce(&mut Self)) {
        let mut part = Self::default();
        write(&mut part);
        if !part.0.is_empty() {
            self.block(title.to_owned());
            self.0.append(&mut part.0);
        }
    }

    /// Adds a block; none when it is empty.
    pub(super) fn block(&mut self, block: String) {
        if !block.is_empty() {
            self.0.push(block);
        }
    }

    /// Adds a list of facts; those that are not known are left out.
    pub(super) fn facts<const N: usize>(&mut self, facts: [(&str, Option<String>); N]) {
        let known = facts
            .into_iter()
            .filter_map(|(name, fact)| Some((name, fact?)));
        let lines: Vec<String> = known
            .map(|(name, fact)| format!("- **{name}:** {fact}"))
            .collect();
        self.block(lines.join("\n"));
    }

    /// Adds a table; none when it has no rows. Cells are Markdown already.
    pub(super) fn table<const N: usize>(
        &mut self,
        head: [&str; N],
        rows: impl Iterator<Item = [String; N]>,
    ) {
        let mut lines: Vec<String> = rows.map(|cells| row(&cells)).collect();
        if !lines.is_empty() {
            lines.splice(
                0..0,
                [
                    row(&head.map(str::to_owned)),
                    row(&["---"; N].map(str::to_owned)),
                ],
            );
            self.block(lines.join("\n"));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0.join("\n\n") + "\n"
    }
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}
