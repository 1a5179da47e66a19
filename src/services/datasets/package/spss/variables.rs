//! How the columns of a table become variables.

use csv::StringRecord;

use super::super::wording::{ValueLabel, Wording, both};
use super::names::Names;
use super::system_file::{
    Format, LONGEST_LABEL, LONGEST_TEXT, LONGEST_VALUE_LABEL, Measure, MultipleResponses, Variable,
    VariableKind,
};
use crate::domain::language::LocalizedText;
use crate::domain::questionnaire::{Choice, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, WEIGHT_COLUMNS, WEIGHT_DECIMALS};
use crate::services::datasets::missing::{MissingCodes, MissingReason};

const SECONDS_PER_DAY: f64 = 86_400.0;
/// Limits of a number without limits, as in Triple-S.
const LARGEST_NUMBER: f64 = 999_999.0;
/// Columns of whole numbers that count or measure nothing.
const NUMBERED: [&str; 3] = ["stratum", "replicate", "origin_cluster"];

/// A column that has become a variable, or that tells the reasons of the variable before it.
pub struct Source {
    /// The place of the column.
    pub at: usize,
    pub cell: CellKind,
    is_of_item: bool,
    /// What stands between the numbers of two reasons.
    unit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    Number,
    Boolean,
    Day,
    Time,
    Text,
    /// The reason why the text has no value.
    Reason,
}

/// What is written for a cell.
pub enum Value<'c> {
    Number(Option<f64>),
    Text(&'c str),
}

/// The variables of a table and where their values come from.
pub struct Variables {
    pub sources: Vec<Source>,
    pub variables: Vec<Variable>,
    pub sets: Vec<MultipleResponses>,
    /// Columns whose variables have another name.
    pub renamed: Vec<(String, String)>,
}

/// Returns the number of a reason: -999 for «don't know», -998 for «not applicable» and so on, as
/// 99 and 98 are in Triple-S.
fn number_of(reason: MissingReason, unit: f64) -> f64 {
    let place = MissingReason::ALL.iter().position(|other| *other == reason).unwrap_or_default();
    let before_last = MissingReason::ALL.len() - 1 - place;
    -(999.0 - before_last as f64) * unit
}

/// Returns the unit with which the numbers of all reasons are below every answer: 1, 10, 100, ….
/// Multiples of it are exact, whereas -9999999999999993 would not be.
fn unit_below(lowest: f64) -> f64 {
    let mut unit = 1.0;
    while number_of(MissingReason::Refused, unit) >= lowest {
        unit *= 10.0;
    }
    unit
}

/// Returns a text that fits, Chinese before English: both, or Chinese alone, which the file cuts.
fn fitting_label(text: &LocalizedText, bytes: usize) -> String {
    let whole = both(text);
    if whole.len() <= bytes || text.first().is_empty() { whole } else { text.first().to_owned() }
}

/// Returns the labels with no two alike: some readers refuse those (melff/memisc#42).
fn distinct_labels(labels: Vec<(String, LocalizedText)>) -> Vec<(String, String)> {
    let fitted: Vec<(String, String)> = labels
        .iter()
        .map(|(code, text)| (code.clone(), fitting_label(text, LONGEST_VALUE_LABEL)))
        .collect();
    let shown = |label: &str| super::system_file::fitting(label, LONGEST_VALUE_LABEL);
    let is_alone =
        |label: &str| fitted.iter().filter(|(_, l)| shown(l) == shown(label)).count() == 1;
    fitted
        .iter()
        .map(|(code, label)| match is_alone(label) {
            true => (code.clone(), label.clone()),
            false => (code.clone(), format!("[{code}] {label}")),
        })
        .collect()
}

/// Returns the number that a code is, if it is written as that number is.
fn whole(code: &str) -> Option<i64> {
    code.parse::<i64>().ok().filter(|number| number.to_string() == code)
}

/// Returns the width that shows all of the numbers.
fn width(numbers: [f64; 2], decimals: u32) -> u8 {
    let digits = |number: f64| format!("{number:.places$}", places = decimals as usize).len();
    let widest = numbers.map(digits).into_iter().max().unwrap_or_default();
    u8::try_from(widest.clamp(1, 40)).unwrap_or(40)
}

