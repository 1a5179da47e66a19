//! `triple-s.xml` and `triple-s.csv`: Triple-S XML 2.0 (<https://www.triple-s.org>), for survey
//! packages.
//!
//! Options are numbered from 1 in the questionnaire's order. The reasons for a missing value become
//! the highest numbers of nines above the longest answer («don't know» is 99 beside a scale to 10,
//! «not applicable» 98), as is usual in survey packages. A question with several options is one
//! variable of ones and zeros, where each reason is a further option. A date has a variable
//! `NAME_missing` beside it; an open answer holds the code of the other files.

use std::io::{self, Write};

use csv::StringRecord;
use quick_xml::escape::escape;

use super::{FormatContext, TableFormat, csv_files};
use crate::adapters::transports::NewFile;
use crate::domain::questionnaire::{Choice, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, Table, WEIGHT, WEIGHT_DECIMALS, layout};
use crate::services::datasets::missing::{MissingCodes, MissingReason};

/// All files of the format.
pub(super) const FILES: [&str; 2] = ["triple-s.xml", "triple-s.csv"];

/// Characters of the longest code for a missing value, and room.
const LONGEST_CODE: usize = 16;

pub struct TripleS {
    out: csv::Writer<NewFile>,
    variables: Vec<Variable>,
    codes: MissingCodes,
}

struct Variable {
    name: String,
    label: String,
    /// The indices of the table columns that form the variable.
    columns: Vec<usize>,
    kind: VariableKind,
    /// The reasons for a missing value, with their numbers.
    missing: Vec<(MissingReason, i64)>,
    /// Whether it weights the responses.
    is_weight: bool,
}

enum VariableKind {
    /// Codes in order, with their labels.
    Single(Vec<(String, String)>),
    /// The labels of its options.
    Multiple(Vec<String>),
    /// Minimum, maximum, decimals.
    Quantity(f64, f64, u32),
    Character(usize),
    Logical,
    Date,
    /// The reason why another variable has no value.
    Reason,
}

impl TripleS {
    pub(super) fn begin(format_context: FormatContext<'_>) -> io::Result<TripleS> {
        let fields =
            layout(Table::Responses, format_context.questionnaire, format_context.metadata);
        let codes = format_context.metadata.missing_codes();
        let mut variables: Vec<Variable> = Vec::new();
        for (field, at) in fields.iter().zip(0..) {
            let made = variable(field, at, codes);
            let reasons = reasons_beside(&made, codes);
            match variables.last_mut().filter(|last| last.name == made.name) {
                Some(last) => {
                    last.columns.push(at);
                    if let (VariableKind::Multiple(labels), VariableKind::Multiple(more)) =
                        (&mut last.kind, made.kind)
                    {
                        labels.extend(more);
                    }
                }
                None => variables.extend([Some(made), reasons].into_iter().flatten()),
            }
        }
        format_context
            .folder
            .write("triple-s.xml", describe(format_context, &variables).as_bytes())?;
        let file = format_context.folder.file("triple-s.csv")?;
        // The mark is part of the header row, which triple-s.xml tells its readers to skip.
        let mut out = csv_files::writer(file, format_context.metadata.csv_byte_order_mark)?;
        out.write_record(variables.iter().map(|variable| variable.name.as_str()))?;
        Ok(TripleS { out, variables, codes })
    }
}

/// The variable with the reasons beside one that can only hold a value.
fn reasons_beside(variable: &Variable, codes: MissingCodes) -> Option<Variable> {
    (matches!(variable.kind, VariableKind::Date) && codes.is_complete()).then_some(())?;
    let mut missing = variable.missing.clone();
    missing.iter_mut().zip(1..).for_each(|((_, number), place)| *number = place);
    (!missing.is_empty()).then(|| Variable {
        name: format!("{}_missing", variable.name),
        label: variable.label.clone(),
        columns: variable.columns.clone(),
        kind: VariableKind::Reason,
        missing,
        is_weight: false,
    })
}

