//! `fieldwork-report.html` and `questionnaire.*.html`: self-contained, printable pages in Chinese
//! and English.

use std::collections::BTreeMap;
use std::io;

use askama::Template;

use super::fieldwork_report::{self, DeviationRow, Record, Summary};
use super::precision_report;
use crate::domain::disposition::Disposition;
use crate::domain::estimation::VariableCounts;
use crate::domain::language::Language;
use crate::domain::questionnaire::Questionnaire;
use crate::domain::small_cells;
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
    let mut report = Report { metadata, section, summary: None, record: None, deviations: None };
    if let Some(fieldwork) = &metadata.fieldwork {
        let deviations =
            fieldwork_report::deviations(metadata, report.completes(), |cell| report.cell(cell));
        let summary = Summary { metadata, fieldwork, deviations: &deviations };
        report.summary = Some(summary.render().map_err(failed)?);
        report.record = Some(Record { metadata, fieldwork }.render().map_err(failed)?);
        report.deviations = Some(deviations);
    }
    report.render().map_err(failed)
}

/// Renders the questionnaire as asked.
pub fn questionnaire(questionnaire: &Questionnaire, language: Language) -> io::Result<String> {
    PrintableQuestionnaire::new(questionnaire, language)
        .render()
        .map_err(|e| io::Error::other(e.to_string()))
}

/// Returns a kind of deviation from the plan in both languages.
pub(super) fn deviation(what: &str) -> &'static str {
    match what {
        "held" => "暂停 on hold",
        "released" => "恢复 taken up again",
        "extended" => "延期 extended",
        _ => "人工结束 closed by hand",
    }
}

#[derive(Template)]
#[template(path = "dataset/fieldwork-report.html")]
struct Report<'a> {
    metadata: &'a DatasetMetadata,
    /// The section on precision, rendered.
    section: Option<String>,
    /// The first page and the record of the fieldwork, rendered, and what did not go as planned;
    /// versions before edition 4 have none.
    summary: Option<String>,
    record: Option<String>,
    deviations: Option<Vec<DeviationRow>>,
}

/// A row of the outcome table.
struct Outcome {
    code: String,
    zh: &'static str,
    en: &'static str,
    cases: u64,
    share: f64,
}

/// Stands for a count from which a small one could be computed, or that is small itself.
pub(super) const NOT_SHOWN: &str = "—";

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

    /// Whether counts are hidden from which a small one could be computed; before edition 4, only the
    /// small ones were.
    fn hides_others(&self) -> bool {
        self.metadata.rules_version >= 4
    }

    /// Formats the counts of a row of which the total is known.
    fn masked_row(&self, counts: &[u64]) -> Vec<String> {
        if !self.hides_others() {
            return counts.iter().map(|count| self.masked_count(count)).collect();
        }
        let hidden = small_cells::hidden(counts, u64::from(self.metadata.smallest_cell));
        let format = |(count, is_hidden): (&u64, bool)| match is_hidden {
            true => NOT_SHOWN.to_owned(),
            false => count.to_string(),
        };
        counts.iter().zip(hidden).map(format).collect()
    }

    /// Whether the completes of a cell are told: neither they nor those outside of it are too few, and
    /// where the cells make up the whole, no hidden one can be computed from the others.
    fn is_cell_shown(&self, cell: &CellSummary) -> bool {
        let smallest = u64::from(self.metadata.smallest_cell);
        let is_small = |count: u64| (1..smallest).contains(&count);
        let (own, all) = (u64::from(cell.completes), self.completes());
        if !self.hides_others() {
            return !is_small(own);
        }
        let cells = &self.metadata.cells;
        let counts: Vec<u64> = cells.iter().map(|cell| u64::from(cell.completes)).collect();
        let is_whole = counts.iter().sum::<u64>() == all;
        let place = cells.iter().position(|other| other.name == cell.name);
        let is_hidden = match place {
            Some(place) if is_whole => small_cells::hidden(&counts, smallest)[place],
            _ => is_small(own),
        };
        !is_hidden && !is_small(all.saturating_sub(own))
    }

    fn cell(&self, cell: &CellSummary) -> String {
        match self.is_cell_shown(cell) {
            true => cell.completes.to_string(),
            false if self.hides_others() => NOT_SHOWN.to_owned(),
            false => self.masked_count(&u64::from(cell.completes)),
        }
    }

    /// Returns how far a cell is filled, in percent; 0 for a cell that is too small to publish.
    fn fill_percent(&self, cell: &CellSummary) -> f64 {
        if self.is_cell_shown(cell) && cell.target > 0 {
            (f64::from(cell.completes) / f64::from(cell.target) * 100.0).min(100.0)
        } else {
            0.0
        }
    }

    fn pairs<'m>(&self, counts: &'m BTreeMap<String, u64>) -> Vec<(&'m str, String)> {
        let masked = self.masked_row(&counts.values().copied().collect::<Vec<u64>>());
        counts.keys().map(String::as_str).zip(masked).collect()
    }

    /// Returns a code in words, from edition 4 on.
    fn word<'c>(&self, code: &'c str) -> &'c str {
        if self.metadata.rules_version >= 4 { fieldwork_report::word(code) } else { code }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// «en < 3» beside a total of 48 and 46 in Chinese tells that it is 2.
    #[test]
    fn no_small_count_is_told_by_the_others() {
        let languages = BTreeMap::from([("en".to_owned(), 2), ("zh".to_owned(), 46)]);
        let cell = |name: &str, completes| CellSummary {
            name: name.to_owned(),
            completes,
            target: 48,
            ..CellSummary::default()
        };
        let of_rules = |rules_version| DatasetMetadata {
            rules_version,
            smallest_cell: 3,
            responses: 48,
            dispositions: BTreeMap::from([("1.1".to_owned(), 48)]),
            cells: vec![cell("large", 2), cell("small", 46)],
            languages: languages.clone(),
            ..DatasetMetadata::default()
        };
        for (rules_version, expected) in [(3, ["< 3", "46"]), (4, [NOT_SHOWN; 2])] {
            let metadata = of_rules(rules_version);
            let report = Report {
                metadata: &metadata,
                section: None,
                summary: None,
                record: None,
                deviations: None,
            };
            let shown: Vec<String> =
                report.pairs(&metadata.languages).into_iter().map(|(_, count)| count).collect();
            assert_eq!(shown, expected);
            let cells: Vec<String> = metadata.cells.iter().map(|cell| report.cell(cell)).collect();
            assert_eq!(cells, expected);
        }
    }
}
