//! The section «Precision and representativity» of the fieldwork report.

use askama::Template;

use crate::domain::estimation::{MeanEstimate, VariableCounts, WeightingSummary};
use crate::domain::questionnaire::Questionnaire;
use crate::services::datasets::metadata::DatasetMetadata;
use crate::services::datasets::precision::PrecisionSummary;

/// The places of the bars and words in a plot, in its own units.
const BARS_FROM: f64 = 190.0;
const BARS_WIDTH: f64 = 320.0;
const ROW_HEIGHT: f64 = 26.0;
const WIDTH: f64 = 680.0;
const TREND_HEIGHT: f64 = 140.0;

#[derive(Template)]
#[template(path = "dataset/precision.html")]
pub(super) struct PrecisionSection<'a> {
    precision: &'a PrecisionSummary,
    weights: &'a WeightingSummary,
    questionnaire: &'a Questionnaire,
    smallest: u64,
    variables: &'a [VariableCounts],
}

/// A line of the plot: a variable, or one of its categories.
struct ShareRow {
    y: f64,
    label: String,
    is_variable: bool,
    /// The shares of those asked and of those who answered; none where the count is too small to
    /// publish.
    sample: Option<f64>,
    completes: Option<f64>,
    text: String,
}

/// The means by day.
struct DayPlot {
    points: Vec<(f64, f64)>,
    line: String,
    low: String,
    high: String,
    first: String,
    last: String,
}

/// `None`: the version was frozen before there was such a section.
pub(super) fn section<'a>(
    metadata: &'a DatasetMetadata,
    questionnaire: &'a Questionnaire,
    variables: &'a [VariableCounts],
) -> Option<PrecisionSection<'a>> {
    let (precision, weights) = metadata.precision.as_ref().zip(metadata.weights.as_ref())?;
    let smallest = u64::from(metadata.smallest_cell);
    Some(PrecisionSection { precision, weights, questionnaire, smallest, variables })
}

impl PrecisionSection<'_> {
    fn number(value: &Option<f64>) -> String {
        value.map_or("n/a".to_owned(), |value| format!("{value:.2}"))
    }

    fn interval(low: &Option<f64>, high: &Option<f64>) -> String {
        match (low, high) {
            (Some(low), Some(high)) => format!("{low:.2} – {high:.2}"),
            _ => "n/a".to_owned(),
        }
    }

    /// Returns the text of an item in both languages.
    fn text(&self, variable: &str) -> String {
        let item = self.questionnaire.items().find(|item| item.variable == variable);
        item.map(|item| format!("{} {}", item.text.zh, item.text.en)).unwrap_or_default()
    }

    /// Returns the rows of the table: each item, then the mean of the core.
    fn rows(&self) -> Vec<(&str, String, &MeanEstimate)> {
        let items = self.precision.items.iter();
        let mut rows: Vec<_> = items
            .map(|item| (item.variable.as_str(), self.text(&item.variable), &item.estimate))
            .collect();
        if let Some(core) = &self.precision.core {
            let text =
                format!("核心题均值 mean of the core: {}", self.precision.core_items.join(", "));
            rows.push(("–", text, core));
        }
        rows
    }

    fn is_small(&self, count: u64) -> bool {
        (1..self.smallest).contains(&count)
    }

    fn masked(&self, count: &u64) -> String {
        if self.is_small(*count) { format!("< {}", self.smallest) } else { count.to_string() }
    }

    fn shares(&self) -> Vec<ShareRow> {
        let mut rows: Vec<ShareRow> = Vec::new();
        let mut add = |label: &str, is_variable, sample, completes, text| {
            let y = ROW_HEIGHT * rows.len() as f64;
            let label = label.to_owned();
            rows.push(ShareRow { y, label, is_variable, sample, completes, text });
        };
        for variable in self.variables {
            add(&variable.variable, true, None, None, String::new());
            let total = |count: fn(&crate::domain::estimation::CategoryCount) -> u64| {
                variable.categories.iter().map(count).sum::<u64>().max(1) as f64
            };
            let (asked, answered) = (total(|c| c.sample), total(|c| c.completes));
            for category in &variable.categories {
                let share = |count: u64, of: f64| {
                    (!self.is_small(count)).then_some(count as f64 / of * BARS_WIDTH)
                };
                let label = if category.word.is_empty() {
                    "（空 none）"
                } else {
                    category.word.as_str()
                };
                let text = format!(
                    "{} → {}",
                    self.masked(&category.sample),
                    self.masked(&category.completes)
                );
                let sample = share(category.sample, asked);
                add(label, false, sample, share(category.completes, answered), text);
            }
        }
        rows
    }

    /// Returns the plot of the means by day, of the days with enough completes to publish; `None`:
    /// fewer than two.
    fn days(&self) -> Option<DayPlot> {
        let enough = self.smallest.max(1);
        let days: Vec<_> =
            self.precision.trend.days.iter().filter(|(_, day)| day.n >= enough).collect();
        let ((first, _), (last, _)) = (days.first()?, days.last()?);
        let span = last.signed_duration_since(**first).num_days() as f64;
        if span <= 0.0 {
            return None;
        }
        let means = days.iter().map(|(_, day)| day.mean);
        let (low, high) = means.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| {
            (low.min(mean), high.max(mean))
        });
        let (low, high) = ((low - 0.5).floor(), (high + 0.5).ceil());
        let point = |(day, mean): &(&chrono::NaiveDate, &crate::domain::estimation::DayMean)| {
            let days = day.signed_duration_since(**first).num_days() as f64;
            let x = 42.0 + (WIDTH - 60.0) * days / span;
            (x, (TREND_HEIGHT - 24.0) * (high - mean.mean) / (high - low))
        };
        let points: Vec<(f64, f64)> = days.iter().map(point).collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        Some(DayPlot {
            line: line.join(" "),
            points,
            low: format!("{low:.0}"),
            high: format!("{high:.0}"),
            first: first.to_string(),
            last: last.to_string(),
        })
    }
}