fn variable(field: &Field<'_>, at: usize, codes: MissingCodes) -> Variable {
    let (mut name, mut label, mut missing) = (field.name.clone(), field.title.clone(), Vec::new());
    let both = |text: &crate::domain::language::LocalizedText| super::wording::both(text);
    let item = field.column.as_ref().map(|column| column.item);
    let kind = match (item.map(|item| &item.kind), field.kind) {
        (Some(ItemKind::Choice(Choice { selection: Selection::Several { .. }, .. })), _) => {
            // All columns of the item form one variable.
            name = item.map(|item| item.variable.clone()).unwrap_or_default();
            label = item.map(|item| item.text.first().to_owned()).unwrap_or_default();
            VariableKind::Multiple(vec![
                field
                    .column
                    .as_ref()
                    .and_then(|column| column.option_label())
                    .map(both)
                    .unwrap_or_default(),
            ])
        }
        (Some(ItemKind::Choice(Choice { selection: Selection::One, options, .. })), _) => {
            VariableKind::Single(
                options.iter().map(|option| (option.code.clone(), both(&option.text))).collect(),
            )
        }
        (Some(ItemKind::Choice(choice)), _) => {
            VariableKind::Quantity(1.0, choice.options.len() as f64, 0)
        }
        (Some(ItemKind::Scale(scale)), _) => {
            VariableKind::Quantity(scale.from as f64, scale.to as f64, 0)
        }
        (Some(ItemKind::Number(range)), _) => VariableKind::Quantity(
            range.min.unwrap_or(-999_999.0),
            range.max.unwrap_or(999_999.0),
            range.decimals,
        ),
        (Some(ItemKind::Open { max_chars }), _) if codes.is_complete() => {
            VariableKind::Character(LONGEST_CODE.max(max_chars + max_chars / 2 + 1))
        }
        (Some(ItemKind::Open { max_chars }), _) => VariableKind::Character(*max_chars),
        (_, FieldKind::Integer) => VariableKind::Quantity(0.0, 999_999_999.0, 0),
        (None, FieldKind::Number) if field.name == WEIGHT => {
            VariableKind::Quantity(0.0, 999_999.0, WEIGHT_DECIMALS)
        }
        (_, FieldKind::Number) => VariableKind::Quantity(0.0, 1.0, 4),
        (_, FieldKind::Boolean) => VariableKind::Logical,
        (_, FieldKind::Date | FieldKind::Time) => VariableKind::Date,
        (_, FieldKind::Text) => match field.constraints["enum"].as_array() {
            Some(codes) => VariableKind::Single(
                codes
                    .iter()
                    .filter_map(|code| code.as_str())
                    .map(|code| (code.to_owned(), code.to_owned()))
                    .collect(),
            ),
            None => VariableKind::Character(64),
        },
    };
    if let Some(column) = &field.column {
        let most = match &kind {
            VariableKind::Single(codes) => codes.len() as f64,
            VariableKind::Quantity(_, to, _) => *to,
            _ => 0.0,
        };
        // 99, 999, …: they and the numbers before them are above every answer.
        let mut nines = 99i64;
        while (nines - codes.all().count() as i64 + 1) as f64 <= most {
            nines = nines * 10 + 9;
        }
        let with_code = MissingReason::ALL.into_iter().rev().filter(|r| !codes.code(*r).is_empty());
        let numbers = with_code.zip(0..).map(|(reason, before)| (reason, nines - before));
        let possible = column.missing_reasons();
        missing = numbers.filter(|(reason, _)| possible.contains(reason)).collect();
        missing.reverse();
    }
    let is_weight = item.is_none() && field.name == WEIGHT;
    Variable { name, label, columns: vec![at], kind, missing, is_weight }
}