impl Variables {
    /// Returns the variables of the columns. Their texts are as wide as the codes that have labels;
    /// [`Variables::widen`] makes room for others.
    pub fn of(fields: &[Field<'_>], wording: &Wording<'_>, codes: MissingCodes) -> Variables {
        let mut names = Names::default();
        // Own names of columns come before those that are made.
        let own: Vec<String> = fields.iter().map(|field| names.long(&field.name)).collect();
        let is_renamed = |(field, name): &(&Field<'_>, &String)| field.name != **name;
        let renamed = fields.iter().zip(&own).filter(is_renamed);
        let mut made = Variables {
            sources: Vec::new(),
            variables: Vec::new(),
            sets: Vec::new(),
            renamed: renamed.map(|(field, name)| (field.name.clone(), name.clone())).collect(),
        };
        for ((at, field), name) in fields.iter().enumerate().zip(own) {
            made.join_set(field, &mut names, wording);
            let (source, variable) = variable(at, field, name, wording, codes);
            let has_reasons = source.cell == CellKind::Text && source.is_of_item;
            made.sources.push(source);
            made.variables.push(variable);
            if has_reasons {
                let name = names.long(&format!("{}_missing", field.name));
                let (source, variable) = reasons_beside(at, field, name, wording, codes);
                made.sources.push(source);
                made.variables.push(variable);
            }
        }
        made.sets.retain(|set| set.variables.len() > 1);
        made
    }

    /// Makes room for the texts of a row. Returns how many of them are longer than SPSS takes.
    pub fn widen(&mut self, row: &StringRecord, codes: MissingCodes) -> u64 {
        let mut too_long = 0;
        for (source, variable) in self.sources.iter().zip(&mut self.variables) {
            let VariableKind::Text { width, .. } = &mut variable.kind else { continue };
            let cell = row.get(source.at).unwrap_or_default();
            if let Some(Value::Text(text)) = source.value(cell, codes) {
                too_long += u64::from(text.len() > LONGEST_TEXT);
                *width = text.len().min(LONGEST_TEXT).max(*width);
            }
        }
        too_long
    }

    /// Adds the next variable to the set of its question, if it is one of several options.
    fn join_set(&mut self, field: &Field<'_>, names: &mut Names, wording: &Wording<'_>) {
        let Some(column) = &field.column else { return };
        let ItemKind::Choice(Choice { selection: Selection::Several { .. }, options, .. }) =
            &column.item.kind
        else {
            return;
        };
        let next = self.variables.len();
        let is_first = options.first().map(|option| option.code.as_str()) == column.option;
        match self.sets.last_mut() {
            Some(set) if !is_first => set.variables.push(next),
            _ => self.sets.push(MultipleResponses {
                // The name follows a «$»; it must not be longer than other names.
                name: names.long(&column.item.variable.chars().take(60).collect::<String>()),
                label: fitting_label(&wording.question(column.item), LONGEST_LABEL),
                variables: vec![next],
            }),
        }
    }
}

/// The reasons for which a column may have no value, with their texts.
fn reasons(field: &Field<'_>, codes: MissingCodes) -> Vec<(MissingReason, LocalizedText)> {
    let possible = field.column.as_ref().map(|column| column.missing_reasons()).unwrap_or_default();
    let has_code = |reason: &MissingReason| !codes.code(*reason).is_empty();
    let with_text = |reason: MissingReason| {
        let (zh, en) = reason.label().split_once(' ').unwrap_or((reason.label(), ""));
        (reason, LocalizedText::zh_en(zh, en))
    };
    possible.into_iter().filter(has_code).map(with_text).collect()
}

/// Returns the labels of numbers: of the codes that are numbers, and of the reasons.
fn number_labels(
    of_codes: Vec<ValueLabel>,
    reasons: &[(MissingReason, LocalizedText)],
    unit: f64,
) -> Vec<(f64, String)> {
    let of_codes = of_codes.into_iter().map(|label| (label.code, label.text));
    let of_reasons =
        reasons.iter().map(|(reason, text)| (number_of(*reason, unit).to_string(), text.clone()));
    distinct_labels(of_codes.chain(of_reasons).collect())
        .into_iter()
        .filter_map(|(code, label)| {
            let value = match code.as_str() {
                "true" => 1.0,
                "false" => 0.0,
                code => code.parse().ok()?,
            };
            Some((value, label))
        })
        .collect()
}

/// The lowest and the highest answer, and the decimals.
type Limits = (f64, f64, u32);

/// Returns the codes of a single choice as numbers, if all of them are numbers.
fn numeric_codes(field: &Field<'_>) -> Option<Vec<i64>> {
    match &field.column.as_ref()?.item.kind {
        ItemKind::Choice(Choice { selection: Selection::One, options, .. }) => {
            options.iter().map(|option| whole(&option.code)).collect()
        }
        _ => None,
    }
}

fn limits(field: &Field<'_>) -> Limits {
    if let Some(codes) = numeric_codes(field) {
        let number = |code: Option<&i64>| code.map_or(0.0, |code| *code as f64);
        return (number(codes.iter().min()), number(codes.iter().max()), 0);
    }
    match (field.column.as_ref().map(|column| &column.item.kind), field.kind) {
        (Some(ItemKind::Scale(scale)), _) => (scale.from as f64, scale.to as f64, 0),
        (Some(ItemKind::Number(range)), _) => (
            range.min.unwrap_or(-LARGEST_NUMBER),
            range.max.unwrap_or(LARGEST_NUMBER),
            range.decimals,
        ),
        (Some(ItemKind::Choice(choice)), _) => (0.0, choice.options.len() as f64, 0),
        (_, FieldKind::Number) if WEIGHT_COLUMNS.iter().any(|w| w.name == field.name) => {
            (0.0, 1e9, WEIGHT_DECIMALS)
        }
        (_, FieldKind::Number) => (0.0, 1.0, 4),
        (_, FieldKind::Boolean) => (0.0, 1.0, 0),
        _ => (0.0, 999_999_999.0, 0),
    }
}

/// Ratings are scales, because their means are what is reported.
fn measure(field: &Field<'_>) -> Measure {
    match (field.column.as_ref().map(|column| &column.item.kind), field.kind) {
        (Some(ItemKind::Scale(_) | ItemKind::Number(_)), _) => Measure::Scale,
        (Some(ItemKind::Choice(choice)), _) if choice.selection == Selection::Ranked => {
            Measure::Ordinal
        }
        (None, FieldKind::Integer) if NUMBERED.contains(&field.name.as_str()) => Measure::Nominal,
        (None, FieldKind::Integer | FieldKind::Number) => Measure::Scale,
        (_, FieldKind::Date | FieldKind::Time) => Measure::Scale,
        _ => Measure::Nominal,
    }
}

fn cell_kind(field: &Field<'_>) -> CellKind {
    match field.kind {
        FieldKind::Text if numeric_codes(field).is_some() => CellKind::Number,
        FieldKind::Text => CellKind::Text,
        FieldKind::Integer | FieldKind::Number => CellKind::Number,
        FieldKind::Boolean => CellKind::Boolean,
        FieldKind::Date => CellKind::Day,
        FieldKind::Time => CellKind::Time,
    }
}

fn variable(
    at: usize,
    field: &Field<'_>,
    name: String,
    wording: &Wording<'_>,
    codes: MissingCodes,
) -> (Source, Variable) {
    let cell = cell_kind(field);
    let limits = limits(field);
    let unit = if cell == CellKind::Day { SECONDS_PER_DAY } else { unit_below(limits.0) };
    let of_codes = wording.value_labels(field);
    let kind = match cell {
        CellKind::Text => VariableKind::Text {
            width: of_codes.iter().map(|label| label.code.len()).max().unwrap_or(1),
            labels: distinct_labels(
                of_codes.into_iter().map(|label| (label.code, label.text)).collect(),
            ),
        },
        _ => number_kind(cell, limits, unit, of_codes, &reasons(field, codes)),
    };
    let label = fitting_label(&wording.title(field), LONGEST_LABEL);
    let source = Source { at, cell, is_of_item: field.column.is_some(), unit };
    (source, Variable { name, label, measure: measure(field), kind })
}

fn number_kind(
    cell: CellKind,
    (lowest, highest, decimals): Limits,
    unit: f64,
    of_codes: Vec<ValueLabel>,
    reasons: &[(MissingReason, LocalizedText)],
) -> VariableKind {
    let range = (number_of(MissingReason::DontKnow, unit), number_of(MissingReason::Refused, unit));
    let missing = (!reasons.is_empty()).then_some(range);
    let format = match cell {
        CellKind::Day => Format::Day,
        CellKind::Time => Format::Time,
        _ => Format::Decimal {
            width: width([missing.map_or(lowest, |(low, _)| low), highest], decimals),
            decimals: decimals as u8,
        },
    };
    VariableKind::Number { format, missing, labels: number_labels(of_codes, reasons, unit) }
}

/// Returns the variable with the reasons beside a text, which has no room for them: at most three
/// values of eight bytes can be declared missing.
fn reasons_beside(
    at: usize,
    field: &Field<'_>,
    name: String,
    wording: &Wording<'_>,
    codes: MissingCodes,
) -> (Source, Variable) {
    let title = wording.title(field);
    let label = title.map(|language, title| match language.is_chinese() {
        true => format!("缺失原因：{title}"),
        false => format!("reason for no value: {title}"),
    });
    let kind = VariableKind::Number {
        format: Format::Decimal { width: 4, decimals: 0 },
        missing: None,
        labels: number_labels(Vec::new(), &reasons(field, codes), 1.0),
    };
    let source = Source { at, cell: CellKind::Reason, is_of_item: true, unit: 1.0 };
    let label = fitting_label(&label, LONGEST_LABEL);
    (source, Variable { name, label, measure: Measure::Nominal, kind })
}

impl Source {
    /// Returns what is written for a cell; `None`: it is not of its column's type.
    pub fn value<'c>(&self, cell: &'c str, codes: MissingCodes) -> Option<Value<'c>> {
        // Only the cells of items hold codes for missing values.
        let reason = codes.reason(cell).filter(|_| self.is_of_item);
        let number = match (self.cell, reason) {
            (CellKind::Text, Some(_)) => return Some(Value::Text("")),
            (CellKind::Text, None) => return Some(Value::Text(cell)),
            (_, Some(reason)) => number_of(reason, self.unit),
            (CellKind::Reason, None) => return Some(Value::Number(None)),
            _ if cell.is_empty() => return Some(Value::Number(None)),
            (CellKind::Number, None) => cell.parse().ok()?,
            (CellKind::Boolean, None) => f64::from(u8::from(cell == "true")),
            (CellKind::Day, None) => {
                let day: chrono::NaiveDate = cell.parse().ok()?;
                seconds(day.and_time(chrono::NaiveTime::MIN))
            }
            (CellKind::Time, None) => {
                seconds(chrono::DateTime::parse_from_rfc3339(cell).ok()?.naive_local())
            }
        };
        Some(Value::Number(Some(number)))
    }
}

