//! A change as one page that needs nothing else.

use std::fmt::Write as _;

use mainstay_core::NodeRef;

use super::markdown::told;
use super::{Change, Component, Event, Section, SectionLayout};
use crate::export::svg::escaped;
use crate::graph::Graph;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n\
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.4rem;text-align:left;\
vertical-align:top}.high{background:#fee2e2}.medium{background:#fef9c3}.none{color:#777}\
pre{max-height:30rem;overflow:auto;background:#f6f6f6;padding:.5rem}.graph{overflow:auto}</style>\n";

impl Change {
    /// Writes the change as one HTML page with `graph` drawn, to be kept and sent: it opens from a disk,
    /// loads nothing and runs nothing. All text is escaped.
    #[must_use]
    pub fn to_html(&self, graph: &Graph) -> String {
        let title = escaped(&format!("{} → {}", self.a, self.b));
        let mut page = format!("{HEAD}<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n");
        page.push_str("<table>\n<tr><th>part<th>from<th>to<th>what\n");
        for part in &self.components {
            let detail = details(part);
            let _ = writeln!(
                page,
                "<tr class=\"{}\"><td>{}<td>{}<td>{}<td>{}{detail}",
                part.severity.as_str(),
                escaped(&part.slot),
                side(part.a.as_ref()),
                side(part.b.as_ref()),
                escaped(&told(part)),
            );
        }
        page.push_str("</table>\n<h2>What happened, the most telling first</h2>\n");
        page.push_str("<table>\n<tr><th>entry<th>time<th>who<th>why<th>what\n");
        for event in self.ranked_events() {
            let Event { seq, time, .. } = event;
            let refs: Vec<String> = event.refs.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                page,
                "<tr class=\"{}\"><td>{seq}<td>{time}<td>{}<td>{}<td>{}",
                event.explains.as_str(),
                escaped(event.actor.as_str()),
                escaped(&event.reason),
                escaped(&refs.join(", ")),
            );
        }
        page.push_str("</table>\n");
        if self.events_omitted > 0 {
            let _ = writeln!(
                page,
                "<p>At least {} older entries are left out.",
                self.events_omitted
            );
        }
        let _ = writeln!(
            page,
            "<h2>Lineage</h2>\n<div class=\"graph\">\n{}</div>\n</body>\n</html>",
            graph.to_svg()
        );
        page
    }
}

/// The details of a part, folded where there are many.
fn details(part: &Component) -> String {
    let mut html = String::new();
    for Section {
        title,
        lines,
        layout,
    } in &part.sections
    {
        let lines = lines.iter().map(|line| escaped(&line.replace('\n', " ")));
        let body = match layout {
            SectionLayout::List => {
                let items: Vec<String> = lines.collect();
                format!("<ul><li>{}</ul>", items.join("<li>"))
            }
            SectionLayout::Hunks => {
                let lines: Vec<String> = lines.collect();
                format!("<pre>{}</pre>", lines.join("\n"))
            }
        };
        let title = escaped(title);
        let _ = write!(
            html,
            "<details open><summary>{title}</summary>{body}</details>"
        );
    }
    if !part.detail.is_null() {
        let detail = escaped(&format!("{:#}", part.detail));
        let _ = write!(
            html,
            "<details><summary>as JSON</summary><pre>{detail}</pre></details>"
        );
    }
    html
}

fn side(node: Option<&NodeRef>) -> String {
    node.map_or_else(|| "–".to_owned(), |node| escaped(&node.to_string()))
}