fn describe(format_context: FormatContext<'_>, variables: &[Variable]) -> String {
    let codes = format_context.metadata.missing_codes();
    let title = escape(format_context.metadata.subject.as_str()).into_owned();
    let at = chrono::DateTime::parse_from_rfc3339(&format_context.metadata.frozen_at).ok();
    let stamp = |format: &str| at.map(|at| at.format(format).to_string()).unwrap_or_default();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sss \
            version=\"2.0\">\n<date>{}</date>\n<time>{}</time>\n<origin>fieldworkd</origin>\n<survey>\n\
         <name>{}</name>\n<version>{}</version>\n<title>{title}</title>\n<record ident=\"A\" \
         format=\"csv\" skip=\"1\">\n",
        stamp("%Y-%m-%d"),
        stamp("%H:%M:%S"),
        escape(format_context.metadata.application.as_str()),
        format_context.metadata.version,
    );
    for (variable, number) in variables.iter().zip(1..) {
        let kind = match variable.kind {
            VariableKind::Single(_) => "single",
            VariableKind::Multiple(_) => "multiple",
            VariableKind::Quantity(..) => "quantity",
            VariableKind::Character(_) => "character",
            VariableKind::Logical => "logical",
            VariableKind::Date => "date",
            VariableKind::Reason => "single",
        };
        let usage = if number == 1 {
            " use=\"serial\""
        } else if variable.is_weight {
            " use=\"weight\""
        } else {
            ""
        };
        let head = format!("<variable ident=\"{number}\" type=\"{kind}\"{usage}>\n");
        xml.push_str(&head);
        xml.push_str(&format!(
            "<name>{}</name>\n<label>{}</label>\n",
            escape(variable.name.as_str()),
            escape(variable.label.as_str())
        ));
        xml.push_str(&format!("<position start=\"{number}\"/>\n"));
        let value =
            |code: &str, label: &str| format!("<value code=\"{code}\">{}</value>\n", escape(label));
        let missing: String = variable
            .missing
            .iter()
            .map(|(reason, number)| value(&number.to_string(), reason.label()))
            .collect();
        match &variable.kind {
            VariableKind::Single(codes) => {
                let codes: String = codes
                    .iter()
                    .zip(1..)
                    .map(|((_, label), number)| value(&number.to_string(), label))
                    .collect();
                xml.push_str(&format!("<values>\n{codes}{missing}</values>\n"));
            }
            VariableKind::Multiple(options) => {
                let labels: String = options
                    .iter()
                    .zip(1..)
                    .map(|(label, number)| value(&number.to_string(), label))
                    .collect();
                let reasons: String = reasons_as_options(variable, codes)
                    .zip(options.len() + 1..)
                    .map(|(reason, number)| value(&number.to_string(), reason.label()))
                    .collect();
                xml.push_str(&format!("<values>\n{labels}{reasons}</values>\n"));
            }
            VariableKind::Quantity(from, to, decimals) => {
                let places = *decimals as usize;
                xml.push_str(&format!(
                    "<values>\n<range from=\"{from:.places$}\" \
                    to=\"{to:.places$}\"/>\n{missing}</values>\n"
                ));
            }
            VariableKind::Character(size) => xml.push_str(&format!("<size>{size}</size>\n")),
            VariableKind::Reason => {
                xml.push_str(&format!("<values>\n{missing}</values>\n"));
            }
            VariableKind::Logical | VariableKind::Date => {}
        }
        xml.push_str("</variable>\n");
    }
    xml.push_str("</record>\n</survey>\n</sss>\n");
    xml
}

/// The further options of a question with several: there are none in the first edition of the rules.
fn reasons_as_options(
    variable: &Variable,
    codes: MissingCodes,
) -> impl Iterator<Item = MissingReason> + '_ {
    let reasons = variable.missing.iter().map(|(reason, _)| *reason);
    reasons.filter(move |_| codes.is_complete())
}

impl Variable {
    fn cell(&self, row: &StringRecord, codes: MissingCodes) -> String {
        let cell = |at: &usize| row.get(*at).unwrap_or_default();
        let first = self.columns.first().map(cell).unwrap_or_default();
        // Only the cells of items hold codes for missing values.
        let reason = codes.reason(first).filter(|_| !self.missing.is_empty());
        if let Some(reason) = reason {
            return self.missing_cell(reason, first, codes);
        }
        match &self.kind {
            VariableKind::Reason => String::new(),
            VariableKind::Single(codes) => codes
                .iter()
                .position(|(code, _)| code == first)
                .map(|at| (at + 1).to_string())
                .unwrap_or_default(),
            // Left empty where the item was not answered or does not apply.
            VariableKind::Multiple(_)
                if !self.columns.iter().any(|at| cell(at) == "1" || cell(at) == "0") =>
            {
                String::new()
            }
            VariableKind::Multiple(_) => {
                let taken = self.columns.iter().map(|at| if cell(at) == "1" { '1' } else { '0' });
                taken.chain(reasons_as_options(self, codes).map(|_| '0')).collect()
            }
            VariableKind::Logical => match first {
                "true" => "1".into(),
                "false" => "0".into(),
                _ => String::new(),
            },
            VariableKind::Date => first.get(..10).unwrap_or_default().replace('-', ""),
            VariableKind::Quantity(..) | VariableKind::Character(_) => first.to_owned(),
        }
    }

    fn missing_cell(&self, reason: MissingReason, code: &str, codes: MissingCodes) -> String {
        match &self.kind {
            VariableKind::Date => String::new(),
            VariableKind::Character(_) if codes.is_complete() => code.to_owned(),
            VariableKind::Character(_) => String::new(),
            VariableKind::Multiple(_) if !codes.is_complete() => String::new(),
            VariableKind::Multiple(options) => {
                let reasons = reasons_as_options(self, codes);
                let bits = reasons.map(|other| if other == reason { '1' } else { '0' });
                options.iter().map(|_| '0').chain(bits).collect()
            }
            _ => {
                let number = self.missing.iter().find(|(other, _)| *other == reason);
                number.map(|(_, number)| number.to_string()).unwrap_or_default()
            }
        }
    }
}

impl TableFormat for TripleS {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        if table == Table::Responses {
            self.out.write_record(
                self.variables.iter().map(|variable| variable.cell(row, self.codes)),
            )?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut file = self.out.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        file.flush()?;
        file.finish().map(|_| ())
    }
}
