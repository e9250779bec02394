//! The card as Markdown: the order of its sections, and the metadata in front.

use super::ModelCard;
use super::page::Page;
use super::text::{line, quoted};

/// Tags that the metadata in front repeats, by Hugging Face's names.
const METADATA: [&str; 6] = [
    "language",
    "library_name",
    "license",
    "license_link",
    "license_name",
    "pipeline_tag",
];

impl ModelCard {
    /// Writes the card as Markdown (`CommonMark` with tables) behind metadata in YAML.
    ///
    /// Free text is shown as text: whatever stands in a tag, description, name of a metric or file is
    /// neither markup nor HTML. A cell of a table shows at most 1,000 characters. The same view gives the
    /// same bytes.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = Page::default();
        page.block(self.metadata());
        let node = &self.info.node;
        let title = format!("{} {}", self.info.model, node.version());
        page.block(format!("# Model Card for {}", line(&title)));
        page.section("Model Details", |page| self.details(page));
        page.section("Uses", |page| self.uses(page));
        page.section("Bias, Risks, and Limitations", |page| {
            self.limitations(page);
        });
        page.section("How to Get Started with the Model", |page| {
            page.block(format!("```sh\nmainstay model pull {node} DIRECTORY\n```"));
        });
        page.section("Training Details", |page| self.training(page));
        page.section("Evaluation", |page| self.evaluation(page));
        page.section("Technical Specifications", |page| self.specifications(page));
        page.section("More Information", |page| self.more(page));
        page.into_text()
    }

    fn metadata(&self) -> String {
        let mut lines = vec!["---".to_owned()];
        lines.push(format!("model_name: {}", quoted(self.info.model.as_str())));
        let tags = METADATA
            .iter()
            .filter_map(|key| Some((key, self.info.tags.get(*key)?)));
        lines.extend(tags.map(|(key, value)| format!("{key}: {}", quoted(value))));
        lines.push("---".to_owned());
        lines.join("\n")
    }
}
