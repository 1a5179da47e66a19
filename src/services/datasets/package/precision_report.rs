//! The section «Precision and representativity» of the fieldwork report.

use askama::Template;

use super::report::NOT_SHOWN;
use crate::domain::estimation::{MeanDifference, MeanEstimate, VariableCounts, WeightingSummary};
use crate::domain::questionnaire::Questionnaire;
use crate::domain::small_cells;
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
        item.map(|item| super::wording::both(&item.text)).unwrap_or_default()
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

    /// Returns the counts of a row of which the total is known; `None`: it is not told.
    fn shown(&self, counts: impl Iterator<Item = u64>) -> Vec<Option<u64>> {
        let counts: Vec<u64> = counts.collect();
        let hidden = small_cells::hidden(&counts, self.smallest);
        counts.into_iter().zip(hidden).map(|(count, hidden)| (!hidden).then_some(count)).collect()
    }

    fn text_of(count: Option<u64>) -> String {
        count.map_or(NOT_SHOWN.to_owned(), |count| count.to_string())
    }

    /// Returns the strata with the names on the list, the sample and the completes.
    fn strata(&self) -> Vec<(u64, &str, [String; 3])> {
        let strata = &self.weights.strata;
        let columns = [
            self.shown(strata.iter().map(|stratum| stratum.size)),
            self.shown(strata.iter().map(|stratum| stratum.sample)),
            self.shown(strata.iter().map(|stratum| stratum.completes)),
        ];
        strata
            .iter()
            .enumerate()
            .map(|(at, stratum)| {
                let cells = [0, 1, 2].map(|column: usize| Self::text_of(columns[column][at]));
                (stratum.stratum, stratum.segment.as_str(), cells)
            })
            .collect()
    }

    /// Returns the modes; one of which the number is not told, has no mean either.
    fn modes(&self) -> Vec<(&str, Option<&MeanDifference>)> {
        let shown = self.shown(self.precision.modes.values().map(|mode| mode.n));
        let modes = self.precision.modes.iter().zip(shown);
        modes.map(|((name, mode), n)| (name.as_str(), n.map(|_| mode))).collect()
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
            let samples = self.shown(variable.categories.iter().map(|category| category.sample));
            let completes =
                self.shown(variable.categories.iter().map(|category| category.completes));
            for ((category, sample), completes) in
                variable.categories.iter().zip(samples).zip(completes)
            {
                let share =
                    |count: Option<u64>, of: f64| count.map(|count| count as f64 / of * BARS_WIDTH);
                let label = if category.word.is_empty() {
                    "（空 none）"
                } else {
                    category.word.as_str()
                };
                let text = format!("{} → {}", Self::text_of(sample), Self::text_of(completes));
                add(label, false, share(sample, asked), share(completes, answered), text);
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
