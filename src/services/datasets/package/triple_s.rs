//! `triple-s.xml` and `triple-s.csv`: Triple-S XML 2.0 (<https://www.triple-s.org>), for survey
//! packages.
//!
//! Options are numbered from 1 in the questionnaire's order. «Not applicable» and «don't know»
//! become the two highest numbers of nines above the longest answer (98 and 99 beside a scale to
//! 10), as is usual in survey packages. A question with several options is one variable of ones and
//! zeros.

use std::collections::BTreeMap;
use std::io::{self, Write};

use csv::StringRecord;
use quick_xml::escape::escape;

use super::codebook::{DONT_KNOW, NOT_APPLICABLE};
use super::{FormatContext, TableFormat};
use crate::adapters::transports::NewFile;
use crate::domain::questionnaire::{Choice, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, Table, layout};

/// All files of the format.
pub(super) const FILES: [&str; 2] = ["triple-s.xml", "triple-s.csv"];

pub struct TripleS {
    out: csv::Writer<NewFile>,
    variables: Vec<Variable>,
}

struct Variable {
    name: String,
    label: String,
    /// The indices of the table columns that form the variable.
    columns: Vec<usize>,
    kind: VariableKind,
    /// The numbers of «not applicable» and «don't know».
    missing: BTreeMap<String, i64>,
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
}

impl TripleS {
    pub(super) fn begin(format_context: FormatContext<'_>) -> io::Result<TripleS> {
        let fields = layout(
            Table::Responses,
            format_context.questionnaire,
            &format_context.metadata.list_fields,
        );
        let mut variables: Vec<Variable> = Vec::new();
        for (field, at) in fields.iter().zip(0..) {
            let made = variable(field, at);
            match variables.last_mut().filter(|last| last.name == made.name) {
                Some(last) => {
                    last.columns.push(at);
                    if let (VariableKind::Multiple(labels), VariableKind::Multiple(more)) =
                        (&mut last.kind, made.kind)
                    {
                        labels.extend(more);
                    }
                }
                None => variables.push(made),
            }
        }
        format_context
            .folder
            .write("triple-s.xml", describe(format_context, &variables).as_bytes())?;
        let mut out = csv::Writer::from_writer(format_context.folder.file("triple-s.csv")?);
        out.write_record(variables.iter().map(|variable| variable.name.as_str()))?;
        Ok(TripleS { out, variables })
    }
}

fn variable(field: &Field<'_>, at: usize) -> Variable {
    let (mut name, mut label, mut missing) =
        (field.name.clone(), field.title.clone(), BTreeMap::new());
    let both = |text: &crate::domain::language::LocalizedText| {
        format!("{} {}", text.zh, text.en).trim().to_owned()
    };
    let item = field.column.as_ref().map(|column| column.item);
    let kind = match (item.map(|item| &item.kind), field.kind) {
        (Some(ItemKind::Choice(Choice { selection: Selection::Several { .. }, .. })), _) => {
            // All columns of the item form one variable.
            name = item.map(|item| item.variable.clone()).unwrap_or_default();
            label = item.map(|item| item.text.zh.clone()).unwrap_or_default();
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
        (Some(ItemKind::Open { max_chars }), _) => VariableKind::Character(*max_chars),
        (_, FieldKind::Integer) => VariableKind::Quantity(0.0, 999_999_999.0, 0),
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
    if let Some(item) = item {
        let most = match &kind {
            VariableKind::Single(codes) => codes.len() as f64,
            VariableKind::Quantity(_, to, _) => *to,
            _ => 0.0,
        };
        // 98 and 99, 998 and 999, …: above every answer.
        let mut nines = 99i64;
        while (nines - 1) as f64 <= most {
            nines = nines * 10 + 9;
        }
        if item.not_applicable {
            missing.insert(NOT_APPLICABLE.to_owned(), nines - 1);
        }
        if item.dont_know {
            missing.insert(DONT_KNOW.to_owned(), nines);
        }
    }
    Variable { name, label, columns: vec![at], kind, missing }
}

fn describe(format_context: FormatContext<'_>, variables: &[Variable]) -> String {
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
        };
        let head = format!(
            "<variable ident=\"{number}\" type=\"{kind}\"{}>\n",
            if number == 1 { " use=\"serial\"" } else { "" }
        );
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
            .map(|(word, code)| {
                value(
                    &code.to_string(),
                    if word == DONT_KNOW {
                        "不知道 don't know"
                    } else {
                        "不适用 not applicable"
                    },
                )
            })
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
            VariableKind::Multiple(labels) => {
                let labels: String = labels
                    .iter()
                    .zip(1..)
                    .map(|(label, number)| value(&number.to_string(), label))
                    .collect();
                xml.push_str(&format!("<values>\n{labels}</values>\n"));
            }
            VariableKind::Quantity(from, to, decimals) => {
                let places = *decimals as usize;
                xml.push_str(&format!(
                    "<values>\n<range from=\"{from:.places$}\" \
                    to=\"{to:.places$}\"/>\n{missing}</values>\n"
                ));
            }
            VariableKind::Character(size) => xml.push_str(&format!("<size>{size}</size>\n")),
            VariableKind::Logical | VariableKind::Date => {}
        }
        xml.push_str("</variable>\n");
    }
    xml.push_str("</record>\n</survey>\n</sss>\n");
    xml
}

impl Variable {
    fn cell(&self, row: &StringRecord) -> String {
        let cell = |at: &usize| row.get(*at).unwrap_or_default();
        let first = self.columns.first().map(cell).unwrap_or_default();
        if let Some(code) =
            self.missing.get(first).filter(|_| !matches!(self.kind, VariableKind::Multiple(_)))
        {
            return code.to_string();
        }
        match &self.kind {
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
                self.columns.iter().map(|at| if cell(at) == "1" { '1' } else { '0' }).collect()
            }
            VariableKind::Logical => match first {
                "true" => "1".into(),
                "false" => "0".into(),
                _ => String::new(),
            },
            VariableKind::Date => first.get(..10).unwrap_or_default().replace('-', ""),
            VariableKind::Quantity(..) | VariableKind::Character(_) => {
                if first == NOT_APPLICABLE || first == DONT_KNOW { "" } else { first }.to_owned()
            }
        }
    }
}

impl TableFormat for TripleS {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        if table == Table::Responses {
            self.out.write_record(self.variables.iter().map(|variable| variable.cell(row)))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut file = self.out.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        file.flush()?;
        file.finish().map(|_| ())
    }
}
