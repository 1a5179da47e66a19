//! `fieldwork-report.html` and `questionnaire.*.html`: self-contained, printable pages in Chinese
//! and English.

use std::collections::BTreeMap;
use std::io;

use askama::Template;

use super::precision_report;
use crate::domain::disposition::Disposition;
use crate::domain::estimation::VariableCounts;
use crate::domain::language::Language;
use crate::domain::questionnaire::Questionnaire;
use crate::services::datasets::disposition_codes;
use crate::services::datasets::metadata::{CellSummary, DatasetMetadata};
use crate::services::datasets::printable_questionnaire::PrintableQuestionnaire;

/// `variables`: the sample and the completes by the words of the list.
pub fn report(
    metadata: &DatasetMetadata,
    questionnaire: &Questionnaire,
    variables: &[VariableCounts],
) -> io::Result<String> {
    let failed = |e: askama::Error| io::Error::other(e.to_string());
    let section = precision_report::section(metadata, questionnaire, variables);
    let section = section.map(|section| section.render()).transpose().map_err(failed)?;
    Report { metadata, section }.render().map_err(failed)
}

/// Renders the questionnaire as asked.
pub fn questionnaire(questionnaire: &Questionnaire, language: Language) -> io::Result<String> {
    PrintableQuestionnaire::new(questionnaire, language)
        .render()
        .map_err(|e| io::Error::other(e.to_string()))
}

#[derive(Template)]
#[template(path = "dataset/fieldwork-report.html")]
struct Report<'a> {
    metadata: &'a DatasetMetadata,
    /// The section on precision, rendered.
    section: Option<String>,
}

/// A row of the outcome table.
struct Outcome {
    code: String,
    zh: &'static str,
    en: &'static str,
    cases: u64,
    share: f64,
}

/// The width and height of a chart, and the margins for its axes.
const WIDTH: f64 = 680.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 42.0;
const BELOW: f64 = 24.0;

/// A bar of a chart.
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The chart of completes by day.
struct Curve {
    /// The line of the cumulative completes, as SVG points.
    points: String,
    bars: Vec<Bar>,
    target_y: f64,
    top: u64,
    first: String,
    last: String,
}

impl Report<'_> {
    fn completes(&self) -> u64 {
        self.metadata.dispositions.get(Disposition::Complete.code()).copied().unwrap_or(0)
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let all = self.metadata.cases.max(1) as f64;
        let known = disposition_codes::of_rules(self.metadata.rules_version);
        let outcome = |(code, cases): (&String, &u64)| {
            let (zh, en) = known
                .iter()
                .find(|known| known.code == code)
                .map_or(("", ""), |known| known.labels);
            Outcome {
                code: code.clone(),
                zh,
                en,
                cases: *cases,
                share: *cases as f64 / all * 100.0,
            }
        };
        self.metadata.dispositions.iter().map(outcome).collect()
    }

    /// Formats e; «n/a» if nothing is known of anybody.
    fn share(e: &Option<f64>) -> String {
        e.map_or("n/a".to_owned(), |e| format!("{e:.3}"))
    }

    fn rates(&self) -> Vec<(&str, String)> {
        let formatted = |rate: &Option<f64>| {
            rate.map_or("n/a".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
        };
        self.metadata.rates.iter().map(|(name, rate)| (name.as_str(), formatted(rate))).collect()
    }

    /// Formats a count of people, masked where it is too small to publish.
    fn masked_count(&self, count: &u64) -> String {
        let smallest = u64::from(self.metadata.smallest_cell);
        if (1..smallest).contains(count) { format!("< {smallest}") } else { count.to_string() }
    }

    fn cell(&self, cell: &CellSummary) -> String {
        self.masked_count(&u64::from(cell.completes))
    }

    /// Returns how far a cell is filled, in percent; 0 for a cell that is too small to publish.
    fn fill_percent(&self, cell: &CellSummary) -> f64 {
        let is_reported = cell.completes == 0 || cell.completes >= self.metadata.smallest_cell;
        if is_reported && cell.target > 0 {
            (f64::from(cell.completes) / f64::from(cell.target) * 100.0).min(100.0)
        } else {
            0.0
        }
    }

    fn pairs<'m>(&self, counts: &'m BTreeMap<String, u64>) -> Vec<(&'m str, String)> {
        counts.iter().map(|(name, count)| (name.as_str(), self.masked_count(count))).collect()
    }

    fn attempts(&self) -> Vec<(i64, u64, u64)> {
        self.metadata
            .attempts
            .iter()
            .map(|(attempts, (cases, completes))| (*attempts, *cases, *completes))
            .collect()
    }

    /// Returns the chart of completes; `None`: nobody completed.
    fn curve(&self) -> Option<Curve> {
        let day = |text: &String| text.parse::<chrono::NaiveDate>().ok();
        let all = self
            .metadata
            .completes_by_day
            .keys()
            .chain(self.metadata.first_contacts_by_day.keys())
            .filter_map(day);
        let (first, last) =
            all.fold(None, |span: Option<(chrono::NaiveDate, chrono::NaiveDate)>, day| {
                Some(span.map_or((day, day), |(first, last)| (first.min(day), last.max(day))))
            })?;
        let days = (last - first).num_days() + 1;
        let top = self.completes().max(u64::from(self.metadata.target)).max(1);
        let (across, up) = ((WIDTH - LEFT) / days as f64, (HEIGHT - BELOW) / top as f64);
        let (mut sum, mut points, mut bars) = (0, Vec::new(), Vec::new());
        for (day, number) in first.iter_days().take(usize::try_from(days).unwrap_or(0)).zip(0..) {
            let of_day = self.metadata.completes_by_day.get(&day.to_string()).copied().unwrap_or(0);
            sum += of_day;
            let x = LEFT + across * f64::from(number);
            points.push(format!("{:.1},{:.1}", x + across / 2.0, HEIGHT - BELOW - sum as f64 * up));
            if of_day > 0 {
                let height = of_day as f64 * up;
                bars.push(Bar {
                    x,
                    y: HEIGHT - BELOW - height,
                    width: (across - 0.5).max(0.5),
                    height,
                });
            }
        }
        let target_y = HEIGHT - BELOW - f64::from(self.metadata.target) * up;
        Some(Curve {
            points: points.join(" "),
            bars,
            target_y,
            top,
            first: first.to_string(),
            last: last.to_string(),
        })
    }

    fn deviation(what: &str) -> &'static str {
        match what {
            "held" => "暂停 on hold",
            "released" => "恢复 taken up again",
            "extended" => "延期 extended",
            _ => "人工结束 closed by hand",
        }
    }

    fn reason(&self) -> &'static str {
        match self.metadata.reason.as_str() {
            "rejected" => "上一版被退回 the version before was rejected",
            "reviewed" => "复核问卷后重新生成 after responses were reviewed",
            "late_answers" => "计入迟到的回答 with answers that came late",
            "withdrawal" => "撤回同意后更正 corrected after a consent was taken back",
            "interim" => "期中 interim",
            _ => "调查结束 the field closed",
        }
    }
}