/// Returns the seconds of a local time since the first day of the calendar.
fn seconds(at: chrono::NaiveDateTime) -> f64 {
    (at.and_utc().timestamp() - super::system_file::EPOCH) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_reasons_are_below_every_answer_and_exact() {
        for (lowest, unit) in [
            (1.0, 1.0),
            (-992.0, 1.0),
            (-993.0, 10.0),
            (-999_999.0, 10_000.0),
            (-999_999_999_999_999.0, 1e13),
        ] {
            assert_eq!(unit_below(lowest), unit);
            let numbers = MissingReason::ALL.map(|reason| number_of(reason, unit));
            assert!(numbers.iter().all(|number| *number < lowest && number.fract() == 0.0));
            assert!(numbers.windows(2).all(|two| two[1] - two[0] == -unit), "{numbers:?}");
        }
        assert_eq!(number_of(MissingReason::DontKnow, 1.0), -999.0);
        assert_eq!(number_of(MissingReason::Refused, 1.0), -993.0);
    }

    #[test]
    fn a_code_is_a_number_only_as_it_is_written() {
        for (code, number) in [
            ("1", Some(1)),
            ("-3", Some(-3)),
            ("01", None),
            ("1a", None),
            ("-0", None),
            ("+1", None),
        ] {
            assert_eq!(whole(code), number, "{code}");
        }
    }

    #[test]
    fn labels_fit_and_differ() {
        let text = |zh: &str, en: &str| LocalizedText::zh_en(zh, en);
        let long = "很".repeat(50);
        let labels = vec![
            ("1".to_owned(), text("满意", "satisfied")),
            ("2".to_owned(), text("满意", "satisfied")),
            ("3".to_owned(), text(&"满".repeat(40), "satisfied")),
            ("4".to_owned(), text(&long, "a")),
            ("5".to_owned(), text(&format!("{long}好"), "b")),
        ];
        let labels: Vec<String> = distinct_labels(labels).into_iter().map(|(_, l)| l).collect();
        let start = |code| format!("[{code}] 很");
        assert_eq!(labels[0], "[1] 满意 satisfied");
        assert_eq!(labels[1], "[2] 满意 satisfied");
        assert_eq!(labels[2], "满".repeat(40));
        assert!(labels[3].starts_with(&start(4)) && labels[4].starts_with(&start(5)));
    }
}
