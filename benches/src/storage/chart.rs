//! The results as a chart: one panel for each unit, a bar for each backend, on logarithmic axes.

use std::error::Error as StdError;

use mainstay::{Error, ErrorKind, Result};
use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, DrawingArea, IntoDrawingArea as _, IntoFont as _, IntoLogRange as _, Rectangle,
    SVGBackend, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color as _, RGBColor, WHITE};

use super::metric::Unit;
use super::number::{short, text};
use super::report::{BackendFacts, Report, ResultRow};

const WIDTH: u32 = 1000;
/// Room for the title and what the colours mean.
const HEAD: u32 = 64;
const LEGEND_LINE: u32 = 20;
const LEGEND_COLUMNS: u32 = 4;
/// Room around the bars of a panel, for its title and its axis.
const FRAME: u32 = 76;
const BAR: u32 = 13;
const TITLES: u32 = 330;
const VALUES: u32 = 80;

/// Told apart by people who see no red or no green: Okabe and Ito, "Color Universal Design", 2008.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(240, 228, 66),
    RGBColor(90, 90, 90),
];

type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn StdError + Send + Sync>>;

pub(super) fn draw(report: &Report) -> Result<String> {
    let mut svg = String::new();
    draw_into(&mut svg, report).map_err(|cause| {
        Error::new(ErrorKind::Internal, "cannot draw the chart").with_source(cause)
    })?;
    Ok(svg)
}

fn draw_into(svg: &mut String, report: &Report) -> Drawn {
    let panels: Vec<Panel<'_>> = Unit::ALL
        .into_iter()
        .filter_map(|unit| Panel::new(unit, report))
        .collect();
    let head = HEAD + count(report.backends.len()).div_ceil(LEGEND_COLUMNS) * LEGEND_LINE;
    let height = head + panels.iter().map(Panel::height).sum::<u32>();
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    draw_head(&root, report)?;
    let mut rest = root.split_vertically(head).1;
    for panel in &panels {
        let (area, below) = rest.split_vertically(panel.height());
        panel.draw(&root, &area)?;
        rest = below;
    }
    root.present()?;
    Ok(())
}

fn draw_head(root: &Root<'_>, report: &Report) -> Drawn {
    let cpu = report.machine.cpu.as_deref().unwrap_or("unknown processor");
    let what = format!(
        "medians of {}, {} build, {}, {cpu}, {} cores",
        report.scale.repetitions, report.build, report.date, report.machine.cores
    );
    let left = (HPos::Left, VPos::Top);
    root.draw(&Text::new(
        "The same work on every storage",
        (16, 10),
        label(22, left),
    ))?;
    root.draw(&Text::new(what, (16, 38), label(13, left)))?;
    for (index, facts) in report.backends.iter().enumerate() {
        let index_on_page = count(index);
        let x = pixel(16 + index_on_page % LEGEND_COLUMNS * (WIDTH / LEGEND_COLUMNS));
        let y = pixel(HEAD + index_on_page / LEGEND_COLUMNS * LEGEND_LINE);
        root.draw(&Rectangle::new(
            [(x, y), (x + 12, y + 12)],
            colour(index).filled(),
        ))?;
        root.draw(&Text::new(name(facts), (x + 18, y), label(13, left)))?;
    }
    Ok(())
}

/// The metrics of one unit.
struct Panel<'a> {
    unit: Unit,
    rows: Vec<&'a ResultRow>,
    backends: &'a [BackendFacts],
    axis: (f64, f64),
}

impl<'a> Panel<'a> {
    /// `None` when nothing was measured in this unit.
    fn new(unit: Unit, report: &'a Report) -> Option<Self> {
        let rows = report.results.iter().filter(|row| row.metric.unit == unit);
        let rows: Vec<&ResultRow> = rows.collect();
        let values = || {
            rows.iter()
                .flat_map(|row| &row.backends)
                .map(|spread| spread.median)
        };
        let (least, most) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        // Whole powers of ten, the least bar not too short to be seen.
        let axis = (
            10_f64.powf((least / 2.0).log10().floor()),
            10_f64.powf(most.log10().ceil()),
        );
        Some(Self {
            unit,
            rows,
            backends: &report.backends,
            axis,
        })
    }

    /// Bars of one metric and the gap below.
    fn slots(&self) -> usize {
        self.backends.len() + 1
    }

    fn height(&self) -> u32 {
        FRAME + count(self.rows.len() * self.slots()) * BAR
    }

    fn draw(&self, root: &Root<'_>, area: &Root<'_>) -> Drawn {
        let better = if self.unit.more_is_better() {
            "more"
        } else {
            "less"
        };
        let title = format!("{} ({better} is better)", self.unit.words());
        let slots = f64::from(count(self.rows.len() * self.slots()));
        let (from, to) = self.axis;
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .y_label_area_size(TITLES)
            .x_label_area_size(30)
            .margin_right(VALUES)
            .build_cartesian_2d((from..to).log_scale(), slots..0.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_label_formatter(&|value| short(*value))
            .label_style(("sans-serif", 12))
            .light_line_style(WHITE)
            .draw()?;
        for (number, row) in self.rows.iter().enumerate() {
            let first = count(number * self.slots());
            let middle = f64::from(first) + f64::from(count(self.backends.len())) / 2.0;
            let (x, y) = chart.plotting_area().map_coordinate(&(from, middle));
            let style = label(13, (HPos::Right, VPos::Center));
            root.draw(&Text::new(row.metric.title.clone(), (x - 8, y), style))?;
            for (index, facts) in self.backends.iter().enumerate() {
                let Some(value) = row.of(&facts.name) else {
                    continue;
                };
                let top = f64::from(first + count(index));
                let bar = [(from, top + 0.08), (value, top + 0.92)];
                chart.draw_series([Rectangle::new(bar, colour(index).filled())])?;
                let (x, y) = chart.plotting_area().map_coordinate(&(value, top + 0.5));
                let style = label(11, (HPos::Left, VPos::Center));
                root.draw(&Text::new(text(value), (x + 4, y), style))?;
            }
        }
        Ok(())
    }
}

fn name(facts: &BackendFacts) -> String {
    if facts.durable {
        facts.name.clone()
    } else {
        format!("{} (not durable)", facts.name)
    }
}

fn label(size: i32, (horizontal, vertical): (HPos, VPos)) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", size).into_font()).color(&BLACK);
    style.pos(Pos::new(horizontal, vertical))
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// A chart that has more of anything would not be one.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn pixel(at: u32) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}
